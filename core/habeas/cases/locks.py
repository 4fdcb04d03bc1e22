"""One process at a time works on a case.

A lock is one byte in a file, at an offset that stands for the case, held through the operating system: it is let go
when its process ends, however it ends, so there is no stale lock to judge. A process that is stopped (SIGSTOP, a
suspended terminal) holds what it has taken until it goes on or ends; a forked child holds nothing.

Somebody may take the file away all the same, to get past "is being worked on". Then the next process would make another
one, and hold the same case in it. So as long as anybody works in a home, its folder is locked as well (shared): where
the file is gone, only a process that is alone makes a new one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from habeas.clock import Clock
from habeas.errors import StorageError

__all__ = ["CaseLocks"]

_MOST_SECONDS = 30.0
_LOOK_SECONDS = 0.02
_TAKEN = (errno.EACCES, errno.EAGAIN)


class CaseLocks:
    """Locks of this process. Keep one object per home and process: closing any descriptor of the file lets all go."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`StorageError` where the file cannot be made or opened, or was taken away from a process that
        still works with it.
        """
        self._path = path
        try:
            self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _unusable(path, error) from None
        try:
            self._descriptor = self._open_file()
        except BaseException:
            os.close(self._folder)
            raise
        self._open = True
        self._held: set[str] = set()
        self._guard = threading.Lock()

    def _open_file(self) -> int:
        try:
            if not self._path.exists() and self._alone():
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            # Where somebody is making the file at this moment, this waits for them.
            fcntl.flock(self._folder, fcntl.LOCK_SH)
            return os.open(self._path, os.O_RDWR)
        except FileNotFoundError:
            raise self._taken_away() from None
        except OSError as error:
            raise _unusable(self._path, error) from None

    def _alone(self) -> bool:
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        return True

    def take(self, case_id: str) -> bool:
        """True where the case is now ours; False where this or another process works on it.

        Raises :class:`StorageError` where the system gives no locks: that is not the same as a case that is taken.
        """
        with self._guard:
            if case_id in self._held:
                return False
            if not self._open:
                raise StorageError("the file of locks is closed")
            try:
                self._require_file()
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(case_id))
            except OSError as error:
                if error.errno in _TAKEN:
                    return False
                raise StorageError(
                    f"the file of locks cannot be used: {error.strerror}", advice="keep the home on a local disk"
                ) from None
            self._held.add(case_id)
            return True

    def _require_file(self) -> None:
        """Who holds locks in a file that others cannot find, holds nothing."""
        ours = os.fstat(self._descriptor)
        try:
            found = self._path.stat()
        except FileNotFoundError:
            raise self._taken_away() from None
        if (found.st_dev, found.st_ino) != (ours.st_dev, ours.st_ino):
            raise self._taken_away()

    @contextmanager
    def alone(self, name: str, clock: Clock) -> Iterator[None]:
        """Waits for a lock and holds it: for what takes moments. Raises :class:`StorageError` where it takes longer."""
        until = clock.monotonic() + _MOST_SECONDS
        while not self.take(name):
            if clock.monotonic() >= until:
                raise StorageError(f"{name}: another process is at it, and comes to no end", advice="end that one")
            clock.sleep(_LOOK_SECONDS)
        try:
            yield
        finally:
            self.release(name)

    def release(self, case_id: str) -> None:
        """Lets a case go."""
        with self._guard:
            if case_id in self._held:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _offset(case_id))
                self._held.discard(case_id)

    def close(self) -> None:
        """Lets all go. A second call does nothing."""
        with self._guard:
            # The number may be another file's by now: never close it twice.
            if self._open:
                self._open = False
                self._held.clear()
                os.close(self._descriptor)
                os.close(self._folder)

    def _taken_away(self) -> StorageError:
        return StorageError(
            f"{self._path} was taken away while a process works in this home",
            advice="wait until no habeas runs, then start again; it need never be deleted",
        )


def _unusable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path} cannot be opened: {error.strerror}", advice="check disk space, and the folder's owner")


def _offset(case_id: str) -> int:
    return int.from_bytes(hashlib.sha256(case_id.encode()).digest()[:7], "big")
