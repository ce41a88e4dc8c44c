"""A part of a batch is computed as if the whole batch were there. These tests need no MPI."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastnet
from fastnet import layers, losses
from fastnet.arrays.part import Part, bounds, computing
from fastnet.distributed.agreement import difference
from fastnet.distributed.gradients import PartOfLoss, _split
from fastnet.distributed.group import _ended
from fastnet.utils import set_random_seed

ROWS, COLUMNS = 23, 40


def no_add(array: NDArray[Any]) -> None:
    raise AssertionError("nothing is to be exchanged")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("rows", [1, 2, 23, 128])
def test_the_parts_are_the_whole(rows: int, size: int) -> None:
    parts = [bounds(rows, rank, size) for rank in range(size)]
    assert [row for start, stop in parts for row in range(start, stop)] == list(range(rows))
    sizes = [stop - start for start, stop in parts]
    assert max(sizes) - min(sizes) <= 1
    assert parts[-1][1] > parts[-1][0]  # the last rank has rows
    for start, stop in parts:
        part = Part(start, stop, rows, no_add)
        assert part.computed.start < part.computed.stop <= rows
        assert part.share == (stop - start) / rows
        assert part.is_empty == (start == stop)


RANDOM = {
    "Dropout": lambda: layers.Dropout(0.4),
    "Dropout with a seed": lambda: layers.Dropout(0.4, seed=4),
    "Dropout of rows": lambda: layers.Dropout(0.4, noise_shape=(None, 1)),
    "Dropout of a whole batch": lambda: layers.Dropout(0.4, noise_shape=(ROWS, COLUMNS)),
    "Dropout of columns": lambda: layers.Dropout(0.4, noise_shape=(1, COLUMNS)),
    "GaussianNoise": lambda: layers.GaussianNoise(0.5),
    "GaussianDropout": lambda: layers.GaussianDropout(0.5),
    "AlphaDropout": lambda: layers.AlphaDropout(0.5),
    "AlphaDropout of rows": lambda: layers.AlphaDropout(0.5, noise_shape=(None, 1)),
}


@pytest.mark.parametrize("name", RANDOM)
def test_a_part_gets_the_random_numbers_of_its_rows(name: str) -> None:
    x = np.random.default_rng(0).standard_normal((ROWS, COLUMNS), dtype=np.float32)

    def output(part: Part | None) -> tuple[Any, int]:
        set_random_seed(1)
        layer = RANDOM[name]()
        layer.ensure_built((COLUMNS,))
        if part is None:
            y = layer.forward(x, True)
        else:
            with computing(part):
                y = layer.forward(np.ascontiguousarray(x[part.computed]), True)
        return y[:, :COLUMNS].copy(), fastnet.rng.seed_of_kernel()

    whole, then = output(None)
    for rank in range(3):
        part = Part(*bounds(ROWS, rank, 3), ROWS, no_add)
        mine, after = output(part)
        assert np.array_equal(mine, whole[part.computed])
        assert after == then  # all ranks go on with the same random numbers


def test_the_backward_pass_of_dropout_has_the_mask_of_the_part() -> None:
    layer = layers.Dropout(0.4)
    layer.ensure_built((COLUMNS,))
    ones = np.ones((5, COLUMNS), np.float32)
    with computing(Part(9, 14, ROWS, no_add)):
        y = layer.forward(ones, True)
    dx = layer.backward(ones, y, ones, None, True)  # type: ignore[arg-type]
    assert np.array_equal(dx, y)


class Ranks:
    """Some ranks as threads, whose `add` adds up."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._barrier = threading.Barrier(size)
        self._arrays: dict[int, NDArray[Any]] = {}

    def add(self, rank: int, array: NDArray[Any]) -> None:
        self._arrays[rank] = array.copy()
        self._barrier.wait(10)
        total = sum(self._arrays[other] for other in range(self.size))
        self._barrier.wait(10)
        array[...] = total

    def run(self, task: Any) -> list[Any]:
        found: dict[int, Any] = {}
        threads = [
            threading.Thread(target=lambda rank=rank: found.update({rank: task(rank)})) for rank in range(self.size)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        return [found[rank] for rank in range(self.size)]


@pytest.mark.parametrize("rows", [2, 23])
@pytest.mark.parametrize("options", [{}, {"renorm": True}])
def test_batch_normalization_looks_at_the_whole_batch(rows: int, options: dict[str, Any]) -> None:
    """On three ranks, one of which has no rows of the small batch."""
    x = np.random.default_rng(0).standard_normal((rows, 5), dtype=np.float32) * 3 + 7
    dy = np.random.default_rng(1).standard_normal((rows, 5), dtype=np.float32)

    def layer() -> Any:
        made = layers.BatchNormalization(**options)
        made.ensure_built((5,))
        return made

    whole = layer()
    y = whole.call(x, training=True)
    dx, _ = whole.gradient(x, y, dy)
    ranks = Ranks(3)

    def task(rank: int) -> Any:
        part = Part(*bounds(rows, rank, 3), rows, lambda array: ranks.add(rank, array))
        own, mine = part.computed, layer()
        with computing(part):
            output = mine.call(x[own], training=True)
            gradient, _ = mine.gradient(x[own], output, dy[own] * (0 if part.is_empty else 1))
        return part, output, gradient, mine.get_weights()

    for part, output, gradient, weights in ranks.run(task):
        assert np.allclose(output, y[part.computed], rtol=1e-5, atol=1e-6)
        if not part.is_empty:
            assert np.allclose(gradient, dx[part.computed], rtol=1e-5, atol=1e-6)
        for mine, theirs in zip(weights, whole.get_weights(), strict=True):
            assert np.allclose(mine, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("rows", [2, 23])
@pytest.mark.parametrize("name", ["CategoricalCrossentropy", "MeanSquaredError", "Dice", "Huber"])
def test_the_gradient_of_a_part_is_that_of_the_whole_batch(name: str, rows: int) -> None:
    rng = np.random.default_rng(0)
    output = rng.random((rows, 3), dtype=np.float32)
    output /= output.sum(axis=1, keepdims=True)
    targets = np.eye(3, dtype=np.float32)[rng.integers(0, 3, rows)]
    weights = rng.random(rows, dtype=np.float32)
    kind = getattr(losses, name)
    total, _, dy = kind().gradient(output, targets, False, weights, 3)
    ranks = Ranks(3)

    def task(rank: int) -> Any:
        def add(array: NDArray[Any]) -> None:
            ranks.add(rank, array)

        group: Any = type("", (), {"rank": rank, "size": 3, "add": staticmethod(add)})()
        loss = PartOfLoss(kind(), group)
        loss.part = Part(*bounds(rows, rank, 3), rows, add, targets, weights)
        own = loss.part.computed
        mine, _, gradient = loss.gradient(output[own], targets[own], False, weights[own], 3)
        return loss.part, mine[0], gradient

    lost = 0.0
    for part, mine, gradient in ranks.run(task):
        lost += 0 if part.is_empty else mine
        expected = dy[part.computed] * (0 if part.is_empty else 1)
        assert np.allclose(gradient, expected, rtol=1e-5, atol=1e-7)
    assert np.isclose(lost, total[0], rtol=1e-6)


@pytest.mark.parametrize("number", [0.0, 1 / 3, 123456.789012345678, 3e38, 1e-30, -2.5, np.pi * 1e10])
def test_a_float64_number_is_the_sum_of_its_pieces(number: float) -> None:
    pieces = np.array(_split(number), np.float32)
    assert pieces.astype(np.float64).sum() == number


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan, 1e300])
def test_the_pieces_of_what_is_not_finite(number: float) -> None:
    total = np.array(_split(number), np.float32).astype(np.float64).sum()
    assert np.isnan(total) if np.isnan(number) else total == np.copysign(np.inf, number)


def test_without_mpi4py_the_error_has_the_command_that_installs_it() -> None:
    code = """
import sys
sys.modules["mpi4py"] = None  # as if it were not installed
import fastnet
try:
    fastnet.distributed.DataParallel()
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    assert (
        'fastnet.distributed needs mpi4py, which is not installed: python -m pip install "fastnet-mlp[mpi]"'
        in run.stdout
    )


def test_the_first_difference_between_ranks_is_named_the_same_on_all_of_them() -> None:
    """Also in other processes, whose texts have other hashes."""
    names = [f"the argument {i}" for i in range(20)]
    found = difference([dict.fromkeys(names, 1), dict.fromkeys([*names, "one more"], 2)])
    assert found is not None
    assert found.startswith("the argument 0: rank 0 has 1, but rank 1 has 2; all ranks must")


def test_the_ranks_that_have_ended_are_named() -> None:
    assert _ended([2]).startswith("rank 2 has ended; every rank must call fit")
    assert _ended([1, 3]).startswith("ranks 1, 3 have ended; every rank must call fit")


def test_compile_takes_only_a_distribution() -> None:
    model = fastnet.Sequential([layers.Dense(1)])
    with pytest.raises(TypeError, match=r"distribution must be a fastnet\.distributed\.DataParallel or None, got 2"):
        model.compile("sgd", "mse", distribution=2)
    assert not model.compiled
    with pytest.raises(TypeError, match="distribution must be"):
        model.distribution = "all"
    assert model.compile("sgd", "mse").distribution is None
