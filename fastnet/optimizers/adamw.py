"""AdamW: Adam with a decoupled weight decay."""

from __future__ import annotations

from typing import Any

from fastnet.optimizers.adam import Adam


class AdamW(Adam):
    """Adam with a weight decay outside of the gradient: each step begins with w <- w - learning_rate weight_decay w.

    Source: I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", 2019.

    Args:
        learning_rate, beta_1, beta_2, epsilon, amsgrad: as for `Adam`.
        weight_decay: the decay, at least 0; the default 0.004 is that of Keras.
        clipnorm, clipvalue, global_clipnorm, name: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("weight_decay is None; expected a number, or use Adam")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)
