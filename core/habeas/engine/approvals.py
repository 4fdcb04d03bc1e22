"""Four eyes: whoever plans an erasure does not approve it, and whoever approves it does not carry it out."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from habeas.cases.view import CaseView
from habeas.clock import rfc3339
from habeas.config import ApprovalConfig
from habeas.engine.timekeeping import seen_since
from habeas.engine.tools import Run, Tools
from habeas.errors import ConfigError, RefusedError
from habeas.models import CaseStatus, Json
from habeas_audit import ProofInvalid, SigningKey, VerifierKey
from habeas_policies import Period

__all__ = ["approval_data", "approval_text", "not_resumed", "person_of", "require_approval", "verified_approver"]


def person_of(actor: str) -> str:
    """The operating system's user, of ``ada (habeas)``."""
    return actor.rpartition(" (")[0] or actor


def planner_of(tools: Tools, run_id: str) -> str:
    """Who started a run, as the ledger says; empty where it does not know."""
    entry = next(iter(tools.ledger.entries(run_id=run_id, types=["run.started"])), None)
    return "" if entry is None else person_of(entry.actor)


def approval_text(case_id: str, digest: str, expires_at: str) -> str:
    """What an approver's key signs: these three lines."""
    return f"habeas approval\n{case_id} {digest}\n{expires_at}\n"


def approval_data(
    tools: Tools, config: ApprovalConfig, run: Run, view: CaseView, key: SigningKey | None, name: str
) -> dict[str, Json]:  # fmt: skip
    """What the entry of an approval holds. Raises :class:`RefusedError` where this person may not give it."""
    planner = planner_of(tools, view.planned_in)
    person = name or person_of(run.actor)
    if person == planner:
        raise RefusedError(
            f"{person} has made the plan, and cannot approve it as well", advice="somebody else must approve it"
        )
    expires = rfc3339(_end(tools, Period.parse(config.valid)))
    data: dict[str, Json] = {"expires_at": expires}
    if config.people:
        if key is None or name not in config.people:
            known = ", ".join(sorted(config.people))
            raise RefusedError(
                "an approval must be signed by one of the people under [approvals.people]",
                advice=f"give --as and --signing-key; known: {known}",
            )
        if key.verifier != _key(config, name):
            raise RefusedError(f"that is not the key of {name}", advice="see [approvals.people] in habeas.toml")
        text = approval_text(view.case_id, view.plan_digest, expires)
        data |= {"by": key.verifier.key_id.hex(), "signature": key.sign(text).strip()}
    return data


def require_approval(tools: Tools, config: ApprovalConfig, run: Run, view: CaseView) -> None:
    """Raises :class:`RefusedError` unless the plan as it stands is approved, in time, and by somebody else."""
    approval = view.approval
    if approval is None or not approval.expires_at or not view.approved:
        raise RefusedError(f"the plan of case {view.case_id} is not approved", advice="`habeas approve` it first")
    if approval.digest != view.plan_digest:
        raise RefusedError("the approval is of another plan", advice="`habeas approve` the one as it stands")
    given = tools.ledger.last(view.case_id, ["case.approved"])
    seen = seen_since(tools.ledger, given.seq if given is not None else 0, tools.clock.now())
    if datetime.fromisoformat(approval.expires_at) <= seen:
        raise RefusedError(f"the approval has expired at {approval.expires_at}", advice="`habeas approve` it again")
    approver = verified_approver(tools, config, view)
    if approver == planner_of(tools, view.planned_in):
        raise RefusedError(f"{approver} has made the plan and approved it", advice="somebody else must approve it")
    if approver == person_of(run.actor):
        raise RefusedError(
            f"{approver} has approved the plan, and cannot carry it out as well", advice="somebody else must"
        )


def not_resumed(tools: Tools, config: ApprovalConfig, view: CaseView) -> str:
    """Why `habeas resume` leaves an erasure alone although somebody said yes; empty where it goes on with it.

    What four eyes have agreed to is begun by `habeas apply` only, and what was begun is finished.
    """
    if tools.ledger.last(view.case_id, ["call.intent"]) is not None:
        return ""
    if view.approval is None or not view.approval.expires_at:
        # One that goes on with another rests on the approval of that one.
        alone = config.required and not view.follows
        return "erasures need a plan, an approval and `habeas apply` here" if alone else ""
    if view.status is CaseStatus.OPEN:
        return "`habeas apply` carries out what was approved"
    try:
        verified_approver(tools, config, view)
    except RefusedError as refusal:
        return refusal.message
    return ""


def verified_approver(tools: Tools, config: ApprovalConfig, view: CaseView) -> str:
    """Who has approved the plan: a name under ``[approvals.people]`` whose signature holds, or the system's user.

    Raises :class:`RefusedError` where the signature does not hold, or its key is trusted no more.
    """
    entry = tools.ledger.last(view.case_id, ["case.approved"])
    if entry is None or view.approval is None:
        raise RefusedError(f"the plan of case {view.case_id} is not approved")
    if not config.people:
        person = planner_of(tools, entry.run_id)
        if not person:
            raise RefusedError("nobody knows who has approved the plan", advice="`habeas approve` it again")
        return person
    text = approval_text(view.case_id, view.approval.digest, view.approval.expires_at)
    for name in config.people:
        key = _key(config, name)
        if key.key_id.hex() == view.approval.by and key.signed_line(str(entry.data.get("signature", "")), text):
            return name
    raise RefusedError("the approval is not signed by any of [approvals.people]", advice="`habeas approve` it again")


def _key(config: ApprovalConfig, name: str) -> VerifierKey:
    try:
        return VerifierKey.parse(config.people[name])
    except ProofInvalid as problem:
        raise ConfigError(f"approvals.people.{name}: {problem}", advice="see `habeas approve --help`") from None


def _end(tools: Tools, period: Period) -> datetime:
    """The end of the period's last day, in the controller's time zone."""
    try:
        day = period.after(tools.local_date(tools.clock.now())) + timedelta(days=1)
    except OverflowError:
        raise ConfigError("approvals.valid is beyond the calendar", advice="write a duration such as P7D") from None
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tools.controller.timezone))
