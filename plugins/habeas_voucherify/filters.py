"""Other people out of what a person is given (Art. 15(4) GDPR). Pure.

Where Voucherify names others (OpenAPI document of August 2026): who referred the customer (``referrals.campaigns``,
``referrer``, ``referrer_id``), who holds a voucher that the customer used (``holder``, ``holder_id``), whose order or
redemption an event is about, and which user of the shop's Voucherify account caused an event (``event_source.user``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from habeas import Omission
from habeas.models import Json
from habeas_voucherify.mapping import same_text

__all__ = ["Filtered", "Own", "without_others"]

_RIGHTS = "They are about other people, whose rights a copy must not affect (Art. 15(4) GDPR)."
_PERSON_KEYS = frozenset({"customer", "holder", "referrer", "referee"})
_ID_KEYS = frozenset({"customer_id", "holder_id", "referrer_id", "referee_id"})
_CUSTOMER_ID = "cust_"


@dataclass(frozen=True, repr=False)
class Own:
    """What names the person."""

    ids: frozenset[str]
    """``cust_…`` ids."""
    sources: frozenset[str]
    emails: frozenset[str]


@dataclass(frozen=True, repr=False)
class Filtered:
    """What may be handed over. Without omissions the document is unchanged."""

    document: Json
    omissions: tuple[Omission, ...]


def without_others(document: Json, own: Own) -> Filtered:
    """The document without records, details and ids of other people."""
    work = _Work(own)
    kept = work.cleaned(document)
    omissions = (
        *_told("records, details and ids of other customers", work.customers),
        *_told("ids of users of the shop's Voucherify account", work.users),
    )
    return Filtered(kept, omissions)


@dataclass
class _Work:
    own: Own
    customers: int = field(default=0)
    users: int = field(default=0)

    def cleaned(self, value: Json) -> Json:
        if isinstance(value, dict):
            pairs = ((key, child) for key, child in value.items() if not self._drops(value, key, child))
            return {key: self.cleaned(child) for key, child in pairs}
        if isinstance(value, list):
            return [self.cleaned(child) for child in value if not self._drops({}, "", child)]
        return value

    def _drops(self, parent: dict[str, Json], key: str, child: Json) -> bool:
        if key == "user" and "channel" in parent:
            self.users += 1
            return True
        if self._is_others(key, child):
            self.customers += 1
            return True
        return False

    def _is_others(self, key: str, child: Json) -> bool:
        if isinstance(child, dict):
            return self._is_others_record(key, child)
        if key in _ID_KEYS or (isinstance(child, str) and child.startswith(_CUSTOMER_ID)):
            return _is_other(child, self.own.ids | self.own.sources)
        return False

    def _is_others_record(self, key: str, record: dict[str, Json]) -> bool:
        """Whether a record is another person's, or another person."""
        if record.get("customer_id"):
            return _is_other(record["customer_id"], self.own.ids | self.own.sources)
        name = record.get("id")
        if isinstance(name, str) and name.startswith(_CUSTOMER_ID):
            return name not in self.own.ids
        if key not in _PERSON_KEYS and record.get("object") != "customer":
            return False
        if record.get("source_id"):
            return _is_other(record["source_id"], self.own.sources)
        email = record.get("email")
        if email:
            return not (isinstance(email, str) and any(same_text(email, known) for known in self.own.emails))
        return _is_other(name, self.own.ids)


def _is_other(value: Json, known: Collection[str]) -> bool:
    """True unless there is nothing there or one of the person's own: what is not understood is left out too."""
    return value not in (None, "") and not (isinstance(value, str) and value in known)


def _told(what: str, count: int) -> tuple[Omission, ...]:
    return (Omission(what, _RIGHTS, count),) if count else ()
