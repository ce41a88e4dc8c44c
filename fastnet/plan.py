"""Plan: how a stack of layers is computed with as few passes over memory as possible.

What one kernel can do in passing is not done by its neighbours: the activation before a loss that contains it, an
activation's derivative in the product that comes before it on the way back, the zeros of a first layer's input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastnet import kernels, losses
from fastnet.batches import Rows, as_floats
from fastnet.checks import Floats
from fastnet.layers import Dense, Layer
from fastnet.sparse import Csr, CsrBatch, is_sparse

_BLOCK = 1024  # rows that are predicted at once: enough to keep the kernels busy, little memory


class Plan:
    """For layers that are built.

    Attributes:
        first: the first layer that computes; those before it only pass on what is not zero, times one factor.
        trains_below: for each layer, whether any before it is trained.
        regularized: the variables for which something is added to the loss.
    """

    def __init__(self, layers: list[Layer]) -> None:
        self._layers = layers
        self.first = 0
        self._scale = 1.0
        scalings = 0
        for layer in layers:
            if not layer.keeps_zeros:
                break
            self.first += 1
            self._scale *= layer.scale
            scalings += layer.scale != 1.0
        rest = layers[self.first :]
        self._may_skip = bool(rest) and isinstance(rest[0], Dense) and scalings <= 1
        self._trained = [layer.trainable for layer in layers]
        trains = [bool(layer.trainable_weights) for layer in layers]
        self.trains_below = [any(trains[:i]) for i in range(len(trains))]
        self.regularized = [v for layer in layers for v in layer.weights if v.regularizer is not None]
        dense = {i: layer for i, layer in enumerate(layers) if isinstance(layer, Dense)}
        passed_on = {
            i: layer.activation.epilogue
            for i, layer in dense.items()
            if i + 1 in dense and layer.activation.epilogue != kernels.LINEAR
        }
        self._fused = [(layer, i in passed_on, passed_on.get(i - 1, kernels.LINEAR)) for i, layer in dense.items()]

    def is_stale(self) -> bool:
        """Whether a layer was frozen or set free since."""
        return self._trained != [layer.trainable for layer in self._layers]

    def fuse(self, loss: losses.Loss | None) -> bool:
        """Before a computation: tells the layers, which other models may have too, what is done in one pass.

        Returns:
            Whether the loss, if there is one, contains the last activation.
        """
        for layer, hands_on_dz, before in self._fused:
            layer.hands_on_dz, layer.activation_before, layer.omit_activation = hands_on_dz, before, False
        last = self._layers[-1]
        if not isinstance(last, Dense):
            return False
        last.omit_activation = loss is not None and loss.takes_logits(last.activation)
        return last.omit_activation

    def penalty(self) -> float:
        """What the regularizers add to the loss."""
        return sum(v.regularizer(v.numpy()) for v in self.regularized if v.regularizer is not None)

    def skips_zeros(self, x: Rows | Csr, sparse: Any) -> bool:
        """Whether the first Dense layer should multiply only what is not zero in x."""
        if isinstance(x, Csr):
            return True
        if sparse is False or not self._may_skip or not len(x):
            return False
        layer = self._layers[self.first]
        assert isinstance(layer, Dense)
        return sparse is True or is_sparse(x, layer.units)

    def front(self, x: Rows | Csr, sparse: Any) -> tuple[Rows | Csr, int]:
        """The examples as the training loop takes them, and the first layer that it computes."""
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
