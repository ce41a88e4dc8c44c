"""The three dense products on small whole numbers, exactly, for every shape up to 65 x 65 x 65, zeros included.

Sums of small whole numbers are exact in float32, in any order: every bit must be right, on each instruction set. So no
tolerance hides a row, a column or a term that is left out, taken twice or taken from elsewhere.

There are 287,496 shapes. Their numbers are all taken from the same three matrices: the products of one shape are part
of those of another, and one NumPy product and one comparison serve the 66 shapes that differ in their batch.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from helpers import isa_module, isa_parameters, panels_of, with_padding
from numpy.typing import NDArray

from fastnet.kernels import LINEAR, PANEL, RELU, padded

Array = NDArray[Any]

MOST = 65
SIZES = range(MOST + 1)
PAIRS = list(product(SIZES, SIZES))  # of inputs and units

_RNG = np.random.default_rng(0)
X, W, DZ = (_RNG.integers(-3, 4, (MOST, MOST)).astype(np.float32) for _ in range(3))
BIAS = _RNG.integers(-3, 4, padded(MOST)).astype(np.float32)
XS = [X[:batch] for batch in SIZES]  # rows longer than a kernel's inputs, as they may be


@pytest.fixture(params=isa_parameters())
def kernels(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The kernels of an instruction set, on one thread: these products are too small for two."""
    module = isa_module(request.param)
    before = module.get_threads()
    module.set_threads(1, 1)
    yield module
    module.set_threads(before, before)


class Results:
    """One array a batch size, in one block of memory, all NaN to begin with."""

    def __init__(self) -> None:
        self.row = np.concatenate([np.arange(batch) for batch in SIZES])  # the row that each row of the block is
        ends = np.cumsum([0, *SIZES])
        self.slices = [slice(ends[batch], ends[batch + 1]) for batch in SIZES]
        self.blocks: dict[int, tuple[Array, list[Array]]] = {}

    def of_width(self, width: int) -> tuple[Array, list[Array]]:
        if width not in self.blocks:
            block = np.empty((len(self.row), width), np.float32)
            self.blocks[width] = block, [block[rows] for rows in self.slices]
        block, arrays = self.blocks[width]
        block.fill(np.nan)
        return block, arrays


def call(kernel: Callable[..., None], *arguments: Any) -> None:
    """The kernel once for each batch size; an argument is one for all, or a list of one each."""
    columns = [a if isinstance(a, list) else [a] * len(SIZES) for a in arguments]
    deque(map(kernel, *columns), maxlen=0)


def panels(inputs: int, units: int, padding: float) -> Array:
    return panels_of(W[:inputs, :units], padding)


def test_forward_is_exact_for_every_shape(kernels: Any) -> None:
    results = Results()
    for inputs, units in PAIRS:
        activation = RELU if units % 2 else LINEAR
        block, ys = results.of_width(padded(units))
        call(kernels.gemm_bias_act, XS, panels(inputs, units, np.nan), BIAS[: padded(units)], activation, ys)
        expected = X[:, :inputs] @ W[:inputs, :units] + BIAS[:units]
        expected = np.maximum(expected, 0) if activation == RELU else expected
        assert np.array_equal(block[:, :units], expected[results.row]), (inputs, units)


def test_gradient_by_the_input_is_exact_for_every_shape(kernels: Any) -> None:
    results = Results()
    whole = {units: np.ascontiguousarray(DZ[:, :units]) for units in SIZES}
    dzs = {units: [dz[:batch] for batch in SIZES] for units, dz in whole.items()}
    for inputs, units in PAIRS:
        block, dxs = results.of_width(padded(inputs))
        call(kernels.gemm_nt, dzs[units], panels(inputs, units, np.nan), units, dxs, LINEAR, dxs)
        expected = with_padding(DZ[:, :units] @ W[:inputs, :units].T, padded(inputs), 0)
        if units > 0:  # without a unit there is no gradient
            assert np.array_equal(block, expected[results.row]), (inputs, units)


def test_gradient_by_the_weights_is_exact_for_every_shape(kernels: Any) -> None:
    terms = X[:, :, None] * DZ[:, None, :]
    expected = np.concatenate([np.zeros((1, MOST, MOST)), np.cumsum(terms, axis=0)]).astype(np.float32)
    expected_db = np.concatenate([np.zeros((1, MOST)), np.cumsum(DZ, axis=0)]).astype(np.float32)
    whole = {units: with_padding(DZ[:, :units], padded(units)) for units in SIZES}
    dzs = {units: [dz[:batch] for batch in SIZES] for units, dz in whole.items()}
    for inputs, units in PAIRS:
        dw = np.full((len(SIZES), padded(units) // PANEL, inputs, PANEL), np.nan, np.float32)
        db = np.full((len(SIZES), padded(units)), np.nan, np.float32)
        call(kernels.gemm_tn, XS, dzs[units], list(dw), list(db))
        found = dw.transpose(0, 2, 1, 3).reshape(len(SIZES), inputs, padded(units))[:, :, :units]
        # Without a row there is no gradient.
        assert np.array_equal(found[1:], expected[1:, :inputs, :units]), (inputs, units)
        if inputs > 0:
            assert np.array_equal(db[1:, :units], expected_db[1:, :units]), (inputs, units)
