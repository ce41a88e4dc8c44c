"""Dense and Input: their arguments and how they print themselves."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.layers import Dense, Input


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"units": 0}, ValueError, "units must be at least 1, got 0"),
        ({"units": -3}, ValueError, "units must be at least 1, got -3"),
        ({"units": 2.5}, TypeError, "units must be an integer, got 2.5"),
        ({"units": True}, TypeError, "units"),
        ({"units": None}, TypeError, "units"),
        ({"units": 3, "activation": "rellu"}, ValueError, r"unknown activation 'rellu'; did you mean 'relu'\?"),
        ({"units": 3, "activation": "zzz"}, ValueError, "There are: .*linear, log_sigmoid"),
        ({"units": 3, "activation": 7}, TypeError, "activation"),
        ({"units": 3, "kernel_initializer": "glorot"}, ValueError, "kernel_initializer 'glorot'; did you mean"),
        ({"units": 3, "bias_initializer": 0}, TypeError, "bias_initializer"),
        ({"units": 3, "input_shape": (2,), "input_dim": 2}, ValueError, "not both"),
        ({"units": 3, "input_shape": ()}, ValueError, "input_shape must have at least one dimension"),
        ({"units": 3, "activaton": "relu"}, TypeError, "unexpected keyword argument 'activaton'"),
        ({"units": 3, "inputshape": (2,)}, TypeError, r"'inputshape'; did you mean 'input_shape'\?"),
        ({"units": 3, "dtype": "float64"}, ValueError, "dtype must be 'float32'"),
        ({"units": 3, "input_dim": 0}, ValueError, "input_dim must be at least 1"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Dense(**arguments)


def test_a_weight_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match=r"dtype must be 'float32'.*got 'int32'"):
        Dense(3).add_weight((2,), dtype="int32")


@pytest.mark.parametrize(
    ("shape", "error"), [((2, 0), ValueError), ((0,), ValueError), (None, ValueError), (("a",), TypeError)]
)
def test_bad_input_shapes(shape: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="shape"):
        Input(shape)


def test_input_takes_a_shape_or_a_number() -> None:
    assert Input((np.int64(7),)).shape == Input(7).shape == (None, 7)


@pytest.mark.parametrize("text", ["Dense(3)", "Dense(3, activation='relu')", "Dense(3, use_bias=False)", "Input((5,))"])
def test_layers_print_as_they_are_typed(text: str) -> None:
    assert repr(eval(text)) == text


def test_a_kernel_that_does_not_fit_in_memory_is_a_memory_error() -> None:
    with pytest.raises(MemoryError):
        Sequential([Input((10**7,)), Dense(10**9)])


def test_every_width_from_1_to_65_computes_its_own_columns() -> None:
    x = np.random.default_rng(0).standard_normal((9, 11)).astype(np.float32)
    for units in range(1, 66):
        model = Sequential([Input((11,)), Dense(units, activation="relu", bias_initializer="glorot_uniform")])
        kernel, bias = model.get_weights()
        np.testing.assert_allclose(model.predict(x, verbose=0), np.maximum(x @ kernel + bias, 0), atol=1e-5)
