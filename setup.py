"""Builds the kernels: compiles the same Cython source once per instruction set, each from its own small .pyx.

pyproject.toml has everything that is not about compiling or packing.
"""

import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import Cython
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.errors import PlatformError
from setuptools.modified import newer_group

IS_X86 = platform.machine().lower() in ("x86_64", "amd64")

# "Same seed, same bits" needs a fixed order of additions, and fused multiply-adds only where the source has them. NaN
# must be kept. So these options turn fast math off. They come first, because Clang's -fno-fast-math also resets
# -ffp-contract and -fmath-errno.
NO_FAST_MATH = ["-fno-fast-math", "-fno-unsafe-math-optimizations", "-fno-finite-math-only"]
NO_FAST_MATH += ["-fno-associative-math", "-fno-reciprocal-math", "-fsigned-zeros"]
FULL_SPEED = ["-O3", *NO_FAST_MATH]  # -O3 also overrides an earlier -Ofast
COMMON = [*FULL_SPEED, "-g0", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi"]
# In an inlined tile function the shape is a constant and the sums stay in registers. The sparse product is 2 x faster.
INLINE = "-DCYTHON_INLINE=__inline__ __attribute__((always_inline, unused))"
AVX2 = ["-mavx2", "-mfma"]
AVX512 = ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw"]
VARIANTS: dict[str, list[str]] = {"_baseline": []}
if IS_X86:
    VARIANTS |= {"_x86_v3": AVX2, "_x86_v4": AVX2 + AVX512}
WIDTHS = {"_x86_v3": 8, "_x86_v4": 16}  # floats in a vector
# MSVC has no vector extensions, so it builds only the baseline, in plain C. See fastnet/kernels/plain.h.
MSVC = ["/O2", "/std:c11", "/fp:precise"]

# Options to remove, from whatever source: CFLAGS and similar variables, CC="gcc -Ofast", or Python's own settings.
# - With fast math, GCC also links code that makes the whole process round subnormal numbers to zero.
# - Each variant has its own instruction set. With -march=native the baseline would need a newer processor.
UNWANTED = (
    r"-Ofast|-f(fast-math|unsafe-math-optimizations|finite-math-only|associative-math|reciprocal-math|no-signed-zeros"
    r"|no-honor-nans|no-honor-infinities|approx-func|single-precision-constant|fp-model=.*|denormal-fp-math.*)"
    r"|-mdaz-ftz|-mrecip.*|-m(arch|cpu|tune)=native"
)
if IS_X86:
    UNWANTED += r"|-m(arch=|cpu=|tune=|fpmath=|sse|ssse|avx|fma|f16c|bmi).*"

# A test program, since a compiler that is a script may add fast-math options after ours, or know no vectors.
PROBE = """
#include <Python.h>
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "it adds -ffast-math or -ffinite-math-only to each call, with which a search for NaN finds nothing"
#endif
#include "vec.h"
#if LANES < NEEDED_LANES
#error "it has no vector extensions"
#endif
"""

# FASTNET_SANITIZE=address,undefined, for .ci/sanitize: the build stops at the first access or overflow that C does not
# allow. Python's own flags contain -fwrapv, which would make a signed overflow legal and so hide it.
SANITIZERS = os.environ.get("FASTNET_SANITIZE", "")
SANITIZE_LINK = [f"-fsanitize={SANITIZERS}"] if SANITIZERS else []
SANITIZE = (
    ["-O1", "-g", "-fno-omit-frame-pointer", "-fno-wrapv", *SANITIZE_LINK, "-fno-sanitize-recover=undefined"]
    if SANITIZERS
    else []
)

INSTALL_COMPILER = (
    "`apt-get install build-essential python3-dev` on Debian or Ubuntu, `dnf install gcc python3-devel` on Fedora, "
    "`xcode-select --install` on macOS"
)
NO_FREE_THREADING = (
    "fastnet has not been tested on free-threaded Python; use a Python with the GIL. "
    "To build it all the same, set FASTNET_FREE_THREADED=1: Python then turns the GIL on when it imports fastnet"
)


class BuildKernels(build_ext):
    """Compiles with the options that the kernels need, independent of the environment.

    It also copies the extensions beside their sources, because Python started in this folder imports fastnet from here.
    """

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self) -> None:
        super().run()
        if not self.inplace:
            try:
                self.copy_extensions_to_source()
            except OSError as error:  # a read-only tree: the installed package still works elsewhere
                self.warn(f"could not leave the kernels in the source tree: {error}")

    def build_extensions(self) -> None:
        if sysconfig.get_config_var("Py_GIL_DISABLED") and os.environ.get("FASTNET_FREE_THREADED") != "1":
            raise PlatformError(NO_FREE_THREADING)
        if tuple(map(int, Cython.__version__.split(".")[:2])) < (3, 3):  # older ones cannot inline recursive functions
            raise PlatformError(
                f"fastnet needs Cython 3.3 or newer, and {Cython.__version__} is installed: "
                "python -m pip install --upgrade Cython"
            )
        if self.compiler.compiler_type == "msvc":
            self.use_msvc()
        else:
            self.remove_unwanted_options()
            self.extensions = [extension for extension in self.extensions if self.can_compile(extension)]
        self.outdated = [extension for extension in self.extensions if self.is_outdated(extension)]
        for extension in self.outdated:
            flags = [*self.command[1:], *extension.extra_compile_args]
            shown = " ".join(flag for flag in flags if flag != INLINE).replace("\\", "\\\\").replace('"', '\\"')
            extension.define_macros.append(("COMPILER_FLAGS", f'"{shown}"'))
        translated = cythonize(
            self.outdated,
            build_dir=self.build_temp,
            compiler_directives={
                "language_level": 3,
                "boundscheck": False,
                "wraparound": False,
                "initializedcheck": False,
                "cdivision": True,
                "embedsignature": True,
            },
        )
        for extension, in_c in zip(self.outdated, translated, strict=True):
            extension.sources = in_c.sources
        self.force = True  # compiles the outdated extensions, whichever of their files changed
        super().build_extensions()

    def build_extension(self, extension: Extension) -> None:
        if extension in self.outdated:
            super().build_extension(extension)

    def is_outdated(self, extension: Extension) -> bool:
        """Tells whether the sources or the options changed since the last build.

        Cython's own check compares with its C files. In a build by pip these are always new, so it would say yes.
        """
        options = [Cython.__version__, self.command, getattr(self.compiler, "linker_so", [])]
        options += [extension.extra_compile_args, extension.extra_link_args]
        record = Path(self.build_temp, f"{extension.name}.options")
        if not record.exists() or record.read_text() != repr(options):
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text(repr(options))
        files = [*extension.sources, *extension.depends, str(record)]
        return bool(self.force or newer_group(files, self.get_ext_fullpath(extension.name), missing="newer"))

    @property
    def command(self) -> list[str]:
        """The command that compiles a file, and its options; MSVC's class keeps them to itself."""
        return getattr(self.compiler, "compiler_so", ["cl"])

    def use_msvc(self) -> None:
        """Builds the baseline alone, with the options of MSVC."""
        self.extensions = [extension for extension in self.extensions if extension.name.endswith("_baseline")]
        for extension in self.extensions:
            extension.extra_compile_args = list(MSVC)
            extension.extra_link_args = []

    def remove_unwanted_options(self) -> None:
        """Takes the `UNWANTED` options out of the commands that compile and link."""
        removed = set()
        for name in ("compiler", "compiler_so", "linker_so"):
            command = getattr(self.compiler, name)
            unwanted = {word for word in command if re.fullmatch(UNWANTED, word)}
            setattr(self.compiler, name, [word for word in command if word not in unwanted])
            removed |= unwanted
        if removed:
            self.warn(f"compiling without {' '.join(sorted(removed))}, which would change the kernels' results")

    def can_compile(self, extension: Extension) -> bool:
        """Tells whether the compiler knows the options and the vectors of this variant.

        Raises:
            PlatformError: if it cannot compile anything. The message says what to install.
        """
        width = WIDTHS.get(extension.name.rpartition(".")[2], 1)
        command = [*self.command, *(f"-I{folder}" for folder in (*self.include_dirs, *extension.include_dirs))]
        command += [*extension.extra_compile_args, f"-DNEEDED_LANES={width}", "-c", "-x", "c", "-", "-o"]
        english = os.environ | {"LC_ALL": "C"}
        with tempfile.TemporaryDirectory() as folder:  # not os.devnull, which a compiler run by root would replace
            command.append(os.path.join(folder, "probe.o"))
            try:
                done = subprocess.run(command, input=PROBE, env=english, capture_output=True, text=True, check=False)
            except OSError:
                raise PlatformError(
                    f"fastnet needs a C compiler, and {command[0]!r} cannot be started; install one: {INSTALL_COMPILER}"
                ) from None
        if done.returncode == 0:
            return True
        if "Python.h" in done.stderr:
            raise PlatformError(f"fastnet needs Python.h, which is not installed: {INSTALL_COMPILER}")
        said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
        if extension.name.endswith("_baseline"):
            raise PlatformError(f"the C compiler {command[0]!r} does not work: {said}")
        self.warn(f"leaving out {extension.name}, which the C compiler {command[0]!r} cannot compile: {said}")
        return False


class BuildKernelsFirst(build):
    """Compiles before it copies files, so that two hundred file names do not hide a compiler error."""

    sub_commands = sorted(build.sub_commands, key=lambda command: command[0] != "build_ext")


class PackSources(sdist):
    """Packs all that a checkout has, including documentation, benchmarks and tests."""

    def make_distribution(self) -> None:
        for folder in (".ci", ".github", "bench", "docs", "tests"):
            paths = (path for path in Path(folder).rglob("*") if path.is_file())
            self.filelist.extend(
                str(path)
                for path in paths
                if path.suffix != ".pyc" and not any(part.startswith((".", "__pycache")) for part in path.parts[1:])
            )
        self.filelist.extend(["CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md"])
        self.filelist.exclude_pattern("fastnet/kernels/*.c")  # generated by older builds
        super().make_distribution()


extensions = [
    Extension(
        f"fastnet.kernels.{name}",
        [f"fastnet/kernels/{name}.pyx"],
        include_dirs=["fastnet/kernels"],
        depends=["setup.py", *sorted(str(path) for path in Path("fastnet/kernels").glob("*.[ph]*"))],
        extra_compile_args=[*COMMON, *flags, *SANITIZE, INLINE],
        extra_link_args=(["-pthread"] if sys.platform != "win32" else []) + FULL_SPEED + SANITIZE_LINK,
    )
    for name, flags in VARIANTS.items()
]

if __name__ == "__main__":
    setup(
        ext_modules=extensions, cmdclass={"build": BuildKernelsFirst, "build_ext": BuildKernels, "sdist": PackSources}
    )
