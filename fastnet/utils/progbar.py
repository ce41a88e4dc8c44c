"""Progbar: a progress bar for a loop of your own, with the arguments of Keras's class."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastnet import checks
from fastnet.terminal import progress, screen


class Progbar:
    """Shows the progress of a loop and the mean of its values.

    Args:
        target: the number of steps; None if it is unknown.
        width: the length of the bar.
        verbose: 0 shows nothing, 1 a bar, 2 one line at the end.
        interval: the least time between two drawings, in seconds.
        stateful_metrics: names of values that are shown as they are; all others are averaged over the steps.
        stateless_metrics: names of values that are averaged; all others are shown as they are. Give one of the two.
        unit_name: the name of a step in the time per step.

    Raises:
        ValueError: if both kinds of names are given, or a number is negative.
        TypeError: if a number of steps or the width is not an integer.

    Example:
        After ``bar = Progbar(100)``, call ``bar.add(1, [("loss", 0.5)])`` in each of 100 steps.
    """

    def __init__(
        self,
        target: int | None,
        width: int = progress.WIDTH,
        verbose: int = 1,
        interval: float = progress.INTERVAL,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("Only one of stateful_metrics and stateless_metrics may be given")
        self.target = None if target is None else checks.integer("target", target, least=0)
        self.width = checks.integer("width", width, least=0)
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self._stateful = frozenset(stateful_metrics or ())
        self._stateless = None if stateless_metrics is None else frozenset(stateless_metrics)
        self._done = 0
        self._sums: dict[str, tuple[float, int]] = {}  # of each value: its sum and the number of its steps
        self._start = time.perf_counter()
        self._next = 0.0
        self._drawn = 0  # columns of the line on the screen

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Sets the number of finished steps, and draws the bar if it is time.

        Args:
            current: the number of finished steps.
            values: pairs of a name and its value in the steps since the last call.
            finalize: whether this is the last call; by default whether `current` has reached the target.
        """
        current = checks.integer("current", current, least=0)
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        steps = max(1, current - self._done)
        for name, value in values or ():
            averaged = name not in self._stateful if self._stateless is None else name in self._stateless
            total, count = self._sums.get(name, (0.0, 0)) if averaged and not finalize else (0.0, 0)
            self._sums[name] = total + float(np.mean(value)) * steps, count + steps
        self._done = current
        now = time.perf_counter()
        if finalize or (self.verbose == 1 and now >= self._next):
            self._next = now + self.interval
            self._draw(now - self._start, finalize)

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Adds n finished steps, as `update` does."""
        self.update(self._done + n, values)

    def _draw(self, seconds: float, last: bool) -> None:
        stream = sys.stdout
        if not self.verbose or stream is None:
            return
        time_per_step = progress.format_step(seconds / max(1, self._done)).removesuffix("step") + self.unit_name
        timing, count, bar = f" - {seconds:.0f}s {time_per_step}", f"{self._done}/{self.target or 'Unknown'}", None
        if self.target:
            share = min(1.0, self._done / self.target)
            if not last:
                left = progress.format_duration(seconds / max(1, self._done) * (self.target - self._done))
                timing = f" - ETA: {left}"

            def bar(length: int) -> str:
                filled = int(length * share)
                return "=" * filled + "." * (length - filled)

        texts = [progress.format_values({name: total / count}, stream) for name, (total, count) in self._sums.items()]
        line = progress.fit_line(count, bar, timing, texts, screen.room(stream), " ...", self.width)
        if self.verbose == 1 and screen.redraws(stream):
            width = screen.width_of(line)
            line, self._drawn = f"\r{line}{' ' * (self._drawn - width)}" + "\n" * last, width
        else:
            line += "\n"
        stream.write(line)
        stream.flush()
