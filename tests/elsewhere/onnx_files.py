"""ONNX files for tests: examples, and the comparison of a file with its model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from fastnet.export import onnx as writer

OPSETS = (writer.OLDEST_OPSET, min(writer.NEWEST_OPSET, onnx.defs.onnx_opset_version()))
Make = Callable[[], Any]


def normal(*shape: int) -> Any:
    """Makes examples of this shape, of usual size."""
    return lambda n, rng: (2 * rng.standard_normal((n, *shape))).astype(np.float32)


def far(*shape: int) -> Any:
    """Makes examples far from 0, where a difference of large numbers would lose digits."""
    return lambda n, rng: (1000 + rng.standard_normal((n, *shape))).astype(np.float32)


def equal(*shape: int) -> Any:
    """Makes examples whose numbers are all the same."""
    return lambda n, rng: np.repeat(rng.random(n), int(np.prod(shape))).reshape(n, *shape).astype(np.float32)


def whole(least: int, below: int, *shape: int) -> Any:
    """Makes examples of whole numbers."""
    return lambda n, rng: rng.integers(least, below, (n, *shape)).astype(np.float32)


def set_weights(model: Any, rng: np.random.Generator) -> None:
    """Sets the weights to positive numbers other than their initial ones: some are variances."""
    model.set_weights([rng.uniform(0.1, 1.5, array.shape) for array in model.get_weights()])


def session(path: Path) -> Any:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(path: Path, x: Any) -> Any:
    """Returns what ONNX Runtime computes."""
    runtime = session(path)
    (y,) = runtime.run(None, {runtime.get_inputs()[0].name: x})
    return y


def check(model: Any, path: Path, make: Any, **options: Any) -> Any:
    """Exports a model and compares everything: the checker, the shapes, and two programs' predictions."""
    rng = np.random.default_rng(1)
    model.export(path, **options)
    file = onnx.load(path)
    onnx.checker.check_model(file, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(file, check_type=True, strict_mode=True, data_prop=True)
    shapes = {value.name: shape_of(value) for value in (*inferred.graph.value_info, *inferred.graph.output)}
    assert shapes["output"] == ["batch", *model.output_shape[1:]]
    assert [node.op_type for node in file.graph.node if node.domain not in ("", "ai.onnx.ml")] == []
    for n in (0, 1, 5):
        x = make(n, rng)
        y = run(path, x)
        assert y.dtype == np.float32
        assert y.shape == (n, *model.output_shape[1:])
        np.testing.assert_allclose(y, model.predict(x, verbose=0), rtol=1e-6, atol=1e-6)
    (y,) = ReferenceEvaluator(file).run(None, {file.graph.input[0].name: x})  # ONNX's own, in NumPy
    np.testing.assert_allclose(y, model.predict(x, verbose=0), rtol=1e-6, atol=1e-6)
    return file


def shape_of(value: Any) -> list[Any]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
