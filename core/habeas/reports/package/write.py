"""Writes a package to disk, whole or not at all, and takes its digest."""

from __future__ import annotations

import hashlib
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from habeas.errors import StorageError
from habeas.home import destroy_file, draft_of, drafts_of, sync_folder
from habeas.reports.package.content import PackageFile

__all__ = ["package_digest", "write_zip"]

_WHEN = (1980, 1, 1, 0, 0, 0)
"""The earliest time a ZIP can name, so that the same files make the same bytes."""
_UNIX = 3
_MODE = 0o100600


def write_zip(files: tuple[PackageFile, ...], path: Path) -> None:
    """Writes the files as one ZIP with mode 0600, replacing what was at ``path``.

    It is written beside ``path`` under a new name, synced, and renamed: after a crash there is the old state or the
    whole package. What killed processes left of it is destroyed: nobody else would ever look for that.
    Raises :class:`~habeas.errors.StorageError` where that fails, and leaves nothing behind.
    """
    temporary = draft_of(path)
    try:
        for left in drafts_of(path):
            destroy_file(left)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(descriptor, "wb") as out:
            _write(files, out)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StorageError(
            f"the package could not be written: {os.strerror(error.errno) if error.errno else 'the disk refused it'}",
            advice="check the folder, its permissions and the space left",
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def package_digest(path: Path) -> str:
    """``sha256:`` and the hexadecimal digest of the file. Raises ``OSError`` where it cannot be read."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _write(files: tuple[PackageFile, ...], out: BinaryIO) -> None:
    with zipfile.ZipFile(out, "w") as archive:
        for file in files:
            member = zipfile.ZipInfo(file.name, _WHEN)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = _UNIX
            member.external_attr = _MODE << 16
            archive.writestr(member, file.content, compresslevel=6)
