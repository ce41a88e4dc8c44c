"""get_file: the cache, hashes and archives; no test uses a network."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from fastnet.utils import get_file

CONTENT = b"five digits: 5 0 4 1 9"
SHA256, MD5 = hashlib.sha256(CONTENT).hexdigest(), hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "digits.txt"
    path.write_bytes(CONTENT)
    return path


def fetch(source: Path, cache: Path, **named: Any) -> Path:
    return Path(get_file(origin=source.as_uri(), cache_dir=cache, **named))


@pytest.mark.parametrize(
    "named", [{}, {"file_hash": SHA256}, {"file_hash": MD5.upper()}, {"md5_hash": MD5}, {"fname": "digits.txt"}]
)
def test_a_file_comes_into_the_cache_and_is_then_taken_from_it(source: Path, tmp_path: Path, named: Any) -> None:
    path = fetch(source, tmp_path / "cache", **named)
    assert path == tmp_path / "cache" / "datasets" / "digits.txt"
    assert path.read_bytes() == CONTENT
    source.unlink()
    assert fetch(source, tmp_path / "cache", **named) == path
    assert [entry.name for entry in path.parent.iterdir()] == ["digits.txt"]


def test_the_cache_is_in_the_folder_of_the_environment(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    assert Path(get_file("mine", source.as_uri(), cache_subdir="a")) == tmp_path / "home" / "a" / "mine"


def test_a_wrong_file_in_the_cache_is_replaced(source: Path, tmp_path: Path) -> None:
    path = fetch(source, tmp_path)
    path.write_bytes(b"damaged")
    assert fetch(source, tmp_path).read_bytes() == b"damaged"  # without a hash, nothing shows it
    assert fetch(source, tmp_path, file_hash=SHA256).read_bytes() == CONTENT
    source.write_bytes(b"newer")
    assert fetch(source, tmp_path).read_bytes() == CONTENT
    assert fetch(source, tmp_path, force_download=True).read_bytes() == b"newer"


def test_a_download_with_a_wrong_hash_leaves_the_cache_as_it_was(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Incomplete or corrupted file: .* has the sha256 hash"):
        fetch(source, tmp_path, file_hash="0" * 64)
    with pytest.raises(ValueError, match="has the md5 hash"):
        fetch(source, tmp_path, file_hash="0" * 32)
    assert list((tmp_path / "datasets").iterdir()) == []
    path = fetch(source, tmp_path)
    source.unlink()
    with pytest.raises(OSError, match="No such file"):
        fetch(source, tmp_path, force_download=True)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_is_unpacked(tmp_path: Path, kind: str) -> None:
    source = tmp_path / f"digits.{kind}"
    if kind == "tar":
        with tarfile.open(source, "w") as tar:
            entry = tarfile.TarInfo("folder/digits.txt")
            entry.size = len(CONTENT)
            tar.addfile(entry, io.BytesIO(CONTENT))
    else:
        with zipfile.ZipFile(source, "w") as packed:
            packed.writestr("folder/digits.txt", CONTENT)
    names = {}
    for given in (None, "mine", f"mine.{kind}"):
        folder = fetch(source, tmp_path / "cache", fname=given, extract=True)
        assert (folder / "folder" / "digits.txt").read_bytes() == CONTENT
        names[given] = folder.name
    assert names == {None: source.name, "mine": "mine", f"mine.{kind}": "mine_extracted"}  # as Keras calls them
    if kind == "zip":
        with pytest.raises(ValueError, match="is no archive of the format 'tar'"):
            fetch(source, tmp_path / "cache", untar=True)


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    source = tmp_path / "bad.tar"
    with tarfile.open(source, "w") as tar:
        tar.addfile(tarfile.TarInfo("../../escaped"), io.BytesIO())
    with pytest.raises(tarfile.TarError, match="outside the destination"):
        fetch(source, tmp_path / "cache", extract=True)
    assert list(tmp_path.rglob("escaped")) == []


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({}, "origin must be the URL"),
        ({"origin": "https://example.org/"}, "fname must be a file's name"),
        ({"fname": "../a", "origin": "https://example.org/a"}, "fname must be a file's name without folders"),
        ({"origin": "ftp://example.org/a"}, "origin must begin with https://"),
        ({"origin": "file:///a", "hash_algorithm": "crc"}, "hash_algorithm must be 'auto', 'sha256' or 'md5'"),
    ],
)
def test_bad_arguments(named: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        get_file(**named, cache_dir=tmp_path)
