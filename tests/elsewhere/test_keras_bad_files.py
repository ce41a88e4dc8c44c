"""Files of Keras's formats that are wrong, damaged or hostile: a clear error, no code is run, and nothing changes."""

import io
import json
import os
import random
import stat
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import fastnet
from fastnet import layers
from fastnet.layers import Input
from fastnet.saving import ModelFormatError, load_model
from fastnet.saving.keras_archive import KERAS_VERSION

ROWS = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)


def small() -> Any:
    model = fastnet.Sequential([Input((3,)), layers.Dense(4, "relu"), layers.BatchNormalization(), layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(ROWS, ROWS[:, :2], verbose=0)
    return model


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("saved") / "m.keras"
    small().save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.keras"


def write(path: Path, members: dict[str, bytes], **changed: bytes | None) -> None:
    """Writes an archive with other members; the names' dots are written as underscores."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            new = changed.get(name.replace(".", "_"), data)
            if new is not None:
                archive.writestr(name, new)


def refused(path: Path, match: str, call: Callable[[Path], Any] = load_model) -> None:
    """Checks that a file is refused, and that little memory was used for it."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelFormatError, match=match) as error:
            call(path)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()
    assert repr(str(path)) in str(error.value)


# The archive ----------------------------------------------------------------------------------------------------------


def test_files_that_are_no_archives(path: Path) -> None:
    for data in (b"", b"PK", b"nonsense" * 100, b"PK\x05\x06" + b"\0" * 18):
        path.write_bytes(data)
        refused(path, "is no .keras file, or is damaged")
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    refused(path, "is no .keras file but an HDF5 file. .* a whole model of Keras 2 is opened in Keras 3")
    path.unlink()
    path.mkdir()
    refused(path, "is no file but a folder")
    path.rmdir()
    os.mkfifo(path)
    refused(path, "is no file but a folder, a pipe or a device")


def test_members_that_are_missing_or_too_much(path: Path, members: dict[str, bytes]) -> None:
    write(path, members, config_json=None)
    refused(path, "it has no member 'config.json', only metadata.json, model.weights.h5")
    write(path, members, model_weights_h5=None)
    refused(path, "it has no member 'model.weights.h5'")
    write(path, members, metadata_json=None)
    assert load_model(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("config.json", b"{}")
    refused(path, "a member comes twice")


def test_bombs(path: Path, members: dict[str, bytes]) -> None:
    for name in ("model.weights.h5", "config.json", "assets/layers/x/vocabulary.txt"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for other, data in members.items():
                if other != name:
                    archive.writestr(other, data)
            with archive.open(name, "w") as member:
                for _ in range(80):
                    member.write(bytes(2**20))
        refused(path, "bytes")


def test_a_packed_archive_is_read(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert load_model(path).optimizer.iterations == 1


def test_damaged_bytes(path: Path, members: dict[str, bytes]) -> None:
    """Whatever byte is wrong, the file is refused, or the model is another one; the program goes on."""
    write(path, members)
    whole = path.read_bytes()
    draw = random.Random(0)
    for cut in (10, 100, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:cut])
        refused(path, "damaged|holds")
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(draw.choice([1, 1, 20])):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data)
        try:
            load_model(path)
        except ModelFormatError:
            continue


def test_damaged_arrays(tmp_path: Path, members: dict[str, bytes]) -> None:
    """HDF5 has no checksum of the whole: a wrong byte may only change a number."""
    path = tmp_path / "m.weights.h5"
    draw = random.Random(1)
    model = small()
    before = model.get_weights()
    for _ in range(300):
        data = bytearray(members["model.weights.h5"])
        for _ in range(draw.choice([1, 1, 8])):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data)
        try:
            model.load_weights(path)
        except ModelFormatError:
            assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
        else:
            model.set_weights(before)


# The description ------------------------------------------------------------------------------------------------------


def changed(members: dict[str, bytes], change: Callable[[Any], Any]) -> bytes:
    config = json.loads(members["config.json"])
    result = change(config)
    return json.dumps(config if result is None else result).encode()


def nested(depth: int) -> bytes:
    return b'{"class_name":"Sequential","config":{"layers":[' * depth + b"]}}" * depth


def test_descriptions_that_are_no_json(path: Path, members: dict[str, bytes]) -> None:
    for text, match in (
        (b"", "config.json is not JSON"),
        (b"[]", "config.json is no JSON object"),
        (b"\xff\xfe", "config.json is not JSON"),
        (b'{"a": 1, "a": 2}', "a name comes twice"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": "\\ud800"}', "config.json is not JSON"),
        (b"[" * 100_000, "config.json is not JSON"),
        (b'{"class_name":' * 100_000, "config.json is not JSON"),
        (nested(100), "belongs to no layer"),
        (nested(20_000), "config.json is not JSON"),
        (b"cposix\nsystem\n(S'exit 1'\ntR.", "config.json is not JSON"),
    ):
        write(path, members, config_json=text)
        refused(path, match)


def dense(config: Any) -> Any:
    return config["config"]["layers"][1]


CHANGES: list[tuple[str, Callable[[Any], Any], str]] = [
    ("no class", lambda c: c.pop("class_name"), "the model: expected a dict with 'class_name'"),
    ("an own class", lambda c: c.update(class_name="Mine"), "the model is of class 'Mine'"),
    ("no layers", lambda c: c["config"].pop("layers"), "no list of layers"),
    ("a number as layers", lambda c: c["config"].update(layers=3), "no list of layers"),
    ("a number as a layer", lambda c: c["config"].update(layers=[3]), "a layer: expected a dict"),
    ("an unknown layer", lambda c: dense(c).update(class_name="Conv9D"), "is of class 'Conv9D', which fastnet has not"),
    ("code", lambda c: dense(c).update(class_name="Lambda"), "is of class 'Lambda', whose code is not run"),
    ("a module", lambda c: dense(c).update(class_name="os.system"), "is of class 'os.system', which fastnet has not"),
    ("a base class", lambda c: dense(c).update(class_name="WholeNumbersLayer"), "which fastnet has not"),
    ("an argument", lambda c: dense(c)["config"].update(rank=2), "'rank'=2, which fastnet's Dense has not"),
    ("negative units", lambda c: dense(c)["config"].update(units=-1), "units"),
    ("text as units", lambda c: dense(c)["config"].update(units="4"), "units"),
    ("many units", lambda c: dense(c)["config"].update(units=10**12), "has weights of shape .3, 1000000000000."),
    ("a name", lambda c: dense(c)["config"].update(name=[1]), "name must be a string"),
    ("float16", lambda c: dense(c)["config"].update(dtype="float16"), "the type or policy 'float16'"),
    ("a policy", lambda c: c["config"].update(dtype={"class_name": "QuantizedDTypePolicy", "config": {}}), "Quantized"),
    ("an activation", lambda c: dense(c)["config"].update(activation="no"), "'no'"),
    ("an activation's code", lambda c: dense(c)["config"].update(activation=LAMBDA), "a lambda as its activation"),
    ("an initializer", lambda c: dense(c)["config"].update(kernel_initializer=LAMBDA), "a lambda as its kernel_i"),
    ("an inner class", lambda c: dense(c)["config"].update(kernel_regularizer=OTHER), "'Custom>Other'"),
    ("a shape", lambda c: c["config"]["layers"][0]["config"].update(batch_shape=[None, None]), "shape"),
    (
        "a huge shape",
        lambda c: c["config"]["layers"][0]["config"].update(batch_shape=[None, 2**50]),
        "examples of shape",
    ),
    ("no shape", lambda c: c["config"]["layers"][0]["config"].pop("batch_shape"), "batch_shape"),
    ("more layers", lambda c: c["config"]["layers"].append(dense(c)), "has weights|already|arrays"),
    ("fewer layers", lambda c: c["config"]["layers"].pop(), "'?layers/dense_1/vars/0'? belongs to no layer"),
    ("many layers", lambda c: c["config"].update(layers=[IDENTITY] * 2000), "2000 layers|belongs to no layer"),
    ("an optimizer", lambda c: c["compile_config"]["optimizer"].update(class_name="Best"), "unknown optimizer 'Best'"),
    ("a list", lambda c: c.update(compile_config=[1]), "expected a dict"),
    ("no optimizer", lambda c: c["compile_config"].pop("optimizer"), "'optimizer' is missing"),
    ("a loss", lambda c: c["compile_config"].update(loss="guess"), "'guess'"),
    ("two losses", lambda c: c["compile_config"].update(loss=["mse", "mae"]), "mse"),
    ("a metric", lambda c: c["compile_config"].update(metrics=["luck"]), "'luck'"),
    ("many metrics", lambda c: c["compile_config"].update(metrics=["mae"] * 999), "999 metrics"),
    ("compile", lambda c: c["compile_config"].update(teacher="me"), "'teacher'='me', which fastnet has not"),
    ("steps", lambda c: c["compile_config"].update(steps_per_execution="x"), "steps_per_execution"),
]
LAMBDA = {"class_name": "__lambda__", "config": {"value": "abcd"}}
OTHER = {"module": "os", "class_name": "Other", "config": {}}
IDENTITY = {"module": "keras.layers", "class_name": "Identity", "config": {}}


@pytest.mark.parametrize(("change", "match"), [pair for _, *pair in CHANGES], ids=[name for name, *_ in CHANGES])
def test_descriptions_that_are_wrong(
    change: Callable[[Any], Any], match: str, path: Path, members: dict[str, bytes]
) -> None:
    def only_change(config: Any) -> None:
        change(config)

    write(path, members, config_json=changed(members, only_change))
    refused(path, match)


def test_functional_models_that_are_no_chain(path: Path) -> None:
    start = Input((3,))
    model = fastnet.Model(start, layers.Dense(2)(layers.Dense(3)(start)))
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def call(config: Any, i: int) -> Any:
        return config["config"]["layers"][i]["inbound_nodes"][0]

    def history(config: Any, i: int) -> Any:
        return call(config, i)["args"][0]["config"]["keras_history"]

    changes: list[tuple[Callable[[Any], Any], str]] = [
        (lambda c: history(c, 1).__setitem__(0, "dense_1"), "call each other in a circle"),
        (lambda c: history(c, 1).__setitem__(0, "nobody"), "'nobody' is missing"),
        (lambda c: history(c, 2).__setitem__(0, "input_layer"), "layer 'dense' is a branch"),
        (lambda c: c["config"]["layers"][2].update(inbound_nodes=[]), "does not depend on the input"),
        (lambda c: call(c, 1).update(args=[]), "it is called on one tensor"),
        (lambda c: call(c, 1).update(args=3), "TypeError|int"),
        (lambda c: c["config"].update(output_layers=[["dense", 0, 0], ["dense_1", 0, 0]]), "one input and one output"),
        (lambda c: c["config"].update(input_layers=None), "input_layers is None"),
        (lambda c: c["config"]["layers"].reverse(), "in the order of the computation"),
        (lambda c: c["config"]["layers"][1].update(name="dense_1"), "expected different ones"),
    ]
    for change, match in changes:
        write(path, members, config_json=changed(members, lambda config, change=change: change(config) and None))
        refused(path, match)


def test_a_file_of_a_newer_or_an_older_keras(path: Path, members: dict[str, bytes]) -> None:
    version = json.dumps({"keras_version": "4.2.0"}).encode()
    write(path, members, metadata_json=version)
    assert load_model(path).optimizer.iterations == 1
    config = changed(members, lambda config: dense(config)["config"].update(sparsity="wide"))
    write(path, members, metadata_json=version, config_json=config)
    refused(path, rf"'sparsity'='wide'.*written by Keras 4.2.0; this fastnet was tested .* up to {KERAS_VERSION}")
    write(path, members, metadata_json=b'{"keras_version": "2.15.0"}', config_json=config)
    refused(path, "'sparsity'='wide'.*written by Keras 2.15.0; open it in Keras 3, and save it there again")
    write(path, members, config_json=config)
    with pytest.raises(ModelFormatError) as error:
        load_model(path)
    assert "was tested" not in str(error.value)


# The arrays -----------------------------------------------------------------------------------------------------------


def edited(members: dict[str, bytes], edit: Callable[[Any], Any]) -> bytes:
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        edit(file)
    return buffer.getvalue()


def replaced(name: str, **arguments: Any) -> Callable[[Any], Any]:
    def edit(file: Any) -> None:
        del file[name]
        file.create_dataset(name, **arguments)

    return edit


def linked(link: Any) -> Callable[[Any], Any]:
    def edit(file: Any) -> None:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = link

    return edit


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((3, 4), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3, 4))
    del file["layers/dense/vars/0"]
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def circle(file: Any) -> None:
    file["layers/round"] = file["layers"]


KERNEL = "layers/dense/vars/0"
EDITS: list[tuple[str, Callable[[Any], Any], str]] = [
    ("a soft link", linked(h5py.SoftLink("/layers/dense_1/vars/0")), "is a link to another place"),
    ("an external link", linked(h5py.ExternalLink("/etc/passwd", "x")), "is a link to another place"),
    (
        "an external file",
        replaced(KERNEL, shape=(3, 4), dtype="f4", external=[("/dev/zero", 0, 48)]),
        "in another file",
    ),
    ("a virtual array", virtual, "in another file"),
    ("a compressed array", replaced(KERNEL, data=np.zeros((3, 4), "f4"), compression="gzip"), "compressed"),
    ("a huge array", replaced(KERNEL, shape=(10**6, 10**6), dtype="f4", chunks=(10, 10)), "in pieces"),
    ("bytes that are not there", replaced(KERNEL, shape=(3, 4), dtype="f4"), "its bytes are not in the file"),
    ("text", replaced(KERNEL, data=[["a"] * 4] * 3), "expected numbers"),
    ("complex numbers", replaced(KERNEL, data=np.zeros((3, 4), "c8")), "expected numbers"),
    ("references", replaced(KERNEL, shape=(3, 4), dtype=h5py.ref_dtype), "expected numbers"),
    ("an empty array", replaced(KERNEL, data=h5py.Empty("f4")), "has the shape None"),
    ("many axes", replaced(KERNEL, data=np.zeros((1,) * 12, "f4")), "has the shape"),
    ("other numbers", replaced(KERNEL, data=np.zeros((3, 4))), "is of type float64"),
    ("another shape", replaced(KERNEL, data=np.zeros((4, 3), "f4")), r"\(3, 4\)"),
    ("NaN", replaced(KERNEL, data=np.full((3, 4), np.nan, "f4")), "NaN or infinite weights"),
    ("no array", lambda file: file.pop(KERNEL), "arrays|no '"),
    ("a group", lambda file: (file.pop(KERNEL), file.create_group(KERNEL)), "arrays|no '"),
    ("more arrays", lambda file: file.create_dataset("layers/dense/vars/2", data=[1.0]), "."),
    ("another layer", lambda file: file.create_dataset("layers/conv2d/vars/0", data=[1.0]), "belongs to no layer"),
    ("a circle of groups", circle, "nested deeper than 256|more than 100000"),
    ("Keras 2", lambda file: file.attrs.update(layer_names=["a"]), "a file of Keras 2 is opened in Keras 3"),
    ("a type", lambda file: file.__setitem__("layers/kind", np.dtype("f4")), "neither a group nor an array"),
]


@pytest.mark.parametrize(("edit", "match"), [pair for _, *pair in EDITS], ids=[name for name, *_ in EDITS])
def test_arrays_that_are_wrong(edit: Callable[[Any], Any], match: str, path: Path, members: dict[str, bytes]) -> None:
    data = edited(members, edit)
    write(path, members, model_weights_h5=data)
    refused(path, match)
    weights = path.with_name("m.weights.h5")
    weights.write_bytes(data)
    model = small()
    before = model.get_weights()
    refused(weights, match, model.load_weights)
    refused(path, match, model.load_weights)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_an_optimizers_state_that_is_wrong(path: Path, members: dict[str, bytes]) -> None:
    for name, value, match in (
        ("0", np.float32(1), "is no number as expected"),
        ("0", np.int64(-1), "-1 steps"),
        ("1", np.float32(np.nan), "the learning rate nan"),
        ("1", np.float32(-1), "the learning rate -1"),
        ("1", np.zeros(3, "f4"), "is no number as expected"),
        ("2", np.zeros((4, 3), "f4"), r"has the shape \(4, 3\), but the momentum of dense/kernel has \(3, 4\)"),
    ):
        write(path, members, model_weights_h5=edited(members, replaced(f"optimizer/vars/{name}", data=value)))
        refused(path, match)
        assert load_model(path, compile=False).get_weights()


# Files that are right, but that the Keras of these tests does not write ----------------------------------------------


def test_seeds_are_left_out(path: Path, members: dict[str, bytes]) -> None:
    def add(file: Any) -> None:
        file.create_dataset("layers/dense/seed_generator/vars/0", data=np.array([1, 2], np.uint32))

    write(path, members, model_weights_h5=edited(members, add))
    assert load_model(path).optimizer.iterations == 1


@pytest.mark.parametrize("mode", ["int", "multi_hot", "tf_idf"])
def test_a_lookup_that_was_adapted(mode: str, path: Path) -> None:
    """Keras has lookups with TensorFlow alone; an adapted one has its vocabulary in a text file."""
    lookup = layers.IntegerLookup(output_mode=mode, max_tokens=6, pad_to_max_tokens=mode != "int")
    lookup.adapt(np.array([[12, 36, 7], [7, 36, 36]]))
    model = fastnet.Sequential([Input((3,), dtype="int64"), lookup, layers.Dense(2)])
    model.save(path)
    x = np.array([[12.0, 7.0, 5.0]])
    again = load_model(path)
    assert (again.predict(x, verbose=0) == model.predict(x, verbose=0)).all()
    assert again.get_config() == model.get_config()
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with h5py.File(io.BytesIO(members["model.weights.h5"])) as file:
        assert list(file["layers/integer_lookup/vars"]) == (["idf_weights"] if mode == "tf_idf" else [])
        assert mode != "tf_idf" or file["layers/integer_lookup/vars/idf_weights"].shape == (6,)

    def as_adapted(config: Any) -> None:
        config["config"]["layers"][1]["config"].update(vocabulary=None, idf_weights=None, vocabulary_dtype="int64")
        config["config"]["layers"][1]["config"].update(vocabulary_size=4, salt=None, oov_method="floormod")

    lines = "\n".join(map(str, lookup.get_vocabulary())).encode()
    members["assets/layers/integer_lookup/vocabulary.txt"] = lines
    write(path, members, config_json=changed(members, as_adapted))
    adapted = load_model(path)
    assert adapted.layers[0].get_vocabulary() == lookup.get_vocabulary()
    assert (adapted.predict(x, verbose=0) == model.predict(x, verbose=0)).all()


# Writing --------------------------------------------------------------------------------------------------------------


def test_nothing_is_half_written(tmp_path: Path) -> None:
    model = small()
    for name, save in (("m.keras", model.save), ("m.weights.h5", model.save_weights)):
        path = tmp_path / name
        save(path)
        data = path.read_bytes()
        with pytest.raises(FileExistsError):
            save(path, overwrite=False)
        path.chmod(0o444)
        with pytest.raises(PermissionError, match="read-only"):
            save(path)
        path.chmod(0o640)
        weights = model.get_weights()
        model.layers[0].kernel.packed[...] = np.nan
        with pytest.raises(fastnet.saving.NotFiniteError, match="layers/dense/vars/0"):
            save(path)
        model.set_weights(weights)
        assert path.read_bytes() == data
        save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        with pytest.raises(FileNotFoundError):
            save(tmp_path / "no" / name)
    model.add(layers.Lambda(np.abs, gradient=lambda x, y, dy: dy * np.sign(x)))
    with pytest.raises(TypeError, match="layer 'lambda' of class Lambda cannot be saved in Keras's format"):
        model.save(tmp_path / "other.keras")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.keras", "m.weights.h5"]


def test_names_that_keras_refuses(path: Path) -> None:
    """Keras would not open the file."""
    start = Input((3,), name="in/side")
    named = fastnet.optimizers.SGD(name="op/timizer")
    for what, model in (
        ("model's name 'a/b'", fastnet.Sequential([Input((3,)), layers.Dense(2)], name="a/b")),
        ("model's name 'a/b'", fastnet.Model(start, layers.Dense(2)(start), name="a/b")),
        ("layer's name 'a/b'", fastnet.Sequential([Input((3,)), fastnet.Sequential([layers.Dense(2)], name="a/b")])),
        ("layer's name 'a/b'", fastnet.Sequential([Input((3,)), fastnet.Sequential([layers.Dense(2, name="a/b")])])),
        ("layer's name 'in/side'", fastnet.Model(start, layers.Dense(2)(start))),
        ("input's name 'in/side'", fastnet.Sequential([Input((3,), name="in/side"), layers.Dense(2)])),
        ("optimizer's name 'op/timizer'", fastnet.Sequential([Input((3,)), layers.Dense(2)]).compile(named, "mse")),
    ):
        with pytest.raises(ValueError, match=f"the {what} has a slash, which Keras does not allow; rename it"):
            model.save(path)
        assert not path.exists()


def test_weights_of_another_model(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    small().save_weights(path)
    other = fastnet.Sequential([Input((3,)), layers.Dense(4), layers.LayerNormalization(), layers.Dense(2)])
    match = "it has no 'layers/layer_normalization/vars/0' for the model's 'layer_normalization/gamma'; it has layers/b"
    refused(path, match, other.load_weights)
    fewer = fastnet.Sequential([Input((3,)), layers.Dense(4), layers.BatchNormalization()])
    refused(path, "layers/dense_1/vars/[01] belongs to no layer", fewer.load_weights)
    with pytest.raises(ValueError, match="no weights yet"):
        fastnet.Sequential([layers.Dense(2)]).load_weights(path)
    with pytest.raises(ValueError, match="must end in"):
        load_model(path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.keras")
    with pytest.raises(TypeError, match="custom_objects must be a dict"):
        load_model(tmp_path / "none.keras", custom_objects=3)  # type: ignore[arg-type]
