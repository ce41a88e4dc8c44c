"""fastnet.datasets.mnist: where the digits are looked for, in which forms they are read, and that all is checked.

Most tests use a few digits of their own, put in the place of the real ones; those that need the real ones say so.
"""

import errno
import fcntl
import gzip
import hashlib
import io
import pwd
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
from numpy.typing import NDArray

from fastnet.datasets import mnist
from fastnet.saving import files

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
KEYS = ("x_train", "y_train", "x_test", "y_test")
WHOLE_CACHE = {"mnist", *(f"{file}.gz" for file in FILES)}  # the folder, and what it holds

Digits = dict[str, NDArray[np.uint8]]  # by Keras's keys
Change = Callable[[bytes], bytes]


def in_order(data: mnist.Data) -> Digits:
    (x_train, y_train), (x_test, y_test) = data
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def same(data: mnist.Data, digits: Digits) -> bool:
    return all(np.array_equal(array, digits[key]) for key, array in in_order(data).items())


def idx(array: NDArray[np.uint8]) -> bytes:
    """An IDX file of unsigned bytes: https://yann.lecun.com/exdb/mnist."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def halves(array: NDArray[np.uint8]) -> tuple[int, int]:
    content = array.tobytes()
    return zlib.crc32(content[: len(content) // 2]), zlib.crc32(content[len(content) // 2 :])


def squeezed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=1)


def npz(arrays: dict[str, Any], compress: bool = True) -> bytes:
    stream = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(stream, **arrays)
    return stream.getvalue()


def npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def gz_files(digits: Digits) -> dict[str, bytes]:
    return {f"{file}.gz": squeezed(idx(digits[key])) for file, key in zip(FILES, KEYS, strict=True)}


def write(folder: Path, form: str, digits: Digits) -> Path:
    """Writes the digits in one of the forms that are read; returns the place to name."""
    folder.mkdir(parents=True, exist_ok=True)
    if "npz" in form:
        (folder / "mnist.npz").write_bytes(npz(digits, compress="compressed" in form))
        return folder / "mnist.npz" if "file" in form else folder
    for i, (name, content) in enumerate(gz_files(digits).items()):
        if form == "gz" or (form == "mixed" and i % 2):
            (folder / name).write_bytes(content)
        else:
            (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    return folder


def flipped(content: bytes) -> bytes:
    """One bit in the middle changed."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


class Mirror(ThreadingHTTPServer):
    """Serves `files` on this machine: well under /good/, and in many bad ways under other names."""

    daemon_threads = False  # closing waits for the last answer

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = files
        self.asked: list[str] = []
        self.first_file = threading.Barrier(1)  # so many must ask for the first file before one gets it
        self.stalled, self.go_on = threading.Event(), threading.Event()
        self.sent = 0  # bytes of a content without an end

    def url(self, kind: str, file: str = "") -> str:
        return f"http://127.0.0.1:{self.server_port}/{kind}/{file}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class Answer(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        _, kind, name = self.path.split("/")
        content = self.server.files.get(name, b"")
        if name.startswith((FILES[0], "mnist")):
            with suppress(threading.BrokenBarrierError):
                self.server.first_file.wait(timeout=20)
        if not content or kind == "missing" or (kind == "partial" and name.startswith(FILES[3])):
            self.send_error(404)
            return
        if kind == "once" and len(self.server.asked) > 1:
            kind = "good"
        if kind in ("endless", "redirected", "dripping", "late"):
            self.send_without_end(kind)
            return
        half = content[: len(content) // 2]
        promised, sent = {
            "garbage": (None, b"<html>Please log in to this network.</html>"),
            "truncated": (len(content), half),  # the connection breaks
            "short": (None, half),
            "corrupt": (None, flipped(content)),
            "empty": (None, b""),
            "stalling": (len(content), half),
            "once": (len(content), half),
        }.get(kind, (None, content))
        self.send_response(200)
        self.send_header("Content-Length", str(promised or len(sent)))
        self.end_headers()
        self.wfile.write(sent)
        if kind in ("stalling", "once"):
            self.server.stalled.set()
            self.server.go_on.wait(timeout=60)

    def send_without_end(self, kind: str) -> None:
        """As fast as it can, behind a redirection or not; a byte now and then, of the content or of the headers."""
        if kind != "late":
            self.send_response(302 if kind == "redirected" else 200)
            self.send_header("Location", "/good/")
            self.end_headers()
        else:
            self.wfile.write(b"HTTP/1.0 200 OK\r\nX: ")
        with suppress(OSError):  # the client hangs up
            while not self.server.go_on.is_set() and self.server.sent < 2**28:
                self.server.sent += self.connection.send(bytes(2**16) if kind in ("endless", "redirected") else b"x")
                if kind in ("dripping", "late"):
                    self.server.go_on.wait(timeout=0.05)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> Digits:
    """A few digits, expected in the place of MNIST's 70,000."""
    rng = np.random.default_rng(1)
    shapes = ((60, 28, 28), (60,), (20, 28, 28), (20,))
    arrays = {key: rng.integers(0, 10, shape, np.uint8) for key, shape in zip(KEYS, shapes, strict=True)}
    parts = tuple(
        part._replace(shape=array.shape, sha256=hashlib.sha256(idx(array)).hexdigest(), halves=halves(array))
        for part, array in zip(mnist._PARTS, arrays.values(), strict=True)
    )
    monkeypatch.setattr(mnist, "_PARTS", parts)
    return arrays


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without digits, nothing named, and no network."""
    for name, folder in (("HOME", "home"), ("XDG_CACHE_HOME", "home/.cache")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.delenv("FASTNET_DATA", raising=False)
    monkeypatch.setattr(mnist, "MIRRORS", ())
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def cache(home: Path) -> Path:
    return platformdirs.user_cache_path("fastnet") / "mnist"


@pytest.fixture
def keras_cache(home: Path) -> Path:
    return home / ".keras" / "datasets" / "mnist.npz"


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Mirror]:
    with Mirror(files) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def mirror(digits: Digits) -> Iterator[Mirror]:
    with serving(gz_files(digits) | {"mnist.npz": npz(digits)}) as server:
        yield server


def files_in(folder: Path) -> set[str]:
    return {file.name for file in folder.rglob("*")}


# The real digits


@pytest.fixture(scope="module")
def real(mnist_folder: Path) -> Digits:
    return in_order(mnist.load_data(mnist_folder))


def test_real_shapes_and_types(real: Digits) -> None:
    assert [array.shape for array in real.values()] == [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert all(array.dtype == np.uint8 for array in real.values())


def test_real_first_labels(real: Digits) -> None:
    assert real["y_train"][:5].tolist() == [5, 0, 4, 1, 9]
    assert real["y_test"][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


@pytest.mark.parametrize("form", ["gz", "idx", "npz file"])
def test_real_digits_are_read_however_they_are_stored(form: str, real: Digits, tmp_path: Path) -> None:
    assert same(mnist.load_data(write(tmp_path, form, real)), real)


def test_real_digits_are_downloaded(real: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(gz_files(real)) as server:
        monkeypatch.setattr(mnist, "MIRRORS", (server.url("good"),))
        assert same(mnist.load_data(), real)
    assert same(mnist.load_data(), real)  # from the cache: nobody serves them any more


# Forms


@pytest.mark.parametrize("form", ["gz", "idx", "mixed", "npz file", "npz folder", "compressed npz file"])
def test_every_form_is_read_into_arrays_of_ones_own(form: str, digits: Digits, tmp_path: Path) -> None:
    data = mnist.load_data(write(tmp_path, form, digits))
    assert same(data, digits)
    assert all(array.flags.writeable and array.flags.c_contiguous for array in in_order(data).values())


def test_a_stray_file_beside_a_whole_npz_does_no_harm(digits: Digits, tmp_path: Path) -> None:
    write(tmp_path, "npz folder", digits)
    (tmp_path / FILES[3]).write_bytes(idx(digits["y_test"]))
    assert same(mnist.load_data(tmp_path), digits)


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "a dot": lambda file: file.replace("-idx", ".idx"),
    "a dot and .gz": lambda file: f"{file.replace('-idx', '.idx')}.gz",
    "underscores": lambda file: file.replace("-", "_"),
    "capitals": str.upper,
    "capitals and .GZ": lambda file: f"{file.upper()}.GZ",
    "torchvision": lambda file: f"MNIST/raw/{file}",
    "torchvision's .gz": lambda file: f"MNIST/raw/{file}.gz",
    "torchvision's MNIST": lambda file: f"raw/{file}",
    "small letters": lambda file: f"mnist/Raw/{file}.gz",
}


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
@pytest.mark.parametrize("wrapping", WRAPPINGS.values(), ids=WRAPPINGS)
def test_other_names_are_read_and_two_bytes_tell_what_is_packed(
    wrapping: Callable[[str], str], packed: bool, digits: Digits, tmp_path: Path
) -> None:
    for name, key in zip(FILES, KEYS, strict=True):
        file = tmp_path / wrapping(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(squeezed(idx(digits[key])) if packed else idx(digits[key]))
    assert same(mnist.load_data(tmp_path), digits)


@pytest.mark.parametrize("name", ["mnist.npz", "MNIST.NPZ", "mnist.npz.gz", "raw/mnist.npz"])
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
def test_kerass_file_may_be_packed_and_called_otherwise(
    packed: bool, name: str, digits: Digits, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(squeezed(npz(digits)) if packed else npz(digits))
    assert same(mnist.load_data(file), digits)
    assert same(mnist.load_data(tmp_path), digits)


def test_files_may_be_links_and_lie_beside_folders_of_their_names(digits: Digits, tmp_path: Path) -> None:
    for file in write(tmp_path / "elsewhere", "idx", digits).iterdir():
        (tmp_path / file.name).mkdir()
        (tmp_path / file.name.replace("-idx", ".idx")).symlink_to(file)
    assert same(mnist.load_data(tmp_path), digits)


def test_kerass_default_is_a_file_here_or_no_place(
    digits: Digits, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {key: array[::-1] for key, array in digits.items()}
    monkeypatch.chdir(tmp_path)
    write(cache, "gz", digits)
    assert same(mnist.load_data(path="mnist.npz"), digits)
    with pytest.raises(FileNotFoundError, match=r"^\./mnist\.npz|mnist\.npz does not exist"):
        mnist.load_data("./mnist.npz")
    with pytest.raises(FileNotFoundError, match=r"other\.npz does not exist"):
        mnist.load_data("other.npz")
    monkeypatch.setenv("FASTNET_DATA", "nowhere")
    with pytest.raises(FileNotFoundError, match="FASTNET_DATA: nowhere does not exist"):
        mnist.load_data(path="mnist.npz")
    monkeypatch.delenv("FASTNET_DATA")
    (tmp_path / "mnist.npz").write_bytes(npz(others))
    check_refused(Path("mnist.npz"), place=Path("mnist.npz"), reason="is not MNIST")
    (tmp_path / "mnist.npz").write_bytes(npz(digits))
    for file in cache.iterdir():
        file.write_bytes(b"")
    assert same(mnist.load_data("mnist.npz"), digits)


# The order of the places


ORDER = ("path argument", "FASTNET_DATA", "fastnet's cache", "Keras's cache", "mirror")


@pytest.mark.parametrize("absent", range(5), ids=ORDER)
def test_the_first_place_that_has_the_digits_is_read(
    absent: int,
    digits: Digits,
    mirror: Mirror,
    cache: Path,
    keras_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = [tmp_path / "named", tmp_path / "environment", cache, keras_cache]
    for i, form in enumerate(("gz", "idx", "gz", "npz file")):
        if i >= absent:
            write(places[i].parent if form == "npz file" else places[i], form, digits)
    if absent <= 1:
        monkeypatch.setenv("FASTNET_DATA", str(places[1]))
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    data, source = mnist.load_data_and_source(places[0] if absent == 0 else None)
    assert same(data, digits)
    assert source.startswith(str([*places, mirror.url("good")][absent]))
    assert bool(mirror.asked) == (absent == 4)


@pytest.mark.parametrize("named_by", ["path", "FASTNET_DATA"])
@pytest.mark.parametrize(
    ("trouble", "error"), [("absent", FileNotFoundError), ("incomplete", FileNotFoundError), ("corrupt", ValueError)]
)
def test_a_bad_place_that_was_named_is_an_error_though_others_are_good(
    trouble: str,
    error: type[Exception],
    named_by: str,
    digits: Digits,
    mirror: Mirror,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = tmp_path / "named"
    if trouble != "absent":
        file = write(named, "idx", digits) / FILES[2]
        file.unlink() if trouble == "incomplete" else file.write_bytes(flipped(file.read_bytes()))
    write(cache, "gz", digits)
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    if named_by == "FASTNET_DATA":
        monkeypatch.setenv("FASTNET_DATA", str(named))
    with pytest.raises(error, match=re.escape(str(named))) as raised:
        mnist.load_data(named if named_by == "path" else None)
    assert not isinstance(raised.value, mnist.MnistNotFoundError)
    assert ("FASTNET_DATA" in str(raised.value)) == (named_by == "FASTNET_DATA")
    assert not mirror.asked


def test_an_empty_variable_names_nothing(digits: Digits, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(cache, "gz", digits)
    monkeypatch.setenv("FASTNET_DATA", "")
    assert same(mnist.load_data(), digits)


def test_a_tilde_is_the_home_folder(digits: Digits, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "digits", "gz", digits)
    assert same(mnist.load_data("~/digits"), digits)
    monkeypatch.setenv("FASTNET_DATA", "~/digits")
    assert same(mnist.load_data(), digits)


def test_a_user_without_a_home_folder_can_use_the_cache(
    digits: Digits, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    write(cache, "gz", digits)
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert same(mnist.load_data(), digits)


# What is wrong with files


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named(file: str, digits: Digits, tmp_path: Path) -> None:
    (write(tmp_path, "gz", digits) / f"{file}.gz").unlink()
    with pytest.raises(FileNotFoundError, match=file) as raised:
        mnist.load_data(tmp_path)
    assert not any(other in str(raised.value) for other in FILES if other != file)


IDX_DAMAGES: dict[str, Change] = {
    "truncated": lambda content: content[:-1],
    "empty": lambda content: b"",
    "only a header": lambda content: content[:8],
    "a changed bit": flipped,
    "an extra byte": lambda content: content + b"\0",
    "a wrong magic number": lambda content: b"\0\0\x0d" + content[3:],
    "a wrong number of items": lambda content: content[:7] + b"\x01" + content[8:],
}
GZ_DAMAGES: dict[str, Change] = {
    "half": lambda content: content[: len(content) // 2],
    "without its last byte": lambda content: content[:-1],
    "without its header": lambda content: content[2:],
    "empty": lambda content: b"",
    "a changed bit": flipped,
    "a changed checksum": lambda content: content[:-8] + bytes(4) + content[-4:],
    "text after its end": lambda content: content + b"<html>",
    "a second member": lambda content: content + squeezed(b"more"),
}


def check_refused(file: Path, place: Path | None = None, reason: str = "") -> None:
    """Loading raises ValueError that names the file and the reason."""
    with pytest.raises(ValueError, match=f"{re.escape(str(file))}.*{reason}"):
        mnist.load_data(place or file.parent)


@pytest.mark.parametrize("name", [FILES[0], FILES[3]])
@pytest.mark.parametrize("form", ["idx", "gz"])
@pytest.mark.parametrize("damage", IDX_DAMAGES.values(), ids=IDX_DAMAGES)
def test_wrong_content_is_refused_and_the_file_named(
    damage: Change, form: str, name: str, digits: Digits, tmp_path: Path
) -> None:
    write(tmp_path, form, digits)
    good = idx(digits[KEYS[FILES.index(name)]])
    bad = damage(good)
    file = tmp_path / (f"{name}.gz" if form == "gz" else name)
    file.write_bytes(squeezed(bad) if form == "gz" else bad)
    check_refused(file, reason="truncated" if len(bad) < len(good) else "corrupt")


@pytest.mark.parametrize("name", [FILES[0], FILES[3]])
@pytest.mark.parametrize("damage", GZ_DAMAGES.values(), ids=GZ_DAMAGES)
def test_a_damaged_gz_is_refused_and_named(damage: Change, name: str, digits: Digits, tmp_path: Path) -> None:
    file = write(tmp_path, "gz", digits) / f"{name}.gz"
    file.write_bytes(damage(file.read_bytes()))
    check_refused(file)


NPZ_CONTENTS: dict[str, Callable[[Digits], bytes]] = {
    "wrong key": lambda digits: npz({"train": digits["x_train"]}),
    "one key missing": lambda digits: npz({key: digits[key] for key in KEYS[:3]}),
    "wrong shape": lambda digits: npz(digits | {"x_test": digits["x_test"][:-1]}),
    "flat images": lambda digits: npz(digits | {"x_test": digits["x_test"].reshape(20, 784)}),
    "wrong type": lambda digits: npz(digits | {"x_test": digits["x_test"].astype(np.float32)}),
    "signed bytes": lambda digits: npz(digits | {"y_test": digits["y_test"].astype(np.int8)}),
    "objects": lambda digits: npz(digits | {"y_test": digits["y_test"].astype(object)}),
    "another digit": lambda digits: npz(digits | {"y_test": digits["y_test"] ^ 1}),
    "half": lambda digits: npz(digits)[: len(npz(digits)) // 2],
    "not a zip": lambda digits: b"<html>Please log in to this network.</html>",
    "empty": lambda digits: b"",
    "a gz of labels": lambda digits: squeezed(idx(digits["y_train"])),
    "a single array": lambda digits: npy(digits["x_train"]),
    "no arrays in it": lambda digits: zipped({f"{key}.npy": b"text" for key in KEYS}),
    "an array cut short": lambda digits: zipped({f"{key}.npy": npy(array)[:-9] for key, array in digits.items()}),
}


@pytest.mark.parametrize("content", NPZ_CONTENTS.values(), ids=NPZ_CONTENTS)
def test_a_bad_npz_is_refused_and_named(content: Callable[[Digits], bytes], digits: Digits, tmp_path: Path) -> None:
    file = tmp_path / "mnist.npz"
    file.write_bytes(content(digits))
    check_refused(file, place=file)


@pytest.mark.parametrize("compress", [True, False])
def test_a_changed_byte_in_an_npz_is_refused_or_does_not_matter(compress: bool, digits: Digits, tmp_path: Path) -> None:
    content = npz(digits, compress)
    file = tmp_path / "mnist.npz"
    for position in range(300):  # the zip's first header, NumPy's header, the first pixels
        file.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        try:
            right = same(mnist.load_data(file), digits)
        except ValueError as error:
            right = str(file) in str(error)
        assert right, f"byte {position}"


BOMB = 64_000_000  # bytes, of which a few thousand are expected


@pytest.mark.parametrize(
    ("name", "bomb"),
    [
        (f"{FILES[0]}.gz", lambda: squeezed(bytes(BOMB))),
        ("mnist.npz", lambda: zipped({f"{key}.npy": npy(np.zeros(BOMB, np.uint8)) for key in KEYS[:1]})),
        ("mnist.npz", lambda: zipped({"x_train.npy": b"\x93NUMPY\2\0" + struct.pack("<I", BOMB) + b" " * BOMB})),
        ("mnist.npz", lambda: squeezed(b"PK" + bytes(BOMB))),
    ],
    ids=["gz", "npz", "npz header", "npz in gz"],
)
def test_a_file_that_unpacks_to_far_too_much_is_not_unpacked(
    name: str, bomb: Callable[[], bytes], digits: Digits, tmp_path: Path
) -> None:
    write(tmp_path, "gz", digits)
    file = tmp_path / name
    file.write_bytes(bomb())
    tracemalloc.start()
    try:
        check_refused(file, place=file if name == "mnist.npz" else None)
        assert tracemalloc.get_traced_memory()[1] < BOMB / 4
    finally:
        tracemalloc.stop()


OTHERS: dict[str, Callable[[Digits], NDArray[Any]]] = {
    "same shape": lambda digits: digits["x_train"][::-1],
    "more images": lambda digits: np.concatenate([digits["x_train"]] * 3),
    "fewer images": lambda digits: digits["x_test"],
    "one image less": lambda digits: digits["x_train"][1:],
    "other pixels": lambda digits: digits["x_train"][:, :20],
    "labels": lambda digits: digits["y_train"],
    "floats": lambda digits: digits["x_train"].astype(">f4"),
    "no images": lambda digits: digits["x_train"][:0],
}


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_whole_file_of_another_data_set_is_not_called_corrupt(
    other: Callable[[Digits], NDArray[Any]], packed: bool, digits: Digits, tmp_path: Path
) -> None:
    array = other(digits)
    kind = {"|u1": 8, ">f4": 13}[array.dtype.str]
    content = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()
    file = write(tmp_path, "idx", digits) / FILES[0]
    file.write_bytes(squeezed(content) if packed else content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(file))} is not MNIST: ") as raised:
        mnist.load_data(tmp_path)
    assert "corrupt" not in str(raised.value)
    assert f"{array.shape}" in str(raised.value)


@pytest.mark.parametrize("shape", ["same", "other"])
def test_a_whole_npz_of_another_data_set_is_not_called_corrupt(shape: str, digits: Digits, tmp_path: Path) -> None:
    others = {key: array[::-1] if shape == "same" else array[1:] for key, array in digits.items()}
    (tmp_path / "mnist.npz").write_bytes(npz(others))
    with pytest.raises(ValueError, match="is not MNIST: ") as raised:
        mnist.load_data(tmp_path)
    assert "corrupt" not in str(raised.value)


def test_real_damage_is_told_from_another_data_set(real: Digits) -> None:
    for part, array in zip(mnist._PARTS, real.values(), strict=True):
        mnist._check(array.ravel(), part, "a file")
        damaged = np.frombuffer(flipped(array.tobytes()), np.uint8)
        with pytest.raises(ValueError, match="a file is corrupt"):
            mnist._check(damaged, part, "a file")
        with pytest.raises(ValueError, match="a file is not MNIST"):
            mnist._check(array[::-1].copy().ravel(), part, "a file")


def test_what_is_no_idx_file_at_all_is_shown(digits: Digits, tmp_path: Path) -> None:
    file = write(tmp_path, "gz", digits) / f"{FILES[0]}.gz"
    file.write_bytes(b"<html>\x1b[31mPlease log in</html>")
    check_refused(file, reason=r"is not MNIST: it is no IDX file, but begins with b'<html>\\x1b\[")


def test_one_of_the_four_files_is_no_place(digits: Digits, tmp_path: Path) -> None:
    for form, name in (("idx", FILES[0]), ("gz", f"{FILES[0]}.gz")):
        file = write(tmp_path / form, form, digits) / name
        check_refused(file, place=file, reason="name the folder")


def test_an_npz_that_is_far_too_large_is_not_opened(digits: Digits, tmp_path: Path) -> None:
    file = tmp_path / "mnist.npz"
    with open(file, "wb") as stream:
        stream.truncate(2**33)  # holes: it needs no room
    check_refused(file, place=file)
    with open(file, "r+b") as stream:
        stream.write(npz(digits))
    check_refused(file, place=file, reason="is not Keras's mnist.npz: it has more than")


# Places that cannot be read


@pytest.mark.parametrize("by", ["path", "FASTNET_DATA"])
@pytest.mark.parametrize("what", ["folder", "file", "npz"])
def test_a_place_that_may_not_be_read_is_named(
    what: str, by: str, digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write(tmp_path / "place", "npz file" if what == "npz" else "idx", digits)
    locked = place / FILES[1] if what == "file" else place

    def refuse(function: Callable[..., Any]) -> Callable[..., Any]:
        def refusing(file: Any, *rest: Any) -> Any:
            if str(file) == str(locked):
                raise PermissionError(errno.EACCES, "Permission denied", str(file))
            return function(file, *rest)

        return refusing

    # Whoever runs the tests as root may read everything.
    monkeypatch.setattr(mnist.os, "scandir", refuse(mnist.os.scandir))
    monkeypatch.setattr(mnist, "open", refuse(open), raising=False)
    if by == "FASTNET_DATA":
        monkeypatch.setenv("FASTNET_DATA", str(place))
    with pytest.raises(PermissionError, match=re.escape(str(locked))) as raised:
        mnist.load_data(place if by == "path" else None)
    assert str(raised.value).startswith("FASTNET_DATA: ") == (by == "FASTNET_DATA")


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("", FileNotFoundError, "path is empty"),
        ("a\0b", ValueError, r"a\\x00b cannot be the name of a file"),
        ("a\ud800", ValueError, r"a\? cannot be the name of a file"),
        ("a\x1b[31m\nb", FileNotFoundError, r"a\\x1b\[31m\\nb does not exist"),
        ("~nobody-of-that-name/mnist", FileNotFoundError, "does not exist"),
        ("/dev/null/x", FileNotFoundError, "does not exist"),
        ("/dev/zero", ValueError, "/dev/zero is neither a folder nor a file"),
        (3, TypeError, "path must be the name of a folder or of a file, got 3"),
        (["mnist"], TypeError, r"got \['mnist'\]"),
    ],
)
def test_a_bad_path_is_refused(path: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        mnist.load_data(path)


def test_control_characters_in_names_are_escaped(
    digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "a\x1b[31m", "idx", digits)
    (folder / FILES[0]).write_bytes(b"")
    (tmp_path / "b\x1b").mkdir()
    for place, error in ((folder, ValueError), (tmp_path / "b\x1b", FileNotFoundError)):
        monkeypatch.setenv("FASTNET_DATA", str(place))
        for path in (place, None):
            with pytest.raises(error, match=r"\\x1b") as raised:
                mnist.load_data(path)
            assert "\x1b" not in str(raised.value)
    (folder / FILES[0]).write_bytes(idx(digits["x_train"]))
    assert "\x1b" not in mnist.load_data_and_source(folder)[1]


# Downloads


BAD_MIRRORS = ("missing", "partial", "garbage", "truncated", "short", "corrupt", "empty")


def test_a_download_is_kept_whole(digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    assert same(mnist.load_data(), digits)
    assert files_in(cache.parent) == WHOLE_CACHE
    mirror.asked.clear()
    assert same(mnist.load_data(), digits)
    assert not mirror.asked


def test_keras_npz_is_downloaded_and_kept(
    digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good", "mnist.npz"),))
    assert same(mnist.load_data(), digits)
    assert files_in(cache.parent) == {"mnist", "mnist.npz"}
    assert same(mnist.load_data(), digits)
    assert len(mirror.asked) == 1


@pytest.mark.parametrize(
    ("kind", "file"),
    [(kind, "") for kind in BAD_MIRRORS] + [(kind, "mnist.npz") for kind in BAD_MIRRORS if kind != "partial"],
)
def test_a_bad_mirror_is_passed_over(
    kind: str, file: str, digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url(kind, file), mirror.url("good")))
    data, source = mnist.load_data_and_source()
    assert same(data, digits)
    assert source.startswith(mirror.url("good"))
    assert mirror.asked[0].startswith(f"/{kind}/")
    assert files_in(cache.parent) == WHOLE_CACHE


@pytest.mark.parametrize("kind", BAD_MIRRORS)
def test_a_failed_download_leaves_nothing(
    kind: str, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url(kind),))
    with pytest.raises(mnist.MnistNotFoundError, match=re.escape(mirror.url(kind))):
        mnist.load_data()
    assert files_in(cache.parent) == set()


@pytest.mark.parametrize("file", ["", "mnist.npz"], ids=["by four files", "by npz"])
@pytest.mark.parametrize("form", ["gz", "idx", "npz folder"])
def test_a_corrupt_cache_is_replaced(
    form: str, file: str, digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bad in list(write(cache, form, digits).iterdir()):
        bad.write_bytes(flipped(bad.read_bytes()))
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good", file),))
    assert same(mnist.load_data(), digits)
    monkeypatch.setattr(mnist, "MIRRORS", ())
    assert same(mnist.load_data(), digits)


def test_a_reader_of_the_old_file_never_sees_it_change(
    digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(cache, "gz", digits) / f"{FILES[0]}.gz"
    file.write_bytes(bad := flipped(file.read_bytes()))
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    with open(file, "rb") as reader:
        mnist.load_data()
        assert reader.read() == bad
    assert file.read_bytes() != bad


@pytest.mark.parametrize("content", [NPZ_CONTENTS["half"], NPZ_CONTENTS["no arrays in it"]], ids=["half", "no arrays"])
def test_a_corrupt_cache_of_keras_is_passed_over_and_left_alone(
    content: Callable[[Digits], bytes],
    digits: Digits,
    mirror: Mirror,
    keras_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keras_cache.parent.mkdir(parents=True)
    keras_cache.write_bytes(content(digits))
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    assert same(mnist.load_data(), digits)
    assert keras_cache.read_bytes() == content(digits)


def child() -> "subprocess.Popen[str]":
    """A process that says "ready", loads what this one would, and prints its SHA-256."""
    code = f"""
import hashlib
import signal
from fastnet.datasets import mnist
from fastnet.datasets.mnist import _Part
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
mnist._PARTS = {mnist._PARTS!r}
mnist.MIRRORS = {mnist.MIRRORS!r}
print("ready", flush=True)
(a, b), (c, d) = mnist.load_data()
print(hashlib.sha256(b"".join(x.tobytes() for x in (a, b, c, d))).hexdigest())
"""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_answers(children: "list[subprocess.Popen[str]]", digits: Digits) -> None:
    """Each process has loaded these digits."""
    answers = [process.communicate(timeout=60) for process in children]
    assert [process.returncode for process in children] == [0] * len(children), answers
    expected = hashlib.sha256(b"".join(digits[key].tobytes() for key in KEYS)).hexdigest()
    assert [out.removeprefix("ready\n").strip() for out, _ in answers] == [expected] * len(children)


@pytest.mark.parametrize("file", ["", "mnist.npz"], ids=["four files", "npz"])
def test_of_eight_processes_with_a_cold_cache_one_downloads(
    file: str, digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good", file),))
    mirror.first_file = threading.Barrier(2)
    children = [child() for _ in range(8)]
    assert [process.stdout.readline() for process in children if process.stdout] == ["ready\n"] * 8
    mirror.first_file.wait(timeout=30)  # only now the mirror answers
    check_answers(children, digits)
    assert mirror.asked == ["/good/mnist.npz"] if file else [f"/good/{file}.gz" for file in FILES]
    assert files_in(cache.parent) == ({"mnist", "mnist.npz"} if file else WHOLE_CACHE)


def test_when_the_process_that_downloads_is_killed_one_of_the_others_goes_on(
    digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("once"),))
    first = child()
    assert mirror.stalled.wait(timeout=30)
    others = [child() for _ in range(3)]
    assert {file for file in files_in(cache.parent) if not file.startswith(".")} == set()
    first.kill()
    first.communicate(timeout=30)
    check_answers(others, digits)
    assert mirror.asked == [f"/once/{FILES[0]}.gz", *(f"/once/{file}.gz" for file in FILES)]
    assert files_in(cache.parent) == WHOLE_CACHE


def test_who_waited_for_a_download_that_failed_does_not_try_again(
    mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, sleep = threading.Event(), time.sleep
    monkeypatch.setattr(mnist.time, "sleep", lambda seconds: (waiting.set(), sleep(seconds)))
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("truncated"),))
    mirror.first_file = threading.Barrier(2)  # the mirror answers when somebody waits
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(mnist.load_data) for _ in range(3)]
        assert waiting.wait(timeout=30)
        with suppress(threading.BrokenBarrierError):
            mirror.first_file.wait(timeout=30)
        for answer in answers:
            with pytest.raises(mnist.MnistNotFoundError, match=re.escape(mirror.url("truncated"))):
                answer.result(timeout=30)
    assert mirror.asked == [f"/truncated/{FILES[0]}.gz"]
    assert files_in(cache.parent) == set()
    mirror.first_file = threading.Barrier(1)
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    mnist.load_data()  # who comes later tries anew


def test_an_old_note_of_a_failure_means_nothing(
    digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.mkdir(parents=True)
    (cache.parent / ".mnist.lock").write_text("a mirror: a failure of long ago")
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    assert same(mnist.load_data(), digits)
    assert files_in(cache.parent) == WHOLE_CACHE


def test_a_lock_that_is_held_for_ever_is_waited_for_no_longer_than_its_time(
    digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.mkdir(parents=True)
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    monkeypatch.setattr(mnist, "_LOCK_WAIT", 0.2)
    with open(cache.parent / ".mnist.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert same(mnist.load_data(), digits)
        assert files_in(cache.parent) == WHOLE_CACHE | {".mnist.lock"}  # it is still another's


@pytest.mark.parametrize("lack", ["module", "file system"])
def test_where_there_are_no_locks_it_works_without(
    lack: str, digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    if lack == "module":
        monkeypatch.setattr(mnist, "fcntl", None)
    else:
        monkeypatch.setattr(mnist.fcntl, "flock", unable)
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    assert same(mnist.load_data(), digits)
    assert files_in(cache.parent) == WHOLE_CACHE


def test_a_cache_that_cannot_be_written_is_no_hindrance(
    digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("a file where the folder should be")
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    data, source = mnist.load_data_and_source()
    assert same(data, digits)
    assert source.startswith(f"{mirror.url('good')}, but could not be kept in {cache}: ")


def test_a_folder_where_a_file_should_be_kept_is_no_hindrance(
    digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / f"{FILES[1]}.gz").mkdir(parents=True)
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    data, source = mnist.load_data_and_source()
    assert same(data, digits)
    assert "could not be kept" in source


def test_a_disk_that_is_full_keeps_nothing(
    digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = files.replace_file

    def full(path: str, *rest: Any) -> None:
        if FILES[2] in path:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(path, *rest)

    monkeypatch.setattr(files, "replace_file", full)
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    data, source = mnist.load_data_and_source()
    assert same(data, digits)
    assert source.endswith("No space left on device")
    assert files_in(cache.parent) == {"mnist"}


def test_what_a_killed_download_of_an_earlier_version_left_is_removed(
    digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = cache.parent / ".download-x1y2z3"
    left.mkdir(parents=True)
    (left / f"{FILES[0]}.gz").write_bytes(b"half")
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    assert same(mnist.load_data(), digits)
    assert files_in(cache.parent) == WHOLE_CACHE


@pytest.mark.parametrize("file", ["", "mnist.npz"], ids=["four files", "npz"])
@pytest.mark.parametrize("kind", ["endless", "redirected"])
def test_a_mirror_that_sends_without_end_is_cut_off(
    kind: str, file: str, digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url(kind, file), mirror.url("good")))
    data, source = mnist.load_data_and_source()
    assert same(data, digits)
    assert source.startswith(mirror.url("good"))
    assert mirror.sent < 2**26  # of which the network holds some megabytes
    assert files_in(cache.parent) == WHOLE_CACHE


@pytest.mark.parametrize("kind", ["dripping", "late", "stalling"])
def test_a_mirror_that_is_too_slow_is_left_for_the_next(
    kind: str, digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "_PATIENCE", 0.5)
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url(kind),))
    with pytest.raises(mnist.MnistNotFoundError, match=f"{re.escape(mirror.url(kind))}: TimeoutError: too slow: .* by"):
        mnist.load_data()
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url(kind), mirror.url("good")))
    assert same(mnist.load_data(), digits)
    assert files_in(cache.parent) == WHOLE_CACHE


def test_the_bounds_let_the_known_files_through() -> None:
    known = 9_912_422 + 28_881 + 1_648_877 + 4_542  # the original distribution; Keras's file has 11,490,434
    assert known < mnist._MOST_BYTES < 2 * known
    assert mnist._PATIENCE + mnist._MOST_BYTES / mnist._LEAST_SPEED < mnist._LOCK_WAIT


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_download_leaves_no_file_in_the_cache(
    end: signal.Signals, digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("stalling"),))
    process = child()
    assert mirror.stalled.wait(timeout=30)
    process.send_signal(end)
    process.communicate(timeout=30)
    assert not cache.exists()
    assert files_in(cache.parent) == ({".mnist.lock"} if end == signal.SIGKILL else set())


def test_offline_and_uncached_one_error_names_every_place_and_what_to_do(
    cache: Path, keras_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as deaf:  # bound, but not listening: connections are refused
        deaf.bind(("127.0.0.1", 0))
        mirrors = tuple(f"http://127.0.0.1:{deaf.getsockname()[1]}/{name}" for name in ("a/", "b/", "mnist.npz"))
        monkeypatch.setattr(mnist, "MIRRORS", mirrors)
        with pytest.raises(mnist.MnistNotFoundError) as raised:
            mnist.load_data()
    assert isinstance(raised.value, FileNotFoundError)
    text = str(raised.value)
    for place, reason in (
        (cache, "does not exist"),
        (keras_cache, "does not exist"),
        *((m, "refused") for m in mirrors),
    ):
        assert len(re.findall(rf"^  {re.escape(str(place))}.*{reason}$", text, re.MULTILINE)) == 1
    remedy = text.partition("What to do:")[2]
    for word in (*FILES, "mnist.npz", "FASTNET_DATA", "fastnet.datasets.synthetic", "--data synthetic"):
        assert word in remedy
