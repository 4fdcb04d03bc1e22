"""What of a customer token may be corrected for the person, and what may be somebody else's: pure.

The vendor says nothing about whose name, address or e-mail stands in a payment instrument or a shipping address; a gift
goes to another person, a card may be a spouse's. What is known to be this person's:

- ``buyerInformation.email`` of the customer, and the identifiers of the case;
- the *anchor*: the default payment instrument's ``billTo``, or where no payment instrument is saved the default
  address's ``shipTo``.

The anchor is corrected wherever it differs. In every other record e-mail and phone are corrected only where the value
is one of those known, first and last name only where both together are the anchor's, and the parts of an address only
where the whole address (but ``address2``) is the anchor's: half a correction in another address would make one that
does not exist. All else is left alone, and told; so is the address on an instrument identifier, always: it is one for
all who use the card.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from habeas import Correction, Field, Subject
from habeas.models import Json
from habeas_cybersource import kinds, mapping

__all__ = ["Holding", "Known", "Saved", "holding", "known", "patch", "title_lacks"]

_PLACE: Mapping[Field, tuple[str, int]] = {
    Field.STREET: ("address1", 60),
    Field.POSTAL_CODE: ("postalCode", 10),
    Field.CITY: ("locality", 50),
    Field.REGION: ("administrativeArea", 20),
    Field.COUNTRY: ("country", 2),
    Field.EMAIL: ("email", 255),
}
_LISTED: Mapping[Field, tuple[str, int]] = {
    **_PLACE,
    Field.FIRST_NAME: ("firstName", 60),
    Field.LAST_NAME: ("lastName", 60),
    Field.PHONE: ("phoneNumber", 15),
}
_NAMES: Mapping[str, Mapping[Field, tuple[str, int]]] = {
    kinds.CUSTOMER: {Field.EMAIL: ("email", 255)},
    kinds.PAYMENT_INSTRUMENT: _LISTED,
    kinds.SHIPPING_ADDRESS: {**_LISTED, Field.EMAIL: ("email", 320)},
    kinds.INSTRUMENT_IDENTIFIER: _PLACE,
}
"""By kind of record: the vendor's name of a field, and how many characters it takes."""
_INSIDE = {
    kinds.CUSTOMER: "buyerInformation",
    kinds.PAYMENT_INSTRUMENT: "billTo",
    kinds.SHIPPING_ADDRESS: "shipTo",
    kinds.INSTRUMENT_IDENTIFIER: "billTo",
}
_FULL_NAME = ("firstName", "lastName")
_ADDRESS = ("address1", "postalCode", "locality", "administrativeArea", "country")


@dataclass(frozen=True, repr=False)
class Saved:
    """One document of a customer token: the customer, a payment instrument, the identifier in one, an address."""

    kind: str
    id: str
    document: Json
    anchor: bool
    """True for what the others are recognised by: the customer, and the default billing (or shipping) address."""


class Holding(Enum):
    """What a document holds of one field."""

    NOTHING = "nothing"
    RIGHT = "right"
    WRONG = "wrong, and the person's"
    FOREIGN = "other, and perhaps somebody else's"
    TOO_SHORT = "wrong, and the field does not take the right value"


@dataclass(frozen=True, repr=False)
class Known:
    """What is known to be the person's, as it is compared: without case, blanks and punctuation of numbers."""

    emails: frozenset[str]
    phones: frozenset[str]
    names: frozenset[tuple[str, ...]]
    addresses: frozenset[tuple[str, ...]]


def known(subject: Subject, documents: Iterable[Saved]) -> Known:
    """What the person's identifiers, the customer and the anchor say."""
    anchors = [_inner(saved) for saved in documents if saved.anchor]
    listed = [_inner(saved) for saved in documents if saved.anchor and saved.kind != kinds.CUSTOMER]
    return Known(
        frozenset(filter(None, map(_folded, (*subject.values("email"), *(a.get("email") for a in anchors))))),
        frozenset(filter(None, map(_digits, (*subject.values("phone"), *(a.get("phoneNumber") for a in anchors))))),
        frozenset(name for name in (_several(a, _FULL_NAME) for a in listed) if any(name)),
        frozenset(address for address in (_several(a, _ADDRESS) for a in listed) if any(address)),
    )


def holding(saved: Saved, correction: Correction, own: Known) -> Holding:
    """What a document holds of the field that a correction is about."""
    name, most = _NAMES[saved.kind].get(correction.field, ("", 0))
    inner = _inner(saved)
    value = inner.get(name)
    if not isinstance(value, str) or not value:
        return Holding.NOTHING
    if value == correction.value:
        return Holding.RIGHT
    shared = saved.kind == kinds.INSTRUMENT_IDENTIFIER
    if shared or not (saved.anchor or _is_own(correction.field, inner, own)):
        return Holding.FOREIGN
    return Holding.WRONG if len(correction.value) <= most else Holding.TOO_SHORT


def patch(saved: Saved, corrections: Collection[Correction], own: Known) -> Json:
    """The body of a PATCH that corrects a document; empty where nothing is to be corrected.

    It holds the whole of ``billTo`` (and so on), since the vendor does not say whether a part replaces or is merged.
    """
    right = {
        _NAMES[saved.kind][correction.field][0]: correction.value
        for correction in corrections
        if holding(saved, correction, own) is Holding.WRONG
    }
    if not right:
        return {}
    held = {name: value for name, value in _inner(saved).items() if value is not None}
    return {_INSIDE[saved.kind]: held | right}


def title_lacks(saved: Saved, correction: Correction) -> bool:
    """Whether a customer has a title, a free text that may be the name, and the right name is not in it."""
    if saved.kind != kinds.CUSTOMER or correction.field not in (Field.NAME, Field.FIRST_NAME, Field.LAST_NAME):
        return False
    title = _folded(mapping.part_of(saved.document, "objectInformation").get("title"))
    return bool(title) and _folded(correction.value) not in title


def _is_own(field: Field, inner: Mapping[str, Json], own: Known) -> bool:
    if field is Field.EMAIL:
        return _folded(inner.get("email")) in own.emails
    if field is Field.PHONE:
        return _digits(inner.get("phoneNumber")) in own.phones
    if field in (Field.FIRST_NAME, Field.LAST_NAME):
        return _several(inner, _FULL_NAME) in own.names
    return _several(inner, _ADDRESS) in own.addresses


def _inner(saved: Saved) -> dict[str, Json]:
    return mapping.part_of(saved.document, _INSIDE[saved.kind])


def _several(inner: Mapping[str, Json], names: Iterable[str]) -> tuple[str, ...]:
    return tuple(_folded(inner.get(name)) for name in names)


def _folded(value: Json) -> str:
    return " ".join(value.casefold().split()) if isinstance(value, str) else ""


def _digits(value: Json) -> str:
    return "".join(c for c in value if c.isdigit()) if isinstance(value, str) else ""
