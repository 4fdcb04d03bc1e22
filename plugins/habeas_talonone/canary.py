"""The canary hook: a made-up person with one of everything that the Integration API's create operations allow.

Each part is made only where a reading does not show it: called again after an interruption, it adds what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from habeas import Canary, CanaryPerson, Field, Identifier, Rejected
from habeas.connection import Connection
from habeas.models import Json
from habeas_talonone import activity, client, mapping
from habeas_talonone.lookup import look
from habeas_talonone.mapping import Holding
from habeas_talonone.naming import EVENT, REFERRAL
from habeas_talonone.settings import applications, attribute_names, whole_number

__all__ = ["create"]

_MISSING = "{what}: the setting `{setting}` is missing"
_REFUSED = "{what}: Talon.One refused it ({status}); check the setting `{setting}`"


def create(connection: Connection, person: CanaryPerson) -> Canary:
    """Creates what is missing of the person. Raises :class:`~habeas.VendorError`.

    The session is left open, so that it counts neither as a sale nor as a closed session.
    """
    work = _Making(connection, person.customer_id)
    work.profile(_attributes(connection.settings, person))
    work.session()
    work.event()
    work.coupon()
    work.referral()
    work.audience()
    return Canary((Identifier(connection.name, person.customer_id),), work.created(), tuple(work.left_out))


def _attributes(settings: Mapping[str, Json], person: CanaryPerson) -> dict[str, str]:
    values = {
        Field.NAME: f"{person.first_name} {person.last_name}",
        Field.FIRST_NAME: person.first_name,
        Field.LAST_NAME: person.last_name,
        Field.EMAIL: person.email,
        Field.PHONE: person.phone,
    }
    return {name: values[field] for field, name in attribute_names(settings).items() if field in values}


@dataclass
class _Making:
    """One call of the hook."""

    connection: Connection
    who: str
    left_out: list[str] = field(default_factory=list)

    def profile(self, attributes: Mapping[str, str]) -> None:
        """The profile, with those of the attributes that exist in the account."""
        held = self._held()
        wanted = {n: v for n, v in attributes.items() if held is None or n not in held.attributes}
        if held is not None and not wanted:
            return
        try:
            self._write(wanted)
        except Rejected as refused:
            if refused.status != 400 or not wanted:
                raise
            # One that does not exist spoils the call for all; which it was, only single calls tell.
            self._write({})
            for name, value in wanted.items():
                self._attempt(f"the attribute {name}", "rectify_attributes", partial(self._write, {name: value}))

    def session(self) -> None:
        """An open session with one article in the basket."""
        api, name = self.connection.api, f"{self.who}-session"

        def there() -> bool:
            answer = client.read_session(api, name)
            return answer.status == 200 and client.read_as(answer, lambda d: mapping.session_is_of(d, self.who))

        if not there():
            basket = [{"name": "habeas canary", "sku": "habeas-canary", "quantity": 1, "price": 1}]
            client.update_session(api, name, {"profileId": self.who, "state": "open", "cartItems": basket}, there)

    def event(self) -> None:
        """An event of the configured type."""
        kind = self._setting("an event", "canary_event")
        if kind is None or self._listed_event(str(kind)):
            return
        api = self.connection.api
        self._attempt("an event", "canary_event", lambda: client.track_event(api, self.who, str(kind), {}))

    def coupon(self) -> None:
        """A reservation of the configured coupon."""
        code = self._setting("a coupon reservation", "canary_coupon")
        if code is None or self._reserved(str(code)):
            return
        api = self.connection.api
        self._attempt(
            "a coupon reservation",
            "canary_coupon",
            lambda: client.reserve(api, str(code), [self.who], lambda _: self._reserved(str(code))),
        )

    def referral(self) -> None:
        """A referral code in the configured campaign."""
        what, setting = "a referral code", "canary_referral_campaign"
        campaign = self._setting(what, setting)
        if campaign is None or self._lists(REFERRAL):
            return
        api = self.connection.api
        self._attempt(
            what,
            setting,
            lambda: client.create_referral(api, int(campaign), self.who, lambda: self._lists(REFERRAL)),
        )

    def audience(self) -> None:
        """Membership of the configured audience."""
        what, setting = "membership of an audience", "canary_audience"
        if self._setting(what, setting) is None:
            return
        number = whole_number(self.connection.settings, setting) or 0

        def member() -> bool:
            held = self._held()
            return held is not None and str(number) in held.audiences

        if not member():
            api = self.connection.api
            self._attempt(what, setting, lambda: client.join_audience(api, number, self.who, member))

    def created(self) -> dict[str, int]:
        """What an inventory finds now, by kind: sessions and events only with a Management API key."""
        held = self._held()
        found = [] if held is None else list(mapping.records(held, held.programs))
        found += activity.records(self.connection, self.who)[0]
        return {record.kind: record.count for record in found}

    # -- how --------------------------------------------------------------------------------------------------------

    def _held(self) -> Holding | None:
        return look(self.connection.api, self.who).held

    def _lists(self, kind: str) -> bool:
        held = self._held()
        return held is not None and bool(held.refs(kind))

    def _reserved(self, code: str) -> bool:
        answer = client.reserved_by(self.connection.api, code)
        return answer.status == 200 and client.read_as(answer, lambda d: mapping.reservation_names(d, self.who))

    def _listed_event(self, kind: str) -> bool:
        """Whether the event is recorded already, which only a Management API key shows.

        Without one the idempotency key of the call keeps it from being recorded twice, for a day.
        """
        if not applications(self.connection.settings):
            return False
        pages = activity.pages(self.connection, EVENT, self.who)
        return any(client.read_as(page, lambda d: mapping.has_type(d, kind)) for page in pages)

    def _write(self, attributes: Mapping[str, str]) -> None:
        def done() -> bool:
            held = self._held()
            return held is not None and all(held.attributes.get(n) == v for n, v in attributes.items())

        client.update_profile(self.connection.api, self.who, attributes, done)

    def _setting(self, what: str, name: str) -> Json | None:
        value = self.connection.settings.get(name)
        if value is None:
            self.left_out.append(_MISSING.format(what=what, setting=name))
        return value

    def _attempt(self, what: str, setting: str, make: Callable[[], object]) -> None:
        """Makes one part; what the vendor refuses because of a setting is left out, and that is said."""
        try:
            make()
        except Rejected as refused:
            if refused.status not in (400, 404):
                raise
            self.left_out.append(_REFUSED.format(what=what, status=refused.status, setting=setting))
