"""Metrics: numbers that are reported beside the loss, computed over all examples seen."""

from typing import Any

from fastnet import checks, losses
from fastnet.losses import (
    Loss,
    binary_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from fastnet.metrics.accuracy import (
    FUNCTIONS,
    AccuracyByShape,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from fastnet.metrics.base import FunctionMetric, Mean, Metric
from fastnet.metrics.confusion import AUC, F1Score, FBetaScore, Precision, Recall
from fastnet.metrics.of_losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    LossMetric,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)

__all__ = [
    "AUC", "BinaryAccuracy", "BinaryCrossentropy", "CategoricalAccuracy", "CategoricalCrossentropy", "CategoricalHinge",
    "CosineSimilarity", "F1Score", "FBetaScore", "FunctionMetric", "Hinge", "KLDivergence", "LogCoshError",
    "LossMetric", "Mean", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Metric", "Poisson", "Precision", "Recall", "RootMeanSquaredError",
    "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy", "SquaredHinge",
    "TopKCategoricalAccuracy", "binary_accuracy", "binary_crossentropy", "categorical_accuracy",
    "categorical_crossentropy", "categorical_hinge", "get", "get_all", "hinge", "huber", "kl_divergence", "log_cosh",
    "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error",
    "poisson", "serialize", "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy", "squared_hinge", "top_k_categorical_accuracy",
]  # fmt: skip

_KINDS: tuple[type[Metric], ...] = (
    AUC, BinaryAccuracy, BinaryCrossentropy, CategoricalAccuracy, CategoricalCrossentropy, CategoricalHinge,
    CosineSimilarity, F1Score, FBetaScore, Hinge, KLDivergence, LogCoshError, Mean, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Poisson, Precision, Recall,
    RootMeanSquaredError, SparseCategoricalAccuracy, SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy,
    SquaredHinge, TopKCategoricalAccuracy,
)  # fmt: skip
# Such as "f1_score"; the names of the classes are accepted too.
_KERAS_NAMES = {kind.name: kind for kind in _KINDS} | {"f_beta_score": FBetaScore, "log_cosh_error": LogCoshError}
_SHORT: dict[str, type[Metric]] = {
    "bce": BinaryCrossentropy,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_ACCURACY = dict.fromkeys(("accuracy", "acc", "Accuracy", "Acc"), AccuracyByShape)
CLASSES: dict[str, type[Metric]] = {kind.__name__: kind for kind in (*_KINDS, AccuracyByShape)}
NAMES: dict[str, type[Metric]] = {
    **CLASSES,
    **_KERAS_NAMES,
    **_SHORT,
    **{name.upper(): kind for name, kind in _SHORT.items()},
    **_ACCURACY,
}


def get(identifier: Any, loss: Loss | None = None) -> Metric:
    """Makes a metric from a name, a function or a description; a `Metric` object is returned unchanged.

    Args:
        identifier: a name such as ``"accuracy"`` or ``"mae"``; a `Metric` or its class; a `Loss`; a function of this
            module or of `fastnet.losses`; or any function that `FunctionMetric` accepts.
        loss: the model's loss. If it takes labels, the user's own functions and metrics get labels too.

    Raises:
        ValueError: if the name is unknown.
        TypeError: if `identifier` has another type.
    """
    metric = _find(identifier)
    metric.labels_come = loss is not None and loss.of_labels
    return metric


def get_all(identifiers: Any, loss: Loss | None = None, weighted: Any = None) -> list[Metric]:
    """Makes the metrics of a model, each as `get` does.

    Args:
        identifiers: a list, a single entry or None. Sample weights do not count in these metrics.
        loss: the model's loss.
        weighted: a list, a single entry or None. Sample weights count in these metrics.

    Returns:
        All metrics. A repeated name gets a number, as in ``precision_1``; in `weighted`, the prefix ``weighted_``.

    Raises:
        ValueError, TypeError: as `get`.
    """
    found = [(get(entry, loss), False) for entry in _entries(identifiers)]
    found += [(get(entry, loss), True) for entry in _entries(weighted)]
    seen = {"loss"}
    for metric, counts in found:
        metric.weighted = counts
        if counts and metric.name in seen:
            metric.name = f"weighted_{metric.name}"
        name, count = metric.name, 0
        while metric.name in seen:
            count += 1
            metric.name = f"{name}_{count}"
        seen.add(metric.name)
    return [metric for metric, _ in found]


def _entries(identifiers: Any) -> list[Any]:
    if identifiers is None:
        return []
    return list(identifiers) if isinstance(identifiers, list | tuple) else [identifiers]


def _find(identifier: Any) -> Metric:
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, Loss):
        return LossMetric(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    if isinstance(identifier, str):
        metric = checks.choose("metric", identifier, NAMES)()
        metric.name = identifier
        metric.reset_state()  # a metric that contains another one passes the name on
        return metric
    if callable(identifier) and not isinstance(identifier, type):
        for function, kind in FUNCTIONS.items():
            if identifier is function:
                return kind(name=function.__name__)
        for function, of in losses.FUNCTIONS.items():
            if identifier is function:
                same = CLASSES.get(of.__name__)
                if same is None or same is CosineSimilarity:  # the metric has the opposite sign
                    return LossMetric(of(), function.__name__)
                return same(name=function.__name__)
        return FunctionMetric(identifier)
    return checks.build("metric", identifier, NAMES)


def serialize(metric: Metric) -> dict[str, Any]:
    """Returns a metric's name and arguments, which `get` accepts.

    Raises:
        TypeError: if it is a metric of the user's own, because a description cannot hold its code.
    """
    if type(metric) is not CLASSES.get(type(metric).__name__):
        raise TypeError(f"{metric!r} is a metric of your own, which has no description; give it again when needed")
    return checks.describe(metric)
