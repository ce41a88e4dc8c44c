"""Keras's file formats as far as they need nothing else installed; the rest is in tests/elsewhere."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Model, Sequential, activations, callbacks, initializers, layers, losses, metrics, optimizers
from fastnet.layers import Dense, Input
from fastnet.playground.__main__ import main
from fastnet.saving import keras_writing, load_model


def test_without_h5py_the_error_has_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    model = Sequential([Input((2,)), Dense(1)]).compile("sgd", "mse")
    x, y = np.zeros((4, 2)), np.zeros((4, 1))
    (tmp_path / "old.keras").write_bytes(b"old")
    for call in (
        lambda: model.save(tmp_path / "m.keras"),
        lambda: model.save_weights(tmp_path / "m.weights.h5"),
        lambda: model.load_weights(tmp_path / "old.keras"),
        lambda: load_model(tmp_path / "old.keras"),
        lambda: model.fit(x, y, verbose=0, callbacks=[callbacks.ModelCheckpoint(tmp_path / "m.keras")]),
        lambda: model.fit(
            x, y, verbose=0, callbacks=[callbacks.ModelCheckpoint(tmp_path / "m.weights.h5", save_weights_only=True)]
        ),
    ):
        with pytest.raises(ImportError, match=r'needs h5py, .* python -m pip install "fastnet-mlp\[keras\]"'):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["old.keras"]
    assert model.optimizer is not None
    assert model.optimizer.iterations == 0


def test_the_playground_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "m.keras").write_bytes(b"old")
    assert main([str(tmp_path / "m.keras"), "--no-browser"]) == 1
    assert capsys.readouterr().err.startswith("error: a file of Keras needs h5py")


# What Keras could not open is refused before anything is written.


class Scale(layers.Layer):
    def call(self, x: Any) -> Any:
        return 2 * x

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        return 2 * dy


class Cube(activations.Activation):
    def __call__(self, x: Any) -> Any:  # type: ignore[override]
        return x**3

    def derivative(self, x: Any) -> Any:
        return 3 * x**2


class Slow(optimizers.SGD):
    pass


class Loss(losses.MeanSquaredError):
    pass


def halves(shape: Any) -> Any:
    return np.full(shape, 0.5)


def rate() -> float:
    return 0.1


def distance(y_true: Any, y_pred: Any) -> Any:
    return abs(y_true - y_pred)


class Distance(metrics.MeanAbsoluteError):
    pass


NOT_OURS: list[tuple[Any, dict[str, Any], str]] = [
    (Scale(name="mine"), {}, "layer 'mine' of class Scale"),
    (layers.Lambda(lambda x: x, gradient=lambda x, y, dy: dy), {}, "layer 'lambda' of class Lambda"),
    (Dense(2, Cube()), {}, "activation of layer 'dense' of class Cube"),
    (Dense(2, kernel_initializer=halves), {}, "is 'halves', a function of your own"),
    (Dense(2, "threshold"), {}, "its activation 'threshold' has no default arguments in Keras"),
    (Dense(2, activations.SoftShrink(0.1)), {}, r"'soft_shrink' has arguments \(threshold=0.1\)"),
    (Dense(2), {"optimizer": Slow(name="slow")}, "the optimizer 'slow' of class Slow"),
    (Dense(2), {"optimizer": optimizers.SGD(rate)}, "is 'rate', a function of your own"),
    (Dense(2), {"loss": Loss()}, "the loss 'mean_squared_error' of class Loss"),
    (Dense(2), {"loss": losses.custom(distance, lambda t, p: p - t)}, "the loss 'distance'"),
    (Dense(2), {"metrics": [Distance(name="far")]}, "the metric 'far' of class Distance"),
    (Dense(2), {"metrics": [distance]}, "the metric 'distance' cannot be saved .* it is made of a function"),
    (Dense(2), {"metrics": [metrics.MeanMetricWrapper(distance)]}, "the metric 'mean_metric_wrapper'"),
]


@pytest.mark.parametrize(("layer", "arguments", "named"), NOT_OURS, ids=[named for *_, named in NOT_OURS])
def test_what_is_the_users_own_is_refused_by_name(layer: Any, arguments: dict[str, Any], named: str) -> None:
    model = Sequential([Input((2,)), layer]).compile(**{"optimizer": "sgd", "loss": "mse", **arguments})
    with pytest.raises(TypeError, match=named) as error:
        keras_writing.config_of(model)
    assert "cannot be saved in Keras's format: " in str(error.value)
    assert "A file that ends in .safetensors holds it" in str(error.value)


def test_names_that_keras_would_refuse() -> None:
    with pytest.raises(ValueError, match="name 'a/b' has a slash, which Keras does not allow"):
        keras_writing.config_of(Sequential([Input((2,)), Dense(2, name="a/b")]))
    start = Input((2,), name="x")
    with pytest.raises(ValueError, match="two layers called 'x'"):
        keras_writing.config_of(Model(start, Dense(2, name="x")(start)))


def test_a_description_changes_nothing() -> None:
    model = Sequential([Dense(2, kernel_initializer=initializers.Constant([[1.0, 2.0]]))]).compile("adam", "mse")
    before = model.get_config()
    keras_writing.config_of(model)
    assert model.get_config() == before
    assert not model.built
