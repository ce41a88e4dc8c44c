"""The training step: forward, loss, backward, update. The step of an evaluation needs only the first two.

This Python code defines the algorithm. A recorded step (tape.py) repeats the kernels that it calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastnet import kernels
from fastnet.checks import Floats
from fastnet.losses import Loss
from fastnet.losses.base import Doubles
from fastnet.training.batches import Batch
from fastnet.training.fusion import Fusion

if TYPE_CHECKING:
    from fastnet.optimizers import Sink


def train_step(
    fusion: Fusion, batch: Batch, loss: Loss, sink: Sink, warn: Callable[..., None]
) -> tuple[Doubles, Floats]:
    """Trains on one batch. If it raises an exception, nothing has changed.

    Args:
        fusion: the layers, and what each does of its neighbours' work.
        batch: examples with their targets.
        loss: the loss function.
        sink: takes the gradients; usually the optimizer.
        warn: called with the layers and their outputs if the loss is not finite.

    Returns:
        The sum of the examples' losses and their number, (2,); the predictions, (B, C). Both are from before the
        update, and the next step overwrites them.
    """
    layers, logits = fusion.fused(loss)
    layers = layers[batch.first :]
    state = [(variable, variable.packed.copy()) for variable in fusion.state]
    try:
        # Forward: each layer's output is the next one's input.
        outputs: list[Any] = [batch.x]
        for layer, fused in layers:
            outputs.append(layer.forward(outputs[-1], True, fused))
        if fusion.outputs is not None:
            fusion.outputs += outputs

        # Loss: its value, and its gradient with respect to the last output.
        total, predictions, dy = loss.gradient(outputs[-1], batch.targets, logits, batch.weights, fusion.units)
        fusion.add_penalty(total, len(batch.targets))
        if fusion.penalizes_outputs:
            fusion.add_activity(batch.first, outputs, total)

        # Backward: each layer computes dx, the gradient with respect to its input, from dy, that of its output.
        sink.begin_step()
        for i in range(len(layers) - 1, -1, -1):
            layer, fused = layers[i]
            if layer.activity_regularizer is not None:
                layer.add_activity_gradient(outputs[i + 1], dy, 1.0 if batch.part is None else batch.part.share)
            need_dx = i > 0 and fusion.trains_below[batch.first + i]
            dx = layer.backward(outputs[i], outputs[i + 1], dy, sink, need_dx, fused)
            if dx is None:
                break
            dy = dx

        # Update: the sink now has all gradients, and the optimizer changes the weights.
        kernels.mark_update(total)
        if not math.isfinite(total[0]):
            warn(layers, outputs)
        sink.end_step()
    except BaseException:
        for variable, before in state:  # the forward pass has changed moving averages
            variable.packed[...] = before
        raise
    return total, predictions[:, : fusion.units]


def test_step(fusion: Fusion, batch: Batch, loss: Loss) -> tuple[Doubles, Floats]:
    """Computes the loss, without penalties for weights, and the predictions, as `train_step` returns them."""
    layers, logits = fusion.fused(loss)
    outputs: list[Any] = [batch.x]
    for layer, fused in layers[batch.first :]:
        outputs.append(layer.forward(outputs[-1], False, fused))
    total, predictions, _ = loss.gradient(outputs[-1], batch.targets, logits, batch.weights, fusion.units)
    if fusion.penalizes_outputs:
        fusion.add_activity(batch.first, outputs, total)
    return total, predictions[:, : fusion.units]
