"""Model files: what is saved comes back, what is damaged is refused, and no moment leaves half a file."""

import copy
import errno
import json
import os
import pickle
import random
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from fastnet import Sequential, layers, metrics, rng, saving
from fastnet.layers import Dense, Dropout, Flatten, Input, Layer
from fastnet.optimizers import SGD, Adam, Ftrl, RMSprop
from fastnet.saving import ModelFormatError, configuration, load_model, load_weights, save_model, save_weights
from fastnet.saving.files import new_temporary
from fastnet.saving.layout import digest_of
from fastnet.saving.state import contents_of
from fastnet.utils import set_random_seed, to_categorical

ROWS = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
LABELS = to_categorical(np.random.default_rng(1).integers(0, 3, 40), 3)


def small(optimizer: Any = "rmsprop", units: int = 4, trained: bool = True) -> Sequential:
    model = Sequential(
        [Input((5,)), Dense(units, "relu", kernel_regularizer="l2"), Dropout(0.1), Dense(3, "softmax")], name="small"
    )
    model.compile(optimizer, "categorical_crossentropy", metrics=["acc"])
    if trained:
        model.fit(ROWS, LABELS, verbose=0)
    return model


def state(model: Sequential) -> Any:
    """All that a file holds of a model."""
    contents = contents_of(model, "model")
    return contents.about, {name: value.tobytes() for name, value in contents.tensors.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.safetensors"


# What is saved comes back


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: SGD(0.1),
        lambda: SGD(0.1, momentum=0.9, nesterov=True),
        lambda: RMSprop(0.01),
        lambda: RMSprop(0.01, momentum=0.5, centered=True),
        lambda: Adam(0.01),
        lambda: Adam(0.01, global_clipnorm=1.0, weight_decay=0.1),
        lambda: Ftrl(0.01),
    ],
)
def test_a_model_goes_on_as_if_it_had_never_been_saved(path: Path, optimizer: Callable[[], Any]) -> None:
    model = small(optimizer())
    save_model(model, path)
    loaded = load_model(path)
    assert state(loaded) == state(model)
    assert repr(loaded) == repr(model)
    assert (loaded.predict(ROWS, verbose=0) == model.predict(ROWS, verbose=0)).all()
    results = []
    for each in (model, loaded):
        set_random_seed(3)
        results.append(each.fit(ROWS, LABELS, epochs=2, verbose=0).history)
    assert results[0] == results[1]
    assert list(results[1]) == ["loss", "acc"]
    assert state(loaded) == state(model)


@pytest.mark.parametrize("where", ["layer", "model", "metric"])
def test_a_name_that_no_file_can_hold_is_refused_before_anything_is_written(path: Path, where: str) -> None:
    names = {each: "\ud800" if each == where else "name" for each in ("layer", "model", "metric")}
    model = Sequential([Input((3,)), Dense(2, name=names["layer"])], name=names["model"])
    model.compile("sgd", "mse", [metrics.MeanAbsoluteError(name=names["metric"])])
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match=r"holds '\\ud800', half of a surrogate pair") as caught:
        model.save(path)
    assert not isinstance(caught.value, UnicodeError)
    assert path.read_bytes() == b"before"


# Lambda takes functions, RepeatVector rows, StringLookup text: see their own tests.
OTHERS = {"InputLayer", "Lambda", "RepeatVector", "StringLookup"}


@pytest.mark.parametrize("name", sorted(configuration.classes_of(layers, Layer).keys() - OTHERS))
def test_every_layer_comes_back(path: Path, name: str) -> None:
    from saving.test_configuration import ARGUMENTS

    kind = configuration.classes_of(layers, Layer)[name]
    model = Sequential([Input((2, 4)), *([Flatten()] if name == "Dense" else []), kind(**ARGUMENTS.get(name, {}))])
    x = np.random.default_rng(0).integers(0, 6, (6, 2, 4))  # layers of categories take whole numbers
    values = [np.abs(np.random.default_rng(1).standard_normal(w.shape)) for w in model.get_weights()]
    model.set_weights(values)
    save_model(model, path)
    loaded = load_model(path)
    assert state(loaded) == state(model)
    assert (loaded.predict(x, verbose=0) == model.predict(x, verbose=0)).all()


def test_a_model_that_is_not_built_or_not_compiled(path: Path) -> None:
    for model in (Sequential([Dense(3)]), Sequential(), Sequential([Input((2,))]), Sequential([Input((2,)), Dense(3)])):
        save_model(model, path)
        loaded = load_model(path)
        assert (repr(loaded), loaded.built, loaded.optimizer) == (repr(model), model.built, None)
        assert state(loaded) == state(model)


def test_loading_leaves_the_random_numbers_alone(path: Path) -> None:
    class Draws(Layer):
        def build(self, input_shape: Any) -> None:
            self.first = rng.generator().random()

    model = small()
    model.add(Draws())
    save_model(model, path)
    before = rng.generator().bit_generator.state
    load_model(path, {"Draws": Draws})
    assert rng.generator().bit_generator.state == before


def test_a_changed_learning_rate_and_one_by_schedule(path: Path) -> None:
    from fastnet.optimizers import schedules

    model = small(Adam(0.5))
    assert model.optimizer is not None
    model.optimizer.learning_rate = 0.125
    save_model(model, path)
    loaded = load_model(path).optimizer
    assert loaded is not None
    assert (loaded.learning_rate, loaded.iterations) == (0.125, 2)
    model = small(Adam(schedules.ExponentialDecay(0.5, 1, 0.5)))
    save_model(model, path)
    loaded = load_model(path).optimizer
    assert loaded is not None
    assert loaded.learning_rate == model.optimizer.learning_rate == 0.125  # type: ignore[union-attr]


def test_compile_is_optional(path: Path) -> None:
    save_model(small(), path)
    assert load_model(path, compile=False).optimizer is None


def test_the_same_model_is_the_same_bytes(path: Path, tmp_path: Path) -> None:
    model = small()
    save_model(model, path)
    for n in range(5):
        save_model(load_model(path), tmp_path / f"{n}.safetensors")
        assert (tmp_path / f"{n}.safetensors").read_bytes() == path.read_bytes()


def test_the_bytes_are_those_that_the_library_writes(path: Path) -> None:
    """Also of matrices whose rows do not fill panels, or are written in several pieces."""
    kernels = [(3, 70_000), (1, 200_003), (70_000, 3), (5, 16), (2, 65_536), (40, 33)]
    for inputs, units in kernels:
        model = Sequential([Input((inputs,)), Dense(units), layers.BatchNormalization()])
        model.set_weights([np.random.default_rng(0).standard_normal(w.shape) for w in model.get_weights()])
        save_model(model, path)
        with safetensors.safe_open(path, "np") as file:
            metadata = file.metadata()
        assert path.read_bytes() == safetensors.numpy.save(contents_of(model, "model").tensors, metadata)
        assert state(load_model(path)) == state(model)


def test_saving_makes_no_second_copy_of_the_weights(path: Path) -> None:
    model = Sequential([Input((1000,)), Dense(3000), Dense(1, use_bias=False)])
    save_model(model, path)
    tracemalloc.start()
    save_model(model, path)
    assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 4
    tracemalloc.stop()


def test_loading_takes_memory_for_the_file_and_the_model(path: Path) -> None:
    save_model(Sequential([Input((1000,)), Dense(3000), Dense(16)]), path)
    load_model(path)
    tracemalloc.start()
    load_model(path)
    assert tracemalloc.get_traced_memory()[1] < 3.2 * path.stat().st_size
    tracemalloc.stop()


SHORT = """
import os, resource, sys
import numpy as np
from fastnet import Sequential
from fastnet.layers import Dense, Input
from fastnet.models import load_model

path, action = sys.argv[1:]
model = Sequential([Input((1000,)), Dense(1500, "relu"), Dense(10, "softmax")])
model.compile("adam", "categorical_crossentropy", metrics=["acc"])
model.train_on_batch(np.zeros((2, 1000)), np.eye(10)[:2])
model.save(path)
unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
results = []
for room in (0, *(2**n for n in range(12, 29))):
    model.train_on_batch(np.ones((2, 1000)), np.eye(10)[:2])
    before = open(path, "rb").read()  # the last save that worked; one with less room may have, if the heap had pieces
    used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGESIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used, unlimited[1]))
    hog = []
    for size in (2**20, 2**16, 2**12, 2**10, 2**8):  # what is free on the heap
        try:
            while True:
                hog.append(bytearray(size))
        except MemoryError:
            pass
    resource.setrlimit(resource.RLIMIT_AS, (used + room, unlimited[1]))
    try:
        model.save(path) if action == "save" else load_model(path)
        results.append("worked")
    except MemoryError:
        results.append("MemoryError")
    finally:
        hog = None
        resource.setrlimit(resource.RLIMIT_AS, unlimited)
    assert os.listdir(os.path.dirname(path)) == ["m.safetensors"], room
    if results[-1] == "MemoryError":
        assert open(path, "rb").read() == before, room
    elif action == "save":
        assert open(path, "rb").read() != before, room
model.save(path)
assert (load_model(path).get_weights()[0] == model.get_weights()[0]).all()
print(*results)
"""


@pytest.mark.parametrize("action", ["save", "load"])
def test_short_memory_is_a_memory_error_and_nothing_else(path: Path, action: str) -> None:
    done = subprocess.run([sys.executable, "-c", SHORT, path, action], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"MemoryError", "worked"}, done.stdout


def test_the_library_reads_the_file(path: Path) -> None:
    model = small()
    save_model(model, path)
    tensors = safetensors.numpy.load_file(path)
    for name, value in contents_of(model, "model").tensors.items():
        assert (tensors[name] == value).all()
    weights = ["layers/0_dense/kernel", "layers/0_dense/bias", "layers/2_dense_1/kernel", "layers/2_dense_1/bias"]
    slots = [f"optimizer/{name.removeprefix('layers/')}/velocity" for name in weights]
    assert sorted(tensors) == sorted(weights + slots)
    with safetensors.safe_open(path, "np") as file:
        about = json.loads(file.metadata()["fastnet"])
    assert about["weights"] == weights
    assert about["architecture"]["name"] == "small"
    assert len(about["sha256"]) == 64


def test_ones_own_layer_comes_with_custom_objects(path: Path) -> None:
    from saving.test_configuration import Scale

    class Gain(Scale):
        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight(input_shape, "zeros")
            self.other = self.add_weight(input_shape, "zeros")

    model = Sequential([Input((3,)), Gain(2.0, name="a/b ü\n"), Dense(2)])
    model.layers[0].set_weights([np.ones(3), np.full(3, 2)])
    save_model(model, path)
    assert state(load_model(path, {"Gain": Gain})) == state(model)
    names = contents_of(model, "model").about["weights"][:2]
    assert names == ["layers/0_a_b___/weight", "layers/0_a_b___/weight_1"]
    with pytest.raises(ModelFormatError, match="unknown layer 0 'Gain'"):
        load_model(path)


def test_numpys_numbers_in_a_description(path: Path) -> None:
    from saving.test_configuration import Scale

    save_model(Sequential([Input((3,)), Scale(np.float32(0.5))]), path)  # type: ignore[arg-type]
    assert load_model(path, {"Scale": Scale}).layers[0].by == 0.5  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="cannot be saved: get_config"):
        save_model(Sequential([Scale(object())]), path)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_models_pickle_and_copy_with_the_optimizers_state(way: Callable[[Any], Any]) -> None:
    model = small("adam")
    other = way(model)
    assert state(other) == state(model)
    for each in (model, other):
        set_random_seed(3)
        each.fit(ROWS, LABELS, verbose=0)
    assert state(other) == state(model)
    other.fit(ROWS, LABELS, verbose=0)
    assert state(other) != state(model)


# Weights alone


def test_weights_alone(tmp_path: Path, path: Path) -> None:
    model, other = small(), small(trained=False)
    save_weights(model, tmp_path / "w.weights.safetensors")
    before = other.optimizer
    load_weights(other, tmp_path / "w.weights.safetensors")
    assert state(other)[1].items() <= state(model)[1].items()
    assert (other.optimizer, other.optimizer.iterations) == (before, 0)  # type: ignore[union-attr]
    save_model(model, path)
    third = small(trained=False)
    load_weights(third, path)
    assert state(third) == state(other)
    (tmp_path / "w.weights.safetensors").rename(path)
    with pytest.raises(ModelFormatError, match="holds weights only: make the model as it was, and use load_weights"):
        load_model(path)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (
            [Dense(4), Dense(2)],
            r"holds layers/2_dense_1/kernel of shape \(4, 3\), .* dense_1/kernel has shape \(4, 2\)",
        ),
        ([Dense(4), Dense(3), Dense(3)], "holds 4 arrays of weights, but the model has 6"),
        ([Dense(4, use_bias=False), Dense(3)], "holds 4 arrays of weights, but the model has 3"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(tmp_path: Path, others: list[Any], message: str) -> None:
    path = tmp_path / "w.weights.safetensors"
    save_weights(small(), path)
    model = Sequential([Input((5,)), *copy.deepcopy(others)])
    before = model.get_weights()
    with pytest.raises(ModelFormatError, match=message):
        load_weights(model, path)
    assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))


def test_weights_of_a_model_that_has_none_yet(tmp_path: Path) -> None:
    path = tmp_path / "w.weights.safetensors"
    with pytest.raises(ValueError, match="the model has no weights yet"):
        save_weights(Sequential([Dense(2)]), path)
    save_weights(small(), path)
    with pytest.raises(ValueError, match="the model has no weights yet"):
        load_weights(Sequential([Dense(2)]), path)


# Names of files


@pytest.mark.parametrize(
    "name",
    [
        "model.zip",
        "model",
        "model.safetensors.gz",
        "model.keras.zip",
        "\0.safetensors",
        "m.h5",
        "m.weights.safetensors",
        "m.weights.h5",
    ],
)
def test_the_suffix_says_what_it_is(tmp_path: Path, name: str) -> None:
    for call in (
        lambda: save_model(small(trained=False), str(tmp_path / name)),
        lambda: load_model(str(tmp_path / name)),
    ):
        with pytest.raises(ValueError, match=r"path must end in '.safetensors' or '.keras' for a model, got") as error:
            call()
        if ".weights." in name:
            assert f"; {name[1:]} is for weights alone" in str(error.value)
        if name == "m.h5":
            assert "Keras 2 saved as .h5 is opened in Keras 3, and saved there as .keras" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_the_suffix_of_weights(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path must end in '.weights.safetensors' or '.weights.h5' for"):
        save_weights(small(trained=False), tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=r"path must end in '.safetensors' or '.keras'"):
        load_weights(small(trained=False), tmp_path / "w.h5")
    with pytest.raises(ValueError, match=r"path must end in '.weights.safetensors' or '.weights.h5' for weights"):
        save_weights(small(trained=False), tmp_path / "w.keras")
    with pytest.raises(TypeError, match="path must be"):
        load_model(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="path must be a string"):
        load_model(b"m.safetensors")  # type: ignore[arg-type]


def test_files_that_are_not_there_or_no_files(tmp_path: Path, path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_model(path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        save_model(small(), tmp_path / "none" / "m.safetensors")
    path.mkdir()
    with pytest.raises(ModelFormatError, match="a folder, a pipe or a device"):
        load_model(path)
    with pytest.raises(ValueError, match="is something else"):
        save_model(small(), path)
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(ModelFormatError, match="a folder, a pipe or a device"):
        load_model(tmp_path / "pipe.safetensors")
    (tmp_path / "zero.safetensors").symlink_to("/dev/zero")
    with pytest.raises(ModelFormatError, match="a folder, a pipe or a device"):
        load_model(tmp_path / "zero.safetensors")


def test_a_file_that_is_read_only_is_not_replaced(tmp_path: Path, path: Path) -> None:
    """Not for root either, to whom the system allows it, and not through a link."""
    save_model(small(), path)
    before = path.read_bytes()
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)
    for mode in (0o444, 0o400, 0o000, 0o440):
        path.chmod(mode)
        for target in (path, link):
            with pytest.raises(PermissionError, match=r"the file is read-only.*m\.safetensors"):
                save_model(small(units=6), target, overwrite=True)
        assert stat.S_IMODE(path.stat().st_mode) == mode
    path.chmod(0o644)
    assert path.read_bytes() == before
    assert leftovers(tmp_path) == []
    save_model(small(units=6), link)
    assert path.read_bytes() != before


def test_other_files_that_are_read_only_stay_too(tmp_path: Path) -> None:
    from fastnet.saving.files import replace_file

    path = tmp_path / "page.html"
    path.write_text("mine")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="read-only"):
        replace_file(str(path), b"another")
    assert path.read_text() == "mine"
    path.chmod(0o604)
    replace_file(str(path), b"another")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("another", 0o604)


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077, 0o000])
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path, path: Path, umask: int) -> None:
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)  # to nothing yet
    before = os.umask(umask)
    try:
        save_model(small(trained=False), link)
        save_weights(small(trained=False), tmp_path / "w.weights.safetensors")
    finally:
        os.umask(before)
    assert link.is_symlink()
    for new in (path, tmp_path / "w.weights.safetensors"):
        assert stat.S_IMODE(new.stat().st_mode) == 0o666 & ~umask


def test_the_owner_stays_where_the_process_may_set_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(small(), path)
    path.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(path, 1234, 2345)
        save_model(small(units=6), path)
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)
        assert stat.S_IMODE(path.stat().st_mode) == 0o664
    asked = []

    def refuse(descriptor: int, owner: int, group: int) -> None:
        asked.append((owner, group))
        raise PermissionError(errno.EPERM, "not for you")

    real = os.stat

    def of_another(name: Any, **kwargs: Any) -> Any:
        found = real(name, **kwargs)
        return os.stat_result((*found[:4], 4321, 5432, *found[6:])) if str(name) == str(path) else found

    with monkeypatch.context() as patched:
        patched.setattr(os, "fchown", refuse)
        patched.setattr(os, "stat", of_another)
        save_model(small(units=7), path)
    assert asked == [(4321, 5432), (-1, 5432)]
    assert load_model(path).layers[0].units == 7  # type: ignore[attr-defined]
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_overwrite_links_and_modes(tmp_path: Path, path: Path) -> None:
    save_model(small(), path)
    good = path.read_bytes()
    with pytest.raises(FileExistsError):
        save_model(small(), path, overwrite=False)
    for wrong in ("no", 0, None):
        with pytest.raises(TypeError, match="overwrite must be True or False"):
            save_model(small(), path, overwrite=wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="overwrite must be True or False"):
            small().save_weights(tmp_path / "m.weights.safetensors", overwrite=wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="compile must be True or False"):
            load_model(path, compile=wrong)  # type: ignore[arg-type]
    assert path.read_bytes() == good
    path.chmod(0o640)
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)
    save_model(small(units=6), link)
    assert link.is_symlink()
    assert path.read_bytes() != good
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


# Damage


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small file with everything in it."""
    path = tmp_path_factory.mktemp("good") / "latest.safetensors"
    model = Sequential([Input((3,)), Dense(2, "relu"), Dense(2, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy", metrics=["acc"])
    model.fit(np.eye(3), to_categorical([0, 1, 0]), verbose=0)
    saving.save_training(model, path, 3)
    assert path.stat().st_size < 4096
    return path.read_bytes()


def test_no_single_flipped_bit_goes_unnoticed(path: Path, good: bytes) -> None:
    data = bytearray(good)
    accepted = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, data)
    load_model(path)
    for bit in range(8 * len(data)):
        os.pwrite(descriptor, bytes([data[bit // 8] ^ 1 << bit % 8]), bit // 8)
        try:
            load_model(path)
            accepted.append(bit)
        except ModelFormatError:
            pass
        os.pwrite(descriptor, data[bit // 8 : bit // 8 + 1], bit // 8)
    os.close(descriptor)
    assert accepted == []
    load_model(path)


def test_no_truncation_and_no_addition_goes_unnoticed(path: Path, good: bytes) -> None:
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(ModelFormatError):
            load_model(path)
    for more in (b"\0", b"\0\0\0\0", good):
        path.write_bytes(good + more)
        with pytest.raises(ModelFormatError):
            load_model(path)


def test_random_damage_is_of_one_type(path: Path, good: bytes) -> None:
    draw = random.Random(0)
    for _ in range(500):
        data = bytearray(good)
        for _ in range(draw.randrange(1, 4)):
            at, length = draw.randrange(len(data)), draw.randrange(1, 60)
            kind = draw.randrange(3)
            if kind == 0:
                data[at : at + length] = draw.randbytes(length)
            elif kind == 1:
                del data[at : at + length]
            else:
                data[at:at] = data[at : at + length]
        path.write_bytes(data)
        if data != good:
            with pytest.raises(ModelFormatError):
                load_model(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 8, b"\0" * 100, b"PK\3\4" + b"x" * 100, b"\x80\4\x95cos\nsystem\n(S'touch x'\ntR.", b"\xff" * 200],
)
def test_other_files_are_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(ModelFormatError, match=r"m\.safetensors"):
        load_model(path)


def test_a_safetensors_file_of_somebody_else(path: Path) -> None:
    safetensors.numpy.save_file({"a": np.zeros(3, np.float32)}, path)
    with pytest.raises(ModelFormatError, match="was not written by fastnet"):
        load_model(path)
    safetensors.numpy.save_file({"a": np.zeros(3, np.float32)}, path, {"fastnet": "{}"})
    with pytest.raises(ModelFormatError, match="is damaged"):
        load_model(path)


# Hostile files: with a right checksum, as whoever writes one can make it


Header = dict[str, Any]


def forge(path: Path, good: bytes, change: Callable[[Header, dict[str, Any]], Any], body: bytes | None = None) -> None:
    """Writes `good` with its header and our part of it changed, and the checksum made right where that is possible."""
    length = struct.unpack("<Q", good[:8])[0]
    header = json.loads(good[8 : 8 + length])
    about = json.loads(header.pop("__metadata__")["fastnet"])
    del about["sha256"]
    body = good[8 + length :] if body is None else body
    text = change(header, about)
    if not isinstance(text, str) or not text.startswith("{"):
        text = json.dumps(about)
    rest = '",' + text[1:]
    try:
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        data = {name: memoryview(body)[slice(*entry["data_offsets"])] for name, entry in header.items()}
        digest = digest_of(rest, shapes, data)
    except (TypeError, KeyError, ValueError):
        digest = "0" * 64
    header["__metadata__"] = {"fastnet": '{"sha256":"' + digest + rest}
    raw = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + body)


KERNEL = "layers/0_dense/kernel"


def layer(about: Any, i: int) -> Any:
    return about["architecture"]["layers"][i]


CHANGES: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "newer format": (
        lambda h, a: a.update(format_version=2, fastnet_version="9.9"),
        "format 2, written by fastnet '9.9'; this",
    ),
    "older format": (lambda h, a: a.update(format_version=0), "is damaged"),
    "true as version": (lambda h, a: a.update(format_version=True), "is damaged"),
    "unknown field": (lambda h, a: a.update(code="import os"), "is damaged"),
    "unknown kind": (lambda h, a: a.update(kind="pickle"), "is damaged"),
    "unknown layer": (lambda h, a: layer(a, 0).update(class_name="os.system"), "unknown layer 0 'os.system'"),
    "unknown argument": (lambda h, a: layer(a, 0)["config"].update(exec=1), "unexpected keyword argument 'exec'"),
    "config of another type": (lambda h, a: layer(a, 0).update(config=[1]), "layer 0: expected a dict"),
    "huge units": (lambda h, a: layer(a, 0)["config"].update(units=10**12), r"weights of shape \(3, 1000000000000\)"),
    "absurd units": (lambda h, a: layer(a, 0)["config"].update(units=10**400), "weights of shape"),
    "infinite units": (lambda h, a: json.dumps(a).replace('"units": 2', '"units": 1e999'), "units must be an integer"),
    "huge input": (lambda h, a: a["architecture"].update(build_input_shape=[None, 10**13]), "examples of shape"),
    "deep input": (lambda h, a: a["architecture"].update(build_input_shape=[None] + [1] * 9), "examples of shape"),
    "deep shape between layers": (
        lambda h, a: a["architecture"]["layers"].insert(
            0, {"class_name": "Reshape", "config": {"name": "r", "target_shape": [1] * 8 + [3]}}
        ),
        "made: examples of shape",
    ),
    "bias of another shape": (
        lambda h, a: [
            h[name].update(shape=[1, 2]) for name in ("layers/0_dense/bias", "optimizer/0_dense/bias/velocity")
        ],
        r"weights of shape \(2,\), but the file has \(1, 2\)",
    ),
    "no name": (lambda h, a: layer(a, 0)["config"].pop("name"), "a layer without a name"),
    "same name twice": (lambda h, a: layer(a, 1)["config"].update(name="dense"), "already has a layer called 'dense'"),
    "too many layers": (lambda h, a: a["architecture"].update(layers=[layer(a, 0)] * 1025), "1025 layers"),
    "more layers than arrays": (
        lambda h, a: a["architecture"]["layers"].append(
            {"class_name": "Dense", "config": {"units": 2, "name": "more"}}
        ),
        "the file has no more",
    ),
    "a huge layer after the last array": (
        lambda h, a: a["architecture"]["layers"].append(
            {"class_name": "Dense", "config": {"units": 10**12, "name": "more"}}
        ),
        "the file has no more",
    ),
    "a layer that brings its input": (
        lambda h, a: (a["architecture"].update(build_input_shape=None), layer(a, 0)["config"].update(input_dim=10**12)),
        "weights of shape",
    ),
    "fewer layers than arrays": (lambda h, a: a["architecture"]["layers"].pop(), "2 more arrays than the layers have"),
    "layers swapped": (lambda h, a: a["architecture"]["layers"][0]["config"].update(units=3), "has weights of shape"),
    "weights named twice": (lambda h, a: a["weights"].append(KERNEL), "is damaged"),
    "weights missing": (lambda h, a: a["weights"].append("layers/9"), "'layers/9' is not in it"),
    "weights of another type": (lambda h, a: a.update(weights={}), "is damaged"),
    "an array of nobody": (lambda h, a: h.update(x=h.pop("optimizer/0_dense/bias/velocity")), "'x' belongs to nothing"),
    "a slot of another shape": (lambda h, a: h["optimizer/0_dense/kernel/velocity"].update(shape=[2, 3]), "has shape"),
    "architecture of another type": (lambda h, a: a.update(architecture=None), "config must be a dict"),
    "compile of another type": (lambda h, a: a.update(compile=3), "cannot be compiled"),
    "unknown loss": (lambda h, a: a["compile"]["loss"].update(class_name="eval"), "unknown loss 'eval'"),
    "unknown loss by name": (lambda h, a: a["compile"].update(loss="eval"), "unknown loss 'eval'"),
    "huge learning rate": (lambda h, a: a["optimizer"].update(learning_rate=10**400), "does not fit"),
    "learning rate of another type": (lambda h, a: a["optimizer"].update(learning_rate="1"), "learning rate '1'"),
    "negative iterations": (lambda h, a: a["optimizer"].update(iterations=-1), "iterations -1"),
    "iterations missing": (lambda h, a: a["optimizer"].pop("iterations"), "'iterations' is missing"),
    "optimizer of another type": (lambda h, a: a.update(optimizer=None), "does not fit"),
    "unknown numbers": (lambda h, a: a["optimizer"].update(numbers={"__class__": 1}), "numbers"),
    "float64": (lambda h, a: h[KERNEL].update(dtype="F64", shape=[3]), "in type 'F64'; fastnet has F32 alone"),
    "integers": (lambda h, a: h[KERNEL].update(dtype="I32"), "in type 'I32'; fastnet has F32 alone"),
    "dtype of another type": (lambda h, a: h[KERNEL].update(dtype=["F32"]), "is damaged"),
    "huge shape": (lambda h, a: h[KERNEL].update(shape=[2**40, 2**40]), "is damaged"),
    "product that wraps": (lambda h, a: h[KERNEL].update(shape=[2**32, 2**32]), "is damaged"),
    "negative shape": (lambda h, a: h[KERNEL].update(shape=[-3, -2]), "is damaged"),
    "zero in shape": (
        lambda h, a: h.update(x={"dtype": "F32", "shape": [0, 2], "data_offsets": [0, 0]}),
        r"'x' has shape \[0, 2\]",
    ),
    "float in shape": (lambda h, a: h[KERNEL].update(shape=[3.0, 2]), "is damaged"),
    "bool in shape": (lambda h, a: h[KERNEL].update(shape=[True, 6]), "is damaged"),
    "deep shape": (lambda h, a: h[KERNEL].update(shape=[1] * 9 + [6]), r"has shape \[1, 1"),
    "transposed shape": (
        lambda h, a: (h[KERNEL].update(shape=[2, 3]), h["optimizer/0_dense/kernel/velocity"].update(shape=[2, 3])),
        "weights of shape",
    ),
    "overlap": (lambda h, a: h[KERNEL].update(data_offsets=[0, 24]), "is damaged"),
    "offsets backwards": (lambda h, a: h[KERNEL].update(data_offsets=[32, 8]), "is damaged"),
    "three offsets": (lambda h, a: h[KERNEL].update(data_offsets=[8, 32, 40]), "is damaged"),
    "huge offsets": (lambda h, a: h[KERNEL].update(data_offsets=[2**62, 2**62 + 24]), "is damaged"),
    "entry of another type": (lambda h, a: h.update({KERNEL: 3}), "is damaged"),
    "entry with more": (lambda h, a: h[KERNEL].update(more=1), "is not that of an array"),
    "nan in json": (lambda h, a: json.dumps(a).replace('"epoch": 3', '"epoch": NaN'), "NaN is no number"),
    "key twice": (lambda h, a: json.dumps(a).replace('"kind"', '"weights": [], "kind"'), "a name comes twice"),
    "deep json": (lambda h, a: json.dumps(a).replace('"epoch": 3', '"epoch": ' + "[" * 10**5), "is not JSON"),
    "long integer": (lambda h, a: json.dumps(a).replace('"epoch": 3', '"epoch": ' + "9" * 10**5), "is not JSON"),
    "half a surrogate": (lambda h, a: a["architecture"].update(name="\ud800"), "is not JSON"),
    "json cut short": (lambda h, a: json.dumps(a)[:-1], "is not JSON"),
    "json with more": (lambda h, a: json.dumps(a) + "{}", "is not JSON"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_hostile_files_are_refused_for_what_they_are(path: Path, good: bytes, name: str) -> None:
    change, message = CHANGES[name]
    forge(path, good, change)
    modules = set(sys.modules)
    start = time.perf_counter()
    tracemalloc.start()
    with pytest.raises(ModelFormatError, match=message):
        load_model(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**23
    assert time.perf_counter() - start < 5
    assert set(sys.modules) == modules


def test_a_metrics_number_takes_no_memory_or_time_beyond_the_file(path: Path, good: bytes) -> None:
    """A file of some kilobytes must not make counts for millions of thresholds, or thousands of metrics."""
    auc = {"class_name": "AUC", "config": {"num_thresholds": 2 * 10**7}}
    several = [{"class_name": "AUC", "config": {"num_thresholds": 90_000, "name": f"auc{n}"}} for n in range(2)]
    many = [{"class_name": "AUC", "config": {}}] * 15_000
    for entries, message in ((([auc]), "num_thresholds"), (several, "180000 together"), (many, "15000 metrics")):
        for name in ("metrics", "weighted_metrics"):
            changed = {"metrics": [], "weighted_metrics": []} | {name: entries}
            forge(path, good, lambda h, a: a["compile"].update(changed))  # noqa: B023
            tracemalloc.start()
            with pytest.raises(ModelFormatError, match=message):
                load_model(path)
            assert tracemalloc.get_traced_memory()[1] < 20 * path.stat().st_size + 2**21
            tracemalloc.stop()


def test_a_model_that_could_not_be_loaded_for_its_metrics_is_not_saved(path: Path) -> None:
    model = Sequential([Input((3,)), Dense(2)])
    model.compile("sgd", "mse", [metrics.AUC(num_thresholds=60_000, name=name) for name in "ab"])
    with pytest.raises(ValueError, match="120000 together; a model file has at most 100000"):
        model.save(path)
    model.compile("sgd", "mse", ["mae"] * 257)
    with pytest.raises(ValueError, match="257 metrics; a model file has at most 256"):
        model.save(path)
    model.compile("sgd", "mse", ["mae"] * 256)
    model.save(path)
    assert len(load_model(path).metrics) == 257


def test_a_number_of_steps_takes_no_time_beyond_the_file(path: Path, good: bytes) -> None:
    """Nadam multiplies a factor for each step; this would never end. The second product does not soon become zero."""
    for beta in (0.9, 1 - 2**-53):
        nadam = {"class_name": "Nadam", "config": {"learning_rate": 0.01, "beta_1": beta}}
        forge(
            path,
            good,
            lambda h, a: (
                a["compile"].update(optimizer=nadam),  # noqa: B023
                a["optimizer"].update(iterations=2**62),
                [h.update({name[:-8] + "momentum": h.pop(name)}) for name in [*h] if name.endswith("velocity")],
            ),
        )
        load_model(path).fit(np.eye(3), to_categorical([0, 1, 0]), verbose=0)


def test_names_from_a_file_are_shown_without_control_characters(
    path: Path, good: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "a\x1b[2J\r\n\t\x9b\u202e\u2066\u200f"

    def change(header: Any, about: Any) -> None:
        about["architecture"]["name"] = evil
        layer(about, 0)["config"]["name"] = evil
        about["compile"]["metrics"][0]["config"]["name"] = evil
        about["compile"]["loss"]["config"]["name"] = evil

    forge(path, good, change)
    model = load_model(path)
    model.summary()
    texts = [capsys.readouterr().out, repr(model), repr(model.metrics), repr(model.loss)]
    forge(path, good, lambda h, a: layer(a, 1).update(class_name=evil))
    with pytest.raises(ModelFormatError) as caught:
        load_model(path)
    texts.append(str(caught.value))
    forge(path, good, lambda h, a: (layer(a, 0)["config"].update(name=evil), layer(a, 0)["config"].update(units=3)))
    with pytest.raises(ModelFormatError) as caught:
        load_model(path)
    texts.append(str(caught.value))

    def rename(header: Any, about: Any) -> None:
        about["weights"][0] = evil
        header[evil] = header.pop(KERNEL)
        del header["optimizer/0_dense/kernel/velocity"]

    forge(path, good, rename)
    with pytest.raises(ModelFormatError) as caught:
        load_weights(model, path)
    texts.append(str(caught.value))
    with pytest.raises(ValueError, match="the model expects 3") as refused:
        model.predict(np.ones((2, 4)), verbose=0)
    texts.append(str(refused.value))
    for text in texts:
        assert not [c for c in text if not c.isprintable() and c != "\n"], text
        assert "\n\t" not in text


def test_forging_without_a_change_is_accepted(path: Path, good: bytes) -> None:
    forge(path, good, lambda header, about: None)
    load_model(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_neither_loaded_nor_saved(path: Path, good: bytes, value: float) -> None:
    body = bytearray(good[8 + struct.unpack("<Q", good[:8])[0] :])
    body[:4] = np.float32(value).tobytes()
    forge(path, good, lambda header, about: None, bytes(body))
    with pytest.raises(ModelFormatError, match="with NaN or infinite weights"):
        load_model(path)
    path.write_bytes(good)
    model = load_model(path)
    model.layers[0].kernel.packed[...] = value  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="holds NaN or infinite weights"):
        save_model(model, path)
    assert path.read_bytes() == good


@pytest.mark.parametrize(
    "header",
    [b"[" * 10**6, b'{"a":' * 10**5, b'{"__metadata__":{"fastnet":"' + b"x" * 10**6, b"\xef\xbb\xbf{}", b"[]", b"3"],
)
def test_hostile_headers(path: Path, header: bytes) -> None:
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(ModelFormatError):
        load_model(path)


@pytest.mark.parametrize("length", [2**20 + 1, 2**31, 2**62, 2**63, 2**64 - 1])
def test_a_header_that_is_too_long_is_not_read(path: Path, length: int) -> None:
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", length))
        file.truncate(2**40)  # takes no room on the disk
    tracemalloc.start()
    with pytest.raises(ModelFormatError):
        load_model(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, a: a["optimizer"].update(iterations=-1), "iterations -1"),
        (lambda t, a: a["optimizer"].update(learning_rate=None), "a learning rate that is fixed in one"),
        (lambda t, a: a["optimizer"].update(numbers={"x": 1}), "numbers {'x': 1}"),
        (lambda t, a: a.update(compile=[1]), "compile arguments that do not fit"),
        (lambda t, a: a.update(compile=None), "is no backup of a training"),
        (lambda t, a: t.update(epoch=-1), "epoch -1"),
        (lambda t, a: t.update(epoch=1.0), "epoch 1.0"),
        (lambda t, a: t.pop("epoch"), "'epoch' is missing"),
        (lambda t, a: t["generators"].update(other={}), "random generators of"),
        (lambda t, a: t["generators"]["fastnet"].update(bit_generator="MT19937"), "no PCG64"),
        (lambda t, a: t["generators"]["fastnet"]["state"].update(state=2**128), "state of a random generator"),
        (lambda t, a: t["generators"]["fastnet"]["state"].update(inc=2), "no PCG64"),
        (lambda t, a: t["generators"]["fastnet"].update(uinteger=1.5), "uinteger of a random generator"),
        (lambda t, a: t["generators"]["fastnet"].pop("state"), "'state' is missing"),
    ],
)
def test_the_state_of_a_training_is_checked(path: Path, good: bytes, change: Any, message: str) -> None:
    path.write_bytes(good)
    model = load_model(path)
    forge(path, good, lambda header, about: change(about["training"], about))
    before = state(model), rng.generator().bit_generator.state
    with pytest.raises(ModelFormatError, match=message):
        saving.restore_training(model, path)
    assert (state(model), rng.generator().bit_generator.state) == before


# Writing


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(".tmp"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["fsync", "replace", "fchmod", "open"])
def test_an_error_leaves_the_old_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    save_model(small(), path)
    before = path.read_bytes()
    model = small(units=7)
    unchanged = state(model)

    def fails(*args: Any, **kwargs: Any) -> Any:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fails)
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            save_model(model, path)
        assert caught.value.errno == code
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert state(model) == unchanged
    save_model(model, path)
    assert state(load_model(path)) == unchanged


def test_a_full_disk_leaves_the_old_file(path: Path) -> None:
    import resource

    save_model(small(), path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_model(small(units=7), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert leftovers(path.parent) == []


def test_ctrl_c_while_saving_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(small(), path)
    before = path.read_bytes()

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            save_model(small(units=7), path)
    assert path.read_bytes() == before
    assert leftovers(path.parent) == []


def test_the_order_of_the_calls(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def spy(*args: Any, name: str = name, real: Any = real) -> Any:
            folder = name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            calls.append("folder" if folder else name)
            return real(*args)

        monkeypatch.setattr(os, name, spy)
    save_model(small(), path)
    assert calls == ["fsync", "replace", "folder"]


def test_temporary_files_of_the_dead_are_swept_and_those_of_the_living_stay(path: Path) -> None:
    dead = path.parent / ".fastnet-0123456789abcdef.tmp"
    dead.write_bytes(b"half a model")
    other = path.parent / ".fastnet-mine.tmp"
    other.write_bytes(b"not one of them")
    name, descriptor = new_temporary(str(path.parent))
    save_model(small(), path)
    assert leftovers(path.parent) == sorted([other.name, os.path.basename(name)])
    os.close(descriptor)
    save_model(small(), path)
    assert leftovers(path.parent) == [other.name]


SAVER = """
import sys
from fastnet import saving
old, new = (saving.load_model(name) for name in sys.argv[2:4])
print("ready", flush=True)
while True:
    for model in (old, new):
        saving.save_model(model, sys.argv[1])
        print("saved", flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    target = folder / "m.safetensors"
    known = []
    for name, units in (("old", 30), ("new", 300)):
        save_model(small(units=units), tmp_path / f"{name}.safetensors")
        known.append((tmp_path / f"{name}.safetensors").read_bytes())
    command = [
        sys.executable,
        "-c",
        SAVER,
        str(target),
        str(tmp_path / "old.safetensors"),
        str(tmp_path / "new.safetensors"),
    ]
    draw = random.Random(1)
    left = 0
    for _ in range(24):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(3):  # "ready" and two saves
            process.stdout.readline()
        time.sleep(draw.uniform(0, 0.01))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert target.read_bytes() in known
        load_model(target)
        left += len(leftovers(folder))
        save_model(small(units=30), folder / "other.safetensors")
        assert leftovers(folder) == []
    assert left > 0, "no kill fell into a save: the test has shown nothing"


def test_readers_see_the_old_or_the_new_file(path: Path) -> None:
    models = [small(units=units) for units in (4, 40)]
    save_model(models[0], path)
    done = threading.Event()

    def write() -> None:
        for n in range(100):
            save_model(models[n % 2], path)
        done.set()

    expected = [state(model) for model in models]
    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert state(load_model(path)) in expected
    writer.join()
    assert leftovers(path.parent) == []


def test_threads_may_save_to_the_same_file(path: Path) -> None:
    models = [small(units=units) for units in (4, 40)]
    errors = []

    def write(model: Sequential) -> None:
        try:
            for _ in range(30):
                save_model(model, path)
        except BaseException as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(model,)) for model in models]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors == []
    assert state(load_model(path)) in [state(model) for model in models]
    assert leftovers(path.parent) == []


def test_a_model_too_large_for_a_file_is_refused(path: Path) -> None:
    deep = Sequential([Input((1,)), *(Dense(1, name=f"d{n}") for n in range(1025))])
    with pytest.raises(ValueError, match="at most 1024 layers"):
        save_model(deep, path)
    deep.pop()
    save_model(deep, path)
    assert state(load_model(path)) == state(deep)
    long = Sequential([Input((1,)), Dense(1, name="x" * 2**20)])
    with pytest.raises(ValueError, match="takes more than 1 MiB"):
        save_model(long, path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_loading_opens_nothing_else_and_runs_nothing(path: Path, good: bytes) -> None:
    code = """
import sys
from fastnet import saving
seen = []
saving.load_model(sys.argv[1])
sys.addaudithook(lambda event, args: seen.append((event, str(args[:1]))))
saving.load_model(sys.argv[1])
never = ("import", "exec", "compile", "socket.connect", "subprocess.Popen", "os.system")
bad = [each for each in seen if each[0] in never]
opened = [each for each in seen if each[0] == "open"]
assert not bad, bad
assert len(opened) <= 2 and all(sys.argv[1] in each[1] or each[1].strip("(),").isdigit() for each in opened), opened
"""
    path.write_bytes(good)
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_an_optimizer_that_was_used_goes_on_with_the_restored_state(optimizer: str, tmp_path: Path) -> None:
    model, path = small(optimizer), tmp_path / "backup.safetensors"
    saving.save_training(model, path, 1)
    model.train_on_batch(ROWS, LABELS)
    expected = [w.tobytes() for w in model.get_weights()]
    model.train_on_batch(ROWS, LABELS)
    saving.restore_training(model, path)
    model.train_on_batch(ROWS, LABELS)
    assert [w.tobytes() for w in model.get_weights()] == expected
