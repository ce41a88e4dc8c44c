"""In an R session: R's missing values, hints in R's language, R's handler of Ctrl-C. tests/elsewhere runs R itself."""

import ctypes
import signal
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, callbacks, layers, r_session
from fastnet.utils import to_categorical

X = np.random.default_rng(0).random((6, 4))
NA_DOUBLE = np.array([0x7FF00000000007A2], np.uint64).view(np.float64)  # a NaN that signals, as R's NA does


@pytest.fixture
def _in_r(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rpytools", ModuleType("rpytools"))


def model() -> Sequential:
    made = Sequential([layers.Input((4,)), layers.Dense(3, activation="softmax")])
    made.compile("rmsprop", "sparse_categorical_crossentropy")
    return made


def with_na(array: Any, dtype: Any = np.int32) -> Any:
    array = np.asfortranarray(array, dtype)
    array[(1,) * array.ndim] = r_session.NA
    return array


WITH_NA: dict[str, tuple[Callable[[], Any], str]] = {
    "x": (lambda: model().predict(with_na(np.ones((6, 4)))), "x holds NA at row 1, column 1; expected a number"),
    "y": (lambda: model().fit(X, with_na(np.ones(6))), "y holds NA at index 1"),
    "a list": (lambda: model().fit(X, [0, r_session.NA, 1, 1, 1, 1]), "y holds NA at index 1"),
    "a list with a double": (lambda: to_categorical([1.0, r_session.NA]), "x holds NA at index 1"),
    "sample_weight": (lambda: model().fit(X, np.ones(6), sample_weight=with_na(np.ones(6))), "sample_weight holds NA"),
    "validation": (lambda: model().fit(X, np.ones(6), validation_data=(with_na(X), X[:, 0])), "validation x holds NA"),
    "adapt": (lambda: layers.Normalization().adapt(with_na(X)), "data holds NA at row 1, column 1"),
    "an index": (lambda: layers.Embedding(3, 2)(with_na(np.ones((2, 2)))), "NA at row 1, column 1"),
}  # fmt: skip


@pytest.mark.usefixtures("_in_r")
@pytest.mark.parametrize("name", WITH_NA)
def test_an_integer_na_is_refused(name: str) -> None:
    call, message = WITH_NA[name]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.usefixtures("_in_r")
def test_an_na_in_a_data_frame_is_refused() -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas, which is not installed")
    frame = pandas.DataFrame({"a": [0.5, 1], "b": np.array([1, r_session.NA], np.int32), "c": [1, 2], "d": [1, 2]})
    with pytest.raises(ValueError, match=r"x holds NA at row 1, column 1; .* as with na\.omit\(x\)"):
        model().predict(frame)


def test_outside_r_it_is_a_number() -> None:
    assert np.isfinite(model().predict(with_na(np.ones((6, 4))), verbose=0)).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: model().predict(np.vstack([X[:1], np.repeat(NA_DOUBLE, 4)])),
        lambda: model().fit(X[:2], np.append(1.0, NA_DOUBLE)),
        lambda: to_categorical(np.append(1.0, NA_DOUBLE)),
        lambda: layers.Embedding(3, 2)(np.append(1.0, NA_DOUBLE)[None]),
    ],
)
def test_a_double_na_is_refused_without_a_warning(call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match="nan"):
        call()


def digits() -> Sequential:
    return Sequential([layers.Input((28, 28)), layers.Flatten(), layers.Dense(2)])


HINTS: dict[str, tuple[Callable[[], Any], str]] = {
    "a row": (lambda: model().predict(list(X[0])), "example use matrix(x, 1), for examples of one number matrix(x)"),
    "images": (lambda: model().predict(np.ones((5, 2, 2))), "use array_reshape(x, c(5, 4))"),
    "one image": (lambda: digits().predict(np.ones((28, 28))), "for one example use array(x, c(1, dim(x)))"),
    "a factor": (lambda: model().fit(X, list("ababab")), "make numbers of labels with as.integer(factor(y)) - 1"),
    "a factor in a matrix": (lambda: model().fit([["a"] * 4] * 6, np.ones(6)), "model.matrix(~ ., x)[, -1]"),
    "a data frame": (lambda: model().predict({"a": [1.0], "b": [2.0]}), "expected an array; use as.matrix(x)"),
    "class_weight": (lambda: model().fit(X, np.ones(6), class_weight=[1.0, 2.0]), 'use list("0" = 1, "1" = 2)'),
}  # fmt: skip


@pytest.mark.usefixtures("_in_r")
@pytest.mark.parametrize("name", HINTS)
def test_hints_are_written_in_r(name: str) -> None:
    call, hint = HINTS[name]
    with pytest.raises((ValueError, TypeError)) as raised:
        call()
    assert hint in str(raised.value)


# Ctrl-C ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def taken() -> Iterator[list[str]]:
    """What R's handler was asked for; it raises unless the first word says that R has taken the interrupt itself."""
    said: list[str] = []

    def handler(number: int, frame: Any) -> None:
        said.append("asked")
        if said[0] != "R took it":
            raise KeyboardInterrupt

    handler.__module__ = "rpytools.signals"
    before = signal.signal(signal.SIGINT, handler)
    yield said
    signal.signal(signal.SIGINT, before)


def press_in_step(model: Sequential, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes Ctrl-C come in the middle of each step; returns a list to which each whole step adds a word."""
    done: list[str] = []
    step = model._train_step

    def pressed(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        result = step(*arguments)
        done.append("step")
        return result

    monkeypatch.setattr(model, "_train_step", pressed)
    return done


def test_ctrl_c_waits_for_the_end_of_the_step(taken: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made = model()
    done, before = press_in_step(made, monkeypatch), signal.getsignal(signal.SIGINT)
    watch = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    with pytest.raises(KeyboardInterrupt):
        made.fit(X, np.ones(6), batch_size=2, epochs=2, verbose=0, callbacks=[watch])
    assert (done, taken) == (["step"], ["asked"])
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_that_r_took_goes_on(taken: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made = model()
    done = press_in_step(made, monkeypatch)
    taken.append("R took it")
    watch = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    made.fit(X, np.ones(6), batch_size=2, verbose=0, callbacks=[watch])
    assert (done, taken) == (["step"] * 3, ["R took it", *["asked"] * 3])


@pytest.mark.usefixtures("taken")
def test_rs_handler_in_c_stays() -> None:
    python = ctypes.pythonapi
    python.PyOS_getsig.restype, python.PyOS_setsig.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    before, ignore = python.PyOS_getsig(signal.SIGINT), 1
    python.PyOS_setsig(signal.SIGINT, ignore)
    seen: list[Any] = []
    watch = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(python.PyOS_getsig(signal.SIGINT)))
    try:
        model().fit(X, np.ones(6), verbose=0, callbacks=[watch])
        assert [*seen, python.PyOS_getsig(signal.SIGINT)] == [ignore, ignore]
    finally:
        python.PyOS_setsig(signal.SIGINT, before)
