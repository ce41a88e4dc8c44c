"""The pages in docs/elsewhere, whose code needs other programs: they show what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import DOCS, check_page


@pytest.mark.parametrize("page", sorted(page.name for page in DOCS.glob("elsewhere/*.md")))
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, about its own variables
def test_a_page_shows_what_its_code_prints(page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    check_page(f"elsewhere/{page}")
