"""Muon: steps in all directions of a matrix alike, for the kernels of hidden layers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnet import checks, kernels
from fastnet.arrays.panels import unpack, zeros
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.kernels import PANEL, padded
from fastnet.optimizers.base import Optimizer, fraction, length, optional, positive_epsilon


def _texts(exclude_layers: Iterable[str] | None) -> tuple[str, ...]:
    """Checks the argument `exclude_layers`."""
    if isinstance(exclude_layers, str):
        raise TypeError(f"exclude_layers must be a list of names, got {exclude_layers!r}; write [{exclude_layers!r}]")
    texts = tuple(exclude_layers or ())
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"exclude_layers must be a list of names, got {text!r} in it")
        if not text or set(text) & set("\\^$|?*+()[]{}"):
            raise ValueError(f"exclude_layers must be parts of names, not patterns, got {text!r}")
    return texts


class Muon(Optimizer):
    """Replaces each matrix of mean gradients by the nearest matrix whose singular values are about equal.

    m <- momentum m + g;  d = g + momentum m with `nesterov`, else m;
    w <- w - learning_rate rms_rate sqrt(max(rows, columns)) NewtonSchulz(d).

    A gradient has a few large singular values, so a plain step changes a matrix in few directions. `NewtonSchulz`
    brings all singular values near 1 without a decomposition. It starts with X = d / \\|d\\| and repeats `ns_steps`
    times A = X X^T;  X <- a X + (b A + c A A) X, a polynomial of degree 5 in the singular values.

    A variable that is not a matrix, or whose name fits `exclude_layers`, takes Adam's step instead, with the learning
    rate `adam_lr_ratio` * learning_rate. Name the last layer there: its outputs are not alike.

    Sources: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; J. Liu et al., "Muon is
    scalable for LLM training", 2025, for `rms_rate`, with which the learning rate and the weight decay are as Adam's.

    Args:
        learning_rate: size of a step, at least 0, or a schedule.
        adam_beta_1, adam_beta_2, epsilon: as for `Adam`.
        adam_weight_decay: the weight decay of the variables that take Adam's step, or None.
        weight_decay: that of the others, or None.
        exclude_layers: a list of texts; a variable is excluded if one occurs in its name, such as ``"dense_1"``. Keras
            also takes patterns; they are refused here, since one in a model file could keep Python busy for hours.
        exclude_embeddings: whether to exclude variables with "embedding" in their names.
        muon_a, muon_b, muon_c: the numbers a, b, c of the polynomial.
        adam_lr_ratio: as above, at least 0.
        momentum: share of the last m that each step keeps, in [0, 1).
        ns_steps: number of repetitions, from 0 to 100.
        nesterov: whether to look one step ahead.
        rms_rate: as above, at least 0. With None, the step is learning_rate NewtonSchulz(d).
        clipnorm, clipvalue, global_clipnorm, name, ...: as for `Optimizer`.

    Raises:
        ValueError: if a number is out of its range.
        TypeError: if an argument is not a number, or unknown.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Iterable[str] | None = (),
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.adam_beta_1 = fraction("adam_beta_1", adam_beta_1)
        self.adam_beta_2 = fraction("adam_beta_2", adam_beta_2)
        self.adam_weight_decay = optional("adam_weight_decay", adam_weight_decay)
        self.epsilon = positive_epsilon(epsilon)
        self.exclude_layers = _texts(exclude_layers)
        self.exclude_embeddings = bool(exclude_embeddings)
        self.muon_a = checks.float32_number("muon_a", muon_a)
        self.muon_b = checks.float32_number("muon_b", muon_b)
        self.muon_c = checks.float32_number("muon_c", muon_c)
        self.adam_lr_ratio = checks.number("adam_lr_ratio", adam_lr_ratio, least=0)
        self.momentum = fraction("momentum", momentum)
        self.ns_steps = checks.integer("ns_steps", ns_steps, least=0)
        if self.ns_steps > 100:
            raise ValueError(f"ns_steps must be at most 100, got {self.ns_steps}; 5 is usual")
        self.nesterov = bool(nesterov)
        self.rms_rate = optional("rms_rate", rms_rate)

    def _should_use_adamw(self, variable: Variable) -> bool:
        if len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in variable.name.lower()):
            return True
        return any(text in variable.name for text in self.exclude_layers)

    def _slots_of(self, variable: Variable) -> tuple[str, ...]:
        more = ("velocity",) if self._should_use_adamw(variable) else ()
        return (*super()._slots_of(variable), "momentum", *more)

    def _decay_of(self, variable: Variable) -> float:
        if self._is_excluded(variable):
            return 0.0
        return (self.adam_weight_decay if self._should_use_adamw(variable) else self.weight_decay) or 0.0

    @np.errstate(all="ignore")  # the loss reports NaN and infinity
    def update_step(self, gradient: Floats, variable: Variable, learning_rate: float) -> None:
        mean = self.slot(variable, "momentum")
        if self._should_use_adamw(variable):
            step, square = self._done + 1, self.slot(variable, "velocity")
            mean += (gradient - mean) * (1 - self.adam_beta_1)
            square += (gradient * gradient - square) * (1 - self.adam_beta_2)
            root = math.sqrt(1 - math.pow(self.adam_beta_2, step))
            rate = learning_rate * self.adam_lr_ratio * root / (1 - math.pow(self.adam_beta_1, step))
            variable.packed -= rate * mean / (np.sqrt(square) + self.epsilon)
            return
        mean[...] = self.momentum * mean + gradient
        d = gradient + self.momentum * mean if self.nesterov else mean
        update = learning_rate * self.zeropower_via_newtonschulz5(variable.unpack(d), self.ns_steps)
        variable.packed -= variable.pack(self.lr_adjust(update))

    def lr_adjust(self, x: Floats) -> Floats:
        """Returns rms_rate sqrt(max(rows, columns)) x, for x of shape (rows, columns); x itself without `rms_rate`."""
        return x if self.rms_rate is None else x * (self.rms_rate * math.sqrt(max(x.shape)))

    def zeropower_via_newtonschulz5(self, x: Floats, steps: int) -> Floats:
        """Returns a matrix with the singular vectors of x, (rows, columns), and singular values near 1."""
        if np.ndim(x) != 2:
            raise ValueError(f"x must be a matrix, got shape {np.shape(x)}")
        is_tall = x.shape[0] > x.shape[1]
        x = (x.T if is_tall else x) / np.float32(length(x) + 1e-7)
        for _ in range(steps):
            a = _product(x.T, x.T)  # A = X X^T; A and the polynomial are symmetric
            x = self.muon_a * x + _product(self.muon_b * a + self.muon_c * _product(a, a), x)
        return x.T if is_tall else x

    def get_config(self) -> dict[str, Any]:
        names = (
            "adam_beta_1", "adam_beta_2", "adam_weight_decay", "epsilon", "weight_decay", "exclude_layers",
            "exclude_embeddings", "muon_a", "muon_b", "muon_c", "adam_lr_ratio", "momentum", "ns_steps", "nesterov",
            "rms_rate",
        )  # fmt: skip
        return super().get_config() | {name: getattr(self, name) for name in names}


def _product(x: Floats, y: Floats) -> Floats:
    """Returns x^T y for x, (n, k), and y, (n, m), by a kernel, whose result depends on no number of threads."""
    rows, columns = y.shape
    wide = zeros((rows, padded(columns)))
    wide[:, :columns] = y
    product = zeros((padded(columns) // PANEL, x.shape[1], PANEL))
    kernels.gemm_tn(np.ascontiguousarray(x, np.float32), wide, product, zeros((padded(columns),)))
    return unpack(product, columns)
