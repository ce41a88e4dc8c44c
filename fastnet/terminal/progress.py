"""The progress bar, in the format of the Keras tutorial.

     79/469 [====>.........................] - ETA: 1s - loss: 0.1114 - accuracy: 0.9679
    469/469 [==============================] - 1s 2ms/step - loss: 0.1032 - accuracy: 0.9697

On a terminal or in a notebook, the line is redrawn in place ten times a second. Elsewhere, and with ``verbose=2``, one
plain line is written at the end. Between two drawings, a step only reads the clock.

On a terminal, a line fits the window: first the bar gets shorter, then values are left out from the right. An error of
the output, such as a closed pipe, does not end the training.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import numpy as np

from fastnet.terminal import screen

WIDTH = 30
INTERVAL = 0.1  # seconds between drawings

Values = Callable[[], dict[str, float]]


def check_verbose(verbose: Any) -> int:
    """Checks that `verbose` is 0, 1, 2 or "auto", and returns it as a number; "auto" is 1.

    Raises:
        ValueError: if it is anything else.
    """
    if isinstance(verbose, str) and verbose == "auto":
        return 1
    if not isinstance(verbose, str) and verbose in (0, 1, 2):
        return int(verbose)
    raise ValueError(f"verbose must be 'auto', 0 (silent), 1 (progress bar) or 2 (one line an epoch), got {verbose!r}")


def format_duration(seconds: float) -> str:
    """Writes the time left, such as 12s, 3:05 or 1:02:03."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def format_step(seconds: float, micro: str = "µ") -> str:
    """Writes the time per step in a fitting unit, such as 2s/step, 2ms/step or 300µs/step."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size * 0.9995:
            return f"{seconds / size:.0f}{unit}/step"
    return f"{seconds * 1e6:.0f}{micro}s/step"


def format_values(values: dict[str, Any], stream: TextIO | None = None) -> str:
    """Writes names and values. If a metric is an array, such as one number per class, its mean is shown."""
    means = {screen.printable(name, stream=stream): float(np.mean(value)) for name, value in values.items()}
    return "".join(
        f" - {name}: {value:.4f}" if 1e-3 < abs(value) < 1e9 else f" - {name}: {value:.4e}"
        for name, value in means.items()
    )


def fit_line(
    count: str,
    bar: Callable[[int], str] | None,
    timing: str,
    values: list[str],
    room: int | None,
    more: str,
    width: int = WIDTH,
) -> str:
    """Writes a line of at most `room` columns: the count, a bar, the timing, and as many values as fit.

    The bar gets shorter first. Then values are left out from the right. The timing is left out before the first value.

    Args:
        count: the beginning of the line, which is never left out.
        bar: function that draws a bar of a given length; None for a line without a bar.
        timing: text of the time.
        values: texts of the loss and the metrics.
        room: number of columns; None for no limit.
        more: an ellipsis, which replaces values that are left out.
        width: the length of the bar, at most.
    """
    shown, end = [timing, *values], ""
    length = width + 3  # length of the bar with a blank and two brackets
    if room is not None:
        while (free := room - screen.width_of("".join([count, *shown, end]))) < 0 and any(shown):
            if len(shown) <= 2 and shown[0]:
                shown[0] = ""
            else:
                shown.pop()
            end = more
        length = min(length, free)
    middle = f" [{bar(length - 3)}]" if bar and length > 3 else ""
    line = "".join([count, middle, *shown, end])
    return line if room is None else screen.cut(line, room)


_is_silent = False


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Makes `say` print nothing in the block: in a distributed training, only one of the processes speaks."""
    global _is_silent
    before, _is_silent = _is_silent, True
    try:
        yield
    finally:
        _is_silent = before


def say(text: str) -> None:
    """Prints a line at once. An error of the output is ignored: the user may have closed the window."""
    if _is_silent:
        return
    with contextlib.suppress(Exception):  # a stand-in for a stream may raise anything
        print(text, flush=True)


class ProgressBar:
    """Shows the progress of a loop.

    Args:
        steps: number of steps; 0 if it is unknown.
        verbose: 0 shows nothing, 1 a bar, 2 one line at the end.
    """

    def __init__(self, steps: int, verbose: int) -> None:
        self._steps = steps
        self._done = 0
        self._stream = sys.stdout if verbose and sys.stdout is not None else None
        self._redraws = self._stream is not None and verbose == 1 and screen.redraws(self._stream)
        self._micro = "µ" if self._stream is None or screen.shows("µ", self._stream) else "u"
        self._more = " …" if self._stream is None or screen.shows("…", self._stream) else " ..."
        self._drawn = 0  # number of columns of the unfinished line on the screen
        self._start = time.perf_counter()
        self._next = self._start if self._redraws else float("inf")

    def update(self, step: int, values: Values) -> None:
        """Redraws the bar if it is time.

        Nothing is drawn during the first step, when `step` is 0, or after the last step, when `finish` follows.

        Args:
            step: number of finished steps.
            values: function that returns loss and metrics. It is called only when the bar is drawn.
        """
        self._done = step
        now = time.perf_counter()
        if now < self._next or step < 1 or step >= self._steps > 0:
            return
        self._next = now + INTERVAL
        if not self._steps:
            self._draw(f"{step}/Unknown", None, "", values())
            return

        def bar(length: int) -> str:
            filled = length * step // self._steps
            return ("=" * (filled - 1) + ">" if filled else "") + "." * (length - filled)

        left = (now - self._start) / step * (self._steps - step)
        count = f"{step:{len(str(self._steps))}d}/{self._steps}"
        self._draw(count, bar, f" - ETA: {format_duration(left)}", values())

    def finish(self, values: dict[str, float]) -> None:
        """Writes the final line after the last step."""
        if self._stream is None:
            return
        seconds = time.perf_counter() - self._start
        steps = self._steps or self._done
        step = format_step(seconds / max(1, steps), self._micro)
        count = f"{steps}/{steps}"
        if self._redraws:
            self._draw(count, lambda length: "=" * length, f" - {seconds:.0f}s {step}", values, last=True)
        else:
            room = None if screen.is_passed_on(self._stream) else screen.room(self._stream)
            self._write(self._line(count, None, f" - {seconds:.0f}s - {step}", values, room) + "\n")

    def close(self) -> None:
        """Ends an unfinished line, so that later output, such as an error, starts on a new line."""
        if self._drawn:
            self._write("\n")
            self._drawn = 0

    def _line(
        self, count: str, bar: Callable[[int], str] | None, timing: str, values: dict[str, float], room: int | None
    ) -> str:
        texts = [format_values({name: value}, self._stream) for name, value in values.items()]
        return fit_line(count, bar, timing, texts, room, self._more)

    def _draw(
        self, count: str, bar: Callable[[int], str] | None, timing: str, values: dict[str, float], last: bool = False
    ) -> None:
        if self._stream is None:
            return
        room = screen.room(self._stream)  # read each time, because the window's size can change
        line = self._line(count, bar, timing, values, room)
        width = screen.width_of(line)
        before = self._drawn if room is None else min(self._drawn, room)
        self._drawn = 0 if last else width
        self._write(f"\r{line}{' ' * (before - width)}" + ("\n" if last else ""))

    def _write(self, text: str) -> None:
        """Writes to the stream. After an error, such as a closed stream, nothing more is written."""
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except Exception:  # a stand-in for a stream may raise anything
            self._stream = None
            self._next = float("inf")
