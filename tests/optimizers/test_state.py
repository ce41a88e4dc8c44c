"""The state of an optimizer in copies and hashes of a trained model."""

import copy
import pickle

import joblib
import numpy as np
import pytest

import fastnet
from fastnet.layers import Dense, Input


@pytest.mark.parametrize("name", ["adam", "sgd", "muon"])
def test_a_trained_model_has_a_hash_and_goes_on_from_a_copy(name: str) -> None:
    """joblib's hash compares the keys of dicts, which may not be variables."""
    x = np.random.default_rng(0).standard_normal((64, 5)).astype(np.float32)
    model = fastnet.Sequential([Input((5,)), Dense(8, "relu"), Dense(1)]).compile(name, "mse")
    model.fit(x, x[:, 0], verbose=0)
    before = joblib.hash(model)
    assert before == joblib.hash(model)
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for each in (model, *copies):
        each.fit(x, x[:, 0], verbose=0, shuffle=False, epochs=3)
    for each in copies:
        assert all(np.array_equal(a, b) for a, b in zip(each.get_weights(), model.get_weights(), strict=True))
        assert len(each.optimizer.variables) == len(model.optimizer.variables)
    assert joblib.hash(model) != before
