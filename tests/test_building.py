"""How fastnet is built, packed and installed: setup.py with hostile options, without a compiler, and the sdist."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import isa_module
from kernels.guard import TABLE
from kernels.test_same_bits import results

from fastnet._version import __version__

ROOT = Path(__file__).parents[1]
FOLDERS = (".ci", ".github", "bench", "docs", "fastnet", "tests")
FILES = ("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md", "pyproject.toml", "setup.py")
CC = (sysconfig.get_config_var("CC") or "cc").split()[0]
LDSHARED = sysconfig.get_config_var("LDSHARED") or "cc -shared"
VARIABLES = ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "LDSHARED", "FASTNET_SANITIZE", "FASTNET_FREE_THREADED")

PROBE = """
#include <Python.h>
#include "cpu.h"
static PyObject* probe(PyObject* self, PyObject* args) {
    float x, y;
    if (!PyArg_ParseTuple(args, "ff", &x, &y)) return NULL;
#ifdef __FAST_MATH__
    const char* macros = "fast math";
#elif defined(__AVX2__)
    const char* macros = "AVX2";
#else
    const char* macros = "";
#endif
    return Py_BuildValue("iiss", x != x, y * 0.5f != 0, macros, COMPILER_FLAGS);
}
static PyMethodDef methods[] = {{"probe", probe, METH_VARARGS, ""}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "probe", "", -1, methods};
PyMODINIT_FUNC PyInit_probe(void) { return PyModule_Create(&module); }
"""

BUILD_PROBE = """
import runpy, sys
from setuptools import Extension, setup
built = runpy.run_path("setup.py")
extension = Extension(
    "probe", [sys.argv.pop()], include_dirs=["fastnet/kernels"], extra_compile_args=[*built["COMMON"], built["INLINE"]],
    extra_link_args=built["extensions"][0].extra_link_args,
)
built["BuildKernels"].copy_extensions_to_source = lambda self: None
setup(name="probe", ext_modules=[extension], cmdclass={"build_ext": built["BuildKernels"]})
"""


def environment(**changes: str) -> dict[str, str]:
    """This process's variables without those that choose a compiler or its options, and with `changes`."""
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES and name != "PYTHONPATH"}
    return kept | changes


def run(folder: Path, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def script(path: Path, *lines: str) -> str:
    """A shell script that stands in for a compiler."""
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source tree in which nothing was built."""
    for name in ("Cython", "setuptools"):
        pytest.importorskip(name, reason=f"needs {name}, which builds the kernels: python -m pip install {name}")
    folder = tmp_path_factory.mktemp("tree") / "fastnet"
    unwanted = shutil.ignore_patterns(".[!c]*", "*.so", "*.pyc", "__pycache__", "_*.c")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def unbuilt(tree: Path) -> Iterator[Path]:
    """The copy, in which nothing may be left."""
    before = {path for path in tree.rglob("*") if "__pycache__" not in path.parts}
    yield tree
    left = {path for path in tree.rglob("*") if "__pycache__" not in path.parts} - before
    assert not left, left


# Compiler options -----------------------------------------------------------------------------------------------------

HOSTILE = {
    "none": {},
    "-ffast-math": {"CFLAGS": "-ffast-math"},
    "-Ofast": {"CFLAGS": "-Ofast"},
    "-funsafe-math-optimizations": {"CFLAGS": "-funsafe-math-optimizations -ffinite-math-only"},
    "parts": {"CFLAGS": "-fassociative-math -freciprocal-math -fno-signed-zeros -fsingle-precision-constant"},
    "-march=native": {"CFLAGS": "-O2 -march=native -mtune=native"},
    "-mavx2": {"CFLAGS": "-mavx2 -mfma -mfpmath=sse"},
    "CPPFLAGS": {"CPPFLAGS": "-ffinite-math-only -ffast-math"},
    "LDFLAGS": {"LDFLAGS": "-Ofast -ffast-math"},
    "CC": {"CC": f"{CC} -Ofast -march=native"},
    "LDSHARED": {"LDSHARED": f"{LDSHARED} -Ofast"},
    "script": {"CC": "script"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_options_from_outside_do_not_change_the_kernels_arithmetic(name: str, unbuilt: Path, tmp_path: Path) -> None:
    """The check of a subnormal number needs a new process: the linker's code changes the whole process."""
    if name.startswith("-m") and os.uname().machine != "x86_64":
        pytest.skip("the options are those of x86-64")
    hostile = dict(HOSTILE[name])
    if hostile.get("CC") == "script":
        hostile["CC"] = script(tmp_path / "cc", f'exec {CC} -Ofast "$@"')
    source = tmp_path / "probe.c"
    source.write_text(PROBE)
    done = run(
        unbuilt, "-c", BUILD_PROBE, "-q", "build_ext", "-b", str(tmp_path), "-t", str(tmp_path), str(source), **hostile
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = run(tmp_path, "-c", "import probe; print(*probe.probe(float('nan'), 2e-40), sep='|')").stdout.strip()
    nan, subnormal, macros, flags = seen.split("|")
    assert (nan, subnormal, macros) == ("1", "1", "")
    words = set(flags.split())
    assert {"-O3", "-ffp-contract=off", "-fno-fast-math"} <= words
    assert not words & {"-Ofast", "-ffast-math", "-ffinite-math-only", "-march=native", "-mavx2"}


def test_harmless_options_are_used_and_shown(unbuilt: Path, tmp_path: Path) -> None:
    source = tmp_path / "probe.c"
    source.write_text(PROBE)
    arguments = ("-q", "build_ext", "-b", str(tmp_path), "-t", str(tmp_path), str(source))
    done = run(unbuilt, "-c", BUILD_PROBE, *arguments, CFLAGS='-funroll-loops -DMINE="a\\\\b"')
    assert done.returncode == 0, done.stdout + done.stderr
    flags = run(tmp_path, "-c", "import probe; print(probe.probe(1, 1)[3])").stdout.split()
    assert {"-funroll-loops", "-fPIC"} <= set(flags)
    assert "CYTHON_INLINE" not in str(flags)


def test_a_second_build_compiles_only_what_has_changed(unbuilt: Path, tmp_path: Path) -> None:
    source, log = tmp_path / "probe.c", tmp_path / "log"
    source.write_text(PROBE)
    compiler = script(tmp_path / "cc", f'case "$*" in *".c -o "*) echo compiled >> {log};; esac', f'exec {CC} "$@"')

    def compilations(**options: str) -> int:
        log.write_text("")
        arguments = ("-q", "build_ext", "-b", str(tmp_path), "-t", str(tmp_path), str(source))
        done = run(unbuilt, "-c", BUILD_PROBE, *arguments, CC=compiler, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return log.read_text().count("compiled")

    assert [compilations(), compilations()] == [1, 0]
    assert [compilations(CFLAGS="-DMINE"), compilations(CFLAGS="-DMINE"), compilations()] == [1, 0, 1]
    later = max(path.stat().st_mtime for path in tmp_path.iterdir()) + 10
    os.utime(source, (later, later))
    assert compilations() == 1


def test_no_compiler_writes_to_a_device(unbuilt: Path, tmp_path: Path) -> None:
    """A compiler that root runs replaces /dev/null with a file, which breaks other programs."""
    source, log = tmp_path / "probe.c", tmp_path / "log"
    source.write_text(PROBE)
    compiler = script(tmp_path / "cc", f'echo "$*" >> {log}', f'exec {CC} "$@"')
    arguments = ("-q", "build_ext", "-b", str(tmp_path), "-t", str(tmp_path), str(source))
    done = run(unbuilt, "-c", BUILD_PROBE, *arguments, CC=compiler)
    assert done.returncode == 0, done.stdout + done.stderr
    calls = log.read_text()
    assert "-DNEEDED_LANES" in calls
    assert "/dev/" not in calls


# A compiler that is missing, broken or old ----------------------------------------------------------------------------

INSTALL = r"`apt-get install build-essential python3-dev` on Debian.*`xcode-select --install` on macOS"
BROKEN = {
    "missing": ([], rf"error: fastnet needs a C compiler, and '.*/cc' cannot be started; install one: {INSTALL}"),
    "no headers": (
        ['echo "<stdin>:2:10: fatal error: Python.h: No such file or directory" >&2', "exit 1"],
        rf"error: fastnet needs Python\.h, which is not installed: {INSTALL}",
    ),
    "broken": (
        ["echo 'cc: error: no room on the device' >&2", "exit 1"],
        r"error: the C compiler '.*/cc' does not work: cc: error: no room on the device",
    ),
    "adds fast math": (
        [f'exec {CC} "$@" -ffast-math'],
        r"error: the C compiler '.*/cc' does not work: .*it adds -ffast-math or -ffinite-math-only to each call.*",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_build_that_cannot_be_ends_with_one_line_that_says_what_to_do(
    name: str, unbuilt: Path, tmp_path: Path
) -> None:
    lines, message = BROKEN[name]
    compiler = script(tmp_path / "cc", *lines) if lines else str(tmp_path / "cc")
    folders = ("--build-base", str(tmp_path / "build"))
    done = run(unbuilt, "setup.py", "build", *folders, CC=compiler)
    assert done.returncode != 0
    *before, last = (done.stdout + done.stderr).strip().splitlines()
    assert len(before) < 10, before
    assert re.fullmatch(message, last)


def test_an_old_cython_is_named_with_the_command_that_replaces_it(unbuilt: Path, tmp_path: Path) -> None:
    code = "import runpy, Cython; Cython.__version__ = '3.2.4'; runpy.run_path('setup.py', run_name='__main__')"
    done = run(unbuilt, "-c", code, "build", "--build-base", str(tmp_path))
    assert done.stderr.splitlines()[-1] == (
        "error: fastnet needs Cython 3.3 or newer, and 3.2.4 is installed: python -m pip install --upgrade Cython"
    )


def test_a_compiler_that_does_not_know_avx512_leaves_these_kernels_out(unbuilt: Path, tmp_path: Path) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the instruction sets are those of x86-64")
    old = script(
        tmp_path / "cc",
        'for word in "$@"; do case $word in -mavx512*) echo "cc: error: unrecognized $word" >&2; exit 1;; esac; done',
        f'exec {CC} "$@"',
    )
    code = """
import runpy
from setuptools import Distribution
built = runpy.run_path("setup.py")
command = built["BuildKernels"](Distribution({"name": "x", "ext_modules": built["extensions"]}))
command.ensure_finalized()
from distutils.ccompiler import new_compiler
from distutils.sysconfig import customize_compiler
command.compiler = new_compiler()
customize_compiler(command.compiler)
print([extension.name for extension in command.extensions if command.can_compile(extension)])
"""
    done = run(unbuilt, "-c", code, CC=old)
    assert done.stdout.splitlines()[-1] == "['fastnet.kernels._baseline', 'fastnet.kernels._x86_v3']", done.stderr
    assert "leaving out fastnet.kernels._x86_v4, which the C compiler" in done.stdout + done.stderr


# Compilers without vector extensions, and MSVC ------------------------------------------------------------------------


def test_plain_c_gives_the_bits_of_the_baseline(tree: Path, tmp_path: Path) -> None:
    """GCC stands in for a compiler without vector extensions."""
    if os.uname().machine != "x86_64":
        pytest.skip("the baseline of other processors has fused multiply-adds, and plain C has none")
    done = run(tree, "setup.py", "build_ext", "-b", str(tmp_path), "-t", str(tmp_path), CFLAGS="-DFASTNET_PLAIN")
    assert done.returncode == 0, done.stdout + done.stderr
    for left in (tree / "fastnet/kernels").glob("*.so"):
        left.unlink()
    (built,) = tmp_path.glob("fastnet/kernels/*.so")  # and not those for AVX2 and AVX-512
    spec = importlib.util.spec_from_file_location("plain._baseline", built)
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    assert "plain C" in plain.COMPILER
    assert plain.x86_level() == 0
    baseline = isa_module("baseline")
    differ = [entry.name for entry in TABLE if results(plain, entry, 1) != results(baseline, entry, 1)]
    assert differ == []


BUILD_WITH_MSVC = """
import json, runpy, sys
from setuptools import Distribution
from distutils import ccompiler
built = runpy.run_path("setup.py")
command = built["BuildKernels"](Distribution({"name": "x", "ext_modules": built["extensions"]}))
command.build_temp = command.build_lib = sys.argv[1]
command.ensure_finalized()
command.compiler = ccompiler.new_compiler(compiler="msvc")
commands = []
command.compiler.initialize = lambda *_: None
command.compiler.cc, command.compiler.linker = "cl.exe", "link.exe"
command.compiler.initialized, command.compiler.compile_options = True, ["/nologo", "/O2", "/MD"]
command.compiler._ldflags = {("shared_object", None): ["/DLL"], ("shared_object", False): ["/DLL"]}
command.compiler.spawn = command.compiler.call = commands.append  # an older name, and a newer one
command.build_extensions()
print(json.dumps(commands))
"""


def test_msvc_builds_the_baseline_alone_with_its_own_options(unbuilt: Path, tmp_path: Path) -> None:
    """MSVC itself is not needed: its commands are noted and not run."""
    done = run(unbuilt, "-c", BUILD_WITH_MSVC, str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    compile, link = json.loads(done.stdout.splitlines()[-1])
    assert compile[0] == "cl.exe"
    assert {"/std:c11", "/fp:precise", "/O2"} <= set(compile)
    assert [word for word in compile + link if word.startswith(("-O", "-f", "-m", "-std", "-pthread", "-g"))] == []
    assert [word for word in compile if word.endswith(".c")] == [f"/Tc{next(tmp_path.rglob('_baseline.c'))}"]


# Free-threaded Python -------------------------------------------------------------------------------------------------

FREE_THREADED = """
import runpy, sysconfig
asked = sysconfig.get_config_var
sysconfig.get_config_var = lambda name: 1 if name == "Py_GIL_DISABLED" else asked(name)
runpy.run_path("setup.py", run_name="__main__")
"""


def test_free_threaded_python_is_refused_with_the_way_to_try_it(unbuilt: Path, tmp_path: Path) -> None:
    folders = ("--build-base", str(tmp_path))
    done = run(unbuilt, "-c", FREE_THREADED, "build", *folders)
    assert done.stderr.splitlines()[-1] == (
        "error: fastnet has not been tested on free-threaded Python; use a Python with the GIL. "
        "To build it all the same, set FASTNET_FREE_THREADED=1: Python then turns the GIL on when it imports fastnet"
    )
    missing = str(tmp_path / "cc")  # so that this build ends at its next step
    done = run(unbuilt, "-c", FREE_THREADED, "build", *folders, CC=missing, FASTNET_FREE_THREADED="1")
    assert "cannot be started" in done.stderr.splitlines()[-1]


# The sdist and the distribution's name --------------------------------------------------------------------------------


def test_the_sdist_holds_what_a_checkout_holds_and_nothing_that_was_built(tree: Path, tmp_path: Path) -> None:
    (tree / "fastnet/kernels/_baseline.c").write_text("/* Generated by Cython */")  # older builds left this
    try:
        done = run(tree, "setup.py", "-q", "egg_info", "-e", str(tmp_path), "sdist", "-d", str(tmp_path))
    finally:
        (tree / "fastnet/kernels/_baseline.c").unlink()
    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.glob("fastnet_mlp-*.tar.gz")
    with tarfile.open(archive) as file:
        packed = {member.name.partition("/")[2]: member for member in file if member.isfile()}
        about = file.extractfile(packed["PKG-INFO"]).read().decode()  # type: ignore[union-attr]
    assert "\nName: fastnet-mlp\n" in about
    assert "Project-URL" not in about
    assert "Home-page" not in about
    there = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
    there = {name for name in there if "__pycache__" not in name}
    assert {"tests/conftest.py", "tests/helpers.py", "tests/plotting/baseline/history.png", ".ci/run"} <= there
    assert there - set(packed) == set()
    assert set(packed) - there <= {"PKG-INFO", "setup.cfg"} | {name for name in packed if ".egg-info/" in name}


def test_the_citation_has_the_version_of_the_package() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [__version__]


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
