"""The backend: a training on the NumPy twins gives what the kernels give, up to rounding."""

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from fastnet import Sequential, backend, kernels
from fastnet.layers import Dense, Dropout, Input
from fastnet.utils import set_random_seed


@pytest.fixture(autouse=True)
def _compiled_again() -> Iterator[None]:
    yield
    backend.set_backend("compiled")


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "sgd"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_both_train_alike(activation: str, optimizer: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((90, 300), np.float32) * (rng.random((90, 300)) < 0.2), np.eye(3)[rng.integers(0, 3, 90)]
    outcomes = []
    for name in ("compiled", "reference"):
        backend.set_backend(name)
        assert backend.backend() == name
        set_random_seed(0)
        model = Sequential([Input((300,)), Dense(64, activation), Dropout(0.2), Dense(3, "softmax")])
        model.compile(optimizer, "categorical_crossentropy", ["accuracy"])
        losses = model.fit(x, y, batch_size=32, epochs=2, verbose=0).history["loss"]
        outcomes.append((losses, model.predict(x, verbose=0)))
    np.testing.assert_allclose(outcomes[0][0], outcomes[1][0], rtol=1e-4)
    np.testing.assert_allclose(outcomes[0][1], outcomes[1][1], atol=2e-3)


def test_the_environment_chooses_it() -> None:
    def run(name: str) -> subprocess.CompletedProcess[str]:
        code = "import fastnet; print(fastnet.backend.backend(), fastnet.kernels.gemm_nt.__module__)"
        environment = os.environ | {"FASTNET_BACKEND": name}
        return subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    assert run("reference").stdout.split() == ["reference", "fastnet.kernels.reference"]
    for blank in ("", " "):
        assert run(blank).stdout.split()[0] == "compiled"
    assert "FASTNET_BACKEND is 'numpy'; expected 'compiled' or 'reference'" in run("numpy").stderr


def test_an_unknown_name_changes_nothing() -> None:
    with pytest.raises(ValueError, match=r"unknown backend 'referense'; did you mean 'reference'\?"):
        backend.set_backend("referense")
    assert kernels.backend == "compiled"
