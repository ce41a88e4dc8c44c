"""How fastnet is built, packed and installed."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = (".ci", "bench", "docs", "fastnet", "tests")
FILES = ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "pyproject.toml", "setup.py")


def test_no_text_says_to_install_what_belongs_to_another_project() -> None:
    """`fastnet` on the package index is not this project, and a bare `pip` may be another Python's."""
    found = []
    files = [ROOT / name for name in FILES]
    for folder in FOLDERS:
        files += [path for path in (ROOT / folder).rglob("*") if path.suffix not in (".png", ".so", ".pyc", ".c")]
    for path in files:
        if path.is_file() and path != Path(__file__):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                bare = re.search(r"(?<!python -m )\bpip3? install\b(?! \.\")", line)
                named = re.search(r"pip install[^`#\n]*\bfastnet(?!-mlp)\b|\bfastnet\[\w+[\w,]*\]['\"`]", line)
                if bare or named:
                    found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []
