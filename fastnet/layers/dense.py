"""Dense, the fully connected layer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import activations, checks, constraints, initializers, kernels, regularizers
from fastnet.arrays import variables
from fastnet.arrays.sparse import CscWorkspace, CsrBatch
from fastnet.arrays.variables import Variable
from fastnet.arrays.workspace import Workspace
from fastnet.checks import Floats
from fastnet.layers.base import ALONE, LAYER_ARGUMENTS, Fused, Layer, Shape

if TYPE_CHECKING:
    from fastnet.optimizers import Sink


class Dense(Layer):
    """Fully connected layer: output = activation(input . kernel + bias).

    Examples are rows, (K,). Of examples with more axes, (..., K), each row along the last axis is computed by itself.

    Args:
        units: the number of outputs.
        activation: a name such as ``"relu"``, a function of `fastnet.activations`, or None for linear.
        use_bias: whether to add a bias.
        kernel_initializer: makes the initial kernel, (inputs, units).
        bias_initializer: makes the initial bias, (units,).
        kernel_regularizer: adds a penalty for the kernel to the loss.
        bias_regularizer: adds a penalty for the bias to the loss.
        activity_regularizer: adds a penalty for the output to the loss.
        kernel_constraint: projects the kernel onto the allowed set after each step.
        bias_constraint: projects the bias onto the allowed set after each step.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError: if `units` or a shape is not positive, or a name is unknown.
        TypeError: if an argument is of another type.

    Example:
        >>> Dense(512, activation="relu")
        Dense(512, activation='relu')
    """

    _fixed = Layer._fixed | {"units", "use_bias", "kernel", "bias", "_bias"}
    _rows_each = 1  # rows in an example
    _is_split = False  # whether there are several, so that NumPy splits a batch into them
    bias: Variable | None

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        kwargs = checks.keywords("Dense", kwargs, LAYER_ARGUMENTS)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = checks.integer("units", units, least=1)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")
        self.kernel_constraint = constraints.get(kernel_constraint, "kernel_constraint")
        self.bias_constraint = constraints.get(bias_constraint, "bias_constraint")

    def build(self, input_shape: Shape) -> None:
        if not input_shape:
            raise checks.ShapeError(f"layer {self.name!r} is given examples that are numbers; Dense expects rows")
        inputs = input_shape[-1]
        self._rows_each = math.prod(input_shape[:-1])
        self._is_split = self._rows_each > 1
        self.kernel = self._add("kernel", (inputs, self.units))
        self.bias = self._add("bias", (self.units,)) if self.use_bias else None
        if self.bias is not None:
            self._bias = self.bias
        else:
            self._bias = Variable(np.zeros(self.units, np.float32), f"{self.name}/bias")
            self._bias.frozen_at_zero = True
        self._csc = CscWorkspace(inputs)
        self._row = np.empty(3 + inputs, np.intp)  # for the nonzeros of one example
        self._outputs, self._sums, self._gradients = Workspace(self.units), Workspace(self.units), Workspace(self.units)
        self._inputs_gradient = Workspace(inputs)

    def _add(self, name: str, shape: Shape) -> Variable:
        initializer, regularizer, constraint = (
            getattr(self, f"{name}_{kind}") for kind in ("initializer", "regularizer", "constraint")
        )
        return self.add_weight(shape, initializer, name=name, regularizer=regularizer, constraint=constraint)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    @property
    def takes_rows(self) -> bool:
        """Whether an example is one row, so that kernels alone compute the layer."""
        return not self._is_split

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "activation":
            value = activations.get(value)
            if value.halves:
                layer = f"Activation({value.name!r})"
                raise ValueError(
                    f"{value.name} halves the number of units, so it must be a layer: put {layer} after this one"
                )
            variables.touch()
        super().__setattr__(name, value)

    def call(self, x: Floats, training: bool = False) -> Floats:
        return self._by_rows(Dense.forward, x, training)

    def forward(self, x: Floats | CsrBatch, training: bool = False, fused: Fused = ALONE) -> Floats:
        """Computes the output of a batch, in a workspace that the next call overwrites.

        Args:
            x: (B, ldx) float32, of which the first K columns are used, or rows of a sparse matrix.
            training: whether `backward` follows.
            fused: the parts of this layer's work that its neighbours do.

        Returns:
            (B, ld) float32, of which the first `units` columns are the output. If an example has several rows:
            (B, rows * units).
        """
        if self._is_split:
            x = self._split(x, self.kernel.shape[0])
        y = self._outputs.rows(len(x))
        epilogue = kernels.LINEAR if fused.omit_activation else self.activation.epilogue
        w, bias = self.kernel.packed, self._bias.packed
        if isinstance(x, CsrBatch):
            kernels.csrmm_bias_act(*x.arrays, w, bias, epilogue, y, self._csc.order(len(x)))
        elif len(x) == 1:
            kernels.gemv_bias_act(x, w, bias, epilogue, y, self._row)
        else:
            kernels.gemm_bias_act(x, w, bias, epilogue, y)
        if epilogue == kernels.LINEAR and not fused.omit_activation:
            if self.activation.of_sums:
                kernels.copy(y, self._sums.rows(len(x)), self.units)
            self.activation.forward(y, self.units)
        return self._joined(y, self.units) if self._is_split else y

    def backward(
        self, x: Floats | CsrBatch, y: Floats, dy: Floats, sink: Sink, need_dx: bool, fused: Fused = ALONE
    ) -> Floats | None:
        """Computes the gradient with respect to x, and gives `sink` the two factors of the kernel's gradient.

        The kernel's gradient is x^T . dz. This method does not multiply them. An optimizer may multiply and update in
        one kernel, so that the gradient is never written to memory.

        Args:
            x: the input of `forward`.
            y: the output of `forward`.
            dy: the gradient of the loss with respect to y, or with respect to z = x . kernel + bias if `fused` says
                so. It may be overwritten.
            sink: takes the gradients of kernel and bias.
            need_dx: whether the gradient with respect to x is needed.
            fused: the parts of this layer's work that its neighbours do.
        """
        if self._is_split:
            x, dy = self._split(x, self.kernel.shape[0]), self._split(dy, self.units)
            y = self._outputs.rows(len(x))  # the same numbers, in rows as wide as the kernel needs them
        if dy.shape[1] < self._gradients.width:  # dy comes from a layer whose rows have no padding
            dz = self._gradients.rows(len(dy))
            kernels.copy(dy, dz, self.units)
        else:
            dz = dy
        if not (fused.omit_activation or fused.dz_given):
            self.activation.backward(self._sums.rows(len(x)) if self.activation.of_sums else y, dz, self.units)
        dx = None
        if need_dx:
            assert not isinstance(x, CsrBatch)
            dx = self._inputs_gradient.rows(len(dz))
            before = fused.activation_before
            kernels.gemm_nt(dz, self.kernel.packed, self.units, dx, before, x if before else dx)
        if self.trainable:
            sink.apply_product(self._csc.transpose(x) if isinstance(x, CsrBatch) else x, dz, self.kernel, self._bias)
        return self._joined(dx, self.kernel.shape[0]) if self._is_split and dx is not None else dx

    def _split(self, examples: Floats | CsrBatch, columns: int) -> Floats:
        """Returns the rows of all examples, one below the other: (B, rows * columns) becomes (B * rows, columns)."""
        assert not isinstance(examples, CsrBatch)
        return np.ascontiguousarray(examples[:, : self._rows_each * columns]).reshape(-1, columns)

    def _joined(self, rows: Floats, columns: int) -> Floats:
        """Undoes `_split`."""
        return np.ascontiguousarray(rows[:, :columns]).reshape(-1, self._rows_each * columns)

    @property
    def _is_taped(self) -> bool:
        return self.takes_rows and (self.activation.epilogue != kernels.LINEAR or self.activation._is_taped)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"units": self.units, "activation": activations.serialize(self.activation)}
        if not self.use_bias:
            config["use_bias"] = False
        for part in ("kernel", "bias"):
            for kind, module, default in (
                ("initializer", initializers, {"kernel": "GlorotUniform", "bias": "Zeros"}[part]),
                ("regularizer", regularizers, None),
                ("constraint", constraints, None),
            ):
                value = getattr(self, f"{part}_{kind}")
                serialized = module.serialize(value)
                if serialized not in (None, {"class_name": default, "config": {}}):
                    config[f"{part}_{kind}"] = serialized
        return config

    def __repr__(self) -> str:
        parts = [str(self.units)]
        if self.activation.name != "linear":
            parts.append(f"activation={activations.as_typed(self.activation)}")
        if not self.use_bias:
            parts.append("use_bias=False")
        return f"Dense({', '.join(parts)})"
