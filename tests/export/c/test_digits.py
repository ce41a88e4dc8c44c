"""The accuracy of both C forms on real digits, beside that of fastnet."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from export.c.compiling import C99, compiled, needs_compiler

from fastnet import Sequential, datasets
from fastnet.layers import Dense, Flatten, Input, Rescaling

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
