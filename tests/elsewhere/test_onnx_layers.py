"""ONNX Runtime computes what fastnet computes, for every layer and every activation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elsewhere.onnx_files import OPSETS, Make, check, equal, far, normal, run, set_weights, whole

import fastnet
from fastnet import activations, layers
from fastnet.layers import Activation, Dense, Input


def adapted(layer: Any, data: Any) -> Any:
    layer.adapt(data)
    return layer


def lookup(**options: Any) -> Make:
    return lambda: layers.IntegerLookup(vocabulary=[12, 36, -7, 2**30], **options)


# For each layer: how to make one, and examples for it.
LAYERS: dict[str, list[tuple[Make, Any]]] = {
    "Activation": [
        (lambda: Activation("tanh"), normal(3, 4)),
        (lambda: Activation("tanh"), normal()),
        (lambda: Activation("softmax"), normal(3, 4)),
        (lambda: Activation("glu"), normal(6)),
        (lambda: Activation("glu"), normal(2, 6)),
        (lambda: Activation("sparsemax"), normal(2, 6)),
    ],
    "ActivityRegularization": [(lambda: layers.ActivityRegularization(0.1), normal(3))],
    "AlphaDropout": [(lambda: layers.AlphaDropout(0.5), normal(3))],
    "BatchNormalization": [
        (layers.BatchNormalization, normal(4)),
        (layers.BatchNormalization, far(4)),
        (lambda: layers.BatchNormalization(center=False, epsilon=0), normal(3, 4)),
        (lambda: layers.BatchNormalization(axis=1, scale=False), normal(3, 4)),
        (lambda: layers.BatchNormalization(renorm=True), normal(4)),
    ],
    "CategoryEncoding": [
        *((lambda mode=mode: layers.CategoryEncoding(5, mode), whole(0, 5, 3)) for mode in ("multi_hot", "count")),
        *((lambda mode=mode: layers.CategoryEncoding(5, mode), whole(0, 5, 3, 2)) for mode in ("multi_hot", "count")),
        *((lambda: layers.CategoryEncoding(5, "one_hot"), whole(0, 5, *shape)) for shape in ((), (3,), (1,), (3, 1))),
    ],
    "Dense": [
        (lambda: Dense(7), normal(5)),
        (lambda: Dense(7, "relu", use_bias=False), normal(5)),
        (lambda: Dense(7, "softmax"), normal(3, 5)),
        (lambda: Dense(1, "sigmoid", use_bias=False), normal(2, 3, 5)),
    ],
    "Discretization": [
        (lambda: layers.Discretization([-1.0, 0.0, 0.0, 2.5]), normal(3)),
        (lambda: layers.Discretization([-1.0, 0.0, 2.5]), whole(-2, 3, 3)),
        (lambda: layers.Discretization([0.5], output_mode="one_hot"), normal(3)),
        (lambda: layers.Discretization([0.5], output_mode="one_hot"), normal(3, 1)),
        (lambda: layers.Discretization([0.5], output_mode="multi_hot"), normal(3)),
        (lambda: adapted(layers.Discretization(num_bins=4, output_mode="count"), np.arange(50.0)), normal(3)),
        (lambda: adapted(layers.Discretization(num_bins=1), np.arange(50.0)), normal(3)),
    ],
    "Dropout": [(lambda: layers.Dropout(0.5), normal(3))],
    "ELU": [(lambda: layers.ELU(alpha=1.5), normal(3))],
    "Embedding": [
        (lambda: layers.Embedding(9, 20), whole(0, 9, 3)),
        (lambda: layers.Embedding(9, 1), whole(0, 9, 3, 2)),
    ],
    "Flatten": [(layers.Flatten, normal(2, 3)), (layers.Flatten, normal(4)), (layers.Flatten, normal())],
    "GaussianDropout": [(lambda: layers.GaussianDropout(0.5), normal(3))],
    "GaussianNoise": [(lambda: layers.GaussianNoise(0.5), normal(3))],
    "GlobalAveragePooling1D": [
        (layers.GlobalAveragePooling1D, normal(30, 4)),
        (lambda: layers.GlobalAveragePooling1D("channels_first", keepdims=True), normal(3, 4)),
    ],
    "GroupNormalization": [
        (lambda: layers.GroupNormalization(2), normal(6)),
        (lambda: layers.GroupNormalization(3, axis=1), normal(6, 4)),
        (lambda: layers.GroupNormalization(-1, center=False), normal(5, 4)),
        (lambda: layers.GroupNormalization(1, scale=False), far(5, 4)),
    ],
    "Identity": [(layers.Identity, normal(3))],
    "InputLayer": [(layers.Identity, normal(3)), (layers.Identity, normal())],
    "IntegerLookup": [
        (lookup(), whole(-9, 40, 8)),
        (lookup(mask_token=13), whole(10, 14, 8)),
        (lookup(num_oov_indices=3), whole(-9, 40, 8)),
        (lookup(num_oov_indices=0), whole(12, 13, 8)),
        (lookup(invert=True, oov_token=-5), whole(-2, 9, 8)),
        (lookup(invert=True, oov_token=None), whole(1, 5, 8)),
        (lookup(invert=True, mask_token=3), whole(-2, 9, 8)),
        (lookup(output_mode="one_hot"), whole(10, 14, 3)),
        (lookup(output_mode="one_hot"), whole(10, 14, 1)),
        (lookup(output_mode="multi_hot", num_oov_indices=2), whole(10, 14, 3)),
        (lookup(output_mode="multi_hot", mask_token=13, max_tokens=20, pad_to_max_tokens=True), whole(10, 14, 3)),
        (lookup(output_mode="count"), whole(10, 14, 3, 2)),
        (lookup(output_mode="tf_idf", idf_weights=[0.5, 0.25, 3.0, 1.0]), whole(10, 14, 3)),
        (lambda: adapted(layers.IntegerLookup(output_mode="count"), [[1, 1, 2]]), whole(0, 5, 3)),
    ],
    "LayerNormalization": [
        (layers.LayerNormalization, normal(40)),
        (layers.LayerNormalization, far(8)),
        (lambda: layers.LayerNormalization(axis=[1, 2], center=False), normal(3, 4)),
        (lambda: layers.LayerNormalization(axis=1, scale=False), normal(3, 4)),
        (lambda: layers.LayerNormalization(epsilon=0), equal(7)),
    ],
    "LeakyReLU": [(layers.LeakyReLU, normal(3))],
    "Normalization": [
        (lambda: adapted(layers.Normalization(), np.arange(12.0).reshape(4, 3)), normal(3)),
        (lambda: layers.Normalization(mean=3.0, variance=0.0, axis=None), normal(3)),
        (lambda: layers.Normalization(mean=[3.0, -1.0], variance=[2.0, 0.5], invert=True), normal(4, 2)),
        (lambda: layers.Normalization(axis=1, mean=[1000.0, 999.0], variance=[2.0, 0.5]), far(2, 3)),
    ],
    "PReLU": [(layers.PReLU, normal(3)), (lambda: layers.PReLU(shared_axes=[1]), normal(3, 4))],
    "Permute": [(lambda: layers.Permute((3, 1, 2)), normal(2, 3, 4))],
    "RMSNormalization": [
        (layers.RMSNormalization, normal(40)),
        (lambda: layers.RMSNormalization(axis=[1, 2], epsilon=0), normal(3, 4)),
        (lambda: layers.RMSNormalization(epsilon=0), lambda n, rng: np.zeros((n, 3), np.float32)),
    ],
    "ReLU": [
        (layers.ReLU, normal(30)),
        (lambda: layers.ReLU(max_value=1.5), normal(30)),
        (lambda: layers.ReLU(1.5, 0.25, 0.5), normal(30)),
        (lambda: layers.ReLU(negative_slope=0.25, threshold=0.5), normal(30)),
        (lambda: layers.ReLU(max_value=0.25, threshold=0.5), normal(30)),
    ],
    "RepeatVector": [(lambda: layers.RepeatVector(3), normal(4))],
    "Rescaling": [
        (lambda: layers.Rescaling(1 / 255), whole(0, 256, 4)),
        (lambda: layers.Rescaling(2, -1), normal(3, 4)),
        (lambda: layers.Rescaling(1, 0), normal(3)),
        (lambda: layers.Rescaling([1.0, 2.0], [[3.0], [4.0], [5.0]]), normal(3, 2)),
    ],
    "Reshape": [(lambda: layers.Reshape((3, -1)), normal(6)), (lambda: layers.Reshape((4,)), normal(2, 2))],
    "Softmax": [
        (layers.Softmax, normal(3, 4)),
        (lambda: layers.Softmax(axis=1), normal(3, 4)),
        (lambda: layers.Softmax(axis=[1, 2]), normal(3, 4)),
    ],
    "UnitNormalization": [
        (layers.UnitNormalization, normal(4)),
        (lambda: layers.UnitNormalization(axis=[1, 2]), normal(3, 4)),
        (layers.UnitNormalization, lambda n, rng: np.zeros((n, 3), np.float32)),
    ],
}
NOT_EXPORTED = {"Lambda", "StringLookup"}

# For each activation: its variants. Each is applied to the numbers of `NUMBERS`.
ACTIVATIONS: dict[str, list[dict[str, Any]]] = {
    "Celu": [{}, {"alpha": 2.5}],
    "ClippedRelu": [{"max_value": 2}, {"negative_slope": -0.5, "threshold": -1}, {"max_value": 0, "threshold": -3}],
    "Elu": [{}, {"alpha": 2.5}, {"alpha": -1}],
    "Gelu": [{}, {"approximate": True}],
    "HardShrink": [{}, {"threshold": 2}],
    "LeakyRelu": [{}, {"negative_slope": 0}, {"negative_slope": 0.01}],
    "SoftShrink": [{}, {"threshold": 2}],
    "Squareplus": [{}, {"b": 0}, {"b": 0.01}],
    "Threshold": [{}, {"threshold": 1, "default_value": -9}],
}
ACTIVATIONS |= {
    kind: [{}]
    for kind in (
        "Exponential", "Glu", "HardSigmoid", "HardSilu", "HardTanh", "Linear", "LogSigmoid", "LogSoftmax", "Mish",
        "Relu", "Relu6", "Selu", "Sigmoid", "Silu", "Softmax", "Softplus", "Softsign", "SparsePlus", "SparseSigmoid",
        "Sparsemax", "Tanh", "TanhShrink",
    )
}  # fmt: skip
NUMBERS = np.concatenate(
    [np.linspace(-12, 12, 2401), [0.0, -0.0], np.geomspace(1e-8, 80, 40), -np.geomspace(1e-8, 80, 41)]
)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(
    ("make", "examples"),
    [pytest.param(*case, id=f"{name}-{i}") for name, cases in LAYERS.items() for i, case in enumerate(cases)],
)
def test_every_layer_computes_the_same(make: Make, examples: Any, opset: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layer = make()
    model = fastnet.Sequential([Input(examples(1, rng).shape[1:]), layer])
    if not isinstance(layer, layers.Normalization):
        set_weights(model, rng)
    check(model, tmp_path / "m.onnx", examples, opset_version=opset)


def test_no_layer_is_forgotten() -> None:
    """A new layer needs operators in fastnet/export/onnx/, and a case above."""
    kinds = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)} - {"Layer"}
    assert kinds == set(LAYERS) | NOT_EXPORTED


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param(kind, options, id=f"{kind}-{i}")
        for kind, variants in ACTIVATIONS.items()
        for i, options in enumerate(variants)
    ],
)
def test_every_activation_computes_the_same(kind: str, options: Any, opset: int, tmp_path: Path) -> None:
    model = fastnet.Sequential([Input((4,)), Activation(getattr(activations, kind)(**options))])
    rows = NUMBERS.astype(np.float32).reshape(-1, 4)
    model.export(tmp_path / "m.onnx", opset_version=opset)
    y = run(tmp_path / "m.onnx", rows)
    np.testing.assert_allclose(y, model.predict(rows, verbose=0), rtol=1e-6, atol=1e-6)
    if kind != "Glu":  # which Dense does not take
        dense = fastnet.Sequential([Input((3,)), Dense(5, activation=getattr(activations, kind)(**options))])
        check(dense, tmp_path / "dense.onnx", normal(3), opset_version=opset)


def test_no_activation_is_forgotten() -> None:
    activations.get("glu")
    with pytest.raises(ValueError, match="unknown activation"):
        activations.get("none of them")  # imports all
    assert set(activations.CLASSES) == set(ACTIVATIONS)
