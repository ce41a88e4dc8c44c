"""BackupAndRestore: a training that was interrupted ends as one that was not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, metrics, rng, saving
from fastnet.callbacks import BackupAndRestore, Callback, EarlyStopping, LearningRateScheduler, ReduceLROnPlateau
from fastnet.layers import Dense, Dropout, Input
from fastnet.optimizers import SGD, Adam, RMSprop
from fastnet.optimizers import schedules as _schedules
from fastnet.saving import layout
from fastnet.saving.state import contents_of
from fastnet.utils import set_random_seed, to_categorical

EPOCHS = 4
OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: SGD(0.1),
    "momentum": lambda: SGD(0.1, momentum=0.9),
    "rmsprop": lambda: RMSprop(0.01),
    "centered": lambda: RMSprop(0.01, centered=True, momentum=0.5),
    "adam": lambda: Adam(0.01),
    "schedule": lambda: Adam(_schedules.ExponentialDecay(0.01, 3, 0.9)),
    "clipped": lambda: Adam(0.01, global_clipnorm=0.1, weight_decay=0.01),
}


class Interrupt(Callback):
    """Ends the training as Ctrl-C would, in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.at = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.epoch == self.at and batch == 1:
            raise KeyboardInterrupt


def halve(epoch: int, rate: float) -> float:
    return rate / 2 if epoch == 1 else rate


def train(
    optimizer: str, seed: int, callbacks: list[Callback], bias: bool = True, activation: str = "relu"
) -> Sequential:
    data = np.random.default_rng(1)
    x, y = data.standard_normal((50, 6)).astype(np.float32), to_categorical(data.integers(0, 3, 50), 3)
    set_random_seed(seed)
    layers = [Dense(8, activation, use_bias=bias), Dropout(0.2), Dropout(0.1, seed=3), Dense(3, "softmax")]
    model = Sequential([Input((6,)), *layers])
    model.compile(OPTIMIZERS[optimizer](), "categorical_crossentropy", metrics=["accuracy"])
    if optimizer != "schedule":
        callbacks = [LearningRateScheduler(halve), *callbacks]
    model.fit(x, y, batch_size=16, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    return model


def state(model: Sequential) -> dict[str, Any]:
    assert model.optimizer is not None
    contents = contents_of(model, "model")
    arrays = {name: value.tobytes() for name, value in contents.tensors.items()}
    return {"arrays": arrays, "about": contents.about, "random": rng.generator().bit_generator.state}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resumed_equals_uninterrupted_bit_for_bit(tmp_path: Path, optimizer: str, bias: bool) -> None:
    whole = state(train(optimizer, 7, [], bias))
    for at in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            train(optimizer, 7, [BackupAndRestore(tmp_path), Interrupt(at)], bias)
        with pytest.raises(KeyboardInterrupt):  # and again, at the same place
            train(optimizer, 99, [BackupAndRestore(tmp_path), Interrupt(at)], bias)
    model = train(optimizer, 5, [BackupAndRestore(tmp_path)], bias)
    assert model.history is not None
    assert model.history.epoch == [2, 3]
    assert state(model) == whole
    assert not tmp_path.exists()


def test_a_killed_training_goes_on(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_backup_and_restore import BackupAndRestore, Interrupt, train
class Kill(Interrupt):
    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == self.at and batch == 1:
            os.kill(os.getpid(), signal.SIGKILL)
train("adam", 7, [BackupAndRestore({str(tmp_path)!r}), Kill(3)])
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == -9
    whole = state(train("adam", 7, []))
    assert state(train("adam", 1, [BackupAndRestore(tmp_path)])) == whole


def test_the_file_is_a_model_and_stays_if_asked(tmp_path: Path) -> None:
    model = train("adam", 1, [BackupAndRestore(tmp_path / "new" / "folder", delete_checkpoint=False)])
    loaded = saving.load_model(tmp_path / "new" / "folder" / "latest.safetensors")
    assert all((a == b).all() for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True))
    before = model.get_weights()
    again = train("adam", 2, [BackupAndRestore(tmp_path / "new" / "folder")])  # nothing is left to do
    assert again.history is not None
    assert again.history.epoch == []
    assert all((a == b).all() for a, b in zip(again.get_weights(), before, strict=True))


def test_what_is_not_its_own_stays(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    train("sgd", 1, [BackupAndRestore(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "damage", ["flip", "other optimizer", "other rule", "other model", "other weights", "no backup"]
)
def test_a_backup_that_does_not_fit_is_refused_and_nothing_changed(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "latest.safetensors"
    train("adam", 1, [BackupAndRestore(tmp_path, delete_checkpoint=False)])
    arguments: Any = {"optimizer": "adam", "seed": 2}
    if damage == "flip":
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    elif damage == "other optimizer":
        arguments["optimizer"] = "rmsprop"
    elif damage == "other rule":
        arguments["optimizer"] = "clipped"
    elif damage == "other model":
        arguments["activation"] = "tanh"
    elif damage == "other weights":
        arguments["bias"] = False
    else:
        saving.save_model(saving.load_model(path), path)
    models = []

    class Look(Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            models.append((self.model, state(self.model)))

    with pytest.raises(saving.ModelFormatError):
        train(**arguments, callbacks=[Look(), BackupAndRestore(tmp_path)])
    model, before = models[0]
    assert state(model) == before


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="backup_dir is empty"):
        BackupAndRestore("")
    with pytest.raises(ValueError, match="save_freq must be at least 1, got 0"):
        BackupAndRestore("folder", save_freq=0)


# In the middle of an epoch --------------------------------------------------------------------------------------------


class Cut(Callback):
    """Ends the training as Ctrl-C would, after a number of batches in all epochs together."""

    def __init__(self, after: int) -> None:
        self.left = after

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "schedule"])
def test_resumed_amid_an_epoch_equals_uninterrupted_bit_for_bit(tmp_path: Path, optimizer: str, every: int) -> None:
    expected = train(optimizer, 7, [])
    whole = state(expected)
    assert expected.history is not None
    for after in (0, 6, 7):  # 4 batches an epoch
        folder = tmp_path / str(after)
        with pytest.raises(KeyboardInterrupt):
            train(optimizer, 7, [BackupAndRestore(folder, save_freq=every), Cut(after)])
        with pytest.raises(KeyboardInterrupt):  # it goes on from the last save, and is cut again soon
            train(optimizer, 99 if folder.exists() else 7, [BackupAndRestore(folder, save_freq=every), Cut(every)])
        model = train(optimizer, 5, [BackupAndRestore(folder, save_freq=every)])
        assert state(model) == whole
        assert model.history is not None
        for name, values in model.history.history.items():
            assert values == expected.history.history[name][-len(values) :]
        assert not folder.exists()


class Doubling:
    """An indexed collection of batches, which `fit` reads in a random order."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return 5

    def __getitem__(self, i: int) -> Any:
        if i >= 5:
            raise IndexError
        return self.x[i * 10 : i * 10 + 10], self.y[i * 10 : i * 10 + 10]


class Sum(metrics.Metric):
    """A metric of a user, with a variable and a number."""

    def __init__(self, name: str = "sum") -> None:
        super().__init__(name=name)
        self.total = self.add_weight()
        self.count = 0

    def reset_state(self) -> None:
        super().reset_state()
        self.count = 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.total.assign_add(np.sum(y_pred[:, 0]))
        self.count += len(y_pred)

    def result(self) -> Any:
        return float(self.total / self.count)


RATES = {"factor": 0.5, "patience": 1, "min_delta": 0.2, "monitor": "loss"}
STOP = {"monitor": "val_loss", "patience": 7, "min_delta": 0.6, "restore_best_weights": True}


def run(source: str, seed: int, folder: Path | None, *others: Callback, shuffle: bool = True) -> Sequential:
    data = np.random.default_rng(1)
    x, y = data.standard_normal((50, 6)).astype(np.float32), to_categorical(data.integers(0, 3, 50), 3)
    set_random_seed(seed)
    model = Sequential([Input((6,)), Dense(8, "relu"), Dropout(0.2), Dense(3, "softmax")])
    chosen = ["accuracy", metrics.AUC(), metrics.Precision(), metrics.F1Score(average="macro"), Sum()]
    model.compile(Adam(0.03), "categorical_crossentropy", metrics=chosen)
    callbacks: list[Callback] = [EarlyStopping(**STOP), ReduceLROnPlateau(**RATES)]  # type: ignore[arg-type]
    callbacks += [LearningRateScheduler(lambda epoch, rate: rate * 0.9)]
    callbacks += [] if folder is None else [BackupAndRestore(folder, save_freq=1)]
    arguments: dict[str, Any] = {"epochs": 12, "verbose": 0, "callbacks": [*callbacks, *others], "shuffle": shuffle}
    if source == "arrays":
        arguments |= {"x": x, "y": y, "batch_size": 10}
    elif source == "collection":
        arguments |= {"x": Doubling(x, y)}
    else:
        arguments |= {"x": x, "y": y, "batch_size": 10, "steps_per_epoch": 3}
    model.fit(validation_data=(x[:9], y[:9]), **arguments)
    return model


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("source", ["arrays", "collection", "steps"])
@pytest.mark.parametrize("after", [7, 22])
def test_metrics_and_callbacks_go_on_too(tmp_path: Path, source: str, shuffle: bool, after: int) -> None:
    expected = run(source, 7, None, shuffle=shuffle)
    assert expected.history is not None
    random = rng.generator().bit_generator.state
    assert 7 < len(expected.history.epoch) < 12  # EarlyStopping has ended it
    with pytest.raises(KeyboardInterrupt):
        run(source, 7, tmp_path, Cut(after), shuffle=shuffle)
    model = run(source, 8, tmp_path, shuffle=shuffle)
    assert model.history is not None
    assert rng.generator().bit_generator.state == random
    assert model.history.epoch == expected.history.epoch[-len(model.history.epoch) :]
    for name, values in model.history.history.items():
        assert values == expected.history.history[name][-len(values) :], name
    for mine, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_training_that_had_stopped_does_not_go_on(tmp_path: Path) -> None:
    class Kill(Callback):
        def on_train_end(self, logs: Any = None) -> None:
            raise KeyboardInterrupt

    def fit(*callbacks: Callback) -> Any:
        set_random_seed(1)
        model = Sequential([Input((6,)), Dense(3)]).compile(SGD(0.0), "mse")
        stop = EarlyStopping("loss", patience=1)
        backup = BackupAndRestore(tmp_path)
        return model.fit(np.ones((4, 6)), np.ones((4, 3)), epochs=9, verbose=0, callbacks=[*callbacks, stop, backup])

    with pytest.raises(KeyboardInterrupt):
        fit(Kill())
    assert fit().epoch == []


def test_what_a_callback_of_your_own_remembers(tmp_path: Path) -> None:
    class Count(Callback):
        _remembered = ("seen", "worst")

        def on_train_begin(self, logs: Any = None) -> None:
            self.seen, self.worst = 0, float("-inf")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seen += 1

    whole, cut = Count(), Count()
    train("sgd", 1, [whole, BackupAndRestore(tmp_path)])
    with pytest.raises(KeyboardInterrupt):
        train("sgd", 1, [Count(), BackupAndRestore(tmp_path), Interrupt(2)])
    train("sgd", 1, [cut, BackupAndRestore(tmp_path)])
    assert (cut.seen, cut.worst) == (whole.seen, whole.worst) == (EPOCHS, float("-inf"))


@pytest.mark.parametrize(
    "change",
    [
        {"step": -1},
        {"order": {"bit_generator": "MT"}},
        {"sums": []},
        {"sums": [{"fit": 1}, {}]},
        {"callbacks": {"EarlyStopping_0": {"wait": "x"}}},
        {"callbacks": {"EarlyStopping_0": {"best_weights": {"arrays": 4}}}},
    ],
)
def test_a_state_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(KeyboardInterrupt):
        train("sgd", 1, [EarlyStopping("loss"), BackupAndRestore(tmp_path, save_freq=1), Interrupt(1)])
    path = tmp_path / "latest.safetensors"
    about = layout.read(str(path)).about
    del about["sha256"]
    about["training"] |= change
    contents = contents_of(saving.load_model(path), "model")
    layout.write(str(path), contents._replace(about=about))
    with pytest.raises(saving.ModelFormatError, match="holds a training's state that does not fit"):
        train("sgd", 1, [EarlyStopping("loss"), BackupAndRestore(tmp_path, save_freq=1)])
