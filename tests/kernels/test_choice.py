"""Which kernels are chosen, and on how many threads they run."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import isa_parameters

import fastnet
from fastnet import kernels
from fastnet.kernels.allowance import available_cores


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A new interpreter with these environment variables."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("isa", isa_parameters())
def test_fastnet_isa_forces_an_instruction_set(isa: str) -> None:
    run = python("from fastnet import kernels; print(kernels.isa, kernels._chosen.__name__)", FASTNET_ISA=isa)
    assert run.stdout.split() == [isa, f"fastnet.kernels._{isa}"]


def test_an_unknown_instruction_set_is_refused_with_the_names_that_there_are() -> None:
    run = python("import fastnet", FASTNET_ISA="avx9")
    assert run.returncode != 0
    assert "ValueError: FASTNET_ISA is 'avx9'; expected one of baseline, x86_v3, x86_v4" in run.stderr


def test_an_instruction_set_that_the_processor_lacks_is_an_error_and_not_a_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FASTNET_ISA", "x86_v4")
    monkeypatch.setattr(kernels, "_LEVELS", {"baseline": 0, "x86_v4": 99})
    with pytest.raises(ValueError, match="this processor cannot run; it can run baseline"):
        kernels._choose()


def test_missing_kernels_say_how_to_build_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImportError, match=r"python -m pip install \."):
        kernels._import("no_such_isa")


def test_kernels_that_the_compiler_could_not_make_are_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTNET_ISA", raising=False)
    monkeypatch.setattr(kernels, "_LEVELS", {"baseline": 0, "not_made": 0})
    assert kernels.usable() == ["baseline"]
    assert kernels._choose() == "baseline"


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({"FASTNET_NUM_THREADS": "1"}, 1),
        ({"FASTNET_NUM_THREADS": "", "OMP_NUM_THREADS": "1,4"}, 1),
        ({"FASTNET_NUM_THREADS": "", "OMP_NUM_THREADS": "many"}, available_cores()),
        ({"FASTNET_NUM_THREADS": " ", "OMP_NUM_THREADS": ""}, available_cores()),
        ({"FASTNET_NUM_THREADS": "", "OMP_NUM_THREADS": "0"}, available_cores()),
        ({"FASTNET_NUM_THREADS": "", "OMP_NUM_THREADS": 5000 * "9"}, available_cores()),
        ({"FASTNET_NUM_THREADS": 5000 * "9"}, available_cores()),
        ({"FASTNET_NUM_THREADS": 20 * "0" + "1"}, 1),
        ({"FASTNET_NUM_THREADS": "64"}, available_cores()),
    ],
)
def test_threads_come_from_the_environment_up_to_what_the_machine_gives(
    environment: dict[str, str], threads: int
) -> None:
    run = python("import fastnet; print(fastnet.get_num_threads())", **environment)
    assert run.stdout.strip() == str(threads)


def test_an_unreadable_number_of_threads_names_the_variable() -> None:
    run = python("import fastnet", FASTNET_NUM_THREADS="abc")
    assert "ValueError: FASTNET_NUM_THREADS is 'abc'" in run.stderr


def test_set_num_threads_is_kept_and_clipped() -> None:
    before = fastnet.get_num_threads()
    try:
        fastnet.set_num_threads(np.int64(1))
        assert fastnet.get_num_threads() == 1
        fastnet.set_num_threads(10**6)
        assert fastnet.get_num_threads() == available_cores()
    finally:
        fastnet.set_num_threads(before)


@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), ("2", TypeError), (1.5, TypeError), (True, TypeError)]
)
def test_bad_numbers_of_threads_are_refused(value: object, error: type[Exception]) -> None:
    before = fastnet.get_num_threads()
    with pytest.raises(error, match="threads"):
        fastnet.set_num_threads(value)  # type: ignore[arg-type]
    assert fastnet.get_num_threads() == before


def fake_root(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


V1 = "sys/fs/cgroup/cpu"


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/a/b", {"sys/fs/cgroup/a/cpu.max": "150000 100000", "sys/fs/cgroup/a/b/cpu.max": "max 100000"}, 2),
        ("0::/", {"sys/fs/cgroup/cpu.max": "50000 100000"}, 1),
        ("0::/gone/on/the/host", {"sys/fs/cgroup/cpu.max": "300000 100000"}, 3),
        ("4:cpu,cpuacct:/x", {f"{V1},cpuacct/x/cpu.cfs_{key}_us": "200000" for key in ("quota", "period")}, 1),
        ("4:cpu:/", {f"{V1}/cpu.cfs_quota_us": "-1", f"{V1}/cpu.cfs_period_us": "100000"}, 8),
        ("4:cpu,cpuacct:/y", {f"{V1}/y/cpu.cfs_quota_us": "310000", f"{V1}/y/cpu.cfs_period_us": "100000"}, 4),
        ("nonsense\n0::/", {"sys/fs/cgroup/cpu.max": "lots of"}, 8),
        ("", {}, 8),
    ],
)
def test_the_cgroup_quota_limits_the_cores(
    membership: str, files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert available_cores(fake_root(tmp_path, {"proc/self/cgroup": membership} | files)) == cores


def test_affinity_limits_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert available_cores(tmp_path) == 1


def test_a_thread_that_cannot_be_started_means_a_warning_and_the_same_result() -> None:
    code = """
import resource, warnings
import numpy as np
import fastnet
from fastnet import kernels
x, w, y = np.ones((256, 512), "f"), np.ones((32, 512, 16), "f"), np.zeros((256, 512), "f")
kernels._chosen.set_threads(200, 200)
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + 2**22, used + 2**22))
kernels.gemm_bias_act(x, w, np.zeros(512, "f"), 1, y)
assert (y == 512).all()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    kernels.warn_if_threads_failed()
print(len(caught), caught[0].message if caught else "")
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("limits a process's memory as Linux does")
    run = python(code)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("1 fastnet could not start"), run.stdout


def test_a_forked_child_computes_with_threads_of_its_own() -> None:
    code = """
import os, threading
import numpy as np
from fastnet import kernels
x, w, y = np.ones((256, 512), "f"), np.ones((32, 512, 16), "f"), np.zeros((256, 512), "f")
kernels._chosen.set_threads(2, 2)
def run():
    y[:] = 0
    kernels.gemm_bias_act(x, w, np.zeros(512, "f"), 1, y)
    return (y == 512).all() and len(os.listdir("/proc/self/task"))
first = run()
child = os.fork()
if child == 0:
    grandchild = os.fork()
    if grandchild == 0:
        os._exit(run())
    os._exit(10 * run() + os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
print(first, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), run())
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("counts a process's threads as Linux does")
    threads = len(os.listdir("/proc/self/task"))
    run = python(code, OPENBLAS_NUM_THREADS="1")
    assert threads >= 1
    assert run.stdout.split() == ["2", "22", "2"], run.stdout + run.stderr


def test_nothing_is_warned_when_all_threads_run() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernels.warn_if_threads_failed()
