"""Losses as a user meets them: names, descriptions, bad input, advice."""

import inspect
import pickle
import re
from typing import Any

import numpy as np
import pytest

from fastnet import activations, losses
from fastnet.losses import Loss

_SHARED = ("name", "reduction", "dtype")  # arguments of all classes
FUNCTIONS = {
    "binary_crossentropy": "BinaryCrossentropy",
    "binary_focal_crossentropy": "BinaryFocalCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "categorical_focal_crossentropy": "CategoricalFocalCrossentropy",
    "categorical_generalized_cross_entropy": "CategoricalGeneralizedCrossEntropy",
    "categorical_hinge": "CategoricalHinge",
    "circle": "Circle",
    "cosine_similarity": "CosineSimilarity",
    "dice": "Dice",
    "hinge": "Hinge",
    "huber": "Huber",
    "kl_divergence": "KLDivergence",
    "log_cosh": "LogCosh",
    "mean_absolute_error": "MeanAbsoluteError",
    "mean_absolute_percentage_error": "MeanAbsolutePercentageError",
    "mean_squared_error": "MeanSquaredError",
    "mean_squared_logarithmic_error": "MeanSquaredLogarithmicError",
    "poisson": "Poisson",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
    "squared_hinge": "SquaredHinge",
    "tversky": "Tversky",
}
SHORT = {
    "bce": "BinaryCrossentropy",
    "BCE": "BinaryCrossentropy",
    "kld": "KLDivergence",
    "KLD": "KLDivergence",
    "mae": "MeanAbsoluteError",
    "MAE": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "MAPE": "MeanAbsolutePercentageError",
    "mse": "MeanSquaredError",
    "MSE": "MeanSquaredError",
    "msle": "MeanSquaredLogarithmicError",
    "MSLE": "MeanSquaredLogarithmicError",
}


@pytest.mark.parametrize(("name", "kind"), [*FUNCTIONS.items(), *SHORT.items()])
def test_names(name: str, kind: str) -> None:
    assert type(losses.for_training(name)) is type(losses.for_training(kind)) is getattr(losses, kind)


@pytest.mark.parametrize(("name", "kind"), FUNCTIONS.items())
def test_functions_classes_and_descriptions(name: str, kind: str) -> None:
    function, of = getattr(losses, name), getattr(losses, kind)
    loss = losses.for_training(function)
    assert type(loss) is type(losses.for_training(of)) is of
    assert loss.name == ("huber_loss" if name == "huber" else name)
    own = [each for each in inspect.signature(of).parameters if each not in _SHARED]
    description = losses.serialize(loss)
    assert description["class_name"] == kind
    assert list(description["config"]) == ["name", "reduction", *own]
    assert repr(losses.for_training(losses.serialize(loss))) == f"{kind}()"
    assert name in losses.__all__
    assert kind in losses.__all__


@pytest.mark.parametrize(("name", "kind"), FUNCTIONS.items())
def test_a_function_says_what_it_takes_and_can_be_pickled(name: str, kind: str) -> None:
    function = getattr(losses, name)
    parameters = list(inspect.signature(function).parameters)
    if name in ("circle", "sparse_categorical_crossentropy"):  # have more arguments than the class, as in Keras
        parameters = [each for each in parameters if each not in ("axis", "ref_labels", "ref_embeddings")]
    own = [argument for argument in inspect.signature(getattr(losses, kind)).parameters if argument not in _SHARED]
    assert parameters[:2] == ["y_true", "y_pred"]
    assert sorted(parameters[2:]) == sorted(own)
    assert (function.__name__, function.__qualname__) == (name, name)
    assert f"`{kind}`" in inspect.getdoc(function)
    assert inspect.getdoc(function).startswith("Returns the loss")
    assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (losses.Huber(2), "Huber(delta=2.0)"),
        (losses.BinaryCrossentropy(True, 0.5), "BinaryCrossentropy(from_logits=True, label_smoothing=0.5)"),
        (losses.SparseCategoricalCrossentropy(True), "SparseCategoricalCrossentropy(from_logits=True)"),
        (losses.MeanSquaredError(name="distance"), "MeanSquaredError(name='distance')"),
    ],
    ids=repr,
)
def test_arguments_are_described_and_kept(loss: Loss, text: str) -> None:
    again = losses.for_training(losses.serialize(loss))
    assert repr(loss) == repr(again) == repr(pickle.loads(pickle.dumps(loss))) == text
    assert again.get_config() == loss.get_config()
    assert again.name == loss.name


def test_reductions() -> None:
    t, p, w = [[0.0], [0.0]], [[1.0], [3.0]], [1, 2]
    assert losses.MeanSquaredError(reduction="sum")(t, p) == 10
    assert losses.MeanSquaredError(reduction="mean")(t, p, w) == (1 + 18) / 2
    np.testing.assert_array_equal(losses.MeanSquaredError(reduction=None)(t, p, w), [1, 18])
    with pytest.raises(ValueError, match=r"reduction must be one of 'sum_over_batch_size'.*'total'"):
        losses.MeanSquaredError(reduction="total")
    with pytest.raises(ValueError, match=r"trains on the mean loss.*reduction='sum'"):
        losses.for_training(losses.MeanSquaredError(reduction="sum"))


@pytest.mark.parametrize("s", [-0.1, 1.1, float("nan")])
def test_smoothing_is_a_share(s: float) -> None:
    for kind in (losses.BinaryCrossentropy, losses.CategoricalCrossentropy):
        with pytest.raises(ValueError, match="label_smoothing must be"):
            kind(label_smoothing=s)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: losses.Huber(0), ValueError, "delta must be greater than 0"),
        (lambda: losses.Huber(-1), ValueError, "delta"),
        (lambda: losses.BinaryFocalCrossentropy(alpha=1.5), ValueError, r"alpha must be in \[0, 1\]"),
        (lambda: losses.BinaryFocalCrossentropy(gamma=-1), ValueError, "gamma must be"),
        (lambda: losses.CategoricalFocalCrossentropy([1, -1]), ValueError, r"alpha\[1\] must be"),
        (lambda: losses.CategoricalFocalCrossentropy([1, 2])([1, 0, 0], [1, 0, 0]), ValueError, "alpha has .* 2 class"),
        (lambda: losses.Huber("1"), TypeError, "delta must be a number"),
        (lambda: losses.MeanSquaredError(name=3), TypeError, "name must be a str"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=None), TypeError, "label_smoothing must be a number"),
        (lambda: losses.get("mean_square_error"), ValueError, "unknown loss.*did you mean 'mean_squared_error'"),
        (lambda: losses.for_training("MSEE"), ValueError, "unknown loss 'MSEE'; did you mean 'mse'"),
        (lambda: losses.for_training(3), TypeError, "loss must be a name or an object of its kind, got 3"),
        (lambda: losses.for_training({"class_name": "MSEE", "config": {}}), ValueError, "unknown loss"),
    ],
)  # fmt: skip
def test_bad_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


X = np.full((3, 4), 0.25)


@pytest.mark.parametrize(
    ("loss", "y", "units", "error", "message"),
    [
        ("sparse_categorical_crossentropy", [0, 4, 1], 4, ValueError, r"y: label 4 at index 1 .*whole.* from 0 to 3"),
        ("sparse_categorical_crossentropy", [0, 1, -1], 4, ValueError, r"label -1 at index 2 is not in \[0, 4\)"),
        ("sparse_categorical_crossentropy", [[0], [1.5]], 4, ValueError, "label 1.5 at index 1 is not a whole"),
        ("sparse_categorical_crossentropy", [0, np.nan], 4, ValueError, "label nan at index 1"),
        ("sparse_categorical_crossentropy", np.eye(4), 4, ValueError, "expects labels.*'categorical_crossentropy'"),
        ("sparse_categorical_crossentropy", np.eye(3), 4, ValueError, r"expects labels, \(n,\) or \(n, 1\)"),
        ("sparse_categorical_crossentropy", np.zeros((2, 1, 1)), 4, ValueError, "expects labels"),
        ("sparse_categorical_crossentropy", 1, 4, ValueError, r"shape \(\)"),
        ("sparse_categorical_crossentropy", ["a"], 4, TypeError, "y has dtype"),
        ("sparse_categorical_crossentropy", None, 4, TypeError, "y is None"),
        ("categorical_crossentropy", [0, 1], 4, ValueError, r"to_categorical\(y, 4\), or the loss 'sparse_cat"),
        ("categorical_crossentropy", [[1, 1]], 2, ValueError, "not one-hot at row 0.*'binary_crossentropy'"),
        ("binary_crossentropy", [[1], [-1]], 1, ValueError, "holds -1 at row 1, column 0.*labels -1 and 1"),
        ("binary_crossentropy", [1, 0, 2], 1, ValueError, "holds 2 at row 2, column 0.*more than two classes"),
        ("binary_crossentropy", [0.5, -0.5], 1, ValueError, "holds -0.5 at row 1.*from 0 to 1$"),
        ("binary_crossentropy", [0, 1], 2, ValueError, r"y has shape \(2,\), but the model has 2 outputs"),
        ("mse", [[1, 2, 3]], 2, ValueError, r"y has shape \(1, 3\).*2 outputs.*or a last layer of 3 units"),
        ("mse", [1, 2], 3, ValueError, r"expected \(n, 3\)$"),
        ("mae", [[1], [np.inf]], 1, ValueError, "y holds inf at row 1"),
        ("hinge", [["x"]], 1, TypeError, "y has dtype"),
        ("poisson", None, 1, TypeError, "y is None"),
    ],
)
def test_bad_targets(loss: str, y: Any, units: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        losses.for_training(loss).check_targets("y", y, units)


@pytest.mark.parametrize("kind", losses.classes().values())
def test_arrays_that_do_not_fit_each_other(kind: type[Loss]) -> None:
    loss = kind()
    with pytest.raises(ValueError, match=r"y_true and y_pred must have the same number|y_true has shape"):
        loss([0, 1] if loss.of_labels else np.eye(2), np.full((3, 2), 0.5))
    with pytest.raises(ValueError, match=r"y_(true|pred) has shape"):
        loss([0, 1], [0.5, 0.5, 0.5])
    if getattr(loss, "axis", -1) is None:  # the loss is one number, of which the weights make several
        return
    with pytest.raises(ValueError, match="sample_weight has shape"):
        loss([0, 1] if loss.of_labels else np.eye(2), np.full((2, 2), 0.5), sample_weight=[1, 2, 3])


@pytest.mark.parametrize("labels", [[2, 0, 1], [[2], [0], [1]], np.uint8([2, 0, 1]), np.float32([2, 0, 1])])
def test_labels_stay_labels(labels: Any) -> None:
    targets = losses.SparseCategoricalCrossentropy().check_targets("y", labels, 3)
    np.testing.assert_array_equal(targets, [[2], [0], [1]])
    assert targets.dtype == np.int32


def test_a_column_of_targets_may_come_flat() -> None:
    for name in ("mse", "binary_crossentropy", "hinge"):
        assert losses.for_training(name).check_targets("y", [0, 1], 1).shape == (2, 1)


ACTIVATIONS = {name: activations.get(name) for name in ("linear", "relu", "sigmoid", "softmax", "tanh")}


@pytest.mark.parametrize(
    ("loss", "activation", "units", "words"),
    [
        (losses.CategoricalCrossentropy(), "softmax", 3, None),
        (losses.CategoricalCrossentropy(), "linear", 3, "'linear'.*activation='softmax'.*from_logits=True"),
        (losses.CategoricalCrossentropy(), "sigmoid", 3, "activation='softmax'"),
        (losses.CategoricalCrossentropy(), "softmax", 1, "1 unit.*'binary_crossentropy'.*'sigmoid'"),
        (losses.CategoricalCrossentropy(), None, 3, None),
        (losses.CategoricalCrossentropy(), None, 1, "1 unit"),
        (losses.CategoricalCrossentropy(True), "linear", 3, None),
        (losses.CategoricalCrossentropy(True), "softmax", 3, "from_logits=True.*'softmax': leave out one"),
        (losses.SparseCategoricalCrossentropy(), "softmax", 3, None),
        (losses.SparseCategoricalCrossentropy(), "relu", 3, "SparseCategoricalCrossentropy.from_logits=True"),
        (losses.SparseCategoricalCrossentropy(True), "softmax", 3, "from_logits=True"),
        (losses.BinaryCrossentropy(), "sigmoid", 1, None),
        (losses.BinaryCrossentropy(), "sigmoid", 5, None),
        (losses.BinaryCrossentropy(), "linear", 1, "'linear'.*activation='sigmoid'"),
        (losses.BinaryCrossentropy(), "softmax", 1, "activation='sigmoid'"),
        (losses.BinaryCrossentropy(), "softmax", 2, "'categorical_crossentropy'"),
        (losses.BinaryCrossentropy(True), "linear", 1, None),
        (losses.BinaryCrossentropy(True), "sigmoid", 1, "from_logits=True"),
        (losses.BinaryCrossentropy(), None, 1, None),
        (losses.MeanSquaredError(), "linear", 1, None),
        (losses.MeanSquaredError(), "softmax", 3, None),
        (losses.MeanSquaredError(), "softmax", 1, "softmax over 1 unit is always 1"),
        (losses.Poisson(), "linear", 1, "negative.*'exponential'"),
        (losses.Poisson(), "relu", 1, None),
    ],
)
def test_advice(loss: Loss, activation: str | None, units: int, words: str | None) -> None:
    advice = loss.advice(None if activation is None else ACTIVATIONS[activation], units)
    if words is None:
        assert advice is None
    else:
        assert advice is not None
        assert re.search(words, advice), advice


@pytest.mark.parametrize("kind", losses.classes().values())
def test_each_takes_a_name_and_a_reduction(kind: type[Loss]) -> None:
    assert {"name", "reduction"} <= set(inspect.signature(kind).parameters)
    assert kind(name="other").name == "other"


def test_only_the_matching_activation_is_fused() -> None:
    for name, loss in (("softmax", losses.CategoricalCrossentropy), ("sigmoid", losses.BinaryCrossentropy)):
        fused = [each for each in ACTIVATIONS if loss().takes_logits(ACTIVATIONS[each])]
        assert fused == [name]
        assert not loss(from_logits=True).takes_logits(ACTIVATIONS[name])
    assert not losses.MeanSquaredError().takes_logits(ACTIVATIONS["softmax"])


def test_a_name_from_a_file_is_shown_without_control_characters() -> None:
    loss = losses.CategoricalCrossentropy(name="a\x1b[2J\n")
    assert r"a\x1b[2J\n expects" in str(loss.advice(activations.get("relu"), 3))
    with pytest.raises(ValueError, match=r"a\\x1b\[2J\\n expects one-hot rows"):
        loss([1, 2], [[0.5, 0.5], [0.5, 0.5]])
