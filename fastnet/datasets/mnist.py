"""MNIST: 60,000 + 10,000 handwritten digits, from files, caches or the network, and never unchecked.

Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", 1998; CC BY-SA 3.0. What a file contains,
uncompressed, must be the original to the bit; how it was compressed does not matter.
"""

import gzip
import hashlib
import os
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Data = tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]


class _Part(NamedTuple):
    file: str  # of the original distribution, without .gz
    key: str  # in Keras's mnist.npz
    shape: tuple[int, ...]
    sha256: str  # of the uncompressed IDX file

    @property
    def header(self) -> bytes:
        """IDX: two zeros, 8 for unsigned bytes, the number of dimensions, then each, big-endian."""
        return bytes([0, 0, 8, len(self.shape)]) + b"".join(n.to_bytes(4, "big") for n in self.shape)


_PARTS = (
    _Part(
        "train-images-idx3-ubyte",
        "x_train",
        (60000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    _Part(
        "train-labels-idx1-ubyte",
        "y_train",
        (60000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    _Part(
        "t10k-images-idx3-ubyte",
        "x_test",
        (10000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    _Part(
        "t10k-labels-idx1-ubyte",
        "y_test",
        (10000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)

# Folders that serve the four files with .gz, tried in this order, then Keras's single file.
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
)
_CHUNK = 2**20  # bytes unpacked at a time
_TIMEOUT = (5, 30)  # seconds to connect, and without a byte


class MnistNotFoundError(FileNotFoundError):
    """No place was named, no cache has the digits, and no mirror could be reached."""


def load_data(path: str | os.PathLike[str] | None = None) -> Data:
    """The digits and their labels.

    Looked for, in this order: at `path`; at the environment variable ``FASTNET_DATA``; in fastnet's cache (``mnist`` in
    the user's cache folder for fastnet); in Keras's (``~/.keras/datasets/mnist.npz``); on public mirrors, from which
    they go to fastnet's cache. A place that was named, by `path` or ``FASTNET_DATA``, is the only one looked at.

    Args:
        path: a folder with the four IDX files, gzipped or not, or with Keras's ``mnist.npz``, or such a file.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: uint8 arrays (60000, 28, 28), (60000,), (10000, 28, 28), (10000,).

    Raises:
        FileNotFoundError: if a named place lacks a file, or the digits are nowhere and cannot be downloaded (then a
            MnistNotFoundError, which tells every place that was looked at).
        ValueError: if a file at a named place is truncated or corrupt.
    """
    return load_data_and_source(path)[0]


def load_data_and_source(path: str | os.PathLike[str] | None = None) -> tuple[Data, str]:
    """What `load_data` returns, and in words where it came from; errors as there."""
    if path is not None:
        return _read(Path(path).expanduser()), str(path)
    named = os.environ.get("FASTNET_DATA")
    if named:
        try:
            return _read(Path(named).expanduser()), f"{named} (FASTNET_DATA)"
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(f"FASTNET_DATA: {error}") from error
    cache = _cache_folder()
    failures: list[str] = []
    for place, name in (
        (cache, "fastnet's cache"),
        (Path(os.path.expanduser("~/.keras/datasets/mnist.npz")), "Keras's cache"),
    ):
        try:
            return _read(place), f"{place} ({name})"
        except (OSError, ValueError) as error:
            failures.append(f"{place} ({name}): {error}")
    for mirror in MIRRORS:
        try:
            return _download(mirror, cache), f"{mirror}, kept in {cache}"
        except (OSError, ValueError, RuntimeError) as error:
            failures.append(f"{mirror}: {_gist(error)}")
    raise MnistNotFoundError(
        "MNIST was not found and could not be downloaded. Looked at:\n"
        "  the path argument and FASTNET_DATA: not given\n"
        + "".join(f"  {failure}\n" for failure in failures)
        + "What to do: put the files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
        "t10k-labels-idx1-ubyte (each with .gz or without), or Keras's mnist.npz, into a folder and set FASTNET_DATA "
        "to it; or connect to a network; or use fastnet.datasets.synthetic, which needs neither."
    )


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("fastnet") / "mnist"


def _read(place: Path) -> Data:
    """The data of a folder or an npz file, checked."""
    if not place.exists():
        raise FileNotFoundError(f"{place} does not exist")
    if place.is_file():
        arrays = _read_npz(place)
    elif (place / "mnist.npz").is_file() and not all(_file_of(place, part) for part in _PARTS):
        arrays = _read_npz(place / "mnist.npz")
    else:
        files = [_file_of(place, part) for part in _PARTS]
        missing = [part.file for part, file in zip(_PARTS, files, strict=True) if file is None]
        if missing:
            raise FileNotFoundError(f"{place} lacks {', '.join(missing)} (with .gz or without), and has no mnist.npz")
        arrays = [_read_idx(file, part) for file, part in zip(files, _PARTS, strict=True) if file is not None]
    return (arrays[0], arrays[1]), (arrays[2], arrays[3])


def _file_of(folder: Path, part: _Part) -> Path | None:
    return next((file for file in (folder / part.file, folder / f"{part.file}.gz") if file.is_file()), None)


def _read_idx(file: Path, part: _Part) -> Bytes:
    size = len(part.header) + int(np.prod(part.shape))
    opener: Callable[..., Any] = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rb") as stream:
            content = np.empty(size + 1, np.uint8)  # no more is read: a compressed file may claim any length
            count = read = 0
            while count < len(content) and (read := stream.readinto(content.data[count : count + _CHUNK])):
                count += read
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{file} is truncated or corrupt: {error}") from error
    if count < size:
        raise ValueError(f"{file} is truncated: {count:,} bytes uncompressed, expected {size:,}")
    _check(content.data[:count], part, file)
    return content[len(part.header) : size].reshape(part.shape)


def _read_npz(file: Path) -> list[Bytes]:
    with open(file, "rb") as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                return [_member(archive, part, file) for part in _PARTS]
        except Exception as error:  # zipfile and NumPy's header parser raise a dozen kinds
            raise ValueError(f"{file} is not Keras's mnist.npz, or is corrupt: {error}") from error


def _member(archive: zipfile.ZipFile, part: _Part, file: Path) -> Bytes:
    """One array; its header is checked before as many bytes as it should have, and no more, are unpacked."""
    size = int(np.prod(part.shape))
    with archive.open(f"{part.key}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(stream)
        if dtype != np.uint8 or shape != part.shape or fortran:
            raise ValueError(f"{part.key} is {dtype} {shape}, expected uint8 {part.shape}")
        content = stream.read(size + 1)
    _check(part.header + content, part, file)
    return np.frombuffer(content, np.uint8).reshape(part.shape).copy()


def _check(content: bytes | memoryview, part: _Part, file: Path) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != part.sha256:
        raise ValueError(f"{file} is corrupt: SHA-256 of {part.file} is {found}, expected {part.sha256}")


def _download(mirror: str, cache: Path) -> Data:
    """Fetches into a folder of its own beside the cache and checks; then each file moves to its place in one step.

    So a file in the cache is always whole, however a download ends and however many run at once.
    """
    from pooch import HTTPDownloader

    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=cache.parent) as staging_name:
        staging = Path(staging_name)
        urls = [mirror] if mirror.endswith(".npz") else [f"{mirror}{part.file}.gz" for part in _PARTS]
        for url in urls:
            HTTPDownloader(progressbar=sys.stderr is not None, timeout=_TIMEOUT)(
                url, str(staging / url.rpartition("/")[2]), None
            )
        data = _read(staging)
        cache.mkdir(exist_ok=True)
        for file in list(staging.iterdir()):
            os.replace(file, cache / file.name)
        for part in _PARTS:  # what would be read before the new files was not good
            for stale in (part.file, f"{part.file}.gz")[: 2 if mirror.endswith(".npz") else 1]:
                (cache / stale).unlink(missing_ok=True)
    return data


def _gist(error: BaseException) -> str:
    """The innermost reason, on one line: a network library wraps it several times."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
