"""Names that are unknown or missing: what a message about them says."""

import importlib
import pickle
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import fastnet
from fastnet import checks
from fastnet.saving.configuration import compile_from_config, model_from_config

FIND: dict[str, Callable[[Any], Any]] = {
    "optimizer": fastnet.optimizers.get,
    "loss": fastnet.losses.get,
    "metric": fastnet.metrics.get,
    "activation": fastnet.activations.get,
    "initializer": fastnet.initializers.get,
    "regularizer": fastnet.regularizers.get,
    "constraint": fastnet.constraints.get,
    "backend": fastnet.backend.set_backend,
    "mode": lambda name: fastnet.initializers.VarianceScaling(mode=name),
    "distribution": lambda name: fastnet.initializers.VarianceScaling(distribution=name),
    "learning_rate": lambda name: fastnet.optimizers.schedules.get({"class_name": name, "config": {}}),
    "layer 0": lambda name: model_from_config({"layers": [{"class_name": name, "config": {}}]}),
    "loss of a file": lambda name: compile_from_config(
        {"optimizer": "adam", "loss": {"class_name": name, "config": {}}, "metrics": []}
    ),
    "metric of a file": lambda name: compile_from_config(
        {"optimizer": "adam", "loss": "mse", "metrics": [{"class_name": name, "config": {}}]}
    ),
}


def refusal(find: Callable[[Any], Any], name: str) -> str:
    with pytest.raises(ValueError, match="unknown") as raised:
        find(name)
    return str(raised.value)


def test_an_unknown_name_gets_the_near_miss_and_a_list() -> None:
    names = "adadelta, adafactor, adagrad, adam, adamax, adamw, ftrl, lamb, lion, muon, nadam, rmsprop, "
    listed = f"There are: {names}schedulefreeadamw, sgd"
    assert refusal(FIND["optimizer"], "adan") == f"unknown optimizer 'adan'; did you mean 'adam'? {listed}"
    assert refusal(FIND["optimizer"], "adma") == f"unknown optimizer 'adma'; did you mean 'adam'? {listed}"
    assert refusal(FIND["optimizer"], "zzz") == f"unknown optimizer 'zzz'. {listed}"
    with pytest.raises(TypeError, match="optimizer must be a name or an object of its kind, got 3"):
        fastnet.optimizers.get(3)


@pytest.mark.parametrize("kind", FIND)
def test_each_thing_is_listed_once_and_what_is_listed_can_be_had(kind: str) -> None:
    listed = refusal(FIND[kind], "zzz").partition(". There are: ")[2].split(", ")
    plain = [name.lower().replace("_", "") for name in listed]
    assert len(listed) >= 2
    assert len(set(plain)) == len(plain) - (kind == "metric of a file")  # the class Accuracy, and "accuracy"
    assert plain == sorted(plain) or listed == sorted(listed, key=str.lower)
    assert "AccuracyByShape" not in listed
    assert not {"mse", "mae", "acc", "swish", "normal"} & set(listed)  # other names of things in the list
    if " " not in kind and kind not in ("mode", "learning_rate"):
        for name in listed:
            FIND[kind](name)
    if kind == "backend":
        fastnet.backend.set_backend("compiled")


@pytest.mark.parametrize(
    ("kind", "name", "meant"),
    [
        ("metric", "acuracy", "accuracy"),
        ("metric", "AccuracyByShap", "accuracy"),
        ("metric", "Acc ", "acc"),
        ("metric of a file", "AccuracyByShap", "accuracy"),
        ("loss", "MSEE", "mse"),
        ("loss", "MeanSquareError", "mean_squared_error"),
        ("activation", "RELU", "relu"),
        ("activation", "swisch", "swish"),
        ("initializer", "Hee_Normal", "he_normal"),
        ("layer 0", "Dnese", "Dense"),
        ("learning_rate", "CosineDecays", "CosineDecay"),
    ],
)
def test_a_name_is_suggested_that_can_be_had(kind: str, name: str, meant: str) -> None:
    assert f"{name!r}; did you mean {meant!r}? There are: " in refusal(FIND[kind], name)


def test_capital_letters_do_not_matter_where_keras_does_not_mind_them() -> None:
    for name in ("adam", "Adam", "ADAM", "aDaM"):
        assert type(fastnet.optimizers.get(name)) is fastnet.optimizers.Adam
        assert type(fastnet.optimizers.get({"class_name": name, "config": {}})) is fastnet.optimizers.Adam
    assert type(fastnet.optimizers.get("RMSPROP")) is fastnet.optimizers.RMSprop
    model = fastnet.Sequential([fastnet.layers.Dense(1)]).compile("ADAMW", "MSE", ["MAE"])
    assert type(model.optimizer) is fastnet.optimizers.AdamW


# Names that a module has not

MODULES = {
    "fastnet": "fastnet has no ",
    "fastnet.layers": "fastnet has no layer ",
    "fastnet.losses": "fastnet has no loss ",
    "fastnet.metrics": "fastnet has no metric ",
    "fastnet.callbacks": "fastnet has no callback ",
    "fastnet.optimizers": "fastnet has no optimizer ",
    "fastnet.optimizers.schedules": "fastnet has no schedule ",
    "fastnet.activations": "fastnet has no activation ",
    "fastnet.initializers": "fastnet has no initializer ",
    "fastnet.regularizers": "fastnet has no regularizer ",
    "fastnet.constraints": "fastnet has no constraint ",
    "fastnet.datasets": "fastnet has no data set ",
    "fastnet.models": "fastnet.models has no ",
    "fastnet.backend": "fastnet.backend has no ",
    "fastnet.utils": "fastnet.utils has no ",
}


def missing(module: ModuleType, name: str) -> str:
    """What is said of a name in both ways to ask for it; they must say the same."""
    with pytest.raises(AttributeError) as attribute:
        getattr(module, name)
    with pytest.raises(ImportError) as imported:
        exec(f"from {module.__name__} import {name}", {})
    assert type(attribute.value) is AttributeError
    assert type(imported.value) is ImportError
    assert imported.value.name == module.__name__
    assert str(attribute.value) == str(imported.value)
    return str(attribute.value)


@pytest.mark.parametrize("name", MODULES)
def test_a_missing_name_is_answered_with_what_there_is(name: str) -> None:
    module = importlib.import_module(name)
    text = missing(module, "Qqqq")
    assert text.startswith(f"{MODULES[name]}Qqqq; it has ")
    listed = text.partition("; it has ")[2].split(", ")
    assert listed == sorted(set(listed), key=str.lower)
    assert all(getattr(module, other) is not None for other in listed)
    assert not hasattr(module, "Qqqq")
    assert getattr(module, "Qqqq", 3) == 3
    with pytest.raises(AttributeError, match=rf"^module '{name}' has no attribute '_private'$"):
        getattr(module, "_private")  # noqa: B009


@pytest.mark.parametrize(
    ("module", "name", "hint"),
    [
        ("layers", "Conv2D", "fastnet has no layer Conv2D; it has Activation, "),
        ("layers", "Dence", "fastnet has no layer Dence; did you mean 'Dense'? It has Activation, "),
        ("layers", "dense2", "did you mean 'Dense'?"),
        ("losses", "mean_squared_eror", "did you mean 'mean_squared_error'?"),
        ("metrics", "AccuracyByShap", "fastnet has no metric AccuracyByShap; "),
        ("callbacks", "EarlyStoping", "did you mean 'EarlyStopping'?"),
        ("activations", "rellu", "did you mean 'relu'?"),
        ("utils", "to_categoric", "did you mean 'to_categorical'?"),
        ("datasets", "mnsit", "fastnet has no data set mnsit; did you mean 'mnist'? It has mnist, synthetic"),
        ("datasets", "cifar10", "fastnet has no data set cifar10; it has mnist, synthetic"),
        ("losses", "Adam", "fastnet has no loss Adam; did you mean fastnet.optimizers.Adam? It has "),
        ("models", "Dense", "did you mean fastnet.layers.Dense?"),
    ],
)
def test_what_was_meant_is_said(module: str, name: str, hint: str) -> None:
    assert hint in missing(getattr(fastnet, module), name)


def test_what_was_meant_is_said_of_the_package_itself() -> None:
    assert missing(fastnet, "Dense").startswith("fastnet has no Dense; did you mean fastnet.layers.Dense? It has ")
    assert "did you mean 'Sequential'?" in missing(fastnet, "Sequentiel")
    assert "did you mean 'callbacks'?" in missing(fastnet, "callback")


def test_an_import_deep_in_a_long_function_is_explained_too() -> None:
    lines = [f"    from math import pi as v{i}" for i in range(300)]  # names with numbers beyond a byte
    code = "\n".join(["def f():", *lines, "    import fastnet.layers", "    from fastnet.layers import Conv2D", "f()"])
    with pytest.raises(ImportError, match="fastnet has no layer Conv2D"):
        exec(code, {})


def test_what_python_itself_asks_modules_for_goes_on_as_before() -> None:
    namespace: dict[str, Any] = {}
    exec("from fastnet.layers import *\nfrom fastnet.activations import *\nfrom fastnet import rng", namespace)
    assert namespace["Dense"] is fastnet.layers.Dense
    assert namespace["rng"].__name__ == "fastnet.rng"
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'fastnet.layers.Conv2D'$"):
        importlib.import_module("fastnet.layers.Conv2D")
    assert pickle.loads(pickle.dumps(fastnet.layers.Dense)) is fastnet.layers.Dense


def test_keywords_suggest_without_a_list() -> None:
    with pytest.raises(TypeError, match=r"^f\(\) got an unexpected keyword argument 'nmae'; did you mean 'name'\?$"):
        checks.keywords("f", {"nmae": 1}, ["name"])
