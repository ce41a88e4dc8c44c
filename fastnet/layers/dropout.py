"""Dropout: sets randomly chosen numbers to 0 in training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import checks, kernels, rng
from fastnet.arrays.workspace import Workspace
from fastnet.checks import Floats
from fastnet.layers.base import ALONE, LAYER_ARGUMENTS, Fused, Layer, Shape

if TYPE_CHECKING:
    from fastnet.optimizers import Sink


class Dropout(Layer):
    """Sets each number to 0 with probability `rate` in training, and multiplies the others by 1 / (1 - rate).

    Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.

    Args:
        rate: the probability that a number becomes 0, in [0, 1).
        noise_shape: must be None; each number is dropped independently.
        seed: an integer gives the layer its own random numbers; by default they follow `utils.set_random_seed`.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError: if `rate` is out of its range.
        TypeError: if it is not a number.

    Example:
        >>> Dropout(0.5)(np.ones((2, 3)))
        array([[1., 1., 1.],
               [1., 1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, noise_shape: None = None, seed: int | None = None, **kwargs: Any) -> None:
        if noise_shape is not None:
            raise ValueError(f"noise_shape is not supported; expected None, got {noise_shape!r}")
        super().__init__(**checks.keywords("Dropout", kwargs, LAYER_ARGUMENTS))
        self.rate = rate
        self.seed = None if seed is None else checks.integer("seed", seed, least=0)
        self._generator = None if self.seed is None else np.random.default_rng(self.seed)
        self._mask_seed = np.zeros(1, np.uint64)  # makes the same mask in `backward` as in `forward`
        self._drops = False

    @property
    def rate(self) -> float:
        """The probability that a number becomes 0. It may be set at any time."""
        return self._rate

    @rate.setter
    def rate(self, value: Any) -> None:
        self._rate = checks.number("rate", value, least=0, below=1)

    def build(self, input_shape: Shape) -> None:
        self._columns = math.prod(input_shape)
        self._outputs, self._gradients = Workspace(self._columns), Workspace(self._columns)

    def call(self, x: Floats, training: bool = False) -> Floats:
        return self._by_rows(Dropout.forward, x, training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def forward(self, x: Floats, training: bool = False, fused: Fused = ALONE) -> Floats:
        self._drops = training and self._rate > 0
        if not self._drops:
            return x
        self._drop_rate = self._rate  # for `backward`, since a callback may change the rate
        self.draw_seed()
        y = self._outputs.rows(len(x))
        kernels.dropout(x, y, self._columns, self._rate, self._mask_seed)
        return y

    def draw_seed(self) -> None:
        """Draws the random number that makes the next mask."""
        self._mask_seed[0] = (self._generator or rng.generator()).integers(2**64, dtype=np.uint64)

    @property
    def _is_taped(self) -> bool:
        return True

    def backward(
        self, x: Floats, y: Floats, dy: Floats, sink: Sink, need_dx: bool, fused: Fused = ALONE
    ) -> Floats | None:
        if not (need_dx and self._drops):
            return dy if need_dx else None
        dx = self._gradients.rows(len(dy))
        kernels.dropout(dy, dx, self._columns, self._drop_rate, self._mask_seed)
        return dx

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rate": self.rate, "seed": self.seed}

    def __repr__(self) -> str:
        return f"Dropout({self.rate:g})"
