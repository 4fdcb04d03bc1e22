"""The made-up vendor: customers by the shop's id, orders in pages, and people who are created by any write."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Reply, SandboxApp, token

PAGE = 100


class TinySandbox(SandboxApp):
    """A profile and a list of orders under each id; either can be there without the other."""

    name = "tiny"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self.customers: dict[str, dict[str, Any]] = {}
        self.orders: dict[str, dict[str, dict[str, Any]]] = {}
        self.leaving: set[str] = set()
        self.route("GET", "/customers/{customerId}", self.show)
        self.route("PATCH", "/customers/{customerId}", self.write)
        self.route("DELETE", "/customers/{customerId}", self.delete)
        self.route("POST", "/customers/{customerId}", self.write)
        self.route("POST", "/customers/{customerId}/deletion", self.delete)
        self.route("POST", "/customers/{customerId}/later", self.delete_later)
        self.route("GET", "/customers/{customerId}/orders", self.list_orders)
        self.route("PUT", "/customers/{customerId}/orders/{orderId}", self.add_order)
        self.route("DELETE", "/customers/{customerId}/orders/{orderId}", self.delete_order)

    # -- for tests ----------------------------------------------------------------------------------------------------

    def settings(self) -> Mapping[str, str]:
        return {"api_key": "tiny-key"}

    def seed(self, people: Iterable[Person]) -> Mapping[str, str]:
        for person in people:
            if self.name in person.held_at:
                self.customers[person.customer_id] = {
                    "id": person.customer_id,
                    "email": person.email,
                    "phone": person.phone,
                    "name": f"{person.first_name} {person.last_name}",
                    "street": person.street,
                    "marketing": None,
                }
                self.enlarge(person, person.orders)
        return {}

    def held(self, person: Person) -> Mapping[str, int]:
        counts = {
            "customer": int(person.customer_id in self.customers),
            "order": len(self.orders.get(person.customer_id, {})),
        }
        return {kind: count for kind, count in counts.items() if count}

    def held_text(self, person: Person) -> str:
        held = (self.customers.get(person.customer_id), self.orders.get(person.customer_id))
        return json.dumps([part for part in held if part], ensure_ascii=False) if any(held) else ""

    def purposes(self) -> Mapping[str, Mapping[str, Any]]:
        return {"marketing_email": {"flag": "marketing"}}

    def consent(self, person: Person, purpose: str) -> bool | None:
        state: bool | None = self.customers.get(person.customer_id, {}).get("marketing")
        return state

    def enlarge(self, person: Person, count: int) -> None:
        orders = self.orders.setdefault(person.customer_id, {})
        for _ in range(count):
            name = token(f"order-{len(orders):04d}-", person.phone)
            orders[name] = {"id": name, "total": 1999}

    # -- the API ------------------------------------------------------------------------------------------------------

    def error(self, status: int, message: str, call: Call) -> Reply:
        del call
        return Reply(status, {"error": message})

    def authenticate(self, call: Call) -> Reply | None:
        return None if call.headers.get("x-api-key") == "tiny-key" else self.error(401, "no such key", call)

    def show(self, call: Call) -> Reply:
        if self.leaving:
            self.customers.pop(self.leaving.pop(), None)
        row = self.customers.get(call.params["customerId"])
        return self.error(404, "no such customer", call) if row is None else Reply(200, row)

    def write(self, call: Call) -> Reply:
        key = call.params["customerId"]
        empty = {"id": key, "email": "", "phone": "", "name": "", "street": "", "marketing": None}
        row = self.customers.setdefault(key, empty)
        row.update(call.json())
        return Reply(200, row)

    def delete(self, call: Call) -> Reply:
        return Reply(404 if self.customers.pop(call.params["customerId"], None) is None else 204)

    def delete_later(self, call: Call) -> Reply:
        """Done when somebody is looked for the next time."""
        self.leaving.add(call.params["customerId"])
        return Reply(202)

    def list_orders(self, call: Call) -> Reply:
        every = sorted(self.orders.get(call.params["customerId"], {}).items())
        rows = [row for name, row in every if name > call.first("after")]
        more = rows[PAGE - 1]["id"] if len(rows) > PAGE else ""
        return Reply(200, {"orders": rows[:PAGE], "after": more})

    def add_order(self, call: Call) -> Reply:
        name = call.params["orderId"]
        self.orders.setdefault(call.params["customerId"], {})[name] = {"id": name, **call.json()}
        return Reply(204)

    def delete_order(self, call: Call) -> Reply:
        orders = self.orders.get(call.params["customerId"], {})
        return Reply(404 if orders.pop(call.params["orderId"], None) is None else 204)
