"""The rules that NumPy computes: their formulas in float64, in whole sequences of steps; bits, padding, files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastnet
from fastnet import Sequential, optimizers, set_num_threads, utils
from fastnet.arrays.variables import Variable
from fastnet.layers import Dense, Input
from fastnet.models import load_model

Array = NDArray[Any]
RNG = np.random.default_rng(11)
SHAPES = [(6, 4), (3, 20), (20, 3), (7,)]
START = [RNG.standard_normal(shape) for shape in SHAPES]
GRADIENTS = [[RNG.standard_normal(shape) for shape in SHAPES] for _ in range(6)]
LR, EPSILON = 0.05, 1e-3  # as large as gradients are, so that it counts


def rms(x: Array) -> Any:
    return np.sqrt(np.mean(x**2))


def adadelta(w: Array, g: Array, s: dict[str, Any], t: int) -> Array:
    s["a"] = 0.9 * s.get("a", 0) + 0.1 * g**2
    d = np.sqrt(s.get("b", 0) + EPSILON) / np.sqrt(s["a"] + EPSILON) * g
    s["b"] = 0.9 * s.get("b", 0) + 0.1 * d**2
    return w - LR * d


def moments(g: Array, s: dict[str, Any]) -> tuple[Any, Any]:
    s["m"], s["v"] = 0.8 * s.get("m", 0) + 0.2 * g, 0.7 * s.get("v", 0) + 0.3 * g**2
    return s["m"], s["v"]


def amsgrad(w: Array, g: Array, s: dict[str, Any], t: int) -> Array:
    m, v = moments(g, s)
    s["x"] = np.maximum(s.get("x", 0), v)
    return w - LR * np.sqrt(1 - 0.7**t) / (1 - 0.8**t) * m / (np.sqrt(s["x"]) + EPSILON)


def adamax(w: Array, g: Array, s: dict[str, Any], t: int) -> Array:
    s["m"] = 0.8 * s.get("m", 0) + 0.2 * g
    s["u"] = np.maximum(0.7 * s.get("u", 0), abs(g))
    return w - LR / (1 - 0.8**t) * s["m"] / (s["u"] + EPSILON)


def lamb(w: Array, g: Array, s: dict[str, Any], t: int) -> Array:
    m, v = moments(g, s)
    d = m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.7**t)) + EPSILON)
    return w - LR * np.sqrt((w**2).sum()) / np.sqrt((d**2).sum()) * d


def lion(w: Array, g: Array, s: dict[str, Any], t: int) -> Array:
    m = s.get("m", 0)
    s["m"] = 0.7 * m + 0.3 * g
    return w - LR * np.sign(0.8 * m + 0.2 * g)


def ftrl(power: float) -> Callable[..., Array]:
    def step(w: Array, g: Array, s: dict[str, Any], t: int) -> Array:
        a = s.get("a", 0.2)
        b = a + g**2
        s["z"] = s.get("z", 0) + g + 2 * 0.01 * w - (b**power - a**power) * w / LR
        s["a"] = b
        new = (np.sign(s["z"]) * 0.3 - s["z"]) / (b**power / LR + 2 * 0.4 + 0.5 / LR)
        return np.where(abs(s["z"]) <= 0.3, 0.0, new)

    return step


def adafactor(w: Array, g: Array, s: dict[str, Any], t: int) -> Array:
    a = max(0.1, rms(w)) * min(LR * 10, 1 / np.sqrt(t))
    beta, square = 1 - t**-0.5, g**2 + EPSILON
    if w.ndim == 1:
        s["v"] = v = beta * s.get("v", 0) + (1 - beta) * square
    else:
        s["r"] = beta * s.get("r", 0) + (1 - beta) * square.mean(axis=1)
        s["c"] = beta * s.get("c", 0) + (1 - beta) * square.mean(axis=0)
        v = np.outer(s["r"], s["c"]) / s["r"].mean()
    u = g / np.sqrt(v)
    return w - a * u / max(1, rms(u) / 0.6)


def muon(nesterov: bool, rate: float | None) -> Callable[..., Array]:
    def step(w: Array, g: Array, s: dict[str, Any], t: int) -> Array:
        if w.ndim == 1:
            m, v = moments(g, s)
            w = w - 0.3 * LR * w
            return w - 0.4 * LR * np.sqrt(1 - 0.7**t) / (1 - 0.8**t) * m / (np.sqrt(v) + EPSILON)
        s["m"] = 0.6 * s.get("m", 0) + g
        x = g + 0.6 * s["m"] if nesterov else s["m"]
        left, values, right = np.linalg.svd(x, full_matrices=False)
        values = values / np.sqrt((values**2).sum())
        for _ in range(4):  # the polynomial in each singular value
            values = 3.4445 * values - 4.775 * values**3 + 2.0315 * values**5
        size = 1 if rate is None else rate * np.sqrt(max(w.shape))
        return w - 0.2 * LR * w - LR * size * (left * values) @ right

    return step


def schedule_free(w: Array, g: Array, s: dict[str, Any], t: int) -> Array:
    z, x = s.get("z", w), s.get("x", w)  # both start at the weights
    s["v"] = 0.7 * s.get("v", 0) + 0.3 * g**2
    s["z"] = z - min(1, t / 3) * LR * g / (np.sqrt(s["v"] / (1 - 0.7**t)) + EPSILON)
    s["x"] = (1 - 1 / t) * x + s["z"] / t
    return 0.2 * s["z"] + 0.8 * s["x"]


BETAS = {"beta_1": 0.8, "beta_2": 0.7, "epsilon": EPSILON}
L = {
    "initial_accumulator_value": 0.2, "l1_regularization_strength": 0.3, "l2_regularization_strength": 0.4,
    "l2_shrinkage_regularization_strength": 0.01, "beta": 0.5,
}  # fmt: skip
ADAM_OF_MUON = {"adam_beta_1": 0.8, "adam_beta_2": 0.7, "epsilon": EPSILON, "adam_lr_ratio": 0.4}
OF_MUON = {"momentum": 0.6, "ns_steps": 4, "adam_weight_decay": 0.3, "weight_decay": 0.2}
RULES: dict[str, tuple[Callable[[], Any], Callable[..., Array]]] = {
    "Adadelta": (lambda: optimizers.Adadelta(LR, rho=0.9, epsilon=EPSILON), adadelta),
    "Adam, amsgrad": (lambda: optimizers.Adam(LR, **BETAS, amsgrad=True), amsgrad),
    "AdamW, amsgrad": (lambda: optimizers.AdamW(LR, 0, **BETAS, amsgrad=True), amsgrad),
    "Adamax": (lambda: optimizers.Adamax(LR, **BETAS), adamax),
    "Lamb": (lambda: optimizers.Lamb(LR, **BETAS), lamb),
    "Lion": (lambda: optimizers.Lion(LR, 0.8, 0.7), lion),
    "Ftrl": (lambda: optimizers.Ftrl(LR, **L), ftrl(0.5)),
    "Ftrl, another power": (lambda: optimizers.Ftrl(LR, -0.3, **L), ftrl(0.3)),
    "Adafactor": (lambda: optimizers.Adafactor(10 * LR, -0.5, EPSILON, 0.1, 0.6), adafactor),
    "Muon": (lambda: optimizers.Muon(LR, **ADAM_OF_MUON, **OF_MUON), muon(True, 0.2)),
    "Muon, plain": (
        lambda: optimizers.Muon(LR, **ADAM_OF_MUON, **OF_MUON, nesterov=False, rms_rate=None),
        muon(False, None),
    ),
    "ScheduleFreeAdamW": (lambda: optimizers.ScheduleFreeAdamW(LR, **BETAS, warmup_steps=3), schedule_free),
}
each_rule = pytest.mark.parametrize("name", RULES)


@each_rule
def test_steps_follow_the_formula_in_float64(name: str) -> None:
    make, formula = RULES[name]
    optimizer = make()
    variables = [Variable(w.astype(np.float32), f"v{i}") for i, w in enumerate(START)]
    expected, states = list(START), [{} for _ in START]
    for t, gradients in enumerate(GRADIENTS, 1):
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        expected = [formula(w, g, s, t) for w, g, s in zip(expected, gradients, states, strict=True)]
        for variable, w in zip(variables, expected, strict=True):
            np.testing.assert_allclose(variable.numpy(), w, rtol=2e-4, atol=2e-5)
    for variable in variables:  # the kernels rely on zeros there
        assert np.count_nonzero(variable.packed) <= variable.size


def model_of(optimizer: Any) -> Sequential:
    utils.set_random_seed(3)
    model = Sequential([Input((9,)), Dense(20, "relu"), Dense(5, "tanh", kernel_regularizer="l2"), Dense(3, "softmax")])
    model.compile(optimizer, "categorical_crossentropy")
    return model


def trained(model: Sequential, epochs: int = 3) -> list[bytes]:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 9)), np.eye(3)[rng.integers(0, 3, 40)]
    model.fit(x, y, batch_size=16, epochs=epochs, verbose=0, shuffle=False)
    return [w.tobytes() for w in model.get_weights()]


@each_rule
def test_the_bits_of_a_training_do_not_depend_on_the_threads(name: str) -> None:
    before = fastnet.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            set_num_threads(threads)
            found.append(trained(model_of(RULES[name][0]())))
    finally:
        set_num_threads(before)
    assert found[0] == found[1]


@each_rule
def test_a_loaded_model_goes_on_as_the_saved_one(name: str, tmp_path: Path) -> None:
    model = model_of(RULES[name][0]())
    trained(model)
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    assert repr(loaded.optimizer) == repr(model.optimizer)
    assert trained(loaded) == trained(model)


def test_muon_leaves_the_layers_that_are_named_to_adam() -> None:
    optimizer = optimizers.Muon(exclude_layers=["out"])
    names = ("dense/kernel", "out/kernel", "dense/bias", "embedding_1/table")
    shapes = ((2, 2), (2, 2), (2,), (2, 2))
    optimizer.build([Variable(np.ones(shape, np.float32), name) for name, shape in zip(names, shapes, strict=True)])
    with_square = {variable.name for variable, slot in optimizer._slots if slot == "velocity"}
    assert with_square == {"out/kernel", "dense/bias", "embedding_1/table"}
    by_muon = optimizers.Muon(exclude_embeddings=False)
    by_muon.build([Variable(np.ones((2, 2), np.float32), "embedding_1/table")])
    assert [slot for _, slot in by_muon._slots] == ["momentum"]


@pytest.mark.parametrize(
    ("exclude_layers", "error"), [("out", TypeError), ([3], TypeError), (["(a+)+$"], ValueError), ([""], ValueError)]
)
def test_muon_takes_parts_of_names_not_patterns(exclude_layers: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="exclude_layers must be"):
        optimizers.Muon(exclude_layers=exclude_layers)
    with pytest.raises(error, match="exclude_layers must be"):  # as from a file
        optimizers.deserialize({"class_name": "Muon", "config": {"exclude_layers": exclude_layers}})


def test_muon_iterates_at_most_100_times() -> None:
    with pytest.raises(ValueError, match="ns_steps must be at most 100, got 101"):
        optimizers.Muon(ns_steps=101)


def test_muon_decays_what_is_not_excluded() -> None:
    kernel, bias, last = (Variable(np.ones((2, 2)[:n], np.float32), name) for n, name in ((2, "k"), (1, "b"), (2, "l")))
    optimizer = optimizers.Muon(0.5, weight_decay=0.5, adam_weight_decay=1.0)
    optimizer.exclude_from_weight_decay(var_list=[last])
    optimizer.apply_gradients([(np.zeros(v.shape), v) for v in (kernel, bias, last)])
    assert [v.numpy().flat[0] for v in (kernel, bias, last)] == [0.75, 0.5, 1.0]


def test_lamb_moves_weights_of_zero_by_the_learning_rate() -> None:
    variable = Variable(np.zeros(2, np.float32), "v")
    optimizer = optimizers.Lamb(0.5, epsilon=1e-12)
    optimizer.apply_gradients([(np.zeros(2), variable)])
    assert not variable.numpy().any()
    optimizers.Lamb(0.5, epsilon=1e-12).apply_gradients([(np.array([2.0, -3.0]), variable)])
    np.testing.assert_allclose(variable.numpy(), [-0.5, 0.5], rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.Lion(beta_1=0), "beta_1"),
        (lambda: optimizers.Lion(beta_2=1.1), r"beta_2 must be a number in \[0, 1\], got 1.1"),
        (lambda: optimizers.Ftrl(learning_rate_power=0.1), "learning_rate_power must be at most 0, got 0.1"),
        (lambda: optimizers.Ftrl(l1_regularization_strength=-1), "l1_regularization_strength"),
        (lambda: optimizers.Adafactor(beta_2_decay=0.1), "beta_2_decay must be at most 0, got 0.1"),
        (lambda: optimizers.Adafactor(clip_threshold=0), "clip_threshold"),
        (lambda: optimizers.ScheduleFreeAdamW(beta_1=0), "beta_1"),
        (lambda: optimizers.Muon(ns_steps=-1), "ns_steps"),
        (lambda: optimizers.Muon().zeropower_via_newtonschulz5(np.ones(3), 1), r"x must be a matrix, got shape \(3,\)"),
        (lambda: optimizers.AdamW(weight_decay=None), "weight_decay is None"),
    ],
)
def test_bad_arguments(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_ftrl_refuses_a_learning_rate_of_zero_and_changes_nothing() -> None:
    variable = Variable(np.ones(3, np.float32), "v")
    optimizer = optimizers.Ftrl(0.0)
    with pytest.raises(ValueError, match="learning_rate is 0"):
        optimizer.apply_gradients([(np.ones(3), variable)])
    assert (variable.numpy() == 1).all()
    assert optimizer.iterations == 0
