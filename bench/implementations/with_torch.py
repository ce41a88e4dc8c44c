"""The tutorial in PyTorch, with batches by a shuffled index, and with loss and accuracy summed as tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from implementations import EPSILON, LEARNING_RATE, RHO, Network, Trainer


class Eager(Trainer):
    """Uses modules and PyTorch's RMSprop."""

    def __init__(self, network: Network, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        stack: list[nn.Module] = []
        for inputs, units in zip(network.widths, network.widths[1:], strict=False):
            stack += [nn.Linear(inputs, units), nn.ReLU()]
            if network.dropout:
                stack.append(nn.Dropout(network.dropout))
        while not isinstance(stack[-1], nn.Linear):
            stack.pop()
        self._model = nn.Sequential(*stack)
        self._optimizer = torch.optim.RMSprop(self._model.parameters(), lr=LEARNING_RATE, alpha=RHO, eps=EPSILON)
        self._batch = network.batch
        self._forward = self._outputs_and_loss

    def _outputs_and_loss(self, x: Any, labels: Any) -> tuple[Any, Any]:
        z = self._model(x)
        return z, nn.functional.cross_entropy(z, labels)

    def load(self, x: Any, labels: Any) -> None:
        self._x, self._labels = torch.from_numpy(x), torch.from_numpy(labels.astype("int64"))

    def epoch(self) -> tuple[float, float]:
        self._model.train()
        n = len(self._x)
        total, correct = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for rows in torch.randperm(n).split(self._batch):
            labels = self._labels[rows]
            self._optimizer.zero_grad()
            z, loss = self._forward(self._x[rows], labels)
            loss.backward()
            self._optimizer.step()
            total += loss.detach() * len(rows)
            correct += (z.detach().argmax(dim=1) == labels).sum()
        return total.item() / n, correct.item() / n

    @torch.inference_mode()
    def evaluate(self, x: Any, labels: Any) -> tuple[float, float]:
        self._model.eval()
        labels = torch.from_numpy(labels.astype("int64"))
        z, loss = self._outputs_and_loss(torch.from_numpy(x), labels)
        return loss.item(), (z.argmax(dim=1) == labels).double().mean().item()

    @torch.inference_mode()
    def predict(self, x: Any) -> Any:
        self._model.eval()
        return torch.softmax(self._model(torch.from_numpy(x)), dim=1).numpy()


class Compiled(Eager):
    """Compiles forward, loss and backward with torch.compile, once for full batches and once for the last one."""

    def __init__(self, network: Network, threads: int) -> None:
        super().__init__(network, threads)
        self._forward = torch.compile(self._outputs_and_loss, dynamic=False)
