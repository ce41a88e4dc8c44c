"""What the tests share: the real data, the instruction sets, the number of threads, and a clean random state."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastnet import kernels
from fastnet.utils import set_random_seed


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The folder of the real MNIST files."""
    folder = os.environ.get("FASTNET_DATA")
    if not folder:
        pytest.skip("needs real MNIST: set FASTNET_DATA to a folder with its four files")
    return Path(folder)


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """A function that sets exactly so many threads, however few cores there are; the old number comes back."""
    before = kernels.get_num_threads()
    yield lambda n: kernels._chosen.set_threads(n, before)
    kernels.set_num_threads(before)


@pytest.fixture(autouse=True)
def _seed() -> None:
    set_random_seed(0)
