"""Names and descriptions of losses, as Keras has them: get, serialize, deserialize; what is imported late."""

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, losses
from fastnet.layers import Dense, Input
from fastnet.losses import Loss
from fastnet.models import load_model

LATE = [
    losses.BinaryFocalCrossentropy(True, 0.5, 3, True, 0.1),
    losses.CategoricalFocalCrossentropy([1, 2, 3], 0.5),
    losses.CategoricalGeneralizedCrossEntropy(0.25),
    losses.Circle(4, 0.25, False),
    losses.Dice(axis=(0, 1), name="overlap"),
    losses.Tversky(0.2, 0.7, axis=-1),
    losses.SparseCategoricalCrossentropy(ignore_class=2),
    losses.BinaryCrossentropy(axis=1),
]


def test_get_gives_functions_for_names_of_functions() -> None:
    assert losses.get("mse") is losses.get("MSE") is losses.get("mean_squared_error") is losses.mean_squared_error
    assert losses.get("tversky") is losses.tversky
    assert losses.get(losses.hinge) is losses.hinge
    assert losses.get(None) is None


def test_get_gives_objects_for_names_of_classes() -> None:
    loss = losses.Huber(2)
    assert losses.get(loss) is loss
    for identifier in ("Dice", losses.Dice, {"class_name": "Dice", "config": {}}):
        assert repr(losses.get(identifier)) == "Dice()"


@pytest.mark.parametrize("name", ["typo", "", "Typo"])
def test_an_unknown_name_is_refused(name: str) -> None:
    for find in (losses.get, losses.deserialize, losses.for_training):
        with pytest.raises(ValueError, match="unknown loss"):
            find(name)


@pytest.mark.parametrize("loss", LATE, ids=repr)
def test_a_description_makes_the_same_loss(loss: Loss) -> None:
    description = losses.serialize(loss)
    assert description["config"] | {"name": loss.name, "reduction": "sum_over_batch_size"} == description["config"]
    for again in (losses.deserialize(description), losses.get(description), pickle.loads(pickle.dumps(loss))):
        assert type(again) is type(loss)
        assert again.get_config() == loss.get_config()
        assert repr(again) == repr(loss)


def test_a_function_is_described_by_its_name() -> None:
    for function in (losses.mean_squared_error, losses.dice):
        assert losses.deserialize(losses.serialize(function)) is function


def test_ones_own_classes_and_functions_are_given_again() -> None:
    class Mine(Loss):
        def __init__(self, power: int) -> None:
            super().__init__()
            self.power = power

    def mine(t: Any, p: Any) -> Any:
        return p

    made = losses.deserialize({"class_name": "Mine", "config": {"power": 3}}, {"Mine": Mine})
    assert made.power == 3
    assert losses.deserialize("mine", {"mine": mine}) is mine


@pytest.mark.parametrize("loss", LATE, ids=repr)
def test_a_saved_model_has_its_loss_again(loss: Loss, tmp_path: Any) -> None:
    model = Sequential([Input((4,)), Dense(3, "sigmoid")])
    model.compile("sgd", loss, metrics=[loss])
    x, y = np.eye(4), np.array([0, 1, 1, 0]) if loss.of_labels else np.eye(3)[[0, 1, 1, 0]]
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert again.loss.get_config() == loss.get_config()
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    assert again.metrics[1].loss.get_config() == loss.get_config()


def in_new_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_what_few_people_need_is_imported_when_first_used() -> None:
    code = "import sys, fastnet; before = set(sys.modules); {}; print(sorted(set(sys.modules) - before))"
    late = ["fastnet.losses.coupled", "fastnet.losses.overlap"]
    for use in ("fastnet.losses.Dice", "fastnet.losses.dice", "fastnet.losses.get('Dice')"):
        assert set(late) <= set(eval(in_new_process(code.format(use))))
    assert "fastnet.losses" not in in_new_process(code.format("fastnet.losses.for_training('mse')"))


def test_a_model_with_a_late_loss_is_loaded_in_a_new_process(tmp_path: Any) -> None:
    model = Sequential([Input((4,)), Dense(3)])
    model.compile("sgd", losses.Tversky(0.25), metrics=[losses.Dice()])
    model.save(tmp_path / "m.safetensors")
    code = f"import fastnet; print(fastnet.models.load_model({str(tmp_path / 'm.safetensors')!r}).loss)"
    assert in_new_process(code) == "Tversky(alpha=0.25)"


def test_a_late_loss_in_a_file_is_not_taken_for_ones_own() -> None:
    code = """
from fastnet.saving.configuration import compile_from_config
loss = {"class_name": "Dice", "config": {"axis": [0]}}
metric = {"class_name": "LossMetric", "config": {"loss": loss}}
try:
    compile_from_config({"optimizer": "sgd", "loss": {"class_name": "Hinge", "config": {}}, "metrics": [metric]})
except ValueError as error:
    print(error)
"""
    message = in_new_process(code)
    assert message.startswith("a model has its outputs along the last axis, but Dice(axis=(0,))")
    assert "of your own" not in message
