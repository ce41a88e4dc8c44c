"""Models as plain data: what is described is made again, and nothing else can be made."""

import json
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, configuration, layers, losses, metrics, optimizers
from fastnet.configuration import classes_of, compile_config, compile_from_config, model_config, model_from_config
from fastnet.layers import Dense, Dropout, Flatten, Input, Layer

# What a class needs, where it needs anything; a new class is tested without more, or its arguments come here.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "relu"},
    "AlphaDropout": {"rate": 0.25},
    "Dense": {"units": 3, "activation": "tanh", "kernel_regularizer": "l2", "bias_constraint": "non_neg"},
    "Dropout": {"rate": 0.25, "seed": 5},
    "GaussianDropout": {"rate": 0.25},
    "GaussianNoise": {"stddev": 0.25},
    "Rescaling": {"scale": 0.5, "offset": 1.0},
    "Reshape": {"target_shape": (2, -1)},
}
LAYERS = classes_of(layers, Layer)
LOSSES = {name: kind for name, kind in classes_of(losses, losses.Loss).items() if name != "CustomLoss"}
METRICS = {
    name: kind
    for name, kind in classes_of(metrics, metrics.Metric).items()
    if name not in ("FunctionMetric", "LossMetric")
}
OPTIMIZERS = classes_of(optimizers, optimizers.Optimizer)


def through_json(config: Any) -> Any:
    return json.loads(json.dumps(config, allow_nan=False))


def test_the_tables_are_fastnets_own() -> None:
    assert {"Dense", "Dropout", "Flatten", "Rescaling", "Reshape"} <= set(LAYERS)
    assert {"CategoricalCrossentropy", "MeanSquaredError"} <= set(LOSSES)
    assert {"SGD", "RMSprop", "Adam"} <= set(OPTIMIZERS)
    assert "Layer" not in LAYERS
    assert all(kind.__module__.startswith("fastnet.") for kind in (*LAYERS.values(), *LOSSES.values()))


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_comes_back(name: str) -> None:
    layer = LAYERS[name](**ARGUMENTS.get(name, {}), name="mine", trainable=False)
    model = Sequential([Input((2, 4)), *([Flatten()] if name == "Dense" else []), layer], name="whole")
    config = through_json(model_config(model))
    made = model_from_config(config)
    assert type(made.layers[-1]) is LAYERS[name]
    assert through_json(model_config(made)) == config
    assert repr(made) == repr(model)
    assert not made.layers[-1].trainable
    assert [w.shape for w in made.get_weights()] == [w.shape for w in model.get_weights()]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_comes_back(name: str) -> None:
    config = through_json(compiled(optimizers=OPTIMIZERS[name](0.25, weight_decay=0.5, clipnorm=2.0)))
    made = compile_from_config(config)
    assert type(made["optimizer"]) is OPTIMIZERS[name]
    assert through_json(compiled(optimizers=made["optimizer"])) == config


def test_a_schedule_comes_back() -> None:
    schedule = optimizers.schedules.CosineDecay(0.5, 100, warmup_target=1.0, warmup_steps=10)
    made = compile_from_config(through_json(compiled(optimizers=optimizers.Adam(schedule))))["optimizer"]
    assert made._schedule.get_config() == schedule.get_config()


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_comes_back(name: str) -> None:
    config = through_json(compiled(loss=LOSSES[name]()))
    made = compile_from_config(config)["loss"]
    assert type(made) is LOSSES[name]
    assert through_json(compiled(loss=made)) == config


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_comes_back_with_its_name(name: str) -> None:
    config = through_json(compiled(metrics=[METRICS[name](name="mine")]))
    made = compile_from_config(config)["metrics"]
    assert [(type(metric), metric.name) for metric in made] == [(METRICS[name], "mine")]
    assert through_json(compiled(metrics=made)) == config


def test_arguments_that_are_not_the_defaults_come_back() -> None:
    chosen = {"loss": losses.CategoricalCrossentropy(from_logits=True), "metrics": ["acc", metrics.get("accuracy")]}
    made = compile_from_config(through_json(compiled(**chosen)))
    assert made["loss"].from_logits
    assert [metric.name for metric in made["metrics"]] == ["acc", "accuracy"]


def compiled(optimizers: Any = "sgd", loss: Any = "mse", metrics: Any = None) -> Any:
    model = Sequential([Input((3,)), Dense(2)])
    model.compile(optimizers, loss, metrics)
    return compile_config(model)


def test_a_model_that_is_not_built_or_not_compiled() -> None:
    model = Sequential([Dense(3), Dropout(0.5)], name="later")
    config = through_json(model_config(model))
    assert config["build_input_shape"] is None
    made = model_from_config(config)
    assert (made.name, made.built, repr(made)) == ("later", False, repr(model))
    assert compile_config(model) is None
    assert model_config(Sequential([Input((3, 2))]))["build_input_shape"] == [None, 3, 2]


def test_the_form_of_keras_is_taken_too() -> None:
    config = model_config(Sequential([Input((3,)), Dense(2)]))
    assert (
        repr(model_from_config({"class_name": "Sequential", "config": config})) == "Sequential([Input((3,)), Dense(2)])"
    )


# The user's own


class Scale(Layer):
    """A layer of one's own, with an argument."""

    def __init__(self, by: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by = by

    def call(self, x: Any, training: bool = False) -> Any:
        return x * self.by

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        return dy * self.by

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"by": self.by}


def test_ones_own_layers_optimizers_losses_and_metrics() -> None:
    class Mine(optimizers.SGD):
        pass

    def wealth(y_true: Any, y_pred: Any) -> Any:
        return y_pred.mean(axis=1)

    quartic = losses.custom(lambda t, p: (p - t) ** 4, lambda t, p: 4 * (p - t) ** 3 / p.shape[1], name="quartic")
    model = Sequential([Input((3,)), Scale(2.0), Dense(2)])
    model.compile(Mine(0.5), quartic, metrics=[wealth])
    config, how = through_json(model_config(model)), through_json(compile_config(model))
    assert model_from_config(config, {"Scale": Scale}).layers[0].by == 2.0  # type: ignore[attr-defined]
    made = compile_from_config(how, {"Mine": Mine, "quartic": quartic, "wealth": wealth})
    assert type(made["optimizer"]) is Mine
    assert made["loss"] is quartic
    assert made["metrics"] == [wealth]
    with pytest.raises(ValueError, match="unknown layer 0 'Scale'"):
        model_from_config(config)
    with pytest.raises(ValueError, match="unknown optimizer 'Mine'"):
        compile_from_config(how)


def test_ones_own_initializer_inside_a_layer() -> None:
    from fastnet.initializers import Initializer

    class Halves(Initializer):
        def __call__(self, shape: tuple[int, ...]) -> Any:
            return np.full(shape, 0.5, np.float32)

    config = through_json(model_config(Sequential([Input((3,)), Dense(2, kernel_initializer=Halves())])))
    assert (model_from_config(config, {"Halves": Halves}).get_weights()[0] == 0.5).all()
    with pytest.raises(ValueError, match="unknown kernel_initializer 'Halves'"):
        model_from_config(config)


# What is refused

DENSE = {"class_name": "Dense", "config": {"units": 3}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"layers": [{"class_name": "Dnese", "config": {}}]}, "unknown layer 0 'Dnese'; did you mean 'Dense'"),
        ({"layers": [DENSE, {"class_name": "os.system", "config": {"command": "x"}}]}, "unknown layer 1 'os.system'"),
        ({"layers": [{"class_name": "Layer", "config": {}}]}, "unknown layer 0 'Layer'"),
        ({"layers": [{"class_name": "__class__", "config": {}}]}, "unknown layer 0 '__class__'"),
        ({"layers": [{"class_name": "InputLayer", "config": {"shape": [3]}}]}, "unknown layer 0 'InputLayer'"),
        ({"layers": ["Dense"]}, "expected a layer, got 'Dense'"),
        ({"layers": [{"class_name": "Dense"}]}, "layer 0: expected a dict with 'class_name' and 'config'"),
        ({"layers": [{"class_name": ["Dense"], "config": {}}]}, "layer 0: expected a dict"),
        (
            {"layers": [{"class_name": "Dense", "config": {"units": 3, "exec": 1}}]},
            "unexpected keyword argument 'exec'",
        ),
        ({"layers": [{"class_name": "Dense", "config": {"units": -3}}]}, "units must be at least 1"),
        ({"layers": [DENSE | {"module": "os"}]}, "layer 0: expected a dict"),
        ({"layers": [DENSE], "build_input_shape": [None]}, "build_input_shape must be"),
        ({"layers": [DENSE], "build_input_shape": [None, -3]}, "build_input_shape must be at least 1"),
        ({"layers": [DENSE], "build_input_shape": "784"}, "build_input_shape must be"),
        ({"layers": [DENSE], "name": 3}, "name must be a string"),
        ({"layers": [DENSE], "nmae": "x"}, "unexpected keyword argument 'nmae'; did you mean 'name'"),
        ({"layers": DENSE}, "config must be a dict"),
        ({"class_name": "Model", "config": {}}, "unknown model 'Model'"),
        (None, "config must be a dict"),
    ],
)
def test_what_is_no_model_is_refused(config: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        model_from_config(config)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"optimizer": {"class_name": "Optimizer", "config": {}}}, "unknown optimizer 'Optimizer'"),
        ({"optimizer": {"class_name": "Adma", "config": {}}}, "unknown optimizer 'Adma'"),
        ({"loss": {"class_name": "Loss", "config": {}}}, "unknown loss 'Loss'"),
        ({"loss": 3}, "loss: expected a dict"),
        ({"metrics": "acc"}, "metrics must be a list, got 'acc'"),
        ({"metrics": [{"class_name": "Loss", "config": {}}]}, "unknown metric 'Loss'"),
        ({"more": 1}, "must be a dict of optimizer, loss, metrics"),
    ],
)
def test_what_is_no_way_to_compile_is_refused(changed: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        compile_from_config(compiled() | changed)


def test_what_cannot_be_described_says_so() -> None:
    with pytest.raises(TypeError, match="cannot be described"):
        configuration.serialize(object())
