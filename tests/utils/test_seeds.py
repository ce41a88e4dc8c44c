"""The random seed."""

import random
from typing import Any

import numpy as np
import pytest

from fastnet import rng
from fastnet.utils import set_random_seed


def test_the_seed_repeats_every_generator() -> None:
    def draw() -> tuple[float, float, float]:
        set_random_seed(np.int64(7))
        return random.random(), float(np.random.rand()), rng.generator().random()  # noqa: NPY002

    assert draw() == draw()


@pytest.mark.parametrize(
    ("seed", "error"), [(-1, ValueError), (2**32, ValueError), (1.5, TypeError), (None, TypeError)]
)
def test_bad_seeds(seed: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="seed"):
        set_random_seed(seed)
