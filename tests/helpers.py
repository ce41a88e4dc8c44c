"""Helpers for tests: programs on a terminal, instruction sets, arrays in panels, and the error bound of a sum."""

import importlib
import os
import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastnet import kernels, metrics
from fastnet.kernels import PANEL, padded

# What the constructors of metrics need, where they need anything.
NEEDED: dict[str, tuple[Any, ...]] = {
    "IoU": (4, [0]), "MeanIoU": (4,), "OneHotIoU": (4, [0]), "OneHotMeanIoU": (4,), "PrecisionAtRecall": (0.5,),
    "RecallAtPrecision": (0.5,), "SensitivityAtSpecificity": (0.5,), "SpecificityAtSensitivity": (0.5,),
}  # fmt: skip

U = 2.0**-24  # half a unit in the last place of 1: float32's rounding error


def metric_of(kind: str, **kwargs: Any) -> Any:
    """Makes a metric of the class of this name."""
    return metrics.CLASSES[kind](*NEEDED.get(kind, ()), **kwargs)


def isa_parameters() -> list[Any]:
    """Makes a parameter for each instruction set, with a skip and its reason if this processor lacks it."""
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
    """Pads the rows of a matrix to `columns` numbers with a value that would show in a result."""
    whole = np.full((len(matrix), columns), fill, dtype)
    whole[:, : matrix.shape[1]] = matrix
    return whole


def panels_of(matrix: NDArray[Any], fill: float = 0.0, dtype: type = np.float32) -> NDArray[Any]:
    """Packs a matrix into panels and fills the padding with `fill`."""
    whole = with_padding(matrix, padded(matrix.shape[1]), fill, dtype)
    return np.ascontiguousarray(whole.reshape(len(matrix), whole.shape[1] // PANEL, PANEL).transpose(1, 0, 2))


def sum_bound(terms: int, magnitude: NDArray[Any]) -> NDArray[np.float64]:
    """Bounds the error of a float32 sum of `terms` products, in any order, fused or not.

    It is gamma(n) = n u / (1 - n u), for n = terms + 2 roundings, times the sum of the products' magnitudes, plus a
    bound for underflow. Source: N. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., 2002, sec. 3.1.
    """
    n = terms + 2
    return n * U / (1 - n * U) * magnitude + n * 2.0**-149


def on_terminal(arguments: list[str], columns: int, typed: bytes = b"", **environment: str) -> list[str]:
    """Runs Python on a pseudo-terminal and asserts that it succeeds.

    Args:
        arguments: the arguments for Python.
        columns: the width that the terminal reports; 0 for unknown.
        typed: input that is typed in advance.
        environment: additional environment variables. COLUMNS is not set unless it is given here.

    Returns:
        Each line in the order of drawing, including those that a carriage return made the program overwrite.
    """
    import pty
    import termios

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
    except OSError:  # the program has ended and closed the terminal
        pass
    finally:
        os.close(master)
    text = seen.decode()
    assert process.wait(60) == 0, text
    return [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line]
