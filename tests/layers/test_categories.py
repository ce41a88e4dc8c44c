"""CategoryEncoding, Discretization, IntegerLookup, StringLookup: what they make of categories, alone and in a model."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Model, Sequential
from fastnet.layers import CategoryEncoding, Dense, Discretization, Input, IntegerLookup, StringLookup
from fastnet.models import load_model

RNG = np.random.default_rng(0)
WORDS = [["the", "cat"], ["the", "dog"], ["a", "dog"], ["the", "cow"]]


# Rows


@pytest.mark.parametrize("shape", [(5,), (6, 4), (2, 3, 4)])
def test_rows_of_categories(shape: tuple[int, ...]) -> None:
    x = RNG.integers(0, 5, shape)
    one_hot = np.eye(6, dtype=np.float32)[x]
    np.testing.assert_array_equal(CategoryEncoding(6, "one_hot")(x), one_hot)
    sample = min(1, len(shape) - 1)  # the axis of a sample is the first after the batch
    np.testing.assert_array_equal(CategoryEncoding(6, "count")(x), one_hot.sum(axis=sample))
    np.testing.assert_array_equal(CategoryEncoding(6)(x), one_hot.max(axis=sample))
    weights = RNG.standard_normal(shape)
    weighted = CategoryEncoding(6, "count")(x, count_weights=weights)
    np.testing.assert_allclose(weighted, (one_hot * weights[..., None]).sum(axis=sample), rtol=1e-5, atol=1e-6)


def test_a_last_axis_of_1_is_dropped_in_one_hot_rows() -> None:
    np.testing.assert_array_equal(CategoryEncoding(3, "one_hot")([[2], [0]]), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(CategoryEncoding(3, "one_hot")(2), [0, 0, 1])
    np.testing.assert_array_equal(CategoryEncoding(3, "binary")([2, 2]), [0, 0, 1])


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("length", [1, 4])
def test_a_model_takes_the_same_numbers(mode: str, length: int, tmp_path: Path) -> None:
    x = RNG.integers(0, 6, (8, length))
    layer = CategoryEncoding(6, mode)
    model = Sequential([Input((length,)), layer])
    np.testing.assert_array_equal(model.predict(x, verbose=0), layer(x))
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(load_model(tmp_path / "m.safetensors").predict(x, verbose=0), layer(x))


@pytest.mark.parametrize(
    "make", [lambda mode: CategoryEncoding(4, mode), lambda mode: Discretization([1, 2, 3], output_mode=mode)]
)
def test_examples_that_are_numbers(make: Any) -> None:
    """Each is a row in mode "one_hot"; the other modes make a row of several numbers."""
    model = Sequential([Input(()), make("one_hot")])
    for x in ([1.0, 3.0], [3.0]):
        np.testing.assert_array_equal(model.predict(np.array(x), verbose=0), np.eye(4)[np.array(x, int)])
    for mode in ("multi_hot", "count"):
        with pytest.raises(ValueError, match=f"examples that are numbers; '{mode}' expects rows, and 'one_hot' makes"):
            Sequential([Input(()), make(mode)])


def test_a_model_trains_after_it_and_not_before() -> None:
    x = RNG.integers(0, 6, (8, 2))
    model = Sequential([Input((2,)), CategoryEncoding(6), Dense(1)])
    model.compile("sgd", "mse")
    assert model.check_gradients(x, np.ones((8, 1)))
    model = Sequential([Input((2,)), Dense(2, kernel_initializer="zeros"), CategoryEncoding(6), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="no gradient reaches the trained layers before it: put CategoryEncoding"):
        model.fit(x, np.ones(8), verbose=0)


# Discretization


def test_intervals_contain_their_lower_boundary() -> None:
    x = [[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]]
    found = Discretization([0.0, 1.0, 2.0])(x)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, [[0, 2, 3, 1], [1, 3, 2, 1]])
    np.testing.assert_array_equal(Discretization([0.7], output_mode="one_hot")([[0.7]]), [[0, 1]])
    np.testing.assert_array_equal(Discretization([0.0, 1.0], output_mode="count")([[-1, -2, 5]]), [[2, 0, 1]])


def test_adapt_makes_intervals_of_equal_counts(tmp_path: Path) -> None:
    data = RNG.exponential(size=(5000, 2))
    layer = Discretization(num_bins=4)
    layer.adapt(data)
    np.testing.assert_allclose(layer.bin_boundaries, np.quantile(data, [0.25, 0.5, 0.75]), rtol=0.05)
    layer.adapt(iter([data[:2000], data[2000:]]))  # what it found before is forgotten
    np.testing.assert_allclose(layer.bin_boundaries, np.quantile(data, [0.25, 0.5, 0.75]), rtol=0.05)
    made = Discretization.from_config(json.loads(json.dumps(layer.get_config())))
    np.testing.assert_array_equal(made(data), layer(data))
    assert (made.num_bins, made.get_config()) == (4, layer.get_config())
    model = Sequential([Input((2,)), layer])
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(load_model(tmp_path / "m.safetensors").predict(data, verbose=0), layer(data))


def test_adapt_to_few_numbers_takes_them_all() -> None:
    # Four numbers, each a quarter: the quantiles at 1/4, 1/2 and 3/4 are the first three.
    layer = Discretization(num_bins=4, epsilon=0.01)
    layer.adapt([3.0, 0.0, 2.0, 1.0])
    assert layer.bin_boundaries == [0.0, 1.0, 2.0]


# Lookup


def test_numbers_of_words() -> None:
    layer = StringLookup(vocabulary=["cat", "dog"])
    found = layer([["dog", "cow"], ["cat", "dog"]])
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, [[2, 0], [1, 2]])
    np.testing.assert_array_equal(layer(np.array([b"cat", "dog"], object)), [1, 2])
    assert layer(np.array(["dog"], "S"))[0] == 2
    assert layer.get_vocabulary() == ["[UNK]", "cat", "dog"]
    assert layer.get_vocabulary(include_special_tokens=False) == ["cat", "dog"]
    assert layer.vocabulary_size() == 3
    back = StringLookup(vocabulary=["cat", "dog"], invert=True)
    np.testing.assert_array_equal(back([[2, 0, 9]]), [["dog", "[UNK]", "[UNK]"]])
    masked = StringLookup(vocabulary=["", "[UNK]", "cat"], mask_token="")
    np.testing.assert_array_equal(masked(["", "cow", "cat"]), [0, 1, 2])
    assert masked.get_vocabulary() == ["", "[UNK]", "cat"]


def test_a_vocabulary_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("cat\ndög\n", "utf-8")
    assert StringLookup(vocabulary=tmp_path / "words.txt").get_vocabulary() == ["[UNK]", "cat", "dög"]
    (tmp_path / "numbers.txt").write_text("12\n-36\n")
    assert IntegerLookup(vocabulary=str(tmp_path / "numbers.txt")).get_vocabulary() == [-1, 12, -36]


def test_numbers_of_integers() -> None:
    layer = IntegerLookup(vocabulary=[12, 36, 2**60], num_oov_indices=3)
    np.testing.assert_array_equal(layer([[12, 36, 7, 8, 2**60, 9]]), [[3, 4, 1, 2, 5, 0]])
    back = IntegerLookup(vocabulary=[12, 36], mask_token=0, invert=True)
    np.testing.assert_array_equal(back([0, 1, 2, 3, 7]), [0, -1, 12, 36, -1])
    with pytest.raises(ValueError, match="x holds 5, which is not in the vocabulary"):
        IntegerLookup(vocabulary=[12], num_oov_indices=0)([5])


def test_rows_leave_out_the_mask_token() -> None:
    layer = IntegerLookup(vocabulary=[12, 36], mask_token=0, output_mode="count")
    np.testing.assert_array_equal(layer([[0, 12, 12, 5]]), [[1, 2, 0]])
    layer = IntegerLookup(vocabulary=[12, 36], output_mode="multi_hot", max_tokens=5, pad_to_max_tokens=True)
    np.testing.assert_array_equal(layer([[36, 12, 12]]), [[0, 1, 1, 0, 0]])
    layer = StringLookup(vocabulary=["a"], output_mode="one_hot")
    np.testing.assert_array_equal(layer(["a", "b"]), [[0, 1], [1, 0]])


def test_adapt_sorts_by_frequency_and_then_backwards() -> None:
    layer = StringLookup()
    layer.adapt(WORDS)
    assert layer.get_vocabulary() == ["[UNK]", "the", "dog", "cow", "cat", "a"]
    layer = StringLookup(max_tokens=3)
    layer.adapt(iter([WORDS[:2], WORDS[2:]]))
    assert layer.get_vocabulary() == ["[UNK]", "the", "dog"]
    numbers = IntegerLookup(mask_token=0)
    numbers.adapt(np.array([[5, 0], [7, 7], [-1, 5], [7, 3]]))
    assert numbers.get_vocabulary() == [0, -1, 7, 5, 3]


def test_tf_idf_is_the_count_times_the_weight() -> None:
    layer = StringLookup(output_mode="tf_idf")
    layer.adapt(WORDS)
    holding = {"the": 3, "dog": 2, "cow": 1, "cat": 1, "a": 1}
    weights = {word: math.log(1 + 4 / (1 + n)) for word, n in holding.items()}
    unknown = np.mean(list(weights.values()))
    found = layer([["dog", "dog"], ["the", "bird"]])
    np.testing.assert_allclose(found[0], [0, 0, 2 * weights["dog"], 0, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(found[1], [unknown, weights["the"], 0, 0, 0, 0], rtol=1e-6)
    made = StringLookup.from_config(json.loads(json.dumps(layer.get_config())))
    np.testing.assert_array_equal(made(WORDS), layer(WORDS))
    given = StringLookup(vocabulary=["a", "b"], idf_weights=[1.0, 3.0], output_mode="tf_idf")
    np.testing.assert_array_equal(given([["b", "c"]]), [[2, 0, 3]])


def test_an_adapted_lookup_is_saved_with_its_vocabulary(tmp_path: Path) -> None:
    x = RNG.integers(100, 110, (30, 3))
    layer = IntegerLookup(output_mode="multi_hot")
    layer.adapt(x)
    model = Sequential([Input((3,)), layer, Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, np.ones(30), verbose=0)
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    with pytest.raises(RuntimeError, match=r"is built for .* tokens, so it cannot get 3"):
        layer.adapt([[1, 2]])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CategoryEncoding(), ValueError, "num_tokens must be given"),
        (lambda: CategoryEncoding(3, "int"), ValueError, "output_mode"),
        (lambda: CategoryEncoding(3, sparse=True), ValueError, "sparse is not supported"),
        (lambda: CategoryEncoding(3)([[3]]), ValueError, r"x holds 3 at row 0, column 0; expected numbers in \[0, 3\)"),
        (lambda: CategoryEncoding(3)(object()), TypeError, "x is of type object, which is not numeric"),
        (lambda: CategoryEncoding(3)([[0.5]]), ValueError, "x holds 0.5 .* expected whole numbers"),
        (lambda: CategoryEncoding(3)([0], count_weights=[1]), ValueError, "count_weights is given, but output_mode"),
        (lambda: CategoryEncoding(3, "count")([0], [1, 2]), ValueError, r"count_weights has shape \(2,\), but x"),
        (lambda: Discretization(), ValueError, "give bin_boundaries, or num_bins"),
        (lambda: Discretization([1.0, 0.0]), ValueError, "bin_boundaries must be a list of rising numbers"),
        (lambda: Discretization([1.0]).adapt([1.0]), ValueError, "bin_boundaries was given to the layer"),
        (lambda: Discretization(num_bins=3)([1.0]), ValueError, "has no boundaries yet"),
        (lambda: Discretization(num_bins=3).adapt([]), ValueError, "data holds no numbers"),
        (lambda: IntegerLookup(max_tokens=1), ValueError, "max_tokens must be at least 2"),
        (lambda: IntegerLookup(num_oov_indices=-1), ValueError, "num_oov_indices must be at least 0"),
        (lambda: IntegerLookup(pad_to_max_tokens=True), ValueError, "max_tokens must be given"),
        (lambda: IntegerLookup(invert=True, output_mode="count"), ValueError, "output_mode must be 'int'"),
        (lambda: IntegerLookup(vocabulary=[1, 1]), ValueError, "vocabulary holds 1 more than once"),
        (lambda: IntegerLookup(vocabulary=[1, 0], mask_token=0), ValueError, "special token 0 at index 1"),
        (lambda: IntegerLookup(vocabulary=[1, 2], max_tokens=2), ValueError, "vocabulary has 3 tokens"),
        (lambda: IntegerLookup(vocabulary=[]), ValueError, "vocabulary holds no tokens"),
        (lambda: IntegerLookup(vocabulary=[1]).adapt([1]), ValueError, "vocabulary was given to the layer"),
        (lambda: IntegerLookup(vocabulary=[1], idf_weights=[1.0]), ValueError, "idf_weights goes with output_mode"),
        (lambda: IntegerLookup(output_mode="count")([[1]]), ValueError, "has no vocabulary yet"),
        (lambda: StringLookup.from_config({"vocabulary": "/etc/passwd"}), ValueError, "must be a list of tokens"),
        (lambda: IntegerLookup(oov_method="farmhash"), ValueError, "oov_method"),
        (lambda: StringLookup(vocabulary=["a"])([1]), TypeError, "x has dtype int64; expected text"),
        (lambda: StringLookup(num_oov_indices=2), ValueError, "must be 0 or 1"),
        (
            lambda: Sequential([Input((1,)), IntegerLookup(vocabulary=[1])]).predict([[2**24]], verbose=0),
            ValueError,
            r"expected whole numbers below 2\^24",
        ),
    ],
)
def test_bad_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("layer", [CategoryEncoding(4), Discretization([0.5]), IntegerLookup()])
def test_a_call_on_a_tensor_makes_a_model(layer: Any) -> None:
    start = Input((3,))
    assert Model(start, layer(start)).output_shape == (None, 4 if isinstance(layer, CategoryEncoding) else 3)
