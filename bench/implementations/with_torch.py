"""A network in PyTorch, with batches by a shuffled index, and with loss and accuracy summed as tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from implementations import BETA_1, BETA_2, EPSILON, LEARNING_RATE, RHO, Network, Trainer

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}
OUTPUTS = {"softmax": nn.Softmax(dim=1), "sigmoid": nn.Sigmoid(), "linear": nn.Identity()}
LOSSES = {
    "softmax": nn.functional.cross_entropy,
    "sigmoid": nn.functional.binary_cross_entropy_with_logits,
    "linear": nn.functional.mse_loss,
}


class Eager(Trainer):
    """Uses modules and PyTorch's optimizers."""

    def __init__(self, network: Network, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        stack: list[nn.Module] = []
        for inputs, units in zip(network.widths, network.widths[1:], strict=False):
            stack += [nn.Linear(inputs, units), ACTIVATIONS[network.activation]()]
            if network.dropout:
                stack.append(nn.Dropout(network.dropout))
        while not isinstance(stack[-1], nn.Linear):
            stack.pop()
        self._model = nn.Sequential(*stack)
        weights = self._model.parameters()
        self._optimizer: Any
        if network.optimizer == "rmsprop":
            self._optimizer = torch.optim.RMSprop(weights, lr=LEARNING_RATE, alpha=RHO, eps=EPSILON)
        else:
            betas = BETA_1, BETA_2
            self._optimizer = torch.optim.Adam(weights, lr=LEARNING_RATE, betas=betas, eps=EPSILON, fused=True)
        self._network, self._loss = network, LOSSES[network.output]
        self._forward = self._outputs_and_loss

    def _outputs_and_loss(self, x: Any, y: Any) -> tuple[Any, Any]:
        z = self._model(x)
        return z, self._loss(z, y)

    def _correct(self, z: Any, y: Any) -> Any:
        return (z.argmax(dim=1) == y if self._network.output == "softmax" else (z > 0) == (y > 0.5)).sum()

    def _targets(self, y: Any) -> Any:
        return torch.from_numpy(y.astype("int64") if self._network.output == "softmax" else y)

    def load(self, x: Any, y: Any) -> None:
        self._x, self._y = torch.from_numpy(x), self._targets(y)

    def _batches(self) -> Iterator[tuple[Any, Any]]:
        if self._network.full:
            yield self._x, self._y
            return
        for rows in torch.randperm(len(self._x)).split(self._network.batch):
            yield self._x[rows], self._y[rows]

    def epoch(self) -> tuple[float, float]:
        self._model.train()
        n, has_classes = len(self._x), self._network.output != "linear"
        total, correct = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for x, y in self._batches():
            self._optimizer.zero_grad()
            z, loss = self._forward(x, y)
            loss.backward()
            self._optimizer.step()
            total += loss.detach() * len(x)
            if has_classes:
                correct += self._correct(z.detach(), y)
        return total.item() / n, correct.item() / n if has_classes else math.nan

    @torch.inference_mode()
    def evaluate(self, x: Any, y: Any) -> tuple[float, float]:
        self._model.eval()
        y = self._targets(y)
        z, loss = self._outputs_and_loss(torch.from_numpy(x), y)
        return loss.item(), self._correct(z, y).item() / len(x)

    @torch.inference_mode()
    def predict(self, x: Any) -> Any:
        self._model.eval()
        return OUTPUTS[self._network.output](self._model(torch.from_numpy(x))).numpy()


class Compiled(Eager):
    """Compiles forward, loss and backward with torch.compile, once for full batches and once for the last one."""

    def __init__(self, network: Network, threads: int) -> None:
        super().__init__(network, threads)
        self._forward = torch.compile(self._outputs_and_loss, dynamic=False)
