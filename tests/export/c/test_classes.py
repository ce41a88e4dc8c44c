"""The function that tells the class: of rare classes, of small outputs, and for inputs unlike all examples."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from export.c.compiling import C99, compiled, macro, needs_compiler, simple

from fastnet.layers import Dense

PROGRAM = """
#include <stdio.h>
#include "net.h"
int main(void)
{
    int16_t x, y[NET_OUTPUTS], s[NET_SCRATCH];
    for (x = -32767; x < 32767; x++) {
        net_predict(&x, y, s);
        putchar(net_class(y));
    }
    return 0;
}
"""


@needs_compiler
@pytest.mark.parametrize(
    ("last", "weight", "bias", "loss"),
    [
        (Dense(1, "sigmoid"), 20, -7, "binary_crossentropy"),  # the examples' largest output is 0.05
        (Dense(1, "sigmoid"), 60, -24, "binary_crossentropy"),  # 6e-6
        (Dense(1), 4, -0.8, "categorical_hinge"),  # 0
    ],
)
def test_the_class_of_one_output_beyond_the_examples(
    last: Dense, weight: float, bias: float, loss: str, tmp_path: Path
) -> None:
    model = simple(last, shape=(1,))
    model.compile(loss=loss)
    model.set_weights([np.full((1, 1), weight, np.float32), np.full(1, bias, np.float32)])
    path = tmp_path / "net.h"
    model.export(path, integer=True, examples=np.linspace(0.15, 0.2, 50)[:, None])
    (tmp_path / "main.c").write_text(PROGRAM)
    done = subprocess.run([str(compiled(C99, tmp_path / "main.c"))], capture_output=True, check=True)
    found = np.frombuffer(done.stdout, np.uint8)
    x = np.arange(-32767, 32767) / 2.0 ** float(macro(path.read_text(), "INPUT_SHIFT").strip("()"))
    expected = weight * x + bias > (0.5 if loss == "categorical_hinge" else 0)
    assert 0.05 < expected.mean() < 0.95
    assert (found != expected).mean() < 0.01
