"""The pages of docs/: their Python runs, and what they show as its output is what it prints, to the character.

The file pages.py says how a page runs. The pages in docs/elsewhere need other programs: tests/elsewhere/test_pages.py.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import BLOCK, DOCS, as_it_runs, check_page

from fastnet import kernels
from fastnet.datasets import mnist

PAGES = sorted(page.name for page in DOCS.glob("*.md"))
NEED_MNIST = {"tutorial.md"}


@pytest.fixture
def no_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No folder is named, no cache is there, and no mirror answers."""
    monkeypatch.delenv("FASTNET_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/",))


@pytest.fixture
def real_digits(mnist_folder: Path) -> mnist.Data:
    return mnist.load_data(mnist_folder)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_its_code_prints(
    page: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if page in NEED_MNIST:
        if kernels.isa == "baseline" or kernels.backend == "reference":
            pytest.skip("its numbers are those of kernels that multiply and add with one rounding")
        monkeypatch.setenv("FASTNET_DATA", str(request.getfixturevalue("mnist_folder").resolve()))
    request.getfixturevalue("threads")  # puts their number back
    monkeypatch.chdir(tmp_path)
    check_page(page)


def _outputs_of(text: str) -> list[str]:
    return [block["output"] or "" for block in BLOCK.finditer(text)]


def test_the_tutorial_starts_without_mnist_and_says_so(no_mnist: None, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    outputs = _outputs_of(as_it_runs("tutorial.md")[1])
    assert outputs[0] == "MNIST was not found: these are digits drawn by a program, and the numbers will differ.\n"
    assert outputs[1].startswith("47,040,016 bytes")
    assert not re.search(r"(?m)^\w*(Error|Exception): ", "".join(outputs))
    accuracy = re.findall(r"test +loss \S+, accuracy (\S+)", "".join(outputs))
    assert float(*accuracy) > 0.95


@pytest.mark.parametrize("place", ["FASTNET_DATA", "fastnet's cache", "Keras's cache"])
def test_the_tutorial_starts_wherever_mnist_is(
    place: str, no_mnist: None, real_digits: mnist.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from platformdirs import user_cache_path

    named = tmp_path / "named"
    file = {
        "FASTNET_DATA": named,
        "fastnet's cache": user_cache_path("fastnet") / "mnist",
        "Keras's cache": Path.home() / ".keras" / "datasets",
    }[place] / "mnist.npz"
    file.parent.mkdir(parents=True)
    (x_train, y_train), (x_test, y_test) = real_digits
    np.savez(file, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    if place == "FASTNET_DATA":
        monkeypatch.setenv(place, str(named))
    namespace: dict[str, Any] = {}
    for block in list(BLOCK.finditer((DOCS / "tutorial.md").read_text(encoding="utf-8")))[:2]:
        exec(block["code"], namespace)
    assert np.array_equal(namespace["x_train"], x_train)
    header = bytes.fromhex("00 00 08 03 00 00 ea 60 00 00 00 1c 00 00 00 1c")
    assert namespace["raw"] == header + x_train.tobytes()


@pytest.mark.parametrize("name", ["tutorial", "width_depth_dropout"])
def test_a_notebook_finds_digits_without_mnist_and_says_so(
    name: str, no_mnist: None, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib, which is not installed")
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    cells = json.loads((DOCS / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    namespace: dict[str, Any] = {}
    with mpl.rc_context({"backend": "Agg"}):
        for source in sources[: 1 + next(i for i, source in enumerate(sources) if "load_data" in source)]:
            exec(source, namespace)
        plt.close("all")
    assert capsys.readouterr().out.startswith("MNIST was not found: these are digits drawn by a program")
    assert len(namespace["x_train"]) in (10000, 60000)


def test_no_page_reads_what_only_its_author_has() -> None:
    """The environment, and folders of one machine; `load_data` and its errors tell everybody what to do."""
    files = [file for kind in ("*.md", "*.py", "*.ipynb") for file in DOCS.rglob(kind) if file.name != "conf.py"]
    for file in [*files, DOCS.parent / "README.md"]:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"os\.environ|getenv|expanduser|['\"(](~|/home|/Users|/work|/tmp)/", text), file
