"""The R2 score and the two coefficients of correlation, against their formulas and NumPy's."""

from typing import Any

import numpy as np
import pytest

from fastnet import metrics

RNG = np.random.default_rng(4)
N, C = 17, 3
T = RNG.normal(5, 1, (N, C)).astype(np.float32)
P = (T + RNG.normal(0, 0.5, (N, C))).astype(np.float32)
W = RNG.random(N).astype(np.float32)


def r2(t: Any, p: Any, w: Any) -> Any:
    t, p = t.astype(float), p.astype(float)
    mean = (w * t).sum(axis=0) / w.sum(axis=0)
    return 1 - (w * (t - p) ** 2).sum(axis=0) / (w * (t - mean) ** 2).sum(axis=0)


def fed(metric: Any, weights: Any = None) -> Any:
    for part in (slice(0, 6), slice(6, N)):
        metric.update_state(T[part], P[part], None if weights is None else weights[part])
    return metric.result()


@pytest.mark.parametrize("weights", [None, W, W[:, None] * [1, 2, 3]], ids=["plain", "rows", "outputs"])
def test_r2(weights: Any) -> None:
    w = np.ones((N, C)) if weights is None else np.broadcast_to(weights.reshape(N, -1), (N, C)).astype(float)
    scores = r2(T, P, w)
    np.testing.assert_allclose(fed(metrics.R2Score(None), weights), scores, rtol=1e-6)
    assert fed(metrics.R2Score(), weights) == pytest.approx(scores.mean(), rel=1e-6)
    mean = (w * T).sum(axis=0) / w.sum(axis=0)
    sizes = (w * (T - mean) ** 2).sum(axis=0)
    expected = (sizes * scores).sum() / sizes.sum()
    assert fed(metrics.R2Score("variance_weighted_average"), weights) == pytest.approx(expected, rel=1e-5)
    adjusted = 1 - (1 - scores) * (N * C - 1) / (N * C - 2 - 1)
    np.testing.assert_allclose(fed(metrics.R2Score(None, num_regressors=2), weights), adjusted, rtol=1e-6)


def test_r2_at_its_limits() -> None:
    metric = metrics.R2Score()
    assert metric.result() == 0
    assert metric([1, 2, 3], [1, 2, 3]) == 1
    metric.reset_state()
    assert metric([1, 2, 3], [2, 2, 2]) == 0
    assert metrics.R2Score()([5, 5], [4, 6]) == 0  # no variance to explain
    with pytest.warns(UserWarning, match="needs more than 3 outputs for 2 regressors, and there are 3"):
        assert metrics.R2Score(num_regressors=2)([1, 2, 3], [1, 2, 3]) == 1
    assert fed(metrics.R2Score()) > 0.5


def pearson(t: Any, p: Any) -> float:
    return float(np.corrcoef(t, p)[0, 1])


def concordance(t: Any, p: Any) -> float:
    return float(2 * np.cov(t, p, bias=True)[0, 1] / (t.var() + p.var() + (t.mean() - p.mean()) ** 2))


@pytest.mark.parametrize(
    ("kind", "function", "one"),
    [
        (metrics.PearsonCorrelation, metrics.pearson_correlation, pearson),
        (metrics.ConcordanceCorrelation, metrics.concordance_correlation, concordance),
    ],
)
def test_correlations(kind: Any, function: Any, one: Any) -> None:
    rows = np.array([one(t, p) for t, p in zip(T.astype(float), P.astype(float), strict=True)])
    columns = np.array([one(t, p) for t, p in zip(T.T.astype(float), P.T.astype(float), strict=True)])
    np.testing.assert_allclose(function(T, P), rows, rtol=1e-4)
    np.testing.assert_allclose(function(T, P, axis=0), columns, rtol=1e-4)
    assert fed(kind()) == pytest.approx(rows.mean(), rel=1e-5)
    assert fed(kind(axis=1), W) == pytest.approx((rows * W).sum() / W.sum(), rel=1e-5)
    assert kind(axis=0)(T, P) == pytest.approx(columns.mean(), rel=1e-5)
    assert kind()(T[:, 0], P[:, 0]) == pytest.approx(columns[0], rel=1e-5)  # one row
    assert kind(axis=0)(T[:, 0], P[:, 0]) == pytest.approx(columns[0], rel=1e-5)
    assert kind(axis=1)(T.T[None], P.T[None]) == pytest.approx(rows.mean(), rel=1e-5)
    assert kind()([[2.0, 2.0]], [[1.0, 3.0]]) == 0  # of equal numbers
    assert kind.from_config(kind("x", axis=0).get_config()).axis == 0
    with pytest.raises(ValueError, match=r"axis is 2, but y_pred has shape \(17, 3\)"):
        kind(axis=2)(T, P)


def test_a_cosine_along_another_axis() -> None:
    columns = [(t @ p) / np.linalg.norm(t) / np.linalg.norm(p) for t, p in zip(T.T, P.T, strict=True)]
    assert metrics.CosineSimilarity(axis=0)(T, P) == pytest.approx(np.mean(columns), rel=1e-5)
    assert metrics.CosineSimilarity(axis=0)(T, P, [1, 0, 0]) == pytest.approx(columns[0], rel=1e-5)
    assert metrics.CosineSimilarity(axis=1)(T, P) == pytest.approx(metrics.CosineSimilarity()(T, P))
    metric = metrics.CosineSimilarity(axis=0)
    metric.update_checked(T, P)
    assert metric.result() == pytest.approx(np.mean(columns), rel=1e-5)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda: metrics.R2Score("mean"), ValueError, "class_aggregation must be one of None, 'uniform_average'"),
        (lambda: metrics.R2Score(num_regressors=-1), ValueError, "num_regressors must be at least 0"),
        (lambda: metrics.R2Score()(T[None], P[None, :, :2]), ValueError, "y_true has shape"),
        (lambda: metrics.PearsonCorrelation(axis=(0, 1)), TypeError, "axis must be an integer"),  # type: ignore[arg-type]
    ],
)
def test_arguments_that_do_not_fit(use: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        use()


def test_r2_keeps_its_number_of_outputs() -> None:
    metric = metrics.R2Score()
    metric.update_state(T, P)
    with pytest.raises(ValueError, match="y_pred has 2 outputs, but the batches before had 3"):
        metric.update_state(T[:, :2], P[:, :2])
