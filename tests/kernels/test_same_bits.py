"""Every kernel gives the same bits on any number of threads, and with AVX2 and AVX-512.

As a program, it prints a digest of each kernel's results, to be compared with those on another processor.
"""

import hashlib
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from helpers import isa_module
from kernels.guard import TABLE, Entry, copies
from numpy.typing import NDArray

from fastnet import kernels


def uneven(argument: Any) -> Any:
    """Fractions in place of whole numbers: their sums depend on the order of the terms."""
    if isinstance(argument, np.ndarray) and argument.dtype == np.float32:
        return argument * np.float32(0.37) + np.float32(0.011) * (argument != 0)
    return argument


def bits(array: NDArray[Any]) -> bytes:
    """The bytes of an array; those of one NaN for all NaN."""
    return (np.where(np.isnan(array), array.dtype.type(np.nan), array) if array.dtype.kind == "f" else array).tobytes()


def results(module: ModuleType, entry: Entry, threads: int) -> list[list[bytes]]:
    """What a kernel makes of all its arguments, for some small sizes and the greatest."""
    before = module.get_threads()
    sizes = list(entry.sizes())
    chosen = [*sizes[:: len(sizes) // 30], *sorted(sizes, key=math.prod)[-4:]]
    found = []
    module.set_threads(threads, 2)
    try:
        for size in chosen:
            arguments = copies([uneven(a) for a in entry.arguments(*size, 5)])
            with np.errstate(all="ignore"):
                getattr(module, entry.name)(*arguments)
            found.append([bits(a) for a in arguments if isinstance(a, np.ndarray)])
    finally:
        module.set_threads(before, before)
    return found


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.name)
def test_bits_depend_neither_on_the_threads_nor_on_the_width_of_vectors(entry: Entry) -> None:
    usable = kernels.usable()
    expected = results(isa_module(usable[-1]), entry, 1)
    for isa in usable:
        module = isa_module(isa)
        if isa == "baseline" and len(usable) > 1:  # it has no fused multiply-add
            assert results(module, entry, 3) == results(module, entry, 1)
        else:
            assert [results(module, entry, threads) == expected for threads in (1, 2, 3)] == [True] * 3, isa


def test_every_kernel_is_in_the_table_and_in_the_readme() -> None:
    assert sorted(entry.name for entry in TABLE) == sorted({*kernels.NAMES} - {"mark_update"})
    readme = (Path(kernels.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert [name for name in kernels.NAMES if f"`{name}`" not in readme] == []


if __name__ == "__main__":
    for entry in TABLE:
        print(entry.name, hashlib.sha256(repr(results(isa_module(kernels.isa), entry, 1)).encode()).hexdigest())
