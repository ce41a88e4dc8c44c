"""Training on several machines or processes at once, which exchange their gradients by MPI.

    from fastnet.distributed import DataParallel

    model.compile("adam", "categorical_crossentropy", distribution=DataParallel())
    model.fit(x, y, batch_size=128)

``mpirun -n 4 python train.py`` starts the program four times. Each process, a rank, computes a quarter of each batch.
"""

from __future__ import annotations

from fastnet.distributed.data_parallel import DataParallel

__all__ = ["DataParallel"]
