"""MLPRegressor: predicts numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import column_or_1d

from fastnet import checks
from fastnet.checks import Floats
from fastnet.sklearn.base import BaseMLP
from fastnet.sklearn.examples import Targets


class MLPRegressor(RegressorMixin, BaseMLP):  # type: ignore[misc]
    """A network of dense layers that predicts one number or several, with scikit-learn's parameters and some more.

    The output layer is linear. Numbers are float32: scale targets that are very large or very small.

    The parameters are those of `MLPClassifier`, without `class_weight`, and:

    Args:
        loss: ``"squared_error"``, half the square of the error; ``"poisson"``, which has the exponential function as
            the last activation and takes targets of at least 0; or another loss of fastnet, by name or object, such as
            ``"mae"`` or ``Huber()``. With several outputs, scikit-learn's two are summed over the outputs.

    Attributes:
        validation_scores_: R squared after each epoch, with `early_stopping`; else None.
        best_validation_score_: the best of these.
        model_: the trained `fastnet.Sequential`. The other attributes are those of `MLPClassifier`, without `classes_`.

    Example:
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> reg = MLPRegressor((32,), learning_rate_init=0.02, max_iter=500, random_state=0)
        >>> reg.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.95
        True
    """

    _losses = ("squared_error", "poisson")
    _y_numeric = True

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        loss: Any = "squared_error",
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: Any = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dropout: Any = 0.0,
        layers: Any = None,
        callbacks: Any = None,
    ) -> None:
        self._keep(locals())

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains for one epoch on these examples, and keeps the state of the optimizer for the next call.

        Args:
            X, y, sample_weight: as for `fit`. The weights are factors of the losses, as in fastnet's `Model.fit`.

        Returns:
            The estimator.

        Raises:
            ValueError, TypeError: as for `fit`.
        """
        return self._fit(X, y, sample_weight, is_partial=True)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Returns the predicted numbers, (n,), or (n, outputs) if there are several.

        They are computed in float32, and returned as float64, which scikit-learn expects of a regressor.

        Args:
            X: examples, (n, features), dense or sparse.

        Raises:
            NotFittedError: before `fit`.
            ValueError: if X is empty, has another number of features, or holds a number that is not finite.
        """
        outputs = self._predict(X).astype(np.float64)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def _encode(self, y: Any, is_first: bool, classes: Any) -> Targets:
        values = column_or_1d(y, warn=True)[:, None] if y.ndim == 1 or y.shape[1] == 1 else y
        values = checks.numeric("y", values)
        if not is_first and values.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {values.shape[1]} outputs; the estimator was trained with {self.n_outputs_}")
        if isinstance(self.loss, str) and self.loss == "poisson" and values.min() < 0:
            raise ValueError(f"loss='poisson' needs y of at least 0, but the least is {values.min()}")
        return Targets(values, values.shape[1], "regression", None, {})

    def _output(self, kind: str, outputs: int) -> tuple[str, Any, float]:
        if isinstance(self.loss, str) and self.loss == "poisson":
            return "exponential", "poisson", float(outputs)  # fastnet's is the mean over the outputs
        if isinstance(self.loss, str) and self.loss == "squared_error":
            return "linear", "mean_squared_error", outputs / 2
        return "linear", self.loss, 1.0

    def _score_of(self, targets: NDArray[Any], outputs: Floats, weights: Any) -> float:
        return float(r2_score(targets, outputs, sample_weight=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
