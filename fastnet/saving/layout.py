"""Model files: written whole or not at all, read without running code, and checked before anything is made of them.

A file is in the safetensors format: 8 bytes with a header's length, the header in JSON, and the arrays, all float32 and
in the plain shapes that users see. The header's metadata hold, as `fastnet`, JSON of our own: versions,
architecture, compile arguments, the order of the weights, the state of a training; and the SHA-256 of that text and of
all names, types, shapes and bytes, so that no damaged file is taken for a good one.
Source of the format: https://github.com/huggingface/safetensors (README, "Format").

The safetensors library writes the file. Reading is done here: the library takes a path and maps the file into memory,
where a file that is cut or replaced meanwhile ends the process, and it looks at neither checksum nor architecture.

A file may come from a stranger. Classes are chosen by name from fastnet's own (`configuration.py`); the sizes of all
arrays follow from the architecture and are compared with the header, and that with the file's size, before memory is
taken; a header has at most 1 MiB. Whatever is wrong with a file's content is a ModelFormatError.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import math
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple, NoReturn

import numpy as np

from fastnet._version import __version__
from fastnet.checks import Floats
from fastnet.layers.base import Shape
from fastnet.saving.files import replace_file

MODEL_SUFFIX = ".safetensors"
WEIGHTS_SUFFIX = ".weights.safetensors"
FORMAT_VERSION = 1
LAYER_LIMIT = 1024
RANK_LIMIT = 8

_HEADER_LIMIT = 2**20
_BEFORE_DIGEST = '{"sha256":"'  # how our JSON begins; the digest is over what comes after its own 64 characters
_FIELDS = {
    "sha256",
    "format_version",
    "fastnet_version",
    "kind",
    "architecture",
    "compile",
    "optimizer",
    "weights",
    "training",
}

Path = str | os.PathLike[str]


class ModelFormatError(ValueError):
    """A file is no model file of fastnet, is damaged, or does not fit the model that it is loaded into."""


def check_suffix(argument: str, path: Path, weights: bool | None) -> str:
    """`path` as a string, if its ending is that of a model file, of a file of weights, or, for None, of either.

    Raises:
        ValueError, TypeError: if not.
    """
    try:
        name = os.fspath(path)
    except TypeError:
        raise TypeError(f"{argument} must be a file's name, got {path!r}") from None
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a string or a pathlib.Path, got {path!r}")
    of_weights = name.endswith(WEIGHTS_SUFFIX)
    if "\0" in name or not name.endswith(MODEL_SUFFIX) or (weights is not None and weights != of_weights):
        expected = WEIGHTS_SUFFIX if weights else MODEL_SUFFIX
        what = "weights" if weights else "a model"
        note = f" ({WEIGHTS_SUFFIX} is for weights alone)" if weights is False else ""
        raise ValueError(f"{argument} must end in {expected!r} for {what}{note}, got {name!r}")
    return name


# Writing --------------------------------------------------------------------------------------------------------------


class Contents(NamedTuple):
    """What goes into a file: our JSON, and the arrays by name."""

    about: dict[str, Any]
    tensors: dict[str, Floats]


def write(path: str, contents: Contents, overwrite: bool = True) -> None:
    """Writes a file with its checksum; errors as `save_model`."""
    from safetensors import numpy as safetensors  # imported when used

    path = os.path.realpath(path)  # a link stays a link
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", folder)
    if os.path.lexists(path):
        if not overwrite:
            raise FileExistsError(errno.EEXIST, "the file is there, and overwrite is False", path)
        if not os.path.isfile(path):
            raise ValueError(f"path must name a file, but {path!r} is something else")
    about = '",' + dump(contents.about)[1:]
    tensors = {name: np.ascontiguousarray(contents.tensors[name], "<f4") for name in sorted(contents.tensors)}
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    digest = digest_of(about, shapes, {name: t.data.cast("B") for name, t in tensors.items()})
    # One entry: several would come in another order each time, and the same model in other bytes.
    data = safetensors.save(tensors, {"fastnet": f"{_BEFORE_DIGEST}{digest}{about}"})
    if struct.unpack("<Q", data[:8])[0] > _HEADER_LIMIT:
        raise ValueError("the model's description takes more than 1 MiB, the most that a model file may have")
    replace_file(path, data)


def digest_of(about: str, shapes: Mapping[str, tuple[int, ...]], data: Mapping[str, memoryview]) -> str:
    """SHA-256 over our JSON, the arrays' names, types and shapes, and their bytes, by name."""
    names = sorted(shapes)
    table = json.dumps([about, [[name, "F32", list(shapes[name])] for name in names]])
    digest = hashlib.sha256(table.encode())
    for name in names:
        digest.update(data[name])
    return digest.hexdigest()


def as_json_has_it(config: Any) -> Any:
    """A description as it comes back from a file: lists for tuples, and so on."""
    return json.loads(dump(config))


def dump(config: Any) -> str:
    """A description in JSON.

    Raises:
        TypeError, ValueError: if a value has no place there.
    """
    dumps = functools.partial(json.dumps, separators=(",", ":"), allow_nan=False, default=_plain_number)
    plain = dumps(config, ensure_ascii=False)
    try:
        plain.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the model cannot be saved: a text in it holds {plain[error.start]!r}, half of a surrogate pair, which "
            "no file can hold"
        ) from None
    return dumps(config)


def _plain_number(value: Any) -> Any:
    """NumPy's numbers and arrays, which users give as arguments, as JSON has them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r}, of {type(value)}, cannot be saved: get_config() must return what JSON has")


# Reading --------------------------------------------------------------------------------------------------------------


class File(NamedTuple):
    """A file that was read, with a right checksum."""

    path: str
    about: dict[str, Any]
    shapes: dict[str, Shape]
    data: dict[str, memoryview]

    def array(self, name: str) -> Floats:
        array: Floats = np.frombuffer(self.data[name], "<f4").astype(np.float32).reshape(self.shapes[name])
        return array

    def error(self, what: str) -> ModelFormatError:
        return ModelFormatError(f"{self.path!r} {what}")

    @contextlib.contextmanager
    def refusals(self, what: str) -> Iterator[None]:
        """Makes a ModelFormatError of whatever a description makes a constructor raise."""
        try:
            yield
        except (ModelFormatError, MemoryError):
            raise
        except Exception as error:
            reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise self.error(f"{what}: {reason}") from error


def read(path: str) -> File:
    """A file's content, after everything about it was checked that can be without a model."""
    with open(_open_regular(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = _header(path, file, size)
        start = file.tell()
        about, entries = _metadata(path, header)
        shapes, places = _places(path, entries, size - start)
        _check_names(path, about, shapes)
        body = bytearray(size - start)  # as large as the file is, and its header says so too
        if file.readinto(body) != len(body) or file.read(1):
            _refuse(path, "changed while it was read")
    view = memoryview(body)
    data = {name: view[begin:end] for name, (begin, end) in places.items()}
    text = header["__metadata__"]["fastnet"].removeprefix(_BEFORE_DIGEST)
    if digest_of(text[64:], shapes, data) != text[:64]:
        _refuse(path, "is damaged: its SHA-256 is another than when it was written")
    return File(path, about, shapes, data)


def _refuse(path: str, what: str, error: BaseException | None = None) -> NoReturn:
    raise ModelFormatError(f"{path!r} {what}") from error


def _open_regular(path: str) -> int:
    """Opens a file; a pipe, which would never end, or a device is refused."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        _refuse(path, "is no file but a folder, a pipe or a device")
    return descriptor


def _header(path: str, file: IO[bytes], size: int) -> dict[str, Any]:
    first = file.read(8)
    length = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
    if not 2 <= length <= size - 8:
        _refuse(path, "is no safetensors file, or was cut short")
    if length > _HEADER_LIMIT:
        _refuse(path, f"has a header of {length} bytes; a model file of fastnet has at most {_HEADER_LIMIT}")
    header = _parse(path, file.read(length))
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("fastnet"), str):
        _refuse(path, "was not written by fastnet")
    if len(metadata) != 1 or not metadata["fastnet"].startswith(_BEFORE_DIGEST):
        _refuse(path, "is damaged: its metadata are not those of fastnet")
    return header


def _parse(path: str, text: bytes | str) -> dict[str, Any]:
    """A JSON object: no key twice, no NaN, as deep as Python's stack."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError("a name comes twice")
        return members

    def no_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is no number in JSON")

    try:
        text = text.decode() if isinstance(text, bytes) else text
        parsed = json.loads(text, object_pairs_hook=once, parse_constant=no_constant)
        json.dumps(parsed, ensure_ascii=False).encode()  # half a surrogate pair has no place in UTF-8
    except (ValueError, RecursionError) as error:
        _refuse(path, f"is damaged: its header is not JSON as it should be ({error})", error)
    if not isinstance(parsed, dict):
        _refuse(path, "is damaged: its header is no JSON object")
    return parsed


def _metadata(path: str, header: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our JSON, and the entries of the arrays."""
    about = _parse(path, header["__metadata__"]["fastnet"])
    version = about.get("format_version")
    if type(version) is int and version > FORMAT_VERSION:
        _refuse(
            path,
            f"has format {version}, written by fastnet {about.get('fastnet_version')!r:.40}; "
            f"this is fastnet {__version__}, which reads format {FORMAT_VERSION}: install a newer one",
        )
    weights = about.get("weights")
    right = (
        version == FORMAT_VERSION
        and type(version) is int
        and set(about) == _FIELDS
        and about["kind"] in ("model", "weights")
        and isinstance(weights, list)
        and all(isinstance(name, str) for name in weights)
        and len(set(weights)) == len(weights)
    )
    if not right:
        _refuse(path, "is damaged: fastnet's part of the metadata is not as it was written")
    return about, {name: entry for name, entry in header.items() if name != "__metadata__"}


def _places(path: str, entries: dict[str, Any], size: int) -> tuple[dict[str, Shape], dict[str, tuple[int, int]]]:
    """Shapes and places of the arrays, which fill the `size` bytes after the header without gap or overlap."""
    shapes, places = {}, {}
    for name, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            _refuse(path, f"is damaged: the entry of {name!r:.80} is not that of an array")
        if entry["dtype"] != "F32":
            _refuse(path, f"holds {name!r:.80} in type {entry['dtype']!r:.20}; fastnet has F32 alone")
        shape, offsets = entry["shape"], entry["data_offsets"]
        if not (_whole(shape) and len(shape) <= RANK_LIMIT and _whole(offsets) and len(offsets) == 2):
            _refuse(path, f"is damaged: shape or place of {name!r:.80} are not those of an array")
        if 0 in shape or 4 * math.prod(shape) != offsets[1] - offsets[0]:
            _refuse(path, f"is damaged: {name!r:.80} has shape {shape} in {offsets[1] - offsets[0]} bytes")
        shapes[name], places[name] = tuple(shape), (offsets[0], offsets[1])
    end = 0
    for begin, stop in sorted(places.values()):
        if begin != end:
            _refuse(path, "is damaged: its arrays overlap, or have gaps between them")
        end = stop
    if end != size:
        _refuse(path, f"has {size} bytes of arrays, but its header says {end}: it was cut short, or added to")
    return shapes, places


def _whole(numbers: Any) -> bool:
    return isinstance(numbers, list) and all(type(n) is int and 0 <= n < 2**48 for n in numbers)


def _check_names(path: str, about: dict[str, Any], shapes: dict[str, Shape]) -> None:
    """Every array is a weight, or state that an optimizer keeps for one."""
    missing = [name for name in about["weights"] if name not in shapes]
    if missing:
        _refuse(path, f"is damaged: {missing[0]!r:.80} is not in it")
    weights = set(about["weights"])
    for name in set(shapes) - weights:
        kind, _, rest = name.partition("/")
        weight = f"layers/{rest.rpartition('/')[0]}"
        if kind != "optimizer" or weight not in weights:
            _refuse(path, f"is damaged: {name!r:.80} belongs to nothing")
        if shapes[name] != shapes[weight]:
            _refuse(path, f"is damaged: {name!r:.80} has shape {shapes[name]}, {weight!r} has {shapes[weight]}")
