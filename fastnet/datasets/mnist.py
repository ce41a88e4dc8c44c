"""Loads MNIST, 60,000 + 10,000 handwritten digits, from files, caches or the network, and checks every file.

Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", 1998; CC BY-SA 3.0. The uncompressed
content of a file must equal the original bit for bit. Its compression and its exact name do not matter.
"""

import contextlib
import gzip
import hashlib
import io
import math
import os
import re
import shutil
import stat
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnet.terminal.screen import printable

try:
    import fcntl
except ImportError:  # without POSIX, processes do not wait for each other, so each one downloads
    fcntl = None  # type: ignore[assignment]

Bytes = NDArray[np.uint8]
Data = tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]


class _Part(NamedTuple):
    file: str  # name in the original distribution, without .gz
    key: str  # name in Keras's mnist.npz
    shape: tuple[int, ...]
    sha256: str  # of the uncompressed IDX file
    halves: tuple[int, int]  # CRC-32 of the first and second half of the numbers; in a damaged MNIST, one is right

    @property
    def header(self) -> bytes:
        """The header in IDX format: two zeros, 8 for unsigned bytes, number of dimensions, each one big-endian."""
        return bytes([0, 0, 8, len(self.shape)]) + b"".join(n.to_bytes(4, "big") for n in self.shape)


_PARTS = (
    _Part(
        "train-images-idx3-ubyte",
        "x_train",
        (60000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        (0xB4C6BFA0, 0xD28D8930),
    ),
    _Part(
        "train-labels-idx1-ubyte",
        "y_train",
        (60000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        (0x9679AB66, 0x75562450),
    ),
    _Part(
        "t10k-images-idx3-ubyte",
        "x_test",
        (10000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        (0x5897E1BE, 0x4BA15A44),
    ),
    _Part(
        "t10k-labels-idx1-ubyte",
        "y_test",
        (10000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        (0x73C9B6E4, 0x1EF7002E),
    ),
)
_IDX_TYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}  # third byte of a file

# Tried in this order: folders with the four files as .gz, then Keras's single file.
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
)
_CHUNK = 2**20  # bytes decompressed at a time
_TIMEOUT = (5, 15)  # seconds to connect, and to wait for the next byte

# A mirror sends 11.6 MB. A download stops if it is larger than _MOST_BYTES, or if it takes longer than _PATIENCE plus
# the time for its bytes at _LEAST_SPEED.
_MOST_BYTES = 2**24
_PATIENCE = 20  # seconds
_LEAST_SPEED = 50_000  # bytes per second
_LOCK_WAIT = 600  # seconds to wait for a download by another process


class MnistNotFoundError(FileNotFoundError):
    """MNIST was not found: no path was given, no cache has it, and no mirror could be reached."""


def load_data(path: str | os.PathLike[str] | None = None) -> Data:
    """Loads the digits and their labels.

    If `path` or else the environment variable ``FASTNET_DATA`` is given, only that place is searched. Otherwise the
    search order is: fastnet's cache (``mnist`` in the user's cache folder for fastnet), Keras's cache
    (``~/.keras/datasets/mnist.npz``), public mirrors. A download is kept in fastnet's cache.

    The four files may be compressed with gzip or not, whatever their names say. They may also be called
    ``train-images.idx3-ubyte`` and so on, or lie in ``MNIST/raw`` below the folder, as torchvision puts them.

    Args:
        path: a folder with the four IDX files or with Keras's ``mnist.npz``; or such an npz file. Keras's default,
            ``"mnist.npz"``, means None if there is no such file in the current folder.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: uint8 arrays (60000, 28, 28), (60000,), (10000, 28, 28), (10000,).

    Raises:
        FileNotFoundError: if the given place lacks a file. If no place was given and nothing could be downloaded, a
            MnistNotFoundError, which lists every place that was searched.
        ValueError: if a file at the given place is truncated or corrupt, or belongs to another data set.
        TypeError: if `path` is not a path.
        OSError: if the given place cannot be read.
    """
    if isinstance(path, str) and path == "mnist.npz" and not os.path.exists(path):
        path = None
    return load_data_and_source(path)[0]


def load_data_and_source(path: str | os.PathLike[str] | None = None) -> tuple[Data, str]:
    """Loads the data as `load_data` does, and returns its source in words; ``"mnist.npz"`` is always a file here."""
    if path is not None:
        try:
            text = os.fsdecode(path)
        except TypeError:
            raise TypeError(f"path must be the name of a folder or of a file, got {path!r}") from None
        if not text:
            raise FileNotFoundError("path is empty; expected the name of a folder or of a file, or None")
        return _read(text), printable(text)
    named = os.environ.get("FASTNET_DATA", "").strip()
    if named:
        try:
            return _read(named), f"{printable(named)} (FASTNET_DATA)"
        except (OSError, ValueError) as error:
            raise type(error)(f"FASTNET_DATA: {error}") from error
    cache = _cache_folder()
    found, failures = _look_in_caches(cache)
    if found is None:
        with _turn(cache.parent) as note:
            # Another process may have filled the cache meanwhile, or written down why it could not.
            found, failures = _look_in_caches(cache)
            refusals = note.read().decode().splitlines()
            if found is None and not refusals:
                found, refusals = _look_in_mirrors(cache)
                if found is None:
                    note.write("\n".join(refusals).encode())
                    note.flush()
    if found is not None:
        return found
    raise MnistNotFoundError(
        "MNIST was not found and could not be downloaded. Looked at:\n"
        "  the path argument and FASTNET_DATA: not given\n"
        + "".join(f"  {failure}\n" for failure in [*failures, *refusals])
        + "What to do: put the files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
        "t10k-labels-idx1-ubyte (each with .gz or without), or Keras's mnist.npz, into a folder and set FASTNET_DATA "
        "to it; or connect to a network; or use fastnet.datasets.synthetic (--data synthetic), which needs neither."
    )


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("fastnet") / "mnist"


def _look_in_caches(cache: Path) -> tuple[tuple[Data, str] | None, list[str]]:
    """Loads the data from a cache; returns it with its source, or None, and why other caches failed."""
    failures: list[str] = []
    for place, name in (
        (str(cache), "fastnet's cache"),
        (os.path.expanduser("~/.keras/datasets/mnist.npz"), "Keras's cache"),
    ):
        try:
            return (_read(place), f"{printable(place)} ({name})"), failures
        except (OSError, ValueError) as error:
            failures.append(f"{printable(place)} ({name}): {error}")
    return None, failures


# Files


def _read(place: str) -> Data:
    """Reads and checks the data of a folder or an npz file."""
    path = Path(os.path.expanduser(place))
    name = printable(str(path))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{name} does not exist") from None
    except ValueError as error:  # a null byte, or half of a surrogate pair
        raise ValueError(f"{name} cannot be the name of a file: {printable(str(error))}") from None
    if stat.S_ISREG(mode):
        with open(path, "rb") as stream:
            return _paired(_read_npz(stream, name))
    if not stat.S_ISDIR(mode):
        raise ValueError(f"{name} is neither a folder nor a file")
    files = [_find(path, part.file) for part in _PARTS]
    if not all(files) and (npz := _find(path, "mnist-npz")):
        with open(npz, "rb") as stream:
            return _paired(_read_npz(stream, printable(str(npz))))
    missing = [part.file for part, file in zip(_PARTS, files, strict=True) if file is None]
    if missing:
        raise FileNotFoundError(f"{name} lacks {', '.join(missing)} (with .gz or without), and has no mnist.npz")
    arrays = []
    for file, part in zip(files, _PARTS, strict=True):
        assert file is not None
        with open(file, "rb") as stream:
            arrays.append(_read_idx(stream, part, printable(str(file))))
    return _paired(arrays)


def _paired(arrays: list[Bytes]) -> Data:
    return (arrays[0], arrays[1]), (arrays[2], arrays[3])


def _find(place: Path, name: str) -> Path | None:
    """Finds a file by its name, with or without .gz, in any case, with any of "-._" for "-"; prefers the exact name."""
    for folder in _folders(place):
        with os.scandir(folder) as entries:
            names = sorted((entry.name for entry in entries if entry.is_file()), key=lambda s: (s != s.lower(), s))
        for wanted in (name, f"{name}-gz"):
            for found in names:
                if re.sub("[._]", "-", found.lower()) == wanted:
                    return folder / found
    return None


def _folders(place: Path) -> Iterator[Path]:
    """Returns the folder, and the folders below it in which torchvision keeps the files: raw and MNIST/raw."""
    yield place
    for names in (("raw",), ("mnist", "raw")):
        folders = [place]
        for name in names:
            folders = [Path(e.path) for f in folders for e in os.scandir(f) if e.name.lower() == name and e.is_dir()]
        yield from folders


def _unpacked(stream: IO[bytes], most: int, name: str) -> Bytes:
    """Reads a file, compressed with gzip or not, but at most `most` + 1 bytes, whatever length it claims."""
    packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    source = gzip.GzipFile(fileobj=stream) if packed else stream
    content = np.empty(most + 1, np.uint8)
    count = read = 0
    try:
        while count < len(content) and (read := source.readinto(content.data[count : count + _CHUNK])):  # type: ignore[union-attr]
            count += read
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{name} is truncated or corrupt: {error}") from error
    return content[:count]


def _read_idx(stream: IO[bytes], part: _Part, name: str) -> Bytes:
    start, size = len(part.header), len(part.header) + math.prod(part.shape)
    content = _unpacked(stream, size, name)
    if content[:start].tobytes() != part.header or len(content) != size:
        raise ValueError(f"{name} {_fault(content, part)}")
    _check(content[start:], part, name)
    return content[start:].reshape(part.shape)


def _fault(content: Bytes, part: _Part) -> str:
    """Says what is wrong with an IDX file whose header or length is not that of MNIST."""
    size = len(part.header) + math.prod(part.shape)
    head = content[:1024].tobytes()  # at most 255 dimensions
    if part.header.startswith(head[: len(part.header)]):
        if len(content) < size:
            return f"is truncated: {len(content):,} bytes uncompressed, expected {size:,}"
        return f"is corrupt: more than {size:,} bytes uncompressed"
    kind = _IDX_TYPES.get(head[2]) if len(head) > 3 and head[:2] == b"\0\0" else None
    if kind is None or len(head) < 4 + 4 * head[3]:
        return f"is not MNIST: it is no IDX file, but begins with {head[:8]!r}"
    shape = tuple(int.from_bytes(head[4 + 4 * i : 8 + 4 * i], "big") for i in range(head[3]))
    promised = 4 + 4 * len(shape) + math.prod(shape) * np.dtype(kind).itemsize
    if len(content) == promised or size < len(content) < promised:  # the second: only a part was read
        return f"is not MNIST: it is an IDX file of {kind} {shape!s:.80}, expected uint8 {part.shape}"
    return f"is truncated or corrupt: its header promises {promised:,} bytes uncompressed, but it has {len(content):,}"


def _read_npz(stream: IO[bytes], name: str) -> list[Bytes]:
    most = sum(math.prod(part.shape) for part in _PARTS) + _CHUNK  # _CHUNK is for the headers in a zip file
    if stream.read(2) == b"\x1f\x8b":  # it was compressed once more
        stream.seek(0)
        stream = io.BytesIO(_unpacked(stream, most, name).data)
    if stream.seek(0, io.SEEK_END) > most:
        raise ValueError(f"{name} is not Keras's mnist.npz: it has more than {most:,} bytes")
    stream.seek(0)
    if stream.read(2) == b"\0\0":
        raise ValueError(f"{name} is no npz file. If it is one of the four IDX files, name the folder that has them")
    try:
        with zipfile.ZipFile(stream) as archive:
            members = [_member(archive, part) for part in _PARTS]
    except MemoryError:
        raise
    except Exception as error:  # zipfile and NumPy's header parser raise a dozen kinds of errors
        raise ValueError(f"{name} is not Keras's mnist.npz, or is corrupt: {error}") from error
    for part, (found, array) in zip(_PARTS, members, strict=True):
        if array is None:
            raise ValueError(f"{name} is not MNIST: {part.key} is {found}, expected uint8 {part.shape}")
        _check(array, part, name)
    return [array.reshape(part.shape) for part, (_, array) in zip(_PARTS, members, strict=True) if array is not None]


def _member(archive: zipfile.ZipFile, part: _Part) -> tuple[str, Bytes | None]:
    """Returns an array's type and shape in words, and its numbers, or None if type or shape are wrong."""
    with archive.open(f"{part.key}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):  # other versions allow headers of 4 GB
            raise ValueError(f"{part.key} is stored in version {version} of NumPy's format, expected (1, 0)")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        found = f"{dtype} {shape}{' in Fortran order' * fortran}"
        if dtype != np.uint8 or shape != part.shape or fortran:
            return found, None
        size = math.prod(part.shape)
        content = np.frombuffer(stream.read(size + 1), np.uint8).copy()
    if len(content) != size:
        raise ValueError(f"{part.key} has {'more' if len(content) > size else 'fewer'} than {size:,} bytes")
    return found, content


def _check(content: Bytes, part: _Part, name: str) -> None:
    """Checks that numbers are MNIST's; the error says whether they are damaged or another data set."""
    digest = hashlib.sha256(part.header)
    digest.update(content.data)
    if digest.hexdigest() == part.sha256:
        return
    found = f"SHA-256 of {part.file} is {digest.hexdigest()}, expected {part.sha256}"
    half = len(content) // 2
    if zlib.crc32(content[:half].data) == part.halves[0] or zlib.crc32(content[half:].data) == part.halves[1]:
        raise ValueError(f"{name} is corrupt: {found}")
    raise ValueError(
        f"{name} is not MNIST: it has MNIST's shape, {part.shape}, but another content, like Fashion-MNIST and others; "
        f"{found}"
    )


# Downloads


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[IO[bytes]]:
    """Waits until no other process downloads into the folder.

    A process that downloads holds a lock on a file in the folder. The system releases it however the process ends.
    Without locks nobody waits, so two processes may download the same. That does no harm, because each download is
    checked and put into the cache in one step.

    Yields:
        A file with the notes of the process before. It is empty if that process wrote none, or there was none.
    """
    path = folder / ".mnist.lock"
    waited, deadline = False, time.monotonic() + _LOCK_WAIT
    while True:
        with _lock_file(path) as file:
            while not (locked := _lock(file)) and time.monotonic() < deadline:
                waited = True
                time.sleep(0.05)
            if locked and not waited:
                file.truncate(0)  # an old note of a process that has ended
            file.seek(0)
            if _is_at(path, file) or not locked or (waited and file.read(1)):
                try:
                    file.seek(0)
                    yield file
                finally:
                    if locked and _is_at(path, file):
                        with contextlib.suppress(OSError):
                            path.unlink()
                return
            # The file was removed before it was locked, so other processes lock a new one.


def _lock_file(path: Path) -> IO[bytes]:
    """Opens the lock file; returns a file in memory if none can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "a+b")
    except OSError:
        return io.BytesIO()


def _lock(file: IO[bytes]) -> bool:
    """Locks the file; returns False if another process holds the lock."""
    if fcntl is not None and not isinstance(file, io.BytesIO):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            pass
    return True


def _is_at(path: Path, file: IO[bytes]) -> bool:
    """Returns whether `path` still names this open file; always True for a file in memory."""
    if isinstance(file, io.BytesIO):
        return True
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except OSError:
        return False


def _look_in_mirrors(cache: Path) -> tuple[tuple[Data, str] | None, list[str]]:
    """Downloads from the first mirror that works, into the cache; returns the data with its source, and failures."""
    for folder in cache.parent.glob(".download-*"):  # left by earlier versions of fastnet that were killed
        shutil.rmtree(folder, ignore_errors=True)
    failures = []
    for mirror in MIRRORS:
        try:
            data, files = _download(mirror)
        except (OSError, ValueError, RuntimeError) as error:
            failures.append(f"{mirror}: {_gist(error)}")
        else:
            return (data, f"{mirror}, {_keep(cache, files)}"), failures
    return None, failures


def _download(mirror: str) -> tuple[Data, dict[str, bytes]]:
    """Downloads and checks the data of a mirror; returns it, and the files by their names in the cache."""
    transfer = _Transfer()
    if mirror.endswith(".npz"):
        content = transfer.fetch(mirror)
        return _paired(_read_npz(io.BytesIO(content), "mnist.npz")), {"mnist.npz": content}
    arrays, files = [], {}
    for part in _PARTS:
        name = f"{part.file}.gz"
        files[name] = transfer.fetch(f"{mirror}{name}")
        arrays.append(_read_idx(io.BytesIO(files[name]), part, name))
    return _paired(arrays), files


class _Transfer:
    """Downloads files from one mirror, with limits for size and time."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.count = 0  # bytes of all files so far
        self.content = bytearray()  # bytes of the current file
        self.ended = False

    def fetch(self, url: str) -> bytes:
        """Downloads a file and returns its content.

        A thread downloads it, because a mirror that sends a byte now and then could block a read for hours. When the
        time is over, this method returns. The thread ends at the next bytes.
        """
        failures: list[BaseException] = []

        def get() -> None:
            from pooch import HTTPDownloader

            options = {
                "timeout": _TIMEOUT,
                "headers": {"Accept-Encoding": "identity"},
                "hooks": {"response": _refuse_redirection},
            }
            try:
                HTTPDownloader(progressbar=sys.stderr is not None, **options)(url, self, None)
            except BaseException as error:
                if not self.ended:
                    failures.append(error)

        self.content = bytearray()
        thread = threading.Thread(target=get, daemon=True)
        thread.start()
        try:
            while thread.is_alive() and self.seconds_left() > 0:
                thread.join(max(0, self.seconds_left()))
            if thread.is_alive():
                seconds = time.monotonic() - self.start
                raise TimeoutError(f"too slow: {self.count:,} bytes in {seconds:.0f} seconds")
        finally:
            self.ended = thread.is_alive()
        if failures:
            raise failures.pop()  # pop, because the list would keep the error, and with it the connection
        return bytes(self.content)

    def seconds_left(self) -> float:
        return self.start + _PATIENCE + self.count / _LEAST_SPEED - time.monotonic()

    def write(self, chunk: bytes) -> None:
        """Appends a chunk; the downloader writes to this object as to a file."""
        if self.ended:
            raise TimeoutError("nobody waits for it any more")
        self.count += len(chunk)
        if self.count > _MOST_BYTES:
            raise ValueError(f"too large: more than {_MOST_BYTES:,} bytes")
        self.content += chunk

    def flush(self) -> None:
        """Does nothing; the downloader expects the method of a file."""


def _refuse_redirection(response: Any, **_: Any) -> None:
    """Refuses redirections: no mirror needs them, and the network library would read their bodies without a limit."""
    if response.is_redirect:
        response.close()
        raise ValueError(f"it redirects to {response.headers['Location']}")


def _keep(cache: Path, files: dict[str, bytes]) -> str:
    """Puts files into the cache, each in one step, so that none is ever half written; returns the result in words."""
    from fastnet.saving.files import replace_file  # only writing needs it

    try:
        cache.mkdir(parents=True, exist_ok=True)
        for part in _PARTS:  # older files, which would be read before the new ones, are not valid
            while stale := _find(cache, part.file):
                stale.unlink()
        for name, content in files.items():
            replace_file(str(cache / name), content)
    except (OSError, ValueError) as error:
        for name in files:
            with contextlib.suppress(OSError):
                (cache / name).unlink()
        return f"but could not be kept in {printable(str(cache))}: {_gist(error)}"
    return f"kept in {printable(str(cache))}"


def _gist(error: BaseException) -> str:
    """Returns the innermost error on one line; network libraries wrap it several times."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return printable(f"{type(error).__name__}: {error}".splitlines()[0][:200])
