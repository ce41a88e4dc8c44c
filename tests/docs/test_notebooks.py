"""The notebooks in docs/notebooks: they run as they are, print what they have kept, and conclude what is so.

FASTNET_DATA=/path/to/mnist python tests/docs/test_notebooks.py [NAME ...]    runs them and keeps the new outputs
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from fastnet import kernels

WAY = 'is not installed: python -m pip install ".[docs]"'
nbformat = pytest.importorskip("nbformat", reason=f"nbformat, which reads notebooks, {WAY}")
nbclient = pytest.importorskip("nbclient", reason=f"nbclient, which runs notebooks, {WAY}")
pytest.importorskip("ipykernel", reason=f"ipykernel, which runs notebooks, {WAY}")
pytest.importorskip("matplotlib", reason=f"matplotlib, which draws in notebooks, {WAY}")

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
NAMES = ("tutorial", "width_depth_dropout")


def kept(name: str) -> Any:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def run(name: str, folder: Path) -> Any:
    """The notebook as it comes out of a new run in `folder`; a cell that fails is an error."""
    notebook = kept(name)
    client = nbclient.NotebookClient(
        notebook, timeout=250, coalesce_streams=True, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the machinery, in this process, are not ours
        asyncio.run(client.async_execute())
    for cell in notebook.cells:
        cell.metadata = {}  # times and dates
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def printed(notebook: Any) -> str:
    return "".join(output.text for output in outputs(notebook) if output.output_type == "stream")


def pictures(notebook: Any) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_fit_to_be_kept(name: str) -> None:
    path, notebook = FOLDER / f"{name}.ipynb", kept(name)
    nbformat.validate(notebook)
    assert path.stat().st_size < 500_000
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert not any(cell.metadata for cell in notebook.cells)
    assert not re.search(r"/(home|root|Users|work|tmp)/", path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(output.output_type != "error" and output.get("name") != "stderr" for output in outputs(notebook))


def test_none_is_forgotten() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_prints_what_it_has_kept(
    name: str, mnist_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kernels.isa == "baseline" or kernels.backend == "reference":
        pytest.skip("its numbers are those of kernels that multiply and add with one rounding")
    monkeypatch.setenv("FASTNET_DATA", str(mnist_folder.resolve()))
    fresh = run(name, tmp_path)
    assert printed(fresh) == printed(kept(name))
    assert pictures(fresh) == pictures(kept(name)) == {"tutorial": 9, "width_depth_dropout": 3}[name]


def test_the_tutorial_reads_digits() -> None:
    text = printed(kept("tutorial"))
    assert float(re.findall(r"test accuracy (\S+)", text)[0]) > 0.975
    assert "predicted 7 2 1 0 4 1 4 9 5 9\ntrue      7 2 1 0 4 1 4 9 5 9" in text


def test_the_experiments_conclusions_are_true_of_its_results() -> None:
    notebook = kept("width_depth_dropout")
    text, says = printed(notebook), " ".join(notebook.cells[-1].source.split())

    def results(pattern: str) -> dict[float, tuple[float, ...]]:
        """Accuracy on training, on validation and its spread, by what is compared."""
        found = re.findall(rf"(?m)^ *{pattern}: training +(\S+) %, validation (\S+) % \(\+- (\S+)\)$", text)
        return {float(key): tuple(map(float, values)) for key, *values in found}

    width = results(r"(\d+) units")
    errors = [100 - width[2**i][1] for i in range(3, 10)]
    assert f"from {errors[0]:.1f} % to {errors[-1]:.1f} %: 64 times the units, two fifths of the errors" in says
    assert errors[-1] / errors[0] == pytest.approx(0.4, abs=0.03)
    assert all(before / 2 < after < before for before, after in itertools.pairwise(errors))
    assert width[256][0] > 99.5
    assert errors[-2] - errors[-1] > width[512][2]

    depth = results(r"128 units, hidden layers: (\d)")
    second, third = (depth[n][1] - depth[1][1] for n in (2, 3))
    assert f"gains {second:.1f} points, less than the spread with two layers" in says
    assert f"three layers the accuracy is {-third:.1f} points lower than with one, also less than the spread" in says
    assert 0 < second < depth[2][2]
    assert 0 < -third < depth[3][2]
    assert depth[3][2] > max(depth[1][2], depth[2][2])  # the runs differ most
    better = width[512][1] - depth[3][1]
    assert f"better than three of 128, by {better:.1f} points, more than the spread" in says
    assert better > max(width[512][2], depth[3][2])

    narrow, wide = (results(rf"{units} units, dropout (\S+)") for units in (32, 512))
    costs = [each[0.0][0] - each[0.6][0] for each in (wide, narrow)]
    gains = [max(each[rate][1] for rate in (0.2, 0.4, 0.6)) - each[0.0][1] for each in (wide, narrow)]
    assert f"a little with 512 units ({costs[0]:.1f} points) and much with 32 ({costs[1]:.1f} points)" in says
    assert f"it gains {gains[0]:.1f} points at best with 512 units and {gains[1]:.1f} with 32" in says
    assert gains[0] < wide[0.0][2]
    assert gains[1] < narrow[0.0][2]
    assert narrow[0.0][1] - narrow[0.6][1] > max(1, narrow[0.0][2])

    without, with_it = (list(map(float, runs.split())) for runs in re.findall(r"run by run: (.*)", text))
    low = without.index(min(without))
    _, lowest_other, *_, highest = sorted(without)
    assert lowest_other - without[low] > highest - lowest_other
    assert f"gains {with_it[low] - without[low]:.1f} points." in says


if __name__ == "__main__":
    os.environ["FASTNET_DATA"] = os.path.abspath(os.environ["FASTNET_DATA"])
    for each in sys.argv[1:] or NAMES:
        nbformat.write(run(each, FOLDER), FOLDER / f"{each}.ipynb")
