"""Under which ids a person may be at Talon.One, and what is held there."""

from __future__ import annotations

from dataclasses import dataclass

from habeas import Gap, Inventory, Record, Result, Subject
from habeas.connection import Connection
from habeas.http.api import Api
from habeas_talonone import activity, client, mapping
from habeas_talonone.mapping import Holding
from habeas_talonone.naming import PROFILE
from habeas_talonone.settings import ID_KINDS, applications

__all__ = ["NO_ID", "SHELL_NAMES", "Look", "find", "integration_ids", "ledger_left", "look", "names_the_person"]

NO_ID = (
    "No Talon.One id of this person is known. Look the customer up in the Campaign Manager, and give the integration"
    " ID shown there as `{name}=…` or in the column `{name}` of the identity table."
)
SHELL_NAMES = (
    "Talon.One keeps an empty profile whose id is the person's e-mail address or phone number, and no call removes an"
    " id: ask Talon.One support to remove the profile."
)


@dataclass(frozen=True, repr=False)
class Look:
    """One reading of the inventory. ``held`` is None where Talon.One knows no such profile."""

    held: Holding | None
    evidence: str

    @property
    def known(self) -> bool:
        """Whether more than an empty profile is there."""
        held = self.held
        return held is not None and (held.described or held.active or any(held.refs(kind) for kind in mapping.KINDS))


def integration_ids(connection: Connection, subject: Subject) -> tuple[str, ...]:
    """The person's ``integrationId`` values: those of the identity table, or else what the shop sends as such.

    Several are possible: profiles are shared by the Applications of an environment, and shops may prefix ids.
    """
    own = subject.values(connection.name)
    return own or subject.values(str(connection.settings.get("integration_id") or ID_KINDS[0]))


def look(api: Api, integration_id: str) -> Look:
    """Reads the inventory under one id. Raises :class:`~habeas.VendorError`."""
    answer = client.inventory(api, integration_id)
    if answer.status == 404:
        return Look(None, answer.evidence)
    return Look(client.read_as(answer, lambda document: mapping.holding(document, integration_id)), answer.evidence)


def ledger_left(api: Api, program: str, integration_id: str) -> tuple[bool, str]:
    """Whether a program has points or transactions of the person, and the read that says so.

    Points that are used up leave balances of zero and a history, so the balances alone do not tell.
    """
    balances = client.program_balances(api, program, integration_id)
    if balances.status == 404:
        return False, balances.evidence
    if not client.read_as(balances, mapping.balance_is_zero):
        return True, balances.evidence
    first = next(client.program_transactions(api, program, integration_id))
    if first.status == 404:
        return False, first.evidence
    return bool(client.read_as(first, lambda document: mapping.items(document, "data"))), first.evidence


def names_the_person(integration_id: str, subject: Subject) -> bool:
    """Whether an id says by itself who the person is."""
    return "@" in integration_id or integration_id in (*subject.values("email"), *subject.values("phone"))


def find(connection: Connection, subject: Subject) -> Inventory:
    """The inventory hook: all records under all of the person's ids.

    Sessions, events and friends are searched where a Management API key is configured, whether or not there is a
    profile: an erasure may leave them.
    """
    ids = integration_ids(connection, subject)
    if not ids:
        return Inventory((), (Gap(PROFILE, Result.MANUAL, NO_ID.format(name=connection.name)),))
    records: list[Record] = []
    gaps: list[Gap] = []
    evidence: list[str] = []
    for integration_id in ids:
        seen = look(connection.api, integration_id)
        found = _profile_records(connection.api, seen)
        evidence.append(seen.evidence if found or seen.held is None else f"{seen.evidence}, an empty profile")
        if seen.held is not None and not found and names_the_person(integration_id, subject):
            gaps.append(Gap(PROFILE, Result.MANUAL, SHELL_NAMES, 1))
        listed, reads = activity.records(connection, integration_id)
        evidence += reads
        records += (*found, *listed)
    if records and not applications(connection.settings):
        gaps += activity.GAPS
    return Inventory(tuple(records), tuple(gaps), "; ".join(dict.fromkeys(evidence)))


def _profile_records(api: Api, seen: Look) -> tuple[Record, ...]:
    """What one reading of the inventory holds; empty where there is no profile, or an empty one."""
    held = seen.held
    if held is None:
        return ()
    programs = held.programs
    if not (held.described or held.active):
        # An empty profile can still be listed as a member: only points or a history are data about somebody.
        programs = tuple(p for p in programs if ledger_left(api, p, held.integration_id)[0])
    return mapping.records(held, programs)
