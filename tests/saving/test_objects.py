"""Descriptions of single objects in Keras's form."""

import json
from typing import Any

import numpy as np
import pytest

from fastnet import (
    Model,
    Sequential,
    activations,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    saving,
)
from fastnet.saving import deserialize_keras_object, serialize_keras_object


def again(thing: Any, **named: Any) -> Any:
    """The thing that is made of a description that was JSON in between; its own description must be the same."""
    described = json.loads(json.dumps(serialize_keras_object(thing)))
    made = deserialize_keras_object(described, **named)
    assert json.loads(json.dumps(serialize_keras_object(made))) == described
    return made


@pytest.mark.parametrize(
    "thing",
    [
        layers.Dense(3, activation="relu", kernel_initializer=initializers.Constant(2.0), name="a"),
        layers.Softmax(),
        layers.Activation(activations.LeakyRelu(0.3)),
        losses.Huber(2.0),
        losses.BinaryCrossentropy(from_logits=True),
        metrics.BinaryCrossentropy(from_logits=True),
        metrics.Precision(thresholds=0.4),
        optimizers.Adam(0.3, beta_1=0.5),
        optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)),
        optimizers.schedules.ExponentialDecay(0.1, 5, 0.9),
        initializers.VarianceScaling(2.0),
        regularizers.L1L2(0.1, 0.2),
        constraints.MaxNorm(3.0),
        activations.LeakyRelu(0.3),
    ],
    ids=repr,
)
def test_objects_come_back(thing: Any) -> None:
    made = again(thing)
    assert type(made) is type(thing)
    assert made.get_config() == thing.get_config()


def test_the_description_is_that_of_keras() -> None:
    assert serialize_keras_object(regularizers.L2(0.1)) == {
        "module": "keras.regularizers",
        "class_name": "L2",
        "config": {"l2": 0.1},
        "registered_name": None,
    }
    assert serialize_keras_object(optimizers.schedules.PiecewiseConstantDecay([1], [1.0, 0.5]))["module"] == (
        "keras.optimizers.schedules"
    )
    assert serialize_keras_object(Sequential())["module"] == "keras"
    assert serialize_keras_object(activations.relu)["config"] == "relu"


def test_a_description_by_keras_is_read() -> None:
    inner = {"module": "keras.initializers", "class_name": "Constant", "registered_name": None}
    made = deserialize_keras_object(
        {
            "module": "keras.layers",
            "class_name": "Dense",
            "config": {"units": 2, "activation": "tanh", "kernel_initializer": {**inner, "config": {"value": 3.0}}},
            "registered_name": None,
            "build_config": {"input_shape": [None, 4]},
        }
    )
    assert made.kernel_initializer.get_config() == {"value": 3.0}
    assert made.activation is activations.tanh


def test_functions_models_and_plain_values_come_back() -> None:
    assert again(activations.tanh) is activations.tanh
    assert again(losses.hinge) is losses.hinge
    model = again(Sequential([layers.Input((3,)), layers.Dense(2, activation="relu")], name="m"))
    assert model.name == "m"
    assert model.count_params() == 8
    inputs = layers.Input((3,))
    outer = again(Model(inputs, model(layers.Dense(3)(inputs)), name="outer"))
    assert (type(outer), outer.name, outer.count_params()) == (Model, "outer", 20)
    assert [type(layer) for layer in outer.layers] == [layers.InputLayer, layers.Dense, Sequential]
    assert serialize_keras_object(outer)["class_name"] == "Functional"
    values = [None, True, 2, 0.5, "text", {"a": [1, 2]}, slice(None, 20, 2), ..., b"bytes"]
    assert again(values) == values
    assert again((1, (2,))) == [1, [2]]  # JSON has no tuples
    made = again({"x": np.array([[1.5, 2]], np.float32), "n": np.float64(2.5), "i": np.int32(3)})
    assert made["x"].dtype == np.float32
    np.testing.assert_array_equal(made["x"], [[1.5, 2]])
    assert (made["n"], made["i"]) == (2.5, 3)


class Own(regularizers.Regularizer):
    def __init__(self, inner: Any = None) -> None:
        self.inner = inner

    def get_config(self) -> dict[str, Any]:
        return {"inner": self.inner}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Own":
        return cls(deserialize_keras_object(config["inner"]))


def test_own_classes_must_be_known() -> None:
    thing = Own(Own(regularizers.L2(0.5)))
    made = again(thing, custom_objects={"Own": Own})
    assert isinstance(made.inner.inner, regularizers.L2)
    described = serialize_keras_object(thing)
    assert described["module"] == __name__
    with pytest.raises(ValueError, match=r"unknown class 'Own'.* must be registered with register_keras_serializable"):
        deserialize_keras_object(described)
    with saving.CustomObjectScope({"Own": Own}):
        assert isinstance(deserialize_keras_object(described), Own)


def test_a_function_is_found_with_and_without_its_package() -> None:
    def mine() -> None: ...

    for name in ("mine", "a>mine"):
        with saving.CustomObjectScope({"a>mine": mine}):
            assert deserialize_keras_object({"class_name": "function", "config": name}) is mine


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"class_name": "Dens", "config": {}}, ValueError, "unknown class 'Dens'; did you mean 'Dense'?"),
        ({"class_name": "function", "config": "eval"}, ValueError, "unknown function 'eval'"),
        ({"class_name": "function", "config": ["a"]}, TypeError, "non-null str"),
        ({"class_name": "Dense", "config": [1]}, TypeError, "Expected 'config' to be a dict for Dense"),
        ({"class_name": 3, "config": {}}, TypeError, "class_name must be a string"),
        ({"class_name": "__lambda__", "config": {"value": "..."}}, ValueError, "arbitrary code execution"),
        ({"class_name": "__other__", "config": {}}, ValueError, "no values of the kind __other__"),
        (
            {"class_name": "Dense", "config": {"units": 1}, "registered_name": "subprocess.Popen"},
            ValueError,
            "resolved to a Keras built-in",
        ),
        ({1, 2}, TypeError, "config must be a description"),
    ],
)
def test_bad_descriptions(config: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        deserialize_keras_object(config)


def test_what_cannot_be_described() -> None:
    with pytest.raises(ValueError, match="a lambda has no name"):
        serialize_keras_object({"f": lambda: 1})
    with pytest.raises(TypeError, match=r"object has no get_config"):
        serialize_keras_object(object())
