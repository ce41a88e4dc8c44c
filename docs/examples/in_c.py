"""A network in C: train it, write it as C files, compile a program with them, and let that read the test digits.

The program needs a C compiler: cc, or the one that the option --compiler names.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from fastnet import Sequential, datasets
from fastnet.layers import Dense, Flatten, Input, Rescaling
from fastnet.utils import set_random_seed

PROGRAM = """
#include <stdio.h>
#include <time.h>
#include "digits.h"
#include "digits_int.h"

int main(void)
{
    static unsigned char pixels[DIGITS_INPUTS];
    static float x[DIGITS_INPUTS], y[DIGITS_OUTPUTS], scratch[DIGITS_SCRATCH];
    static int16_t y_int[DIGITS_INT_OUTPUTS], scratch_int[DIGITS_INT_SCRATCH];
    clock_t times[2] = {0, 0};
    int count = 0;
    while (fread(pixels, 1, DIGITS_INPUTS, stdin) == DIGITS_INPUTS) {
        clock_t start = clock(), middle;
        for (int i = 0; i < DIGITS_INPUTS; i++)
            x[i] = pixels[i];
        digits_predict(x, y, scratch);
        middle = clock();
        digits_int_predict(pixels, y_int, scratch_int);
        times[0] += middle - start;
        times[1] += clock() - middle;
        count++;
        printf("%d %d\\n", digits_class(y), digits_int_class(y_int));
    }
    for (int i = 0; i < 2; i++)
        fprintf(stderr, "%.0f ", 1e6 * (double)times[i] / CLOCKS_PER_SEC / count);
    return 0;
}
"""


def train(x: np.ndarray, y: np.ndarray, units: int, epochs: int) -> Sequential:
    set_random_seed(0)
    layers = [Input((28, 28)), Flatten(), Rescaling(1 / 255), Dense(units, "relu"), Dense(10, "softmax")]
    model = Sequential(layers)
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=128, epochs=epochs, verbose=0)
    return model


def run_in_c(model: Sequential, x_train: np.ndarray, x_test: np.ndarray, compiler: str) -> tuple[np.ndarray, list[str]]:
    """Returns the classes that both forms find, (n, 2), and the microseconds that each takes for a digit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.export(folder / "digits.h")
        model.export(folder / "digits_int.h", integer=True, examples=x_train[:1000])
        (folder / "main.c").write_text(PROGRAM)
        subprocess.run([compiler, "-std=c99", "-O2", "main.c", "-o", "main", "-lm"], cwd=folder, check=True)
        done = subprocess.run([folder / "main"], input=x_test.tobytes(), capture_output=True, check=True)
    return np.array(done.stdout.split(), int).reshape(-1, 2), done.stderr.decode().split()


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--epochs", type=int, default=3)
    p.add_argument("--units", type=int, default=64)
    p.add_argument("--compiler", default="cc")
    options = p.parse_args()
    if not shutil.which(options.compiler):
        sys.exit(f"there is no C compiler {options.compiler!r}; name one with --compiler")

    try:
        (x, y), (x_test, y_test) = datasets.mnist.load_data()
    except datasets.mnist.MnistNotFoundError:
        print("MNIST was not found; using digits drawn by a program instead")
        (x, y), (x_test, y_test) = datasets.synthetic.load_data()

    model = train(x, y, options.units, options.epochs)
    print(f"accuracy of fastnet          {model.evaluate(x_test, y_test, verbose=0)[1]:.4f}")
    classes, times = run_in_c(model, x, x_test, options.compiler)
    for form, found, microseconds in zip(("float", "integers"), classes.T, times, strict=True):
        print(f"accuracy in C, {form:<13} {(found == y_test).mean():.4f}   {microseconds} µs a digit")


if __name__ == "__main__":
    main()
