"""Models as plain data: what is described is made again, and nothing else can be made."""

import copy
import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import metric_of

from fastnet import (
    Sequential,
    activations,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from fastnet.layers import Dense, Dropout, Flatten, Input, Layer
from fastnet.models import clone_model, load_model, model_from_json
from fastnet.saving import ModelFormatError, configuration
from fastnet.saving.configuration import (
    classes_of,
    compile_config,
    compile_from_config,
    model_config,
    model_from_config,
)
from fastnet.utils import set_random_seed

# What a class needs, where it needs anything; a new class is tested without more, or its arguments come here.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Activation": {"activation": "relu"},
    "AlphaDropout": {"rate": 0.25},
    "CategoryEncoding": {"num_tokens": 7},
    "Dense": {"units": 3, "activation": "tanh", "kernel_regularizer": "l2", "bias_constraint": "non_neg"},
    "Discretization": {"bin_boundaries": [0.0, 2.0], "output_mode": "one_hot"},
    "Dropout": {"rate": 0.25, "seed": 5, "noise_shape": (None, 1, 4)},
    "Embedding": {"input_dim": 7, "output_dim": 3, "embeddings_regularizer": "l2"},
    "GaussianDropout": {"rate": 0.25},
    "GaussianNoise": {"stddev": 0.25},
    "GroupNormalization": {"groups": 2, "axis": 1},
    "IntegerLookup": {"vocabulary": [0, 1, 2], "output_mode": "tf_idf", "idf_weights": [1.0, 2.0, 3.0]},
    "Permute": {"dims": (2, 1)},
    "Rescaling": {"scale": 0.5, "offset": 1.0},
    "Reshape": {"target_shape": (2, -1)},
    "StringLookup": {"vocabulary": ["a", "b"], "mask_token": "m", "output_mode": "count"},
}
# Lambda has functions, and RepeatVector takes rows: see their own tests.
OTHERS = {"InputLayer", "Lambda", "RepeatVector"}
LAYERS = {name: kind for name, kind in classes_of(layers, Layer).items() if name not in OTHERS}
LOSSES = {name: kind for name, kind in classes_of(losses, losses.Loss).items() if name != "CustomLoss"}
METRICS = metrics.CLASSES
OPTIMIZERS = optimizers.CLASSES


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
    config = through_json(compiled(metrics=[metric_of(name, name="mine")]))
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


# The user's own without a get_config: what their constructors are given is recorded


class Times(Layer):
    """Keeps its argument under another name, and does not take a layer's own."""

    def __init__(self, by: float, *, shift: Any = (0,)) -> None:
        super().__init__()
        self.factor, self.shift = 2 * by, shift

    def call(self, x: Any, training: bool = False) -> Any:
        return x * np.float32(self.factor)

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        return dy * np.float32(self.factor)


class Thrice(Times):
    """Gives its base an argument of which its own constructor knows nothing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(3.0, **kwargs)


class Half(Times):
    """Has a get_config that asks its base, which has none."""

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"by": self.factor / 2}


class Doubled(Dense):
    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(2 * units, **kwargs)


class HandsOn(Dense):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)


@dataclasses.dataclass(eq=False)
class Plain(Times):
    by: float
    more: str = "a"

    def __post_init__(self) -> None:
        super().__init__(self.by)


class Power(losses.Loss):
    def __init__(self, power: int) -> None:
        super().__init__("raised")
        self.to = power

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ((y_pred - y_true) ** self.to).mean(axis=1)

    def derivative(self, y_true: Any, y_pred: Any) -> Any:
        return self.to * (y_pred - y_true) ** (self.to - 1) / y_true.shape[1]


class Above(metrics.Metric):
    def __init__(self, limit: float) -> None:
        self.least = limit
        super().__init__("above")

    def reset_state(self) -> None:
        self.count = 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.count += int((y_pred > self.least).sum())

    def result(self) -> int:
        return self.count


class Heavy(optimizers.SGD):
    def __init__(self, rate: float) -> None:
        super().__init__(rate, momentum=0.9)


class Harmonic(optimizers.schedules.LearningRateSchedule):
    def __init__(self, start: float) -> None:
        self.first = start

    def __call__(self, step: int) -> float:
        return self.first / (1 + step)


class Full(initializers.Initializer):
    def __init__(self, number: float) -> None:
        self.of = number

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return np.full(shape, self.of, np.float32)


class Scaled(initializers.VarianceScaling):
    def __init__(self, boost: float) -> None:
        super().__init__(2 * boost)


class Lasso(regularizers.Regularizer):
    def __init__(self, strength: float, note: str = "") -> None:
        self.by, self.note = strength, note

    def __call__(self, x: Any) -> float:
        return float(self.by * np.abs(x).sum())

    def gradient(self, x: Any) -> Any:
        return self.by * np.sign(x)


class Within(constraints.Constraint):
    def __init__(self, most: float) -> None:
        self.limit = most

    def __call__(self, w: Any) -> Any:
        return np.clip(w, -self.limit, self.limit)


class Slope(activations.Activation):
    def __init__(self, slope: float) -> None:
        self.of = slope

    def __call__(self, x: Any) -> Any:
        return np.asarray(x) * np.float32(self.of)

    def derivative(self, x: Any) -> Any:
        return np.full_like(x, self.of)


OWN: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        *(Times, Thrice, Half, Doubled, HandsOn, Plain, Power, Above, Heavy, Harmonic, Full, Scaled, Lasso, Within),
        Slope,
    )
}
X, Y = (np.random.default_rng(seed).random((20, n)).astype(np.float32) for seed, n in ((0, 3), (1, 2)))


def model_of_ones_own(optimizer: Any) -> Sequential:
    model = Sequential(
        [
            Input((3,)),
            Times(np.float32(0.5), shift=[3, {"a": (None, True)}]),  # type: ignore[arg-type]
            Thrice(shift="x"),
            Half(0.125),
            Doubled(2, kernel_initializer=Full(0.25), name="d", trainable=False),
            HandsOn(4, activation="tanh", kernel_initializer=Scaled(1.5)),
            Plain(1.0),
            Dense(2, Slope(0.5), kernel_regularizer=Lasso(0.01, "n"), bias_constraint=Within(2)),
        ]
    )
    model.layers[1].trainable = False
    model.compile(
        optimizer,
        Power(2),
        [Above(0.2), Above(0.5), losses.Huber(delta=2.0), losses.cosine_similarity],
        weighted_metrics=[Power(4)],
    )
    model.fit(X, Y, verbose=0)
    return model


@pytest.mark.parametrize("optimizer", [lambda: Heavy(1e-3), lambda: optimizers.Adam(Harmonic(1e-3))])
def test_what_constructors_were_given_is_recorded(tmp_path: Path, optimizer: Any) -> None:
    model = model_of_ones_own(optimizer())
    model.save(tmp_path / "a.safetensors")
    loaded = load_model(tmp_path / "a.safetensors", OWN)
    loaded.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    assert [layer.trainable for layer in loaded.layers] == [layer.trainable for layer in model.layers]
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    assert loaded.layers[0].shift == [3, {"a": [None, True]}]  # type: ignore[attr-defined]
    assert [repr(metric) for metric in loaded.metrics] == [repr(metric) for metric in model.metrics]
    histories = []
    for each in (model, loaded):
        set_random_seed(3)
        histories.append(each.fit(X, Y, epochs=2, verbose=0).history)
    assert histories[0] == histories[1]
    assert list(histories[0]) == ["loss", "above", "above_1", "huber_loss", "cosine_similarity", "raised"]


def test_recorded_arguments_hold_for_all_that_makes_a_model_again() -> None:
    model = model_of_ones_own(Heavy(1e-3))
    text = model.to_json()
    for other in (
        clone_model(model),
        model_from_json(text, OWN),
        Sequential.from_config(model.get_config(), OWN),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
    ):
        assert other.to_json() == text
        assert [type(layer) for layer in other.layers] == [type(layer) for layer in model.layers]
    assert Times.from_config(Times(2.0).get_config()).factor == 4.0
    given = [1, 2]
    layer = Times(2.0, shift=given)
    given.append(3)
    assert layer.get_config() == {"by": 2.0, "shift": [1, 2], "name": ""}


@pytest.mark.parametrize(
    ("base", "arguments"),
    [
        (optimizers.AdamW, {"weight_decay": 0.1}),
        (optimizers.Nadam, {"beta_1": 0.5}),
        (losses.Huber, {"delta": 0.5}),
        (losses.CategoricalCrossentropy, {"label_smoothing": 0.1}),
        (metrics.AUC, {"num_thresholds": 50}),
        (initializers.GlorotUniform, {"seed": 3}),
        (activations.LeakyRelu, {"negative_slope": 0.5}),
    ],
)
def test_a_class_without_a_constructor_of_its_own_keeps_the_arguments_of_its_base(base: Any, arguments: Any) -> None:
    class Mine(base):
        pass

    config = Mine(**arguments).get_config()
    assert config.items() >= arguments.items()
    assert Mine.from_config(config).get_config() == config
    Mine().get_config()


def test_a_class_and_its_signature_stay_what_they_are() -> None:
    import inspect

    assert list(inspect.signature(Power).parameters) == ["power"]
    assert list(inspect.signature(losses.MeanSquaredError).parameters) == ["reduction", "name", "dtype"]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'by'"):
        Times()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        initializers.Zeros(3)  # type: ignore[call-arg]


class Called(Times):
    """An argument that cannot be recorded."""

    def __init__(self, function: Any, by: float = 1.0) -> None:
        super().__init__(by)
        self.function = function


class Forgets(Times):
    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


class Several(Times):
    def __init__(self, *factors: float) -> None:
        super().__init__(float(np.prod(factors)))


@pytest.mark.parametrize("value", [np.sin, object(), Dense(2), {1: 2}, [np.zeros(3)], float("nan"), b"bytes", {2, 3}])
def test_what_cannot_be_recorded_is_refused_with_what_to_do(tmp_path: Path, value: Any) -> None:
    model = Sequential([Input((3,)), Called(value), Dense(2)])
    model.compile("sgd", "mse")
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"before")
    message = "argument 'function' of Called is of type .*Write a method get_config"
    for call in (lambda: model.save(path), model.to_json, model.get_config, lambda: clone_model(model)):
        with pytest.raises(TypeError, match=message):
            call()
    assert path.read_bytes() == b"before"
    assert repr(model) == "Sequential([Input((3,)), Called(), Dense(2)])"
    for kind, module in ((Power, losses), (Above, metrics), (Lasso, regularizers), (Full, initializers)):
        assert kind.__name__ in repr(kind(value)), module


def test_a_get_config_that_does_not_fit_the_constructor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"'forgets' of class Forgets cannot be saved: .*missing .*'by'"):
        Sequential([Input((3,)), Forgets(2.0)]).save(tmp_path / "m.safetensors")
    with pytest.raises(TypeError, match="argument 'factors' of Several"):
        Sequential([Input((3,)), Several(2.0, 3.0)]).save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left_out", ["Times", "Full", "Slope", "Lasso", "Within", "Power", "Above", "Heavy"])
def test_what_is_missing_in_custom_objects_is_named(tmp_path: Path, left_out: str) -> None:
    model_of_ones_own(Heavy(1e-3)).save(tmp_path / "m.safetensors")
    objects = {name: kind for name, kind in OWN.items() if name != left_out}
    with pytest.raises(ModelFormatError, match=f"unknown .*'{left_out}'.*custom_objects={{'{left_out}': {left_out}}}"):
        load_model(tmp_path / "m.safetensors", objects)
    for wrong in ([Times], Times, {Times: Times}):
        with pytest.raises(TypeError, match="custom_objects must be a dict"):
            load_model(tmp_path / "m.safetensors", wrong)  # type: ignore[arg-type]


def test_functions_of_ones_own_that_are_missing_are_named(tmp_path: Path) -> None:
    def wealth(y_true: Any, y_pred: Any) -> Any:
        return y_pred.mean(axis=1)

    squares = losses.custom(lambda t, p: (p - t) ** 2, lambda t, p: 2 * (p - t) / p.shape[1], name="squares")
    model = Sequential([Input((3,)), Dense(2)])
    for name, loss, watched in (("wealth", "mse", wealth), ("squares", squares, "mae"), ("squares", "mse", squares)):
        model.compile("sgd", loss, [watched])
        model.save(tmp_path / "m.safetensors")
        with pytest.raises(ModelFormatError, match=f"unknown .*'{name}'.*custom_objects={{'{name}': {name}}}"):
            load_model(tmp_path / "m.safetensors")
        loaded = load_model(tmp_path / "m.safetensors", {"wealth": wealth, "squares": squares})
        assert [metric.name for metric in loaded.metrics] == [metric.name for metric in model.metrics]


# What is refused

DENSE = {"class_name": "Dense", "config": {"units": 3}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"layers": [{"class_name": "Dnese", "config": {}}]}, "unknown layer 0 'Dnese'; did you mean 'Dense'"),
        ({"layers": [DENSE, {"class_name": "os.system", "config": {"command": "x"}}]}, "unknown layer 1 'os.system'"),
        ({"layers": [{"class_name": "Layer", "config": {}}]}, "unknown layer 0 'Layer'"),
        ({"layers": [{"class_name": "__class__", "config": {}}]}, "unknown layer 0 '__class__'"),
        (
            {"layers": [{"class_name": "InputLayer", "config": {"shape": [3]}}]},
            "inputs and outputs are the same tensor",
        ),
        ({"layers": [{"class_name": "Sequential", "config": {"layers": ["Dense"]}}]}, "expected a layer, got 'Dense'"),
        ({"layers": [{"class_name": "Sequential", "config": {}}]}, "config must be a dict with"),
        ({"layers": ["Dense"]}, "expected a layer, got 'Dense'"),
        ({"layers": [{"class_name": "Dense"}]}, "layer 0: expected a dict with 'class_name' and 'config'"),
        ({"layers": [{"class_name": ["Dense"], "config": {}}]}, "layer 0: expected a dict"),
        (
            {"layers": [{"class_name": "Dense", "config": {"units": 3, "exec": 1}}]},
            "unexpected keyword argument 'exec'",
        ),
        ({"layers": [{"class_name": "Dense", "config": {"units": -3}}]}, "units must be at least 1"),
        ({"layers": [DENSE | {"exec": "os"}]}, "layer 0: expected a dict"),
        ({"layers": [DENSE], "build_input_shape": []}, "build_input_shape must be"),
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


def largest_error(y_true: Any, y_pred: Any, power: float = 1.0) -> Any:
    return (abs(y_true - y_pred) ** power).max(axis=1)


def test_the_mean_of_a_function_comes_back() -> None:
    metric = metrics.MeanMetricWrapper(largest_error, name="largest", power=2.0)
    config = through_json(compiled(metrics=[metric]))
    again = compile_from_config(config, {"largest_error": largest_error})["metrics"][0]
    assert (type(again), again.name, again.fn) == (metrics.MeanMetricWrapper, "largest", largest_error)
    assert again.get_config() == metric.get_config()
    with pytest.raises(ValueError, match=r"custom_objects=\{'largest_error': largest_error\}"):
        compile_from_config(config)
