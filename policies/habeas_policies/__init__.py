"""What the law asks for, as data: policies, their pure evaluation, and deadlines."""

from __future__ import annotations

from habeas_policies.calendars import holiday_calendar
from habeas_policies.checking import check, schema
from habeas_policies.deadlines import Deadline, Extension, due, due_under, extend
from habeas_policies.errors import PolicyExpired, PolicyProblem, Problem
from habeas_policies.fits import fits
from habeas_policies.loading import bundled, load
from habeas_policies.pauses import Pause
from habeas_policies.period import Period
from habeas_policies.policy import After, Decision, Facts, Match, Policy, Rule, Ruling
from habeas_policies.rules import PauseReason, regimes
from habeas_policies.telling import Step

__all__ = [
    "After",
    "Deadline",
    "Decision",
    "Extension",
    "Facts",
    "Match",
    "Pause",
    "PauseReason",
    "Period",
    "Policy",
    "PolicyExpired",
    "PolicyProblem",
    "Problem",
    "Rule",
    "Ruling",
    "Step",
    "bundled",
    "check",
    "due",
    "due_under",
    "extend",
    "fits",
    "holiday_calendar",
    "load",
    "regimes",
    "schema",
]
