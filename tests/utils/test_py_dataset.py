"""PyDataset as the data of fit, evaluate and predict."""

import math
import threading
import time
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential
from fastnet.layers import Dense, Input
from fastnet.utils import PyDataset, Sequence, set_random_seed

X = np.linspace(-1, 1, 40, dtype=np.float32).reshape(20, 2)
Y = X.sum(axis=1, keepdims=True)


class Batches(PyDataset):
    """Batches of four examples; `taken` has their numbers in the order in which they were made."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.taken: list[int] = []
        self.epochs: list[str] = []

    def __len__(self) -> int:
        return math.ceil(len(X) / 4)

    def __getitem__(self, index: int) -> Any:
        self.taken.append(index)
        return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]

    def on_epoch_begin(self) -> None:
        self.epochs.append("begin")

    def on_epoch_end(self) -> None:
        self.epochs.append("end")


def model() -> Sequential:
    set_random_seed(3)
    return Sequential([Input((2,)), Dense(3, activation="tanh"), Dense(1)]).compile("sgd", "mse")


def test_the_results_are_those_of_the_arrays() -> None:
    ours, theirs = model(), model()
    ours.fit(Batches(), epochs=3, shuffle=False, verbose=0)
    theirs.fit(X, Y, 4, epochs=3, shuffle=False, verbose=0)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert ours.evaluate(Batches(), verbose=0) == pytest.approx(theirs.evaluate(X, Y, verbose=0), rel=1e-6)
    np.testing.assert_array_equal(ours.predict(Batches(), verbose=0), theirs.predict(X, verbose=0))
    assert Sequence is PyDataset


def test_fit_takes_the_batches_in_a_new_random_order() -> None:
    data = Batches()
    model().fit(data, epochs=8, verbose=0)
    orders = [tuple(data.taken[1:][i : i + 5]) for i in range(0, 40, 5)]  # the first was taken to learn the shape
    assert all(sorted(order) == list(range(5)) for order in orders)
    assert len(set(orders)) > 2
    assert data.epochs == ["begin", "end"] * 8


def test_workers_change_nothing_but_the_time() -> None:
    alone = model()
    alone.fit(Batches(), epochs=2, verbose=0)
    together = model()
    together.fit(Batches(workers=3, use_multiprocessing=True, max_queue_size=2), epochs=2, verbose=0)
    for a, b in zip(alone.get_weights(), together.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_workers_are_threads_that_make_batches_in_advance() -> None:
    class Slow(Batches):
        most = 0

        def __getitem__(self, index: int) -> Any:
            threads.add(threading.get_ident())
            both.wait(20)  # passes only if two workers are here at the same time
            return super().__getitem__(index)

        def __len__(self) -> int:
            return 4

    threads: set[int] = set()
    both = threading.Barrier(2)
    data = Slow(workers=2, max_queue_size=3)
    assert model().predict(data, verbose=0).shape == (16, 1)
    assert threading.get_ident() not in threads
    assert sorted(data.taken) == [0, 1, 2, 3]


def test_an_error_in_a_worker_reaches_the_caller_and_no_batch_is_made_afterwards() -> None:
    class Broken(Batches):
        def __len__(self) -> int:
            return 100

        def __getitem__(self, index: int) -> Any:
            if index == 2:
                raise KeyError("file is gone")
            if index > 2:
                caught.wait(0.1)
            return super().__getitem__(index % 5)

    caught = threading.Event()
    data = Broken(workers=2, max_queue_size=20)
    before = threading.active_count()
    with pytest.raises(KeyError, match="file is gone"):
        model().evaluate(data, verbose=0)
    caught.set()
    while threading.active_count() > before:
        time.sleep(0.001)
    assert len(data.taken) < 10


def test_a_data_set_without_a_last_batch_needs_the_number_of_steps() -> None:
    class Endless(Batches):
        @property
        def num_batches(self) -> None:
            return None

        def __getitem__(self, index: int) -> Any:
            self.taken.append(index)
            return X[:4] + index, Y[:4]

    for workers in (1, 2):
        data = Endless(workers=workers, max_queue_size=1)
        model().fit(data, epochs=2, steps_per_epoch=3, verbose=0)
        assert sorted(data.taken[1:])[:6] == [0, 1, 2, 3, 4, 5]
    for call in (model().fit, model().evaluate, model().predict):
        with pytest.raises(ValueError, match="x has no last batch; give the number of batches"):
            call(Endless(), verbose=0)


def test_a_constructor_need_not_call_its_base() -> None:
    class Plain(PyDataset):
        def __init__(self) -> None:
            pass

        num_batches = 5

        def __getitem__(self, index: int) -> Any:
            return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]

    assert model().predict(Plain(), verbose=0).shape == (20, 1)
    assert len(list(Plain())) == 5
    history = model().fit(Plain(), validation_data=Plain(), verbose=0)
    assert sorted(history.history) == ["loss", "val_loss"]


def test_what_is_missing_is_named() -> None:
    class Empty(PyDataset):
        pass

    with pytest.raises(NotImplementedError, match="Empty has neither __len__"):
        model().predict(Empty(), verbose=0)
    with pytest.raises(NotImplementedError, match="Empty has no __getitem__"):
        Empty()[0]
    with pytest.raises(TypeError, match="workers must be an integer"):
        PyDataset(workers=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_queue_size must be at least 0"):
        PyDataset(max_queue_size=-1)
