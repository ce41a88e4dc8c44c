"""Interrupts: Ctrl-C in a training is handled between two steps, so that the weights are those of a whole step."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

try:  # the module behind `signal`, which makes an enum of each number: 20 of the 80 microseconds of train_on_batch
    import _signal as signal  # type: ignore[import-not-found]
except ImportError:  # another Python than CPython
    import signal

if TYPE_CHECKING:
    from types import FrameType


updating = False  # whether kernels are updating the weights right now: nothing may come between two of them


class Interrupts:
    """While it is entered, Ctrl-C during a step waits for the step's end; at any other moment it is raised at once.

    A second Ctrl-C waits only while the weights are being updated. Only Python's own handler is replaced, or R's, or
    that of a training in whose callback this one runs, and only in the main thread, where handlers run.
    """

    def __init__(self) -> None:
        self._held = self._pending = False
        self._before: Any = None  # the handler that was replaced
        self._of_r: Any = None  # R's handler: it raises KeyboardInterrupt, unless R itself has taken the interrupt

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if handler is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._handle)
                self._before = handler
            else:
                self._replace(handler)
        return self

    def _replace(self, handler: Any) -> None:
        """Replaces R's handler, or that of an outer training."""
        outer = getattr(handler, "__self__", None)
        is_of_r = getattr(handler, "__module__", None) == "rpytools.signals"
        if isinstance(outer, Interrupts) or is_of_r:
            self._of_r = handler if is_of_r else getattr(outer, "_of_r", None)
            self._set(self._handle)
            self._before = handler

    def __exit__(self, *exception: Any) -> None:
        if self._before is not None:
            self._set(self._before)
            self._before = None
        if self._pending:
            self._interrupt()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._held and (updating or not self._pending):
            self._pending = True
        else:
            self._interrupt()

    def _interrupt(self) -> None:
        self._pending = False
        if self._of_r is None:
            raise KeyboardInterrupt
        self._of_r(signal.SIGINT, None)

    def _set(self, handler: Any) -> None:
        """Sets Python's handler. R's own handler in C, which calls it and without which R hears nothing, stays."""
        if self._of_r is None:
            signal.signal(signal.SIGINT, handler)
            return
        import ctypes  # only R needs it

        python = ctypes.pythonapi
        python.PyOS_getsig.restype, python.PyOS_setsig.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
        in_c = python.PyOS_getsig(signal.SIGINT)
        signal.signal(signal.SIGINT, handler)
        python.PyOS_setsig(signal.SIGINT, in_c)

    def hold(self) -> None:
        """A step begins."""
        self._held = True

    def release(self) -> None:
        """The step is done: what came meanwhile is raised now."""
        self._held = False
        if self._pending:
            self._interrupt()

    def drop(self) -> None:
        """No step is under way any more, however it ended."""
        self._held = False
