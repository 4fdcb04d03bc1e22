"""The only wiring: ledger, vault, policies, plugins, connections and engine, opened together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from habeas import __version__
from habeas.cases.duplicates import OpenRequests
from habeas.cases.identity import IdentityTable, open_identity, resolve
from habeas.cases.ids import run_id
from habeas.cases.keys import KeyStore
from habeas.cases.locks import CaseLocks
from habeas.cases.quotas import Quotas
from habeas.cases.register import NewCase, Register, Request
from habeas.cases.vault import Vault
from habeas.cases.view import CaseView
from habeas.clock import Clock, SystemClock, rfc3339
from habeas.config import Config, load_config
from habeas.control import RunControl
from habeas.engine.access import AccessPass, InventoryPass
from habeas.engine.approvals import not_resumed
from habeas.engine.canary import CanaryPass
from habeas.engine.changing import ChangePass
from habeas.engine.erasure import ErasurePass, search_and_plan
from habeas.engine.events import CaseUnapproved, Event
from habeas.engine.links import open_links
from habeas.engine.passes import run_passes
from habeas.engine.plan import Notice, Plan
from habeas.engine.schedule import Schedule
from habeas.engine.schema import FieldMemory
from habeas.engine.timekeeping import RunTime
from habeas.engine.tools import ConnectionTrouble, Run, Tools, search, side_by_side
from habeas.engine.wanted import open_consents
from habeas.errors import InputError, KeyDestroyed, PolicyError, RefusedError, StorageError
from habeas.evidence.seal import Seal
from habeas.home import Home
from habeas.models import CaseStatus, CaseType, Identifier, Inventory, Json, Subject
from habeas.opening import actor, head_json, open_seal, open_suppression_list
from habeas.record import CaseRecord
from habeas.registry import Registry
from habeas.text import is_text
from habeas_audit import Draft, Ledger
from habeas_policies import Policy, PolicyProblem, due, load

__all__ = ["WITH_POLICY", "App"]

_MAX_CASE_WORKERS = 32
_MAX_TEXT = 4096
WITH_POLICY = (CaseType.ERASURE, CaseType.ACCESS, CaseType.PORTABILITY)
"""Types of cases whose outcome a policy decides: the others do exactly what was asked."""
_DEFAULT_POLICIES = {"ccpa": {"erasure": "ccpa-delete"}}


class App:
    """One opened installation. Close it, or use it as a context manager."""

    def __init__(
        self, tools: Tools, config: Config, locks: CaseLocks, identity: IdentityTable | None, seal: Seal,
        requests: OpenRequests | None = None, quotas: Quotas | None = None,
    ) -> None:  # fmt: skip
        self.tools, self.config, self.locks, self.identity, self.seal = tools, config, locks, identity, seal
        self._requests, self._quotas = requests, quotas

    @classmethod
    def open(cls, home: Home, config_path: Path, clock: Clock | None = None, *, behind: bool = False) -> App:
        """Reads the configuration, resolves secrets, loads plugins, opens the files. Sends nothing.

        A ledger that is not the one that was signed is refused, unless ``behind`` says that it may be.
        Raises :class:`~habeas.errors.ConfigError`, :class:`~habeas.errors.StorageError` and
        :class:`~habeas_audit.LedgerError`.
        """
        clock = clock or SystemClock()
        config = load_config(config_path)
        home.require()
        registry = Registry.load()
        quotas = Quotas(home.quotas, clock)
        links = open_links(config, registry, clock, quotas)
        identity = open_identity(config.identity, links)
        keys = KeyStore.open(home.keys)
        vault = Vault.open(home.vault, keys)
        ledger = Ledger.open(home.ledger, clock.now)
        seal = open_seal(home, config.audit, ledger, clock)
        if not behind:
            seal.require_continuity()
        suppression = open_suppression_list(home, keys, ledger)
        requests = OpenRequests.open(home.suppression, keys)
        register = Register(ledger, vault, keys, clock, requests)
        search = [config.policies] if config.policies else []

        @cache
        def policy(name: str) -> Policy:
            return load(name, search=search)

        tools = Tools(
            home,
            ledger,
            vault,
            keys,
            register,
            registry,
            links,
            policy,
            clock,
            config.controller,
            FieldMemory(ledger, keys, clock),
            suppression,
            config.approvals,
            open_consents(home, keys, ledger, links, clock),
        )  # fmt: skip
        return cls(tools, config, CaseLocks(home.locks), identity, seal, requests, quotas)

    def close(self) -> None:
        """Closes all files, and the connections to vendors."""
        for link in self.tools.links.values():
            link.crew.close()
        if self._quotas is not None:
            self._quotas.close()
        self.tools.ledger.close()
        self.tools.vault.close()
        self.tools.suppression.close()
        if self.tools.consents is not None:
            self.tools.consents.close()
        if self._requests is not None:
            self._requests.close()
        self.tools.keys.close()
        self.locks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- before a case ----------------------------------------------------------------------------------------------

    def resolve(self, given: Sequence[Identifier]) -> Subject:
        """All identifiers of the person meant. Raises :class:`~habeas.errors.InputError`; sends nothing."""
        return resolve(given, self.identity)

    def policy_for(self, case_type: CaseType, regime: str, name: str = "") -> Policy:
        """The policy asked for, configured, or usual for the regime. Raises :class:`~habeas.errors.PolicyError`."""
        wanted = "erasure" if case_type is CaseType.ERASURE else "access"
        usual = _DEFAULT_POLICIES.get(regime, {}).get(wanted, f"gdpr-{wanted}")
        policy = self.tools.policy(name or self.config.default_policy.get(wanted, usual))
        if policy.type != wanted:
            raise PolicyError(f"policy {policy.name} is for {policy.type}, not for {wanted}")
        policy.require_current(self.tools.local_date(self.tools.clock.now()))
        self._refuse_unknown_names(policy)
        self._refuse_unfindable(policy)
        return policy

    def _refuse_unfindable(self, policy: Policy) -> None:
        """A case names its policy; one that was given by its path could not be found again by `habeas resume`."""
        try:
            found = self.tools.policy(policy.name).digest == policy.digest
        except PolicyProblem:
            found = False
        if not found:
            raise PolicyError(
                f"policy {policy.name} is not in the folder of policies",
                advice="put it there, name the folder as `folder` under [policies], and give the policy's name",
            )

    def _refuse_unknown_names(self, policy: Policy) -> None:
        """A hold that names a connection nobody has would hold nothing, and what it was to keep would be erased."""
        infos = [link.info for link in self.tools.links.values()]
        known = {
            "connection": set(self.tools.links),
            "plugin": {info.name for info in infos},
            "record": {kind.name for info in infos for kind in info.kinds},
        }
        for number, rule in enumerate(policy.rules, 1):
            for what, names in known.items():
                unknown = sorted(set(getattr(rule.match, what)) - names)
                if unknown:
                    raise PolicyError(
                        f"policy {policy.name}: rule {number} names a {what} that is not configured here",
                        advice=f"correct it; known: {', '.join(sorted(names))}",
                    )

    def new_case(
        self, case_type: CaseType, subject: Subject, *, policy: str = "", regime: str = "", reference: str = "",
        received_at: datetime | None = None, output: str = "", details: Mapping[str, Json] | None = None,
        approved: bool = False, follows: str = "",
    ) -> NewCase:  # fmt: skip
        """A case ready to be opened, with its deadline.

        Raises :class:`~habeas.errors.PolicyError`, and :class:`~habeas.errors.InputError` for a reference or file name
        that cannot be stored.
        """
        for what, text in (("reference", reference), ("name of the output", output)):
            if len(text) > _MAX_TEXT or not is_text(text):
                raise InputError(f"the {what} is longer than {_MAX_TEXT} characters, or not text")
        regime = regime or self.config.controller.regime
        received = received_at or self.tools.clock.now()
        controller = self.config.controller
        try:
            deadline = due(regime, received, controller.timezone, holidays=controller.holidays)
        except PolicyProblem as problem:
            raise PolicyError(str(problem), advice=problem.advice) from None
        chosen = self.policy_for(case_type, regime, policy) if case_type in WITH_POLICY else None
        return NewCase(
            case_type, Request(subject, reference, output, details or {}), regime, received, deadline.due,
            deadline.rule_id,
            chosen.name if chosen else "", chosen.digest if chosen else "", approved, follows,
            deadline.acknowledge_by, chosen.identity_check if chosen else False,
        )  # fmt: skip

    def refuse_duplicate(self, new: NewCase) -> None:
        """Raises :class:`RefusedError` where the same person asks for the same in a case that is still open."""
        with self.opening():
            self._refuse_duplicate(new)

    def _refuse_duplicate(self, new: NewCase) -> None:
        found = self.tools.register.duplicate(new.type, new.request.subject)
        if found is not None:
            raise RefusedError(
                f"case {found.case_id} ({found.status}, due {self.local_day(found.due_at)}) is about the same",
                advice="`habeas resume` goes on with it; --again opens another",
            )

    def opening(self) -> AbstractContextManager[None]:
        """From looking whether a request is open until it is: no other process of this home is in between."""
        return self.locks.alone("opening", self.tools.clock)

    def open_case(self, run: Run, new: NewCase, *, again: bool = True) -> str:
        """Opens a case; with ``again`` also where one about the same is open. Raises :class:`RefusedError`."""
        with self.opening():
            if not again:
                self._refuse_duplicate(new)
            return self.tools.register.open(run.run_id, [new])[0]

    def refuse_without_four_eyes(self) -> None:
        """Raises :class:`RefusedError` where erasures need a plan, an approval and somebody who applies it."""
        if self.config.approvals.required:
            raise RefusedError(
                "erasures need more than one person here ([approvals] required)",
                advice="`habeas plan`, then `habeas approve` and `habeas apply` by somebody else",
            )

    # -- runs -------------------------------------------------------------------------------------------------------

    @contextmanager
    def run(self, command: str, listen: Callable[[Event], None], control: RunControl, name: str = "") -> Iterator[Run]:
        """One run, from ``run.started`` to ``run.ended``. A run that is killed has no end: `resume` sees that."""
        ledger = self.tools.ledger
        run = Run(name or run_id(self.tools.clock.now()), actor(), control, listen)
        plugins = {link.name: link.info.name for link in self.tools.links.values()}
        packages = dict(self.tools.registry.packages)
        started = {"command": command, "version": __version__, "plugins": plugins, "packages": packages}
        time = RunTime(ledger, self.tools.clock, run.run_id)
        ledger.append(Draft("run.started", "", run.run_id, "", run.actor, started), *time.before)
        ended = "broken"
        try:
            yield run
            ended = "stopped" if control.stopped.is_set() else "done"
        finally:
            # If the ledger itself is what broke, the first error is the one to tell.
            with suppress(Exception):
                self.seal.end(*time.end(), Draft("run.ended", "", run.run_id, "", "", {"how": ended}))

    def plan_only(self, run: Run, subject: Subject, policy: Policy) -> Plan:
        """What an erasure would do. Reads only, opens no case."""
        received = rfc3339(self.tools.clock.now())
        plan = search_and_plan(self.tools, run, "", subject, policy, received, None)
        self.note_search(run, subject, {p.connection: len(p.items) for p in plan.connections}, "dry run")
        return plan

    def note_search(self, run: Run, subject: Subject, records: dict[str, int], why: str) -> None:
        """Writes that somebody looked a person up: an inventory or a dry run is a processing of its own."""
        now = self.tools.clock.now()
        pseudonyms = sorted({self.tools.keys.pseudonym(i.kind, i.value, now) for i in subject.identifiers})
        data = {"subject": pseudonyms, "records": records, "why": why}
        self.tools.ledger.append(Draft("subject.searched", "", run.run_id, "", run.actor, data))

    def look_up(self, run: Run, subject: Subject, why: str) -> dict[str, Inventory | ConnectionTrouble]:
        """Connection → what it holds about somebody. Reads only; that it was done is written down."""
        links = list(self.tools.links.values())
        results = side_by_side(links, lambda link: search(self.tools, run, link, subject), run.control)
        found = {link.name: result for link, result in zip(links, results, strict=True)}
        counts = {
            name: sum(r.count for r in result.records) if isinstance(result, Inventory) else -1
            for name, result in found.items()
        }
        self.note_search(run, subject, counts, why)
        return found

    def carry_out(self, run: Run, new: NewCase, *, again: bool = True) -> CaseView:
        """Opens a case that needs no further yes, and passes over it once."""
        case_id = self.open_case(run, new, again=again)
        with self.hold(case_id):
            return self.work_on(run, case_id) or self.tools.register.view(case_id)

    def erasure(self, run: Run, case_id: str) -> ErasurePass:
        """One pass over an erasure case; hold its lock."""
        return ErasurePass(self.tools, run, case_id)

    @contextmanager
    def hold(self, case_id: str) -> Iterator[None]:
        """Holds a case's lock. Raises :class:`StorageError` where another process works on it."""
        if not self.locks.take(case_id):
            raise StorageError(f"case {case_id} is being worked on by another process", advice="wait for it")
        try:
            yield
        finally:
            self.locks.release(case_id)

    def work_on(self, run: Run, case_id: str) -> CaseView | None:
        """One whole pass over a case of any type; the case's lock is held by the caller."""
        view = self.tools.register.view(case_id)
        if view.closed:
            return view
        if view.doubtful or (view.type is CaseType.ERASURE and not view.approved):
            run.emit(CaseUnapproved(case_id, view.waits_for))
            return None
        if view.type is CaseType.ERASURE and (why := not_resumed(self.tools, self.config.approvals, view)):
            run.emit(CaseUnapproved(case_id, why))
            return None
        match view.type:
            case CaseType.ERASURE:
                work = ErasurePass(self.tools, run, case_id)
                return work.execute(work.prepare())
            case CaseType.INVENTORY:
                return InventoryPass(self.tools, run, case_id).execute()
            case CaseType.CONSENT | CaseType.RECTIFICATION:
                return ChangePass(self.tools, run, case_id).execute()
            case CaseType.CANARY:
                return CanaryPass(self.tools, run, case_id).clean_up()
            case _:
                return AccessPass(self.tools, run, case_id, __version__).execute()

    def run_all(self, run: Run, case_ids: Iterable[str], schedule: Schedule | None = None) -> Iterator[Event]:
        """Passes over many cases, several at a time. Yields events; see :func:`habeas.engine.passes.run_passes`."""

        def work(case_id: str, emit: Callable[[Event], None]) -> CaseView | None:
            return self.work_on(Run(run.run_id, run.actor, run.control, emit), case_id)

        schedule = schedule or Schedule(self.tools, run.control)
        return run_passes(self.tools, case_ids, work, schedule, locks=self.locks, workers=self.workers)

    @property
    def workers(self) -> int:
        """How many cases are worked on at a time: as many as all connections together take calls."""
        return min(_MAX_CASE_WORKERS, max(2, sum(link.limits.concurrency for link in self.tools.links.values())))

    # -- after a case -----------------------------------------------------------------------------------------------

    def record(self, view: CaseView) -> CaseRecord:
        """A case with its reference, its notices and where its package is, as far as the vault still knows them."""
        is_access = view.type in (CaseType.ACCESS, CaseType.PORTABILITY)
        vault = self.tools.vault
        try:
            request = self.tools.register.request(view.case_id)
            if view.plan_item:
                notices = Plan.from_json(vault.get(view.case_id, view.plan_item)).notices
            elif is_access and view.outcomes:
                notices = tuple(Notice(*parts) for parts in vault.get(view.case_id, "notices"))
            else:
                notices = ()
        except KeyDestroyed:
            return CaseRecord(view, "", (), "", "destroyed")
        except StorageError:
            return CaseRecord(view, "", (), "", "destroyed" if view.details_destroyed_at else "unavailable")
        path = Path(request.output) if request.output else self.tools.home.packages / f"{view.case_id}.zip"
        return CaseRecord(view, request.reference, notices, str(path) if is_access and path.exists() else "")

    def seen(self, case_id: str) -> CaseView:
        """A case as it stands. One that says "running" while no process holds it was interrupted: ``incomplete``."""
        view = self.tools.register.view(case_id)
        if view.status is CaseStatus.RUNNING and self.locks.take(case_id):
            self.locks.release(case_id)
            return replace(view, status=CaseStatus.INCOMPLETE)
        return view

    def sent(self, view: CaseView) -> bool:
        """Whether anything that could change something was sent to a vendor for a case."""
        return self.tools.ledger.last(view.case_id, ["call.intent"]) is not None

    def local_day(self, at: str) -> str:
        """The day of an RFC 3339 instant at the controller's seat: ``2026-11-21``."""
        return self.tools.local_date(datetime.fromisoformat(at)).isoformat()

    def case_json(self, view: CaseView) -> Json:
        """The contract's JSON of a case, with the ledger's present head."""
        return self.record(view).to_json(self.tools.ledger.head())

    def ledger_json(self) -> Json:
        """The ledger's present head, as every command's JSON shows it."""
        return head_json(self.tools.ledger.head())
