"""Intersection over union, against the sets of examples that it is named after."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, metrics
from fastnet.layers import Dense, Input

RNG = np.random.default_rng(8)
N, K = 40, 4
T = RNG.integers(0, K, N)
P = RNG.integers(0, K - 1, N)  # class 3 is never predicted
W = RNG.random(N).astype(np.float32)
SCORES = RNG.random((N, K)).astype(np.float32)


def iou(t: Any, p: Any, k: int, w: Any) -> float | None:
    both, either = w[(t == k) & (p == k)].sum(), w[(t == k) | (p == k)].sum()
    return float(both / either) if either else None


def mean(t: Any, p: Any, classes: Any, w: Any = None) -> float:
    found = [iou(t, p, k, np.ones(len(t)) if w is None else w) for k in classes]
    return float(np.mean([x for x in found if x is not None]))


def test_classes() -> None:
    assert metrics.IoU(K, [0, 2])(T, P) == pytest.approx(mean(T, P, [0, 2]))
    assert metrics.IoU(K, (1,))(T, P, W) == pytest.approx(mean(T, P, [1], W))
    assert metrics.MeanIoU(K)(T, P, W) == pytest.approx(mean(T, P, range(K), W))
    assert metrics.MeanIoU(K)(T.reshape(10, 4), P.reshape(10, 4), W.reshape(10, 4)) == pytest.approx(
        mean(T, P, range(K), W)
    )
    assert metrics.MeanIoU(K)(T.reshape(10, 4), P.reshape(10, 4), W[:10]) == pytest.approx(
        mean(T, P, range(K), np.repeat(W[:10], 4))
    )
    assert metrics.MeanIoU(K + 3)(T, P) == pytest.approx(mean(T, P, range(K)))  # what does not occur does not count
    metric = metrics.MeanIoU(K)
    assert metric.result() == 0
    metric.update_state(T[:9], P[:9])
    metric.update_state(T[9:], P[9:])
    assert metric.result() == pytest.approx(mean(T, P, range(K)))
    assert metric.total_cm.numpy().sum() == N
    assert metrics.IoU(2, [0])([0, 1], [0.9, 1.2]) == 1  # a fraction is cut off


def test_scores() -> None:
    p, rows = SCORES.argmax(axis=1), np.eye(K)[T]
    assert metrics.OneHotIoU(K, [0, 2])(rows, SCORES, W) == pytest.approx(mean(T, p, [0, 2], W))
    assert metrics.OneHotMeanIoU(K)(rows, SCORES) == pytest.approx(mean(T, p, range(K)))
    assert metrics.OneHotMeanIoU(K, sparse_y_pred=True)(rows, p) == pytest.approx(mean(T, p, range(K)))
    assert metrics.MeanIoU(K, sparse_y_pred=False)(T, SCORES) == pytest.approx(mean(T, p, range(K)))
    assert metrics.OneHotMeanIoU(K, axis=0)(rows.T, SCORES.T) == pytest.approx(mean(T, p, range(K)))


@pytest.mark.parametrize("ignored", [0, 255, -1])
def test_a_class_to_ignore(ignored: int) -> None:
    t = np.where(np.arange(N) % 3 == 0, ignored, T)
    kept = t != ignored
    metric = metrics.MeanIoU(K, ignore_class=ignored)
    assert metric(t, P, W) == pytest.approx(mean(t[kept], P[kept], range(K), W[kept]))


def test_what_is_no_class_does_not_count() -> None:
    t, p = np.where(np.arange(N) % 5 == 0, K, T), np.where(np.arange(N) % 7 == 0, -1, P)
    kept = (t < K) & (p >= 0)
    assert metrics.MeanIoU(K)(t, p, W) == pytest.approx(mean(t[kept], p[kept], range(K), W[kept]))
    assert metrics.MeanIoU(K).name == "mean_io_u"  # as Keras writes it


def test_two_classes() -> None:
    t, p = [0, 1, 0, 1], [0.1, 0.3, 0.4, 0.7]
    found = np.array([0, 1, 1, 1])  # a prediction on the threshold is class 1
    for chosen in ([0], [1], [0, 1]):
        assert metrics.BinaryIoU(chosen, 0.3)(t, p) == pytest.approx(mean(np.array(t), found, chosen))
    assert metrics.BinaryIoU()(t, p) == pytest.approx(mean(np.array(t), np.array([0, 0, 0, 1]), [0, 1]))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: metrics.IoU(2, [2]), r"target_class_ids must be classes below 2, got \[2\]"),
        (lambda: metrics.IoU(2, []), "target_class_ids must be classes below 2"),
        (lambda: metrics.MeanIoU(0), "num_classes must be at least 1"),
        (lambda: metrics.MeanIoU(5000), "num_classes must be at most 4096"),
        (lambda: metrics.MeanIoU(2)([0, 1], [[0, 1], [1, 0]]), "expected the same number.*sparse_y_pred=False"),
        (lambda: metrics.OneHotMeanIoU(2, axis=2)([[0, 1]], [[0, 1]]), "no axis 2"),
        (lambda: metrics.MeanIoU(2)([0, 1], [0, 1], [1, 2, 3]), "sample_weight has shape"),
        (lambda: metrics.MeanIoU(2)([0, 1], [0, np.nan]), "y_pred holds nan"),
    ],
)
def test_what_does_not_fit(use: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        use()


@pytest.mark.parametrize("labels", [False, True])
def test_in_a_training(labels: bool) -> None:
    x = RNG.normal(size=(N, 4)).astype(np.float32)
    model = Sequential([Input((4,)), Dense(K, activation="softmax")])
    metric = metrics.MeanIoU(K, sparse_y_pred=False) if labels else metrics.OneHotMeanIoU(K)
    model.compile("sgd", "sparse_categorical_crossentropy" if labels else "categorical_crossentropy", [metric])
    y = T if labels else np.eye(K)[T]
    p = model.predict(x, verbose=0).argmax(axis=1)
    assert model.evaluate(x, y, verbose=0)[1] == pytest.approx(mean(T, p, range(K)))
    model.fit(x, y, verbose=0)


def test_what_is_not_a_number_is_no_class() -> None:
    t, p = np.array([[0.0], [1.0]], np.float32), np.array([[np.nan], [1.0]], np.float32)
    for metric in (metrics.MeanIoU(2), metrics.BinaryIoU()):
        metric.update_checked(t, p)
        assert metric.total_cm.numpy().tolist() == [[0, 0], [0, 1]]
