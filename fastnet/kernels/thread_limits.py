"""Makes fastnet's threads known to threadpoolctl: `threadpool_info()` lists them, `threadpool_limits(1)` limits them.

fastnet never imports threadpoolctl. The import of fastnet registers with it if the program has imported it; so do the
import of fastnet.sklearn and each call of `set_num_threads`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

_is_registered = False


def register(library: str, get_num_threads: Callable[[], int], set_num_threads: Callable[[int], None]) -> None:
    """Registers fastnet's threads with threadpoolctl, once, if the program has imported it.

    Args:
        library: the path of the compiled kernels in use.
        get_num_threads: returns the number of threads.
        set_num_threads: sets the number of threads, which is at least 1.
    """
    global _is_registered
    if _is_registered or sys.modules.get("threadpoolctl") is None:
        return
    # import_module waits where another thread is still importing threadpoolctl; sys.modules has it half made then.
    threadpoolctl = importlib.import_module("threadpoolctl")
    if not hasattr(threadpoolctl, "register"):  # older than 3.2
        return
    _is_registered = True
    # Imported here, because programs without threadpoolctl do not need them.
    import os

    from fastnet._version import __version__

    controller = type(
        "FastnetController",
        (threadpoolctl.LibController,),
        {
            "user_api": "fastnet",
            "internal_api": "fastnet",
            # A file name alone may belong to another package too, so threadpoolctl also looks for the symbol.
            "filename_prefixes": (os.path.basename(os.path.realpath(library)).lower(),),
            "check_symbols": ("fastnet_pool",),
            "get_num_threads": lambda _: get_num_threads(),
            "set_num_threads": lambda _, threads: set_num_threads(max(1, threads)),
            "get_version": lambda _: __version__,
        },
    )
    threadpoolctl.register(controller)
