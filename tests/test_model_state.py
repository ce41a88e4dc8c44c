"""What a model tells of itself: its metrics, its variables, its table; and how it is compiled without a loss."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, layers, models, optimizers
from fastnet.callbacks import LambdaCallback

X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(30, 2)).astype(np.float32)


def made(*more: Any) -> Sequential:
    return Sequential([layers.Input((4,)), layers.Dense(3, "relu"), *more, layers.Dense(2)])


# Metrics --------------------------------------------------------------------------------------------------------------


def test_the_loss_is_the_first_metric() -> None:
    model = made()
    assert (model.metrics, model.metrics_names, model.compiled) == ([], [], False)
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
    assert model.compiled
    assert model.metrics_names == ["loss", "mae", "mse"]
    assert model.get_metrics_result() == {"loss": 0.0, "mae": 0.0, "mse": 0.0}
    history = model.fit(X, Y, epochs=4, batch_size=8, verbose=0).history
    assert model.get_metrics_result() == {name: values[-1] for name, values in history.items()}
    assert model.metrics[0].result() == history["loss"][-1]
    before = model.get_metrics_result()
    assert model.evaluate(X, Y, verbose=0) != list(before.values())
    assert model.get_metrics_result() == before  # an evaluation has its own
    model.reset_metrics()
    assert set(model.get_metrics_result().values()) == {0.0}
    batch = model.train_on_batch(X[:5], Y[:5], return_dict=True)
    assert model.get_metrics_result() == batch


def test_the_results_of_an_epoch_so_far_are_those_of_the_logs() -> None:
    found: list[Any] = []
    look = LambdaCallback(on_train_batch_end=lambda batch, logs: found.append((logs, model.get_metrics_result())))
    model = made().compile("sgd", "mse", metrics=["mae"])
    model.fit(X, Y, epochs=2, batch_size=8, verbose=0, callbacks=look)
    assert len(found) == 8
    assert all(logs == results for logs, results in found)


def test_a_training_within_a_training_leaves_the_results_alone() -> None:
    found: list[Any] = []

    def train(batch: int, logs: Any) -> None:
        before = model.get_metrics_result()
        model.fit(X[:3], Y[:3] + 5, verbose=0)
        found.append((before, model.get_metrics_result()))

    model = made().compile(optimizers.SGD(0.0), "mse", metrics=["mae"])
    model.fit(X, Y, batch_size=8, verbose=0, callbacks=LambdaCallback(on_train_batch_end=train))
    assert len(found) == 4
    assert all(before == after for before, after in found)


def test_the_list_of_metrics_is_a_copy() -> None:
    model = made().compile("sgd", "mse", metrics=["mae"])
    model.metrics.clear()
    assert model.metrics_names == ["loss", "mae"]


# Without a loss -------------------------------------------------------------------------------------------------------


def test_a_model_without_a_loss_predicts_and_says_what_the_rest_needs(tmp_path: Path) -> None:
    model = made()
    expected = model.predict(X, verbose=0)
    assert model.compile("adam", metrics=["mae"]) is model
    assert model.compiled
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)
    for method in model.fit, model.evaluate, model.train_on_batch, model.test_on_batch:
        with pytest.raises(RuntimeError, match=r"compile\(\) got no loss, which fit and evaluate need, as in"):
            method(X, Y)
    model.save(tmp_path / "m.safetensors")
    loaded = models.load_model(tmp_path / "m.safetensors")
    assert loaded.compiled
    assert (loaded.loss, loaded.metrics_names) == (None, ["loss", "mae"])
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), expected)


def test_arguments_that_change_nothing_are_accepted() -> None:
    model = made().compile("sgd", "mse", run_eagerly=True, jit_compile=False, auto_scale_loss=False)
    assert model.compiled


# Variables ------------------------------------------------------------------------------------------------------------


def test_variables_are_the_weights() -> None:
    model = made(layers.BatchNormalization())
    kinds = ("weights", "variables"), ("trainable_weights", "trainable_variables")
    for kind, other in (*kinds, ("non_trainable_weights", "non_trainable_variables")):
        pairs = zip(getattr(model, kind), getattr(model, other), strict=True)
        assert all(mine is theirs for mine, theirs in pairs)
    assert (len(model.variables), len(model.trainable_variables), len(model.non_trainable_variables)) == (8, 6, 2)


# A list of one array --------------------------------------------------------------------------------------------------


def test_a_list_of_one_array_is_that_array() -> None:
    models_ = [made().compile(optimizers.SGD(0.0), "mse") for _ in range(2)]
    models_[1].set_weights(models_[0].get_weights())
    one, other = models_
    expected = one.fit(X, Y, verbose=0, validation_data=(X, Y)).history
    assert other.fit([X], [Y], verbose=0, validation_data=([X], Y)).history == expected
    assert other.evaluate([X], Y, verbose=0) == one.evaluate(X, Y, verbose=0)
    np.testing.assert_array_equal(other.predict([X], verbose=0), one.predict(X, verbose=0))
    np.testing.assert_array_equal(other.predict((X,), verbose=0), one.predict(X, verbose=0))


def test_a_list_of_one_example_stays_one_example() -> None:
    model = made()
    assert model.predict([X[0]], verbose=0).shape == (1, 2)
    assert model.predict([[1.0, 2.0, 3.0, 4.0]], verbose=0).shape == (1, 2)
    images = Sequential([layers.Input((2, 3)), layers.Flatten(), layers.Dense(2)])
    assert images.predict([np.ones((2, 3))], verbose=0).shape == (1, 2)
    assert images.predict([np.ones((5, 2, 3))], verbose=0).shape == (5, 2)


# The table ------------------------------------------------------------------------------------------------------------


def test_the_table_takes_the_arguments_of_keras() -> None:
    model = made(layers.Flatten())
    model.layers[0].trainable = False
    lines: list[str] = []
    model.summary(100, [0.3, 0.6, 1.0], lines.append, expand_nested=True)
    model.summary(print_fn=lines.append)
    assert lines[0] == lines[1]
    assert "Trainable │" not in lines[0]
    lines.clear()
    model.summary(print_fn=lines.append, show_trainable=True)
    rows = [line for line in lines[0].splitlines() if "(Dense)" in line or "(Flatten)" in line]
    assert [row.split()[-2] for row in rows] == ["N", "-", "Y"]


# Copies and shapes ----------------------------------------------------------------------------------------------------


def test_a_clone_is_compiled_as_the_model_is() -> None:
    model = made().compile(optimizers.Adam(0.02), "mse", ["mae"], ["mse"], steps_per_execution=3)
    model.fit(X, Y, verbose=0)
    clone = models.clone_model(model)
    assert (clone.metrics_names, clone.steps_per_execution) == (model.metrics_names, 3)
    assert repr(clone.optimizer) == repr(model.optimizer)
    assert clone.optimizer is not model.optimizer
    assert [metric.weighted for metric in clone.metrics] == [False, False, True]
    assert set(clone.get_metrics_result().values()) == {0.0}
    clone.set_weights(model.get_weights())
    assert clone.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    before = model.get_metrics_result()
    clone.fit(X, Y, verbose=0)
    assert model.get_metrics_result() == before
    assert not models.clone_model(made()).compiled


def test_a_function_makes_the_layers_of_a_clone() -> None:
    def renamed(layer: Any) -> Any:
        return type(layer).from_config(layer.get_config() | {"name": layer.name + "_new"})

    clone = models.clone_model(made(), clone_function=renamed)
    assert [layer.name for layer in clone.layers] == ["dense_new", "dense_1_new"]
    assert clone.input_shape == (None, 4)
    with pytest.raises(TypeError, match="input_tensors must be None"):
        models.clone_model(made(), 3)


def test_the_shape_of_the_predictions() -> None:
    model = Sequential([layers.Dense(4), layers.Flatten(), layers.Dense(8)])
    assert model.compute_output_shape((5, 2)) == (5, 8)
    assert model.compute_output_shape((None, 2)) == (None, 8)


def test_a_model_that_learns_its_outputs_from_the_data() -> None:
    class Twice(layers.Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            return x if training else 2 * x

        def gradient(self, x: Any, y: Any, dy: Any) -> Any:
            return dy

    model = Sequential([Twice()]).compile("sgd", "mse")
    assert model.fit(X, X + 1, verbose=0).history["loss"] == pytest.approx([1.0])
    np.testing.assert_allclose(model.evaluate(X, X * 2, verbose=0), 0.0)
    with pytest.raises(ValueError, match="y has"):
        Sequential([Twice()]).compile("sgd", "mse").fit(X, Y, verbose=0)
