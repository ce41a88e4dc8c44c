"""The pages of docs/: their Python runs, and what they show as its output is what it prints, to the character.

The blocks of a page that are marked `python` run in order in one namespace; a block marked `output` right after one is
what it prints. If a block ends in an error, that is the last line. Code of other libraries is marked `py` and not run.
A block whose title is a file's name is that file. A block marked `sh` runs in a shell, in the folder of these files.
The pages in docs/elsewhere need other programs: tests/elsewhere/test_pages.py runs them.

    python tests/docs/test_pages.py            compares
    python tests/docs/test_pages.py --write    puts what was printed into the pages
    python tests/docs/test_pages.py --write elsewhere/index.md    does so with this page only
"""

import contextlib
import difflib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnet
from fastnet import kernels
from fastnet.datasets import mnist

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page.name for page in DOCS.glob("*.md"))
NEED_MNIST = {"tutorial.md"}
BLOCK = re.compile(
    r"^```(?P<language>python|sh)\b[^\n]*\n(?P<code>.*?)^```\n(?:\n*^```output\n(?P<output>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
FILE = re.compile(r'^```\w+ title="(?P<name>[\w-]+\.\w+)"\n(?P<content>.*?)^```\n', re.DOTALL | re.MULTILINE)


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


def as_it_runs(page: str) -> tuple[str, str]:
    """The page's text as it is, and as it would be if each output were what is printed here and now."""
    text = (DOCS / page).read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for file in FILE.finditer(text):
        Path(file["name"]).write_text(file["content"], encoding="utf-8")
    parts, end = [], 0
    for block in BLOCK.finditer(text):
        code, printed = block["code"], io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n", write_through=True)
        line = text.count("\n", 0, block.start("code"))
        with contextlib.redirect_stdout(printed):
            try:
                if block["language"] == "sh":
                    print(in_a_shell(code), end="")
                else:
                    exec(compile("\n" * line + code, str(DOCS / page), "exec"), namespace)
            except Exception as error:
                print(f"{type(error).__name__}: {error}")
        output = printed.buffer.getvalue().decode()
        shown = f"\n```output\n{output}```\n" if output else ""
        parts += [text[end : block.end("code")], "```\n", shown]
        end = block.end()
    return text, "".join(parts) + text[end:]


def in_a_shell(code: str) -> str:
    """What the commands print, the errors too. `python` is this one, and also root may start several processes."""
    mpi = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-ec", code], env=os.environ | mpi | {"PATH": path}, text=True, timeout=200, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout + (f"(exit status {done.returncode})\n" if done.returncode else "")


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


def check_page(page: str) -> None:
    """Fails if the page shows other outputs than its code prints here and now."""
    text, now = as_it_runs(page)
    difference = "\n".join(difflib.unified_diff(text.splitlines(), now.splitlines(), "shown", "printed", "", "", 2, ""))
    assert not difference, f"docs/{page} is out of date; python tests/docs/test_pages.py --write mends it\n{difference}"


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


def main(arguments: list[str]) -> int:
    """Compares the pages, or writes their outputs; returns how many differ."""
    if not os.environ.get("FASTNET_DATA"):
        print("set FASTNET_DATA to a folder with MNIST's four files", file=sys.stderr)
        return 2
    os.environ["FASTNET_DATA"] = os.path.abspath(os.environ["FASTNET_DATA"])
    warnings.simplefilter("error")
    different = 0
    for page in [name for name in arguments if name != "--write"] or PAGES:
        threads = fastnet.get_num_threads()
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            text, now = as_it_runs(page)
        fastnet.set_num_threads(threads)
        if now != text:
            different += 1
            print(page, "differs")
            if "--write" in arguments:
                (DOCS / page).write_text(now, encoding="utf-8")
    return 0 if "--write" in arguments else different


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
