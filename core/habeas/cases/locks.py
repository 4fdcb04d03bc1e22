"""One process at a time works on a case.

A lock is one byte in a file, at an offset that stands for the case, held through the operating system: it is let go
when its process ends, however it ends, so there is no stale lock to judge.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import threading
from pathlib import Path

from habeas.errors import StorageError

__all__ = ["CaseLocks"]


class CaseLocks:
    """Locks of this process. Keep one object per home and process: closing any descriptor of the file lets all go."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`StorageError` where the file cannot be made or opened."""
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(
                f"{path} cannot be opened: {error.strerror}", advice="check the folder's owner"
            ) from None
        self._open = True
        self._held: set[str] = set()
        self._guard = threading.Lock()

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
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(case_id))
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    return False
                raise StorageError(
                    f"the file of locks cannot be used: {error.strerror}", advice="keep the home on a local disk"
                ) from None
            self._held.add(case_id)
            return True

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


def _offset(case_id: str) -> int:
    return int.from_bytes(hashlib.sha256(case_id.encode()).digest()[:7], "big")
