# All kernels of one instruction set: included by _baseline.pyx, _x86_v3.pyx and _x86_v4.pyx, each with its own flags.

include "vec.pxi"
include "activation.pxi"
include "update.pxi"
include "gemm.pxi"
include "compress.pxi"
include "csr.pxi"
include "softmax.pxi"
include "formula.pxi"
include "dropout.pxi"
include "finite.pxi"

cdef extern from "cpu.h":
    int cpu_x86_level()
    const char* COMPILER_VERSION
    const char* COMPILER_FLAGS

PANEL = P
lanes = LANES
COMPILER = COMPILER_VERSION.decode()
FLAGS = COMPILER_FLAGS.decode()


def x86_level():
    """4 if this processor runs AVX-512, 3 if AVX2 and FMA, else 0."""
    return cpu_x86_level()


def set_threads(int threads, int cores):
    """Lets kernels use this many threads, the caller's among them; `cores` of them can run at once."""
    pool_set_threads(threads, cores)


def get_threads():
    """The number of threads that kernels may use; 1 where there are no POSIX threads."""
    return pool_threads()


def thread_start_failed():
    """True if a thread of the pool could not be started, so that kernels run on fewer than they may."""
    return bool(pool_failed())
