"""Examples: a data set in the form that a model takes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Targets(NamedTuple):
    """Targets in the form that a model takes.

    Attributes:
        values: (n, outputs) numbers, or (n, 1) labels.
        outputs: the number of the model's outputs.
        kind: the kind of the problem: "binary", "multiclass", "multilabel" or "regression".
        labels: (n,) the number of each example's class; None if it has no class, or several.
        attributes: what the estimator knows of the targets after `fit`, such as `classes_`.
    """

    values: NDArray[Any]
    outputs: int
    kind: str
    labels: NDArray[Any] | None
    attributes: dict[str, Any]


class Examples(NamedTuple):
    """Examples with targets. `Model.fit` takes them as `validation_data`.

    Attributes:
        x: (n, features), an array or a CSR matrix.
        targets: (n, outputs).
        weights: (n,) how much each example counts, or None if all count alike.
    """

    x: Any
    targets: NDArray[Any]
    weights: NDArray[Any] | None

    def rows(self, which: NDArray[Any]) -> Examples:
        """Returns these rows."""
        return Examples(self.x[which], self.targets[which], None if self.weights is None else self.weights[which])

    def weighted(self, factor: float) -> Examples:
        """Returns the same examples with their weights multiplied by `factor`."""
        count = len(self.targets)
        return self._replace(weights=np.full(count, factor) if self.weights is None else self.weights * factor)
