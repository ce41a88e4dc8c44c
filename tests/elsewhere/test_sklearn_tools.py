"""The estimators in scikit-learn's tools: pipelines, searches, routed metadata and pandas frames."""

import re
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fastnet
from fastnet.layers import Dense, GaussianNoise
from fastnet.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True, as_frame=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
QUICK: dict[str, Any] = {"hidden_layer_sizes": (16,), "max_iter": 40, "learning_rate_init": 0.02, "random_state": 0}


def test_a_pipeline_with_a_frame_of_numbers_and_words() -> None:
    frame = X.assign(color=np.where(Y == 0, "blue", "red"), when=pd.array([1, 2] * 75, dtype="Int64"))
    columns = ColumnTransformer([("words", OneHotEncoder(), ["color"]), ("numbers", StandardScaler(), [*X.columns])])
    model = Pipeline([("columns", columns), ("mlp", MLPClassifier(**QUICK))]).fit(frame, NAMES)
    assert model.score(frame, NAMES) > 0.95
    model.set_params(mlp__hidden_layer_sizes=(4,), columns__sparse_threshold=1).fit(frame, NAMES)
    assert model[-1].coefs_[0].shape == (6, 4)


def test_set_output_hands_the_estimator_the_names_of_the_features() -> None:
    model = make_pipeline(StandardScaler(), MLPClassifier(**QUICK)).set_output(transform="pandas").fit(X, NAMES)
    assert model[-1].feature_names_in_.tolist() == [*X.columns]
    with pytest.raises(ValueError, match="feature names should match"):
        model[-1].predict(X.rename(columns={X.columns[0]: "other"}))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model[-1].predict(X.to_numpy())


def test_a_cached_pipeline_with_a_trained_estimator_inside(tmp_path: Any) -> None:
    trained = MLPClassifier(**QUICK).fit(X, NAMES)
    assert joblib.hash(trained) == joblib.hash(trained) != joblib.hash(MLPClassifier(**QUICK).fit(X, Y))
    stack = StackingClassifier(
        [("a", trained), ("b", MLPClassifier(**QUICK, solver="rmsprop"))], MLPClassifier(**QUICK), cv=2
    )
    assert make_pipeline(StandardScaler(), stack, memory=str(tmp_path)).fit(X, NAMES).score(X, NAMES) > 0.9


def test_a_grid_search_over_two_workers_finds_what_one_finds() -> None:
    grid = {"mlp__solver": ["adam", "rmsprop"], "mlp__dropout": [0, 0.2], "mlp__layers": [None, [Dense(8, "tanh")]]}
    grid_of = [{**grid, "mlp__dropout": [0]}, {**grid, "mlp__layers": [None]}]
    model = Pipeline([("scale", StandardScaler()), ("mlp", MLPClassifier(**QUICK))])
    one, two = (GridSearchCV(model, grid_of, cv=3, n_jobs=jobs).fit(X, NAMES) for jobs in (1, 2))
    assert np.array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_.keys() == two.best_params_.keys()
    assert np.array_equal(one.predict_proba(X), two.predict_proba(X))
    assert two.best_score_ > 0.9


def test_other_ways_to_fit_many_estimators() -> None:
    mlp = MLPClassifier(**QUICK)
    assert cross_val_score(mlp, X, NAMES, n_jobs=2, cv=3).min() > 0.85
    assert cross_val_predict(mlp, X, NAMES, method="predict_proba").shape == (150, 3)
    result = cross_validate(mlp, X, NAMES, scoring=["roc_auc_ovr", "neg_log_loss"], n_jobs=2)
    assert result["test_roc_auc_ovr"].mean() > 0.95
    assert learning_curve(mlp, X, NAMES, train_sizes=[50, 70], cv=2, shuffle=True, random_state=0)[1].shape == (2, 2)
    search = RandomizedSearchCV(mlp, {"alpha": [0, 1e-3, 1], "early_stopping": [True, False]}, n_iter=3, random_state=0)
    assert search.fit(X, NAMES).best_score_ > 0.8
    for many in (
        BaggingClassifier(mlp, 3, n_jobs=2, random_state=0),
        VotingClassifier([("a", mlp), ("b", MLPClassifier(**QUICK, activation="tanh"))], voting="soft", n_jobs=2),
        CalibratedClassifierCV(mlp, cv=2),
    ):
        assert many.fit(X, NAMES).score(X, NAMES) > 0.9
    several = MultiOutputClassifier(mlp).fit(X, np.c_[NAMES, Y > 0])
    assert several.predict(X).shape == (150, 2)
    assert permutation_importance(several.estimators_[0], X, NAMES, n_repeats=2)["importances_mean"].shape == (4,)
    x, y = load_diabetes(return_X_y=True)
    scaled = TransformedTargetRegressor(MLPRegressor(**QUICK), transformer=StandardScaler())
    assert cross_val_score(scaled, x * 10, y, n_jobs=2, cv=3).mean() > 0.3


def test_metadata_routing_of_weights() -> None:
    weights = np.where(Y == 0, 5.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        mlp = MLPClassifier(**QUICK).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        model = make_pipeline(scaler, mlp).fit(X, NAMES, sample_weight=weights)
        direct = MLPClassifier(**QUICK).fit(StandardScaler().fit_transform(X), NAMES, sample_weight=weights)
        assert np.array_equal(model[-1].coefs_[0], direct.coefs_[0])
        scores = cross_validate(mlp, X, NAMES, params={"sample_weight": weights}, cv=3)["test_score"]
        assert len(scores) == 3
        part = MLPClassifier().set_partial_fit_request(sample_weight=True, classes=True)
        assert part.get_metadata_routing().partial_fit.requests == {"sample_weight": True, "classes": True}
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            make_pipeline(scaler, MLPClassifier()).fit(X, NAMES, sample_weight=weights)


def test_a_search_with_random_layers_and_a_random_state_of_its_own() -> None:
    def noisy() -> list[Any]:
        return [GaussianNoise(0.1), Dense(16, "relu")]

    settings = QUICK | {"random_state": np.random.RandomState(3)}
    runs = [cross_val_score(MLPClassifier(**settings, layers=noisy), X, NAMES, cv=2, n_jobs=n) for n in (1, 2)]
    assert np.array_equal(*runs)


def test_a_search_over_the_arguments_of_an_optimizer() -> None:
    given = fastnet.optimizers.Adam(0.5)
    model = make_pipeline(StandardScaler(), MLPClassifier(**QUICK, solver=given))
    rates = [1e-9, 0.02]
    search = GridSearchCV(model, {"mlpclassifier__solver__learning_rate": rates}, cv=2).fit(X, NAMES)
    plain = [
        GridSearchCV(clone(model).set_params(mlpclassifier__solver=fastnet.optimizers.Adam(rate)), {}, cv=2)
        for rate in rates
    ]
    scores = [one.fit(X, NAMES).best_score_ for one in plain]
    assert search.cv_results_["mean_test_score"].tolist() == scores
    assert (float(given.learning_rate), search.best_params_) == (0.5, {"mlpclassifier__solver__learning_rate": 0.02})
    with pytest.raises((TypeError, ValueError), match="rate"):
        MLPClassifier(solver=given).set_params(solver__rate=3)
    with pytest.raises(TypeError, match="solver__rho needs an optimizer object as solver, got 'rmsprop'"):
        MLPClassifier(solver="adam").set_params(solver="rmsprop", solver__rho=0.5)
    with pytest.raises(ValueError, match="Invalid parameter 'hidden'"):
        MLPClassifier().set_params(hidden=3)


def test_no_model_of_a_search_knows_the_model_of_another() -> None:
    stop = fastnet.callbacks.EarlyStopping("loss", patience=2)
    search = GridSearchCV(MLPClassifier(**QUICK, callbacks=[stop]), {"alpha": [0, 1]}, cv=2).fit(X, NAMES)
    assert not hasattr(stop, "model")
    assert search.best_estimator_.callbacks[0].model is search.best_estimator_.model_


def test_digits_as_bytes_in_a_search() -> None:
    x, y = load_digits(return_X_y=True)
    layers = [fastnet.layers.Rescaling(1 / 16), Dense(64, "relu")]
    mlp = MLPClassifier(layers=layers, max_iter=20, random_state=0)
    scores = cross_val_score(mlp, x.astype(np.uint8), y, cv=3, n_jobs=2)
    assert scores.min() > 0.8


def test_the_page_for_those_who_come_from_scikit_learn(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "from-scikit-learn.md").read_text(encoding="utf-8")
    code = re.search(r'^```py title="with fastnet"\n(.*?)^```$', page, re.DOTALL | re.MULTILINE)
    assert code is not None
    exec(code[1], {"__name__": "__main__"})
    assert float(capsys.readouterr().out) > 0.85
