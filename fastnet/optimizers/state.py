"""The numbers and arrays of an optimizer, as Keras shows them: numbers and variables that can be assigned to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastnet import checks
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
        whole = int(value) if isinstance(value, float | np.floating) and float(value).is_integer() else value
        return checks.integer("iterations", whole, least=0)

    def assign(self, value: Any) -> None:
        """Sets the number of steps of the optimizer."""
        self._optimizer.iterations = self.check(value)

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
