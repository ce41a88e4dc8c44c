"""Loads models and weights from Keras's files."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fastnet.layers import Discretization, Normalization
from fastnet.layers.lookup import Lookup
from fastnet.saving import configuration, keras_optimizer, keras_reading
from fastnet.saving.configuration import Model
from fastnet.saving.keras_archive import KERAS_VERSION, Archive, open_weights, read_archive
from fastnet.saving.keras_weights import Arrays, h5py, places, weights_of
from fastnet.saving.layout import File, ModelFormatError
from fastnet.saving.state import assign, build_model, check_metrics
from fastnet.terminal import screen

_DESCRIBED = (Discretization, Lookup)  # layers whose state is in the description, not among the arrays


def load_model(path: str, custom_objects: Mapping[str, Any] | None, compile: bool) -> Any:
    """Loads a model from a `.keras` file; arguments and errors as the function of the same name in save_and_load.py."""
    h5py()
    archive = read_archive(path)
    with (
        _naming_another_version(archive),
        contextlib.closing(Arrays(path, io.BytesIO(archive.weights), len(archive.weights))) as arrays,
    ):
        return _make(path, archive, arrays, custom_objects, compile)


def _make(path: str, archive: Archive, arrays: Arrays, custom_objects: Mapping[str, Any] | None, compile: bool) -> Any:
    objects = configuration.known_objects(custom_objects)
    file = File(path, {}, arrays.shapes, arrays)
    with file.refusals("holds a model that fastnet cannot make"):
        read = keras_reading.architecture(archive, arrays, objects)
        file.about["architecture"] = read.config
        file.about["weights"] = _names(arrays, read)
    model = build_model(file, custom_objects)
    assign(file, model)
    if compile:
        with file.refusals("cannot be compiled as it was"):
            found = keras_reading.compiled(archive.config.get("compile_config"), objects)
            if found is not None:
                check_metrics(found)
                model.compile(**configuration.compile_from_config(found, custom_objects))
        if found is not None and (set_state := keras_optimizer.restore(arrays, model)):
            set_state()
    return model


def _names(arrays: Arrays, read: keras_reading.Read) -> list[str]:
    """Returns the paths of all weights in the order of the layers."""
    names, others = [], set()
    for group, kind in read.groups:
        keys = arrays.keys_of(group)
        if issubclass(kind, _DESCRIBED):
            others.add(group)
            continue
        if set(keys) != {str(i) for i in range(len(keys))}:
            raise ValueError(f"{group!r} has the arrays {sorted(keys)!s:.200}")
        for i in range(len(keys)):
            names.append(f"{group}/vars/{i}")
            if issubclass(kind, Normalization) and arrays.shapes[names[-1]] == ():
                arrays.shapes[names[-1]] = (1,)
    _check(arrays, names, others)
    return names


def _check(arrays: Arrays, names: list[str], others: set[str]) -> None:
    """Checks the types of the weights, and that the file has no more than these.

    Seeds are left out, since fastnet's random numbers are not those of Keras, and so is what the groups in `others`
    hold.
    """
    for name in names:
        kind = arrays.found[name].dtype
        if kind.kind in "fV" and kind.itemsize != 4:
            found = "bfloat16" if kind.kind == "V" else kind
            raise ValueError(f"{screen.printable(name[:200])} is of type {found}; fastnet computes in float32 alone")
    for name in sorted(set(arrays) - set(names)):
        group = name.rpartition("/vars/")[0]
        is_seed = re.search(r"(^|/)_?seed_generators?(_\d+)?(/|$)", group)
        if group not in others and group.partition("/")[0] != "optimizer" and not is_seed:
            raise ValueError(f"{screen.printable(name[:200])} belongs to no layer of the model")


@contextlib.contextmanager
def _naming_another_version(archive: Archive) -> Iterator[None]:
    """Adds to an error about a file of Keras 2, or of a newer Keras than was tested, that this may be the reason."""
    try:
        yield
    except ModelFormatError as error:
        numbers = _numbers(archive.version)
        if numbers > _numbers(KERAS_VERSION):
            advice = (
                f"this fastnet was tested with files of Keras up to {KERAS_VERSION}, so a newer fastnet may read it"
            )
        elif [0] < numbers < [3]:
            advice = "open it in Keras 3, and save it there again"
        else:
            raise
        version = screen.printable(archive.version[:40])
        raise ModelFormatError(f"{error}. The file was written by Keras {version}; {advice}") from error


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d{1,9}", version)[:3]]


def load_weights(model: Model, path: str) -> None:
    """Sets a model's weights from a `.keras` or `.weights.h5` file; changes nothing if one does not fit."""
    h5py()
    source, size = open_weights(path)
    with source, contextlib.closing(Arrays(path, source, size)) as arrays:
        file = File(path, {}, arrays.shapes, arrays)
        names = []
        with file.refusals("holds weights that do not fit the model"):
            for name, variable, shape, _ in weights_of(model):
                if name not in arrays.shapes:
                    found = ", ".join(sorted(arrays.shapes))
                    raise ValueError(f"it has no {name!r} for the model's {variable.name!r:.80}; it has {found:.500}")
                if arrays.shapes[name] != shape:
                    raise ValueError(
                        f"its {name!r} has the shape {arrays.shapes[name]}, but the model's {variable.name!r:.80} has "
                        f"{shape}"
                    )
                arrays.shapes[name] = variable.shape
                names.append(name)
            _check(arrays, names, {group for group, layer in places(model) if isinstance(layer, _DESCRIBED)})
        file.about["weights"] = names
        assign(file, model)
