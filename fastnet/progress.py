"""The progress bar, in the format of the Keras tutorial.

     79/469 [====>.........................] - ETA: 1s - loss: 0.1114 - accuracy: 0.9679
    469/469 [==============================] - 1s 2ms/step - loss: 0.1032 - accuracy: 0.9697

On a terminal or in a notebook the line is redrawn in place, ten times a second; anywhere else, and with ``verbose=2``,
one plain line is written at the end. Between two drawings a step costs one look at the clock.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnet import terminal

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


def format_values(values: dict[str, Any]) -> str:
    """Of a metric that is an array, a number a class, the mean is shown."""
    means = {name: float(np.mean(value)) for name, value in values.items()}
    return "".join(
        f" - {name}: {value:.4f}" if abs(value) > 1e-3 else f" - {name}: {value:.4e}" for name, value in means.items()
    )


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
        self._redraws = self._stream is not None and verbose == 1 and terminal.redraws(self._stream)
        self._micro = "µ" if self._stream is None or terminal.shows("µ", self._stream) else "u"
        self._drawn = 0  # length of the unfinished line on the screen
        self._start = time.perf_counter()
        self._next = self._start if self._redraws else float("inf")

    def update(self, step: int, values: Values) -> None:
        """After step number `step`, from 1; `values` is asked for loss and metrics only when something is drawn."""
        self._done = step
        now = time.perf_counter()
        if now < self._next or step == self._steps:
            return
        self._next = now + INTERVAL
        if not self._steps:
            self._draw(f"{step}/Unknown{format_values(values())}")
            return
        digits = len(str(self._steps))
        filled = WIDTH * step // self._steps
        bar = ("=" * (filled - 1) + ">" if filled else "") + "." * (WIDTH - filled)
        left = (now - self._start) / step * (self._steps - step)
        rest = f" - ETA: {format_duration(left)}" + format_values(values())
        self._draw(f"{step:{digits}d}/{self._steps} [{bar}]{rest}")

    def finish(self, values: dict[str, float]) -> None:
        """After the last step: the line that stays."""
        if self._stream is None:
            return
        seconds = time.perf_counter() - self._start
        steps = self._steps or self._done
        step = format_step(seconds / max(1, steps), self._micro)
        count = f"{steps}/{steps}"
        if self._redraws:
            self._draw(f"{count} [{'=' * WIDTH}] - {seconds:.0f}s {step}{format_values(values)}", last=True)
        else:
            self._stream.write(f"{count} - {seconds:.0f}s - {step}{format_values(values)}\n")
            self._stream.flush()

    def close(self) -> None:
        """Ends an unfinished line, so that what is printed next (an error, a prompt) has its own."""
        if self._stream is not None and self._drawn:
            self._stream.write("\n")
            self._stream.flush()
            self._drawn = 0

    def _draw(self, line: str, last: bool = False) -> None:
        assert self._stream is not None
        width = terminal.columns(self._stream)
        if width and not last:
            line = line[: width - 1]  # a line that wraps cannot be redrawn
        blank = " " * max(0, self._drawn - len(line))
        self._stream.write(f"\r{line}{blank}" + ("\n" if last else ""))
        self._stream.flush()
        self._drawn = 0 if last else len(line)
