"""A layer of your own: its forward pass, its backward pass, and a check that the two agree.

`Scale` multiplies each feature by its own weight. `gradient` gets the gradient of the loss with respect to the output.
It returns the gradients with respect to the input and to the weights. `check_gradients` compares the gradients of all
weights with central differences.

The model has two `Scale` layers. The second one has weights before it. Their gradients are right only if the second
`Scale` returns the right gradient with respect to its input. The check comes after the training, because all factors
begin at 1. A forgotten factor of 1 would change nothing, and the check would not find it.
"""

from typing import Any

import numpy as np

from fastnet import Sequential
from fastnet.layers import Dense, Input, Layer
from fastnet.utils import set_random_seed, to_categorical


class Scale(Layer):
    """Multiplies each feature by a trainable weight."""

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
