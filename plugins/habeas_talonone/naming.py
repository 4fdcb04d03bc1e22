"""The names of the kinds of record, as inventories, policies and reports write them."""

from __future__ import annotations

__all__ = [
    "ACHIEVEMENT",
    "AUDIENCE",
    "CARD",
    "COUPON",
    "EVENT",
    "FRIEND",
    "GIVEAWAY",
    "PROFILE",
    "PROGRAM",
    "REFERRAL",
    "SESSION",
]

PROFILE = "profile"
REFERRAL = "referral"
COUPON = "coupon"
PROGRAM = "loyalty_program"
CARD = "loyalty_card"
GIVEAWAY = "giveaway"
ACHIEVEMENT = "achievement"
AUDIENCE = "audience"
SESSION = "session"
"""Shown by the Management API only, as are the next two."""
EVENT = "event"
FRIEND = "friend"
