"""The format of model files: writes a file, and reads and checks one without running code from it.

A file has the safetensors format: 8 bytes with the length of the header, the header in JSON, and the arrays as float32,
in the shapes that users see. The header's metadata have one entry, `fastnet`, which holds JSON of our own: versions,
architecture, compile arguments, the order of the weights and the state of a training. It also holds the SHA-256 of that
text and of all names, types, shapes and bytes, so that a damaged file is noticed.
Source of the format: https://github.com/huggingface/safetensors (README, "Format").

This module writes a file itself, array by array. The library would copy all weights first, and would end the process
when memory runs out. For reading, the library parses the header and says where the arrays are. This module then reads
their bytes. The library would map them into memory, and a file that is truncated meanwhile would end the process.

A file may come from an untrusted source. Classes are chosen by name from fastnet's own (`configuration.py`). The sizes
of all arrays follow from the architecture. They are compared with the header, and the header with the file's size,
before memory is allocated. A header has at most 1 MiB. Every fault in a file's content raises a ModelFormatError.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import json
import math
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple, NoReturn

import numpy as np

from fastnet._version import __version__
from fastnet.arrays.variables import Variable
from fastnet.checks import Floats
from fastnet.layers.base import Shape
from fastnet.saving.files import O_BINARY, check_place, replacing
from fastnet.terminal import screen

FORMAT_VERSION = 1
LAYER_LIMIT = 1024
METRIC_LIMIT = 256
THRESHOLD_LIMIT = 100_000  # for all metrics together; each threshold takes about 32 bytes
RANK_LIMIT = 8

_MESSAGE_LIMIT = 2000  # characters of another error's message that our message repeats

_HEADER_LIMIT = 2**20
_BEFORE_DIGEST = '{"sha256":"'  # the start of our JSON; the digest covers what follows its own 64 characters
_NO_DIGEST = b"0" * 64
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


class ModelFormatError(ValueError):
    """A file is not a model file of fastnet, is damaged, or does not fit the model that loads it."""


# Writing --------------------------------------------------------------------------------------------------------------


class Contents(NamedTuple):
    """The content of a file: our JSON, and by name a variable and an array that is packed like the variable's value."""

    about: dict[str, Any]
    packed: dict[str, tuple[Variable, Floats]]

    @property
    def tensors(self) -> dict[str, Floats]:
        """Copies of the arrays, in the shapes that users see."""
        return {name: variable.unpack(array) for name, (variable, array) in self.packed.items()}


def write(path: str, contents: Contents, overwrite: bool = True) -> None:
    """Writes a file with its checksum, one array after another; errors as `save_model`."""
    path = check_place(path, overwrite)
    names = sorted(contents.packed)
    shapes = {name: contents.packed[name][0].shape for name in names}
    about, head = header_of(contents.about, shapes)
    digest = _digest_before_data(about, shapes)
    with replacing(path) as file:
        file.write(head)
        for name in names:
            variable, array = contents.packed[name]
            for block in variable.blocks(array):
                data = block.astype("<f4", copy=False).data.cast("B")
                digest.update(data)
                file.write(data)
        file.seek(head.index(_NO_DIGEST))
        file.write(digest.hexdigest().encode())


def header_of(about: Mapping[str, Any], shapes: Mapping[str, Shape]) -> tuple[str, bytes]:
    """Returns our JSON after its checksum, and all bytes before the arrays, with zeros in place of the checksum.

    The library would write the same bytes for these arrays, sorted by name.

    Raises:
        ValueError: if the header is longer than 1 MiB.
        TypeError: if a description holds a value that JSON does not have.
    """
    text = '",' + dump(about)[1:]
    # Only one entry: the library orders several entries differently each time, so the bytes of a file would vary.
    header: dict[str, Any] = {"__metadata__": {"fastnet": f"{_BEFORE_DIGEST}{_NO_DIGEST.decode()}{text}"}}
    end = 0
    for name in sorted(shapes):
        start, end = end, end + 4 * math.prod(shapes[name])
        header[name] = {"dtype": "F32", "shape": list(shapes[name]), "data_offsets": [start, end]}
    line = json.dumps(header, separators=(",", ":")).encode()
    line += b" " * (-len(line) % 8)
    if len(line) > _HEADER_LIMIT:
        raise ValueError("the model's description takes more than 1 MiB, the most that a model file may have")
    return text, struct.pack("<Q", len(line)) + line


def _digest_before_data(about: str, shapes: Mapping[str, tuple[int, ...]]) -> hashlib._Hash:
    table = json.dumps([about, [[name, "F32", list(shapes[name])] for name in sorted(shapes)]])
    return hashlib.sha256(table.encode())


def digest_of(about: str, shapes: Mapping[str, tuple[int, ...]], data: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of our JSON, the arrays' names, types and shapes, and their bytes in the order of names."""
    digest = _digest_before_data(about, shapes)
    for name in sorted(shapes):
        digest.update(data[name])
    return digest.hexdigest()


def as_json_has_it(config: Any) -> Any:
    """Returns a description as it is read back from a file, for example with lists instead of tuples."""
    return json.loads(dump(config))


def dump(config: Any) -> str:
    """Writes a description as JSON.

    Raises:
        TypeError, ValueError: if JSON does not have one of the values.
    """
    dumps = functools.partial(json.dumps, separators=(",", ":"), allow_nan=False, default=plain_number)
    plain = dumps(config, ensure_ascii=False)
    try:
        plain.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the model cannot be saved: a text in it holds {plain[error.start]!r}, half of a surrogate pair, which "
            "no file can hold"
        ) from None
    return dumps(config)


def plain_number(value: Any) -> Any:
    """Converts a NumPy number or array, which users may give as an argument, for JSON; a function to its name."""
    if inspect.isfunction(value) and value.__name__.isidentifier():
        return value.__name__
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"get_config() returned {value!r:.80} of type {type(value).__name__}, which JSON does not have")


# Reading --------------------------------------------------------------------------------------------------------------


class File(NamedTuple):
    """The content of a file that was read and whose checksum is right."""

    path: str
    about: dict[str, Any]
    shapes: dict[str, Shape]
    arrays: Mapping[str, Floats]

    def error(self, what: str) -> ModelFormatError:
        return ModelFormatError(f"{self.path!r} {what}")

    def refusals(self, what: str) -> contextlib.AbstractContextManager[None]:
        """Turns every error inside the block, such as a constructor's, into a ModelFormatError."""
        return refusals(self.path, what)


def read(path: str) -> File:
    """Reads a file and checks everything that can be checked without a model."""
    ask_for_memory()
    with open(open_regular(path), "rb") as file:
        metadata, shapes = _header(path, file, os.fstat(file.fileno()).st_size)
        about = _metadata(path, metadata)
        _check_names(path, about, shapes)
        arrays = {}
        for name, shape in shapes.items():
            array = np.empty(shape, "<f4")  # the header was compared with the file's size before
            if file.readinto(array.reshape(-1).data.cast("B")) != array.nbytes:
                refuse(path, "changed while it was read")
            arrays[name] = array.astype(np.float32, copy=False)
        if file.read(1):
            refuse(path, "changed while it was read")
    text = metadata.removeprefix(_BEFORE_DIGEST)
    if digest_of(text[64:], shapes, {name: array.reshape(-1).data for name, array in arrays.items()}) != text[:64]:
        refuse(path, "is damaged: its SHA-256 is another than when it was written")
    return File(path, about, shapes, arrays)


def refuse(path: str, what: str, error: BaseException | None = None) -> NoReturn:
    """Raises a ModelFormatError about a file."""
    raise ModelFormatError(f"{path!r} {what}") from error


@contextlib.contextmanager
def refusals(path: str, what: str) -> Iterator[None]:
    """Turns every error inside the block into a ModelFormatError about a file."""
    try:
        yield
    except (ModelFormatError, MemoryError):
        raise
    except Exception as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error)
        refuse(path, f"{what}: {screen.printable(reason[:_MESSAGE_LIMIT], keep=chr(10))}", error)


def open_regular(path: str) -> int:
    """Opens a regular file; refuses a device and a pipe, which may never end."""
    descriptor = os.open(path, os.O_RDONLY | O_BINARY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        refuse(path, "is no file but a folder, a pipe or a device")
    return descriptor


def _header(path: str, file: IO[bytes], size: int) -> tuple[str, dict[str, Shape]]:
    """Reads the header; returns our text in its metadata and the arrays' shapes, in their order in the file."""
    first = file.read(8)
    length = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
    if not 2 <= length <= size - 8:
        refuse(path, "is no safetensors file, or was cut short")
    if length > _HEADER_LIMIT:
        refuse(path, f"has a header of {length} bytes; a model file of fastnet has at most {_HEADER_LIMIT}")
    entries = parse(path, file.read(length))
    metadata, found = _as_the_library_reads(path, file.fileno(), 8 * length)
    text = metadata.get("fastnet")
    if text is None:
        refuse(path, "was not written by fastnet")
    if len(metadata) != 1 or not text.startswith(_BEFORE_DIGEST):
        refuse(path, "is damaged: its metadata are not those of fastnet")
    if {"__metadata__", *found} != set(entries):
        refuse(path, "changed while it was read")
    shapes = {}
    for name in sorted(found, key=lambda name: entries[name]["data_offsets"]):
        kind, shape = found[name]
        if kind != "F32":
            refuse(path, f"holds {name!r:.80} in type {kind!r:.20}; fastnet has F32 alone")
        if len(shape) > RANK_LIMIT or 0 in shape:
            refuse(path, f"is damaged: {name!r:.80} has shape {shape!r:.80}")
        if set(entries[name]) != {"dtype", "shape", "data_offsets"}:
            refuse(path, f"is damaged: the entry of {name!r:.80} is not that of an array")
        shapes[name] = tuple(shape)
    return text, shapes


def ask_for_memory(size: int = 2**19) -> None:
    """Raises MemoryError if `size` bytes are not free: Python and the library fail less cleanly without memory."""
    np.empty(size, np.uint8)


def _as_the_library_reads(path: str, descriptor: int, room: int) -> tuple[dict[str, str], dict[str, tuple[str, Any]]]:
    """Returns the metadata, and each array's type and shape by name, as the library reads them.

    The library checks that the arrays fill the file without gaps or overlaps, and that no product overflows.
    """
    try:
        from safetensors import SafetensorError, safe_open  # imported when used
    except ImportError as error:
        if "failed to map segment" in str(error):  # the system's loader reports a lack of memory so
            raise MemoryError(str(error)) from error
        raise
    ask_for_memory(2**19 + room)  # without memory the library would end the process
    # The descriptor names the same file even if another process replaces it now.
    source = f"/dev/fd/{descriptor}" if os.path.exists("/dev/fd") else path
    try:
        with safe_open(source, "numpy") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118, it is not a dict
            found = {name: (part.get_dtype(), part.get_shape()) for name, part in slices.items()}
            return opened.metadata() or {}, found
    except SafetensorError as error:
        refuse(path, f"is damaged: {screen.printable(str(error)[:_MESSAGE_LIMIT])}", error)
    except OSError as error:
        if "os error 12" in str(error):  # older versions of the library report a lack of memory so
            raise MemoryError(str(error)) from error
        raise


def parse(path: str, text: bytes | str, what: str = "its header") -> dict[str, Any]:
    """Parses a JSON object; refuses repeated keys, NaN, and nesting deeper than Python's stack."""

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
        json.dumps(parsed, ensure_ascii=False).encode()  # fails on half a surrogate pair
    except (ValueError, RecursionError) as error:
        refuse(path, f"is damaged: {what} is not JSON as it should be ({error})", error)
    if not isinstance(parsed, dict):
        refuse(path, f"is damaged: {what} is no JSON object")
    return parsed


def _metadata(path: str, text: str) -> dict[str, Any]:
    """Parses and checks our JSON."""
    about = parse(path, text)
    version = about.get("format_version")
    if type(version) is int and version > FORMAT_VERSION:
        refuse(
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
        refuse(path, "is damaged: fastnet's part of the metadata is not as it was written")
    return about


def _check_names(path: str, about: dict[str, Any], shapes: dict[str, Shape]) -> None:
    """Checks that every array is a weight, or belongs to a weight and has its shape.

    An optimizer's state belongs to a weight, and so do the best weights that a callback remembers.
    """
    missing = [name for name in about["weights"] if name not in shapes]
    if missing:
        refuse(path, f"is damaged: {missing[0]!r:.80} is not in it")
    weights = set(about["weights"])
    for name in set(shapes) - weights:
        kind, _, rest = name.partition("/")
        weight = f"layers/{rest.rpartition('/')[0]}"
        if kind not in ("optimizer", "callbacks") or weight not in weights:
            refuse(path, f"is damaged: {name!r:.80} belongs to nothing")
        if shapes[name] != shapes[weight]:
            refuse(path, f"is damaged: {name!r:.80} has shape {shapes[name]}, {weight!r} has {shapes[weight]}")
