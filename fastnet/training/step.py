"""A training step, the algorithm itself: forward, loss, backward, update. And an evaluation's, without the last two.

How it is written here in Python is the definition of what a step is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastnet.checks import Floats
from fastnet.losses import Loss
from fastnet.training.batches import Batch
from fastnet.training.fusion import Fusion

if TYPE_CHECKING:
    from fastnet.optimizers import Sink


def train_step(fusion: Fusion, batch: Batch, loss: Loss, sink: Sink, warn: Callable[..., None]) -> tuple[float, Floats]:
    """Trains on one batch; a step that raises an exception has changed nothing.

    Args:
        fusion: the layers, and what each does of its neighbours' work.
        batch: examples with their targets.
        loss: the loss.
        sink: takes the gradients: the optimizer, or whoever wants to see them.
        warn: called with the layers and their outputs if the loss is not finite.

    Returns:
        The sum of the examples' losses, before the update, and the predictions, (B, ld).
    """
    layers, logits = fusion.fused(loss)
    layers = layers[batch.first :]
    state = [(variable, variable.packed.copy()) for variable in fusion.state]
    try:
        # Forward: each layer's output is the next one's input.
        outputs: list[Any] = [batch.x]
        for layer, fused in layers:
            outputs.append(layer.forward(outputs[-1], True, fused))

        # Loss: its value, and its gradient with respect to the last output.
        total, predictions, dy = loss.gradient(outputs[-1], batch.targets, logits, batch.weights)
        if fusion.regularized:
            total += fusion.penalty() * len(batch.targets)

        # Backward: from the gradient with respect to a layer's output, y, to that with respect to its input, x.
        sink.begin_step()
        for i in range(len(layers) - 1, -1, -1):
            layer, fused = layers[i]
            need_dx = i > 0 and fusion.trains_below[batch.first + i]
            dx = layer.backward(outputs[i], outputs[i + 1], dy, sink, need_dx, fused)
            if dx is None:
                break
            dy = dx

        # Update: every layer has handed over the gradients of its weights, and only now are weights changed.
        if not math.isfinite(total):
            warn(layers, outputs)
        sink.end_step()
    except BaseException:
        for variable, before in state:  # moving averages, which the forward pass has changed
            variable.packed[...] = before
        raise
    return total, predictions


def test_step(fusion: Fusion, batch: Batch, loss: Loss, penalty: float) -> tuple[float, Floats]:
    """Computes a batch's loss; returned as by `train_step`.

    Args:
        fusion, batch, loss: as for `train_step`.
        penalty: what the regularizers add to each example's loss.
    """
    layers, logits = fusion.fused(loss)
    x: Any = batch.x
    for layer, fused in layers[batch.first :]:
        x = layer.forward(x, False, fused)
    total, predictions, _ = loss.gradient(x, batch.targets, logits, batch.weights)
    return total + penalty * len(batch.targets), predictions
