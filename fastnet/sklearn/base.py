"""What the two estimators share: their parameters, and the training.

The random numbers of a training come from a generator of the estimator's own, which `random_state` seeds. So a training
gives the same bits in any process and thread, and changes no random numbers of the program.
"""

from __future__ import annotations

import multiprocessing
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastnet import checks, kernels, losses, rng
from fastnet.checks import Floats
from fastnet.layers import Dense
from fastnet.models import Sequential
from fastnet.sklearn import network
from fastnet.sklearn.copies import merged
from fastnet.sklearn.epochs import Epochs
from fastnet.sklearn.examples import Examples, Targets
from fastnet.sklearn.solvers import changed, check_numbers, make_optimizer
from fastnet.training.arguments import check_callbacks
from fastnet.whole import as_int

_LEARNING_RATES = {name: name for name in ("constant", "invscaling", "adaptive")}
_LARGEST_BATCH = 200  # of batch_size="auto", as in scikit-learn


class BaseMLP(BaseEstimator):  # type: ignore[misc]
    """Base of `MLPClassifier` and `MLPRegressor`, which describe the parameters and the attributes."""

    hidden_layer_sizes: Any
    activation: Any
    solver: Any
    alpha: float
    batch_size: Any
    learning_rate: str
    learning_rate_init: Any
    power_t: float
    max_iter: int
    loss: Any
    shuffle: bool
    random_state: Any
    tol: float
    verbose: Any
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dropout: Any
    layers: Any
    callbacks: Any

    model_: Sequential
    n_iter_: int
    t_: int
    n_outputs_: int
    n_features_in_: int
    loss_: float
    loss_curve_: list[float]
    best_loss_: float | None
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    history_: dict[str, list[float]]

    _generator: np.random.Generator  # of the training, kept for `partial_fit`
    _kind: str  # of the problem, as in `Targets`
    _made_with: dict[str, Any]  # the parameters of the network
    _no_improvement_count: int
    _losses: tuple[str, ...] = ()  # scikit-learn's own names of losses
    _y_numeric = False

    def _keep(self, arguments: dict[str, Any]) -> None:
        """Keeps the arguments of the constructor, its `locals()`, as attributes, as scikit-learn expects it."""
        self.__dict__.update({name: value for name, value in arguments.items() if name != "self"})

    def set_params(self, **params: Any) -> Self:
        """Sets parameters. If `solver` is an optimizer, ``solver__learning_rate=0.1`` sets that argument of a new one.

        Raises:
            ValueError, TypeError: if there is no such parameter, or no such argument of the optimizer.
        """
        of_solver = {name: params.pop(name) for name in [*params] if name.startswith("solver__")}
        super().set_params(**params)
        if of_solver:
            arguments = {name.removeprefix("solver__"): value for name, value in of_solver.items()}
            self.solver = changed(self.solver, arguments)
        return self

    # What differs between the two estimators --------------------------------------------------------------------------

    def _encode(self, y: Any, is_first: bool, classes: Any) -> Targets:
        """Returns the targets for the model, of these classes, or of those in y. The estimator does not change.

        Raises:
            ValueError: if the targets do not fit the estimator, or what it has seen before.
        """
        raise NotImplementedError

    def _output(self, kind: str, outputs: int) -> tuple[str, Any, float]:
        """Returns the activation of the output layer, the loss, and the factor of an example's loss."""
        raise NotImplementedError

    def _score_of(self, targets: NDArray[Any], outputs: Floats, weights: Any) -> float:
        """Returns the score of outputs for `early_stopping`."""
        raise NotImplementedError

    def _class_weights(self, targets: Targets, is_partial: bool) -> NDArray[Any] | None:
        """Returns the weight of each example by its class, or None."""
        return None

    # Training ---------------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains the network.

        If a step takes all examples, an example with weight 3 counts exactly as three copies of it.

        Args:
            X: examples, (n, features), dense or sparse. They are converted to float32, except uint8.
            y: the target of each example, (n,) or (n, outputs).
            sample_weight: the weight of each example, (n,). Only the ratios of the weights matter.

        Returns:
            The estimator. If there is an error, it stays as it was, unless `warm_start` had already begun to train.

        Raises:
            ValueError: if a parameter or the data are wrong; or if the weights of the network became infinite or NaN.
            TypeError: if a parameter is of another type.
        """
        return self._fit(X, y, sample_weight, is_partial=False)

    def _fit(self, X: Any, y: Any, sample_weight: Any, is_partial: bool, classes: Any = None) -> Self:
        self._check_parameters(is_partial)
        is_first = not hasattr(self, "model_") or not (self.warm_start or is_partial)
        if not is_first:
            network.check_same(self, self._made_with)
        before = self.__dict__.copy()
        try:
            return self._learn(X, y, sample_weight, is_partial, is_first, classes)
        except BaseException:
            if is_first:  # the model before, if there was one, is as it was
                self.__dict__.clear()
                self.__dict__.update(before)
            raise

    def _learn(self, X: Any, y: Any, sample_weight: Any, is_partial: bool, is_first: bool, classes: Any) -> Self:
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=(np.float32, np.uint8), order="C", multi_output=True,
            y_numeric=self._y_numeric, reset=is_first,
        )  # fmt: skip
        found = self._encode(y, is_first, classes)
        activation, loss, factor = self._output(found.kind, found.outputs)
        # Checked here, because an error names a row, and the rows may be in another order later.
        targets = losses.for_training(loss).check_targets("y", found.values, found.outputs)
        data = Examples(X, targets, self._weights(X, found, sample_weight, is_partial))
        seed = None if is_partial and not is_first else check_random_state(_as_seed(self.random_state)).randint(2**31)
        generator = self._generator if seed is None else np.random.default_rng(seed)
        held = None
        if self.early_stopping:
            data, held = self._split(data, found.labels, seed)
        rows, size = len(data.targets), _LARGEST_BATCH if self.batch_size == "auto" else self.batch_size
        if size >= rows and not is_partial and network.is_plain(self):
            data = merged(data)
        size = min(size, len(data.targets))
        _leave_cores_to_others()
        with rng.drawing_from(generator):
            model = network.make_model(self, X.shape[1], found.outputs, activation) if is_first else self.model_
            if seed is not None:
                model.compile(make_optimizer(self), loss)
            # scikit-learn divides the sum of the losses, and the penalty, by the sum of the weights.
            mean = 1.0 if data.weights is None or is_partial else float(data.weights.mean())
            network.penalize(self, model, self.alpha / (2 * size * mean))
            if data.weights is not None or factor != 1:
                data, held = data.weighted(factor / mean), held and held.weighted(factor / mean)
            if is_first:
                self.__dict__.update(found.attributes)
                self.model_, self.n_outputs_, self._kind = model, found.outputs, found.kind
                self._made_with = network.described(self)
                self.t_, self.loss_curve_, self._no_improvement_count = 0, [], 0
                self.best_loss_ = self.best_validation_score_ = self.validation_scores_ = None
            self._generator = generator
            self._train(data, held, size, Epochs(self, rows, held, 1 if is_partial else self.max_iter), is_partial)
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            raise ValueError(
                "the training ended with weights that are infinite or NaN: scale X, and numbers in y, for example with "
                "StandardScaler; or choose a smaller learning_rate_init"
            )
        return self

    def _train(self, data: Examples, held: Examples | None, size: int, epochs: Epochs, is_partial: bool) -> None:
        is_whole = True
        try:
            self.model_.fit(
                data.x, data.targets, batch_size=size, epochs=epochs.most, verbose=0, sample_weight=data.weights,
                validation_data=held, shuffle=self.shuffle and size < len(data.targets),
                callbacks=[epochs, *check_callbacks(self.callbacks)],
            )  # fmt: skip
        except KeyboardInterrupt:  # as in scikit-learn
            epochs.restore()
            is_whole = False
            warnings.warn("the training was interrupted; the estimator keeps what it has learned", stacklevel=5)
        self.history_ = self.model_.history.history if self.model_.history else {}
        if is_whole and not is_partial and self.n_iter_ == epochs.most and not epochs.has_converged:
            warnings.warn(
                f"the training reached max_iter={epochs.most} epochs before it converged; more may give a better model",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _weights(self, X: Any, targets: Targets, sample_weight: Any, is_partial: bool) -> NDArray[Any] | None:
        """Returns the weight of each example: that of `sample_weight` times that of its class; None if all are 1."""
        weights = self._class_weights(targets, is_partial)
        if sample_weight is not None:
            given = checks.sample_weights("sample_weight", _check_sample_weight(sample_weight, X), X.shape[0])
            weights = given if weights is None else given * weights
        _check_some_count(weights, "")
        return None if weights is None else np.asarray(weights, np.float64)

    def _split(self, data: Examples, labels: NDArray[Any] | None, seed: int | None) -> tuple[Examples, Examples]:
        """Splits off the examples for `early_stopping`; keeps the shares of the classes where that is possible."""
        rows = np.arange(len(data.targets))
        share: dict[str, Any] = {"test_size": self.validation_fraction, "random_state": seed}
        try:
            ours, theirs = train_test_split(rows, stratify=labels, **share)
        except ValueError as error:
            if labels is not None:  # perhaps a class has too few examples
                return self._split(data, None, seed)
            raise ValueError(
                f"early_stopping cannot split {len(rows)} examples with validation_fraction={self.validation_fraction}"
                f": {error}"
            ) from None
        if len(theirs) < 2:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(rows)} examples leaves {len(theirs)} for the "
                "validation set; it needs at least 2"
            )
        data, held = data.rows(ours), data.rows(theirs)
        _check_some_count(data.weights, " that early_stopping leaves for the training")
        _check_some_count(held.weights, " that early_stopping sets aside")
        return data, held

    # Predicting -------------------------------------------------------------------------------------------------------

    def _predict(self, X: Any) -> Floats:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=(np.float32, np.uint8), order="C", reset=False)
        _leave_cores_to_others()
        return self.model_.predict(X, verbose=0)

    @property
    def coefs_(self) -> list[Floats]:
        """The kernel of each Dense layer, (inputs, units), a copy in float32."""
        return [layer.kernel.numpy() for layer in self._dense_layers()]

    @property
    def intercepts_(self) -> list[Floats]:
        """The bias of each Dense layer, (units,), a copy in float32."""
        return [layer._bias.numpy() for layer in self._dense_layers()]

    @property
    def n_layers_(self) -> int:
        """The number of Dense layers, and one for the input."""
        return len(self._dense_layers()) + 1

    @property
    def out_activation_(self) -> str:
        """The name of the activation of the output layer, in scikit-learn's words."""
        return network.sklearn_name(self._dense_layers()[-1].activation)

    def _dense_layers(self) -> list[Dense]:
        check_is_fitted(self)
        return [layer for layer in self.model_._layers if isinstance(layer, Dense)]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # Checking ---------------------------------------------------------------------------------------------------------

    def _check_parameters(self, is_partial: bool) -> None:
        """Checks the parameters before anything changes.

        Raises:
            ValueError, TypeError: if one is wrong. The message names it.
        """
        sizes = network.hidden_sizes(self.hidden_layer_sizes)
        rates = network.dropout_rates(self.dropout, len(sizes))
        if self.layers is not None and any(rates):
            raise ValueError("dropout belongs to hidden_layer_sizes; with layers=..., put Dropout layers into the list")
        network.activation_of(self)
        with network.naming(self._losses):
            losses.for_training(self._output("multiclass", 3)[1])
        make_optimizer(self)
        check_numbers(self)
        check_callbacks(self.callbacks)
        checks.number("alpha", self.alpha, least=0)
        if not (isinstance(self.batch_size, str) and self.batch_size == "auto"):
            checks.integer("batch_size", self.batch_size, least=1)
        checks.choose("learning_rate", self.learning_rate, _LEARNING_RATES)
        checks.number("power_t", self.power_t, least=0)
        checks.integer("max_iter", self.max_iter, least=1)
        checks.number("tol", self.tol, least=0)
        if not (isinstance(self.n_iter_no_change, float) and self.n_iter_no_change == np.inf):
            checks.integer("n_iter_no_change", self.n_iter_no_change, least=1)
        try:
            check_random_state(_as_seed(self.random_state))
        except ValueError as error:
            raise ValueError(f"random_state: {error}") from None
        for name in ("shuffle", "warm_start", "early_stopping", "nesterovs_momentum"):
            checks.flag(name, getattr(self, name))
        if checks.number("validation_fraction", self.validation_fraction, least=0, below=1) == 0:
            raise ValueError("validation_fraction must be above 0")
        checks.integer("verbose", int(self.verbose) if isinstance(self.verbose, bool) else self.verbose, least=0)
        if is_partial and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True, since it sets no examples aside")


def _check_some_count(weights: NDArray[Any] | None, which: str) -> None:
    """Raises a ValueError if all weights are zero. `which` says of which examples they are."""
    if weights is not None and not weights.any():
        raise ValueError(
            f"all examples{which} have weight 0 by sample_weight or class_weight; at least one needs a weight above 0"
        )


def _leave_cores_to_others() -> None:
    """In a worker process that was told no number of threads, uses one: the other workers need the other cores."""
    if not kernels.is_told_threads() and multiprocessing.parent_process() is not None:
        kernels.use_threads(1)


def _as_seed(random_state: Any) -> Any:
    """Returns the seed 2.0, as R writes it, as 2, which scikit-learn needs; anything else as it is."""
    is_float = isinstance(random_state, float | np.floating)
    return as_int(random_state) if is_float and random_state.is_integer() else random_state
