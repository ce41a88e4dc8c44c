"""Whole numbers in every place that expects a count: 512, 512.0, as R writes it, and NumPy's kinds of both."""

import contextlib
import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnet
from fastnet import (
    Sequential,
    activations,
    callbacks,
    constraints,
    draws,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    utils,
)
from fastnet.optimizers import schedules

RNG = np.random.default_rng(0)
X, LABELS = RNG.random((20, 4)), np.arange(20) % 3
KINDS: dict[str, Callable[[int], Any]] = {
    "float": float,
    "float64": np.float64,
    "float32": np.float32,
    "int64": np.int64,
    "uint8 or int8": lambda n: np.int8(n) if n < 0 else np.uint8(n),
    "array of a float": lambda n: np.array(float(n)),
    "array of an integer": np.array,
}
N = Callable[[int], Any]


def model() -> Sequential:
    utils.set_random_seed(1)
    made = Sequential([layers.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")])
    made.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    return made


def fitted(**arguments: Any) -> Any:
    return model().fit(X, LABELS, verbose=0, **arguments).history


def config(thing: Any) -> Any:
    return thing.get_config()


def shown(n: N) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        bar = utils.Progbar(n(3), width=n(10), interval=1e9)
        bar.update(n(1), [("a", 1.0)])
        bar.add(n(1))
    return printed.getvalue()


CASES: dict[str, Callable[[N], Any]] = {
    "Dense": lambda n: config(layers.Dense(n(3), input_dim=n(4))),
    "input_shape": lambda n: Sequential([layers.Dense(3, input_shape=(n(4),))]).input_shape,
    "input_shape of one number": lambda n: Sequential([layers.Dense(3, input_shape=n(4))]).input_shape,
    "Input": lambda n: layers.Input((n(4), n(2)), batch_size=n(5)).shape,
    "Input of one number": lambda n: layers.Input(n(4)).shape,
    "batch_shape": lambda n: layers.Input(batch_shape=[n(5), n(4)]).shape,
    "InputLayer": lambda n: config(layers.InputLayer((n(4),), batch_size=n(5))),
    "build": lambda n: Sequential([layers.Dense(3)]).build((None, n(4))),
    "compute_output_shape": lambda n: Sequential([layers.Dense(3)]).compute_output_shape((None, n(4))),
    "Reshape": lambda n: config(layers.Reshape((n(2), n(-1)))),
    "Reshape to one number": lambda n: config(layers.Reshape(n(4))),
    "Permute": lambda n: config(layers.Permute([n(2), n(1)])),
    "RepeatVector": lambda n: config(layers.RepeatVector(n(2))),
    "Embedding": lambda n: config(layers.Embedding(n(10), n(4), input_length=n(3))),
    "CategoryEncoding": lambda n: config(layers.CategoryEncoding(n(4))),
    "IntegerLookup": lambda n: config(
        layers.IntegerLookup(n(5), n(1), n(0), n(-1), vocabulary=[n(7), n(8)], output_mode="int")
    ),
    "IntegerLookup of one number": lambda n: layers.IntegerLookup(vocabulary=n(7))([7, 8]),
    "StringLookup": lambda n: config(layers.StringLookup(n(5), n(1), vocabulary=["a", "b"])),
    "Discretization": lambda n: config(layers.Discretization(num_bins=n(3))),
    "Discretization at one number": lambda n: layers.Discretization(n(3))([1, 5]),
    "Normalization": lambda n: config(layers.Normalization(axis=n(-1))),
    "BatchNormalization": lambda n: config(layers.BatchNormalization(axis=n(-1))),
    "LayerNormalization": lambda n: config(layers.LayerNormalization(axis=[n(-1)])),
    "GroupNormalization": lambda n: config(layers.GroupNormalization(n(2), axis=n(-1))),
    "UnitNormalization": lambda n: config(layers.UnitNormalization(axis=n(-1))),
    "Softmax": lambda n: config(layers.Softmax(axis=[n(1), n(2)])),
    "PReLU": lambda n: config(layers.PReLU(shared_axes=n(1))),
    "Dropout": lambda n: config(layers.Dropout(0.5, noise_shape=[None, n(1)], seed=n(3))),
    "GaussianNoise": lambda n: config(layers.GaussianNoise(1, seed=n(3))),
    "add_weight": lambda n: layers.Layer().add_weight((n(2), n(3))).shape,
    "add_weight of one number": lambda n: layers.Layer().add_weight(n(2)).shape,
    "softmax": lambda n: activations.softmax(X, axis=n(0)),
    "softmax along two axes": lambda n: activations.softmax(X, axis=[n(0), n(1)]),
    "log_softmax": lambda n: activations.log_softmax(X, axis=n(1)),
    "glu": lambda n: activations.glu(X, axis=n(-1)),
    "GlorotUniform": lambda n: initializers.GlorotUniform(seed=n(3))((n(3), n(4))),
    "Zeros": lambda n: initializers.Zeros()(n(3)),
    "MaxNorm": lambda n: config(constraints.MaxNorm(2, axis=n(0))),
    "MaxNorm along two axes": lambda n: constraints.MaxNorm(2, axis=[n(0), n(1)])(X * 9),
    "UnitNorm": lambda n: config(constraints.UnitNorm(axis=n(1))),
    "MinMaxNorm": lambda n: config(constraints.MinMaxNorm(axis=n(0))),
    "Dice": lambda n: config(losses.Dice(axis=[n(1)])),
    "Tversky": lambda n: config(losses.Tversky(axis=n(1))),
    "CosineSimilarity": lambda n: config(losses.CosineSimilarity(axis=n(-1))),
    "SparseCategoricalCrossentropy": lambda n: config(losses.SparseCategoricalCrossentropy(ignore_class=n(0))),
    "IoU": lambda n: config(metrics.IoU(n(3), [n(0)], ignore_class=n(-1), axis=n(-1))),
    "IoU of one class": lambda n: config(metrics.IoU(n(3), n(0))),
    "MeanIoU": lambda n: config(metrics.MeanIoU(n(3))),
    "AUC": lambda n: config(metrics.AUC(num_thresholds=n(10))),
    "Precision": lambda n: config(metrics.Precision(top_k=n(2), class_id=n(1))),
    "TopKCategoricalAccuracy": lambda n: config(metrics.TopKCategoricalAccuracy(k=n(2))),
    "top_k_categorical_accuracy": lambda n: metrics.top_k_categorical_accuracy(np.eye(3), np.eye(3), k=n(2)),
    "R2Score": lambda n: config(metrics.R2Score(num_regressors=n(2))),
    "a metric's add_weight": lambda n: metrics.Mean().add_weight((n(2),)).shape,
    "EarlyStopping": lambda n: vars(callbacks.EarlyStopping(patience=n(2), start_from_epoch=n(1))),
    "ReduceLROnPlateau": lambda n: vars(callbacks.ReduceLROnPlateau(patience=n(2), cooldown=n(1))),
    "ModelCheckpoint": lambda n: vars(callbacks.ModelCheckpoint("a.safetensors", save_freq=n(9))),
    "Adam": lambda n: config(optimizers.Adam(name="o", use_ema=True, ema_overwrite_frequency=n(5))),
    "accumulation": lambda n: config(optimizers.Adam(name="o", gradient_accumulation_steps=n(2))),
    "Muon": lambda n: config(optimizers.Muon(name="o", ns_steps=n(5))),
    "ScheduleFreeAdamW": lambda n: config(optimizers.ScheduleFreeAdamW(name="o", warmup_steps=n(5))),
    "CosineDecay": lambda n: config(schedules.CosineDecay(0.1, n(99), warmup_target=0.2, warmup_steps=n(9))),
    "ExponentialDecay": lambda n: config(schedules.ExponentialDecay(0.1, n(99), 0.9)),
    "PiecewiseConstantDecay": lambda n: schedules.PiecewiseConstantDecay(n(5), [0.1, 0.01])(n(6)),
    "to_categorical": lambda n: utils.to_categorical([n(0), n(2)], n(4)),
    "to_categorical of one label": lambda n: utils.to_categorical(n(2)),
    "pad_sequences": lambda n: utils.pad_sequences([[1], [2, 3, 4]], maxlen=n(2)),
    "normalize": lambda n: utils.normalize(X, axis=n(0)),
    "split_dataset": lambda n: utils.split_dataset(X, n(5), shuffle=True, seed=n(2)),
    "PyDataset": lambda n: vars(utils.PyDataset(workers=n(2), max_queue_size=n(3))),
    "Progbar": shown,
    "randint": lambda n: draws.randint((n(2), n(3)), n(0), n(5), seed=n(3)),
    "normal": lambda n: draws.normal(n(4), seed=3),
    "categorical": lambda n: draws.categorical(np.zeros((2, 3)), n(4), seed=3),
    "shuffle": lambda n: draws.shuffle(X, axis=n(1), seed=3),
    "dropout": lambda n: draws.dropout(X, 0.5, noise_shape=[n(20), n(1)], seed=3),
    "SeedGenerator": lambda n: draws.normal(4, seed=draws.SeedGenerator(n(3))),
    "set_random_seed": lambda n: (utils.set_random_seed(n(3)), draws.normal(4))[1],
    "fit": lambda n: fitted(batch_size=n(5), epochs=n(3), initial_epoch=n(1), steps_per_epoch=n(2)),
    "validation": lambda n: fitted(
        epochs=3,
        validation_data=[X, LABELS],
        validation_freq=[n(1), n(3)],
        validation_batch_size=n(4),
        validation_steps=n(2),
    ),
    "validation_freq": lambda n: fitted(epochs=4, validation_split=0.2, validation_freq=n(2)),
    "compile": lambda n: model().compile("sgd", "mse", steps_per_execution=n(2)).steps_per_execution,
    "evaluate": lambda n: model().evaluate(X, LABELS, n(5), n(0), steps=n(2)),
    "predict": lambda n: model().predict(X, n(5), n(0), n(2)),
    "predict_classes": lambda n: model().predict_classes(X, n(5), n(0)),
    "get_layer": lambda n: model().get_layer(index=n(1)).name,
    "check_gradients": lambda n: list(model().check_gradients(X, LABELS, samples=n(2))),
    "labels": lambda n: model().evaluate(X, np.array([n(label) for label in LABELS.tolist()]), verbose=0),
}


def plain(result: Any) -> Any:
    """The result, or its attributes, in types that JSON has; a float that is a whole number stays a float."""
    if isinstance(result, np.ndarray | np.generic):
        return [str(result.dtype), result.tolist()]
    if isinstance(result, dict):
        return {str(name): plain(value) for name, value in result.items()}
    if isinstance(result, list | tuple):
        return [plain(value) for value in result]
    return result if isinstance(result, int | float | str | None) else repr(result)[:20]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_a_whole_number_of_any_kind_counts_as_the_integer(name: str, kind: str) -> None:
    case, n = CASES[name], KINDS[kind]
    expected = json.dumps(plain(case(int)))
    assert json.dumps(plain(case(n))) == expected


@pytest.mark.parametrize("value", [2.5, math.nan, math.inf, -math.inf, "2", None, [2], True, np.bool_(True), 2 + 0j])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    shown = {
        "units": lambda: layers.Dense(value),
        "epochs": lambda: model().fit(X, LABELS, epochs=value, verbose=0),
        "axis": lambda: activations.softmax(X, axis=[value]),
        "threads": lambda: fastnet.set_num_threads(value),
        "seed": lambda: utils.set_random_seed(value),
        "num_classes": lambda: metrics.IoU(value, [0]),
    }
    for argument, call in shown.items():
        with pytest.raises(TypeError, match=f"^{argument} must be an integer, got "):
            call()


@pytest.mark.parametrize("value", [np.array(2.5), np.array(True), np.array([2.0]), np.float32("nan")])
def test_arrays_that_are_no_whole_number_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="units must be an integer"):
        layers.Dense(value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "array" not in kind])
def test_classes_with_weights(kind: str) -> None:
    n = KINDS[kind]
    assert fitted(class_weight={n(0): 2.0, n(2): 3.0}) == fitted(class_weight={0: 2.0, 2: 3.0})


def test_the_seed_of_drawn_digits() -> None:
    load = fastnet.datasets.synthetic.load_data
    np.testing.assert_array_equal(load(1.0)[1][0], load(1)[1][0])  # type: ignore[arg-type]


@pytest.fixture
def _number_of_threads() -> Iterator[None]:
    before = fastnet.get_num_threads()
    yield
    fastnet.set_num_threads(before)


@pytest.mark.usefixtures("_number_of_threads")
@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_threads(kind: str) -> None:
    fastnet.set_num_threads(KINDS[kind](1))
    assert fastnet.get_num_threads() == 1


def test_a_saved_model_has_integers(tmp_path: Path) -> None:
    made = Sequential([layers.Input((4.0,)), layers.Dense(8.0), layers.Reshape((2.0, 4.0)), layers.Flatten()])  # type: ignore[arg-type]
    made.save(tmp_path / "m.safetensors")
    assert '"units": 8,' in made.to_json()
    assert ".0" not in made.to_json()
    assert fastnet.models.load_model(tmp_path / "m.safetensors").to_json() == made.to_json()


# A vector of length 1 arrives from R as a number ----------------------------------------------------------------------


def test_one_example_may_have_a_number_as_target_and_weight() -> None:
    one, two = model(), model()
    assert one.train_on_batch(X[:1], 2.0, sample_weight=0.5) == two.train_on_batch(X[:1], [2], sample_weight=[0.5])
    assert one.evaluate(X[:1], 1, verbose=0) == two.evaluate(X[:1], [1], verbose=0)
    with pytest.raises(ValueError, match=r"y has shape \(\)"):
        one.evaluate(X[:2], 1, verbose=0)
    with pytest.raises(ValueError, match="sample_weight"):
        one.evaluate(X[:2], [1, 0], sample_weight=0.5, verbose=0)


def test_one_bias_may_be_a_number() -> None:
    made = Sequential([layers.Input((4,)), layers.Dense(1)])
    made.set_weights([np.ones((4, 1)), 0.5])
    assert made.get_weights()[1].tolist() == [0.5]
    with pytest.raises(ValueError, match="given value has shape"):
        made.set_weights([1.0, 0.5])


# R's named lists have strings as names --------------------------------------------------------------------------------


def test_classes_may_be_written_as_strings() -> None:
    assert fitted(class_weight={"0": 2.0, "2": 3.0}) == fitted(class_weight={0: 2.0, 2: 3.0})
    for wrong in ("1.5", "-1", "", "cat", "²"):
        with pytest.raises((TypeError, ValueError), match="class_weight's class"):
            fitted(class_weight={wrong: 2.0})
