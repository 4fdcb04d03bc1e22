"""Where things live on disk, and how files are made: private, whole, and durable."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from habeas.errors import ConfigError, StorageError

__all__ = ["Home", "private_folder", "sync_folder", "write_private"]


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

    def require(self) -> None:
        """Raises :class:`ConfigError` where `habeas init` is still to be run."""
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
        raise StorageError(f"{path} cannot be made: {error.strerror}", advice="check the folder's owner") from None


def sync_folder(path: Path) -> None:
    """Makes names in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, content: bytes) -> None:
    """Writes a new file, mode 0600, durable. Never overwrites: raises ``FileExistsError``."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        # Half a file would never be made whole: a new one is never written over it.
        path.unlink()
        raise
    sync_folder(path.parent)


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
