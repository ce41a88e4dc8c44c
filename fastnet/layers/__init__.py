"""Layers: Input, Dense, and what stands between them; `Layer` is the base of your own."""

from fastnet.layers.base import Layer
from fastnet.layers.core import Flatten, Rescaling, Reshape
from fastnet.layers.dense import Dense, Input, InputLayer

__all__ = ["Dense", "Flatten", "Input", "InputLayer", "Layer", "Rescaling", "Reshape"]
