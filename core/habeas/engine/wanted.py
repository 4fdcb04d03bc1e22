"""What people want, as runs work with it: recorded first, told to the ledger, then made true at the vendors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from habeas.cases.consents import Batch, Confirmed, ConsentStore, Key, Statement, Verdict, Wanted
from habeas.changes import ConsentState
from habeas.clock import Clock, rfc3339
from habeas.errors import RefusedError
from habeas.models import Result, Subject
from habeas_audit import Draft, Ledger

if TYPE_CHECKING:
    from habeas.cases.keys import KeyStore
    from habeas.cases.register import Request
    from habeas.cases.view import CaseView
    from habeas.engine.links import Link
    from habeas.engine.tools import Run, Tools
    from habeas.home import Home

__all__ = [
    "confirm",
    "mappings_of",
    "newest",
    "open_consents",
    "record",
    "record_case",
    "refuse_stale",
    "settled",
    "tell",
]


def open_consents(home: Home, keys: KeyStore, ledger: Ledger, links: Mapping[str, Link], clock: Clock) -> ConsentStore:
    """The home's store; its file is opened, or made, when it is first needed."""
    targets: dict[str, list[str]] = {}
    for link in links.values():
        for purpose in link.purposes:
            targets.setdefault(purpose, []).append(link.name)

    def used() -> bool:
        return ledger.last(types=["consent.recorded"]) is not None

    return ConsentStore(home.consents, keys, clock.now, targets, used)


def mappings_of(links: Mapping[str, Link]) -> dict[tuple[str, str], bytes]:
    """(purpose, connection) → what says whether it is still the same place at the same vendor."""
    return {
        (purpose.name, link.name): hashlib.sha256(
            json.dumps([link.info.name, link.base_url, purpose.mapping], sort_keys=True).encode()
        ).digest()
        for link in links.values()
        for purpose in link.purposes.values()
    }


def record(tools: Tools, run: Run, source: str, statements: Sequence[Statement]) -> list[Verdict]:
    """Records what people have said, durably, then tells the ledger. Safe to repeat; ``source``: who said so to us."""
    if tools.consents is None:
        return [Verdict.RECORDED] * len(statements)
    verdicts, batch = tools.consents.accept(run.run_id, source, statements)
    if batch is not None:
        tools.ledger.append(_told(batch))
        tools.consents.statements.tell([batch])
    return verdicts


def tell(tools: Tools) -> None:
    """Writes what was recorded and not told yet: a process may have died between the two."""
    if tools.consents is None:
        return
    batches = tools.consents.statements.untold()
    if not batches:
        return
    told = {
        entry.data["batch"]
        for run_id in {batch.run_id for batch in batches}
        for entry in tools.ledger.entries(run_id=run_id, types=["consent.recorded"])
    }
    drafts = [_told(batch) for batch in batches if batch.number not in told]
    if drafts:
        tools.ledger.append(*drafts)
    tools.consents.statements.tell(batches)


def _told(batch: Batch) -> Draft:
    return Draft("consent.recorded", "", batch.run_id, "", "", batch.to_json())


def record_case(tools: Tools, run: Run, view: CaseView, request: Request) -> None:
    """Records what a consent case's request says, and that this case takes care of it: no run opens another for it.

    Requests of older versions say it as of their receipt.
    """
    said: Mapping[str, str] = request.details.get("said_at", {})
    known = newest(tools, request.subject)
    statements = []
    for purpose, state in request.details["consents"].items():
        at = datetime.fromisoformat(said.get(purpose, view.received_at))
        one = Statement(request.subject, purpose, ConsentState(state), at)
        if purpose not in known or not known[purpose].heard(one.state, at):
            statements.append(one)
    if statements:
        record(tools, run, "case", statements)
    if tools.consents is not None and (person := tools.consents.person(request.subject)) is not None:
        # Where it has ended already, what was said later is another case's.
        asked = [name for name in request.details["connections"] if name in tools.links and not view.final(name)]
        keys = [
            Key(person, purpose, name)
            for name in asked
            for purpose in request.details["consents"]
            if purpose in tools.links[name].purposes
        ]
        tools.consents.due.assign({person: view.case_id}, keys)


def newest(tools: Tools, subject: Subject) -> Mapping[str, Wanted]:
    """Purpose → what somebody wants now, which may be newer than what a case was opened with."""
    return {} if tools.consents is None else tools.consents.wanted(subject)


def refuse_stale(tools: Tools, subject: Subject, wanted: Mapping[str, ConsentState], at: datetime) -> None:
    """Raises :class:`RefusedError` for a grant that is older than a withdrawal: it re-opts nobody in."""
    known = newest(tools, subject)
    for purpose, state in wanted.items():
        withdrawn = known[purpose].withdrawn_at if purpose in known else None
        if state is ConsentState.GRANTED and withdrawn is not None and withdrawn >= at:
            raise RefusedError(
                f"{purpose} was withdrawn at {rfc3339(withdrawn)}, which is not before this consent; nothing was sent",
                advice="check the clocks",
            )


def confirm(
    tools: Tools, subject: Subject, connection: str, states: Mapping[str, ConsentState],
    results: Iterable[tuple[str, Result]],
) -> None:  # fmt: skip
    """Takes in what became of each purpose at a connection; what is not final stays due. ``states``: what was asked."""
    if tools.consents is None:
        return
    person = tools.consents.person(subject)
    if person is not None:  # else erased meanwhile, or never recorded
        tools.consents.due.confirm(settled(person, connection, states, results, tools.clock.now()))


def settled(
    person: int, connection: str, states: Mapping[str, ConsentState], results: Iterable[tuple[str, Result]],
    now: datetime,
) -> list[Confirmed]:  # fmt: skip
    """One for each purpose whose results are all final: of several kinds of record, the worst decides."""
    worst: dict[str, Result] = {}
    for purpose, result in results:
        old = worst.get(purpose)
        worst[purpose] = result if old is None or _RANK.index(result) < _RANK.index(old) else old
    return [
        Confirmed(Key(person, purpose, connection), states[purpose], result, now)
        for purpose, result in worst.items()
        if result.final and purpose in states
    ]


_RANK = (
    Result.FAILED, Result.UNKNOWN, Result.MANUAL, Result.UNSUPPORTED, Result.ACCEPTED, Result.UPDATED,
    Result.UNCHANGED, Result.ABSENT, Result.RETAINED, Result.EXPORTED, Result.ERASED,
)  # fmt: skip
"""Of several kinds of record that hold one consent, the worst decides."""
