"""The register: opening cases, reading them back, listing them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from habeas.cases.commitment import openings
from habeas.cases.duplicates import OpenRequests
from habeas.cases.ids import case_id as new_case_id
from habeas.cases.keys import KeyStore
from habeas.cases.vault import Vault
from habeas.cases.view import CASE_ENTRY_TYPES, CaseView, view_case
from habeas.clock import Clock, rfc3339
from habeas.errors import InputError
from habeas.models import CaseType, Identifier, Json, Subject
from habeas_audit import Draft, Ledger

__all__ = ["NewCase", "Register", "Request"]

_NAME = re.compile(r"c-[0-9A-Za-z-]{1,60}")


@dataclass(frozen=True)
class Request:
    """What a person asked, as the vault keeps it."""

    subject: Subject
    reference: str
    """The merchant's own name for it. May be about the person: never in the ledger."""
    output: str = ""
    """Where an access package goes; empty for the home's packages folder."""
    details: Mapping[str, Json] = field(default_factory=dict)
    """What is to be changed (JSON): wanted consents, right values. Empty for requests that need no more."""

    def to_json(self) -> Json:
        return {
            "identifiers": [[i.kind, i.value] for i in self.subject.identifiers],
            "reference": self.reference,
            "output": self.output,
            **({"details": dict(self.details)} if self.details else {}),
        }

    @classmethod
    def from_json(cls, value: Json) -> Request:
        subject = Subject(tuple(Identifier(kind, text) for kind, text in value["identifiers"]))
        return cls(subject, value["reference"], value["output"], value.get("details", {}))


@dataclass(frozen=True)
class NewCase:
    """A case to be opened."""

    type: CaseType
    request: Request
    regime: str
    received_at: datetime
    due_at: datetime
    due_rule: str
    """Regime and version of the deadline table: ``gdpr/1``."""
    policy: str
    policy_digest: str
    approved: bool
    """Whether it may be carried out without asking again."""
    follows: str = ""
    """The case whose person turned up again, where this one goes on with it."""
    acknowledge_by: datetime | None = None
    """Until when receipt must be confirmed; ``None`` where no law that we read asks for it."""
    identity: bool = False
    """Whether the case waits until it is confirmed who asked."""


class Register:
    """Cases, derived from the ledger; their requests, from the vault."""

    def __init__(
        self, ledger: Ledger, vault: Vault, keys: KeyStore, clock: Clock, requests: OpenRequests | None = None
    ) -> None:
        """``requests``: which are open; without it nothing is a duplicate."""
        self._ledger, self._vault, self._keys, self._clock = ledger, vault, keys, clock
        self._requests = requests

    def names(self, count: int) -> list[str]:
        """Names for so many cases that are to be opened now."""
        now = self._clock.now()
        return [new_case_id(now) for _ in range(count)]

    def open(self, run_id: str, cases: Sequence[NewCase], names: Sequence[str] = ()) -> list[str]:
        """Opens cases together: requests into the vault, then entries into the ledger. Durable on return.

        ``names``: those of :meth:`names`, where somebody had to know them before.

        Who did it stands in the run's first entry: entries of a case go into certificates, which name nobody.

        In that order: a crash between the two leaves a sealed request nobody knows of, never a case without one.
        """
        now = self._clock.now()
        names = list(names) or self.names(len(cases))
        sealed = self._vault.open_cases({name: case.request.to_json() for name, case in zip(names, cases, strict=True)})
        if self._requests is not None:
            self._requests.add(
                (name, str(case.type), case.request.subject) for name, case in zip(names, cases, strict=True)
            )
        self._ledger.append(
            *(
                Draft("case.opened", name, run_id, "", "", self._opened(name, case, sealed[name], now))
                for name, case in zip(names, cases, strict=True)
            )
        )
        return names

    def _opened(self, name: str, case: NewCase, sealed: str, now: datetime) -> dict[str, Json]:
        pseudonyms = [self._keys.pseudonym(i.kind, i.value, now) for i in case.request.subject.identifiers]
        data: dict[str, Json] = {
            "type": str(case.type),
            "regime": case.regime,
            "received_at": rfc3339(case.received_at),
            "due_at": rfc3339(case.due_at),
            "due_rule": case.due_rule,
            "subject": sorted(set(pseudonyms)),
            "request": sealed,
            "person": sorted(o.commitment for o in openings(self._keys, name, case.request.subject)),
        }
        if case.follows:
            data["follows"] = case.follows
        if case.acknowledge_by is not None:
            data["acknowledge_by"] = rfc3339(case.acknowledge_by)
        if case.identity:
            data["identity"] = True
        if case.policy:
            data |= {"policy": case.policy, "policy_digest": case.policy_digest}
        return data | ({"approved": True} if case.approved else {})

    def view(self, case_id: str) -> CaseView:
        """Raises :class:`InputError` where there is no such case."""
        # What has not the form of a name may be anything, a person's address too: it is neither looked up nor repeated.
        named = _NAME.fullmatch(case_id) is not None
        view = view_case(self._ledger.entries(case_id=case_id)) if named else None
        if view is None:
            raise InputError(
                f"there is no case {case_id if named else 'of that name'}", advice="see `habeas case list`"
            )
        return view

    def duplicate(self, case_type: CaseType, subject: Subject) -> CaseView | None:
        """The open case in which the same person asks for the same, if there is one."""
        closed = []
        found = None
        for case_id in self._requests.find(str(case_type), subject) if self._requests is not None else ():
            view = view_case(self._ledger.entries(case_id=case_id, types=list(CASE_ENTRY_TYPES)))
            if view is None or view.closed:
                closed.append(case_id)
            else:
                found = found or view
        if closed and self._requests is not None:
            self._requests.remove(closed)
        return found

    def take_up(self, view: CaseView) -> None:
        """A closed case is open again: whoever asks for the same is led to it."""
        if self._requests is not None:
            self._requests.add([(view.case_id, str(view.type), self.request(view.case_id).subject)])

    def forget(self, case_ids: Sequence[str]) -> None:
        """Nobody is to know any more what these closed cases were about."""
        if self._requests is not None:
            self._requests.remove(case_ids)

    def request(self, case_id: str) -> Request:
        """Raises :class:`~habeas.errors.StorageError` where it cannot be opened (any more)."""
        return Request.from_json(self._vault.get(case_id, "request"))

    def cases(self, *, run_id: str | None = None) -> Iterator[str]:
        """Ids of all cases, or of those one run opened, oldest first, a few at a time."""
        for entry in self._ledger.entries(run_id=run_id, types=["case.opened"]):
            yield entry.case_id

    def unfinished(self) -> Iterator[CaseView]:
        """Cases that `habeas resume` looks at: not closed."""
        for case_id in self.cases():
            last = self._ledger.last(case_id, ["case.closed", "case.reopened"])
            if last is None or last.type == "case.reopened":
                view = view_case(self._ledger.entries(case_id=case_id, types=list(CASE_ENTRY_TYPES)))
                if view is not None:
                    yield view


def _new_names(now: datetime, count: int) -> list[str]:
    """So many that differ: of thousands that are opened in one millisecond, two might draw the same."""
    names: dict[str, None] = {}
    while len(names) < count:
        names.setdefault(new_case_id(now))
    return list(names)
