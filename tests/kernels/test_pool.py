"""The pool of threads, alone: a C program that hammers it, with and without ThreadSanitizer."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fastnet import kernels

HARNESS = Path(__file__).with_name("pool_harness.c")
KERNELS = Path(kernels.__file__).parent
FLAGS = ["-O2", "-g", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pool needs POSIX threads")


def compiler() -> list[str]:
    """The C compiler's command."""
    for command in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        if command and shutil.which(command.split()[0]):
            return command.split()
    pytest.skip("needs a C compiler, and there is none here")


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=200, check=False
    )


def thread_sanitizer(folder: Path) -> list[str]:
    """What to put before a program built with ThreadSanitizer, which knows only some layouts of memory."""
    source, program = folder / "empty.c", folder / "empty"
    source.write_text("int main(void) { return 0; }\n")
    if run(*compiler(), "-fsanitize=thread", source, "-o", program).returncode != 0:
        pytest.skip("the C compiler has no ThreadSanitizer")
    for prefix in ([], ["setarch", "-R"]):
        if (not prefix or shutil.which(prefix[0])) and run(*prefix, program).returncode == 0:
            return prefix
    pytest.skip("ThreadSanitizer does not run on this system")


def hammer(folder: Path, tests: list[str], *flags: str, prefix: list[str] | None = None, **environment: str) -> None:
    """Builds the harness, runs these tests of it, and wants to see each of them end well."""
    program = folder / "pool_harness"
    build = run(*compiler(), *FLAGS, *flags, f"-I{KERNELS}", HARNESS, "-o", program)
    assert build.returncode == 0, build.stderr
    result = run(*(prefix or []), program, *tests, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert result.stdout.splitlines() == [f"{test}: as it should be" for test in tests]


def test_the_pool_does_every_item_once(tmp_path: Path) -> None:
    hammer(tmp_path, ["sizes", "meetings", "callers", "failures", "forks"])


def test_the_pool_has_no_data_race(tmp_path: Path) -> None:
    prefix = thread_sanitizer(tmp_path)
    tests = ["sizes", "meetings", "callers", "failures", "forks"]
    # A child of a process with threads may start threads of its own here: that is what is tested.
    options = "halt_on_error=1:exitcode=66:die_after_fork=0"
    hammer(tmp_path, tests, "-fsanitize=thread", prefix=prefix, TSAN_OPTIONS=options)


def test_the_pool_keeps_to_what_c_defines(tmp_path: Path) -> None:
    source, program = tmp_path / "empty.c", tmp_path / "empty"
    source.write_text("int main(void) { return 0; }\n")
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    if run(*compiler(), *flags, source, "-o", program).returncode != 0 or run(program).returncode != 0:
        pytest.skip("the C compiler has no AddressSanitizer that runs here")
    hammer(tmp_path, ["sizes", "meetings", "callers", "failures"], *flags, ASAN_OPTIONS="detect_leaks=0")
