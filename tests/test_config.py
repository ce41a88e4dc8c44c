"""The settings, the numbers of names, and the classes at the top level, as in Keras."""

import gc
import weakref
from typing import Any

import pytest

import fastnet
from fastnet import backend, config


def test_settings_have_one_value() -> None:
    for module in (backend, config):
        assert module.floatx() == "float32"
        assert module.epsilon() == 1e-7
        assert module.image_data_format() == "channels_last"
        assert module.backend() == "compiled"
        module.set_floatx("float32")
        module.set_epsilon(1e-7)
        module.set_image_data_format("channels_last")


@pytest.mark.parametrize(
    ("name", "value"), [("set_floatx", "float16"), ("set_epsilon", 1e-3), ("set_image_data_format", "channels_first")]
)
def test_another_value_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="the only one that fastnet has, got"):
        getattr(config, name)(value)


def test_numbers_start_again_with_a_new_session() -> None:
    fastnet.utils.clear_session()
    assert [backend.get_uid("dense"), backend.get_uid("dense"), backend.get_uid("relu")] == [1, 2, 1]
    backend.clear_session(free_memory=False)
    assert backend.get_uid("dense") == 1


def test_a_new_session_frees_unused_models() -> None:
    gc.disable()
    try:
        model = fastnet.Sequential([fastnet.layers.Dense(1, input_dim=1)])
        model.circle = model  # type: ignore[attr-defined]
        alive = weakref.ref(model)
        del model
        fastnet.utils.clear_session(free_memory=False)
        assert alive() is not None
        fastnet.utils.clear_session()
        assert alive() is None
    finally:
        gc.enable()


def test_the_base_classes_are_at_the_top_level() -> None:
    for module in ("initializers", "layers", "losses", "metrics", "optimizers", "regularizers"):
        name = module[:-1].replace("losse", "loss").capitalize()
        assert getattr(fastnet, name) is getattr(getattr(fastnet, module), name)
