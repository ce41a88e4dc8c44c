"""The examples in docs/examples, each run as a program, and held to what it promises. Without MNIST on drawn digits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
# Name: its options here, the number that it prints, and between what that must be.
PROMISED: dict[str, tuple[list[str], str, float, float]] = {
    "classic_mlp": (["--epochs", "1"], r"test accuracy (\S+)", 0.95, 1),
    "regression": ([], r"distance from the curve: (\S+)", 0, 0.05),
    "custom_layer": ([], r"accuracy (\S+);", 0.97, 1),
    "custom_loss": ([], r"trained with the quantile loss: (\S+)% lie below", 85, 95),
    "learning_rate_schedule": (["--epochs", "2"], r"falling along a cosine .*test accuracy (\S+)", 0.94, 1),
    "early_stopping": ([], r"test accuracy (\S+)", 0.85, 1),
    "in_c": (["--epochs", "1"], r"accuracy in C, integers +(\S+)", 0.9, 1),
    "sweep": (["--epochs", "1", "--examples", "6000"], r"accuracy on the test set: (\S+)", 0.8, 1),
}


def run(name: str, *arguments: str, folder: Path) -> str:
    """What the program prints. It finds nothing in the user's folders and no network, only what FASTNET_DATA names."""
    environment = os.environ | {"HOME": str(folder), "XDG_CACHE_HOME": str(folder), "https_proxy": "http://127.0.0.1:9"}
    if environment.get("FASTNET_DATA"):
        environment["FASTNET_DATA"] = os.path.abspath(environment["FASTNET_DATA"])
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def numbers(pattern: str, output: str) -> list[float]:
    """Those that the pattern's group, or a list of them in it, finds."""
    found = [float(number) for text in re.findall(pattern, output) for number in text.split()]
    assert found, output
    return found


def test_every_example_is_here_and_on_the_page() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert names == set(PROMISED)
    page = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert set(re.findall(r"{literalinclude} (\w+)\.py", page)) == names
    assert set(re.findall(r"{literalinclude} (\w+\.R)", page)) == {path.name for path in FOLDER.glob("*.R")}


@pytest.mark.parametrize("name", PROMISED)
def test_it_keeps_its_promise(name: str, tmp_path: Path) -> None:
    arguments, pattern, least, most = PROMISED[name]
    output = run(name, *arguments, folder=tmp_path)
    assert least <= numbers(pattern, output)[0] <= most, output


def test_the_layers_gradients_agree_and_it_learns_which_features_matter(tmp_path: Path) -> None:
    output = run("custom_layer", folder=tmp_path)
    assert output.count("agrees") == 6
    assert "DIFFERS" not in output
    factors = numbers(r"factors: \[(.*)\]", output)
    assert min(factors[:2]) > max(factors[2:])


def test_the_quantile_loss_is_not_the_mean(tmp_path: Path) -> None:
    output = run("custom_loss", folder=tmp_path)
    assert "the gradient is that of the loss" in output
    assert numbers(r"(\S+)% lie below", output) == pytest.approx([90, 50], abs=5)


def test_the_learning_rate_falls_and_that_helps(tmp_path: Path) -> None:
    output = run("learning_rate_schedule", "--examples", "20000", "--epochs", "10", folder=tmp_path)
    rates = numbers(r"at each quarter: (.*)", output)
    assert (rates[0], rates[-1]) == (0.003, 0)
    assert rates == sorted(rates, reverse=True)
    small, large, falling = numbers(r"test loss ([\d.]+)", output)
    assert falling < min(small, large)  # so it is not the larger rate alone


def test_the_best_model_is_kept(tmp_path: Path) -> None:
    output = run("early_stopping", "--folder", str(tmp_path), folder=tmp_path)
    assert "the file has the same weights as the model: True" in output
    assert (tmp_path / "best.safetensors").stat().st_size > 1_000_000
    losses = numbers(r"by epoch: (.*)", output)
    best = int(numbers(r"epoch (\d+) was the best", output)[0])
    assert losses[best - 1] == min(losses)
    assert len(losses) in (best + 3, 100)  # three without progress, or all of them


def test_the_sweep_is_ranked(tmp_path: Path) -> None:
    output = run("sweep", "--epochs", "1", "--examples", "2000", folder=tmp_path)
    ranked = numbers(r"(?m)^ +\d+ +\d\.\d +\S+ +(\S+)$", output)
    assert len(ranked) == 12
    assert ranked == sorted(ranked, reverse=True)


def test_both_forms_in_c_are_as_good_as_fastnet(tmp_path: Path) -> None:
    output = run("in_c", "--epochs", "1", folder=tmp_path)
    ours, *in_c = numbers(r"accuracy (?:of fastnet|in C, \w+) +(\S+)", output)
    assert in_c == pytest.approx([ours, ours], abs=0.003)
