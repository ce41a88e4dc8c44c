"""The networks of `networks.py` as C files, which are made once."""

from __future__ import annotations

import numpy as np
import pytest
from export.c.compiling import Exported
from export.c.networks import NOT_IN_INTEGERS, heavy, networks, of_bytes


@pytest.fixture(scope="session")
def floats(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return Exported(tmp_path_factory.mktemp("floats"), networks())


@pytest.fixture(scope="session")
def integers(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    given = {name: both for name, both in networks().items() if not name.endswith(NOT_IN_INTEGERS)}
    random = np.random.default_rng(1)
    given |= {f"bytes_{name}": both for name, both in of_bytes(random).items()}
    given |= {f"heavy_{name}": both for name, both in heavy(random).items()}
    return Exported(tmp_path_factory.mktemp("integers"), given, integer=True)
