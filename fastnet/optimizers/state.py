"""The state of an optimizer: an array or two for each variable. Keras shows it as variables that can be assigned to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastnet import checks, recorded
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats

if TYPE_CHECKING:
    from fastnet.optimizers.base import Optimizer


class LearningRate(float):
    """The learning rate of an optimizer: a float that also has the methods of a Keras variable.

    A new value of the optimizer does not change it: it is a number, not the place where the number is kept.
    """

    name = "learning_rate"
    shape = ()
    _optimizer: Optimizer

    def __new__(cls, value: float, optimizer: Optimizer) -> Self:
        rate = super().__new__(cls, value)
        rate._optimizer = optimizer
        return rate

    def numpy(self) -> np.float32:
        """Returns it in float32."""
        return np.float32(self)

    value = property(numpy)

    def check(self, value: Any) -> float:
        """Returns `value` as a float of at least 0."""
        return checks.number("learning_rate", value, least=0)

    def assign(self, value: Any) -> None:
        """Sets the learning rate of the optimizer."""
        self._optimizer.learning_rate = value

    def __reduce__(self) -> Any:
        return float, (float(self),)


class Iterations(int):
    """The number of steps of an optimizer: an int that also has the methods of a Keras variable."""

    name = "iteration"
    shape = ()
    _optimizer: Optimizer

    def __new__(cls, value: int, optimizer: Optimizer) -> Self:
        number = super().__new__(cls, value)
        number._optimizer = optimizer
        return number

    def numpy(self) -> np.int64:
        """Returns it as NumPy's integer."""
        return np.int64(self)

    value = property(numpy)

    def check(self, value: Any) -> int:
        """Returns `value` as an integer of at least 0."""
        return checks.integer("iterations", value, least=0)

    def assign(self, value: Any) -> None:
        """Sets the number of steps of the optimizer."""
        self._optimizer.iterations = value

    def __reduce__(self) -> Any:
        return int, (int(self),)


class Slot(Variable):
    """The state of a variable, such as its velocity. It is a view: `assign` changes the optimizer's own array.

    Args:
        variable: the variable whose state it is.
        name: the name of the state.
        packed: the array of the state, packed like the variable.
    """

    def __init__(self, variable: Variable, name: str, packed: Floats) -> None:
        super().__init__(np.zeros(variable.shape, np.float32), f"{variable.name}_{name}".replace("/", "_"))
        self.trainable = False
        self.__dict__["packed"] = packed


class States:
    """The part of an optimizer that keeps the state of its variables.

    Attributes:
        slots: the names of the states that each variable has.
        use_ema, gradient_accumulation_steps: whether it has more states, as for `Optimizer`.
    """

    slots: tuple[str, ...] = ()
    use_ema: bool
    gradient_accumulation_steps: int | None
    learning_rate: Any
    _iterations: int
    _schedule: Callable[..., Any] | None
    _slots: dict[tuple[Variable, str], Floats]
    _arrays_of_layer: dict[Variable, tuple[Floats, ...]]

    def slot(self, variable: Variable, name: str) -> Floats:
        """Returns the state called `name` of a variable, packed like the variable."""
        key = (variable, name)
        if key not in self._slots:
            self._slots[key] = self._first_state(variable, name)
        return self._slots[key]

    def _first_state(self, variable: Variable, name: str) -> Floats:
        """Returns the state before the first step: zeros."""
        return variable.pack(np.zeros(variable.shape, np.float32))

    def _slots_of(self, variable: Variable) -> tuple[str, ...]:
        """Returns the names of all states of a variable."""
        average = ("average",) if self.use_ema else ()
        sums = ("gradient_accumulator",) if self.gradient_accumulation_steps else ()
        return average + sums + self.slots

    def replace_slots(self, slots: dict[tuple[Variable, str], Floats]) -> None:
        """Takes over the state of all variables, by variable and name, as a file has it."""
        self._slots = slots
        self._arrays_of_layer.clear()
        recorded.touch()

    @property
    def variables(self) -> list[Any]:
        """The number of batches, the learning rate unless it follows a schedule, and all states, which are views."""
        numbers: list[Any] = [Iterations(self._iterations, self)]  # type: ignore[arg-type]
        if self._schedule is None:
            numbers.append(self.learning_rate)
        return numbers + [Slot(variable, name, packed) for (variable, name), packed in self._slots.items()]

    def build(self, variables: Iterable[Variable]) -> None:
        """Makes the states of these variables now; otherwise their first step makes them."""
        for variable in variables:
            for name in self._slots_of(variable):
                self.slot(variable, name)

    def set_weights(self, weights: Iterable[Any]) -> None:
        """Sets the numbers and states from a list like `variables`.

        Raises:
            ValueError: if their number or shapes differ. Nothing has changed then.
        """
        variables, given = self.variables, list(weights)
        if len(given) != len(variables):
            raise ValueError(
                f"weights has {len(given)} entries, but the optimizer has {len(variables)} variables; call "
                "build(model.trainable_weights) first if it has not taken a step yet"
            )
        values = [variable.check(value) for variable, value in zip(variables, given, strict=True)]
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
