"""Losses of the user's own: functions with a gradient, objects with one, subclasses."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, losses
from fastnet.layers import Dense, Input
from fastnet.losses import Loss, custom


def quartic(y_true: Any, y_pred: Any) -> Any:
    return ((y_pred - y_true) ** 4).mean(axis=1)


def gradient(y_true: Any, y_pred: Any) -> Any:
    return 4 * (y_pred - y_true) ** 3 / y_pred.shape[1]


def twice(y_true: Any, y_pred: Any) -> Any:
    return 2 * gradient(y_true, y_pred)


class Both:
    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return quartic(y_true, y_pred)

    def gradient(self, y_true: Any, y_pred: Any) -> Any:
        return gradient(y_true, y_pred)


class Derived(Loss):
    name = "derived"

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return quartic(y_true, y_pred)

    def derivative(self, y_true: Any, y_pred: Any) -> Any:
        return gradient(y_true, y_pred)


def fitted(loss: Any) -> tuple[list[float], bytes]:
    model = Sequential([Input((3,)), Dense(2, kernel_initializer="zeros")])
    model.compile("sgd", loss)
    x = np.random.default_rng(0).random((20, 3))
    history = model.fit(x, x[:, :2], epochs=3, batch_size=8, verbose=0, shuffle=False).history
    return history["loss"], b"".join(w.tobytes() for w in model.get_weights())


def test_each_way_to_give_one_trains_alike() -> None:
    results = [fitted(loss) for loss in (custom(quartic, gradient), Both(), Derived(), Derived)]
    assert results[0][0][-1] < results[0][0][0]
    assert all(result == results[0] for result in results)


def test_its_name() -> None:
    assert custom(quartic, gradient).name == "quartic"
    assert custom(Both(), gradient).name == "Both"
    assert custom(quartic, gradient, name="fourth").name == "fourth"
    assert losses.get(Both()).name == "Both"
    assert Derived().name == "derived"


def test_a_function_may_return_the_loss_of_each_output() -> None:
    loss = custom(lambda t, p: (p - t) ** 4, gradient)
    assert loss([[0, 0]], [[1, 2]]) == 17 / 2
    assert loss.check() < 1e-6


@pytest.mark.parametrize("bare", [quartic, lambda t, p: p, np.square], ids=["function", "lambda", "ufunc"])
def test_a_function_without_gradient_is_refused_with_the_way_to_give_it(bare: Any) -> None:
    with pytest.raises(TypeError, match=r"without its gradient.*fastnet\.losses\.custom\(.*gradient\(y_true, y_pred\)"):
        losses.get(bare)


def test_a_class_is_not_taken_for_an_object() -> None:
    with pytest.raises(TypeError, match="without its gradient"):
        losses.get(Both)


def test_a_right_gradient_passes_the_check() -> None:
    custom(quartic, gradient, check=True)
    t, p = np.zeros((3, 2)), np.arange(6.0).reshape(3, 2)
    custom(quartic, gradient, check=(t, p))
    assert custom(quartic, gradient).check(t, p) < 1e-5


@pytest.mark.parametrize("check", [True, (np.zeros((3, 2)), np.ones((3, 2)))], ids=["random", "given"])
def test_a_wrong_gradient_is_found_and_measured(check: Any) -> None:
    with pytest.raises(ValueError, match=r"'quartic' is off by \d.* at row \d, column \d: it says .*differences say"):
        custom(quartic, twice, check=check)


def test_the_largest_difference_is_told() -> None:
    t, p = np.zeros((3, 2)), np.array([[0.1, 0.1], [0.1, 1.0], [0.1, 0.1]])
    with pytest.raises(ValueError, match="off by 2 at row 1, column 1: it says 4, central differences say 2"):
        custom(quartic, twice, check=(t, p))


def test_a_gradient_that_is_not_a_number_is_found() -> None:
    with pytest.raises(ValueError, match="off by nan at row 0, column 0"):
        custom(quartic, lambda t, p: gradient(t, p) * np.nan, check=True)


def test_a_small_error_in_the_gradient_is_found() -> None:
    with pytest.raises(ValueError, match="off by"):
        custom(quartic, lambda t, p: gradient(t, p) + 1e-4, check=True)


def test_a_function_in_float32_is_checked_as_well_as_that_goes() -> None:
    def rounded(t: Any, p: Any) -> Any:
        return quartic(t, p).astype(np.float32)

    custom(rounded, gradient, check=True)
    with pytest.raises(ValueError, match="off by"):
        custom(rounded, twice, check=True)


@pytest.mark.parametrize(
    ("function", "derivative", "message"),
    [
        (lambda t, p: 1.0, gradient, r"returned shape \(\); expected one number a row, \(2,\)"),
        (lambda t, p: np.ones(3), gradient, r"returned shape \(3,\)"),
        (
            quartic,
            lambda t, p: np.ones(2),
            r"gradient of the loss 'quartic' returned shape \(2,\); expected .*\(2, 1\)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_told(function: Any, derivative: Any, message: str) -> None:
    output = np.zeros((2, 16), np.float32)
    with pytest.raises(ValueError, match=message):
        custom(function, derivative).gradient(output, np.ones((2, 1), np.float32), False)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, gradient), TypeError, "function must be callable"),
        ((quartic, None), TypeError, "gradient must be callable"),
        ((quartic, gradient, (1, 2, 3)), ValueError, "check must be"),
        ((quartic, gradient, ([1.0], [1.0])), ValueError, "same shape"),
    ],
)
def test_bad_arguments(arguments: tuple, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        custom(*arguments)


def test_a_loss_of_ones_own_has_no_description() -> None:
    for loss in (custom(quartic, gradient), Derived()):
        with pytest.raises(TypeError, match="of your own"):
            losses.serialize(loss)
