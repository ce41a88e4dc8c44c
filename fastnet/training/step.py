"""The training step: forward, loss, backward, update. The step of an evaluation needs only the first two.

This Python code defines the algorithm.
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
    """Trains on one batch. If it raises an exception, nothing has changed.

    Args:
        fusion: the layers, and what each does of its neighbours' work.
        batch: examples with their targets.
        loss: the loss function.
        sink: takes the gradients; usually the optimizer.
        warn: called with the layers and their outputs if the loss is not finite.

    Returns:
        The sum of the examples' losses and the predictions, (B, ld), both from before the update.
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

        # Backward: each layer computes dx, the gradient with respect to its input, from dy, that of its output.
        sink.begin_step()
        for i in range(len(layers) - 1, -1, -1):
            layer, fused = layers[i]
            need_dx = i > 0 and fusion.trains_below[batch.first + i]
            dx = layer.backward(outputs[i], outputs[i + 1], dy, sink, need_dx, fused)
            if dx is None:
                break
            dy = dx

        # Update: the sink now has all gradients, and the optimizer changes the weights.
        if not math.isfinite(total):
            warn(layers, outputs)
        sink.end_step()
    except BaseException:
        for variable, before in state:  # the forward pass has changed moving averages
            variable.packed[...] = before
        raise
    return total, predictions


def test_step(fusion: Fusion, batch: Batch, loss: Loss, penalty: float) -> tuple[float, Floats]:
    """Computes the loss and the predictions of a batch, as `train_step` returns them.

    Args:
        fusion, batch, loss: as for `train_step`.
        penalty: the sum of the regularizers' penalties, which is added to each example's loss.
    """
    layers, logits = fusion.fused(loss)
    x: Any = batch.x
    for layer, fused in layers[batch.first :]:
        x = layer.forward(x, False, fused)
    total, predictions, _ = loss.gradient(x, batch.targets, logits, batch.weights)
    return total + penalty * len(batch.targets), predictions
