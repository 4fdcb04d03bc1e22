"""A house that hands out certificates, and one case of each kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.habeas.engine.house import House, hold

from habeas import aftercare
from habeas.control import RunControl
from habeas.engine.tools import Row
from habeas.models import CaseStatus, CaseType, Result
from habeas.reports.certificate import (
    CheckedCertificate,
    check_certificate,
)
from habeas_audit import Draft, ProofInvalid, VerifierKey

__all__ = ["CASES", "ERASED", "OPERATOR", "Office", "Value", "holds", "outcome", "wrong"]

OPERATOR = "Zilpzalpine-Operator-4711"
Value = dict[str, Any]


class Office(House):
    """A house that hands out certificates."""

    def certificate(self, case_id: str) -> Value:
        with self.app.run("certificate", lambda _: None, RunControl(self.clock)) as run:
            issuer = aftercare.issue_certificate(self.app, run, case_id)
        value: Value = json.loads(json.dumps(aftercare.certificate(self.app, case_id, issuer)))
        return value

    def call(self, case_id: str, connection: str, result: str | None) -> None:
        """One changing call of a case; without ``result`` nobody knows yet what came of it."""
        ledger = self.tools.ledger
        data = {"method": "DELETE", "path": "/v1/customers/{customerId}", "host": "vendor.example", "attempt": 1}
        (intent,) = ledger.append(Draft("call.intent", case_id, "r-1", connection, "", {**data, "key": "00"}))
        if result is not None:
            data = {"intent": intent.seq, "result": result, "status": 204}
            ledger.append(Draft("call.outcome", case_id, "r-1", connection, "", data))

    def add(self, case_id: str, kind: str, **data: Any) -> None:
        self.tools.ledger.append(Draft(kind, case_id, "r-1", "", "", data))

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        return self.app.seal.public_keys()


ERASED = Row("customer", "0", 1, Result.ERASED, evidence="GET /v1/customers/{customerId} -> 404")
ABSENT = Row("profile", "2", 0, Result.ABSENT, evidence="GET /profiles/{id} -> 404")


def outcome(result: Result, **more: str) -> Row:
    return Row("order", "1", 2, result, **more)


def erasure(*rows: Row, status: CaseStatus | None = CaseStatus.COMPLETED) -> Callable[[Office], str]:
    return lambda office: office.case(CaseType.ERASURE, ERASED, *rows, status=status)


def of(type_: CaseType, row: Row) -> Callable[[Office], str]:
    return lambda office: office.case(type_, row, policy="")


def came_back(office: Office) -> str:
    name = office.case(CaseType.ERASURE, ERASED)
    gone = {"shop": {"gone": "searched"}}
    office.add(name, "case.rechecked", periods=["P7D"], connections=gone)
    office.add(name, "case.rechecked", periods=["P30D"], connections={"shop": {"back": {"customer": 1}}})
    return name


def gone_again(office: Office) -> str:
    name = came_back(office)
    office.add(name, "case.rechecked", periods=[], connections={"shop": {"gone": "searched"}})
    return name


def closed_and_failed(office: Office) -> str:
    """As habeas never writes it: no claim of a closed case outdoes what its outcomes say."""
    return office.case(CaseType.ERASURE, ERASED, outcome(Result.FAILED))


def paused(office: Office) -> str:
    name = office.case(CaseType.ERASURE, ERASED, outcome(Result.UNKNOWN), status=None)
    office.add(name, "case.paused")
    return name


CASES: list[tuple[str, str, Callable[[Office], str]]] = [
    ("erased everywhere", "complete", erasure(ABSENT)),
    ("held by a policy", "partial", erasure(hold("2034-12-31"))),
    ("held without an end", "partial", erasure(hold())),
    ("kept by the vendor", "partial", erasure(outcome(Result.RETAINED))),
    ("left to a person", "partial", erasure(outcome(Result.MANUAL, reason="look yourself"))),
    ("acknowledged only", "partial", erasure(outcome(Result.ACCEPTED))),
    ("no way", "partial", erasure(outcome(Result.UNSUPPORTED))),
    ("came back", "partial", came_back),
    ("came back and gone again", "complete", gone_again),
    ("a vendor is down", "unfinished", erasure(outcome(Result.FAILED, reason="no answer"), status=None)),
    ("nobody knows", "unfinished", paused),
    ("closed in spite of a failure", "unfinished", closed_and_failed),
    ("all held", "refused", lambda o: o.case(CaseType.ERASURE, hold("2034-12-31"), status=CaseStatus.REFUSED)),
    ("withdrawn", "cancelled", lambda o: o.case(CaseType.ERASURE, ABSENT, status=CaseStatus.CANCELLED)),
    ("access", "complete", of(CaseType.ACCESS, outcome(Result.EXPORTED))),
    ("portability", "partial", of(CaseType.PORTABILITY, outcome(Result.MANUAL))),
    ("consent", "complete", of(CaseType.CONSENT, Row("customer", "0", 1, Result.UPDATED, purpose="marketing_email"))),
    ("rectification", "partial", of(CaseType.RECTIFICATION, Row("customer", "0", 1, Result.ACCEPTED, field="city"))),
    ("inventory", "complete", of(CaseType.INVENTORY, outcome(Result.EXPORTED))),
]  # fmt: skip


def holds(value: Value, trusted: tuple[VerifierKey, ...] = ()) -> bool:
    try:
        return check_certificate(value, trusted).ok
    except ProofInvalid:
        return False


def wrong(found: CheckedCertificate) -> list[str]:
    return [check.what for check in found.checks if not check.ok]
