"""Layers that add noise in training: GaussianNoise and AlphaDropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks, rng
from fastnet.activations import SELU_ALPHA, SELU_SCALE
from fastnet.checks import Floats
from fastnet.layers.base import LAYER_ARGUMENTS, Layer, Shape


class RandomLayer(Layer):
    """Base class of the layers here, with their random numbers.

    Args:
        seed: an integer gives the layer its own random numbers; by default they follow `utils.set_random_seed`.
    """

    def __init__(self, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**checks.keywords(type(self).__name__, kwargs, LAYER_ARGUMENTS))
        self.seed = None if seed is None else checks.integer("seed", seed, least=0)
        self._own = None if self.seed is None else np.random.default_rng(self.seed)

    @property
    def _generator(self) -> np.random.Generator:
        return self._own or rng.generator()

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"seed": self.seed}


class GaussianNoise(RandomLayer):
    """Adds normally distributed noise with mean 0 to each number in training.

    Source: C. Bishop, "Training with noise is equivalent to Tikhonov regularization", 1995.

    Args:
        stddev: the standard deviation of the noise, at least 0.
        seed: an integer gives the layer its own random numbers; by default they follow `utils.set_random_seed`.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid.

    Example:
        >>> GaussianNoise(0.1)(np.ones((1, 3)))
        array([[1., 1., 1.]], dtype=float32)
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.stddev = checks.number("stddev", stddev, least=0)

    def call(self, x: Floats, training: bool = False) -> Floats:
        if not training or not self.stddev:
            return x
        return x + np.float32(self.stddev) * self._generator.standard_normal(x.shape, np.float32)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        return dy

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"stddev": self.stddev}

    def __repr__(self) -> str:
        return f"GaussianNoise({self.stddev:g})"


class AlphaDropout(RandomLayer):
    """Replaces randomly chosen numbers in training such that mean and variance stay the same.

    The replacement is a = -1.758, the limit of selu at minus infinity. With rate p, and k = 1 where a number is kept,
    else 0: y = s (k x + (1 - k) a) + t, where s = ((1 - p) (1 + p a^2))^(-1/2) and t = -s p a.

    Source: G. Klambauer et al., "Self-normalizing neural networks", 2017, section "New dropout technique".

    Args:
        rate: the probability that a number is replaced, in [0, 1).
        noise_shape: the shape of the random choice; by default each number is chosen independently. An entry of 1
            makes the choice the same along that axis, and None takes the batch's own size.
        seed: an integer gives the layer its own random numbers; by default they follow `utils.set_random_seed`.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid; when the layer is built, if `noise_shape` does not fit.

    Example:
        >>> AlphaDropout(0.5)(np.ones((1, 3)))
        array([[1., 1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = checks.number("rate", rate, least=0, below=1)
        self.noise_shape: tuple[int | None, ...] | None = None
        if noise_shape is not None:
            if not isinstance(noise_shape, list | tuple):
                raise TypeError(f"noise_shape must be a batch's shape such as (None, 1, 8), got {noise_shape!r}")
            self.noise_shape = tuple(
                None if n is None else checks.integer("noise_shape", n, least=1) for n in noise_shape
            )
        limit = -SELU_ALPHA * SELU_SCALE
        self._factor = ((1 - self.rate) * (1 + self.rate * limit**2)) ** -0.5
        self._replacement = self._factor * limit * (1 - self.rate)  # s a + t
        self._offset = -self._factor * limit * self.rate
        self._kept: Any = None  # which numbers of the last batch were kept; None for all

    def build(self, input_shape: Shape) -> None:
        shape = self.noise_shape
        if shape is not None and (
            len(shape) != 1 + len(input_shape)
            or any(n not in (None, 1, m) for n, m in zip(shape[1:], input_shape, strict=True))
        ):
            raise ValueError(
                f"layer {self.name!r}: noise_shape is {shape}, which does not fit batches of shape "
                f"{(None, *input_shape)}"
            )

    def call(self, x: Floats, training: bool = False) -> Floats:
        self._kept = None
        if not training or not self.rate:
            return x
        shape = [m if n is None else n for n, m in zip(self.noise_shape or x.shape, x.shape, strict=True)]
        if shape[0] not in (1, len(x)):
            raise ValueError(f"layer {self.name!r}: noise_shape is {self.noise_shape}, but a batch has {len(x)} rows")
        self._kept = self._generator.random(shape, np.float32) >= np.float32(self.rate)
        y = np.float32(self._factor) * x + np.float32(self._offset)
        return np.where(self._kept, y, np.float32(self._replacement))

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        return dy if self._kept is None else np.where(self._kept, np.float32(self._factor) * dy, np.float32(0))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_kept": None}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"rate": self.rate}
        return config if self.noise_shape is None else config | {"noise_shape": list(self.noise_shape)}

    def __repr__(self) -> str:
        shape = "" if self.noise_shape is None else f", noise_shape={self.noise_shape}"
        return f"AlphaDropout({self.rate:g}{shape})"
