"""The pages on how it works: quotations are the sources', examples run, drawings are legible, the exercise is true."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from fastnet import Sequential, datasets, kernels
from fastnet.activations import Activation
from fastnet.kernels import reference
from fastnet.layers import Dense
from fastnet.utils import to_categorical

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "how-it-works").glob("*.md"))
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
EXERCISE = ROOT / "docs" / "how-it-works" / "exercise.md"
SVG = "{http://www.w3.org/2000/svg}"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
each_drawing = pytest.mark.parametrize("drawing", sorted(PAGES[0].parent.glob("*.svg")), ids=lambda file: file.stem)


class Block(NamedTuple):
    """Code between fences: its language, the file that it is from, and its lines."""

    language: str
    source: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


def bare(text: str) -> list[str]:
    """The lines without what is only layout."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def place_of(part: list[str], lines: list[str], start: int) -> int:
    """Where `part` ends in `lines` from `start` on, or -1."""
    for i in range(start, len(lines) - len(part) + 1):
        if lines[i : i + len(part)] == part:
            return i + len(part)
    return -1


# The text -------------------------------------------------------------------------------------------------------------


@each_page
def test_a_quotation_is_what_the_source_says(page: Path) -> None:
    for block in blocks(page):
        if not block.source or block.language == "diff":
            continue
        lines, at = bare((ROOT / block.source).read_text(encoding="utf-8")), 0
        for part in re.split(r"^\.\.\.\n", block.text, flags=re.MULTILINE):
            at = place_of(bare(part), lines, at)
            assert at >= 0, f"{page.name} quotes what {block.source} no longer says; put in what it says now:\n{part}"


def test_every_kernel_page_quotes_its_kernel_and_its_twin() -> None:
    for name in ("gemm", "csr", "softmax", "losses", "update", "activation", "dropout"):
        sources = {block.source for block in blocks(PAGES[0].parent / f"{name}.md")}
        assert {f"fastnet/kernels/{name}.pxi", "fastnet/kernels/reference.py"} <= sources


@each_page
def test_figures_are_those_of_the_performance_page(page: Path) -> None:
    measured = " ".join((ROOT / "docs" / "performance.md").read_text(encoding="utf-8").split())
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for quotation in re.findall(r"(?:^> .*\n)+", prose, re.MULTILINE):
        assert " ".join(quotation.replace("\n> ", "\n").removeprefix("> ").split()) in measured


@each_page
def test_examples_print_what_is_shown(page: Path, threads: Callable[[int], None]) -> None:
    text = "\n".join(block.text for block in blocks(page) if block.language == "pycon")
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    failed, tried = doctest.DocTestRunner(verbose=False).run(test)
    assert failed == 0
    assert tried == text.count(">>> ")


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.is_file(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles], target


def test_the_overview_leads_to_every_page() -> None:
    text = (PAGES[0].parent / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.name != "index.md" and f"({page.name})" not in text] == []


def test_the_kernels_readme_names_the_lines_of_the_functions() -> None:
    folder = ROOT / "fastnet" / "kernels"
    text = (folder / "README.md").read_text(encoding="utf-8")
    places = re.findall(r"`(\w+)` \[(\w+\.pxi):(\d+)\]\((\w+\.pxi)#L(\d+)\)", text)
    assert {"gemm_bias_act", "softmax_crossentropy", "rmsprop_step"} <= {name for name, *_ in places}
    for name, file, line, target, anchor in places:
        assert (file, line) == (target, anchor)
        lines = (folder / file).read_text(encoding="utf-8").splitlines()
        found = [str(i) for i, code in enumerate(lines, 1) if re.match(rf"(cdef|def)\b.*\b{name}\(", code)]
        assert found == [line], f"{name} begins in {file} at line {found}, and not at {line} as README.md says"
    first_table = text[text.index("| kernel |") : text.index("All files:")]
    assert len(re.findall(r"\[\w+\.pxi:\d+\]", first_table)) == len(places)
    assert text.index("| kernel |") == text.index("\n| ") + 1


# What is said about a step --------------------------------------------------------------------------------------------


def test_a_step_calls_the_kernels_that_the_overview_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    (x, y), _ = datasets.synthetic.load_data()
    model = Sequential([Dense(512, "relu"), Dense(10, "softmax")])
    model.compile("rmsprop", "categorical_crossentropy")
    called: list[str] = []

    def noted(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: [called.append(name), kernel(*arguments)][1]

    for name in kernels.NAMES:
        monkeypatch.setattr(kernels, name, noted(name, getattr(kernels, name)))
    x, y = x[:128].reshape(128, 784).astype(np.float32) / 255, to_categorical(y[:128], 10)
    model.fit(x, y, batch_size=128, epochs=1, verbose=0)
    text = (PAGES[0].parent / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \d \| `(\w+)`", text, re.MULTILINE)
    others = ("csr_count", "csr_compress", "all_finite", "shuffle", "gather", "mark_update", "add_rows", "accumulate")
    assert [name for name in called if name not in others] == listed
    assert called.count("gather") == called.count("add_rows") == called.count("accumulate") == 1
    assert f"{model.count_params():,} weights" in text


class Counted(np.ndarray):
    """Counts how often an array of its size is read and written."""

    passes = 0

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = (), **kwargs: Any) -> Any:
        Counted.passes += sum(isinstance(x, Counted) for x in inputs) + 1
        plain = [np.asarray(x) if isinstance(x, Counted) else x for x in inputs]
        if out:
            getattr(ufunc, method)(*plain, out=tuple(np.asarray(x) for x in out), **kwargs)
            return out[0]
        return getattr(ufunc, method)(*plain, **kwargs).view(Counted)

    def __setitem__(self, key: Any, value: Any) -> None:
        Counted.passes += 2
        super().__setitem__(key, value)


def test_the_passes_of_the_numpy_step_are_counted_right() -> None:
    w, g, s = (np.ones(4).view(Counted) for _ in range(3))
    reference.update(kernels.RMSPROP, w, g, s, s, np.array([0.001, 0.9, 0, 1e-7, 0]))
    text = (PAGES[0].parent / "update.md").read_text(encoding="utf-8")
    assert f"{Counted.passes} x 1.6 = {Counted.passes * 784 * 512 * 4 / 1e6:.1f} MB" in text


def test_what_is_said_of_the_digits_is_so(mnist_folder: Path) -> None:
    (x, _), _ = datasets.mnist.load_data()
    is_ink = x.reshape(len(x), 784)[np.random.default_rng(0).permutation(len(x))[: 128 * 400]] != 0
    batches = is_ink.reshape(400, 128, 784)
    lengths = batches.sum(axis=2)

    def common(fours: NDArray[Any]) -> float:
        """The share of the numbers that go side by side."""
        return float(4 * fours.reshape(-1, 4).min(axis=1).sum() / fours.sum())

    text = (PAGES[0].parent / "csr.md").read_text(encoding="utf-8")
    assert f"{common(np.sort(lengths)):.0%}".replace("%", " %") + " of all numbers are in the common part" in text
    assert f"Without sorting it is {common(lengths):.0%}".replace("%", " %") in text
    assert "A batch has 19,200 entries" in text
    assert batches.sum() / 400 == pytest.approx(19_200, rel=0.005)
    assert "257 of 784 on average" in text
    assert (~batches.any(axis=1)).sum() / 400 == pytest.approx(257, abs=1.5)
    assert "51.4 million dense, 9.8 million here" in text
    assert (128 * 784 * 512, batches.sum() / 400 * 512) == pytest.approx((51.4e6, 9.8e6), rel=0.005)


# The drawings ---------------------------------------------------------------------------------------------------------


@each_drawing
def test_a_drawing_can_be_read_on_a_phone_in_the_dark_and_aloud(drawing: Path) -> None:
    root = ElementTree.fromstring(drawing.read_text(encoding="utf-8"))
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    assert width <= 400  # so that text of 12 units is 11 pixels high on a phone
    for part in ("title", "desc"):
        assert len(root.findtext(f"{SVG}{part}") or "") > 10
    style = root.findtext(f"{SVG}style") or ""
    assert "font:12px" in style
    assert "fill:currentColor" in style
    rules = re.findall(r"^[^@}\n]+(?=\{)", style, re.MULTILINE)
    assert all(rule.startswith(f"#{root.attrib['id']} ") for rule in rules)  # it may be part of a page
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.attrib["x"]) <= width
        assert 0 <= float(text.attrib["y"]) <= height
    pages = [page for page in PAGES if f"]({drawing.name})" in page.read_text(encoding="utf-8")]
    assert pages, "no page shows it"
    assert re.search(rf"!\[[^\]]{{20,}}\]\({drawing.name}\)", pages[0].read_text(encoding="utf-8")), (
        "says nothing aloud"
    )


# The exercise ---------------------------------------------------------------------------------------------------------


def apply(diff: str, text: str) -> str:
    """The text with the changes of a page's diff: hunks between @@, each found by its lines after the one before."""
    at = 0
    for hunk in re.split(r"^@@\n", diff, flags=re.MULTILINE):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        at = text.find(old, at)
        assert at >= 0, f"not in the file any more:\n{old}"
        text = text[:at] + new + text[at + len(old) :]
        at += len(new)
    return text


def test_the_solutions_fit_the_sources() -> None:
    for block in blocks(EXERCISE):
        if block.language == "diff":
            text = apply(block.text, (ROOT / block.source).read_text(encoding="utf-8"))
            assert all(len(line) <= 121 for line in block.text.splitlines())  # with the sign before it
            if block.source.endswith(".py"):
                compile(text, block.source, "exec")


def test_the_classes_of_the_exercise_have_the_gradient_that_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    made = []
    for block in blocks(EXERCISE):
        if block.language == "python" and not block.source and "        ...\n" not in block.text:
            namespace: dict[str, Any] = {}
            exec(compile(block.text, EXERCISE.name, "exec"), namespace)
            made += [name for name, thing in namespace.items() if isinstance(thing, type) and thing is not Activation]
    assert made == ["Isru", "HardSwish"]
    printed = capsys.readouterr().out
    assert (printed.count("agrees"), printed.count("DIFFERS")) == (8, 0)


@pytest.mark.timeout(600)
def test_the_exercises_solution_works(tmp_path: Path) -> None:
    for name in ("Cython", "setuptools"):
        pytest.importorskip(
            name, reason=f"needs {name}, which builds the kernels: python -m pip install Cython setuptools"
        )
    unbuilt = shutil.ignore_patterns("*.so", "*.c", "__pycache__")
    for folder in ("fastnet", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=unbuilt)
    for file in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tmp_path)
    diffs = [(title, text) for language, title, text in blocks(EXERCISE) if language == "diff"]
    assert len(diffs) == 8
    for title, text in diffs:
        path = tmp_path / title
        path.write_text(apply(text, path.read_text(encoding="utf-8")), encoding="utf-8")

    def run(*command: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    run("setup.py", "-q", "build_ext", "--inplace")
    files = ("test_activations.py", "kernels/test_activation.py", "kernels/test_guard_pages.py")
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"tests/{file}" for file in files))
    code = """
import numpy as np, fastnet
fastnet.utils.set_random_seed(1)
x = np.random.default_rng(0).standard_normal((32, 6)).astype("float32")
y = fastnet.utils.to_categorical(np.arange(32) % 3)
model = fastnet.Sequential([fastnet.layers.Dense(8, "isru"), fastnet.layers.Dense(3, "softmax")])
model.compile("rmsprop", "categorical_crossentropy")
assert model.check_gradients(x, y)
"""
    run("-c", code)
    assert kernels.backend == "compiled"
