"""No kernel reads or writes a byte outside its arrays, or reads what the contract leaves undefined."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import isa_parameters

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="protects pages as Linux does: not tested here"
)


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A new interpreter that finds the helpers of the tests."""
    path = os.pathsep.join([str(HERE.parent), str(HERE), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("isa", isa_parameters())
def test_kernels_keep_to_their_arrays_and_agree_with_their_twins(isa: str, tmp_path: Path) -> None:
    notes = tmp_path / "under-way"
    run = python(str(HERE / "guard.py"), str(notes), FASTNET_ISA=isa)
    under_way = notes.read_text().strip("\0 ") if notes.exists() else "nothing"
    if run.returncode < 0:
        name = signal.Signals(-run.returncode).name
        pytest.fail(f"{name} on {isa} in {under_way}\n{run.stderr}", pytrace=False)
    assert run.returncode == 0, f"on {isa}:\n{run.stdout}{run.stderr}"


@pytest.mark.parametrize(("at_end", "index"), [(True, 3), (False, -1)])
@pytest.mark.parametrize("access", ["print(a[{i}])", "a[{i}] = 1"])
def test_an_access_beside_an_array_ends_the_process(at_end: bool, index: int, access: str) -> None:
    code = f"""
import ctypes
import numpy as np
from guard import GuardedMemory
placed = GuardedMemory().place(np.arange(3, dtype=np.float32), {at_end})
a = ctypes.cast(placed.ctypes.data, ctypes.POINTER(ctypes.c_float))
print([a[i] for i in range(3)], flush=True)
{access.format(i=index)}
print("survived")
"""
    run = python("-c", code)
    assert run.stdout.strip() == "[0.0, 1.0, 2.0]", run.stdout + run.stderr
    assert run.returncode == -signal.SIGSEGV
