"""Regression: a network learns a curve from noisy points and measures its error.

The curve is sin(3 x) + x^2 / 2. The noise has a standard deviation of 0.1. So the error on new points cannot be smaller
than 0.1, except by luck. The distance to the curve itself should be much smaller.
"""

import argparse

import numpy as np

from fastnet import Sequential
from fastnet.callbacks import EarlyStopping
from fastnet.layers import Dense, Input
from fastnet.utils import set_random_seed

NOISE = 0.1


def curve(x: np.ndarray) -> np.ndarray:
    return np.sin(3 * x) + x**2 / 2


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--epochs", type=int, default=300)
    options = p.parse_args()
    set_random_seed(0)

    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (1000, 1))
    y = curve(x) + NOISE * rng.standard_normal(x.shape)

    model = Sequential([Input((1,)), Dense(64, "tanh"), Dense(64, "tanh"), Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    patience = EarlyStopping(patience=30, restore_best_weights=True)
    history = model.fit(x, y, epochs=options.epochs, validation_split=0.2, callbacks=[patience], verbose=0)
    print(f"trained for {len(history.epoch)} epochs; root mean square error on the validation points: ", end="")
    print(f"{min(history.history['val_loss']) ** 0.5:.3f} (the noise alone: {NOISE})")

    grid = 0.6 * np.arange(-3, 4)[:, None]
    for point, found in zip(grid[:, 0], model.predict(grid, verbose=0)[:, 0], strict=True):
        print(f"x {point:5.2f}   predicted {found:6.3f}   curve {curve(point):6.3f}")
    dense = np.linspace(-1.9, 1.9, 500)[:, None]
    off = np.sqrt(np.mean((model.predict(dense, verbose=0) - curve(dense)) ** 2))
    print(f"root mean square distance from the curve: {off:.3f}")


if __name__ == "__main__":
    main()
