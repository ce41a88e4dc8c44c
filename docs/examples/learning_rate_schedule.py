"""A learning-rate schedule: the rate falls along a cosine, from large steps to small ones.

The same network is trained three times: with a small learning rate, with a large one, and with one that falls from
large to zero.
"""

import argparse

from fastnet import Sequential, datasets
from fastnet.layers import Dense, Flatten, Input, Rescaling
from fastnet.optimizers import Adam
from fastnet.optimizers.schedules import CosineDecay
from fastnet.utils import set_random_seed

BATCH, SMALL, LARGE = 128, 0.001, 0.003


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--epochs", type=int, default=5)
    p.add_argument("--examples", type=int, default=60000)
    options = p.parse_args()

    try:
        (x_train, y_train), (x_test, y_test) = datasets.mnist.load_data()
    except datasets.mnist.MnistNotFoundError:
        print("MNIST was not found; using digits drawn by a program instead")
        (x_train, y_train), (x_test, y_test) = datasets.synthetic.load_data()
    x_train, y_train = x_train[: options.examples], y_train[: options.examples]

    steps = -(-len(x_train) // BATCH) * options.epochs
    falling = CosineDecay(initial_learning_rate=LARGE, decay_steps=steps)
    print("learning rate at each quarter:", *(f"{falling(steps * i // 4):.5f}" for i in range(5)))
    rates = {f"fixed, {SMALL}": SMALL, f"fixed, {LARGE}": LARGE, "falling along a cosine": falling}
    for name, learning_rate in rates.items():
        set_random_seed(0)
        model = Sequential([Input((28, 28)), Flatten(), Rescaling(1 / 255), Dense(256, "relu"), Dense(10, "softmax")])
        model.compile(Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x_train, y_train, BATCH, options.epochs, verbose=0)
        loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
        print(f"{name:24} test loss {loss:.4f}, test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
