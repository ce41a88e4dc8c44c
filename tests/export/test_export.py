"""Model.export: the checks that all formats share. A format of the test's own stands for any."""

import errno
import os
import stat
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnet
from fastnet import export, layers
from fastnet.export.kinds import kind_of
from fastnet.layers import Dense, Input
from fastnet.saving.files import replace_file


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Adds the format .fmt, which has an option `level`; returns what its writer was called with."""
    calls: list[Any] = []

    def write(model: Any, path: str, *, level: int = 1) -> None:
        calls.append((model, path, level))
        Path(path).write_bytes(b"new")

    module = types.ModuleType("a_format")
    module.write = write  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_format", module)
    monkeypatch.setitem(export.FORMATS, ".fmt", ("fmt", "a_format"))
    return calls


def small() -> Any:
    return fastnet.Sequential([Input((3,)), Dense(2)])


def test_the_ending_chooses_the_format(written: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small()
    for name in (tmp_path / "a.fmt", str(tmp_path / "b.c.fmt"), tmp_path / ".fmt"):
        assert model.export(name) is None
        assert written[-1] == (model, str(name), 1)
    model.export(tmp_path / "a.fmt", "fmt", None, model.inputs, level=3)  # it replaces the file
    assert written[-1] == (model, str(tmp_path / "a.fmt"), 3)
    assert capsys.readouterr().out == ""
    model.export(tmp_path / "a.fmt", verbose=True)
    assert capsys.readouterr().out == f"wrote {tmp_path / 'a.fmt'}: 3 bytes\n"


@pytest.mark.parametrize("name", ["model", "m.onn", "m.ONNX", "m.onnx.zip", "m.onnx/", "", "."])
def test_another_ending_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"filepath must end in '\.onnx'"):
        small().export(os.path.join(tmp_path, name) if name else name)
    assert list(tmp_path.iterdir()) == []


def test_a_null_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="filepath must be a file's name, which has no null character"):
        small().export(tmp_path / "m\0.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [None, 3, b"m.onnx", ["m.onnx"]])
def test_the_name_must_be_a_name(name: Any) -> None:
    with pytest.raises(TypeError, match="filepath must be a"):
        small().export(name)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"format": "tf_saved_model"}, ValueError, "format must be None or 'fmt' for the file"),
        ({"format": 3}, ValueError, "format must be None or 'fmt'"),
        ({"verbose": "yes"}, TypeError, "verbose must be None, True or False, got 'yes'"),
        ({"verbose": 2}, TypeError, "verbose must be"),
        ({"overwrite": "no"}, TypeError, "overwrite must be True or False"),
        ({"levle": 2}, TypeError, r"unexpected keyword argument 'levle' for a \.fmt file; did you mean 'level'"),
        ({"is_static": True}, TypeError, r"'is_static' for a \.fmt file.* There are: level"),
        ({"input_signature": [Input((4,))]}, ValueError, r"has shape \(None, 4\); the model expects \(None, 3\)"),
        ({"input_signature": [Input((3,)), Input((3,))]}, ValueError, "has 2 inputs; the model has 1"),
        ({"input_signature": "x"}, TypeError, "input_signature must be an input such as model.inputs, got 'x'"),
        ({"input_signature": np.zeros((1, 3))}, ValueError, "dtype float64; the model expects float32"),
    ],
)
def test_arguments_are_checked(
    options: Any, error: type[Exception], text: str, written: list[Any], tmp_path: Path
) -> None:
    with pytest.raises(error, match=text):
        small().export(tmp_path / "m.fmt", **options)
    assert written == []


@pytest.mark.parametrize("example", [np.zeros((1, 3), np.float32), [[Input((3,))]], Input((3,)), None])
def test_an_input_signature_that_says_the_same_is_accepted(example: Any, written: list[Any], tmp_path: Path) -> None:
    small().export(tmp_path / "m.fmt", input_signature=example)
    assert len(written) == 1


def test_a_model_without_weights_is_refused(written: list[Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the model has no weights yet; put an Input in front, or call build"):
        fastnet.Sequential([Dense(2)]).export(tmp_path / "m.fmt")
    with pytest.raises(ValueError, match="the model has no layers"):
        fastnet.Sequential([]).export(tmp_path / "m.fmt")
    assert written == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value: float, written: list[Any], tmp_path: Path) -> None:
    model = small()
    model.weights[1].packed[...] = value
    with pytest.raises(ValueError, match="dense/bias holds NaN or infinite weights, so the model is not exported"):
        model.export(tmp_path / "m.fmt")
    assert written == []


def test_the_folder_must_be_there(written: list[Any], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"there is no such folder: '{tmp_path}/none'"):
        small().export(tmp_path / "none" / "m.fmt")
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        small().export(tmp_path / "file" / "m.fmt")
    assert written == []


def test_a_file_is_replaced_unless_it_must_not_be(written: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "m.fmt"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError, match="overwrite is False"):
        small().export(path, overwrite=False)
    path.chmod(stat.S_IRUSR)
    with pytest.raises(PermissionError, match="read-only"):
        small().export(path)
    assert path.read_bytes() == b"old"
    assert written == []
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    small().export(path)
    assert path.read_bytes() == b"new"


def test_a_folder_that_takes_no_files_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the system's answer is replaced."""

    def write(model: Any, path: str) -> None:
        replace_file(path, b"new")

    def refuse(path: str, *_: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    module = types.ModuleType("a_format")
    module.write = write  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_format", module)
    monkeypatch.setitem(export.FORMATS, ".fmt", ("fmt", "a_format"))
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=f"no file can be written into this folder: '{tmp_path}'"):
        small().export(tmp_path / "m.fmt")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)  # as if it were not installed
    with pytest.raises(ImportError, match=r'needs onnx, .* python -m pip install "fastnet-mlp\[onnx\]"'):
        small().export(tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


class Hidden(Dense):
    """Adds only a constructor and a method."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(4, "relu", **kwargs)

    def largest(self) -> float:
        return float(self.kernel.numpy().max())


class Doubled(Dense):
    def call(self, x: Any, training: bool = False) -> Any:
        return 2 * super().call(x)


class Alike(Doubled):
    pass


class Harder(fastnet.activations.HardTanh):
    def value(self, x: Any) -> Any:
        return np.sign(x)


class Called(fastnet.activations.HardTanh):
    def __call__(self, x: Any) -> Any:
        return np.sign(x)


def test_a_kind_is_the_class_whose_code_computes() -> None:
    assert kind_of(Dense(3)) == kind_of(Hidden()) == "Dense"
    assert kind_of(Doubled(3)) is kind_of(Alike(3)) is None
    assert kind_of(layers.Lambda(np.tanh)) == "Lambda"
    assert kind_of(fastnet.activations.relu) == "Relu"
    assert kind_of(Harder()) is kind_of(Called()) is None
    patched = Dense(3)
    patched.call = lambda x: x  # type: ignore[method-assign]
    assert kind_of(patched) is None
