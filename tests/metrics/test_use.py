"""Metrics as a user meets them: names, what "accuracy" stands for, functions, bad input, in a model."""

import copy
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, losses, metrics
from fastnet.callbacks import LambdaCallback
from fastnet.layers import Dense, Input
from fastnet.metrics import FunctionMetric, Metric
from fastnet.models import load_model
from fastnet.optimizers import SGD

NAMES = {
    "AUC": "auc",
    "BinaryAccuracy": "binary_accuracy",
    "BinaryCrossentropy": "binary_crossentropy",
    "CategoricalAccuracy": "categorical_accuracy",
    "CategoricalCrossentropy": "categorical_crossentropy",
    "CategoricalHinge": "categorical_hinge",
    "CosineSimilarity": "cosine_similarity",
    "F1Score": "f1_score",
    "FBetaScore": "f_beta_score",
    "Hinge": "hinge",
    "KLDivergence": "kl_divergence",
    "LogCoshError": "log_cosh_error",
    "Mean": "mean",
    "MeanAbsoluteError": "mean_absolute_error",
    "MeanAbsolutePercentageError": "mean_absolute_percentage_error",
    "MeanSquaredError": "mean_squared_error",
    "MeanSquaredLogarithmicError": "mean_squared_logarithmic_error",
    "Poisson": "poisson",
    "Precision": "precision",
    "Recall": "recall",
    "RootMeanSquaredError": "root_mean_squared_error",
    "SparseCategoricalAccuracy": "sparse_categorical_accuracy",
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
    "SparseTopKCategoricalAccuracy": "sparse_top_k_categorical_accuracy",
    "SquaredHinge": "squared_hinge",
    "TopKCategoricalAccuracy": "top_k_categorical_accuracy",
}
SHORT = {
    "bce": "BinaryCrossentropy",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "mse": "MeanSquaredError",
    "msle": "MeanSquaredLogarithmicError",
}
OWN = {"LogCoshError": "logcosh", "FBetaScore": "fbeta_score"}  # where Keras calls an object other than its name


@pytest.mark.parametrize(("kind", "name"), NAMES.items())
def test_names(kind: str, name: str) -> None:
    of = getattr(metrics, kind)
    for identifier in (kind, name):
        metric = metrics.get(identifier)
        assert type(metric) is of
        assert metric.name == identifier  # the key in history is what was typed
    assert metrics.get(of).name == of().name == OWN.get(kind, name)
    assert of(name="other").name == "other"
    assert kind in metrics.__all__


@pytest.mark.parametrize(("name", "kind"), [*SHORT.items(), *((name.upper(), kind) for name, kind in SHORT.items())])
def test_short_names(name: str, kind: str) -> None:
    assert type(metrics.get(name)) is getattr(metrics, kind)
    assert metrics.get(name).name == name


@pytest.mark.parametrize(
    "name",
    [
        "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "top_k_categorical_accuracy",
        "sparse_top_k_categorical_accuracy", "mean_absolute_error", "mean_squared_error", "hinge", "poisson",
        "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence",
    ],
)  # fmt: skip
def test_functions_are_the_metric_of_their_name(name: str) -> None:
    metric = metrics.get(getattr(metrics, name))
    assert metric.name == name
    assert type(metric) is type(metrics.get(name))


def test_functions_return_a_value_each_row() -> None:
    p = [[0.1, 0.6, 0.3], [0.5, 0.4, 0.1]]
    t = [[0, 1, 1], [0, 1, 0]]
    np.testing.assert_array_equal(metrics.binary_accuracy(t, p), [[1, 1, 0], [1, 0, 1]])  # one an output
    np.testing.assert_array_equal(metrics.binary_accuracy(t, p, threshold=0.2), [[1, 1, 1], [0, 1, 1]])
    np.testing.assert_array_equal(metrics.categorical_accuracy([[0, 1, 0], [0, 1, 0]], p), [1, 0])
    np.testing.assert_array_equal(metrics.sparse_categorical_accuracy([1, 1], p), [1, 0])
    np.testing.assert_array_equal(metrics.top_k_categorical_accuracy([[0, 1, 0], [0, 0, 1]], p, k=2), [1, 0])
    np.testing.assert_array_equal(metrics.sparse_top_k_categorical_accuracy([1, 1], p, k=2), [1, 1])
    np.testing.assert_array_equal(metrics.binary_accuracy([1, 0, 1], [0.9, 0.8, 0.7]), [1, 0, 1])


def test_losses_are_metrics_too() -> None:
    t, p = np.zeros((2, 1)), np.array([[1.0], [3.0]])
    assert metrics.get(losses.MeanSquaredError())(t, p) == 5
    assert metrics.get(losses.mean_squared_error)(t, p) == 5
    assert metrics.get(losses.Huber(2))(t, p) == (0.5 + 4) / 2
    assert metrics.get(losses.huber).name == "huber"
    own = losses.custom(lambda t, p: (p - t)[:, 0] ** 4, lambda t, p: 4 * (p - t) ** 3, name="fourth")
    assert metrics.get(own)(t, p) == 41
    assert metrics.get(own).name == "fourth"
    # as a loss a similarity is negative, as a metric it is not
    assert metrics.get("cosine_similarity")([[1.0, 0]], [[2.0, 0]]) == 1
    assert metrics.get(losses.cosine_similarity)([[1.0, 0]], [[2.0, 0]]) == -1


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (metrics.BinaryAccuracy(threshold=0.25), "BinaryAccuracy(name='binary_accuracy', threshold=0.25)"),
        (metrics.TopKCategoricalAccuracy(k=3), "TopKCategoricalAccuracy(name='top_k_categorical_accuracy', k=3)"),
        (metrics.Precision([0.5, 1], class_id=2, name="p"), "Precision(name='p', thresholds=[0.5, 1.0], class_id=2)"),
        (metrics.AUC(curve="pr"), "AUC(name='auc', curve='PR')"),
        (metrics.AUC(thresholds=[0.5]), "AUC(name='auc', thresholds=[0.5])"),
        (metrics.F1Score("macro", name="f1"), "F1Score(name='f1', average='macro')"),
        (metrics.CategoricalCrossentropy("c", from_logits=True), "CategoricalCrossentropy(name='c', from_logits=True)"),
        (metrics.get("mae"), "MeanAbsoluteError(name='mae')"),
        (metrics.get("acc"), "CategoricalAccuracy(name='acc')"),
    ],
    ids=lambda value: "" if isinstance(value, str) else value.name,
)  # fmt: skip
def test_descriptions(metric: Metric, text: str) -> None:
    again = metrics.get(metrics.serialize(metric))
    assert repr(metric) == repr(again) == repr(pickle.loads(pickle.dumps(metric))) == text
    assert type(again) is type(metric)


# What "accuracy" stands for -------------------------------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
LABELS = (X[:, 0] > 0) + (X[:, 1] > 0.5).astype(int)
BINARY = (X[:, 0] > 0).astype(int)


def trained(loss: Any, y: Any, units: int, activation: str | None, chosen: Any) -> tuple[Sequential, dict[str, Any]]:
    model = Sequential([Input((4,)), Dense(units, activation=activation)])
    model.compile("sgd", loss)
    model._metrics = metrics.get_all(chosen, model.loss)
    return model, model.fit(X, y, epochs=2, batch_size=16, verbose=0, shuffle=False).history


@pytest.mark.parametrize("name", ["accuracy", "acc", "Accuracy"])
@pytest.mark.parametrize(
    ("loss", "y", "units", "activation"),
    [
        ("binary_crossentropy", BINARY, 1, "sigmoid"),
        ("binary_crossentropy", BINARY[:, None], 1, "sigmoid"),
        ("categorical_crossentropy", np.eye(3)[LABELS], 3, "softmax"),
        ("sparse_categorical_crossentropy", LABELS, 3, "softmax"),
        ("sparse_categorical_crossentropy", LABELS[:, None], 3, "softmax"),
        (losses.SparseCategoricalCrossentropy(from_logits=True), LABELS, 3, None),
        ("mse", np.eye(3)[LABELS], 3, None),
        ("hinge", BINARY, 1, None),
    ],
)
def test_accuracy_is_the_share_of_right_answers(
    name: str, loss: Any, y: Any, units: int, activation: str | None
) -> None:
    model, history = trained(loss, y, units, activation, [name])
    assert list(history) == ["loss", name]
    p = model.predict(X, verbose=0)
    expected = np.mean((p[:, 0] > 0.5) == BINARY) if units == 1 else np.mean(p.argmax(axis=1) == LABELS)
    assert model.evaluate(X, y, verbose=0)[1] == pytest.approx(expected)


def test_accuracy_of_arrays() -> None:
    assert metrics.get("accuracy")([1, 0, 1], [0.9, 0.2, 0.3]) == pytest.approx(2 / 3)
    assert metrics.get("accuracy")([[1], [0]], [[0.9], [0.2]]) == 1
    assert metrics.get("accuracy")([[0, 1], [0, 1]], [[0.9, 0.1], [0.2, 0.8]]) == 0.5
    assert metrics.get("accuracy")([1, 1], [[0.9, 0.1], [0.2, 0.8]]) == 0.5
    assert metrics.get("accuracy")([[0], [1]], [[0.9, 0.1], [0.2, 0.8]], sample_weight=[3, 1]) == 1
    accuracy = metrics.get("acc")
    accuracy([1], [0.9])
    assert repr(accuracy) == "BinaryAccuracy(name='acc')"


# In a model -----------------------------------------------------------------------------------------------------------


def test_the_history_has_what_was_typed() -> None:
    chosen = ["mae", "mean_absolute_error", metrics.mean_squared_error, metrics.RootMeanSquaredError(name="rmse")]
    model, history = trained("mse", X[:, :2], 2, None, chosen)
    assert list(history) == ["loss", "mae", "mean_absolute_error", "mean_squared_error", "rmse"]
    assert history["mae"] == history["mean_absolute_error"]
    assert history["loss"] == pytest.approx(history["mean_squared_error"], rel=1e-6)
    np.testing.assert_allclose(history["rmse"], np.sqrt(history["loss"]), rtol=1e-6)
    p = model.predict(X, verbose=0)
    assert model.evaluate(X, X[:, :2], verbose=0)[1] == pytest.approx(np.abs(p - X[:, :2]).mean(), rel=1e-6)


def test_metrics_see_the_targets_as_they_were_given() -> None:
    # neither smoothed, nor -1 for 0, nor without the logits that the model puts out
    loss = losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.5)
    model, _ = trained(loss, BINARY, 1, None, [metrics.BinaryAccuracy(threshold=0), metrics.AUC(from_logits=True)])
    z = model.predict(X, verbose=0)
    _, accuracy, area = model.evaluate(X, BINARY, verbose=0)
    assert accuracy == pytest.approx(np.mean((z[:, 0] > 0) == BINARY))
    assert area == pytest.approx(metrics.AUC(from_logits=True)(BINARY, z))
    loss = losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.5)
    y = np.eye(3)[LABELS]
    model, _ = trained(loss, y, 3, None, [metrics.CategoricalCrossentropy(from_logits=True)])
    expected = metrics.CategoricalCrossentropy(from_logits=True)(y, model.predict(X, verbose=0))
    assert model.evaluate(X, y, verbose=0)[1] == pytest.approx(expected, rel=1e-5)


def test_weights_count_in_weighted_metrics_only() -> None:
    model = Sequential([Input((4,)), Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    model._metrics = metrics.get_all(["acc"], model.loss, weighted=["acc", "bce", metrics.Recall()])
    weights = np.linspace(0, 2, 60)
    p = model.predict(X, verbose=0)
    values = model.evaluate(X, BINARY, sample_weight=weights, verbose=0, return_dict=True)
    right = (p[:, 0] > 0.5) == BINARY
    assert list(values) == ["loss", "acc", "weighted_acc", "bce", "recall"]
    assert values["acc"] == pytest.approx(right.mean())
    assert values["weighted_acc"] == pytest.approx((right * weights).sum() / weights.sum())
    assert values["bce"] == pytest.approx(values["loss"] * 60 / weights.sum(), rel=1e-5)
    assert values["recall"] == pytest.approx((weights * BINARY * right).sum() / (weights * BINARY).sum())


def test_names_that_come_again_get_a_number() -> None:
    found = metrics.get_all([metrics.Precision(class_id=0), metrics.Precision(class_id=1), "precision", "mae"])
    assert [metric.name for metric in found] == ["precision", "precision_1", "precision_2", "mae"]
    assert [metric.name for metric in metrics.get_all(found)] == ["precision", "precision_1", "precision_2", "mae"]
    assert metrics.get_all(None) == []
    assert [metric.name for metric in metrics.get_all("mae")] == ["mae"]
    assert [metric.name for metric in metrics.get_all(lambda t, p: 0, weighted="mae")] == ["<lambda>", "mae"]


# Of the user's own ----------------------------------------------------------------------------------------------------


def largest(y_true: Any, y_pred: Any) -> Any:
    assert y_true.shape == y_pred.shape == (len(y_pred), 2)
    return np.abs(y_pred - y_true).max(axis=1)


def test_a_function_is_a_metric() -> None:
    model, history = trained("mse", X[:, :2], 2, None, [largest, lambda t, p: np.abs(p - t)])
    assert list(history) == ["loss", "largest", "<lambda>"]
    errors = np.abs(model.predict(X, verbose=0) - X[:, :2])
    _, most, mean = model.evaluate(X, X[:, :2], verbose=0)
    assert (most, mean) == pytest.approx((errors.max(axis=1).mean(), errors.mean()), rel=1e-6)


def test_one_number_a_batch_counts_as_often_as_the_batch_has_rows() -> None:
    metric = metrics.get(lambda t, p: float(len(p)))
    metric.update_state(np.zeros((3, 1)), np.zeros((3, 1)))
    metric.update_state(np.zeros((1, 1)), np.zeros((1, 1)))
    assert metric.result() == (3 * 3 + 1) / 4


def test_a_function_s_weights() -> None:
    metric = metrics.get(lambda t, p: p[:, 0])
    metric.update_state(np.zeros((2, 1)), np.array([[1.0], [4.0]]), [1, 2])
    assert metric.result() == 3


class Seen(Metric):
    def reset_state(self) -> None:
        self.targets: list[Any] = []

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.targets.append(np.array(y_true))

    def result(self) -> float:
        return float(np.concatenate(self.targets).ndim)


def test_with_labels_a_metric_of_ones_own_sees_labels() -> None:
    def right(y_true: Any, y_pred: Any) -> Any:
        return y_pred.argmax(axis=1) == y_true

    model, history = trained("sparse_categorical_crossentropy", LABELS, 3, "softmax", ["acc", right, Seen("seen")])
    assert history["right"] == history["acc"]
    assert history["seen"] == [1, 1]
    np.testing.assert_array_equal(np.concatenate(model.metrics[3].targets), LABELS)
    _, history = trained("categorical_crossentropy", np.eye(3)[LABELS], 3, "softmax", [Seen("seen")])
    assert history["seen"] == [2, 2]


def test_a_class_may_be_given_and_needs_no_name() -> None:
    assert metrics.get(Seen).name == "metric"
    assert metrics.get(metrics.Recall).name == "recall"


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: metrics.get("acuracy"), ValueError, r"unknown metric 'acuracy'; did you mean 'accuracy'"),
        (lambda: metrics.get("top_categorical_accuracy"), ValueError, r"did you mean 'top_k_categorical_accuracy'"),
        (lambda: metrics.get(3), TypeError, r"metric must be a name"),
        (lambda: metrics.get(dict), TypeError, r"metric must be a name"),
        (lambda: metrics.get_all([None]), TypeError, r"metric must be a name"),
        (lambda: metrics.Recall(name=3), TypeError, r"name must be a str"),
        (lambda: metrics.BinaryAccuracy(threshold="high"), TypeError, r"threshold must be a number"),
        (lambda: metrics.TopKCategoricalAccuracy(k=0), ValueError, r"k must be at least 1"),
        (lambda: metrics.TopKCategoricalAccuracy(k=1.5), TypeError, r"k must be an integer"),
        (lambda: metrics.Precision(thresholds=1.5), ValueError, r"thresholds must be in \[0, 1\], got 1.5"),
        (lambda: metrics.Precision(thresholds=[0.5, -1]), ValueError, r"thresholds"),
        (lambda: metrics.Precision(thresholds=[]), ValueError, r"thresholds is empty"),
        (lambda: metrics.Recall(class_id=-1), ValueError, r"class_id must be at least 0"),
        (lambda: metrics.Recall(top_k=0), ValueError, r"top_k must be at least 1"),
        (lambda: metrics.AUC(num_thresholds=1), ValueError, r"num_thresholds must be at least 2"),
        (lambda: metrics.AUC(curve="LIFT"), ValueError, r"curve must be 'ROC', 'PR' or 'PRGAIN', got 'LIFT'"),
        (lambda: metrics.AUC(summation_method="exact"), ValueError, r"summation_method must be"),
        (lambda: metrics.AUC(thresholds=[2]), ValueError, r"thresholds must be in \[0, 1\]"),
        (lambda: metrics.F1Score(average="mean"), ValueError, r"average must be None, 'micro'.*got 'mean'"),
        (lambda: metrics.F1Score(threshold=2), ValueError, r"threshold must be in \[0, 1\]"),
        (lambda: metrics.FBetaScore(beta=0), ValueError, r"beta must be greater than 0"),
        (lambda: metrics.BinaryCrossentropy(label_smoothing=2), ValueError, r"label_smoothing"),
        (lambda: metrics.serialize(Seen()), TypeError, r"of your own"),
        (lambda: metrics.serialize(FunctionMetric(largest)), TypeError, r"of your own"),
    ],
)
def test_bad_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


OURS = sorted({*NAMES} - {"Mean"})


@pytest.mark.parametrize("name", OURS)
def test_arrays_that_do_not_fit_each_other(name: str) -> None:
    metric = metrics.get(name)
    labels = name.startswith("Sparse")
    t: Any = np.array([0, 1]) if labels else np.eye(2)
    p = np.full((2, 2), 0.5)
    for call, error, message in (
        (lambda: metric.update_state(t, p[:1]), ValueError, "y_true and y_pred must have the same length, got 2 and 1"),
        (lambda: metric.update_state(t, p, [1, 2, 3]), ValueError, "sample_weight has shape"),
        (lambda: metric.update_state(t, p, [1, -1]), ValueError, "sample_weight holds -1"),
        (lambda: metric.update_state(t, p * np.nan), ValueError, "y_pred holds nan at row 0, column 0"),
        (lambda: metric.update_state(t, [["a", "b"]] * 2), TypeError, "y_pred has dtype"),
        (lambda: metric.update_state(None, p), TypeError, "y_true is None"),
    ):
        with pytest.raises(error, match=message):
            call()
    if labels:
        with pytest.raises(ValueError, match="label 2 at index 1"):
            metric.update_state([0, 2], p)
    else:
        with pytest.raises(ValueError, match="y_true"):
            metric.update_state(np.ones((2, 3)) / 3, p)
    assert metric.result() == 0 if name != "F1Score" and name != "FBetaScore" else True  # nothing was added


def test_a_class_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="class_id is 2, but y_pred has 2 outputs"):
        metrics.Recall(class_id=2)([[1, 0]], [[0.5, 0.5]])


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (
            lambda t, p: np.ones(5),
            ValueError,
            r"metric '<lambda>' returned shape \(5,\); expected a number, or one a row",
        ),
        (lambda t, p: "good", TypeError, "returned dtype"),
        (lambda t, p: None, TypeError, "returned dtype object"),
    ],
)
def test_a_function_that_returns_something_else(function: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        metrics.get(function).update_state(np.zeros((2, 1)), np.zeros((2, 1)))


# In Keras's manner ----------------------------------------------------------------------------------------------------


class MeanDistance(Metric):
    """As in Keras's guide: variables, made in the constructor after that of the base."""

    _direction = "down"

    def __init__(self, name: str = "mean_distance", power: float = 1.0, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.power = power
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_variable(shape=(), initializer="zeros", name="count", dtype="int32")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        values = (np.abs(y_true - y_pred) ** self.power).mean(axis=-1)
        if sample_weight is not None:
            values = values * sample_weight
        self.total.assign_add(np.sum(values))
        self.count.assign_add(len(y_true))

    def result(self) -> Any:
        return self.total / self.count


class Variants(MeanDistance):
    """Overrides `reset_state`, which the base's constructor calls before the variables are there."""

    def reset_state(self) -> None:
        self.total.assign(0.0)
        self.count.assign(0)

    def result(self) -> Any:
        return 0.0 if self.count == 0 else float(self.total) / int(self.count)


class InPlace(MeanDistance):
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.total += np.abs(y_true - y_pred).mean(axis=-1).sum()
        self.count += len(y_true)


class OneVariable(Metric):
    """Returns a variable, as Keras's own example does."""

    def __init__(self, name: str = "one") -> None:
        super().__init__(name=name)
        self.value = self.add_weight("value", initializer="ones")
        self.seen = self.add_weight("seen")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.value.assign(self.value * self.seen + np.abs(y_true - y_pred).mean() * len(y_true))
        self.seen.assign_add(len(y_true))
        self.value.assign(self.value / self.seen)

    def result(self) -> Any:
        return self.value


class Nested(Metric):
    """Is made of other metrics."""

    def __init__(self, name: str = "nested") -> None:
        super().__init__(name=name)
        self.inner = MeanDistance()
        self.others = [metrics.MeanAbsoluteError(), {"a": 1}]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.inner.update_state(y_true, y_pred)
        self.others[0].update_state(y_true, y_pred)  # type: ignore[attr-defined]

    def result(self) -> Any:
        return (self.inner.result() + self.others[0].result()) / 2  # type: ignore[attr-defined]


class Emptied(Metric):
    """Keeps all that it saw, in a list, a dict and an array that `reset_state` empties in place."""

    def __init__(self, name: str = "emptied") -> None:
        self.seen: list[Any] = []
        self.counts: dict[str, list[int]] = {"rows": []}
        self.sums = np.zeros(2)
        super().__init__(name=name)

    def reset_state(self) -> None:
        self.seen.clear()
        self.counts["rows"].clear()
        self.sums[:] = 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.seen.append((y_true, y_pred))
        self.counts["rows"].append(len(y_true))
        self.sums += np.abs(y_true - y_pred).sum(axis=0)

    def result(self) -> Any:
        rows = sum(self.counts["rows"])
        mean = np.concatenate([np.abs(t - p).mean(axis=1) for t, p in self.seen]).mean()
        assert mean == pytest.approx(self.sums.sum() / rows / 2, rel=1e-5)
        return mean


OF_ONES_OWN = [MeanDistance, Variants, InPlace, OneVariable, Nested, Emptied]


@pytest.mark.parametrize("kind", OF_ONES_OWN)
def test_a_metric_in_keras_s_manner_counts_as_the_one_that_it_is_written_after(kind: Any) -> None:
    model = Sequential([Input((4,)), Dense(2)])
    model.compile("sgd", "mse", metrics=["mae", kind()])
    name = kind().name
    history = model.fit(X, X[:, :2], epochs=3, batch_size=16, verbose=0, validation_data=(X[:9], X[:9, :2])).history
    for prefix in ("", "val_"):
        np.testing.assert_allclose(history[prefix + name], history[f"{prefix}mae"], rtol=1e-5)
        assert all(type(value) is float for value in history[prefix + name])
    _, mae, own = model.evaluate(X, X[:, :2], verbose=0)
    assert own == pytest.approx(mae, rel=1e-5)
    again = pickle.loads(pickle.dumps(model))
    assert again.evaluate(X, X[:, :2], verbose=0) == model.evaluate(X, X[:, :2], verbose=0)


@pytest.mark.parametrize("kind", OF_ONES_OWN)
def test_an_evaluation_in_the_middle_of_an_epoch_leaves_its_state_alone(kind: Any) -> None:
    results = []
    for disturb in (False, True):
        model = Sequential([Input((4,)), Dense(2, kernel_initializer="ones")])
        model.compile(SGD(0.0), "mse", metrics=[kind()])
        data = X[:7], X[:7, :2]
        look = LambdaCallback(
            on_train_batch_end=lambda batch, logs, model=model, disturb=disturb, data=data: (
                disturb and (model.evaluate(*data, verbose=0), model.fit(*data, verbose=0))
            )
        )
        results.append(model.fit(X, X[:, :2], batch_size=8, verbose=0, shuffle=False, callbacks=look).history)
    assert results[0] == results[1]


def test_saved_and_loaded(tmp_path: Path) -> None:
    model = Sequential([Input((4,)), Dense(2)])
    model.compile("sgd", "mse", metrics=[MeanDistance("squared", power=2.0)], weighted_metrics=[MeanDistance()])
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors", custom_objects={"MeanDistance": MeanDistance})
    assert again.evaluate(X, X[:, :2], verbose=0, return_dict=True) == model.evaluate(
        X, X[:, :2], verbose=0, return_dict=True
    )
    assert repr(again.metrics[1]) == "MeanDistance(name='squared', power=2.0)"


def test_a_constructor_without_a_name_or_with_a_hidden_argument_is_saved_too(tmp_path: Path) -> None:
    class Nameless(MeanDistance):
        def __init__(self) -> None:
            super().__init__(name="nameless")

    class Hidden(MeanDistance):
        def __init__(self, secret: int, name: str = "hidden") -> None:
            super().__init__(name=name)
            self._secret = secret

    class Loss(losses.Loss):
        def __init__(self, secret: int) -> None:
            super().__init__()
            self._secret = secret

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return np.abs(y_true - y_pred).mean(axis=1)

        def derivative(self, y_true: Any, y_pred: Any) -> Any:
            return np.sign(y_pred - y_true) / y_pred.shape[1]

    path = tmp_path / "m.safetensors"
    model = Sequential([Input((4,)), Dense(2)])
    model.compile("sgd", "mse", metrics=[Nameless()])
    model.save(path)
    again = load_model(path, custom_objects={"Nameless": Nameless})
    assert [metric.name for metric in again.metrics] == ["loss", "nameless"]
    model.compile("sgd", Loss(3), metrics=[Hidden(4)])
    model.save(path)
    again = load_model(path, custom_objects={"Loss": Loss, "Hidden": Hidden})
    assert (again.loss._secret, again.metrics[1]._secret) == (3, 4)  # type: ignore[union-attr, attr-defined]
    before = path.read_bytes()
    model.compile("sgd", "mse", metrics=[Hidden(object())])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="argument 'secret' of Hidden is of type object"):
        model.save(path)
    assert path.read_bytes() == before
    assert "Hidden" in repr(model.metrics)


def test_variables() -> None:
    metric = MeanDistance()
    table = metric.add_weight(shape=(2, 3), initializer="ones", dtype=np.float32, name="table")
    assert [variable.name for variable in metric.variables] == [
        "mean_distance/total", "mean_distance/count", "mean_distance/table",
    ]  # fmt: skip
    assert [str(variable.dtype) for variable in metric.variables] == ["float64", "int32", "float32"]
    assert Nested().variables[0].name == "mean_distance/total"
    table.assign_add(np.arange(3))
    table.assign_sub(1)
    np.testing.assert_array_equal(table, [[0, 1, 2], [0, 1, 2]])
    np.testing.assert_array_equal(2 * table + table - 1, 3 * np.array([[0, 1, 2], [0, 1, 2]]) - 1)
    np.testing.assert_array_equal(np.ones(2) @ table, [0, 2, 4])
    np.testing.assert_array_equal(table[0], [0, 1, 2])
    assert (table == 1).sum() == (table >= 1).sum() - 2 == 2
    assert table in metric.variables
    assert metric.total not in [table]
    metric.total.assign(np.nan)  # which shows in the result
    metric.count.assign(2.0)
    assert np.isnan(metric.result())
    metric.reset_state()
    assert (float(metric.total), int(metric.count), bool(metric.total)) == (0, 0, False)
    assert not table.numpy().any()
    assert np.isnan(metric.result())  # 0 / 0, without a warning
    assert MeanDistance(dtype="float32").total.dtype == "float32" == MeanDistance(dtype="float32").dtype
    metric.total.assign_add(2**53)
    copied = copy.copy(metric)
    copied.total.assign(1)
    assert copied.variables[0] is copied.total
    assert metric.total == 2**53


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda m: m.total.assign([1, 2]), ValueError, r"mean_distance/total has shape \(\), but .* shape \(2,\)"),
        (lambda m: m.total.assign_add(np.ones(2)), ValueError, r"mean_distance/total has shape \(\)"),
        (lambda m: m.total.assign("a"), TypeError, "mean_distance/total has dtype"),
        (lambda m: m.total.assign(None), TypeError, "mean_distance/total is None"),
        (lambda m: m.count.assign(0.5), ValueError, "mean_distance/count has dtype int32, which cannot hold 0.5"),
        (lambda m: m.count.assign(np.nan), ValueError, "mean_distance/count has dtype int32"),
        (lambda m: m.add_weight(shape=-1), ValueError, "shape must be at least 0"),
        (lambda m: m.add_weight(shape=1.5), TypeError, "shape must be a shape"),
        (
            lambda m: m.add_weight(initializer="zeroes"),
            ValueError,
            "unknown initializer 'zeroes'; did you mean 'zeros'",
        ),
        (lambda m: m.add_weight(initializer=lambda s: [1, 2]), ValueError, r"returned shape \(2,\)"),
        (lambda m: m.add_weight(dtype="text"), TypeError, "dtype must be a type of real numbers"),
        (lambda m: m.add_weight(dtype=complex), TypeError, "dtype must be a type of real numbers"),
        (lambda m: m.add_weight(initialiser="zeros"), TypeError, "'initialiser'"),
        (lambda m: MeanDistance(dtype="complex64"), TypeError, "dtype must be a type of real numbers"),
        (lambda m: Metric().update_state([1], [1]), NotImplementedError, r"Metric has no update_state\(\)"),
        (lambda m: Metric().result(), NotImplementedError, r"Metric has no result\(\)"),
    ],
)
def test_variables_that_do_not_fit(use: Any, error: type[Exception], message: str) -> None:
    metric = MeanDistance()
    with pytest.raises(error, match=message):
        use(metric)
    assert len(metric.variables) == 2


def test_an_error_within_reset_state_is_its_own() -> None:
    class Broken(Metric):
        def reset_state(self) -> None:
            [].nothing  # type: ignore[attr-defined]  # noqa: B018

    with pytest.raises(AttributeError, match="nothing"):
        Broken()


def test_a_metric_may_keep_and_change_what_it_is_given() -> None:
    class Writes(Metric):
        def __init__(self) -> None:
            super().__init__(name="writes")
            self.kept: list[Any] = []

        def reset_state(self) -> None:
            self.kept = []

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.kept.append(y_pred)
            y_true[:] = 7

        def result(self) -> float:
            return float(np.concatenate(self.kept).sum())

    y = np.ascontiguousarray(X[:, :2])
    before = y.copy()
    results = []
    for chosen in ([], [Writes()]):
        model = Sequential([Input((4,)), Dense(2, kernel_initializer="ones")])
        model.compile("sgd", "mse", metrics=chosen)
        results.append(model.fit(X, y, epochs=2, batch_size=16, verbose=0, shuffle=False).history["loss"])
        values = model.evaluate(X, y, verbose=0, return_dict=True)
        if chosen:
            assert values["writes"] == pytest.approx(float(model.predict(X, verbose=0).sum()), rel=1e-4)
    assert results[0] == results[1]
    np.testing.assert_array_equal(y, before)


# Arrays with one axis -------------------------------------------------------------------------------------------------

ROW, SHARES = [0, 1, 1, 0, 0], [0.2, 0.1, 0.5, 0, 0.2]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.Precision(top_k=3), 1 / 3),
        (metrics.Recall(top_k=3), 0.5),
        (metrics.Precision(top_k=1), 1),
        (metrics.Recall(top_k=5), 1),
        (metrics.Precision(thresholds=[0.1, 0.3], top_k=3), [1 / 3, 1]),
        (metrics.Precision(thresholds=0.15), 1 / 3),
        (metrics.BinaryAccuracy(threshold=0.15), 2 / 5),
    ],
    ids=repr,
)
def test_one_row_of_classes(metric: Metric, expected: Any) -> None:
    for kind in (list, np.array):
        metric.reset_state()
        np.testing.assert_allclose(metric(kind(ROW), kind(SHARES)), expected)
    one = metrics.get(metrics.serialize(metric))
    np.testing.assert_allclose(one([ROW], [SHARES]), expected)


def test_one_row_of_classes_and_a_weight_for_each() -> None:
    weights = [1, 1, 2, 1, 1]
    for kind, top, expected in ((metrics.Precision, 3, 2 / 4), (metrics.Recall, 3, 2 / 3), (metrics.Recall, 5, 1)):
        metric = kind(top_k=top)
        metric.update_state(ROW, SHARES, weights)
        assert metric.result() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "t", "p", "expected"),
    [
        (metrics.CategoricalAccuracy(), [0, 1, 0], [0.8, 0.1, 0.1], 0),
        (metrics.CategoricalAccuracy(), [0, 1, 0], [0.1, 0.8, 0.1], 1),
        (metrics.SparseCategoricalAccuracy(), [1], [0.8, 0.1, 0.1], 0),
        (metrics.SparseCategoricalAccuracy(), 1, [0.1, 0.8, 0.1], 1),
        (metrics.TopKCategoricalAccuracy(k=2), [0, 0, 1], [0.8, 0.15, 0.05], 0),
        (metrics.SparseTopKCategoricalAccuracy(k=2), [1], [0.8, 0.15, 0.05], 1),
        (metrics.CosineSimilarity(), [0.0, 1], [1.0, 1], np.sqrt(0.5)),
        (metrics.KLDivergence(), [0.5, 0.5], [0.25, 0.75], 0.1438410362),
        (metrics.CategoricalHinge(), [0, 1, 0], [0.1, 0.2, 0.3], 1.1),
        (metrics.CategoricalCrossentropy(), [0, 1], [0.75, 0.25], np.log(4)),
        (metrics.SparseCategoricalCrossentropy(), [1], [0.75, 0.25], np.log(4)),
    ],
    ids=repr,
)
def test_what_judges_rows_takes_one_axis_for_one_row(metric: Metric, t: Any, p: Any, expected: float) -> None:
    assert metric(t, p) == pytest.approx(expected, rel=1e-6)
    assert metrics.categorical_accuracy([0, 1, 0], [0.1, 0.8, 0.1]).tolist() == [1]


def test_labels_for_rows_that_are_numbers_are_refused() -> None:
    for kind in (metrics.SparseCategoricalAccuracy, metrics.SparseTopKCategoricalAccuracy):
        with pytest.raises(ValueError, match="y_true and y_pred must have the same length, got 3 and 1"):
            kind()([0, 0, 0], [0.5, 0.4, 0.3])
    with pytest.raises(ValueError, match=r"y_pred has shape \(2,\), but f1_score without a threshold .*threshold=0.5"):
        metrics.F1Score()([0, 1], [0.2, 0.8])
    assert metrics.F1Score(threshold=0.5)([0, 1], [0.2, 0.8]) == 1


# How much memory a description can ask for ----------------------------------------------------------------------------


def test_the_number_of_thresholds_is_bounded() -> None:
    with pytest.raises(ValueError, match="num_thresholds must be at most 100000, got 20000000"):
        metrics.AUC(num_thresholds=2 * 10**7)
    with pytest.raises(ValueError, match="num_thresholds must be at most 100000"):
        metrics.get({"class_name": "AUC", "config": {"num_thresholds": 10**18}})
    metrics.AUC(num_thresholds=100_000)


def test_many_thresholds_do_not_take_memory_times_predictions() -> None:
    metric = metrics.Precision(thresholds=np.linspace(0, 1, 2000))
    random = np.random.default_rng(0)
    t, p = random.integers(0, 2, (1000, 50)), random.random((1000, 50))
    tracemalloc.start()
    try:
        metric.update_state(t, p)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20  # 100 MB for each array of comparisons
    finally:
        tracemalloc.stop()
    expected = [metrics.Precision(thresholds=limit)(t, p) for limit in metric.thresholds[::500]]
    np.testing.assert_array_equal(metric.result()[::500], expected)


def test_a_subclass_that_returns_other_rows_is_refused() -> None:
    class Each(metrics.MeanSquaredError):
        def rows(self, targets: Any, predictions: Any) -> Any:
            return (targets - predictions) ** 2

    with pytest.raises(ValueError, match=r"rows\(\) of the metric 'each' returned shape \(2, 3\); expected \(2,\)"):
        Each("each")(np.ones((2, 3)), np.ones((2, 3)))
