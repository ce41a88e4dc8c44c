"""fastnet.datasets.mnist: where the digits are looked for, in which forms they are read, and that all is checked.

Most tests use a few digits of their own, put in the place of the real ones; those that need the real ones say so.
"""

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
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pytest
from numpy.typing import NDArray

from fastnet.datasets import mnist

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
        if name.startswith(FILES[0]):
            with suppress(threading.BrokenBarrierError):
                self.server.first_file.wait(timeout=20)
        if not content or kind == "missing" or (kind == "partial" and name.startswith(FILES[3])):
            self.send_error(404)
            return
        half = content[: len(content) // 2]
        promised, sent = {
            "garbage": (None, b"<html>Please log in to this network.</html>"),
            "truncated": (len(content), half),  # the connection breaks
            "short": (None, half),
            "corrupt": (None, flipped(content)),
            "empty": (None, b""),
            "stalling": (len(content), half),
        }.get(kind, (None, content))
        self.send_response(200)
        self.send_header("Content-Length", str(promised or len(sent)))
        self.end_headers()
        self.wfile.write(sent)
        if kind == "stalling":
            self.server.stalled.set()
            self.server.go_on.wait(timeout=60)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> Digits:
    """A few digits, expected in the place of MNIST's 70,000."""
    rng = np.random.default_rng(1)
    shapes = ((60, 28, 28), (60,), (20, 28, 28), (20,))
    arrays = {key: rng.integers(0, 10, shape, np.uint8) for key, shape in zip(KEYS, shapes, strict=True)}
    parts = tuple(
        part._replace(shape=array.shape, sha256=hashlib.sha256(idx(array)).hexdigest())
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
    ],
    ids=["gz", "npz"],
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
    """A process that loads what this one would, and prints its SHA-256."""
    code = f"""
import hashlib
import signal
from fastnet.datasets import mnist
from fastnet.datasets.mnist import _Part
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
mnist._PARTS = {mnist._PARTS!r}
mnist.MIRRORS = {mnist.MIRRORS!r}
(a, b), (c, d) = mnist.load_data()
print(hashlib.sha256(b"".join(x.tobytes() for x in (a, b, c, d))).hexdigest())
"""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_eight_processes_may_fill_a_cold_cache_at_once(
    digits: Digits, mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (mirror.url("good"),))
    mirror.first_file = threading.Barrier(8)  # none gets a file before all have found the cache empty
    children = [child() for _ in range(8)]
    answers = [process.communicate(timeout=60) for process in children]
    assert [process.returncode for process in children] == [0] * 8, answers
    expected = hashlib.sha256(b"".join(digits[key].tobytes() for key in KEYS)).hexdigest()
    assert [out.strip() for out, _ in answers] == [expected] * 8
    assert not mirror.first_file.broken  # else they did not download at once
    assert files_in(cache.parent) == WHOLE_CACHE


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
    assert end == signal.SIGKILL or files_in(cache.parent) == set()


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
    for word in (*FILES, "mnist.npz", "FASTNET_DATA", "fastnet.datasets.synthetic"):
        assert word in remedy
