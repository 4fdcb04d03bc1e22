"""Making a backup while the program is in use.

The order of copying is the reverse of the order of writing. A case's key is made before what it seals, and that before
the ledger's entry; so the ledger is copied first, then vault and lists, and keys last: whatever the ledger of a backup
tells of, the rest of the backup has. What is in vault or keys and not yet in the ledger is told by `habeas doctor`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from habeas import __version__
from habeas.cases.files import copy_store, require_whole
from habeas.clock import Clock, rfc3339
from habeas.errors import InputError, StorageError
from habeas.evidence.seal import Seal, witnesses_in
from habeas.evidence.signing import known_keys
from habeas.home import Home, draft_of, named_at_end, private_folder, sync_folder, write_private
from habeas.safekeeping.manifest import MANIFEST, Manifest, Part, part_of
from habeas_audit import Draft, Evidence, Ledger, acknowledged, checkpoints_in, copy_ledger, verify_evidence

__all__ = ["Backup", "Progress", "make_backup"]

Progress = Callable[[str, int, int], None]
"""Called with what is copied, how many pages of it, and of how many."""


@dataclass(frozen=True)
class Backup:
    """A backup that was made and verified."""

    folder: Path
    keys: Path | None
    manifest: Manifest
    evidence: Evidence


def make_backup(
    home: Home, config: Path | None, ledger: Ledger, seal: Seal, folder: Path, keys: Path | None,
    *, clock: Clock, actor: str, progress: Progress,
) -> Backup:  # fmt: skip
    """Copies a home into ``folder``, and its keys into ``keys``; verifies the copy, and tells the ledger.

    Nothing is there under its name before it is whole. Raises :class:`InputError` for a name that is taken,
    :class:`StorageError`, and :class:`~habeas_audit.LedgerError`.
    """
    home.require()
    _refuse(folder, keys)
    with _new_folder(folder) as draft:
        known = acknowledged(ledger)
        parts = list(_small_files(home, config, draft))
        copy_ledger(home.ledger, draft / home.ledger.name, partial(progress, "ledger"))
        for path in home.stores:
            copy_store(path, draft / path.name, partial(progress, path.stem))
        parts += [part_of(draft / name, name) for name in (home.ledger.name, *(path.name for path in home.stores))]
        evidence = _verified(draft, home, known)
        with _new_keys(home, keys, progress) as key_part:
            manifest = Manifest(
                rfc3339(clock.now()), f"habeas {__version__}", ledger.log_id,
                evidence.verification.size, evidence.verification.root_text,
                tuple(sorted(parts, key=lambda part: part.name)), key_part,
            )  # fmt: skip
            write_private(draft / MANIFEST, manifest.encoded())
    data = {"manifest": manifest.digest, "size": manifest.size, "keys": manifest.keys is not None}
    seal.end(Draft("backup.made", "", "", "", actor, data))
    return Backup(folder, keys, manifest, evidence)


def _refuse(folder: Path, keys: Path | None) -> None:
    for path in (folder, *([keys] if keys else [])):
        if path.is_symlink() or path.exists():
            raise InputError(f"{path} exists already", advice="a backup never overwrites: name another place")
    if keys is not None and keys.absolute().is_relative_to(folder.absolute()):
        raise InputError(
            "the keys would lie beside what they open", advice="give --keys a place that others than the backup's reach"
        )


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder that gets its name when the block ends without an error."""
    try:
        with named_at_end(folder, (Path("checkpoints"), Path("signing"))) as draft:
            yield draft
            if folder.exists():
                raise InputError(f"{folder} exists already", advice="a backup never overwrites: name another place")
    except OSError as error:
        raise StorageError(
            f"the backup cannot be written to {folder} ({error.strerror})", advice="check disk space and owner"
        ) from None


@contextmanager
def _new_keys(home: Home, target: Path | None, progress: Progress) -> Iterator[Part | None]:
    """The copy of the key store; it goes away again where the block ends with an error."""
    if target is None:
        yield None
        return
    private_folder(target.parent)
    draft = draft_of(target)
    try:
        copy_store(home.keys, draft, partial(progress, "keys"))
        require_whole(draft)
        part = part_of(draft, home.keys.name)
        target.hardlink_to(draft)
        draft.unlink()
        sync_folder(target.parent)
        try:
            yield part
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise InputError(f"{target} exists already", advice="a backup never overwrites: name another place") from None
    finally:
        draft.unlink(missing_ok=True)


def _small_files(home: Home, config: Path | None, draft: Path) -> Iterator[Part]:
    """Before the ledger: a checkpoint that is in the backup is over entries that are in it, too."""
    sources = {f"{home.checkpoints.name}/{path.name}": path for path in checkpoints_in(home.checkpoints)}
    for pattern in ("*.pub", "*.revoked"):
        sources |= {f"{home.signing.name}/{path.name}": path for path in sorted(home.signing.glob(pattern))}
    if config is not None:
        sources["habeas.toml"] = config
    for name, path in sources.items():
        private_folder((draft / name).parent)
        write_private(draft / name, path.read_bytes())
        yield part_of(draft / name, name)


def _verified(draft: Path, home: Home, known: set[str]) -> Evidence:
    """The copy's ledger held against the copy's checkpoints. Raises :class:`StorageError` where it is damaged."""
    for path in home.stores:
        require_whole(draft / path.name)
    witnesses = witnesses_in([draft / home.checkpoints.name], known)
    found = verify_evidence(
        draft / home.ledger.name, witnesses=witnesses, trusted=known_keys(draft / home.signing.name)
    )
    if not found.ok:
        raise StorageError(
            f"the ledger does not verify ({found.findings[0].text}); no backup was made",
            advice="run `habeas audit verify`, and keep the backups that you have",
        )
    return found
