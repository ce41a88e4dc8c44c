"""BackupAndRestore: a training that was interrupted ends as one that was not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, rng, saving
from fastnet.callbacks import BackupAndRestore, Callback, LearningRateScheduler
from fastnet.layers import Dense, Dropout, Input
from fastnet.optimizers import SGD, Adam, RMSprop
from fastnet.optimizers import schedules as _schedules
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


@pytest.mark.parametrize("value", [5, 1])
def test_the_middle_of_an_epoch_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=f"save_freq must be 'epoch', got {value}: .* only at an epoch's start"):
        BackupAndRestore("folder", save_freq=value)
    with pytest.raises(ValueError, match="backup_dir is empty"):
        BackupAndRestore("")
