"""Optimizers: what to do with a gradient."""

from typing import Any

import numpy as np

from fastnet import checks, kernels
from fastnet.checks import Floats
from fastnet.sparsity import Lists
from fastnet.variables import Variable


class Optimizer:
    """Base of all optimizers: a learning rate, and state beside each variable.

    A subclass says in `update_step` what happens to one variable. It may also override `apply_product`, to update while
    the gradient is still being multiplied.
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate
        self.iterations = 0
        self._slots: dict[tuple[Variable, str], Floats] = {}

    @property
    def learning_rate(self) -> float:
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = checks.number("learning_rate", value, least=0)

    def slot(self, variable: Variable, name: str) -> Floats:
        """The state called `name` of this variable, packed as it is; zeros at first."""
        key = (variable, name)
        if key not in self._slots:
            self._slots[key] = np.zeros_like(variable.packed)
        return self._slots[key]

    def apply_product(
        self, x: Floats, dz: Floats, kernel: Variable, bias: Variable, lists: Lists | tuple[()] = ()
    ) -> None:
        """Updates a layer whose gradients are x^T . dz and the column sums of dz: multiplied first, then applied.

        `lists` says where x is not zero, if it was worth finding out.
        """
        dw, db = np.empty_like(kernel.packed), np.empty_like(bias.packed)
        kernels.gemm_tn(x, dz, dw, db, *lists)
        self.update_step(dw, kernel, self.learning_rate)
        self.update_step(db, bias, self.learning_rate)

    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        """Changes `variable.packed` in place; `gradient` is packed as it is."""
        raise NotImplementedError


class RMSprop(Optimizer):
    """Divides each gradient by the running root mean square of its past.

    v <- rho v + (1 - rho) g^2;  w <- w - learning_rate g / sqrt(v + epsilon)

    `centered` takes the variance instead: m <- rho m + (1 - rho) g and sqrt(v - m^2 + epsilon). With `momentum` a step
    d becomes b <- momentum b + d. Source: T. Tieleman and G. Hinton, Lecture 6.5 of "Neural Networks for Machine
    Learning", 2012; details as in Keras.

    Args:
        learning_rate: size of a step, at least 0.
        rho: how much of the past stays, in [0, 1).
        momentum: how much of the last step stays, in [0, 1).
        epsilon: keeps the root from zero; above 0.
        centered: whether to subtract the mean.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if it is no number.

    Example:
        >>> RMSprop(learning_rate=0.01)
        RMSprop(learning_rate=0.01)
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
    ) -> None:
        super().__init__(learning_rate)
        self.rho = checks.number("rho", rho, least=0, below=1)
        self.momentum = checks.number("momentum", momentum, least=0, below=1)
        self.epsilon = checks.number("epsilon", epsilon, least=float(np.finfo(np.float32).tiny))
        self.centered = bool(centered)

    def apply_product(
        self, x: Floats, dz: Floats, kernel: Variable, bias: Variable, lists: Lists | tuple[()] = ()
    ) -> None:
        if self.centered or self.momentum:
            super().apply_product(x, dz, kernel, bias, lists)
        else:
            v, bias_v = self.slot(kernel, "velocity"), self.slot(bias, "velocity")
            kernels.gemm_tn_rmsprop(
                x, dz, kernel.packed, bias.packed, v, bias_v, self.learning_rate, self.rho, self.epsilon, *lists
            )

    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        mean = self.slot(variable, "average_gradient").reshape(-1) if self.centered else None
        momentum = self.slot(variable, "momentum").reshape(-1) if self.momentum else None
        kernels.rmsprop(
            variable.packed.reshape(-1),
            gradient.reshape(-1),
            self.slot(variable, "velocity").reshape(-1),
            mean,
            momentum,
            learning_rate,
            self.rho,
            self.momentum,
            self.epsilon,
        )

    def __repr__(self) -> str:
        text = f"RMSprop(learning_rate={self.learning_rate:g}"
        for name, default in (("rho", 0.9), ("momentum", 0.0), ("epsilon", 1e-7)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name):g}"
        return text + (", centered=True)" if self.centered else ")")


_BY_NAME: dict[str, type[RMSprop]] = {"rmsprop": RMSprop, "RMSprop": RMSprop}


def get(identifier: Any) -> Optimizer:
    """A new optimizer of a name, with its defaults, or the object itself.

    Raises:
        ValueError: if there is none of that name.
        TypeError: if it is neither a name nor an optimizer.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    return checks.choose("optimizer", identifier, _BY_NAME)()
