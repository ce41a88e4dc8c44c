"""Layers: Input, which only tells a shape, and Dense, which does the work."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import activations, checks, initializers, kernels
from fastnet.checks import Floats
from fastnet.optimizers import Optimizer
from fastnet.sparsity import NonzeroLists
from fastnet.variables import Variable


def _features_of(argument: str, shape: Any) -> int:
    """The number of features in a shape such as (784,), or in a bare number."""
    if isinstance(shape, int | np.integer):
        return checks.integer(argument, shape, least=1)
    try:
        dimensions = tuple(shape)
    except TypeError:
        raise TypeError(f"{argument} must be a shape such as (784,), got {shape!r}") from None
    if len(dimensions) != 1:
        raise ValueError(f"{argument} must have one dimension, as in (784,), got {shape!r}")
    return checks.integer(argument, dimensions[0], least=1)


def Input(shape: Any, name: str | None = None) -> InputLayer:  # noqa: N802, Keras's name
    """The shape of one example, as the first entry of a `Sequential`: ``Input((784,))``.

    Raises:
        ValueError: if the shape does not have exactly one dimension, of at least 1.
        TypeError: if it is no shape.
    """
    return InputLayer(shape, name)


class InputLayer:
    """What `Input` returns: a number of features and no computation."""

    def __init__(self, shape: Any, name: str | None = None) -> None:
        self.features = _features_of("shape", shape)
        self.name = name

    @property
    def shape(self) -> tuple[None, int]:
        return (None, self.features)

    def __repr__(self) -> str:
        return f"Input(({self.features},))"


class Dense:
    """A densely connected layer: output = activation(input . kernel + bias).

    Args:
        units: the number of outputs.
        activation: ``"relu"``, ``"softmax"``, ``"linear"`` or None, which is linear.
        use_bias: whether to add a bias.
        kernel_initializer: how the kernel, (inputs, units), begins.
        bias_initializer: how the bias, (units,), begins.
        name: by default ``dense``, ``dense_1`` and so on, given by the model.
        input_shape: the shape of one example, as in ``(784,)``, instead of an `Input` before the first layer.
        input_dim: the same as a number.

    Raises:
        ValueError: if `units` or a shape is not positive, or a name is unknown.
        TypeError: if an argument is of another type.

    Example:
        >>> Dense(512, activation="relu")
        Dense(512, activation='relu')
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        name: str | None = None,
        *,
        input_shape: Any = None,
        input_dim: int | None = None,
    ) -> None:
        self.units = checks.integer("units", units, least=1)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.name = name or ""
        if input_shape is not None and input_dim is not None:
            raise ValueError("give input_shape or input_dim, not both")
        self.inputs: int | None = None  # known once the layer is built or was told
        if input_shape is not None:
            self.inputs = _features_of("input_shape", input_shape)
        elif input_dim is not None:
            self.inputs = _features_of("input_dim", input_dim)
        self.skip_zeros = False  # set by the model, for a first layer whose inputs are mostly zeros
        self.built = False

    def build(self, inputs: int) -> None:
        """Makes kernel and bias for `inputs` features; does nothing if they are there.

        Raises:
            ValueError: if the layer expects another number of features.
            MemoryError: if the kernel does not fit in memory.
        """
        if self.inputs not in (None, inputs):
            raise ValueError(f"layer {self.name!r} expects {self.inputs} features, but is given {inputs}")
        if self.built:
            return
        kernel = Variable(self.kernel_initializer((inputs, self.units)), f"{self.name}/kernel")
        bias = self.bias_initializer((self.units,)) if self.use_bias else np.zeros(self.units, np.float32)
        self.kernel, self.bias = kernel, Variable(bias, f"{self.name}/bias")
        self.inputs = inputs
        # A row of the workspace has an odd number of cache lines: rows a power of two apart would share a few cache
        # sets, which costs the gradient's product a quarter of its speed.
        panels = kernels.padded(self.units) // kernels.PANEL
        self._row = (panels | 1) * kernels.PANEL
        self._outputs = self._gradients = np.zeros((0, self._row), np.float32)
        self._nonzero = NonzeroLists(inputs)
        self.built = True

    @property
    def weights(self) -> list[Variable]:
        """The trainable arrays: kernel and, if there is one, bias; empty before `build`."""
        if not self.built:
            return []
        return [self.kernel, self.bias] if self.use_bias else [self.kernel]

    def count_params(self) -> int:
        """The number of weights."""
        return sum(variable.size for variable in self.weights)

    def get_weights(self) -> list[Floats]:
        """Copies of the weights: kernel (inputs, units) and bias (units,)."""
        return [variable.numpy() for variable in self.weights]

    def forward(self, x: Floats, logits: bool = False) -> Floats:
        """The layer's output for a batch, in a workspace that the next call writes again.

        Args:
            x: (B, ldx) float32 of which the first `inputs` columns count; (B, inputs) with `skip_zeros`.
            logits: leave out the activation, for a loss that contains it.

        Returns:
            (B, ld) float32, of which the first `units` columns count.
        """
        if len(x) > len(self._outputs):
            self._outputs = np.zeros((len(x), self._row), np.float32)
        y = self._outputs[: len(x)]
        epilogue = kernels.LINEAR if logits else self.activation.epilogue
        lists = self._nonzero.of_columns(x) if self.skip_zeros else ()
        kernels.gemm_bias_act(x, self.kernel.packed, self.bias.packed, epilogue, y, *lists)
        if not logits:
            self.activation.forward(y, self.units)
        return y

    def gradient_workspace(self, batch: int) -> Floats:
        """Where the layer after this one puts the gradient by this one's output: laid out as the output is."""
        if batch > len(self._gradients):
            self._gradients = np.zeros((batch, self._row), np.float32)
        return self._gradients[:batch]

    def backward(
        self, x: Floats, y: Floats, dy: Floats, dx: Floats | None, optimizer: Optimizer, logits: bool = False
    ) -> None:
        """Hands the gradient on to the layer before, and the promise of its own to the optimizer.

        The kernel's gradient is x^T . dz. It is not computed here: the optimizer gets the two factors, and one that
        can will multiply and update in a single kernel, so that the gradient is never written.

        Args:
            x, y: the batch's input and output in `forward`.
            dy: the loss's gradient by y, as y is laid out; becomes the gradient by the pre-activation.
            dx: where the gradient by x goes, (B, inputs rounded up to panels or more); None if nobody needs it.
            optimizer: updates kernel and bias.
            logits: dy is the gradient by the pre-activation already.
        """
        if not logits:
            self.activation.backward(y, dy, self.units)
        if dx is not None:
            kernels.gemm_nt(dy, self.kernel.packed, dx)
        lists = self._nonzero.of_rows(x) if self.skip_zeros else ()
        optimizer.apply_product(x, dy, self.kernel, self.bias, lists)
        if not self.use_bias:
            self.bias.packed.fill(0)

    def __repr__(self) -> str:
        parts = [str(self.units)]
        if self.activation.name != "linear":
            parts.append(f"activation={self.activation.name!r}")
        if not self.use_bias:
            parts.append("use_bias=False")
        return f"Dense({', '.join(parts)})"
