"""The gradient check: what backpropagation says against what happens to the loss when a weight is moved.

    numeric = (loss(w + h) - loss(w - h)) / 2h

computed in float32 as everything here, so both the step's error, which grows with h^2, and the rounding's, which grows
with 1 / h, are there, and the best of some steps counts: a few thousandths are usual, a wrong derivative is far off.
The layers' own float64 check against the reference kernels is in the tests.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastnet import checks
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.inspection.tables import Cells, Table
from fastnet.optimizers import multiply

_STEPS = tuple(
    np.float32(h) for h in (8e-3, 2e-3, 5e-4, 1.25e-4)
)  # the best of them counts: relu has a kink that one may cross
_TOLERANCE = 0.02  # of the largest gradient of a variable; a wrong formula is usually off by its whole size


class Row(NamedTuple):
    """One variable: the largest gradient, the largest difference, and how many weights were moved."""

    name: str
    shape: tuple[int, ...]
    moved: int
    largest: float
    difference: float

    @property
    def agrees(self) -> bool:
        return self.difference <= _TOLERANCE * max(self.largest, 1e-4)


class GradientTable(Table[Row]):
    """The rows of a check, a variable each; true if all agree. It shows itself as a table."""

    def __bool__(self) -> bool:
        return all(row.agrees for row in self)

    def _cells(self) -> Cells:
        head = ("variable", "shape", "moved", "largest gradient", "largest difference", "")
        rows = [
            (
                row.name,
                str(row.shape),
                str(row.moved),
                f"{row.largest:.3e}",
                f"{row.difference:.3e}",
                "agrees" if row.agrees else "DIFFERS",
            )
            for row in self
        ]
        return Cells("", head, rows, "")


class GradientCollector:
    """A sink that keeps the gradients it is handed and changes nothing."""

    def __init__(self) -> None:
        self.gradients: dict[Variable, Floats] = {}

    def begin_step(self) -> None: ...

    def end_step(self) -> None: ...

    def apply_product(self, x: Any, dz: Floats, kernel: Variable, bias: Variable) -> None:
        dw, db = multiply(x, dz, kernel, bias)
        self.apply(kernel, dw)
        if not bias.frozen_at_zero:
            self.apply(bias, db)

    def apply(self, variable: Variable, gradient: Floats) -> None:
        array = variable.unpack(gradient)
        if variable.regularizer is not None:
            array = array + variable.regularizer.checked_gradient(variable.numpy(), variable.name)
        self.gradients[variable] = array


def check_gradients(
    model: Any, x: Any, y: Any, samples: int = 20, print_fn: Callable[[str], Any] | None = None
) -> GradientTable:
    """Moves some weights of each variable a little, either way, and compares.

    The model itself is left as it was. Layers that draw random numbers draw the same ones each time.

    Args:
        model: compiled.
        x, y: a batch, as for `fit`; a few dozen examples are enough.
        samples: how many weights of each variable are moved, the ones with the largest gradients among them.
        print_fn: takes the table as text, too. By default nothing is printed: print what is returned.

    Returns:
        The table; it is true if all gradients agree.

    Raises:
        RuntimeError, ValueError, TypeError: as `fit`.
    """
    from fastnet import rng

    samples = checks.integer("samples", samples, least=1)
    model = copy.deepcopy(model)
    loss, _ = model._compiled()
    data = model._data(loss, x, y)
    batch = model._batch(data)
    # Each step draws the same random numbers, also in layers with a generator of their own.
    generators = [g for layer in model._layers for g in vars(layer).values() if isinstance(g, np.random.Generator)]
    generators.append(rng.generator())
    states = [g.bit_generator.state for g in generators]

    def rewind() -> None:
        for generator, state in zip(generators, states, strict=True):
            generator.bit_generator.state = state

    def step() -> tuple[float, dict[Variable, Floats]]:
        rewind()
        sink = GradientCollector()
        total, _ = model._train_step(batch, loss, sink)
        return total / len(data.targets), sink.gradients

    table = GradientTable()
    try:
        _, gradients = step()
        for variable in [v for layer in model._layers for v in layer.trainable_weights]:
            table.append(_compare(variable, gradients[variable].reshape(-1), samples, lambda: step()[0]))
    finally:
        rewind()
    if print_fn is not None:
        print_fn(str(table))
    return table


def _compare(variable: Variable, gradient: Floats, samples: int, loss: Callable[[], float]) -> Row:
    order = np.argsort(-np.abs(gradient), kind="stable")
    largest, others = order[: (samples + 1) // 2], order[:: max(1, len(order) // samples)]
    chosen = np.unique(np.concatenate([largest, others]))
    value = variable.numpy().reshape(-1)
    differences = []
    for at in chosen:
        before = value[at]
        found = []
        for h in _STEPS:
            losses = []
            for moved in (before + h, before - h):
                value[at] = moved
                variable.assign(value.reshape(variable.shape))
                losses.append(loss())
            width = float(before + h) - float(before - h)
            found.append(abs((losses[0] - losses[1]) / width - float(gradient[at])))
        value[at] = before
        variable.assign(value.reshape(variable.shape))
        differences.append(min(found))
    return Row(variable.name, variable.shape, len(chosen), float(np.abs(gradient).max()), max(differences))
