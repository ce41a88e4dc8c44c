"""Metrics: what is reported beside the loss, as running means over the examples seen."""

from typing import Any

from fastnet import checks, kernels
from fastnet.checks import Floats


class Metric:
    """Base of all metrics: `reset_state`, then `update_state` a batch, then `result`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets what was seen."""
        raise NotImplementedError

    def update_state(self, y_true: Any, y_pred: Any) -> None:
        """Adds a batch: targets (B, C) and predictions (B, C)."""
        raise NotImplementedError

    def update_checked(self, targets: Floats, predictions: Floats, weights: Floats | None = None) -> None:
        """`update_state` for the training loop: arrays that were checked, predictions with or without padding.

        Metrics count every example alike: `weights` are for the loss.
        """
        self.update_state(targets, predictions[:, : targets.shape[1]])

    def result(self) -> float:
        """The metric of all that was seen since `reset_state`."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r})"


class CategoricalAccuracy(Metric):
    """The share of examples whose greatest prediction is where the one-hot target is.

    Example:
        >>> accuracy = CategoricalAccuracy()
        >>> accuracy.update_state([[0, 1], [1, 0]], [[0.2, 0.8], [0.4, 0.6]])
        >>> accuracy.result()
        0.5
    """

    def __init__(self, name: str = "categorical_accuracy") -> None:
        super().__init__(name)

    def reset_state(self) -> None:
        self._correct = self._seen = 0

    def update_state(self, y_true: Any, y_pred: Any) -> None:
        targets, predictions = checks.features("y_true", y_true), checks.features("y_pred", y_pred)
        if targets.shape != predictions.shape:
            raise ValueError(f"y_true and y_pred must have the same shape, got {targets.shape} and {predictions.shape}")
        self.update_checked(targets, predictions)

    def update_checked(self, targets: Floats, predictions: Floats, weights: Floats | None = None) -> None:
        self._correct += kernels.count_correct(predictions, targets)
        self._seen += len(targets)

    def result(self) -> float:
        return self._correct / self._seen if self._seen else 0.0


_BY_NAME: dict[str, type[CategoricalAccuracy]] = {
    "accuracy": CategoricalAccuracy,
    "acc": CategoricalAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
}


def get(identifier: Any) -> Metric:
    """A new metric, called as its name is given, or the object itself.

    Raises:
        ValueError: if there is none of that name.
        TypeError: if it is neither a name nor a metric.
    """
    if isinstance(identifier, Metric):
        return identifier
    return checks.choose("metric", identifier, _BY_NAME)(identifier)
