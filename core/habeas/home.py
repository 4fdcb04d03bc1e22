"""Where things live on disk, and how files are made: private, whole, and durable."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import platformdirs

from habeas.errors import ConfigError, StorageError

__all__ = [
    "Home",
    "draft_of",
    "drafts_of",
    "named_at_end",
    "new_private",
    "private_folder",
    "sync_folder",
    "write_private",
]

DRAFT = ".new"
"""How the name of a file ends that is being written. One that a killed process left is of no use to anybody."""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True)
class Home:
    """The folder that holds one installation's ledger, vault, keys and packages."""

    path: Path

    @classmethod
    def at(cls, path: Path | None) -> Home:
        """The given folder, or the platform's data folder."""
        return cls(path if path is not None else Path(platformdirs.user_data_path("habeas")))

    @property
    def ledger(self) -> Path:
        return self.path / "audit.db"

    @property
    def vault(self) -> Path:
        return self.path / "vault.db"

    @property
    def keys(self) -> Path:
        return self.path / "keys.db"

    @property
    def locks(self) -> Path:
        return self.path / "locks"

    @property
    def packages(self) -> Path:
        return self.path / "packages"

    @property
    def suppression(self) -> Path:
        return self.path / "suppression.db"

    @property
    def consents(self) -> Path:
        """What people want; there once a consent was recorded."""
        return self.path / "consents.db"

    @property
    def quotas(self) -> Path:
        """Counts calls; there once a connection has a quota. In no backup: it is about today."""
        return self.path / "quotas.db"

    @property
    def stores(self) -> tuple[Path, ...]:
        """The databases beside the ledger, in the order in which they are backed up; the keys apart."""
        return (self.vault, self.suppression, *([self.consents] if self.consents.exists() else []))

    @property
    def signing(self) -> Path:
        """Keys that sign the ledger: public ones always, private ones unless a keyring holds them."""
        return self.path / "signing"

    @property
    def checkpoints(self) -> Path:
        """Signed heads of the ledger, outside its database."""
        return self.path / "checkpoints"

    @property
    def certificates(self) -> Path:
        return self.path / "certificates"

    @property
    def reports(self) -> Path:
        return self.path / "reports"

    @property
    def config(self) -> Path:
        return self.path / "habeas.toml"

    def ready(self) -> bool:
        """Whether `habeas init` has been here."""
        return self.ledger.exists() and self.vault.exists() and self.keys.exists()

    def refuse_loss(self) -> None:
        """Raises :class:`StorageError` where a file was lost: it must not be made anew.

        They are made in this order, so one that lacks while a later one is there was there as well.
        """
        files = [self.keys, self.vault, self.ledger, self.suppression]
        for n, path in enumerate(files):
            later = [other.name for other in files[n + 1 :] if other.exists()]
            if later and not path.exists():
                raise StorageError(
                    f"{path} is missing, but {later[0]} is there",
                    advice="find it, or restore a backup: `habeas restore`",
                )

    def require(self) -> None:
        """Raises :class:`ConfigError` where `habeas init` is still to be run, :class:`StorageError` for a loss."""
        self.refuse_loss()
        if not self.ready():
            missing = [p.name for p in (self.ledger, self.vault, self.keys) if not p.exists()]
            raise ConfigError(
                f"{self.path} is not a habeas home ({', '.join(missing)} missing)",
                advice="run `habeas init`, or name another with --home",
            )


def private_folder(path: Path) -> None:
    """Makes a folder only its owner can enter; raises :class:`StorageError`."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be made: {error.strerror}", advice="check disk space, and the folder's owner"
        ) from None


def sync_folder(path: Path) -> None:
    """Makes names in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def named_at_end(path: Path, folders: Iterable[Path] = ()) -> Iterator[Path]:
    """A private folder that gets its name, durably, when the block ends without an error, and else goes away.

    ``folders`` in it are made durable too, where they are there. Yields the folder; raises ``OSError``.
    """
    import shutil

    private_folder(path.parent)
    draft = draft_of(path)
    try:
        draft.mkdir(mode=0o700)
        yield draft
        for part in (*(draft / folder for folder in folders), draft):
            if part.exists():
                sync_folder(part)
        draft.rename(path)  # over an empty folder, and over nothing else
        sync_folder(path.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_private(path: Path, content: bytes) -> None:
    """Writes a new file, mode 0600: whole under its name and durable, or not there. Never overwrites.

    Raises ``FileExistsError`` where the name is taken, and ``OSError``.
    """
    with new_private(path) as file:
        file.write(content)


@contextmanager
def new_private(path: Path) -> Iterator[BinaryIO]:
    """The same for a file that is written bit by bit: it gets its name when the block ends without an error."""
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    draft = draft_of(path)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _give_name(draft, path)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _give_name(draft: Path, path: Path) -> None:
    try:
        # A link, unlike a rename, never replaces what came in between.
        path.hardlink_to(draft)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without links: the name is taken first, so that nobody else's file is replaced.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        draft.replace(path)
    try:
        draft.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError:
        # Nobody is told that it is there, so that it must not be: it would be in the way of the next attempt.
        path.unlink()
        raise


def drafts_of(path: Path) -> list[Path]:
    """What killed processes left of a file that they were writing with :func:`draft_of`."""
    return sorted(path.parent.glob(f".{glob.escape(path.name)}.{'[0-9a-f]' * 16}{DRAFT}"))


def draft_of(path: Path) -> Path:
    """A name beside ``path``, under which it is written until it is whole; what it is to be can be told from it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{DRAFT}")


def destroy_file(path: Path) -> None:
    """Overwrites a file and takes it away: what a name no longer leads to may lie on the disk for long.

    A file system may keep old blocks elsewhere. Raises ``OSError``; ``FileNotFoundError`` where it is not there.
    """
    with path.open("r+b") as file:
        left = path.stat().st_size
        while left > 0:
            left -= file.write(b"\0" * min(left, 1 << 20))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def readable_by_others(path: Path) -> bool:
    """Whether anyone but the owner may read a file."""
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
