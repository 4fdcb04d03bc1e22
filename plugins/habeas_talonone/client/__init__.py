"""The calls of Talon.One's two APIs, one function each.

Paths, parameters and statuses are those of the vendor's Integration API and Management API documents of August 2026,
and of its Java client 4.3.0 for the three V1 operations. Reads of one person or thing take 404 as an answer ("nothing
held"), but only in the shape of Talon.One's own error document: a web page with status 404 says nothing about a person.

**Almost every write creates the profile it names where there is none** (profiles, sessions, events, audience ``add``,
all in either version). Whoever calls one has read before that the person is there, or means to create them. ``done``
reads the vendor and says whether the change has happened: see :meth:`habeas.http.api.Api.change`.
"""

from __future__ import annotations

from habeas_talonone.client.audiences import change_audiences, join_audience, leave_audience
from habeas_talonone.client.calling import BATCH, Done, read_as
from habeas_talonone.client.loyalty import (
    POINTS_STATUSES,
    card_balances,
    card_points,
    card_transactions,
    delete_transactions,
    program_balances,
    program_points,
    program_transactions,
    unlink_card,
)
from habeas_talonone.client.management import (
    customers_by_attributes,
    customers_by_id,
    list_events,
    list_friends,
    list_sessions,
    profiles_by_attributes,
)
from habeas_talonone.client.profiles import (
    achievement,
    achievements,
    delete_data,
    inventory,
    update_profile,
    update_profile_v1,
    update_profiles,
)
from habeas_talonone.client.rewards import create_referral, reserve, reserved_by, unreserve
from habeas_talonone.client.sessions import (
    read_session,
    track_event,
    track_event_v1,
    update_session,
    update_session_v1,
)

__all__ = [
    "BATCH",
    "POINTS_STATUSES",
    "Done",
    "achievement",
    "achievements",
    "card_balances",
    "card_points",
    "card_transactions",
    "change_audiences",
    "create_referral",
    "customers_by_attributes",
    "customers_by_id",
    "delete_data",
    "delete_transactions",
    "inventory",
    "join_audience",
    "leave_audience",
    "list_events",
    "list_friends",
    "list_sessions",
    "profiles_by_attributes",
    "program_balances",
    "program_points",
    "program_transactions",
    "read_as",
    "read_session",
    "reserve",
    "reserved_by",
    "track_event",
    "track_event_v1",
    "unlink_card",
    "unreserve",
    "update_profile",
    "update_profile_v1",
    "update_profiles",
    "update_session",
    "update_session_v1",
]
