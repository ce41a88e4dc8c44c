"""Averages of the weights (`use_ema`), SwapEMAWeights, and gradients of several batches for one step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, callbacks, constraints, optimizers, utils
from fastnet.arrays.variables import Variable
from fastnet.callbacks import SwapEMAWeights
from fastnet.layers import Dense, Input
from fastnet.models import load_model

RNG = np.random.default_rng(2)
X, Y = RNG.standard_normal((24, 4)), RNG.standard_normal((24, 2))
GRADIENTS = RNG.standard_normal((12, 3, 2))


def steps(optimizer: Any, gradients: Any = GRADIENTS) -> list[Any]:
    """The values of a variable after each of some steps."""
    variable = Variable(np.ones((3, 2), np.float32), "v")
    values = []
    for gradient in gradients:
        optimizer.apply_gradients([(gradient, variable)])
        values.append(variable.numpy())
    return values


def average_of(optimizer: Any) -> Any:
    ((variable, packed),) = [(v, packed) for (v, name), packed in optimizer._slots.items() if name == "average"]
    return variable.unpack(packed)


def test_the_average_is_that_of_the_weights_and_does_not_change_them() -> None:
    optimizer = optimizers.Adam(0.1, use_ema=True, ema_momentum=0.75)
    plain, values = steps(optimizers.Adam(0.1)), steps(optimizer)
    np.testing.assert_array_equal(values, plain)
    expected = plain[0]
    for value in plain[1:]:
        expected = 0.75 * expected + 0.25 * value
    np.testing.assert_allclose(average_of(optimizer), expected, rtol=1e-5)


def test_the_weights_are_overwritten_again_and_again() -> None:
    w = mean = np.ones((3, 2))
    values = steps(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3))
    for i, (gradient, value) in enumerate(zip(GRADIENTS, values, strict=True)):
        w = w - 0.1 * gradient
        mean = 0.5 * mean + 0.5 * w if i else w
        if i % 3 == 2:
            w = mean
        np.testing.assert_allclose(value, w, rtol=1e-4, atol=1e-6)


def test_a_constraint_comes_after_the_average() -> None:
    variable = Variable(np.full((1, 2), 2.0, np.float32), "v")
    variable.constraint = constraints.NonNeg()
    optimizer = optimizers.SGD(1.0, use_ema=True)
    optimizer.apply_gradients([(np.full((1, 2), 3.0), variable)])
    assert variable.numpy().tolist() == [[0, 0]]
    assert average_of(optimizer).tolist() == [[-1, -1]]


def model_of(optimizer: Any) -> Sequential:
    utils.set_random_seed(1)
    return Sequential([Input((4,)), Dense(3, "relu", kernel_regularizer="l2"), Dense(2)]).compile(optimizer, "mse")


def trained(optimizer: Any, **fit: Any) -> Sequential:
    model = model_of(optimizer)
    model.fit(X, Y, **{"epochs": 3, "batch_size": 8, "verbose": 0, "shuffle": False} | fit)
    return model


def test_fit_ends_with_the_averages_as_weights() -> None:
    plain, model = trained(optimizers.SGD(0.1)), trained(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    assert plain.optimizer is not None
    assert model.optimizer is not None
    for variable, other in zip(model.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(variable.packed, model.optimizer._slots[variable, "average"])
        assert (variable.numpy() != other.numpy()).any()
    assert model.history.history["loss"] == plain.history.history["loss"]  # type: ignore[union-attr]
    model.set_weights([np.ones_like(w) for w in model.get_weights()])
    model.fit(X, Y, epochs=0, verbose=0)
    assert all((w == 1).all() for w in model.get_weights())


def test_swapping_evaluates_the_averages_and_trains_the_weights() -> None:
    def make() -> Any:
        return optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)

    plain = trained(make(), validation_data=(X, Y))
    swapped = trained(make(), validation_data=(X, Y), callbacks=[SwapEMAWeights()])
    assert swapped.history.history["loss"] == plain.history.history["loss"]  # type: ignore[union-attr]
    for now, then in zip(swapped.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(now, then)
    # The last validation is that of the weights that fit leaves.
    last = swapped.history.history["val_loss"][-1]  # type: ignore[union-attr]
    assert last == swapped.evaluate(X, Y, verbose=0)
    assert last != plain.history.history["val_loss"][-1]  # type: ignore[union-attr]


def test_a_prediction_with_averages_leaves_the_weights() -> None:
    model = trained(optimizers.SGD(0.1, use_ema=True))
    model.train_on_batch(X, Y)
    weights, plain = model.get_weights(), model.predict(X, verbose=0)
    averaged = model.predict(X, verbose=0, callbacks=[SwapEMAWeights()])
    assert (averaged != plain).any()
    np.testing.assert_array_equal(model.predict(X, verbose=0), plain)
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("stops", [False, True])
def test_a_checkpoint_after_the_swap_has_the_averages(tmp_path: Path, stops: bool) -> None:
    model = model_of(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9))
    seen = []

    def end(epoch: int, logs: Any) -> None:
        seen.append(model.get_weights()[0])
        model.stop_training = stops and epoch == 1

    kept = callbacks.ModelCheckpoint(tmp_path / "{epoch}.safetensors")
    entries = [SwapEMAWeights(swap_on_epoch=True), kept, callbacks.LambdaCallback(on_epoch_end=end)]
    model.fit(X, Y, epochs=2 + 4 * stops, batch_size=8, verbose=0, shuffle=False, callbacks=entries)
    plain = trained(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), epochs=2)
    np.testing.assert_array_equal(model.get_weights()[0], plain.get_weights()[0])
    np.testing.assert_array_equal(seen[-1], plain.get_weights()[0])
    np.testing.assert_array_equal(load_model(tmp_path / "2.safetensors").get_weights()[0], plain.get_weights()[0])
    model.evaluate(X, Y, verbose=0, callbacks=entries[:1])
    np.testing.assert_array_equal(model.get_weights()[0], plain.get_weights()[0])


def test_a_training_begins_with_the_weights_of_the_model_also_after_one_that_failed() -> None:
    def fail(epoch: int, logs: Any) -> None:
        raise ValueError("over")

    model, swap = model_of(optimizers.SGD(0.0, use_ema=True)), SwapEMAWeights(swap_on_epoch=True)
    with pytest.raises(ValueError, match="over"):
        model.fit(X, Y, verbose=0, callbacks=[swap, callbacks.LambdaCallback(on_epoch_end=fail)])
    ones = [np.ones_like(w) for w in model.get_weights()]
    model.set_weights(ones)
    model.optimizer.ema_momentum = 0.0  # type: ignore[union-attr]
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[swap])
    for found, expected in zip(model.get_weights(), ones, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_swapping_needs_averages() -> None:
    with pytest.raises(ValueError, match=r"needs an optimizer with use_ema=True, got SGD\(learning_rate=0.1\)"):
        trained(optimizers.SGD(0.1), validation_data=(X, Y), callbacks=[SwapEMAWeights()])


# Gradients of several batches for one step ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda **more: optimizers.SGD(0.1, momentum=0.5, weight_decay=0.1, **more),
        lambda **more: optimizers.Adam(0.1, clipnorm=0.5, **more),
        lambda **more: optimizers.RMSprop(0.1, clipvalue=0.2, **more),
        lambda **more: optimizers.Nadam(0.1, global_clipnorm=0.5, **more),
        lambda **more: optimizers.Lion(0.1, **more),
        lambda **more: optimizers.Adagrad(0.1, **more),
    ],
)
def test_accumulated_gradients_make_one_step_along_their_mean(make: Callable[..., Any]) -> None:
    one, several = make(), make(gradient_accumulation_steps=3)
    whole = steps(one, GRADIENTS.reshape(4, 3, 3, 2).mean(axis=1))
    parts = steps(several)
    np.testing.assert_allclose(parts[2::3], whole, rtol=1e-5, atol=1e-6)
    for i in (0, 1, 3, 4):
        np.testing.assert_array_equal(parts[i], parts[i - 1] if i else np.ones((3, 2)))
    assert (one.iterations, several.iterations) == (4, 4)


def test_a_schedule_counts_batches() -> None:
    rates = optimizers.schedules.PiecewiseConstantDecay([0, 1, 2], [9.0, 9.0, 9.0, 0.25])
    optimizer = optimizers.SGD(rates, gradient_accumulation_steps=4)
    np.testing.assert_allclose(steps(optimizer, GRADIENTS[:4])[3], 1 - 0.25 * GRADIENTS[:4].mean(axis=0), rtol=1e-5)


def test_a_file_holds_the_gradients_of_a_step_under_way(tmp_path: Path) -> None:
    model = trained(optimizers.Adam(0.1, gradient_accumulation_steps=2, use_ema=True))  # 9 batches
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.optimizer is not None
    assert (loaded.optimizer.iterations, loaded.optimizer._iterations) == (4, 9)
    before = loaded.get_weights()
    for each in (model, loaded):
        each.train_on_batch(X, Y)
    assert (loaded.get_weights()[0] != before[0]).any()
    for now, then in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("more", [{"use_ema": True, "ema_overwrite_frequency": 2}, {"gradient_accumulation_steps": 2}])
@pytest.mark.parametrize("failing", [2, 3])
def test_a_step_that_fails_leaves_averages_and_sums(more: dict[str, Any], failing: int) -> None:
    class Fails(constraints.Constraint):
        left = 0

        def __call__(self, w: Any) -> Any:
            Fails.left -= 1
            if Fails.left == 0:
                raise ValueError("refused")
            return w

    variables = [Variable(np.ones((3, 2), np.float32), name) for name in "ab"]
    variables[1].constraint = Fails()
    optimizer = optimizers.Adam(0.1, **more)

    def state() -> Any:
        arrays = [v.packed for v in variables] + list(optimizer._slots.values())
        return [array.tobytes() for array in arrays], optimizer._iterations

    for gradient in GRADIENTS[: failing - 1]:
        optimizer.apply_gradients([(gradient, v) for v in variables])
    before = state()
    Fails.left = 1
    with pytest.raises(ValueError, match="refused"):
        optimizer.apply_gradients([(GRADIENTS[0], v) for v in variables])
    assert state() == before


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"use_ema": 1}, TypeError, "use_ema"),
        ({"ema_momentum": 1.5}, ValueError, "ema_momentum"),
        ({"ema_momentum": -0.5}, ValueError, "ema_momentum"),
        ({"ema_overwrite_frequency": 0}, ValueError, "ema_overwrite_frequency must be at least 1"),
        ({"gradient_accumulation_steps": 1}, ValueError, "gradient_accumulation_steps must be at least 2"),
        ({"gradient_accumulation_steps": 2.5}, TypeError, "gradient_accumulation_steps"),
        ({"loss_scale_factor": 0}, ValueError, "loss_scale_factor"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        optimizers.SGD(**arguments)
