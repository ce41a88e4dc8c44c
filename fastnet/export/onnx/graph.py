"""Graph: the graph of operators while it is made. `node` adds an operator, and its result names what it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet.layers import Layer
from fastnet.layers.base import Shape

BATCH = "batch"  # the name of the first axis, whose length a file leaves open
_TEXT_LIMIT = 1000  # characters of a description


class Graph:
    """The nodes and initializers of an ONNX graph.

    A value of the graph is known by its name. What a node takes is such a name, or a constant: a float for a float32
    number, an integer, or a list of integers, such as a shape.

    Attributes:
        opset: the version of the standard operators.
        nodes: the nodes, in the order in which they compute.
        initializers: the weights and the constants.
        values: for each layer, the name and the shape of its output.
        needs_ml: whether a node is one of the additional operators for machine learning.
    """

    def __init__(self, onnx: ModuleType, opset: int) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.values: list[Any] = []
        self.needs_ml = False
        self._helper, self._types = onnx.helper, onnx.TensorProto
        self._taken: set[str] = set()
        self._constants: dict[str, str] = {}
        self._path = self._described = ""  # the name and the description of the layer that is being written

    def take(self, name: str) -> str:
        """Returns this name for a value, or one with a number if it is taken."""
        wanted = found = self.text(name)
        count = 0
        while found in self._taken:
            count += 1
            found = f"{wanted}_{count}"
        self._taken.add(found)
        return found

    @staticmethod
    def text(text: str) -> str:
        """Returns a text that a file can hold: not too long, and without halves of surrogate pairs."""
        return text[:_TEXT_LIMIT].encode(errors="replace").decode()

    def node(
        self, operator: str, *takes: str | float | Sequence[int], outputs: int = 1, domain: str = "", **attributes: Any
    ) -> str:
        """Adds a node.

        Args:
            operator: the operator's name.
            takes: the names of its inputs, or constants.
            outputs: the number of its outputs.
            domain: where the operator is defined; by default it is one of the standard operators.
            attributes: its other arguments.

        Returns:
            The name of its first output.
        """
        inputs = [entry if isinstance(entry, str) else self._constant(entry) for entry in takes]
        made = [self.take(f"{self._path}/{operator}") for _ in range(outputs)]
        self.nodes.append(
            self._helper.make_node(
                operator, inputs, made, name=made[0], doc_string=self._described, domain=domain, **attributes
            )
        )
        self.needs_ml |= domain == "ai.onnx.ml"
        return made[0]

    def reduce(self, operator: str, x: str, axes: Sequence[int], keep: bool = True) -> str:
        """Adds a node such as ReduceMean, which computes one number of all numbers along some axes.

        Before opset 18, most of these operators take the axes as an attribute. Without `keep`, count the axes
        from the front: ONNX Runtime before 1.32 else gets the shape wrong if there are no examples.
        """
        if self.opset < 18 and operator != "ReduceSum":
            return self.node(operator, x, axes=list(axes), keepdims=int(keep))
        return self.node(operator, x, list(axes), keepdims=int(keep))

    def weight(self, name: str, array: NDArray[Any]) -> str:
        """Adds an array of the layer, float32 or int64, and returns the name of its value."""
        full = self.take(f"{self._path}/{name}")
        self._initialize(full, array)
        return full

    def cast(self, x: str, kind: str) -> str:
        """Adds a node that converts numbers to ``"FLOAT"`` (float32) or ``"INT64"``."""
        return self.node("Cast", x, to=getattr(self._types, kind))

    def value(self, name: str, shape: Shape, doc: str = "") -> Any:
        """Returns a description of a value: float32 numbers, (batch, *shape)."""
        return self._helper.make_tensor_value_info(name, self._types.FLOAT, [BATCH, *shape], doc_string=doc)

    def write_layer(self, path: str, layer: Layer, x: str, write: Callable[[Graph, Layer, str], str]) -> str:
        """Adds the nodes of a layer; returns the name of its output, which is that of the layer.

        Args:
            path: the name of the layer.
            layer: the layer.
            x: the name of its input.
            write: adds the nodes, and returns the name of what the last one computes; x if there are none.
        """
        self._path, self._described = path, self.text(repr(layer))
        y = write(self, layer, x)
        if y == x:
            return x
        y = self._rename(self.take(path))
        assert layer.output_shape is not None
        self.values.append(self.value(y, layer.output_shape))
        return y

    def end_with(self, x: str, end: str, start: str) -> None:
        """Makes x, the output of the last node, the output of the graph. A graph without nodes gets an Identity."""
        if x == start:
            self._path = self._described = end
            self.node("Identity", x)
        else:
            self.values.pop()
        self._rename(end)

    def _rename(self, name: str) -> str:
        """Renames the output of the last node, which no node takes yet."""
        self.nodes[-1].output[0] = name
        return name

    def _constant(self, value: float | Sequence[int]) -> str:
        """Returns the name of a constant, which is its text, such as ``"0.5"`` or ``"[0, 784]"``."""
        text = repr(value)
        if text not in self._constants:
            self._constants[text] = self.take(text)
            with np.errstate(over="ignore"):
                array = np.array(value, np.float32 if isinstance(value, float) else np.int64)
            self._initialize(self._constants[text], array)
        return self._constants[text]

    def _initialize(self, name: str, array: NDArray[Any]) -> None:
        kind, code = (self._types.INT64, "<i8") if array.dtype.kind == "i" else (self._types.FLOAT, "<f4")
        data = np.ascontiguousarray(array, code).tobytes()
        self.initializers.append(self._helper.make_tensor(name, kind, array.shape, data, raw=True))
