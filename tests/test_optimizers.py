"""Optimizers: arguments, formulas in a training, subclasses, and how they print themselves."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, optimizers, utils
from fastnet.layers import Dense, Input
from fastnet.optimizers import Optimizer, RMSprop


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"learning_rate": -1}, ValueError),
        ({"learning_rate": float("nan")}, ValueError),
        ({"learning_rate": float("inf")}, ValueError),
        ({"learning_rate": "0.1"}, TypeError),
        ({"rho": 1.0}, ValueError),
        ({"rho": -0.1}, ValueError),
        ({"momentum": 1.0}, ValueError),
        ({"epsilon": 0}, ValueError),
        ({"epsilon": -1e-7}, ValueError),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(arguments))):
        RMSprop(**arguments)


def test_defaults_are_those_of_keras() -> None:
    optimizer = optimizers.get("rmsprop")
    assert isinstance(optimizer, RMSprop)
    assert [optimizer.learning_rate, optimizer.rho, optimizer.momentum, optimizer.epsilon, optimizer.centered] == [
        0.001,
        0.9,
        0.0,
        1e-7,
        False,
    ]


@pytest.mark.parametrize(
    "text",
    ["RMSprop(learning_rate=0.001)", "RMSprop(learning_rate=0.1, rho=0.5, momentum=0.9, epsilon=0.001, centered=True)"],
)
def test_it_prints_as_it_is_typed(text: str) -> None:
    assert repr(eval(text)) == text


@pytest.mark.parametrize("variant", [{}, {"centered": True}, {"momentum": 0.7}, {"centered": True, "momentum": 0.7}])
def test_a_training_follows_the_formulas_in_float64(variant: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((32, 5)), np.eye(3)[rng.integers(0, 3, 32)]
    model = Sequential([Input((5,)), Dense(3, activation="softmax")])
    w, b = (a.astype(np.float64) for a in model.get_weights())
    states = [[np.zeros_like(a) for _ in range(3)] for a in (w, b)]
    model.compile(RMSprop(learning_rate=0.01, **variant), "categorical_crossentropy")
    for _ in range(5):
        model.train_on_batch(x, t)
        p = np.exp(x @ w + b)
        dz = (p / p.sum(axis=1, keepdims=True) - t) / 32
        for a, g, (v, mean, velocity) in zip((w, b), (x.T @ dz, dz.sum(axis=0)), states, strict=True):
            v[:] = 0.9 * v + 0.1 * g * g
            mean[:] = 0.9 * mean + 0.1 * g
            variance = v - mean * mean if "centered" in variant else v
            velocity[:] = variant.get("momentum", 0.0) * velocity + 0.01 * g / np.sqrt(variance + 1e-7)
            a -= velocity
    for found, expected in zip(model.get_weights(), (w, b), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_an_optimizer_of_the_users_own_needs_one_method() -> None:
    class SignDescent(Optimizer):
        def update_step(self, gradient: np.ndarray, variable: Any, learning_rate: float) -> None:
            variable.packed -= learning_rate * np.sign(gradient)

    model = Sequential([Input((2,)), Dense(2, activation="softmax")])
    before = model.get_weights()
    model.compile(SignDescent(0.5), "categorical_crossentropy")
    model.train_on_batch(np.ones((4, 2)), np.eye(2)[[0, 0, 0, 0]])
    for new, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_allclose(new - old, np.broadcast_to([0.5, -0.5], old.shape), atol=1e-6)


def trained(optimizer: Optimizer) -> Sequential:
    utils.set_random_seed(3)
    rng = np.random.default_rng(0)
    model = Sequential([Input((5,)), Dense(4, "relu"), Dense(3, "softmax")])
    model.compile(optimizer, "categorical_crossentropy")
    model.fit(rng.standard_normal((32, 5)), np.eye(3)[rng.integers(0, 3, 32)], batch_size=8, epochs=2, verbose=0)
    return model


def test_a_subclass_with_its_own_rates_updates_in_the_product_and_computes_the_same() -> None:
    class Halved(optimizers.Adam):
        def _set_numbers(self, rates: Any) -> None:
            super()._set_numbers(rates)
            rates[:, 0] /= 2

    fused, apart = trained(Halved()), trained(Halved(clipvalue=1e9))
    assert fused.optimizer._in_product
    assert not apart.optimizer._in_product
    for a, b, c in zip(
        fused.get_weights(), apart.get_weights(), trained(optimizers.Adam(0.0005)).get_weights(), strict=True
    ):
        assert a.tobytes() == b.tobytes() == c.tobytes()


class Doubled:
    """Not an optimizer by itself: adds to the class that it stands before."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: float) -> None:
        super().update_step(2 * gradient, variable, learning_rate)  # type: ignore[misc]


@pytest.mark.parametrize("base", [optimizers.SGD, RMSprop])
def test_a_subclass_that_applies_gradients_itself_is_asked_for_each(base: Any) -> None:
    class Own(base):
        def update_step(self, gradient: Any, variable: Any, learning_rate: float) -> None:
            super().update_step(2 * gradient, variable, learning_rate)

    class Applies(base):
        def apply(self, variable: Any, gradient: Any) -> None:
            super().apply(variable, 2 * gradient)

    class Derived(Own):
        pass

    class Mixed(Doubled, base):
        pass

    class Plain(base):
        pass

    results = {kind: trained(kind(0.01)).get_weights() for kind in (Own, Applies, Derived, Mixed, Plain, base)}
    for one, *same, plain, original in zip(*results.values(), strict=True):
        assert all(one.tobytes() == other.tobytes() for other in same)
        assert plain.tobytes() == original.tobytes()
        assert (one != plain).any()


def test_the_constructor_of_a_subclass_may_call_its_bases_first() -> None:
    class Scaled(Optimizer):
        def __init__(self, learning_rate: Any = 0.1, factor: float = 2.0, **kwargs: Any) -> None:
            super().__init__(learning_rate, **kwargs)
            self.factor = factor

    assert Scaled(lr=0.5, factor=3.0).learning_rate == 0.5
    schedule = {"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.25, "decay_steps": 10}}
    assert Scaled(schedule).learning_rate == 0.25
    for wrong, right in (("facter", "factor"), ("clipnrm", "clipnorm"), ("learning_rat", "learning_rate")):
        with pytest.raises(
            TypeError, match=rf"^Scaled\(\) got an unexpected keyword argument '{wrong}'; .* '{right}'\?$"
        ):
            Scaled(**{wrong: 1})


@pytest.mark.parametrize(
    ("wrong", "right"), [("amsgrd", "amsgrad"), ("beta1", "beta_1"), ("weight_decy", "weight_decay")]
)
def test_a_near_miss_is_found_among_all_arguments(wrong: str, right: str) -> None:
    for kind in (optimizers.Adam, optimizers.AdamW):
        with pytest.raises(TypeError, match=f"'{wrong}'; did you mean '{right}'"):
            kind(**{wrong: 0.5})


def test_the_learning_rate_can_be_changed_and_is_checked() -> None:
    optimizer = RMSprop()
    optimizer.learning_rate = 0.5
    with pytest.raises(ValueError, match="learning_rate"):
        optimizer.learning_rate = -1
    assert optimizer.learning_rate == 0.5


LR, EPSILON = 0.01, 1e-3  # as large as gradients are, so that it counts
FORMULAS: dict[str, Any] = {
    "SGD": (optimizers.SGD(LR), lambda g, s, t: (-LR * g, s)),
    "momentum": (optimizers.SGD(LR, momentum=0.9), lambda g, s, t: (v := 0.9 * s.get("v", 0) - LR * g, {"v": v})),
    "nesterov": (
        optimizers.SGD(LR, momentum=0.9, nesterov=True),
        lambda g, s, t: (0.9 * (v := 0.9 * s.get("v", 0) - LR * g) - LR * g, {"v": v}),
    ),
    "Adagrad": (
        optimizers.Adagrad(LR, epsilon=EPSILON),
        lambda g, s, t: (-LR * g / np.sqrt((a := s.get("a", 0.1) + g**2) + EPSILON), {"a": a}),
    ),
}


def adam(g: Any, s: dict[str, Any], t: int) -> tuple[Any, dict[str, Any]]:
    m, v = s.get("m", 0) * 0.9 + 0.1 * g, s.get("v", 0) * 0.999 + 0.001 * g**2
    return -LR * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + EPSILON), {"m": m, "v": v}


def nadam(g: Any, s: dict[str, Any], t: int) -> tuple[Any, dict[str, Any]]:
    u, ahead = (0.9 * (1 - 0.5 * 0.96**i) for i in (t, t + 1))
    product = s.get("u", 1) * u
    m, v = s.get("m", 0) * 0.9 + 0.1 * g, s.get("v", 0) * 0.999 + 0.001 * g**2
    mean = ahead * m / (1 - product * ahead) + (1 - u) * g / (1 - product)
    return -LR * mean / (np.sqrt(v / (1 - 0.999**t)) + EPSILON), {"m": m, "v": v, "u": product}


FORMULAS["Adam"] = optimizers.Adam(LR, epsilon=EPSILON), adam
FORMULAS["Nadam"] = optimizers.Nadam(LR, epsilon=EPSILON), nadam


@pytest.mark.parametrize("decay", [None, 0.1])
@pytest.mark.parametrize("name", FORMULAS)
def test_trajectories_follow_the_formulas_in_float64(name: str, decay: float | None) -> None:
    optimizer, formula = FORMULAS[name]
    optimizer = type(optimizer)(**optimizer.get_config() | {"weight_decay": decay})
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((32, 5)), np.eye(3)[rng.integers(0, 3, 32)]
    model = Sequential([Input((5,)), Dense(3, activation="softmax")])
    values = [a.astype(np.float64) for a in model.get_weights()]
    states: list[dict[str, Any]] = [{}, {}]
    model.compile(optimizer, "categorical_crossentropy")
    for step in range(1, 9):
        model.train_on_batch(x, t)
        p = np.exp(x @ values[0] + values[1])
        dz = (p / p.sum(axis=1, keepdims=True) - t) / 32
        for i, g in enumerate((x.T @ dz, dz.sum(axis=0))):
            if decay:
                values[i] = values[i] - values[i] * decay * LR
            change, states[i] = formula(g, states[i], step)
            values[i] = values[i] + change
    for found, expected in zip(model.get_weights(), values, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-5)


def test_adamw_is_adam_with_its_decay() -> None:
    outcomes = []
    for optimizer in (optimizers.AdamW(LR, weight_decay=0.2), optimizers.Adam(LR, weight_decay=0.2)):
        model = Sequential([Input((4,)), Dense(3, "softmax", kernel_initializer="ones")])
        model.compile(optimizer, "categorical_crossentropy")
        model.train_on_batch(np.eye(4), np.eye(3)[[0, 1, 2, 0]])
        outcomes.append(model.get_weights()[0])
    np.testing.assert_array_equal(*outcomes)
    assert optimizers.AdamW().weight_decay == 0.004


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_clipping(clip: str) -> None:
    x, t = 50 * np.random.default_rng(0).standard_normal((8, 4)), np.eye(3)[np.arange(8) % 3]
    steps = []
    for arguments in ({}, {clip: 0.5}):
        model = Sequential([Input((4,)), Dense(3, kernel_initializer="ones", bias_initializer="ones")])
        model.compile(optimizers.SGD(1.0, **arguments), "mse")
        before = model.get_weights()
        model.train_on_batch(x, t)
        steps.append([a - b for a, b in zip(before, model.get_weights(), strict=True)])
    lengths = [np.linalg.norm(g) for g in steps[0]]
    for i, g in enumerate(steps[0]):
        if clip == "clipvalue":
            expected = np.clip(g, -0.5, 0.5)
        else:
            length = lengths[i] if clip == "clipnorm" else np.hypot(*lengths)
            expected = g * min(1, 0.5 / length)
        np.testing.assert_allclose(steps[1][i], expected, rtol=1e-4, atol=1e-5)


def test_only_one_way_to_clip() -> None:
    with pytest.raises(ValueError, match="only one of clipnorm"):
        optimizers.Adam(clipnorm=1, clipvalue=1)


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adamw", "adagrad", "nadam", "Adam", "SGD"])
def test_names_older_spellings_and_descriptions(name: str) -> None:
    optimizer = optimizers.get(name)
    again = type(optimizer)(**optimizer.get_config())
    assert repr(again) == repr(optimizer)
    assert type(optimizer)(lr=0.5).learning_rate == 0.5
    with pytest.raises(TypeError, match=r"'learning_rat'; did you mean"):
        type(optimizer)(learning_rat=0.5)


def test_nadam_goes_on_alike_whether_or_not_it_remembers_its_product() -> None:
    x, t = np.eye(4), np.eye(3)[[0, 1, 2, 0]]
    model = Sequential([Input((4,)), Dense(3, "softmax")])
    model.compile(optimizers.Nadam(LR), "categorical_crossentropy")
    calls = []
    u = model.optimizer._u
    model.optimizer._u = lambda t: calls.append(t) or u(t)
    for _ in range(30):
        model.train_on_batch(x, t)
    assert len(calls) < 30 * 6  # a step costs the same however many there were
    remembered = model.optimizer._product(30)
    fresh = optimizers.Nadam(LR)
    assert fresh._product(30) == remembered
    assert fresh._product(2) == fresh._u(1) * fresh._u(2)
