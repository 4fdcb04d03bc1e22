"""Records as the vendor shows them. Links are paths without a host."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from habeas_cybersource.sandbox.bodies import Json
from habeas_cybersource.sandbox.records import Address, Customer, Identifier, Instrument

__all__ = ["Renderer", "page"]

_CARD_TYPES = {
    "3": ("003", "AMERICAN EXPRESS"),
    "4": ("001", "VISA"),
    "5": ("002", "MASTERCARD"),
    "6": ("004", "DISCOVER"),
}


class Renderer:
    """Shows records of one merchant, who is named as their creator."""

    def __init__(self, creator: str) -> None:
        self._metadata = {"metadata": {"creator": creator}}

    def customer(self, record: Customer) -> Json:
        """A customer; of its instruments and addresses only the defaults, the others are in their lists."""
        home = customer_path(record.id)
        shown: Json = {
            "_links": {
                "self": {"href": home},
                "paymentInstruments": {"href": f"{home}/payment-instruments"},
                "shippingAddress": {"href": f"{home}/shipping-addresses"},
            },
            "id": record.id,
            **record.body,
            **self._metadata,
        }
        embedded: Json = {}
        if record.default_instrument:
            shown["defaultPaymentInstrument"] = {"id": record.default_instrument}
            instrument = record.instruments[record.default_instrument]
            embedded["defaultPaymentInstrument"] = self.instrument(instrument, record)
        if record.default_address:
            shown["defaultShippingAddress"] = {"id": record.default_address}
            embedded["defaultShippingAddress"] = self.address(record.addresses[record.default_address], record)
        return {**shown, "_embedded": embedded} if embedded else shown

    def instrument(self, record: Instrument, owner: Customer | None, bins: bool = False) -> Json:
        """A payment instrument with its masked identifier inside; ``owner`` is None for a stand-alone one."""
        links: Json = {"self": {"href": instrument_path(record)}}
        shown: Json = {"_links": links, "id": record.id, "object": "paymentInstrument"}
        if owner is not None:
            links["customer"] = {"href": customer_path(owner.id)}
            shown["default"] = owner.default_instrument == record.id
        shown |= {"state": "ACTIVE", **record.body}
        if record.identifier.account.startswith("card|"):
            # The vendor's `hash` stands for the card; a made-up one, the same for the same card.
            digest = hashlib.sha256(record.identifier.account.encode()).hexdigest()[:32].upper()
            shown |= {"type": "cardHash", "card": {**record.body.get("card", {}), "hash": digest}}
        return {
            **shown,
            "instrumentIdentifier": {"id": record.identifier.id},
            **self._metadata,
            "_embedded": {"instrumentIdentifier": self.identifier(record.identifier, bins)},
        }

    def address(self, record: Address, owner: Customer) -> Json:
        """A shipping address."""
        home = customer_path(owner.id)
        return {
            "_links": {"self": {"href": f"{home}/shipping-addresses/{record.id}"}, "customer": {"href": home}},
            "id": record.id,
            "default": owner.default_address == record.id,
            **record.body,
            **self._metadata,
        }

    def identifier(self, record: Identifier, bins: bool = False) -> Json:
        """An instrument identifier; with ``bins`` what the first digits of its card tell."""
        home = identifier_path(record.id)
        shown: Json = {
            "_links": {"self": {"href": home}, "paymentInstruments": {"href": f"{home}/paymentinstruments"}},
            "id": record.id,
            "object": "instrumentIdentifier",
            "state": "ACTIVE",
            **record.body,
            **self._metadata,
        }
        kind = _CARD_TYPES.get(record.account.removeprefix("card|")[:1])
        if bins and kind:
            card = {"type": kind[0], "brandName": kind[1]}
            shown["_embedded"] = {"binLookup": {"paymentAccountInformation": {"card": card}}}
        return shown


def customer_path(token: str) -> str:
    """Where a customer is."""
    return f"/tms/v2/customers/{token}"


def identifier_path(token: str) -> str:
    """Where an instrument identifier is."""
    return f"/tms/v1/instrumentidentifiers/{token}"


def instrument_path(record: Instrument) -> str:
    """Where a payment instrument is: under its customer, or among the stand-alone ones."""
    if record.customer:
        return f"{customer_path(record.customer)}/payment-instruments/{record.id}"
    return f"/tms/v1/paymentinstruments/{record.id}"


def page(path: str, name: str, items: Sequence[Json], offset: int, limit: int, total: int) -> Json:
    """One page of a list: ``prev`` and ``next`` only where there is one, ``_embedded`` also when empty."""
    last = max(total - 1, 0) // limit * limit
    starts = {"self": offset, "first": 0, "last": last}
    if offset > 0:
        starts["prev"] = max(offset - limit, 0)
    if offset + limit < total:
        starts["next"] = offset + limit
    return {
        "_links": {rel: {"href": f"{path}?offset={start}&limit={limit}"} for rel, start in starts.items()},
        "offset": offset,
        "limit": limit,
        "count": len(items),
        "total": total,
        "_embedded": {name: list(items)},
    }
