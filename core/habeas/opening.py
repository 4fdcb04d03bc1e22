"""How a home comes into being, and how its ledger is opened and signed without the rest of the program."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from habeas.cases.keys import KeyStore
from habeas.cases.suppression import SuppressionList
from habeas.cases.vault import Vault
from habeas.clock import Clock
from habeas.config import AuditConfig
from habeas.errors import StorageError
from habeas.evidence.seal import Seal
from habeas.evidence.signing import open_key_place
from habeas.home import Home, private_folder
from habeas.models import Json
from habeas_audit import Entry, Head, Ledger

__all__ = ["actor", "create_home", "head_json", "ledger_only", "mirrors_of", "open_seal", "open_suppression_list"]


def create_home(home: Home, clock: Clock, signing_key: str = "") -> list[str]:
    """Makes whatever of a home is missing, never touching what is there. Returns what was made.

    ``signing_key``: ``keyring:SERVICE``, or empty for a file in the home.
    """
    private_folder(home.path)
    private_folder(home.packages)
    home.refuse_loss()
    made = []
    if not home.keys.exists():
        KeyStore.create(home.keys).close()
        made.append(home.keys.name)
    if not home.vault.exists():
        keys = KeyStore.open(home.keys)
        Vault.create(home.vault, keys).close()
        keys.close()
        made.append(home.vault.name)
    if not home.ledger.exists():
        Ledger.create(home.ledger, clock.now).close()
        made.append(home.ledger.name)
    with closing(KeyStore.open(home.keys)) as keys, Ledger.open(home.ledger, clock.now) as ledger:
        if not home.suppression.exists():
            _make_suppression_list(home, keys, ledger).close()
            made.append(home.suppression.name)
        seal = Seal(ledger, open_key_place(home.signing, signing_key), home.signing, [home.checkpoints], clock)
        if not seal.has_key():
            key = seal.create_key(actor())
            if seal.problem:
                raise StorageError(seal.problem)
            made.append(f"{home.signing.name}/{key.key_id.hex()}.pub")
        elif seal.newest() is None:
            seal.checkpoint()  # it was killed here the first time
    return made


def _make_suppression_list(home: Home, keys: KeyStore, ledger: Ledger) -> SuppressionList:
    """For a new home, or one of a version that had none. One that was lost must not be made anew: it would be empty."""
    if ledger.last(types=["suppression.added"]) is not None:
        raise StorageError(f"{home.suppression} is missing, but people are on it", advice="restore it from a backup")
    return SuppressionList.create(home.suppression, keys)


def open_suppression_list(home: Home, keys: KeyStore, ledger: Ledger) -> SuppressionList:
    if not home.suppression.exists():
        _make_suppression_list(home, keys, ledger).close()
    listed = SuppressionList.open(home.suppression, keys)
    last = ledger.last(types=["suppression.added"])
    # The list is written before the ledger, and what is lifted after it: whoever the ledger names is on the list.
    if last is not None and not listed.has(last.case_id) and not _lifted(ledger, last):
        listed.close()
        raise StorageError(
            f"{home.suppression} is older than the ledger: people who were erased are not on it",
            advice="restore a newer backup of it, or run `habeas doctor --repair`",
        )
    return listed


def _lifted(ledger: Ledger, added: Entry) -> bool:
    last = ledger.last(added.case_id, ["suppression.added", "suppression.lifted"])
    return last is not None and last.type == "suppression.lifted"


def open_seal(home: Home, config: AuditConfig, ledger: Ledger, clock: Clock) -> Seal:
    """What signs a home's ledger, as the configuration says. Raises :class:`~habeas.errors.ConfigError`."""
    stamper = None
    if config.timestamp_authority and config.timestamp_roots is not None:
        from habeas.evidence.stamp import Stamper  # an optional package, and only some need it

        stamper = Stamper(config.timestamp_authority, config.timestamp_roots)
    place = open_key_place(home.signing, config.signing_key)
    return Seal(ledger, place, home.signing, mirrors_of(home, config), clock, stamper)


def mirrors_of(home: Home, config: AuditConfig) -> list[Path]:
    """The folders outside the database that keep every checkpoint."""
    return [home.checkpoints, *([config.mirror] if config.mirror else [])]


@contextmanager
def ledger_only(home: Home, clock: Clock) -> Iterator[Ledger]:
    """The ledger without anything else: for reading the log, which needs no configuration and no keys."""
    if not home.ledger.exists():
        home.require()
    ledger = Ledger.open(home.ledger, clock.now)
    try:
        yield ledger
    finally:
        ledger.close()


def head_json(head: Head) -> Json:
    """A head of the ledger as every command's JSON shows it."""
    return {"size": head.size, "root": head.root_text}


def actor() -> str:
    """Who runs this, as the operating system knows them; goes into the ledger."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = "unknown"
    return f"{name} ({Path(sys.argv[0]).name or 'habeas'})"
