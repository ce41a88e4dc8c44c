"""Helpers: programs on a terminal; for the kernels the instruction sets, arrays in panels, the error bound of a sum."""

import importlib
import os
import pty
import subprocess
import sys
import termios
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.kernels import PANEL, padded

U = 2.0**-24  # half a unit in the last place of 1: float32's rounding error


def isa_parameters() -> list[Any]:
    """Each instruction set; those that this processor lacks are skipped, and say so."""
    level = kernels._import("baseline").x86_level()
    return [
        pytest.param(
            name, marks=pytest.mark.skipif(needs > level, reason=f"this processor cannot run {name}: not tested here")
        )
        for name, needs in kernels._LEVELS.items()
    ]


def isa_module(name: str) -> ModuleType:
    return importlib.import_module(f"fastnet.kernels._{name}")


def with_padding(matrix: NDArray[Any], columns: int, fill: float = np.nan, dtype: type = np.float32) -> NDArray[Any]:
    """The matrix in rows of `columns` floats, the rest of each filled with something that would show."""
    whole = np.full((len(matrix), columns), fill, dtype)
    whole[:, : matrix.shape[1]] = matrix
    return whole


def panels_of(matrix: NDArray[Any], fill: float = 0.0, dtype: type = np.float32) -> NDArray[Any]:
    """The matrix in panels, its padding filled."""
    whole = with_padding(matrix, padded(matrix.shape[1]), fill, dtype)
    return np.ascontiguousarray(whole.reshape(len(matrix), whole.shape[1] // PANEL, PANEL).transpose(1, 0, 2))


def sum_bound(terms: int, magnitude: NDArray[Any]) -> NDArray[np.float64]:
    """How far a float32 sum of `terms` products may be from the exact one, in any order, fused or not.

    gamma(n) = n u / (1 - n u) for n = terms + 2 roundings, of the sum of the products' magnitudes, and what underflow
    may cost. Source: N. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., 2002, section 3.1.
    """
    n = terms + 2
    return n * U / (1 - n * U) * magnitude + n * 2.0**-149


def on_terminal(arguments: list[str], columns: int, typed: bytes = b"", **environment: str) -> list[str]:
    """Runs Python on a pseudo-terminal of so many columns; it must succeed.

    Args:
        arguments: of Python.
        columns: what the terminal reports, 0 if it does not know.
        typed: what is typed; the program finds it when it asks.
        environment: variables beside those that there are. COLUMNS is not set unless it is given here.

    Returns:
        Each line that was drawn, in the order of drawing: what stood on the screen before a carriage return, too.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=inherited | {"PYTHONIOENCODING": "utf-8"} | environment,
    )
    os.close(slave)
    os.write(master, typed)
    seen = b""
    try:
        while chunk := os.read(master, 65536):
            seen += chunk
    except OSError:  # nobody has the other side open any more
        pass
    finally:
        os.close(master)
    text = seen.decode()
    assert process.wait(60) == 0, text
    return [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line]
