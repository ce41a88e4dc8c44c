"""The tables of names in docs/from-keras.md are those of fastnet's names now; Keras need not be installed."""

import runpy
from pathlib import Path
from typing import Any

import pytest

import fastnet

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "from-keras.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "compare_with_keras.py"))


def test_the_tables_were_made_for_these_names(script: dict[str, Any]) -> None:
    shown = next(line for line in PAGE.splitlines() if line.startswith("<!-- layers "))
    old, new = (line.strip("<>!- \n").split("; ") for line in (shown, script["fingerprints"]()))
    changed = [place for place in new if place not in old]
    assert not changed, f"changed: {changed}; with Keras installed, python docs/compare_with_keras.py mends the page"


def test_a_name_and_an_argument_less_are_noticed(script: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    before = script["fingerprint"]("losses")
    with monkeypatch.context() as patch:
        patch.setattr(fastnet.losses, "__all__", fastnet.losses.__all__[1:])
        assert script["fingerprint"]("losses") != before
    monkeypatch.setattr(fastnet.losses, "dice", lambda y_true, y_pred: 0)
    assert script["fingerprint"]("losses") != before


def test_what_differs_between_arguments(script: dict[str, Any]) -> None:
    def ours(x: Any, b: int = 1, c: int = 2, *, e: int = 0, f: int = 0) -> None: ...

    def theirs(y: Any, c: int = 3, b: int = 1, d: int = 0, e: int = 0) -> None: ...

    assert script["differences"](ours, ours) == []
    assert script["differences"](ours, theirs) == [
        "`x` instead of `y`",
        "fewer: `d`",
        "more: `f`",
        "by keyword only: `e`",
        "at another place: `b`, `c`",
        "`c`: `2`, in Keras `3`",
    ]
