"""The end of personal data: keys whose purpose has ended are destroyed, and the ledger says so.

First the key goes, then what it opened, then the entry is written: whatever interrupts this, nothing claims to be
destroyed that is not, and the next purge finishes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from habeas.cases.keys import epoch_of
from habeas.cases.locks import CaseLocks
from habeas.cases.retention import DetailsEnd, details_end, epoch_end, last_day
from habeas.cases.suppression import Suppressed
from habeas.cases.view import CaseView
from habeas.config import RetentionConfig
from habeas.engine.tools import Run, Tools
from habeas.errors import StorageError
from habeas.home import destroy_file, drafts_of
from habeas.models import CaseType
from habeas_audit import Draft
from habeas_policies import After, Period, PolicyProblem

__all__ = ["PurgePlan", "after_of", "carry_out_purge", "one_purge", "plan_purge"]

_TOGETHER = 500
"""Cases whose keys are destroyed in one step."""
_PACKAGED = (CaseType.ACCESS, CaseType.PORTABILITY)


@dataclass(frozen=True)
class Ended:
    """A case whose key is to go."""

    view: CaseView
    end: DetailsEnd
    package: Path | None
    """Its access package, where it is still there."""


@dataclass
class PurgePlan:
    """What has reached its end, and what has not."""

    ended: list[Ended] = field(default_factory=list)
    epochs: list[str] = field(default_factory=list)
    """Quarters whose pseudonyms are cut off."""
    suppressed: list[Suppressed] = field(default_factory=list)
    """Places on the suppression list whose retention is over."""
    kept: Counter[str] = field(default_factory=Counter)
    """Why the other keys are kept → how many."""
    half_done: list[str] = field(default_factory=list)
    """Keys that an interrupted purge has destroyed and the ledger does not know of."""

    @property
    def empty(self) -> bool:
        return not (self.ended or self.epochs or self.suppressed or self.half_done)


@contextmanager
def one_purge(locks: CaseLocks) -> Iterator[None]:
    """One purge of a home at a time: of two, each would tell the ledger what the other has told.

    Raises :class:`~habeas.errors.StorageError` where another is under way.
    """
    if not locks.take("purge"):
        raise StorageError("another purge is under way", advice="wait for it")
    try:
        yield
    finally:
        locks.release("purge")


def after_of(tools: Tools, view: CaseView) -> After:
    """What a case's policy says of the time after it. A policy that is gone or was changed says nothing."""
    if not view.policy:
        return After()
    try:
        policy = tools.policy(view.policy)
    except PolicyProblem:
        return After()
    return policy.after if policy.digest == view.policy_digest else After()


def plan_purge(tools: Tools, retention: RetentionConfig, case_ids: Iterable[str] | None = None) -> PurgePlan:
    """What may go today. ``case_ids``: only these cases' keys, and nothing else. Destroys nothing."""
    plan = PurgePlan()
    zone, today = tools.controller.timezone, tools.local_date(tools.clock.now())
    keep = Period.parse(retention.details)
    chosen = tools.register.cases() if case_ids is None else dict.fromkeys(case_ids)
    open_epochs: set[str] = set()
    for case_id in chosen:
        view = tools.register.view(case_id)
        if tools.keys.destroyed_at(case_id):
            continue
        end = details_end(view, after_of(tools, view), keep, zone)
        if end.reached(today):
            plan.ended.append(Ended(view, end, _package(tools, view)))
        else:
            plan.kept[f"{end.why} (until {end.on})" if end.on else end.why] += 1
            open_epochs.add(epoch_of(datetime.fromisoformat(view.opened_at)))
    if case_ids is None:
        pseudonyms = Period.parse(retention.pseudonyms)
        # Quarters are counted in UTC. A key whose cases are still open is in use, however old it is.
        utc = tools.clock.now().astimezone(UTC).date()
        ended = {epoch for epoch in tools.keys.epochs() if epoch_end(epoch, pseudonyms) <= utc}
        plan.epochs = sorted(ended - open_epochs)
        plan.suppressed = _over(tools, retention.suppression)
        plan.half_done = tools.keys.untold()
    return plan


def carry_out_purge(tools: Tools, run: Run, plan: PurgePlan) -> None:
    """Destroys what has reached its end, and records it. Raises :class:`~habeas.errors.StorageError`."""
    if plan.half_done:
        tools.keys.scrub()
        _finish(tools, run, plan.half_done)
    for start in range(0, len(plan.ended), _TOGETHER):
        run.control.check()
        part = plan.ended[start : start + _TOGETHER]
        for one in part:
            if one.package is not None:
                _destroy_package(one.package)
        names = [one.view.case_id for one in part]
        tools.keys.destroy_case_keys(names, tools.clock.now())
        _finish(tools, run, [f"case/{name}" for name in names])
    for epoch in plan.epochs:
        tools.keys.destroy_pseudonyms(epoch, tools.clock.now())
        _finish(tools, run, [f"pseudonym/{epoch}"])
    if plan.suppressed:
        # The other way round: of what is gone from the list nobody would know that it is still to be told.
        names = [one.case_id for one in plan.suppressed]
        tools.ledger.append(*(_lifted(name, run, "retention ended") for name in names if not _is_lifted(tools, name)))
        tools.suppression.remove(names)


def _finish(tools: Tools, run: Run, names: Sequence[str]) -> None:
    """What follows on a key's destruction: what it opened is taken out, and the ledger told. Safe to repeat."""
    if not names:
        return
    cases = [name.removeprefix("case/") for name in names if name.startswith("case/")]
    epochs = [name.removeprefix("pseudonym/") for name in names if name.startswith("pseudonym/")]
    tools.vault.remove(cases)
    tools.register.forget(cases)
    told = {entry.case_id for case_id in cases if (entry := tools.ledger.last(case_id, ["details.destroyed"]))}
    drafts = [Draft("details.destroyed", case_id, run.run_id) for case_id in cases if case_id not in told]
    cut_off = {e.data["epoch"] for e in tools.ledger.entries(types=["pseudonyms.destroyed"])} if epochs else set()
    drafts += [
        Draft("pseudonyms.destroyed", "", run.run_id, "", "", {"epoch": epoch})
        for epoch in epochs
        if epoch not in cut_off
    ]
    tools.ledger.append(*drafts)
    tools.keys.tell(names)


def _lifted(case_id: str, run: Run, why: str) -> Draft:
    return Draft("suppression.lifted", case_id, run.run_id, "", "", {"why": why})


def _is_lifted(tools: Tools, case_id: str) -> bool:
    last = tools.ledger.last(case_id, ["suppression.added", "suppression.lifted"])
    return last is not None and last.type == "suppression.lifted"


def _over(tools: Tools, retention: str) -> list[Suppressed]:
    if not retention:
        return []
    period, today = Period.parse(retention), tools.local_date(tools.clock.now())
    return [
        one
        for one in tools.suppression.entries()
        if last_day(period, tools.local_date(datetime.fromisoformat(one.since))) < today
    ]


def _package(tools: Tools, view: CaseView) -> Path | None:
    if view.type not in _PACKAGED:
        return None
    try:
        output = tools.register.request(view.case_id).output
    except StorageError:
        output = ""
    if output:
        return Path(output) if _is_ours(tools, view.case_id, Path(output)) else None
    path = tools.home.packages / f"{view.case_id}.zip"
    return path if path.is_file() or drafts_of(path) else None


def _is_ours(tools: Tools, case_id: str, path: Path) -> bool:
    """Whether a file outside the home is still the package that was written there, and nobody's other file."""
    from habeas.reports.package import package_digest  # late: it brings templates along, and few purges need it

    written = tools.ledger.last(case_id, ["package.written"])
    try:
        if written is None or path.stat().st_size != written.data["bytes"]:
            return False
        with path.open("rb") as file:
            if file.read(4) == bytes(4):
                return True  # overwritten by a purge that was killed before it took it away
        return package_digest(path) == str(written.data["digest"])
    except OSError:
        return False


def _destroy_package(path: Path) -> None:
    """Destroys a package, and what a killed process left of one."""
    try:
        for one in (path, *drafts_of(path)):
            # Somebody else may have taken it away since the plan was made.
            with suppress(FileNotFoundError):
                destroy_file(one)
    except OSError as error:
        raise StorageError(f"the package {path} cannot be destroyed ({error.strerror})") from None
