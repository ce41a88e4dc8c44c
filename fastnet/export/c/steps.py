"""The steps that a network is made of in C. Each works on one row of numbers, and `run` is its definition in NumPy.

`shapes.py` reads a model into these steps; `floating.py` and `integer.py` write them in C.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastnet import activations
from fastnet.activations.base import SILENT
from fastnet.checks import Floats

Integers = NDArray[np.int64]
Doubles = NDArray[np.float64]


@dataclass
class Step:
    """Base of all steps.

    Attributes:
        layer: the name of the layer that the step is a part of.
        inputs, outputs: how many numbers it takes and returns.
        in_place: whether its output may overwrite its input.
    """

    layer: str
    inputs: int
    outputs: int
    in_place: ClassVar[bool] = True

    def run(self, x: Floats) -> Floats:
        """Computes the step for rows, (n, inputs): (n, outputs)."""
        raise NotImplementedError

    @property
    def terms(self) -> int:
        """How many numbers are added up for an output."""
        return 1

    @property
    def arrays(self) -> dict[str, Any]:
        """The arrays that C needs, by name."""
        return {}


@dataclass
class Dense(Step):
    """y = x . kernel + bias for each of `rows` rows; kernel (inputs of a row, units)."""

    rows: int
    kernel: Floats
    bias: Floats | None
    in_place = False

    def run(self, x: Floats) -> Floats:
        y = x.reshape(-1, len(self.kernel)).astype(np.float64) @ self.kernel.astype(np.float64)
        y = y if self.bias is None else y + self.bias
        return y.reshape(len(x), -1).astype(np.float32)

    @property
    def terms(self) -> int:
        return len(self.kernel) + 1

    @property
    def arrays(self) -> dict[str, Any]:
        return {"kernel": self.kernel.T} | ({} if self.bias is None else {"bias": self.bias})


@dataclass
class Pattern:
    """Where the numbers of an array belong in a row: number (i / inner) % features, for place i.

    In C these are three loops: `outer` times, over `features`, over `inner`.
    """

    outer: int
    features: int
    inner: int

    def spread(self, array: Any) -> Any:
        return np.tile(np.repeat(array, self.inner), self.outer)


@dataclass
class Affine(Step):
    """y = (x - mean) factor + shift. An array that is None is left out; the others have a number for each feature."""

    pattern: Pattern
    mean: Floats | None = None
    factor: Floats | None = None
    shift: Floats | None = None

    def run(self, x: Floats) -> Floats:
        with np.errstate(**SILENT):
            x = x if self.mean is None else x - self.pattern.spread(self.mean)
            x = x if self.factor is None else x * self.pattern.spread(self.factor)
            return x if self.shift is None else x + self.pattern.spread(self.shift)

    @property
    def arrays(self) -> dict[str, Any]:
        named = {"mean": self.mean, "factor": self.factor, "shift": self.shift}
        return {name: array for name, array in named.items() if array is not None}


@dataclass
class Pointwise(Step):
    """y = activation(x), each number by itself."""

    activation: activations.Activation

    def run(self, x: Floats) -> Floats:
        return self.activation(x)


@dataclass
class RowActivation(Step):
    """softmax, log_softmax or sparsemax of each row of `units` numbers."""

    activation: activations.Activation
    units: int

    def run(self, x: Floats) -> Floats:
        return self.activation(x.reshape(-1, self.units)).reshape(x.shape)

    @property
    def terms(self) -> int:
        return self.units


@dataclass
class Glu(Step):
    """a sigmoid(b) of each row (a, b), whose halves have `half` numbers."""

    half: int
    in_place = False

    def run(self, x: Floats) -> Floats:
        return activations.glu(x.reshape(-1, 2 * self.half)).reshape(len(x), -1)


@dataclass
class PRelu(Step):
    """y = x where it is positive, else alpha x."""

    pattern: Pattern
    alpha: Floats

    def run(self, x: Floats) -> Floats:
        return np.where(x > 0, x, self.pattern.spread(self.alpha) * x)

    @property
    def arrays(self) -> dict[str, Any]:
        return {"alpha": self.alpha}


@dataclass
class Gather(Step):
    """y[i] = x[places[i]]: another order of the numbers, or a repetition."""

    places: Integers
    in_place = False

    def run(self, x: Floats) -> Floats:
        return x[:, self.places]

    @property
    def arrays(self) -> dict[str, Any]:
        return {"places": self.places}


@dataclass
class Normalize(Step):
    """y = (x - mean) / sqrt(mean of (x - mean)^2 + epsilon), for each row of `units` numbers.

    Attributes:
        center: whether the mean is subtracted.
        average: whether the root is that of the mean square, else of the sum of squares.
        epsilon: is added to the square; where the sum is 0, y is 0.
    """

    units: int
    center: bool
    average: bool
    epsilon: float

    def run(self, x: Floats) -> Floats:
        rows = x.reshape(-1, self.units).astype(np.float64)
        if self.center:
            rows = rows - rows.mean(axis=1, keepdims=True)
        square = np.square(rows).sum(axis=1, keepdims=True) / (self.units if self.average else 1) + self.epsilon
        y = np.divide(rows, np.sqrt(square), out=np.zeros_like(rows), where=square > 0)
        return y.reshape(x.shape).astype(np.float32)

    @property
    def terms(self) -> int:
        return self.units


@dataclass
class Mean(Step):
    """The mean of each row of `units` numbers."""

    units: int
    in_place = False

    def run(self, x: Floats) -> Floats:
        return x.reshape(len(x), -1, self.units).mean(axis=2, dtype=np.float64).astype(np.float32)

    @property
    def terms(self) -> int:
        return self.units


@dataclass
class Embedding(Step):
    """Row x[i] of a table, for each i. In C, an index out of range is moved to the nearest row."""

    table: Floats
    in_place = False

    def run(self, x: Floats) -> Floats:
        return self.table[np.clip(x, 0, len(self.table) - 1).astype(np.int64)].reshape(len(x), -1)

    @property
    def arrays(self) -> dict[str, Any]:
        return {"table": self.table}


def pattern_of(shape: tuple[int, ...], example: tuple[int, ...]) -> Pattern | None:
    """Returns the pattern of an array of this shape that is broadcast to an example; None if no pattern fits."""
    shape = (1,) * (len(example) - len(shape)) + tuple(shape)
    kept = [i for i, n in enumerate(shape) if n > 1]
    if not kept:
        return Pattern(1, 1, math.prod(example))
    first, last = kept[0], kept[-1] + 1
    if shape[first:last] != example[first:last]:
        return None
    return Pattern(math.prod(example[:first]), math.prod(shape[first:last]), math.prod(example[last:]))
