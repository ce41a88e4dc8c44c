"""The archive of a `.keras` file: a zip with the model's description in JSON and its arrays in HDF5.

Members: `config.json`, the description; `metadata.json`, the version of Keras; `model.weights.h5`, the arrays, which
keras_weights.py reads; `assets/.../vocabulary.txt`, the tokens of lookup layers that were adapted in Keras.
Source of the format: Keras's documentation, "Whole model saving & loading", and files that Keras 3 wrote.

A file may come from an untrusted source. No member is unpacked to the disk, and none is unpacked in memory before its
size was compared with a limit, or with the size that it takes in the file.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from typing import Any, NamedTuple

from fastnet._version import __version__
from fastnet.saving.files import replacing
from fastnet.saving.keras_weights import LEGACY
from fastnet.saving.layout import dump, open_regular, parse, refusals, refuse

KERAS_VERSION = "3.15.1"  # the newest one that the tests compare with
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_VOCABULARY = "/vocabulary.txt"
_TEXT_LIMIT = 2**24  # bytes of a member that is text
_UNPACKED = 2**26  # bytes that the arrays may have, however small they are when packed; beyond it:
_RATIO = 100  # the most that unpacking may multiply their size by
_HDF5 = b"\x89HDF\r\n\x1a\n"
_FIRST = (1980, 1, 1, 0, 0, 0)  # the time of all members, so that the same model gives the same bytes


class Archive(NamedTuple):
    """What a `.keras` file holds.

    Attributes:
        config: the description of the model.
        version: that of the Keras which wrote the file, or "".
        weights: the HDF5 file.
        vocabularies: the lines of each vocabulary by the path of its layer, such as ``"layers/string_lookup"``.
    """

    config: dict[str, Any]
    version: str
    weights: bytes
    vocabularies: dict[str, list[str]]


def read_archive(path: str, weights_only: bool = False) -> Archive:
    """Reads a `.keras` file.

    Args:
        path: the file's name.
        weights_only: whether to leave out the description, for `load_weights`.

    Raises:
        ModelFormatError: if it is not such a file, or is damaged.
        OSError: if the file cannot be read.
    """
    with open(open_regular(path), "rb") as file:
        start = file.read(len(_HDF5))
        if start == _HDF5:
            refuse(
                path, f"is no .keras file but an HDF5 file. Weights alone end in .weights.h5; a whole model {LEGACY}"
            )
        with refusals(path, "is no .keras file, or is damaged"):
            if not start:
                raise ValueError("it is empty")
            with zipfile.ZipFile(file) as archive:
                return _members(path, archive, weights_only)


def _members(path: str, archive: zipfile.ZipFile, weights_only: bool) -> Archive:
    members = {info.filename: info for info in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise ValueError("a member comes twice")
    for name in [_WEIGHTS] if weights_only else [_CONFIG, _WEIGHTS]:
        if name not in members:
            found = ", ".join(sorted(members)[:5])
            raise ValueError(f"it has no member {name!r}, only {found[:200] or 'none'}")
    info = members[_WEIGHTS]
    if info.file_size > max(_UNPACKED, _RATIO * info.compress_size):
        raise ValueError(f"{_WEIGHTS!r} takes {info.compress_size} bytes, but {info.file_size} when it is unpacked")
    weights = archive.read(info)
    if weights_only:
        return Archive({}, "", weights, {})
    metadata = _json(path, archive, members[_METADATA]) if _METADATA in members else {}
    vocabularies = {
        name.removeprefix("assets/").removesuffix(_VOCABULARY): _text(archive, info).decode().splitlines()
        for name, info in members.items()
        if name.startswith("assets/") and name.endswith(_VOCABULARY)
    }
    version = metadata.get("keras_version")
    version = version if isinstance(version, str) else ""
    return Archive(_json(path, archive, members[_CONFIG]), version, weights, vocabularies)


def _text(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > _TEXT_LIMIT:
        raise ValueError(f"{info.filename!r:.200} has {info.file_size} bytes; expected at most {_TEXT_LIMIT}")
    return archive.read(info)


def _json(path: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> dict[str, Any]:
    return parse(path, _text(archive, info), info.filename)


def write_archive(path: str, config: dict[str, Any], weights: memoryview) -> None:
    """Writes a `.keras` file in one step; errors as `replacing`. The same arguments give the same bytes."""
    metadata = {"keras_version": KERAS_VERSION, "fastnet_version": __version__}
    texts = {_METADATA: json.dumps(metadata).encode(), _CONFIG: dump(config).encode()}
    members: dict[str, Any] = {**texts, _WEIGHTS: weights}
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _FIRST)
            info.external_attr = 0o600 << 16  # as Keras has it
            archive.writestr(info, data)


def open_weights(path: str) -> tuple[io.BufferedIOBase, int]:
    """Opens the HDF5 file of arrays in a `.keras` or a `.weights.h5` file; returns it and its size in bytes.

    Raises:
        ModelFormatError, OSError: as `read_archive`.
    """
    if path.endswith(".keras"):
        data = read_archive(path, weights_only=True).weights
        return io.BytesIO(data), len(data)
    file = open(open_regular(path), "rb")  # noqa: SIM115, the caller closes it
    return file, os.fstat(file.fileno()).st_size
