"""Plan: how a stack of layers is computed with as few passes over memory as possible.

What one kernel can do in passing is not done by its neighbours: the activation before a loss that contains it, an
activation's derivative in the product that comes before it on the way back, the zeros of a first layer's input.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastnet import kernels, losses
from fastnet.arrays import variables
from fastnet.arrays.sparse import Csr, CsrBatch, is_sparse
from fastnet.checks import Floats, ShapeError
from fastnet.layers import Dense, Layer
from fastnet.layers.base import ALONE, Fused
from fastnet.training.batches import Rows, as_floats

_BLOCK = 1024  # rows that are predicted at once: enough to keep the kernels busy, little memory


class Plan:
    """How a model's layers are computed; for layers that are built, until one of them changes.

    Attributes:
        first: the first layer that computes; those before it only multiply by a constant, or change the shape.
        trains_below: for each layer, whether any before it is trained.
        regularized: the variables for which something is added to the loss.
        state: the variables that a forward pass in training changes, such as moving averages.
    """

    def __init__(self, layers: list[Layer]) -> None:
        self._layers = layers
        self._version = variables.version
        self.first = 0
        self._scale = 1.0
        scalings = 0
        for layer in layers:
            if not layer._keeps_zeros:
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
        self._fused = [ALONE] * len(layers)
        for i, (layer, after) in enumerate(itertools.pairwise(layers)):
            if not (_is_dense(layer) and _is_dense(after)):
                continue
            epilogue = layer.activation.epilogue  # type: ignore[attr-defined]
            if epilogue != kernels.LINEAR:
                self._fused[i] = self._fused[i]._replace(dz_given=True)
                self._fused[i + 1] = Fused(activation_before=epilogue)
        self._loss: losses.Loss | None = None
        self._for_loss: tuple[list[tuple[Layer, Fused]], bool] = [], False

    def is_stale(self) -> bool:
        """Whether a layer or a variable of any model was changed since, by freezing it for example."""
        return self._version != variables.version

    def fused(self, loss: losses.Loss) -> tuple[list[tuple[Layer, Fused]], bool]:
        """The layers, each with what its neighbours do of its work; whether the loss has the last activation."""
        if self._loss is not loss:
            last = self._layers[-1]
            logits = _is_dense(last) and loss.takes_logits(last.activation)  # type: ignore[attr-defined]
            fused = [*self._fused[:-1], self._fused[-1]._replace(omit_activation=logits)]
            self._for_loss = list(zip(self._layers, fused, strict=True)), logits
            self._loss = loss
        return self._for_loss

    def penalty(self) -> float:
        """What the regularizers add to the loss."""
        return sum(v.regularizer.checked_penalty(v.numpy(), v.name) for v in self.regularized if v.regularizer)

    def skips_zeros(self, x: Rows | Csr, sparse: Any) -> bool:
        """Whether the first Dense layer should multiply only what is not zero in x."""
        if isinstance(x, Csr):
            return True
        if sparse is False or not self._may_skip or not len(x):
            return False
        layer = self._layers[self.first]
        assert isinstance(layer, Dense)
        return sparse is True or is_sparse(x, layer.units)

    def check_width(self, x: Rows | Csr) -> None:
        """Refuses examples that the layers would read past: the last look, at the moment of use.

        Raises:
            ValueError: if they are not as wide as the first layer's input.
        """
        width = math.prod(self._layers[0].input_shape or ())
        if x.shape[1] != width:
            raise ShapeError(f"x has {x.shape[1]} features; the model expects {width}")

    def front(self, x: Rows | Csr, sparse: Any) -> tuple[Rows | Csr, int]:
        """The examples as the training loop takes them, and the first layer that it computes."""
        self.check_width(x)
        if isinstance(x, Csr) or self.skips_zeros(x, sparse):
            rows = self.scaled(x)
            return (rows if isinstance(rows, Csr) else Csr.from_dense(rows, self._scale)), self.first
        return x, 0

    def scaled(self, x: Rows | Csr) -> Rows | Csr:
        """A sparse matrix as the first Dense layer wants it: what stands before that may only scale it."""
        if not isinstance(x, Csr):
            return x
        if not self._may_skip:
            raise ValueError("a SciPy sparse matrix can only be given to a model that begins with a Dense layer")
        return x if self._scale == 1 else x.scaled(self._scale)

    def parts(self, x: Rows | Csr, sparse: Any) -> Iterator[tuple[Floats | CsrBatch, int]]:
        """The examples in blocks, each as the layers take it, and the first layer to compute."""
        self.check_width(x)
        rows, skip = self.scaled(x), self.skips_zeros(x, sparse)
        for start in range(0, len(rows), _BLOCK):
            stop = min(len(rows), start + _BLOCK)
            if isinstance(rows, Csr):
                yield CsrBatch(rows, np.arange(start, stop)), self.first
            elif skip:
                csr = Csr.from_dense(rows[start:stop], self._scale)
                yield CsrBatch(csr, np.arange(stop - start)), self.first
            else:
                yield as_floats(rows[start:stop]), 0


def _is_dense(layer: Layer) -> bool:
    """Whether a layer is computed as Dense is; a subclass with its own `call` is not."""
    return isinstance(layer, Dense) and type(layer).forward is Dense.forward
