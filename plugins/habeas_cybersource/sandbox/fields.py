"""What a request body may hold: names, types, lengths and which fields only the vendor may set.

The vendor's description allows further fields by saying nothing about them. Here they are refused, because a misspelt
field (``merchantCustomerId``) would otherwise look like success.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from habeas_cybersource.sandbox.refused import Refused

__all__ = ["ADDRESS", "CUSTOMER", "IDENTIFIER", "INSTRUMENT", "Field", "Flag", "Made", "Many", "Text", "checked"]


@dataclass(frozen=True)
class Text:
    """A string of ``least`` to ``most`` characters."""

    most: int | None = None
    least: int = 0
    read_only: bool = False
    """Accepted in a request, so that a body read before can be sent back, and ignored."""
    day: bool = False
    """An ISO date (``format: date``)."""

    def allows(self, value: object) -> bool:
        """Whether ``value`` is such a string."""
        if not isinstance(value, str) or len(value) < self.least or (self.most is not None and len(value) > self.most):
            return False
        return not self.day or _is_day(value)


@dataclass(frozen=True)
class Flag:
    """``true`` or ``false``."""


@dataclass(frozen=True)
class Made:
    """An object only the vendor makes (links, bin look-ups): accepted in a request and ignored."""


@dataclass(frozen=True)
class Many:
    """An array of objects."""

    of: Mapping[str, Field]


Field: TypeAlias = "Text | Flag | Made | Many | Mapping[str, Field]"

_ANY = Text()
_MADE = Text(read_only=True)

_PLACE: Mapping[str, Field] = {
    "address1": Text(60),
    "address2": Text(60),
    "locality": Text(50),
    "administrativeArea": Text(20),
    "postalCode": Text(10),
    "country": Text(2),
}

_PERSON: Mapping[str, Field] = {
    "firstName": Text(60),
    "lastName": Text(60),
    "company": Text(60),
    **_PLACE,
    "phoneNumber": Text(15),
}

CUSTOMER: Mapping[str, Field] = {
    "_links": Made(),
    "id": Text(32, 1),
    "objectInformation": {"title": Text(60), "comment": Text(150)},
    "buyerInformation": {"merchantCustomerID": Text(100), "email": Text(255)},
    "clientReferenceInformation": {"code": Text(50)},
    "merchantDefinedInformation": Many({"name": _ANY, "value": Text(100)}),
    "defaultPaymentInstrument": {"id": _ANY},
    "defaultShippingAddress": {"id": _ANY},
    "metadata": Made(),
}
"""``_embedded`` is left out on purpose: the vendor does not say that a customer can be written through it."""

ADDRESS: Mapping[str, Field] = {
    "_links": Made(),
    "id": Text(32, 1),
    "default": Flag(),
    "shipTo": {**_PERSON, "email": Text(320)},
    "metadata": Made(),
}

_TOKENIZED_CARD: Mapping[str, Field] = {
    **dict.fromkeys(
        (
            "id",
            "object",
            "source",
            "securityCode",
            "eci",
            "requestorId",
            "paymentAccountReference",
            "applicationTransactionCounter",
        ),
        _ANY,
    ),
    **dict.fromkeys(("state", "enrollmentId", "tokenReferenceId", "number", "type", "reason", "cryptogram"), _MADE),
    "expirationMonth": Text(2, read_only=True),
    "expirationYear": Text(4, read_only=True),
    "card": {
        "number": _ANY,
        "expirationMonth": Text(2, read_only=True),
        "expirationYear": Text(4, read_only=True),
        "type": _ANY,
        "suffix": _MADE,
        "issueDate": Text(day=True),
        "activationDate": Text(day=True),
        "expirationPrinted": Flag(),
        "securityCodePrinted": Flag(),
        "termsAndConditions": {"url": _ANY},
    },
    "verificationResults": {"securityCode": _ANY, "address": _ANY},
    "metadata": Made(),
}

IDENTIFIER: Mapping[str, Field] = {
    "_links": Made(),
    "id": _ANY,
    "object": _MADE,
    "state": _MADE,
    "type": _ANY,
    "source": _ANY,
    "tokenProvisioningInformation": {"consumerConsentObtained": Flag(), "multiFactorAuthenticated": Flag()},
    "card": {"number": Text(19, 12), "expirationMonth": Text(2), "expirationYear": Text(4), "securityCode": Text(4)},
    "pointOfSaleInformation": {"emvTags": Many({"tag": _ANY, "value": _ANY, "source": _ANY})},
    "bankAccount": {"number": Text(17), "routingNumber": _ANY},
    "tokenizedCard": _TOKENIZED_CARD,
    "issuer": {"paymentAccountReference": Text(32, read_only=True)},
    "processingInformation": {
        "authorizationOptions": {
            "initiator": {
                "merchantInitiatedTransaction": {
                    "previousTransactionId": Text(15),
                    "originalAuthorizedAmount": Text(15),
                }
            }
        }
    },
    "billTo": {**_PLACE, "email": _ANY},
    "metadata": Made(),
    "_embedded": Made(),
}

INSTRUMENT: Mapping[str, Field] = {
    "_links": Made(),
    "id": Text(32, 1),
    "object": _MADE,
    "default": Flag(),
    "state": _MADE,
    "type": _MADE,
    "bankAccount": {"type": Text(18)},
    "card": {
        "expirationMonth": Text(2),
        "expirationYear": Text(4),
        "type": _ANY,
        "issueNumber": Text(2),
        "startMonth": Text(2),
        "startYear": Text(4),
        "useAs": _ANY,
        "hash": Text(34, 32, read_only=True),
        "tokenizedInformation": {"requestorID": Text(11), "transactionType": Text(1)},
    },
    "buyerInformation": {
        "companyTaxID": Text(9),
        "currency": Text(3),
        "dateOfBirth": Text(day=True),
        "personalIdentification": Many(
            {"id": Text(26), "type": _ANY, "issuedBy": {"administrativeArea": Text(20)}},
        ),
    },
    "billTo": {**_PERSON, "email": Text(255)},
    "processingInformation": {
        "billPaymentProgramEnabled": Flag(),
        "bankTransferOptions": {"SECCode": Text(3)},
    },
    "merchantInformation": {"merchantDescriptor": {"alternateName": Text(13)}},
    "instrumentIdentifier": {"id": Text(32, 12)},
    "metadata": Made(),
    "_embedded": {"instrumentIdentifier": IDENTIFIER},
}


def checked(fields: Mapping[str, Field], body: object) -> dict[str, Any]:
    """A new body without what only the vendor may set.

    Raises :class:`Refused` (400 ``invalidFields``, every wrong field by its dotted name) for unknown fields, wrong
    types, wrong lengths and ``null`` (no field is nullable in the vendor's description).
    """
    wrong: list[str] = []
    kept = _checked(fields, body, "", wrong)
    if wrong:
        raise Refused(400, "The request contains invalid fields.", "invalidFields", wrong)
    return kept


def _checked(fields: Mapping[str, Field], value: object, name: str, wrong: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if not isinstance(value, dict):
        wrong.append(name)
        return kept
    for key, item in value.items():
        path = f"{name}.{key}" if name else key
        field = fields.get(key)
        if isinstance(field, Text):
            if not field.allows(item):
                wrong.append(path)
            elif not field.read_only:
                kept[key] = item
        elif isinstance(field, Mapping):
            kept[key] = _checked(field, item, path, wrong)
        elif isinstance(field, Many) and isinstance(item, list):
            kept[key] = [_checked(field.of, each, f"{path}[{n}]", wrong) for n, each in enumerate(item)]
        elif isinstance(field, Flag) and isinstance(item, bool):
            kept[key] = item
        elif not (isinstance(field, Made) and isinstance(item, dict)):
            wrong.append(path)
    return kept


def _is_day(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
