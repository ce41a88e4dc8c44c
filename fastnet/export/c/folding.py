"""Puts factors, means and shifts into the kernel and the bias of the Dense before or after them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet.checks import LARGEST
from fastnet.export.c.steps import Affine, Dense, Pattern, Step


def folded(steps: list[Step], with_mean: bool) -> list[Step]:
    """Puts affine steps into the kernel and the bias of a Dense beside them. This saves time, data and scratch.

    A step after a Dense goes into it if it has a number for each output, such as BatchNormalization. One before a Dense
    does if it is the same for all numbers, such as Rescaling.

    Args:
        steps: all steps.
        with_mean: whether a step before a Dense may also add or subtract a number. In float, the sum of x . kernel and
            a large bias would lose digits that x - mean keeps.
    """
    result: list[Step] = []
    for step in steps:
        last = result[-1] if result else None
        joined = None
        if isinstance(step, Dense) and isinstance(last, Affine) and _is_same_for_all(last, with_mean):
            mean, factor, shift = _numbers(last)
            kernel = step.kernel.astype(np.float64)
            added = (shift - mean * factor) * kernel.sum(axis=0)
            joined = _changed(step, kernel * factor, added + (0 if step.bias is None else step.bias))
        elif isinstance(step, Affine) and isinstance(last, Dense) and _fits(step.pattern, last):
            mean, factor, shift = _numbers(step)
            bias = (0 if last.bias is None else last.bias.astype(np.float64)) - mean
            joined = _changed(last, last.kernel.astype(np.float64) * factor, bias * factor + shift)
        result = [*result, step] if joined is None else [*result[:-1], joined]
    return result


def _is_same_for_all(step: Affine, with_mean: bool) -> bool:
    return step.pattern.features == 1 and (with_mean or (step.mean is None and step.shift is None))


def _numbers(step: Affine) -> list[Any]:
    given = ((step.mean, 0.0), (step.factor, 1.0), (step.shift, 0.0))
    return [np.float64(default) if array is None else array.astype(np.float64) for array, default in given]


def _fits(pattern: Pattern, dense: Dense) -> bool:
    return pattern.features == 1 or (pattern.inner == 1 and pattern.features == dense.kernel.shape[1])


def _changed(step: Dense, kernel: Any, bias: Any) -> Dense | None:
    """Returns a Dense with another kernel and bias; None if they leave the range of float32."""
    bias = np.broadcast_to(bias, kernel.shape[1:])
    if max(np.abs(kernel).max(), np.abs(bias).max()) > LARGEST:
        return None
    return Dense(step.layer, step.inputs, step.outputs, step.rows, kernel.astype(np.float32), bias.astype(np.float32))
