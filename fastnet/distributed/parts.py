"""Parts: the rows of each batch that this rank computes. All ranks have the same data, and each takes its part."""

from __future__ import annotations

from typing import Any

from fastnet.arrays.part import Part, bounds
from fastnet.distributed.group import Group
from fastnet.training.batches import Batch, Batches, Buffers
from fastnet.training.fusion import Fusion
from fastnet.training.inputs import Data


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
