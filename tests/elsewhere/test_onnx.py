"""ONNX files: what they say, whole networks in ONNX Runtime, and errors. The layers are in test_onnx_layers.py."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from elsewhere.onnx_files import Make, check, normal, run, set_weights, shape_of, whole
from helpers import sum_bound

import fastnet
from fastnet import activations, layers
from fastnet.datasets import mnist
from fastnet.export import onnx as writer
from fastnet.layers import Activation, Dense, Input, Layer


def test_a_network_of_many_layers(tmp_path: Path) -> None:
    """A model inside a model, a chain of tensors, images, and layers that add no operators."""
    inner = fastnet.Sequential([Dense(8), layers.BatchNormalization(), layers.ReLU()], name="inner")
    pixels = Input((4, 4), name="pixels")
    x = layers.Dropout(0.5)(layers.Flatten()(layers.Rescaling(1 / 255)(pixels)))
    model = fastnet.Model(pixels, Dense(3, "softmax", name="digits")(layers.Dropout(0.1)(inner(x))))
    set_weights(model, np.random.default_rng(0))
    file = check(model, tmp_path / "m.onnx", whole(0, 256, 4, 4))
    assert [value.name for value in file.graph.input] == ["pixels"]
    assert [node.op_type for node in file.graph.node] == [
        "Mul", "Reshape", "Gemm", "Add", "Sqrt", "Sub", "Div", "Mul", "Add", "Relu", "Gemm", "Softmax",
    ]  # fmt: skip
    for layer, prefix in ((model.layers[-1], "digits"), (inner.layers[0], "inner/dense")):
        for variable in layer.weights:
            name = f"{prefix}/{variable.name.rpartition('/')[2]}"
            (array,) = [onnx.numpy_helper.to_array(made) for made in file.graph.initializer if made.name == name]
            np.testing.assert_array_equal(array, variable.numpy())
    shapes = {value.name: shape_of(value) for value in file.graph.value_info}
    assert shapes == {
        "rescaling": ["batch", 4, 4], "flatten": ["batch", 16], "inner/dense": ["batch", 8],
        "inner/batch_normalization": ["batch", 8], "inner/re_lu": ["batch", 8],
    }  # fmt: skip


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    model = fastnet.Sequential([Input((3,)), Dense(2, "relu")])
    file = check(model, tmp_path / "m.onnx", normal(3))
    assert (file.producer_name, file.producer_version) == ("fastnet", fastnet.__version__)
    assert file.doc_string == repr(model)
    assert [node.doc_string for node in file.graph.node] == ["Dense(2, activation='relu')"] * 2
    assert [(value.name, shape_of(value)) for value in file.graph.input] == [("input", ["batch", 3])]
    assert [(value.name, shape_of(value)) for value in file.graph.output] == [("output", ["batch", 2])]


def test_the_default_is_the_newest_set_of_operators_that_both_programs_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fastnet.Sequential([Input((3,)), Dense(2)])

    def opset(**options: Any) -> int:
        model.export(tmp_path / "m.onnx", **options)
        return onnx.load(tmp_path / "m.onnx").opset_import[0].version

    assert opset() == min(writer.NEWEST_OPSET, onnx.defs.onnx_opset_version())
    assert opset(opset_version=np.int64(17)) == 17
    with monkeypatch.context() as patch:
        patch.setattr(writer, "NEWEST_OPSET", 19)  # the installed onnx is newer
        assert opset() == 19
    monkeypatch.setattr(onnx.defs, "onnx_opset_version", lambda: 20)  # it is older
    assert opset() == 20
    for given, error, text in (
        (12, ValueError, "opset_version must be at least 13, got 12"),
        (21, ValueError, "opset_version must be at most 20 with onnx .*, got 21"),
        ("20", TypeError, "opset_version must be an integer, got '20'"),
        (True, TypeError, "opset_version must be an integer"),
    ):
        with pytest.raises(error, match=text):
            opset(opset_version=given)


def test_the_same_model_makes_the_same_bytes(tmp_path: Path) -> None:
    model = fastnet.Sequential([Input((3,)), Dense(2), layers.BatchNormalization(), Dense(1, "gelu")])
    model.export(tmp_path / "a.onnx")
    model.save(tmp_path / "m.safetensors")
    fastnet.models.load_model(tmp_path / "m.safetensors").export(tmp_path / "b.onnx", "onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_trained_model_and_one_that_is_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((200, 5)), rng.integers(0, 3, 200)
    model = fastnet.Sequential(
        [layers.BatchNormalization(renorm=True), Dense(16, "mish"), layers.Dropout(0.5), Dense(3, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")  # whose loss computes the softmax in training
    for _ in range(2):
        model.fit(x, y, epochs=3, verbose=0)
        check(model, tmp_path / "m.onnx", normal(5))


def test_long_sums_differ_by_their_rounding_alone(tmp_path: Path) -> None:
    model = fastnet.Sequential([Input((3000,)), Dense(10)])
    model.export(tmp_path / "m.onnx")
    x = np.random.default_rng(0).standard_normal((50, 3000)).astype(np.float32)
    bound = 2 * sum_bound(3000, np.abs(x) @ np.abs(model.get_weights()[0]))
    assert (np.abs(run(tmp_path / "m.onnx", x) - model.predict(x, verbose=0)) <= bound).all()


def test_strange_names(tmp_path: Path) -> None:
    """Names that the graph uses itself, or that no file can hold."""
    names = ["output", "input", "1.0", "input/Gemm", "\ud800", "größe", "x" * 3000]
    model = fastnet.Sequential([Input((3,)), *(Dense(3, "gelu", name=name) for name in names)])
    file = check(model, tmp_path / "m.onnx", normal(3))
    assert [value.name for value in file.graph.output] == ["output"]


@pytest.mark.parametrize("layer", [layers.Identity, lambda: layers.Dropout(0.5), lambda: Activation("linear")])
def test_a_model_that_computes_nothing(layer: Make, tmp_path: Path) -> None:
    check(fastnet.Sequential([Input((3,)), layer(), layer()]), tmp_path / "m.onnx", normal(3))


def test_mnist(mnist_folder: Path, tmp_path: Path) -> None:
    """The tutorial's network: for the 10,000 test digits, the same probabilities and the same accuracy."""
    (x_train, y_train), (x_test, y_test) = mnist.load_data(mnist_folder)
    fastnet.utils.set_random_seed(1)
    model = fastnet.Sequential([Input((784,)), Dense(512, "relu"), Dense(10, "softmax")])
    model.compile("rmsprop", "sparse_categorical_crossentropy", ["accuracy"])
    rows = [x.reshape(len(x), 784).astype(np.float32) / 255 for x in (x_train, x_test)]
    model.fit(rows[0], y_train, batch_size=128, verbose=0)
    model.export(tmp_path / "mnist.onnx")
    y, expected = run(tmp_path / "mnist.onnx", rows[1]), model.predict(rows[1], verbose=0)
    # In float32 a sum of 784 numbers depends on its order, which is fastnet's own: a few of 10,000 rows differ by more.
    difference = np.abs(y - expected).max(axis=1)
    assert np.mean(difference > 1e-6) < 0.002
    assert difference.max() < 2e-6
    np.testing.assert_array_equal(y.argmax(axis=1), expected.argmax(axis=1))
    accuracy = np.mean(y.argmax(axis=1) == y_test)
    assert accuracy == np.mean(expected.argmax(axis=1) == y_test)
    assert accuracy > 0.95


# Errors ---------------------------------------------------------------------------------------------------------------


class Mine(Layer):
    def call(self, x: Any) -> Any:
        return x


class Hidden(Dense):
    def __init__(self) -> None:
        super().__init__(4, "relu")


class Square(activations.Activation):
    def __call__(self, x: Any) -> Any:
        return x * x

    def derivative(self, x: Any) -> Any:
        return 2 * x


def test_a_subclass_that_computes_nothing_of_its_own(tmp_path: Path) -> None:
    check(fastnet.Sequential([Input((3,)), Hidden()]), tmp_path / "m.onnx", normal(3))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (Mine, "layer 'mine' of class Mine cannot be exported to ONNX"),
        (lambda: layers.Lambda(np.tanh), "layer 'lambda' of class Lambda cannot .*Use layers of fastnet instead"),
        (lambda: layers.StringLookup(vocabulary=["a"]), "layer 'string_lookup' cannot .*Call the StringLookup before"),
        (lambda: Dense(2, Square()), "layer 'dense(_1)?' cannot .*activation 'Square' is Python code"),
        (lambda: Activation(Square()), "layer 'activation' cannot .*Use an activation of fastnet"),
        (lambda: layers.Discretization(num_bins=3), "has no boundaries yet; call adapt"),
        (layers.IntegerLookup, "has no vocabulary yet; call adapt"),
    ],
)
def test_what_has_no_operators_is_named(make: Make, text: str, tmp_path: Path) -> None:
    inner = fastnet.Sequential([Dense(3), make()], name="inner")
    for model in (fastnet.Sequential([Input((3,)), make()]), fastnet.Sequential([Input((3,)), inner])):
        (tmp_path / "m.onnx").write_bytes(b"old")
        with pytest.raises(ValueError, match=text):
            model.export(tmp_path / "m.onnx")
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("m.onnx", b"old")]


def test_the_part_before_a_lambda_can_be_exported(tmp_path: Path) -> None:
    """As the error says."""
    model = fastnet.Sequential([Input((3,)), Dense(4), layers.Lambda(np.tanh)])
    part = fastnet.Model(model.inputs, model.layers[0].output)
    check(part, tmp_path / "m.onnx", normal(3))


def test_a_file_has_at_most_2_gb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fastnet.Sequential([Input((30,)), Dense(20)])
    model.export(tmp_path / "m.onnx")
    size = (tmp_path / "m.onnx").stat().st_size
    for limit in (100, size - 1):
        monkeypatch.setattr(writer, "_SIZE_LIMIT", limit)
        with pytest.raises(ValueError, match="an ONNX file has at most 2 GB"):
            model.export(tmp_path / "new.onnx")
        assert not (tmp_path / "new.onnx").exists()
    monkeypatch.setattr(writer, "_SIZE_LIMIT", size)
    model.export(tmp_path / "new.onnx")


def test_a_missing_package_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'python -m pip install "fastnet-mlp\[onnx\]"'):
        fastnet.Sequential([Input((3,)), Dense(2)]).export(tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []
