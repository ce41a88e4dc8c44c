"""The classic MLP on MNIST: two hidden layers of 512 units, with dropout and RMSprop.

The test set is used for validation after each epoch.

python classic_mlp.py [--epochs 20]
"""

import argparse

from fastnet import Sequential, datasets
from fastnet.layers import Dense, Dropout, Flatten, Input, Rescaling
from fastnet.utils import set_random_seed, to_categorical


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--epochs", type=int, default=20)
    options = p.parse_args()
    set_random_seed(0)

    try:
        (x_train, y_train), (x_test, y_test) = datasets.mnist.load_data()
    except datasets.mnist.MnistNotFoundError:
        print("MNIST was not found; using digits drawn by a program instead")
        (x_train, y_train), (x_test, y_test) = datasets.synthetic.load_data()

    model = Sequential(
        [
            Input((28, 28)),
            Flatten(),
            Rescaling(1 / 255),
            Dense(512, activation="relu"),
            Dropout(0.2),
            Dense(512, activation="relu"),
            Dropout(0.2),
            Dense(10, activation="softmax"),
        ]
    )
    model.summary()
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    validation = x_test, to_categorical(y_test, 10)
    model.fit(x_train, to_categorical(y_train, 10), 128, options.epochs, validation_data=validation)

    loss, accuracy = model.evaluate(*validation, verbose=0)
    print(f"Test loss {loss:.4f}, test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
