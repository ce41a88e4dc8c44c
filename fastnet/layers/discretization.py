"""Discretization: the number of the interval in which a number lies."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.layers.category_encoding import CategoricalLayer, parts_of
from fastnet.layers.whole_numbers import Integers

Doubles = NDArray[np.float64]


class Discretization(CategoricalLayer):
    """Replaces each number by the number of its interval: i where boundary i - 1 <= x < boundary i, counted from 0.

    The boundaries are given, or `adapt` takes quantiles of the training data, so that the intervals hold about equally
    many numbers.

    Args:
        bin_boundaries: the boundaries, rising. There is one interval more than boundaries.
        num_bins: the number of intervals that `adapt` makes, instead of `bin_boundaries`.
        epsilon: how exact the quantiles are; `adapt` keeps about 1 / epsilon numbers of the data.
        output_mode: ``"int"`` for the numbers of the intervals; ``"one_hot"``, ``"multi_hot"`` or ``"count"`` for rows,
            as in `CategoryEncoding`.
        sparse: must be False; the output is a dense array.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid; in a call, if there are no boundaries yet.

    Example:
        >>> Discretization([0.0, 1.0])([[-5.0, 0.0, 0.5, 7.0]])
        array([[0, 1, 1, 2]])
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(output_mode, ("int", "one_hot", "multi_hot", "count"), sparse, kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError("give bin_boundaries, or num_bins and call adapt(data)")
        self.num_bins = None if num_bins is None else checks.integer("num_bins", num_bins, least=1)
        self.epsilon = checks.number("epsilon", epsilon, least=0, below=1)
        if not self.epsilon:
            raise ValueError("epsilon must be above 0, got 0")
        self.bin_boundaries = None if bin_boundaries is None else _boundaries(bin_boundaries)

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Sets the boundaries to quantiles of all numbers of a data set, and forgets those of an earlier call.

        Args:
            data: an array of numbers of any shape, or an iterator over such arrays.
            steps: how many arrays to take of an iterator; None takes all.

        Raises:
            ValueError: if the layer was given its boundaries, or `data` is empty or not finite.
            TypeError: if `data` does not hold numbers.
        """
        if self.num_bins is None:
            raise ValueError("bin_boundaries was given to the layer, so it cannot adapt; give num_bins instead")
        points = counts = np.zeros(0)
        for batch in parts_of(data, steps):
            numbers = np.sort(checks.as_float32("data", checks.numeric("data", batch)).reshape(-1)).astype(np.float64)
            step = max(1, numbers.size * self.epsilon)
            chosen = numbers[int(step - 1) :: int(step)]
            points, counts = np.concatenate([chosen, points]), np.concatenate([np.full(len(chosen), step), counts])
            order = np.argsort(points, kind="stable")
            points, counts = _thinned(points[order], counts[order], self.epsilon)
        if not points.size:
            raise ValueError("data holds no numbers; expected at least 1")
        bins, _ = _thinned(points, counts, 1 / self.num_bins)
        self.bin_boundaries = bins[:-1].astype(np.float32).tolist()

    def categories(self, x: Any) -> Integers:
        if self.bin_boundaries is None:
            raise ValueError(f"layer {self.name!r} has no boundaries yet; call adapt(data) first")
        numbers = checks.as_float32("x", checks.numeric("x", x))
        return np.digitize(numbers, np.array(self.bin_boundaries, np.float32)).astype(np.int64)

    @property
    def depth(self) -> int:
        return len(self.bin_boundaries) + 1 if self.bin_boundaries is not None else self.num_bins or 1

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes a new layer from the result of `get_config`; an adapted one has `num_bins` and boundaries."""
        if config.get("num_bins") is None:
            return cls(**config)
        layer = cls(**config | {"bin_boundaries": None})
        if config.get("bin_boundaries") is not None:
            layer.bin_boundaries = _boundaries(config["bin_boundaries"])
        return layer

    def __repr__(self) -> str:
        given = f"num_bins={self.num_bins}" if self.num_bins is not None else f"{self.bin_boundaries}"
        return f"Discretization({given}{'' if self.output_mode == 'int' else f', output_mode={self.output_mode!r}'})"


def _boundaries(value: Any) -> list[float]:
    array = np.atleast_1d(checks.numeric("bin_boundaries", value))
    if array.ndim != 1 or (np.diff(checks.as_float32("bin_boundaries", array)) < 0).any():
        raise ValueError(f"bin_boundaries must be a list of rising numbers, got {value!r:.200}")
    return array.tolist()


def _thinned(points: Doubles, counts: Doubles, epsilon: float) -> tuple[Doubles, Doubles]:
    """Replaces sorted numbers by about 1 / epsilon quantiles of them.

    Args:
        points: the numbers, rising.
        counts: how many numbers of the data each stands for.
        epsilon: the share of the data between two quantiles.

    Returns:
        The quantiles, by linear interpolation, and how many numbers each stands for. Points that are already few enough
        are returned unchanged.
    """
    if len(points) * epsilon < 1:
        return points, counts
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    below = counts.cumsum()
    quantiles = np.interp(shares, below / below[-1], points)
    return quantiles, np.diff(np.interp(shares, below / below[-1], below), prepend=0)
