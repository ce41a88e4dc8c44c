"""Layers that add noise in training: GaussianNoise and AlphaDropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet import checks, rng
from fastnet.activations import SELU_ALPHA, SELU_SCALE
from fastnet.arrays import part
from fastnet.checks import Floats
from fastnet.layers.base import LAYER_ARGUMENTS, Layer, Shape
from fastnet.layers.noise_shape import check_fits, noise_shape_argument, shape_of_choices


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

    def _normal(self, shape: Shape) -> Floats:
        """Draws normally distributed numbers, with mean 0 and variance 1, for a batch of this shape."""
        return part.own(self._generator.standard_normal(part.whole(shape), np.float32))

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
        return x + np.float32(self.stddev) * self._normal(x.shape)

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        return dy

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"stddev": self.stddev}

    def __repr__(self) -> str:
        return f"GaussianNoise({self.stddev:g})"


class GaussianDropout(RandomLayer):
    """Multiplies each number in training by a normally distributed one with mean 1 and variance rate / (1 - rate).

    Mean and variance of the factors are those of `Dropout` with the same rate.

    Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014, section 10.

    Args:
        rate: in [0, 1).
        seed: an integer gives the layer its own random numbers; by default they follow `utils.set_random_seed`.
        name, trainable, input_shape, input_dim: as for `Layer`.

    Raises:
        ValueError, TypeError: if an argument is invalid.

    Example:
        >>> GaussianDropout(0.5)(np.ones((1, 3)))
        array([[1., 1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = checks.number("rate", rate, least=0, below=1)
        self._factors: Any = None  # of the last batch; None for ones

    def call(self, x: Floats, training: bool = False) -> Floats:
        self._factors = None
        if not training or not self.rate:
            return x
        stddev = np.float32((self.rate / (1 - self.rate)) ** 0.5)
        self._factors = np.float32(1) + stddev * self._normal(x.shape)
        return x * self._factors

    def gradient(self, x: Floats, y: Floats, dy: Floats) -> Floats:
        return dy if self._factors is None else dy * self._factors

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_factors": None}

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rate": self.rate}

    def __repr__(self) -> str:
        return f"GaussianDropout({self.rate:g})"


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
        self.noise_shape = noise_shape_argument(noise_shape)
        limit = -SELU_ALPHA * SELU_SCALE
        self._factor = ((1 - self.rate) * (1 + self.rate * limit**2)) ** -0.5
        self._replacement = self._factor * limit * (1 - self.rate)  # s a + t
        self._offset = -self._factor * limit * self.rate
        self._kept: Any = None  # which numbers of the last batch were kept; None for all

    def build(self, input_shape: Shape) -> None:
        check_fits(self, self.noise_shape, input_shape)

    def call(self, x: Floats, training: bool = False) -> Floats:
        self._kept = None
        if not training or not self.rate:
            return x
        batch = part.whole(x.shape)
        numbers = self._generator.random(shape_of_choices(self, self.noise_shape, batch), np.float32)
        self._kept = part.own(np.broadcast_to(numbers >= np.float32(self.rate), batch))
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
