"""Metrics called by hand: weights of one number, one an example or one an output, and arrays of one to three axes."""

import copy
from typing import Any

import numpy as np
import pytest
from helpers import metric_of

from fastnet import metrics
from fastnet.metrics import Metric

RNG = np.random.default_rng(11)
N, M, C = 5, 3, 4
T = (RNG.random((N, M, C)) > 0.5).astype(float)
P = RNG.random((N, M, C)).astype(np.float32).astype(float)
W = RNG.random((N, M, C)).astype(np.float32).astype(float)
SHAPES = [(N, M, C), (N, M, 1), (N, M), (N, 1, 1), (N,), (1, M, C), (1, 1, C), ()]


def whole(weights: Any, shape: tuple[int, ...]) -> Any:
    """The weights of all entries; missing axes are at the end."""
    return np.broadcast_to(weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim)), shape)


def some(shape: tuple[int, ...]) -> Any:
    return np.asarray(W[tuple(slice(n) for n in shape) + (0,) * (3 - len(shape))])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", [metrics.BinaryAccuracy, metrics.Accuracy, metrics.RootMeanSquaredError])
def test_every_output_may_have_a_weight_where_outputs_count_one_by_one(kind: Any, shape: tuple[int, ...]) -> None:
    p = np.round(P) if kind is metrics.Accuracy else P
    values = {
        metrics.BinaryAccuracy: (p > 0.5) == T, metrics.Accuracy: p == T, metrics.RootMeanSquaredError: (p - T) ** 2
    }[kind]  # fmt: skip
    w = some(shape)
    expected = (values * whole(w, (N, M, C))).sum() / whole(w, (N, M, C)).sum()
    if kind is metrics.RootMeanSquaredError:
        expected = np.sqrt(expected)
    assert kind()(T, p, w) == pytest.approx(expected, rel=1e-6)
    assert kind()(T, p) == pytest.approx(np.sqrt(values.mean()) if "Root" in kind.__name__ else values.mean(), rel=1e-6)


@pytest.mark.parametrize("shape", [(N, M), (N, 1), (N,), (1, M), ()], ids=str)
@pytest.mark.parametrize("name", ["mse", "categorical_accuracy", "top_k_categorical_accuracy", "cosine_similarity"])
def test_every_row_may_have_a_weight(name: str, shape: tuple[int, ...]) -> None:
    one_hot = np.eye(C)[RNG.integers(0, C, (N, M))]
    kind: Any = {"top_k_categorical_accuracy": lambda: metrics.TopKCategoricalAccuracy(k=2)}.get(name)
    make = kind or (lambda: metrics.get(name))
    rows = np.array([[make()(one_hot[i, j], P[i, j]) for j in range(M)] for i in range(N)])
    if name == "mse":
        rows = ((one_hot - P) ** 2).mean(axis=2)
    w = some(shape)
    assert make()(one_hot, P, w) == pytest.approx((rows * whole(w, (N, M))).sum() / whole(w, (N, M)).sum(), rel=1e-6)
    assert make()(one_hot, P) == pytest.approx(rows.mean(), rel=1e-6)


def test_labels_of_three_axes() -> None:
    labels = RNG.integers(0, C, (N, M))
    expected = (P.argmax(axis=2) == labels).mean()
    for given in (labels, labels[..., None]):
        assert metrics.SparseCategoricalAccuracy()(given, P) == pytest.approx(expected)
        assert metrics.get("accuracy")(given, P) == pytest.approx(expected)
    assert metrics.SparseCategoricalAccuracy()([[0], [0]], [[[0.9, 0.1], [0.8, 0.2]]]) == 1
    with pytest.raises(ValueError, match=r"y_true has shape \(5,\), but y_pred has shape \(5, 3, 4\)"):
        metrics.SparseCategoricalAccuracy()(labels[:, 0], P)


def test_an_example_counts_once_in_a_mean_whatever_its_size() -> None:
    metric = metrics.BinaryAccuracy()
    metric.update_state(np.ones((2, 3, 1)), np.ones((2, 3, 1)))
    metric.update_state(np.ones((2, 1)), np.zeros((2, 1)))
    assert metric.result() == 0.5
    assert (float(metric.total), float(metric.count)) == (2, 4)


def test_one_number_is_the_weight_of_a_whole_batch_in_a_mean() -> None:
    for metric in (metrics.BinaryAccuracy(), metrics.Mean()):
        given: Any = ([1.0, 1.0],) if isinstance(metric, metrics.Mean) else ([[1], [1]], [[1], [1]])
        other: Any = ([0.0],) if isinstance(metric, metrics.Mean) else ([[1]], [[0]])
        metric.update_state(*given, sample_weight=3.0)
        metric.update_state(*other, sample_weight=1.0)
        assert metric.result() == 0.75
        assert float(metric.count) == 4  # type: ignore[attr-defined]


def test_sum_and_mean_of_values() -> None:
    values = [[1.0, 3.0], [5.0, 7.0]]
    assert metrics.Sum()(values) == 16
    assert metrics.Sum()(values, [1, 0]) == 4
    assert metrics.Sum()(values, [[1, 1], [1, 0]]) == 9
    assert metrics.Sum()(values, [[1, 0]]) == 6
    assert metrics.Sum()(3, 2) == 6
    assert metrics.Mean()(values, [[1, 1], [1, 0]]) == 3
    assert metrics.Mean()(values, [[1, 0]]) == 3
    assert metrics.Mean()(values, [3, 1]) == (3 * 2 + 6) / 4
    total = metrics.Sum()
    total.update_state([1, 2])
    total.update_state([4])
    assert (total.result(), [v.name for v in total.variables]) == (7, ["total"])
    total.reset_state()
    assert total.result() == 0


def test_the_mean_of_a_function() -> None:
    def distance(t: Any, p: Any, power: float = 1.0) -> Any:
        return np.abs(t - p) ** power

    t, p = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 4.0], [4.0, 4.0]])
    assert metrics.MeanMetricWrapper(distance)(t, p) == 0.75
    metric = metrics.MeanMetricWrapper(distance, name="squares", power=2.0)
    assert metric(t, p) == 5 / 4
    assert metrics.MeanMetricWrapper(distance)(t, p, [1, 3]) == (1 + 1.5) / 4
    assert metrics.MeanMetricWrapper(distance)(t, p, [[0, 1], [1, 0]]) == 1.5
    again = metrics.MeanMetricWrapper.from_config(metric.get_config())
    assert (again.name, again(t, p)) == ("squares", 5 / 4)
    with pytest.raises(TypeError, match="fn must be callable"):
        metrics.MeanMetricWrapper(3)  # type: ignore[arg-type]
    assert metrics.MeanMetricWrapper(metrics.mean_squared_error)._direction == "down"


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"sample_weight has shape \(3,\); expected one number an example, \(5,\)"),
        (np.ones((N, 2)), r"sample_weight has shape \(5, 2\)"),
        (np.ones((N, M, C, 2)), r"sample_weight has shape \(5, 3, 4, 2\)"),
        (-1.0, r"sample_weight holds -1.0 at index 0; expected no negative number"),
        (np.where(np.arange(N) == 2, -2.0, 1.0), "sample_weight holds -2.0 at index 2"),
        ([[1.0], [1.0, 2.0]], "sample_weight cannot be made an array"),
        (np.nan, "sample_weight holds nan"),
    ],
)
@pytest.mark.parametrize("name", ["binary_accuracy", "mse", "precision", "auc", "accuracy", "cosine_similarity"])
def test_weights_that_do_not_fit(name: str, weights: Any, message: str) -> None:
    metric = metrics.get(name)
    with pytest.raises(ValueError, match=message):
        metric.update_state(T, P, weights)
    assert metric.result() == 0


@pytest.mark.parametrize("name", sorted({*metrics.CLASSES} - {"AccuracyByShape"}))
def test_dtype_is_kept_and_changes_no_result(name: str) -> None:
    kind: Any = metrics.CLASSES[name]
    metric = metric_of(name, dtype="float32", name="n")
    assert (metric.dtype, metric.get_config()["dtype"], metric.name) == ("float32", "float32", "n")
    again = metrics.get(metrics.serialize(metric))
    assert (type(again), again.dtype, repr(again)) == (kind, "float32", repr(metric))
    assert "dtype" not in metric_of(name).get_config()
    with pytest.raises(TypeError, match="dtype must be a type of real numbers"):
        metric_of(name, dtype="text")


def test_a_whole_dtype_cuts_no_weight() -> None:
    assert metrics.TruePositives(dtype="int32")([1, 1], [1, 1], [0.25, 0.5]) == 0.75
    assert metrics.MeanAbsoluteError(dtype="int32")([[1.0]], [[0.5]]) == 0.5


def test_the_two_numbers_of_a_mean_are_variables() -> None:
    metric = metrics.MeanAbsoluteError()
    metric.update_state([[1.0], [2.0]], [[0.0], [0.0]])
    assert [(v.name, float(v)) for v in metric.variables] == [("total", 3), ("count", 2)]
    twin = copy.copy(metric)
    metric.total.assign(8.0)
    assert (metric.result(), twin.result()) == (4, 1.5)
    metric.reset_state()
    assert [float(v) for v in metric.variables] == [0, 0]

    class Own(metrics.MeanAbsoluteError):
        def __init__(self) -> None:
            super().__init__()
            self.total = self.add_weight(name="mine")  # type: ignore[assignment, misc]

    own = Own()
    assert [v.name for v in own.variables][-1] == "mean_absolute_error/mine"


def test_what_keras_returns_for_none_and_takes_as_a_description() -> None:
    assert metrics.get(None) is None
    made = metrics.deserialize(metrics.serialize(metrics.Accuracy(name="a")))
    assert type(made) is metrics.Accuracy
    assert made.name == "a"
    assert type(metrics.get(metrics.serialize(metrics.Accuracy()))) is metrics.Accuracy

    class Mine(Metric):
        def __init__(self, name: str = "mine") -> None:
            super().__init__(name)

    described = {"class_name": "Mine", "config": {"name": "x"}}
    assert metrics.deserialize(described, {"Mine": Mine}).name == "x"
    with pytest.raises(ValueError, match="unknown metric 'Mine'"):
        metrics.deserialize(described)
    for name in ("MeanIoU", "mean_io_u"):
        with pytest.raises(ValueError, match=rf"'{name}' needs arguments; give fastnet.metrics.MeanIoU\(...\)"):
            metrics.get(name)


def test_the_best_labels_may_be_predicted_themselves() -> None:
    metric = metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True)
    assert metric([7, 1, 3], [[9, 7, 5], [2, 3, 1], [3, 3, 0]], [1, 2, 3]) == 4 / 6
    np.testing.assert_array_equal(
        metrics.sparse_top_k_categorical_accuracy([7, 1], [[9, 7], [2, 1]], k=1, from_sorted_ids=True), [0, 0]
    )
    metric.labels_come = True
    metric.reset_state()
    metric.update_checked(np.array([[7], [1]], np.int32), np.array([[9, 7], [2, 3]], np.float32))
    assert metric.result() == 0.5


@pytest.mark.parametrize("ignored", [0, 2, -1, 255])
def test_a_label_to_ignore(ignored: int) -> None:
    p = P[:, 0] / P[:, 0].sum(axis=1, keepdims=True)
    labels = np.array([1, ignored, 3, ignored, 1])
    w = W[:, 0, 0]
    kept = labels != ignored
    rows = np.where(kept, -np.log(p[np.arange(N), np.where(kept, labels, 0)]), 0)
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=ignored)
    assert metric(labels, p) == pytest.approx(rows.mean(), rel=1e-5)
    metric.reset_state()
    assert metric(labels, p, w) == pytest.approx((rows * w)[kept].sum() / w[kept].sum(), rel=1e-5)
    if 0 <= ignored < C:
        metric.reset_state()
        metric.weighted = True
        metric.update_checked(labels[:, None].astype(np.int32), p.astype(np.float32), w.astype(np.float32))
        assert metric.result() == pytest.approx((rows * w)[kept].sum() / w[kept].sum(), rel=1e-5)


@pytest.mark.parametrize("kind", [metrics.CategoricalCrossentropy, metrics.SparseCategoricalCrossentropy])
def test_classes_are_on_the_last_axis(kind: Any) -> None:
    assert kind(axis=-1).name == kind.name
    with pytest.raises(ValueError, match="axis must be -1, got 0"):
        kind(axis=0)
