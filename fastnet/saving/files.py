"""Replaces files in one step: at every moment a file is the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # without POSIX, as on Windows, there are no locks, so no temporary file is removed
    fcntl = None  # type: ignore[assignment]

O_BINARY: int = getattr(os, "O_BINARY", 0)  # without it, Windows changes line ends
_TEMPORARY = re.compile(r"\.fastnet-[0-9a-f]{16}\.tmp")


def replace_file(path: str, data: bytes | memoryview) -> None:
    """Replaces the content of a file with `data`; errors as `replacing`."""
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Opens a temporary file, which replaces `path` when the block ends without an error.

    At every moment the file at `path` is the old one or the new one, whole. If `path` is a link, the file that it
    points to is replaced. The new file gets the old one's mode and, if the process may set it, its owner. Without an
    old file the umask decides the mode. Temporary files of killed processes in the same folder are removed.

    Raises:
        PermissionError: if the old file is read-only.
        ValueError: if `path` names something other than a file.
        OSError: if writing fails. The old file is unchanged, and no temporary file is left. One exception: if only
            the last call fails, which writes the folder to the disk, the new file is there, but may not survive a power
            failure.
    """
    path = os.path.realpath(path)
    old = check_writable(path)
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise ValueError(f"path must name a file, but {path!r} is something else")
    folder = os.path.dirname(path)
    _remove_abandoned(folder)
    temporary, descriptor = new_temporary(folder)
    try:
        with open(descriptor, "wb") as file:
            if old is not None and fcntl is not None:
                _take_over(descriptor, old)
            yield file
            file.flush()
            os.fsync(descriptor)
            if fcntl is None:
                file.close()  # Windows renames no open file
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(MemoryError):  # the new file is there, so this is no reason to report a failure
        _sync_folder(folder)


def check_place(path: str, overwrite: bool) -> str:
    """Checks that a file can be put at `path`; returns the path without links.

    Raises:
        FileNotFoundError: if there is no such folder.
        FileExistsError: if there is a file and `overwrite` is False.
    """
    path = os.path.realpath(path)  # the file that a link points to is replaced, not the link
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", folder)
    if os.path.lexists(path) and not overwrite:
        raise FileExistsError(errno.EEXIST, "the file is there, and overwrite is False", path)
    return path


def check_writable(path: str) -> os.stat_result | None:
    """Checks that the file at `path` is not read-only; returns its `os.stat`, or None if there is no file.

    The mode also counts for root, although the system lets root write to every file.

    Raises:
        PermissionError: if there is a file and it is read-only.
    """
    try:
        old = os.stat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISREG(old.st_mode) and not (old.st_mode & stat.S_IWUSR and os.access(path, os.W_OK)):
        raise PermissionError(errno.EACCES, "the file is read-only and is not replaced; make it writable first", path)
    return old


def _take_over(descriptor: int, old: os.stat_result) -> None:
    """Gives a new file the mode of the old one and, where that is allowed, its owner."""
    mode = stat.S_IMODE(old.st_mode)
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except OSError:  # only root may change the owner; the group can often still be set
            mode &= 0o777  # without the setuid bit, which was meant for the old owner
            with contextlib.suppress(OSError):
                os.fchown(descriptor, -1, old.st_gid)
    os.fchmod(descriptor, mode)


def new_temporary(folder: str) -> tuple[str, int]:
    """Creates an empty, locked temporary file; returns its path and its descriptor.

    A process that is killed leaves its temporary file, and a later save removes it. The lock shows that a file still
    belongs to a running process: the system releases it when the process ends, however it ends. A process ID in the
    name would not do, because IDs are reused, and containers that share a folder have the same ones.

    `tempfile` is not used: its files have mode 0600, and the umask cannot be read safely while other threads run.
    """
    while True:
        path = os.path.join(folder, f".fastnet-{secrets.token_hex(8)}.tmp")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | O_BINARY, 0o666)
        except PermissionError as error:  # the user knows the folder, not the temporary file
            raise PermissionError(error.errno, "no file can be written into this folder", folder) from None
        if fcntl is None:
            return path, descriptor
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # another process removed it before it was locked


def _remove_abandoned(folder: str) -> None:
    """Removes the temporary files of processes that have ended."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        for name in filter(_TEMPORARY.fullmatch, os.listdir(folder)):
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):  # it is locked, or somebody else has removed it
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(path)
                finally:
                    os.close(descriptor)


def _sync_folder(folder: str) -> None:
    """Writes a folder to the disk, so that a file's new name survives a power failure; Windows opens no folders."""
    if fcntl is None:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that need no such call
            raise
    finally:
        os.close(descriptor)
