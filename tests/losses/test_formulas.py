"""Every loss against its formula, written out in float64, and its gradient against central differences of that."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from fastnet import losses
from fastnet.losses import Loss

Row = list[float]
Array = NDArray[np.float64]

N, C = 9, 4
RNG = np.random.default_rng(3)
ONE_HOT = np.eye(C)[RNG.integers(0, C, N)]
SEVERAL = (RNG.random((N, C)) > 0.5).astype(float)
REAL = RNG.normal(size=(N, C)) * 2
COUNTS = RNG.integers(0, 5, (N, C)).astype(float)
SHARES = RNG.dirichlet(np.ones(C), N)
P = RNG.uniform(0.05, 0.95, (N, C))
Z = RNG.normal(size=(N, C)) * 2


def crossentropy(t: Row, p: Row) -> float:
    return -sum(a * math.log(b / sum(p)) for a, b in zip(t, p, strict=True))


def crossentropy_of_logits(t: Row, z: Row) -> float:
    return crossentropy(t, [math.exp(x) for x in z])


def smooth(s: float, formula: Callable[[Row, Row], float], target: float) -> Callable[[Row, Row], float]:
    return lambda t, p: formula([(1 - s) * a + s * target for a in t], p)


def binary(t: Row, p: Row) -> float:
    return -mean([a * math.log(b) + (1 - a) * math.log(1 - b) for a, b in zip(t, p, strict=True)])


def binary_of_logits(t: Row, z: Row) -> float:
    return binary(t, [1 / (1 + math.exp(-x)) for x in z])


def mean(values: Row) -> float:
    return sum(values) / len(values)


def each(formula: Callable[[float, float], float]) -> Callable[[Row, Row], float]:
    return lambda t, p: mean([formula(a, b) for a, b in zip(t, p, strict=True)])


def huber(delta: float) -> Callable[[float, float], float]:
    return lambda t, p: (p - t) ** 2 / 2 if abs(p - t) <= delta else delta * abs(p - t) - delta**2 / 2


def categorical_hinge(t: Row, p: Row) -> float:
    right = p[t.index(1)]
    return max(0.0, 1 - right + max([0.0, *(p[c] for c in range(len(p)) if not t[c])]))


def cosine(t: Row, p: Row) -> float:
    return -sum(a * b for a, b in zip(t, p, strict=True)) / math.hypot(*t) / math.hypot(*p)


def focal(gamma: float, alpha: Row) -> Callable[[Row, Row], float]:
    def formula(t: Row, p: Row) -> float:
        q = [b / sum(p) for b in p]
        return -sum(w * a * (1 - b) ** gamma * math.log(b) for w, a, b in zip(alpha, t, q, strict=True))

    return formula


def focal_of_logits(gamma: float, alpha: Row) -> Callable[[Row, Row], float]:
    return lambda t, z: focal(gamma, alpha)(t, [math.exp(x) for x in z])


def binary_focal(gamma: float, ones: float = 1, zeros: float = 1) -> Callable[[Row, Row], float]:
    def formula(t: float, p: float) -> float:
        wrong = t * (1 - p) + (1 - t) * p
        return (t * ones + (1 - t) * zeros) * wrong**gamma * binary([t], [p])

    return each(formula)


def binary_focal_of_logits(gamma: float) -> Callable[[Row, Row], float]:
    return lambda t, z: binary_focal(gamma)(t, [1 / (1 + math.exp(-x)) for x in z])


FORMULAS = {
    "categorical": (losses.CategoricalCrossentropy(), crossentropy, ONE_HOT, P),
    "categorical, soft": (losses.CategoricalCrossentropy(), crossentropy, SHARES, P),
    "categorical, logits": (losses.CategoricalCrossentropy(from_logits=True), crossentropy_of_logits, ONE_HOT, Z),
    "categorical, smoothed": (
        losses.CategoricalCrossentropy(label_smoothing=0.2), smooth(0.2, crossentropy, 1 / C), ONE_HOT, P
    ),
    "categorical, logits, smoothed": (
        losses.CategoricalCrossentropy(True, 0.2), smooth(0.2, crossentropy_of_logits, 1 / C), ONE_HOT, Z
    ),
    "binary": (losses.BinaryCrossentropy(), binary, SEVERAL, P),
    "binary, logits": (losses.BinaryCrossentropy(from_logits=True), binary_of_logits, SEVERAL, Z),
    "binary, smoothed": (losses.BinaryCrossentropy(label_smoothing=0.1), smooth(0.1, binary, 0.5), SEVERAL, P),
    "binary, logits, smoothed": (
        losses.BinaryCrossentropy(True, 0.1), smooth(0.1, binary_of_logits, 0.5), SEVERAL, Z
    ),
    "squared": (losses.MeanSquaredError(), each(lambda t, p: (p - t) ** 2), REAL, Z),
    "absolute": (losses.MeanAbsoluteError(), each(lambda t, p: abs(p - t)), REAL, Z),
    "percentage": (losses.MeanAbsolutePercentageError(), each(lambda t, p: 100 * abs(1 - p / t)), REAL, Z),
    "logarithmic": (
        losses.MeanSquaredLogarithmicError(),
        each(lambda t, p: (math.log(1 + max(p, 1e-7)) - math.log(1 + max(t, 1e-7))) ** 2),
        COUNTS,
        Z,
    ),
    "huber": (losses.Huber(), each(huber(1)), REAL, Z),
    "huber 0.3": (losses.Huber(0.3), each(huber(0.3)), REAL, Z),
    "log cosh": (losses.LogCosh(), each(lambda t, p: math.log(math.cosh(p - t))), REAL, Z),
    "kl": (
        losses.KLDivergence(), lambda t, p: sum(a * math.log(a / b) for a, b in zip(t, p, strict=True)), SHARES, P
    ),
    "poisson": (losses.Poisson(), each(lambda t, p: p - t * math.log(p + 1e-7)), COUNTS, P),
    "hinge": (losses.Hinge(), each(lambda t, p: max(0.0, 1 - t * p)), 2 * SEVERAL - 1, Z),
    "squared hinge": (losses.SquaredHinge(), each(lambda t, p: max(0.0, 1 - t * p) ** 2), 2 * SEVERAL - 1, Z),
    "categorical hinge": (losses.CategoricalHinge(), categorical_hinge, ONE_HOT, Z),
    "cosine": (losses.CosineSimilarity(), cosine, REAL, Z),
    "focal": (losses.CategoricalFocalCrossentropy(), focal(2, [0.25] * C), ONE_HOT, P),
    "focal, soft, weights": (
        losses.CategoricalFocalCrossentropy([1, 2, 0.5, 3], 0.5), focal(0.5, [1, 2, 0.5, 3]), SHARES, P
    ),
    "focal, gamma 0": (losses.CategoricalFocalCrossentropy(1, 0), crossentropy, ONE_HOT, P),
    "focal, logits": (
        losses.CategoricalFocalCrossentropy(0.5, 1.5, from_logits=True), focal_of_logits(1.5, [0.5] * C), ONE_HOT, Z
    ),
    "focal, smoothed": (
        losses.CategoricalFocalCrossentropy(label_smoothing=0.2), smooth(0.2, focal(2, [0.25] * C), 1 / C), ONE_HOT, P
    ),
    "binary focal": (losses.BinaryFocalCrossentropy(), binary_focal(2), SEVERAL, P),
    "binary focal, balanced": (
        losses.BinaryFocalCrossentropy(True, 0.3, 0.5), binary_focal(0.5, 0.3, 0.7), SEVERAL, P
    ),
    "binary focal, gamma 0": (losses.BinaryFocalCrossentropy(gamma=0), binary, SEVERAL, P),
    "binary focal, gamma 1": (losses.BinaryFocalCrossentropy(gamma=1), binary_focal(1), SEVERAL, P),
    "binary focal, logits": (
        losses.BinaryFocalCrossentropy(gamma=1.5, from_logits=True), binary_focal_of_logits(1.5), SEVERAL, Z
    ),
    "binary focal, smoothed": (
        losses.BinaryFocalCrossentropy(label_smoothing=0.1), smooth(0.1, binary_focal(2), 0.5), SEVERAL, P
    ),
}  # fmt: skip


def rows_by(formula: Callable[[Row, Row], float], t: Array, p: Array) -> Array:
    return np.array([formula(a, b) for a, b in zip(t.tolist(), p.tolist(), strict=True)])


def numeric_gradient(formula: Callable[[Row, Row], float], t: Array, p: Array) -> Array:
    """Of each row's loss, by central differences."""
    gradient, h = np.zeros_like(p), 1e-6
    for c in range(p.shape[1]):
        step = h * np.eye(p.shape[1])[c]
        gradient[:, c] = (rows_by(formula, t, p + step) - rows_by(formula, t, p - step)) / (2 * h)
    return gradient


CASES = pytest.mark.parametrize(("loss", "formula", "t", "p"), FORMULAS.values(), ids=FORMULAS)


@CASES
def test_value(loss: Loss, formula: Callable[[Row, Row], float], t: Array, p: Array) -> None:
    expected = rows_by(formula, t, p)
    np.testing.assert_allclose(loss.per_row(t, p), expected, rtol=1e-5, atol=1e-6)
    assert loss(t, p) == pytest.approx(expected.mean(), rel=1e-5)
    weights = np.arange(N) / 4
    assert loss(t, p, weights) == pytest.approx((expected * weights).mean(), rel=1e-5)


@CASES
def test_derivative_is_that_of_central_differences(
    loss: Loss, formula: Callable[[Row, Row], float], t: Array, p: Array
) -> None:
    gradient = loss.derivative(t, p)  # type: ignore[arg-type]
    # softmax, a kernel, is float32
    tolerance = 1e-6 if "logits" in str(loss) and isinstance(loss, losses.CategoricalCrossentropy) else 1e-8
    np.testing.assert_allclose(gradient, numeric_gradient(formula, t, p), rtol=1e-7, atol=100 * tolerance)


@CASES
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_of_a_padded_batch(
    loss: Loss, formula: Callable[[Row, Row], float], t: Array, p: Array, weighted: bool
) -> None:
    output = np.zeros((N, 16), np.float32)  # the padding of a layer's output is not defined: here it would show
    output[:, :C], output[:, C:] = p, 7
    weights = np.arange(N, dtype=np.float32) / 4 if weighted else None
    total, predictions, dy = loss.gradient(output, loss.check_targets("y", t, C), False, weights, C)
    by = np.ones(N) if weights is None else weights
    assert total.tolist() == pytest.approx([(rows_by(formula, t, p) * by).sum(), N], rel=1e-5)
    np.testing.assert_array_equal(predictions[:, :C], output[:, :C])
    expected = numeric_gradient(formula, t, p) * by[:, None] / N
    np.testing.assert_allclose(dy[:, :C], expected, rtol=1e-4, atol=1e-6)
    assert dy.shape == output.shape
    assert not dy[:, C:].any()


@pytest.mark.parametrize(
    ("loss", "formula", "t"),
    [
        (losses.CategoricalCrossentropy(), crossentropy_of_logits, ONE_HOT),
        (losses.CategoricalCrossentropy(label_smoothing=0.3), smooth(0.3, crossentropy_of_logits, 1 / C), ONE_HOT),
        (losses.SparseCategoricalCrossentropy(), crossentropy_of_logits, ONE_HOT),
        (losses.BinaryCrossentropy(), binary_of_logits, SEVERAL),
        (losses.BinaryCrossentropy(label_smoothing=0.3), smooth(0.3, binary_of_logits, 0.5), SEVERAL),
    ],
    ids=repr,
)
def test_fused_with_the_activation(loss: Loss, formula: Callable[[Row, Row], float], t: Array) -> None:
    output = np.full((N, 16), 7, np.float32)
    output[:, :C] = Z
    y = t.argmax(axis=1) if loss.of_labels else t
    total, predictions, dy = loss.gradient(output, loss.check_targets("y", y, C), True, None, C)
    e = np.exp(Z)
    probabilities = e / (1 + e) if isinstance(loss, losses.BinaryCrossentropy) else e / e.sum(axis=1, keepdims=True)
    assert total.tolist() == pytest.approx([rows_by(formula, t, Z).sum(), N], rel=1e-5)
    np.testing.assert_allclose(predictions[:, :C], probabilities, rtol=1e-5)
    np.testing.assert_allclose(dy[:, :C], numeric_gradient(formula, t, Z) / N, rtol=1e-4, atol=1e-6)
    assert not dy[:, C:].any()


def test_a_smaller_batch_after_a_greater_one_is_computed_by_itself() -> None:
    for loss in (losses.BinaryCrossentropy(), losses.CategoricalCrossentropy()):
        for logits in (True, False):
            output, t = np.full((N, 16), 0.25, np.float32), ONE_HOT.astype(np.float32)
            loss.gradient(output, t, logits)
            total, predictions, dy = loss.gradient(output[:2], t[:2], logits)
            again = type(loss)().gradient(output[:2], t[:2], logits)
            assert total.tolist() == again[0].tolist()
            assert predictions.shape == dy.shape == (2, 16)
            np.testing.assert_array_equal(dy, again[2])


# Numbers printed in the documentation of Keras, for arrays of two columns.
@pytest.mark.parametrize(
    ("function", "t", "p", "expected"),
    [
        (losses.binary_crossentropy, [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]], [0.916, 0.714]),
        (losses.categorical_crossentropy, [[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]], [0.0513, 2.303]),
        (losses.sparse_categorical_crossentropy, [1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]], [0.0513, 2.303]),
        (losses.huber, [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]], [0.18, 0.13]),
        (losses.log_cosh, [[0, 1], [0, 0]], [[1, 1], [0, 0]], [0.21689, 0]),
        (losses.cosine_similarity, [[0, 1], [1, 1], [1, 1]], [[1, 0], [1, 1], [-1, -1]], [0, -1, 1]),
        (losses.mean_absolute_percentage_error, [[0, 1]], [[1, 1]], [5e8]),
        (losses.mean_squared_logarithmic_error, [[0, 1]], [[1, 1]], [0.24022643]),
        (losses.mean_squared_error, [[0, 1], [0, 0]], [[1, 1], [1, 0]], [0.5, 0.5]),
        (losses.mean_absolute_error, [[0, 1], [0, 0]], [[3, 1], [1, 0]], [1.5, 0.5]),
        (losses.hinge, [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]], [1.1, 1.5]),
        (losses.squared_hinge, [[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]], [1.46, 2.26]),
        (losses.categorical_hinge, [[0, 1], [1, 0]], [[0.6, 0.4], [0.4, 0.6]], [1.2, 1.2]),
        (losses.kl_divergence, [[0.5, 0.5]], [[0.25, 0.75]], [0.143841]),
        (losses.poisson, [[2, 0]], [[1, 3]], [2.0]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_functions_return_the_loss_of_each_row(
    function: Callable[..., Array], t: list, p: list, expected: list[float]
) -> None:
    np.testing.assert_allclose(function(t, p), expected, rtol=1e-3, atol=1e-6)


def test_functions_take_their_arguments() -> None:
    np.testing.assert_allclose(losses.huber([[0.0]], [[3.0]], delta=0.5), [1.375])
    np.testing.assert_allclose(losses.binary_crossentropy([[1]], [[0.0]], from_logits=True), [math.log(2)], rtol=1e-6)
    np.testing.assert_allclose(
        losses.categorical_crossentropy([[1, 0]], [[0.5, 0.5]], label_smoothing=1), [math.log(2)], rtol=1e-6
    )
    np.testing.assert_allclose(
        losses.sparse_categorical_crossentropy([1], [[0.0, 0.0]], from_logits=True), [math.log(2)], rtol=1e-6
    )
