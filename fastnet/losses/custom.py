"""A loss from two functions of the user: the loss and its gradient, which can be compared."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.checks import Floats
from fastnet.losses.base import Loss, check_rows, check_slopes

Function = Callable[[Any, Any], Any]


class CustomLoss(Loss):
    """A loss whose `call` and `derivative` are two functions; `custom` returns it."""

    def __init__(self, function: Function, gradient: Function, name: str | None = None) -> None:
        for argument, value in (("function", function), ("gradient", gradient)):
            if not callable(value):
                raise TypeError(f"{argument} must be callable as {argument}(y_true, y_pred), got {value!r}")
        super().__init__(name or getattr(function, "__name__", type(function).__name__))
        self.function, self.function_gradient = function, gradient

    def call(self, y_true: Floats, y_pred: Floats) -> Floats:
        # Copies, since a user's code may write into them, and they belong to the data set and the last layer.
        return check_rows(self, self.function(y_true.copy(), y_pred.copy()), len(y_pred))

    def derivative(self, y_true: Floats, y_pred: Floats) -> Floats:
        return check_slopes(self, self.function_gradient(y_true.copy(), y_pred.copy()), y_pred.shape)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    def check(self, y_true: Any = None, y_pred: Any = None) -> float:
        """Compares the gradient with central differences in float64, and returns the largest difference.

        Args:
            y_true: targets for the comparison, (n, C); by default (8, 3) random numbers between 0.05 and 0.95, which
                suit a loss of probabilities, too.
            y_pred: predictions for the comparison, of the same shape; by default random numbers like those.

        Raises:
            ValueError: if the difference exceeds 1e-5 of the gradient's size (1e-2 if the function returns float32).
        """
        random = np.random.default_rng(0).uniform(0.05, 0.95, (2, 8, 3))
        t: Any = random[0] if y_true is None else checks.numeric("y_true", y_true).astype(np.float64)
        p: Any = random[1] if y_pred is None else checks.numeric("y_pred", y_pred).astype(np.float64)
        if t.shape != p.shape or t.ndim != 2:
            raise ValueError(f"y_true and y_pred must have the same shape (n, C), got {t.shape} and {p.shape}")
        exact = self.call(t, p).dtype == np.float64
        step, tolerance = (1e-5, 1e-5) if exact else (1e-2, 1e-2)
        gradient = self.derivative(t, p)
        differences: Any = np.empty(p.shape)
        for column in range(p.shape[1]):
            above, below = p.copy(), p.copy()
            above[:, column] += step
            below[:, column] -= step
            differences[:, column] = (self.call(t, above) - self.call(t, below)) / (2 * step)
        errors = np.abs(gradient - differences)
        row, column = divmod(int(errors.argmax()), errors.shape[1])  # argmax finds NaN, too
        largest = float(errors[row, column])
        if not largest <= tolerance * max(1.0, float(np.abs(differences).max())):
            raise ValueError(
                f"the gradient of the loss {self.name!r} is off by {largest:.3g} at row {row}, column {column}: it "
                f"says {gradient[row, column]:.6g}, central differences say {differences[row, column]:.6g}"
            )
        return largest


def custom(function: Function, gradient: Function, check: Any = False, name: str | None = None) -> CustomLoss:
    """Returns a loss for `compile`, made of your function and its gradient.

    Args:
        function: ``function(y_true, y_pred)``, with arrays (n, C), returns the loss of each row, (n,), or of each
            output, (n, C). The loss of a row is then the mean over its outputs.
        gradient: ``gradient(y_true, y_pred)`` returns the gradient of each row's loss with respect to its predictions,
            (n, C). The model itself takes the mean over the batch and applies weights.
        check: True compares function and gradient on random data, a pair (y_true, y_pred) compares them there.
        name: the name of the loss; by default that of the function.

    Raises:
        ValueError: if `check` finds a difference. The message says where and how large it is.
        TypeError: if an argument is not callable.

    Example:
        >>> loss = custom(lambda t, p: (p - t) ** 4, lambda t, p: 4 * (p - t) ** 3 / p.shape[1], check=True, name="l4")
        >>> loss([[1.0]], [[3.0]])
        16.0
    """
    loss = CustomLoss(function, gradient, name)
    if isinstance(check, tuple | list):
        if len(check) != 2:
            raise ValueError(f"check must be True, False or a pair (y_true, y_pred), got {len(check)} elements")
        loss.check(*check)
    elif check:
        loss.check()
    return loss
