"""Generalized crossentropy: between crossentropy and absolute error, so that wrong labels do less harm.

Source: Z. Zhang, M. Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels",
2018.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.activations import Activation
from fastnet.checks import Floats
from fastnet.losses.crossentropy import CLIP, SparseCategoricalCrossentropy
from fastnet.losses.reduction import MEAN


class CategoricalGeneralizedCrossEntropy(SparseCategoricalCrossentropy):
    """(1 - p^q) / q for the prediction p of the right class, the mean over examples; targets are labels, (n,).

    For q near 0 it is almost - log p, for q near 1 almost 1 - p. The derivative of a p below 1e-7 is that at 1e-7.

    Args:
        q: the exponent, between 0 and 1.
        reduction, name, dtype: as for `Loss`.

    Raises:
        ValueError: if `q` is not between 0 and 1.
        TypeError: if `q` is not a number.

    Example:
        >>> CategoricalGeneralizedCrossEntropy()([0], [[0.25, 0.75]])
        1.0
    """

    name = "categorical_generalized_cross_entropy"

    def __init__(
        self, q: float = 0.5, reduction: str | None = MEAN, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(reduction=reduction, name=name, dtype=dtype)
        self.q = checks.number("q", q, least=0, below=1)
        if self.q == 0:
            raise ValueError("q must be between 0 and 1, got 0")

    def call(self, y_true: NDArray[Any], y_pred: Floats) -> Floats:
        p: Floats = (self._targets(y_true, y_pred.shape[1]) * y_pred).sum(axis=1)
        return (1 - p**self.q) / self.q

    def derivative(self, y_true: NDArray[Any], y_pred: Floats) -> Floats:
        slopes: Floats = np.power(np.maximum(y_pred, CLIP), self.q - 1)
        return -slopes * self._targets(y_true, y_pred.shape[1])

    def takes_logits(self, activation: Activation) -> bool:
        return False

    def advice(self, activation: Activation | None, units: int) -> str | None:
        text = super().advice(activation, units)
        return text and text.partition(", or CategoricalGeneralizedCrossEntropy(")[0]  # which has no from_logits

    def _is_fused(self, logits: bool) -> bool:
        return False


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Floats:
    """Returns the loss of each row, (n,), for labels (n,) and predictions (n, C).

    See `CategoricalGeneralizedCrossEntropy`.
    """
    return CategoricalGeneralizedCrossEntropy(q).per_row(y_true, y_pred)
