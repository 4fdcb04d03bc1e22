"""Putting right what can be put right without rewriting history.

The ledger's entries are never touched, and a ledger that is damaged is not repaired: it is told what of it still holds.
Everything else is derived from it, or is of no use to anybody. What was done is told to the ledger, one entry each.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from habeas.cases.duplicates import OpenRequests
from habeas.cases.files import SIDES, require_whole
from habeas.cases.keys import KeyStore
from habeas.cases.register import Register
from habeas.cases.suppression import SuppressionList
from habeas.cases.vault import Vault
from habeas.clock import Clock
from habeas.config import AuditConfig
from habeas.errors import StorageError
from habeas.evidence.signing import publish
from habeas.home import Home, destroy_file, private_folder, sync_folder
from habeas.models import Subject
from habeas.opening import open_seal
from habeas.safekeeping.examine import missing_from_list, on_list, open_modes, stale_drafts, unknown_cases
from habeas_audit import Draft, Ledger, put_checkpoint_back

__all__ = ["Repair", "repair_home"]


@dataclass(frozen=True)
class Repair:
    """One thing that was put right."""

    what: str
    """A word for the ledger: `modes`, `leftovers`, `folders`, `checkpoints`, `public keys`, `indexes`, …"""
    count: int
    text: str
    """For people."""


@dataclass(frozen=True)
class _Site:
    """What the repairs work on."""

    home: Home
    audit: AuditConfig
    ledger: Ledger
    clock: Clock


def repair_home(home: Home, audit: AuditConfig, clock: Clock, actor: str) -> tuple[list[Repair], str]:
    """Repairs a home; returns what was done, and why the ledger was not signed afterwards (empty: it was).

    Raises :class:`StorageError` or :class:`~habeas_audit.LedgerError` where the ledger is not sound: then nothing else
    is touched, since what is done could not be written down.
    """
    home.refuse_loss()
    closed = list(_close_modes(home))  # before the ledger is opened: one that others may write is not
    with Ledger.open(home.ledger, clock.now) as ledger:
        site = _Site(home, audit, ledger, clock)
        done = [*closed, *_checkpoints(site), *_public_keys(site)]
        seal = open_seal(home, audit, ledger, clock)
        seal.require_continuity()
        found = seal.verify()
        if not found.ok:
            raise StorageError(
                f"the ledger is damaged ({found.findings[0].text}); it is never repaired",
                advice="keep the file, see `habeas audit verify`, and restore a backup",
            )
        for repair in (_folders, _leftovers, _indexes, _registrations, _destroyed, _suppression):
            done += repair(site)
        if done:
            drafts = [Draft("repair.done", "", "", "", actor, {"what": one.what, "count": one.count}) for one in done]
            seal.end(*drafts)
        return done, seal.problem


def _close_modes(home: Home) -> Iterator[Repair]:
    paths = [path for path in open_modes(home) if os.geteuid() in (0, path.stat().st_uid)]
    for path in paths:
        path.chmod(0o700 if path.is_dir() else 0o600)
    if paths:
        yield Repair("modes", len(paths), f"{len(paths)} files or folders were open to others: closed")


def _folders(site: _Site) -> Iterator[Repair]:
    missing = [path for path in (site.home.packages, site.home.checkpoints) if not path.exists()]
    for path in missing:
        private_folder(path)
    if missing:
        yield Repair("folders", len(missing), f"{', '.join(path.name for path in missing)}: made again")


def _leftovers(site: _Site) -> Iterator[Repair]:
    drafts = stale_drafts(site.home, site.clock)
    for path in drafts:
        # One that got its name as well is the very file: it only loses the name that was for its making.
        if path.is_dir():
            shutil.rmtree(path)  # half a backup
        elif path.stat().st_nlink > 1:
            path.unlink()
        else:
            destroy_file(path)
        sync_folder(path.parent)
    if drafts:
        yield Repair("leftovers", len(drafts), f"{len(drafts)} files that a killed process left: destroyed")


def _checkpoints(site: _Site) -> Iterator[Repair]:
    """Checkpoints that the ledger holds, and their folder does not, or not as they were signed."""
    with site.ledger.proofs() as proofs:
        kept = list(proofs.checkpoints())
        for signed in kept:
            proofs.require(signed, site.ledger.origin)
    count = sum(put_checkpoint_back(site.home.checkpoints, signed) for signed in kept)
    if count:
        yield Repair("checkpoints", count, f"{count} checkpoints were gone from their folder or damaged: put back")


def _public_keys(site: _Site) -> Iterator[Repair]:
    """Public keys that the ledger names, and their folder does not hold, or not whole."""
    folder = site.home.signing
    count = 0
    for _, key in open_seal(site.home, site.audit, site.ledger, site.clock).named_keys():
        path = folder / f"{key.key_id.hex()}.pub"
        if path.with_suffix(".revoked").exists() or (path.exists() and path.read_bytes() == f"{key.text}\n".encode()):
            continue
        if path.exists():
            path.rename(path.with_name(f"{path.name}.damaged"))
        publish(folder, key)
        count += 1
    if count:
        yield Repair("public keys", count, f"{count} public keys were gone or damaged: written again from the ledger")


def _indexes(site: _Site) -> Iterator[Repair]:
    """An index is derived from its table; where that is whole as well, SQLite makes it anew."""
    for path in (site.home.keys, *site.home.stores):
        try:
            require_whole(path)
        except StorageError:
            if _reindexed(path):
                yield Repair("indexes", 1, f"{path.name}: its indexes were made anew")


def _reindexed(path: Path) -> bool:
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
        ) as database:
            database.execute("PRAGMA synchronous = EXTRA")
            database.execute("PRAGMA secure_delete = ON")
            database.execute("BEGIN IMMEDIATE")
            database.execute("REINDEX")
            whole: bool = database.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
            database.execute("COMMIT" if whole else "ROLLBACK")
            return whole
    except sqlite3.Error:
        return False


def _stores(site: _Site, stack: ExitStack) -> tuple[KeyStore, Vault]:
    keys = stack.enter_context(closing(KeyStore.open(site.home.keys)))
    return keys, stack.enter_context(closing(Vault.open(site.home.vault, keys)))


def _if_sound(repair: Callable[[_Site], Iterator[Repair]]) -> Callable[[_Site], Iterator[Repair]]:
    """Where a store is damaged beyond repair, what needs it is left: the examination afterwards says so."""

    def tried(site: _Site) -> Iterator[Repair]:
        try:
            yield from repair(site)
        except StorageError:
            return

    return tried


@_if_sound
def _registrations(site: _Site) -> Iterator[Repair]:
    """Requests that were sealed, and whose case the ledger never came to know."""
    unknown = unknown_cases(site.home, site.clock)
    if unknown:
        with ExitStack() as stack:
            keys, vault = _stores(site, stack)
            requests = stack.enter_context(closing(OpenRequests.open(site.home.suppression, keys)))
            requests.remove(unknown)
            vault.remove(unknown)
            keys.discard(unknown)
        text = f"{len(unknown)} requests were cut off while they were registered: destroyed; they can be made again"
        yield Repair("registrations", len(unknown), text)


@_if_sound
def _destroyed(site: _Site) -> Iterator[Repair]:
    """Keys and values that the ledger says are destroyed, and that an older copy has brought back."""
    with ExitStack() as stack:
        keys, vault = _stores(site, stack)
        gone = [entry.case_id for entry in site.ledger.entries(types=["details.destroyed"])]
        epochs = [str(entry.data["epoch"]) for entry in site.ledger.entries(types=["pseudonyms.destroyed"])]
        back = sorted(set(gone).intersection([*keys.case_ids(), *vault.case_ids()]))
        back_epochs = sorted(set(epochs).intersection(keys.epochs()))
        if back:
            keys.destroy_case_keys(back, site.clock.now())
            vault.remove(back)
        for epoch in back_epochs:
            keys.destroy_pseudonyms(epoch, site.clock.now())
        keys.tell([*(f"case/{case_id}" for case_id in back), *(f"pseudonym/{epoch}" for epoch in back_epochs)])
    count = len(back) + len(back_epochs)
    if count:
        yield Repair("destroyed again", count, f"{count} keys that the ledger says are destroyed were there: destroyed")


@_if_sound
def _suppression(site: _Site) -> Iterator[Repair]:
    """People whom the ledger says are on the list: who they are is in the vault, as long as their key is there."""
    path = site.home.suppression
    with ExitStack() as stack:
        keys, vault = _stores(site, stack)
        register = Register(site.ledger, vault, keys, site.clock)
        try:
            require_whole(path)
            SuppressionList.open(path, keys).close()
        except StorageError:
            wanted = on_list(site.ledger)
            if any(_subject(register, case_id) is None for case_id in wanted):
                return  # a list that lacks somebody must not take the place of one that perhaps has them
            _move_aside(path)
            SuppressionList.create(path, keys).close()
            requests = stack.enter_context(closing(OpenRequests.open(path, keys)))
            requests.add(
                (view.case_id, str(view.type), subject)
                for view in register.unfinished() if (subject := _subject(register, view.case_id)) is not None
            )  # fmt: skip
            yield Repair("suppression list", len(wanted), "the suppression list was damaged: made anew from the ledger")
        listed = stack.enter_context(closing(SuppressionList.open(path, keys)))
        count = 0
        for case_id in missing_from_list(site.ledger, listed):
            added, subject = site.ledger.last(case_id, ["suppression.added"]), _subject(register, case_id)
            if added is not None and subject is not None:
                count += listed.add(case_id, subject, datetime.fromisoformat(added.at))
    if count:
        yield Repair("on the list again", count, f"{count} erased people were not on the suppression list: put back")


def _move_aside(path: Path) -> None:
    """What is damaged is kept, with what lies beside it."""
    aside = secrets.token_hex(4)
    for side in ("", *SIDES):
        one = path.with_name(f"{path.name}{side}")
        if os.path.lexists(one):
            one.rename(path.with_name(f"{path.name}{side}.{aside}.damaged"))


def _subject(register: Register, case_id: str) -> Subject | None:
    """Who a case is about; None where nobody knows any more."""
    try:
        return register.request(case_id).subject
    except StorageError:
        return None
