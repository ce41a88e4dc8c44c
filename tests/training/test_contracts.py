"""The contracts on whole trainings: any number of threads, sparse or dense, AVX2 or AVX-512 give the same bits."""

import hashlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, kernels
from fastnet.layers import Dense, Dropout, Flatten, Input, Rescaling
from fastnet.utils import set_random_seed, to_categorical


def digest(optimizer: str = "rmsprop", sparse: Any = "auto") -> str:
    """Everything that a training leaves: losses, weights, predictions."""
    set_random_seed(7)
    rng = np.random.default_rng(0)
    x = (rng.random((300, 14, 20)) * (rng.random((300, 14, 20)) < 0.2) * 255).astype(np.uint8)
    y = to_categorical(rng.integers(0, 10, 300), 10)
    hidden = [Dense(100, "relu"), Dropout(0.2), Dense(70, "tanh"), Dense(33, "sigmoid")]
    hidden += [Dense(40, "gelu"), Dense(20, "elu")]
    model = Sequential([Input((14, 20)), Flatten(), Rescaling(1 / 255), *hidden, Dense(10, "softmax")])
    model.compile(optimizer, "categorical_crossentropy", ["accuracy"])
    history = model.fit(x, y, batch_size=64, epochs=3, verbose=0, sparse=sparse, validation_split=0.1).history
    parts = [w.tobytes() for w in model.get_weights()] + [model.predict(x, verbose=0, sparse=sparse).tobytes()]
    return hashlib.sha256(b"".join(parts) + repr(dict(history)).encode()).hexdigest()


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "sgd", "adagrad", "nadam"])
def test_any_number_of_threads(optimizer: str, threads: Any) -> None:
    digests = set()
    for n in (1, 2, 3, 7):
        threads(n)
        digests.add(digest(optimizer))
    assert len(digests) == 1


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "sgd", "adagrad", "nadam"])
def test_sparse_and_dense(optimizer: str) -> None:
    assert digest(optimizer, sparse=True) == digest(optimizer, sparse=False)


def test_avx2_and_avx512() -> None:
    if "x86_v4" not in kernels.usable():
        pytest.skip("needs a processor with AVX-512")
    code = "import test_contracts; print(test_contracts.digest())"
    found = []
    for isa in ("x86_v3", "x86_v4"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ
            | {"FASTNET_ISA": isa, "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        found.append(run.stdout.strip())
    assert found[0] == found[1]
