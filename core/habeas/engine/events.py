"""What a run tells while it goes on. The engine prints nothing: terminals and reports consume these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from habeas.cases.view import CaseView
from habeas.models import Result

__all__ = ["CaseBusy", "CaseFinished", "CaseUnapproved", "ConnectionFinished", "ConnectionSearched", "Event"]


@dataclass(frozen=True)
class ConnectionSearched:
    """One connection was asked what it holds."""

    case_id: str
    connection: str
    records: int
    problem: str = ""


@dataclass(frozen=True)
class ConnectionFinished:
    """One connection's part of a case has its outcomes."""

    case_id: str
    connection: str
    results: Mapping[Result, int]


@dataclass(frozen=True)
class CaseFinished:
    """This pass over a case is over; its status says how."""

    view: CaseView


@dataclass(frozen=True)
class CaseBusy:
    """Another process works on the case."""

    case_id: str


@dataclass(frozen=True)
class CaseUnapproved:
    """A plan was made and nobody has said yes."""

    case_id: str


Event = ConnectionSearched | ConnectionFinished | CaseFinished | CaseBusy | CaseUnapproved
