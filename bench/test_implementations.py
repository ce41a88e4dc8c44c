"""Tests that all libraries train the same networks: after the same steps, each has about the same loss.

python -m pytest bench/test_implementations.py
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import implementations
import numpy as np
import peak
import pytest
import table

NAMES = [name for name in ("jax-scan", "jax", "torch", "numpy") if not implementations.missing(name)]
SMALL = [case for case, network in implementations.NETWORKS.items() if max(network.widths) < 100]


def begin_alike(trainer: Any, network: implementations.Network) -> None:
    """Gives PyTorch's layers the first weights of the others. They are of another distribution."""
    import torch

    weights: Any = implementations.make("numpy", network, 1)
    with torch.no_grad():
        for mine, other in zip(trainer._model.parameters(), weights._weights, strict=True):
            mine.copy_(torch.from_numpy(other.T))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", SMALL)
def test_a_library_learns_as_fastnet_does(case: str, name: str) -> None:
    network = implementations.NETWORKS[case]
    if case == "4-32-16-4:10000":
        network = replace(network, batch=2000, rows=2000)
    epochs, (x, y) = 200 if network.full else 3, implementations.examples_of(network)
    losses = []
    for library in (table.OURS, name):
        trainer = implementations.make(library, network, 1)
        if library == "torch":
            begin_alike(trainer, network)
        trainer.load(x, y)
        first = trainer.train(1)[0]
        losses.append(trainer.train(epochs)[0])
        assert losses[-1] < 0.7 * first
    shuffles_otherwise = name == "torch" and not network.full
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.1 if shuffles_otherwise else 0.02)


def test_every_network_has_a_target() -> None:
    assert list(table.TARGETS) == list(implementations.NETWORKS)


def test_a_cache_line_comes_back() -> None:
    if table.common.cores() < 2:
        pytest.skip("needs two cores")
    try:
        assert 10e-9 < peak.ping_pong(runs=2, turns=1000) < 1
    except peak.NoCompilerError as error:
        pytest.skip(str(error))
