"""What a walk through data has shown so far: the running means of the loss and the metrics."""

from typing import Any

from fastnet.checks import Floats
from fastnet.metrics import Metric


class Results:
    """The loss and the metrics over the examples seen; the metrics begin anew."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics
        self._loss = 0.0
        self._seen = 0
        for metric in metrics:
            metric.reset_state()

    def add(self, total_loss: float, predictions: Floats, targets: Floats, weights: Floats | None = None) -> None:
        """Adds a batch: the sum of its examples' losses, predictions (B, ld >= C), targets (B, C), weights (B,)."""
        self._loss += total_loss
        self._seen += len(targets)
        for metric in self._metrics:
            metric.update_checked(targets, predictions, weights)

    def logs(self) -> dict[str, float]:
        """The means by name, the loss first; a metric that returns several numbers has an array."""
        logs: dict[str, Any] = {"loss": self._loss / max(1, self._seen)}
        for metric in self._metrics:
            logs[metric.name] = metric.logged()
        return logs


def as_keras(logs: dict[str, float], return_dict: bool) -> Any:
    """A dict, or the loss alone, or a list of the loss and the metrics."""
    if return_dict:
        return logs
    values = list(logs.values())
    return values if len(values) > 1 else values[0]
