"""What a program with an exported network needs, how large it is, and where its constant data may be."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export.c.compiling import C99, CPP11, STRICT, Exported, compiled, listed, macro, needs_compiler, simple, types_of

from fastnet import Sequential
from fastnet.layers import Dense, Flatten, Input


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
    listed(
        *C99, *STRICT, "-Wconversion", "-Wshadow", "-O2", *only_integers, "-c", str(source), "-o", str(tmp_path / "o")
    )
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
    command = [*C99, "-mgeneral-regs-only", "-c", "one.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
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
    move = f"if ({size} > sizeof moved) return 9; memcpy(moved, __start_flash, {size}); "
    move += f"memset(__start_flash, 0x55, {size});"
    source = tmp_path / "flash.c"
    source.write_text("".join([*parts, f"int main(void) {{ int wrong = 0; {move}\n", *tests, "return wrong > 0; }\n"]))
    program = compiled(C99, source, "-O0", "-Wno-unused-function")
    assert subprocess.run([str(program)], check=False).returncode == 0


@needs_compiler
@pytest.mark.parametrize("form", ["floats", "integers"])
def test_the_code_in_the_comment_compiles(form: str, request: Any, tmp_path: Path) -> None:
    exported = request.getfixturevalue(form)
    parts, functions = [], []
    for name in ("last_softmax", "last_sigmoid", "permute", *(["bytes_dense"] if form == "integers" else [])):
        comment = (exported.folder / f"{name}.h").read_text().split("*/")[0]
        code = re.search(r"call its functions\.\n\n((?: {7}.*\n)+)", comment)
        assert code
        assert ("int found" in code[1]) == name.startswith("last")
        parts.append(f'#include "{exported.folder / name}.h"\n')
        used = "(void)found;" if "found" in code[1] else ""
        functions.append(f"void go_{name}(void);\nvoid go_{name}(void)\n{{\n{code[1]}{used}\n}}\n")
    (tmp_path / "main.c").write_text("".join([*parts, *functions, "int main(void) { return 0; }\n"]))
    for compiler in (C99, CPP11):
        compiled(compiler, tmp_path / "main.c", "-Wno-uninitialized", "-Wno-maybe-uninitialized")


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
@pytest.mark.parametrize(("integer", "scale"), [(False, 1), (False, 1e-12), (False, 1e30), (True, 1), (True, 1e-12)])
def test_a_changed_weight_fails_the_test_rows(integer: bool, scale: float, tmp_path: Path) -> None:
    model = simple(Dense(2), shape=(2,))
    model.set_weights([np.array([[1.0, 2.0], [3.0, 4.0]], np.float32) * np.float32(scale), np.zeros(2, np.float32)])
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
    path.write_text(text.replace(f"    {kernel[1]},", "    17," if integer else f"    {1.5 * scale}f,", 1))
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


@needs_compiler
def test_the_program_on_the_page_reads_a_digit(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "c.md").read_text(encoding="utf-8")
    program = next(code for code in re.findall(r"```c\n(.*?)```", page, re.DOTALL) if "int main" in code)
    model = Sequential([Input((28, 28)), Flatten(), Dense(10, "softmax")])
    model.export(tmp_path / "digits.h")
    (tmp_path / "main.c").write_text(program)
    x = np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8)
    done = subprocess.run([str(compiled(C99, tmp_path / "main.c"))], input=x.tobytes(), capture_output=True, check=True)
    assert int(done.stdout) == model.predict_classes(x)[0]
