"""The estimators of fastnet.sklearn: what scikit-learn expects of an estimator, and what they add to it."""

import pickle
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn import neural_network
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import estimator_checks_generator

import fastnet
from fastnet import callbacks, rng
from fastnet.layers import BatchNormalization, Dense, Dropout, Input, Normalization, Rescaling
from fastnet.sklearn import MLPClassifier, MLPRegressor
from fastnet.sklearn.examples import Examples

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
DIGITS, DIGIT = load_digits(return_X_y=True)
DIGITS = DIGITS.astype(np.float32) / 16
ROWS, TARGET = load_diabetes(return_X_y=True)
ROWS, TARGET = ROWS * 10, (TARGET - TARGET.mean()) / TARGET.std()
QUICK: dict[str, Any] = {"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0}


def bits(estimator: Any) -> bytes:
    return b"".join(weights.tobytes() for weights in estimator.model_.get_weights())


CHECKED = [MLPClassifier(), MLPRegressor(), MLPClassifier(solver="rmsprop"), MLPRegressor(solver="sgd")]


@pytest.mark.parametrize(
    ("estimator", "check"),
    [pair for estimator in CHECKED for pair in estimator_checks_generator(estimator)],
    ids=lambda part: repr(part) if isinstance(part, BaseEstimator) else part.func.__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_own_checks_pass_without_an_expected_failure(estimator: Any, check: Any) -> None:
    check(estimator)


# Like scikit-learn's own ------------------------------------------------------------------------------------------


def test_it_takes_all_parameters_of_scikit_learns_with_their_defaults() -> None:
    for ours, theirs in ((MLPClassifier, neural_network.MLPClassifier), (MLPRegressor, neural_network.MLPRegressor)):
        expected = theirs().get_params()
        assert {name: ours().get_params()[name] for name in expected} == expected
        made = ours(**theirs(alpha=0.5, activation="tanh").get_params())
        assert (made.alpha, made.activation) == (0.5, "tanh")


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_the_loss_falls_as_scikit_learns_does(solver: str, activation: str) -> None:
    """From the same weights, in the same order of the examples: the whole mathematics of the two agrees."""
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (9,), "activation": activation, "solver": solver, "alpha": 0.1, "batch_size": 50,
        "learning_rate_init": 0.01, "shuffle": False, "random_state": 3, "warm_start": True,
    }  # fmt: skip
    ours = MLPClassifier(max_iter=1, **settings).fit(X, Y)
    theirs = neural_network.MLPClassifier(max_iter=1, **settings).fit(X, Y)
    for mine, its in zip(ours._dense_layers(), (0, 1), strict=True):
        mine.kernel.assign(theirs.coefs_[its])
        mine.bias.assign(theirs.intercepts_[its])
    ours.set_params(max_iter=30).fit(X, Y)
    theirs.set_params(max_iter=30).fit(X, Y)
    np.testing.assert_allclose(ours.loss_curve_[1:], theirs.loss_curve_[1:], rtol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_regression_falls_as_scikit_learns_does(outputs: int) -> None:
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (9,), "solver": "sgd", "alpha": 0.1, "batch_size": 26, "learning_rate": "invscaling",
        "learning_rate_init": 0.02, "power_t": 0.1, "shuffle": False, "random_state": 3, "warm_start": True,
    }  # fmt: skip
    y = TARGET if outputs == 1 else np.c_[TARGET, TARGET**2]
    ours = MLPRegressor(max_iter=1, **settings).fit(ROWS, y)
    theirs = neural_network.MLPRegressor(max_iter=1, **settings).fit(ROWS, y)
    for mine, its in zip(ours._dense_layers(), (0, 1), strict=True):
        mine.kernel.assign(theirs.coefs_[its])
        mine.bias.assign(theirs.intercepts_[its])
    ours.set_params(max_iter=20).fit(ROWS, y)
    theirs.set_params(max_iter=20).fit(ROWS, y)
    if outputs == 1:  # of several, scikit-learn reports the mean, and trains on the sum
        np.testing.assert_allclose(ours.loss_curve_[1:], theirs.loss_curve_[1:], rtol=1e-4)
    np.testing.assert_allclose(ours.predict(ROWS), theirs.predict(ROWS), atol=1e-3)


def test_it_is_as_good_as_scikit_learns() -> None:
    train, test = slice(1200), slice(1200, None)
    for early in (False, True):
        ours = MLPClassifier(random_state=0, early_stopping=early).fit(DIGITS[train], DIGIT[train])
        assert ours.score(DIGITS[test], DIGIT[test]) > (0.9 if early else 0.92)
    poisson = MLPRegressor(loss="poisson", max_iter=500, random_state=0, hidden_layer_sizes=20)
    counts = np.random.default_rng(0).poisson(np.exp(ROWS[:, 2]))
    assert poisson.fit(ROWS, counts).score(ROWS, counts) > 0.1
    assert poisson.out_activation_ == "exp"
    assert (poisson.predict(ROWS) > 0).all()


def test_the_fitted_attributes_are_there() -> None:
    model = MLPClassifier(hidden_layer_sizes=(8, 4), max_iter=7, random_state=0).fit(
        pd.DataFrame(X, columns=[*"abcd"]), Y
    )
    assert [kernel.shape for kernel in model.coefs_] == [(4, 8), (8, 4), (4, 3)]
    assert [bias.shape for bias in model.intercepts_] == [(8,), (4,), (3,)]
    assert (model.n_iter_, model.t_, model.n_layers_, model.n_outputs_, model.n_features_in_) == (7, 7 * 150, 4, 3, 4)
    assert model.feature_names_in_.tolist() == [*"abcd"]
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.out_activation_ == "softmax"
    assert len(model.loss_curve_) == 7
    assert model.loss_ == model.loss_curve_[-1] == model.history_["loss"][-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert (model.validation_scores_, model.best_validation_score_) == (None, None)
    assert isinstance(model.model_, fastnet.Sequential)
    assert not hasattr(MLPClassifier(), "coefs_")


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "score"])
def test_before_fit_there_is_an_error(method: str) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(MLPClassifier(), method)(*((X, Y) if method == "score" else (X,)))


def test_the_end_of_a_training_is_as_in_scikit_learn() -> None:
    with pytest.warns(ConvergenceWarning, match="max_iter=3 epochs before it converged"):
        MLPClassifier(max_iter=3).fit(X, Y)
    stopped = MLPClassifier(hidden_layer_sizes=(4,), tol=10, n_iter_no_change=5, random_state=0).fit(X, Y)
    assert stopped.n_iter_ == 7  # the first epoch improves, and more than five do not
    assert MLPClassifier(tol=10, n_iter_no_change=np.inf, max_iter=20).fit(X, Y).n_iter_ == 20


def test_adaptive_learning_rate_falls_to_its_least_value(capsys: pytest.CaptureFixture[str]) -> None:
    model = MLPClassifier(
        (4,), solver="sgd", learning_rate="adaptive", tol=10, n_iter_no_change=1, verbose=True, random_state=0
    ).fit(X, Y)
    assert float(model.model_.optimizer.learning_rate) == pytest.approx(0.001 / 5**5)
    lines = capsys.readouterr().out.splitlines()
    assert sum("learning rate now" in line for line in lines) == 5
    assert lines[-1].endswith("the training ends")
    assert max(map(len, lines)) < 80  # a terminal's width


@pytest.mark.parametrize("kind", [float, np.float64, np.int64])
def test_whole_numbers_may_be_floats_as_in_r(kind: Any) -> None:
    def trained(n: Any) -> list[float]:
        counts = {"batch_size": n(50), "max_iter": n(2), "n_iter_no_change": n(3), "random_state": n(1)}
        return MLPClassifier((n(4),), **counts).fit(X, Y).loss_curve_  # type: ignore[no-any-return]

    assert trained(kind) == trained(int)
    with pytest.raises(ValueError, match=r"2\.5 cannot be used to seed"):
        MLPClassifier(random_state=2.5).fit(X, Y)


def test_verbose_prints_a_line_for_each_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    MLPClassifier(max_iter=2, random_state=0).fit(X, Y)
    assert capsys.readouterr().out == ""
    MLPClassifier(max_iter=2, random_state=0, verbose=True, early_stopping=True).fit(X, Y)
    line = r"Epoch %d/2 - loss: \d\.\d+ - validation score: 0\.\d+\n"
    assert re.fullmatch(line % 1 + line % 2, capsys.readouterr().out)


def test_early_stopping_ends_with_the_best_weights() -> None:
    class Weights(callbacks.Callback):
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seen.append((logs["validation_score"], self.model.get_weights()))

    watch = Weights()
    model = MLPClassifier(
        (16,), early_stopping=True, validation_fraction=0.3, learning_rate_init=0.02, random_state=1, callbacks=watch
    ).fit(X, Y)
    scores = [score for score, _ in watch.seen]
    assert model.validation_scores_ == scores == model.history_["validation_score"]
    assert len(model.history_["val_loss"]) == model.n_iter_ < 200
    assert model.best_validation_score_ == max(scores) > scores[-1] or scores.index(max(scores)) < len(scores) - 1
    best = watch.seen[scores.index(max(scores))][1]
    assert all(np.array_equal(a, b) for a, b in zip(best, model.model_.get_weights(), strict=True))
    assert model.best_loss_ is None


def test_early_stopping_keeps_the_shares_of_the_classes_where_it_can() -> None:
    y = np.repeat([0, 1, 2], [80, 10, 10])
    for seed in range(5):
        ours, held = MLPClassifier(validation_fraction=0.2)._split(Examples(X[:100], y, None), y, seed)
        assert np.bincount(held.targets).tolist() == [16, 2, 2]
        assert len(ours.targets) == 80
    rare = np.r_[np.zeros(99, int), 1]
    MLPClassifier(**QUICK, early_stopping=True).fit(X[:100], rare)
    held = MLPRegressor(**QUICK, early_stopping=True).fit(ROWS, TARGET)
    assert len(held.validation_scores_) == 5


def test_warm_start_goes_on_and_a_plain_fit_begins_again() -> None:
    model = MLPClassifier(**QUICK, warm_start=True).fit(X, Y)
    first, before = bits(model), model.loss_
    model.fit(X, Y)
    assert model.loss_ < before
    assert (model.n_iter_, model.t_, len(model.loss_curve_)) == (5, 1500, 10)
    assert bits(model.set_params(warm_start=False).fit(X, Y)) == first
    model.set_params(warm_start=True)
    with pytest.raises(ValueError, match=r"known classes \[0 1 2\]"):
        model.fit(X, Y + 1)
    regressor = MLPRegressor(**QUICK, warm_start=True).fit(X, Y)
    before = bits(regressor)
    with pytest.raises(ValueError, match="y holds 2 at row 100, column 0; binary_crossentropy expects"):
        regressor.set_params(loss="binary_crossentropy").fit(X, Y)
    assert (regressor.n_iter_, bits(regressor)) == (5, before)


def test_partial_fit_goes_on_with_the_state_of_the_optimizer() -> None:
    model = MLPClassifier((16,), learning_rate_init=0.01, random_state=0)
    for _ in range(40):
        for part in np.array_split(np.random.default_rng(0).permutation(150), 5):
            model.partial_fit(X[part], NAMES[part], classes=np.unique(NAMES))
    assert model.score(X, NAMES) > 0.9
    assert model.model_.optimizer.iterations == 200
    assert (model.n_iter_, model.t_, len(model.loss_curve_)) == (1, 6000, 200)
    model.partial_fit(X[:1], NAMES[:1])  # one row, of one class
    assert model.predict(X[:1]) == ["setosa"]
    last = MLPClassifier((16,), learning_rate_init=0.01, random_state=0)
    for _ in range(100):  # batches of the last class alone
        last.partial_fit(X[100:], NAMES[100:], classes=np.unique(NAMES))
    assert last.score(X[100:], NAMES[100:]) == 1
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        MLPClassifier().partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"'tulip'.* not among the known classes"):
        model.partial_fit(X[:2], ["tulip", "setosa"])
    with pytest.raises(ValueError, match="was trained with"):
        model.partial_fit(X, NAMES, classes=["a", "b"])
    with pytest.raises(ValueError, match="does not support early_stopping"):
        MLPClassifier(early_stopping=True).partial_fit(X, Y, classes=[0, 1, 2])
    regressor = MLPRegressor((16,), random_state=0)
    for _ in range(50):
        regressor.partial_fit(ROWS, TARGET)
    assert regressor.score(ROWS, TARGET) > 0.3


# Labels, weights and forms of the data ----------------------------------------------------------------------------


@pytest.mark.parametrize("y", [NAMES, NAMES.astype(object), Y - 7, Y > 0, pd.Series(NAMES), pd.Categorical(NAMES)])
def test_labels_of_any_type(y: Any) -> None:
    model = MLPClassifier((16,), learning_rate_init=0.02, random_state=0).fit(X, y)
    assert model.classes_.tolist() == sorted(set(y))
    assert np.mean(model.predict(X) == np.asarray(y)) > 0.9
    assert model.predict_proba(X).shape == (150, len(model.classes_))
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    assert np.array_equal(model.classes_[model.predict_proba(X).argmax(axis=1)], model.predict(X))


def test_two_classes_are_one_sigmoid_and_several_labels_one_each() -> None:
    two = MLPClassifier((16,), random_state=0).fit(X[:100], NAMES[:100])
    assert (two.n_outputs_, two.out_activation_) == (1, "logistic")
    assert two.score(X[:100], NAMES[:100]) == 1
    labels = np.c_[Y == 0, Y >= 1, Y == 1].astype(int)
    for y in (labels, scipy.sparse.csr_matrix(labels), pd.DataFrame(labels)):
        many = MLPClassifier((16,), learning_rate_init=0.05, random_state=0).fit(X, y)
        assert (many.n_outputs_, many.out_activation_, many.classes_.tolist()) == (3, "logistic", [0, 1, 2])
        assert many.predict(X).shape == many.predict_proba(X).shape == (150, 3)
        assert many.score(X, labels) > 0.9
    many.partial_fit(X, labels)
    with pytest.raises(ValueError, match="trained with classes"):
        two.set_params(warm_start=True).fit(X, labels)


def test_several_outputs_of_a_regressor() -> None:
    y = np.c_[TARGET, -TARGET, TARGET**2]
    model = MLPRegressor((32,), learning_rate_init=0.01, max_iter=400, random_state=0).fit(ROWS, y)
    assert model.predict(ROWS).shape == (len(ROWS), 3)
    assert model.score(ROWS, y) > 0.5
    assert model.predict(ROWS[:1]).shape == (1, 3)
    with pytest.raises(ValueError, match="has 2 outputs; the estimator was trained with 3"):
        model.partial_fit(ROWS, y[:, :2])


def test_sparse_examples_stay_sparse_and_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    dense = MLPClassifier(**QUICK, early_stopping=True).fit(DIGITS, DIGIT)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a sparse matrix was made dense")

    for kind in (scipy.sparse.csr_matrix, scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_array):
        matrix = kind(DIGITS.astype(np.float64))
        with monkeypatch.context() as patch:
            for name in ("toarray", "todense"):
                for each in (kind, scipy.sparse.csr_matrix, scipy.sparse.csr_array):
                    patch.setattr(each, name, refuse)
            model = MLPClassifier(**QUICK, early_stopping=True).fit(matrix, DIGIT)
            assert bits(model) == bits(dense)
            assert np.array_equal(model.predict_proba(matrix), dense.predict_proba(DIGITS))
            model.set_params(early_stopping=False).partial_fit(matrix, DIGIT)


def test_bytes_and_float64_are_the_same_numbers() -> None:
    whole = (DIGITS * 16).astype(np.uint8)
    models = [MLPClassifier(**QUICK).fit(whole.astype(kind), DIGIT) for kind in (np.uint8, np.float64, np.int16)]
    assert len({bits(model) for model in models}) == 1


@pytest.mark.parametrize("size", ["auto", 50])
def test_the_form_and_the_type_of_the_data_do_not_matter(size: Any) -> None:
    """Also where a step takes all examples, which merges equal ones."""
    rows = (X * 10).round()
    rows[:, 3] -= rows[0, 3]  # some zeros
    forms = [
        rows, rows.tolist(), np.asfortranarray(rows), rows.astype(">f8"), rows.astype(np.float16), rows.astype(np.int8),
        np.repeat(rows, 2, axis=0)[::2], pd.DataFrame(rows), scipy.sparse.csr_matrix(rows),
        scipy.sparse.coo_array(rows), scipy.sparse.csr_matrix(rows.astype(np.int16)),
    ]  # fmt: skip
    model = MLPClassifier(**QUICK, batch_size=size)
    with_zeros = forms[-1].astype(np.float64)
    with_zeros.data[with_zeros.data == 1] = 0  # stored zeros
    assert len({bits(clone(model).fit(form, NAMES)) for form in forms}) == 1
    assert bits(clone(model).fit(with_zeros, NAMES)) == bits(clone(model).fit(with_zeros.toarray(), NAMES))
    targets = [kind(Y) for kind in (np.float64, np.float32, np.int64, np.int8, list, pd.Series)]
    assert len({bits(MLPRegressor(**QUICK, batch_size=size).fit(X, y)) for y in targets}) == 1


def test_an_example_of_weight_three_is_three_copies_to_the_last_bit() -> None:
    weights = np.random.default_rng(0).integers(0, 4, 150)
    order = np.random.default_rng(1).permutation(weights.sum())
    rows = np.repeat(np.arange(150), weights)[order]
    for estimator, y in ((MLPClassifier(**QUICK), NAMES), (MLPRegressor(**QUICK), X[:, 3])):
        for form in (np.asarray, scipy.sparse.csr_matrix):
            estimator.set_params(batch_size=1000)
            weighted = bits(clone(estimator).fit(form(X), y, sample_weight=weights))
            assert bits(clone(estimator).fit(form(X[rows]), y[rows])) == weighted
            assert bits(clone(estimator).fit(form(X), y)) != weighted
    small = MLPClassifier(**QUICK, batch_size=20, alpha=0)  # the penalty is divided by the sum of the weights
    assert bits(clone(small).fit(X, Y, sample_weight=np.full(150, 5.0))) == bits(clone(small).fit(X, Y))


def test_class_weights_count_as_weights_of_the_examples() -> None:
    few = np.r_[np.arange(50), np.arange(50, 60), np.arange(100, 150)]
    x, y = X[few], NAMES[few]
    settings: dict[str, Any] = {**QUICK, "batch_size": 20}
    balanced = len(y) / (3 * np.array([50, 10, 50]))[np.unique(y, return_inverse=True)[1]]
    assert bits(MLPClassifier(**settings, class_weight="balanced").fit(x, y)) == bits(
        MLPClassifier(**settings).fit(x, y, sample_weight=balanced)
    )
    chosen = np.where(y == "setosa", 3.0, 1.0)
    assert bits(MLPClassifier(**settings, class_weight={"setosa": 3}).fit(x, y)) == bits(
        MLPClassifier(**settings).fit(x, y, sample_weight=chosen)
    )
    of_all = {"setosa": 3, "versicolor": 1, "virginica": 2}
    assert bits(MLPClassifier(**settings, class_weight=of_all).fit(x[:60], y[:60])) == bits(
        MLPClassifier(**settings, class_weight={"setosa": 3}).fit(x[:60], y[:60])  # without a virginica
    )
    both = MLPClassifier(**settings, class_weight={"setosa": 3}).fit(x, y, sample_weight=chosen)
    assert bits(both) == bits(MLPClassifier(**settings).fit(x, y, sample_weight=chosen**2))


# What scikit-learn's estimators lack ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(fastnet.optimizers.CLASSES))
def test_every_optimizer_is_a_solver(name: str) -> None:
    by_name = MLPClassifier(**QUICK, solver=name.lower()).fit(DIGITS, DIGIT)
    assert type(by_name.model_.optimizer).__name__ == name
    given = fastnet.optimizers.CLASSES[name](learning_rate=0.003)
    by_object = MLPClassifier(**QUICK, solver=given)
    assert by_object.fit(DIGITS, DIGIT).loss_curve_[-1] < by_object.loss_curve_[0]
    assert given.iterations == 0  # the given one is as it was
    assert float(by_object.model_.optimizer.learning_rate) == pytest.approx(0.003)


class Halving(fastnet.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step: Any) -> Any:
        return 0.1 * 0.5**step


@pytest.mark.parametrize("rate", [Halving(), lambda: 0.1])
def test_an_optimizer_may_have_a_schedule_of_your_own(rate: Any) -> None:
    solver = fastnet.optimizers.SGD(rate)
    given = MLPClassifier(**QUICK, solver=solver, nesterovs_momentum=False).fit(X, Y)
    named = MLPClassifier(
        **QUICK | {"learning_rate_init": rate}, solver="sgd", momentum=0, nesterovs_momentum=False
    ).fit(X, Y)
    assert bits(given) == bits(named)


def test_dropout_layers_of_your_own_and_losses() -> None:
    model = MLPClassifier((20, 10), dropout=(0.5, 0), max_iter=2).fit(X, Y)
    assert [type(layer).__name__ for layer in model.model_.layers] == ["Dense", "Dropout", "Dense", "Dense"]
    scaler = Normalization()
    scaler.adapt(X.astype(np.float32))
    own = [scaler, Dense(16, "gelu"), BatchNormalization(), Dropout(0.1)]
    for layers in (own, lambda: own, lambda: [Normalization(), Dense(16)][1:]):
        model = MLPClassifier(layers=layers, solver="rmsprop", max_iter=60, learning_rate_init=0.01, random_state=0)
        assert model.fit(X, Y).score(X, Y) > 0.9
        assert bits(clone(model).fit(X, Y)) == bits(model)
    assert not own[1].built  # the given ones are as they were
    first = MLPClassifier(**QUICK, layers=[Input((4,)), Dense(16, "relu")]).fit(X, Y)
    assert bits(first) == bits(MLPClassifier(**QUICK, layers=[Dense(16, "relu")]).fit(X, Y))
    with pytest.raises(ValueError, match=r"x has 4 features.*the model expects 5"):
        MLPClassifier(layers=[Input((5,)), Dense(16, "relu")]).fit(X, Y)
    one = MLPClassifier(layers=fastnet.Sequential([Dense(8, "tanh")]), max_iter=3).fit(X, Y)
    assert [w.shape for w in one.coefs_] == [(4, 8), (8, 3)]
    for loss in (
        "categorical_focal_crossentropy",
        "sparse_categorical_crossentropy",
        fastnet.losses.CategoricalHinge(),
    ):
        assert MLPClassifier(loss=loss, learning_rate_init=0.02, random_state=0).fit(X, NAMES).score(X, NAMES) > 0.6
    for loss in ("mae", fastnet.losses.Huber()):
        assert MLPRegressor(loss=loss, max_iter=300, random_state=0).fit(ROWS, TARGET).score(ROWS, TARGET) > 0.4


def test_callbacks_see_each_epoch_and_may_stop() -> None:
    seen = []
    record = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))
    model = MLPClassifier(max_iter=30, early_stopping=True, random_state=0, callbacks=[
        record, callbacks.EarlyStopping("val_loss", min_delta=1e9, patience=3)
    ]).fit(X, Y)  # fmt: skip
    assert model.n_iter_ == len(seen) == 4
    assert set(seen[0]) == {"loss", "val_loss", "validation_score"}


# Same seed, same bits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [MLPClassifier(**QUICK, dropout=0.2), MLPRegressor(**QUICK, early_stopping=True)])
def test_a_fit_depends_on_its_random_state_alone_and_changes_no_other(estimator: Any) -> None:
    first = bits(clone(estimator).fit(X, Y))
    fastnet.utils.set_random_seed(123)
    before = np.random.get_state()[1].tolist(), rng.generator().bit_generator.state  # noqa: NPY002
    assert bits(clone(estimator).fit(X, Y)) == first
    assert (np.random.get_state()[1].tolist(), rng.generator().bit_generator.state) == before  # noqa: NPY002
    assert bits(clone(estimator).set_params(random_state=1).fit(X, Y)) != first
    states = [clone(estimator).set_params(random_state=np.random.RandomState(5)).fit(X, Y) for _ in range(2)]
    assert bits(states[0]) == bits(states[1])
    unseeded = clone(estimator).set_params(random_state=None)
    results = []
    for _ in range(2):
        fastnet.utils.set_random_seed(5)  # also seeds NumPy's generator, as scikit-learn's users do
        results.append(bits(clone(unseeded).fit(X, Y)))
    assert results[0] == results[1] != bits(clone(unseeded).fit(X, Y))


def test_the_number_of_threads_does_not_matter(threads: Any) -> None:
    results = set()
    for number in (1, 2, 3):
        threads(number)
        results.add(bits(MLPClassifier((64, 64), max_iter=3, random_state=0).fit(DIGITS, DIGIT)))
    assert len(results) == 1


# Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"solver": "lbfgs"}, ValueError, "'lbfgs' is not available in fastnet"),
        ({"solver": "adma"}, ValueError, "unknown solver 'adma'; did you mean 'adam'"),
        ({"solver": 3}, TypeError, "solver must be a name"),
        ({"activation": "logstic"}, ValueError, "unknown activation 'logstic'.*scikit-learn's identity, logistic"),
        ({"loss": "log_los"}, ValueError, "unknown loss 'log_los'.*scikit-learn's log_loss"),
        ({"hidden_layer_sizes": (8, 0)}, ValueError, "hidden_layer_sizes must be at least 1, got 0"),
        ({"hidden_layer_sizes": 2.5}, TypeError, "hidden_layer_sizes must be an integer"),
        ({"alpha": -1}, ValueError, "alpha"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"learning_rate": "adaptiv"}, ValueError, "did you mean 'adaptive'"),
        ({"learning_rate_init": -1}, ValueError, "learning_rate_init"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"tol": None}, TypeError, "tol"),
        ({"early_stopping": "yes"}, TypeError, "early_stopping must be True or False"),
        ({"early_stopping": True, "validation_fraction": 0}, ValueError, "validation_fraction must be above 0"),
        ({"early_stopping": True, "validation_fraction": 0.001}, ValueError, "validation set; it needs at least 2"),
        (
            {"early_stopping": True, "validation_fraction": 0.999},
            ValueError,
            "cannot split 150 examples with validation",
        ),
        ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change"),
        ({"verbose": "yes"}, TypeError, "verbose"),
        ({"dropout": 1}, ValueError, "dropout"),
        ({"dropout": (0.1, 0.2)}, ValueError, "dropout has 2 rates, but there are 1 hidden layers"),
        ({"dropout": 0.5, "layers": []}, ValueError, "put Dropout layers into the list"),
        ({"layers": 5}, TypeError, "layers must be a list of layers"),
        ({"layers": [3]}, TypeError, "layers must be layers"),
        ({"callbacks": [3]}, TypeError, "callbacks must be"),
        ({"class_weight": "balance"}, ValueError, "class_weight must be a dict, 'balanced' or None"),
        ({"class_weight": {"rose": 1}}, ValueError, "class_weight has the class 'rose'"),
        ({"random_state": "x"}, ValueError, "random_state: 'x' cannot be used to seed"),
        ({"random_state": -1}, ValueError, "random_state: Seed must be"),
        ({"momentum": 2}, ValueError, "momentum"),
        ({"beta_1": 1}, ValueError, "beta_1"),
        ({"solver": "sgd", "beta_2": "x"}, TypeError, "beta_2"),
        ({"solver": "sgd", "epsilon": -1}, ValueError, "epsilon"),
        ({"solver": fastnet.optimizers.SGD(), "learning_rate_init": None}, TypeError, "learning_rate_init"),
        ({"alpha": 10**400}, ValueError, "alpha must be a finite number"),
        ({"callbacks": 3}, TypeError, "callbacks must be"),
        ({"n_iter_no_change": np.array([1, 2])}, TypeError, "n_iter_no_change"),
        ({"class_weight": dict.fromkeys(NAMES, 0)}, ValueError, "all examples have weight 0 by .*class_weight"),
        ({"learning_rate_init": lambda step: 0.1}, TypeError, "step"),
    ],
)
def test_a_wrong_parameter_is_named_before_anything_is_trained(settings: Any, error: Any, text: str) -> None:
    model = MLPClassifier(**settings)
    with pytest.raises(error, match=text):
        model.fit(X, NAMES)
    assert not hasattr(model, "model_")


def test_a_refused_fit_leaves_the_trained_estimator_as_it_was() -> None:
    model = MLPClassifier(**QUICK).fit(X, NAMES)
    before, seen = bits(model), model.loss_curve_
    for x, y, weights in ((X, NAMES, -np.ones(150)), (X, NAMES, np.zeros(150)), (X, X, None), (X[:9], NAMES, None)):
        with pytest.raises(ValueError):
            model.fit(x, y, sample_weight=weights)
    assert (bits(model), model.loss_curve_) == (before, seen)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert MLPRegressor(loss="poisson").get_params()["loss"] == "poisson"
    with pytest.raises(ValueError, match="loss='poisson' needs y of at least 0"):
        MLPRegressor(loss="poisson").fit(ROWS, TARGET)


@pytest.mark.filterwarnings("ignore:the loss is not finite")
def test_after_an_error_an_estimator_is_as_it_was() -> None:
    """Whether the data, the names of the features, the loss or a callback makes it."""
    frame, far = pd.DataFrame(X, columns=[*"abcd"]), np.r_[1e300, TARGET[1:]]

    def fail(epoch: int, logs: Any) -> None:
        raise RuntimeError("mine")

    refused: list[tuple[Any, Any, Any, Any]] = [
        (MLPClassifier(), X[:, :2], NAMES, {"sample_weight": -np.ones(150)}),
        (MLPClassifier(loss="categorical_crossentropy"), X, Y > 0, {}),
        (MLPClassifier(), X, np.c_[Y > 0, Y > 1] * 2, {}),
        (MLPClassifier(layers=[Dense(3), Dense(3, name="output")]), X, Y, {}),
        (MLPClassifier(callbacks=callbacks.LambdaCallback(on_epoch_end=fail)), X, Y, {}),
        (MLPRegressor(), ROWS, far, {}),
        (MLPRegressor(), X, NAMES, {}),
        (MLPRegressor(solver="sgd", learning_rate_init=1e6, random_state=0), ROWS * 1e4, TARGET, {}),
    ]
    for estimator, x, y, more in refused:
        error = (ValueError, TypeError, RuntimeError)
        before = vars(estimator).copy()
        with pytest.raises(error):
            estimator.fit(x, y, **more)
        assert vars(estimator) == before
        asked = estimator.get_params()
        estimator.set_params(**type(estimator)(**QUICK).get_params()).fit(frame, Y)
        seen = estimator.predict(frame)
        with pytest.raises(error):
            estimator.set_params(**asked).fit(x, y, **more)
        assert np.array_equal(estimator.predict(frame), seen)
        assert estimator.feature_names_in_.tolist() == [*"abcd"]


def test_errors_name_the_row_of_the_user_and_what_is_wrong_with_labels() -> None:
    for early in (False, True):
        with pytest.raises(ValueError, match="y holds 1e\\+300 at row 77"):
            MLPRegressor(early_stopping=early).fit(X, np.where(np.arange(150) == 77, 1e300, 1))
    with pytest.raises(ValueError, match="2 columns with other numbers than 0 and 1"):
        MLPClassifier().fit(X, np.c_[Y > 0, Y > 1] * 2)
    for other, name in ((None, "NoneType"), (1, "int")):
        with pytest.raises(TypeError, match="labels in y cannot be sorted; expected all of one type"):
            MLPClassifier().fit(X, np.where(Y == 0, np.array("a", object), other))
        with pytest.raises(ValueError, match=f"y has dtype object and holds {name}, str; make labels of one type"):
            MLPClassifier().fit(X, np.where(Y > 0, np.array("a", object), other))


@pytest.mark.parametrize("estimator", [MLPClassifier(early_stopping=True), MLPRegressor(early_stopping=True)])
def test_a_validation_set_without_weight_is_an_error(estimator: Any) -> None:
    texts = set()
    for seed in range(20):
        try:
            estimator.set_params(random_state=seed, max_iter=1).fit(X, Y, sample_weight=np.arange(150) % 30 == 0)
        except ValueError as error:
            texts.add(str(error))
    assert texts == {
        "all examples that early_stopping sets aside have weight 0 by sample_weight or class_weight; at least one "
        "needs a weight above 0"
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden_layer_sizes", (8,)), ("activation", "tanh"), ("dropout", 0.5), ("layers", [Dense(16, "tanh")])],
)
def test_a_training_that_goes_on_refuses_another_network(name: str, value: Any) -> None:
    model = MLPClassifier(**QUICK, warm_start=True).fit(X, Y)
    before = bits(model)
    model = pickle.loads(pickle.dumps(model)).set_params(**{name: value})
    for call in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=f"{name} is .* the network of the last training has .*warm_start=False"):
            call(X, Y)
    assert bits(model) == before
    model.set_params(warm_start=False).fit(X, Y)
    assert bits(model) != before


@pytest.mark.filterwarnings("ignore:the loss is not finite")
def test_weights_that_are_not_finite_are_an_error() -> None:
    with pytest.raises(ValueError, match="infinite or NaN: scale X"):
        MLPRegressor(solver="sgd", learning_rate_init=1e6, random_state=0).fit(ROWS * 1e4, TARGET)


@pytest.mark.parametrize("early", [False, True])
def test_an_interrupted_training_keeps_what_it_has_learned(early: bool) -> None:
    def interrupt(epoch: int, logs: Any) -> None:
        if epoch == 4:
            raise KeyboardInterrupt

    stop = callbacks.LambdaCallback(on_epoch_end=interrupt)
    with pytest.warns(UserWarning, match="was interrupted"):
        model = MLPClassifier(random_state=0, early_stopping=early, callbacks=stop).fit(X, Y)
    assert model.n_iter_ == 5
    assert bits(model) == bits(MLPClassifier(random_state=0, early_stopping=early, max_iter=5).fit(X, Y))


def test_one_row_one_class_and_no_rows() -> None:
    model = MLPClassifier(max_iter=2).fit(X[:1], ["only"])
    assert model.predict(X[:3]).tolist() == ["only"] * 3
    assert model.predict_proba(X[:3]).tolist() == [[1.0]] * 3
    for call in (model.predict, lambda x: MLPRegressor().fit(x, Y[:0])):
        with pytest.raises(ValueError, match=r"0 sample"):
            call(X[:0])


def test_pickles_and_clones() -> None:
    layers = [Rescaling(0.5), Dense(8, "relu")]
    model = MLPClassifier(layers=layers, solver="rmsprop", max_iter=5, random_state=0).fit(X, NAMES)
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict_proba(X), model.predict_proba(X))
    for each in (model, copy):
        each.partial_fit(X, NAMES)
    assert bits(copy) == bits(model)
    fresh = clone(model)
    assert not hasattr(fresh, "model_")
    assert fresh.layers is not layers
    assert repr(MLPClassifier((3,), dropout=0.5)) == "MLPClassifier(dropout=0.5, hidden_layer_sizes=(3,))"
    assert "MLPClassifier" in model._repr_html_()


class Narrow(MLPClassifier):
    """An estimator with parameters of its own."""

    def __init__(self, width: int = 3, random_state: Any = None) -> None:
        self.width = width
        super().__init__((width,), max_iter=3, random_state=random_state)


def test_a_class_of_your_own_has_its_own_parameters() -> None:
    model = clone(Narrow(5, random_state=0))
    assert model.get_params() == {"width": 5, "random_state": 0}
    assert bits(model.fit(X, Y)) == bits(MLPClassifier((5,), max_iter=3, random_state=0).fit(X, Y))


def test_importing_fastnet_does_not_import_scikit_learn() -> None:
    code = "import sys, fastnet; print('sklearn' in sys.modules); print(fastnet.sklearn.MLPClassifier.__name__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "MLPClassifier"]


def test_without_scikit_learn_the_error_says_how_to_install_it() -> None:
    code = "import sys; sys.modules['sklearn'] = None; import fastnet; fastnet.sklearn"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1] == (
        "ImportError: fastnet.sklearn needs sklearn, which is not installed: "
        'python -m pip install "fastnet-mlp[sklearn]"'
    )
