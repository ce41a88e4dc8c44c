"""MNIST: 60,000 + 10,000 handwritten digits, from files, caches or the network, and never unchecked.

Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits", 1998; CC BY-SA 3.0. What a file contains,
uncompressed, must be the original to the bit; how it was compressed and what exactly it is called does not matter.
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
except ImportError:  # no POSIX: processes do not wait for each other, and each downloads
    fcntl = None  # type: ignore[assignment]

Bytes = NDArray[np.uint8]
Data = tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]


class _Part(NamedTuple):
    file: str  # of the original distribution, without .gz
    key: str  # in Keras's mnist.npz
    shape: tuple[int, ...]
    sha256: str  # of the uncompressed IDX file
    halves: tuple[int, int]  # CRC-32 of the numbers' first and second half: one is right in a damaged MNIST

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
_IDX_TYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}  # by the third byte

# Folders that serve the four files with .gz, tried in this order, then Keras's single file.
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
)
_CHUNK = 2**20  # bytes unpacked at a time
_TIMEOUT = (5, 15)  # seconds to connect, and without a byte

# A mirror sends 11.6 MB. It is given up when it sends more than this, or takes longer than so many seconds plus the
# time that this slow a network needs for what has come.
_MOST_BYTES = 2**24
_PATIENCE = 20  # seconds
_LEAST_SPEED = 50_000  # bytes a second
_LOCK_WAIT = 600  # seconds to wait for another process that downloads


class MnistNotFoundError(FileNotFoundError):
    """No place was named, no cache has the digits, and no mirror could be reached."""


def load_data(path: str | os.PathLike[str] | None = None) -> Data:
    """The digits and their labels.

    Looked for, in this order: at `path`; at the environment variable ``FASTNET_DATA``; in fastnet's cache (``mnist`` in
    the user's cache folder for fastnet); in Keras's (``~/.keras/datasets/mnist.npz``); on public mirrors, from which
    they go to fastnet's cache. A place that was named, by `path` or ``FASTNET_DATA``, is the only one looked at.

    The four files may be packed with gzip or not, whatever their names say. They may also be called
    ``train-images.idx3-ubyte`` and so on, or lie in ``MNIST/raw`` below the folder, as torchvision puts them.

    Args:
        path: a folder with the four IDX files or with Keras's ``mnist.npz``, or such an npz file. ``"mnist.npz"``,
            Keras's default, is the same as None if there is no such file in the current folder.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: uint8 arrays (60000, 28, 28), (60000,), (10000, 28, 28), (10000,).

    Raises:
        FileNotFoundError: if a named place lacks a file, or the digits are nowhere and cannot be downloaded (then a
            MnistNotFoundError, which tells every place that was looked at).
        ValueError: if a file at a named place is truncated or corrupt, or is of another data set.
        TypeError: if `path` is no path.
        OSError: if a named place cannot be read.
    """
    if isinstance(path, str) and path == "mnist.npz" and not os.path.exists(path):
        path = None
    return load_data_and_source(path)[0]


def load_data_and_source(path: str | os.PathLike[str] | None = None) -> tuple[Data, str]:
    """What `load_data` returns, and in words where it came from; errors as there, but ``"mnist.npz"`` is a file."""
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
            # The process that was waited for has filled the cache, or has noted why it could not.
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
    """What the caches have and which of them has it, or None; and why others do not have it."""
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
    """The data of a folder or an npz file, checked."""
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
    """The file of that name or with .gz, in capitals or not, with any of "-._" for "-"; the exact name comes first."""
    for folder in _folders(place):
        with os.scandir(folder) as entries:
            names = sorted((entry.name for entry in entries if entry.is_file()), key=lambda s: (s != s.lower(), s))
        for wanted in (name, f"{name}-gz"):
            for found in names:
                if re.sub("[._]", "-", found.lower()) == wanted:
                    return folder / found
    return None


def _folders(place: Path) -> Iterator[Path]:
    """The folder, and those in which torchvision keeps the files: raw in its MNIST, which lies in the named one."""
    yield place
    for names in (("raw",), ("mnist", "raw")):
        folders = [place]
        for name in names:
            folders = [Path(e.path) for f in folders for e in os.scandir(f) if e.name.lower() == name and e.is_dir()]
        yield from folders


def _unpacked(stream: IO[bytes], most: int, name: str) -> Bytes:
    """The bytes of a file, whether it is a gzip file or not, but no more than `most` + 1: it may claim any length."""
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
    """What is wrong with an IDX file that has not the right header and length."""
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
    if len(content) == promised or size < len(content) < promised:  # or: as far as it was read
        return f"is not MNIST: it is an IDX file of {kind} {shape!s:.80}, expected uint8 {part.shape}"
    return f"is truncated or corrupt: its header promises {promised:,} bytes uncompressed, but it has {len(content):,}"


def _read_npz(stream: IO[bytes], name: str) -> list[Bytes]:
    most = sum(math.prod(part.shape) for part in _PARTS) + _CHUNK  # the chunk: what a zip file has beside its content
    if stream.read(2) == b"\x1f\x8b":  # it was packed once more
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
    except Exception as error:  # zipfile and NumPy's header parser raise a dozen kinds
        raise ValueError(f"{name} is not Keras's mnist.npz, or is corrupt: {error}") from error
    for part, (found, array) in zip(_PARTS, members, strict=True):
        if array is None:
            raise ValueError(f"{name} is not MNIST: {part.key} is {found}, expected uint8 {part.shape}")
        _check(array, part, name)
    return [array.reshape(part.shape) for part, (_, array) in zip(_PARTS, members, strict=True) if array is not None]


def _member(archive: zipfile.ZipFile, part: _Part) -> tuple[str, Bytes | None]:
    """The type and shape of an array, and its numbers, which are not unpacked unless those are right."""
    with archive.open(f"{part.key}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):  # the others have room for headers of 4 GB
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
    """Refuses numbers that are not MNIST's, and says whether they are damaged or others."""
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

    Each holds a lock on a file there, which the kernel frees however the process ends. Where that cannot be, nobody
    waits: what is downloaded is checked, and put into the cache in one step, so that only the work is done twice.

    Yields:
        A file with what the process that was waited for has written into it; empty if it has not, or there was none.
    """
    path = folder / ".mnist.lock"
    waited, deadline = False, time.monotonic() + _LOCK_WAIT
    while True:
        with _lock_file(path) as file:
            while not (locked := _lock(file)) and time.monotonic() < deadline:
                waited = True
                time.sleep(0.05)
            if locked and not waited:
                file.truncate(0)  # a note of somebody long gone
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
            # The file was removed before it was locked: others will lock a new one.


def _lock_file(path: Path) -> IO[bytes]:
    """The file, or one in memory where none can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "a+b")
    except OSError:
        return io.BytesIO()


def _lock(file: IO[bytes]) -> bool:
    """Locks the file; whether nobody else holds it, as far as can be known."""
    if fcntl is not None and not isinstance(file, io.BytesIO):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            pass
    return True


def _is_at(path: Path, file: IO[bytes]) -> bool:
    """Whether the file is still the one of that name; one in memory has none to lose."""
    if isinstance(file, io.BytesIO):
        return True
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except OSError:
        return False


def _look_in_mirrors(cache: Path) -> tuple[tuple[Data, str] | None, list[str]]:
    """What a mirror has, now also in the cache, and which mirror it was, or None; and why others were no help."""
    for folder in cache.parent.glob(".download-*"):  # what earlier versions of fastnet left when they were killed
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
    """The data from a mirror, checked, and the files as they came, by the names that the cache has for them."""
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
    """Fetches files from one mirror, in bounded size and time."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.count = 0  # bytes of all files
        self.content = bytearray()  # of this file
        self.ended = False

    def fetch(self, url: str) -> bytes:
        """The file's content.

        A thread gets it, since a mirror that sends a byte now and then can hold up a read, or the headers, for hours.
        When the time is over the thread is left to itself: it ends at the next bytes.
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
            raise failures.pop()  # left there it would refer to itself, and keep the connection open
        return bytes(self.content)

    def seconds_left(self) -> float:
        return self.start + _PATIENCE + self.count / _LEAST_SPEED - time.monotonic()

    def write(self, chunk: bytes) -> None:
        """Takes what has come: for the downloader this object is the file to write to."""
        if self.ended:
            raise TimeoutError("nobody waits for it any more")
        self.count += len(chunk)
        if self.count > _MOST_BYTES:
            raise ValueError(f"too large: more than {_MOST_BYTES:,} bytes")
        self.content += chunk

    def flush(self) -> None:
        """Does nothing, as there is no file."""


def _refuse_redirection(response: Any, **_: Any) -> None:
    """No mirror redirects; the network library would first read all that comes with a redirection, without a bound."""
    if response.is_redirect:
        response.close()
        raise ValueError(f"it redirects to {response.headers['Location']}")


def _keep(cache: Path, files: dict[str, bytes]) -> str:
    """Puts each file into the cache in one step, so that one there is always whole; says how that went."""
    from fastnet.saving.files import replace_file  # what only writing needs

    try:
        cache.mkdir(parents=True, exist_ok=True)
        for part in _PARTS:  # what would be read before the new files was not good
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
    """The innermost reason, on one line: a network library wraps it several times."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return printable(f"{type(error).__name__}: {error}".splitlines()[0][:200])
