"""Dropout: sets randomly chosen numbers to 0 in training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import checks, kernels, rng
from fastnet.arrays import part
from fastnet.arrays.workspace import Workspace
from fastnet.checks import Floats
from fastnet.layers.base import ALONE, LAYER_ARGUMENTS, Fused, Layer, Shape
from fastnet.layers.noise_shape import check_fits, noise_shape_argument, shape_of_choices

if TYPE_CHECKING:
    from fastnet.optimizers import Sink


class Dropout(Layer):
    """Sets each number to 0 with probability `rate` in training, and multiplies the others by 1 / (1 - rate).

    Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.

    Args:
        rate: the probability that a number becomes 0, in [0, 1].
        noise_shape: the shape of the random choice; by default each number is dropped independently. An entry of 1
            makes the choice the same along that axis, and None takes the batch's own size.
        seed: an integer gives the layer its own random numbers; by default they follow `utils.set_random_seed`.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError: if `rate` is out of its range; when the layer is built, if `noise_shape` does not fit.
        TypeError: if an argument is of another type.

    Example:
        >>> Dropout(0.5)(np.ones((2, 3)))
        array([[1., 1., 1.],
               [1., 1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**checks.keywords("Dropout", kwargs, LAYER_ARGUMENTS))
        self.rate = rate
        self.noise_shape = noise_shape_argument(noise_shape)
        self.seed = None if seed is None else checks.integer("seed", seed, least=0)
        self._generator = None if self.seed is None else np.random.default_rng(self.seed)
        self._mask_seed = np.zeros(1, np.uint64)  # makes the same mask in `backward` as in `forward`
        self._drops = False
        self._kept: Any = None  # which numbers were kept, if the kernel does not choose them

    @property
    def rate(self) -> float:
        """The probability that a number becomes 0. It may be set at any time."""
        return self._rate

    @rate.setter
    def rate(self, value: Any) -> None:
        self._rate = checks.number("rate", value, least=0)
        if self._rate > 1:
            raise ValueError(f"rate must be a finite number in [0, 1], got {self._rate!r}")

    def build(self, input_shape: Shape) -> None:
        check_fits(self, self.noise_shape, input_shape)
        self._example = input_shape
        self._columns = math.prod(input_shape)
        self._outputs, self._gradients = Workspace(self._columns), Workspace(self._columns)

    def call(self, x: Floats, training: bool = False) -> Floats:
        return self._by_rows(Dropout.forward, x, training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def forward(self, x: Floats, training: bool = False, fused: Fused = ALONE) -> Floats:
        self._drops = training and self._rate > 0
        self._kept = None
        if not self._drops:
            return x
        self._drop_rate = self._rate  # for `backward`, since a callback may change the rate
        if not self._is_taped:
            self._kept = self._chosen(len(x))
            return self._drop(x, self._outputs.rows(len(x)))
        self.draw_seed()
        if (before := part.place() * self._columns) > 0:  # numbers of the batch that other processes have
            seed = int(self._mask_seed[0])
            first = (seed + before * 0x9E3779B9) % 2**32  # the kernel's hash of a place begins with this product
            self._mask_seed[0] = seed // 2**32 * 2**32 + first
        y = self._outputs.rows(len(x))
        kernels.dropout(x, y, self._columns, self._rate, self._mask_seed)
        return y

    def _chosen(self, examples: int) -> Any:
        """Returns which numbers of a batch are kept, (B, columns); `noise_shape` makes one choice for several."""
        batch = part.whole((examples, *self._example))
        shape = shape_of_choices(self, self.noise_shape, batch)
        kept = (self._generator or rng.generator()).random(shape) >= self._rate
        return part.own(np.broadcast_to(kept, batch)).reshape(examples, self._columns)

    def _drop(self, x: Floats, y: Floats) -> Floats:
        """Writes x / (1 - rate) to y where a number is kept, else 0."""
        scale = np.float32(1 / (1 - self._drop_rate) if self._drop_rate < 1 else 0)
        with np.errstate(all="ignore"):  # of numbers that are not kept
            y[:, : self._columns] = np.where(self._kept, x[:, : self._columns] * scale, np.float32(0))
        return y

    def draw_seed(self) -> None:
        """Draws the random number that makes the next mask."""
        self._mask_seed[0] = (self._generator or rng.generator()).integers(2**64, dtype=np.uint64)

    @property
    def _is_taped(self) -> bool:
        return self.noise_shape is None and self._rate < 1  # NumPy does the rest

    def backward(
        self, x: Floats, y: Floats, dy: Floats, sink: Sink, need_dx: bool, fused: Fused = ALONE
    ) -> Floats | None:
        if not (need_dx and self._drops):
            return dy if need_dx else None
        dx = self._gradients.rows(len(dy))
        if self._kept is not None:
            return self._drop(dy, dx)
        kernels.dropout(dy, dx, self._columns, self._drop_rate, self._mask_seed)
        return dx

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"rate": self.rate, "seed": self.seed}
        return config if self.noise_shape is None else config | {"noise_shape": list(self.noise_shape)}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_kept": None}

    def __repr__(self) -> str:
        shape = "" if self.noise_shape is None else f", noise_shape={self.noise_shape}"
        return f"Dropout({self.rate:g}{shape})"
