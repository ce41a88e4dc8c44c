"""Every metric against its definition, counted or computed in float64, in batches of unequal size and with weights."""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import metric_of
from numpy.typing import NDArray

from fastnet import metrics
from fastnet.metrics import Metric

Array = NDArray[np.float64]

N, C = 31, 4
RNG = np.random.default_rng(5)
LABELS = RNG.integers(0, C, N)
ONE_HOT = np.eye(C)[LABELS]
SEVERAL = (RNG.random((N, C)) > 0.5).astype(float)
REAL = RNG.normal(size=(N, C))
P = RNG.random((N, C)).round(2)  # some are equal, and some are on a threshold
SHARES = (P + 0.01) / (P + 0.01).sum(axis=1, keepdims=True)
WEIGHTS = RNG.random(N)


def row_mean(f: Callable[[float, float], float]) -> Callable[[Any, Any], float]:
    return lambda t, p: sum(f(float(a), float(b)) for a, b in zip(t, p, strict=True)) / len(p)


def within(k: int) -> Callable[[Any, Any], float]:
    return lambda t, p: float(sum(x > p[np.argmax(t)] for x in p) < k)


def label_within(k: int) -> Callable[[Any, Any], float]:
    return lambda t, p: float(sum(x > p[int(t)] for x in p) < k)


def cosine(t: Any, p: Any) -> float:
    return float(sum(a * b for a, b in zip(t, p, strict=True)) / math.hypot(*t) / math.hypot(*p))


MEANS: dict[str, tuple[Metric, Callable[[Any, Any], float], Any, Any]] = {
    "binary": (metrics.BinaryAccuracy(), row_mean(lambda t, p: (p > 0.5) == (t == 1)), SEVERAL, P),
    "binary 1/4": (metrics.BinaryAccuracy(threshold=0.25), row_mean(lambda t, p: (p > 0.25) == (t == 1)), SEVERAL, P),
    "categorical": (metrics.CategoricalAccuracy(), lambda t, p: float(list(p).index(max(p)) == t.argmax()), ONE_HOT, P),
    "sparse": (metrics.SparseCategoricalAccuracy(), lambda t, p: float(list(p).index(max(p)) == t), LABELS, P),
    "top 5": (metrics.TopKCategoricalAccuracy(), within(5), ONE_HOT, P),
    "top 2": (metrics.TopKCategoricalAccuracy(k=2), within(2), ONE_HOT, P),
    "sparse top 3": (metrics.SparseTopKCategoricalAccuracy(3), label_within(3), LABELS, P),
    "absolute": (metrics.MeanAbsoluteError(), row_mean(lambda t, p: abs(p - t)), REAL, P),
    "squared": (metrics.MeanSquaredError(), row_mean(lambda t, p: (p - t) ** 2), REAL, P),
    "percentage": (metrics.MeanAbsolutePercentageError(), row_mean(lambda t, p: 100 * abs((p - t) / t)), REAL, P),
    "logarithmic": (
        metrics.MeanSquaredLogarithmicError(), row_mean(lambda t, p: math.log((1 + t) / (1 + p)) ** 2), P + 1, SHARES
    ),
    "log cosh": (metrics.LogCoshError(), row_mean(lambda t, p: math.log(math.cosh(p - t))), REAL, P),
    "cosine": (metrics.CosineSimilarity(), cosine, REAL, P),
    "kl": (
        metrics.KLDivergence(), lambda t, p: sum(a * math.log(a / b) for a, b in zip(t, p, strict=True)),
        SHARES[::-1], SHARES,
    ),
    "poisson": (metrics.Poisson(), row_mean(lambda t, p: p - t * math.log(p)), SEVERAL, P + 1),
    "hinge": (metrics.Hinge(), row_mean(lambda t, p: max(0, 1 - t * p)), 2 * SEVERAL - 1, REAL),
    "squared hinge": (metrics.SquaredHinge(), row_mean(lambda t, p: max(0, 1 - t * p) ** 2), 2 * SEVERAL - 1, REAL),
    "categorical hinge": (
        metrics.CategoricalHinge(),
        lambda t, p: max(0, 1 + max(0, *p[t == 0]) - p[t == 1][0]), ONE_HOT, REAL,
    ),
    "binary crossentropy": (
        metrics.BinaryCrossentropy(),
        row_mean(lambda t, p: -math.log(p if t else 1 - p)), SEVERAL, SHARES,
    ),
    "binary crossentropy of logits": (
        metrics.BinaryCrossentropy(from_logits=True),
        row_mean(lambda t, z: math.log(1 + math.exp(-z if t else z))), SEVERAL, REAL,
    ),
    "categorical crossentropy": (
        metrics.CategoricalCrossentropy(), lambda t, p: -math.log(p[t.argmax()]), ONE_HOT, SHARES
    ),
    "categorical crossentropy, smoothed": (
        metrics.CategoricalCrossentropy(label_smoothing=1),
        lambda t, p: -sum(math.log(x) for x in p) / C, ONE_HOT, SHARES,
    ),
    "sparse crossentropy": (
        metrics.SparseCategoricalCrossentropy(), lambda t, p: -math.log(p[t]), LABELS, SHARES
    ),
}  # fmt: skip


def fed(metric: Metric, t: Any, p: Any, weights: Any = None) -> Any:
    """The result after two batches of different size."""
    metric.reset_state()
    for part in (slice(0, 9), slice(9, N)):
        if weights is None:
            metric.update_state(t[part], p[part])
        else:
            metric.update_state(t[part], p[part], sample_weight=weights[part])
    return metric.result()


@pytest.mark.parametrize(("metric", "row", "t", "p"), MEANS.values(), ids=MEANS)
def test_means_over_rows(metric: Metric, row: Callable[[Any, Any], float], t: Any, p: Any) -> None:
    p32 = p.astype(np.float32).astype(float)
    values = np.array([row(a, b) for a, b in zip(t, p32, strict=True)], float)
    assert fed(metric, t, p) == pytest.approx(values.mean(), rel=2e-6)
    assert isinstance(metric.result(), float)
    assert fed(metric, t, p, WEIGHTS) == pytest.approx((values * WEIGHTS).sum() / WEIGHTS.sum(), rel=2e-6)


@pytest.mark.parametrize(("metric", "row", "t", "p"), MEANS.values(), ids=MEANS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loop_s_path_says_the_same(
    metric: Metric, row: Callable[[Any, Any], float], t: Any, p: Any, weighted: bool
) -> None:
    expected = fed(metric, t, p, WEIGHTS if weighted else None)
    metric.reset_state()
    targets = (np.eye(C)[t] if t.ndim == 1 else t).astype(np.float32)
    whole = np.full((N, 16), 9, np.float32)  # padding that would show
    whole[:, :C] = p
    metric.weighted = weighted
    try:
        for part in (slice(0, 9), slice(9, N)):
            metric.update_checked(targets[part], whole[part, :C], WEIGHTS[part].astype(np.float32))
    finally:
        del metric.weighted
    assert metric.result() == pytest.approx(expected, rel=1e-6)


def test_the_root_is_of_the_mean_over_all() -> None:
    squares = (P.astype(np.float32) - REAL) ** 2
    metric = metrics.RootMeanSquaredError()
    assert fed(metric, REAL, P) == pytest.approx(math.sqrt(squares.mean()), rel=1e-6)
    weighted = (squares.mean(axis=1) * WEIGHTS).sum() / WEIGHTS.sum()
    assert fed(metric, REAL, P, WEIGHTS) == pytest.approx(math.sqrt(weighted), rel=1e-6)


def test_mean_of_values() -> None:
    mean = metrics.Mean()
    assert mean.result() == 0
    mean.update_state([1, 3, 5, 7])
    mean.update_state([[1, 3], [5, 11]])
    assert mean.result() == (16 + 2 + 8) / 6
    mean.update_state(4, sample_weight=[6])
    assert mean.result() == (26 + 24) / 12
    mean.reset_state()
    mean.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
    assert mean.result() == 2
    mean.update_state([])
    assert mean.result() == 2


# Counted --------------------------------------------------------------------------------------------------------------


def counts(t: Array, p: Array, threshold: float, w: Array) -> tuple[float, float, float, float]:
    """Weighted true and false positives, false and true negatives."""
    found = [0.0, 0.0, 0.0, 0.0]
    for i in range(len(t)):
        for real, value in zip(t[i], p.astype(np.float32)[i], strict=True):
            positive = value > np.float32(threshold)
            found[(0 if real else 1) if positive else (2 if real else 3)] += w[i]
    return found[0], found[1], found[2], found[3]


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("class_id", [None, 0, 3])
def test_precision_and_recall(weights: Array | None, threshold: float, class_id: int | None) -> None:
    columns = slice(None) if class_id is None else slice(class_id, class_id + 1)
    tp, fp, fn, _ = counts(SEVERAL[:, columns], P[:, columns], threshold, np.ones(N) if weights is None else weights)
    precision = metrics.Precision(thresholds=threshold, class_id=class_id)
    recall = metrics.Recall(thresholds=threshold, class_id=class_id)
    assert fed(precision, SEVERAL, P, weights) == pytest.approx(tp / (tp + fp) if tp else 0, rel=1e-6)
    assert fed(recall, SEVERAL, P, weights) == pytest.approx(tp / (tp + fn), rel=1e-6)


def test_several_thresholds_give_several_results() -> None:
    limits = [0.1, 0.5, 0.9]
    result = fed(metrics.Precision(thresholds=limits), SEVERAL, P)
    assert result.shape == (3,)
    np.testing.assert_allclose(result, [fed(metrics.Precision(thresholds=limit), SEVERAL, P) for limit in limits])
    assert isinstance(fed(metrics.Recall(thresholds=[0.5]), SEVERAL, P), float)  # one threshold, one number
    assert fed(metrics.Recall(), SEVERAL, P) == fed(metrics.Recall(thresholds=0.5), SEVERAL, P)


def test_only_the_greatest_may_be_positive() -> None:
    t, p = [[1, 0, 1, 0]], [[0.2, 0.9, 0.3, 0.1]]
    assert metrics.Precision(top_k=2)(t, p) == metrics.Recall(top_k=2)(t, p) == 0.5
    assert metrics.Precision(thresholds=0.5, top_k=2)(t, p) == 0
    assert metrics.Recall(top_k=3)(t, p) == 1
    assert metrics.Precision(top_k=9)(t, p) == 0.5
    assert metrics.Recall(top_k=2, class_id=0)(t, p) == 0
    assert metrics.Recall(top_k=3, class_id=0)(t, p) == 1


def test_a_share_of_nothing_is_nothing() -> None:
    for metric in (
        metrics.Precision(),
        metrics.Recall(),
        metrics.F1Score("macro"),
        metrics.AUC(),
        metrics.AUC(curve="PR"),
    ):
        assert metric.result() == 0
        assert metric([[0, 0]], [[0.1, 0.2]]) == 0
    assert metrics.Precision()([[1]], [[0.3]]) == 0
    assert metrics.Recall()([[0]], [[0.9]]) == 0
    np.testing.assert_array_equal(metrics.F1Score(threshold=0.5)([[1, 0]], [[0.9, 0.2]]), [1, 0])


def f_scores(beta: float, positive: Array, t: Array, w: Array) -> tuple[list[float], float, list[float]]:
    """The score of each class, of all counted together, and how often each class is a target."""
    totals, scores, real = np.zeros(3), [], []
    for c in range(t.shape[1]):
        tp = sum(w[i] for i in range(len(t)) if positive[i, c] and t[i, c])
        fp = sum(w[i] for i in range(len(t)) if positive[i, c] and not t[i, c])
        fn = sum(w[i] for i in range(len(t)) if not positive[i, c] and t[i, c])
        totals += tp, fp, fn
        scores.append((1 + beta**2) * tp / ((1 + beta**2) * tp + beta**2 * fn + fp))
        real.append(tp + fn)
    tp, fp, fn = totals
    return scores, (1 + beta**2) * tp / ((1 + beta**2) * tp + beta**2 * fn + fp), real


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("beta", [1.0, 2.0])
@pytest.mark.parametrize("threshold", [None, 0.4])
def test_f_scores(weights: Array | None, beta: float, threshold: float | None) -> None:
    p = SHARES if threshold is None else P
    positive = p == p.max(axis=1, keepdims=True) if threshold is None else p > threshold
    scores, together, real = f_scores(beta, positive, ONE_HOT, np.ones(N) if weights is None else weights)
    expected = {
        None: scores, "micro": together, "macro": np.mean(scores), "weighted": np.dot(scores, real) / np.sum(real)
    }  # fmt: skip
    for average, value in expected.items():
        score = fed(metrics.FBetaScore(average, beta, threshold), ONE_HOT, p, weights)
        np.testing.assert_allclose(score, value, rtol=1e-6)
        assert np.ndim(score) == (average is None)
        if beta == 1:
            np.testing.assert_array_equal(fed(metrics.F1Score(average, threshold), ONE_HOT, p, weights), score)


def test_the_documentations_f1() -> None:
    t, p = [[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]
    np.testing.assert_allclose(metrics.F1Score(threshold=0.5)(t, p), [0.5, 0.8, 2 / 3])
    np.testing.assert_allclose(metrics.FBetaScore(beta=2.0, threshold=0.5)(t, p), [0.3846154, 0.90909094, 0.8333334])


def test_a_row_of_zeros_predicts_no_class() -> None:
    assert metrics.F1Score("micro")([[1, 0]], [[0, 0]]) == 0


def roc_area(t: Array, p: Array, w: Array) -> float:
    """The probability that a positive target has the greater prediction, equal ones half: the exact area."""
    t, p, w = t.reshape(-1), p.reshape(-1), np.repeat(w, t.shape[1])
    total = won = 0.0
    for i in np.flatnonzero(t):
        for j in np.flatnonzero(t == 0):
            total += w[i] * w[j]
            won += w[i] * w[j] * (1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0)
    return won / total


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_auc_is_exact_where_no_two_predictions_share_a_bucket(weights: Array | None) -> None:
    p = P.round(1) * 0.99 + 0.005  # eleven values, in different buckets of 200 and of 12
    expected = roc_area(SEVERAL, p, np.ones(N) if weights is None else weights)
    assert fed(metrics.AUC(), SEVERAL, p, weights) == pytest.approx(expected, rel=1e-6)
    limits = [0.05 + i / 10 for i in range(10)]
    assert fed(metrics.AUC(thresholds=limits), SEVERAL, p, weights) == pytest.approx(expected, rel=1e-6)
    logits = np.log(p / (1 - p))
    assert fed(metrics.AUC(from_logits=True), SEVERAL, logits, weights) == pytest.approx(expected, rel=1e-6)


def test_auc_by_hand() -> None:
    t, p = [0, 0, 1, 1], [0, 0.5, 0.3, 0.9]
    # thresholds below 0, 0.5, above 1: tp = 2, 1, 0 and fp = 2, 0, 0
    assert metrics.AUC(num_thresholds=3)(t, p) == 0.75
    assert metrics.AUC(num_thresholds=3)(t, p, [1, 0, 0, 1]) == 1
    assert metrics.AUC(num_thresholds=3, summation_method="minoring")(t, p) == 0.5
    assert metrics.AUC(num_thresholds=3, summation_method="majoring")(t, p) == 1
    # precision from recall 0 to 1/2 is 1; beyond it P goes from 1 to 4 and TP = 2/3 + P / 3
    expected = 0.5 + (1 / 3) * (1 + 2 / 3 * math.log(4)) / 2
    assert metrics.AUC(num_thresholds=3, curve="PR")(t, p) == pytest.approx(expected)
    assert metrics.AUC(curve="PR", num_thresholds=3, summation_method="majoring")(t, p) == 1
    assert metrics.AUC(curve="pr", num_thresholds=3, summation_method="minoring")(t, p) == 0.25


def test_a_prediction_on_a_threshold_is_not_above_it() -> None:
    # so neither of these is above 0.5, and nothing tells them apart
    assert metrics.AUC(num_thresholds=3)([1, 0], [0.5, 0.25]) == 0.5
    assert metrics.AUC(thresholds=[0.5])([1, 0], [0.5, 0.25]) == 0.5
    t, p = [0, 1, 1, 0], [0.5, 0.5, 0.75, 0.25]
    assert metrics.Precision(thresholds=0.5)(t, p) == 1
    assert metrics.Recall(thresholds=0.5)(t, p) == 0.5
    assert metrics.BinaryAccuracy()(t, p) == 0.75


def test_auc_of_perfect_useless_and_reversed_predictions() -> None:
    t = np.array([0, 1] * 10)
    for curve in ("ROC", "PR"):
        assert metrics.AUC(curve=curve)(t, t) == 1
    assert metrics.AUC()(t, 1 - t) == 0
    assert metrics.AUC()(t, np.full(20, 0.5)) == 0.5
    assert metrics.AUC(curve="PR")(t, np.full(20, 0.5)) == 0.5
    assert metrics.AUC()(t, t * 5.0 - 2) == 1  # beyond [0, 1] is taken for its ends


OF_MODELS = sorted({*metrics.CLASSES} - {"Mean", "Sum"})


@pytest.mark.parametrize("metric", OF_MODELS)
def test_what_is_not_a_number_stops_no_training(metric: str) -> None:
    # A training that has diverged shows it in its loss, and goes on as its callbacks want.
    targets, predictions = np.eye(2, 4, dtype=np.float32), np.full((2, 4), np.nan, np.float32)
    found = metric_of(metric)
    found.update_checked(targets, predictions)
    found.result()


def test_a_copy_counts_by_itself_once_it_is_reset() -> None:
    for name in OF_MODELS:
        metric = metric_of(name)
        t, p = np.eye(2, dtype=np.float32), np.array([[0.9, 0.1], [0.6, 0.4]], np.float32)
        metric.update_checked(t, p)
        before = metric.result()
        twin = copy.copy(metric)
        twin.reset_state()
        twin.update_checked(t[:, ::-1].copy(), p)
        np.testing.assert_array_equal(metric.result(), before)
