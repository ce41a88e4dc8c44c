"""Counts at thresholds and what follows from them, against counting in a loop."""

import math
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, metrics
from fastnet.layers import Dense, Input

RNG = np.random.default_rng(3)
N, C = 23, 3
T = (RNG.random((N, C)) > 0.4).astype(float)
P = RNG.random((N, C)).round(2).astype(np.float32)
W = RNG.integers(1, 64, (N, C)) / 64  # sums of these are exact


def counted(t: Any, p: Any, threshold: float, w: Any) -> dict[str, float]:
    found = dict.fromkeys(("true_positives", "false_positives", "true_negatives", "false_negatives"), 0.0)
    for real, value, weight in zip(t.flat, p.flat, np.broadcast_to(w, t.shape).flat, strict=True):
        positive = value > np.float32(threshold)
        found[f"{'true' if positive == bool(real) else 'false'}_{'positives' if positive else 'negatives'}"] += weight
    return found


@pytest.mark.parametrize(
    "kind", [metrics.TruePositives, metrics.FalsePositives, metrics.TrueNegatives, metrics.FalseNegatives]
)
def test_counts(kind: Any) -> None:
    name = kind.name
    assert kind()(T, P) == counted(T, P, 0.5, 1)[name]
    assert kind(0.3)(T, P, W) == pytest.approx(counted(T, P, 0.3, W)[name])
    limits = [0.8, 0.1, 0.5]  # in the order in which they were given
    np.testing.assert_allclose(kind(limits)(T, P, W[:, 0]), [counted(T, P, x, W[:, :1])[name] for x in limits])
    np.testing.assert_allclose(kind(limits)(T, P, W[:1]), [counted(T, P, x, W[:1])[name] for x in limits])
    assert kind()(T, P, 37) == 37 * counted(T, P, 0.5, 1)[name]
    metric = kind([0.5, 0.5])
    metric.update_state(T, P)
    metric.update_state(T, P)
    np.testing.assert_array_equal(metric.result(), [2 * counted(T, P, 0.5, 1)[name]] * 2)
    assert [v.name for v in metric.variables] == [name]
    metric.reset_state()
    np.testing.assert_array_equal(metric.result(), [0, 0])


def test_what_is_not_a_number_is_above_no_threshold() -> None:
    for limits in (0.5, [0.2, 0.8]):
        metric = metrics.FalsePositives(limits)
        metric.update_checked(np.zeros((1, 2), np.float32), np.array([[np.nan, 0.9]], np.float32))
        np.testing.assert_array_equal(metric.result(), np.ones(np.shape(limits)))


def test_precision_and_recall_show_what_they_count() -> None:
    counts = counted(T, P, 0.5, W)
    precision, recall = metrics.Precision(), metrics.Recall()
    precision.update_state(T, P, W)
    recall.update_state(T, P, W)
    tp, fp, fn = counts["true_positives"], counts["false_positives"], counts["false_negatives"]
    assert precision.result() == pytest.approx(tp / (tp + fp))
    assert recall.result() == pytest.approx(tp / (tp + fn))
    np.testing.assert_allclose(precision.true_positives, [tp])
    np.testing.assert_allclose(precision.false_positives, [fp])
    np.testing.assert_allclose(recall.false_negatives, [fn])
    assert [v.name for v in precision.variables] == ["true_positives", "false_positives"]
    assert [v.name for v in recall.variables] == ["true_positives", "false_negatives"]


def test_the_greatest_of_one_row() -> None:
    t, p = [0, 1, 1, 0, 0], [0.2, 0.1, 0.5, 0, 0.2]
    assert metrics.Precision(top_k=3)(t, p) == pytest.approx(1 / 3)
    assert metrics.Recall(top_k=3)(t, p) == 0.5
    weighted = metrics.Precision(top_k=3)
    weighted.update_state([[0, 1, 1, 0, 1]], [[0.2, 0.1, 0.4, 0, 0.2]], [[1, 4, 2, 3, 5]])
    assert weighted.result() == 7 / 8
    weighted.update_state([1, 0, 1, 1, 1], [0.2, 0.6, 0.4, 0.2, 0.2], 3)
    assert weighted.result() == (7 + 6) / (8 + 9)
    assert metrics.Precision(top_k=2)([1, 0, 1], [0.9, 0.8, 0.1], [2, 3, 4]) == 2 / 5


@pytest.mark.parametrize("class_id", [None, 2])
@pytest.mark.parametrize("given", [0.0, 0.3, 0.55, 0.8, 1.0])
@pytest.mark.parametrize(
    ("kind", "least", "wanted"),
    [
        (metrics.SensitivityAtSpecificity, "specificity", "recall"),
        (metrics.SpecificityAtSensitivity, "recall", "specificity"),
        (metrics.PrecisionAtRecall, "recall", "precision"),
        (metrics.RecallAtPrecision, "precision", "recall"),
    ],
)
def test_the_best_rate_at_a_rate(kind: Any, least: str, wanted: str, given: float, class_id: int | None) -> None:
    columns = slice(None) if class_id is None else slice(class_id, class_id + 1)
    p = P * 0.99 + 0.0025  # on no threshold
    best = 0.0
    for threshold in np.linspace(0, 1, 51):
        c = counted(T[:, columns], p[:, columns], threshold, W[:, columns])
        tp, fp, tn, fn = (c[n] for n in ("true_positives", "false_positives", "true_negatives", "false_negatives"))
        rates = {
            "precision": tp / (tp + fp) if tp else 0.0, "recall": tp / (tp + fn), "specificity": tn / (tn + fp)
        }  # fmt: skip
        best = max(best, rates[wanted]) if rates[least] >= given - 1e-9 else best
    assert kind(given, num_thresholds=51, class_id=class_id)(T, p, W) == pytest.approx(best, rel=1e-6)


def test_one_threshold_and_none_that_will_do() -> None:
    assert metrics.RecallAtPrecision(0.5, num_thresholds=1)([1, 1, 0], [0.55, 0.7, 0.45]) == 1  # above 0.5
    assert metrics.SpecificityAtSensitivity(0.5, num_thresholds=1)([1, 0, 0], [0.55, 0.45, 0.2]) == 1
    assert metrics.RecallAtPrecision(2 / 3)([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.9]) == 0
    assert metrics.SensitivityAtSpecificity(0.5).result() == 0
    assert metrics.SensitivityAtSpecificity(0.5, num_thresholds=3).thresholds == [0, 0.5, 1]


# The area under curves ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("curve", ["ROC", "PR", "PRGAIN"])
@pytest.mark.parametrize("method", ["interpolation", "minoring", "majoring"])
def test_the_area_of_each_label(curve: str, method: str) -> None:
    def make(**kwargs: Any) -> metrics.AUC:
        return metrics.AUC(20, curve, method, **kwargs)

    areas = [make()(T[:, c], P[:, c], W[:, 0]) for c in range(C)]
    assert make(multi_label=True)(T, P, W[:, 0]) == pytest.approx(np.mean(areas))
    weights = [1.0, 0.0, 3.0]
    metric = make(multi_label=True, num_labels=C, label_weights=weights)
    assert metric(T, P, W[:, 0]) == pytest.approx((areas[0] + 3 * areas[2]) / 4)
    # Weights of labels are those of their outputs where all outputs count together.
    together = make()(T, P, W[:, :1] * weights)
    assert make(label_weights=weights)(T, P, W[:, 0]) == pytest.approx(together)
    assert make(label_weights=weights)(T, P) == pytest.approx(make()(T, P, np.broadcast_to(weights, T.shape)))


def test_the_counts_of_an_area() -> None:
    metric = metrics.AUC(num_thresholds=3)
    metric.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9], [1, 2, 3, 4])
    for name, expected in {
        "true_positives": [7, 4, 0], "false_positives": [3, 0, 0],
        "true_negatives": [0, 3, 3], "false_negatives": [0, 3, 7],
    }.items():  # fmt: skip
        np.testing.assert_array_equal(getattr(metric, name), expected)
    several = metrics.AUC(num_thresholds=5, multi_label=True)
    assert several.result() == 0
    several.update_state(T, P)
    assert several.true_positives.shape == (5, C)
    several.reset_state()
    np.testing.assert_array_equal(several.true_positives, np.zeros((5, C)))
    with pytest.raises(ValueError, match="y_pred has 2 outputs, but the metric 'auc' is of 3 labels"):
        several.update_state(T[:, :2], P[:, :2])


def test_gains_by_hand() -> None:
    # Thresholds below 0, 1/2, above 1: TP = 2, 1, 0, FP = 2, 0, 0, and P / N = 1.
    # Precision gains 1 - 2/2 = 0, 1 and 1; recall gains 1 - 0 = 1, 1 - 1/1 = 0 and 0.
    t, p = [0, 0, 1, 1], [0, 0.5, 0.3, 0.9]
    assert metrics.AUC(3, "PRGAIN")(t, p) == 0.5
    assert metrics.AUC(3, "PRGAIN", "majoring")(t, p) == 1
    assert metrics.AUC(3, "PRGAIN", "minoring")(t, p) == 0
    # Without true positives the gains are 1 and 0: here at the last threshold, TP = 1, 1, 0.
    assert metrics.AUC(3, "PRGAIN")([0, 1], [0.3, 0.9]) == 1
    # TP = 3, 1, 0 and P / N = 3: the second recall gain, 1 - 3 * 2 / 1, is taken for 0.
    assert metrics.AUC(3, "PRGAIN")([1, 1, 1, 0], [0.9, 0.2, 0.2, 0.2]) == 0.5


def test_thresholds_of_ones_own() -> None:
    metric = metrics.AUC(num_thresholds=2, thresholds=[0.5, 0.3])
    assert metric.num_thresholds == 4
    np.testing.assert_allclose(metric.thresholds, [0, 0.3, 0.5, 1], atol=1e-6)
    again = metrics.AUC.from_config(metric.get_config())
    assert again.thresholds == metric.thresholds
    assert "thresholds" not in metrics.AUC(100).get_config()
    assert metrics.AUC(num_thresholds=None, thresholds=[0.5])([0, 1], [0.4, 0.6]) == 1
    assert metrics.AUC()(T[None], P[None]) == metrics.AUC()(T, P)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: metrics.TruePositives([-1, 0.5, 2]), ValueError, "thresholds"),
        (lambda: metrics.TruePositives([None]), TypeError, "thresholds"),
        (lambda: metrics.SensitivityAtSpecificity(-1), ValueError, "specificity"),
        (lambda: metrics.SpecificityAtSensitivity(2), ValueError, r"sensitivity must be in \[0, 1\]"),
        (lambda: metrics.PrecisionAtRecall(0.5, num_thresholds=0), ValueError, "num_thresholds must be at least 1"),
        (lambda: metrics.RecallAtPrecision(0.5, 10**6), ValueError, "num_thresholds must be at most 100000"),
        (lambda: metrics.RecallAtPrecision(0.5, class_id=3)(T, P), ValueError, "class_id is 3, but y_pred has 3"),
        (
            lambda: metrics.Recall(class_id=1)(T[0], P[0]),
            ValueError,
            r"y_pred has shape \(3,\), but class_id needs rows",
        ),
        (lambda: metrics.AUC(num_labels=2), ValueError, "num_labels is for multi_label=True only"),
        (lambda: metrics.AUC(multi_label=True, num_labels=2, label_weights=[1]), ValueError, "label_weights has shape"),
        (lambda: metrics.AUC(label_weights=[1, -1]), ValueError, "label_weights holds -1"),
        (lambda: metrics.AUC(label_weights=[1, 1])(T, P), ValueError, "y_pred has 3 outputs"),
        (lambda: metrics.AUC(multi_label=True, num_labels=2)(T, P), ValueError, "y_pred has 3 outputs"),
    ],
)
def test_arguments_that_do_not_fit(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_a_training_reports_them() -> None:
    x = RNG.normal(size=(40, 4)).astype(np.float32)
    y = (x[:, :2] > 0).astype(float)
    w = RNG.random(40)
    model = Sequential([Input((4,)), Dense(2, activation="sigmoid")])
    kinds: list[Any] = [
        metrics.AUC(multi_label=True), metrics.FalseNegatives(), metrics.PrecisionAtRecall(0.6),
        metrics.Precision(), metrics.BinaryIoU(), metrics.R2Score(), metrics.PearsonCorrelation(axis=0),
    ]  # fmt: skip
    model.compile("sgd", "binary_crossentropy", metrics=kinds[6:], weighted_metrics=kinds[:6])
    found = model.evaluate(x, y, sample_weight=w, verbose=0, return_dict=True, batch_size=40)
    p = model.predict(x, verbose=0)
    for metric in kinds[:6]:
        fresh = type(metric).from_config(metric.get_config())
        assert found[metric.name] == pytest.approx(fresh(y, p, w), rel=1e-6), metric.name
    columns = [np.corrcoef(y[:, c], p[:, c])[0, 1] for c in range(2)]
    assert found["pearson_correlation"] == pytest.approx(np.mean(columns), rel=1e-4)
    assert not math.isnan(found["r2_score"])
