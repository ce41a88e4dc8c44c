"""Input and InputLayer: the shape of an example."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.layers import Dense, Input, InputLayer


@pytest.mark.parametrize(
    ("given", "batch_shape"),
    [
        ({"shape": (2, 3)}, (None, 2, 3)),
        ({"shape": (2, 3), "batch_size": 4}, (4, 2, 3)),
        ({"shape": ()}, (None,)),
        ({"shape": [np.int64(5)]}, (None, 5)),
        ({"shape": 5}, (None, 5)),
        ({"batch_shape": (4, 2, 3)}, (4, 2, 3)),
        ({"batch_shape": (None, 2)}, (None, 2)),
        ({"batch_shape": (7,)}, (7,)),
        ({"input_shape": (2, 3)}, (None, 2, 3)),
    ],
)
def test_the_shape_of_an_example_may_be_given_in_several_ways(given: dict[str, Any], batch_shape: Any) -> None:
    layer = InputLayer(**given)
    assert layer.batch_shape == batch_shape
    assert layer.output_shape == batch_shape[1:]
    assert layer.output.shape == (None, *batch_shape[1:])
    assert InputLayer.from_config(layer.get_config()).batch_shape == batch_shape
    if "input_shape" not in given:
        assert Input(**given).shape == (None, *batch_shape[1:])


def test_an_input_has_no_weights_and_a_name() -> None:
    layer = InputLayer((3,), name="pixels", dtype="uint8", sparse=True)
    assert (layer.name, layer.dtype, layer.weights) == ("pixels", "uint8", [])
    assert layer.sparse
    assert Input((3,), name="pixels").name == "pixels"
    assert repr(Input((3,))) == "Input((3,))"


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, ValueError, "you must pass a `shape` argument"),
        ({"shape": (2,), "batch_shape": (1, 2)}, ValueError, "cannot pass both `shape` and `batch_shape`"),
        ({"batch_size": 3, "batch_shape": (1, 2)}, ValueError, "cannot pass both `batch_size` and `batch_shape`"),
        ({"shape": (2,), "input_shape": (2,)}, ValueError, "give shape or input_shape"),
        ({"shape": (0,)}, ValueError, "shape must be at least 1"),
        ({"shape": (None, 3)}, TypeError, "shape must be an integer"),
        ({"shape": "x"}, TypeError, "shape must be"),
        ({"shape": (3,), "batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"batch_shape": ()}, TypeError, "batch_shape must be a batch's shape"),
        ({"shape": (3,), "ragged": True}, ValueError, "ragged"),
    ],
)
def test_what_is_no_shape_is_refused(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        InputLayer(**given)


def test_an_input_layer_may_begin_a_sequential() -> None:
    for start in (Input((3,)), InputLayer((3,)), Input(batch_shape=(4, 3))):
        assert Sequential([start, Dense(2)]).built


def test_only_an_input_may_be_a_tensor_in_a_sequential() -> None:
    with pytest.raises(TypeError, match="layers must be layers"):
        Sequential([Dense(2)(Input((3,)))])
    with pytest.raises(ValueError, match="Input can only be the first"):
        Sequential([Input((3,)), Input((3,))])
