"""Smooth activations without an upper limit: most of them are smooth relatives of relu."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks, kernels
from fastnet.activations.base import KernelActivation, NumpyActivation
from fastnet.checks import Floats

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


class Exponential(NumpyActivation):
    """exp(x); it is infinite for x above 88.7, where the range of float32 ends."""

    name = "exponential"

    def value(self, x: Floats) -> Floats:
        return np.exp(x)

    slope = value


class Softplus(KernelActivation):
    """log(1 + exp(x)), a smooth form of max(x, 0); the derivative is the sigmoid."""

    name = "softplus"
    which = kernels.SOFTPLUS


class Elu(KernelActivation):
    """x where it is positive, else alpha (exp(x) - 1).

    Source: D.-A. Clevert et al., "Fast and accurate deep network learning by exponential linear units (ELUs)", 2016.

    Args:
        alpha: minus the limit that the output approaches for negative x.

    Raises:
        ValueError: if `alpha` is not finite.
        TypeError: if `alpha` is not a number.

    Example:
        >>> Elu(alpha=2)([-1000, 3])
        array([-2.,  3.], dtype=float32)
    """

    name = "elu"
    which = kernels.ELU
    _factor = 1.0  # multiplies the whole function

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = checks.float32_number("alpha", alpha)
        self.numbers = self._factor * self.alpha, self._factor, 0.0

    def __call__(self, x: Any, alpha: float | None = None) -> Floats:
        """Returns the activation of x, with another alpha if one is given."""
        return super().__call__(x) if alpha is None else Elu(alpha)(x)

    def get_config(self) -> dict[str, Any]:
        return {} if self.alpha == 1 else {"alpha": self.alpha}


class Selu(Elu):
    """scale x where x is positive, else scale alpha (exp(x) - 1).

    The scale is 1.0507 and alpha is 1.6733. With "lecun_normal" kernels, the outputs of all layers then keep mean 0
    and variance 1.

    Source: G. Klambauer et al., "Self-normalizing neural networks", 2017.
    """

    name = "selu"
    _factor = SELU_SCALE

    def __init__(self) -> None:
        super().__init__(SELU_ALPHA)

    def __call__(self, x: Any) -> Floats:  # type: ignore[override]  # alpha is fixed
        return super().__call__(x)

    def get_config(self) -> dict[str, Any]:
        return {}


class Gelu(KernelActivation):
    """x Phi(x), where Phi(x) is the probability that a standard normal number is below x.

    Source: D. Hendrycks and K. Gimpel, "Gaussian error linear units (GELUs)", 2016.

    Args:
        approximate: whether to use sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)) for Phi(x). It is faster, and the error
            is at most 0.0005. The source writes it with a tanh.

    Raises:
        TypeError: if `approximate` is not a bool.

    Example:
        >>> Gelu()([-1000, 0, 1000])
        array([  -0.,    0., 1000.], dtype=float32)
    """

    name = "gelu"

    def __init__(self, approximate: bool = False) -> None:
        self.approximate = checks.flag("approximate", approximate)
        self.which = kernels.GELU_TANH if self.approximate else kernels.GELU

    def __call__(self, x: Any, approximate: bool | None = None) -> Floats:
        """Returns the activation of x; `approximate`, if given, replaces the constructor's."""
        return super().__call__(x) if approximate is None else Gelu(approximate)(x)

    def get_config(self) -> dict[str, Any]:
        return {"approximate": True} if self.approximate else {}


class Silu(KernelActivation):
    """x sigmoid(x), also called swish.

    Source: P. Ramachandran et al., "Searching for activation functions", 2017.
    """

    name = "silu"
    which = kernels.SILU
