"""A parameter sweep: which width, dropout rate and learning rate are best on a validation set?

The program trains each combination and ranks the results. It uses the test set only at the end. If the test set chose
the model, its accuracy would be too high: it would include the luck of the choice.
"""

import argparse
import itertools
import time

from fastnet import Sequential, datasets
from fastnet.layers import Dense, Dropout, Flatten, Input, Rescaling
from fastnet.optimizers import Adam
from fastnet.utils import set_random_seed

WIDTHS, DROPOUTS, RATES = (64, 256), (0.0, 0.3), (0.0003, 0.001, 0.003)


def make(width: int, dropout: float, rate: float) -> Sequential:
    set_random_seed(0)
    layers = [Input((28, 28)), Flatten(), Rescaling(1 / 255), Dense(width, "relu"), Dropout(dropout)]
    model = Sequential([*layers, Dense(10, "softmax")])
    model.compile(Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--epochs", type=int, default=3)
    p.add_argument("--examples", type=int, default=20000)
    options = p.parse_args()

    try:
        (x, y), (x_test, y_test) = datasets.mnist.load_data()
    except datasets.mnist.MnistNotFoundError:
        print("MNIST was not found; using digits drawn by a program instead")
        (x, y), (x_test, y_test) = datasets.synthetic.load_data()
    x, y = x[: options.examples], y[: options.examples]

    start, results = time.perf_counter(), []
    for choice in itertools.product(WIDTHS, DROPOUTS, RATES):
        model = make(*choice)
        history = model.fit(x, y, 128, options.epochs, verbose=0, validation_split=0.25).history
        results.append((history["val_accuracy"][-1], choice, model))
    results.sort(key=lambda result: result[0], reverse=True)

    print("width  dropout  learning rate  validation accuracy")
    for accuracy, (width, dropout, rate), _ in results:
        print(f"{width:5}  {dropout:7}  {rate:13}  {accuracy:19.4f}")
    print(f"{len(results)} trainings in {time.perf_counter() - start:.1f} s")
    best = results[0][2]
    print(f"The best one's accuracy on the test set: {best.evaluate(x_test, y_test, verbose=0)[1]:.4f}")


if __name__ == "__main__":
    main()
