"""Team: the ranks during one `fit`. The training loop asks it for the batches and the step of this rank.

A `fit` has three phases. First each rank checks its arguments. If one of them has an error, all ranks raise an
exception, which the program may catch. Then the ranks take over rank 0's state, and their callbacks begin; an error of
a callback there is such an exception, too. From then on they train, and an exception on one rank ends all processes.
What all ranks find together, such as different weights, is an exception on all of them.
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet.arrays.part import computing
from fastnet.callbacks import BackupAndRestore, Callback
from fastnet.distributed import agreement
from fastnet.distributed.gradients import Gradients, PartOfLoss
from fastnet.distributed.parts import PartBatches, part_of
from fastnet.regularizers import L1L2
from fastnet.terminal import progress
from fastnet.training.batches import Batch, Batches
from fastnet.training.inputs import Data
from fastnet.training.loop import Hooks
from fastnet.training.results import Logs, Results
from fastnet.training.streams import Stream

if TYPE_CHECKING:
    from fastnet.distributed.data_parallel import DataParallel

# The phases. In the first two, a rank with an error meets the others; their names are for the ranks' messages.
_ARGUMENTS, _CALLBACKS = "the beginning of fit", "the callbacks' on_train_begin"
_TRAINING, _REFUSED = "the training", "an exception that all ranks raise"


class _Watcher(Callback):
    """Makes the loop of this rank stop at the same batches as that of a rank with a callback for batches."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None: ...


class Team:
    """The ranks during one `fit`.

    Args:
        distribution: the ranks.
        model: the model that is trained.
    """

    def __init__(self, distribution: DataParallel, model: Any) -> None:
        self._group = distribution._group
        self._timeout = distribution.timeout
        self._model = model
        self._phase = _ARGUMENTS
        self._watches = False  # whether any rank has a callback that is called at batches

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which draws and writes."""
        return self._group.rank == 0

    # The phases -------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Team:
        self._silence = contextlib.nullcontext() if self.is_first else progress.silence()
        self._silence.__enter__()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._silence.__exit__(None, None, None)
        if error is None:
            return
        if self._phase == _TRAINING:
            self._group.end_after(error)
        elif self._phase != _REFUSED:
            with contextlib.suppress(RuntimeError):
                self._meet(f"{kind.__name__}: {error}")

    def _meet(self, trouble: str = "") -> None:
        """Meets the other ranks at the end of a phase. An interruption while this rank waits ends all.

        Raises:
            RuntimeError: if a rank has an error, has ended, or is elsewhere.
        """
        place, self._phase = self._phase, _TRAINING
        try:
            words = self._group.meet(place, trouble, self._timeout)
            for rank, word in enumerate(words):
                if word.trouble:
                    raise RuntimeError(f"fit does not begin, since rank {rank} raised {word.trouble}")
        except RuntimeError:
            self._phase = _REFUSED
            raise

    def begin(self, source: Any, validation: Any, callbacks: list[Callback], hooks: Hooks, arguments: Any) -> None:
        """Begins the training: checks that all ranks have the same, takes over rank 0's state, calls `on_train_begin`.

        Args:
            source: the training data, Data or a Stream.
            validation: the data to evaluate, Data or a Stream, or None.
            callbacks: the callbacks, to which one may be added.
            hooks: calls the callbacks.
            arguments: further arguments of `fit`, by name.

        Raises:
            ValueError: if something differs, or cannot be trained by several ranks.
            RuntimeError: if another rank has an error.
        """
        self._check_penalties()
        watches = hooks.watch_batches("train")
        backups = [each for each in callbacks if isinstance(each, BackupAndRestore)]
        facts = agreement.facts_of(self._model, source, validation, callbacks, arguments)
        files = [each.content() for each in backups] if self.is_first else []
        self._meet()
        found = self._group.gather_objects((facts, files, watches))
        differs = agreement.difference([theirs for theirs, _, _ in found])
        if differs:
            self._phase = _REFUSED
            raise ValueError(differs)
        for backup, content in zip(backups, found[0][1], strict=True):
            backup.given = content
        self._watches = any(each for _, _, each in found)
        if self._watches and not watches:
            callbacks.append(_Watcher())
        self._group.share_cores()
        agreement.take_over(self._group, self._model)
        self._phase = _CALLBACKS
        hooks.call("on_train_begin")
        self._meet()
        self._gradients = Gradients(self._group, self._model)
        self._loss = PartOfLoss(self._model.loss, self._group)

    def _check_penalties(self) -> None:
        for layer in self._model._layers:
            penalty = layer.activity_regularizer
            if penalty is not None and not (isinstance(penalty, L1L2) and penalty._is_taped):
                raise ValueError(
                    f"layer {layer.name!r}: activity_regularizer is {penalty!r}, which may depend on all rows of a "
                    "batch together; in a distributed training it must be l1, l2 or l1_l2"
                )

    # The loop ---------------------------------------------------------------------------------------------------------

    def batches(self, *arguments: Any) -> Batches:
        """Makes the parts of the batches of arrays. The arguments are those of `Batches`."""
        return PartBatches(self._group, *arguments)

    def parts(self, batches: Batches | Stream) -> Iterable[Batch]:
        """Returns the parts of the batches of an epoch."""
        return batches if isinstance(batches, Batches) else self._parts_of_stream(batches)

    def _parts_of_stream(self, stream: Stream) -> Iterator[Batch]:
        """Yields the parts of the batches of a stream, which each rank reads as a whole.

        Raises:
            ValueError: if the batches of the ranks differ, also if one rank has more of them.
        """
        source, count = iter(stream), 0
        while True:
            data: Data | None = next(source, None)
            found = self._group.gather([0, 0] if data is None else [len(data.x), agreement.digest_of(data)])
            other = (found != found[0]).any(axis=1)
            if other.any():
                rank = int(other.argmax())
                self._phase = _REFUSED
                raise ValueError(
                    f"batch {count} of x is another one on rank {rank} ({found[rank, 0]} rows) than on rank 0 "
                    f"({found[0, 0]} rows); all ranks must make the same batches, of which each takes its part"
                )
            if data is None:
                return
            count += 1
            part = part_of(self._group, len(data.x), data.targets, data.weights)
            yield self._model._batch(data.rows(part.computed))._replace(part=part)

    def step(self, results: Results) -> Callable[[Batch], Callable[[], Logs]]:
        """Makes the function that takes a training step on a part of a batch."""
        model, gradients, loss, sums = self._model, self._gradients, self._loss, np.zeros(2)

        def step(batch: Batch) -> Callable[[], Logs]:
            part = batch.part
            assert part is not None
            loss.part = part
            with computing(part):
                total, predictions = model._train_step(batch, loss, gradients)
            lost, whole = gradients.exchange(part, float(total[0]), predictions if results.metrics else None)
            if not math.isfinite(lost):
                model._warned = True  # a rank whose own losses are not finite has warned, and one warning is enough
            gradients.update(model.optimizer)
            sums[:] = lost, part.rows
            results.add(sums, whole, part.targets, part.weights)  # type: ignore[arg-type]
            return results.logs

        return step

    def is_over(self) -> bool:
        """Returns whether a callback of any rank has ended the training, if any has callbacks for batches."""
        return self._watches and self._agree_to_stop(self._group.gather([self._model.stop_training])[:, 0])

    def _agree_to_stop(self, wishes: Any) -> bool:
        self._model.stop_training = bool(wishes.any())
        return self._model.stop_training  # type: ignore[no-any-return]

    @staticmethod
    def checksum(logs: Logs) -> int:
        """Returns the checksum of the results of an epoch, before callbacks add to them."""
        return zlib.crc32(repr([(name, np.asarray(value).tobytes()) for name, value in logs.items()]).encode())

    def end_epoch(self, epoch: int, results: int) -> None:
        """Checks that all ranks have the same weights and results. Random generators follow those of rank 0.

        Args:
            epoch: the number of the epoch, from 0.
            results: what `checksum` returned.

        Raises:
            RuntimeError: if weights or results differ.
        """
        model = self._model
        weights, generators = agreement.checksum_of_weights(model), agreement.checksum_of_generators(model)
        found = self._group.gather([model.stop_training, weights, results, generators])
        same = found == found[0]
        for column, what in (1, "weights"), (2, "results"):
            if not same[:, column].all():
                self._phase = _REFUSED
                raise RuntimeError(
                    f"after epoch {epoch + 1}, rank {same[:, column].argmin()} has other {what} than rank 0: a "
                    "callback or a layer of your own does not do the same on all ranks, or their processors round "
                    "differently"
                )
        if not same[:, 3].all():
            agreement.take_over_generators(self._group, model)
        self._agree_to_stop(found[:, 0])
