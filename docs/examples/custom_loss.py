"""A loss of your own: a function and its gradient, checked against each other before the training.

With the quantile loss, a prediction that is too low costs nine times as much as one that is too high. So the network
does not learn the mean. It learns a value that nine of ten targets do not exceed.
"""

import argparse
from typing import Any

import numpy as np

from fastnet import Sequential, losses
from fastnet.layers import Dense, Input
from fastnet.utils import set_random_seed

SHARE = 0.9


def quantile(y_true: Any, y_pred: Any) -> Any:
    """The loss of each row: SHARE * error if the prediction is too low, else (SHARE - 1) * error."""
    error = y_true - y_pred
    return np.maximum(SHARE * error, (SHARE - 1) * error).mean(axis=1)


def quantile_gradient(y_true: Any, y_pred: Any) -> Any:
    """The gradient of each row's loss with respect to its predictions."""
    return np.where(y_true > y_pred, -SHARE, 1 - SHARE) / y_pred.shape[1]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--epochs", type=int, default=60)
    options = p.parse_args()
    set_random_seed(0)

    loss = losses.custom(quantile, quantile_gradient, check=True)
    print("the gradient is that of the loss")

    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (4000, 1))
    y = x + x * rng.standard_normal(x.shape)  # the targets spread more for a larger x

    for chosen in (loss, "mse"):
        model = Sequential([Input((1,)), Dense(32, "relu"), Dense(32, "relu"), Dense(1)])
        model.compile("adam", chosen)
        model.fit(x, y, batch_size=64, epochs=options.epochs, verbose=0)
        below = np.mean(y <= model.predict(x, verbose=0))
        print(f"trained with {'the quantile loss' if chosen is loss else 'the mean square'}: {below:.1%} lie below")


if __name__ == "__main__":
    main()
