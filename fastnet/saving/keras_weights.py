"""The arrays of Keras's files: an HDF5 file with a group for each layer and one for the optimizer.

    layers/dense/vars/0        the kernel of the first Dense
    layers/dense_1/vars/0      that of the second
    optimizer/vars/0           the number of steps

A group has the name of the layer's class, with a number from the second layer of a class on. The arrays of a layer are
numbered: first those that are trained, then the others. The group of a model inside another has groups for its layers.

A file may come from an untrusted source. An array is read only after its shape was compared with that of the model. It
must be stored in the file as it is, so that the file's size limits the memory. Links to other places and files, data in
other files and compressed data, which may load code for unpacking, are refused.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnet import checks
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.layers import InputLayer, Layer, Normalization
from fastnet.layers.base import Shape
from fastnet.layers.lookup import Lookup
from fastnet.recorded import MODELS, snake_case
from fastnet.saving.layout import RANK_LIMIT, ask_for_memory, refusals

LEGACY = (
    "of Keras 2 is opened in Keras 3 with keras.models.load_model(...), and saved there as .keras or, for the weights "
    "alone, as .weights.h5"
)
_OBJECT_LIMIT = 100_000  # groups and arrays in a file
_DEPTH_LIMIT = 256


def h5py() -> ModuleType:
    """Imports h5py; raises ImportError with the command that installs it."""
    return checks.optional("h5py", "keras", "a file of Keras")


class Group(NamedTuple):
    """A group of an HDF5 file: its path, the name of its layer, its arrays by their keys."""

    path: str
    name: str
    arrays: Mapping[str, Any]


# Names of groups ------------------------------------------------------------------------------------------------------


def numbered(kinds: Iterable[str]) -> Iterator[str]:
    """Yields the names of the groups of layers of these classes: dense, dense_1, dropout, dense_2."""
    counts: Counter[str] = Counter()
    for kind in kinds:
        stem = snake_case(kind)
        yield f"{stem}_{counts[stem]}" if counts[stem] else stem
        counts[stem] += 1


def class_of(layer: Any) -> str:
    """Returns Keras's name of a layer's or a model's class."""
    if isinstance(layer, Layer):
        return type(layer).__name__
    return "Sequential" if isinstance(layer, MODELS["Sequential"]) else "Functional"


def places(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the path of the group of each layer, and the layer or model; those inside a model come after it."""
    for name, layer in zip(numbered(map(class_of, model.layers)), model.layers, strict=True):
        path = f"{prefix}layers/{name}"
        yield path, layer
        if not isinstance(layer, Layer):
            yield from places(layer, f"{path}/")


# Shapes that differ ---------------------------------------------------------------------------------------------------


def keras_shape(layer: Layer, variable: Variable, i: int) -> Shape:
    """Returns the shape in which Keras has the array number i of a layer. It has the count of Normalization as ()."""
    if isinstance(layer, Normalization) and (i == 2 or layer.axis is None):
        return ()
    return variable.shape


def weights_of(model: Any) -> Iterator[tuple[str, Variable, Shape, Any]]:
    """Yields what a file must have of a model's weights: each array's path, its variable, its shape and its type."""
    for path, layer in places(model):
        if isinstance(layer, Layer):
            for i, variable in enumerate(layer.weights):
                kind = np.int32 if isinstance(layer, Normalization) and i == 2 else np.float32
                yield f"{path}/vars/{i}", variable, keras_shape(layer, variable, i), kind


# Writing --------------------------------------------------------------------------------------------------------------


def groups_of(model: Any) -> Iterator[Group]:
    """Yields the groups of a model and its layers; arrays that Keras has in another shape or type are converted."""
    yield Group("", model.name, {})
    arrays: dict[str, dict[str, Any]] = {}
    for path, variable, shape, kind in weights_of(model):
        group, _, key = path.rpartition("/vars/")
        arrays.setdefault(group, {})[key] = variable, shape, kind
    for path, layer in places(model):
        if isinstance(layer, Lookup) and layer._idf is not None:
            arrays[path] = {"idf_weights": np.pad(layer._idf, (0, layer.depth - len(layer._idf)))}
        if not isinstance(layer, InputLayer):
            yield Group(path, layer.name, arrays.get(path, {}))


def to_bytes(groups: list[Group]) -> memoryview:
    """Returns an HDF5 file. An array is given as it is, or as a variable with a shape and a type.

    Raises:
        MemoryError: if there is too little memory.
    """
    sizes = [
        value[0].size if isinstance(value, tuple) else value.size for group in groups for value in group.arrays.values()
    ]
    # h5py does not end well when its buffer cannot grow, which takes the old and the new buffer at once.
    ask_for_memory(2**20 + 10 * sum(sizes))
    buffer = io.BytesIO()
    with h5py().File(buffer, "w") as file:
        for group in groups:
            made = file.create_group(f"{group.path}/vars".removeprefix("/"))
            made.attrs["name"] = group.name
            for key, value in group.arrays.items():
                if isinstance(value, tuple):
                    variable, shape, kind = value
                    value = variable.numpy().reshape(shape).astype(kind)
                made.create_dataset(key, data=value)
    return buffer.getbuffer()


# Reading --------------------------------------------------------------------------------------------------------------


class Arrays(Mapping[str, Floats]):
    """The arrays of an HDF5 file by their paths. They are read when they are asked for.

    Args:
        path: the name of the file, for messages.
        source: the file, open for reading.
        size: its size in bytes.

    Attributes:
        found: h5py's objects by path.
        shapes: the shapes by path.

    Raises:
        ModelFormatError: if the file is damaged, or holds what it must not.
        ImportError: if h5py is not installed.
    """

    def __init__(self, path: str, source: Any, size: int) -> None:
        self.path = path
        self.found: dict[str, Any] = {}
        library = h5py()
        with refusals(path, "is no HDF5 file as Keras writes it, or is damaged"):
            self._file = library.File(source, "r")
            if "layer_names" in self._file.attrs or "model_weights" in self._file:
                raise ValueError(f"a file {LEGACY}")
            stored = 0
            for i, (name, thing) in enumerate(_walk(self._file, library), 1):
                if i > _OBJECT_LIMIT:
                    raise ValueError(f"it has more than {_OBJECT_LIMIT} groups and arrays")
                if isinstance(thing, library.Dataset):
                    stored += _checked_size(name, thing, library)
                    self.found[name] = thing
            if stored > size:
                raise ValueError(f"its arrays take {stored} bytes, but the file has {size}")
        self.shapes: dict[str, Shape] = {name: tuple(found.shape) for name, found in self.found.items()}

    def close(self) -> None:
        self._file.close()

    def keys_of(self, group: str) -> list[str]:
        """Returns the keys of the arrays of a group."""
        stem = f"{group}/vars/".removeprefix("/")
        return [
            name.removeprefix(stem) for name in self.found if name.startswith(stem) and "/" not in name[len(stem) :]
        ]

    def raw(self, name: str) -> NDArray[Any]:
        """Reads an array in its own type."""
        with refusals(self.path, f"is damaged: {name!r:.200} cannot be read"):
            array: NDArray[Any] = self.found[name][()]
            return np.asarray(array)

    def __getitem__(self, name: str) -> Floats:
        return self.raw(name).astype(np.float32).reshape(self.shapes[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)


def _walk(group: Any, library: ModuleType, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yields all groups and arrays in a group, with their paths."""
    if depth > _DEPTH_LIMIT:
        raise ValueError(f"groups are nested deeper than {_DEPTH_LIMIT}")
    for key in group:
        name = f"{prefix}{key}"
        link = group.get(key, getlink=True)
        if not isinstance(link, library.HardLink):
            raise ValueError(f"{name!r:.200} is a link to another place, which is not followed")
        thing = group[key]
        yield name, thing
        if isinstance(thing, library.Group):
            yield from _walk(thing, library, f"{name}/", depth + 1)
        elif not isinstance(thing, library.Dataset):
            raise ValueError(f"{name!r:.200} is neither a group nor an array")


def _checked_size(name: str, found: Any, library: ModuleType) -> int:
    """Checks that an array is of numbers, and stored in the file as it is; returns its bytes."""
    is_bfloat16 = found.dtype == "V2"  # of which the caller knows more
    if not is_bfloat16 and (found.dtype.kind not in "fiu" or found.dtype.itemsize > 8):
        raise ValueError(f"{name!r:.200} has the type {found.dtype!s:.80}; expected numbers")
    if found.shape is None or len(found.shape) > RANK_LIMIT:
        raise ValueError(f"{name!r:.200} has the shape {found.shape!s:.80}")
    creation = found.id.get_create_plist()
    is_plain = creation.get_layout() in (library.h5d.CONTIGUOUS, library.h5d.COMPACT) and not creation.get_nfilters()
    if not is_plain or creation.get_external_count():
        raise ValueError(f"{name!r:.200} is compressed, in pieces or in another file; Keras stores arrays as they are")
    size: int = math.prod(found.shape) * found.dtype.itemsize
    if found.id.get_storage_size() != size:
        raise ValueError(f"{name!r:.200} has the shape {found.shape!s:.80}, but its bytes are not in the file")
    return size
