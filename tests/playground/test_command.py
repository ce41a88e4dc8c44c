"""python -m fastnet.playground: its options, where the network comes from, how it starts and ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest

from fastnet import datasets, layers
from fastnet.models import Sequential
from fastnet.playground import __main__ as program
from fastnet.playground.server import Server

START = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
from fastnet.playground.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; where the network is kept."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / ".cache"))
    monkeypatch.delenv("FASTNET_DATA", raising=False)
    return platformdirs.user_cache_path("fastnet") / "playground"


@pytest.fixture(autouse=True)
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No MNIST; the synthetic digits become few."""
    rng = np.random.default_rng(1)
    train = rng.integers(0, 256, (300, 28, 28), np.uint8), rng.integers(0, 10, 300, np.uint8)

    def nowhere(path: Any = None) -> Any:
        raise datasets.mnist.MnistNotFoundError("MNIST was not found.")

    monkeypatch.setattr(datasets.synthetic, "load_data", lambda: (train, train))
    monkeypatch.setattr(datasets.mnist, "load_data_and_source", nowhere)


@pytest.fixture
def mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST is here after all."""
    monkeypatch.setattr(
        datasets.mnist, "load_data_and_source", lambda path=None: (datasets.synthetic.load_data(), "a folder")
    )


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser is asked to open."""
    addresses: list[str] = []
    monkeypatch.setattr(program, "open_browser", addresses.append)
    return addresses


@pytest.fixture
def ended_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is pressed as soon as the page is served."""

    def interrupted(self: Server, poll_interval: float = 0) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", interrupted)


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    model = Sequential([layers.Input((784,)), layers.Dense(10, activation="softmax", bias_initializer="ones")])
    model.save(tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


@pytest.mark.usefixtures("ended_at_once")
def test_the_first_start_trains_and_says_on_what(
    cache: Path, capsys: pytest.CaptureFixture[str], opened: list[str]
) -> None:
    assert program.main(["--port", "0"]) == 0
    captured = capsys.readouterr()
    assert re.fullmatch(r"MNIST was not found.*synthetic digits instead\.\n", captured.err)
    assert re.findall(r"^Epoch .*", captured.out, re.MULTILINE) == [f"Epoch {i}/5" for i in range(1, 6)]
    address = re.search(r"^Draw a digit at (http://127\.0\.0\.1:\d+/)\nCtrl-C ends it\.$", captured.out, re.MULTILINE)
    assert address
    assert opened == [address[1]]
    assert captured.out.endswith("\nEnded.\n")
    assert [file.name for file in cache.iterdir()] == ["synthetic.safetensors"]


@pytest.mark.usefixtures("ended_at_once", "opened", "mnist")
def test_real_digits_are_preferred(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--port", "0"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "MNIST from a folder" in captured.out
    assert [file.name for file in cache.iterdir()] == ["mnist.safetensors"]


def test_the_second_start_takes_what_the_first_has_kept(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, about = program.own_model()
    capsys.readouterr()
    second, again = program.own_model()
    captured = capsys.readouterr()
    assert "Epoch" not in captured.out
    assert str(cache / "synthetic.safetensors") in captured.out
    assert "synthetic digits" in about
    assert about == again
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_retrain_trains_anew(capsys: pytest.CaptureFixture[str]) -> None:
    program.own_model()
    capsys.readouterr()
    program.own_model(retrain=True)
    assert "Epoch 5/5" in capsys.readouterr().out


def test_a_network_of_synthetic_digits_gives_way_to_real_ones_that_are_named(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.own_model()
    request.getfixturevalue("mnist")
    assert "synthetic" in program.own_model()[1]
    monkeypatch.setenv("FASTNET_DATA", "somewhere")
    assert "60,000 handwritten" in program.own_model()[1]


def test_a_damaged_network_is_trained_anew(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program.own_model()
    file = cache / "synthetic.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    capsys.readouterr()
    program.own_model()
    assert "of an earlier start cannot be used" in capsys.readouterr().err
    assert file.stat().st_size == len(whole)


def test_a_cache_that_cannot_be_written_is_no_hindrance(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("a file where the folder should be")
    model, _ = program.own_model()
    assert model.built
    assert "could not be kept" in capsys.readouterr().err


@pytest.mark.usefixtures("ended_at_once", "opened")
def test_a_model_of_ones_own_is_taken(
    model_file: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []
    monkeypatch.setattr(program, "serve", lambda text, *others: pages.append(text))
    assert program.main([str(model_file)]) == 0
    assert "From mine.safetensors." in pages[0]
    assert "Epoch" not in capsys.readouterr().out
    assert not cache.exists()


@pytest.mark.parametrize("trouble", ["absent", "ending", "damaged", "unsuitable", "untrained", "weights"])
def test_a_model_that_cannot_be_used_is_an_error(
    trouble: str, tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / ("m.txt" if trouble == "ending" else "m.safetensors")
    inputs = 783 if trouble == "unsuitable" else 784
    model = Sequential([layers.Input((inputs,)), layers.Dense(10, activation="softmax")])
    if trouble in ("unsuitable", "untrained"):
        model.save(file)
    elif trouble == "weights":
        file = tmp_path / "m.weights.safetensors"
        model.save_weights(file)
    elif trouble != "absent":
        file.write_bytes(b"no model")
    assert program.main([str(file)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert (captured.out, opened) == ("", [])


@pytest.mark.usefixtures("ended_at_once", "opened")
def test_control_characters_in_names_are_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(model: Sequential, path: Path) -> None:
        raise OSError(f"{path} cannot be written")

    file = tmp_path / "a\x1b[31m\nb.safetensors"
    assert program.main([str(file)]) == 1
    file.write_bytes(b"no model")
    assert program.main([str(file)]) == 1
    assert capsys.readouterr().err.count("\n") == 2
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "\x1b[31m"))
    program.own_model()
    kept = program.cache_path("synthetic")
    program.own_model()
    kept.write_bytes(b"no model")
    monkeypatch.setattr(Sequential, "save", unable)
    program.own_model()
    captured = capsys.readouterr()
    assert "The network of an earlier start, from " in captured.out
    assert "cannot be used" in captured.err
    assert "could not be kept" in captured.err
    assert "\x1b[31m" not in captured.out + captured.err


@pytest.mark.usefixtures("ended_at_once")
def test_a_port_in_use_is_told_with_the_one_taken(
    model_file: Path, capsys: pytest.CaptureFixture[str], opened: list[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert program.main([str(model_file), "--port", str(port)]) == 0
    out = capsys.readouterr().out
    found = re.search(rf"^Port {port} cannot be had \(.*in use.*\); took (\d+) instead\.$", out, re.MULTILINE)
    assert found
    assert opened == [f"http://127.0.0.1:{found[1]}/"]


@pytest.mark.usefixtures("ended_at_once")
def test_no_browser_opens_none(model_file: Path, capsys: pytest.CaptureFixture[str], opened: list[str]) -> None:
    assert program.main([str(model_file), "--port", "0", "--no-browser"]) == 0
    assert "Draw a digit at http://127.0.0.1:" in capsys.readouterr().out
    assert opened == []


@pytest.mark.parametrize("kind", ["none", "in the terminal", "chosen", "a window"])
def test_a_browser_is_opened_if_there_is_one(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    classes = {"none": None, "a window": webbrowser.BackgroundBrowser}
    browser = classes.get(kind, webbrowser.GenericBrowser)

    def get(using: str | None = None) -> Any:
        if browser is None:
            raise webbrowser.Error("could not locate runnable browser")
        return browser("nonesuch")

    monkeypatch.setattr(webbrowser, "get", get)
    monkeypatch.setattr(webbrowser.GenericBrowser, "open", lambda self, url, *others: opened.append(url))
    monkeypatch.setattr(webbrowser.BackgroundBrowser, "open", lambda self, url, *others: opened.append(url))
    monkeypatch.setenv("BROWSER", "mine" if kind == "chosen" else "")
    program.open_browser("http://127.0.0.1:1/")
    for _ in range(100):
        if opened or kind in ("none", "in the terminal"):
            break
        signal.sigtimedwait([], 0.02)
    assert opened == (["http://127.0.0.1:1/"] if kind in ("chosen", "a window") else [])


@pytest.mark.parametrize("value", ["-1", "65536", "x", "", "1.5", "³", "9" * 5000])
def test_a_bad_port_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        program.main([f"--port={value}"])
    assert exited.value.code == 2
    assert "--port" in capsys.readouterr().err.splitlines()[-1]


def test_help_tells_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        program.main(["--help"])
    out = capsys.readouterr().out
    assert exited.value.code == 0
    for option in ("--port", "--no-browser", "--retrain"):
        assert re.search(rf"^  {option} ", out, re.MULTILINE)


def test_ctrl_c_in_the_training_ends_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "trained", interrupted)
    assert program.main([]) == 130
    assert capsys.readouterr().err.endswith("\ninterrupted\n")


@pytest.fixture
def process(model_file: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", START, str(model_file), "--port", "0", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    with process:
        yield process
        process.kill()


def test_it_serves_until_ctrl_c_and_ends_cleanly(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == "\n"
    address = process.stdout.readline().split()[-1]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=20) as answer:
        assert answer.read().startswith(b"<!doctype html>")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert process.stderr.read() == ""
    assert process.stdout.read().endswith("Ended.\n")
