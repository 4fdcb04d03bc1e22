"""Looking a person up, and handing everything over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from requests import PreparedRequest
from requests.auth import AuthBase

from habeas import BadAnswer, Document, Export, Gap, Inventory, Record, Result, Subject, field_names
from habeas.http.api import Api
from habeas.http.pages import Page, walk
from habeas.http.transport import Answer
from habeas.models import Json

from .kinds import CUSTOMER, ORDER

ONE = "/customers/{customerId}"
ORDERS = "/customers/{customerId}/orders"
UNKNOWN = "Customers can be found by the shop's own id only: look it up in the shop, and ask again."


class KeyAuth(AuthBase):
    """The key in a header."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        r.headers["X-Api-Key"] = self._key
        return r


@dataclass(frozen=True, repr=False)
class OrderPage:
    """One page of orders, as received and as read."""

    answer: Answer
    rows: Sequence[Mapping[str, Json]]


def customer(api: Api, customer_id: str) -> Answer:
    """200, about the one asked for, or the vendor's own 404."""
    answer = api.get(ONE, ids={"customerId": customer_id}, ok=(200, 404))
    document = answer.json()
    wanted = "error" if answer.status == 404 else "id"
    texts = ("email", "phone", "name", "street")
    if not isinstance(document, dict) or not isinstance(document.get(wanted), str):
        raise BadAnswer(f"{answer.evidence}: this is not the vendor's own answer")
    if answer.status == 200 and not all(isinstance(document.get(name), str) for name in texts):
        raise BadAnswer(f"{answer.evidence}: this is no customer")
    if answer.status == 200 and document["id"] != customer_id:
        raise BadAnswer(f"{answer.evidence}: this is another customer")
    return answer


def orders(api: Api, customer_id: str) -> Iterator[OrderPage]:
    """All pages of a person's orders. A row that was seen before is an error."""
    seen: set[str] = set()

    def fetch(after: str) -> Page[OrderPage]:
        query = (("after", after),) if after else ()
        answer = api.get(ORDERS, ids={"customerId": customer_id}, query=query)
        rows, following = _page(answer)
        if seen & {row["id"] for row in rows}:
            raise BadAnswer(f"{answer.evidence}: a page was repeated")
        seen.update(row["id"] for row in rows)
        return Page(OrderPage(answer, rows), following)

    return walk("", fetch)


def _page(answer: Answer) -> tuple[list[dict[str, Json]], str]:
    document = answer.json()
    rows = document.get("orders") if isinstance(document, dict) else None
    following = document.get("after") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not isinstance(following, str):
        raise BadAnswer(f"{answer.evidence}: this is no page of orders")
    if not all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in rows):
        raise BadAnswer(f"{answer.evidence}: this is no order")
    return rows, following


def find(api: Api, subject: Subject) -> Inventory:
    """The profile and the orders under each of the person's ids."""
    ids = subject.values("customer_id")
    if not ids:
        return Inventory((), (Gap(CUSTOMER, Result.MANUAL, UNKNOWN),))
    records: list[Record] = []
    evidence = ""
    for customer_id in ids:
        answer = customer(api, customer_id)
        evidence = answer.evidence
        if answer.status == 200:
            records.append(Record(CUSTOMER, 1, (customer_id,), {}, field_names(answer.json())))
        rows = [row for page in orders(api, customer_id) for row in page.rows]
        if rows:
            names = tuple(str(row["id"]) for row in rows)
            records.append(Record(ORDER, len(rows), names, {"customer": customer_id}, field_names(rows)))
    return Inventory(tuple(records), evidence=evidence)


def hand_over(api: Api, subject: Subject) -> Export:
    """Each answer as the vendor gave it."""
    documents: list[Document] = []
    for customer_id in subject.values("customer_id"):
        answer = customer(api, customer_id)
        if answer.status == 200:
            documents.append(Document(CUSTOMER, "customer.json", answer.body, source=answer.request.name))
        for number, page in enumerate(orders(api, customer_id), 1):
            if page.rows:
                name = f"orders-{number:02d}.json"
                documents.append(Document(ORDER, name, page.answer.body, source=page.answer.request.name))
    return Export(tuple(documents))
