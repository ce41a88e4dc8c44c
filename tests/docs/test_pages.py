"""The pages of docs/: their Python runs, and what they show as its output is what it prints, to the character.

The blocks of a page that are marked `python` run in order in one namespace; a block marked `output` right after one is
what it prints. If a block ends in an error, that is the last line. Code of other libraries is marked `py` and not run.

    python tests/docs/test_pages.py            compares
    python tests/docs/test_pages.py --write    puts what was printed into the pages
"""

import contextlib
import difflib
import io
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

import fastnet
from fastnet import kernels

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page.name for page in DOCS.glob("*.md"))
NEED_MNIST = {"tutorial.md"}
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```\n(?:\n*^```output\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def as_it_runs(page: str) -> tuple[str, str]:
    """The page's text as it is, and as it would be if each output were what is printed here and now."""
    text = (DOCS / page).read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "__main__"}
    parts, end = [], 0
    for block in BLOCK.finditer(text):
        code, printed = block[1], io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n", write_through=True)
        line = text.count("\n", 0, block.start(1))
        with contextlib.redirect_stdout(printed):
            try:
                exec(compile("\n" * line + code, str(DOCS / page), "exec"), namespace)
            except Exception as error:
                print(f"{type(error).__name__}: {error}")
        output = printed.buffer.getvalue().decode()
        shown = f"\n```output\n{output}```\n" if output else ""
        parts += [text[end : block.end(1)], "```\n", shown]
        end = block.end()
    return text, "".join(parts) + text[end:]


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
    text, now = as_it_runs(page)
    difference = "\n".join(difflib.unified_diff(text.splitlines(), now.splitlines(), "shown", "printed", "", "", 2, ""))
    assert not difference, f"docs/{page} is out of date; python tests/docs/test_pages.py --write mends it\n{difference}"


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
