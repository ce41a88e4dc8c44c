"""A library in a process of its own, which waits while others are measured.

Several frameworks in one process would share threads that spin, BLAS libraries and memory. So each has its own process;
it imports and prepares what it needs and then works only when it is told to. Its output goes to a pseudo-terminal, so
that a progress bar is drawn as a user sees it. `Worker` is the side that asks; run as a program, this file answers.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import math
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
HIDDEN = {"deep": (512, 512)}  # all others: one layer of 512
DROPOUT = {"deep": 0.2}
PROGRAM = "fastnet.mnist"  # instead of a library's name: the tutorial as fastnet ships it
BASE = "base"  # NumPy and nothing else


class WorkerError(RuntimeError):
    """The process has ended without an answer; the message holds the last line of its output."""


class UnableError(RuntimeError):
    """The library cannot do this case; the message says why."""


class Worker:
    """The asking side.

    Args:
        name: an entry of `implementations.ENTRIES`, or `PROGRAM` or `BASE`.
        case: what to measure, see `_prepare`.
        threads: cores and threads that it gets.
        data: a folder with the four uncompressed IDX files.
        examples: how many training examples to take.
        epochs: of the case `start`.
    """

    def __init__(self, name: str, case: str, threads: int, data: str, examples: int, epochs: int = 5) -> None:
        reply, write = os.pipe()
        screen, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        command = [sys.executable, __file__, name, case, str(threads), data, str(examples), str(epochs), str(write)]
        self._process = subprocess.Popen(
            command,
            env=common.environment(threads),
            stdin=subprocess.PIPE,
            stdout=terminal,
            stderr=terminal,
            pass_fds=[write],
        )
        os.close(write)
        os.close(terminal)
        self._reply = os.fdopen(reply)
        self._seen = b""
        self._reader = threading.Thread(target=self._watch, args=(screen,), daemon=True)
        self._reader.start()
        self.name = name
        self.version = ""

    def _watch(self, screen: int) -> None:
        """Reads the terminal, as somebody must, and remembers its end."""
        while True:
            try:
                read = os.read(screen, 65536)
            except OSError:  # how Linux says that the other side has closed it
                read = b""
            if not read:
                os.close(screen)
                return
            self._seen = (self._seen + read)[-2000:]

    def answer(self) -> dict[str, Any]:
        """The next answer.

        Raises:
            UnableError: if the library cannot do this.
            WorkerError: if the process has ended.
        """
        line = self._reply.readline()
        if not line:
            self._process.wait()
            self._reader.join(1)
            said = [line.strip() for line in self._seen.decode(errors="replace").splitlines() if line.strip()]
            raise WorkerError(f"{self.name} ended with {self._process.returncode}: {said[-1] if said else 'no word'}")
        answer: dict[str, Any] = json.loads(line)
        if "unable" in answer:
            raise UnableError(answer["unable"])
        return answer

    def ready(self) -> None:
        """Waits until it is prepared; errors as `answer`."""
        self.version = self.answer()["version"]

    def sample(self) -> float:
        """Lets it do its case once; returns the seconds. Errors as `answer`."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()
        return float(self.answer()["seconds"])

    def close(self) -> None:
        """Ends the process and waits for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reply.close()


def run_once(name: str, case: str, threads: int, data: str, examples: int, epochs: int) -> tuple[float, dict[str, Any]]:
    """A whole process from start to end: its seconds, and its answer. Errors as `Worker.answer`."""
    start = time.perf_counter()
    worker = Worker(name, case, threads, data, examples, epochs)
    try:
        answer = worker.answer()
    finally:
        worker.close()
    return time.perf_counter() - start, answer


# The answering side ---------------------------------------------------------------------------------------------------


def read_idx(path: Path) -> Any:
    """The array in an uncompressed IDX file of bytes."""
    import numpy as np

    content = path.read_bytes()
    shape = struct.unpack_from(f">{content[3]}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def read_examples(folder: str, part: str, examples: int) -> tuple[Any, Any]:
    """Images as rows of float32 from 0 to 1, and labels, of the files that begin with `part`."""
    images, labels = (read_idx(Path(folder) / file)[:examples] for file in FILES if file.startswith(part))
    x = images.reshape(len(images), -1).astype("float32")
    x /= 255
    return x, labels


def peak_memory() -> int:
    """The most bytes that this process has had in memory.

    What getrusage tells of a process includes what its parent had before it became a program of its own; Linux's own
    books do not.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << (0 if sys.platform == "darwin" else 10)


def _prepare(trainer: Any, options: argparse.Namespace) -> Callable[[], float]:
    """The function that does the case once and returns its seconds."""
    import statistics

    import numpy as np

    if options.case in ("epoch", "deep", "dense"):
        x, labels = read_examples(options.data, "train", options.examples)
        if options.case == "dense":
            x = np.random.default_rng(0).standard_normal(x.shape, np.float32)
        trainer.load(x, labels)
        return lambda: common.seconds(trainer.epoch)
    x, _ = read_examples(options.data, "t10k", 10000)
    if options.case == "predict10k":
        return lambda: common.seconds(lambda: trainer.predict(x), least=0.2)
    image = x[:1].copy()

    def predict_one() -> float:
        end = time.perf_counter() + 0.3
        samples = [common.seconds(lambda: trainer.predict(image))]
        while time.perf_counter() < end:
            samples.append(common.seconds(lambda: trainer.predict(image)))
        return statistics.median(samples)

    return predict_one


def _start(trainer: Any, options: argparse.Namespace) -> dict[str, Any]:
    """The tutorial from its files to its result."""
    trainer.load(*read_examples(options.data, "train", options.examples))
    loss, accuracy = trainer.train(options.epochs)
    test_loss, test_accuracy = trainer.evaluate(*read_examples(options.data, "t10k", options.examples))
    found = {"loss": loss, "accuracy": accuracy, "test_loss": test_loss, "test_accuracy": test_accuracy}
    return {name: None if math.isnan(value) else float(value) for name, value in found.items()}


def _program(options: argparse.Namespace) -> dict[str, Any]:
    import runpy

    sys.argv = [PROGRAM, "--verbose", "1", "--data", options.data, "--epochs", str(options.epochs)]
    try:
        runpy.run_module(PROGRAM, run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    return {}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("name", "case"):
        p.add_argument(name)
    p.add_argument("threads", type=int)
    p.add_argument("data")
    for name in ("examples", "epochs", "reply"):
        p.add_argument(name, type=int)
    options = p.parse_args()
    common.use_threads(options.threads)
    reply = os.fdopen(options.reply, "w")

    def answer(**content: Any) -> None:
        print(json.dumps(content), file=reply, flush=True)

    if options.name == BASE:
        import numpy  # noqa: F401  # to see what it costs

        return answer(peak=peak_memory())
    if options.name == PROGRAM:
        return answer(**_program(options), peak=peak_memory())

    import implementations

    network = implementations.Network(HIDDEN.get(options.case, (512,)), DROPOUT.get(options.case, 0.0))
    try:
        trainer = implementations.make(options.name, network, options.threads)
        if options.case == "start":
            return answer(**_start(trainer, options), peak=peak_memory())
        once = _prepare(trainer, options)
    except implementations.NotSupportedError as error:
        return answer(unable=str(error))
    answer(version=implementations.version(options.name))
    for _ in sys.stdin:
        answer(seconds=once())
    return None


if __name__ == "__main__":
    main()
