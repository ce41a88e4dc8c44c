"""fastnet: small neural networks on a CPU, in the words of Keras, at the speed of the machine.

import fastnet as keras

model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(512, activation="relu"), ...])
"""

from fastnet import (
    activations,
    backend,
    callbacks,
    constraints,
    datasets,
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
from fastnet.kernels import get_num_threads, set_num_threads
from fastnet.layers import Input
from fastnet.models import Sequential

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
    "get_num_threads",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "set_num_threads",
    "utils",
]
