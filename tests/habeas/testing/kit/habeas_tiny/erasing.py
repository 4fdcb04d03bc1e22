"""The orders, then the profile; each read back."""

from __future__ import annotations

from habeas import Action, Erasure, Outcome, OutcomeUnknown, PlanItem, Result, VendorError
from habeas.http.api import Api
from habeas.http.transport import Request

from .kinds import CUSTOMER
from .reading import ONE, ORDERS, customer, orders

STAYS = "The vendor took the call, but still shows the record: run `habeas resume`."


def erase(api: Api, erasure: Erasure) -> tuple[Outcome, ...]:
    """One outcome for each item that is to go."""
    items = [item for item in erasure.items if item.action is Action.ERASE]
    items.sort(key=lambda item: item.record.kind == CUSTOMER)
    began: dict[int, bool] = {}
    trouble: dict[int, tuple[Result, str]] = {}
    for item in items:
        try:
            began[item.index] = bool(left(api, item))
            remove(api, item)
        except VendorError as error:
            result = Result.UNKNOWN if isinstance(error, OutcomeUnknown) else Result.FAILED
            trouble[item.index] = (result, error.message)
    return tuple(_outcome(api, item, began, trouble, resumed=erasure.resumed) for item in items)


def left(api: Api, item: PlanItem) -> list[str]:
    """The ids of an item that are still there. Reads the vendor."""
    if item.record.kind == CUSTOMER:
        return [i for i in item.record.ids if customer(api, i).status == 200]
    there = {row["id"] for page in orders(api, item.record.data["customer"]) for row in page.rows}
    return [i for i in item.record.ids if i in there]


def remove(api: Api, item: PlanItem) -> None:
    """Deletes what is left of an item."""
    for name in left(api, item):
        if item.record.kind == CUSTOMER:
            request = Request("DELETE", ONE, {"customerId": name})
        else:
            ids = {"customerId": item.record.data["customer"], "orderId": name}
            request = Request("DELETE", ORDERS + "/{orderId}", ids)
        api.change(request, ok=(204, 404), done=lambda name=name: name not in left(api, item))  # type: ignore[misc] # default argument


def evidence(item: PlanItem) -> str:
    return f"GET {ONE} -> 404" if item.record.kind == CUSTOMER else f"GET {ORDERS} -> 200"


def _outcome(
    api: Api, item: PlanItem, began: dict[int, bool], trouble: dict[int, tuple[Result, str]], *, resumed: bool
) -> Outcome:
    try:
        stays = bool(left(api, item))
    except VendorError as error:
        result, reason = trouble.get(item.index, (Result.FAILED, error.message))
        return Outcome(item.index, result, "", reason)
    if stays or item.index not in began:
        result, reason = trouble.get(item.index, (Result.FAILED, STAYS))
        return Outcome(item.index, result, evidence(item), reason)
    return Outcome(item.index, Result.ERASED if began[item.index] or resumed else Result.ABSENT, evidence(item))
