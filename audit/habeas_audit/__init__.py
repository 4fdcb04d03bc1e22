"""The ledger: an append-only, tamper-evident record in one SQLite file. It knows bytes, hashes, SQLite; not privacy."""

from habeas_audit.commit import GroupCommit
from habeas_audit.entry import Draft, Entry
from habeas_audit.errors import (
    InvalidDraft,
    LedgerBusy,
    LedgerClosed,
    LedgerDamaged,
    LedgerError,
    LedgerRefused,
    LedgerUncertain,
    LedgerUnwritable,
)
from habeas_audit.store import Ledger
from habeas_audit.stored_tree import Head
from habeas_audit.verify import Finding, Verification, verify

__all__ = [
    "Draft",
    "Entry",
    "Finding",
    "GroupCommit",
    "Head",
    "InvalidDraft",
    "Ledger",
    "LedgerBusy",
    "LedgerClosed",
    "LedgerDamaged",
    "LedgerError",
    "LedgerRefused",
    "LedgerUncertain",
    "LedgerUnwritable",
    "Verification",
    "verify",
]
