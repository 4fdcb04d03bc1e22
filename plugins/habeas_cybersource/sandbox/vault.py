"""The tokens of one merchant and the vendor's rules for how they live and die. Knows nothing of HTTP."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TypeVar

from habeas_cybersource.sandbox.bodies import Json, account, masked, merged, numbers_unlike, without
from habeas_cybersource.sandbox.records import Address, Customer, Identifier, Instrument, Record
from habeas_cybersource.sandbox.refused import Refused

__all__ = ["Vault"]

_CHOSEN_ID = re.compile(r"[A-Za-z0-9]{1,32}")

R = TypeVar("R", bound=Record)


class Vault:
    """All tokens by id. Every rule that is broken raises :class:`Refused` and changes nothing."""

    def __init__(self) -> None:
        self.customers: dict[str, Customer] = {}
        self.instruments: dict[str, Instrument] = {}
        self.addresses: dict[str, Address] = {}
        self.identifiers: dict[str, Identifier] = {}
        self.accounts: dict[str, Identifier] = {}
        """Card or account number → its identifier, while there is one."""
        self.tokens_of: dict[str, dict[str, None]] = {}
        """The merchant's customer id → every token made for it, deleted ones too."""
        self.identifiers_of: dict[str, dict[str, None]] = {}
        """Customer token → every identifier its instruments ever used."""
        self.leave_orphans = False
        """True: a vendor that keeps an identifier after its last instrument went, against its own documents."""
        # Deleted tokens answer 410 for ever: how long the vendor remembers them is unknown. Token → owner.
        self._gone: dict[str, dict[str, str]] = {"customer": {}, "instrument": {}, "address": {}, "identifier": {}}
        self._serial = 0

    # -- look-ups: 410 where the token was deleted, 404 where it never was ------------------------------------------

    def customer(self, token: str) -> Customer:
        """The customer with this token."""
        return self._find(self.customers, "customer", token)

    def instrument(self, customer: str, token: str) -> Instrument:
        """An instrument of this customer; of nobody for the empty ``customer``."""
        if customer:
            self.customer(customer)
        return self._find(self.instruments, "instrument", token, customer)

    def address(self, customer: str, token: str) -> Address:
        """An address of this customer."""
        self.customer(customer)
        return self._find(self.addresses, "address", token, customer)

    def identifier(self, token: str) -> Identifier:
        """The instrument identifier with this token."""
        return self._find(self.identifiers, "identifier", token)

    def _find(self, live: Mapping[str, R], kind: str, token: str, owner: str = "") -> R:
        record = live.get(token)
        if record is not None and record.customer == owner:
            return record
        if self._gone[kind].get(token) == owner:
            raise Refused(410, "Token not available.")
        raise Refused(404, "Token not found.")

    # -- customers --------------------------------------------------------------------------------------------------

    def add_customer(self, body: Json) -> Customer:
        """A new customer; ``id`` in the body chooses its token (409 ``tokenIdConflict`` where that was ever used)."""
        if defaults := [name for name in ("defaultPaymentInstrument", "defaultShippingAddress") if name in body]:
            raise Refused(400, "A new customer has no tokens yet.", "invalidFields", [f"{n}.id" for n in defaults])
        token = self._new_id(self.customers, "customer", body)
        record = self.customers[token] = Customer(token, without(body, "id"), self._next())
        self._name(record)
        return record

    def change_customer(self, record: Customer, body: Json) -> None:
        """Merges ``body`` into the customer; the two defaults must be tokens of this customer."""
        _same_id(record, body)
        instrument = body.get("defaultPaymentInstrument", {}).get("id")
        address = body.get("defaultShippingAddress", {}).get("id")
        if instrument is not None and instrument not in record.instruments:
            raise Refused(400, "Not an instrument of this customer.", "invalidFields", ["defaultPaymentInstrument.id"])
        if address is not None and address not in record.addresses:
            raise Refused(400, "Not an address of this customer.", "invalidFields", ["defaultShippingAddress.id"])
        record.default_instrument = instrument or record.default_instrument
        record.default_address = address or record.default_address
        self._merge(record, without(body, "id", "defaultPaymentInstrument", "defaultShippingAddress"))
        self._name(record)

    def drop_customer(self, record: Customer) -> None:
        """Deletes the customer, its instruments and addresses, and each identifier nobody else uses."""
        for instrument in list(record.instruments.values()):
            self._remove_instrument(instrument)
        for address in list(record.addresses.values()):
            self._remove(self.addresses, "address", address)
        self._remove(self.customers, "customer", record)

    def _name(self, record: Customer) -> None:
        merchant_customer_id = record.body.get("buyerInformation", {}).get("merchantCustomerID")
        if merchant_customer_id:
            self.tokens_of.setdefault(merchant_customer_id, {})[record.id] = None

    # -- payment instruments ----------------------------------------------------------------------------------------

    def add_instrument(self, customer: str, body: Json) -> Instrument:
        """A new instrument on an identifier that exists, or on the card or account in ``_embedded``.

        The first one of a customer becomes its default (inferred: the vendor shows no customer without a default).
        """
        owner = self.customer(customer) if customer else None
        token = self._new_id(self.instruments, "instrument", body)
        identifier = self._identifier_for(body)
        kept = without(body, "id", "default", "instrumentIdentifier", "_embedded")
        record = Instrument(token, kept, self._next(), customer, identifier=identifier)
        self.instruments[token] = identifier.users[token] = record
        if owner is not None:
            owner.instruments[token] = record
            self.identifiers_of.setdefault(customer, {})[identifier.id] = None
            if body.get("default") or not owner.default_instrument:
                owner.default_instrument, owner.version = token, self._next()
        return record

    def change_instrument(self, record: Instrument, body: Json) -> None:
        """Merges ``body`` into the instrument. It stays on its card: another one is another instrument."""
        _same_id(record, body)
        if "_embedded" in body or body.get("instrumentIdentifier", {}).get("id", record.identifier.id) != (
            record.identifier.id
        ):
            raise Refused(
                400,
                "The payment method cannot be changed.",
                "unsupportedPaymentMethodModification",
                ["_embedded" if "_embedded" in body else "instrumentIdentifier.id"],
            )
        if "default" in body and record.customer:
            owner = self.customers[record.customer]
            owner.default_instrument = self._default(owner, owner.default_instrument, record, body["default"])
        self._merge(record, without(body, "id", "default", "instrumentIdentifier"))

    def drop_instrument(self, record: Instrument) -> None:
        """Deletes the instrument and its identifier if nobody else uses that; 409 for a default with others beside."""
        if record.customer:
            owner = self.customers[record.customer]
            if owner.default_instrument == record.id and len(owner.instruments) > 1:
                raise Refused(409, "The default payment instrument cannot be deleted while others exist.")
        self._remove_instrument(record)

    def _remove_instrument(self, record: Instrument) -> None:
        self._remove(self.instruments, "instrument", record)
        if record.customer:
            owner = self.customers[record.customer]
            del owner.instruments[record.id]
            if owner.default_instrument == record.id:
                owner.default_instrument, owner.version = "", self._next()
        del record.identifier.users[record.id]
        if not record.identifier.users and not self.leave_orphans:
            self._remove_identifier(record.identifier)

    # -- shipping addresses -----------------------------------------------------------------------------------------

    def add_address(self, customer: str, body: Json) -> Address:
        """A new address; the first one becomes the default."""
        owner = self.customer(customer)
        token = self._new_id(self.addresses, "address", body)
        record = Address(token, without(body, "id", "default"), self._next(), customer)
        self.addresses[token] = owner.addresses[token] = record
        if body.get("default") or not owner.default_address:
            owner.default_address, owner.version = token, self._next()
        return record

    def change_address(self, record: Address, body: Json) -> None:
        """Merges ``body`` into the address."""
        _same_id(record, body)
        owner = self.customers[record.customer]
        if "default" in body:
            owner.default_address = self._default(owner, owner.default_address, record, body["default"])
        self._merge(record, without(body, "id", "default"))

    def drop_address(self, record: Address) -> None:
        """Deletes the address; 409 for the default one while others exist."""
        owner = self.customers[record.customer]
        if owner.default_address == record.id:
            if len(owner.addresses) > 1:
                raise Refused(409, "The default shipping address cannot be deleted while others exist.")
            owner.default_address, owner.version = "", self._next()
        del owner.addresses[record.id]
        self._remove(self.addresses, "address", record)

    # -- instrument identifiers -------------------------------------------------------------------------------------

    def add_identifier(self, body: Json) -> tuple[Identifier, bool]:
        """The identifier of the card or account in ``body``, and whether it is new.

        A card whose identifier was deleted gets a new token: the deleted one stays deleted (the vendor does not say).
        """
        named = account(body)
        known = self.accounts.get(named)
        if known is not None:
            return known, False
        token = self._new_id(self.identifiers, "identifier", body)
        record = Identifier(token, masked(without(body, "id", "tokenizedCard")), self._next(), account=named)
        self.identifiers[token] = self.accounts[named] = record
        return record, True

    def change_identifier(self, record: Identifier, body: Json) -> None:
        """Merges ``body`` into the identifier; its card or account number cannot change."""
        _same_id(record, body)
        kept = masked(without(body, "id", "tokenizedCard"))
        wrong = numbers_unlike(body, record.body, record.account)
        if wrong:
            raise Refused(400, "The number cannot be changed.", "unsupportedPaymentMethodModification", wrong)
        self._merge(record, kept)

    def enrol(self, record: Identifier, body: Json) -> bool:
        """Provisions a network token; False where the identifier has one already."""
        if body.get("type") not in ("enrollable card", "enrollable token"):
            kind = "invalidFields" if "type" in body else "missingFields"
            raise Refused(400, "The type must name what can be enrolled.", kind, ["type"])
        new = "tokenizedCard" not in record.body
        self.change_identifier(record, body)
        if new:
            self._merge(record, {"tokenizedCard": {"object": "tokenizedCard", "state": "ACTIVE"}})
        return new

    def drop_identifier(self, record: Identifier) -> None:
        """Deletes the identifier; 409 while a payment instrument is linked to it."""
        if record.users:
            raise Refused(409, "Payment instruments are linked to this token.", "instrumentIdentifierDeletionError")
        self._remove_identifier(record)

    def _remove_identifier(self, record: Identifier) -> None:
        self._remove(self.identifiers, "identifier", record)
        del self.accounts[record.account]

    def _identifier_for(self, body: Json) -> Identifier:
        linked = body.get("instrumentIdentifier", {}).get("id")
        inline = body.get("_embedded", {}).get("instrumentIdentifier")
        if linked and inline:
            names = ["instrumentIdentifier.id", "_embedded.instrumentIdentifier"]
            raise Refused(400, "One instrument identifier, not two.", "invalidCombination", names)
        if inline:
            return self.add_identifier(inline)[0]
        if not linked:
            raise Refused(400, "An instrument identifier is needed.", "missingFields", ["instrumentIdentifier.id"])
        if linked not in self.identifiers:
            raise Refused(400, "No such instrument identifier.", "invalidFields", ["instrumentIdentifier.id"])
        return self.identifiers[linked]

    def touch(self, record: Record) -> None:
        """Gives the record a new version, as any change would."""
        record.version = self._next()

    # -- common -----------------------------------------------------------------------------------------------------

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _new_id(self, live: Mapping[str, Record], kind: str, body: Json) -> str:
        chosen = body.get("id")
        if chosen is None:
            return hashlib.sha256(f"{kind}|{self._next()}".encode()).hexdigest()[:32].upper()
        if not isinstance(chosen, str) or _CHOSEN_ID.fullmatch(chosen) is None:
            raise Refused(400, "A token is 1 to 32 letters and digits.", "invalidFields", ["id"])
        if chosen in live or chosen in self._gone[kind]:
            raise Refused(409, "The token is taken.", "tokenIdConflict")
        return chosen

    def _merge(self, record: Record, body: Json) -> None:
        record.body, record.version = merged(record.body, body), self._next()

    def _remove(self, live: dict[str, R], kind: str, record: R) -> None:
        del live[record.id]
        self._gone[kind][record.id] = record.customer

    def _default(self, owner: Customer, current: str, record: Record, wanted: bool) -> str:
        if not wanted and current == record.id:
            raise Refused(400, "Choose another default first.", "invalidFields", ["default"])
        if wanted and current != record.id:
            owner.version = self._next()
        return record.id if wanted else current


def _same_id(record: Record, body: Json) -> None:
    if body.get("id", record.id) != record.id:
        raise Refused(400, "The token cannot be changed.", "invalidFields", ["id"])
