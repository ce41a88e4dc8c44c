"""Bad input to fit, evaluate and predict: a clear error of the right type, and nothing has changed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.layers import Dense, Input
from fastnet.utils import to_categorical

N, FEATURES, CLASSES = 12, 6, 3
X = np.random.default_rng(0).random((N, FEATURES)).astype(np.float32)
Y = to_categorical(np.arange(N) % CLASSES, CLASSES)


@pytest.fixture
def model() -> Sequential:
    model = Sequential([Input((FEATURES,)), Dense(5, activation="relu"), Dense(CLASSES, activation="softmax")])
    model.compile("rmsprop", "categorical_crossentropy", ["accuracy"])
    model.fit(X, Y, verbose=0)
    return model


def state(model: Sequential) -> tuple[bytes, Any, int]:
    weights = b"".join(w.tobytes() for w in model.get_weights())
    slots = b"".join(slot.tobytes() for slot in model.optimizer._slots.values())  # type: ignore[union-attr]
    return weights + slots, model.history, model.optimizer.iterations  # type: ignore[union-attr]


def changed(array: np.ndarray, at: Any, value: float) -> np.ndarray:
    array = array.copy()
    array[at] = value
    return array


class Hostile:
    """An array-like that fails when it is read."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise ValueError("cannot be read")


BAD_X = {
    "too few features": (X[:, :5], ValueError, r"x has 5 features, shape \(12, 5\); the model expects 6"),
    "1-D": (X[0], ValueError, r"x has 1 dimensions.*use x\[None\]"),
    "3-D": (X[None], ValueError, r"\(1, 12, 6\); the model expects .* \(6,\); use x\.reshape\(12, 6\)"),
    "0-D": (3.0, ValueError, "x has 0 dimensions"),
    "no features": (X[:, :0], ValueError, "no features"),
    "NaN": (changed(X, (7, 3), np.nan), ValueError, "x holds nan at row 7, column 3"),
    "infinity": (changed(X, (0, 5), -np.inf), ValueError, "x holds -inf at row 0, column 5"),
    "too large": (changed(X.astype(float), (1, 2), 1e300), ValueError, r"1e\+300 at row 1, column 2.*not fit float32"),
    "None": (None, TypeError, "x is None"),
    "text": ([["a"] * FEATURES] * N, TypeError, "x has dtype"),
    "objects": (np.full((N, FEATURES), None), TypeError, "object, which is not numeric"),
    "complex": (X + 1j, TypeError, "complex"),
    "dates": (np.zeros((N, FEATURES), "datetime64[s]"), TypeError, "datetime64"),
    "structured": (np.zeros((N, FEATURES), [("a", "f4")]), TypeError, "x has dtype"),
    "ragged": ([[1.0] * 6, [1.0] * 5], ValueError, "different lengths"),
    "masked": (np.ma.masked_array(X, X > 0.5), ValueError, "masked"),
}  # fmt: skip

BAD_Y = {
    "length": (Y[:5], ValueError, "same number of examples, got 12 and 5"),
    "labels": (np.arange(N) % CLASSES, ValueError, r"one-hot rows of 3 classes.*to_categorical\(y, 3\)"),
    "label column": ((np.arange(N) % CLASSES)[:, None], ValueError, "one-hot rows of 3 classes"),
    "width": (np.eye(4)[np.arange(N) % 4], ValueError, r"y has shape \(12, 4\), but the model has 3 outputs"),
    "two ones": (changed(Y, (4, slice(None)), 1), ValueError, "y is not one-hot at row 4"),
    "all zeros": (changed(Y, 9, 0), ValueError, "y is not one-hot at row 9"),
    "negative": (np.tile([2.0, -1.0, 0.0], (N, 1)), ValueError, "y is not one-hot at row 0"),
    "NaN": (changed(Y, (2, 1), np.nan), ValueError, "y holds nan at row 2, column 1"),
    "None": (None, TypeError, "y is None"),
    "text": ([["a", "b", "c"]] * N, TypeError, "y has dtype"),
    "0-D": (1, ValueError, r"y has shape \(\)"),
}


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "train_on_batch"])
@pytest.mark.parametrize(("x", "error", "message"), BAD_X.values(), ids=BAD_X)
def test_bad_examples(model: Sequential, method: str, x: Any, error: type[Exception], message: str) -> None:
    before = state(model)
    arguments = [x] if method == "predict" else [x, Y]
    with pytest.raises(error, match=message):
        getattr(model, method)(*arguments)
    assert state(model) == before


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
@pytest.mark.parametrize(("y", "error", "message"), BAD_Y.values(), ids=BAD_Y)
def test_bad_targets(model: Sequential, method: str, y: Any, error: type[Exception], message: str) -> None:
    before = state(model)
    with pytest.raises(error, match=message):
        getattr(model, method)(X, y)
    assert state(model) == before


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
def test_an_empty_set_is_refused(model: Sequential, method: str) -> None:
    with pytest.raises(ValueError, match="0 examples"):
        getattr(model, method)(X[:0], Y[:0])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": -1}, ValueError, "batch_size"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be an integer, got 2.5"),
        ({"batch_size": "32"}, TypeError, "batch_size"),
        ({"epochs": -1}, ValueError, "epochs must be at least 0"),
        ({"epochs": 1.5}, TypeError, "epochs"),
        ({"epochs": True}, TypeError, "epochs"),
        ({"verbose": 3}, ValueError, "verbose must be 'auto', 0"),
        ({"verbose": "yes"}, ValueError, "verbose"),
        ({"validation_split": 1.0}, ValueError, r"validation_split must be a finite number in \[0, 1\)"),
        ({"validation_split": -0.1}, ValueError, "validation_split"),
        ({"validation_split": 0.999}, ValueError, "leaves 0 for training"),
        ({"validation_data": X}, ValueError, r"validation_data must be a pair"),
        ({"validation_data": (X, Y[:3])}, ValueError, "validation x and y must have the same number"),
        ({"validation_data": (X[:, :2], Y)}, ValueError, "validation x has 2 features"),
        ({"validation_data": (X, 2 * Y)}, ValueError, "validation y is not one-hot"),
        ({"initial_epoch": -1}, ValueError, "initial_epoch"),
    ],
)
def test_bad_arguments_of_fit(
    model: Sequential, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    before = state(model)
    with pytest.raises(error, match=message):
        model.fit(X, Y, **arguments)
    assert state(model) == before


def test_an_unknown_argument_is_refused(model: Sequential) -> None:
    with pytest.raises(TypeError, match="batchsize"):
        model.fit(X, Y, batchsize=3)  # type: ignore[call-arg]


FORMS = {
    "float64": lambda x: x.astype(np.float64),
    "big-endian": lambda x: x.astype(">f4"),
    "longdouble": lambda x: x.astype(np.longdouble),
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "reversed": lambda x: x[:, ::-1].copy()[:, ::-1],
    "list": lambda x: x.tolist(),
    "misaligned": lambda x: np.frombuffer(b"\0" + x.tobytes(), np.float32, offset=1).reshape(x.shape),
    "read-only": lambda x: np.frombuffer(x.tobytes(), np.float32).reshape(x.shape),
    "unmasked": np.ma.masked_array,
    "matrix": np.asmatrix,
}


@pytest.mark.parametrize("convert", FORMS.values(), ids=FORMS)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_the_same_numbers_in_another_form_give_the_same_bits(
    model: Sequential, convert: Callable[[np.ndarray], Any]
) -> None:
    form, expected = convert(X), model.predict(X, verbose=0)
    np.testing.assert_array_equal(model.predict(form, verbose=0), expected)
    assert model.evaluate(form, convert(Y), verbose=0) == model.evaluate(X, Y, verbose=0)
    np.testing.assert_array_equal(np.asarray(form), X)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int16, np.uint32, np.int64, np.float16])
def test_other_number_types_are_computed_as_float32(model: Sequential, dtype: type) -> None:
    x = (X * 2).astype(dtype)
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x.astype(np.float32), verbose=0))


def test_an_array_that_cannot_be_read_tells_why(model: Sequential) -> None:
    with pytest.raises(ValueError, match="x cannot be made an array") as caught:
        model.predict(Hostile())
    assert "cannot be read" in str(caught.value.__cause__)
