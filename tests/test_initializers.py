"""Initializers: their distribution, and their seeds."""

import numpy as np
import pytest

from fastnet import initializers
from fastnet.initializers import GlorotUniform, Zeros
from fastnet.utils import set_random_seed


def test_glorot_uniform_fills_its_interval() -> None:
    w = GlorotUniform()((300, 500))
    limit = np.sqrt(6 / 800)
    assert w.dtype == np.float32
    assert 0.99 * limit < w.max() <= limit
    assert -limit <= w.min() < -0.99 * limit
    assert abs(w.mean()) < 0.01 * limit


def test_a_seed_of_its_own_repeats_whatever_the_global_seed() -> None:
    first = GlorotUniform(seed=3)((4, 5))
    set_random_seed(9)
    np.testing.assert_array_equal(GlorotUniform(seed=3)((4, 5)), first)
    assert (GlorotUniform()((4, 5)) != GlorotUniform()((4, 5))).any()


def test_names_and_texts() -> None:
    assert isinstance(initializers.get("zeros"), Zeros)
    assert repr(initializers.get("glorot_uniform")) == "GlorotUniform()"
    assert repr(GlorotUniform(seed=1)) == "GlorotUniform(seed=1)"
    assert (Zeros()((2, 3)) == 0).all()
    with pytest.raises(TypeError, match="seed"):
        GlorotUniform(seed=1.5)  # type: ignore[arg-type]
