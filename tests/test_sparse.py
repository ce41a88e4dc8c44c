"""Skipping the zeros of the input: when it is done, and that nobody sees it but in time."""

import numpy as np
import pytest

from fastnet import Sequential, models, sparsity
from fastnet.layers import Dense, Input
from fastnet.sparsity import is_sparse
from fastnet.utils import set_random_seed


def images(n: int, density: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.random((n, 300)) * (rng.random((n, 300)) < density)).astype(np.float32)


@pytest.mark.parametrize(
    ("n", "density", "units", "expected"),
    [(999, 0.2, 512, True), (999, 0.9, 512, False), (1, 0.2, 512, True), (999, 0.2, 10, False), (0, 0.2, 512, False)],
)  # fmt: skip
def test_sparse_is_what_is_mostly_zeros_and_worth_it(n: int, density: float, units: int, expected: bool) -> None:
    assert is_sparse(images(n, density), units) == expected


@pytest.mark.parametrize("batch_size", [1, 2, 50, 64])
def test_a_whole_training_has_the_same_bits_sparse_and_dense(batch_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = images(151, 0.2), np.eye(4)[np.arange(151) % 4]
    outcomes = []
    for skip in (True, False):
        monkeypatch.setattr(models, "is_sparse", lambda x, units, skip=skip: skip)
        set_random_seed(1)
        model = Sequential([Input((300,)), Dense(100, activation="relu"), Dense(4, activation="softmax")])
        model.compile("rmsprop", "categorical_crossentropy", ["accuracy"])
        history = model.fit(x, y, batch_size=batch_size, epochs=2, verbose=0).history
        assert model.layers[0].skip_zeros == skip
        weights = b"".join(w.tobytes() for w in model.get_weights())
        outcomes.append((history, weights, model.predict(x, verbose=0).tobytes(), model.evaluate(x, y, verbose=0)))
    assert outcomes[0] == outcomes[1]


def test_each_data_set_is_judged_for_itself() -> None:
    model = Sequential([Input((300,)), Dense(100)])
    for density, expected in ((0.2, True), (1.0, False), (0.1, True)):
        model.predict(images(9, density), verbose=0)
        assert model.layers[0].skip_zeros == expected


def test_the_sample_covers_the_whole_set() -> None:
    x = images(10 * sparsity._SAMPLE, 0.05)
    x[len(x) // 2 :] = 1
    assert not is_sparse(x, 512)
