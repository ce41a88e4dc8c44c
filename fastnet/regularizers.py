"""Regularizers: penalties on the size of a layer's weights, which are added to the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, kernels
from fastnet.checks import Floats
from fastnet.recorded import Recorded, is_ours
from fastnet.registered import resolve

if TYPE_CHECKING:
    from fastnet.arrays.variables import Variable


Doubles = NDArray[np.float64]


class Regularizer(Recorded):
    """Base class of all regularizers. `__call__` computes the penalty of an array, `gradient` its gradient."""

    def __call__(self, x: Floats) -> float:
        """Computes the penalty of an array of weights, a number."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__()")

    def gradient(self, x: Floats) -> Floats:
        """Computes the gradient of the penalty with respect to x, in x's shape."""
        raise NotImplementedError(f"{type(self).__name__} has no gradient(), so a model cannot be trained with it")

    def checked_penalty(self, x: Floats, of: str) -> float:
        """Returns the penalty as a float.

        Raises:
            ValueError, TypeError: if a subclass does not return a number.
        """
        returned = f"{of}: what the regularizer {type(self).__name__} returned"
        penalty = checks.numeric(returned, self(x))
        if penalty.shape not in ((), (1,)):
            raise ValueError(f"{returned} has shape {penalty.shape}; expected one number")
        return float(penalty.item())

    def checked_gradient(self, x: Floats, of: str) -> Floats:
        """Returns the gradient as a float32 array in x's shape.

        Raises:
            ValueError, TypeError: if a subclass does not return that.
        """
        return checks.same_shape(f"{of}: what {type(self).__name__}.gradient() returned", self.gradient(x), x.shape)

    def add_penalty(self, variable: Variable, examples: int, total: NDArray[np.float64]) -> None:
        """Adds the variable's penalty, times the number of examples, to total[0], the loss of a batch."""
        total[0] += self.checked_penalty(variable.numpy(), variable.name) * examples

    def add_gradient(self, variable: Variable, gradient: Floats) -> None:
        """Adds the gradient of the variable's penalty to an array that is packed like the variable."""
        gradient += variable.pack(self.checked_gradient(variable.numpy(), variable.name))

    @property
    def _is_taped(self) -> bool:
        """Whether kernels alone compute the penalty and its gradient, so that a step can be recorded."""
        return False

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {}

    def __repr__(self) -> str:
        parts = (f"{k}={v:g}" if isinstance(v, float) else f"{k}={v!r}" for k, v in self._shown().items())
        return f"{type(self).__name__}({', '.join(parts)})"


class L1L2(Regularizer):
    """Computes the penalty l1 * sum |w| + l2 * sum w^2.

    Args:
        l1: the factor of the absolute values, at least 0.
        l2: the factor of the squares, at least 0.

    Raises:
        ValueError, TypeError: if a factor is invalid.

    Example:
        >>> L1L2(l1=1, l2=2)(np.array([1.0, -2.0]))
        13.0
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = checks.number("l1", l1, least=0)
        self.l2 = checks.number("l2", l2, least=0)

    def __call__(self, x: Floats) -> float:
        exact = np.asarray(x, np.float64, order="C")
        return float(self.l1 * np.abs(exact).sum() + self.l2 * np.square(exact).sum())

    def gradient(self, x: Floats) -> Floats:
        return np.float32(self.l1) * np.sign(x) + np.float32(2 * self.l2) * x

    def add_penalty(self, variable: Variable, examples: int, total: NDArray[np.float64]) -> None:
        if self._is_taped:
            kernels.penalty(variable.packed.reshape(-1), self.l1, self.l2, examples, total)
        else:
            super().add_penalty(variable, examples, total)

    def add_gradient(self, variable: Variable, gradient: Floats) -> None:
        if self._is_taped:
            kernels.penalty_gradient(gradient.reshape(-1), variable.packed.reshape(-1), self.l1, self.l2)
        else:
            super().add_gradient(variable, gradient)

    @property
    def _is_taped(self) -> bool:
        return is_ours(type(self))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """Computes the penalty l1 * sum |w|; l1 is 0.01 by default, as in Keras."""

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """Computes the penalty l2 * sum w^2; l2 is 0.01 by default, as in Keras."""

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """Computes the penalty factor * (mean of |cos| over all pairs of rows): 0 if the rows of a matrix are orthogonal.

    The cosine of two rows is the product of the rows, each divided by its length.

    Args:
        factor: the factor of the mean, at least 0.
        mode: ``"rows"``, or ``"columns"`` for pairs of columns.

    Raises:
        ValueError: if an argument is invalid; in a call, if the weights are not a matrix.
        TypeError: if `factor` is not a number.

    Example:
        >>> OrthogonalRegularizer(factor=3)(np.array([[1.0, 0.0], [0.0, 2.0], [5.0, 0.0]]))
        1.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = checks.number("factor", factor, least=0)
        self.mode = checks.choose("mode", mode, {"rows": "rows", "columns": "columns"})

    def __call__(self, x: Floats) -> float:
        _, _, cosines, share = self._parts(x)
        return float(share * np.abs(cosines).sum())

    def gradient(self, x: Floats) -> Floats:
        """Computes the gradient. With unit rows n = x / |x|, cosines C = n n^T and their signs S: dn = 2 share S n.

        Each dn then loses its part along n, and is divided by the row's length: dx = (dn - n (n . dn)) / |x|.
        """
        units, lengths, cosines, share = self._parts(x)
        dn = 2 * share * np.sign(cosines) @ units
        dx = (dn - units * (units * dn).sum(axis=1, keepdims=True)) / lengths
        gradient: Floats = (dx if self.mode == "rows" else dx.T).astype(np.float32)
        return gradient

    def _parts(self, x: Floats) -> tuple[Doubles, Doubles, Doubles, float]:
        """Returns the rows of length 1, the lengths, the cosines with zeros on the diagonal, and factor / pairs."""
        exact = np.asarray(x, np.float64, order="C")
        if exact.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer takes a matrix, got weights of shape {exact.shape}")
        rows = exact if self.mode == "rows" else exact.T
        lengths = np.maximum(np.sqrt(np.square(rows).sum(axis=1, keepdims=True)), 1e-12)
        units = rows / lengths
        cosines = units @ units.T
        np.fill_diagonal(cosines, 0)
        n = len(rows)
        return units, lengths, cosines, self.factor / max(1, n * (n - 1))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer

CLASSES: dict[str, type[Regularizer]] = {
    "L1": L1,
    "L2": L2,
    "L1L2": L1L2,
    "OrthogonalRegularizer": OrthogonalRegularizer,
}
_BY_NAME: dict[str, type[Regularizer]] = {
    "l1": L1,
    "l2": L2,
    "l1_l2": L1L2,
    "l1l2": L1L2,
    "orthogonal_regularizer": OrthogonalRegularizer,
    **CLASSES,
}


def get(identifier: Any, argument: str = "regularizer") -> Regularizer | None:
    """Returns the regularizer of a name, a class, a description, a given regularizer itself, or None.

    Raises:
        ValueError, TypeError: as `checks.build`.
    """
    identifier = resolve(identifier)
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Regularizer):
        return identifier()
    return checks.build(argument, identifier, _BY_NAME)


def serialize(regularizer: Regularizer | None) -> dict[str, Any] | None:
    """Returns the name and the arguments, as `get` takes them."""
    return None if regularizer is None else checks.describe(regularizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Regularizer | None:
    """Returns the regularizer of a result of `serialize`; `custom_objects` are your own classes by name."""
    return get(checks.own(config, custom_objects))
