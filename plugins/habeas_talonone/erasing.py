"""The erase hook: reservations, points, cards and audiences by their own calls, the profile last; then all read back.

The order matters: once customer data is deleted, the profile may answer 404, and what was not removed before can be
neither seen nor removed through the Integration API. So the last call is made only after a reading shows that every
step before it is done, and each item's outcome comes from readings after the last call: a run that was interrupted
anywhere and resumed reads the same as one that was not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from habeas import Action, AuthRejected, Erasure, NotSent, Outcome, OutcomeUnknown, PlanItem, Result, VendorError
from habeas.connection import Connection
from habeas_talonone import activity, client, mapping
from habeas_talonone.lookup import SHELL_NAMES, Look, ledger_left, look, names_the_person
from habeas_talonone.naming import AUDIENCE, CARD, COUPON, EVENT, FRIEND, PROFILE, PROGRAM, REFERRAL, SESSION
from habeas_talonone.settings import applications, retention_days
from habeas_talonone.wording import (
    ACTIVITY_KEPT,
    ADVOCATE,
    CARD_STAYS,
    COUPON_STAYS,
    EARNED,
    ISSUED,
    KEPT,
    LEFT_BEHIND,
    MEMBER,
    MEMBER_KEPT,
    NO_KEY,
    NOT_PLANNED,
    NOT_READY,
    ORPHANED,
    REDEEMED,
    REFERRAL_STAYS,
    RETENTION,
    SHELL,
    STILL_THERE,
    UNSEEN,
)

__all__ = ["erase"]

_OWN_CALL = (COUPON, PROGRAM, CARD, AUDIENCE)
"""Kinds that have a call of their own, in the order in which they are erased. The others go with the profile."""


@dataclass(frozen=True)
class _Standing:
    """What one reading says of one item."""

    evidence: str
    left: tuple[str, ...] = ()
    """The ids that are still there, and have a call of their own."""
    waiting: tuple[str, ...] = ()
    """Those that only deleting customer data removes."""
    by_hand: str = ""
    """What a person must do, where nothing is left that a call could remove."""
    reason: str = ""
    """What is to be said of an item that is gone."""
    bare: bool = False
    """True for sessions and events whose attributes are gone: what waits goes when the vendor's retention ends."""


@dataclass(frozen=True)
class _Trouble:
    """Why a step was not done."""

    result: Result
    reason: str


def erase(connection: Connection, erasure: Erasure) -> tuple[Outcome, ...]:
    """One outcome for each item with action ``erase``; the items of each ``integrationId`` by themselves.

    What the plan keeps or hands to a person is left alone. Nothing is raised for one id's trouble, so that the others
    are still done; :class:`~habeas.errors.RunEnded` and storage errors pass.
    """
    items: dict[str, list[PlanItem]] = {}
    for item in erasure.items:
        items.setdefault(str(item.record.data["integration_id"]), []).append(item)
    outcomes = [
        outcome
        for integration_id, planned in items.items()
        for outcome in _Person(connection, erasure, integration_id, planned).run()
    ]
    return tuple(sorted(outcomes, key=lambda outcome: outcome.index))


class _Person:
    """The work under one ``integrationId``, for one call of the hook."""

    def __init__(self, connection: Connection, erasure: Erasure, integration_id: str, planned: list[PlanItem]) -> None:
        self._connection = connection
        self._api = connection.api
        self._id = integration_id
        self._planned = planned
        self._items = [item for item in planned if item.action is Action.ERASE]
        self._profile = next((item for item in self._items if item.record.kind == PROFILE), None)
        self._resumed = erasure.resumed
        self._named = names_the_person(integration_id, erasure.subject)
        self._begun: dict[int, _Standing] = {}
        """What was there when this call began, by item."""
        self._trouble: dict[int, _Trouble] = {}
        self._refused: AuthRejected | None = None
        """Set once the credentials are refused: asking on could lock the key."""

    def run(self) -> list[Outcome]:
        """Everything, in order."""
        if not self._items:
            return []
        try:
            before = look(self._api, self._id)
        except VendorError as error:
            return [Outcome(item.index, Result.FAILED, "", error.message) for item in self._items]
        for item in self._items:
            self._begin(item, before)
        for kind in _OWN_CALL:
            for item in self._items:
                if item.record.kind == kind:
                    self._clear(item)
        if self._profile is not None and self._was_there(self._profile):
            self._erase_profile(self._profile)
        return self._outcomes()

    # -- steps ------------------------------------------------------------------------------------------------------

    def _begin(self, item: PlanItem, before: Look) -> None:
        if self._refused is not None:
            self._troubled(item, self._refused)
            return
        try:
            self._begun[item.index] = self._standing(item, before)
        except VendorError as error:
            self._troubled(item, error)

    def _clear(self, item: PlanItem) -> None:
        begun = self._begun.get(item.index)
        for ref in begun.left if begun is not None else ():
            if self._refused is not None:
                self._troubled(item, self._refused)
                return
            try:
                self._remove(item.record.kind, ref)
            except VendorError as error:
                self._troubled(item, error)

    def _erase_profile(self, item: PlanItem) -> None:
        if self._refused is not None:
            self._troubled(item, self._refused)
            return
        try:
            obstacle = self._obstacle()
            if obstacle:
                self._trouble[item.index] = _Trouble(Result.FAILED, obstacle)
                return
            client.delete_data(self._api, self._id, lambda: not self._profile_left(item, look(self._api, self._id)))
        except VendorError as error:
            self._troubled(item, error)

    def _obstacle(self) -> str:
        """Why customer data may not be deleted yet; empty where it may. Reads the vendor."""
        now = look(self._api, self._id)
        for item in self._items:
            if item.record.kind in _OWN_CALL and (
                item.index not in self._begun or any(self._ref_left(item.record.kind, r, now) for r in item.record.ids)
            ):
                return NOT_READY
        return NOT_PLANNED if self._unplanned(now) else ""

    def _unplanned(self, now: Look) -> bool:
        if now.held is None:
            return False
        planned = {(item.record.kind, ref) for item in self._planned for ref in item.record.ids}
        new = [(kind, ref) for kind in mapping.KINDS for ref in now.held.refs(kind) if (kind, ref) not in planned]
        return any(kind != PROGRAM or ledger_left(self._api, ref, self._id)[0] for kind, ref in new)

    def _remove(self, kind: str, ref: str) -> None:
        api, who = self._api, self._id
        if kind == COUPON:
            client.unreserve(api, ref, who, lambda: not self._reserved(ref)[0])
        elif kind == PROGRAM:
            client.delete_transactions(api, ref, who, lambda: not ledger_left(api, ref, who)[0])
        elif kind == CARD:
            program, card = mapping.split_card_ref(ref)
            client.unlink_card(api, program, card, who, lambda: not self._linked(ref)[0])
        else:
            client.leave_audience(
                api, int(ref), who, lambda: not _listed(kind, ref, look(api, who)), ok=(200, 204, 404)
            )

    def _troubled(self, item: PlanItem, error: VendorError) -> None:
        if isinstance(error, AuthRejected):
            self._refused = error
        known = self._trouble.get(item.index)
        if known is None or known.result is not Result.UNKNOWN:
            result = Result.UNKNOWN if isinstance(error, OutcomeUnknown) else Result.FAILED
            self._trouble[item.index] = _Trouble(result, error.message)

    # -- readings ---------------------------------------------------------------------------------------------------

    def _standing(self, item: PlanItem, now: Look) -> _Standing:
        """What is left of one item. Reads more than the inventory where only that can tell once the profile is gone."""
        kind, refs = item.record.kind, item.record.ids
        if kind == PROFILE:
            return _Standing(now.evidence, left=refs if self._profile_left(item, now) else ())
        if kind == COUPON:
            return self._coupons_standing(item, now)
        if kind == CARD:
            return self._cards_standing(refs, now)
        if kind in activity.KINDS:
            return self._activity_standing(kind)
        listed = tuple(ref for ref in refs if _listed(kind, ref, now))
        if kind == PROGRAM:
            reads = [(ref, *ledger_left(self._api, ref, self._id)) for ref in refs]
            return _Standing(_joined(e for _, _, e in reads), tuple(r for r, left, _ in reads if left), listed)
        if kind == AUDIENCE:
            return _Standing(now.evidence, left=listed)
        if kind == REFERRAL:
            by_hand = ADVOCATE if self._named else ""
            return _Standing(now.evidence, waiting=listed, by_hand=by_hand, reason=REFERRAL_STAYS)
        return _Standing(now.evidence, waiting=listed)

    def _activity_standing(self, kind: str) -> _Standing:
        if not applications(self._connection.settings):
            raise NotSent(NO_KEY, advice="give the connection its `management_key` again")
        seen = activity.listing(self._connection, kind, self._id)
        waiting = seen.ids or (kind,) * seen.count
        return _Standing(seen.evidence, waiting=waiting, bare=kind != FRIEND and not seen.described)

    def _coupons_standing(self, item: PlanItem, now: Look) -> _Standing:
        reads = [(ref, *self._reserved(ref)) for ref in item.record.ids]
        left = tuple(ref for ref, reserved, _ in reads if reserved)
        waiting = tuple(ref for ref, reserved, _ in reads if not reserved and _listed(COUPON, ref, now))
        evidence = _joined(e for _, _, e in reads)
        if all(e.endswith(" 404") for _, _, e in reads):
            return _Standing(evidence, left, waiting)
        issued, noted = item.record.data.get("issued"), item.record.data.get("noted")
        by_hand = ISSUED if issued and self._named else ""
        return _Standing(evidence, left, waiting, by_hand, COUPON_STAYS if issued or noted else "")

    def _cards_standing(self, refs: tuple[str, ...], now: Look) -> _Standing:
        reads = [(ref, *self._linked(ref)) for ref in refs]
        left = tuple(ref for ref, linked, _ in reads if linked or _listed(CARD, ref, now))
        earned = "" if left else next(filter(None, map(self._earned, refs)), "")
        evidence = earned or _joined(e for _, _, e in reads)
        return _Standing(evidence, left, by_hand=EARNED if earned else "", reason=CARD_STAYS)

    def _ref_left(self, kind: str, ref: str, now: Look) -> bool:
        """A quick reading in the middle: what the inventory does not list is done, what it lists is asked about."""
        if kind == PROGRAM:
            return ledger_left(self._api, ref, self._id)[0]
        if not _listed(kind, ref, now):
            return False
        return self._reserved(ref)[0] if kind == COUPON else True

    def _reserved(self, coupon: str) -> tuple[bool, str]:
        answer = client.reserved_by(self._api, coupon)
        if answer.status == 404:
            return False, answer.evidence
        names = client.read_as(answer, lambda document: mapping.reservation_names(document, self._id))
        return names, answer.evidence

    def _linked(self, ref: str) -> tuple[bool, str]:
        answer = client.card_balances(self._api, *mapping.split_card_ref(ref))
        if answer.status == 404:
            return False, answer.evidence
        return client.read_as(answer, lambda document: mapping.card_names(document, self._id)), answer.evidence

    def _earned(self, ref: str) -> str:
        """The read that shows points on the card which still name the person as their earner; empty without."""
        program, card = mapping.split_card_ref(ref)
        for status in client.POINTS_STATUSES:
            for page in client.card_points(self._api, program, card, status):
                if client.read_as(page, lambda document: mapping.points_name(document, self._id)):
                    return page.evidence
        return ""

    def _profile_left(self, item: PlanItem, now: Look) -> bool:
        """An empty profile is a rest that cannot be removed, unless it was as empty when it was planned."""
        if now.held is None:
            return False
        return now.held.described or not item.record.data.get("described")

    # -- outcomes ---------------------------------------------------------------------------------------------------

    def _outcomes(self) -> list[Outcome]:
        try:
            after = look(self._api, self._id)
        except VendorError as error:
            return [self._unread(item, error) for item in self._items]
        return [self._outcome(item, after) for item in self._items]

    def _outcome(self, item: PlanItem, after: Look) -> Outcome:
        if item.index not in self._begun:
            # Nobody saw whether it was there: what is gone by now, a second pass may call erased.
            unseen = self._trouble[item.index]
            return Outcome(item.index, unseen.result, "", unseen.reason)
        try:
            standing = self._standing(item, after)
        except VendorError as error:
            return self._unread(item, error)
        if item.record.kind == PROFILE and after.held is not None:
            return self._shell(item, after)
        trouble = self._why_left(item, standing, after)
        if trouble is not None and trouble.result is Result.ACCEPTED:
            days = retention_days(self._connection.settings)
            until = (self._connection.clock.now() + timedelta(days=days)).date().isoformat()
            return Outcome(item.index, trouble.result, standing.evidence, trouble.reason, until)
        if trouble is None and standing.by_hand:
            # While the profile is still to go, what it leaves behind is not yet certain.
            trouble = self._above(after) or _Trouble(Result.MANUAL, standing.by_hand)
        if trouble is not None:
            return Outcome(item.index, trouble.result, standing.evidence, trouble.reason)
        reason = MEMBER if item.record.kind == PROGRAM and standing.waiting else standing.reason
        return Outcome(item.index, self._gone(item), standing.evidence, reason)

    def _shell(self, item: PlanItem, after: Look) -> Outcome:
        """What a profile that still answers means."""
        trouble = self._trouble.get(item.index)
        left = self._profile_left(item, after)
        if left and (trouble is not None or (after.held is not None and after.held.described)):
            trouble = trouble or _Trouble(Result.FAILED, STILL_THERE)
            return Outcome(item.index, trouble.result, after.evidence, trouble.reason)
        if self._named:
            return Outcome(item.index, Result.MANUAL, after.evidence, SHELL_NAMES)
        if left:
            return Outcome(item.index, Result.ACCEPTED, after.evidence, UNSEEN)
        return Outcome(item.index, self._gone(item), after.evidence, SHELL)

    def _why_left(self, item: PlanItem, standing: _Standing, after: Look) -> _Trouble | None:
        """Why an item is still there; None where it is not."""
        if standing.left:
            return self._trouble.get(item.index) or _Trouble(Result.FAILED, STILL_THERE)
        if not standing.waiting:
            return None
        kind = item.record.kind
        kept = any(one.record.kind == PROFILE for one in self._planned) or kind not in activity.KINDS
        if self._profile is None and kept:
            words = {PROGRAM: MEMBER_KEPT, COUPON: REDEEMED, SESSION: ACTIVITY_KEPT, EVENT: ACTIVITY_KEPT}
            return _Trouble(Result.MANUAL, words.get(kind, KEPT))
        above = self._above(after)
        if above is not None or kind == PROGRAM:
            return above
        if standing.bare:
            return _Trouble(Result.ACCEPTED, RETENTION)
        if self._profile is None:
            return _Trouble(Result.MANUAL, ORPHANED)
        return _Trouble(Result.MANUAL, REDEEMED if kind == COUPON else LEFT_BEHIND)

    def _above(self, after: Look) -> _Trouble | None:
        """Why the profile, though planned, is not erased yet."""
        if self._profile is None:
            return None
        stays = after.held is not None and after.held.described
        return self._trouble.get(self._profile.index) or (_Trouble(Result.FAILED, STILL_THERE) if stays else None)

    def _was_there(self, item: PlanItem) -> bool:
        """Whether the item was there when this call began; what waits for the profile, only with it."""
        begun = self._begun.get(item.index)
        if begun is None or begun.left:
            return begun is not None
        return bool(begun.waiting) and (self._profile is None or self._was_there(self._profile))

    def _gone(self, item: PlanItem) -> Result:
        """Erased by us, unless somebody else was faster than our first attempt."""
        return Result.ERASED if self._resumed or self._was_there(item) else Result.ABSENT

    def _unread(self, item: PlanItem, error: VendorError) -> Outcome:
        trouble = self._trouble.get(item.index)
        if trouble is not None and trouble.result is Result.UNKNOWN:
            return Outcome(item.index, Result.UNKNOWN, "", trouble.reason)
        return Outcome(item.index, Result.FAILED, "", error.message)


def _listed(kind: str, ref: str, now: Look) -> bool:
    return now.held is not None and ref in now.held.refs(kind)


def _joined(evidence: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(evidence))
