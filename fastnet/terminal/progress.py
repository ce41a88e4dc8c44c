"""The progress bar, in the format of the Keras tutorial.

     79/469 [====>.........................] - ETA: 1s - loss: 0.1114 - accuracy: 0.9679
    469/469 [==============================] - 1s 2ms/step - loss: 0.1032 - accuracy: 0.9697

On a terminal or in a notebook the line is redrawn in place, ten times a second; anywhere else, and with ``verbose=2``,
one plain line is written at the end. Between two drawings a step costs one look at the clock.

A line on a terminal fits the window: first the bar gets shorter, then values are left out from the right. Output that
fails, as a pipe that nobody reads any more, ends no training.
"""

import contextlib
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import numpy as np

from fastnet.terminal import screen

WIDTH = 30
INTERVAL = 0.1  # seconds between drawings

Values = Callable[[], dict[str, float]]


def check_verbose(verbose: Any) -> int:
    """0, 1 or 2; "auto" is 1.

    Raises:
        ValueError: if it is anything else.
    """
    if isinstance(verbose, str) and verbose == "auto":
        return 1
    if not isinstance(verbose, str) and verbose in (0, 1, 2):
        return int(verbose)
    raise ValueError(f"verbose must be 'auto', 0 (silent), 1 (progress bar) or 2 (one line an epoch), got {verbose!r}")


def format_duration(seconds: float) -> str:
    """Time left: 12s, 3:05 or 1:02:03."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def format_step(seconds: float, micro: str = "µ") -> str:
    """Time a step, in the largest unit of which it has one: 2s/step, 2ms/step, 300µs/step."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size * 0.9995:
            return f"{seconds / size:.0f}{unit}/step"
    return f"{seconds * 1e6:.0f}{micro}s/step"


def format_values(values: dict[str, Any], stream: TextIO | None = None) -> str:
    """Of a metric that is an array, a number a class, the mean is shown."""
    means = {screen.printable(name, stream=stream): float(np.mean(value)) for name, value in values.items()}
    return "".join(
        f" - {name}: {value:.4f}" if 1e-3 < abs(value) < 1e9 else f" - {name}: {value:.4e}"
        for name, value in means.items()
    )


def fit_line(
    count: str, bar: Callable[[int], str] | None, timing: str, values: list[str], room: int | None, more: str
) -> str:
    """A line of at most `room` columns: the count, a bar, the timing, and as many values as there is room for.

    The bar gets shorter first. Then values are left out from the right, but the first one goes after the timing.

    Args:
        count: the beginning, which is never left out.
        bar: draws a bar of so many characters; None for a line without one.
        timing: how long it takes.
        values: what is reported.
        room: the columns there are; None if any number will do.
        more: an ellipsis, for what is left out.
    """
    shown, end = [timing, *values], ""
    length = WIDTH + 3  # of the bar: a blank and two brackets come with it
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


def say(text: str) -> None:
    """Prints a line at once. Output that fails ends no training: who trains may have closed the window."""
    with contextlib.suppress(Exception):  # a stand-in for a stream may raise anything
        print(text, flush=True)


class ProgressBar:
    """Shows how far a loop of `steps` steps has come.

    Args:
        steps: how many there are; 0 if nobody knows.
        verbose: 0 shows nothing, 1 a bar, 2 one line at the end.
    """

    def __init__(self, steps: int, verbose: int) -> None:
        self._steps = steps
        self._done = 0
        self._stream = sys.stdout if verbose and sys.stdout is not None else None
        self._redraws = self._stream is not None and verbose == 1 and screen.redraws(self._stream)
        self._micro = "µ" if self._stream is None or screen.shows("µ", self._stream) else "u"
        self._more = " …" if self._stream is None or screen.shows("…", self._stream) else " ..."
        self._drawn = 0  # columns of the unfinished line on the screen
        self._start = time.perf_counter()
        self._next = self._start if self._redraws else float("inf")

    def update(self, step: int, values: Values) -> None:
        """After step number `step`, from 1; `values` is asked for loss and metrics only when something is drawn.

        Nothing is drawn in the first step, when `step` is still 0, and after the last one, when `finish` follows.
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
        """After the last step: the line that stays."""
        if self._stream is None:
            return
        seconds = time.perf_counter() - self._start
        steps = self._steps or self._done
        step = format_step(seconds / max(1, steps), self._micro)
        count = f"{steps}/{steps}"
        if self._redraws:
            self._draw(count, lambda length: "=" * length, f" - {seconds:.0f}s {step}", values, last=True)
        else:
            room = screen.room(self._stream)
            self._write(self._line(count, None, f" - {seconds:.0f}s - {step}", values, room) + "\n")

    def close(self) -> None:
        """Ends an unfinished line, so that what is printed next (an error, a prompt) has its own."""
        if self._drawn:
            self._write("\n")
            self._drawn = 0

    def _line(
        self, count: str, bar: Callable[[int], str] | None, timing: str, values: dict[str, float], room: int | None
    ) -> str:
        texts = [format_values({name: value}, self._stream) for name, value in values.items()]
        return fit_line(count, bar, timing, texts, room, self._more)

    def _draw(
        self,
        count: str,
        bar: Callable[[int], str] | None,
        timing: str,
        values: dict[str, float],
        last: bool = False,
    ) -> None:
        if self._stream is None:
            return
        room = screen.room(self._stream)  # asked for each time: a window can change
        line = self._line(count, bar, timing, values, room)
        width = screen.width_of(line)
        before = self._drawn if room is None else min(self._drawn, room)
        self._drawn = 0 if last else width
        self._write(f"\r{line}{' ' * (before - width)}" + ("\n" if last else ""))

    def _write(self, text: str) -> None:
        """Writes; a stream that fails, as a closed one, gets nothing more, and the training goes on."""
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except Exception:  # a stand-in for a stream may raise anything
            self._stream = None
            self._next = float("inf")
