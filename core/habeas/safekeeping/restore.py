"""Making a home out of a backup: a new one, never over another.

A home that was put back does not know what was done after the backup. It says so itself: the ledger gets an entry that
names the backup, and another key signs from then on, so that no key has ever signed two ledgers that contradict each
other. Keys that the ledger says are destroyed are destroyed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from habeas.cases.duplicates import OpenRequests
from habeas.cases.files import require_whole
from habeas.cases.keys import KeyStore
from habeas.cases.vault import Vault
from habeas.clock import Clock
from habeas.config import AuditConfig, load_config
from habeas.errors import InputError, RefusedError, StorageError
from habeas.evidence.seal import Seal, witnesses_in
from habeas.evidence.signing import known_keys
from habeas.home import Home, named_at_end, new_private, private_folder
from habeas.opening import open_seal
from habeas.safekeeping.manifest import Manifest, read_manifest
from habeas_audit import Draft, Ledger, VerifierKey, acknowledged, verify_evidence

__all__ = ["Restored", "restore_backup"]

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Restored:
    """A home that was put back."""

    manifest: Manifest
    destroyed_again: int
    """Keys that the backup still had, and the ledger says are destroyed."""
    left_out: int
    """Requests that were being registered while the backup was made: its ledger does not know them."""
    behind: int
    """Entries that the largest checkpoint is over that a mirror has and the backup contradicts; 0: none."""
    problem: str
    """Why its ledger was not signed; empty: it was."""


def restore_backup(
    folder: Path, keys: Path, home: Home, config: Path | None, trusted: Iterable[VerifierKey] = (),
    *, clock: Clock, actor: str,
) -> Restored:  # fmt: skip
    """Makes the home, whole or not at all. ``config``: instead of the backup's; ``trusted``: who must have signed.

    Raises :class:`InputError` for a backup or keys that cannot be used, :class:`RefusedError` where there is a home,
    :class:`StorageError`, and :class:`~habeas_audit.LedgerError`.
    """
    manifest = read_manifest(folder)
    with _new_home(home) as made:
        _copy(folder, manifest, made)
        _copy_keys(keys, manifest, made)
        with Ledger.open(made.ledger, clock.now) as ledger:
            seal = open_seal(made, _audit_config(config, made), ledger, clock)
            _verify(made, manifest, ledger, tuple(trusted))
            again, left_out = _settle(made, ledger, clock)
            behind, problem = _sign(ledger, seal, manifest, actor)
    return Restored(manifest, again, left_out, behind, problem)


@contextmanager
def _new_home(home: Home) -> Iterator[Home]:
    """A home that gets its name when the block ends without an error."""
    path = home.path.absolute()
    if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
        raise RefusedError(f"{home.path} is there already", advice="a home is never overwritten: name another --home")
    try:
        with named_at_end(path, (Path("checkpoints"), Path("signing"))) as draft:
            made = Home(draft)
            private_folder(made.packages)
            yield made
    except OSError as error:
        raise StorageError(
            f"{home.path} cannot be made ({error.strerror})", advice="check disk space and owner"
        ) from None


def _copy(folder: Path, manifest: Manifest, made: Home) -> None:
    for part in manifest.files:
        target = made.path / part.name
        private_folder(target.parent)
        if _copied(folder / part.name, target) != (part.bytes, part.sha256):
            raise InputError(f"{folder / part.name} is not as it was backed up", advice="use another backup")


def _copy_keys(keys: Path, manifest: Manifest, made: Home) -> None:
    """The keys of that very backup; or others, made earlier or later, if they open all that is in it."""
    copied, own = _copied(keys, made.keys), manifest.keys
    if own is not None and copied == (own.bytes, own.sha256):
        return
    try:
        require_whole(made.keys)
        with closing(KeyStore.open(made.keys)) as store, closing(Vault.open(made.vault, store)) as vault:
            unreadable = len({case_id for case_id, _ in vault.damaged()})
    except StorageError:
        raise InputError(
            f"{keys} is not a key store", advice="give the file that `habeas backup --keys` made"
        ) from None
    if unreadable:
        raise InputError(
            f"{keys} does not open {unreadable} of the cases in the backup", advice="give the keys of that backup"
        )


def _copied(source: Path, target: Path) -> tuple[int, str]:
    """Copies a file; returns size and SHA-256 of what was copied: what is verified is what is used."""
    digest, size = hashlib.sha256(), 0
    try:
        with source.open("rb") as file, new_private(target) as copy:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                copy.write(chunk)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{source} is missing", advice="use another backup") from None
    return size, digest.hexdigest()


def _audit_config(config: Path | None, made: Home) -> AuditConfig:
    path = config or made.config
    return load_config(path).audit if path.exists() else AuditConfig()


def _verify(made: Home, manifest: Manifest, ledger: Ledger, trusted: tuple[VerifierKey, ...]) -> None:
    """Against the backup's own checkpoints: those that a mirror has may be newer, which :func:`_sign` looks at."""
    for path in made.stores:
        require_whole(path)
    witnesses = witnesses_in([made.checkpoints], acknowledged(ledger))
    found = verify_evidence(made.ledger, witnesses=witnesses, trusted=trusted or known_keys(made.signing))
    if not found.ok:
        raise StorageError(f"the backup's ledger does not verify: {found.findings[0].text}", advice="use another")
    head = found.verification
    if (head.size, head.root_text, ledger.log_id) != (manifest.size, manifest.root, manifest.log):
        raise StorageError("the backup's ledger is not the one that its manifest names", advice="use another")


def _settle(made: Home, ledger: Ledger, clock: Clock) -> tuple[int, int]:
    """Makes keys, vault and lists agree with the ledger, which is a little older than they are."""
    with ExitStack() as stack:
        keys = stack.enter_context(closing(KeyStore.open(made.keys)))
        vault = stack.enter_context(closing(Vault.open(made.vault, keys)))
        requests = stack.enter_context(closing(OpenRequests.open(made.suppression, keys)))
        gone = [entry.case_id for entry in ledger.entries(types=["details.destroyed"])]
        epochs = [str(entry.data["epoch"]) for entry in ledger.entries(types=["pseudonyms.destroyed"])]
        kept, kept_epochs = set(keys.case_ids()), set(keys.epochs())
        again = [case_id for case_id in gone if case_id in kept]
        if again:
            keys.destroy_case_keys(again, clock.now())
        for epoch in (again_epochs := [epoch for epoch in epochs if epoch in kept_epochs]):
            keys.destroy_pseudonyms(epoch, clock.now())
        names = [*(f"case/{case_id}" for case_id in gone), *(f"pseudonym/{epoch}" for epoch in epochs)]
        # What was destroyed after the ledger was copied is still to be told: the next purge does.
        keys.retell(names)
        opened = {entry.case_id for entry in ledger.entries(types=["case.opened"])}
        unknown = [case_id for case_id in dict.fromkeys([*vault.case_ids(), *kept]) if case_id not in opened]
        vault.remove([*again, *unknown])
        requests.remove([*again, *unknown])
        keys.discard(unknown)
        return len(again) + len(again_epochs), len(unknown)


def _sign(ledger: Ledger, seal: Seal, manifest: Manifest, actor: str) -> tuple[int, str]:
    """Tells the ledger what it is, and lets another key sign it, unless a mirror says that it is behind."""
    behind = seal.behind()
    data = {"manifest": manifest.digest, "made_at": manifest.made_at, "size": manifest.size}
    restored = Draft("home.restored", "", "", "", actor, data)
    if behind:
        ledger.append(restored)
        return behind, ""
    seal.rotate("rolled back", "", actor)
    seal.end(restored)
    return 0, seal.problem
