"""get_file: a file from a URL, kept in a cache, checked by its hash, and unpacked."""

from __future__ import annotations

import hashlib
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_CHUNK = 2**20  # bytes read at a time


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Returns the path of a file in the cache; downloads it first if the cache does not have it.

    A file in the cache is used without a network. A download appears in the cache only when it is complete and its hash
    is right. Give `file_hash`: without it, nothing shows whether the file is the one that you expect.

    Args:
        fname: the file's name in the cache; by default the last part of the URL.
        origin: the URL, which begins with ``https://``, ``http://`` or ``file://``.
        untar: the same as ``extract=True, archive_format="tar"``.
        md5_hash: the same as ``file_hash=..., hash_algorithm="md5"``.
        file_hash: the file's hash, as hexadecimal digits.
        cache_subdir: a folder in the cache, or any other folder by its absolute path.
        hash_algorithm: ``"sha256"``, ``"md5"``, or ``"auto"`` to tell by the number of digits.
        extract: whether to unpack the file, a tar or zip archive; the path is then that of the folder.
        archive_format: ``"tar"``, ``"zip"``, ``"auto"`` for both, or a list of them.
        cache_dir: the cache; by default the folder in the environment variable ``KERAS_HOME``, or ``~/.keras``.
        force_download: whether to download the file again.

    Raises:
        ValueError: if `origin` is missing, `fname` is a path, the hash is wrong, or the archive cannot be unpacked.
        OSError: if the file cannot be downloaded or written.

    Example:
        ``get_file(origin="https://example.org/digits.npz", cache_dir="data")`` returns ``"data/datasets/digits.npz"``.
    """
    if not origin:
        raise ValueError("origin must be the URL of the file, got None")
    name = os.fspath(fname) if fname else os.path.basename(unquote(urlsplit(origin).path))
    if not name or name in (".", "..") or os.path.basename(name) != name:
        raise ValueError(f"fname must be a file's name without folders, got {name!r}; use cache_dir for the folder")
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    if hash_algorithm not in ("auto", "sha256", "md5"):
        raise ValueError(f"hash_algorithm must be 'auto', 'sha256' or 'md5', got {hash_algorithm!r}")
    if hash_algorithm == "auto":
        hash_algorithm = "md5" if file_hash is not None and len(file_hash) == 32 else "sha256"
    file_hash = None if file_hash is None else file_hash.lower()
    home = os.path.expanduser(cache_dir or os.environ.get("KERAS_HOME") or os.path.join("~", ".keras"))
    folder = Path(home, cache_subdir)
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / name
    target = folder / f"{name.partition('.')[0]}_extracted"
    if (extract or untar) and not (fname and "." in name):  # the names that Keras gives
        kept, target = folder / f"{name}_archive", folder / name
    if force_download or not kept.exists() or not _is_right(kept, file_hash, hash_algorithm):
        _download(origin, kept, file_hash, hash_algorithm)
    if not (extract or untar):
        return str(kept)
    _unpack(kept, target, "tar" if untar else archive_format)
    return str(target)


def _download(origin: str, kept: Path, file_hash: str | None, algorithm: str) -> None:
    """Downloads a file, checks it, and puts it into the cache in one step."""
    from urllib.request import urlopen  # only downloads need it, and the import takes milliseconds

    from fastnet.saving.files import replacing

    if urlsplit(origin).scheme not in ("https", "http", "file"):
        raise ValueError(f"origin must begin with https://, http:// or file://, got {origin!r}")
    digest = hashlib.new(algorithm)
    with urlopen(origin, timeout=30) as source, replacing(str(kept)) as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
        if file_hash is not None and digest.hexdigest() != file_hash:
            raise ValueError(
                f"Incomplete or corrupted file: {origin} has the {algorithm} hash {digest.hexdigest()}, but file_hash "
                f"is {file_hash}"
            )


def _is_right(path: Path, file_hash: str | None, algorithm: str) -> bool:
    """Returns whether a file has this hash; True if none is given."""
    if file_hash is None:
        return True
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == file_hash


def _unpack(archive: Path, target: Path, formats: Any) -> None:
    """Unpacks a tar or zip archive into a folder; no entry may lead out of it."""
    allowed = ("tar", "zip") if formats == "auto" else (formats,) if isinstance(formats, str) else tuple(formats or ())
    if "tar" in allowed and tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")
    elif "zip" in allowed and zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(target)
    else:
        raise ValueError(f"{archive} is no archive of the format {' or '.join(map(repr, allowed)) or None}")
