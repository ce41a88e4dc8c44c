"""Lambda: a function as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from fastnet import checks
from fastnet.checks import Floats
from fastnet.layers.base import ALONE, LAYER_ARGUMENTS, Fused, Layer

if TYPE_CHECKING:
    from fastnet.optimizers import Sink


class Lambda(Layer):
    """Computes a function of the input. It has no weights.

    A saved model keeps the functions' names, not their code: `load_model` takes them from `custom_objects`.

    Args:
        function: called as ``function(x, **arguments)`` with a batch, (B, *input_shape); returns (B, *output_shape). If
            it has an argument `training`, it gets that too.
        output_shape: accepted as in Keras, without effect: the layer calls the function on zeros to find the shape.
        mask: must be None.
        arguments: a dict of further arguments of the function.
        gradient: called as ``gradient(x, y, dy)``, as `Layer.gradient`; returns the gradient with respect to x. It is
            needed only if a layer before this one is trained.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid.

    Example:
        >>> Lambda(lambda x: 2 * x, gradient=lambda x, y, dy: 2 * dy)([[3.0]])
        array([[6.]], dtype=float32)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: None = None,
        arguments: dict[str, Any] | None = None,
        gradient: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**checks.keywords("Lambda", kwargs, LAYER_ARGUMENTS))
        if mask is not None:
            raise ValueError(f"mask is not supported; expected None, got {mask!r}")
        for argument, value in (("function", function), ("gradient", gradient)):
            if not callable(value) and (argument == "function" or value is not None):
                hint = f"; load the model with custom_objects={{{value!r}: ...}}" if isinstance(value, str) else ""
                raise TypeError(f"{argument} must be a function, got {value!r}{hint}")
        if arguments is not None and not isinstance(arguments, dict):
            raise TypeError(f"arguments must be a dict of the function's further arguments, got {arguments!r}")
        self.function = function
        self.arguments = arguments or {}
        self._gradient = gradient
        try:
            self._passes_training = "training" in inspect.signature(function).parameters
        except ValueError:  # compiled functions may have no signature, such as np.tanh in NumPy 1
            self._passes_training = False

    def call(self, x: Floats, training: bool = False) -> Any:
        further = self.arguments | ({"training": training} if self._passes_training else {})
        return self.function(x, **further)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Any:
        if self._gradient is None:
            raise NotImplementedError(
                f"layer {self.name!r}: a layer before this Lambda is trained, so it needs "
                "Lambda(function, gradient=...), a function of (x, y, dy) that returns the gradient with respect to x"
            )
        return self._gradient(x, y, dy)

    def backward(
        self, x: Floats, y: Floats, dy: Floats, sink: Sink, need_dx: bool, fused: Fused = ALONE
    ) -> Floats | None:
        return super().backward(x, y, dy, sink, need_dx) if need_dx else None

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments. In a file, each function becomes its name."""
        config = super().get_config() | {"function": self.function}
        if self.arguments:
            config["arguments"] = dict(self.arguments)
        return config if self._gradient is None else config | {"gradient": self._gradient}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None, safe_mode: Any = None) -> Self:
        """Makes a new layer.

        Args:
            config: the result of `get_config`.
            custom_objects: a dict of the functions, if `config` holds their names.
            safe_mode: accepted as in Keras, without effect: a config holds no code.
        """
        known = custom_objects or {}
        return cls(
            **{name: known.get(value, value) if isinstance(value, str) else value for name, value in config.items()}
        )

    def __repr__(self) -> str:
        return f"Lambda({getattr(self.function, '__name__', repr(self.function))})"
