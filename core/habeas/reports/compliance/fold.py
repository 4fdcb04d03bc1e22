"""From a ledger's entries, in their order and each once, to counts. Pure.

What it keeps grows with the requests, and by eight bytes for each entry behind a figure; not with the other entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from habeas.cases.outcomes import outcomes_in
from habeas.errors import StorageError
from habeas.models import CaseType, Result
from habeas.reports.compliance.casefile import Case
from habeas.reports.compliance.closing import CCPA_REQUESTS, count_case
from habeas.reports.compliance.lines import Line
from habeas.reports.compliance.period import Period, utc_text
from habeas.reports.compliance.tally import Tally

__all__ = ["Fold"]


class Fold:
    """Everything that a report's figures are made of."""

    def __init__(self, period: Period) -> None:
        self.period, self.tally = period, Tally()
        self.cases: dict[str, Case] = {}
        self._start, self._as_of = period.start, period.as_of
        self._intents: dict[int, tuple[str, bool]] = {}
        """Intents of the period whose outcome has not come by: entry → (connection, repeated)."""
        self._runs: dict[str, int] = {}
        self._lags: dict[str, int] = {}

    @classmethod
    def over(cls, lines: Iterable[Line], period: Period) -> Fold:
        """Reads all lines, and concludes. Raises :class:`StorageError` for an entry that is not as habeas writes it."""
        fold = cls(period)
        for line in lines:
            handler = _HANDLERS.get(line.type)
            if handler is not None:
                try:
                    fold._take(handler, line)
                except (KeyError, TypeError, ValueError, AttributeError):
                    raise StorageError(
                        f"entry {line.seq} is not as habeas writes entries of type {line.type}",
                        advice="`habeas audit verify` says whether the ledger was changed",
                    ) from None
        fold._conclude()
        return fold

    def _take(self, handler: Callable[[Fold, Line, bool], None], line: Line) -> None:
        if line.at < self._as_of:
            handler(self, line, line.at >= self._start)
        elif line.type == "case.opened":
            self._registered_later(line)

    def _conclude(self) -> None:
        for seq, (connection, repeated) in self._intents.items():
            self._count_call((seq,), connection, "open", repeated)
        for seq in self._runs.values():
            self.tally.add("runs", (seq,), how="no end")
        for request in sorted(set(CCPA_REQUESTS.values())):
            for family in ("ccpa_received", "ccpa_complied", "ccpa_whole", "ccpa_denied", "ccpa_withdrawn"):
                self.tally.seed(family, request=request)
        for case in self.cases.values():
            count_case(case, self.period, self.tally)

    def received_in_period(self, case: Case) -> bool:
        return self._start <= utc_text(case.received) < self._as_of

    def register(self) -> Iterator[Case]:
        """The requests of the register, in the order of their receipt."""
        shown = (
            case
            for case in self.cases.values()
            if not case.closed
            or case.closed_at >= self._start
            or case.reopened
            or self.received_in_period(case)
        )  # fmt: skip
        return iter(sorted(shown, key=lambda case: (case.received, case.opened)))

    # -- entries: each method is one type, and is told whether it lies in the period ----------------------------------

    def _registered_later(self, line: Line) -> None:
        if line.data["type"] != CaseType.CANARY:
            case = Case(line)
            if self.received_in_period(case):
                self.cases[case.id] = case

    def _opened(self, line: Line, inside: bool) -> None:
        if line.data["type"] == CaseType.CANARY:
            if inside:
                self.tally.add("canaries", (line.seq,))
            return
        case = self.cases[line.case_id] = Case(line)
        data = line.data
        if inside and data.get("approved"):
            self.tally.add("approved_before", (line.seq,))
        if self.received_in_period(case):
            self.tally.add("due_rules", (line.seq,), rule=str(data.get("due_rule", "not recorded")))
            if "policy" in data:
                self.tally.add("policies", (line.seq,), policy=f"{data['policy']} {data.get('policy_digest', '')}")

    def _closed(self, line: Line, inside: bool) -> None:
        if case := self.cases.get(line.case_id):
            case.close(line, self._start)
            if not inside:
                case.forget()

    def _reopened(self, line: Line, _: bool) -> None:
        if case := self.cases.get(line.case_id):
            case.reopen(line, self._start)

    def _outcome(self, line: Line, inside: bool) -> None:
        case = self.cases.get(line.case_id)
        for said in outcomes_in(line.data):
            if Result(said["result"]).final:
                self.tally.say("last_answer", line.seq, line.at, connection=line.connection)
            if case:
                case.outcome(line, said, inside)

    def _started(self, line: Line, _: bool) -> None:
        self._wait(line, "under way")

    def _paused(self, line: Line, _: bool) -> None:
        self._wait(line, "not finished yet")

    def _wait(self, line: Line, what: str) -> None:
        if case := self.cases.get(line.case_id):
            case.waiting = what

    def _approved(self, line: Line, inside: bool) -> None:
        self._wait(line, "")
        if inside and line.case_id in self.cases:
            self.tally.add("approvals", (line.seq,), how=str(line.data.get("how", "not recorded")))

    def _identity(self, line: Line, inside: bool) -> None:
        if case := self.cases.get(line.case_id):
            result, method = str(line.data["result"]), str(line.data.get("method", ""))
            case.identity += ((line.seq, result, method),)
            if case.waiting == "identity" and result != "failed":
                case.waiting = ""
            if inside:
                self.tally.add("identity", (line.seq,), result=result, method=method)

    def _acknowledged(self, line: Line, _: bool) -> None:
        if case := self.cases.get(line.case_id):
            case.acknowledge(line)

    def _extended(self, line: Line, inside: bool) -> None:
        if case := self.cases.get(line.case_id):
            reason = str(line.data.get("reason", ""))
            case.move_due(line)
            case.extended += ((line.seq, reason),)
            if inside:
                self.tally.add("extensions", (line.seq,), reason=reason)

    def _stopped(self, line: Line, _: bool) -> None:
        if case := self.cases.get(line.case_id):
            case.stop_clock(line)

    def _restarted(self, line: Line, _: bool) -> None:
        if case := self.cases.get(line.case_id):
            case.start_clock(line)

    def _released(self, line: Line, _: bool) -> None:
        if case := self.cases.get(line.case_id):
            case.release(line)

    def _duplicate(self, line: Line, inside: bool) -> None:
        if inside and (case := self.cases.get(line.case_id)):
            self.tally.add("duplicates", (line.seq,), type=case.type)

    def _rechecked(self, line: Line, inside: bool) -> None:
        found = line.data["connections"].values()
        result = (
            "back" if any(one.get("back") for one in found)
            else "not searched" if any("problem" in one for one in found)
            else "gone"
        )  # fmt: skip
        case = self.cases.get(line.case_id)
        if case and result == "gone":
            case.verified = case.verified or line.seq
        if inside:
            self.tally.add("rechecks", (line.seq,), result=result)

    def _intent(self, line: Line, inside: bool) -> None:
        if inside and line.case_id in self.cases:
            self._intents[line.seq] = (line.connection, line.data["attempt"] > 1)

    def _call(self, line: Line, _: bool) -> None:
        intent = self._intents.pop(line.data["intent"], None)
        if intent is not None:
            self._count_call((line.data["intent"], line.seq), intent[0], str(line.data["result"]), intent[1])

    def _count_call(self, seqs: tuple[int, ...], connection: str, result: str, repeated: bool) -> None:
        self.tally.add("calls", seqs, connection=connection, result=result)
        if repeated:
            self.tally.add("retries", seqs[:1], connection=connection)

    def _package(self, line: Line, inside: bool) -> None:
        if inside and line.case_id in self.cases:
            self.tally.add("packages", (line.seq,))
            self.tally.add_amount("package_bytes", (line.seq,), int(line.data["bytes"]), {})

    def _run_started(self, line: Line, inside: bool) -> None:
        if inside:
            self._runs[line.run_id] = line.seq
            self.tally.add("versions", (line.seq,), version=str(line.data.get("version", "not recorded")))

    def _run_ended(self, line: Line, _: bool) -> None:
        started = self._runs.pop(line.run_id, None)
        if started is not None:
            self.tally.add("runs", (started, line.seq), how=str(line.data["how"]))

    def _control(self, line: Line, inside: bool) -> None:
        if inside:
            verdict = str(line.data["verdict"])
            self.tally.add("canary_controls", (line.seq,), connection=line.connection, verdict=verdict)

    def _consents(self, line: Line, inside: bool) -> None:
        if not inside:
            return
        data, seqs = line.data, (line.seq,)
        if line.type == "consent.recorded":
            self.tally.add_amount("consent_statements", seqs, int(data["statements"]), {"what": str(data["source"])})
            return
        family = "consent_compared"
        if line.type == "consent.propagated":
            family = "consent_carried"
            self.tally.add("consent_runs", seqs)
            for name, seconds in (data["lag_seconds"] or {}).items():
                if int(seconds) >= self._lags.get(name, 0):
                    self._lags[name] = int(seconds)
                    self.tally.say(f"consent_lag_{name}", line.seq, str(int(seconds)))
        for connection, purposes in data["connections"].items():
            for results in purposes.values():
                for result, count in results.items():
                    about = {"connection": str(connection), "result": str(result)}
                    self.tally.add_amount(family, seqs, int(count), about)

    def _counted(self, line: Line, inside: bool) -> None:
        """Types of which only the number counts, and one word of what they say."""
        if not inside:
            return
        data, seqs = line.data, (line.seq,)
        match line.type:
            case "subject.searched":
                self.tally.add("lookups", seqs, why=str(data.get("why", "not recorded")))
            case "suppression.added":
                self.tally.add("suppressed", seqs)
            case "suppression.lifted":
                self.tally.add("unsuppressed", seqs, why=str(data.get("why", "not recorded")))
            case "key.created" | "key.rotated":
                self.tally.add("keys", seqs, what=f"{line.type}: {data['why']}" if "why" in data else line.type)
            case "details.destroyed" | "pseudonyms.destroyed":
                self.tally.add("destroyed", seqs, what=line.type)
            case "ledger.acknowledged":
                self.tally.add("contradicted", seqs)
            case "certificate.issued":
                self.tally.add("certificates", seqs)
            case _:
                self.tally.add("checkpoints", seqs)


_HANDLERS: Final[dict[str, Callable[[Fold, Line, bool], None]]] = {
    "case.opened": Fold._opened,
    "case.approved": Fold._approved,
    "case.started": Fold._started,
    "case.paused": Fold._paused,
    "case.closed": Fold._closed,
    "case.reopened": Fold._reopened,
    "case.acknowledged": Fold._acknowledged,
    "case.extended": Fold._extended,
    "case.duplicate": Fold._duplicate,
    "case.rechecked": Fold._rechecked,
    "clock.stopped": Fold._stopped,
    "clock.started": Fold._restarted,
    "identity.checked": Fold._identity,
    "hold.released": Fold._released,
    "record.outcome": Fold._outcome,
    "call.intent": Fold._intent,
    "call.outcome": Fold._call,
    "package.written": Fold._package,
    "run.started": Fold._run_started,
    "run.ended": Fold._run_ended,
    "canary.control": Fold._control,
    **dict.fromkeys(("consent.recorded", "consent.propagated", "consent.compared"), Fold._consents),
    **dict.fromkeys(
        (
            "subject.searched", "suppression.added", "suppression.lifted", "key.created", "key.rotated",
            "details.destroyed", "pseudonyms.destroyed", "ledger.acknowledged", "certificate.issued", "checkpoint",
            "clock.jump", "clock.trusted",
        ),
        Fold._counted,
    ),
}  # fmt: skip
