"""Runs a library in its own process, which waits while others are measured.

Several frameworks in one process would share memory, BLAS libraries and busy threads. So each has its own process. It
prepares everything and then works only on request. Its output goes to a pseudo-terminal, so it draws a progress bar as
for a user. `Worker` sends the requests. This file, run as a program, answers them.
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
import implementations

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SAMPLE = 0.2  # seconds that a sample of one of the networks may take, if a library is slow
PROGRAM = "fastnet.mnist"  # in place of a library's name: fastnet's own tutorial program
BASE = "base"  # in place of a library's name: NumPy alone


class WorkerError(RuntimeError):
    """The process has ended without an answer. The message holds the last line of its output."""


class UnableError(RuntimeError):
    """The library does not support this case. The message says why."""


class Worker:
    """Starts a process for a library and sends it requests.

    Args:
        name: an entry of `implementations.ENTRIES`, or `PROGRAM` or `BASE`.
        case: what to measure; see `_prepare`.
        threads: the number of cores and threads for the process.
        data: a folder with the four uncompressed IDX files.
        examples: how many training examples to use.
        epochs: the number of epochs in the case `start`.
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
        """Reads the terminal, so that the process never waits to write, and keeps the last output."""
        while True:
            try:
                read = os.read(screen, 65536)
            except OSError:  # on Linux: the process has closed the terminal
                read = b""
            if not read:
                os.close(screen)
                return
            self._seen = (self._seen + read)[-2000:]

    def answer(self) -> dict[str, Any]:
        """Waits for the next answer.

        Raises:
            UnableError: if the library does not support the case.
            WorkerError: if the process has ended.
        """
        line = self._reply.readline()
        if not line:
            self._process.wait()
            self._reader.join(1)
            said = [line.strip() for line in self._seen.decode(errors="replace").splitlines() if line.strip()]
            raise WorkerError(f"{self.name} ended with {self._process.returncode}: {said[-1] if said else 'no output'}")
        answer: dict[str, Any] = json.loads(line)
        if "unable" in answer:
            raise UnableError(answer["unable"])
        return answer

    def ready(self) -> None:
        """Waits until the process is prepared. Raises errors as `answer` does."""
        self.version = self.answer()["version"]

    def sample(self) -> float:
        """Runs the case once and returns the seconds. Raises errors as `answer` does."""
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
    """Runs a whole process; returns its seconds and its answer. Raises errors as `Worker.answer` does."""
    start = time.perf_counter()
    worker = Worker(name, case, threads, data, examples, epochs)
    try:
        answer = worker.answer()
    finally:
        worker.close()
    return time.perf_counter() - start, answer


# The worker's side ----------------------------------------------------------------------------------------------------


def read_idx(path: Path) -> Any:
    """Reads the array in an uncompressed IDX file of bytes."""
    import numpy as np

    content = path.read_bytes()
    shape = struct.unpack_from(f">{content[3]}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def read_examples(folder: str, part: str, examples: int) -> tuple[Any, Any]:
    """Reads the files that begin with `part`: images as float32 rows from 0 to 1, and labels."""
    images, labels = (read_idx(Path(folder) / file)[:examples] for file in FILES if file.startswith(part))
    x = images.reshape(len(images), -1).astype("float32")
    x /= 255
    return x, labels


def peak_memory() -> int:
    """Returns the largest number of bytes that this process has had in memory.

    The figure of getrusage can include memory of the parent, from before exec. The one in Linux's /proc does not.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << (0 if sys.platform == "darwin" else 10)


def _prepare(trainer: Any, options: argparse.Namespace) -> Callable[[], float]:
    """Makes a function that runs the case once and returns its seconds."""
    import statistics

    import numpy as np

    if options.case in implementations.NETWORKS:
        return _network(trainer, implementations.NETWORKS[options.case])
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


def _network(trainer: Any, network: implementations.Network) -> Callable[[], float]:
    """Makes a function that trains some epochs as a user would and returns the seconds of a step.

    A slow library trains fewer epochs. The first training compiles, the second one shows how many.
    """
    trainer.load(*implementations.examples_of(network))
    for _ in range(2):
        taken = common.seconds(lambda: trainer.train(network.epochs))
    epochs = min(network.epochs, max(1, round(network.epochs * SAMPLE / taken)))
    return lambda: common.seconds(lambda: trainer.train(epochs)) / (epochs * network.steps)


def _start(trainer: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Runs the tutorial from its files to its results."""
    trainer.load(*read_examples(options.data, "train", options.examples))
    loss, accuracy = trainer.train(options.epochs, verbose=1)
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
        import numpy  # noqa: F401  # its memory is what is measured

        return answer(peak=peak_memory())
    if options.name == PROGRAM:
        return answer(**_program(options), peak=peak_memory())

    try:
        network = implementations.network_of(options.case)
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
