"""Models: `Model` and `Sequential`, and functions that load, save and copy them."""

from __future__ import annotations

from typing import Any

from fastnet.models.cloning import clone_model
from fastnet.models.model import Model
from fastnet.models.sequential import Sequential

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]


def load_model(filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True) -> Any:
    """Loads a model from a file of `Model.save`, or a ``.keras`` file of Keras 3; see `fastnet.saving.load_model`."""
    from fastnet import saving

    return saving.load_model(filepath, custom_objects, compile)


def save_model(model: Model, filepath: Any, overwrite: bool = True) -> None:
    """Saves a model, as ``model.save(filepath)`` does."""
    model.save(filepath, overwrite)


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """Makes a new model, with new weights, from the result of `Model.to_json`.

    Raises:
        ValueError: if the text is not such a result, or names an unknown layer.
    """
    import json  # here, so that `import fastnet` stays fast

    return Sequential.from_config(json.loads(json_string), custom_objects)
