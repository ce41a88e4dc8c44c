"""Training over MPI: several ranks train as one process does, and a rank that fails ends all of them.

Each test starts `mpirun` with fresh processes and a limit of time, so that a rank that waits forever is a failure. The
trainings whose results are compared are in ranks.py. All of them run in one `mpirun` for each number of ranks.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ranks
from helpers import U

import fastnet as keras
from fastnet import kernels
from fastnet.utils import set_random_seed

ROOT = Path(keras.__file__).parents[1]
LIMIT = 120  # seconds; it takes a few


def mpirun(size: int, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python on so many ranks; after the limit of time, ends them and fails."""
    command = shutil.which("mpirun")
    assert command, "mpirun is missing; on Debian: apt-get install openmpi-bin libopenmpi-dev"
    options = ["--oversubscribe", "--bind-to", "none"]  # so many ranks on few cores
    if os.geteuid() == 0:
        options.append("--allow-run-as-root")
    if not shutil.which("ssh") and not shutil.which("rsh"):  # a container, where only this machine takes part
        options += ["--mca", "plm", "isolated"]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [command, *options, "-n", str(size), sys.executable, "-W", "error", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"} | environment,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)  # mpirun ends its ranks
        out, err = process.communicate()
        pytest.fail(f"the ranks did not end within {LIMIT} seconds\n{out}\n{err}")
    return subprocess.CompletedProcess(command, process.returncode, out, err)


HEAD = """
import os, signal, sys
import numpy as np
import fastnet as keras
from fastnet.distributed import DataParallel
d = DataParallel(timeout=60)
keras.utils.set_random_seed(1)
rng = np.random.default_rng(0)
x, y = rng.standard_normal((100, 12), dtype=np.float32), rng.integers(0, 3, 100)
model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(3, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"], distribution=d)

def tell(text):
    os.write(1, f"[{d.rank}] {text}\\n".encode())  # in one piece

def attempt(**arguments):
    try:
        model.fit(**{"x": x, "y": y, "epochs": 3, "verbose": 0} | arguments)
        tell("trained")
    except Exception as error:
        tell(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs a program on some ranks, after the lines of HEAD."""

    def run(text: str, size: int = 2, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "script.py").write_text(HEAD + textwrap.dedent(text))
        return mpirun(size, str(tmp_path / "script.py"), *arguments, **environment)

    return run


def said(run: subprocess.CompletedProcess[str], rank: int) -> list[str]:
    """The lines of one rank's `tell`."""
    mark = f"[{rank}] "
    return [line.strip().removeprefix(mark) for line in run.stdout.splitlines() if line.startswith(mark)]


# Several ranks train as one process does ------------------------------------------------------------------------------


def ran(size: int, folder: Path, *names: str) -> list[dict[str, Any]]:
    """What each rank got in the trainings of ranks.py."""
    run = mpirun(size, str(Path(ranks.__file__)), str(folder), *names)
    assert run.returncode == 0, run.stdout + run.stderr
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(size)]


@pytest.fixture(scope="module", params=[2, 4])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return ran(request.param, tmp_path_factory.mktemp("ranks"))


@pytest.fixture(scope="module")
def alone() -> dict[str, dict[str, Any]]:
    """What one process gets."""
    results = {}
    for name, train in ranks.CASES.items():
        set_random_seed(1)
        results[name] = train(None)
    return results


@pytest.mark.parametrize("name", ranks.CASES)
def test_ranks_train_as_one_process_does(
    name: str, found: list[dict[str, Any]], alone: dict[str, dict[str, Any]]
) -> None:
    """To rounding: the gradients' sums are split, which changes their last bit, as the next test shows.

    These trainings take up to 12 steps. A step multiplies a difference in the weights by at most the largest eigenvalue
    of 1 - rate H, for the Hessian H of the loss; with these small rates it is near 1. So the differences of the steps
    add up: 12 steps with gradients of relative error 32 u, in weights of size about 1. The bound leaves a factor of 4
    above 12 * 32 u = 2.3e-5 for BatchNormalization, whose division by small deviations enlarges errors. A wrong share
    or a wrong random number is a difference of at least 1e-2.
    """
    for key, expected in alone[name].items():
        mine = found[0][f"{name}: {key}"]
        assert mine.shape == expected.shape, key
        assert np.isfinite(expected).all(), key
        assert np.abs(mine - expected).max(initial=0) <= 1e-4 * np.abs(expected).max(initial=0) + 1e-6, key


def test_all_ranks_get_the_same_bits(found: list[dict[str, Any]]) -> None:
    for other in found[1:]:
        assert other.keys() == found[0].keys()
        assert [key for key in other if other[key].tobytes() != found[0][key].tobytes()] == []


def test_the_same_number_of_ranks_gives_the_same_bits_again(tmp_path: Path) -> None:
    """With 3 ranks, whose parts differ in size."""
    names = "plain", "random_layers", "batch_normalization", "coupled_losses", "few_rows", "streams"
    runs = []
    for i in range(2):
        (tmp_path / str(i)).mkdir()
        runs.append(ran(3, tmp_path / str(i), *names))
    first = runs[0][0]
    for each in (*runs[0], *runs[1]):
        assert [key for key in first if first[key].tobytes() != each[key].tobytes()] == []


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_first_step_keeps_the_derived_bound(size: int, script: Any, tmp_path: Path) -> None:
    """The bound of a sum: N. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., 2002, section 3.1.

    A gradient is g = sum over the B rows of x_n dz_n. The ranks have the same weights, so the same x_n and, but for two
    roundings of the factor 1 / B, the same dz_n as one process. One process sums B products: its error is at most
    gamma(B) S, with S = sum |x_n dz_n| and gamma(n) = n u / (1 - n u). On p ranks a product is part of a sum of at most
    B / p + 1 numbers and of p - 1 further additions, after two roundings: gamma(B / p + p + 3) S. SGD with rate 1 then
    subtracts g, which rounds once more: u |w'| in each.
    """
    rows = 32
    run = script(
        """
        model.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy", distribution=d)
        history = model.fit(x[:32], y[:32], batch_size=32, shuffle=False, verbose=0).history
        np.savez(f"{sys.argv[1]}/{d.rank}.npz", *model.get_weights(), loss=history["loss"])
        """,
        size,
        str(tmp_path),
    )
    assert run.returncode == 0, run.stderr
    found = np.load(tmp_path / "0.npz")

    set_random_seed(1)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((100, 12), dtype=np.float32)[:rows], rng.integers(0, 3, 100)[:rows]
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    w1, b1, w2, b2 = (w.astype(np.float64) for w in model.get_weights())
    loss = model.fit(x, y, batch_size=rows, shuffle=False, verbose=0).history["loss"]

    hidden = np.maximum(x @ w1 + b1, 0)
    z = hidden @ w2 + b2
    p = np.exp(z - z.max(axis=1, keepdims=True))
    dz2 = (p / p.sum(axis=1, keepdims=True) - np.eye(3)[y]) / rows
    dz1 = (dz2 @ w2.T) * (hidden > 0)
    sums = [
        abs(a).T @ abs(dz) for a, dz in ((x, dz1), (np.ones((rows, 1)), dz1), (hidden, dz2), (np.ones((rows, 1)), dz2))
    ]

    def gamma(n: float) -> float:
        return n * U / (1 - n * U)

    factor = gamma(rows) + gamma(rows / size + size + 3)
    for i, (expected, total) in enumerate(zip(model.get_weights(), sums, strict=True)):
        mine = found[f"arr_{i}"]
        bound = factor * total.reshape(expected.shape) + 2 * U * np.abs(expected)
        assert (np.abs(mine - expected) <= bound).all()
        assert (bound < 1e-4).all()  # a bound that says something
    # The losses of the rows have the same bits; they are summed in float64.
    assert abs(found["loss"][0] - loss[0]) <= 2 * rows * 2.0**-53 * loss[0]


def test_rank_0s_weights_and_random_numbers_count(script: Any, tmp_path: Path) -> None:
    run = script(
        """
        keras.utils.set_random_seed(d.rank)
        layers = keras.layers
        model = keras.Sequential([layers.Dense(16, "relu"), layers.Dropout(0.2), layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", distribution=d)
        if d.rank == 0:
            model.build((None, 12))
            model.optimizer.iterations = 5  # as after a load of rank 0 alone
        model.fit(x, y, epochs=2, verbose=0)
        np.savez(f"{sys.argv[1]}/{d.rank}.npz", *model.get_weights())
        """,
        2,
        str(tmp_path),
    )
    assert run.returncode == 0, run.stderr
    set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((100, 12), dtype=np.float32), rng.integers(0, 3, 100)
    layers = keras.layers
    model = keras.Sequential([layers.Dense(16, "relu"), layers.Dropout(0.2), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.build((None, 12))
    assert model.optimizer is not None
    model.optimizer.iterations = 5
    model.fit(x, y, epochs=2, verbose=0)
    for rank in range(2):
        found = np.load(tmp_path / f"{rank}.npz")
        for i, expected in enumerate(model.get_weights()):
            assert np.abs(found[f"arr_{i}"] - expected).max() < 1e-5


# Only rank 0 shows and writes -----------------------------------------------------------------------------------------


def test_only_rank_0_draws_and_writes(script: Any, tmp_path: Path) -> None:
    run = script(
        """
        entries = [
            keras.callbacks.CSVLogger(f"{sys.argv[1]}/log_{d.rank}.csv"),
            keras.callbacks.ModelCheckpoint(f"{sys.argv[1]}/model_{d.rank}.safetensors", "loss", verbose=1),
            keras.callbacks.BackupAndRestore(f"{sys.argv[1]}/backup_{d.rank}", delete_checkpoint=False),
            keras.callbacks.EarlyStopping("loss", min_delta=10, verbose=1),
        ]
        model.fit(x, y, epochs=3, callbacks=entries, verbose=2)
        model.evaluate(x, y, verbose=2)
        model.predict(x, verbose=2)
        """,
        2,
        str(tmp_path),
    )
    assert run.returncode == 0, run.stderr
    names = {path.name for path in tmp_path.iterdir()} - {"script.py"}
    assert names == {"log_0.csv", "model_0.safetensors", "backup_0"}
    for line in ("Epoch 1/3", "Epoch 1: saving model", "Epoch 2: early stopping"):
        assert sum(text.startswith(line) for text in run.stdout.splitlines()) == 1, run.stdout
    assert sum("step" in text for text in run.stdout.splitlines()) == 4, run.stdout  # two epochs, evaluate, predict


# A rank that fails ----------------------------------------------------------------------------------------------------

FAILS = """
class Fails(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1 and d.rank == d.size - 1:
            {0}
model.fit(x, y, epochs=1000, verbose=0, callbacks=Fails())
tell("trained")
"""


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("raise ValueError('my own')", "ValueError: my own"),
        ("sys.exit(0)", "SystemExit: 0"),
        ("os.kill(os.getpid(), signal.SIGINT)", "KeyboardInterrupt"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "exited on signal 9"),
        ("os._exit(0)", "exiting improperly"),
    ],
)
def test_a_rank_that_fails_in_the_training_ends_all_with_its_message(what: str, error: str, script: Any) -> None:
    run = script(FAILS.format(what))
    assert run.returncode != 0
    assert error in run.stderr
    if "mpi" not in error and "signal" not in error and "improperly" not in error:
        assert "fastnet.distributed: rank 1 has failed:" in run.stderr
        assert "Traceback" in run.stderr
    assert "trained" not in run.stdout


def test_an_error_before_the_training_is_an_exception_on_all_ranks(script: Any) -> None:
    run = script(
        """
        last = d.rank == d.size - 1
        broken = x.copy()
        broken[3, 3] = np.nan
        class Begins(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                if last:
                    raise OSError("no room")
        attempt(x=broken)
        attempt(x=broken if last else x)
        attempt(callbacks=Begins())
        attempt(x=x[::-1] if last else x)
        attempt(batch_size=16 if last else 32)
        attempt(callbacks=keras.callbacks.TerminateOnNaN() if last else None)
        attempt(x=iter([(x[:10], y[:10])] * (2 if last else 3)), y=None, epochs=1)
        attempt(x=iter([(x[:10], y[:10]), (x[:5 if last else 10], y[:5 if last else 10])]), y=None, epochs=1)
        class Changes(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if last:
                    self.model.layers[0].kernel.assign(self.model.layers[0].kernel * 2)
        attempt(callbacks=Changes())
        attempt()
        try:
            model.train_on_batch(x, y)
        except RuntimeError as error:
            tell(f"RuntimeError: {error}")
        """,
        3,
    )
    assert run.returncode == 0, run.stderr
    nan = "ValueError: x holds nan at row 3, column 3; expected finite numbers"
    other = "all ranks must have the same model, and give the same data and arguments to fit"
    expected = [
        (nan, nan),
        (f"RuntimeError: fit does not begin, since rank 2 raised {nan}", nan),
        ("RuntimeError: fit does not begin, since rank 2 raised OSError: no room", "OSError: no room"),
        *[("ValueError: x and y, the numbers in them (a checksum): rank 0 has ",) * 2],
        *[("ValueError: the argument batch_size: rank 0 has 32, but rank 2 has 16; " + other,) * 2],
        *[
            ("ValueError: the list of fastnet's callbacks: rank 0 has ['History'], but rank 2 has ['TerminateOnNaN',",)
            * 2
        ],
        *[("ValueError: batch 2 of x is another one on rank 2 (0 rows) than on rank 0 (10 rows)",) * 2],
        *[("ValueError: batch 1 of x is another one on rank 2 (5 rows) than on rank 0 (10 rows)",) * 2],
        *[("RuntimeError: after epoch 1, rank 2 has other weights than rank 0",) * 2],
        *[("trained",) * 2],
        *[("RuntimeError: train_on_batch trains this process alone",) * 2],
    ]
    for rank in range(3):
        lines = said(run, rank)
        assert len(lines) == len(expected), run.stdout
        for line, (of_others, of_last) in zip(lines, expected, strict=True):
            assert line.startswith(of_last if rank == 2 else of_others), (rank, line)


def test_a_rank_that_ends_early_is_missed(script: Any) -> None:
    run = script(
        """
        if d.rank < 2:
            attempt()
        if d.rank < 1:
            attempt()
        """,
        2,
    )
    assert run.returncode == 0, run.stderr
    assert said(run, 1) == ["trained"]
    assert said(run, 0) == [
        "trained",
        "RuntimeError: rank 1 has ended; every rank must call fit, and as often as the others",
    ]


@pytest.mark.parametrize("what", ["raise ValueError('my own')", "sys.exit(0)"])
def test_a_rank_that_never_calls_fit_is_missed(what: str, script: Any) -> None:
    run = script(f"if d.rank:\n    {what}\nattempt()\n")
    if "ValueError" in what:
        assert run.returncode != 0
        assert "ValueError: my own" in run.stderr
        assert "rank 1 has ended with an error" in run.stderr
    else:
        assert run.returncode == 0
        assert said(run, 0) == ["RuntimeError: rank 1 has ended; every rank must call fit, and as often as the others"]


def test_a_rank_does_not_wait_forever(script: Any) -> None:
    run = script(
        """
        import time
        d.timeout = 0.5
        if d.rank == 0:
            attempt()
        time.sleep(20)
        """
    )
    assert run.returncode != 0
    assert "rank 0 has waited 0.5 seconds for the other ranks to come to the beginning of fit" in run.stderr


# Going on -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frequency", ["epoch", 2])
def test_an_interrupted_training_goes_on_with_the_same_bits(frequency: Any, script: Any, tmp_path: Path) -> None:
    """The backup is in a folder of rank 0, as if the ranks had no disk in common."""
    text = f"""
    class Dies(keras.callbacks.Callback):
        batches = 0
        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1
            if self.batches == 7 and sys.argv[2] == "dies" and d.rank:  # in the second epoch of four batches
                raise ValueError("died")
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((12,)), layers.Dense(16, "relu"), layers.Dropout(0.2, seed=2), layers.BatchNormalization(),
        layers.Dropout(0.2), layers.Dense(3, "softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"], distribution=d)
    stopping = keras.callbacks.EarlyStopping("loss", patience=9)
    backup = keras.callbacks.BackupAndRestore(f"{{sys.argv[1]}}/backup_{{d.rank}}", save_freq={frequency!r})
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[Dies(), stopping, backup]).history
    np.savez(f"{{sys.argv[1]}}/{{sys.argv[2]}}_{{d.rank}}.npz", *model.get_weights(), loss=history["loss"][-1],
             wait=stopping.wait, best=stopping.best)
    """
    assert script(text, 2, str(tmp_path), "whole").returncode == 0
    assert "died" in script(text, 2, str(tmp_path), "dies").stderr
    assert (tmp_path / "backup_0" / "latest.safetensors").exists()
    run = script(text, 2, str(tmp_path), "again")
    assert run.returncode == 0, run.stderr
    whole = np.load(tmp_path / "whole_0.npz")
    for rank in range(2):
        again = np.load(tmp_path / f"again_{rank}.npz")
        assert [key for key in whole.files if whole[key].tobytes() != again[key].tobytes()] == []
    assert not (tmp_path / "backup_0").exists()


def test_a_loaded_model_goes_on_with_the_same_bits(script: Any, tmp_path: Path) -> None:
    run = script(
        """
        path = f"{sys.argv[1]}/model.safetensors"
        model.fit(x, y, epochs=2, verbose=0, shuffle=False)
        if d.rank == 0:
            model.save(path)
        d.communicator.Barrier()
        other = keras.models.load_model(path)
        assert other.distribution is None
        other.distribution = d
        for each in model, other:
            each.fit(x, y, initial_epoch=2, epochs=4, verbose=0, shuffle=False)
        tell([w.tobytes() for w in model.get_weights()] == [w.tobytes() for w in other.get_weights()])
        """,
        2,
        str(tmp_path),
    )
    assert run.returncode == 0, run.stderr
    assert said(run, 0) == said(run, 1) == ["True"]


# The rest -------------------------------------------------------------------------------------------------------------


def test_the_ranks_share_the_cores(script: Any) -> None:
    text = "model.fit(x, y, verbose=0)\ntell(keras.get_num_threads())\n"
    share = max(1, kernels.allowance.available_cores() // 3)
    run = script(text, 3)
    assert [said(run, rank) for rank in range(3)] == [[str(share)]] * 3, run.stderr
    run = script(text, 2, FASTNET_NUM_THREADS="1")
    assert [said(run, rank) for rank in range(2)] == [["1"]] * 2, run.stderr


def test_a_distribution_is_neither_copied_nor_saved(script: Any) -> None:
    run = script(
        """
        import copy, pickle
        model.fit(x, y, verbose=0)
        for each in copy.deepcopy(model), pickle.loads(pickle.dumps(model)), keras.models.clone_model(model):
            assert each.distribution is None
        assert model.distribution is d
        if d.rank == 0:  # on copies, so no other rank is needed
            assert model.check_gradients(x[:20], y[:20])
            assert "distributed" not in str(model.profile(x, y))
        try:
            model.compile("adam", "mse", distribution="all")
        except TypeError as error:
            tell(error)
        assert model.distribution is d
        model.compile("adam", "sparse_categorical_crossentropy")
        assert model.distribution is None
        tell(d)
        """
    )
    assert run.returncode == 0, run.stderr
    error = "distribution must be a fastnet.distributed.DataParallel or None, got 'all'"
    assert said(run, 1) == [error, "DataParallel(rank=1, size=2)"]


def test_the_program_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a tenth of the digits."""
    monkeypatch.setattr(keras.datasets.synthetic, "_TRAIN", 6000)
    monkeypatch.setattr(keras.datasets.synthetic, "_TEST", 1000)
    few = "import fastnet; digits = fastnet.datasets.synthetic; digits._TRAIN, digits._TEST = 6000, 1000"
    page = (ROOT / "docs" / "distributed.md").read_text(encoding="utf-8")
    (tmp_path / "train.py").write_text(page.split('```py title="train.py"\n')[1].split("```")[0])
    run = mpirun(2, "-c", f"{few}; import os, runpy; os.chdir({str(tmp_path)!r}); runpy.run_path('train.py')")
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("Epoch 2/2") == 1
    model = keras.models.load_model(tmp_path / "digits.safetensors")
    (_, _), (x_test, y_test) = keras.datasets.synthetic.load_data()
    assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.8


def test_one_rank_trains_as_without_a_distribution(script: Any, tmp_path: Path) -> None:
    """Also without mpirun. Recorded steps are repeated as usual."""
    text = """
    found = []
    for distribution in None, d:
        keras.utils.set_random_seed(1)
        twin = keras.models.clone_model(model)
        twin.distribution = distribution
        twin.fit(x, y, epochs=3, verbose=0)
        found.append([w.tobytes() for w in twin.get_weights()])
    tell(found[0] == found[1])
    """
    run = script(text, 1)
    assert said(run, 0) == ["True"], run.stderr
    alone = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert said(alone, 0) == ["True"], alone.stderr
