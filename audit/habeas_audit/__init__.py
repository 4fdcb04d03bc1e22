"""The ledger: an append-only, tamper-evident record in one SQLite file. It knows bytes, hashes, SQLite; not privacy."""

from habeas_audit.canonical import canonical
from habeas_audit.checkpoint import (
    Checkpoint,
    SignedCheckpoint,
    digest,
    origin_of,
    parse_checkpoint,
    sign_checkpoint,
)
from habeas_audit.commit import GroupCommit
from habeas_audit.copying import copy_database, copy_ledger
from habeas_audit.entry import Draft, Entry
from habeas_audit.errors import (
    InvalidDraft,
    LedgerBehind,
    LedgerBusy,
    LedgerClosed,
    LedgerDamaged,
    LedgerError,
    LedgerRefused,
    LedgerUncertain,
    LedgerUnwritable,
    ProofInvalid,
)
from habeas_audit.evidence import Evidence, Witness, verify_evidence
from habeas_audit.export import FORMAT as EXPORT
from habeas_audit.export import MAX_LINE, VerifiedExport, export_lines, verify_export
from habeas_audit.keys import CREATED, KEY_TYPES, REASONS, ROTATED, keys_named_in
from habeas_audit.mirror import all_of as checkpoints_in
from habeas_audit.mirror import put_back as put_checkpoint_back
from habeas_audit.mirror import read as read_checkpoint
from habeas_audit.notary import ACKNOWLEDGED, Notary, acknowledged
from habeas_audit.note import Note, SigningKey, VerifierKey
from habeas_audit.portable import (
    CONSISTENCY,
    INCLUSION,
    TLOG_PROOF,
    ConsistencyProof,
    InclusionProof,
    ProvenEntry,
    parse_json,
    prove_consistency,
    prove_entry,
)
from habeas_audit.store import Ledger
from habeas_audit.stored_proofs import StoredProofs
from habeas_audit.stored_tree import Head
from habeas_audit.verify import Finding, Verification, verify

__all__ = [
    "ACKNOWLEDGED",
    "CONSISTENCY",
    "CREATED",
    "EXPORT",
    "INCLUSION",
    "KEY_TYPES",
    "MAX_LINE",
    "REASONS",
    "ROTATED",
    "TLOG_PROOF",
    "Checkpoint",
    "ConsistencyProof",
    "Draft",
    "Entry",
    "Evidence",
    "Finding",
    "GroupCommit",
    "Head",
    "InclusionProof",
    "InvalidDraft",
    "Ledger",
    "LedgerBehind",
    "LedgerBusy",
    "LedgerClosed",
    "LedgerDamaged",
    "LedgerError",
    "LedgerRefused",
    "LedgerUncertain",
    "LedgerUnwritable",
    "Notary",
    "Note",
    "ProofInvalid",
    "ProvenEntry",
    "SignedCheckpoint",
    "SigningKey",
    "StoredProofs",
    "Verification",
    "VerifiedExport",
    "VerifierKey",
    "Witness",
    "acknowledged",
    "canonical",
    "checkpoints_in",
    "copy_database",
    "copy_ledger",
    "digest",
    "export_lines",
    "keys_named_in",
    "origin_of",
    "parse_checkpoint",
    "parse_json",
    "prove_consistency",
    "prove_entry",
    "put_checkpoint_back",
    "read_checkpoint",
    "sign_checkpoint",
    "verify",
    "verify_evidence",
    "verify_export",
]
