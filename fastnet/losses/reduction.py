"""Reduction: from the loss of each row, and the weight of each row, to what a call of a loss returns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.checks import Floats

MEAN = "sum_over_batch_size"  # Keras's name for the mean
BY_WEIGHT = "mean_with_sample_weight"
REDUCTIONS = (MEAN, "mean", BY_WEIGHT, "sum", "none", None)

Array = NDArray[Any]


def same_rank(a: Array, b: Array) -> tuple[Array, Array]:
    """Returns two arrays with the same number of dimensions if a last axis of length 1 is all that sets them apart.

    The axis is removed. Beside an array (n,) it stays, and that array becomes (n, 1). Other arrays come back unchanged.
    """
    if abs(a.ndim - b.ndim) != 1:
        return a, b
    if a.ndim < b.ndim:
        b, a = same_rank(b, a)
        return a, b
    if a.shape[-1] != 1:
        return a, b
    return (a, b[:, None]) if b.ndim == 1 else (a[..., 0], b)


def reduced(losses: Array, sample_weight: Any, reduction: str | None, counts: NDArray[np.bool_] | None = None) -> Any:
    """Returns the weighted losses, or one number made of them.

    Each loss l is multiplied by its weight w. A loss that does not count has the weight 0.

    - ``"sum"``: sum w l
    - ``"sum_over_batch_size"`` and ``"mean"``: sum w l / (number of losses that count)
    - ``"mean_with_sample_weight"``: sum w l / sum w, and 0 if sum w is 0. Without weights, it is the mean.
    - ``"none"`` and None: w l

    Args:
        losses: the losses, of any shape. One single number has nothing to reduce: it is only multiplied.
        sample_weight: the weights, or None. They are repeated along axes of length 1 and axes in front, as NumPy does.
        reduction: one of the names above.
        counts: whether each loss counts; None if all do.

    Raises:
        ValueError: if the weights do not fit the losses, or are negative, NaN or infinite.
        TypeError: if the weights are not numbers.
    """
    weights = None if sample_weight is None else _weights(sample_weight)
    if counts is not None:
        share = shares(counts) if reduction in (MEAN, "mean") else counts.astype(np.float32)
        if weights is None:
            weights = share
        else:
            share, weights = _fitting(share, weights)
            weights = share * weights
    if weights is not None:
        losses, weights = _fitting(losses, weights)
        losses = losses * weights
    if reduction in ("none", None):
        return losses
    total = float(losses.sum(dtype=np.float64))
    if reduction == "sum" or losses.ndim == 0:
        return total
    if reduction == BY_WEIGHT and weights is not None:
        by = float(weights.sum(dtype=np.float64))
        return total / by if by else 0.0
    return total / losses.size


def shares(counts: NDArray[np.bool_]) -> Floats:
    """Returns the weights with which the mean over all losses is the mean over those that count."""
    weights = counts.astype(np.float32)
    weights *= counts.size / max(1, int(counts.sum()))
    return weights


def _weights(sample_weight: Any) -> Floats:
    weights = checks.as_float32("sample_weight", checks.numeric("sample_weight", sample_weight))
    if weights.size and weights.min() < 0:
        where = checks.place(np.unravel_index(weights.argmin(), weights.shape))
        raise ValueError(f"sample_weight holds {weights.min()} at {where}; expected no negative number")
    return weights


def _fitting(losses: Array, weights: Array) -> tuple[Array, Array]:
    """Returns losses and weights with the same number of dimensions; refuses weights that would multiply the losses."""
    shape = weights.shape
    losses, weights = same_rank(losses, weights)
    try:
        fits = losses.ndim == 0 or np.broadcast_shapes(losses.shape, weights.shape) == losses.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"sample_weight has shape {shape}; expected one number, or one for each loss, {losses.shape}")
    return losses, weights
