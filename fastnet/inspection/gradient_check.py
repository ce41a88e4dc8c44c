"""The gradient check: compares the gradients of backpropagation with central differences of the loss.

    numeric = (loss(w + h) - loss(w - h)) / 2h

All of it is float32. The error of the difference grows with h^2, that of rounding with 1 / h. So several h are tried,
and the best one counts. Differences of a few thousandths are usual; a wrong derivative is far off. The tests also check
the layers in float64, against the reference kernels.
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

# The best step counts: a large one may cross the kink of relu.
_STEPS = tuple(np.float32(h) for h in (8e-3, 2e-3, 5e-4, 1.25e-4))
_TOLERANCE = 0.02  # relative to the largest gradient of a variable; with a wrong formula the difference is about 1


class Row(NamedTuple):
    """The result for one variable: weights moved, largest gradient, largest difference."""

    name: str
    shape: tuple[int, ...]
    moved: int
    largest: float
    difference: float

    @property
    def agrees(self) -> bool:
        return self.difference <= _TOLERANCE * max(self.largest, 1e-4)


class GradientTable(Table[Row]):
    """The result of a gradient check, one row per variable. It prints as a table and is true if all rows agree."""

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
    """Takes the optimizer's place in a step: keeps the gradients and changes no weight."""

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
    """Changes some weights of each variable a little, up and down, and compares the loss with the gradients.

    The model is not changed. Layers that draw random numbers draw the same ones each time.

    Args:
        model: a compiled model.
        x: examples of one batch, as for `fit`; a few dozen are enough.
        y: their targets.
        samples: number of weights to change in each variable, including those with the largest gradients.
        print_fn: function that gets the table as text. By default nothing is printed.

    Returns:
        The table. It is true if all gradients agree.

    Raises:
        RuntimeError, ValueError, TypeError: as `fit`.
    """
    from fastnet import rng

    samples = checks.integer("samples", samples, least=1)
    model = copy.deepcopy(model)
    loss, _ = model._compiled()
    data = model._data(loss, x, y)
    batch = model._batch(data)
    # Each step must draw the same random numbers, including layers with a generator of their own.
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
        return float(total[0]) / len(data.targets), sink.gradients

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
