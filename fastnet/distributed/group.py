"""Group: the ranks that train together, and how they meet, add up arrays and end.

A rank that waits for another one in MPI waits forever if that one never comes. So there are two kinds of calls here.
`meet` is for moments when a rank may be missing: it says what it does, hears what the others do, and waits for a
limited time. `add` and `gather` are for the training itself, where all ranks do the same. There, a rank that fails ends
all.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import time
import traceback
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnet import kernels
from fastnet.kernels.allowance import available_cores

_RECORD = 1024  # bytes of what a rank says when it meets the others
_PATIENCE = 1e-3  # seconds in which a waiting rank keeps its core busy
_PAUSE = 2e-3  # seconds between two looks after that
_FAREWELL = 60.0  # seconds that a rank which ends waits for others that may know nothing of a distributed training


class Word(NamedTuple):
    """What a rank says when it meets the others: where it is, and what is wrong there, if anything."""

    place: str
    trouble: str


class Group:
    """The ranks of a communicator. All of them must make the same calls in the same order.

    Args:
        mpi: the module `mpi4py.MPI`.
        communicator: the communicator; the group communicates on a copy of it, apart from the user's messages.

    Attributes:
        rank: the number of this process, from 0.
        size: the number of processes.
    """

    def __init__(self, mpi: Any, communicator: Any) -> None:
        self._mpi = mpi
        self._given = communicator
        self._own: Any = None  # the copy, made when the ranks first meet
        self.rank: int = communicator.Get_rank()
        self.size: int = communicator.Get_size()
        self._left: list[int] = []  # the ranks that have ended
        self._has_threads = False  # whether the number of threads is set
        if self.size > 1:
            atexit.register(self._leave)

    # Where a rank may be missing --------------------------------------------------------------------------------------

    def meet(self, place: str, trouble: str = "", timeout: float = np.inf) -> list[Word]:
        """Waits for all ranks; returns what each of them says.

        Args:
            place: where this rank is; another rank that is elsewhere is an error.
            trouble: what is wrong, or an empty text.
            timeout: the seconds to wait before this rank ends the whole job.

        Raises:
            RuntimeError: if a rank has ended, or is elsewhere.
        """
        if self._left:
            raise RuntimeError(_ended(self._left))
        words = self._exchange(place, trouble, timeout)
        if words is None:
            self.end(f"rank {self.rank} has waited {timeout:g} seconds for the other ranks to come to {place}")
            raise AssertionError  # never reached
        if self._left:
            raise RuntimeError(_ended(self._left))
        for rank, word in enumerate(words):
            if word.place != words[0].place:
                raise RuntimeError(f"rank 0 is at {words[0].place}, but rank {rank} at {word.place}")
        return words

    def _exchange(self, place: str, trouble: str, timeout: float) -> list[Word] | None:
        """Returns what all ranks say, or None if the time is over."""
        until = time.monotonic() + timeout
        if self._own is None:
            copy, request = self._given.Idup()
            if not _wait(request, until):
                return None
            self._own = copy
        mine, found = np.zeros(_RECORD, np.uint8), np.zeros((self.size, _RECORD), np.uint8)
        text = f"{place}\0{trouble}".encode()[:_RECORD]
        mine[: len(text)] = np.frombuffer(text, np.uint8)
        if not _wait(self._own.Iallgather(mine, found), until):
            return None
        parts = (record.tobytes().rstrip(b"\0").decode(errors="ignore").partition("\0") for record in found)
        words = [Word(place, trouble) for place, _, trouble in parts]
        self._left = [rank for rank, word in enumerate(words) if word.place == _END]
        return words

    def _leave(self) -> None:
        """Tells the other ranks that this one ends, so that none of them waits for it."""
        if self._left or self._mpi.Is_finalized():
            return
        if getattr(sys, "last_value", None) is not None:  # Python has printed an error that nobody caught
            self.end(f"rank {self.rank} has ended with an error")
        self._exchange(_END, "", np.inf if self._own is not None else _FAREWELL)

    # Where all ranks do the same --------------------------------------------------------------------------------------

    def add(self, array: NDArray[Any]) -> None:
        """Adds an array to those of the other ranks, in place. All ranks get the same bits."""
        self._own.Allreduce(self._mpi.IN_PLACE, array, op=self._mpi.SUM)

    def gather(self, numbers: list[int]) -> NDArray[np.int64]:
        """Returns the numbers of all ranks, (size, n)."""
        mine = np.array(numbers, np.int64)
        found = np.empty((self.size, len(mine)), np.int64)
        self._own.Allgather(mine, found)
        return found

    def gather_objects(self, thing: Any) -> list[Any]:
        """Returns an object of each rank."""
        found: list[Any] = self._own.allgather(thing)
        return found

    def from_first(self, thing: Any) -> Any:
        """Returns rank 0's object."""
        return self._own.bcast(thing)

    def array_from_first(self, array: NDArray[Any]) -> None:
        """Sets an array to that of rank 0."""
        self._own.Bcast(array)

    # The end ----------------------------------------------------------------------------------------------------------

    def end_after(self, error: BaseException) -> None:
        """Ends the processes of all ranks because of an error on this one: the others would wait for it forever."""
        text = "".join(traceback.format_exception(error)).rstrip()
        self.end(f"rank {self.rank} has failed:\n{text}")

    def end(self, message: str) -> None:
        """Writes a message and ends the processes of all ranks."""
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        with contextlib.suppress(Exception):
            print(
                f"\nfastnet.distributed: {message}\nThis ends the training on all ranks.", file=sys.stderr, flush=True
            )
        self._given.Abort(1)

    # Threads ----------------------------------------------------------------------------------------------------------

    def share_cores(self) -> None:
        """Divides the cores of a machine among its ranks, unless the user has set a number of threads."""
        if self._has_threads:
            return
        self._has_threads = True
        allowed = available_cores()
        mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(allowed))
        quota = allowed if allowed < len(mine) else len(mine)
        neighbours = self._own.Split_type(self._mpi.COMM_TYPE_SHARED)
        found: list[tuple[set[int], int]] = neighbours.allgather((mine, quota))
        neighbours.Free()
        if kernels.is_told_threads():
            return
        cores = len(set.union(*(cores for cores, _ in found)))
        if quota < len(mine):  # a container's share of time, which its ranks have together
            cores = min(cores, quota)
        kernels.set_num_threads(max(1, min(quota, cores // len(found))))


_END = "the end of the program"
_key: Any = None  # under which MPI keeps the group of a communicator


def group_of(mpi: Any, communicator: Any) -> Group:
    """Returns the group of a communicator: the same one each time, so that its ranks meet in the same order."""
    global _key
    if _key is None:
        _key = mpi.Comm.Create_keyval(nopython=False)
    group: Group | None = communicator.Get_attr(_key)
    if group is None:
        group = Group(mpi, communicator)
        communicator.Set_attr(_key, group)
    return group


def _wait(request: Any, until: float) -> bool:
    """Waits for a message, mostly asleep, so that ranks that still work get the cores; returns whether it came."""
    start = time.monotonic()
    while not request.Test():
        now = time.monotonic()
        if now > until:
            return False
        if now - start > _PATIENCE:
            time.sleep(_PAUSE)
    return True


def _ended(ranks: list[int]) -> str:
    names = f"rank {ranks[0]} has" if len(ranks) == 1 else f"ranks {', '.join(map(str, ranks))} have"
    return f"{names} ended; every rank must call fit, and as often as the others"
