"""What the plots show, whatever they look like: texts, numbers, errors, and that they leave matplotlib as it was."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib, which is not installed")

import matplotlib as mpl
from matplotlib import pyplot as plt

from fastnet import Sequential, metrics, plotting
from fastnet.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, Input
from fastnet.utils import to_categorical

RNG = np.random.default_rng(0)
X, Y = RNG.random((40, 6, 6), np.float32), np.arange(40) % 3


def model_of(shape: tuple[int, ...] = (6, 6), units: int = 3) -> Sequential:
    model = Sequential([Input(shape), Flatten(), Dense(5, "relu"), Dropout(0.5), Dense(units, "softmax")])
    model.compile("sgd", "categorical_crossentropy", ["accuracy"])
    return model


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    mpl.use("Agg")
    yield
    plt.close("all")


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_text()]


CALLS: dict[str, Callable[[Any], Any]] = {
    "digits": lambda ax: plotting.digits(X[:4], ax=ax),
    "history": lambda ax: plotting.history({"loss": [2.0, 1.0]}, ax=ax),
    "confusion_matrix": lambda ax: plotting.confusion_matrix(Y, Y, ax=ax),
    "mistakes": lambda ax: plotting.mistakes(model_of(), X, Y, ax=ax),
    "weights": lambda ax: plotting.weights(model_of(), ax=ax),
    "activations": lambda ax: plotting.activations(model_of(), X[0], ax=ax),
    "calibration": lambda ax: plotting.calibration(Y, to_categorical(Y), ax=ax),
}


@pytest.mark.parametrize(
    ("name", "shown"), [("a\ud800\x00\n", r"a?\x00\n"), ("$x_{$", "$x_{$"), (r"$\frac{a$/b", None)]
)
def test_any_name_can_be_drawn_and_is_no_formula(name: str, shown: str | None, tmp_path: Path) -> None:
    shown = shown or name
    model = Sequential([Input((6, 6)), Flatten(), Dense(5, "relu", name=name), Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", [metrics.SparseCategoricalAccuracy(name=name)])
    history = model.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y))
    paths = plotting.save_all(model, history, X, Y, tmp_path)
    assert len(paths) == 8 == len(list(tmp_path.iterdir()))
    curve, weights = plotting.history(history, metrics=[name]), plotting.weights(model, layer=name)
    drawn = curve.yaxis.label, weights.title
    for text, expected in zip(drawn, (shown, f"Weights of the 5 units of '{shown}'"), strict=True):
        plain, is_formula = text._preprocess_math(text.get_text())
        assert (plain, is_formula) == (expected, False)


@pytest.mark.parametrize("name", CALLS)
def test_each_takes_an_axes_or_makes_one_and_changes_no_setting(name: str) -> None:
    before = dict(mpl.rcParams)
    _, ax = plt.subplots()
    assert CALLS[name](ax) is ax
    assert len(plt.get_fignums()) == 1
    made = CALLS[name](None)
    assert made is not ax
    assert len(plt.get_fignums()) == 2  # plt.show() would show it
    assert dict(mpl.rcParams) == before
    with pytest.raises(TypeError, match="ax must be an axes of matplotlib or None, got 3"):
        CALLS[name](3)


@pytest.mark.parametrize("name", CALLS)
def test_without_matplotlib_it_says_what_to_type(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def refuse(module: str, *rest: Any, **named: Any) -> Any:
        if module.partition(".")[0] == "matplotlib":
            raise ImportError(module)
        return imported(module, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match="python -m pip install matplotlib"):
        CALLS[name](None)
    with pytest.raises(ImportError, match="python -m pip install matplotlib"):
        plotting.save_all(model_of(), None, X, Y, "nowhere")


def test_digits_name_what_was_taken_for_what() -> None:
    assert texts(plotting.digits(X[:3], [1, 2, 3], [1, 7, 3])) == ["1", "7, is 2", "3"]
    assert texts(plotting.digits(X[:3].reshape(3, 36), to_categorical([1, 2, 0]))) == ["1", "2", "0"]
    assert texts(plotting.digits(X[:2], predictions=[[0.1, 0.9], [0.8, 0.2]])) == ["1", "0"]
    assert texts(plotting.digits(X[:2], predictions=[[0.1], [0.8]])) == ["0", "1"]
    assert plotting.digits(X[:3], [1, 2, 3], [1, 7, 3]).get_title() == "2 of 3 read right"


@pytest.mark.parametrize("metrics", ["accuracy", "acc", ["accuracy"]])
def test_curves_are_those_of_the_history(metrics: Any) -> None:
    history = model_of().fit(X, to_categorical(Y), epochs=3, verbose=0, validation_split=0.2)
    for given in (history, history.history):
        training, validation = plotting.history(given, metrics=metrics).lines
        np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(training.get_ydata(), history.history["accuracy"])
        np.testing.assert_array_equal(validation.get_ydata(), history.history["val_accuracy"])
        assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
        assert training.get_color() == validation.get_color()


def test_curves_stand_at_the_epochs_that_were_trained() -> None:
    history = model_of().fit(X, to_categorical(Y), epochs=6, initial_epoch=4, verbose=0)
    np.testing.assert_array_equal(plotting.history(history).lines[0].get_xdata(), [5, 6])


def test_validation_of_some_epochs_is_drawn_only_by_whom_knows_which() -> None:
    steps = plotting.StepHistory()
    history = model_of().fit(
        X, to_categorical(Y), 8, epochs=5, verbose=0, validation_split=0.2, validation_freq=[1, 4], callbacks=[steps]
    )
    ax = plotting.history(history)
    assert len(ax.lines) == 1
    assert ax.get_legend().get_texts()[0].get_text() == "loss (validation of 2 epochs not drawn)"
    with pytest.raises(ValueError, match="history has 'val_loss' of 2 epochs of 5, and does not know of which"):
        plotting.history(history, metrics="val_loss")
    dashed = next(line for line in plotting.history(steps).lines if line.get_label() == "loss, validation")
    np.testing.assert_array_equal(dashed.get_xdata(), [4, 16])
    np.testing.assert_array_equal(dashed.get_ydata(), history.history["val_loss"])


def test_a_nan_leaves_the_other_steps_their_curve() -> None:
    steps = plotting.StepHistory()
    steps.history = {"loss": [3.0, np.nan, *[1.0] * 200]}
    smooth = plotting.history(steps).lines[1].get_ydata()
    assert np.isnan(smooth[:2]).any()
    np.testing.assert_allclose(smooth[10:], 1)


def test_each_step_has_its_own_number() -> None:
    model, steps = model_of(), plotting.StepHistory()
    model.compile("sgd", "categorical_crossentropy", ["accuracy", "mse", "Precision"])
    model.optimizer.learning_rate = 0.0  # so that a batch's loss is always the same
    model.layers[2].rate = 0.0
    targets = to_categorical(Y)
    model.fit(X, targets, batch_size=10, epochs=2, shuffle=False, verbose=0, callbacks=[steps])
    results = [model.evaluate(X[i : i + 10], targets[i : i + 10], verbose=0) for i in range(0, 40, 10)] * 2
    expected, accuracies, errors, _ = np.transpose(results)
    assert steps.history["loss"] == pytest.approx(expected, rel=1e-5)
    assert steps.history["accuracy"] == pytest.approx(accuracies, rel=1e-5)
    assert steps.history["mse"] == pytest.approx(errors, rel=1e-5)
    so_far = [model.evaluate(X[:i], targets[:i], verbose=0)[3] for i in range(10, 50, 10)] * 2
    assert steps.history["Precision"] == pytest.approx(so_far, rel=1e-5)
    assert steps.epoch_ends == [4, 8]
    ax = plotting.history(steps)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), expected, rtol=1e-5)


@pytest.mark.parametrize("form", [np.asarray, to_categorical])
def test_the_confusion_matrix_counts(form: Any) -> None:
    ax = plotting.confusion_matrix(form([0, 0, 0, 1, 2]), form([0, 0, 1, 1, 0]))
    found = {text.get_position(): text.get_text() for text in ax.texts}
    assert found == {(0, 0): "2", (1, 0): "1", (1, 1): "1", (0, 2): "1"}
    assert ax.get_title() == "3 of 5 right (60.00%)"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
    assert plotting.confusion_matrix([0, 1, 1], [[0.2], [0.7], [0.4]]).get_title() == "2 of 3 right (66.67%)"
    assert plotting.confusion_matrix([0, 1], [[-3.0, 5.0], [0.0, 9.0]]).get_title() == "1 of 2 right (50.00%)"
    shares = plotting.confusion_matrix([0, 0, 0, 1], [0, 0, 1, 1], normalize=True)
    assert {text.get_text() for text in shares.texts} == {"66.7%", "33.3%", "100.0%"}


def test_mistakes_are_the_surest_ones_first() -> None:
    model = Sequential([Input((2, 2)), Flatten(), Dense(2, "softmax")])
    model.set_weights([np.log([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.45, 0.55]]), np.zeros(2)])
    images = np.eye(4).reshape(4, 2, 2)  # each one takes a row of the weights
    for form in (np.asarray, lambda y: to_categorical(y, 2)):
        ax = plotting.mistakes(model, images, form([0, 0, 0, 0]), count=2)
        assert texts(ax) == ["says 1: 80.0%", "is 0: 20.0%", "says 1: 70.0%", "is 0: 30.0%"]
        assert ax.get_title() == "3 mistakes in 4, the surest first"
        ax = plotting.mistakes(model, images, form([0, 1, 1, 1]))
        assert texts(ax) == ["no mistakes"]
        assert ax.get_title() == "0 mistakes in 4"


def test_weights_are_those_of_the_first_dense_layer_or_of_the_one_named() -> None:
    model = Sequential([Input((9,)), Dense(4), Dense(4, name="second"), Dense(2)])
    for layer, index in ((None, 0), ("second", 1), (1, 1)):
        if index:
            kernel = model.layers[1].get_weights()[0]
            np.testing.assert_array_equal(
                plotting.weights(model, layer=layer).images[0].get_array()[2:4, 2:4].data, kernel.T[0].reshape(2, 2)
            )
        else:
            kernel = model.layers[0].get_weights()[0]
            np.testing.assert_array_equal(
                plotting.weights(model).images[0].get_array()[2:5, 2:5].data, kernel.T[0].reshape(3, 3)
            )


def test_activations_are_what_the_layers_compute() -> None:
    model = model_of()
    ax = plotting.activations(model, X[3])
    hidden, output = ax.child_axes[1], ax.child_axes[2]
    expected = np.maximum(X[3].reshape(1, 36) @ model.get_weights()[0], 0)[0]
    np.testing.assert_allclose(hidden.images[0].get_array().compressed(), expected, rtol=1e-5)
    np.testing.assert_allclose([b.get_width() for b in output.patches], model.predict(X[3:4], verbose=0)[0], rtol=1e-5)
    assert [each.get_title() for each in ax.child_axes] == ["input\n6 × 6", "dense\n5 units", "dense_1\n3 units"]


def test_activations_follow_the_layers_that_only_change_values() -> None:
    layers = [Input((7,)), Dense(5), BatchNormalization(), Activation("relu"), Dense(3), Activation("softmax")]
    model, x = Sequential(layers), RNG.random((1, 7), np.float32)
    hidden, output = plotting.activations(model, x).child_axes[1:]
    expected = np.maximum(x @ model.get_weights()[0], 0) / np.sqrt(1 + 1e-3)
    np.testing.assert_allclose(hidden.images[0].get_array().compressed(), expected[0], rtol=1e-4)
    np.testing.assert_allclose([b.get_width() for b in output.patches], model.predict(x, verbose=0)[0], rtol=1e-5)


def test_activations_of_an_image_that_is_not_square_keep_its_rows() -> None:
    model = Sequential([Input((2, 8)), Flatten(), Dense(3, "softmax")])
    image = np.arange(16.0).reshape(2, 8)
    np.testing.assert_array_equal(plotting.activations(model, image).child_axes[0].images[0].get_array(), image)


def test_a_model_whose_training_went_wrong_is_drawn_as_far_as_it_can_be(tmp_path: Path) -> None:
    model = model_of()
    model.layers[1].kernel.packed[:] = np.nan  # as a training that went wrong leaves them
    assert plotting.weights(model).images[0].get_array().mask.all()
    with pytest.raises(ValueError, match="output of layer 'dense' is not finite"):
        plotting.activations(model, X[0])
    paths = plotting.save_all(model, {"loss": [2.0, np.nan]}, X, Y, tmp_path)
    assert {path.stem for path in paths} == {"loss", "digits", "weights"}


def test_the_calibration_error_is_that_of_the_definition() -> None:
    p = np.array([0.95, 0.95, 0.65, 0.65])  # right, right, right, wrong: 0.05 and 0.15 off, each of half
    ax = plotting.calibration([1, 1, 1, 0], p)
    assert ax.get_title() == "Expected calibration error 10.00%"
    assert texts(ax) == ["2", "2"]
    assert texts(plotting.calibration([1, 1], [0.75, 0.76], bins=4)) == ["1", "1"]  # a bin has its upper edge
    assert plotting.calibration([1, 1, 1, 0], np.stack([1 - p, p], 1)).get_title() == ax.get_title()


@pytest.mark.parametrize("record", ["history", "dict", "steps", None])
def test_save_all_writes_the_set_and_leaves_no_figure(record: str | None, tmp_path: Path) -> None:
    model, steps = model_of(), plotting.StepHistory()
    history = model.fit(X, to_categorical(Y), verbose=0, callbacks=[steps])
    given = {"history": history, "dict": history.history, "steps": steps, None: None}[record]
    paths = plotting.save_all(model, given, X, Y, tmp_path / "a" / "b")
    names = {"digits", "mistakes", "weights", "activations", "confusion_matrix", "calibration"}
    assert {path.stem for path in paths} == names | ({"loss", "accuracy"} if record else set())
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert plt.get_fignums() == []


def test_save_all_leaves_out_what_does_not_fit(tmp_path: Path) -> None:
    model = model_of((7,))
    paths = plotting.save_all(model, None, RNG.random((40, 7)), Y, tmp_path)
    assert {path.stem for path in paths} == {"activations", "confusion_matrix", "calibration"}


def test_save_all_of_a_regression_or_of_logits_leaves_out_more(tmp_path: Path) -> None:
    for name, units, y, expected in (
        ("one", 1, RNG.random(40) * 9, {"digits", "weights", "activations"}),
        ("whole", 1, np.arange(40), {"digits", "weights", "activations"}),
        ("two", 2, RNG.random((40, 2)) * 9, {"digits", "weights", "activations"}),
        ("logits", 3, Y, {"digits", "weights", "activations", "confusion_matrix"}),
    ):
        model = Sequential([Input((6, 6)), Flatten(), Dense(units)])
        model.layers[1].set_weights([model.get_weights()[0], np.full(units, 5.0)])  # no probabilities, surely
        assert {path.stem for path in plotting.save_all(model, None, X, y, tmp_path / name)} == expected


def test_save_all_leaves_a_file_that_is_read_only(tmp_path: Path) -> None:
    (path,) = [path for path in plotting.save_all(model_of(), None, X, Y, tmp_path) if path.stem == "calibration"]
    before = path.read_bytes()
    path.chmod(0o444)
    with pytest.raises(PermissionError, match=r"read-only.*calibration\.png"):
        plotting.save_all(model_of(), None, X, Y, tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("history", "y", "error"),
    [({"loss": []}, Y, ValueError), ([1], Y, TypeError), (None, Y[:3], ValueError), (None, Y + 3, ValueError)],
)
def test_save_all_writes_nothing_of_bad_input(history: Any, y: Any, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error):
        plotting.save_all(model_of(), history, X, y, tmp_path / "plots")
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: plotting.digits(X[0]), ValueError, r"images has shape \(6, 6\); expected square images"),
        (lambda: plotting.digits(np.ones((3, 7))), ValueError, "expected square images"),
        (lambda: plotting.digits(np.ones((3, 5, 7))), ValueError, r"has shape \(3, 5, 7\); expected square images"),
        (lambda: plotting.digits(X[:3], RNG.random((3, 4))), ValueError, "labels has shape .* not one-hot"),
        (lambda: plotting.digits(X[:3], [1, 2]), ValueError, "labels has 2 labels for 3 examples"),
        (lambda: plotting.digits(X[:3], [0.5, 1, 2]), ValueError, "not whole numbers"),
        (lambda: plotting.digits(X[:3], columns=0), ValueError, "columns must be at least 1"),
        (lambda: plotting.history({"loss": []}), ValueError, "history is empty"),
        (lambda: plotting.history({}), ValueError, "history is empty"),
        (lambda: plotting.history(plotting.StepHistory()), ValueError, "history is empty"),
        (lambda: plotting.history([1, 2]), TypeError, "history must be what fit"),
        (lambda: plotting.history({"loss": [1]}, metrics="auc"), ValueError, "no 'auc'; it has 'loss'"),
        (lambda: plotting.history({"loss": [1]}, metrics=[]), ValueError, "metrics is empty"),
        (lambda: plotting.history({"loss": [1]}, metrics=3), TypeError, "metrics must be a name or a list"),
        (lambda: plotting.confusion_matrix([0, 1], [[np.nan, 1], [0, 1]]), ValueError, "y_pred holds NaN"),
        (lambda: plotting.confusion_matrix([0, 10**6], [0, 1]), ValueError, "1000001 classes, from 0 on"),
        (lambda: plotting.mistakes(None, X, Y), TypeError, "model must be a fastnet.Sequential, got None"),
        (lambda: plotting.calibration([0, 5], [0.4, 0.6]), ValueError, "y_true holds the label 5"),
        (lambda: plotting.confusion_matrix([0, 1], [0]), ValueError, "y_pred has 1 labels for 2 examples"),
        (lambda: plotting.confusion_matrix([-1], [0]), ValueError, "y_true holds labels"),
        (lambda: plotting.mistakes(Sequential([Dense(3)]), X, Y), ValueError, "model has no weights yet"),
        (lambda: plotting.mistakes(model_of(), X, Y[:3]), ValueError, "y has 3 labels for 40 examples"),
        (
            lambda: plotting.mistakes(model_of(), X, Y + 3),
            ValueError,
            "y holds the label 5, but there are outputs for 3 classes",
        ),
        (lambda: plotting.weights(model_of((7,))), ValueError, "7 inputs, which are no square image"),
        (lambda: plotting.weights(Sequential([Input((4,)), Flatten()])), ValueError, "none in the model"),
        (lambda: plotting.activations(model_of(), X[:2]), ValueError, r"expected one example, of shape \(6, 6\)"),
        (lambda: plotting.calibration([0], [[2.0, -1.0]]), ValueError, "holds -1 to 2; expected probabilities"),
        (lambda: plotting.calibration([0, 1], [0.5]), ValueError, r"expected \(2, classes\)"),
        (lambda: plotting.calibration([0], [0.5], bins=0), ValueError, "bins must be at least 1"),
    ],
)
def test_bad_input_is_named_and_nothing_is_drawn(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
    assert plt.get_fignums() == []
