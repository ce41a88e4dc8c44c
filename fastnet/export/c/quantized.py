"""The steps of the integer form, and their arithmetic in NumPy: `run` returns the same integers as the C function.

A real number v is kept as an integer q with v = unit q. The unit is a constant of the array, so that 0 is kept exactly:
there are no zero points. Numbers between the steps are int16, weights int8 with a unit for each output. A product of
the units turns one unit into the next: it is kept as m / 2^shift with an int32 m.

Sources: B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", 2018, section 2.2, for m / 2^shift; R. Krishnamoorthi, "Quantizing deep convolutional networks for efficient
inference", 2018, section 3.1, for a unit for each output and no zero points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from fastnet.activations.base import SILENT
from fastnet.export.c import steps as plain
from fastnet.export.c.document import Call
from fastnet.export.c.steps import Integers

LIMIT = 32767  # the largest number between the steps
_LARGEST = 2**31 - 1


@dataclass
class Step:
    """Base of the steps; `run` computes rows of integers, (n, inputs), and `call` is the same in C."""

    inputs: int
    outputs: int
    arrays: dict[str, Any] = field(init=False, default_factory=dict)
    in_place: ClassVar[bool] = True

    def run(self, x: Integers) -> Integers:
        raise NotImplementedError

    def call(self, k: int) -> Call:
        """Returns the call of the k-th step."""
        raise NotImplementedError


def fixed(factors: Any) -> tuple[Integers, int]:
    """Returns m and shift with factors = m / 2^shift, where the largest m has 31 bits."""
    values = np.atleast_1d(np.asarray(factors, np.float64))
    largest = np.abs(values).max(initial=0)
    shift = 62 if largest == 0 else int(np.clip(30 - math.floor(math.log2(largest)), 1, 62))
    return np.clip(np.rint(values * 2.0**shift), -_LARGEST, _LARGEST).astype(np.int64), shift


def rescaled(a: Integers, m: Any, shift: int, limit: int | None = None) -> Integers:
    """Returns a m / 2^shift, rounded to the nearest, halves away from 0, and limited to +-LIMIT."""
    limit = LIMIT if limit is None else limit
    size = np.abs(a).astype(np.uint64) * np.abs(m).astype(np.uint64)
    rounded = (size + np.uint64(1 << (shift - 1))) >> np.uint64(shift)
    limited = np.minimum(rounded, np.uint64(limit)).astype(np.int64)
    return np.where((a < 0) != (np.asarray(m) < 0), -limited, limited)


@dataclass
class Dense(Step):
    """y = x . kernel + bias. Each output has its own unit, so large that no sum leaves the range of int32.

    Args:
        step: the step with real numbers.
        unit, new: the units of x and y.
        most: the largest |x|.
    """

    in_place = False

    def __init__(self, step: plain.Dense, unit: float, new: float, most: int) -> None:
        super().__init__(step.inputs, step.outputs)
        self.rows, self.width, self.units = step.rows, len(step.kernel), step.kernel.shape[1]
        kernel = step.kernel.T.astype(np.float64)
        bias = np.zeros(self.units) if step.bias is None else step.bias.astype(np.float64)
        room = _LARGEST / most - self.width / 2 - 1  # the rest is for rounding
        if room <= 1:
            raise ValueError(f"layer {step.layer!r} has {self.width} inputs: too many for sums in 32 bits")
        sums = np.abs(kernel).sum(axis=1) + np.abs(bias) / (unit * most)
        units = np.maximum(np.abs(kernel).max(axis=1) / 127, sums / room)
        units[units == 0] = 1
        self.kernel = np.rint(kernel / units[:, None]).astype(np.int8)
        self.bias = np.rint(bias / (units * unit)).astype(np.int64)
        assert (most * np.abs(self.kernel.astype(np.int64)).sum(axis=1) + np.abs(self.bias) <= _LARGEST).all()
        self.factor, self.shift = fixed(units * unit / new)
        self.arrays = {"kernel": self.kernel, "bias": self.bias, "factor": self.factor}

    def run(self, x: Integers) -> Integers:
        # float64 multiplies faster, and its sums are exact below 2^53
        sums = x.reshape(-1, self.width).astype(np.float64) @ self.kernel.T.astype(np.float64)
        return rescaled(sums.astype(np.int64) + self.bias, self.factor, self.shift).reshape(len(x), -1)

    def call(self, k: int) -> Call:
        arrays = f"{{p}}_kernel_{k}, {{p}}_bias_{k}, {{p}}_factor_{k}"
        return Call("dense", f"{{x}}, {{y}}, {self.rows}, {self.width}, {self.units}, {arrays}, {self.shift}")


class Affine(Step):
    """y = (x - mean) factor + shift; the mean is in units of x / 256. `unit` may be an array, one for each feature."""

    def __init__(self, step: plain.Affine, unit: Any, new: float) -> None:
        super().__init__(step.inputs, step.outputs)
        self.pattern = step.pattern
        mean, factor, shift = (
            np.broadcast_to(np.float64(default) if array is None else array.astype(np.float64), step.pattern.features)
            for array, default in ((step.mean, 0), (step.factor, 1), (step.shift, 0))
        )
        far = np.abs(mean * 256 / unit) > _LARGEST
        near = np.where(far, 0, mean)
        shift = shift - np.where(far, mean, 0) * factor
        self.mean = np.rint(near * 256 / unit).astype(np.int64)
        self.factor, self.shift = fixed(factor * unit / (256 * new))
        self.added = np.rint(np.clip(shift / new, -_LARGEST, _LARGEST)).astype(np.int64)
        self.arrays = {"mean": self.mean, "factor": self.factor, "added": self.added}

    def run(self, x: Integers) -> Integers:
        mean, factor, added = (self.pattern.spread(array) for array in self.arrays.values())
        scaled = rescaled(x * 256 - mean, factor, self.shift, limit=2**62)
        return np.clip(scaled + added, -LIMIT, LIMIT)

    def call(self, k: int) -> Call:
        p, arrays = self.pattern, ", ".join(f"{{p}}_{name}_{k}" for name in self.arrays)
        return Call("affine", f"{{x}}, {{y}}, {p.outer}, {p.features}, {p.inner}, {arrays}, {self.shift}")


class PRelu(Step):
    """y = x where it is positive, else alpha x."""

    def __init__(self, step: plain.PRelu, unit: float, new: float) -> None:
        super().__init__(step.inputs, step.outputs)
        self.pattern = step.pattern
        both, self.shift = fixed(np.append(step.alpha.astype(np.float64), 1) * unit / new)
        self.one, self.alpha = int(both[-1]), both[:-1]
        self.arrays = {"alpha": self.alpha}

    def run(self, x: Integers) -> Integers:
        return rescaled(x, np.where(x > 0, self.one, self.pattern.spread(self.alpha)), self.shift)

    def call(self, k: int) -> Call:
        p = self.pattern
        sizes = f"{p.outer}, {p.features}, {p.inner}"
        return Call("prelu", f"{{x}}, {{y}}, {sizes}, {{p}}_alpha_{k}, {self.one}, {self.shift}")


class Gather(Step):
    """y[i] = x[places[i]]."""

    in_place = False

    def __init__(self, step: plain.Gather) -> None:
        super().__init__(step.inputs, step.outputs)
        self.arrays = {"places": step.places}

    def run(self, x: Integers) -> Integers:
        return x[:, self.arrays["places"]]

    def call(self, k: int) -> Call:
        return Call("gather", f"{{x}}, {{y}}, {self.outputs}, {{p}}_places_{k}")


class Embedding(Step):
    """Row x[i] of a table of int8, whose rows have a unit each."""

    in_place = False

    def __init__(self, step: plain.Embedding, new: float) -> None:
        super().__init__(step.inputs, step.outputs)
        table = step.table.astype(np.float64)
        units = np.abs(table).max(axis=1) / 127
        units[units == 0] = 1
        self.table = np.rint(table / units[:, None]).astype(np.int8)
        self.factor, self.shift = fixed(units / new)
        self.arrays = {"table": self.table, "factor": self.factor}

    def run(self, x: Integers) -> Integers:
        rows = np.clip(x, 0, len(self.table) - 1)
        y = rescaled(self.table.astype(np.int64)[rows], self.factor[rows][..., None], self.shift)
        return y.reshape(len(x), -1)

    def call(self, k: int) -> Call:
        rows, units = self.table.shape
        sizes = f"{self.inputs}, {rows}, {units}"
        return Call("embedding", f"{{x}}, {{y}}, {sizes}, {{p}}_table_{k}, {{p}}_factor_{k}, {self.shift}")


class Mean(Step):
    """The mean of each row of numbers."""

    in_place = False

    def __init__(self, step: plain.Mean, unit: float, new: float) -> None:
        super().__init__(step.inputs, step.outputs)
        if step.units > 65535:
            raise ValueError(f"layer {step.layer!r} has a mean of {step.units} numbers: too many for sums in 32 bits")
        self.units = step.units
        self.factor, self.shift = fixed(unit / (step.units * new))

    def run(self, x: Integers) -> Integers:
        return rescaled(x.reshape(len(x), -1, self.units).sum(axis=2), self.factor, self.shift)

    def call(self, k: int) -> Call:
        return Call("mean", f"{{x}}, {{y}}, {self.outputs}, {self.units}, {self.factor[0]}, {self.shift}")


class Normalize(Step):
    """y = (x - mean) / sqrt(square + epsilon). Differences are in units of x / 16, their quotients of 2^-20."""

    def __init__(self, step: plain.Normalize, unit: float, new: float) -> None:
        super().__init__(step.inputs, step.outputs)
        if step.units > 2**20:
            raise ValueError(f"layer {step.layer!r} normalizes {step.units} numbers: too many for 32 bits")
        self.units, self.center = step.units, step.center
        self.divisor = step.units if step.average else 1
        self.epsilon = min(round(step.epsilon * 256 / unit**2), 2**62)
        self.factor, self.shift = fixed(2.0**-20 / new)

    def run(self, x: Integers) -> Integers:
        rows = x.reshape(-1, self.units)
        mean = np.zeros((len(rows), 1), np.int64)
        if self.center:
            sums = 32 * rows.sum(axis=1, keepdims=True)
            mean = np.sign(sums) * ((np.abs(sums) + self.units) // (2 * self.units))
        d = rows * 16 - mean
        y = np.zeros_like(d)
        for i, square in enumerate(np.square(d).sum(axis=1).tolist()):
            square, k = square // self.divisor + self.epsilon, 0
            while square and square < 2**60:
                square, k = square << 2, k + 1
            inverse = 2**62 // math.isqrt(square) if square else 0
            y[i] = np.sign(d[i]) * ((np.abs(d[i]) * inverse) >> (42 - k))
        return rescaled(y, self.factor, self.shift).reshape(x.shape)

    def call(self, k: int) -> Call:
        how = f"{int(self.center)}, {self.divisor}, UINT64_C({self.epsilon}), {self.factor[0]}, {self.shift}"
        return Call("normalize", f"{{x}}, {{y}}, {self.inputs // self.units}, {self.units}, {how}")


class Clip(Step):
    """y = x between two limits, such as relu."""

    def __init__(self, step: plain.Pointwise, unit: float) -> None:
        super().__init__(step.inputs, step.outputs)
        limits = limits_of(step)
        assert limits is not None
        self.least, self.most = (int(np.clip(np.rint(limit / unit), -LIMIT, LIMIT)) for limit in limits)

    def run(self, x: Integers) -> Integers:
        return np.clip(x, self.least, self.most)

    def call(self, k: int) -> Call:
        return Call("clip", f"{{x}}, {{y}}, {self.inputs}, {self.least}, {self.most}")


def limits_of(step: Any) -> tuple[float, float] | None:
    """Returns the limits of an activation that only limits x, such as relu; None for others."""
    from fastnet import activations

    if not isinstance(step, plain.Pointwise):
        return None
    a = step.activation
    if type(a) is activations.Relu:
        return 0.0, math.inf
    if type(a) is activations.HardTanh:
        return -1.0, 1.0
    if isinstance(a, activations.ClippedRelu) and a.numbers[0] == a.numbers[2] == 0:
        return 0.0, a.numbers[1]
    return None


def looked_up(x: Integers, table: Any) -> Integers:
    """Returns the values of a table with a number at every 256th x, and straight lines in between."""
    place = x + 32768
    part, at = place & 255, place >> 8
    values = table.astype(np.int64)
    sums = values[at] * (256 - part) + values[at + 1] * part
    return np.sign(sums) * ((np.abs(sums) + 128) // 256)


def table_of(activation: Any, unit: float, new: float) -> Any:
    """Returns an activation at the places -32768, -32512, ..., 32768 times the unit, (257,) int16."""
    with np.errstate(**SILENT):
        values = activation((np.arange(257) * 256.0 - 32768) * unit).astype(np.float64) / new
    return np.rint(np.nan_to_num(np.clip(values, -LIMIT, LIMIT))).astype(np.int16)


class Pointwise(Step):
    """Any activation of single numbers, from a table."""

    def __init__(self, step: plain.Pointwise, unit: float, new: float) -> None:
        super().__init__(step.inputs, step.outputs)
        self.arrays = {"table": table_of(step.activation, unit, new)}

    def run(self, x: Integers) -> Integers:
        return looked_up(x, self.arrays["table"])

    def call(self, k: int) -> Call:
        return Call("pointwise", f"{{x}}, {{y}}, {self.inputs}, {{p}}_table_{k}")


class Glu(Step):
    """a sigmoid(b); the sigmoid is in a table."""

    in_place = False

    def __init__(self, step: plain.Glu, unit: float, new: float) -> None:
        from fastnet import activations

        super().__init__(step.inputs, step.outputs)
        self.half = step.half
        self.factor, self.shift = fixed(unit / (LIMIT * new))
        self.arrays = {"table": table_of(activations.sigmoid, unit, 1 / LIMIT)}

    def run(self, x: Integers) -> Integers:
        a, b = np.split(x.reshape(-1, 2 * self.half), 2, axis=1)
        return rescaled(a * looked_up(b, self.arrays["table"]), self.factor, self.shift).reshape(len(x), -1)

    def call(self, k: int) -> Call:
        sizes = f"{self.inputs // (2 * self.half)}, {self.half}"
        return Call("glu", f"{{x}}, {{y}}, {sizes}, {{p}}_table_{k}, {self.factor[0]}, {self.shift}")


class Softmax(Step):
    """exp(x) / sum exp(x) in units of 2^-15, by powers of 2: a table for the fraction of the exponent, and a shift."""

    def __init__(self, step: plain.RowActivation, unit: float) -> None:
        super().__init__(step.inputs, step.outputs)
        if step.units > 32768:
            raise ValueError(f"layer {step.layer!r} has a softmax of {step.units} numbers: too many for 32 bits")
        self.units = step.units
        self.factor, self.shift = fixed(unit * 256 / math.log(2))
        self.arrays = {"powers": np.rint(65535 * 2.0 ** (-np.arange(256) / 256)).astype(np.uint16)}

    def run(self, x: Integers) -> Integers:
        rows = x.reshape(-1, self.units)
        exponents = rescaled(rows.max(axis=1, keepdims=True) - rows, self.factor, self.shift, limit=4096)
        powers = self.arrays["powers"].astype(np.int64)[exponents & 255] >> (exponents >> 8)
        powers[exponents >= 4096] = 0
        sums = powers.sum(axis=1, keepdims=True)
        return np.minimum((powers * 32768 + sums // 2) // sums, LIMIT).reshape(x.shape)

    def call(self, k: int) -> Call:
        sizes = f"{self.inputs // self.units}, {self.units}"
        return Call("softmax", f"{{x}}, {{y}}, {sizes}, {self.factor[0]}, {self.shift}, {{p}}_powers_{k}")
