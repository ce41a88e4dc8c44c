"""The tutorial's network in ONNX Runtime, with random weights, since it only predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from implementations import Network, Trainer


class Session(Trainer):
    """A session with the same number of threads as the others."""

    def __init__(self, network: Network, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        model = _model(network).SerializeToString()
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def predict(self, x: Any) -> Any:
        return self._session.run(None, {"x": x})[0]


def _model(network: Network) -> Any:
    rng = np.random.default_rng(0)
    nodes, weights, last = [], [], "x"
    for i, (inputs, units) in enumerate(zip(network.widths, network.widths[1:], strict=False)):
        limit = np.sqrt(6 / (inputs + units))
        kernel = rng.uniform(-limit, limit, (inputs, units)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"kernel{i}"))
        weights.append(numpy_helper.from_array(np.zeros(units, np.float32), f"bias{i}"))
        nodes.append(helper.make_node("Gemm", [last, f"kernel{i}", f"bias{i}"], [f"z{i}"]))
        final = i == len(network.widths) - 2
        nodes.append(helper.make_node("Softmax" if final else "Relu", [f"z{i}"], ["y" if final else f"y{i}"]))
        last = f"y{i}"
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", network.widths[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", network.widths[-1]])],
        weights,
    )
    # Recent versions of ONNX Runtime all read these versions, but maybe not the newest that onnx writes.
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
