"""Progbar, a progress bar for a user's own loop."""

import numpy as np
import pytest

from fastnet.utils import Progbar


def test_values_are_averaged_over_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Progbar(10, interval=0, stateful_metrics=["rate"])
    bar.update(1, [("loss", 4.0), ("rate", 4.0)])
    bar.add(3, [("loss", np.array([0.0, 1.0, -1.0])), ("rate", 2.0)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1/10 [===...........................] - ETA: ")
    assert lines[0].endswith(" - loss: 4.0000 - rate: 4.0000")
    assert lines[1].startswith("4/10 [============..................] - ETA: ")
    assert lines[1].endswith(" - loss: 1.0000 - rate: 2.0000")


def test_the_last_call_shows_its_own_values(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Progbar(2, width=4, interval=1000, unit_name="file")
    bar.update(1, [("loss", 3.0)])
    bar.update(1, [("loss", 3.0)])  # it is too early to draw again
    bar.update(2, [("loss", 1.0)])
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("1/2 [==..] - ETA: ")
    assert last.startswith("2/2 [====] - 0s ")
    assert last.endswith("s/file - loss: 1.0000")


def test_only_chosen_values_are_averaged(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Progbar(None, interval=0, stateless_metrics=["loss"])
    bar.update(1, [("loss", 1.0), ("rate", 1.0)])
    bar.update(2, [("loss", 2.0), ("rate", 2.0)])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("2/Unknown - ")
    assert last.endswith(" - loss: 1.5000 - rate: 2.0000")


def test_what_is_written_at_other_levels(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose in (0, 2):
        bar = Progbar(2, verbose=verbose)
        bar.update(1)
        assert capsys.readouterr().out == ""
        bar.update(2)
        assert (capsys.readouterr().out != "") is (verbose == 2)
    Progbar(0).update(0, finalize=True)
    assert capsys.readouterr().out.startswith("0/Unknown - ")


def test_both_kinds_of_names_are_refused() -> None:
    with pytest.raises(ValueError, match="Only one of stateful_metrics and stateless_metrics"):
        Progbar(1, stateful_metrics=[], stateless_metrics=[])
