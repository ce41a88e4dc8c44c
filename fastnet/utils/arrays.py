"""Arrays: scales vectors to length 1, splits data sets, and packs examples, targets and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnet import checks, rng


def normalize(x: Any, axis: int = -1, order: float = 2) -> NDArray[Any]:
    """Divides vectors by their norm. A vector of zeros stays as it is.

    The norm of order p is (sum |x_i|^p)^(1/p): 1 is the sum of absolute values, 2 the Euclidean length, and infinity
    the greatest absolute value.

    Args:
        x: array of any shape.
        axis: the axis along which a vector's numbers are.
        order: the order of the norm.

    Returns:
        An array of x's shape; float32 if x is float32, else float64.

    Raises:
        ValueError: if there is no such axis, or x does not hold finite numbers.
        TypeError: if x does not hold numbers.

    Example:
        >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([[0.6, 0.8],
               [0. , 0. ]])
    """
    array = np.asarray(checks.numeric("x", x), order="C")
    axis = checks.integer("axis", axis, least=-64)
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"axis must be one of the {array.ndim} axes of x, got {axis!r}")
    norm = np.linalg.norm(array, order, axis, keepdims=True)
    result: NDArray[Any] = array / np.where(norm == 0, np.ones_like(norm), norm)
    return result


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: Any = None,
) -> tuple[Any, Any]:
    """Splits arrays into a left and a right part, such as training and test data.

    Args:
        dataset: an array, or a tuple, list or dict of arrays of the same length, nested or not.
        left_size: the share of the examples in the left part, as a float in (0, 1), or their number: 100 or 100.0.
            The left part begins at the first example. By default the examples that are not in the right part.
        right_size: the same for the right part, which ends at the last example.
        shuffle: whether the examples are put into a random order first.
        seed: starts the random order; without it, the generator of `set_random_seed` goes on.
        preferred_backend: accepted for compatibility with Keras, and ignored.

    Returns:
        Two data sets of the form of `dataset`. Without `shuffle` they are views of its arrays.

    Raises:
        ValueError: if no size is given, a size does not fit, or the arrays have different lengths.
        TypeError: if a size is not a number, or the data set does not hold arrays.

    Example:
        >>> x, y = np.zeros((10, 784)), np.arange(10)
        >>> (x_train, y_train), (x_test, y_test) = split_dataset((x, y), left_size=0.8)
        >>> x_train.shape, y_test
        ((8, 784), array([8, 9]))
    """
    lengths = {len(array) for array in _arrays_of(dataset)}
    if len(lengths) != 1:
        raise ValueError(f"dataset must hold arrays of one length, got {sorted(lengths)}")
    total = lengths.pop()
    if left_size is None and right_size is None:
        raise ValueError("left_size or right_size must be given")
    left, right = _count("left_size", left_size, total), _count("right_size", right_size, total)
    left, right = total - right if left is None else left, total - left if right is None else right  # type: ignore[operator]
    if left < 1 or right < 1 or left + right > total:
        raise ValueError(
            f"left_size={left_size!r} and right_size={right_size!r} split {total} examples into {left} and {right}; "
            f"each part needs at least 1, and both together at most {total}"
        )
    order: Any = slice(None)
    if shuffle:
        source = rng.generator() if seed is None else np.random.default_rng(checks.integer("seed", seed, least=0))
        order = source.permutation(total)
    shuffled = _map(lambda array: np.asarray(array)[order], dataset)
    return _map(lambda array: array[:left], shuffled), _map(lambda array: array[total - right :], shuffled)


def _count(argument: str, size: Any, total: int) -> int | None:
    """Returns the number of examples of a part; None if it is not given."""
    if size is None:
        return None
    if isinstance(size, float | np.floating) and not (size > 1 and size.is_integer()):
        if not 0 < size < 1:
            raise ValueError(f"{argument} must be a share in (0, 1) or a whole number, got {size!r}")
        return round(float(size) * total)
    return checks.integer(argument, size, least=1)


def _map(function: Any, dataset: Any) -> Any:
    """Applies a function to each array of a data set; returns a data set of the same form."""
    if isinstance(dataset, dict):
        return type(dataset)((name, _map(function, part)) for name, part in dataset.items())
    if isinstance(dataset, tuple | list):
        return type(dataset)(_map(function, part) for part in dataset)
    return function(dataset)


def _arrays_of(dataset: Any) -> list[Any]:
    if isinstance(dataset, dict):
        dataset = list(dataset.values())
    if isinstance(dataset, tuple | list):
        return [array for part in dataset for array in _arrays_of(part)]
    if not getattr(dataset, "shape", ()):
        raise TypeError(f"dataset must be an array, or a tuple, list or dict of arrays, got {type(dataset).__name__}")
    return [dataset]


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Packs a batch as `fit` takes it from a source of batches: x, (x, y) or (x, y, sample_weight)."""
    if y is None:
        return (x,) if isinstance(x, tuple | list) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Returns x, y and sample_weight of a batch; what it does not have is None.

    Raises:
        ValueError: if a tuple or list has not one to three entries.
    """
    if not isinstance(data, tuple | list):
        return data, None, None
    if len(data) not in (1, 2, 3):
        raise ValueError(f"data must be x, (x,), (x, y) or (x, y, sample_weight), got {len(data)} entries")
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight
