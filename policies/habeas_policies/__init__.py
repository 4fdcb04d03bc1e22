"""What the law asks for, as data: policies, their pure evaluation, and deadlines."""

from __future__ import annotations

from habeas_policies.checking import check, schema
from habeas_policies.deadlines import Deadline, due, regimes
from habeas_policies.errors import PolicyExpired, PolicyProblem, Problem
from habeas_policies.loading import bundled, load
from habeas_policies.period import Period
from habeas_policies.policy import Decision, Facts, Match, Policy, Rule, Ruling

__all__ = [
    "Deadline",
    "Decision",
    "Facts",
    "Match",
    "Period",
    "Policy",
    "PolicyExpired",
    "PolicyProblem",
    "Problem",
    "Rule",
    "Ruling",
    "bundled",
    "check",
    "due",
    "load",
    "regimes",
    "schema",
]
