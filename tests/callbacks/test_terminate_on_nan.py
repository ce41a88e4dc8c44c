"""TerminateOnNaN: the batch after which a training ends."""

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.callbacks import LambdaCallback, TerminateOnNaN
from fastnet.layers import Dense, Input


def diverging() -> Sequential:
    model = Sequential([Input((1,)), Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_it_ends_after_the_batch(value: float, capsys: pytest.CaptureFixture[str]) -> None:
    batches: list[int] = []

    def poison(batch: int, logs: object = None) -> None:
        batches.append(batch)
        if batch == 2:
            model.layers[0].kernel.packed.fill(value)  # type: ignore[attr-defined]

    model = diverging()
    callbacks = [LambdaCallback(on_train_batch_begin=poison), TerminateOnNaN()]
    history = model.fit(np.ones((6, 1)), np.ones((6, 1)), batch_size=1, epochs=3, verbose=0, callbacks=callbacks)
    assert batches == [0, 1, 2]
    assert history.epoch == [0]
    assert capsys.readouterr().out == "Batch 2: Invalid loss, terminating training\n"
    model = diverging()
    batches.clear()
    with pytest.raises(RuntimeError, match=r"the loss is (nan|inf) at batch 2: training ends here"):
        model.fit(
            np.ones((6, 1)), np.ones((6, 1)), 1, verbose=0, callbacks=[callbacks[0], TerminateOnNaN(raise_error=True)]
        )


def test_finite_losses_and_none_go_on() -> None:
    callback = TerminateOnNaN(raise_error=True)
    callback.on_train_batch_end(0, {"loss": 1e300})
    callback.on_train_batch_end(0, {})
    callback.on_train_batch_end(0)
