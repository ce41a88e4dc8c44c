"""The compiled kernels: picks those of the best instruction set that this processor has, and sets their threads.

The kernels themselves are in the .pxi files of this folder, their contract in its README, their plain NumPy twins in
`fastnet/kernels/reference.py`. They know arrays, not layers, and check nothing: who calls them has checked.

Environment, read once at import:

- ``FASTNET_ISA``: ``baseline``, ``x86_v3`` (AVX2 and FMA) or ``x86_v4`` (AVX-512) instead of the best one
- ``FASTNET_BACKEND``: ``reference`` for the NumPy twins instead of the ``compiled`` kernels
- ``FASTNET_NUM_THREADS``, else ``OMP_NUM_THREADS``: the number of threads instead of all that the process may use
"""

import contextlib
import importlib
import importlib.util
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex

from fastnet.kernels import thread_limits
from fastnet.kernels.allowance import available_cores
from fastnet.whole import as_int

if TYPE_CHECKING:
    from fastnet.kernels import _baseline as _chosen

LINEAR, RELU, SIGMOID, TANH = 0, 1, 2, 3  # activations that a product computes in its epilogue
CLIPPED_RELU, ELU, SOFTPLUS, SILU, GELU, GELU_TANH = 0, 1, 2, 3, 4, 5  # activations of the `formula` kernels
SQUARED_ERROR, ABSOLUTE_ERROR, HUBER = 0, 1, 2  # losses of `pointwise_loss`
SGD, MOMENTUM, NESTEROV, RMSPROP, ADAM, ADAGRAD, NADAM = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
)  # update rules that a gradient's product takes in its own

_LEVELS = {"baseline": 0, "x86_v3": 3, "x86_v4": 4}  # the processor's level that each needs


def _import(isa: str) -> Any:
    try:
        return importlib.import_module(f"fastnet.kernels._{isa}")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"fastnet's compiled kernels (fastnet.kernels._{isa}) are missing from {os.path.dirname(__file__)}. "
            "Build them, in the folder with fastnet's source: python -m pip install ."
        ) from error


def usable() -> list[str]:
    """The instruction sets that this processor runs, the best one last."""
    level = _import("baseline").x86_level()
    return [name for name, needs in _LEVELS.items() if needs <= level and _is_built(name)]


def _is_built(isa: str) -> bool:
    """An old compiler, which does not know all instructions, leaves some kernels out."""
    return importlib.util.find_spec(f"fastnet.kernels._{isa}") is not None


def _setting(variable: str) -> str:
    """The value of a variable of the environment; empty if it is not set, or blank."""
    return os.environ.get(variable, "").strip()


def _refusal(message: str) -> BaseException:
    """The error for a variable of the environment with a wrong value.

    ``python -m fastnet.mnist`` imports fastnet before any line of the program runs, so the program cannot catch the
    error. Python has "-m" as the program's name until then; in that case the error ends the program in one line.
    """
    return SystemExit(f"error: {message}") if sys.argv[:1] == ["-m"] else ValueError(message)


def _choose() -> str:
    names = usable()
    wanted = _setting("FASTNET_ISA")
    if not wanted:
        return names[-1]
    if wanted not in _LEVELS:
        raise _refusal(f"FASTNET_ISA is {wanted!r}; expected one of {', '.join(_LEVELS)}")
    if _LEVELS[wanted] > _import("baseline").x86_level():
        raise _refusal(f"FASTNET_ISA is {wanted!r}, which this processor cannot run; it can run {', '.join(names)}")
    return wanted


isa = _choose()
if not TYPE_CHECKING:
    _chosen = _import(isa)

PANEL = _chosen.PANEL
Tape = _chosen.Tape
accumulate = _chosen.accumulate
activation_backward = _chosen.activation_backward
activation_forward = _chosen.activation_forward
adam_rates = _chosen.adam_rates
add_rows = _chosen.add_rows
all_finite = _chosen.all_finite
binary_accuracy = _chosen.binary_accuracy
binary_crossentropy = _chosen.binary_crossentropy
categorical_accuracy = _chosen.categorical_accuracy
clip = _chosen.clip
copy = _chosen.copy
csr_compress = _chosen.csr_compress
csr_count = _chosen.csr_count
csr_transpose = _chosen.csr_transpose
csrmm_bias_act = _chosen.csrmm_bias_act
csrmm_tn = _chosen.csrmm_tn
csrmm_tn_update = _chosen.csrmm_tn_update
decay = _chosen.decay
dropout = _chosen.dropout
gather = _chosen.gather
gemm_bias_act = _chosen.gemm_bias_act
gemm_nt = _chosen.gemm_nt
gemm_tn = _chosen.gemm_tn
gemm_tn_update = _chosen.gemm_tn_update
gemv_bias_act = _chosen.gemv_bias_act
mark_update = _chosen.mark_update
penalty = _chosen.penalty
penalty_gradient = _chosen.penalty_gradient
pointwise_backward = _chosen.pointwise_backward
pointwise_forward = _chosen.pointwise_forward
pointwise_loss = _chosen.pointwise_loss
rescale = _chosen.rescale
scatter = _chosen.scatter
shuffle = _chosen.shuffle
softmax = _chosen.softmax
softmax_backward = _chosen.softmax_backward
softmax_crossentropy = _chosen.softmax_crossentropy
sparse_categorical_accuracy = _chosen.sparse_categorical_accuracy
sparse_softmax_crossentropy = _chosen.sparse_softmax_crossentropy
update = _chosen.update

backend = "compiled"
NAMES = tuple(name for name in dir() if name != "Tape" and callable(getattr(_chosen, name, None)))  # of the kernels
BETWEEN = ("adam_rates", "mark_update", "shuffle")  # those that have no work in a step which is repeated
_observing = threading.Lock()


def padded(n: int) -> int:
    """`n` columns rounded up to whole panels."""
    return -(-n // PANEL) * PANEL


def use_backend(name: str) -> None:
    """Binds the kernels' names to the compiled ones or to those of `fastnet.kernels.reference`."""
    global backend
    source = importlib.import_module("fastnet.kernels.reference") if name == "reference" else _chosen
    globals().update({kernel: getattr(source, kernel) for kernel in NAMES})
    backend = name


@contextlib.contextmanager
def observed(observe: Callable[[str, Callable[..., Any], tuple[Any, ...]], Any], wait: bool = False) -> Iterator[None]:
    """Calls `observe(name, kernel, arguments)` instead of each kernel that this thread calls in the `with` block.

    Args:
        observe: gets each call, and returns what the kernel should return.
        wait: whether to wait until no other thread observes.

    Raises:
        BlockingIOError: if another thread observes at the moment, and `wait` is False.
    """
    if not _observing.acquire(blocking=wait):
        raise BlockingIOError("another thread observes the kernels")
    thread = threading.get_ident()

    def watched(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if threading.get_ident() != thread:
                return kernel(*arguments)
            return observe(name, kernel, arguments)

        return call

    before = {name: globals()[name] for name in NAMES}
    try:
        globals().update({name: watched(name, kernel) for name, kernel in before.items()})
        yield
    finally:
        globals().update(before)
        _observing.release()


def get_num_threads() -> int:
    """The number of threads that fastnet computes with."""
    return _chosen.get_threads()


def set_num_threads(threads: SupportsIndex) -> None:
    """Computes with `threads` threads, or with as many as this process may use if those are fewer.

    The number does not change the result of a computation.

    If the program has imported threadpoolctl, this call, like the import of fastnet or fastnet.sklearn, also makes
    fastnet's threads known to it, so that `threadpool_limits` limits them. After a later import of threadpoolctl, call
    ``fastnet.set_num_threads(fastnet.get_num_threads())``.

    Raises:
        TypeError: if `threads` is not an integer.
        ValueError: if it is below 1.
    """
    try:
        n = as_int(threads)
    except TypeError:
        raise TypeError(f"threads must be an integer, got {threads!r}") from None
    if n < 1:
        raise ValueError(f"threads must be at least 1, got {n}")
    global _chosen_in
    _chosen_in = os.getpid()
    use_threads(n)
    register_threads()


def use_threads(threads: int) -> None:
    """Computes with so many threads, without the user having chosen them: `is_told_threads` gives what it gave."""
    cores = available_cores()
    _chosen.set_threads(min(threads, cores), cores)


def register_threads() -> None:
    """Makes fastnet's threads known to threadpoolctl, if the program has imported it."""
    thread_limits.register(_chosen.__file__, get_num_threads, use_threads)


def is_told_threads() -> bool:
    """Whether the environment, or a call of `set_num_threads` in this process, has chosen the number of threads."""
    return _wanted_threads is not None or _chosen_in == os.getpid()


@contextlib.contextmanager
def sharing_cores() -> Iterator[None]:
    """Shares the cores with other threads of the program that compute in such a block at the same time.

    Two of them use half of fastnet's threads each, and so on. The result of a computation is the same.
    """
    _chosen.enter()
    try:
        yield
    finally:
        _chosen.leave()


def warn_if_threads_failed() -> None:
    """One warning if the system refused a thread, so that everything runs, correctly, on fewer."""
    if _chosen.thread_start_failed():
        warnings.warn(
            f"fastnet could not start {get_num_threads()} threads and computes with fewer", RuntimeWarning, stacklevel=3
        )


def _threads_from_environment() -> int | None:
    value = _setting("FASTNET_NUM_THREADS")
    if value:
        threads = _whole(value)
        if threads is None:
            raise _refusal(f"FASTNET_NUM_THREADS is {value!r}; expected a whole number of at least 1")
        return threads
    # OMP_NUM_THREADS may be a list, one number a nesting level, and belongs to others: unreadable is no error.
    return _whole(_setting("OMP_NUM_THREADS").split(",")[0].strip())


def _whole(text: str) -> int | None:
    """The text as a whole number of at least 1; None if it is none. Nine digits are enough for any machine."""
    digits = text.lstrip("0")[:9]
    return int(digits) if digits.isdecimal() and text.isdecimal() else None


_chosen_in = 0  # the process that has called `set_num_threads`
_wanted_threads = _threads_from_environment()
use_threads(_wanted_threads or available_cores())
register_threads()
_wanted_backend = _setting("FASTNET_BACKEND") or "compiled"
if _wanted_backend not in ("compiled", "reference"):
    raise _refusal(f"FASTNET_BACKEND is {_wanted_backend!r}; expected 'compiled' or 'reference'")
if _wanted_backend == "reference":
    use_backend("reference")
