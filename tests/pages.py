"""Runs the code of a page of docs/, and compares what it prints with what the page shows.

The blocks of a page that are marked `python` run in order in one namespace; a block marked `output` right after one is
what it prints. If a block ends in an error, that is the last line. Code of other libraries is marked `py` and not run.
A block whose title is a file's name is that file. A block marked `sh` runs in a shell, in the folder of these files.

    python tests/pages.py            compares
    python tests/pages.py --write    puts what was printed into the pages
    python tests/pages.py --write elsewhere/index.md    does so with this page only
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import fastnet

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(
    r"^```(?P<language>python|sh)\b[^\n]*\n(?P<code>.*?)^```\n(?:\n*^```output\n(?P<output>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
FILE = re.compile(r'^```\w+ title="(?P<name>[\w-]+\.\w+)"\n(?P<content>.*?)^```\n', re.DOTALL | re.MULTILINE)


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
    """What the commands print, the errors too.

    `python` is this one. Root, too, may start several processes with mpirun. R uses the Python that FASTNET_R_PYTHON
    names, and finds the file of helpers.
    """
    for helpers in DOCS.glob("examples/*.R"):
        shutil.copy(helpers, ".")
    others = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    others |= {"OMPI_MCA_rmaps_base_oversubscribe": "1", "RETICULATE_PYTHON": os.environ.get("FASTNET_R_PYTHON", "")}
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-ec", code], env=os.environ | others | {"PATH": path}, text=True, timeout=200, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout + (f"(exit status {done.returncode})\n" if done.returncode else "")


def check_page(page: str) -> None:
    """Fails if the page shows other outputs than its code prints here and now."""
    text, now = as_it_runs(page)
    difference = "\n".join(difflib.unified_diff(text.splitlines(), now.splitlines(), "shown", "printed", "", "", 2, ""))
    assert not difference, f"docs/{page} is out of date; python tests/pages.py --write mends it\n{difference}"


def main(arguments: list[str]) -> int:
    """Compares pages, by default those of docs/ itself, or writes their outputs; returns how many differ."""
    if not os.environ.get("FASTNET_DATA"):
        print("set FASTNET_DATA to a folder with MNIST's four files", file=sys.stderr)
        return 2
    os.environ["FASTNET_DATA"] = os.path.abspath(os.environ["FASTNET_DATA"])
    warnings.simplefilter("error")
    different = 0
    for page in [name for name in arguments if name != "--write"] or sorted(page.name for page in DOCS.glob("*.md")):
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
