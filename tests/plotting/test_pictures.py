"""The plots as pictures, against those in baseline/, which were looked at. `python test_pictures.py` draws them anew.

matplotlib's own comparison is enough and is there: the root of the mean square of the pixels' differences. Other
versions of matplotlib set letters and margins otherwise, so only the one that drew the baseline can be compared.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib, which is not installed")

import matplotlib as mpl
from matplotlib.testing.compare import compare_images

from fastnet import Sequential, datasets, plotting
from fastnet.layers import Dense, Flatten, Input, Rescaling
from fastnet.plotting import files
from fastnet.utils import set_random_seed, to_categorical

BASELINE = Path(__file__).parent / "baseline"
DRAWN_BY = "3.11"
BOUND = 3  # of 255: a missing line is more


def trained() -> tuple[Any, ...]:
    """A small network that gets some digits wrong, its history, each step's, and a test set."""
    set_random_seed(0)
    (x, y), (x_test, y_test) = datasets.synthetic.load_data()
    model = Sequential([Input((28, 28)), Flatten(), Rescaling(1 / 255), Dense(20, "relu"), Dense(10, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy", ["accuracy"])
    steps = plotting.StepHistory()
    validation = x_test[:500], to_categorical(y_test[:500], 10)
    history = model.fit(
        x[:3000], to_categorical(y[:3000], 10), 100, 4, verbose=0, validation_data=validation, callbacks=[steps]
    )
    return model, history, steps, x_test[:500], y_test[:500]


@pytest.fixture(scope="module")
def things() -> tuple[Any, ...]:
    return trained()


PLOTS: dict[str, Callable[..., Any]] = {
    "digits": lambda m, h, s, x, y, ax: plotting.digits(x[:20], y[:20], np.where(y[:20] == 5, 3, y[:20]), ax=ax),
    "history": lambda m, h, s, x, y, ax: plotting.history(h, metrics=["loss", "accuracy"], ax=ax),
    "steps": lambda m, h, s, x, y, ax: plotting.history(s, ax=ax),
    "confusion_matrix": lambda m, h, s, x, y, ax: plotting.confusion_matrix(y, m.predict(x, verbose=0), ax=ax),
    "confusion_shares": lambda m, h, s, x, y, ax: plotting.confusion_matrix(
        y, m.predict(x, verbose=0), normalize=True, ax=ax
    ),
    "mistakes": lambda m, h, s, x, y, ax: plotting.mistakes(m, x, y, ax=ax),
    "weights": lambda m, h, s, x, y, ax: plotting.weights(m, ax=ax),
    "activations": lambda m, h, s, x, y, ax: plotting.activations(m, x[0], ax=ax),
    "calibration": lambda m, h, s, x, y, ax: plotting.calibration(y, m.predict(x, verbose=0), ax=ax),
}


def draw(name: str, things: tuple[Any, ...], folder: Path) -> Path:
    with mpl.rc_context():
        mpl.rcdefaults()
        return files._write(folder / f"{name}.png", lambda ax: PLOTS[name](*things, ax), (7, 5), dpi=60)


@pytest.mark.skipif(
    not mpl.__version__.startswith(f"{DRAWN_BY}."),
    reason=f"the baseline was drawn by matplotlib {DRAWN_BY}, this is {mpl.__version__}",
)
@pytest.mark.parametrize("name", PLOTS)
def test_the_picture_is_the_one_that_was_looked_at(name: str, things: tuple[Any, ...], tmp_path: Path) -> None:
    found = draw(name, things, tmp_path)
    difference = compare_images(str(BASELINE / f"{name}.png"), str(found), tol=BOUND)
    assert difference is None, difference


if __name__ == "__main__":
    everything = trained()
    for each in sys.argv[1:] or PLOTS:
        print(draw(each, everything, BASELINE))
