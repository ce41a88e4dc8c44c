"""Compiles exported networks, runs them on their examples, and reads what the headers say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.export.c.integer import Network
from fastnet.export.c.shapes import steps_of
from fastnet.layers import Dense, Input

STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
C99, CPP11 = ["gcc", "-std=c99"], ["g++", "-std=c++11"]
needs_compiler = pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("g++")), reason="needs gcc and g++")

MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *many(FILE *file, size_t size)
{
    void *all = malloc(size);
    if (fread(all, 1, size, file) != size) exit(3);
    return all;
}
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
    FILE *file = fopen(in, "rb"), *classes = fopen("@P@.class", "wb");
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
        @CLASS@
    }
    for (i = 0; i < EDGE; i++)
        if (y[i] != 77 || s[i] != 77 || y[@U@_OUTPUTS + EDGE + i] != 77 || s[@U@_SCRATCH + EDGE + i] != 77) exit(4);
    fclose(file);
    fclose(classes);
    free(x);
    if (@P@_test(room, y2, s2)) { printf("@P@: %d outputs wrong\\n", @P@_test(room, y2, s2)); exit(5); }
}
"""


def compiled(compiler: list[str], source: Path, *options: str) -> Path:
    """Compiles a program with warnings as errors, and returns it."""
    program = source.with_suffix("")
    command = [
        *compiler,
        *STRICT,
        *options,
        "-x",
        "c++" if "++" in compiler[0] else "c",
        str(source),
        "-o",
        str(program),
    ]
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
            has_classes = f"int {name}_class(" in header
            found = f"fputc({name}_class(y + EDGE), classes);" if has_classes else ""
            parts = {"CLASS": found, "P": name, "U": name.upper(), "X": kinds[0], "Y": kinds[1], "ROWS": rows}
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
            header = (self.folder / f"{name}.h").read_text()
            kind = {"float": np.float32, "int16_t": np.int16}[types_of(header)[1]]
            y = outputs[name] = np.fromfile(self.folder / f"{name}.out", kind).reshape(len(x), -1)
            classes = np.fromfile(self.folder / f"{name}.class", np.uint8)
            if f"int {name}_class(" in header:
                expected = (
                    y.argmax(axis=1) if y.shape[1] > 1 else y[:, 0] > float(macro(header, "CLASS_LIMIT").strip("f"))
                )
                assert np.array_equal(classes, expected), name
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


def listed(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def emulated(model: Any, x: Any) -> Network:
    return Network(steps_of(model), x.reshape(len(x), -1))


def simple(*layers_: Any, shape: tuple[int, ...] = (4,)) -> Sequential:
    return Sequential([Input(shape), *(layers_ or (Dense(3, "softmax"),))])
