"""The pages on the kernels: what they quote is in the source, what they show is printed, the exercise can be done."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastnet import kernels

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "how-it-works").glob("*.md"))
FENCE = re.compile(r'^```(\w+)(?: title="([^"]*)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
EXERCISE = ROOT / "docs" / "how-it-works" / "exercise.md"


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Language, title and text of each fenced block."""
    return (found.groups(default="") for found in FENCE.finditer(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_quoted_is_in_the_source(page: Path) -> None:
    for language, title, text in blocks(page):
        if title and language != "diff":
            source = (ROOT / title).read_text(encoding="utf-8")
            for part in re.split(r"^ *# \.\.\.\n|^ *\.\.\.\n", text, flags=re.MULTILINE):
                assert part.strip("\n") in source, f"{page.name} quotes what is not in {title}:\n{part}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_shown_is_printed(page: Path) -> None:
    examples = "\n".join(text for language, _, text in blocks(page) if language == "pycon")
    test = doctest.DocTestParser().get_doctest(examples, {}, page.name, str(page), 0)
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed == 0


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


@pytest.mark.timeout(600)
def test_the_exercises_solution_works(tmp_path: Path) -> None:
    unbuilt = shutil.ignore_patterns("*.so", "*.c", "__pycache__")
    for folder in ("fastnet", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=unbuilt)
    for file in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tmp_path)
    diffs = [(title, text) for language, title, text in blocks(EXERCISE) if language == "diff"]
    assert len(diffs) == 7
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
