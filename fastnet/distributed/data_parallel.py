"""DataParallel: says that several processes train a model together, each on its part of every batch."""

from __future__ import annotations

from typing import Any

from fastnet import checks
from fastnet.distributed.group import Group, group_of


class DataParallel:
    """The processes that train a model together, for ``model.compile(..., distribution=DataParallel())``.

    ``mpirun -n 4 python train.py`` starts four processes, called ranks, which all run the same program. In `fit`, each
    rank computes the gradient of its part of each batch. One Allreduce a step adds up the gradients, and each rank
    updates its own copy of the weights. So the training is that of one process with the same batches: the `batch_size`
    is that of the whole batch, and the history has the numbers of all of it.

    All ranks give the same data and arguments to `fit`. It begins with rank 0's weights, optimizer's state and random
    numbers. Only rank 0 draws the bar and writes files. `evaluate` and `predict` do not communicate: any rank may call
    them alone.

    With one process, as in a program without ``mpirun``, a training is as fast as without a distribution.

    Args:
        communicator: an intracommunicator of mpi4py; by default `MPI.COMM_WORLD`, all processes of ``mpirun``. The
            ranks communicate on a copy of it.
        timeout: the seconds for which `fit` waits until the other ranks call it, too. Then it ends all processes.

    Attributes:
        communicator: the communicator.
        rank: the number of this process, from 0.
        size: the number of processes.

    Raises:
        ImportError: if mpi4py or an MPI is not installed.
        TypeError: if an argument is of another type.
        ValueError: if `timeout` is below 0.001, or the communicator has no processes.

    Example:
        >>> from fastnet.distributed import DataParallel
        >>> DataParallel()  # doctest: +SKIP
        DataParallel(rank=0, size=1)
    """

    def __init__(self, communicator: Any = None, timeout: float = 600.0) -> None:
        self.timeout = checks.number("timeout", timeout, least=1e-3)
        mpi = _mpi()
        self.communicator = mpi.COMM_WORLD if communicator is None else communicator
        if not isinstance(self.communicator, mpi.Intracomm):
            raise TypeError(f"communicator must be an intracommunicator such as MPI.COMM_WORLD, got {communicator!r}")
        if self.communicator == mpi.COMM_NULL:
            raise ValueError("communicator is MPI.COMM_NULL, which has no processes")
        self._group: Group = group_of(mpi, self.communicator)

    @property
    def rank(self) -> int:
        return self._group.rank

    @property
    def size(self) -> int:
        return self._group.size

    def __repr__(self) -> str:
        return f"DataParallel(rank={self.rank}, size={self.size})"

    def __reduce__(self) -> Any:
        raise TypeError("a DataParallel stands for running processes, so it cannot be copied or saved")


def check_distribution(value: Any) -> DataParallel | None:
    """Returns the argument `distribution` of `compile`; raises TypeError if it is none."""
    if value is None or isinstance(value, DataParallel):
        return value
    raise TypeError(f"distribution must be a fastnet.distributed.DataParallel or None, got {value!r}")


def _mpi() -> Any:
    """Imports `mpi4py.MPI`, which starts MPI; raises ImportError if that fails."""
    checks.optional("mpi4py", "mpi", "fastnet.distributed")
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # it has found no library of MPI
        raise ImportError(
            f"fastnet.distributed needs an MPI, such as Debian's openmpi-bin: apt-get install openmpi-bin ({error})"
        ) from None
    return MPI
