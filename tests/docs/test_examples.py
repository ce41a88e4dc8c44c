"""The examples in docs/examples, each run as a program, and held to what it promises. Without MNIST on drawn digits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
PROMISED = {
    "classic_mlp": (["--epochs", "1"], r"test accuracy (\S+)", 0.95),
    "regression": ([], r"mean distance from the curve: (\S+)", -0.05),
    "custom_layer": ([], r"accuracy (\S+);", 0.97),
    "custom_loss": ([], r"trained with the quantile loss: (\S+)% lie below", 85),
    "learning_rate_schedule": (["--epochs", "2"], r"falling along a cosine +test loss \S+, test accuracy (\S+)", 0.94),
    "early_stopping": ([], r"test accuracy (\S+)", 0.85),
    "sweep": (["--epochs", "1", "--examples", "6000"], r"accuracy on the test set: (\S+)", 0.8),
}


def run(name: str, *arguments: str, folder: Path) -> str:
    # Nothing in the user's folders, and no network: only FASTNET_DATA can name real digits.
    environment = os.environ | {"HOME": str(folder), "XDG_CACHE_HOME": str(folder), "https_proxy": "http://127.0.0.1:9"}
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


def test_every_example_is_here_and_on_the_page() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert names == set(PROMISED)
    page = (FOLDER / "index.md").read_text()
    assert set(re.findall(r"{literalinclude} (\w+)\.py", page)) == names


@pytest.mark.parametrize("name", PROMISED)
def test_it_keeps_its_promise(name: str, tmp_path: Path) -> None:
    """A negative bound is the most that there may be, any other the least."""
    arguments, pattern, bound = PROMISED[name]
    output = run(name, *arguments, folder=tmp_path)
    found = re.search(pattern, output)
    assert found is not None, output
    number = float(found[1])
    assert number <= -bound if bound < 0 else number >= bound, output


def test_the_layers_gradients_agree(tmp_path: Path) -> None:
    output = run("custom_layer", folder=tmp_path)
    assert output.count("agrees") == 5
    assert "DIFFERS" not in output


def test_the_quantile_loss_is_not_the_mean(tmp_path: Path) -> None:
    below = re.findall(r"(\S+)% lie below", run("custom_loss", folder=tmp_path))
    assert float(below[0]) == pytest.approx(90, abs=5)
    assert float(below[1]) == pytest.approx(50, abs=5)


def test_the_best_model_is_kept(tmp_path: Path) -> None:
    output = run("early_stopping", "--folder", str(tmp_path), folder=tmp_path)
    assert "the file has the same weights as the model: True" in output
    assert (tmp_path / "best.safetensors").stat().st_size > 1_000_000
    losses = [float(loss) for loss in re.search(r"by epoch: (.*)", output)[1].split()]  # type: ignore[index]
    best = int(re.search(r"epoch (\d+) was the best", output)[1])  # type: ignore[index]
    assert losses[best - 1] == min(losses)
    assert len(losses) == best + 3


def test_the_sweep_is_ranked(tmp_path: Path) -> None:
    output = run("sweep", "--epochs", "1", "--examples", "2000", folder=tmp_path)
    ranked = [float(line.split()[3]) for line in output.splitlines() if re.match(r" +\d+ +\d\.\d", line)]
    assert len(ranked) == 12
    assert ranked == sorted(ranked, reverse=True)
