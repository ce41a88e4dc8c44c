"""fastnet's threads under threadpoolctl, whichever of the two is imported first."""

import importlib.util
import os
import subprocess
import sys

import pytest

from fastnet.kernels.allowance import available_cores

needs_threadpoolctl = pytest.mark.skipif(
    importlib.util.find_spec("threadpoolctl") is None, reason="needs threadpoolctl, which is not installed"
)
FIRST = pytest.mark.parametrize(
    "imports",
    [
        "import threadpoolctl, fastnet",
        "import threadpoolctl, fastnet.kernels as k",
        "import fastnet, threadpoolctl; fastnet.set_num_threads(fastnet.get_num_threads())",
        "import fastnet, threadpoolctl; fastnet.kernels.register_threads()",  # as fastnet.sklearn
    ],
)
OURS = """
def ours():
    return [info for info in threadpoolctl.threadpool_info() if info["internal_api"] == "fastnet"]
"""


def python(code: str, **environment: str) -> list[str]:
    """The lines that the code prints in a new interpreter."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@needs_threadpoolctl
@FIRST
def test_the_library_in_use_is_listed_once_with_its_version_and_threads(imports: str) -> None:
    code = f"""
{imports}
{OURS}
import fastnet, os
(info,) = ours()
print(info["user_api"], info["num_threads"] == fastnet.get_num_threads(), info["version"] == fastnet.__version__)
print(os.path.samefile(info["filepath"], fastnet.kernels._chosen.__file__))
"""
    assert python(code) == ["fastnet True True", "True"]


@needs_threadpoolctl
@FIRST
def test_limits_hold_inside_the_block_and_end_with_it(imports: str) -> None:
    code = f"""
{imports}
{OURS}
import fastnet
before = fastnet.get_num_threads()
with threadpoolctl.threadpool_limits(limits=1):
    print(fastnet.get_num_threads(), ours()[0]["num_threads"])
print(fastnet.get_num_threads() == before)
with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
    print(fastnet.get_num_threads() == before)
with threadpoolctl.threadpool_limits(limits={{"fastnet": 1}}):
    print(fastnet.get_num_threads())
with threadpoolctl.threadpool_limits(limits=10**6):
    print(fastnet.get_num_threads())
print(fastnet.get_num_threads() == before)
"""
    assert python(code) == ["1 1", "True", "True", "1", str(available_cores()), "True"]


@needs_threadpoolctl
def test_a_limited_fit_starts_no_thread() -> None:
    code = """
import os
import numpy as np
from threadpoolctl import threadpool_limits
import fastnet as keras
softmax = keras.layers.Dense(4, activation="softmax")
model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(300, activation="relu"), softmax])
model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
x, y = np.ones((256, 300), np.float32), np.eye(4, dtype=np.float32)[np.arange(256) % 4]
keras.kernels._chosen.set_threads(2, 2)
threads = lambda: len(os.listdir("/proc/self/task"))
before = threads()
with threadpool_limits(limits=1):
    model.fit(x, y, batch_size=128, epochs=1, verbose=0)
    print(threads() - before)
keras.kernels._chosen.set_threads(2, 2)
model.fit(x, y, batch_size=128, epochs=1, verbose=0)
print(threads() - before)
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("counts a process's threads as Linux does")
    assert python(code, OPENBLAS_NUM_THREADS="1") == ["0", "1"]


def test_fastnet_does_not_import_threadpoolctl() -> None:
    assert python("import sys, fastnet; print('threadpoolctl' in sys.modules)") == ["False"]


def test_imports_are_left_alone() -> None:
    code = "import sys; before = list(sys.meta_path), list(sys.path_hooks); import fastnet.kernels"
    assert python(f"{code}; print((sys.meta_path, sys.path_hooks) == before)") == ["True"]


@needs_threadpoolctl
def test_a_limit_that_has_ended_is_no_number_that_was_asked_for() -> None:
    code = """
import threadpoolctl, fastnet
with threadpoolctl.threadpool_limits(1):
    pass
print(fastnet.kernels.is_told_threads())
fastnet.set_num_threads(1)
print(fastnet.kernels.is_told_threads())
"""
    assert python(code) == ["False", "True"]


@needs_threadpoolctl
def test_a_later_import_is_known_from_the_first_call_of_set_num_threads() -> None:
    code = f"""
import fastnet, threadpoolctl
{OURS}
print(len(ours()))
for _ in range(3):
    fastnet.set_num_threads(1)
    print(len(ours()), ours()[0]["num_threads"])
"""
    assert python(code) == ["0", "1 1", "1 1", "1 1"]


def test_a_blocked_threadpoolctl_does_not_block_fastnet() -> None:
    assert python("import sys; sys.modules['threadpoolctl'] = None; import fastnet; print('in')") == ["in"]


@needs_threadpoolctl
def test_an_older_threadpoolctl_is_left_alone() -> None:
    code = "import threadpoolctl; del threadpoolctl.register; import fastnet; fastnet.set_num_threads(1); print('in')"
    assert python(code) == ["in"]
