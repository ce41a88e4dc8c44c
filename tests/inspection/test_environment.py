"""show_config: what was chosen."""

import pytest

import fastnet
from fastnet import kernels


def test_it_says_what_was_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    config = fastnet.show_config()
    out = capsys.readouterr().out
    assert config["isa"] == kernels.isa in config["available"]
    assert config["threads"] == fastnet.get_num_threads() <= config["cores"]
    assert "-O3" in config["flags"]
    assert config["compiler"].startswith(("GCC ", "Clang ", "unknown"))
    for name in config:
        assert name in out
    assert fastnet.show_config(print_fn=None) == config
    assert capsys.readouterr().out == ""
