"""Metrics: numbers that are reported beside the loss, computed over all examples seen."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from typing import TYPE_CHECKING, Any

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
    Accuracy,
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
from fastnet.metrics.base import FunctionMetric, Metric
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
from fastnet.registered import resolve

if TYPE_CHECKING:
    from fastnet.metrics.at_rates import (
        PrecisionAtRecall,
        RecallAtPrecision,
        SensitivityAtSpecificity,
        SpecificityAtSensitivity,
    )
    from fastnet.metrics.auc import AUC
    from fastnet.metrics.confusion import (
        FalseNegatives,
        FalsePositives,
        Precision,
        Recall,
        TrueNegatives,
        TruePositives,
    )
    from fastnet.metrics.correlation import (
        ConcordanceCorrelation,
        PearsonCorrelation,
        concordance_correlation,
        pearson_correlation,
    )
    from fastnet.metrics.f_score import F1Score, FBetaScore
    from fastnet.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
    from fastnet.metrics.of_values import Mean, MeanMetricWrapper, Sum
    from fastnet.metrics.r2_score import R2Score

    CLASSES: dict[str, type[Metric]]
    NAMES: dict[str, type[Metric]]

__all__ = [
    "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU", "CategoricalAccuracy",
    "CategoricalCrossentropy", "CategoricalHinge", "ConcordanceCorrelation", "CosineSimilarity", "F1Score",
    "FBetaScore", "FalseNegatives", "FalsePositives", "FunctionMetric", "Hinge", "IoU", "KLDivergence", "LogCoshError",
    "LossMetric", "Mean", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanIoU", "MeanMetricWrapper",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "Metric", "OneHotIoU", "OneHotMeanIoU", "PearsonCorrelation",
    "Poisson", "Precision", "PrecisionAtRecall", "R2Score", "Recall", "RecallAtPrecision", "RootMeanSquaredError",
    "SensitivityAtSpecificity", "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy", "SpecificityAtSensitivity", "SquaredHinge", "Sum", "TopKCategoricalAccuracy",
    "TrueNegatives", "TruePositives", "binary_accuracy", "binary_crossentropy", "categorical_accuracy",
    "categorical_crossentropy", "categorical_hinge", "concordance_correlation", "deserialize", "get", "get_all",
    "hinge", "huber", "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error",
    "mean_squared_error", "mean_squared_logarithmic_error", "pearson_correlation", "poisson", "serialize",
    "sparse_categorical_accuracy", "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy",
    "squared_hinge", "top_k_categorical_accuracy",
]  # fmt: skip

_KINDS: tuple[type[Metric], ...] = (
    Accuracy, BinaryAccuracy, BinaryCrossentropy, CategoricalAccuracy, CategoricalCrossentropy, CategoricalHinge,
    CosineSimilarity, Hinge, KLDivergence, LogCoshError, MeanAbsoluteError, MeanAbsolutePercentageError,
    MeanSquaredError, MeanSquaredLogarithmicError, Poisson, RootMeanSquaredError, SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy, SquaredHinge, TopKCategoricalAccuracy,
)  # fmt: skip
_LATER = {
    "at_rates": ("PrecisionAtRecall", "RecallAtPrecision", "SensitivityAtSpecificity", "SpecificityAtSensitivity"),
    "auc": ("AUC",),
    "confusion": ("FalseNegatives", "FalsePositives", "Precision", "Recall", "TrueNegatives", "TruePositives"),
    "correlation": (
        "ConcordanceCorrelation", "PearsonCorrelation", "concordance_correlation", "pearson_correlation",
    ),
    "f_score": ("F1Score", "FBetaScore"),
    "iou": ("BinaryIoU", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU"),
    "of_values": ("Mean", "MeanMetricWrapper", "Sum"),
    "r2_score": ("R2Score",),
}  # fmt: skip
_HOME = {name: module for module, names in _LATER.items() for name in names}
_SHORT: dict[str, type[Metric]] = {
    "bce": BinaryCrossentropy,
    "mae": MeanAbsoluteError,
    "mape": MeanAbsolutePercentageError,
    "mse": MeanSquaredError,
    "msle": MeanSquaredLogarithmicError,
}
_ACCURACY = dict.fromkeys(("accuracy", "acc", "Accuracy", "Acc"), AccuracyByShape)


@functools.cache
def _tables() -> dict[str, dict[str, type[Metric]]]:
    """Returns the tables of all metrics: CLASSES by their own names, and NAMES with all others that `get` accepts."""
    later = [__getattr__(name) for name in _HOME if name[0].isupper() and name != "MeanMetricWrapper"]
    classes: dict[str, type[Metric]] = {kind.__name__: kind for kind in (*_KINDS, *later, AccuracyByShape)}
    alone = {name: kind for name, kind in classes.items() if not _needs_arguments(kind)}
    named = {kind.name: kind for kind in alone.values()}  # such as "f1_score"; the classes' names are accepted too
    others: dict[str, type[Metric]] = {"f_beta_score": classes["FBetaScore"], "log_cosh_error": LogCoshError}
    upper = {name.upper(): kind for name, kind in _SHORT.items()}
    return {"CLASSES": classes, "NAMES": {**alone, **named, **others, **_SHORT, **upper, **_ACCURACY}}


def __getattr__(name: str) -> Any:
    """Imports the metrics that few programs need when first used, so that `import fastnet` stays fast."""
    if name in ("CLASSES", "NAMES"):
        return _tables()[name]
    if name in _HOME:
        return getattr(importlib.import_module(f"fastnet.metrics.{_HOME[name]}"), name)
    raise checks.no_such(sys.modules[__name__], "fastnet has no metric", name, sys._getframe(1))


def __dir__() -> list[str]:
    """Returns all names, also those that were not used yet."""
    return sorted({*globals(), *__all__})


def _needs_arguments(kind: type[Metric]) -> bool:
    return any(parameter.default is parameter.empty for parameter in inspect.signature(kind).parameters.values())


def _named(name: str) -> type[Metric]:
    """Returns the class of a name; errors as `get`."""
    if name in _ACCURACY:
        return AccuracyByShape
    if name in _SHORT:
        return _SHORT[name]
    for kind in _tables()["CLASSES"].values():
        if name in (kind.name, kind.__name__) and _needs_arguments(kind):
            raise ValueError(f"the metric {name!r} needs arguments; give fastnet.metrics.{kind.__name__}(...)")
    return checks.choose("metric", name, _tables()["NAMES"])


def get(identifier: Any, loss: Loss | None = None) -> Any:
    """Makes a metric from a name, a function or a description; a `Metric` or None is returned unchanged.

    Args:
        identifier: a name such as ``"accuracy"`` or ``"mae"``; a `Metric` or its class; a `Loss`; a function of this
            module or of `fastnet.losses`; or any function that `FunctionMetric` accepts.
        loss: the model's loss. If it takes labels, the user's own functions and metrics get labels too.

    Raises:
        ValueError: if the name is unknown.
        TypeError: if `identifier` has another type.
    """
    return None if identifier is None else _for_loss(identifier, loss)


def _for_loss(identifier: Any, loss: Loss | None) -> Metric:
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
    found = [(_for_loss(entry, loss), False) for entry in _entries(identifiers)]
    found += [(_for_loss(entry, loss), True) for entry in _entries(weighted)]
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
    identifier = resolve(identifier)
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, Loss):
        return LossMetric(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    if isinstance(identifier, str):
        metric = _named(identifier)()
        metric.name = identifier
        metric.reset_state()  # a metric that contains another one passes the name on
        return metric
    if callable(identifier) and not isinstance(identifier, type):
        for function, kind in FUNCTIONS.items():
            if identifier is function:
                return kind(name=function.__name__)
        for function, of in losses.FUNCTIONS.items():
            if identifier is function:
                same = {kind.__name__: kind for kind in _KINDS}.get(of.__name__)
                if same is None or same is CosineSimilarity:  # the metric has the opposite sign
                    return LossMetric(of(), function.__name__)
                return same(name=function.__name__)
        return FunctionMetric(identifier)
    return checks.build("metric", identifier, _tables()["NAMES"] | _tables()["CLASSES"])


def serialize(metric: Metric) -> dict[str, Any]:
    """Returns a metric's name and arguments, which `get` accepts.

    Raises:
        TypeError: if it is a metric of the user's own, because a description cannot hold its code.
    """
    if type(metric) is not _tables()["CLASSES"].get(type(metric).__name__):
        raise TypeError(f"{metric!r} is a metric of your own, which has no description; give it again when needed")
    return checks.describe(metric)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Metric:
    """Makes a metric from what `serialize` returned.

    Args:
        config: the description.
        custom_objects: dict of your own classes by name.

    Raises:
        ValueError: if the name is unknown.
        TypeError: if `config` is not a description.
    """
    made: Metric = checks.build("metric", config, _tables()["NAMES"] | _tables()["CLASSES"] | (custom_objects or {}))
    return made
