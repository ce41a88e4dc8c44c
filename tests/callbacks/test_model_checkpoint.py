"""ModelCheckpoint: which files there are after a training, and what is in them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from callbacks.scripted import run

from fastnet import Sequential, saving
from fastnet.callbacks import BackupAndRestore, Callback, LambdaCallback, ModelCheckpoint
from fastnet.layers import Dense, Input, Layer
from fastnet.metrics import F1Score

X, Y = np.eye(4, 3, dtype=np.float32), np.eye(4, 2, dtype=np.float32) + np.eye(4, 2, -2, dtype=np.float32)


def small() -> Sequential:
    model = Sequential([Input((3,)), Dense(2, activation="softmax")])
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    return model


def scripted(folder: Path, values: list[float], name: str = "{epoch}.safetensors", **arguments: Any) -> list[str]:
    """The files after a training whose val_loss are these values."""
    model: Any = small()
    run(ModelCheckpoint(folder / name, **arguments), [{"loss": 1.0, "val_loss": value} for value in values], model)
    return sorted(path.name for path in folder.iterdir())


def test_a_file_an_epoch_with_its_numbers_in_the_name(tmp_path: Path) -> None:
    kept = []
    checkpoint = ModelCheckpoint(tmp_path / "of" / "{epoch:02d}-{val_loss:.2f}-{val_acc:.1f}.safetensors")
    keep = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()))
    model = small()
    history = model.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[checkpoint, keep]).history
    names = [f"{n + 1:02d}-{history['val_loss'][n]:.2f}-{history['val_acc'][n]:.1f}.safetensors" for n in range(2)]
    assert sorted(path.name for path in (tmp_path / "of").iterdir()) == names
    for name, weights in zip(names, kept, strict=True):
        loaded = saving.load_model(tmp_path / "of" / name)
        assert all((a == b).all() for a, b in zip(loaded.get_weights(), weights, strict=True))


@pytest.mark.parametrize(
    ("values", "arguments", "expected"),
    [
        ([3, 2, 4, 1], {}, "1234"),
        ([3, 2, 4, 1], {"save_best_only": True}, "124"),
        ([3, 2, 4, 1], {"save_best_only": True, "mode": "max"}, "13"),
        ([3, 2, 4, 1], {"save_best_only": True, "initial_value_threshold": 2.5}, "24"),
        ([float("nan"), 2, float("nan")], {"save_best_only": True}, "2"),
        ([1, 1], {"save_best_only": True, "monitor": "loss"}, "1"),
    ],
)
def test_which_are_saved(tmp_path: Path, values: list[float], arguments: dict[str, Any], expected: str) -> None:
    assert scripted(tmp_path, values, **arguments) == [f"{n}.safetensors" for n in expected]


def test_without_its_monitor_it_warns_and_saves(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="'val_los', which is not available; did you mean 'val_loss'"):
        assert len(scripted(tmp_path, [1, 2], save_best_only=True, monitor="val_los", mode="min")) == 2
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"monitor='val_los' is better.*did you mean 'val_loss'"):
        scripted(tmp_path, [1, 2], save_best_only=True, monitor="val_los")
    assert len(scripted(tmp_path, [1, 2], monitor="val_los")) == 2  # nobody asks which is best


def test_a_name_in_the_path_is_one_number(tmp_path: Path) -> None:
    x, y = np.eye(4, 3), np.array([0, 1, 0, 1])
    model = Sequential([Input((3,)), Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[F1Score(threshold=0.5)])
    checkpoint = ModelCheckpoint(
        tmp_path / "{epoch}-{val_f1_score:.2f}.safetensors", "val_f1_score", save_best_only=True
    )
    value = model.fit(x, y, verbose=0, validation_data=(x, y), callbacks=checkpoint).history["val_f1_score"][0]
    assert [path.name for path in tmp_path.iterdir()] == [f"1-{value:.2f}.safetensors"]
    model = Sequential([Input((3,)), Dense(2, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=[F1Score()])
    with pytest.raises(ValueError, match=r"'val_f1_score', which is an array of 2 numbers.*F1Score\(average='macro'\)"):
        model.fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=ModelCheckpoint(checkpoint.filepath))
    path = ModelCheckpoint(tmp_path / "{loss:.2d}.safetensors")
    with pytest.raises(ValueError, match=r"filepath '.*' cannot be filled with .*'loss': "):
        model.fit(X, Y, verbose=0, callbacks=path)


def test_weights_alone(tmp_path: Path) -> None:
    model = small()
    path = tmp_path / "m.weights.safetensors"
    model.fit(X, Y, verbose=0, callbacks=[ModelCheckpoint(path, save_weights_only=True)])
    other = small()
    saving.load_weights(other, path)
    assert all((a == b).all() for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


def test_every_so_many_batches_across_epochs(tmp_path: Path) -> None:
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}-{batch}.safetensors", save_freq=3)
    small().fit(X, Y, batch_size=1, epochs=3, verbose=0, callbacks=[checkpoint])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.safetensors" for name in ("1-3", "2-2", "3-1", "3-4")
    ]


def test_the_best_batches_are_judged_by_the_logs_so_far(tmp_path: Path) -> None:
    checkpoint = ModelCheckpoint(tmp_path / "{batch}.safetensors", "loss", save_best_only=True, save_freq=1)
    checkpoint.set_model(small())
    checkpoint.on_epoch_begin(0)
    for batch, loss in enumerate([3.0, 4.0, 2.0]):
        checkpoint.on_train_batch_end(batch, {"loss": loss})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.safetensors", "3.safetensors"]


def test_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scripted(tmp_path, [2, 1, 3], "m.safetensors", save_best_only=True, verbose=1)
    path = tmp_path / "m.safetensors"
    assert capsys.readouterr().out == (
        f"\nEpoch 1: val_loss improved from None to 2.00000, saving model to {path}\n"
        f"\nEpoch 1: finished saving model to {path}\n"
        f"\nEpoch 2: val_loss improved from 2.00000 to 1.00000, saving model to {path}\n"
        f"\nEpoch 2: finished saving model to {path}\n"
        "\nEpoch 3: val_loss did not improve from 1.00000\n"
    )


def test_weights_that_are_not_finite_leave_the_last_good_file(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"

    class Poison(Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                self.model.layers[0].kernel.packed.fill(np.nan)  # type: ignore[attr-defined]

    model: Any = small()
    checkpoint = ModelCheckpoint(path)
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0, {})
    good = path.read_bytes()
    model.layers[0].kernel.packed.fill(np.nan)
    with pytest.warns(RuntimeWarning, match="did not save: layers/0_dense/kernel holds NaN"):
        checkpoint.on_epoch_end(1, {})
    assert path.read_bytes() == good


def test_errors(tmp_path: Path) -> None:
    for name, weights in (("m.zip", False), ("m.h5", False), ("m.weights.safetensors", False), ("m.weights.h5", False)):
        with pytest.raises(ValueError, match=r"filepath must end in '.safetensors' or '.keras' for a model"):
            ModelCheckpoint(tmp_path / name, save_weights_only=weights)
    for name in ("m.safetensors", "m.keras", "m.h5"):
        with pytest.raises(ValueError, match=r"filepath must end in '.weights.safetensors' or '.weights.h5' for"):
            ModelCheckpoint(tmp_path / name, save_weights_only=True)
    with pytest.raises(ValueError, match="save_freq must be at least 1"):
        ModelCheckpoint(tmp_path / "m.safetensors", save_freq=0)
    with pytest.raises(ValueError, match="unknown save_freq 'epcoh'; did you mean 'epoch'"):
        ModelCheckpoint(tmp_path / "m.safetensors", save_freq="epcoh")
    with pytest.raises(KeyError, match=r"names 'val_lsos', which is not in the logs; did you mean 'val_loss'\? There"):
        scripted(tmp_path, [1], "{val_lsos}.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(ValueError, match="is something else"):
        scripted(tmp_path, [1], "folder.safetensors")


class Called(Layer):
    """A layer with an argument that no file can hold."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def call(self, x: Any, training: bool = False) -> Any:
        return x

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        return dy


@pytest.mark.parametrize("kind", ["ModelCheckpoint", "BackupAndRestore"])
def test_what_cannot_be_saved_is_refused_before_the_first_epoch(tmp_path: Path, kind: str) -> None:
    model = Sequential([Input((3,)), Called(np.sin), Dense(2)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    callback: Callback
    if kind == "ModelCheckpoint":
        callback = ModelCheckpoint(tmp_path / "best.safetensors", save_best_only=True, monitor="loss")
    else:
        callback = BackupAndRestore(tmp_path / "backup")
    with pytest.raises(TypeError, match=r"'called' of class Called cannot be saved: .*Write a method get_config"):
        model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0, callbacks=[callback])
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    assert list(tmp_path.iterdir()) == []
    weights = ModelCheckpoint(tmp_path / "{epoch}.weights.safetensors", save_weights_only=True)
    model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0, callbacks=[weights])
    assert [path.name for path in tmp_path.iterdir()] == ["1.weights.safetensors"]
