"""A user's own classes and functions, registered by name or known in a scope."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import (
    Sequential,
    activations,
    constraints,
    initializers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    saving,
    utils,
)
from fastnet.layers import Dense, Input, Layer
from fastnet.registered import _NAMES, _OBJECTS


@pytest.fixture(autouse=True)
def _nothing_stays_registered() -> Iterator[None]:
    objects, names = dict(_OBJECTS), dict(_NAMES)
    yield
    for table, before in ((_OBJECTS, objects), (_NAMES, names)):
        table.clear()
        table.update(before)  # type: ignore[arg-type]


class Scale(Layer):
    def __init__(self, by: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by = by

    def call(self, x: Any, training: bool = False) -> Any:
        return x * np.float32(self.by)

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        return dy * np.float32(self.by)


class Halves(initializers.Initializer):
    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return np.full(shape, 0.5, np.float32)


def test_names() -> None:
    assert saving.get_registered_name(Scale) == "Scale"
    assert saving.get_registered_object("mine>Scale") is None
    assert saving.register_keras_serializable("mine")(Scale) is Scale
    assert saving.get_registered_name(Scale) == "mine>Scale"
    assert saving.get_registered_object("mine>Scale") is Scale
    assert saving.get_registered_object("a", {"a": 1}, {"a": 2, "b": 3}) == 1
    assert saving.get_registered_object("b", {"a": 1}, {"a": 2, "b": 3}) == 3

    @utils.register_keras_serializable(name="other")
    def function() -> None: ...

    assert utils.get_custom_objects()["Custom>other"] is function
    with pytest.raises(ValueError, match=r"does not have a get_config\(\) method: object"):
        utils.register_keras_serializable()(object)


def save(path: Path) -> Sequential:
    model = Sequential([Input((2,)), Scale(3.0), Dense(1, kernel_initializer=Halves())])
    model.compile("sgd", "mse")
    model.save(path)
    return model


def test_a_registered_class_is_found_in_a_file(tmp_path: Path) -> None:
    saving.register_keras_serializable("mine")(Scale)
    saving.register_keras_serializable("mine")(Halves)
    path = tmp_path / "m.safetensors"
    model = save(path)
    again = models.load_model(path)
    x = np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert [layer["class_name"] for layer in model.get_config()["layers"]] == ["mine>Scale", "Dense"]
    assert isinstance(models.model_from_json(model.to_json()).layers[0], Scale)
    assert isinstance(models.clone_model(model).layers[0], Scale)
    _OBJECTS.clear()
    _NAMES.clear()
    with pytest.raises(ValueError, match="unknown layer 0 'mine>Scale'"):
        models.load_model(path)
    found = models.load_model(path, {"Scale": Scale, "Halves": Halves})
    np.testing.assert_array_equal(found.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_registered_class_never_stands_for_another_of_the_same_name(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save(path)
    utils.register_keras_serializable("mine", "Dense")(Scale)
    utils.register_keras_serializable("mine", "mse")(Halves)
    assert type(Sequential.from_config({"name": "m", "layers": [saved_dense()]}).layers[0]) is Dense
    assert isinstance(losses.for_training("mse"), losses.MeanSquaredError)
    with pytest.raises(ValueError, match="unknown layer 0 'Scale'"):  # it was saved before it was registered
        models.load_model(path)
    with pytest.raises(ValueError, match="unknown layer 0 'other>Scale'"):
        Sequential.from_config({"name": "m", "layers": [{"class_name": "other>Scale", "config": {}}]}, {"Scale": Scale})


def saved_dense() -> Any:
    return {"class_name": "Dense", "config": {"units": 2}}


def test_registered_functions_and_activations_are_found_in_a_file(tmp_path: Path) -> None:
    @utils.register_keras_serializable("mine")
    def off_by(y_true: Any, y_pred: Any) -> Any:
        return np.abs(y_true - y_pred).mean(axis=-1)

    @utils.register_keras_serializable("mine")
    class Square(activations.Activation):
        name = "a square"

        def __call__(self, x: Any) -> Any:
            return x * x

        def derivative(self, x: Any) -> Any:
            return 2 * x

    model = Sequential([Input((2,)), Dense(2, activation=Square())]).compile("sgd", "mse", [off_by, "mae"])
    model.save(tmp_path / "m.safetensors")
    again = models.load_model(tmp_path / "m.safetensors")
    x = np.ones((3, 2), np.float32)
    assert again.evaluate(x, x, verbose=0) == model.evaluate(x, x, verbose=0)
    assert [metric.name for metric in again.metrics] == [metric.name for metric in model.metrics]


def test_a_scope_makes_names_known_in_its_block_and_thread(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save(path)
    seen: list[Any] = []
    with utils.custom_object_scope({"Scale": Scale}) as scope, utils.CustomObjectScope({"Halves": Halves}):
        assert isinstance(models.load_model(path).layers[0], Scale)
        assert isinstance(Dense(1, kernel_initializer="Halves").kernel_initializer, Halves)
        assert utils.get_registered_object("Scale") is Scale
        with scope:  # the same one again
            pass
        thread = threading.Thread(target=lambda: seen.append(utils.get_registered_object("Scale")))
        thread.start()
        thread.join()
    assert seen == [None]
    assert utils.get_registered_object("Scale") is None
    with pytest.raises(ValueError, match="unknown layer 0 'Scale'"):
        models.load_model(path)


def test_every_get_knows_registered_names() -> None:
    @utils.register_keras_serializable("mine")
    def off_by(y_true: Any, y_pred: Any) -> Any:
        return np.abs(y_true - y_pred).mean(axis=-1)

    @utils.register_keras_serializable("mine")
    class Cube(regularizers.Regularizer):
        def __call__(self, x: Any) -> float:
            return float((np.abs(x) ** 3).sum())

    @utils.register_keras_serializable("mine")
    class Own(losses.MeanSquaredError):
        pass

    @utils.register_keras_serializable("mine")
    class Square(activations.Activation):
        def __call__(self, x: Any) -> Any:
            return x * x

    @utils.register_keras_serializable("mine")
    class Positive(constraints.NonNeg):
        pass

    @utils.register_keras_serializable("mine")
    class Slow(optimizers.SGD):
        pass

    assert isinstance(activations.get("mine>Square"), Square)
    assert isinstance(constraints.get({"class_name": "mine>Positive", "config": {}}), Positive)
    assert optimizers.get({"class_name": "mine>Slow", "config": {"learning_rate": 0.5}}).learning_rate == 0.5
    utils.register_keras_serializable("mine")(Halves)
    assert isinstance(initializers.get("mine>Halves"), Halves)
    assert isinstance(initializers.get({"class_name": "mine>Halves", "config": {}}), Halves)
    assert isinstance(regularizers.get("mine>Cube"), Cube)
    assert isinstance(losses.get("mine>Own"), Own)
    assert metrics.get("mine>off_by").name == "off_by"
    with pytest.raises(ValueError, match="unknown regularizer 'Halvess'"):
        regularizers.get("Halvess")
