"""fastnet: small neural networks on a CPU, in the words of Keras, at the speed of the machine.

import fastnet as keras

model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(512, activation="relu"), ...])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastnet import (
    activations,
    backend,
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    threadpool,
    utils,
)
from fastnet._version import __version__
from fastnet.config import show_config
from fastnet.kernels import get_num_threads, set_num_threads
from fastnet.layers import Input
from fastnet.models import Sequential

if TYPE_CHECKING:
    from fastnet import datasets, plotting, saving
    from fastnet.playground import export_html
    from fastnet.reporting import report

threadpool.announce()

__all__ = [
    "Input",
    "Sequential",
    "__version__",
    "activations",
    "backend",
    "callbacks",
    "constraints",
    "datasets",
    "export_html",
    "get_num_threads",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "plotting",
    "regularizers",
    "report",
    "saving",
    "set_num_threads",
    "show_config",
    "utils",
]


def __getattr__(name: str) -> Any:
    """What reads and writes files is imported when it is first used: it needs a dozen modules of Python's own."""
    if name in ("datasets", "plotting", "saving"):
        return importlib.import_module(f"fastnet.{name}")
    if name == "export_html":
        return importlib.import_module("fastnet.playground").export_html
    if name == "report":
        return importlib.import_module("fastnet.reporting").report
    raise AttributeError(f"module 'fastnet' has no attribute {name!r}")
