"""Builds the kernels: the same Cython source once per instruction set, each from a small .pyx of its own.

All that is not about compiling is in pyproject.toml.
"""

import os
import platform
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# The order of additions is part of a result ("same seed, same bits"): no -ffast-math, and multiplications are fused
# with additions only where the source says so.
# A tile's shape is a constant only where it is inlined, and then its sums stay in registers: 2 x on the sparse product.
INLINE = "-DCYTHON_INLINE=__inline__ __attribute__((always_inline, unused))"
COMMON = ["-O3", "-g0", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi"]
COMMON += [INLINE]
AVX2 = ["-mavx2", "-mfma"]
AVX512 = ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw"]
VARIANTS: dict[str, list[str]] = {"_baseline": []}
if platform.machine().lower() in ("x86_64", "amd64"):
    VARIANTS |= {"_x86_v3": AVX2, "_x86_v4": AVX2 + AVX512}

# FASTNET_SANITIZE=address,undefined: a build that stops at the first access or overflow that C does not allow, for
# .ci/sanitize. Python's own flags contain -fwrapv, which would make a signed overflow legal, and so invisible.
SANITIZERS = os.environ.get("FASTNET_SANITIZE", "")
SANITIZE_LINK = [f"-fsanitize={SANITIZERS}"] if SANITIZERS else []
SANITIZE = (
    ["-O1", "-g", "-fno-omit-frame-pointer", "-fno-wrapv", *SANITIZE_LINK, "-fno-sanitize-recover=undefined"]
    if SANITIZERS
    else []
)


class BuildIntoTreeToo(build_ext):
    """Leaves the extensions beside their sources too: Python, started in this folder, imports the tree's fastnet."""

    def run(self) -> None:
        super().run()
        if not self.inplace:
            try:
                self.copy_extensions_to_source()
            except OSError as error:  # a read-only tree: the installed package still works elsewhere
                self.warn(f"could not leave the kernels in the source tree: {error}")

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()


extensions = [
    Extension(
        f"fastnet.kernels.{name}",
        [f"fastnet/kernels/{name}.pyx"],
        include_dirs=["fastnet/kernels"],
        depends=[str(path) for path in Path("fastnet/kernels").glob("*.[ph]*")],
        extra_compile_args=COMMON + flags + SANITIZE,
        define_macros=[("COMPILER_FLAGS", '"' + " ".join([*COMMON[:-1], *flags]) + '"')],
        extra_link_args=(["-pthread"] if sys.platform != "win32" else []) + SANITIZE_LINK,
    )
    for name, flags in VARIANTS.items()
]

setup(
    ext_modules=cythonize(
        extensions,
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "initializedcheck": False,
            "cdivision": True,
            "embedsignature": True,
        },
    ),
    cmdclass={"build_ext": BuildIntoTreeToo},
)
