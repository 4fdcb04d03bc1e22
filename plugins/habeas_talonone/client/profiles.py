"""Customer profiles: the inventory, writes of attributes, achievements, and the erase."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from habeas.http.api import Api, Change
from habeas.http.transport import Answer, Request
from habeas.models import Json
from habeas_talonone.client.calling import IDEMPOTENCY, Done, by_total, change, chunks, get, pages

__all__ = [
    "achievement",
    "achievements",
    "delete_data",
    "inventory",
    "update_profile",
    "update_profile_v1",
    "update_profiles",
]

_PROFILE = "/v1/customer_profiles/{integrationId}"
_FLAGS = tuple((name, "true") for name in ("profile", "referrals", "coupons", "loyalty", "giveaways", "achievements"))


def inventory(api: Api, integration_id: str) -> Answer:
    """All that refers to one ``integrationId``: 200 ``CustomerInventory``, or 404.

    All six flags are sent: each is false by default, and what is not asked for is not in the answer.
    """
    return get(api, _PROFILE + "/inventory", {"integrationId": integration_id}, _FLAGS)


def update_profile(
    api: Api, integration_id: str, attributes: Mapping[str, Json], done: Done, *, keyed: bool = True
) -> Change:
    """Sets attributes of one profile (V2), **creating it where it is missing**; other attributes stay.

    The rule engine is not run: no rule may reward or spend anything because of a privacy request. An attribute that
    does not exist in the account, or a value of another type, is refused with 400. ``keyed``: with the idempotency
    header, with which the vendor gives back a stored answer instead of writing again.
    """
    request = Request(
        "PUT",
        "/v2/customer_profiles/{integrationId}",
        {"integrationId": integration_id},
        (("runRuleEngine", "false"),),
        json={"attributes": dict(attributes)},
        idempotency_header=IDEMPOTENCY if keyed else "",
    )
    return change(api, request, done)


def update_profiles(
    api: Api,
    profiles: Mapping[str, Mapping[str, Json]],
    done: Callable[[Sequence[str]], bool],
    *,
    silent: bool = True,
) -> list[Change]:
    """Sets attributes of many profiles (``integrationId`` → attributes), **creating those that are missing**.

    Calls of up to 1000 profiles, each all or none; the rule engine is not run. ``done`` is asked with the ids of one
    call. ``silent`` answers 204 without the profiles, which is the vendor's default.
    """
    made = []
    for chunk in chunks(list(profiles.items())):
        ids = tuple(integration_id for integration_id, _ in chunk)
        entries = [{"integrationId": one, "attributes": dict(attributes)} for one, attributes in chunk]
        request = Request(
            "PUT",
            "/v2/customer_profiles",
            query=(("silent", "yes" if silent else "no"),),
            json={"customerProfiles": entries},
            idempotency_header=IDEMPOTENCY,
        )
        made.append(change(api, request, partial(done, ids)))
    return made


def update_profile_v1(api: Api, integration_id: str, attributes: Mapping[str, Json], done: Done) -> Change:
    """Sets attributes by the V1 operation, **creating the profile where it is missing**. For old accounts only.

    Withdrawn: the vendor's documents have not had it since 2022.
    """
    request = Request("PUT", _PROFILE, {"integrationId": integration_id}, json={"attributes": dict(attributes)})
    return change(api, request, done)


def delete_data(api: Api, integration_id: str, done: Done) -> Change:
    """Deletes the attributes of the profile and of what refers to it, in all Applications of the key's environment."""
    request = Request("DELETE", "/v1/customer_data/{integrationId}", {"integrationId": integration_id})
    return change(api, request, done, ok=(200, 204, 404))


def achievements(api: Api, integration_id: str) -> Iterator[Answer]:
    """All pages of achievements open to one person, with their progress. Without the filter only active ones come."""
    query = (("achievementStatus", "active,scheduled"),)
    ids = {"integrationId": integration_id}
    return pages(lambda page: get(api, _PROFILE + "/achievements", ids, (*query, *page)), by_total)


def achievement(api: Api, integration_id: str, number: str) -> Iterator[Answer]:
    """All pages of one person's progress in one achievement, every round of it."""
    ids = {"integrationId": integration_id, "achievementId": number}
    return pages(lambda page: get(api, _PROFILE + "/achievements/{achievementId}", ids, page), by_total)
