"""The "hello world" of deep learning: a network learns to read handwritten digits. Run it: python -m fastnet.mnist

This is the tutorial as a program. Start reading at `tutorial`; the functions after it are small helpers.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import fastnet
from fastnet import checks, datasets, layers
from fastnet.callbacks import History
from fastnet.datasets.mnist import Bytes
from fastnet.terminal import drawing, screen
from fastnet.utils import set_random_seed, to_categorical

DATA = ("auto", "mnist", "synthetic")  # the values of --data other than a path


def tutorial(options: argparse.Namespace) -> None:
    """Runs the tutorial: loads and shows the data, builds and trains the network, evaluates and predicts."""
    clock = Clock()
    if options.threads:
        fastnet.set_num_threads(options.threads)
    set_random_seed(options.seed)
    check_outputs(options)

    heading("The data")
    (x_train, y_train), (x_test, y_test), source = load(options.data)
    print(f"from {source}\n")
    for name, array in (("x_train", x_train), ("y_train", y_train), ("x_test", x_test), ("y_test", y_test)):
        print(structure(name, array))
    print(f"\nThe second training digit, {with_article(y_train[1])}:\n{drawing.digit(x_train[1])}")
    clock.lap("data")

    # One-hot encoding: each label becomes a row of ten numbers, a 1 at its digit and 0 elsewhere.
    targets_train, targets_test = to_categorical(y_train, 10), to_categorical(y_test, 10)

    # Each image becomes a row of 784 numbers from 0 to 1. They are the inputs of 512 neurons, whose outputs go to 10.
    heading("The network")
    model = fastnet.Sequential(
        [
            layers.Input((28, 28)),
            layers.Flatten(),
            layers.Rescaling(1 / 255),
            layers.Dense(options.units, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    clock.lap("preparation")

    heading("Training")
    history = model.fit(
        x_train, targets_train, epochs=options.epochs, batch_size=options.batch_size, verbose=options.verbose
    )
    if options.epochs > 1:
        print(f"\n{curves(history)}")
    clock.lap("training")

    heading("Evaluation on digits that it has never seen")
    loss, accuracy = model.evaluate(x_test, targets_test, verbose=0)  # a bar would show the same numbers again
    print(f"loss      {loss:.4f}\naccuracy  {accuracy:.4f}")
    clock.lap("evaluation")

    heading("The first ten test digits")
    predicted = model.predict(x_test[:10], verbose=0).argmax(axis=1)
    print("predicted ", *predicted)
    print("true      ", *y_test[:10])
    clock.lap("prediction")

    heading("Times")
    threads = fastnet.get_num_threads()
    print(clock)
    epoch = clock.laps["training"] / options.epochs
    print(f"(training: {epoch:.2f} s an epoch on {threads} thread{'s' if threads > 1 else ''})")
    if options.threads and options.threads > threads:
        print(f"(--threads {options.threads} asks for more cores than there are)")

    if options.plots:
        heading("Plots")
        for path in fastnet.plotting.save_all(model, history, x_test, y_test, options.plots):
            print(path)
    if options.report:
        heading("Report")
        how = {"batch_size": options.batch_size, "seed": options.seed}
        # A local path does not belong into a page that students hand in.
        origin = source if source.startswith("fastnet.datasets.synthetic: ") else "MNIST"
        about = f"Tested on {len(x_test):,} digits from {origin}."
        print(fastnet.report(model, history, x_test, y_test, options.report, about=about, **how))
    if options.mistakes:
        heading("The digits that it got wrong")
        walk(x_test, y_test, model.predict(x_test, verbose=0))


def load(data: str) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes], str]:
    """Returns the data set that `--data` asks for, and a description of its source."""
    if data == "synthetic":
        return *datasets.synthetic.load_data(), "fastnet.datasets.synthetic: digits drawn by a program"
    if data not in ("auto", "mnist") and not (data and os.path.exists(os.path.expanduser(data))):
        raise FileNotFoundError(
            f"{data or repr(data)} does not exist{checks.near_miss(data, DATA) or '.'} --data takes {', '.join(DATA)}, "
            "or the path of a folder with the four MNIST files or of Keras's mnist.npz"
        )
    try:
        arrays, source = datasets.mnist.load_data_and_source(None if data in ("auto", "mnist") else data)
    except datasets.mnist.MnistNotFoundError:
        if data != "auto":
            raise
        print(
            "MNIST was not found: FASTNET_DATA is not set, no cache has it and no mirror could be reached "
            "(--data mnist tells more); training on synthetic digits instead.",
            file=sys.stderr,
        )
        return load("synthetic")
    return *arrays, source


def with_article(number: int) -> str:
    """Puts "a" or "an" before a digit."""
    return f"{'an' if number == 8 else 'a'} {number}"


def heading(text: str) -> None:
    """Prints a heading."""
    print(f"\n{text}\n{'=' * len(text)}")


def structure(name: str, array: np.ndarray) -> str:
    """Describes an array by its type, shape and first values, like R's `str`."""
    first = " ".join(str(value) for value in array.reshape(-1)[:10])
    return f"{name:8} {array.dtype} {array.shape!s:16} {first} ..."


def curves(history: History) -> str:
    """Draws loss and accuracy by epoch, side by side if the terminal is wide enough."""
    room = screen.columns() or drawing.PAGE
    names = ("loss", "accuracy")
    width = max(room // 2 - 1, min(room, 30))
    return drawing.side_by_side([drawing.curve(history.history[name], width) for name in names], names)


def walk(x: Bytes, y: Bytes, probabilities: np.ndarray) -> None:
    """Shows the mistakes: one after another on a terminal, else the first ten."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != y)
    wrong = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")]
    asks = screen.is_terminal(sys.stdin) and screen.is_terminal(sys.stdout)
    print(f"{len(wrong)} of {len(y)}" + ", the surest mistakes first" * (len(wrong) > 1))
    for number, i in enumerate(wrong if asks else wrong[:10], 1):
        if asks and number > 1:
            try:
                if input("\nEnter for the next, q to end: ").strip().lower().startswith("q"):
                    return
            except (EOFError, KeyboardInterrupt):  # Ctrl-D, Ctrl-C
                print()
                return
        captions = f"{number}/{len(wrong)}: {with_article(y[i])}, read as {with_article(predicted[i])}", "probabilities"
        print(f"\n{drawing.answer(x[i], probabilities[i], captions)}")


def check_outputs(options: argparse.Namespace) -> None:
    """Checks before the training that plots and report can be written."""
    folders = {}
    if options.plots:
        fastnet.plotting.require_matplotlib()
        folders["--plots"] = options.plots
    if options.report:
        if options.report.is_dir():
            raise IsADirectoryError(f"--report: {options.report} is a folder; expected a file's name")
        folders["--report"] = options.report.parent
    for option, folder in folders.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise OSError(f"{option}: nothing can be written into {folder}: {error.strerror}") from None


class Clock:
    """Measures the seconds that each part of the program takes."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self.laps[part], self._last = now - self._last, now

    def __str__(self) -> str:
        return "\n".join(f"{part:11} {seconds:7.3f} s" for part, seconds in self.laps.items())


def whole(text: str) -> int:
    """Converts an option's value to a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def seed(text: str) -> int:
    """Checks an option's value and returns it as a seed."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to 4294967295, got {text!r}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m fastnet.mnist",
        description="Train a small neural network to read handwritten digits, and watch it learn.",
        epilog="examples:\n"
        "  python -m fastnet.mnist                          the tutorial with its default options\n"
        "  python -m fastnet.mnist --units 32 --epochs 10   how far does a small network get?\n"
        "  python -m fastnet.mnist --data synthetic         digits drawn by a program: no file, no network\n"
        "  python -m fastnet.mnist --threads 1              the same numbers, to the last bit, on one core\n"
        "  python -m fastnet.mnist --mistakes               look at the digits that it got wrong",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--data",
        default="auto",
        metavar="WHAT",
        help="auto: MNIST if it is available, else synthetic digits; mnist: MNIST or an error; synthetic; or the path "
        "of a folder with the four MNIST files or of Keras's mnist.npz (default: auto)",
    )
    p.add_argument("--epochs", type=whole, default=5, metavar="N", help="passes over the training data (default: 5)")
    p.add_argument("--batch-size", type=whole, default=128, metavar="N", help="images per step (default: 128)")
    p.add_argument("--units", type=whole, default=512, metavar="N", help="neurons in the hidden layer (default: 512)")
    p.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of the random numbers (default: 0)")
    p.add_argument("--threads", type=whole, metavar="N", help="cores to compute on (default: all)")
    p.add_argument(
        "--verbose",
        choices=["auto", "0", "1", "2"],
        default="auto",
        help="0: no progress; 1: a bar; 2: a line per epoch; auto: a bar on a terminal, else a line (default: auto)",
    )
    p.add_argument("--mistakes", action="store_true", help="show the test digits that it got wrong, at the end")
    p.add_argument(
        "--plots", type=Path, metavar="DIR", help="write plots of data, training and network to this folder, as PNG"
    )
    p.add_argument("--report", type=Path, metavar="FILE.html", help="write a page about data, training and network")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Runs the program and returns its exit code."""
    options = parser().parse_args(arguments)
    options.verbose = options.verbose if options.verbose == "auto" else int(options.verbose)
    try:
        tutorial(options)
        if sys.stdout is not None:
            sys.stdout.flush()  # so that an error of writing is caught here
    except BrokenPipeError:  # `head`, for example, has closed the pipe, and Python must not write at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError, MemoryError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
