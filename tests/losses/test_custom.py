"""Losses of the user's own: functions with a gradient, objects with one, subclasses."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, losses, metrics
from fastnet.layers import Dense, Input
from fastnet.losses import Loss, custom
from fastnet.optimizers import SGD


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
    assert losses.for_training(Both()).name == "Both"
    assert Derived().name == "derived"


def test_a_function_may_return_the_loss_of_each_output() -> None:
    loss = custom(lambda t, p: (p - t) ** 4, gradient)
    assert loss([[0, 0]], [[1, 2]]) == 17 / 2
    assert loss.check() < 1e-6


@pytest.mark.parametrize("bare", [quartic, lambda t, p: p, np.square], ids=["function", "lambda", "ufunc"])
def test_a_function_without_gradient_is_refused_with_the_way_to_give_it(bare: Any) -> None:
    with pytest.raises(TypeError, match=r"without its gradient.*fastnet\.losses\.custom\(.*gradient\(y_true, y_pred\)"):
        losses.for_training(bare)


def test_a_class_is_not_taken_for_an_object() -> None:
    with pytest.raises(TypeError, match="without its gradient"):
        losses.for_training(Both)


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


# What comes back from a user's own code is checked -------------------------------------------------------------------


class Free(Loss):
    """Returns what it is told to."""

    name = "free"
    rows: Any = staticmethod(quartic)
    slopes_: Any = staticmethod(gradient)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.rows(y_true, y_pred)

    def derivative(self, y_true: Any, y_pred: Any) -> Any:
        return self.slopes_(y_true, y_pred)


class Whole(Derived):
    """Overrides `gradient`, and changes what it returns."""

    name = "whole"
    change: Any = staticmethod(lambda total, predictions, dy: (total, predictions, dy))

    def gradient(self, output: Any, targets: Any, logits: Any, weights: Any = None) -> Any:
        return self.change(*super().gradient(output, targets, logits, weights))


def free(**methods: Any) -> Loss:
    return type("Free", (Free,), {name: staticmethod(method) for name, method in methods.items()})()


def whole(change: Any) -> Loss:
    return type("Whole", (Whole,), {"change": staticmethod(change)})()


def model_of(loss: Any, units: int = 2) -> Sequential:
    model = Sequential([Input((3,)), Dense(4, activation="relu"), Dense(units)])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (
            free(rows=lambda t, p: 1.0),
            ValueError,
            r"loss 'free' returned shape \(\); expected one number a row, \(5,\)",
        ),
        (free(rows=lambda t, p: np.ones(4)), ValueError, r"loss 'free' returned shape \(4,\)"),
        (free(rows=lambda t, p: np.ones((5, 1, 1))), ValueError, r"loss 'free' returned shape \(5, 1, 1\)"),
        (
            free(rows=lambda t, p: None),
            TypeError,
            "loss 'free' returned dtype object \\(NoneType\\); expected real numbers",
        ),
        (free(rows=lambda t, p: ["a"] * 5), TypeError, "loss 'free' returned dtype <U1"),
        (free(rows=lambda t, p: [[1], [1, 2]]), TypeError, "loss 'free' returned rows of different lengths"),
        (free(rows=lambda t, p: np.ones(5, complex)), TypeError, "loss 'free' returned dtype complex128"),
        (
            free(slopes_=lambda t, p: np.ones((5, 1))),
            ValueError,
            r"gradient of the loss 'free' returned shape \(5, 1\)",
        ),
        (free(slopes_=lambda t, p: np.ones(2)), ValueError, r"expected that of y_pred, \(5, 2\)"),
        (free(slopes_=lambda t, p: np.ones((5, 3))), ValueError, r"returned shape \(5, 3\)"),
        (free(slopes_=lambda t, p: np.ones((2, 5))), ValueError, r"returned shape \(2, 5\)"),
        (free(slopes_=lambda t, p: 1.0), ValueError, r"returned shape \(\)"),
        (
            free(slopes_=lambda t, p: None),
            TypeError,
            "gradient of the loss 'free' returned dtype object \\(NoneType\\)",
        ),
        (
            whole(lambda total, p, dy: dy),
            TypeError,
            r"gradient\(\) of the loss 'whole' returned ndarray; expected a tuple",
        ),
        (whole(lambda total, p, dy: (total, p)), TypeError, "returned tuple; expected a tuple of three"),
        (
            whole(lambda total, p, dy: (None, p, dy)),
            TypeError,
            "as the sum of the rows' losses, returned dtype object \\(NoneType\\)",
        ),
        (whole(lambda total, p, dy: (np.ones(5), p, dy)), ValueError, r"shape \(5,\) as the sum of the rows' losses"),
        (
            whole(lambda total, p, dy: (total, p, dy[:, :1])),
            ValueError,
            r"gradient of shape \(5, 1\); expected that of",
        ),
        (whole(lambda total, p, dy: (total, p, np.ones((5, 4096)))), ValueError, r"gradient of shape \(5, 4096\)"),
        (whole(lambda total, p, dy: (total, p, dy[:2])), ValueError, r"gradient of shape \(2, 16\)"),
        (whole(lambda total, p, dy: (total, p, dy.T)), ValueError, r"gradient of shape \(16, 5\)"),
        (whole(lambda total, p, dy: (total, p, "dy")), TypeError, "as the gradient, returned dtype <U2"),
        (whole(lambda total, p, dy: (total, p[:1], dy)), ValueError, r"predictions of shape \(1, 16\)"),
        (whole(lambda total, p, dy: (total, p[:, :1], dy)), ValueError, r"predictions of shape \(5, 1\)"),
        (
            whole(lambda total, p, dy: (total, None, dy)),
            TypeError,
            "as the predictions, returned dtype object \\(NoneType\\)",
        ),
    ],
)
def test_what_a_loss_of_ones_own_returns_is_checked_before_a_weight_moves(
    loss: Loss, error: type[Exception], message: str
) -> None:
    model, x, y = model_of(loss), np.ones((5, 3)), np.ones((5, 2))
    before = model.get_weights()
    for run in (model.train_on_batch, lambda x, y: model.fit(x, y, verbose=0)):
        with pytest.raises(error, match=message):
            run(x, y)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda total, p, dy: (float(total[0]), p, dy),
        lambda total, p, dy: (total[:1], p[:, :2], dy[:, :2]),
        lambda total, p, dy: (total, p.astype(float), dy.astype(float)),
        lambda total, p, dy: (total, p.tolist(), np.asfortranarray(dy)),
        lambda total, p, dy: (total, p, np.where(np.arange(16) < 2, dy, np.nan)),  # the padding is not the user's
    ],
)
def test_a_gradient_may_come_in_any_layout_that_fits(change: Any) -> None:
    assert fitted(whole(change)) == fitted(Whole()) == fitted(Derived())


def test_rows_of_outputs_are_their_mean_for_a_subclass_too() -> None:
    each = free(rows=lambda t, p: (p - t) ** 4)
    assert each([[0, 0]], [[1, 2]]) == metrics.get(each)([[0, 0]], [[1, 2]]) == 17 / 2
    assert fitted(each) == fitted(Derived())


def test_targets_of_ones_own_are_checked() -> None:
    class Wide(Derived):
        def check_targets(self, argument: str, y: Any, units: int) -> Any:
            return np.asarray(y)

    model = model_of(Wide())
    for y in (np.ones((5, 3)), np.ones((5, 100)), np.ones(5)):
        with pytest.raises(
            ValueError, match=r"check_targets\(\) of the loss 'derived' returned shape .*expected \(n, 2\)"
        ):
            model.fit(np.ones((5, 3)), y, verbose=0)
    model.fit(np.ones((5, 3)), np.ones((5, 2), int), verbose=0)


def test_a_loss_that_writes_into_its_arguments_changes_nothing_else() -> None:
    def rows(t: Any, p: Any) -> Any:
        p -= t
        t[:] = 7
        return (p**4).mean(axis=1)

    def slopes(t: Any, p: Any) -> Any:
        p -= t
        t[:] = 7
        return 4 * p**3 / p.shape[1]

    for loss in (free(rows=rows, slopes_=slopes), custom(rows, slopes)):
        assert fitted(loss) == fitted(Derived())


class ValueOnly(Loss):
    name = "value_only"

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return quartic(y_true, y_pred)


class Doubled(losses.CategoricalCrossentropy):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return 2 * super().call(y_true, y_pred)


class Farther(losses.MeanSquaredError):
    def elements(self, y_true: Any, y_pred: Any) -> Any:
        return (y_pred - y_true) ** 6


@pytest.mark.parametrize("kind", [ValueOnly, Doubled, Farther])
def test_a_class_without_its_gradient_is_refused_by_compile_and_is_a_metric(kind: type[Loss]) -> None:
    for loss in (kind, kind()):
        with pytest.raises(TypeError, match=rf"add a method derivative\(self, y_true, y_pred\) to {kind.__name__}"):
            model_of(loss)
    model = Sequential([Input((3,)), Dense(2, activation="softmax")])
    model.compile("sgd", "mse", metrics=[kind()])
    assert list(model.fit(np.eye(3), np.eye(2)[[0, 1, 0]], verbose=0).history) == ["loss", kind().name]


def test_a_class_without_call_is_refused_by_compile() -> None:
    with pytest.raises(TypeError, match=r"the loss 'loss' has no call\(\): Loss needs call\(y_true, y_pred\)"):
        model_of(Loss())


@pytest.mark.parametrize(
    ("kind", "activation"), [(losses.CategoricalCrossentropy, "softmax"), (losses.BinaryCrossentropy, "sigmoid")]
)
@pytest.mark.parametrize("from_logits", [False, True])
def test_a_subclass_of_a_fused_loss_is_not_passed_by(kind: Any, activation: str, from_logits: bool) -> None:
    class Twice(kind):  # type: ignore[misc]
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return 2 * super().call(y_true, y_pred)

        def derivative(self, y_true: Any, y_pred: Any) -> Any:
            return 2 * super().derivative(y_true, y_pred)

    results = []
    for loss in (kind(from_logits=from_logits), Twice(from_logits=from_logits)):
        model = Sequential([Input((3,)), Dense(3, None if from_logits else activation, kernel_initializer="zeros")])
        model.compile(SGD(0.5), loss)
        history = model.fit(np.eye(3), np.eye(3), epochs=1, verbose=0).history["loss"][0]
        results.append((history, model.get_weights()[0]))
    assert results[1][0] == pytest.approx(2 * results[0][0], rel=1e-6)
    np.testing.assert_allclose(results[1][1], 2 * results[0][1], rtol=1e-5)


def test_a_loss_that_forgets_the_constructor_of_its_base_trains_all_the_same() -> None:
    class Forgetful(Derived):
        def __init__(self, power: int) -> None:
            self.power = power

    assert fitted(Forgetful(4)) == fitted(Derived())
