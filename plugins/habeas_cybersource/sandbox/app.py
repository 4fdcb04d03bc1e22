"""The 24 operations over HTTP: routes, headers, paging, conditions."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Reply, SandboxApp
from habeas_cybersource.sandbox import fields, seeding
from habeas_cybersource.sandbox.bodies import Json
from habeas_cybersource.sandbox.calls import CONTENT_TYPE, bins_wanted, check_path, check_query, number, read_body
from habeas_cybersource.sandbox.gate import Gate
from habeas_cybersource.sandbox.keystore import P12_PASSWORD, new_key_store
from habeas_cybersource.sandbox.records import Instrument, Record
from habeas_cybersource.sandbox.refused import Refused, error_body
from habeas_cybersource.sandbox.render import Renderer, customer_path, identifier_path, instrument_path, page
from habeas_cybersource.sandbox.vault import Vault

__all__ = ["CyberSourceSandbox"]

_CUSTOMERS = "/tms/v2/customers"
_CUSTOMER = f"{_CUSTOMERS}/{{customerId}}"
_THEIR_INSTRUMENTS = f"{_CUSTOMER}/payment-instruments"
_THEIR_INSTRUMENT = f"{_THEIR_INSTRUMENTS}/{{paymentInstrumentId}}"
_ADDRESSES = f"{_CUSTOMER}/shipping-addresses"
_ADDRESS = f"{_ADDRESSES}/{{shippingAddressId}}"
_IDENTIFIERS = "/tms/v1/instrumentidentifiers"
_IDENTIFIER = f"{_IDENTIFIERS}/{{instrumentIdentifierId}}"
_INSTRUMENTS = "/tms/v1/paymentinstruments"
_INSTRUMENT = f"{_INSTRUMENTS}/{{paymentInstrumentId}}"

_NONE: frozenset[str] = frozenset()
_BINS = frozenset({"retrieveBinDetails"})
_PAGE = frozenset({"offset", "limit"})

Action: TypeAlias = Callable[[Call, Json], Reply]
R = TypeVar("R", bound=Record)


class CyberSourceSandbox(SandboxApp):
    """CyberSource's Token Management Service, strict and stateful.

    ``merchant_id``, ``key_id`` and ``shared_secret`` (base64) are what a client must sign with; with a ``portfolio_id``
    the key is a meta key of that portfolio.
    """

    name = "cybersource"

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        *,
        merchant_id: str = "habeas_sandbox",
        portfolio_id: str = "",
        key_id: str = "5d0c5b3e-7f1a-4c52-9a86-2b1f6f0a9e31",
        shared_secret: str = "aGFiZWFzIHNhbmRib3gsIHdvcnRoIG5vdGhpbmchISE=",  # noqa: S107 - opens a sandbox only
    ) -> None:
        super().__init__(clock)
        self.vault = Vault()
        self.profiles = {"93B32398-AD51-4CC2-A682-EA3E93614EB1"}
        """``profile-id`` values the merchant may use; all see the same tokens."""
        self.forbidden_profiles: set[str] = set()
        """``profile-id`` values that answer 403."""
        self.meanwhile = 0
        """How many of the next PATCHes with ``if-match`` find that somebody else has changed the token: 412."""
        self.why_refused = ""
        """Why the last call with wrong credentials was refused; the vendor does not say."""
        self._settings = {
            "merchant_id": merchant_id,
            "auth": "jwt",
            "key_id": key_id,
            "shared_secret": shared_secret,
        } | ({"portfolio_id": portfolio_id} if portfolio_id else {})
        self._gate = Gate(merchant_id, key_id, base64.b64decode(shared_secret, validate=True), portfolio_id)
        self._render = Renderer(merchant_id)
        self._answers = 0
        self._key_store: bytes | None = None
        self._draw_routes()

    # -- what every sandbox has -------------------------------------------------------------------------------------

    def settings(self) -> Mapping[str, str]:
        """``merchant_id``, ``auth`` (``jwt``), ``key_id``, ``shared_secret`` (base64)."""
        return dict(self._settings)

    def more_credentials(self) -> Mapping[str, str | bytes]:
        """A P12 file for ``jwt_p12``, made when it is first asked for, and its password."""
        if self._key_store is None:
            certificate, self._key_store = new_key_store(self._settings["merchant_id"], P12_PASSWORD)
            self.trust(certificate)
        return {"p12": self._key_store, "p12_password": P12_PASSWORD}

    def purposes(self) -> Mapping[str, Mapping[str, Any]]:
        """One, under the only mapping there can be: the vendor has no place for a consent to marketing."""
        return {"marketing_email": {}}

    def consent(self, person: Person, purpose: str) -> bool | None:
        """None, always: nothing is ever said about a purpose here."""
        del person, purpose
        return None

    def trust(self, certificate_pem: bytes) -> None:
        """Accepts ``jwt_p12`` clients with this certificate; see :meth:`Gate.trust`."""
        self._gate.trust(certificate_pem)

    def seed(self, people: Iterable[Person]) -> Mapping[str, str]:
        """One customer token per person; see :func:`seeding.seed`."""
        with self.lock:
            return seeding.seed(self.vault, (person for person in people if self.name in person.held_at))

    def held(self, person: Person) -> Mapping[str, int]:
        """Live records of this person by kind; see :func:`seeding.held`."""
        with self.lock:
            return seeding.held(self.vault, person)

    def held_text(self, person: Person) -> str:
        """All live records of this person as JSON; see :func:`seeding.held_text`."""
        with self.lock:
            return seeding.held_text(self.vault, person)

    def enlarge(self, person: Person, count: int) -> None:
        """``count`` more payment instruments, all on the person's first card, and as many addresses."""
        with self.lock:
            seeding.enlarge(self.vault, person, count)

    def authenticate(self, call: Call) -> Reply | None:
        """401 unless the JWT or HTTP Signature is right in every part."""
        reason = self._gate.refusal(call, self.clock())
        if not reason:
            return None
        self.why_refused = reason
        return self.error(401, "Authentication Failed", call)

    def error(self, status: int, message: str, call: Call) -> Reply:
        """401 in the gateway's shape, everything else as ``TmsErrors``."""
        del call
        if status == 401:
            # The shape is a guess: 401 is answered by the vendor's gateway and in no document of TMS.
            return Reply(status, {"response": {"rmsg": message}})
        return Reply(status, error_body(status, message))

    def finish(self, call: Call, reply: Reply) -> Reply:
        """Adds the two evidence headers every answer has, and the content type."""
        del call
        self._answers += 1
        headers = {
            "v-c-correlation-id": f"{self._answers:08x}-0000-4000-8000-{self._answers:012x}",
            "uniqueTransactionID": f"{self._answers:022d}",
        }
        if reply.json is not None:
            headers["Content-Type"] = CONTENT_TYPE
        return Reply(reply.status, reply.json, {**headers, **reply.headers}, reply.body)

    # -- routes -----------------------------------------------------------------------------------------------------

    def _draw_routes(self) -> None:
        self._on("POST", _CUSTOMERS, self._post_customer, body=fields.CUSTOMER)
        self._on("GET", _CUSTOMER, self._get_customer)
        self._on("PATCH", _CUSTOMER, self._patch_customer, body=fields.CUSTOMER)
        self._on("DELETE", _CUSTOMER, self._delete_customer)
        self._on("GET", _ADDRESSES, self._list_addresses, query=_PAGE)
        self._on("POST", _ADDRESSES, self._post_address, body=fields.ADDRESS)
        self._on("GET", _ADDRESS, self._get_address)
        self._on("PATCH", _ADDRESS, self._patch_address, body=fields.ADDRESS)
        self._on("DELETE", _ADDRESS, self._delete_address)
        self._on("GET", _THEIR_INSTRUMENTS, self._list_instruments, query=_PAGE)
        for many, one, query in (
            (_THEIR_INSTRUMENTS, _THEIR_INSTRUMENT, _NONE),
            (_INSTRUMENTS, _INSTRUMENT, _BINS),
        ):
            self._on("POST", many, self._post_instrument, query=query, body=fields.INSTRUMENT)
            self._on("GET", one, self._get_instrument, query=query)
            self._on("PATCH", one, self._patch_instrument, query=query, body=fields.INSTRUMENT)
            self._on("DELETE", one, self._delete_instrument)
        self._on("POST", _IDENTIFIERS, self._post_identifier, query=_BINS, body=fields.IDENTIFIER)
        self._on("GET", _IDENTIFIER, self._get_identifier, query=_BINS)
        self._on("PATCH", _IDENTIFIER, self._patch_identifier, query=_BINS, body=fields.IDENTIFIER)
        self._on("DELETE", _IDENTIFIER, self._delete_identifier)
        self._on("GET", f"{_IDENTIFIER}/paymentinstruments", self._list_users, query=_PAGE | _BINS)
        self._on("POST", f"{_IDENTIFIER}/enrollment", self._enrol, body=fields.IDENTIFIER)

    def _on(
        self,
        method: str,
        template: str,
        action: Action,
        *,
        query: Collection[str] = _NONE,
        body: Mapping[str, fields.Field] | None = None,
    ) -> None:
        def handler(call: Call) -> Reply:
            try:
                self._check_profile(call)
                check_query(call, query)
                check_path(call)
                return action(call, {} if body is None else fields.checked(body, read_body(call)))
            except Refused as refused:
                return refused.reply

        self.route(method, template, handler)

    def _check_profile(self, call: Call) -> None:
        profile = call.headers.get("profile-id")
        if profile is None:
            return
        if len(profile) != 36:
            raise Refused(400, "A profile-id has 36 characters.", "invalidHeaders", ["profile-id"], "header")
        if profile in self.forbidden_profiles:
            raise Refused(403, "No permission for this profile.")
        if profile not in self.profiles:
            raise Refused(424, "Profile not found.")

    def _matched(self, call: Call, record: R) -> R:
        wanted = call.headers.get("if-match")
        if wanted is None:
            return record
        if self.meanwhile:
            self.meanwhile -= 1
            self.vault.touch(record)
        if wanted != _etag(record):
            raise Refused(412, "The token was changed meanwhile.")
        return record

    # -- customers --------------------------------------------------------------------------------------------------

    def _post_customer(self, call: Call, body: Json) -> Reply:
        del call
        record = self.vault.add_customer(body)
        return _shown(201, record, self._render.customer(record), customer_path(record.id))

    def _get_customer(self, call: Call, body: Json) -> Reply:
        del body
        record = self.vault.customer(call.params["customerId"])
        return _shown(200, record, self._render.customer(record))

    def _patch_customer(self, call: Call, body: Json) -> Reply:
        record = self._matched(call, self.vault.customer(call.params["customerId"]))
        self.vault.change_customer(record, body)
        return _shown(200, record, self._render.customer(record))

    def _delete_customer(self, call: Call, body: Json) -> Reply:
        del body
        self.vault.drop_customer(self.vault.customer(call.params["customerId"]))
        return Reply(204)

    # -- shipping addresses -----------------------------------------------------------------------------------------

    def _list_addresses(self, call: Call, body: Json) -> Reply:
        del body
        owner = self.vault.customer(call.params["customerId"])
        return _listed(
            call, f"{customer_path(owner.id)}/shipping-addresses", "shippingAddresses", owner.addresses,
            lambda record: self._render.address(record, owner),
        )  # fmt: skip

    def _post_address(self, call: Call, body: Json) -> Reply:
        owner = self.vault.customer(call.params["customerId"])
        record = self.vault.add_address(owner.id, body)
        shown = self._render.address(record, owner)
        return _shown(201, record, shown, f"{customer_path(owner.id)}/shipping-addresses/{record.id}")

    def _get_address(self, call: Call, body: Json) -> Reply:
        del body
        record = self.vault.address(call.params["customerId"], call.params["shippingAddressId"])
        return _shown(200, record, self._render.address(record, self.vault.customers[record.customer]))

    def _patch_address(self, call: Call, body: Json) -> Reply:
        record = self._matched(call, self.vault.address(call.params["customerId"], call.params["shippingAddressId"]))
        self.vault.change_address(record, body)
        return _shown(200, record, self._render.address(record, self.vault.customers[record.customer]))

    def _delete_address(self, call: Call, body: Json) -> Reply:
        del body
        self.vault.drop_address(self.vault.address(call.params["customerId"], call.params["shippingAddressId"]))
        return Reply(204)

    # -- payment instruments: of a customer, or stand-alone where the path names none -------------------------------

    def _instrument(self, call: Call) -> Instrument:
        # A customer's instrument is not served on the stand-alone path; the vendor does not say either way.
        return self.vault.instrument(call.params.get("customerId", ""), call.params["paymentInstrumentId"])

    def _show_instrument(self, record: Instrument, bins: bool) -> Json:
        return self._render.instrument(record, self.vault.customers.get(record.customer), bins)

    def _list_instruments(self, call: Call, body: Json) -> Reply:
        del body
        owner = self.vault.customer(call.params["customerId"])
        return _listed(
            call, f"{customer_path(owner.id)}/payment-instruments", "paymentInstruments", owner.instruments,
            lambda record: self._render.instrument(record, owner),
        )  # fmt: skip

    def _post_instrument(self, call: Call, body: Json) -> Reply:
        record = self.vault.add_instrument(call.params.get("customerId", ""), body)
        return _shown(201, record, self._show_instrument(record, bins_wanted(call)), instrument_path(record))

    def _get_instrument(self, call: Call, body: Json) -> Reply:
        del body
        record = self._instrument(call)
        return _shown(200, record, self._show_instrument(record, bins_wanted(call)))

    def _patch_instrument(self, call: Call, body: Json) -> Reply:
        record = self._matched(call, self._instrument(call))
        self.vault.change_instrument(record, body)
        return _shown(200, record, self._show_instrument(record, bins_wanted(call)))

    def _delete_instrument(self, call: Call, body: Json) -> Reply:
        del body
        self.vault.drop_instrument(self._instrument(call))
        return Reply(204)

    # -- instrument identifiers -------------------------------------------------------------------------------------

    def _post_identifier(self, call: Call, body: Json) -> Reply:
        record, new = self.vault.add_identifier(body)
        shown = self._render.identifier(record, bins_wanted(call))
        return _shown(201, record, shown, identifier_path(record.id)) if new else _shown(200, record, shown)

    def _get_identifier(self, call: Call, body: Json) -> Reply:
        del body
        record = self.vault.identifier(call.params["instrumentIdentifierId"])
        return _shown(200, record, self._render.identifier(record, bins_wanted(call)))

    def _patch_identifier(self, call: Call, body: Json) -> Reply:
        record = self._matched(call, self.vault.identifier(call.params["instrumentIdentifierId"]))
        self.vault.change_identifier(record, body)
        return _shown(200, record, self._render.identifier(record, bins_wanted(call)))

    def _delete_identifier(self, call: Call, body: Json) -> Reply:
        del body
        self.vault.drop_identifier(self.vault.identifier(call.params["instrumentIdentifierId"]))
        return Reply(204)

    def _list_users(self, call: Call, body: Json) -> Reply:
        del body
        record = self.vault.identifier(call.params["instrumentIdentifierId"])
        return _listed(
            call, f"{identifier_path(record.id)}/paymentinstruments", "paymentInstruments", record.users,
            lambda user: self._show_instrument(user, bins_wanted(call)),
        )  # fmt: skip

    def _enrol(self, call: Call, body: Json) -> Reply:
        # 202 and 204 are both documented, the difference is not: here 204 says there was nothing left to provision.
        return Reply(
            202 if self.vault.enrol(self.vault.identifier(call.params["instrumentIdentifierId"]), body) else 204
        )


def _etag(record: Record) -> str:
    return f'"{record.version}"'


def _shown(status: int, record: Record, shown: Json, location: str = "") -> Reply:
    headers = {"ETag": _etag(record)}
    if location:
        headers["Location"] = location
    return Reply(status, shown, headers)


def _listed(call: Call, path: str, name: str, records: Mapping[str, R], show: Callable[[R], Json]) -> Reply:
    offset, limit = number(call, "offset", 0, 0, None), number(call, "limit", 20, 1, 100)
    items = [show(record) for record in islice(records.values(), offset, offset + limit)]
    total = len(records)
    return Reply(200, page(path, name, items, offset, limit, total), {"X-Total-Count": str(total)})
