# All kernels of one instruction set. _baseline.pyx, _x86_v3.pyx and _x86_v4.pyx include it; each has its own flags.

include "vec.pxi"
include "activation.pxi"
include "update.pxi"
include "gemm.pxi"
include "compress.pxi"
include "csr.pxi"
include "softmax.pxi"
include "pointwise.pxi"
include "losses.pxi"
include "dropout.pxi"
include "rows.pxi"
include "finite.pxi"
include "tape.pxi"

cdef extern from "cpu.h":
    int cpu_x86_level()
    const char* COMPILER_VERSION
    const char* COMPILER_FLAGS

PANEL = P
COMPILER = COMPILER_VERSION.decode()
FLAGS = COMPILER_FLAGS.decode()


def x86_level():
    """The highest level of x86 that this processor runs: 4 (AVX-512), 3 (AVX2 and FMA), or 0."""
    return cpu_x86_level()


def set_threads(int threads, int cores):
    """Sets the number of threads that kernels use.

    threads  how many, the calling thread included
    cores    how many of them can run at the same time
    """
    pool_set_threads(threads, cores)


def get_threads():
    """The number of threads that kernels may use; 1 where there are no POSIX threads."""
    return pool_threads()


def enter():
    """Begins a computation of the calling thread. Threads that compute at the same time share the cores."""
    pool_enter()


def leave():
    """Ends the computation that the last call of `enter` in this thread has begun."""
    pool_leave()


def get_share():
    """The number of threads that a kernel would use now: all, or a share while several threads compute."""
    return pool_share()


def thread_start_failed():
    """True if a thread of the pool could not be started. Kernels then run on fewer threads."""
    return bool(pool_failed())
