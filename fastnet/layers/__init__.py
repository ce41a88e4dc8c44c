"""Layers: Input, Dense and others. `Layer` is the base class for your own."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from fastnet import checks
from fastnet.layers.activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from fastnet.layers.base import Layer
from fastnet.layers.batch_normalization import BatchNormalization
from fastnet.layers.core import ActivityRegularization, Flatten, Identity, Rescaling, Reshape
from fastnet.layers.dense import Dense
from fastnet.layers.dropout import Dropout
from fastnet.layers.input import Input, InputLayer
from fastnet.layers.layer_normalization import LayerNormalization
from fastnet.layers.noise import AlphaDropout, GaussianDropout, GaussianNoise
from fastnet.layers.normalization import Normalization

if TYPE_CHECKING:
    from fastnet.layers.category_encoding import CategoryEncoding
    from fastnet.layers.discretization import Discretization
    from fastnet.layers.embedding import Embedding
    from fastnet.layers.group_normalization import GroupNormalization
    from fastnet.layers.lambda_layer import Lambda
    from fastnet.layers.length_normalization import RMSNormalization, UnitNormalization
    from fastnet.layers.lookup import IntegerLookup, StringLookup
    from fastnet.layers.pooling import GlobalAveragePooling1D
    from fastnet.layers.prelu import PReLU
    from fastnet.layers.rearranging import Permute, RepeatVector

_LATER = {  # the files of the layers that few models have; they are imported when first used
    "CategoryEncoding": "category_encoding",
    "Discretization": "discretization",
    "Embedding": "embedding",
    "GlobalAveragePooling1D": "pooling",
    "GroupNormalization": "group_normalization",
    "IntegerLookup": "lookup",
    "Lambda": "lambda_layer",
    "PReLU": "prelu",
    "Permute": "rearranging",
    "RMSNormalization": "length_normalization",
    "RepeatVector": "rearranging",
    "StringLookup": "lookup",
    "UnitNormalization": "length_normalization",
}
__all__ = [
    "ELU", "Activation", "ActivityRegularization", "AlphaDropout", "BatchNormalization", "CategoryEncoding", "Dense",
    "Discretization", "Dropout", "Embedding", "Flatten", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D",
    "GroupNormalization", "Identity", "Input", "InputLayer", "IntegerLookup", "Lambda", "Layer", "LayerNormalization",
    "LeakyReLU", "Normalization", "PReLU", "Permute", "RMSNormalization", "ReLU", "RepeatVector", "Rescaling",
    "Reshape", "Softmax", "StringLookup", "UnitNormalization",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Imports a layer that few models have when it is first used, so that `import fastnet` stays fast.

    `serialize` and `deserialize` are those of `fastnet.saving`, which knows all kinds of objects.
    """
    if name in ("serialize", "deserialize"):
        return getattr(importlib.import_module("fastnet.saving"), f"{name}_keras_object")
    if name not in _LATER:
        raise checks.no_such(sys.modules[__name__], "fastnet has no layer", name, sys._getframe(1))
    found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    return found


def __dir__() -> list[str]:
    """Returns all names, also those that were not used yet."""
    return sorted({*globals(), *__all__})
