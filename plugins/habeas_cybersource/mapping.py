"""The vendor's JSON into our shapes: pure. What is not as documented is a :class:`~habeas.BadAnswer` with safe text.

Shapes: TMS models ``PaymentInstrumentList1``, ``ShippingAddressListForCustomer``, ``PostCustomerRequest`` and
``PostInstrumentIdentifierRequest``. ``where`` is the answer's evidence, for the message.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from habeas import BadAnswer, OutcomeUnknown
from habeas.models import Json

if TYPE_CHECKING:
    from habeas.http.transport import Answer

__all__ = [
    "MAX_TOKEN",
    "ListPage",
    "Listed",
    "check_token",
    "has_bill_to",
    "is_default",
    "is_enrolled",
    "is_refusal",
    "new_token",
    "parse_page",
    "part_of",
    "without_bill_to",
]

MAX_TOKEN = 32
"""Characters of a customer, payment instrument or shipping address token."""


@dataclass(frozen=True, repr=False)
class Listed:
    """One entry of a list: its token, and what matters for deleting it."""

    id: str
    default: bool
    """The vendor does not let the default go while others exist."""
    identifier: str
    """Token of the card or account number behind a payment instrument; empty where there is none."""
    document: Json = field(default_factory=dict, compare=False)
    """The entry as the vendor gives it."""

    @property
    def card(self) -> dict[str, Json]:
        """The instrument identifier that the entry embeds; empty where it embeds none."""
        return part_of(part_of(self.document, "_embedded"), "instrumentIdentifier")


@dataclass(frozen=True, repr=False)
class ListPage:
    """One page of a list."""

    entries: tuple[Listed, ...]
    total: int
    """Entries on all pages."""


def parse_page(value: Json, name: str, offset: int, where: str) -> ListPage:
    """A page whose entries stand in ``_embedded[name]``. Raises :class:`~habeas.BadAnswer`."""
    body = _object(value, where)
    total = body.get("total")
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise BadAnswer(f"{where}: the list does not say how many entries it has")
    if body.get("offset", offset) != offset:
        raise BadAnswer(f"{where}: another page than the one asked for")
    entries = _object(body.get("_embedded", {}), where).get(name, [])
    if not isinstance(entries, list):
        raise BadAnswer(f"{where}: the entries are not a list")
    if not entries and offset < total:
        raise BadAnswer(f"{where}: the list ends before its total")
    return ListPage(tuple(_listed(entry, where) for entry in entries), total)


def check_token(value: Json, token: str, where: str) -> None:
    """Makes sure that the answer is about the token asked for. Raises :class:`~habeas.BadAnswer`."""
    found = _object(value, where).get("id")
    if not isinstance(found, str) or found.casefold() != token.casefold():
        raise BadAnswer(f"{where}: the answer is not about the token asked for")


def new_token(answer: Answer | None) -> str:
    """The token that a POST has made. Raises :class:`~habeas.OutcomeUnknown` where its answer does not name it."""
    if answer is None:
        raise OutcomeUnknown("a token was made, and the answer that names it was lost")
    try:
        found = answer.json()
    except BadAnswer:
        found = None
    token = found.get("id") if isinstance(found, dict) else None
    if not isinstance(token, str) or not 1 <= len(token) <= MAX_TOKEN:
        raise OutcomeUnknown(f"{answer.evidence}: the answer does not name the new token")
    return token


def is_default(document: Json) -> bool:
    """Whether a payment instrument or address is its customer's default."""
    return isinstance(document, dict) and document.get("default") in (True, "true")


def is_enrolled(identifier: Json) -> bool:
    """Whether an instrument identifier has a network token."""
    return isinstance(identifier, dict) and "tokenizedCard" in identifier


def is_refusal(document: Json) -> bool:
    """``{"errors": [{"type", "message"}]}``: every 4xx and 5xx of the vendor's own."""
    return isinstance(document, dict) and isinstance(document.get("errors"), list)


def part_of(document: Json, name: str) -> dict[str, Json]:
    """An object inside a document, such as ``billTo``; empty where there is none."""
    inner = document.get(name) if isinstance(document, dict) else None
    return inner if isinstance(inner, dict) else {}


def has_bill_to(identifier: Json) -> bool:
    """Whether an instrument identifier carries a billing address (TMS ``TmsEmbeddedInstrumentIdentifierBillTo``)."""
    return isinstance(identifier, dict) and "billTo" in identifier


def without_bill_to(value: Json, shared: Collection[str]) -> tuple[Json, int]:
    """``value`` without the billing addresses that hang on shared instrument identifiers, and how many were taken out.

    An identifier is one for all who use the card, so its address may be another person's. The address of a payment
    instrument is this person's own and stays.
    """
    if isinstance(value, list):
        pairs = [without_bill_to(item, shared) for item in value]
        return [item for item, _ in pairs], sum(count for _, count in pairs)
    if not isinstance(value, dict):
        return value, 0
    kept: dict[str, Json] = {}
    taken = 0
    for key, child in value.items():
        if key == "billTo" and value.get("id") in shared:
            taken += 1
            continue
        kept[key], below = without_bill_to(child, shared)
        taken += below
    return kept, taken


def _listed(value: Json, where: str) -> Listed:
    entry = _object(value, where)
    return Listed(
        id=_token(entry.get("id"), where),
        default=is_default(entry),
        identifier=_identifier(entry, where),
        document=entry,
    )


def _identifier(entry: dict[str, Json], where: str) -> str:
    """``instrumentIdentifier.id``, or the same inside ``_embedded``."""
    holders = [h for h in (entry, _object(entry.get("_embedded", {}), where)) if "instrumentIdentifier" in h]
    ids = [_object(holder["instrumentIdentifier"], where).get("id") for holder in holders]
    found = next((i for i in ids if isinstance(i, str) and i), "")
    if holders and not found:
        raise BadAnswer(f"{where}: a payment instrument without the token of its card")
    return found


def _token(value: Json, where: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TOKEN:
        raise BadAnswer(f"{where}: an entry without a proper token")
    return value


def _object(value: Json, where: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise BadAnswer(f"{where}: not the object that is documented")
    return value
