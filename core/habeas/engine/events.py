"""What a run tells while it goes on. The engine prints nothing: terminals and reports consume these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from habeas.cases.view import CaseView
from habeas.models import Json, Result

__all__ = [
    "CaseBusy",
    "CaseFinished",
    "CaseNotBegun",
    "CaseRechecked",
    "CaseUnapproved",
    "ConnectionFinished",
    "ConnectionSearched",
    "Event",
    "NobodyKnown",
    "Rechecked",
    "VendorsAwaited",
]


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
class CaseNotBegun:
    """The time is over, or its calls do not fit into a quota: it stays as it was."""

    case_id: str


@dataclass(frozen=True)
class VendorsAwaited:
    """Nothing is left but cases of vendors that are left alone for a while: then they are passed over again."""

    connections: tuple[str, ...]
    cases: int
    seconds: float


@dataclass(frozen=True)
class CaseUnapproved:
    """It cannot be carried out yet."""

    case_id: str
    why: str
    """What it waits for."""


@dataclass(frozen=True)
class Rechecked:
    """What one look showed."""

    view: CaseView
    back: dict[str, dict[str, int]]
    """Connection → record kind → how many are there that should be gone."""
    gone: dict[str, str]
    """Connection → evidence that nothing is."""
    problems: dict[str, str]
    """Connection → why it could not be searched."""

    def to_json(self) -> Json:
        """For a command's JSON, and for the ledger."""
        found: dict[str, Json] = {name: {"back": kinds} for name, kinds in self.back.items()}
        found |= {name: {"evidence": evidence} for name, evidence in self.gone.items()}
        return found | {name: {"problem": text[:300]} for name, text in self.problems.items()}


@dataclass(frozen=True)
class NobodyKnown:
    """A case whose key was destroyed: nobody can look up a person whom nobody knows."""

    case_id: str


@dataclass(frozen=True)
class CaseRechecked:
    """One look is over."""

    result: Rechecked | NobodyKnown


Event = (
    ConnectionSearched
    | ConnectionFinished
    | CaseFinished
    | CaseBusy
    | CaseNotBegun
    | CaseUnapproved
    | CaseRechecked
    | VendorsAwaited
)
