"""Arrays between guard pages, and the table of kernels that are called with them.

The first byte past an array, or before it, lies in a page that may not be touched: a kernel that reads or writes there
ends the process. `test_guard_pages.py` therefore runs this file as a program, one process an instruction set:

    python guard.py NOTES      calls every kernel at every size; what is under way is noted in the file NOTES

To add a kernel, add a function of its name to the table: it makes the arguments for one size. All that the contract in
`fastnet/kernels/README.md` leaves undefined is NaN, so that it would show in a result.
"""

import ctypes
import faulthandler
import itertools
import mmap
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from helpers import panels_of, with_padding
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.kernels import (
    ADAGRAD,
    ADAM,
    LINEAR,
    MOMENTUM,
    NADAM,
    NESTEROV,
    PANEL,
    RELU,
    RMSPROP,
    SGD,
    SIGMOID,
    TANH,
    padded,
    reference,
)

Array = NDArray[Any]
PAGE = mmap.PAGESIZE
PROT_NONE = 0


class GuardedMemory:
    """Places copies of arrays between pages that may not be touched."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._free: dict[int, list[mmap.mmap]] = {}
        self._used: list[tuple[int, mmap.mmap]] = []

    def _region(self, pages: int) -> mmap.mmap:
        free = self._free.setdefault(pages, [])
        if not free:
            region = mmap.mmap(-1, (pages + 2) * PAGE)
            start = ctypes.addressof(ctypes.c_char.from_buffer(region))
            for guard in (start, start + (pages + 1) * PAGE):
                if self._libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(PAGE), PROT_NONE) != 0:
                    raise OSError(ctypes.get_errno(), "mprotect failed")
            free.append(region)
        region = free.pop()
        self._used.append((pages, region))
        return region

    def place(self, array: Array, at_end: bool) -> Array:
        """A copy of the array whose last byte, or whose first, is next to a guard page."""
        pages = -(-array.nbytes // PAGE)
        offset = (pages + 1) * PAGE - array.nbytes if at_end else PAGE
        placed: Array = np.ndarray(array.shape, array.dtype, self._region(pages), offset)
        placed[...] = array
        return placed

    def forget(self) -> None:
        """The arrays placed so far are not needed any more: their memory may be used for others."""
        for pages, region in self._used:
            self._free[pages].append(region)
        self._used.clear()


# Sizes: every one up to two panels and a half, and primes beyond. A kernel of several dimensions is swept along each of
# them, with the others at each of a few combinations: none, one, a tile, more than a tile, more than a panel.

SIZES = [*range(41), 47, 67, 97, 257]
FEW = [(1, 1), (0, 5), (3, 17), (5, 16), (15, 2), (13, 31), (32, 7), (29, 33)]


def products() -> Iterator[tuple[int, int, int]]:
    """Sizes of three dimensions."""
    shapes = dict.fromkeys([(0, 0, 0), (64, 300, 272)])
    for size, (a, b) in itertools.product(SIZES, FEW):
        shapes |= dict.fromkeys([(size, a, b), (b, size, a), (a, b, size)])
    return iter(shapes)


def matrices() -> Iterator[tuple[int, int]]:
    """Sizes of two dimensions, the second at least 1."""
    shapes = dict.fromkeys([(3000, 10), (64, 1000)])
    for size, other in itertools.product(SIZES, [1, 2, 5, 10, 16, 33]):
        shapes |= dict.fromkeys([(size, other), (other, max(1, size))])
    return iter(shapes)


def lengths() -> Iterator[tuple[int]]:
    """Sizes of one dimension."""
    return ((n,) for n in [*range(300), 65_535, 65_536, 65_537, 200_003])


@dataclass
class Entry:
    """A kernel in the table: its name, how its arguments are made, and for which sizes."""

    name: str
    arguments: Callable[..., list[Any]]
    sizes: Callable[[], Iterable[tuple[int, ...]]]


TABLE: list[Entry] = []


def kernel(sizes: Callable[[], Iterable[tuple[int, ...]]], name: str = "") -> Callable[..., Callable[..., list[Any]]]:
    """Puts a function into the table. Its arguments: the sizes, and how many floats a row has beyond what it must.

    What the kernel does to all arguments is compared with what its twin in `fastnet/kernels/reference.py` does to them.
    """

    def add(arguments: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        TABLE.append(Entry(name or arguments.__name__, arguments, sizes))
        return arguments

    return add


_POOL = np.random.default_rng(0).integers(-8, 9, 1 << 18).astype(np.float32)


def numbers(*shape: int, start: int = 0) -> Array:
    """Small whole numbers; other ones for another `start`."""
    return _POOL[1000 * start :][: int(np.prod(shape))].reshape(shape)


def undefined(*shape: int) -> Array:
    """What a kernel must write before anybody reads it."""
    return np.full(shape, np.nan, np.float32)


def bias_of(units: int) -> Array:
    """Numbers for the units and NaN in the padding."""
    return with_padding(numbers(1, units, start=3), padded(units))[0]


def gradient(batch: int, units: int, room: int, in_panels: float = np.nan) -> Array:
    """A gradient by the pre-activations; `in_panels` is in the padding of its last panel."""
    whole = with_padding(numbers(batch, units, start=2), padded(units), in_panels)
    return with_padding(whole, padded(units) + room)


def some_activation(size: int) -> int:
    return (LINEAR, RELU, SIGMOID, TANH)[size % 4]


def undefined_weights(inputs: int, units: int) -> list[Array]:
    """Where the gradient by a kernel and by a bias goes."""
    return [undefined(padded(units) // PANEL, inputs, PANEL), undefined(padded(units))]


RATES = np.array([0.1, 0.9, 0.99, 1.0, 0.6])
RULES = [SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAGRAD, NADAM]


def updated_weights(batch: int, inputs: int, units: int) -> list[Any]:
    """A rule, a kernel and its state, a bias and its state, and the rates of a step."""
    w = panels_of(numbers(inputs, units, start=1), np.nan)
    bias = bias_of(units)
    return [RULES[batch % 5], w, abs(w), abs(w) + 1, bias, abs(bias), abs(bias) + 1, RATES]


def sparse(rows: int, columns: int) -> Array:
    """About one number in four is not zero; some rows and columns have none."""
    x = numbers(rows, columns, start=5)
    return x * (
        (numbers(rows, columns, start=6) > 3) & (np.arange(columns) % 7 != 3) & (np.arange(rows) % 5 != 2)[:, None]
    )


def csr(x: Array, is_wide: int) -> list[Any]:
    """A matrix in compressed rows: where each begins, the columns of the nonzeros, and the nonzeros."""
    rows, columns = np.nonzero(x)
    indptr = np.concatenate([[0], np.cumsum((x != 0).sum(axis=1))])
    return [indptr, columns.astype(np.int32 if is_wide else np.uint16), x[rows, columns]]


def csc(x: Array, room: int) -> list[Any]:
    """A batch by columns, twice, with room for more numbers than it has."""
    ends, samples, values = csr(np.ascontiguousarray(x.T), 1)
    entries = np.full((2, len(values) + room, 2), -1, np.int32)
    entries[:, : len(values), 0], entries[:, : len(values), 1] = samples, values.view(np.int32)
    return [np.stack([ends, ends]), entries]


def some_rows(batch: int) -> Array:
    """A batch of rows from batch + 3 of them, in no order, one of them twice."""
    rows = np.arange(batch) * 7 % (batch + 3)
    rows[batch // 2 :] = rows[: batch - batch // 2][::-1]
    return rows


def columns_of(batch: int, inputs: int, room: int) -> list[Any]:
    """Where that batch goes by columns."""
    most = np.count_nonzero(sparse(batch + 3, inputs)[some_rows(batch)]) + room
    return [np.full((2, inputs + 1), -1), np.full((2, most, 2), -1, np.int32)]


@kernel(products)
def gemm_bias_act(batch: int, inputs: int, units: int, room: int) -> list[Any]:
    w = panels_of(numbers(inputs, units, start=1), np.nan)
    x = with_padding(numbers(batch, inputs), inputs + room)
    return [x, w, bias_of(units), some_activation(batch + units), undefined(batch, padded(units) + room)]


@kernel(products)
def gemv_bias_act(batch: int, inputs: int, units: int, room: int) -> list[Any]:
    x = with_padding(sparse(batch + 1, inputs)[batch:], inputs + room)
    w = panels_of(numbers(inputs, units, start=1), np.nan)
    return [x, w, bias_of(units), some_activation(batch), undefined(1, padded(units) + room)]


@kernel(products)
def gemm_nt(batch: int, inputs: int, units: int, room: int) -> list[Any]:
    w = panels_of(numbers(inputs, units, start=1))
    activation = some_activation(batch + inputs)
    # The padding of y meets zeros, and a zero times NaN is no zero: finite, as whoever makes a y leaves it.
    y = with_padding(numbers(batch, inputs, start=4) / 8, padded(inputs), 0.5 if activation != LINEAR else np.nan)
    return [gradient(batch, units, room, 0), w, undefined(*y.shape), activation, y]


@kernel(products)
def gemm_tn(batch: int, inputs: int, units: int, room: int) -> list[Any]:
    x = with_padding(numbers(batch, inputs), inputs + room)
    return [x, gradient(batch, units, room), *undefined_weights(inputs, units)]


@kernel(products)
def gemm_tn_update(batch: int, inputs: int, units: int, room: int) -> list[Any]:
    x = with_padding(numbers(batch, inputs), inputs + room)
    return [x, gradient(batch, units, room), *updated_weights(batch, inputs, units)]


@kernel(matrices)
def csr_count(rows: int, columns: int, room: int) -> list[Any]:
    x = sparse(rows, columns)
    return [None if room else x, abs(x).astype(np.uint8) if room else None, np.full(rows, -1)]


@kernel(matrices)
def csr_compress(rows: int, columns: int, room: int) -> list[Any]:
    x = sparse(rows, columns)
    octets = abs(x).astype(np.uint8)
    indptr, indices, values = csr(octets.astype(np.float32) if room else x, columns % 2)
    indices.fill(9999)
    values.fill(np.nan)
    return [None if room else x, octets if room else None, 0.25, indptr, indices, values]


@kernel(products)
def csrmm_bias_act(batch: int, inputs: int, units: int, room: int) -> list[Any]:
    w = panels_of(numbers(inputs, units, start=1), np.nan)
    y = undefined(batch, padded(units) + room)
    return [
        *csr(sparse(batch + 3, inputs), units % 2),
        some_rows(batch),
        w,
        bias_of(units),
        some_activation(batch + units),
        y,
    ]


@kernel(products)
def csr_transpose(batch: int, inputs: int, units: int, room: int) -> list[Any]:
    return [*csr(sparse(batch + 3, inputs), units % 2), some_rows(batch), *columns_of(batch, inputs, room)]


@kernel(products)
def csrmm_tn(batch: int, inputs: int, units: int, room: int) -> list[Any]:
    return [*csc(sparse(batch, inputs), room), gradient(batch, units, room, 0), *undefined_weights(inputs, units)]


@kernel(products)
def csrmm_tn_update(batch: int, inputs: int, units: int, room: int) -> list[Any]:
    dz = gradient(batch, units, room, 0)
    return [*csc(sparse(batch, inputs), room), dz, *updated_weights(batch, inputs, units)]


@kernel(lengths)
def update(panels: int, room: int) -> list[Any]:
    n = panels * PANEL % 50_000
    w, g, s, t = (numbers(n, start=i) for i in range(4))
    return [RULES[panels % len(RULES)], w, g, abs(s), abs(t), RATES]


def logits(rows: int, classes: int, room: int) -> Array:
    """Rows of whole panels, NaN in the padding."""
    return with_padding(numbers(rows, classes), padded(classes) + padded(room))


def targets(rows: int, classes: int) -> Array:
    """One-hot rows, exactly as wide as there are classes."""
    return np.eye(classes, dtype=np.float32)[np.arange(rows) * 7 % classes]


@kernel(matrices)
def softmax(rows: int, classes: int, room: int) -> list[Any]:
    z = logits(rows, classes, room)
    return [z, classes, undefined(*z.shape)]


@kernel(matrices)
def softmax_crossentropy(rows: int, classes: int, room: int) -> list[Any]:
    z = logits(rows, classes, room)
    return [z, targets(rows, classes), undefined(*z.shape), undefined(*z.shape), undefined(rows), rows % 2 == 1]


@kernel(matrices)
def softmax_backward(rows: int, classes: int, room: int) -> list[Any]:
    p = logits(rows, classes, room)
    return [p / 8, classes, p / 4]


@kernel(matrices)
def activation_forward(rows: int, columns: int, room: int) -> list[Any]:
    return [some_activation(rows + columns), logits(rows, columns, room)]


@kernel(matrices)
def activation_backward(rows: int, columns: int, room: int) -> list[Any]:
    y = logits(rows, columns, room)
    return [some_activation(rows + columns), y / 8, y + 1]


@kernel(matrices)
def pointwise_forward(rows: int, columns: int, room: int) -> list[Any]:
    return [(rows + columns) % 6, 0.25, 1.0, 0.5, logits(rows, columns, room)]


@kernel(matrices)
def pointwise_backward(rows: int, columns: int, room: int) -> list[Any]:
    y = logits(rows, columns, room)
    return [(rows + columns) % 6, 0.25, 1.0, 0.5, y / 8, y + 1]


@kernel(matrices)
def count_correct(rows: int, classes: int, room: int) -> list[Any]:
    return [logits(rows, classes, room), targets(rows, classes)]


@kernel(lengths)
def all_finite(n: int, room: int) -> list[Any]:
    return [numbers(n)]


def agree(one: Any, other: Any) -> bool:
    """Equal but for rounding; NaN is NaN."""
    if one is None or other is None:
        return one is other
    with np.errstate(invalid="ignore"):
        near = np.abs(one - other) <= 1e-5 * np.abs(other) + 1e-5
    return bool((near | (np.isnan(one) & np.isnan(other))).all())


def copies(arguments: list[Any]) -> list[Any]:
    return [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]


def disagreement(entry: Entry, size: tuple[int, ...], room: int, memory: GuardedMemory) -> str:
    """Calls the kernel with arrays at the end and at the start of their pages; says where it is not its twin."""
    compiled, twin = getattr(kernels, entry.name), getattr(reference, entry.name)
    arguments = entry.arguments(*size, room)
    expected = copies(arguments)
    compare = 0 not in size  # with nothing to compute, a kernel may return at once; it must not touch anything
    if compare:
        with np.errstate(all="ignore"):
            expected.append(twin(*expected))
    for at_end in (True, False):
        found = [memory.place(a, at_end) if isinstance(a, np.ndarray) else a for a in arguments]
        result = compiled(*found)
        for place, (one, other) in enumerate(zip([*found, result], expected, strict=True) if compare else ()):
            if not agree(one, other):
                what = "what it returns" if place == len(found) else f"argument {place}"
                return f"{what} is not its twin's"
        memory.forget()
    return ""


def main(notes: Path) -> int:
    faulthandler.enable()
    kernels._chosen.set_threads(3, 3)
    memory = GuardedMemory()
    notes.write_bytes(bytes(200))
    calls, bad = 0, 0
    with notes.open("r+b") as file, mmap.mmap(file.fileno(), 200) as note:
        for entry in TABLE:
            for size in entry.sizes():
                for room in (0, 5):
                    case = f"{entry.name} {size}, rows with {room} more floats than they need"
                    note[:] = case.encode().ljust(200)
                    wrong = disagreement(entry, size, room, memory)
                    calls += 2
                    if wrong:
                        bad += 1
                        print(f"{case}: {wrong}")
                        if bad == 20:
                            return 1
    print(f"{calls} calls of {len(TABLE)} kernels")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
