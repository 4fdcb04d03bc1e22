"""What is wrong with the files of a home, one finding each: what is damaged, what still holds, and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from habeas.cases.files import SIDES, require_whole
from habeas.cases.ids import earliest_case_id
from habeas.cases.keys import KeyStore
from habeas.cases.suppression import SuppressionList
from habeas.cases.vault import Vault
from habeas.clock import Clock
from habeas.config import AuditConfig
from habeas.errors import HabeasError, StorageError
from habeas.evidence.seal import Seal
from habeas.home import DRAFT, Home
from habeas.opening import open_seal
from habeas.safekeeping.finding import Finding
from habeas_audit import Evidence, Ledger, LedgerError

__all__ = ["examine_home", "missing_from_list", "on_list", "open_modes", "provable", "stale_drafts", "unknown_cases"]

_STALE_SECONDS = 3600.0
_STILL = "Certificates, proofs and exports that were made of it are valid as before"


def examine_home(home: Home, audit: AuditConfig, clock: Clock) -> Iterator[Finding]:
    """Looks at every file; changes nothing but what SQLite itself puts right after a killed writer."""
    yield from _modes(home)
    yield _look("keys", lambda: _keys(home))
    try:
        with Ledger.open(home.ledger, clock.now) as ledger:
            yield _look("vault", lambda: _vault(home, ledger))
            yield _look("suppression list", lambda: _suppression(home, ledger))
            yield _look("ledger", lambda: _ledger(home, open_seal(home, audit, ledger, clock)))
            yield _look("signing key", lambda: _signing(open_seal(home, audit, ledger, clock)))
    except LedgerError as error:
        yield _look("vault", lambda: _whole(home.vault))
        yield _look("suppression list", lambda: _whole(home.suppression))
        yield Finding("ledger", "failed", f"{error}. {_STILL}")
    if home.consents.exists():
        yield _look("wanted consents", lambda: _whole(home.consents))
    yield from _leftovers(home, clock)


def _look(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", look())
    except HabeasError as error:
        return Finding(name, "failed", error.line())
    except LedgerError as error:
        return Finding(name, "failed", str(error))
    except (sqlite3.Error, OSError) as error:
        return Finding(name, "failed", f"it cannot be read ({type(error).__name__}); restore it from a backup")


def _whole(path: Path) -> str:
    require_whole(path)
    return f"{path}, whole"


def _keys(home: Home) -> str:
    require_whole(home.keys)
    with closing(KeyStore.open(home.keys)) as keys:
        keys.fingerprint(b"doctor")  # the installation's key is there
        return f"{home.keys}, whole: {len(keys.case_ids())} cases have a key"


def _vault(home: Home, ledger: Ledger) -> str:
    """Every case's request is the one that the ledger names, and all that can be opened is whole."""
    require_whole(home.vault)
    with closing(KeyStore.open(home.keys)) as keys, closing(Vault.open(home.vault, keys)) as vault:
        bad = {case_id for case_id, _ in vault.damaged()}
        lost = {
            entry.case_id for entry in ledger.entries(types=["case.opened"])
            if not keys.destroyed_at(entry.case_id) and not vault.has(entry.case_id, "request")
        }  # fmt: skip
        if bad or lost:
            parts = [f"{len(bad)} cases have values that cannot be opened"] if bad else []
            parts += [f"{len(lost)} cases have no request: it is older than the ledger"] if lost else []
            raise StorageError(
                f"{home.vault} is damaged: {'; '.join(parts)}; the ledger's proof does not need it, "
                f"and the other cases are whole ({_some(bad | lost)})",
                advice="restore vault and keys from a backup, or cancel those cases",
            )
        return f"{home.vault}, whole"


def _suppression(home: Home, ledger: Ledger) -> str:
    require_whole(home.suppression)
    with closing(KeyStore.open(home.keys)) as keys, closing(SuppressionList.open(home.suppression, keys)) as listed:
        missing = missing_from_list(ledger, listed)
        if missing:
            raise StorageError(
                f"{home.suppression} is older than the ledger: {len(missing)} people who were erased are not on it",
                advice="restore a newer backup of it, or run `habeas doctor --repair`",
            )
        return f"{home.suppression}, whole: {sum(1 for _ in listed.entries())} people"


def missing_from_list(ledger: Ledger, listed: SuppressionList) -> list[str]:
    """Erasures whose person the ledger says is on the suppression list, and is not."""
    there = {one.case_id for one in listed.entries()}
    return [case_id for case_id in on_list(ledger) if case_id not in there]


def on_list(ledger: Ledger) -> list[str]:
    """Erasures whose person the ledger says is on the suppression list."""
    added: dict[str, bool] = {}
    for entry in ledger.entries(types=["suppression.added", "suppression.lifted"]):
        added[entry.case_id] = entry.type == "suppression.added"
    return [case_id for case_id, on in added.items() if on]


def _ledger(home: Home, seal: Seal) -> str:
    found = seal.verify()
    if not found.ok:
        raise StorageError(
            f"{home.ledger} is damaged: {found.findings[0].text}. {provable(found)}",
            advice="keep this file, see `habeas audit verify`, and restore a backup",
        )
    return f"{found.verification.size} entries, all as they were written, {found.unsigned or 'none'} not signed yet"


def provable(found: Evidence) -> str:
    """What of a damaged ledger is still proven."""
    if found.signed is None or not found.signed.head.size:
        return _STILL
    return f"Its first {found.signed.head.size} entries are still proven to be as they were signed"


def _signing(seal: Seal) -> str:
    return f"key {seal.ready().key_id.hex()}; checkpoints go to {', '.join(map(str, seal.mirrors))}"


# -- what can be put right --------------------------------------------------------------------------------------------


def _modes(home: Home) -> Iterator[Finding]:
    open_ = open_modes(home)
    if open_:
        names = ", ".join(str(path.relative_to(home.path)) for path in open_[:3])
        text = f"{len(open_)} files or folders are open to others ({names}); `habeas doctor --repair` closes them"
        yield Finding("file modes", "warning", text)


def open_modes(home: Home) -> list[Path]:
    """Files and folders of a home that others than their owner may enter, read or write."""
    return [
        path for path in sorted(home.path.rglob("*"))
        if not path.is_symlink() and (path.is_file() or path.is_dir()) and path.stat().st_mode & 0o077
    ]  # fmt: skip


def _leftovers(home: Home, clock: Clock) -> Iterator[Finding]:
    if drafts := stale_drafts(home, clock):
        text = f"{len(drafts)} files that a killed process left; `habeas doctor --repair` destroys them"
        yield Finding("leftovers", "warning", text)
    try:
        unknown = unknown_cases(home, clock)
    except (HabeasError, LedgerError):
        return  # told above
    if unknown:
        text = (
            f"{len(unknown)} requests were cut off while they were registered; `habeas doctor --repair` destroys them"
        )
        yield Finding("registrations", "warning", text)


def stale_drafts(home: Home, clock: Clock) -> list[Path]:
    """Files that were begun an hour ago or earlier, and never got their name."""
    before = clock.now().timestamp() - _STALE_SECONDS
    ends = tuple(f"{DRAFT}{side}" for side in ("", *SIDES))
    return [
        path for path in sorted(home.path.rglob(".*"))
        if path.name.endswith(ends) and not path.is_symlink() and path.stat().st_mtime <= before
    ]  # fmt: skip


def unknown_cases(home: Home, clock: Clock) -> list[str]:
    """Cases that have a key or a request, and that the ledger does not know: their registration was cut off.

    Only those that are an hour old: another process may be registering one right now.
    """
    with Ledger.open(home.ledger, clock.now) as ledger:
        known = {entry.case_id for entry in ledger.entries(types=["case.opened"])}
    with closing(KeyStore.open(home.keys)) as keys, closing(Vault.open(home.vault, keys)) as vault:
        found = [case_id for case_id in dict.fromkeys([*vault.case_ids(), *keys.case_ids()]) if case_id not in known]
    newest = earliest_case_id(clock.now() - timedelta(seconds=_STALE_SECONDS))
    return [case_id for case_id in found if case_id < newest]


def _some(names: set[str]) -> str:
    shown = sorted(names)[:3]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
