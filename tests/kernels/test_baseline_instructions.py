"""The baseline runs on every x86-64 processor: its machine code has no AVX."""

import os
import re
import shutil
import subprocess

import pytest
from helpers import isa_module

from fastnet import kernels

AVX = re.compile(r"^v[a-z0-9]+\s|%[yz]mm\d|%k[0-7]\b")  # its mnemonics begin with v; the registers of AVX and AVX-512


def with_avx(library: str) -> list[str]:
    """The instructions of AVX and its successors in a library."""
    command = ["objdump", "--disassemble", "--no-show-raw-insn", library]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    instructions = [line.rpartition(":\t")[2] for line in text.splitlines() if ":\t" in line]
    assert len(instructions) > 10_000, "objdump found no code"
    return [instruction for instruction in instructions if AVX.search(instruction)]


def test_the_baseline_has_no_avx_and_the_others_have() -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("only x86-64 has several instruction sets")
    if shutil.which("objdump") is None:
        pytest.skip("needs objdump, which disassembles the kernels: apt-get install binutils")
    found = {isa: with_avx(str(isa_module(isa).__file__)) for isa in kernels.usable()}
    assert found.pop("baseline")[:10] == []
    assert [isa for isa, instructions in found.items() if len(instructions) < 1000] == []  # it does see them there
