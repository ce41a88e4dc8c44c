"""Layers: Input, Dense, and what stands between them; `Layer` is the base of your own."""

from fastnet.layers.base import Layer
from fastnet.layers.core import Flatten, Rescaling, Reshape
from fastnet.layers.dense import Dense, Input, InputLayer
from fastnet.layers.dropout import Dropout

__all__ = ["Dense", "Dropout", "Flatten", "Input", "InputLayer", "Layer", "Rescaling", "Reshape"]
