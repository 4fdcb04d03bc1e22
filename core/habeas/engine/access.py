"""One access or portability request: search and fetch everywhere, write one package, conclude. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from habeas.cases.view import WHOLE, CaseView
from habeas.engine.events import ConnectionFinished, ConnectionSearched
from habeas.engine.links import Link
from habeas.engine.plan import Notice, reason_of
from habeas.engine.tools import ConnectionTrouble, Row, Run, Tools, conclude, counted, search, side_by_side, write_rows
from habeas.errors import VendorError
from habeas.home import private_folder
from habeas.models import Export, Gap, Inventory, PluginInfo, Result, Subject
from habeas_audit import Draft
from habeas_policies import Facts, PolicyProblem

if TYPE_CHECKING:
    from habeas.cases.consents import Wanted
    from habeas.reports.package import Source

__all__ = ["AccessPass", "InventoryPass"]


@dataclass(frozen=True)
class Fetched:
    """What one connection holds, and all of it."""

    inventory: Inventory
    export: Export


class AccessPass:
    """One pass over one access case. A repeated pass fetches again: the package is of one moment."""

    def __init__(self, tools: Tools, run: Run, case_id: str, version: str) -> None:
        self._tools, self._run, self.case_id, self._version = tools, run, case_id, version

    def execute(self) -> CaseView:
        """Fetches, writes the package, then the outcomes."""
        from habeas.reports.package import check_source

        self._tools.ledger.append(Draft("case.started", self.case_id, self._run.run_id))
        view = self._tools.register.view(self.case_id)
        links = list(self._tools.links.values())
        request = self._tools.register.request(self.case_id)

        def fetch(link: Link) -> Fetched:
            connection = link.connection(self._run.control)
            inventory = self._tools.registry.inventory(link.info.name, connection, request.subject)
            self._run.emit(ConnectionSearched(self.case_id, link.name, sum(r.count for r in inventory.records)))
            export = self._tools.registry.export(link.info.name, connection, request.subject, inventory)
            fetched = Fetched(inventory, export)
            check_source(_source(link, fetched))
            try:
                return self._withheld(link, view, fetched)
            except PolicyProblem as problem:
                # Gone or expired since the case was opened: this case's trouble, not the whole run's.
                raise VendorError(problem.line()) from None

        results = side_by_side(links, fetch, self._run.control)
        standing = _standing_gaps(links, results)
        self._tools.vault.put(self.case_id, "notices", [[n.connection, n.text, n.until] for n in standing])
        self._write_package(view, links, results)
        for link, result in zip(links, results, strict=True):
            rows = rows_of_fetched(link.info, result)
            counts = write_rows(self._tools, self._run, view, link.name, link.info.name, rows)
            self._run.emit(ConnectionFinished(self.case_id, link.name, counts))
        return conclude(self._tools, self._run, self.case_id, self._tools.links)

    def _withheld(self, link: Link, view: CaseView, fetched: Fetched) -> Fetched:
        """Without the kinds that the policy hands to a person first: those become gaps that say what to look at."""
        policy = self._tools.policy(view.policy)
        received = self._tools.local_date(datetime.fromisoformat(view.received_at))
        today = self._tools.local_date(self._tools.clock.now())
        gaps = list(fetched.export.gaps)
        kept = fetched
        for kind, count in counted(fetched.inventory).items():
            facts = Facts(link.name, link.info.name, kind, link.info.kind(kind).categories, received)
            ruling = policy.evaluate(facts, today)
            if ruling.action == "manual":
                gaps.append(Gap(kind, Result.MANUAL, reason_of(ruling), count))
                kept = Fetched(
                    replace(kept.inventory, records=tuple(r for r in kept.inventory.records if r.kind != kind)),
                    replace(kept.export, documents=tuple(d for d in kept.export.documents if d.record != kind)),
                )
        return Fetched(kept.inventory, replace(kept.export, gaps=tuple(gaps)))

    def _write_package(
        self, view: CaseView, links: Sequence[Link], results: Sequence[Fetched | ConnectionTrouble]
    ) -> None:
        # Templates and schema are needed only here.
        from habeas.reports.package import PackageInput, build, package_digest, write_zip

        request = self._tools.register.request(self.case_id)
        zone = ZoneInfo(self._tools.controller.timezone)
        content = build(
            PackageInput(
                case_id=self.case_id,
                case_type="portability" if view.type == "portability" else "access",
                regime=view.regime,
                controller=self._tools.controller.name,
                subject=request.subject,
                received_at=datetime.fromisoformat(view.received_at).astimezone(zone),
                prepared_at=self._tools.clock.now().astimezone(zone),
                due_at=datetime.fromisoformat(view.due_at).astimezone(zone),
                sources=tuple(_source(link, result) for link, result in zip(links, results, strict=True)),
                notices=(),
                generator=f"habeas {self._version}",
                contact=self._tools.controller.contact,
                consents=self._recorded(request.subject),
            )
        )
        path = Path(request.output) if request.output else self._tools.home.packages / f"{self.case_id}.zip"
        private_folder(path.parent)
        write_zip(content, path)
        data = {"digest": package_digest(path), "bytes": path.stat().st_size}
        self._tools.ledger.append(Draft("package.written", self.case_id, self._run.run_id, "", "", data))

    def _recorded(self, subject: Subject) -> tuple[tuple[Subject, Wanted], ...]:
        """What we keep ourselves of the person's consents."""
        store = self._tools.consents
        return () if store is None else tuple(store.about(subject))


def _standing_gaps(links: Sequence[Link], results: Sequence[Fetched | ConnectionTrouble]) -> list[Notice]:
    """What the package lacks for everybody alike: told as notices, since it is no work of this case."""
    return [
        Notice(link.name, gap.reason, "")
        for link, result in zip(links, results, strict=True)
        if isinstance(result, Fetched)
        for gap in dict.fromkeys((*result.inventory.gaps, *result.export.gaps))
        if gap.standing
    ]


class InventoryPass:
    """One inventory request out of a batch: what each connection holds is counted, and left as it is."""

    def __init__(self, tools: Tools, run: Run, case_id: str) -> None:
        self._tools, self._run, self.case_id = tools, run, case_id

    def execute(self) -> CaseView:
        """Searches, and writes one outcome per kind of record: ``unchanged``."""
        self._tools.ledger.append(Draft("case.started", self.case_id, self._run.run_id))
        view = self._tools.register.view(self.case_id)
        subject = self._tools.register.request(self.case_id).subject
        links = list(self._tools.links.values())

        def look(link: Link) -> Inventory:
            return search(self._tools, self._run, link, subject)

        for link, found in zip(links, side_by_side(links, look, self._run.control), strict=True):
            rows = _rows_of_inventory(link.info, found)
            counts = write_rows(self._tools, self._run, view, link.name, link.info.name, rows)
            self._run.emit(ConnectionFinished(self.case_id, link.name, counts))
        return conclude(self._tools, self._run, self.case_id, self._tools.links)


# -- rows -----------------------------------------------------------------------------------------------------------


def rows_of_fetched(info: PluginInfo, result: Fetched | ConnectionTrouble) -> list[Row]:
    """One row per kind of record exported, and one per gap that is work of this case."""
    if isinstance(result, ConnectionTrouble):
        return [Row(info.main_kind, WHOLE, 0, result.result, reason=result.text)]
    counts = counted(result.inventory)
    for document in result.export.documents:
        counts.setdefault(document.record, 1)
    gaps = list(dict.fromkeys(g for g in (*result.inventory.gaps, *result.export.gaps) if not g.standing))
    if not counts and not gaps:
        return [Row(info.main_kind, WHOLE, 0, Result.ABSENT, evidence=result.inventory.evidence)]
    rows = [
        Row(kind, kind, count, Result.EXPORTED, evidence=_evidence(result.export, kind))
        for kind, count in counts.items()
    ]
    return rows + [Row(g.kind, f"g{n}", g.count, g.result, reason=g.reason) for n, g in enumerate(gaps)]


def _rows_of_inventory(info: PluginInfo, found: Inventory | ConnectionTrouble) -> list[Row]:
    if isinstance(found, ConnectionTrouble):
        return [Row(info.main_kind, WHOLE, 0, found.result, reason=found.text)]
    gaps = [gap for gap in found.gaps if not gap.standing]
    if not found.records and not gaps:
        return [Row(info.main_kind, WHOLE, 0, Result.ABSENT, evidence=found.evidence)]
    rows = [Row(k, k, n, Result.UNCHANGED, evidence=found.evidence) for k, n in counted(found).items()]
    return rows + [Row(g.kind, f"g{n}", g.count, g.result, reason=g.reason) for n, g in enumerate(gaps)]


def _evidence(export: Export, kind: str) -> str:
    sources = [d.source for d in export.documents if d.record == kind and d.source]
    return sources[0] if sources else export.evidence


def _source(link: Link, result: Fetched | ConnectionTrouble) -> Source:
    from habeas.reports.package import Source

    if isinstance(result, ConnectionTrouble):
        return Source(link.name, link.info, "failed", None, result.text)
    gaps = tuple(dict.fromkeys((*result.inventory.gaps, *result.export.gaps)))
    export = replace(result.export, gaps=gaps)
    status: Literal["exported", "absent"] = "exported" if export.documents else "absent"
    return Source(link.name, link.info, status, export, counts=counted(result.inventory))
