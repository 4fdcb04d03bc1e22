"""Coupon reservations and referrals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from habeas.http.api import Api, Change
from habeas.http.transport import Answer, Request
from habeas_talonone.client.calling import Done, change, chunks, get

__all__ = ["create_referral", "reserve", "reserved_by", "unreserve"]

_RESERVATIONS = "/v1/coupon_reservations/{couponValue}"


def reserve(
    api: Api, coupon: str, integration_ids: Sequence[str], done: Callable[[Sequence[str]], bool]
) -> list[Change]:
    """Reserves a coupon for profiles that exist, over any reservation limit of the coupon.

    Calls of up to 1000 ids; ``done`` is asked with those of one call. 404, for a coupon or a profile that is not there,
    is :class:`~habeas.Rejected`.
    """
    made = []
    for ids in chunks(integration_ids):
        request = Request("POST", _RESERVATIONS, {"couponValue": coupon}, json={"integrationIDs": list(ids)})
        made.append(change(api, request, partial(done, ids)))
    return made


def unreserve(api: Api, coupon: str, integration_id: str, done: Done) -> Change:
    """Takes one person's reservations off a coupon. The vendor documents a body for this DELETE.

    404 is taken: what it would remove is not there, and the read-back decides.
    """
    body = {"integrationIDs": [integration_id]}
    request = Request("DELETE", _RESERVATIONS, {"couponValue": coupon}, json=body)
    return change(api, request, done, ok=(200, 204, 404))


def reserved_by(api: Api, coupon: str) -> Answer:
    """Who reserved a coupon: 200, or 404 where the coupon does not exist."""
    return get(api, "/v1/coupon_reservations/customerprofiles/{couponValue}", {"couponValue": coupon})


def create_referral(api: Api, campaign: int, advocate: str, done: Done, *, friend: str = "") -> Change:
    """Makes a referral code for an advocate who exists, over any referral limit. 201 ``Referral``."""
    body = {"campaignId": campaign, "advocateProfileIntegrationId": advocate}
    named = {"friendProfileIntegrationId": friend} if friend else {}
    return change(api, Request("POST", "/v1/referrals", json=body | named), done)
