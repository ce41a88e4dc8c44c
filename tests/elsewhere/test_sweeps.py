"""Sweeps: many estimators trained in workers of joblib, Dask and Optuna, with the same bits and one thread a worker."""

import hashlib
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import distributed
import joblib
import numpy as np
import optuna
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, PredefinedSplit

import fastnet
from fastnet import kernels
from fastnet.callbacks import LambdaCallback
from fastnet.datasets import mnist
from fastnet.kernels.allowance import available_cores
from fastnet.layers import Dense, Dropout, Rescaling
from fastnet.sklearn import MLPClassifier

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings(r"ignore:os.fork\(\) was called:RuntimeWarning"),  # of JAX, which no child uses
]

X, Y = load_digits(return_X_y=True)
X = X.astype(np.float32) / 16
CORES = available_cores()


def trained(trial: int = 0) -> tuple[str, int, int]:
    """Trains an estimator; returns a hash of its weights, and how many threads and processes it had."""
    model = MLPClassifier((64, 32), dropout=0.1, max_iter=4, random_state=trial).fit(X, Y)
    weights = b"".join(array.tobytes() for array in model.model_.get_weights())
    return hashlib.sha256(weights).hexdigest(), fastnet.get_num_threads(), os.getpid()


def as_alone(results: list[tuple[str, int, int]], most_threads: int) -> None:
    """Asserts that the trials 0, 1, 2, ... gave the bits of this process, in other processes with few threads."""
    assert [digest for digest, _, _ in results] == [trained(trial)[0] for trial in range(len(results))]
    assert {threads for _, threads, _ in results} <= {*range(1, most_threads + 1)}
    assert os.getpid() not in {process for _, _, process in results}


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_joblibs_workers_have_one_thread_each_and_the_same_bits(backend: str) -> None:
    with joblib.parallel_config(backend, n_jobs=CORES if CORES > 1 else 2):
        as_alone(joblib.Parallel()(joblib.delayed(trained)(trial) for trial in range(4)), most_threads=1)


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_workers_that_python_starts_have_one_thread_each_and_the_same_bits(method: str) -> None:
    with multiprocessing.get_context(method).Pool(2) as pool:
        as_alone(pool.map_async(trained, range(4), chunksize=1).get(timeout=120), most_threads=1)


def test_a_number_of_threads_that_was_asked_for_holds_in_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTNET_NUM_THREADS", str(CORES))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(trained)[1] == CORES


def test_threadpoolctl_limits_the_threads_without_a_setting() -> None:
    code = """
from fastnet.sklearn import MLPClassifier
import fastnet, threadpoolctl
with threadpoolctl.threadpool_limits(1):
    print(fastnet.get_num_threads())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "1\n"


@pytest.fixture
def two_threads(threads: Callable[[int], None]) -> None:
    threads(2)


def test_threads_that_train_at_the_same_time_share_the_cores(two_threads: None) -> None:
    meet, shares = threading.Barrier(2), []

    def watch(epoch: int, logs: Any) -> None:
        if epoch == 1:
            meet.wait(60)  # now both train
            shares.append(kernels._chosen.get_share())
            meet.wait(60)

    def train(trial: int) -> str:
        callback = LambdaCallback(on_epoch_end=watch)
        model = MLPClassifier((64, 32), dropout=0.1, max_iter=4, random_state=trial, callbacks=callback).fit(X, Y)
        return hashlib.sha256(b"".join(array.tobytes() for array in model.model_.get_weights())).hexdigest()

    with joblib.parallel_config("threading", n_jobs=2):
        assert joblib.Parallel()(joblib.delayed(train)(trial) for trial in range(2)) == [trained(0)[0], trained(1)[0]]
    assert shares == [1, 1]
    assert kernels._chosen.get_share() == kernels.get_num_threads() == 2


@pytest.mark.parametrize("method", [*multiprocessing.get_all_start_methods()])
def test_a_trained_estimator_goes_to_a_process_and_comes_back(method: str) -> None:
    model = MLPClassifier((16,), max_iter=3, random_state=0).fit(X, Y)
    with multiprocessing.get_context(method).Pool(1) as pool:
        back = pool.apply(model.partial_fit, (X, Y))
        assert np.array_equal(pool.apply(back.predict_proba, (X,)), back.predict_proba(X))
        network = pool.apply(pickle.loads, (pickle.dumps(model.model_),))
    assert np.array_equal(network.predict(X, verbose=0), model.predict_proba(X))
    model.partial_fit(X, Y)
    assert np.array_equal(back.predict_proba(X), model.predict_proba(X))


@pytest.fixture(scope="module")
def client() -> Iterator[distributed.Client]:
    """A scheduler of Dask with two worker processes."""
    with (
        distributed.LocalCluster(n_workers=2, processes=True, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_grid_search_under_dask_gives_the_bits_of_one_here(client: distributed.Client) -> None:
    grid = {"hidden_layer_sizes": [(16,), (32,)], "solver": ["adam", "rmsprop"]}
    search = GridSearchCV(MLPClassifier(max_iter=5, random_state=0, dropout=0.1), grid, cv=2)
    here = search.fit(X, Y)
    scores, probabilities = here.cv_results_["mean_test_score"], here.predict_proba(X)
    with joblib.parallel_config("dask"):
        search.fit(X, Y)
    assert np.array_equal(search.cv_results_["mean_test_score"], scores)
    assert np.array_equal(search.predict_proba(X), probabilities)
    workers = client.run(lambda: (sys.modules["fastnet"].get_num_threads(), os.getpid()))
    assert {threads for threads, _ in workers.values()} == {1}
    assert len({process for _, process in workers.values()} | {os.getpid()}) == 3


def test_the_seed_of_a_trial_does_not_depend_on_dasks_worker(client: distributed.Client) -> None:
    addresses = [*client.scheduler_info()["workers"]]
    futures = [client.submit(trained, trial, workers=addresses[(trial + shift) % 2], pure=False)
               for shift in range(2) for trial in range(2)]  # fmt: skip
    first, second, *swapped = client.gather(futures)
    as_alone([first, second], most_threads=1)
    as_alone(swapped, most_threads=1)
    assert (first[2], second[2]) == (swapped[1][2], swapped[0][2])  # each on the other worker


def seed_of(root: int, trial: int) -> int:
    """As on docs/elsewhere/sweeps.md."""
    return int(np.random.SeedSequence([root, trial]).generate_state(1)[0])


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_study_of_optuna_gives_the_same_values_on_one_thread_and_two(jobs: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: optuna.Trial) -> float:
        width, dropout = trial.suggest_int("width", 8, 64), trial.suggest_float("dropout", 0, 0.5)
        model = MLPClassifier((width,), dropout=dropout, max_iter=5, random_state=seed_of(7, trial.number))
        return model.fit(X[:1200], Y[:1200]).score(X[1200:], Y[1200:])

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for width in (16, 32, 64, 16):
        study.enqueue_trial({"width": width, "dropout": 0.25})
    study.optimize(objective, n_trials=4, n_jobs=jobs)
    values = {trial.number: trial.value for trial in study.trials}
    assert values == {
        trial.number: objective(optuna.trial.FixedTrial(trial.params, trial.number)) for trial in study.trials
    }
    assert values[0] != values[3]  # the same parameters with another seed


def test_real_digits_reach_98_percent_in_a_grid_search_over_two_workers(mnist_folder: Path) -> None:
    (x, y), (x_test, y_test) = mnist.load_data(mnist_folder)
    x, x_test = x.reshape(-1, 784), x_test.reshape(-1, 784)  # bytes, which the first layer scales
    layers = [Rescaling(1 / 255), Dense(512, "relu"), Dropout(0.2)]
    model = MLPClassifier(layers=layers, alpha=0, batch_size=128, max_iter=8, random_state=0)
    held = PredefinedSplit(np.r_[np.full(50_000, -1), np.zeros(10_000)])
    search = GridSearchCV(model, {"solver": ["rmsprop", "sgd"]}, cv=held, n_jobs=2).fit(x, y)
    assert search.best_params_ == {"solver": "rmsprop"}
    assert search.best_score_ > 0.975
    assert search.score(x_test, y_test) >= 0.98


def test_a_search_runs_as_a_script(tmp_path: Path) -> None:
    """Under spawn, a worker imports the script again."""
    script = tmp_path / "search.py"
    script.write_text(
        "import multiprocessing\n"
        "from sklearn.datasets import load_iris\n"
        "from sklearn.model_selection import GridSearchCV\n"
        "from fastnet.sklearn import MLPClassifier\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.set_start_method('spawn')\n"
        "    search = GridSearchCV(MLPClassifier(max_iter=900, random_state=0), {'alpha': [0, 1]}, n_jobs=2)\n"
        "    print(search.fit(*load_iris(return_X_y=True)).best_score_ > 0.9)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(fastnet.__file__).parents[1])}
    run = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert (run.stdout, run.returncode) == ("True\n", 0), run.stderr


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_rays_workers_have_one_thread_each_and_the_same_bits() -> None:
    ray = pytest.importorskip("ray", reason="needs Ray, which is not installed: python -m pip install ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        task = ray.remote(num_cpus=1)(trained)
        as_alone(ray.get([task.remote(trial) for trial in range(4)]), most_threads=1)
    finally:
        ray.shutdown()
