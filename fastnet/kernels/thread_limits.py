"""fastnet's threads under threadpoolctl: `threadpool_limits(1)` limits them too, `threadpool_info()` lists them.

threadpoolctl is never imported from here. If the program has it already, fastnet registers at once; if not, a finder in
`sys.meta_path` waits for its import, and leaves when that has happened.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # at run time these would cost as much as all of fastnet
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def _register(threadpoolctl: Any) -> None:
    """Tells threadpoolctl (3.2 or later) what fastnet's library is called and how its threads are set."""
    if not hasattr(threadpoolctl, "register"):
        return
    # Not at the top: who has no threadpoolctl need not wait for these.
    import os

    from fastnet import kernels
    from fastnet._version import __version__

    def set_num_threads(_: object, threads: int) -> None:
        kernels.set_num_threads(max(1, threads))

    controller = type(
        "FastnetController",
        (threadpoolctl.LibController,),
        {
            "user_api": "fastnet",
            "internal_api": "fastnet",
            # One of the libraries of all instruction sets is in use. Its name alone might be another package's as well.
            "filename_prefixes": (os.path.basename(os.path.realpath(kernels._chosen.__file__)).lower(),),
            "check_symbols": ("fastnet_pool",),
            "get_num_threads": lambda _: kernels.get_num_threads(),
            "set_num_threads": set_num_threads,
            "get_version": lambda _: __version__,
        },
    )
    threadpoolctl.register(controller)


class _RegisteringLoader:
    """Loads threadpoolctl with the loader that it has, then registers."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
        _register(module)


class _Finder:
    """Finds threadpoolctl as all others do together, but with a loader that registers."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "threadpoolctl":
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(fullname, path, target) if not isinstance(finder, _Finder) else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _RegisteringLoader(spec.loader)  # type: ignore[assignment]
                return spec
        return None


def announce() -> None:
    """Makes threadpoolctl know fastnet's threads, from now on or as soon as it is imported."""
    if sys.modules.get("threadpoolctl") is not None:
        # Another thread may be in the midst of importing it: this waits until it is complete.
        _register(importlib.import_module("threadpoolctl"))
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
