"""Epochs: what an estimator does after each epoch. It records the loss, and decides whether the training goes on."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnet.callbacks import Callback
from fastnet.callbacks.base import Logs
from fastnet.checks import Floats
from fastnet.sklearn.examples import Examples
from fastnet.terminal.progress import say

_SMALLEST_RATE = 1e-6  # at which learning_rate="adaptive" stops instead of dividing by 5, as in scikit-learn


class Epochs(Callback):
    """Records each epoch in the attributes of an estimator, and ends its training.

    Args:
        estimator: the estimator, whose `n_iter_`, `t_`, `loss_curve_` and so on it sets.
        rows: the number of examples in an epoch.
        validation: the examples set aside by `early_stopping`, or None.
        most: the largest number of epochs.

    Attributes:
        has_converged: whether the training ended because it did not improve any more.
    """

    def __init__(self, estimator: Any, rows: int, validation: Examples | None, most: int) -> None:
        self.estimator, self.rows, self.validation, self.most = estimator, rows, validation, most
        self.has_converged = False
        self._best_weights: list[Floats] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        estimator = self.estimator
        estimator.n_iter_ = 0
        if self.validation is None and estimator.best_loss_ is None:
            estimator.best_loss_ = np.inf
        elif self.validation is not None and estimator.validation_scores_ is None:
            estimator.validation_scores_, estimator.best_validation_score_ = [], -np.inf
        if self.validation is not None and np.isfinite(self.estimator.best_validation_score_):
            self._best_weights = self.model.get_weights()  # those with which an earlier `fit` ended

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        assert logs is not None
        estimator = self.estimator
        estimator.n_iter_ = epoch + 1
        estimator.t_ += self.rows
        estimator.loss_ = logs["loss"]
        estimator.loss_curve_.append(estimator.loss_)
        text = f"Epoch {epoch + 1}/{self.most} - loss: {estimator.loss_:.6g}"
        if self.validation is None:
            improved = estimator.loss_ <= estimator.best_loss_ - estimator.tol
            estimator.best_loss_ = min(estimator.best_loss_, estimator.loss_)
        else:
            score = logs["validation_score"] = self._score()
            text += f" - validation score: {score:.4f}"
            improved = score >= estimator.best_validation_score_ + estimator.tol
            if score > estimator.best_validation_score_:
                estimator.best_validation_score_ = score
                self._best_weights = self.model.get_weights()
            estimator.validation_scores_.append(score)
        if estimator.verbose:
            say(text)
        estimator._no_improvement_count = 0 if improved else estimator._no_improvement_count + 1
        is_sgd = type(self.model.optimizer).__name__ == "SGD" and isinstance(estimator.solver, str)
        if estimator._no_improvement_count > estimator.n_iter_no_change:
            self._end(is_sgd and estimator.learning_rate == "adaptive")
        if is_sgd and estimator.learning_rate == "invscaling":
            self.model.optimizer.learning_rate = estimator.learning_rate_init / (estimator.t_ + 1) ** estimator.power_t

    def _score(self) -> float:
        assert self.validation is not None
        x, targets, weights = self.validation
        outputs = self.model.predict(x, verbose=0)
        return float(self.estimator._score_of(targets, outputs, weights)) if np.isfinite(outputs).all() else np.nan

    def _end(self, is_adaptive: bool) -> None:
        """Ends the training, or goes on with a smaller learning rate."""
        estimator, optimizer = self.estimator, self.model.optimizer
        text = f"no improvement by tol={estimator.tol:g} for more than {estimator.n_iter_no_change} epochs"
        if is_adaptive and optimizer.learning_rate > _SMALLEST_RATE:
            optimizer.learning_rate = float(optimizer.learning_rate) / 5
            estimator._no_improvement_count = 0
            text += f"; learning rate now {float(optimizer.learning_rate):.3g}"
        else:
            self.has_converged = self.model.stop_training = True
            text += "; the training ends"
        if estimator.verbose:
            say(text)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.restore()

    def restore(self) -> None:
        """Gives the model the weights of the best epoch, if `early_stopping` looked for one."""
        if self._best_weights is not None:
            self.model.set_weights(self._best_weights)
            self._best_weights = None
