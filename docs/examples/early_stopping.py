"""Early stopping: the training ends when the validation loss stops improving.

The best weights are kept in the model and in a file.
"""

import argparse
import tempfile
from pathlib import Path

from fastnet import Sequential, datasets
from fastnet.callbacks import EarlyStopping, ModelCheckpoint
from fastnet.layers import Dense, Flatten, Input, Rescaling
from fastnet.models import load_model
from fastnet.utils import set_random_seed


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--folder", type=Path, help="where the best model is written (default: a temporary one)")
    options = p.parse_args()
    set_random_seed(0)

    try:
        (x, y), (x_test, y_test) = datasets.mnist.load_data()
    except datasets.mnist.MnistNotFoundError:
        print("MNIST was not found; using digits drawn by a program instead")
        (x, y), (x_test, y_test) = datasets.synthetic.load_data()
    x, y = x[:5000], y[:5000]  # with few examples, a large network soon overfits

    model = Sequential([Input((28, 28)), Flatten(), Rescaling(1 / 255), Dense(512, "relu"), Dense(10, "softmax")])
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
    with tempfile.TemporaryDirectory() as temporary:
        path = (options.folder or Path(temporary)) / "best.safetensors"
        history = model.fit(
            x,
            y,
            batch_size=128,
            epochs=100,
            verbose=0,
            validation_split=0.2,
            callbacks=[
                ModelCheckpoint(path, save_best_only=True),
                EarlyStopping(patience=3, restore_best_weights=True),
            ],
        )
        losses = history.history["val_loss"]
        best = losses.index(min(losses)) + 1
        print(f"stopped after epoch {len(losses)} of 100; epoch {best} was the best, with a loss of {min(losses):.4f}")
        print("validation loss by epoch:", *(f"{loss:.3f}" for loss in losses))
        kept = load_model(path)
    same = all((a == b).all() for a, b in zip(kept.get_weights(), model.get_weights(), strict=True))
    print(f"the file has the same weights as the model: {same}")
    print(f"test accuracy {kept.evaluate(x_test, y_test, verbose=0)[1]:.4f}")


if __name__ == "__main__":
    main()
