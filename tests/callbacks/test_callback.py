"""Callback: the hooks, which of them are called, and the functions of LambdaCallback."""

from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.callbacks import Callback, LambdaCallback, overrides
from fastnet.callbacks.base import HOOKS
from fastnet.layers import Dense, Input
from fastnet.optimizers import SGD


def small() -> tuple[Sequential, np.ndarray, np.ndarray]:
    model = Sequential([Input((3,)), Dense(2, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    return model, np.eye(3, dtype=np.float32), np.eye(2)[[0, 1, 0]]


def test_the_hooks_are_those_of_keras() -> None:
    of_batches = [f"on_{what}_batch_{when}" for what in ("train", "test", "predict") for when in ("begin", "end")]
    of_loops = [
        f"on_{what}_{when}" for what in ("train", "test", "predict", "epoch", "batch") for when in ("begin", "end")
    ]
    assert sorted(HOOKS) == sorted(of_batches + of_loops)
    callback = Callback()
    for hook in HOOKS:
        getattr(callback, hook)(*([0] if "batch" in hook or "epoch" in hook else []), logs={})
        assert not overrides(callback, hook)


def test_what_overrides_a_hook() -> None:
    class Mine(Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None: ...

    class Older(Callback):
        def on_batch_end(self, batch: int, logs: Any = None) -> None: ...

    assert [hook for hook in HOOKS if overrides(Mine(), hook)] == ["on_epoch_end"]
    assert sorted(hook for hook in HOOKS if overrides(Older(), hook)) == ["on_batch_end", "on_train_batch_end"]
    assert [hook for hook in HOOKS if overrides(LambdaCallback(on_test_begin=print), hook)] == ["on_test_begin"]


def test_fit_calls_the_hooks_in_order_with_the_older_names_too() -> None:
    calls: list[str] = []

    class Older(Callback):
        def on_batch_end(self, batch: int, logs: Any = None) -> None:
            calls.append(f"batch {batch} {sorted(logs)}")

    show = LambdaCallback(
        on_train_begin=lambda logs=None: calls.append("begin"),
        on_train_end=lambda logs=None: calls.append(f"end {sorted(logs)}"),
        on_epoch_begin=lambda epoch, logs=None: calls.append(f"epoch {epoch}"),
        on_epoch_end=lambda epoch, logs=None: calls.append(f"epoch {epoch} {sorted(logs)}"),
        on_train_batch_begin=lambda batch, logs=None: calls.append(f"batch {batch}"),
    )
    model, x, y = small()
    model.fit(x, y, batch_size=2, epochs=1, verbose=0, callbacks=[show, Older()])
    names = "['accuracy', 'loss']"
    batches = ["batch 0", f"batch 0 {names}", "batch 1", f"batch 1 {names}"]
    assert calls == ["begin", "epoch 0", *batches, f"epoch 0 {names}", f"end {names}"]


def test_what_a_callback_adds_to_the_logs_those_after_it_and_the_history_see() -> None:
    seen = []
    add = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=epoch * 2.0))
    look = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["extra"]))
    model, x, y = small()
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[add, look])
    assert seen == history.history["extra"] == [0.0, 2.0, 4.0]


def test_stop_training_ends_after_the_batch() -> None:
    batches = []

    class Stop(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            batches.append(batch)
            self.model.stop_training = batch == 1

    model, x, y = small()
    history = model.fit(x, y, batch_size=1, epochs=5, verbose=0, callbacks=[Stop()])
    assert batches == [0, 1]
    assert history.epoch == [0]


@pytest.mark.parametrize("inner", ["predict", "evaluate", "fit"])
@pytest.mark.parametrize("hook", ["on_test_batch_end", "on_test_batch_begin", "on_predict_batch_end"])
def test_what_a_callback_computes_amid_an_evaluation_or_a_prediction_changes_nothing_there(
    hook: str, inner: str
) -> None:
    model = Sequential([Input((3,)), Dense(2, activation="softmax")])
    model.compile(SGD(0.0), "categorical_crossentropy", metrics=["accuracy"])
    x = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)  # more than one block
    y = np.eye(2)[(x[:, 0] > 0).astype(int)]
    data = (x[:5],) if inner == "predict" else (x[:5], y[:5])
    disturb = LambdaCallback(**{hook: lambda *_, **__: getattr(model, inner)(*data, verbose=0)})
    if hook.startswith("on_test"):
        expected, values = (model.evaluate(x, y, verbose=0, callbacks=each) for each in (None, disturb))
        assert values == expected
    else:
        expected, values = (model.predict(x, verbose=0, callbacks=each) for each in (None, disturb))
        np.testing.assert_array_equal(values, expected)


def test_lambda_callback_refuses_what_is_no_hook() -> None:
    with pytest.raises(TypeError, match="did you mean 'on_epoch_end'"):
        LambdaCallback(on_epoch_edn=print)
    with pytest.raises(TypeError, match="on_epoch_end must be a function, got 3"):
        LambdaCallback(on_epoch_end=3)  # type: ignore[arg-type]
