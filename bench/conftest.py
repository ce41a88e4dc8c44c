"""Fixtures for the benchmarks of this folder, and the table at the end of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the modules here import one another by name


RESULTS: list[list[str]] = []


@pytest.fixture
def results() -> list[list[str]]:
    """The rows of the table at the end of the run."""
    return RESULTS


def pytest_terminal_summary(terminalreporter: Any) -> None:
    import cases
    import common

    if RESULTS:
        header = ["kernel", "threads", "µs", "GFLOP/s", "% of peak", "GB/s"]
        terminalreporter.section("kernels: medians against the machine's measured peak")
        terminalreporter.write_line(common.table(header, RESULTS))
        if cases.without_case():
            terminalreporter.write_line(f"no case yet: {', '.join(cases.without_case())}")
