"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat

try:
    import fcntl
except ImportError:  # no POSIX: no locks, and so nothing is swept
    fcntl = None  # type: ignore[assignment]

_TEMPORARY = re.compile(r"\.fastnet-[0-9a-f]{16}\.tmp")


def replace_file(path: str, data: bytes) -> None:
    """Makes `data` the content of the file, whole: at every moment the file is the old or the new one.

    What was killed earlier on its way here has left a temporary file, which is removed.

    Raises:
        OSError: if that fails; the old file is as it was, and no temporary one is left. Only if the folder cannot be
            brought to the disk after all else, the new file is there, but might not outlast a power failure.
    """
    folder = os.path.dirname(path) or "."
    _sweep(folder)
    temporary, descriptor = new_temporary(folder)
    try:
        with open(descriptor, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(descriptor, stat.S_IMODE(os.stat(path).st_mode))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def new_temporary(folder: str) -> tuple[str, int]:
    """A new file in the folder, open and locked as long as it is: whoever finds it unlocked may remove it."""
    while True:
        name = os.path.join(folder, f".fastnet-{secrets.token_hex(8)}.tmp")
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        _lock(descriptor, wait=True)
        with contextlib.suppress(FileNotFoundError):  # somebody swept it before it was locked
            if os.path.samestat(os.stat(name), os.fstat(descriptor)):
                return name, descriptor
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
    """Removes the temporary files of processes that are no more."""
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
    """Makes a file's new name last through a power failure, on file systems where that is asked for."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
