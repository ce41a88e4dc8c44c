"""MLPClassifier: predicts classes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from fastnet import checks, losses
from fastnet.checks import Floats
from fastnet.sklearn.base import BaseMLP
from fastnet.sklearn.examples import Targets


class MLPClassifier(ClassifierMixin, BaseMLP):  # type: ignore[misc]
    """A network of dense layers that predicts classes, with scikit-learn's parameters and some more.

    The output layer is a softmax over the classes. For two classes it is one sigmoid, and for several labels at once
    one sigmoid a label. The parameters of scikit-learn have the same meaning and the same defaults here. `fit` checks
    them. Biases begin at 0, and the computation is in float32.

    Args:
        hidden_layer_sizes: the number of units of each hidden layer; () for none.
        activation: of the hidden layers: ``"identity"``, ``"logistic"``, or an activation of fastnet by name or object.
        solver: ``"adam"``, ``"sgd"`` or the name of another optimizer of fastnet; or an optimizer, which then has its
            own learning rate. scikit-learn's ``"lbfgs"`` is not available.
        alpha: strength of the L2 penalty on the kernels that the estimator makes.
        batch_size: examples in a step; ``"auto"`` takes 200. If there are fewer, a step takes all.
        learning_rate: ``"constant"``, ``"invscaling"`` or ``"adaptive"``; only for ``"sgd"``, as in scikit-learn.
        learning_rate_init: the learning rate, or a schedule of `fastnet.optimizers.schedules`.
        power_t: exponent of ``"invscaling"``.
        max_iter: the largest number of epochs.
        shuffle: whether each epoch takes the examples in a new random order.
        random_state: seeds all random numbers of the training, and changes none of the program. None draws the seed
            from NumPy's global generator, as in scikit-learn.
        tol: the smallest change of the loss, or of the validation score, that counts as an improvement.
        verbose: whether to print a line for each epoch.
        warm_start: whether `fit` continues with the network of the last one, whose layers cannot change then.
        momentum, nesterovs_momentum: of ``"sgd"``.
        early_stopping: whether to set examples aside for validation, to stop when the score on them does not improve
            any more, and to end with the weights of the best epoch.
        validation_fraction: the share of the examples that `early_stopping` sets aside.
        beta_1, beta_2, epsilon: of ``"adam"``, ``"adamw"``, ``"adamax"`` and ``"nadam"``.
        n_iter_no_change: the training ends after more epochs than this without improvement.
        max_fun: without effect; scikit-learn has it for ``"lbfgs"``.
        loss: ``"log_loss"``, which is the crossentropy; or another loss of fastnet, by name or object.
        dropout: rate of a Dropout after each hidden layer; one number for all, or a list of one for each.
        class_weight: a dict from class to weight, where a missing class has weight 1; ``"balanced"`` for weights that
            make all classes count alike; or None.
        layers: a list of layers of your own, or a function that returns one, to take the place of the hidden layers.
            They are copied for each training. The estimator adds the output layer.
        callbacks: callbacks of fastnet. Their logs have ``"loss"`` and, with `early_stopping`, ``"val_loss"`` and
            ``"validation_score"``.

    Attributes:
        classes_: the classes, sorted; for several labels at once their numbers.
        model_: the trained `fastnet.Sequential`.
        coefs_: the kernel of each Dense layer, (inputs, units), copies in float32.
        intercepts_: the bias of each Dense layer, (units,), copies in float32.
        n_iter_: the number of epochs of the last training.
        t_: the number of examples seen in all trainings.
        n_layers_: the number of Dense layers, and one for the input.
        n_outputs_: the units of the output layer.
        n_features_in_: the number of features.
        feature_names_in_: the names of the columns, if X was a data frame.
        out_activation_: the activation of the output layer, in scikit-learn's words.
        loss_: the loss of the last epoch.
        best_loss_: the least loss of an epoch; None with `early_stopping`.
        loss_curve_: the loss of each epoch.
        validation_scores_: the accuracy after each epoch, with `early_stopping`; else None.
        best_validation_score_: the best of these.
        history_: what each epoch of the last training has logged, lists by name.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = MLPClassifier((16,), solver="rmsprop", max_iter=1000, random_state=0)
        >>> clf.fit(X, y).score(X, y) > 0.95
        True
    """

    _losses = ("log_loss",)

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
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
        loss: Any = "log_loss",
        dropout: Any = 0.0,
        class_weight: Any = None,
        layers: Any = None,
        callbacks: Any = None,
    ) -> None:
        self._keep(locals())

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Trains for one epoch on these examples, and keeps the state of the optimizer for the next call.

        Args:
            X, y, sample_weight: as for `fit`. The weights are factors of the losses, as in fastnet's `Model.fit`.
            classes: all classes that may ever come; needed in the first call, unless y has several labels at once.

        Returns:
            The estimator.

        Raises:
            ValueError, TypeError: as for `fit`; or if `classes` is missing or differs from that of the first call.
        """
        is_first = not hasattr(self, "model_")
        if classes is not None:
            classes = np.unique(classes)
            if not is_first and not np.array_equal(classes, self.classes_):
                raise ValueError(f"classes is {classes}, but the estimator was trained with {self.classes_}")
        elif is_first and not type_of_target(y, input_name="y").startswith("multilabel"):
            raise ValueError("classes must be passed on the first call to partial_fit, since y need not have them all")
        return self._fit(X, y, sample_weight, is_partial=True, classes=classes)

    def predict(self, X: Any) -> NDArray[Any]:
        """Returns the most probable class of each example, (n,); for several labels at once 0 or 1 each, (n, labels).

        Args:
            X: examples, (n, features), dense or sparse.

        Raises:
            NotFittedError: before `fit`.
            ValueError: if X is empty, has another number of features, or holds a number that is not finite.
        """
        outputs = self._predict(X)
        if self._kind == "multilabel":
            return (outputs > 0.5).astype(int)
        predicted = _most_probable(outputs) if len(self.classes_) > 1 else np.zeros(len(outputs), int)
        return np.asarray(self.classes_[predicted])

    def predict_proba(self, X: Any) -> Floats:
        """Returns the probability of each class or label of `classes_`, (n, classes) float32.

        The arguments and errors are those of `predict`.
        """
        outputs = self._predict(X)
        if self._kind != "binary":
            return outputs
        return np.hstack([1 - outputs, outputs]) if len(self.classes_) > 1 else np.ones_like(outputs)

    def predict_log_proba(self, X: Any) -> Floats:
        """Returns the natural logarithms of `predict_proba`; that of 0 is -infinity."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _encode(self, y: Any, is_first: bool, classes: Any) -> Targets:
        try:
            kind = type_of_target(y, input_name="y")
        except TypeError as error:
            raise TypeError(
                f"the labels in y cannot be sorted; expected all of one type, such as str: {error}"
            ) from None
        if kind == "unknown":
            types = sorted({type(label).__name__ for label in y.flat})
            raise ValueError(
                f"Unknown label type: y has dtype {y.dtype} and holds {', '.join(types)}; make labels of one type, "
                "for example with y.astype(str) or y.astype(int)"
            )
        check_classification_targets(y)
        if kind == "multilabel-indicator":
            return self._encode_labels(y, is_first)
        if kind == "multiclass-multioutput":
            raise ValueError("y has several columns of classes; expected one class an example, or columns of 0 and 1")
        if not is_first and self._kind == "multilabel":
            raise ValueError(f"y holds one class an example; the estimator was trained with {self.n_outputs_} labels")
        y = column_or_1d(y, warn=True)
        if classes is None:
            classes = np.unique(y) if is_first else self.classes_
        found, places = np.unique(y, return_inverse=True)
        unknown = np.setdiff1d(found, classes)
        if len(unknown):
            raise ValueError(f"y has the classes {unknown}, which are not among the known classes {classes}")
        labels = np.searchsorted(classes, found)[places]
        attributes = {"classes_": classes}
        if len(classes) <= 2:
            return Targets(labels[:, None].astype(np.float32), 1, "binary", labels, attributes)
        values: NDArray[Any] = labels[:, None].astype(np.int32)
        if self.loss != "log_loss" and not losses.for_training(self.loss).of_labels:
            values = np.eye(len(classes), dtype=np.float32)[labels]
        return Targets(values, len(classes), "multiclass", labels, attributes)

    def _encode_labels(self, y: Any, is_first: bool) -> Targets:
        """Returns targets of several labels at once."""
        values = np.asarray(y.toarray() if checks.is_scipy_sparse(y) else y, np.float32)
        count = values.shape[1]
        if not np.isin(values, (0, 1)).all():
            raise ValueError(
                f"y has {count} columns with other numbers than 0 and 1, which say whether a label is there"
            )
        if not is_first and (self._kind, self.n_outputs_) != ("multilabel", count):
            raise ValueError(f"y has {count} labels at once; the estimator was trained with classes {self.classes_}")
        return Targets(values, count, "multilabel", None, {"classes_": np.arange(count)})

    def _output(self, kind: str, outputs: int) -> tuple[str, Any, float]:
        name = "softmax" if kind == "multiclass" else "sigmoid"
        if not (isinstance(self.loss, str) and self.loss == "log_loss"):
            return name, self.loss, 1.0
        if kind == "multiclass":
            return name, "sparse_categorical_crossentropy", 1.0
        return name, "binary_crossentropy", float(outputs)  # its mean over the labels; scikit-learn has their sum

    def _score_of(self, targets: NDArray[Any], outputs: Floats, weights: Any) -> float:
        """Returns the share of examples with the right class, or with all labels right."""
        if self._kind == "multilabel":
            right = ((outputs > 0.5) == (targets > 0.5)).all(axis=1)
        else:
            right = _most_probable(outputs) == (targets.argmax(axis=1) if targets.shape[1] > 1 else targets[:, 0])
        return float(np.average(right, weights=weights))

    def _class_weights(self, targets: Targets, is_partial: bool) -> NDArray[Any] | None:
        if self.class_weight is None:
            return None
        if targets.labels is None:
            raise ValueError("class_weight needs one class an example; with several labels at once use sample_weight")
        classes = targets.attributes["classes_"]
        counts = np.bincount(targets.labels, minlength=len(classes))
        if isinstance(self.class_weight, dict):
            known = classes.tolist()
            unknown = [key for key in self.class_weight if key not in known]
            if unknown and not all(c in self.class_weight for c in known):  # else these examples just lack some class
                raise ValueError(f"class_weight has the class {unknown[0]!r}, which is not among the classes {classes}")
            table = [checks.number("class_weight", self.class_weight.get(c, 1.0), least=0) for c in known]
        elif not (isinstance(self.class_weight, str) and self.class_weight == "balanced"):
            raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {self.class_weight!r:.80}")
        elif is_partial:
            raise ValueError("class_weight='balanced' needs all examples, which partial_fit does not see; use a dict")
        else:
            table = [len(targets.labels) / (len(classes) * max(1, count)) for count in counts.tolist()]
        weights: NDArray[Any] = np.array(table)[targets.labels]
        return weights

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _most_probable(outputs: Floats) -> NDArray[Any]:
    """Returns the number of the class with the largest output; of one output, whether it is above 0.5."""
    return outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0.5).astype(int)
