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
    workspaces: int  # so many arguments at the end, which only the compiled kernel writes


TABLE: list[Entry] = []


def kernel(
    sizes: Callable[[], Iterable[tuple[int, ...]]], workspaces: int = 0
) -> Callable[..., Callable[..., list[Any]]]:
    """Puts a function into the table. Its arguments: the sizes, and how many floats a row has beyond what it must.

    What the kernel does to all arguments but the workspaces, the last ones, is compared with what its twin in
    `fastnet/kernels/reference.py` does to them.
    """

    def add(arguments: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        TABLE.append(Entry(arguments.__name__, arguments, sizes, workspaces))
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


RATES = np.array([0.1, 0.9, 0.99, 1.0, 0.6, 0.25])
RULES = [SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAGRAD, NADAM]


def updated_weights(batch: int, inputs: int, units: int) -> list[Any]:
    """A rule, a kernel and its state, a bias (or none) and its state, and the rates of a step."""
    w = panels_of(numbers(inputs, units, start=1), np.nan)
    bias = bias_of(units)[: 0 if (batch + inputs) % 3 == 0 else None]
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


@kernel(products, workspaces=1)
def gemv_bias_act(batch: int, inputs: int, units: int, room: int) -> list[Any]:
    x = with_padding(sparse(batch + 1, inputs)[batch:], inputs + room)
    w = panels_of(numbers(inputs, units, start=1), np.nan)
    y = undefined(1, padded(units) + room)
    return [x, w, bias_of(units), some_activation(batch), y, np.full(3 + inputs, -1)]


@kernel(products)
def gemm_nt(batch: int, inputs: int, units: int, room: int) -> list[Any]:
    w = panels_of(numbers(inputs, units, start=1), np.nan)
    dz = with_padding(numbers(batch, units, start=2), units + room)
    activation = some_activation(batch + inputs)
    # The padding of y meets zeros, and a zero times NaN is no zero: finite, as whoever makes a y leaves it.
    y = with_padding(numbers(batch, inputs, start=4) / 8, padded(inputs), 0.5 if activation != LINEAR else np.nan)
    return [dz, w, units, undefined(*y.shape), activation, y]


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


@kernel(products, workspaces=1)
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
        np.full(batch, -1),
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


def weights_in_a_row(panels: int, start: int = 0) -> Array:
    """Weights, or what belongs to each of them: a whole number of panel rows."""
    return numbers(panels * PANEL % 50_000, start=start)


@kernel(lengths)
def update(panels: int, room: int) -> list[Any]:
    w, g, s, t = (weights_in_a_row(panels, i) for i in range(4))
    return [RULES[panels % len(RULES)], w, g, abs(s), abs(t), RATES]


@kernel(lengths)
def penalty(panels: int, room: int) -> list[Any]:
    return [weights_in_a_row(panels), 0.25, 0.5, 3.0, np.array([1.0, np.nan])[: 1 + room]]


@kernel(lengths)
def penalty_gradient(panels: int, room: int) -> list[Any]:
    return [weights_in_a_row(panels), weights_in_a_row(panels, 1), 0.25, 0.5]


@kernel(lengths)
def clip(panels: int, room: int) -> list[Any]:
    return [weights_in_a_row(panels), 2.5]


@kernel(lengths)
def decay(panels: int, room: int) -> list[Any]:
    return [weights_in_a_row(panels), RATES]


@kernel(lengths)
def adam_rates(steps: int, room: int) -> list[Any]:
    return [numbers(steps % 300, 6).astype(np.float64), room, 0.9, 0.999, 1e-7]


@kernel(matrices)
def dropout(rows: int, columns: int, room: int) -> list[Any]:
    x, y = with_padding(numbers(rows, columns), columns + room), numbers(rows, columns + 5 - room, start=1)
    return [x, y, columns, 0.3, np.array([12345678901234567890], np.uint64)]


@kernel(matrices)
def shuffle(rows: int, columns: int, room: int) -> list[Any]:
    return [np.full(rows * columns + room, -1), 2**64 - 1 - room]


@kernel(matrices)
def gather(rows: int, columns: int, room: int) -> list[Any]:
    x = numbers(rows + 3, columns)
    return [None if room else x, abs(x).astype(np.uint8) if room else None, some_rows(rows), undefined(rows, columns)]


@kernel(matrices)
def scatter(rows: int, columns: int, room: int) -> list[Any]:
    x = with_padding(numbers(rows, columns), columns + room)
    return [x, np.arange(rows)[::-1] + 2, numbers(rows + 3, columns, start=1)]


@kernel(matrices)
def copy(rows: int, columns: int, room: int) -> list[Any]:
    return [with_padding(numbers(rows, columns), columns + room), numbers(rows, columns + 5 - room, start=1), columns]


@kernel(matrices)
def rescale(rows: int, columns: int, room: int) -> list[Any]:
    return [*copy(rows, columns, room), 0.25, -3.0]


def logits(rows: int, classes: int, room: int) -> Array:
    """Rows of whole panels, NaN in the padding."""
    return with_padding(numbers(rows, classes), padded(classes) + padded(room))


def targets(rows: int, classes: int) -> Array:
    """One-hot rows, exactly as wide as there are classes."""
    return np.eye(classes, dtype=np.float32)[np.arange(rows) * 7 % classes]


def labels(rows: int, classes: int) -> Array:
    """The labels of `targets`."""
    return (np.arange(rows, dtype=np.int32) * 7 % classes).astype(np.int32)[:, None]


def weights(rows: int) -> Array:
    """A weight for each row; none if the number of rows is even."""
    return np.arange(rows % 2 * rows, dtype=np.float32) / 4


@kernel(matrices)
def softmax(rows: int, classes: int, room: int) -> list[Any]:
    z = logits(rows, classes, room)
    return [z, classes, undefined(*z.shape)]


@kernel(matrices)
def softmax_crossentropy(rows: int, classes: int, room: int) -> list[Any]:
    z = logits(rows, classes, room)
    written = undefined(*z.shape), undefined(*z.shape), undefined(rows).astype(np.float64)
    return [z, targets(rows, classes), weights(rows), *written, 0.1 * (rows % 3), rows % 2 == 1]


@kernel(matrices)
def sparse_softmax_crossentropy(rows: int, classes: int, room: int) -> list[Any]:
    z = logits(rows, classes, room)
    written = undefined(*z.shape), undefined(*z.shape), undefined(rows).astype(np.float64)
    return [z, classes, labels(rows, classes), weights(rows), *written, rows % 2 == 1]


@kernel(matrices)
def binary_crossentropy(rows: int, outputs: int, room: int) -> list[Any]:
    z = logits(rows, outputs, room)
    written = undefined(*z.shape), undefined(*z.shape), undefined(rows).astype(np.float64)
    return [z, targets(rows, outputs), weights(rows), *written, 0.1 * (rows % 3), rows % 2 == 1]


@kernel(matrices)
def pointwise_loss(rows: int, outputs: int, room: int) -> list[Any]:
    y = logits(rows, outputs, room)
    dy = undefined(rows if (rows + outputs) % 4 else 0, y.shape[1])
    return [rows % 3, 2.5, y, targets(rows, outputs), weights(rows), dy, undefined(rows).astype(np.float64)]


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
def categorical_accuracy(rows: int, classes: int, room: int) -> list[Any]:
    return [logits(rows, classes, room), targets(rows, classes), undefined(rows).astype(np.float64)]


@kernel(matrices)
def sparse_categorical_accuracy(rows: int, classes: int, room: int) -> list[Any]:
    return [numbers(rows, classes), labels(rows, classes), undefined(rows).astype(np.float64)]


@kernel(matrices)
def binary_accuracy(rows: int, outputs: int, room: int) -> list[Any]:
    return [logits(rows, outputs, room), targets(rows, outputs), 0.5, undefined(rows).astype(np.float64)]


@kernel(lengths)
def add_rows(n: int, room: int) -> list[Any]:
    return [numbers(n).astype(np.float64), weights(n), np.array([1.0, 2.0]), n % 3 == 0, n % 5 == 0]


@kernel(lengths)
def accumulate(n: int, room: int) -> list[Any]:
    return [numbers(n).astype(np.float64), numbers(n, start=1).astype(np.float64)]


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
        workspaces = range(len(found) - entry.workspaces, len(found))
        for place, (one, other) in enumerate(zip([*found, result], expected, strict=True) if compare else ()):
            if place not in workspaces and not agree(one, other):
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
