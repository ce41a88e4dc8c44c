"""Draw a digit and watch a network read it: python -m fastnet.playground

Finds or trains a model, makes its page (page.py) and serves it (server.py) until Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import webbrowser
from pathlib import Path

from fastnet import datasets, layers
from fastnet.models import Sequential, load_model
from fastnet.playground.page import page
from fastnet.playground.server import Server, serve
from fastnet.terminal.screen import printable
from fastnet.utils import set_random_seed

PORT = 8028
EPOCHS = 5
ORIGIN = {
    "mnist": "It learned from the 60,000 handwritten digits of MNIST.",
    "synthetic": "It learned from synthetic digits, which a program drew: with real MNIST it would read better.",
}


def playground(options: argparse.Namespace) -> None:
    """Serves the page of the given model, or of fastnet's own."""
    if options.model is None:
        model, about = own_model(options.retrain)
    else:
        model, about = load_model(options.model, compile=True), f"From {os.path.basename(options.model)}."
    text = page(model, about=about)

    def started(server: Server) -> None:
        if server.refused is not None:
            reason = server.refused.strerror or server.refused
            print(f"Port {options.port} cannot be had ({reason}); took {server.port} instead.")
        print(f"\nDraw a digit at {server.address}\nCtrl-C ends it.", flush=True)
        if options.browser:
            open_browser(server.address)

    serve(text, options.port, started)


def own_model(retrain: bool = False) -> tuple[Sequential, str]:
    """Returns a model from the cache, or trains one, and returns its origin in words.

    A model that was trained on synthetic digits is not used if FASTNET_DATA names real ones.
    """
    for kind in ORIGIN:
        if not retrain and not (kind == "synthetic" and os.environ.get("FASTNET_DATA")):
            model = cached(kind)
            if model is not None:
                return model, ORIGIN[kind]
    kind, (x, y) = training_data()
    print(f"Training a network for the playground, once, in {EPOCHS} epochs:", flush=True)
    model = trained(x, y)
    keep(model, kind)
    return model, ORIGIN[kind]


def cached(kind: str) -> Sequential | None:
    """Returns the model of an earlier start; None if there is none or it cannot be used."""
    path = cache_path(kind)
    try:
        model: Sequential = load_model(path)
        page(model)  # checks that the page can show it
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        print(f"The trained network of an earlier start cannot be used: {printable(str(error))}", file=sys.stderr)
        return None
    print(f"The network of an earlier start, from {printable(str(path))} (--retrain trains anew). {ORIGIN[kind]}")
    return model


def training_data() -> tuple[str, tuple[datasets.mnist.Bytes, datasets.mnist.Bytes]]:
    """Loads MNIST, or synthetic digits, with a message, if MNIST is not available; errors as `mnist.load_data`."""
    try:
        (train, _), source = datasets.mnist.load_data_and_source()
    except datasets.mnist.MnistNotFoundError:
        print(
            "MNIST was not found: FASTNET_DATA is not set, no cache has it and no mirror could be reached; training on "
            "synthetic digits instead.",
            file=sys.stderr,
        )
        return "synthetic", datasets.synthetic.load_data()[0]
    print(f"MNIST from {source}")
    return "mnist", train


def trained(x: datasets.mnist.Bytes, y: datasets.mnist.Bytes, epochs: int = EPOCHS) -> Sequential:
    """Trains the tutorial's network, with Dropout, because drawn digits vary more than MNIST's."""
    set_random_seed(0)
    model = Sequential(
        [
            layers.Input((28, 28)),
            layers.Flatten(),
            layers.Rescaling(1 / 255),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=epochs, batch_size=128)
    return model


def keep(model: Sequential, kind: str) -> None:
    """Saves the model for the next start; prints a message if that fails."""
    path = cache_path(kind)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
    except OSError as error:
        print(
            f"The network could not be kept, so the next start trains again: {printable(str(error))}", file=sys.stderr
        )


def cache_path(kind: str) -> Path:
    from platformdirs import user_cache_path  # imported only when used, as in datasets/mnist.py

    return user_cache_path("fastnet") / "playground" / f"{kind}.safetensors"


def open_browser(address: str) -> None:
    """Opens a browser with a window; a browser in the terminal only if BROWSER names it."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:  # no browser; the address was printed
        return
    if type(browser) is webbrowser.GenericBrowser and not os.environ.get("BROWSER"):
        return
    # In a thread, because some browsers return only when they are closed.
    threading.Thread(target=browser.open, args=(address,), daemon=True).start()


def port(text: str) -> int:
    """Checks an option's value and returns it as a port."""
    if not text.isascii() or not text.isdecimal() or len(text) > 5 or int(text) >= 2**16:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m fastnet.playground",
        description="Draw a digit with mouse, pen or finger, and watch a neural network read it.",
        epilog="examples:\n"
        "  python -m fastnet.playground                     trains a network on the first start, then opens the page\n"
        "  python -m fastnet.playground mine.safetensors    the page of a model that model.save() wrote\n"
        "\n"
        "fastnet.export_html(model, 'digits.html') writes the same page as a file that needs no server.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("model", nargs="?", help="a model's file; without one fastnet's own is taken, or trained")
    p.add_argument(
        "--port", type=port, default=PORT, metavar="N", help=f"the port, if it is free; 0 for any (default: {PORT})"
    )
    p.add_argument("--no-browser", dest="browser", action="store_false", help="print the address and open nothing")
    p.add_argument("--retrain", action="store_true", help="train anew, though an earlier start has left a network")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Runs the program; returns its exit code."""
    options = parser().parse_args(arguments)
    try:
        playground(options)
    except (OSError, ValueError, MemoryError, ImportError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # during training; `serve` handles Ctrl-C itself
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
