"""Types of the kernels: those of the baseline."""

from fastnet.kernels._baseline import *  # noqa: F403, all that it has
