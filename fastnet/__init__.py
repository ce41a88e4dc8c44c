"""fastnet: small neural networks on a CPU, with the API of Keras and fast kernels.

import fastnet as keras

model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(512, activation="relu"), ...])
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from fastnet import (
    activations,
    backend,
    callbacks,
    checks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    recorded,
    regularizers,
    utils,
)
from fastnet._version import __version__
from fastnet.initializers import Initializer
from fastnet.inspection.environment import show_config
from fastnet.kernels import get_num_threads, set_num_threads
from fastnet.layers import Input, Layer
from fastnet.losses import Loss
from fastnet.metrics import Metric
from fastnet.models import Model, Sequential
from fastnet.optimizers import Optimizer
from fastnet.regularizers import Regularizer

if TYPE_CHECKING:
    from fastnet import config, datasets, distributed, plotting, saving
    from fastnet import draws as random
    from fastnet.playground import export_html
    from fastnet.reporting import report

recorded.MODELS.update(Sequential=Sequential, Functional=Model)

__all__ = [
    "Initializer", "Input", "Layer", "Loss", "Metric", "Model", "Optimizer", "Regularizer", "Sequential", "__version__",
    "activations", "backend", "callbacks", "config", "constraints", "datasets", "distributed", "export_html",
    "get_num_threads", "initializers", "layers", "losses", "metrics", "models", "optimizers", "plotting", "random",
    "regularizers", "report", "saving", "set_num_threads", "show_config", "utils",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Imports the parts that few programs need when first used, so that `import fastnet` stays fast."""
    if name in ("config", "datasets", "distributed", "plotting", "saving", "sklearn"):
        return importlib.import_module(f"fastnet.{name}")
    if name == "random":
        return importlib.import_module("fastnet.draws")
    if name == "export_html":
        return importlib.import_module("fastnet.playground").export_html
    if name == "report":
        return importlib.import_module("fastnet.reporting").report
    raise checks.no_such(sys.modules[__name__], "fastnet has no", name, sys._getframe(1))


def __dir__() -> list[str]:
    """Returns all names, also those that were not used yet."""
    return sorted({*globals(), *__all__})


# The error for a missing name lists the names that exist.
for _module, _kind, _names in (
    (layers, "layer", layers.__all__),
    (losses, "loss", losses.NAMES),
    (metrics, "metric", [name for name in metrics.__all__ if name[0].isupper()]),
    (callbacks, "callback", [name for name in callbacks.__all__ if name not in ("Logs", "overrides")]),
    (optimizers, "optimizer", optimizers.CLASSES),
    (optimizers.schedules, "schedule", optimizers.schedules.CLASSES),
    (activations, "activation", activations.NAMES),
    (initializers, "initializer", initializers.CLASSES),
    (regularizers, "regularizer", regularizers.CLASSES),
    (constraints, "constraint", constraints.CLASSES),
):
    checks.explain_missing(_module, f"fastnet has no {_kind}", _names)
checks.explain_missing(models, "fastnet.models has no", models.__all__)
checks.explain_missing(backend, "fastnet.backend has no", backend.__all__)
checks.explain_missing(utils, "fastnet.utils has no", utils.__all__)
checks.explain_missing(sys.modules[__name__], "fastnet has no", __all__)
