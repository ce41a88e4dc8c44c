"""Parts: the rows of each batch that this rank computes. All ranks have the same data, and each takes its part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastnet.arrays.part import Part, bounds
from fastnet.distributed.agreement import digest_of
from fastnet.distributed.group import Group
from fastnet.training.batches import Batch, Batches, Buffers
from fastnet.training.fusion import Fusion
from fastnet.training.inputs import Data
from fastnet.training.streams import Stream


def part_of(group: Group, rows: int, targets: Any, weights: Any) -> Part:
    """Returns the part of this rank in a batch of so many rows."""
    return Part(*bounds(rows, group.rank, group.size), rows, group.add, targets, weights)


class PartBatches(Batches):
    """The parts of the batches of arrays. All ranks draw the same order of the rows.

    Args:
        group: the ranks.
        data, fusion, batch_size, shuffle, steps, sparse: as for `Batches`.
    """

    def __init__(
        self, group: Group, data: Data, fusion: Fusion, batch_size: int, shuffle: bool, steps: int | None, sparse: Any
    ) -> None:
        def make_buffers(data: Data, rows: int) -> Buffers:
            return Buffers(data, -(-rows // group.size))

        super().__init__(data, fusion, batch_size, shuffle, steps, sparse, make_buffers)
        self._group = group
        self.may_repeat = False

    def __next__(self) -> Batch:
        size, _ = self.following()
        if not size:
            raise StopIteration
        rows = self.take(1)[0]
        weights = None if self._data.weights is None else self._data.weights[rows]
        part = part_of(self._group, size, self._data.targets[rows], weights)
        own = rows[part.computed]
        assert self.buffers is not None
        self.buffers.rows[: len(own)] = own
        return self.gather(len(own))._replace(part=part)


def parts_of_stream(group: Group, model: Any, stream: Stream) -> Iterator[Batch]:
    """Yields the parts of the batches of a stream. Each rank reads the whole stream.

    Raises:
        ValueError: if the batches of the ranks differ, also if one rank has more of them.
    """
    count = 0
    source = iter(stream)
    while True:
        data: Data | None = next(source, None)
        found = group.gather([0, 0] if data is None else [len(data.x), digest_of(data)])
        for rank, mine in enumerate(found.tolist()):
            if mine != found[0].tolist():
                raise ValueError(
                    f"batch {count} of x is another one on rank {rank} ({mine[0]} rows) than on rank 0 "
                    f"({found[0, 0]} rows); all ranks must make the same batches, of which each takes its part"
                )
        if data is None:
            return
        count += 1
        part = part_of(group, len(data.x), data.targets, data.weights)
        yield model._batch(data.rows(part.computed))._replace(part=part)
