"""The random seed."""

import random
import threading
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


def test_a_thread_can_draw_from_a_generator_of_its_own() -> None:
    """The generator of the program stays as it is, and other threads go on to draw from it."""
    set_random_seed(1)
    expected = np.random.default_rng(1).random(2).tolist()
    drawn = [rng.generator().random()]
    with rng.drawing_from(np.random.default_rng(2)):
        assert rng.generator().random() == np.random.default_rng(2).random()
        with rng.drawing_from(np.random.default_rng(3)):
            assert rng.generator().random() == np.random.default_rng(3).random()
        other = threading.Thread(target=lambda: drawn.append(rng.generator().random()))
        other.start()
        other.join()
    assert drawn == expected
    assert rng.generator().random() == np.random.default_rng(1).random(3)[2]
