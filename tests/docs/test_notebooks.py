"""The notebooks in docs/notebooks: they run as they are, and print what they have kept and conclude."""

from __future__ import annotations

import asyncio
import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from fastnet import kernels

nbformat = pytest.importorskip("nbformat", reason="needs nbclient and ipykernel, which are not installed")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel, which are not installed")
pytest.importorskip("ipykernel", reason="needs nbclient and ipykernel, which are not installed")
pytest.importorskip("matplotlib", reason="needs matplotlib, which is not installed")

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"


def printed(notebook: Any) -> list[str]:
    """What each cell prints."""
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return ["".join(out.text for out in cell.outputs if out.output_type == "stream") for cell in cells]


def pictures(notebook: Any) -> int:
    return sum("image/png" in out.get("data", {}) for cell in notebook.cells for out in cell.get("outputs", []))


def run(name: str, folder: Path) -> tuple[Any, Any]:
    """The notebook as it is kept, and as it comes out of a new run."""
    kept = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    fresh = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the kernel's machinery are not ours
        client = nbclient.NotebookClient(
            fresh, timeout=250, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        asyncio.run(client.async_execute())
    return kept, fresh


@pytest.mark.parametrize("name", ["tutorial", "width_depth_dropout"])
def test_it_is_fit_to_be_kept(name: str) -> None:
    path = FOLDER / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < 500_000
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(not cell.metadata for cell in notebook.cells)
    assert not re.search(r"/(home|root|Users|work|tmp)/", path.read_text())


@pytest.mark.usefixtures("mnist_folder")
@pytest.mark.parametrize("name", ["tutorial", "width_depth_dropout"])
def test_it_runs_and_prints_what_it_has_kept(name: str, tmp_path: Path) -> None:
    if kernels.isa == "baseline" or kernels.backend == "reference":
        pytest.skip("its numbers are those of kernels that multiply and add with one rounding")
    kept, fresh = run(name, tmp_path)
    assert printed(fresh) == printed(kept)
    assert pictures(fresh) == pictures(kept) > 1


def test_its_conclusions_are_true_of_its_results() -> None:
    notebook = nbformat.read(FOLDER / "width_depth_dropout.ipynb", as_version=4)
    text = "".join(printed(notebook))
    width = {
        int(w): (float(a), float(s)) for w, a, s in re.findall(r"(\d+) units: .*validation (\S+) %.*?(\d\.\d+)\)", text)
    }
    assert (f"{100 - width[8][0]:.1f}", f"{100 - width[512][0]:.1f}") == ("9.6", "4.0")
    depth = [(float(a), float(s)) for a, s in re.findall(r"of 128: .*validation (\S+) %.*?(\d\.\d+)\)", text)]
    assert depth[1][0] - depth[0][0] < depth[0][1]
    assert f"{depth[2][0] - depth[0][0]:.1f}" == "0.8"
    rates = re.findall(r"(\d+) units, validation: 0.0: (\S+) %, 0.2: (\S+) %, 0.4: (\S+) %, 0.6: (\S+) %", text)
    for units, *accuracies in rates:
        first, *rest = map(float, accuracies)
        assert f"{max(rest) - first:.1f}" == {"32": "0.7", "512": "0.2"}[units]
        assert max(rest) - first < width[int(units)][1]


if __name__ == "__main__":  # writes the outputs anew
    for each in ("tutorial", "width_depth_dropout"):
        done = run(each, FOLDER)[1]
        for cell in done.cells:
            cell.metadata = {}
        done.metadata.language_info = {"name": "python"}
        nbformat.write(done, FOLDER / f"{each}.ipynb")
