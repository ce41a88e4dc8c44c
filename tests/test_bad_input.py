"""Bad input to fit, evaluate and predict: a clear error of the right type, and nothing has changed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.layers import Dense, Flatten, Input
from fastnet.utils import set_random_seed, to_categorical

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
    "0-D array": (np.array(3.0), ValueError, "x has 0 dimensions"),
    "a column for an example": (X[0][:, None], ValueError, r"x has shape \(6, 1\).*for one example use x\[None\]"),
    "not flat": (X[0].reshape(2, 3), ValueError, r"x has 3 features, shape \(2, 3\).*use x\.reshape\(1, 6\)"),
    "two axes too many": (X[..., None, None], ValueError, r"\(12, 6, 1, 1\); the model expects .* \(6,\)"),
    "no rows": ([], ValueError, r"x has 1 dimensions, shape \(0,\)"),
    "empty rows": ([[]] * N, ValueError, "no features"),
    "a dict": ({"a": X}, TypeError, "x is of type dict"),
    "one word": ("abc", TypeError, "x has dtype <U3; expected real numbers"),
    "a function": (len, TypeError, "x is of type builtin_function_or_method"),
    "None among numbers": ([[1, 2, None, 4, 5, 6]] * N, ValueError, "x holds None at row 0, column 2; expected a num"),
    "a large whole number": ([[10**400] * FEATURES] * N, ValueError, "x holds a whole number that does not fit"),
    "arrays in objects": (np.array([*(X[:11]), X[0, :5]], dtype=object), TypeError, "holds an object of type ndarray"),
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
    "0-D array": (np.array(1.0), ValueError, r"y has shape \(\)"),
    "empty": ([], ValueError, r"y has shape \(0,\)"),
    "ragged": ([[1.0, 0, 0]] * 11 + [[1.0, 0]], ValueError, "y cannot be made an array: its rows have different"),
    "a dict": ({0: 1}, TypeError, "y is of type dict"),
    "a set": ({0, 1}, TypeError, "y is of type set"),
    "a generator": ((row for row in Y), TypeError, "y is of type generator"),
    "labels as text": (["cat", "dog"] * 6, TypeError, r"y = np\.unique\(y, return_inverse=True\).*to_categorical\(y\)"),
    "labels as objects": (np.array(["cat", "dog"] * 6, object), TypeError, r"'cat' at index 0.*np\.unique\(y, ret"),
    "a column of text": ([["cat"], ["dog"]] * 6, TypeError, r"np\.unique\(y, return_inverse=True\)"),
    "digits as text": (["0", "1", "2"] * 4, TypeError, r"np\.unique.*np\.asarray\(y, dtype='float32'\)"),
    "None among text": (np.array(["cat", None] * 6, object), TypeError, "'cat' at index 0; fill what is missing"),
    "dates": (np.zeros(N, "datetime64[s]"), TypeError, r"y has dtype datetime64\[s\].*np\.timedelta64\(1, 'D'\)"),
    "complex": (Y + 1j, TypeError, "y has dtype complex"),
    "masked": (np.ma.masked_array(Y, Y > 0), ValueError, "masked"),
}  # fmt: skip

BAD_WEIGHTS = {
    "0-D": (np.array(1.0), ValueError, r"sample_weight has shape \(\)"),
    "text": (["a"] * N, TypeError, "sample_weight has dtype <U1; expected real numbers$"),
    "None among numbers": ([1.0, None] * 6, ValueError, "sample_weight holds None at index 1"),
    "NaN": ([1.0, np.nan] * 6, ValueError, "sample_weight holds nan at index 1; expected finite numbers"),
    "a dict": ({0: 1.0}, TypeError, "sample_weight is of type dict"),
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
@pytest.mark.parametrize(("weights", "error", "message"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_bad_sample_weights(model: Sequential, method: str, weights: Any, error: type[Exception], message: str) -> None:
    before = state(model)
    with pytest.raises(error, match=message):
        getattr(model, method)(X, Y, sample_weight=weights)
    assert state(model) == before


@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.parametrize("x", [3.0, np.float32(3), np.array(3.0)])
def test_a_single_number_is_no_example(model: Sequential, x: Any, verbose: int) -> None:
    with pytest.raises(ValueError, match="x has 0 dimensions"):
        model.predict(x, verbose=verbose)


def test_the_target_of_one_example_needs_its_first_axis_too(model: Sequential) -> None:
    with pytest.raises(ValueError, match=r"y has shape \(3,\), but there is 1 example; for one example use y\[None\]"):
        model.fit(X[:1], Y[0], verbose=0)


@pytest.mark.parametrize("entry", [(), (X, Y, None, None), [*X]])
def test_what_is_no_batch_of_a_prediction_is_refused(model: Sequential, entry: Any) -> None:
    with pytest.raises(ValueError, match=r"x must make batches x, \(x, y\)"):
        model.predict(iter([entry]), verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_a_generator_without_batches_is_refused(model: Sequential, method: str) -> None:
    with pytest.raises(ValueError, match="x makes no batches"):
        getattr(model, method)(iter([]), verbose=0)


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
    "objects": lambda x: x.astype(object),
    "numbers of NumPy": lambda x: [list(row) for row in x],
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


# A last axis of 1, one too many or missing ----------------------------------------------------------------------------

IMAGES = np.random.default_rng(1).random((8, 4, 3)).astype(np.float32)
TARGETS = np.eye(3)[np.arange(8) % 3]


@pytest.mark.parametrize(
    ("shape", "x", "same"),
    [
        ((4, 3), IMAGES[..., None], IMAGES),
        ((4, 3, 1), IMAGES, IMAGES[..., None]),
        ((12,), IMAGES.reshape(8, 12, 1), IMAGES.reshape(8, 12)),
        ((12, 1), IMAGES.reshape(8, 12), IMAGES.reshape(8, 12, 1)),
        ((1,), IMAGES[:, 0, 0], IMAGES[:, 0, :1]),
        ((1,), IMAGES[:, :1, :1], IMAGES[:, 0, :1]),
        ((4, 3), (255 * IMAGES[..., None]).astype(np.uint8), (255 * IMAGES).astype(np.uint8)),
    ],
)
def test_a_last_axis_of_1_may_be_missing_or_one_too_many(shape: Any, x: np.ndarray, same: np.ndarray) -> None:
    def outcome(x: np.ndarray) -> list[Any]:
        set_random_seed(1)
        model = Sequential([Input(shape), Flatten(), Dense(3, "softmax")])
        model.compile("sgd", "categorical_crossentropy")

        def batches() -> Any:
            return ((x[i : i + 4], TARGETS[i : i + 4]) for i in (0, 4))

        return [
            model.fit(x, TARGETS, verbose=0, validation_data=(x, TARGETS)).history,
            model.fit(x, TARGETS, verbose=0, validation_split=0.5).history,
            model.fit(batches(), verbose=0, validation_data=batches()).history,
            model.evaluate(x, TARGETS, verbose=0),
            model.evaluate(batches(), verbose=0),
            model.train_on_batch(x, TARGETS),
            model.test_on_batch(x, TARGETS),
            model.predict(x, verbose=0).tolist(),
            model.predict(x[:1], verbose=0).tolist(),
            model.predict((x for x, _ in batches()), verbose=0).tolist(),
            model.predict_on_batch(x).tolist(),
        ]

    assert outcome(x) == outcome(same)


def test_targets_may_have_a_last_axis_of_1_too_many(model: Sequential) -> None:
    assert model.evaluate(X, Y[..., None], verbose=0) == model.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize(
    ("shape", "x"),
    [((4, 3), IMAGES[0]), ((4, 3), IMAGES[0, ..., None]), ((4, 3, 1), IMAGES[0]), ((4, 3, 1), IMAGES[0, ..., None])],
)
def test_one_example_without_its_first_axis_is_told_how_to_get_it(shape: Any, x: np.ndarray) -> None:
    model = Sequential([Input(shape), Flatten(), Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    for call in (lambda: model.predict(x, verbose=0), lambda: model.fit(x, TARGETS[:1], verbose=0)):
        with pytest.raises(ValueError, match=r"for one example use x\[None\]"):
            call()
    assert model.predict(x[None], verbose=0).shape == (1, 3)
    with pytest.raises(ValueError, match=r"validation x has shape .*for one example use x\[None\]"):
        model.fit(x[None], TARGETS[:1], validation_data=(x, TARGETS[:1]), verbose=0)


# Data frames ----------------------------------------------------------------------------------------------------------

FRAMES: dict[str, Callable[[Any], Any]] = {
    "float and bool": lambda pd: pd.DataFrame({"a": [0.5, 1.5, 2.5], "b": [True, False, True], "c": [1.0, 2.0, 3.0]}),
    "dummies": lambda pd: pd.get_dummies(pd.DataFrame({"a": [0.5, 1.5, 2.5], "k": ["u", "v", "u"]})),
    "whole and float": lambda pd: pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "c": np.array([1, 2, 3], "u1")}),
    "Int64": lambda pd: pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6], "c": [7, 8, 9]}, dtype="Int64"),
    "Float64": lambda pd: pd.DataFrame({"a": [1.5, 2, 3], "b": [4, 5, 6], "c": [7, 8, 9]}, dtype="Float64"),
    "boolean": lambda pd: pd.DataFrame({c: [True, False, True] for c in "abc"}, dtype="boolean"),
    "converted": lambda pd: pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1, 2], "c": [True, False, True]}).convert_dtypes(),
    "objects": lambda pd: pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1, 2], "c": [True, False, True]}).astype(object),
    "one name": lambda pd: pd.DataFrame([[1, 0.5, True], [2, 1.5, False], [3, 2.5, True]], columns=["a", "a", "a"]),
    "pairs of names": lambda pd: pd.concat({"t": pd.DataFrame({"a": [1, 2], "b": [0.5, 1], "c": [True] * 2})}, axis=1),
    "sparse": lambda pd: pd.DataFrame({c: pd.arrays.SparseArray([0.0, 1.0, 0.0]) for c in "abc"}),
}  # fmt: skip


@pytest.fixture
def pandas() -> Any:
    return pytest.importorskip("pandas", reason="needs pandas, which is not installed")


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_a_data_frame_of_numbers_is_its_floats(pandas: Any, make: Callable[[Any], Any]) -> None:
    frame = make(pandas)
    x = np.column_stack([np.array(list(column), np.float32) for _, column in frame.items()])
    model = Sequential([Input((3,)), Dense(2)])
    model.compile("sgd", "mse")
    expected = model.predict(x, verbose=0)
    np.testing.assert_array_equal(model.predict(frame, verbose=0), expected)
    np.testing.assert_array_equal(model.predict(iter([frame, frame]), verbose=0), np.tile(expected, (2, 1)))
    assert model.evaluate(frame, frame.iloc[:, :2], verbose=0) == model.evaluate(x, x[:, :2], verbose=0)
    assert model.evaluate(iter([(frame, x[:, :2])]), verbose=0) == model.evaluate(x, x[:, :2], verbose=0)
    weights = frame.iloc[:, 0]
    assert model.evaluate(frame, x[:, :2], sample_weight=weights, verbose=0) == model.evaluate(
        x, x[:, :2], sample_weight=x[:, 0], verbose=0
    )


_MISSING = "x holds (nan|<NA>) at row 1, column 'b'"
BAD_FRAMES: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "NaN": (lambda pd: [1.0, np.nan], ValueError, r"x holds nan at row 1, column 'b'; expected finite.*x\.fillna\(0\)"),
    "None": (lambda pd: pd.Series([1, None], dtype=object), ValueError, r"x holds None at row 1, column 'b'.*dropna"),
    "NA": (lambda pd: pd.Series([1, pd.NA], dtype=object), ValueError, "x holds <NA> at row 1, column 'b'"),
    "Int64": (lambda pd: pd.array([1, None], dtype="Int64"), ValueError, _MISSING),
    "Float64": (lambda pd: pd.array([1.5, None], dtype="Float64"), ValueError, _MISSING),
    "boolean": (lambda pd: pd.array([True, None], dtype="boolean"), ValueError, _MISSING),
    "infinity": (lambda pd: [1.0, -np.inf], ValueError, "x holds -inf at row 1, column 'b'; expected finite numbers"),
    "too large": (lambda pd: [1.0, 1e300], ValueError, r"x holds 1e\+300 at row 1, column 'b', which does not fit"),
    "text": (lambda pd: ["red", "blue"], TypeError, r"x holds 'red' at row 0, column 'b'.*pandas\.get_dummies\(x\)"),
    "category": (lambda pd: pd.Categorical(["u", "v"]), TypeError, r"x holds 'u' at row 0, column 'b'.*get_dummies"),
    "numbers as text": (lambda pd: ["1", "2"], TypeError, r"x holds '1' at row 0.*np\.asarray\(x, dtype='float32'\)"),
    "dates": (lambda pd: pd.to_datetime(["2020-01-01"] * 2), TypeError, r"column 'b'.*pandas\.to_datetime\(x\['b'\]\)"),
    "dates of a zone": (lambda pd: pd.to_datetime(["2020-01-01"] * 2, utc=True), TypeError, "column 'b'.*day_of_year"),
    "durations": (lambda pd: pd.to_timedelta([1, 2], unit="h"), TypeError, r"x\['b'\] / np\.timedelta64\(1, 's'\)"),
    "complex": (lambda pd: [1j, 2j], TypeError, "complex128 in column 'b'"),
    "lists": (lambda pd: [[1, 2], [3, 4]], TypeError, r"type list at row 0, column 'b'.*np\.stack\(x\['b'\]\)"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "error", "message"), BAD_FRAMES.values(), ids=BAD_FRAMES)
@pytest.mark.parametrize("others", [{"a": [1, 2], "c": [True, False]}, {"a": [1.5, 2.5], "c": [0.5, 1.0]}, {}])
def test_what_is_no_number_in_a_data_frame_is_named(
    pandas: Any, others: Any, make: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    frame = pandas.DataFrame(others | {"b": make(pandas)})
    model = Sequential([Input((frame.shape[1],)), Dense(2)])
    with pytest.raises(error, match=message):
        model.predict(frame, verbose=0)


def test_the_hints_of_data_frames_work(pandas: Any) -> None:
    frame = pandas.DataFrame({"a": [1.5, 2.5], "b": pandas.to_datetime(["2020-01-01", "2020-02-01"]), "c": ["u", "v"]})
    frame["b"] = pandas.to_datetime(frame["b"]).dt.day_of_year
    x = pandas.get_dummies(frame)
    assert Sequential([Input((4,)), Dense(2)]).predict(x, verbose=0).shape == (2, 2)
    text = pandas.DataFrame({"a": ["1", "2"], "b": [True, False]})
    assert Sequential([Input((2,)), Dense(2)]).predict(np.asarray(text, dtype="float32"), verbose=0).shape == (2, 2)


LABELS: dict[str, Callable[[Any], Any]] = {
    "Series": lambda pd: pd.Series([0, 1, 2] * 4),
    "Int64": lambda pd: pd.Series([0, 1, 2] * 4, dtype="Int64"),
    "floats": lambda pd: pd.Series([0.0, 1.0, 2.0] * 4, dtype="Float64"),
    "objects": lambda pd: pd.Series([0, 1, 2] * 4, dtype=object),
    "Index": lambda pd: pd.Index([0, 1, 2] * 4),
    "Categorical": lambda pd: pd.Categorical([0, 1, 2] * 4),
    "frame": lambda pd: pd.DataFrame({"y": [0, 1, 2] * 4}),
    "NumPy objects": lambda pd: np.array([0, 1.0, np.int8(2)] * 4, dtype=object),
    "list of NumPy's": lambda pd: [np.int64(0), np.int64(1), np.int64(2)] * 4,
}


@pytest.mark.parametrize("make", LABELS.values(), ids=LABELS)
def test_labels_may_come_in_any_form(model: Sequential, pandas: Any, make: Callable[[Any], Any]) -> None:
    expected = model.evaluate(X, Y, verbose=0)
    np.testing.assert_array_equal(to_categorical(make(pandas)), Y)
    model.compile("rmsprop", "sparse_categorical_crossentropy", ["accuracy"])
    assert model.evaluate(X, make(pandas), verbose=0) == expected


@pytest.mark.parametrize("make", ["Series", "Categorical", "Index", "DataFrame"])
def test_labels_that_are_text_are_told_how_to_make_numbers_of_them(model: Sequential, pandas: Any, make: str) -> None:
    y = getattr(pandas, make)(["cat", "dog", "eel"] * 4)
    for loss in ("categorical_crossentropy", "sparse_categorical_crossentropy", "mse"):
        model.compile("rmsprop", loss)
        with pytest.raises(TypeError, match=r"y holds|y has") as caught:
            model.fit(X, y, verbose=0)
        assert "classes, y = np.unique(y, return_inverse=True)" in str(caught.value)
    model.compile("rmsprop", "categorical_crossentropy")
    _, y = np.unique(y, return_inverse=True)  # what the message says
    assert model.evaluate(X, to_categorical(y), verbose=0) == model.evaluate(X, Y, verbose=0)


def test_a_missing_label_is_refused_with_its_place(model: Sequential, pandas: Any) -> None:
    for y in (pandas.Series([0, None] * 6, dtype="Int64"), pandas.Series([0.0, None] * 6)):
        with pytest.raises(ValueError, match=r"y holds (nan|<NA>) at index 1.*y\.fillna\(0\)"):
            model.fit(X, y, verbose=0)


# Weights of classes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weights",
    [
        {0.0: 3.0, 2.0: 0.5},
        {np.int64(0): 3.0, np.uint8(2): np.float32(0.5)},
        {np.float32(0): 3, np.float64(2): 0.5},
        {False: 3.0, 2: 0.5},
        {np.False_: 3.0, 2: 0.5, 1: 1},
    ],
)
def test_classes_may_be_any_whole_numbers(weights: Any) -> None:
    def trained(class_weight: Any) -> bytes:
        set_random_seed(1)
        model = Sequential([Input((FEATURES,)), Dense(CLASSES, "softmax")])
        model.compile("sgd", "categorical_crossentropy")
        model.fit(X, Y, class_weight=class_weight, verbose=0)
        return b"".join(w.tobytes() for w in model.get_weights())

    assert trained(weights) == trained({0: 3.0, 2: 0.5}) != trained(None)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ({0.5: 1.0}, TypeError, "class_weight's class must be an integer, got 0.5"),
        ({np.nan: 1.0}, TypeError, "class_weight's class"),
        ({np.inf: 1.0}, TypeError, "class_weight's class"),
        ({"cat": 1.0}, TypeError, "class_weight's class must be an integer, got 'cat'"),
        ({None: 1.0}, TypeError, "class_weight's class"),
        ({-1.0: 1.0}, ValueError, "class_weight's class must be at least 0, got -1"),
        ({3.0: 1.0}, ValueError, "class 3, but the targets have 3 classes"),
        ({0.0: None}, TypeError, r"class_weight\[0\] must be a number"),
        (np.ones(3), TypeError, r"class_weight must be a dict.*use dict\(enumerate\(class_weight\)\)"),
    ],
)
def test_bad_weights_of_classes(model: Sequential, weights: Any, error: type[Exception], message: str) -> None:
    before = state(model)
    with pytest.raises(error, match=message):
        model.fit(X, Y, class_weight=weights, verbose=0)
    assert state(model) == before
