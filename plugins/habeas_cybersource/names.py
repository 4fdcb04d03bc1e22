"""The vendor's field names: those that the declared data categories cover, and those of a document that was read.

Source: TMS models ``PostCustomerRequest``, ``PostCustomerPaymentInstrumentRequest``,
``PostCustomerShippingAddressRequest`` and ``PostInstrumentIdentifierRequest``. What a document embeds of another record
is named with that record. ``merchantDefinedInformation`` belongs to the shop: what its slots hold nobody but the shop
knows, so none of them is covered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from habeas.fields import field_names
from habeas.models import Json

__all__ = [
    "ADDRESS",
    "CUSTOMER",
    "IDENTIFIER",
    "INSTRUMENT",
    "of_addresses",
    "of_customer",
    "of_identifiers",
    "of_instruments",
]

_SLOT = re.compile(r"(data|sensitive)[1-4]")
_PLACE = ("address1", "address2", "locality", "administrativeArea", "postalCode", "country")
_PERSON = ("firstName", "lastName", "company", *_PLACE, "email", "phoneNumber")


def _below(path: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{path}.{name}" for name in names)


def _whole(*names: str) -> tuple[str, ...]:
    """The names, and those of the objects and lists they stand in: an empty one is no new field."""
    known = dict.fromkeys(names)
    for name in names:
        steps = name.removesuffix(".*").split(".")
        known.update((".".join(steps[:n]).removesuffix("[]"), None) for n in range(1, len(steps)))
    return tuple(known)


CUSTOMER = _whole(
    "_links.*",
    "_embedded",
    "id",
    *_below("objectInformation", "title", "comment"),
    *_below("buyerInformation", "merchantCustomerID", "email"),
    "clientReferenceInformation.code",
    "defaultPaymentInstrument.id",
    "defaultShippingAddress.id",
    "metadata.creator",
)
INSTRUMENT = _whole(
    "_links.*",
    "_embedded",
    *("id", "object", "default", "state", "type", "bankAccount.type"),
    *_below("card", "expirationMonth", "expirationYear", "type", "issueNumber", "startMonth", "startYear", "useAs"),
    *_below("card", "hash", "tokenizedInformation.requestorID", "tokenizedInformation.transactionType"),
    *_below("buyerInformation", "companyTaxID", "currency", "dateOfBirth"),
    *_below("buyerInformation.personalIdentification[]", "id", "type", "issuedBy.administrativeArea"),
    *_below("billTo", *_PERSON),
    *_below("processingInformation", "billPaymentProgramEnabled", "bankTransferOptions.SECCode"),
    "merchantInformation.merchantDescriptor.alternateName",
    "instrumentIdentifier.id",
    "metadata.creator",
)
ADDRESS = _whole("_links.*", "id", "default", *_below("shipTo", *_PERSON), "metadata.creator")
IDENTIFIER = _whole(
    "_links.*",
    # What the first digits of the card tell of its bank, nothing of the person.
    "_embedded.binLookup.*",
    *("id", "object", "state", "type", "source"),
    *_below("tokenProvisioningInformation", "consumerConsentObtained", "multiFactorAuthenticated"),
    *_below("card", "number", "expirationMonth", "expirationYear", "securityCode"),
    *_below("pointOfSaleInformation.emvTags[]", "tag", "value", "source"),
    *_below("bankAccount", "number", "routingNumber"),
    *_below("tokenizedCard", "id", "object", "source", "state", "enrollmentId", "tokenReferenceId", "number"),
    *_below("tokenizedCard", "expirationMonth", "expirationYear", "type", "reason", "cryptogram", "securityCode"),
    *_below("tokenizedCard", "eci", "requestorId", "paymentAccountReference", "applicationTransactionCounter"),
    *_below("tokenizedCard.card", "number", "expirationMonth", "expirationYear", "type", "suffix", "issueDate"),
    *_below("tokenizedCard.card", "activationDate", "expirationPrinted", "securityCodePrinted"),
    "tokenizedCard.card.termsAndConditions.url",
    *_below("tokenizedCard.verificationResults", "securityCode", "address"),
    # The picture of the card, and its bank.
    *("tokenizedCard.metadata.cardArt.*", "tokenizedCard.metadata.issuer.*", "tokenizedCard.metadata.creator"),
    "issuer.paymentAccountReference",
    *_below(
        "processingInformation.authorizationOptions.initiator.merchantInitiatedTransaction",
        "previousTransactionId",
        "originalAuthorizedAmount",
    ),
    *_below("billTo", *_PLACE, "email"),
    "metadata.creator",
)


def of_customer(document: Json) -> tuple[str, ...]:
    """The names in a customer. Its merchant-defined slots are named: ``merchantDefinedInformation.data1``."""
    shown = _without_embedded(document, "defaultPaymentInstrument", "defaultShippingAddress")
    slots = shown.pop("merchantDefinedInformation", None)
    if isinstance(slots, list) and slots:
        shown["merchantDefinedInformation"] = {_slot(entry): "" for entry in slots}
    elif slots:
        shown["merchantDefinedInformation"] = slots
    return field_names(shown)


def of_instruments(documents: Iterable[Json]) -> tuple[str, ...]:
    """The names in any of these payment instruments."""
    return _all(_without_embedded(document, "instrumentIdentifier") for document in documents)


def of_addresses(documents: Iterable[Json]) -> tuple[str, ...]:
    """The names in any of these shipping addresses."""
    return _all(documents)


def of_identifiers(documents: Iterable[Json]) -> tuple[str, ...]:
    """The names in any of these instrument identifiers, as payment instruments embed them."""
    return _all(documents)


def _all(documents: Iterable[Json]) -> tuple[str, ...]:
    return tuple(sorted({name for document in documents for name in field_names(document)}))


def _without_embedded(document: Json, *names: str) -> dict[str, Json]:
    shown = dict(document) if isinstance(document, dict) else {}
    embedded = shown.pop("_embedded", {})
    rest = {k: v for k, v in embedded.items() if k not in names} if isinstance(embedded, dict) else embedded
    return {**shown, "_embedded": rest} if rest else shown


def _slot(entry: Json) -> str:
    """The slot's documented name; what else may stand there is the shop's own text, and not a name."""
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and _SLOT.fullmatch(name) else "*"
