"""What scripts for Keras do with an optimizer: its learning rate, variables, name, description, and own loops."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, optimizers, recorded
from fastnet.arrays.variables import Variable
from fastnet.layers import Dense, Input
from fastnet.models import load_model
from fastnet.optimizers import SGD, Adam, schedules


def weights(*values: float, name: str = "dense/kernel") -> Variable:
    return Variable(np.array(values, np.float32), name)


def test_the_learning_rate_is_a_float_that_can_be_assigned_to() -> None:
    optimizer = SGD(0.1)
    rate = optimizer.learning_rate
    assert isinstance(rate, float)
    assert (rate, repr(rate), json.dumps(rate), rate * 2) == (0.1, "0.1", "0.1", 0.2)
    assert rate.numpy() == rate.value == np.float32(0.1)
    rate.assign(0.5)
    assert (optimizer.learning_rate, optimizer.lr) == (0.5, 0.5)
    assert rate == 0.1  # a number does not change
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError, match="learning_rate"):
            rate.assign(wrong)
    for copied in (copy.deepcopy(rate), pickle.loads(pickle.dumps(rate))):
        assert type(copied) is float


def test_the_number_of_steps_is_an_int_that_can_be_assigned_to() -> None:
    optimizer = SGD(0.1)
    optimizer.apply_gradients([(np.ones(2), weights(1, 2))])
    assert isinstance(optimizer.iterations, int)
    assert (optimizer.iterations, optimizer.iterations.numpy(), f"{optimizer.iterations:,}") == (1, 1, "1")
    optimizer.iterations.assign(7)
    assert optimizer.iterations == 7
    assert type(copy.deepcopy(optimizer.iterations)) is int


def test_a_function_may_be_the_learning_rate() -> None:
    rates = iter([0.5, 0.25])
    optimizer = SGD(lambda: next(rates))
    variable = weights(1.0)
    for expected in (0.5, 0.25):
        optimizer.apply_gradients([(np.ones(1), variable)])
        assert variable.numpy() == expected
    with pytest.raises(TypeError, match="follows a schedule"):
        optimizer.learning_rate = 0.1
    with pytest.raises(TypeError, match="<lambda>'s learning rate at step 0"):
        _ = SGD(lambda: "fast").learning_rate


def halves() -> float:
    return 0.5


def test_a_file_has_the_name_of_a_function(tmp_path: Path) -> None:
    model = Sequential([Input((2,)), Dense(1)]).compile(SGD(halves), "mse")
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors", {"halves": halves})
    assert loaded.optimizer._schedule is halves
    with pytest.raises(ValueError, match="halves"):
        load_model(tmp_path / "m.safetensors")


def test_a_number_may_give_way_to_a_schedule() -> None:
    optimizer = SGD(0.1)
    assert len(optimizer.variables) == 2
    optimizer.learning_rate = schedules.InverseTimeDecay(optimizer.learning_rate, 1, 1.0)
    assert len(optimizer.variables) == 1
    assert optimizer.learning_rate == 0.1
    optimizer.iterations = 1
    assert optimizer.learning_rate == 0.05


def test_the_number_of_steps_is_a_whole_number() -> None:
    optimizer = SGD(0.1)
    optimizer.iterations = np.float64(7.0)
    for wrong in (2.5, "2", True):
        with pytest.raises(TypeError, match="iterations must be an integer, got"):
            optimizer.iterations = wrong
    with pytest.raises(ValueError, match="iterations must be at least 0, got -1"):
        optimizer.iterations = -1
    assert optimizer.iterations == 7


def test_variables_show_the_state_and_set_it() -> None:
    variable = weights(1, 2)
    optimizer = Adam(0.1)
    optimizer.apply_gradients([(np.array([1.0, 2.0]), variable)])
    steps, rate, mean, square = optimizer.variables
    assert (steps, rate) == (1, 0.1)
    np.testing.assert_allclose(mean, [0.1, 0.2], rtol=1e-6)
    np.testing.assert_allclose(square.numpy(), [0.001, 0.004], rtol=1e-6)
    assert mean.name == "dense_kernel_momentum"
    mean.assign([3, 4])
    assert optimizer.slot(variable, "momentum")[:2].tolist() == [3, 4]

    other = Adam()
    with pytest.raises(ValueError, match=r"weights has 4 entries, but the optimizer has 2 variables; call build"):
        other.set_weights(optimizer.variables)
    other.build([variable])
    with pytest.raises(ValueError, match="shape"):
        other.set_weights([5, 0.5, np.ones(3), np.ones(2)])
    assert other.iterations == 0
    other.set_weights(optimizer.variables)
    assert [np.asarray(v).tolist() for v in other.variables] == [np.asarray(v).tolist() for v in optimizer.variables]


def test_names_are_numbered_and_kept_by_a_description() -> None:
    recorded.names.clear()
    assert [Adam().name, Adam().name, SGD().name, optimizers.AdamW().name] == ["adam", "adam_1", "sgd", "adam_w"]
    second = optimizers.RMSprop(0.5, name="mine")
    assert optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(second)))).name == "mine"
    assert optimizers.deserialize(optimizers.serialize(Adam())).name == "adam_2"
    with pytest.raises(TypeError, match="name must be a string, got 3"):
        Adam(name=3)  # type: ignore[arg-type]


def test_a_number_in_a_name_is_no_part_of_a_file(tmp_path: Path) -> None:
    files = []
    for name in (None, None, "mine"):
        model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")]).compile(Adam(name=name), "mse")
        model.save(tmp_path / "m.safetensors")
        files.append((tmp_path / "m.safetensors").read_bytes())
    assert files[0] == files[1] != files[2]
    assert load_model(tmp_path / "m.safetensors").optimizer.name == "mine"


def test_a_class_without_the_argument_name_comes_back_with_its_name() -> None:
    class Halved(SGD):
        def __init__(self, rate: float) -> None:
            super().__init__(rate / 2)

        def get_config(self) -> dict[str, Any]:
            return {"rate": 2 * self.learning_rate, "name": self.name}

    made = Halved(0.5)
    again = optimizers.deserialize(optimizers.serialize(made), {"Halved": Halved})
    assert (type(again), again.learning_rate, again.name) == (Halved, 0.25, made.name)


def test_get() -> None:
    assert optimizers.get(None) is None
    assert isinstance(optimizers.get("lion"), optimizers.Lion)
    assert isinstance(optimizers.get("ScheduleFreeAdamW"), optimizers.ScheduleFreeAdamW)
    assert optimizers.get({"class_name": "muon", "config": {"ns_steps": 3}}).ns_steps == 3  # type: ignore[union-attr]
    with pytest.raises(TypeError, match="config must be a dict"):
        optimizers.deserialize({"class_name": "SGD"})
    with pytest.raises(TypeError, match="optimizer is None"):
        Sequential([Dense(1)]).compile(None, "mse")


@pytest.mark.parametrize("name", optimizers.CLASSES)
def test_descriptions_and_copies_are_equal(name: str) -> None:
    made = optimizers.CLASSES[name](0.25, use_ema=True, ema_momentum=0.5, gradient_accumulation_steps=2)
    config = made.get_config()
    as_json = json.dumps(config)
    assert json.dumps(type(made).from_config(json.loads(as_json)).get_config()) == as_json
    assert pickle.loads(pickle.dumps(made)).get_config() == config
    assert "use_ema=True" in repr(made)


def test_variables_are_excluded_from_the_weight_decay_by_themselves_or_by_name() -> None:
    kernel, bias, last = weights(1.0), weights(1.0, name="dense/bias"), weights(1.0, name="bias/kernel")
    optimizer = SGD(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[kernel], var_names=["bias"])
    optimizer.apply_gradients([(np.zeros(1), v) for v in (kernel, bias, last)])
    assert [v.numpy().item() for v in (kernel, bias, last)] == [1.0, 1.0, 0.75]
    with pytest.raises(TypeError, match="var_names must be a list of strings, got 'bias'"):
        optimizer.exclude_from_weight_decay(var_names="bias")


def test_steps_along_gradients_of_ones_own() -> None:
    first, second = weights(1.0), weights(1.0)
    optimizer = SGD(0.5, loss_scale_factor=4.0)
    assert optimizer.scale_loss(2.0) == 8.0
    with pytest.warns(UserWarning, match="no gradient for dense/kernel: left as they are"):
        assert optimizer.apply_gradients([(np.full(1, 4.0), first), (None, second)]) == 1
    assert [first.numpy().item(), second.numpy().item()] == [0.5, 1.0]
    with pytest.raises(ValueError, match="no gradient for any variable"):
        optimizer.apply_gradients([(None, first)])
    with pytest.raises(ValueError, match="shape"):
        optimizer.apply_gradients([(np.ones(1), first), (np.ones(2), second)])
    assert [first.numpy().item(), second.numpy().item(), optimizer.iterations] == [0.5, 1.0, 1]


def test_an_update_step_of_ones_own_sees_the_steps_before_it() -> None:
    seen = []

    class Own(optimizers.Optimizer):
        def update_step(self, gradient: Any, variable: Variable, learning_rate: float) -> None:
            seen.append(int(self.iterations))

    optimizer = Own(0.1)
    for _ in range(3):
        optimizer.apply_gradients([(np.ones(1), weights(1.0))])
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_a_limit_of_zero_is_none(clip: str) -> None:
    variable = weights(1.0)
    SGD(1.0, **{clip: 0}).apply_gradients([(np.full(1, 3.0), variable)])
    assert variable.numpy() == -2.0


def test_the_decay_of_older_scripts_is_ignored_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="decay is ignored"):
        optimizer = SGD(lr=0.01, decay=1e-6, momentum=0.9, nesterov=True)
    assert "decay" not in optimizer.get_config()
    assert SGD(0.1, decay=0).learning_rate == 0.1
