"""The text of an exported C file: names, comments, test rows; and the errors for what has no form in C."""

from __future__ import annotations

import locale
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export.c.compiling import C99, CPP11, Exported, compiled, emulated, macro, needs_compiler, simple
from export.c.networks import NOT_IN_INTEGERS, networks

from fastnet import Sequential, activations, layers
from fastnet.activations import Activation as Function
from fastnet.layers import Dense, Flatten, Input, Normalization


def test_lines_are_short_and_in_ascii(floats: Exported, integers: Exported) -> None:
    for path in [*floats.folder.glob("*.h"), *integers.folder.glob("*.h")]:
        data = path.read_bytes()
        assert data.isascii()
        assert max(map(len, data.splitlines())) < 120, path
        assert b"\t" not in data
        assert data.endswith(b"\n")


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model, x = networks()["wide"]
    for integer in (False, True):
        texts = []
        for _ in range(2):
            model.export(tmp_path / "same.h", integer=integer, examples=x)
            texts.append((tmp_path / "same.h").read_bytes())
        assert texts[0] == texts[1]


def test_the_locale_does_not_matter(tmp_path: Path) -> None:
    before = locale.setlocale(locale.LC_ALL)
    model = simple()
    model.export(tmp_path / "a.h", name="net")
    try:
        locale.setlocale(locale.LC_ALL, next(iter(languages())))
        model.export(tmp_path / "b.h", name="net")
    finally:
        locale.setlocale(locale.LC_ALL, before)
    assert (tmp_path / "a.h").read_bytes() == (tmp_path / "b.h").read_bytes()


def languages() -> list[str]:
    """A locale with a comma in numbers, or the plain one if none is installed."""
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C"):
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        return [name]
    return ["C"]


@pytest.mark.parametrize(
    ("file", "prefix"),
    [
        ("model.h", "model"), ("My Net-2.h", "my_net_2"), ("3d.h", "model_3d"), ("int.h", "int"), ("__x__.h", "x"),
        ("ziffern.v1.h", "ziffern_v1"), ("\u6570\u5b57.h", "model"), ("_.h", "model"), ("a" * 60 + ".h", "a" * 40),
    ],
)  # fmt: skip
def test_the_prefix_is_made_of_the_files_name(file: str, prefix: str, tmp_path: Path) -> None:
    simple().export(tmp_path / file)
    header = (tmp_path / file).read_text()
    assert f"void {prefix}_predict(" in header
    assert f"#define {prefix.upper()}_INPUTS 4\n" in header
    if shutil.which("gcc"):
        (tmp_path / "main.c").write_text(f'#include "{file}"\nint main(void) {{ return 0; }}\n')
        compiled(C99, tmp_path / "main.c")


@pytest.mark.parametrize("name", ["Digits_2", "name", "NAME", "FILENAME", "my_NAME", "name_NAME"])
def test_a_prefix_can_be_given(name: str, tmp_path: Path) -> None:
    simple().export(tmp_path / "model.h", name=name)
    header = (tmp_path / "model.h").read_text()
    assert f"void {name}_predict(" in header
    assert set(re.findall(r"\w+(?=_dense\()", header)) == {name}
    assert set(re.findall(r"\w+(?=_READ_F32)", header)) == {name.upper()}


@pytest.mark.parametrize("name", ["", "2x", "a b", "a__b", "_a", "a_", "\u00e4", "a" * 41, "a\n", "a;b"])
def test_a_prefix_that_is_no_name_in_c_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name must be a prefix for names in C"):
        simple().export(tmp_path / "model.h", name=name)
    assert not list(tmp_path.iterdir())


@needs_compiler
def test_names_of_layers_cannot_leave_the_comment(tmp_path: Path) -> None:
    names = ["a */ #error", "b \\", "c ??/", "d /* e", "f\nint g", "\u00e4\u4e00", "x" * 500, "*", "/", "%s {p} @"]
    model = Sequential([Input((2,)), *(Dense(2, name=name) for name in names)], name="*/ int bad;")
    for integer in (False, True):
        model.export(tmp_path / "net.h", integer=integer, examples=np.ones((3, 2)))
        (tmp_path / "main.c").write_text('#include "net.h"\nint main(void) { return 0; }\n')
        for compiler in (C99, CPP11):
            compiled(compiler, tmp_path / "main.c", "-Wtrigraphs", "-Wcomment")
        assert max(map(len, (tmp_path / "net.h").read_text().splitlines())) < 120


class Mine(layers.Layer):
    def call(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("first", [layers.LayerNormalization(), layers.Embedding(5, 2)])
def test_long_names_leave_the_code_in_order(first: Any, integer: bool, tmp_path: Path) -> None:
    model, name = simple(first, Flatten(), Dense(3, "softmax")), "n" * 40
    model.export(tmp_path / "net.h", integer=integer, examples=np.ones((2, 4)), name=name)
    header = (tmp_path / "net.h").read_text()
    assert max(map(len, header.splitlines())) < 120
    for head in re.findall(r"^static inline [^{]*", header, re.MULTILINE):
        first, *others = head.rstrip().split("\n")
        for line in others:  # the parameters begin below each other, and none is broken
            assert re.fullmatch(rf" {{{first.index('(') + 1}}}\S.*[,)]", line), head
        assert all(line.endswith(",") for line in (first, *others)[:-1]), head


def test_the_order_of_the_numbers_is_told_where_there_is_a_choice(tmp_path: Path) -> None:
    for shape, told in (((4,), False), ((2, 2), True)):
        simple(Flatten(), Dense(3), shape=shape).export(tmp_path / "net.h")
        assert ("the last index changes fastest" in " ".join((tmp_path / "net.h").read_text().split())) == told


class Hidden(Dense):
    def __init__(self) -> None:
        super().__init__(3, "relu", name="dense")


def test_a_subclass_with_a_constructor_alone_is_its_base(tmp_path: Path) -> None:
    texts = []
    for layer in (Dense(3, "relu", name="dense"), Hidden()):
        model = simple(layer, Dense(2, name="last"))
        model.set_weights([np.ones_like(weight) for weight in model.get_weights()])
        model.export(tmp_path / "net.h")
        text = (tmp_path / "net.h").read_text()
        texts.append(text[text.index("#ifndef") :])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("layer", [layers.Rescaling(1e39), layers.BatchNormalization()])
def test_factors_that_float_cannot_hold_are_refused(layer: Any, integer: bool, tmp_path: Path) -> None:
    model = simple(layer, layers.Activation("sigmoid"))  # its outputs are finite all the same
    for variable in model.weights:
        variable.assign(np.full(variable.shape, 1e-4 if "variance" in variable.name else 3e38, np.float32))
    with pytest.raises(ValueError, match=f"layer '{layer.name}' has a factor or a shift that does not fit float32"):
        model.export(tmp_path / "net.h", integer=integer, examples=np.ones((2, 4)))
    assert not list(tmp_path.iterdir())


class Square(Function):
    def __call__(self, x: Any) -> Any:
        return np.asarray(x) ** 2

    def derivative(self, x: Any) -> Any:
        return 2 * np.asarray(x)


def patched() -> Dense:
    layer: Any = Dense(3, name="p")
    layer.call = lambda x: x
    return layer  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Mine(name="m"), "layer 'm' is of your class Mine, which has no form in C: Python code cannot be written in C"),
        (layers.Lambda(lambda x: x, gradient=None, name="l"), "layer 'l' is of class Lambda.*export the layers before"),
        (layers.Discretization(bin_boundaries=[0.0], name="d"), "layer 'd' is of class Discretization.*compute it in"),
        (patched(), "layer 'p' has a method that you replaced, which has no form in C: Python code cannot be"),
        (Dense(3, Square(), name="s"), "layer 's' has the activation 'Square'.*integer=True"),
    ],
)
def test_a_layer_without_a_form_in_c_is_named(layer: Any, message: str, tmp_path: Path) -> None:
    model = Sequential([Input((4,)), layer, Flatten()])
    with pytest.raises(ValueError, match=message):
        model.export(tmp_path / "model.h")
    assert not list(tmp_path.iterdir())


def test_the_integer_form_takes_an_activation_of_your_own(tmp_path: Path) -> None:
    model, x = simple(Dense(3, Square()), Dense(1)), np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    network = emulated(model, x)
    off = np.abs(network.run(network.inputs(x)) * 2.0**-network.output - model.predict(x, verbose=0))
    assert off.max() < 0.02 * np.abs(model.predict(x, verbose=0)).max()
    model.export(tmp_path / "model.h", integer=True, examples=x)


@pytest.mark.parametrize("name", NOT_IN_INTEGERS)
def test_an_activation_without_an_integer_form_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"has the activation '{name}', which has no integer form: use softmax"):
        simple(Dense(3, name)).export(tmp_path / "model.h", integer=True, examples=np.ones((2, 4)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"integer": True}, ValueError, "integer=True needs examples"),
        ({"integer": "yes"}, TypeError, "integer must be"),
        ({"examples": np.ones((2, 5))}, ValueError, "examples has 5 features.*expects 4"),
        ({"examples": np.ones((0, 4))}, ValueError, "examples holds 0 rows"),
        ({"examples": np.array([[1, np.nan, 0, 0]])}, ValueError, "examples"),
        ({"examples": "abc"}, TypeError, "examples"),
        ({"name": 3}, TypeError, "name must be a string"),
    ],
)
def test_wrong_options_are_refused(options: Any, error: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        simple().export(tmp_path / "model.h", **options)
    assert not list(tmp_path.iterdir())


def test_a_read_only_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.h"
    path.write_text("old")
    path.chmod(0o400)
    with pytest.raises(PermissionError):
        simple().export(path)
    assert path.read_text() == "old"


@pytest.mark.parametrize("integer", [False, True])
def test_outputs_that_are_not_finite_are_refused(integer: bool, tmp_path: Path) -> None:
    model = simple(Dense(1, "exponential"), shape=(1,))
    model.set_weights([np.full((1, 1), 100, np.float32), np.zeros(1, np.float32)])
    with pytest.raises(ValueError, match="NaN or infinity"):
        model.export(tmp_path / "model.h", integer=integer, examples=np.ones((2, 1)))
    assert not list(tmp_path.iterdir())
    model.export(tmp_path / "model.h", integer=integer, examples=np.full((2, 1), 0.8))


def test_a_mean_whose_sum_could_overflow_is_refused(tmp_path: Path) -> None:
    model = simple(layers.GlobalAveragePooling1D("channels_first"), shape=(1, 65536))
    with pytest.raises(ValueError, match="has a mean of 65536 numbers: too many for sums in 32 bits"):
        model.export(tmp_path / "model.h", integer=True, examples=np.ones((2, 1, 65536)))


def test_numbers_that_rounding_may_make_infinite_are_refused(tmp_path: Path) -> None:
    model = simple(Dense(1, activations.LeakyRelu(3e38)), Dense(1, "sigmoid"), shape=(1,))
    model.set_weights([np.full((1, 1), -2), np.zeros(1), np.full((1, 1), -1), np.zeros(1)])
    with pytest.raises(ValueError, match="for the test rows that are too large for float32"):
        model.export(tmp_path / "model.h", examples=np.ones((2, 1)))
    assert not list(tmp_path.iterdir())


def test_examples_may_be_anything_that_predict_takes(tmp_path: Path) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    x = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]]
    texts = []
    for given in (x, x.tolist(), x.astype(np.float64), sparse.csr_matrix(x), x[..., None]):
        model = simple(Dense(3))
        model.set_weights([np.arange(12, dtype=np.float32).reshape(4, 3), np.zeros(3, np.float32)])
        model.export(tmp_path / "model.h", integer=True, examples=given)
        texts.append((tmp_path / "model.h").read_text())
    assert len({re.sub("dense_?[0-9]*", "", text) for text in texts}) == 1


def test_examples_of_bytes_may_be_sparse(tmp_path: Path) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    model, x, texts = simple(Dense(3)), np.eye(4, dtype=np.uint8), []
    for given in (x, sparse.csr_matrix(x)):
        model.export(tmp_path / "model.h", integer=True, examples=given)
        texts.append((tmp_path / "model.h").read_text())
    assert "const uint8_t *x, int16_t *y" in texts[0]
    assert texts[0] == texts[1]


def test_the_test_rows(tmp_path: Path) -> None:
    path = tmp_path / "model.h"
    for count, rows in ((1, 1), (2, 2), (3, 3), (100, 3)):
        simple().export(path, examples=np.ones((count, 4)))
        assert macro(path.read_text(), "TEST_ROWS") == str(rows)
    simple(Normalization(mean=[100, 200, 300, 400], variance=[1, 1, 1, 1]), Dense(1)).export(path)
    drawn = re.search(r"_test_x\[12\] = \{([^}]*)", path.read_text())
    assert drawn
    numbers = np.array([float(text.strip().rstrip("f")) for text in drawn[1].split(",")]).reshape(3, 4)
    assert (np.abs(numbers - [100, 200, 300, 400]) <= 1).all()


@pytest.mark.parametrize(
    ("last", "loss", "has_classes"),
    [
        (Dense(3, "softmax"), None, True), (Dense(3), None, False), (Dense(1, "sigmoid"), None, True),
        (Dense(3), "categorical_hinge", True), (Dense(1), "mse", False), (Dense(3, "sigmoid"), None, True),
    ],
)  # fmt: skip
def test_classes(last: Any, loss: Any, has_classes: bool, tmp_path: Path) -> None:
    model = simple(last)
    if loss:
        model.compile(loss=loss)
    for integer in (False, True):
        model.export(tmp_path / "model.h", integer=integer, examples=np.ones((2, 4)))
        assert ("int model_class(" in (tmp_path / "model.h").read_text()) == has_classes
