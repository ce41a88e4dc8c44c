"""Labels stay labels in a data set, and give the numbers that one-hot rows give, whatever looks at them."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fastnet import Input, Sequential, metrics, report, utils
from fastnet.layers import Dense
from fastnet.losses import CategoricalCrossentropy, Loss, SparseCategoricalCrossentropy

CLASSES = 5
RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 4)).astype(np.float32)
Y = RNG.integers(0, CLASSES, 90)
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[Y]
WEIGHTS = RNG.random(90).astype(np.float32)


def of_rows(base: type[Loss]) -> Loss:
    """A user's own loss, whose methods get one-hot rows from either base."""

    class Own(base):  # type: ignore[valid-type,misc]
        def call(self, y_true: Any, y_pred: Any) -> Any:
            assert y_true.shape == y_pred.shape
            return ((y_pred - y_true) ** 4).sum(axis=1)

        def derivative(self, y_true: Any, y_pred: Any) -> Any:
            assert y_true.dtype == np.float32
            return 4 * (y_pred - y_true) ** 3

    return Own()


def of_batches(base: type[Loss]) -> Loss:
    """A user's own gradient, which gets one-hot rows from either base."""

    class Own(base):  # type: ignore[valid-type,misc]
        def gradient(self, output: Any, targets: Any, logits: bool, weights: Any = None) -> Any:
            assert targets.shape == (len(output), CLASSES)
            total, predictions, dy = super().gradient(output, targets, logits, weights)
            return 2 * total[0], predictions, 2 * dy

    return Own()


def checked(base: type[Loss]) -> Loss:
    """A user's own check of the targets, which ends in that of the base."""

    class Own(base):  # type: ignore[valid-type,misc]
        def check_targets(self, argument: str, y: Any, units: int) -> Any:
            return super().check_targets(argument, np.asarray(y), units)

    return Own()


def model_of(loss: Any, activation: str | None = "softmax", metrics: Any = None, units: int = CLASSES) -> Sequential:
    utils.set_random_seed(1)
    model = Sequential([Input((4,)), Dense(8, "relu"), Dense(units, activation)])
    model.compile("adam", loss, metrics=metrics, weighted_metrics=["accuracy", "mse"])
    return model


def numbers(model: Sequential, y: Any, **kwargs: Any) -> Any:
    """All that a training, an evaluation and a step say, and the weights after them."""
    history = model.fit(X, y, batch_size=32, epochs=3, verbose=0, validation_split=0.2, **kwargs).history
    evaluated = model.evaluate(X, y, verbose=0, sample_weight=WEIGHTS)
    return history, evaluated, model.train_on_batch(X, y), [w.tobytes() for w in model.get_weights()]


@pytest.mark.filterwarnings("ignore:.* expects probabilities")
@pytest.mark.parametrize(
    ("make", "activation"),
    [
        (lambda base: base(), "softmax"),
        (lambda base: base(), "sigmoid"),
        (lambda base: base(from_logits=True), None),
        (of_rows, "softmax"),
        (of_batches, "softmax"),
        (checked, "softmax"),
    ],
)
@pytest.mark.parametrize(
    "weights", [{}, {"sample_weight": WEIGHTS}, {"class_weight": {0: 2.0, 3: 0.5}}], ids=lambda kind: "".join(kind)
)
def test_labels_give_the_numbers_of_one_hot_rows(make: Any, activation: str | None, weights: dict[str, Any]) -> None:
    bases = (SparseCategoricalCrossentropy, Y), (CategoricalCrossentropy, ONE_HOT)
    of_labels, of_one_hot = (numbers(model_of(make(base), activation), y, **weights) for base, y in bases)
    assert of_labels == of_one_hot


def test_every_metric_says_what_it_says_of_one_hot_rows() -> None:
    names = [
        "accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy", "mse", "mae",
        "cosine_similarity",
        "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy", "categorical_crossentropy",
        "sparse_categorical_crossentropy", "binary_crossentropy", "precision", "recall", "auc",
    ]  # fmt: skip
    found = []
    for loss, y in (("sparse_categorical_crossentropy", Y), ("categorical_crossentropy", ONE_HOT)):
        model = model_of(loss, "softmax", [*names, metrics.F1Score("macro"), metrics.Precision(class_id=2)])
        found.append(numbers(model, y))
    np.testing.assert_equal(found[0], found[1])


def test_a_call_of_the_loss_or_of_its_metric_gives_the_numbers_of_one_hot_rows() -> None:
    p = RNG.dirichlet(np.ones(CLASSES), len(Y))
    for make in (lambda base: base(), lambda base: base(True), of_rows, checked):
        of_labels, of_one_hot = make(SparseCategoricalCrossentropy), make(CategoricalCrossentropy)
        assert of_labels(Y, p) == of_one_hot(ONE_HOT, p)
        np.testing.assert_array_equal(of_labels.per_row(Y[:, None], p), of_one_hot.per_row(ONE_HOT, p))
        assert metrics.get(of_labels)(Y, p) == metrics.get(of_one_hot)(ONE_HOT, p)
        labels, p32 = Y.astype(np.int32)[:, None], p.astype(np.float32)
        np.testing.assert_array_equal(of_labels.derivative(labels, p32), of_one_hot.derivative(ONE_HOT, p32))


def test_with_one_class_each_label_is_right() -> None:
    model = model_of(SparseCategoricalCrossentropy(True), None, ["accuracy"], units=1)
    with pytest.warns(UserWarning, match="knows one class only"):
        assert model.fit(X, np.zeros(90), verbose=0).history["accuracy"] == [1]


def test_a_metric_of_ones_own_may_ask_for_one_hot_rows() -> None:
    class Shape(metrics.Metric):
        takes_labels = False

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            assert y_true.shape == y_pred.shape
            self.ones = y_true.sum(axis=1)

        def result(self) -> float:
            return float(self.ones.mean())

    assert model_of("sparse_categorical_crossentropy", metrics=[Shape()]).evaluate(X, Y, verbose=0)[1] == 1


def test_a_loss_of_labels_needs_the_number_of_outputs() -> None:
    loss, output = SparseCategoricalCrossentropy(), np.zeros((2, 16), np.float32)
    labels = loss.check_targets("y", [0, 1], 3)
    assert loss.gradient(output, labels, True, None, 3)[0][0] == pytest.approx(2 * np.log(3))
    for activation in (True, False):
        with pytest.raises(TypeError, match="give the number of outputs"):
            loss.gradient(output, labels, activation)


def test_labels_of_a_users_own_check_are_in_range() -> None:
    class Own(SparseCategoricalCrossentropy):
        def check_targets(self, argument: str, y: Any, units: int) -> Any:
            return np.array(y, np.int32)[:, None]

    model = model_of(Own())
    model.evaluate(X, Y, verbose=0)
    for wrong in (Y - 1, Y + 1):
        with pytest.raises(ValueError, match=r"check_targets\(\) of the loss .* returned labels outside \[0, 5\)"):
            model.evaluate(X, wrong, verbose=0)


def test_batches_of_a_generator_may_have_labels() -> None:
    def batches(y: Any) -> Iterator[Any]:
        for start in range(0, 90, 30):
            yield X[start : start + 30], y[start : start + 30]

    of_labels, of_one_hot = model_of("sparse_categorical_crossentropy"), model_of("categorical_crossentropy")
    assert of_labels.fit(batches(Y), verbose=0).history == of_one_hot.fit(batches(ONE_HOT), verbose=0).history
    assert of_labels.evaluate(batches(Y), verbose=0) == of_one_hot.evaluate(batches(ONE_HOT), verbose=0)


def test_the_tools_take_labels(tmp_path: Any) -> None:
    model = model_of("sparse_categorical_crossentropy")
    history = model.fit(X, Y, verbose=0)
    assert model.check_gradients(X[:8], Y[:8], print_fn=None)
    assert "sparse_softmax_crossentropy" in {row.kernel for row in model.profile(X, Y, print_fn=None)}
    report(model, history, X, Y, str(tmp_path / "report.html"))


def test_many_classes_take_no_memory_for_one_hot_rows() -> None:
    classes, n = 1000, 20_000
    x, y = np.zeros((n, 4), np.float32), np.arange(n) % classes
    model = model_of("sparse_categorical_crossentropy", metrics=["accuracy"], units=classes)
    model.train_on_batch(x[:2], y[:2])
    tracemalloc.start()
    try:
        model.fit(x, y, batch_size=n // 20, verbose=0, class_weight={0: 2.0})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * n * classes / 2
