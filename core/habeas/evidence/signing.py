"""Where the keys that sign the ledger live. Private halves in a folder (0600) or a keyring; public ones in the home."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from habeas.errors import ConfigError, StorageError
from habeas.home import destroy_file, private_folder, readable_by_others, sync_folder, write_private
from habeas_audit import ProofInvalid, SigningKey, VerifierKey

__all__ = ["FolderKeys", "KeyPlace", "KeyringKeys", "known_keys", "open_key_place", "publish", "revoke"]

_SCHEME = "keyring:"


class KeyPlace(Protocol):
    """Where private keys are kept. Every method raises :class:`~habeas.errors.StorageError`."""

    def load(self, key: VerifierKey) -> SigningKey:
        """The private half of a public key."""

    def save(self, key: SigningKey) -> None:
        """Keeps a new one, durably."""

    def destroy(self, key: VerifierKey) -> None:
        """Takes one away for good; nothing where it is not there."""


class FolderKeys:
    """One PKCS #8 file for each key, named by its id, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, key: VerifierKey) -> SigningKey:
        path = self._path(key)
        try:
            if readable_by_others(path):
                raise StorageError(f"the signing key {path} can be read by others", advice=f"run `chmod 600 {path}`")
            pem = path.read_bytes()
        except FileNotFoundError:
            raise StorageError(
                f"the signing key {path} is missing",
                advice="restore it, or run `habeas audit rotate-key --because lost`",
            ) from None
        except OSError as error:
            raise StorageError(f"the signing key {path} cannot be read ({error.strerror})") from None
        return _checked(pem, key, str(path))

    def save(self, key: SigningKey) -> None:
        private_folder(self._folder)
        try:
            write_private(self._path(key.verifier), key.pem)
        except OSError as error:
            raise StorageError(f"the signing key cannot be written to {self._folder} ({error.strerror})") from None

    def destroy(self, key: VerifierKey) -> None:
        try:
            destroy_file(self._path(key))
            sync_folder(self._folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StorageError(f"the signing key {self._path(key)} cannot be destroyed ({error.strerror})") from None

    def _path(self, key: VerifierKey) -> Path:
        return self._folder / f"{key.key_id.hex()}.pem"


class KeyringKeys:
    """The system's keyring: one password for each key, under one service, named by its id."""

    def __init__(self, service: str) -> None:
        try:
            import keyring
        except ImportError:
            raise ConfigError("keyring is not installed", advice="run `pip install 'habeas[keyring]'`") from None
        self._keyring, self._service = keyring, service

    def load(self, key: VerifierKey) -> SigningKey:
        name = key.key_id.hex()
        pem = self._ask(lambda: self._keyring.get_password(self._service, name))
        if pem is None:
            raise StorageError(
                f"the keyring has no signing key {self._service}/{name}",
                advice="unlock the right keyring, or run `habeas audit rotate-key --because lost`",
            )
        return _checked(str(pem).encode(), key, f"{self._service}/{name}")

    def save(self, key: SigningKey) -> None:
        name = key.verifier.key_id.hex()
        self._ask(lambda: self._keyring.set_password(self._service, name, key.pem.decode()))

    def destroy(self, key: VerifierKey) -> None:
        name = key.key_id.hex()
        if self._ask(lambda: self._keyring.get_password(self._service, name)) is not None:
            self._ask(lambda: self._keyring.delete_password(self._service, name))

    def _ask(self, call: object) -> object:
        from keyring.errors import KeyringError

        try:
            return call()  # type: ignore[operator] # a function of this class
        except KeyringError:
            raise StorageError("the keyring cannot be used", advice="unlock it") from None


def open_key_place(folder: Path, reference: str) -> KeyPlace:
    """``keyring:SERVICE``, or the home's own folder where ``reference`` is empty. Raises :class:`ConfigError`."""
    if not reference:
        return FolderKeys(folder)
    service = reference.removeprefix(_SCHEME)
    if not reference.startswith(_SCHEME) or not service:
        raise ConfigError("audit.signing_key names no keyring", advice="write keyring:SERVICE, or leave it out")
    return KeyringKeys(service)


def publish(folder: Path, key: VerifierKey) -> None:
    """Puts a public key beside the private ones, as the line that other tools take. One that is there stays."""
    private_folder(folder)
    try:
        write_private(folder / f"{key.key_id.hex()}.pub", f"{key.text}\n".encode())
    except FileExistsError:
        pass
    except OSError as error:
        raise StorageError(f"the public key cannot be written to {folder} ({error.strerror})") from None


def revoke(folder: Path, key: VerifierKey) -> None:
    """Trusts a public key no more: whoever stole its private half can sign as well as we could."""
    path = folder / f"{key.key_id.hex()}.pub"
    try:
        path.rename(path.with_suffix(".revoked"))
        sync_folder(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StorageError(f"{path} cannot be renamed ({error.strerror})", advice="rename it to .revoked") from None


def known_keys(folder: Path) -> tuple[VerifierKey, ...]:
    """All public keys of a home, in the order of their ids. Raises :class:`StorageError` for a file that is none."""
    found = []
    for path in sorted(folder.glob("*.pub")):
        try:
            found.append(VerifierKey.parse(path.read_text("utf-8")))
        except (OSError, UnicodeDecodeError, ProofInvalid):
            raise StorageError(f"{path} is not a public key", advice="look into it, and move it away") from None
    return tuple(found)


def _checked(pem: bytes, key: VerifierKey, where: str) -> SigningKey:
    try:
        private = SigningKey.from_pem(key.name, pem)
    except ProofInvalid as problem:
        raise StorageError(f"{where}: {problem}", advice="restore it from a backup") from None
    if private.verifier != key:
        raise StorageError(f"{where} is not the key that the ledger names", advice="restore the right one")
    return private
