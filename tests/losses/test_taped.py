"""What a recorded step needs of losses and metrics: kernels only, and sums that stay where they are."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from helpers import metric_of

from fastnet import Input, Sequential, kernels, losses, metrics
from fastnet.layers import Dense
from fastnet.losses import Loss
from fastnet.losses.base import NO_WEIGHTS
from fastnet.metrics import Metric
from fastnet.training.loop import Results

C = 3
OUTPUT = np.random.default_rng(0).random((6, 16), np.float32)
ONE_HOT = np.eye(C, dtype=np.float32)[[0, 1, 2, 2, 1, 0]]
WEIGHTS = np.arange(6, dtype=np.float32)

TAPED_LOSSES = {
    (losses.CategoricalCrossentropy(), True),
    (losses.CategoricalCrossentropy(True, 0.1), False),
    (losses.SparseCategoricalCrossentropy(), True),
    (losses.SparseCategoricalCrossentropy(True), False),
    (losses.BinaryCrossentropy(), True),
    (losses.BinaryCrossentropy(True, 0.1), False),
    (losses.MeanSquaredError(), False),
    (losses.MeanAbsoluteError(), False),
    (losses.Huber(0.5), False),
}
TAPED_METRICS = [
    "accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy", "mse", "mae",
    "root_mean_squared_error", losses.Huber(0.5),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "logits"), TAPED_LOSSES, ids=repr)
def test_a_taped_loss_has_its_numbers_of_its_kernels(loss: Loss, logits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels' calls alone, repeated with the same arrays, make the same numbers."""
    calls: list[tuple[Any, tuple[Any, ...]]] = []
    for name in kernels.NAMES:
        kernel = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda *a, kernel=kernel: calls.append((kernel, a)) or kernel(*a))
    assert loss._is_taped(logits)
    output = OUTPUT.copy()
    targets = loss.check_targets("y", ONE_HOT.argmax(axis=1) if loss.of_labels else ONE_HOT, C)
    arrays = loss.gradient(output, targets, logits, WEIGHTS, C)
    output[:] = np.random.default_rng(1).random((6, 16), np.float32)
    for kernel, arguments in list(calls):
        kernel(*arguments)
    found = [array.copy() for array in arrays]
    again = copy.deepcopy(loss).gradient(output, targets, logits, WEIGHTS, C)
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_losses_are_not_taped() -> None:
    for kind in losses.CLASSES.values():
        expected = kind in (losses.MeanSquaredError, losses.MeanAbsoluteError, losses.Huber)
        assert kind()._is_taped(False) == expected
    assert not losses.custom(lambda t, p: p - t, lambda t, p: p)._is_taped(False)

    class Plain(losses.MeanSquaredError):
        pass

    class Called(losses.BinaryCrossentropy):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return super().call(y_true, y_pred)

    class Slopes(losses.MeanSquaredError):
        def slopes(self, y_true: Any, y_pred: Any) -> Any:
            return super().slopes(y_true, y_pred)

    class Gradient(losses.Huber):
        def gradient(self, *arguments: Any) -> Any:
            return super().gradient(*arguments)

    assert Plain()._is_taped(False)
    assert not any(kind()._is_taped(True) for kind in (Called, Slopes, Gradient))


def test_the_sum_of_a_loss_keeps_its_address() -> None:
    for loss in (losses.MeanSquaredError(), losses.BinaryCrossentropy(), losses.LogCosh()):
        total = loss.gradient(OUTPUT[:2], ONE_HOT[:2], False)[0]
        assert loss.gradient(OUTPUT, ONE_HOT, False, WEIGHTS)[0] is total
        twin = copy.copy(loss)
        assert twin.gradient(OUTPUT[:1], ONE_HOT[:1], False)[0] is not total
        assert total.tolist() == pytest.approx([(loss.call(ONE_HOT, OUTPUT[:, :C]) * WEIGHTS).sum(), 6], rel=1e-6)


def test_a_loss_is_pickled_without_its_workspaces() -> None:
    used, new = losses.CategoricalCrossentropy(True), losses.CategoricalCrossentropy(True)
    used.gradient(OUTPUT, ONE_HOT, False)
    assert pickle.dumps(used) == pickle.dumps(new)


def fed(metric: Metric) -> Any:
    metric.update_checked(ONE_HOT, OUTPUT[:, :C], WEIGHTS)
    return metric.result()


@pytest.mark.parametrize("name", TAPED_METRICS, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_taped_metric_keeps_its_sums_in_place(name: Any, weighted: bool) -> None:
    metric = metrics.get(copy.copy(name) if isinstance(name, Loss) else name)
    metric.weighted = weighted
    assert metric._is_taped
    sums: Any = metric._sums  # type: ignore[attr-defined]
    first = fed(metric)
    rows = metric.rows(ONE_HOT, OUTPUT[:, :C])  # type: ignore[attr-defined]
    mean = np.average(rows, weights=WEIGHTS if weighted else None)
    assert first == pytest.approx(mean**0.5 if name == "root_mean_squared_error" else mean, rel=1e-6)
    twins = copy.copy(metric), copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))
    metric.reset_state()
    assert metric._sums is sums  # type: ignore[attr-defined]
    assert sums.tolist() == [0, 0]
    for twin in twins:
        assert twin.result() == first
        twin.reset_state()
        assert fed(twin) == first
        assert sums.tolist() == [0, 0]
    assert all("_workspace" not in vars(twin) for twin in map(copy.deepcopy, twins))


def test_other_metrics_are_not_taped() -> None:
    taped = {"AccuracyByShape", "BinaryAccuracy", "CategoricalAccuracy", "SparseCategoricalAccuracy"}
    taped |= {"MeanAbsoluteError", "MeanSquaredError", "RootMeanSquaredError"}
    assert {name for name in metrics.CLASSES if metric_of(name)._is_taped} == taped

    class Half(metrics.CategoricalAccuracy):
        def rows(self, targets: Any, predictions: Any) -> Any:
            return super().rows(targets, predictions) / 2

    assert not Half()._is_taped
    assert fed(Half()) == fed(metrics.CategoricalAccuracy()) / 2
    assert not metrics.get(lambda y_true, y_pred: y_pred)._is_taped


def test_a_metric_that_needs_one_hot_rows_of_labels_is_not_taped() -> None:
    loss = losses.SparseCategoricalCrossentropy()
    assert metrics.get("accuracy", loss)._is_taped
    assert metrics.get("sparse_categorical_accuracy", loss)._is_taped
    assert not metrics.get("binary_accuracy", loss)._is_taped
    assert not metrics.get("mse", loss)._is_taped


def test_results_keep_their_sums_in_place() -> None:
    results = Results([])
    sums = results._sums
    results.add(np.array([3.0, 2.0]), OUTPUT[:2], ONE_HOT[:2])
    results.add(np.array([5.0, 2.0]), OUTPUT[:2], ONE_HOT[:2])
    assert results.logs() == {"loss": 2.0}
    results.reset()
    assert results._sums is sums
    assert results.logs() == {"loss": 0.0}


def test_weights_of_the_examples_count_in_the_loss_and_the_number_of_examples_divides_it() -> None:
    model = Sequential([Input((C,)), Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    assert model.evaluate(ONE_HOT, np.ones(6), verbose=0, sample_weight=WEIGHTS) == WEIGHTS.mean()
    sums = np.zeros(2)
    kernels.add_rows(np.ones(6), NO_WEIGHTS, sums)
    assert sums.tolist() == [6, 6]
