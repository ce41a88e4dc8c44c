"""Fusion: which kernels also do a part of the neighbouring layer's work. It is decided once for a model's layers.

Three things are fused. A loss that includes the last activation computes both together. A layer's product for the
gradient with respect to x also applies the derivative of the activation before. The first Dense layer skips zeros.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels, losses, recorded
from fastnet.arrays import variables
from fastnet.arrays.rows import Rows
from fastnet.arrays.sparse import Csr, is_sparse
from fastnet.checks import ShapeError
from fastnet.layers import Dense, Dropout, Layer
from fastnet.layers.base import ALONE, Fused
from fastnet.recorded import Recorded, is_ours, is_patched


class Fusion:
    """Decides how a model's built layers are computed. It is valid until one of them changes.

    Attributes:
        first: the index of the first layer that computes. Layers before it only multiply by a constant or reshape.
        trains_below: for each layer, whether any layer before it is trained.
        units: the number of the model's outputs.
        regularized: the variables with a penalty in the loss.
        state: the variables that a forward pass in training changes, such as moving averages.
        penalizes_outputs: whether any layer has an activity regularizer.
        outputs: a list to which a training step adds its input and the outputs of all layers; None if nobody asks.
    """

    outputs: list[Any] | None = None

    def __init__(self, layers: list[Layer]) -> None:
        self._layers = layers
        self._version = variables.version
        self.first = 0
        self.units = math.prod(layers[-1].output_shape or ()) if layers else 0
        self._scale = 1.0
        scalings = 0
        for layer in layers:
            if not layer._keeps_zeros or layer.activity_regularizer is not None:
                break
            self.first += 1
            self._scale *= layer._factor
            scalings += layer._factor != 1.0
        rest = layers[self.first :]
        self._may_skip = bool(rest) and _is_dense(rest[0]) and scalings <= 1
        trains = [bool(layer.trainable_weights) for layer in layers]
        self.trains_below = [any(trains[:i]) for i in range(len(trains))]
        all_variables = [v for layer in layers for v in layer.weights]
        self.regularized = [v for v in all_variables if v.regularizer is not None]
        self.state = [v for v in all_variables if not v.trainable]
        self.penalizes_outputs = any(layer.activity_regularizer is not None for layer in layers)
        self._fused = [ALONE] * len(layers)
        for i, (layer, after) in enumerate(itertools.pairwise(layers)):
            if not (_is_dense(layer) and _is_dense(after)) or layer.activity_regularizer is not None:
                continue
            epilogue = layer.activation.epilogue  # type: ignore[attr-defined]
            if epilogue != kernels.LINEAR:
                self._fused[i] = self._fused[i]._replace(dz_given=True)
                self._fused[i + 1] = Fused(activation_before=epilogue)
        self._taped: dict[tuple[int, bool], tuple[int, bool]] = {}  # by version: what `is_taped` has found
        self._loss: losses.Loss | None = None
        self._for_loss: tuple[list[tuple[Layer, Fused]], bool] = [], False

    def is_stale(self) -> bool:
        """Tells whether a layer or a variable of any model has changed since, for example by being frozen."""
        return self._version != variables.version

    def fused(self, loss: losses.Loss) -> tuple[list[tuple[Layer, Fused]], bool]:
        """Returns each layer with its `Fused`, and whether the loss includes the last activation."""
        if self._loss is not loss:
            last = self._layers[-1]
            is_plain = _is_dense(last) and last.activity_regularizer is None
            logits = is_plain and loss.takes_logits(last.activation)  # type: ignore[attr-defined]
            fused = [*self._fused[:-1], self._fused[-1]._replace(omit_activation=logits)]
            self._for_loss = list(zip(self._layers, fused, strict=True)), logits
            self._loss = loss
        return self._for_loss

    def add_penalty(self, total: NDArray[np.float64], examples: int = 1) -> None:
        """Adds what the regularizers add to the losses of some examples to total[0]."""
        for variable in self.regularized:
            if variable.regularizer is not None:
                variable.regularizer.add_penalty(variable, examples, total)

    def add_activity(self, first: int, outputs: list[Any], total: NDArray[np.float64]) -> None:
        """Adds what the activity regularizers add to the losses of some examples to total[0].

        Args:
            first: the index of the first layer that computes.
            outputs: the input of this layer, and the outputs of all layers from it on.
            total: the sum of the examples' losses and their number, (2,).
        """
        for layer, y in zip(self._layers[first:], outputs[1:], strict=True):
            total[0] += layer.activity_penalty(y)

    def is_taped(self, first: int, trains: bool) -> bool:
        """Tells whether the layers from index `first` on run kernels alone, so that a step can be recorded.

        Args:
            first: the index of the first layer that computes.
            trains: whether the step changes weights.
        """
        key = first, trains
        if self._taped.get(key, (-1,))[0] != recorded.version:
            self._taped[key] = recorded.version, self._consists_of_kernels(first, trains)
        return self._taped[key][1]

    def _consists_of_kernels(self, first: int, trains: bool) -> bool:
        if self.penalizes_outputs:
            return False
        for layer in self._layers[first:]:
            parts = [layer, *(part for part in vars(layer).values() if isinstance(part, Recorded))]
            if not (is_ours(type(layer)) and layer._is_taped) or any(map(is_patched, parts)):
                return False
        if not trains:
            return True
        return not self.state and all(
            (v.regularizer is None or v.regularizer._is_taped) and v.constraint is None
            for layer in self._layers
            for v in layer.weights
        )

    def random_layers(self, first: int) -> list[Dropout]:
        """Returns the layers that draw a random number in each training step, in the order in which they draw."""
        return [layer for layer in self._layers[first:] if isinstance(layer, Dropout) and layer.rate > 0]

    def skips_zeros(self, rows: Rows | Csr, sparse: Any) -> bool:
        """Decides whether the first Dense layer should multiply only the nonzeros of these rows."""
        if rows.is_sparse:
            return True
        if sparse is False or not self._may_skip or not len(rows):
            return False
        layer = self._layers[self.first]
        assert isinstance(layer, Dense)
        return sparse is True or is_sparse(rows.array, layer.units)  # type: ignore[union-attr]

    def front(self, rows: Rows | Csr, sparse: Any) -> tuple[Rows | Csr, int]:
        """Returns the rows in the form that the layers take, and the index of the first layer that computes.

        Raises:
            ValueError: if the rows and the model's input differ in width, or no Dense layer can take sparse rows.
        """
        width = math.prod(self._layers[0].input_shape or ())
        if rows.shape[1] != width:
            raise ShapeError(f"x has {rows.shape[1]} features; the model expects {width}")
        if not self.skips_zeros(rows, sparse):
            return rows, 0
        if not self._may_skip:
            raise ValueError("a SciPy sparse matrix can only be given to a model that begins with a Dense layer")
        nonzeros = rows.scaled(self._scale) if isinstance(rows, Csr) else Csr.from_dense(rows.array, self._scale)
        return nonzeros, self.first


def _is_dense(layer: Layer) -> bool:
    """Tells whether a layer computes rows with Dense's own methods; a subclass with its own `call` does not."""
    return isinstance(layer, Dense) and type(layer).forward is Dense.forward and layer.takes_rows
