"""The tape: a recorded step gives the bits of its kernels, and a recording keeps what it points to."""

import gc
import threading
import weakref
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from helpers import isa_module, isa_parameters
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.kernels import MOMENTUM, PANEL, RELU, padded
from fastnet.training.tape import Recording

Array = NDArray[Any]
STEPS = 7
SIZES = [(16, 33, 5), (64, 300, 50)]
each_isa = pytest.mark.parametrize("isa", isa_parameters())
each_size = pytest.mark.parametrize("size", SIZES)


class Training:
    """A step with a batch, dropout, a loss and an update, and the numbers of some steps.

    Args:
        module: the kernels.
        size: rows of a batch, inputs and units.
        bad: a number that stands in the data, instead of a good one.
        bad_steps: the steps whose batch has it.
    """

    def __init__(
        self, module: Any, size: tuple[int, int, int], bad: float = 1.0, bad_steps: tuple[int, ...] = ()
    ) -> None:
        batch, inputs, units = size
        rng = np.random.default_rng(0)
        self.k = module
        self.data = rng.standard_normal((batch + 9, inputs), np.float32)
        self.data[0, 0] = bad
        self.sign = -1.0 if bad < 0 else 1.0  # so that the loss of a step with this number is this number
        self.weights = [rng.random((padded(units) // PANEL, inputs, PANEL), np.float32) for _ in range(3)]
        self.weights += [rng.random(padded(units), np.float32) for _ in range(3)]
        self.x, self.dropped = (np.zeros((batch, inputs), np.float32) for _ in range(2))
        self.y = np.zeros((batch, padded(units)), np.float32)
        # The arrays that differ from step to step, and what they hold in each.
        self.rows, self.seed = np.zeros(batch, np.intp), np.zeros(1, np.uint64)
        self.rates, self.total = np.zeros(6), np.zeros(1)
        rows = np.stack([rng.permutation(batch + 8)[:batch] + 1 for _ in range(STEPS)])
        rows[list(bad_steps), batch // 2] = 0
        rates = rng.random((STEPS, 6)) / 100
        self.numbers = [rows, rng.integers(2**64, size=(STEPS, 1), dtype=np.uint64), rates, np.zeros((STEPS, 1))]
        self.cells = [self.rows, self.seed, self.rates, self.total]

    def gather(self) -> None:
        self.k.gather(self.data, None, self.rows, self.x)

    def compute(self) -> None:
        self.k.dropout(self.x, self.dropped, self.x.shape[1], 0.0, self.seed)
        self.k.penalty(self.x.reshape(-1), 1.0, 1.0, self.sign, self.total)
        self.k.dropout(self.x, self.dropped, self.x.shape[1], 0.3, self.seed)
        self.k.gemm_bias_act(self.dropped, self.weights[0], self.weights[3], RELU, self.y)
        self.k.mark_update(self.total)
        self.k.gemm_tn_update(self.dropped, self.y, MOMENTUM, *self.weights, self.rates)
        self.k.decay(self.weights[0].reshape(-1), self.rates)

    def call(self, first: int, steps: int) -> None:
        """Steps [first, steps), kernel by kernel."""
        for step in range(first, steps):
            for cell, numbers in zip(self.cells, self.numbers, strict=True):
                cell[:] = numbers[step]
            self.gather()
            self.compute()

    def record(self) -> None:
        """Records a step. It changes no weights, since all its numbers are 0."""
        self.front, self.tape = self.k.Tape(), self.k.Tape()
        before = [a.copy() for a in self.weights]
        for tape, calls in ((self.front, self.gather), (self.tape, self.compute)):
            tape.start()
            calls()
            tape.stop()
        for array, old in zip(self.weights, before, strict=True):
            array[:] = old
        self.tape.prepare(self.front, [cell.view(np.uint8) for cell in self.cells], [])

    def play(
        self, first: int, steps: int, threads: int = 2, watch: bool = False, resume: bool = False, seconds: Any = None
    ) -> int:
        sources = [np.ascontiguousarray(numbers).view(np.uint8) for numbers in self.numbers]
        stopped: int = self.tape.play(sources, first, steps, threads, watch, resume, seconds=seconds)
        return stopped

    def bits(self) -> list[bytes]:
        return [a.tobytes() for a in (*self.weights, self.x, self.dropped, self.y, *self.cells)]


@pytest.fixture
def three_slices() -> Iterator[Any]:
    """A function that makes the kernels cut their work for three threads."""
    changed = []

    def cut(module: Any) -> None:
        changed.append((module, module.get_threads()))
        module.set_threads(3, 2)

    yield cut
    for module, before in changed:
        module.set_threads(before, before)


@each_isa
@each_size
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_played_steps_have_the_bits_of_called_ones(
    isa: str, size: tuple[int, int, int], threads: int, three_slices: Any
) -> None:
    module = isa_module(isa)
    three_slices(module)
    called, played = Training(module, size), Training(module, size)
    played.record()
    assert (len(played.front), len(played.tape)) == (1, 6)
    initial = played.bits()
    for steps in range(1, STEPS + 1):
        called.call(steps - 1, steps)
        assert played.play(steps - 1, steps, threads) == steps
        assert played.bits() == called.bits()
    assert all(a != b for a, b in zip(initial[:2], played.bits()[:2], strict=True))


@each_isa
def test_several_steps_in_one_go_are_those_steps(isa: str) -> None:
    called, played = (Training(isa_module(isa), SIZES[0]) for _ in range(2))
    played.record()
    called.call(0, STEPS)
    assert played.play(0, 2) == 2
    assert played.play(2, 2) == 2  # none
    assert played.play(2, STEPS, watch=True) == STEPS
    assert played.bits() == called.bits()


@each_isa
def test_cells_are_filled_in_the_order_of_the_steps(isa: str) -> None:
    k = isa_module(isa)
    one, two, seen = np.zeros(1, np.intp), np.zeros(3, np.uint8), np.zeros((5, 1), np.float32)
    number, numbers = np.zeros((1, 1), np.float32), np.random.default_rng(0).random((5, 1), np.float32)
    tape = k.Tape()
    tape.start()
    k.scatter(number, one, seen)
    tape.stop()
    tape.prepare(None, [one.view(np.uint8), two, number.reshape(1).view(np.uint8)], [])
    seen[:] = 0
    places, triples = np.array([[3], [1], [4], [0], [2]]), np.arange(15, dtype=np.uint8).reshape(5, 3)
    for first, steps in ((0, 1), (1, 4), (4, 5)):
        tape.play([places.view(np.uint8), triples, numbers.view(np.uint8)], first, steps, 1)
        assert two.tolist() == triples[steps - 1].tolist()
        np.testing.assert_array_equal(seen[places[:steps, 0]], numbers[:steps])
        assert np.count_nonzero(seen) == steps


@each_isa
@each_size
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_it_stops_before_the_weights_change_and_goes_on_there(isa: str, size: tuple[int, int, int], bad: float) -> None:
    module = isa_module(isa)
    called, played = (Training(module, size, bad, (2, 5)) for _ in range(2))
    played.record()
    called.call(0, 2)
    before = called.bits()[:6]
    assert played.play(0, STEPS, watch=True) == 2
    assert played.bits()[:6] == before
    called.call(2, 3)
    assert called.bits()[:6] != before
    np.testing.assert_equal(played.total[0], bad)
    assert played.bits()[6:] == called.bits()[6:]  # the batch, the outputs and the numbers are those of the bad step
    assert played.play(2, 3, resume=True) == 3
    assert played.bits() == called.bits()
    called.call(3, STEPS)
    assert played.play(3, STEPS, watch=True) == 5
    assert played.play(5, STEPS, watch=True, resume=True) == STEPS
    assert played.bits() == called.bits()


@each_isa
def test_the_steps_after_a_bad_one_are_watched_too(isa: str) -> None:
    played = Training(isa_module(isa), SIZES[0], np.nan, (2, 3, 6))
    played.record()
    stops = [played.play(0, STEPS, watch=True)]
    while stops[-1] < STEPS:
        stops.append(played.play(stops[-1], STEPS, watch=True, resume=True))
    assert stops == [2, 3, 6, STEPS]


@each_isa
def test_unwatched_it_plays_through(isa: str) -> None:
    called, played = (Training(isa_module(isa), SIZES[0], np.nan, (1,)) for _ in range(2))
    played.record()
    called.call(0, STEPS)
    assert played.play(0, STEPS) == STEPS
    assert played.bits() == called.bits()
    assert np.isnan(played.weights[0]).any()


@each_isa
def test_without_a_mark_there_is_nothing_to_watch(isa: str) -> None:
    k, y = isa_module(isa), np.zeros((3, 16), np.float32)
    tape = k.Tape()
    tape.start()
    k.copy(np.full((3, 16), np.nan, np.float32), y, 16)
    tape.stop()
    k.mark_update(np.array([np.nan]))  # nobody records
    tape.prepare(None, [], [])
    assert tape.play([], 0, 3, 1, True) == 3


@each_isa
def test_the_seconds_of_each_entry_are_added(isa: str) -> None:
    played = Training(isa_module(isa), SIZES[1])
    played.record()
    seconds = np.full(len(played.front) + len(played.tape), 100.0)
    played.play(0, 3, seconds=seconds)
    assert (seconds > 100).all()
    before = seconds.copy()
    played.play(3, STEPS, seconds=seconds)
    assert (seconds > before).all()
    before = seconds.copy()
    played.play(0, 1, seconds=np.zeros(0))
    np.testing.assert_array_equal(seconds, before)


@each_isa
def test_a_tape_may_be_long(isa: str) -> None:
    k, rng = isa_module(isa), np.random.default_rng(0)
    arrays = [rng.random((1, 3), np.float32) for _ in range(1001)]
    first = arrays[0].copy()
    tape = k.Tape()
    tape.start()
    for x, y in pairwise(arrays):
        k.rescale(x, y, 3, 1.0, 1.0)
    tape.stop()
    assert len(tape) == 1000
    for y in arrays[1:]:
        y[:] = 0
    tape.prepare(None, [], [])
    tape.play([], 0, 1, 1)
    for x, y in pairwise(arrays):
        np.testing.assert_array_equal(y, x + np.float32(1))
    np.testing.assert_array_equal(arrays[0], first)


@each_isa
def test_the_number_of_threads_is_limited_while_it_plays(isa: str, three_slices: Any) -> None:
    # Which copy of a batch a row of the product is computed from shows the slice that it is in: copy n holds number n.
    k = isa_module(isa)
    three_slices(k)
    inputs = 50_000
    ends = np.stack([np.arange(inputs + 1)] * 3)
    entries = np.zeros((3, inputs, 2), np.int32)
    entries[..., 1] = np.arange(1, 4, dtype=np.float32).view(np.int32)[:, None]
    dz, dw, db = np.ones((1, 16), np.float32), np.zeros((1, inputs, 16), np.float32), np.zeros(16, np.float32)
    tape = k.Tape()
    tape.start()
    k.csrmm_tn(ends, entries, dz, dw, db)
    tape.stop()
    tape.prepare(None, [], [])
    found = [sorted(set(dw.reshape(-1).tolist()))]
    for threads in (1, 2, 3, 9):
        tape.play([], 0, 1, threads)
        found.append(sorted(set(dw.reshape(-1).tolist())))
    k.csrmm_tn(ends, entries, dz, dw, db)
    found.append(sorted(set(dw.reshape(-1).tolist())))
    assert found == [[1, 2, 3], [1], [1, 2], [1, 2, 3], [1, 2, 3], [1, 2, 3]]


def in_a_thread(call: Any) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def copy_something(module: Any = kernels) -> None:
    module.copy(np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32), 3)


@each_isa
def test_only_the_thread_that_records_is_recorded(isa: str) -> None:
    k = isa_module(isa)
    tape, of_another = k.Tape(), k.Tape()

    def record_another() -> None:
        copy_something(k)  # before its `start`
        of_another.start()
        copy_something(k)
        of_another.stop()

    copy_something(k)
    tape.start()
    in_a_thread(lambda: copy_something(k))
    assert len(tape) == 0
    in_a_thread(record_another)
    assert (len(tape), len(of_another)) == (0, 1)
    copy_something(k)
    copy_something(k)
    tape.stop()
    copy_something(k)
    assert (len(tape), len(of_another)) == (2, 1)


@each_isa
def test_what_has_no_work_for_a_step_is_not_recorded(isa: str) -> None:
    k, x = isa_module(isa), np.ones((2, 16), np.float32)
    indptr = np.array([0, 16, 32])
    tape = k.Tape()
    tape.start()
    k.all_finite(x.reshape(-1))
    k.all_finite(np.zeros(200_000, np.float32))  # on several threads
    k.csr_count(x, None, indptr[1:])
    k.csr_compress(x, None, 1.0, np.array([0, 16, 32]), np.zeros(32, np.uint16), np.zeros(32, np.float32))
    k.adam_rates(np.ones((3, 6)), 0, 0.9, 0.999, 1e-7)
    k.mark_update(np.zeros(1))
    k.copy(x[:0], x, 16)
    tape.stop()
    assert len(tape) == 0


def names(recording: Recording) -> list[str]:
    """The kernel of each entry."""
    return [call.kernel for call in recording.calls for _ in range(call.entries)]


def test_a_recording_names_its_entries() -> None:
    recording = Recording()
    x = np.ones((1, 4), np.float32)
    workspace = np.empty(7, np.intp)
    with recording.recording():
        kernels.adam_rates(np.ones((3, 6)), 0, 0.9, 0.999, 1e-7)
        kernels.gemv_bias_act(
            x, np.ones((1, 4, 16), np.float32), np.zeros(16, np.float32), RELU, np.zeros((1, 16), np.float32), workspace
        )
        kernels.mark_update(np.zeros(1))
        copy_something()
    assert names(recording) == ["gemv_bias_act", "gemv_bias_act", "copy"]
    assert recording.is_whole


def test_a_recording_keeps_its_arrays_as_long_as_it_lives() -> None:
    recording, y, total = Recording(), np.zeros((64, 512), np.float32), np.array([1.0])

    def record(recording: Recording) -> list[Any]:
        x = np.arange(64 * 512, dtype=np.float32).reshape(64, 512)
        between, bad = np.zeros((64, 512), np.float32), np.array([np.nan])
        with recording.recording():
            kernels.rescale(x, between, 512, 2.0, 1.0)
            kernels.mark_update(bad)
            kernels.copy(between, y, 512)
            kernels.penalty(between.reshape(-1), 0.0, 0.0, 0.0, total)
        return [weakref.ref(a) for a in (x, between, bad)]

    references = record(recording)
    gc.collect()
    assert all(reference() is not None for reference in references)
    y[:] = 0
    recording._tape.prepare(None, [], [])
    assert recording._tape.play([], 0, 2, 1, True) == 0  # the NaN is still there
    assert recording._tape.play([], 0, 1, 1, True, True) == 1
    np.testing.assert_array_equal(y, 2 * np.arange(64 * 512, dtype=np.float32).reshape(64, 512) + 1)
    del recording
    gc.collect()
    assert all(reference() is None for reference in references)


def test_a_kernel_that_cannot_be_recorded_is_noticed() -> None:
    recording = Recording()
    with recording.recording():
        copy_something()
        assert recording.is_whole
        assert kernels.all_finite(np.ones(3, np.float32))
        copy_something()
    assert not recording.is_whole
    assert names(recording) == ["copy", "copy"]


def test_an_error_ends_the_recording() -> None:
    recording, before = Recording(), [getattr(kernels, name) for name in kernels.NAMES]

    def interrupted() -> None:
        with recording.recording():
            copy_something()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    copy_something()
    assert not recording.is_whole
    assert names(recording) == ["copy"]
    assert len(recording._tape) == 1
    assert [getattr(kernels, name) for name in kernels.NAMES] == before
    another = Recording()
    with another.recording():
        copy_something()
    assert another.is_whole
    assert len(another._tape) == 1


def test_of_two_threads_that_record_at_once_the_second_is_not_recorded() -> None:
    first, second = Recording(), Recording()

    def record() -> None:
        with second.recording():
            copy_something()

    with first.recording():
        copy_something()
        in_a_thread(record)
        copy_something()
    assert first.is_whole
    assert len(first._tape) == 2
    assert not second.is_whole
    assert len(second._tape) == 0
