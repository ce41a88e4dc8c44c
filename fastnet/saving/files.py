"""Files that are written whole or not at all."""

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
except ImportError:  # without POSIX there are no locks, so nothing is swept
    fcntl = None  # type: ignore[assignment]

_TEMPORARY = re.compile(r"\.fastnet-[0-9a-f]{16}\.tmp")


def replace_file(path: str, data: bytes) -> None:
    """Makes `data` the content of a file, as `replacing` does."""
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Opens a new file, which takes the place of `path` when the block ends without an error.

    At every moment the file at `path` is the old one or the new one, whole. A link stays a link: the file that it
    points to is replaced. The new file has the mode of the old one, and its owner if the process may set it; without
    an old one it has the mode that the umask leaves. Temporary files of processes that were killed are removed.

    Raises:
        PermissionError: if the old file is read-only.
        ValueError: if there is something at `path` that is not a file.
        OSError: if writing fails. The old file is as it was then, and no temporary file is left. Only if the folder
            cannot be brought to the disk at the very end, the new file is there, but might not survive a power failure.
    """
    path = os.path.realpath(path)
    old = check_writable(path)
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise ValueError(f"path must name a file, but {path!r} is something else")
    folder = os.path.dirname(path)
    _sweep(folder)
    temporary, descriptor = new_temporary(folder)
    try:
        with open(descriptor, "wb") as file:
            if old is not None:
                _take_over(descriptor, old)
            yield file
            file.flush()
            os.fsync(descriptor)
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def check_writable(path: str) -> os.stat_result | None:
    """What is known of the file at `path`, or None if there is none.

    The mode counts even for root, whom the system lets write everywhere.

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
    """Gives a new file the owner, where that is allowed, and the mode of the old one."""
    mode = stat.S_IMODE(old.st_mode)
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except OSError:  # only root may give a file away; the group is often still possible
            mode &= 0o777  # "run as the owner" was meant for the old owner
            with contextlib.suppress(OSError):
                os.fchown(descriptor, -1, old.st_gid)
    os.fchmod(descriptor, mode)


def new_temporary(folder: str) -> tuple[str, int]:
    """A new file in the folder, open and locked; a temporary file without a lock belongs to nobody any more."""
    while True:
        name = os.path.join(folder, f".fastnet-{secrets.token_hex(8)}.tmp")
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            _lock(descriptor, wait=True)
            if os.fstat(descriptor).st_nlink:  # else somebody swept it before it was locked
                return name, descriptor
        except BaseException:
            os.unlink(name)
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> bool:
    """Locks a file if nobody else has; whether it did. The kernel unlocks it when the process ends, however it ends."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # locked, or a file system without locks
        return False
    return True


def _sweep(folder: str) -> None:
    """Removes the temporary files of processes that have ended."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if not _TEMPORARY.fullmatch(name):
                continue
            with contextlib.suppress(OSError):
                descriptor = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    if _lock(descriptor, wait=False):
                        os.unlink(os.path.join(folder, name))
                finally:
                    os.close(descriptor)


def _sync_folder(folder: str) -> None:
    """Makes a file's new name survive a power failure, on file systems where that must be asked for."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
