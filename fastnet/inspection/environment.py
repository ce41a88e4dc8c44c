"""Shows what fastnet computes with: instruction set, threads, compiler, libraries."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnet import kernels
from fastnet._version import __version__
from fastnet.kernels.allowance import available_cores


def show_config(print_fn: Callable[[str], Any] | None = print) -> dict[str, Any]:
    """Prints what fastnet uses and what this machine offers, for a bug report or a benchmark.

    Args:
        print_fn: function that gets the text; None prints nothing.

    Returns:
        The same as a dict: version, backend, isa, available (the instruction sets that this processor runs), threads,
        cores, compiler, flags (the compiler's options for the kernels), python, numpy, machine.
    """
    config = {
        "version": __version__,
        "backend": kernels.backend,
        "isa": kernels.isa,
        "available": kernels.usable(),
        "threads": kernels.get_num_threads(),
        "cores": available_cores(),
        "compiler": kernels._chosen.COMPILER,
        "flags": kernels._chosen.FLAGS,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.machine()} {sys.platform}",
    }
    if print_fn is not None:
        width = max(len(name) for name in config)
        values = (", ".join(value) if isinstance(value, list) else value for value in config.values())
        print_fn("\n".join(f"{name:{width}}  {value}" for name, value in zip(config, values, strict=True)))
    return config
