"""Layers: Input, Dense and others. `Layer` is the base class for your own."""

from fastnet.layers.activation import ELU, Activation, LeakyReLU, ReLU, Softmax
from fastnet.layers.base import Layer
from fastnet.layers.batch_normalization import BatchNormalization
from fastnet.layers.core import Flatten, Rescaling, Reshape
from fastnet.layers.dense import Dense
from fastnet.layers.dropout import Dropout
from fastnet.layers.input import Input, InputLayer
from fastnet.layers.layer_normalization import LayerNormalization
from fastnet.layers.noise import AlphaDropout, GaussianNoise
from fastnet.layers.normalization import Normalization

__all__ = [
    "ELU", "Activation", "AlphaDropout", "BatchNormalization", "Dense", "Dropout", "Flatten", "GaussianNoise", "Input",
    "InputLayer", "Layer", "LayerNormalization", "LeakyReLU", "Normalization", "ReLU", "Rescaling", "Reshape",
    "Softmax",
]  # fmt: skip
