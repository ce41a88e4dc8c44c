"""The export to C: compiled as C99 and C++ without a warning, and compared with `predict`, for each layer."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export.c.compiling import C99, CPP11, Exported, compiled, emulated, macro, needs_compiler, real

from fastnet import Sequential
from fastnet.layers import (
    Activation,
    Dense,
    Flatten,
    GlobalAveragePooling1D,
    Input,
    LayerNormalization,
    Normalization,
    Softmax,
)

SANITIZED = ["-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
BUILDS = {
    "C99 with sanitizers": (C99, SANITIZED),
    "C++11": (CPP11, ["-O0", "-Wzero-as-null-pointer-constant"]),
    "C99 by Clang": (["clang", "-std=c99"], ["-O0"]),
}


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
        if network.endswith("_far"):  # where the tolerance is large, since the mean loses digits that C recovers
            tolerance = 5e-6
        assert tolerance < 1e-4, network
        assert np.abs(outputs - expected).max() <= tolerance, network


@needs_compiler
@pytest.mark.parametrize("name", BUILDS)
def test_the_integer_form_computes_what_the_exporter_computed(name: str, integers: Exported) -> None:
    compiler, options = build(name)
    for network, outputs in integers.run(compiler, *options).items():
        model, x = integers.given[network]
        assert np.array_equal(outputs, emulated(model, x).run(integers.inputs[network])), network


EXTREME = """
#include "net.h"
int main(void)
{
    int16_t x[NET_INPUTS], y[NET_OUTPUTS], s[NET_SCRATCH];
    int i, k;
    for (k = 0; k < 3; k++) {
        for (i = 0; i < NET_INPUTS; i++)
            x[i] = k == 0 || (k == 1 && i % 2) ? -32767 - 1 : 32767;
        net_predict(x, y, s);
    }
    return 0;
}
"""


@needs_compiler
@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ((1024,), Dense(3, use_bias=False)), ((1, 65535), GlobalAveragePooling1D("channels_first")),
        ((64,), LayerNormalization()), ((64,), Activation("glu")), ((64,), Softmax()),
        ((64,), Normalization(mean=1e6, variance=1.0)),
    ],
)  # fmt: skip
def test_no_input_makes_an_integer_overflow(shape: tuple[int, ...], first: Any, tmp_path: Path) -> None:
    model = Sequential([Input(shape), first, Flatten(), Dense(3)])
    model.set_weights([np.ones_like(weight) for weight in model.get_weights()])
    model.export(tmp_path / "net.h", integer=True, examples=np.ones((2, *shape)))
    (tmp_path / "main.c").write_text(EXTREME)
    done = subprocess.run([str(compiled(C99, tmp_path / "main.c", *SANITIZED))], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


# Larger errors than 1.5 % of the largest output: where the activation has a jump or a corner that the table rounds off,
# or a layer divides by a small deviation.
LESS_EXACT = {
    "act_hard_shrink": 0.1, "act_hard_shrink_1": 0.2, "act_threshold_1": 0.15, "act_clipped": 0.05, "act_raised": 0.1,
    "act_kinked": 0.1, "relu_layers": 0.15, "group_norm": 0.05, "rows": 0.03, "layer_norm_far": 0.3,
}  # fmt: skip


def test_the_integer_form_is_near_predict(integers: Exported) -> None:
    for network, (model, x) in integers.given.items():
        header = (integers.folder / f"{network}.h").read_text()
        expected = model.predict(x, verbose=0).reshape(len(x), -1)
        off = np.abs(real(header, emulated(model, x).run(integers.inputs[network])) - expected).max()
        assert "examples, outputs differ from fastnet's by at most" in " ".join(header.split())
        limit = LESS_EXACT.get(network, 0.015) * np.abs(expected).max()
        assert off <= limit, network
