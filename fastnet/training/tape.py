"""The tape: repeats a training step without Python, which takes longer than the kernels of a small network.

The first step on a batch of some size runs in Python (step.py), and each kernel with its arguments is recorded. The
next steps run the same kernels in the same order, in C (kernels/tape.h). They give the same bits.

A step is recorded only if it consists of kernels alone. Each layer, loss, metric and optimizer says so in its property
`_is_taped`. Any other step runs in Python every time.

Before each repeated step C fills the arrays that differ from step to step: the row numbers of the batch, the rates of
the optimizer, and the seeds of Dropout. Python computes them for some steps ahead.

A recording is valid as long as nothing changes but the numbers in its arrays. For example, a new value of an attribute
of a layer or an optimizer makes it invalid, since the kernels got the old value: see `recorded.touch`. A recording
keeps all arrays that its kernels were given, so it can never point to memory that is gone.
"""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels, recorded, rng
from fastnet.losses.base import Doubles
from fastnet.terminal import interrupts
from fastnet.training.batches import Batches, Buffers
from fastnet.training.inputs import Data
from fastnet.training.results import Results

_CHUNK = 0.03  # seconds that Python waits for C at most: the time until Ctrl-C is noticed
_TRIAL = 0.002  # seconds for which each number of threads is tried
_RETRY = 1.0  # seconds of playing after which they are tried again
_MOST = 6  # recordings that a model keeps

Bytes = NDArray[np.uint8]


class Call(NamedTuple):
    """A call of a kernel in a recording.

    Attributes:
        kernel: the name of the kernel.
        arguments: its arguments, with the arrays to which the entries point.
        entries: the number of its entries on the tape.
    """

    kernel: str
    arguments: tuple[Any, ...]
    entries: int


class Recording:
    """The kernels of one step.

    Attributes:
        calls: the calls of the kernels, in order.
        is_whole: whether all of the step was recorded.
    """

    def __init__(self) -> None:
        self._tape = kernels.Tape()
        self.calls: list[Call] = []
        self.is_whole = True

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Records the kernels that this thread calls in the `with` block, unless another thread records."""

        def observe(name: str, kernel: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
            before = len(self._tape)
            result = kernel(*arguments)
            self.calls.append(Call(name, arguments, len(self._tape) - before))
            if len(self._tape) == before and name not in kernels.BETWEEN:
                self.is_whole = False  # this kernel cannot be recorded
            return result

        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(kernels.observed(observe))
            except BlockingIOError:
                self.is_whole = False
                yield
                return
            self._tape.start()
            try:
                yield
            except BaseException:
                self.is_whole = False
                raise
            finally:
                try:
                    self._tape.stop()
                except MemoryError:
                    self.is_whole = False


class Pace:
    """Measures how long a step takes on one thread and on all of them, to use the faster number.

    Results do not depend on the number of threads, so it may be chosen by the clock. It is tried again now and then,
    since the cores of a virtual machine share a cache at some times and not at others.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._start()

    def _start(self) -> None:
        candidates = {1, self.threads}
        self._best = dict.fromkeys(candidates, float("inf"))  # the least seconds of a step, by number of threads
        self._spent = dict.fromkeys(candidates, 0.0)

    @property
    def is_settled(self) -> bool:
        """Whether each number of threads was tried for long enough."""
        return len(self._spent) == 1 or min(self._spent.values()) >= _TRIAL

    def next_threads(self) -> int:
        """Returns the number of threads to use: the faster one, or one that was not tried for long enough."""
        seconds = self._best if self.is_settled else self._spent
        return min(seconds, key=seconds.__getitem__)

    def most_steps(self) -> int:
        """Returns the number of steps that take about as long as Python may wait."""
        known = min(self._best.values())
        if known == float("inf"):
            return 1
        return max(1, int((_CHUNK if self.is_settled else _TRIAL / 3) / known))

    def measured(self, threads: int, steps: int, seconds: float) -> None:
        """Notes how long some steps have taken."""
        self._best[threads] = min(self._best[threads], seconds / steps)
        self._spent[threads] += seconds
        if len(self._spent) > 1 and self._spent[threads] > _RETRY:
            self._start()


class Step(Recording):
    """A recorded step, and the numbers that differ from step to step.

    Args:
        uses: all objects that take part in the step.
        size: rows of the batch.
        buffers: the arrays of the batch.
        cells: the arrays that differ from step to step, after the numbers of the rows.
        sums: the arrays to which the step adds, such as that of the losses.
        holds_data: whether the kernels read or write an array of the caller's data, not only the buffers.
        pace: how long the step takes.

    Attributes:
        outputs: the input of the step and the outputs of all layers.
        is_timed: whether to measure each entry: see `timed`.
    """

    def __init__(
        self,
        uses: tuple[Any, ...],
        size: int,
        buffers: Buffers,
        cells: list[NDArray[Any]],
        sums: list[NDArray[np.float64]],
        holds_data: bool,
        pace: Pace,
    ) -> None:
        super().__init__()
        self.holds_data, self.pace = holds_data, pace
        self.uses, self.size, self.buffers, self.sums = uses, size, buffers, sums
        rows = () if buffers.is_whole else (buffers.rows[:size],)
        self._cells = [cell.view(np.uint8) for cell in (*rows, *cells)]
        self._front: Recording | None = None  # what gathers the batch, since `prepare`
        self._is_prepared = False
        self._version = recorded.version
        self.outputs: list[Any] = []
        self.is_timed = False
        self._played: list[Call] = []  # all calls, those of `front` first
        self._seconds = np.zeros(0)  # of each entry
        self._timed_steps = 0

    def is_valid(self) -> bool:
        """Tells whether the kernels would still get the same arguments."""
        return (
            self.is_whole
            and self._version == recorded.version
            and self.pace.threads == kernels.get_num_threads()
            and kernels.backend == "compiled"
        )

    def play(
        self,
        front: Recording | None,
        sources: list[Bytes],
        first: int,
        steps: int,
        threads: int,
        watch: bool,
        resume: bool,
        epoch: int,
        logs: Any,
    ) -> int:
        """Plays steps: see `Tape.play` in kernels/tape.pxi. Before each, `front` gathers the batch."""
        if self._front is not front or not self._is_prepared:
            self._tape.prepare(front._tape if front else None, self._cells, self.sums)
            self._front, self._is_prepared = front, True
            self._played = [*(front.calls if front else []), *self.calls]
            self._seconds, self._timed_steps = np.zeros(sum(call.entries for call in self._played)), 0
        seconds = self._seconds if self.is_timed else None
        done = self._tape.play(sources, first, steps, threads, watch, resume, epoch, logs, seconds)
        self._timed_steps += (done - first) * self.is_timed
        return done

    def timed(self) -> tuple[int, list[tuple[Call, float]]]:
        """Returns the number of steps played since `is_timed` was set, and each call with its seconds in all of them.

        The calls that gather the batch come first. While `is_timed` is set, the entries are played one by one: threads
        wait for each other after each entry, and not only after a group.
        """
        ends = np.cumsum([call.entries for call in self._played])
        sums = [float(part.sum()) for part in np.split(self._seconds, ends)[:-1]]
        return self._timed_steps, list(zip(self._played, sums, strict=True))

    def release(self) -> None:
        """Lets go of what gathers the batch, since that holds the caller's data."""
        if self._front is not None:
            self._tape.prepare(None, self._cells, self.sums)
            self._front, self._is_prepared, self._played = None, False, []


class Tapes:
    """The recorded steps of a model. They are kept from fit to fit, with the arrays that they point to."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self.once: Player | None = None  # that of the last step on a single batch
        self._buffers: dict[tuple[Any, ...], Buffers] = {}
        self._paces: dict[tuple[int, bool], tuple[Any, Pace]] = {}
        self._results: dict[bool, tuple[int, list[Any], Results]] = {}  # by whether they are the model's own

    def buffers(self, data: Any, batch_size: int) -> Buffers:
        """Returns arrays for batches of a data set."""
        key = Buffers.key_of(data, batch_size)
        if key not in self._buffers:
            while len(self._buffers) >= _MOST:
                self._buffers.pop(next(iter(self._buffers)))
            self._buffers[key] = Buffers(data, batch_size)
        return self._buffers[key]

    def pace(self, size: int, trains: bool, fusion: Any) -> Pace:
        """Returns what is known of the time of a step on a batch of this size."""
        kept = self._paces.get((size, trains))
        if kept is None or kept[0] is not fusion or kept[1].threads != kernels.get_num_threads():
            if len(self._paces) >= _MOST:
                self._paces.clear()
            kept = self._paces[size, trains] = fusion, Pace(kernels.get_num_threads())
        return kept[1]

    def results(self, metrics: list[Any], own: Doubles | None) -> Results:
        """Returns sums of the loss and of these metrics, reset.

        Args:
            metrics: the model's metrics.
            own: the model's own sums of the loss, to use them and the metrics themselves, as in training; None to use
                copies.
        """
        key = own is not None
        kept = self._results.get(key)
        if kept and kept[0] == recorded.version and len(kept[1]) == len(metrics) and all(map(_is, kept[1], metrics)):
            results = kept[2]
        else:
            results = Results(metrics if key else [copy.copy(metric) for metric in metrics], own)
            if key or all(metric._is_taped for metric in metrics):
                self._results[key] = recorded.version, list(metrics), results
        results.reset()
        return results

    def find(self, uses: tuple[Any, ...], size: int, buffers: Buffers) -> Step | None:
        """Returns the recorded step of these objects and batches of this size, or None."""
        for step in self._steps:
            if step.size == size and step.buffers is buffers and all(map(_is, step.uses, uses)):
                if step.is_valid():
                    return step
                self._steps.remove(step)
                return None
        return None

    def add(self, step: Step) -> None:
        self._steps = [*self._steps[-_MOST + 1 :], step]

    def release(self) -> None:
        """Lets go of the data of the loop that ends."""
        self._steps = [step for step in self._steps if not step.holds_data]
        for step in self._steps:
            step.release()


def can_record(model: Any, trains: bool, scores: bool, first: int = 0) -> bool:
    """Tells whether a model's step consists of kernels alone.

    Args:
        model: the model, built.
        trains: whether the step changes weights.
        scores: whether it computes the loss and the metrics.
        first: the index of the first layer that computes.
    """
    fusion = model._current_fusion()
    if kernels.backend != "compiled" or model._running > 1 or not fusion.is_taped(first, trains):
        return False
    parts = [model.loss, *model._metrics] if scores else []
    if trains:
        parts.append(model.optimizer)
    if any(map(recorded.is_patched, parts)):
        return False
    if scores:
        if model.loss.of_labels and fusion.units == 1:  # its labels are turned into rows in Python
            return False
        logits = fusion.fused(model.loss)[1]
        if not (model.loss._is_taped(logits) and all(metric._is_taped for metric in model._metrics)):
            return False
    return not trains or bool(model.optimizer._is_taped)


def _is(a: Any, b: Any) -> bool:
    return a is b


def _bytes(values: NDArray[Any]) -> Bytes:
    """Returns an array (steps, n) as the bytes of each step, (steps, n * size of a number)."""
    return np.ascontiguousarray(values).view(np.uint8)


def _rows_bytes(rows: NDArray[np.intp]) -> list[Bytes]:
    return [_bytes(rows)] if rows.size else []


def _rates_bytes(rates: Any) -> list[Bytes]:
    return [rates.view(np.uint8)] if len(rates) else []


class Player:
    """Records the steps of a loop over batches, and repeats them.

    Args:
        model: the model, built and locked.
        batches: the batches, which are copied to buffers.
        results: the sums of the loss and the metrics; None for a prediction. Another epoch may have others.
        trains: whether the steps change weights.
        output: the array of a prediction's results, or None.
    """

    def __init__(self, model: Any, batches: Batches, results: Results | None, trains: bool, output: Any = None) -> None:
        assert batches.buffers is not None
        self._model, self.results, self._trains = model, results, trains
        self._batches: Any = batches
        self._matrix, self._first = batches.matrix, batches.first
        self._buffers: Buffers = batches.buffers
        self._tapes: Tapes = model._tapes
        self._output = output
        self._fronts: dict[int, Recording] = {}  # by size of the batch: what gathers it
        self._current: Step | None = None

    def _uses(self) -> tuple[Any, ...]:
        model = self._model
        loss, optimizer = (model.loss if self.results else None), (model.optimizer if self._trains else None)
        return model._current_fusion(), loss, optimizer, self.results, self._matrix, self._output, self._first

    @contextlib.contextmanager
    def recording(self, size: int) -> Iterator[None]:
        """Records a step of Python on a batch of `size` rows, if that is possible."""
        uses = self._uses()
        fusion, _, optimizer, *_ = uses
        known = self._tapes.find(uses, size, self._buffers)
        if known or not can_record(self._model, self._trains, self.results is not None, self._first):
            yield
            return
        cells: list[NDArray[Any]] = []
        if self._trains:
            cells = [optimizer._step_rates[0], *(layer._mask_seed for layer in fusion.random_layers(self._first))]
        holds_data = self._matrix is not None or self._output is not None or self._buffers.is_whole
        sums = self.results.sums if self.results else []
        pace = self._tapes.pace(size, self._trains, fusion)
        step = Step(uses, size, self._buffers, cells, sums, holds_data, pace)
        fusion.outputs = step.outputs
        try:
            with step.recording():
                yield
        finally:
            fusion.outputs = None
        if step.is_whole and fusion is self._model._current_fusion():
            self._tapes.add(step)

    @property
    def has_more(self) -> bool:
        """Whether this epoch has another batch."""
        return bool(self._batches.following()[0])

    def play(self, most: int) -> tuple[int, int]:
        """Repeats as many of the next steps as a moment allows, and at most `most`.

        Returns:
            The number of steps, 0 if the next one needs Python; and the rows of their batches together.
        """
        size, following = self._batches.following()
        step = self._find(size) if size else None
        if step is None:
            return 0, 0
        if following == 1 and size not in self._fronts:  # not worth a recording of what gathers the batch
            return (1, size) if self._play_one(step, size) else (0, 0)
        front = self._front(size)
        threads = step.pace.next_threads()
        steps = min(following, step.pace.most_steps(), most)
        rates = self._rates(steps)
        steps = len(rates) if self._trains else steps
        if front is None or not steps:
            return 0, 0
        sources = [*_rows_bytes(self._batches.take(steps)), *_rates_bytes(rates), *self._seeds(steps)]
        self._take(step, front, threads, sources, steps, 0, None)
        return steps, steps * size

    def _play_one(self, step: Step, size: int) -> bool:
        """Repeats the step for the next batch, which Python gathers. Returns whether the learning rate allows that."""
        if not self._set_cells():
            return False
        rows = self._batches.take(1)
        if not self._buffers.is_whole:
            self._buffers.rows[:size] = rows[0]
        self._batches.gather(size)
        self._take(step, None, step.pace.next_threads(), [], 1, 0, None)
        return True

    def repeat(self, data: Data, results: Results) -> bool:
        """Repeats the recorded step on a whole data set. Returns whether there is one for it."""
        self.results, size = results, len(data.x)
        if self._buffers.key != Buffers.key_of(data, size):
            return False
        step = self._find(size)
        if step is None or not self._set_cells():
            return False
        self._buffers.fill(data)
        self._take(step, None, step.pace.next_threads(), [], 1, 0, None)
        return True

    def forget_batches(self) -> None:
        """Lets go of the data set, once the step on it is recorded."""
        self._batches = None

    def _set_cells(self) -> bool:
        """Sets the numbers that differ from step to step. Returns whether the learning rate is valid."""
        if self._trains:
            try:
                self._model.optimizer.set_step_rates()
            except Exception:  # the step in Python raises it again
                return False
            for layer in self._random_layers():
                layer.draw_seed()
        return True

    def play_epochs(self, most: int) -> list[dict[str, Any]]:
        """Repeats whole epochs, as many as a moment allows; returns the loss and the metrics of each.

        It returns an empty list if a moment is not enough for two, or if an epoch needs Python.
        """
        batches = self._batches
        size, steps = batches.size, len(batches)
        step = self._find(size) if most > 1 and batches.is_even else None
        front = self._front(size) if step else None
        if step is None or front is None or self.results is None:
            return []
        threads = step.pace.next_threads()
        epochs = min(most, step.pace.most_steps() // steps)
        rates = self._rates(epochs * steps) if epochs > 1 else ()
        epochs = len(rates) // steps
        if epochs < 2:
            return []
        cells: list[Bytes] = []
        place = 0 if self._buffers.is_whole else 1
        if place or self._random_layers():
            drawn = []
            for _ in range(epochs):
                iter(batches)
                drawn.append([*_rows_bytes(batches.take(steps)), *self._seeds(steps)])
            cells = [np.concatenate(parts) for parts in zip(*drawn, strict=True)]
        sources = [*cells[:place], *_rates_bytes(rates[: epochs * steps]), *cells[place:]]
        logs = np.zeros((epochs, len(step.sums), 2))
        for sums in step.sums:
            sums[:] = 0
        self._take(step, front, threads, sources, epochs * steps, steps, logs)
        results = []
        for epoch in logs:
            for sums, value in zip(step.sums, epoch, strict=True):
                sums[:] = value
            results.append(self.results.logs())
        return results

    def _find(self, size: int) -> Step | None:
        """Returns the recorded step for a batch of this size, or None."""
        step, uses = self._current, self._uses()
        if step is None or step.size != size or not step.is_valid() or not all(map(_is, step.uses, uses)):
            step = self._current = self._tapes.find(uses, size, self._buffers)
        return step

    def _rates(self, steps: int) -> Any:
        return self._model.optimizer.rates_ahead(steps) if self._trains else ()

    def _take(
        self, step: Step, front: Recording | None, threads: int, sources: list[Bytes], steps: int, epoch: int, logs: Any
    ) -> None:
        """Takes steps, and warns if a loss is not finite."""
        start = time.perf_counter()
        watch = self._trains and not self._model._warned
        done = self._play(step, front, sources, 0, steps, threads, watch, False, epoch, logs)
        if done < steps:  # the loss is not finite, and the weights of this step have not changed yet
            fusion = self._model._current_fusion()
            layers, _ = fusion.fused(self._model.loss)
            self._model._warn_not_finite(layers[self._first :], step.outputs)
            self._play(step, front, sources, done, steps, threads, False, True, epoch, logs)
        step.pace.measured(threads, steps, time.perf_counter() - start)

    def _play(self, step: Step, front: Recording | None, sources: list[Bytes], first: int, *arguments: Any) -> int:
        """Plays steps and counts them; Ctrl-C cannot come in between."""
        interrupts.updating = True
        try:
            done = step.play(front, sources, first, *arguments)
            if self._trains:
                self._model.optimizer.iterations += done - first
        finally:
            interrupts.updating = False
        return done

    def logs(self) -> dict[str, Any]:
        """Returns the loss and the metrics so far."""
        return self.results.logs() if self.results else {}

    def _front(self, size: int) -> Recording | None:
        """Returns the recorded kernels that gather a batch; None if they cannot be recorded at the moment."""
        front = self._fronts.get(size)
        if front is None:
            front = Recording()
            self._buffers.rows[:size] = 0  # any rows will do
            with front.recording():
                self._batches.gather(size)
            if not front.is_whole:
                return None
            self._fronts[size] = front
        return front

    def _random_layers(self) -> list[Any]:
        return self._model._current_fusion().random_layers(self._first)  # type: ignore[no-any-return]

    def _seeds(self, steps: int) -> list[Bytes]:
        """Draws the random numbers of Dropout for some steps, in the order in which the steps would draw them."""
        if not self._trains:
            return []
        layers = self._random_layers()
        shared = [layer for layer in layers if layer._generator is None]
        drawn = rng.generator().integers(2**64, size=(steps, len(shared)), dtype=np.uint64) if shared else None
        columns = iter(range(len(shared)))
        seeds = []
        for layer in layers:
            own = layer._generator
            if own is None:
                assert drawn is not None
                column = drawn[:, next(columns)]
            else:
                column = own.integers(2**64, size=steps, dtype=np.uint64)
            seeds.append(_bytes(column[:, None]))
        return seeds
