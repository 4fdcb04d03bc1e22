"""A case as it is shown: what the ledger says, and what the vault still knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from habeas.cases.view import CaseView
from habeas.engine.plan import Notice
from habeas.models import Json
from habeas.opening import head_json
from habeas_audit import Head

__all__ = ["CaseRecord"]


@dataclass(frozen=True)
class CaseRecord:
    """A case with what only the vault knows."""

    view: CaseView
    reference: str
    notices: tuple[Notice, ...]
    package: str
    details: Literal["held", "destroyed", "unavailable"] = "held"
    """Whether what was asked and planned can still be read; ``destroyed``: its purpose had ended, and so did it."""

    def to_json(self, head: Head) -> Json:
        """The contract's JSON of a case."""
        view = self.view
        value = {
            "case": view.case_id,
            "run": view.run_id,
            "reference": self.reference or None,
            "type": str(view.type),
            "status": str(view.status),
            "regime": view.regime,
            "received_at": view.received_at,
            "due_at": view.due_at,
            "policy": {"name": view.policy, "digest": view.policy_digest} if view.policy else None,
            "plan_digest": view.plan_digest or None,
            "outcomes": [row.to_json() for row in view.outcomes],
            "notices": [{"connection": n.connection, "text": n.text, "until": n.until or None} for n in self.notices],
            "ledger": head_json(head),
        }
        if self.details != "held":
            value["details"] = self.details
        return value | ({"package": self.package} if self.package else {})
