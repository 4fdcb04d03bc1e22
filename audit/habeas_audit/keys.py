"""Which keys a log says sign it: entries of two types that are written like any other, and signed over like any other.

`key.created` names the first one; `key.rotated` the next, and why: `planned`, `lost`, `stolen`, or `rolled back` where
an older copy of the log was put back. Whoever trusts one key may trust those that it has signed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from habeas_audit.checkpoint import SignedCheckpoint
from habeas_audit.errors import ProofInvalid
from habeas_audit.note import VerifierKey

CREATED: Final = "key.created"
ROTATED: Final = "key.rotated"
KEY_TYPES: Final = (CREATED, ROTATED)
REASONS: Final = ("planned", "lost", "stolen", "rolled back")


def keys_named_in(body: Mapping[str, Any]) -> tuple[VerifierKey, ...]:
    """The keys that one entry's decoded body brings in; none for entries of other types, or where it names no key."""
    data = body.get("data")
    if body.get("type") not in KEY_TYPES or not isinstance(data, Mapping):
        return ()
    try:
        return (VerifierKey.parse(str(data.get("key"))),)
    except ProofInvalid:
        return ()


def trusted_after(
    pinned: Iterable[VerifierKey],
    named: Iterable[tuple[int, VerifierKey]],
    checkpoints: Iterable[SignedCheckpoint],
) -> tuple[VerifierKey, ...]:
    """The pinned keys, and those that they have vouched for.

    `named`: (entry, key). A key is vouched for if a checkpoint over its entry is signed by a key trusted already. What
    the checkpoints are over must have been verified. They are gone through in the order of their size.
    """
    trusted = dict.fromkeys(pinned)
    waiting = list(named)
    for signed in sorted(checkpoints, key=lambda one: one.head.size):
        try:
            signed.require(trusted)
        except ProofInvalid:
            continue
        trusted |= dict.fromkeys(key for seq, key in waiting if seq <= signed.head.size)
        waiting = [(seq, key) for seq, key in waiting if seq > signed.head.size]
    return tuple(trusted)
