"""The export to C: compiled as C99 and C++ without a warning, and compared with `predict`, for each layer."""

from __future__ import annotations

import locale
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export.networks import NOT_IN_INTEGERS, networks

from fastnet import Sequential, datasets, layers
from fastnet.activations import Activation as Function
from fastnet.export.c.integer import Network
from fastnet.export.c.shapes import steps_of
from fastnet.layers import Activation, Dense, Embedding, Flatten, Input, Normalization, Permute, ReLU, Rescaling, Reshape

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
C99, CPP11 = ["gcc", "-std=c99"], ["g++", "-std=c++11"]
needs_compiler = pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("g++")), reason="needs gcc and g++")

MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *many(FILE *file, size_t size) { void *all = malloc(size); if (fread(all, 1, size, file) != size) exit(3); return all; }
@FUNCTIONS@
int main(int count, char **names)
{
    (void)count;
@CALLS@
    return 0;
}
"""
# Runs all rows of a file, with numbers around y and the scratch that must not change; and a second row in between.
RUN = """
static void run_@P@(const char *in, const char *out)
{
    enum { N = @ROWS@, EDGE = 8 };
    FILE *file = fopen(in, "rb");
    @X@ *x = (@X@ *)many(file, sizeof(@X@) * N * @U@_INPUTS);
    @Y@ y[@U@_OUTPUTS + 2 * EDGE], s[@U@_SCRATCH + 2 * EDGE], y2[@U@_OUTPUTS], s2[@U@_SCRATCH];
    @X@ room[@U@_INPUTS];
    int r, i;
    fclose(file);
    file = fopen(out, "wb");
    for (i = 0; i < (int)(sizeof y / sizeof *y); i++) y[i] = 77;
    for (i = 0; i < (int)(sizeof s / sizeof *s); i++) s[i] = 77;
    for (r = 0; r < N; r++) {
        @P@_predict(x + r * @U@_INPUTS, y + EDGE, s + EDGE);
        @P@_predict(x + (N - 1 - r) * @U@_INPUTS, y2, s2);
        fwrite(y + EDGE, sizeof *y, @U@_OUTPUTS, file);
    }
    for (i = 0; i < EDGE; i++)
        if (y[i] != 77 || s[i] != 77 || y[@U@_OUTPUTS + EDGE + i] != 77 || s[@U@_SCRATCH + EDGE + i] != 77) exit(4);
    fclose(file);
    free(x);
    if (@P@_test(room, y2, s2)) { printf("@P@: %d outputs wrong\\n", @P@_test(room, y2, s2)); exit(5); }
}
"""


def compiled(compiler: list[str], source: Path, *options: str) -> Path:
    """Compiles a program with warnings as errors, and returns it."""
    program = source.with_suffix("")
    command = [*compiler, *STRICT, *options, "-x", "c++" if "++" in compiler[0] else "c", str(source), "-o", str(program)]
    done = subprocess.run([*command, "-lm"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    return program


def types_of(header: str) -> tuple[str, str]:
    found = re.search(r"_predict\(const (\w+) \*x, (\w+) \*y", header)
    assert found
    return found[1], found[2]


class Exported:
    """Networks as headers in a folder, and a program that computes their examples."""

    def __init__(self, folder: Path, given: dict[str, tuple[Any, Any]], **options: Any) -> None:
        self.folder, self.given = folder, given
        self.inputs: dict[str, Any] = {}
        functions, calls = [], []
        for name, (model, x) in given.items():
            path = folder / f"{name}.h"
            model.export(path, examples=x, **options)
            header = path.read_text()
            kinds = types_of(header)
            self.inputs[name] = inputs = as_inputs(header, x)
            inputs.tofile(folder / f"{name}.in")
            rows = str(len(x))
            parts = {"P": name, "U": name.upper(), "X": kinds[0], "Y": kinds[1], "ROWS": rows}
            functions.append(re.sub("@([A-Z]+)@", lambda match, parts=parts: parts[match[1]], RUN))
            calls.append(f'    run_{name}("{name}.in", "{name}.out");')
        includes = "".join(f'#define {name.upper()}_TEST\n#include "{name}.h"\n' for name in given)
        self.source = folder / "main.c"
        program = MAIN.replace("@FUNCTIONS@", "".join(functions)).replace("@CALLS@", "\n".join(calls))
        self.source.write_text(includes + program.replace("(void)count;", "(void)count;\n    (void)names;"))

    def run(self, compiler: list[str], *options: str) -> dict[str, Any]:
        """Compiles and runs the program; returns the outputs of each network, (n, outputs)."""
        program = compiled(compiler, self.source, *options)
        done = subprocess.run([str(program)], cwd=self.folder, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        outputs = {}
        for name, (_, x) in self.given.items():
            kind = {"float": np.float32, "int16_t": np.int16}[types_of((self.folder / f"{name}.h").read_text())[1]]
            outputs[name] = np.fromfile(self.folder / f"{name}.out", kind).reshape(len(x), -1)
        return outputs


def macro(header: str, name: str) -> str:
    found = re.search(rf"#define \w+?_{name}(?:\(i\))? (\S+)", header)
    assert found, name
    return found[1]


def as_inputs(header: str, x: Any) -> Any:
    """The examples as the network takes them, by what the header says."""
    rows = x.reshape(len(x), -1)
    kind = types_of(header)[0]
    if kind == "float":
        return rows.astype(np.float32)
    if kind == "uint8_t":
        return rows.astype(np.uint8)
    shift = macro(header, r"INPUT_SHIFT")
    table = re.search(r"_input_shifts\[\d+\] = \{([^}]*)\}", header)
    shifts = np.fromstring(table[1], sep=",") if table else float(shift.strip("()"))
    return np.clip(np.rint(rows.astype(np.float64) * 2.0**shifts), -32767, 32767).astype(np.int16)


def real(header: str, outputs: Any) -> Any:
    """The outputs of the integer form as real numbers."""
    return outputs * 2.0 ** -float(macro(header, "OUTPUT_SHIFT").strip("()"))


SANITIZED = ["-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
BUILDS = {
    "C99 with sanitizers": (C99, SANITIZED),
    "C++11": (CPP11, ["-O2"]),
    "C99 by Clang": (["clang", "-std=c99"], ["-O0"]),
}


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("floats"), networks())


@pytest.fixture(scope="module")
def integers(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    given = {name: both for name, both in networks().items() if not name.endswith(NOT_IN_INTEGERS)}
    random = np.random.default_rng(1)
    given |= {f"bytes_{name}": both for name, both in of_bytes(random).items()}
    given |= {f"heavy_{name}": both for name, both in heavy(random).items()}
    return Exported(tmp_path_factory.mktemp("integers"), given, integer=True)


def of_bytes(random: np.random.Generator) -> dict[str, tuple[Any, Any]]:
    """Networks whose inputs are bytes, one for each kind of first step."""
    firsts: dict[str, list[Any]] = {
        "rescaling": [Rescaling(1 / 255, -0.5)],
        "normalization": [Normalization(mean=np.linspace(5, 250, 12), variance=np.linspace(1, 9000, 12))],
        "dense": [],
        "tanh": [Rescaling(1 / 128), Activation("tanh")],
        "activation": [Activation("sigmoid")],
        "permute": [Reshape((3, 4)), Permute((2, 1)), Flatten()],
        "relu": [ReLU()],
        "embedding": [Embedding(256, 3), Flatten()],
    }
    found = {}
    for name, layers in firsts.items():
        model = Sequential([Input((12,)), *layers, Dense(6, "relu"), Dense(3, "softmax" if name == "rescaling" else None)])
        found[name] = model, random.integers(0, 256, (40, 12), np.uint8)
    return found


def heavy(random: np.random.Generator) -> dict[str, tuple[Any, Any]]:
    """Networks whose sums would leave 32 bits if all weights used all of int8, or with weights of very uneven size."""
    found = {}
    for name, kernel, bias in (
        ("sums", np.ones((1000, 3)), np.zeros(3)),
        ("bias", random.normal(0, 1e-4, (20, 3)), np.array([100.0, -100.0, 0.0])),
        ("zeros", np.zeros((20, 3)), np.array([1.0, 0.0, -1.0])),
        ("uneven", random.normal(0, 1, (20, 3)) * [1e-6, 1, 1e6], np.zeros(3)),
        ("tiny", random.normal(0, 1e-20, (20, 3)), np.zeros(3)),
        ("great", random.normal(0, 1e20, (20, 3)), np.zeros(3)),
    ):
        model = Sequential([Input((len(kernel),)), Dense(3)])
        model.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
        signs = np.sign(random.normal(0, 1, (20, len(kernel))))
        found[name] = model, np.concatenate([signs, np.ones((1, len(kernel))), -np.ones((1, len(kernel)))])
    return found


def build(name: str) -> tuple[list[str], list[str]]:
    compiler, options = BUILDS[name]
    if not shutil.which(compiler[0]):
        pytest.skip(f"{compiler[0]} is not installed: its warnings are not tested here")
    return compiler, options


@needs_compiler
@pytest.mark.parametrize("name", BUILDS)
def test_the_float_form_agrees_with_predict(name: str, floats: Exported) -> None:
    compiler, options = build(name)
    for network, outputs in floats.run(compiler, *options).items():
        model, x = floats.given[network]
        tolerance = float(macro((floats.folder / f"{network}.h").read_text(), "TOLERANCE")[:-1])
        expected = model.predict(x, verbose=0).reshape(len(x), -1)
        assert tolerance < 1e-4, network
        assert np.abs(outputs - expected).max() <= tolerance, network


@needs_compiler
@pytest.mark.parametrize("name", BUILDS)
def test_the_integer_form_computes_what_the_exporter_computed(name: str, integers: Exported) -> None:
    compiler, options = build(name)
    for network, outputs in integers.run(compiler, *options).items():
        model, x = integers.given[network]
        assert np.array_equal(outputs, emulated(model, x).run(integers.inputs[network])), network


def emulated(model: Any, x: Any) -> Network:
    return Network(steps_of(model), x.reshape(len(x), -1))


# Larger errors than 1.5 % of the largest output: where the activation has a jump or a corner that the table rounds off,
# or a layer divides by a small deviation.
LESS_EXACT = {
    "act_hard_shrink": 0.1, "act_hard_shrink_1": 0.2, "act_threshold_1": 0.15, "act_clipped": 0.05, "act_raised": 0.1,
    "act_kinked": 0.1, "relu_layers": 0.05, "group_norm": 0.05, "rows": 0.03,
}  # fmt: skip


def test_the_integer_form_is_near_predict(integers: Exported) -> None:
    for network, (model, x) in integers.given.items():
        header = (integers.folder / f"{network}.h").read_text()
        expected = model.predict(x, verbose=0).reshape(len(x), -1)
        off = np.abs(real(header, emulated(model, x).run(integers.inputs[network])) - expected).max()
        assert "examples, outputs differ from fastnet's by at most" in " ".join(header.split())
        limit = LESS_EXACT.get(network, 0.015) * np.abs(expected).max()
        assert off <= limit, network


# What the files need, and what they do not --------------------------------------------------------------------------


def listed(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_compiler
@pytest.mark.parametrize("form", ["floats", "integers"])
def test_a_program_needs_no_library_and_has_no_variables(form: str, request: Any, tmp_path: Path) -> None:
    exported = request.getfixturevalue(form)
    includes, calls = [], []
    for name in exported.given:
        header = (exported.folder / f"{name}.h").read_text()
        x, y = types_of(header)
        includes.append(f'#include "{exported.folder / name}.h"\n')
        calls.append(f"void go_{name}(const {x} *x, {y} *y, {y} *s) {{ {name}_predict(x, y, s); }}\n")
        if f"int {name}_class(" in header:
            calls.append(f"int class_{name}(const {y} *y) {{ return {name}_class(y); }}\n")
        found = set(re.findall(r"#include <(.*)>", header))
        assert found == ({"stddef.h", "stdint.h"} if form == "integers" else {"math.h", "stddef.h", "stdint.h"})
    source = tmp_path / "all.c"
    source.write_text("".join(includes + calls))
    only_integers = ["-mgeneral-regs-only"] if form == "integers" and has_option("-mgeneral-regs-only") else []
    listed(*C99, *STRICT, "-Wno-missing-prototypes", "-O1", *only_integers, "-c", str(source), "-o", str(tmp_path / "o"))
    symbols = [line.split()[-2:] for line in listed("nm", str(tmp_path / "o")).splitlines()]
    needed = {name for kind, name in symbols if kind == "U"}
    allowed = {"memcpy", "memset", "memmove"}  # which a compiler may put in the place of a loop
    if form == "floats":
        allowed |= {"expf", "tanhf", "logf", "log1pf", "expm1f", "erfcf", "sqrtf", "_GLOBAL_OFFSET_TABLE_"}
    assert needed <= allowed
    assert not {name for kind, name in symbols if kind in "bBdDcC"}


def has_option(option: str) -> bool:
    command = ["gcc", option, "-fsyntax-only", "-x", "c", "/dev/null"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@needs_compiler
def test_the_check_for_floating_point_can_fail(floats: Exported, tmp_path: Path) -> None:
    if not has_option("-mgeneral-regs-only"):
        pytest.skip("gcc has no -mgeneral-regs-only here: that predict has no floating point is not tested")
    source = tmp_path / "one.c"
    call = "void go(const float *x, float *y, float *s) { one_dense_predict(x, y, s); }\n"
    source.write_text(f'#include "{floats.folder / "one_dense"}.h"\n{call}')
    done = subprocess.run([*C99, "-mgeneral-regs-only", "-c", str(source)], capture_output=True, check=False)
    assert done.returncode != 0


def sum_of_symbols(source: Path, option: str, kind: str) -> int:
    """The size of constant arrays, "r", or of functions, "t", in an object file."""
    made = source.with_suffix(".o")
    listed(*C99, option, "-c", str(source), "-o", str(made))
    symbols = [line.split() for line in listed("nm", "-S", str(made)).splitlines()]
    return sum(int(symbol[1], 16) for symbol in symbols if len(symbol) == 4 and symbol[2].lower() == kind)


@needs_compiler
@pytest.mark.parametrize("form", ["floats", "integers"])
def test_the_sizes_in_the_comment_are_those_of_the_compiler(form: str, request: Any, tmp_path: Path) -> None:
    exported = request.getfixturevalue(form)
    for name in ("last_softmax", "wide", "layer_norm", "batch_norm", "permute", "prelu", "embedding", "glu"):
        header = (exported.folder / f"{name}.h").read_text()
        x, y = types_of(header)
        source = tmp_path / "size.c"
        call = f"void go(const {x} *x, {y} *y, {y} *s) {{ {name}_predict(x, y, s); }}\n"
        source.write_text(f'#include "{exported.folder / name}.h"\n{call}')
        sizes = {kind: sum_of_symbols(source, option, kind) for kind, option in (("r", "-O0"), ("t", "-Os"))}
        said = re.search(
            r"Sizes: ([\d,]+) bytes of constant data, ([\d,]+) bytes of scratch, and about ([\d,]+) bytes of code",
            " ".join(header.split()),
        )
        assert said
        data, scratch, code = (int(text.replace(",", "")) for text in said.groups())
        assert data == sizes["r"], name
        assert scratch == int(macro(header, "SCRATCH")) * (4 if form == "floats" else 2)
        assert sizes["t"] / 1.6 <= code <= sizes["t"] * 1.6 + 500, name  # an estimate, for another processor


FLASH = """
#include <stdint.h>
#include <string.h>
extern char __start_flash[], __stop_flash[];
static char moved[1 << 20];
#define IN_FLASH(kind, address) (*(const kind *)(moved + ((const char *)(address) - __start_flash)))
"""


@needs_compiler
@pytest.mark.parametrize("form", ["floats", "integers"])
def test_constant_data_may_be_where_only_the_macros_can_read_it(form: str, request: Any, tmp_path: Path) -> None:
    """As on a processor whose flash has its own addresses: the arrays move away, and what stays there is nonsense."""
    exported = request.getfixturevalue(form)
    kinds = {"F32": "float", "I8": "int8_t", "I16": "int16_t", "I32": "int32_t", "U8": "uint8_t", "U16": "uint16_t"}
    parts, tests = [FLASH], []
    for name in exported.given:
        upper, header = name.upper(), (exported.folder / f"{name}.h").read_text()
        x, y = types_of(header)
        parts += [f"#define {upper}_READ_{end}(address) IN_FLASH({kind}, address)\n" for end, kind in kinds.items()]
        parts.append(f'#define {upper}_STORAGE static __attribute__((section("flash")))\n#define {upper}_TEST\n')
        parts.append(f'#include "{exported.folder / name}.h"\n')
        tests.append(
            f"{{ static {x} x[{upper}_INPUTS]; static {y} y[{upper}_OUTPUTS], s[{upper}_SCRATCH]; "
            f"wrong += {name}_test(x, y, s); }}\n"
        )
    size = "(size_t)(__stop_flash - __start_flash)"
    move = f"if ({size} > sizeof moved) return 99; memcpy(moved, __start_flash, {size}); memset(__start_flash, 0x55, {size});"
    source = tmp_path / "flash.c"
    source.write_text("".join([*parts, f"int main(void) {{ int wrong = 0; {move}\n", *tests, "return wrong > 0; }\n"]))
    program = compiled(C99, source, "-O0", "-Wno-unused-function")
    assert subprocess.run([str(program)], check=False).returncode == 0


# The file ------------------------------------------------------------------------------------------------------------


def simple(*layers_: Any, shape: tuple[int, ...] = (4,)) -> Sequential:
    return Sequential([Input(shape), *(layers_ or (Dense(3, "softmax"),))])


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


@needs_compiler
def test_every_float_is_read_back_exactly(tmp_path: Path) -> None:
    model = simple(Dense(1, use_bias=False), shape=(8,))
    weights = np.array([1e-45, -1e-40, 1.17549435e-38, 3.4028235e38, 1 / 3, -0.0, 16777217, 0.1], np.float32)
    model.set_weights([weights[:, None]])
    model.export(tmp_path / "exact.h", examples=np.zeros((1, 8)))
    source = tmp_path / "main.c"
    body = "for (i = 0; i < 8; i++) fwrite(exact_kernel_1 + i, 4, 1, stdout); return 0;"
    source.write_text(f'#include <stdio.h>\n#include "exact.h"\nint main(void) {{ int i; {body} }}\n')
    for compiler in (C99, CPP11):
        program = compiled(compiler, source, "-Wno-unused-function")
        printed = subprocess.run([str(program)], capture_output=True, check=True).stdout
        assert printed == weights.tobytes()


@needs_compiler
@pytest.mark.parametrize("integer", [False, True])
def test_a_changed_weight_fails_the_test_rows(integer: bool, tmp_path: Path) -> None:
    model = simple(Dense(2), shape=(2,))
    model.set_weights([np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), np.zeros(2, np.float32)])
    path = tmp_path / "net.h"
    model.export(path, integer=integer, examples=np.array([[1.0, 1.0], [0.5, -1.0]]))
    source = tmp_path / "main.c"
    kind = "int16_t" if integer else "float"
    source.write_text(
        f'#define NET_TEST\n#include "net.h"\nint main(void) {{ {kind} x[2], y[2], s[1]; return net_test(x, y, s); }}\n'
    )
    assert subprocess.run([str(compiled(C99, source))], check=False).returncode == 0
    text = path.read_text()
    kernel = re.search(r"net_kernel_1\[4\] = \{\n    (\S+?),", text)
    assert kernel
    path.write_text(text.replace(f"    {kernel[1]},", "    17," if integer else "    1.5f,", 1))
    assert subprocess.run([str(compiled(C99, source))], check=False).returncode == 2  # one output of each row


@needs_compiler
def test_two_networks_and_two_files_of_one_program(tmp_path: Path) -> None:
    simple().export(tmp_path / "first.h")
    simple(Dense(2, "tanh")).export(tmp_path / "second.h")
    for name, code in (
        ("one.c", '#include "first.h"\n#include "first.h"\n#include "second.h"\nint main(void) { return 0; }\n'),
        ("two.c", '#include "second.h"\n#include "first.h"\nint other(void);\nint other(void) { return 1; }\n'),
    ):
        (tmp_path / name).write_text(code)
    listed(*C99, *STRICT, str(tmp_path / "one.c"), str(tmp_path / "two.c"), "-o", str(tmp_path / "out"), "-lm")


# Names and arguments -------------------------------------------------------------------------------------------------


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


def test_a_prefix_can_be_given(tmp_path: Path) -> None:
    simple().export(tmp_path / "model.h", name="Digits_2")
    assert "void Digits_2_predict(" in (tmp_path / "model.h").read_text()


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


class Square(Function):
    def __call__(self, x: Any) -> Any:
        return np.asarray(x) ** 2

    def derivative(self, x: Any) -> Any:
        return 2 * np.asarray(x)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Mine(name="m"), "layer 'm' is of your class Mine, which has no form in C: Python code cannot be written in C"),
        (layers.Lambda(lambda x: x, gradient=None, name="l"), "layer 'l' is of class Lambda.*export the layers before"),
        (layers.Discretization(bin_boundaries=[0.0], name="d"), "layer 'd' is of class Discretization.*compute it in"),
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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere: a read-only file is not tested here")
def test_a_read_only_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.h"
    path.write_text("old")
    path.chmod(0o400)
    with pytest.raises(PermissionError):
        simple().export(path)
    assert path.read_text() == "old"


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


# Real digits ---------------------------------------------------------------------------------------------------------

DIGITS = """
#include <stdio.h>
#include "digits.h"
#include "bytes.h"
int main(void)
{
    static unsigned char pixels[784];
    static float x[784], y[10], s[DIGITS_SCRATCH];
    int16_t y2[10], s2[BYTES_SCRATCH];
    while (fread(pixels, 1, 784, stdin) == 784) {
        int i;
        for (i = 0; i < 784; i++) x[i] = pixels[i];
        digits_predict(x, y, s);
        bytes_predict(pixels, y2, s2);
        putchar(digits_class(y));
        putchar(bytes_class(y2));
    }
    return 0;
}
"""


@needs_compiler
def test_the_accuracy_on_real_digits(mnist_folder: Path, tmp_path: Path, capsys: Any) -> None:
    (x_train, y_train), (x_test, y_test) = datasets.mnist.load_data(mnist_folder)
    network = [Input((28, 28)), Flatten(), Rescaling(1 / 255), Dense(512, "relu"), Dense(10, "softmax")]
    model = Sequential(network)
    model.compile("rmsprop", "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, epochs=2, batch_size=128, verbose=0)
    model.export(tmp_path / "digits.h", examples=x_train[:1000])
    model.export(tmp_path / "bytes.h", integer=True, examples=x_train[:1000])
    (tmp_path / "main.c").write_text(DIGITS)
    program = compiled(C99, tmp_path / "main.c", "-O2")
    done = subprocess.run([str(program)], input=x_test.tobytes(), capture_output=True, check=True)
    floats, integers = np.frombuffer(done.stdout, np.uint8).reshape(-1, 2).T
    ours = model.predict_classes(x_test)
    accuracy = {
        name: float((found == y_test).mean())
        for name, found in (("fastnet", ours), ("C, float", floats), ("C, integers", integers))
    }
    with capsys.disabled():
        print(f"\naccuracy on MNIST: {', '.join(f'{name} {share:.4f}' for name, share in accuracy.items())}")
    assert accuracy["fastnet"] > 0.96
    assert (floats != ours).sum() <= 3
    assert abs(accuracy["C, integers"] - accuracy["fastnet"]) <= 0.003
    assert (integers != ours).sum() <= 100
