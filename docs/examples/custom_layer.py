"""A layer of your own: what it computes, the way back, and the proof that the two fit.

`Scale` multiplies each feature by a weight of its own. `gradient` gets the loss's gradient by the output, and returns
that by the input and those by the weights; `check_gradients` compares those of all weights with central differences.
The second `Scale` has weights before it, whose gradients are right only if that by its input is. And the check comes
after the training: as long as all factors are 1, one that was forgotten would not be missed.
"""

from typing import Any

import numpy as np

from fastnet import Sequential
from fastnet.layers import Dense, Input, Layer
from fastnet.utils import set_random_seed, to_categorical


class Scale(Layer):
    """Each feature times a weight that is learned."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.factor = self.add_weight(input_shape, "ones", name="factor")

    def call(self, x: Any, training: bool = False) -> Any:
        return x * self.factor.numpy()

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        return dy * self.factor.numpy(), [(dy * x).sum(axis=0)]


def main() -> None:
    set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 4))
    y = to_categorical((x[:, 0] + 0.5 * x[:, 1] > 0).astype(int), 2)  # the last two features do not matter

    model = Sequential([Input((4,)), Scale(), Dense(16, "relu"), Scale(), Dense(2, "softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=30, verbose=0)
    print(model.check_gradients(x[:32], y[:32]))
    _, accuracy = model.evaluate(x, y, verbose=0)
    print(f"\naccuracy {accuracy:.3f}; the features' factors: {model.layers[0].get_weights()[0].round(2)}")


if __name__ == "__main__":
    main()
