"""What one Voucherify project holds, and how a customer is found in it.

Everything is a dictionary look-up by id. Rows are replaced, never changed in place (see ``wire.Json``).
"""

from __future__ import annotations

import time
from abc import ABC
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from habeas.testing.people import Person
from habeas.testing.sandbox import SandboxApp, token
from habeas_voucherify.sandbox.wire import Json, hex_id, not_found, stamp

__all__ = ["Project", "Rows"]


class Rows:
    """Rows of one kind: by their own id, and by the customer they name."""

    def __init__(self) -> None:
        self.all: dict[str, Json] = {}
        self._of: dict[str, list[str]] = {}

    def add(self, row: Json, owner: str) -> Json:
        """Stores a row that names the customer ``owner`` (a ``cust_…`` id)."""
        self.all[row["id"]] = row
        self._of.setdefault(owner, []).append(row["id"])
        return row

    def of(self, owner: str) -> list[Json]:
        """The rows that name a customer, oldest first."""
        return [self.all[row] for row in self._of.get(owner, ())]

    def drop(self, owner: str) -> int:
        """Removes a customer's rows; says how many."""
        gone = self._of.pop(owner, [])
        for row in gone:
            del self.all[row]
        return len(gone)

    def release(self, owner: str, strip: Callable[[Json], Json]) -> None:
        """Keeps a customer's rows, but no longer as theirs: each becomes ``strip(row)``."""
        for row in self._of.pop(owner, ()):
            self.all[row] = strip(self.all[row])


class Project(SandboxApp, ABC):
    """The state of one project, and the switches for what the vendor's documents leave open."""

    name = "voucherify"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self.keeps_rows_after_deletion = False
        """True: redemptions, publications and vouchers still name a customer who was permanently deleted (unknown)."""
        self.replaces_metadata = False
        """True: PUT, POST and bulk calls replace ``metadata`` instead of merging its top level (unknown)."""
        self.consents_enabled = False
        """True: the consents endpoints, withdrawn in 2024-09, still answer."""
        self.consents_status: Literal[404, 405, 410] = 404
        """What they are answered with where they do not."""
        self.async_seconds = 0.0
        """How long an asynchronous action or an export takes, by the clock. Its effect comes at its end."""
        self.most_bulk_records: int | None = None
        """How many records a bulk call may name; None: only its bytes count. Until August 2024 it was 100."""
        self.calls_per_minute: int | None = None
        """Calls allowed in a minute; None: announced in headers, never enforced."""
        self.refused_source_ids: set[str] = set()
        """Bulk and CSV rows with these source ids fail, as rows against a project's metadata schema do."""
        self.app_id = token("", "voucherify", "application id")
        self.app_token = token("", "voucherify", "application key")
        self.client_id = token("", "voucherify", "oauth client id")
        self.client_secret = token("", "voucherify", "oauth client key")
        self.client_application_id = token("", "voucherify", "client-side id")
        self.client_token = token("", "voucherify", "client-side key")

        self.customers: dict[str, Json] = {}
        self.by_source: dict[str, str] = {}
        self.by_email: dict[str, dict[str, None]] = {}
        self.ghosts: set[str] = set()
        """Ids of customers whose profile was deleted plainly: what else there was of them is still there."""
        self.ever: dict[str, list[str]] = {}
        """Source id → every ``cust_…`` id it ever had."""
        self.events: dict[str, list[Json]] = {}
        self.segments: dict[str, list[Json]] = {}
        self.redeemables, self.redemptions, self.publications = Rows(), Rows(), Rows()
        self.vouchers, self.orders, self.members = Rows(), Rows(), Rows()
        self.order_sources: dict[str, str] = {}
        self.consents: dict[str, dict[str, bool]] = {}
        self.actions: dict[str, Any] = {}
        self.exports: dict[str, Any] = {}
        self._pending: deque[tuple[float, Callable[[], None]]] = deque()
        self._serial = 0

    # -- ids, time, deferred work -------------------------------------------------------------------------------------

    def serial(self) -> int:
        """A number never given before in this project."""
        self._serial += 1
        return self._serial

    def request_id(self) -> str:
        """An id for one call."""
        return hex_id("v-", self.serial())

    def now(self) -> str:
        """The time as the vendor writes it."""
        return stamp(self.clock())

    def later(self, run: Callable[[], None]) -> None:
        """Has ``run`` happen ``async_seconds`` from now, before the next call is answered."""
        self._pending.append((self.clock() + self.async_seconds, run))

    def settle(self) -> None:
        """Does the deferred work that is due."""
        while self._pending and self._pending[0][0] <= self.clock():
            self._pending.popleft()[1]()

    # -- customers ----------------------------------------------------------------------------------------------------

    def find(self, wanted: str) -> Json | None:
        """A customer by ``cust_…`` id or source id."""
        found = self.customers.get(wanted)
        return found if found is not None else self.customers.get(self.by_source.get(wanted, ""))

    def customer(self, wanted: str) -> Json:
        """As :meth:`find`; raises the vendor's 404."""
        found = self.find(wanted)
        if found is None:
            raise not_found("customer", wanted)
        return found

    def store(self, record: Json) -> Json:
        """Puts a customer in place, new or changed, and keeps the indexes true."""
        before = self.customers.get(record["id"])
        if before is not None:
            self._unlist(before)
        elif source := record.get("source_id"):
            self.by_source[source] = record["id"]
            self.ever.setdefault(source, []).append(record["id"])
        self.customers[record["id"]] = record
        if email := record.get("email"):
            self.by_email.setdefault(email.lower(), {})[record["id"]] = None
        return record

    def remove_profile(self, record: Json) -> None:
        """Takes a customer's profile away and nothing else."""
        del self.customers[record["id"]]
        self.by_source.pop(record.get("source_id", ""), None)
        self._unlist(record)

    def _unlist(self, record: Json) -> None:
        email = record.get("email", "").lower()
        listed = self.by_email.get(email, {})
        listed.pop(record["id"], None)
        if not listed:
            self.by_email.pop(email, None)

    def note(self, record: Json, kind: str, data: Json, at: str = "") -> Json:
        """Writes one event into a customer's activity."""
        serial = self.serial()
        event = {
            "id": hex_id("evcus_", serial),
            "type": kind,
            "data": {
                "data": data,
                "event_source": {"channel": "API", "api_key": {"name": "Sandbox", "app_id": self.app_id}},
            },
            "created_at": at or self.now(),
            "group_id": hex_id("v-", serial, "group"),
        }
        self.events.setdefault(record["id"], []).append(event)
        return event

    # -- the truth ----------------------------------------------------------------------------------------------------

    def held(self, person: Person) -> Mapping[str, int]:
        """What still names this person, by record kind; nothing for kinds with none.

        Counted over every ``cust_…`` id the person ever had here, so leftovers show. A loyalty member the vendor shows
        as ``DELETED`` counts as gone: that state is all its deletion does.
        """
        with self.lock:
            self.settle()
            counts: dict[str, int] = {}
            for cust_id in self.ever.get(person.customer_id, ()):
                for kind, many in self._held_by(cust_id):
                    if many:
                        counts[kind] = counts.get(kind, 0) + many
            return counts

    def _held_by(self, cust_id: str) -> Iterator[tuple[str, int]]:
        yield "customer", int(cust_id in self.customers)
        yield "activity", len(self.events.get(cust_id, ()))
        yield "segment", len(self.segments.get(cust_id, ()))
        yield "redeemable", len(self.redeemables.of(cust_id))
        yield "redemption", len(self.redemptions.of(cust_id))
        yield "publication", len(self.publications.of(cust_id))
        yield "voucher", len(self.vouchers.of(cust_id))
        yield "order", len(self.orders.of(cust_id))
        yield "loyalty_member", sum(m["member"]["status"] != "DELETED" for m in self.members.of(cust_id))

    def consents_given(self, person: Person) -> Mapping[str, bool]:
        """The truth about consents, which the vendor never tells: consent id → given."""
        with self.lock:
            found = self.find(person.customer_id)
            return dict(self.consents.get(found["id"], {})) if found is not None else {}
