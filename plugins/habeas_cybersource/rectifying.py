"""Rectifying: a value is corrected wherever it stands and is the person's, and read back.

1. Read the customer and both its lists. Nothing is sent for a token that is not there.
2. PATCH each record that holds another value than the right one, with ``if-match``, so that nobody else's change is
   overwritten. What may be corrected: :mod:`.owning`. The records by which the others are recognised go last, after the
   others were read back, and wait where one of those is not right yet: a run begun anew still recognises it.
3. After the last change, read everything again: the effects come from there, never from the answer to a PATCH.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from habeas import Correction, Effect, Field, NotSent, OutcomeUnknown, Rectification, Rejected, Result, VendorError
from habeas.connection import Connection
from habeas.models import Json
from habeas_cybersource import client, kinds, owning
from habeas_cybersource.lookup import customer_tokens
from habeas_cybersource.owning import Holding, Known, Saved

__all__ = ["rectify"]

_WORST_FIRST = (Result.FAILED, Result.UNKNOWN, Result.MANUAL, Result.UPDATED, Result.UNCHANGED)
_FOREIGN = {
    kinds.PAYMENT_INSTRUMENT: (
        "another payment instrument has another value, which may be somebody else's: compare the customer token's "
        "payment instruments in the Business Center, and correct there what is this person's"
    ),
    kinds.SHIPPING_ADDRESS: (
        "a shipping address has another value, which may be somebody else's (a gift): compare the customer token's "
        "shipping addresses in the Business Center, and correct there what is this person's"
    ),
    kinds.INSTRUMENT_IDENTIFIER: (
        "the token of the card's number has another billing address or e-mail, which is one for all who use the card: "
        "look in the Business Center whether it is to be corrected"
    ),
}
_TOO_LONG = "the right value is longer than this field takes: enter a shorter form in the Business Center"
_TITLE = (
    "the customer token's title, a free text that may be the person's name, does not have the right one: look at it in "
    "the Business Center"
)
_NAME_ALONE = "TMS keeps first and last name apart: run again with first_name and last_name"
_NAME_APART = "no field holds the whole name: TMS keeps first and last name apart"
_NOT_HELD = "no record of this person holds the field"
_STILL_OTHER = "the vendor said that the record was corrected, and still shows another value"
_QUICKER = "somebody else changed the record at the same moment, twice"
_LATE = "the record came while the others were corrected"
_AGAIN = "run `habeas resume`"
_FOR_GOOD = (400, 404, 409, 410)
_WAITS = NotSent("not corrected yet: other records, which are recognised by this one, could not be", advice=_AGAIN)


@dataclass(frozen=True, repr=False)
class _Held:
    """What one customer token holds, as read once."""

    documents: tuple[Saved, ...]
    evidence: Mapping[str, str]
    """By kind of record."""


@dataclass(frozen=True, repr=False)
class _Token:
    """One customer token: how it was, what was done, how it is."""

    before: _Held
    own: Known
    problems: Mapping[tuple[str, str], VendorError]
    """By kind and token of the record."""
    now: _Held | VendorError


@dataclass(frozen=True)
class _Said:
    """What became of one correction in one record."""

    kind: str
    result: Result
    reason: str = ""


def rectify(connection: Connection, wanted: Rectification) -> tuple[Effect, ...]:
    """One effect for each correction and kind of record that holds the field; at least one for each correction.

    Raises :class:`~habeas.VendorError` where the vendor cannot be read before anything was changed.
    """
    names, problem = customer_tokens(connection, wanted.subject)
    before = {name: _read(connection, name) for name in names}
    changes = connection.api.changes
    tokens = {name: _correct(connection, name, held, wanted) for name, held in before.items()}
    if connection.api.changes != changes:
        # Nothing is changed from here on: what is read now is how it stays.
        tokens = {name: replace(token, now=_read_again(connection, name)) for name, token in tokens.items()}
    return tuple(
        effect for correction in wanted.corrections for effect in _effects(correction, wanted, tokens.values(), problem)
    )


# -- reading ----------------------------------------------------------------------------------------------------------


def _read(connection: Connection, customer: str) -> _Held:
    answer = client.get_customer(connection, customer)
    evidence = {kinds.CUSTOMER: answer.evidence}
    if answer.status in client.GONE:
        return _Held((), evidence)
    documents = [Saved(kinds.CUSTOMER, customer, answer.json(), anchor=True)]
    anchored = False
    # Payment instruments come first: an address is the anchor only where there are none.
    for part in client.PARTS.values():
        for page, entries in client.part_pages(connection, part, customer):
            evidence[part.kind] = page.evidence
            documents += [Saved(part.kind, e.id, e.document, e.default and not anchored) for e in entries]
            for number, card in {e.identifier: e.card for e in entries if e.card}.items():
                documents.append(Saved(kinds.INSTRUMENT_IDENTIFIER, number, card, anchor=False))
                evidence[kinds.INSTRUMENT_IDENTIFIER] = page.evidence
        anchored = anchored or any(saved.kind == part.kind for saved in documents)
    return _Held(tuple({(saved.kind, saved.id): saved for saved in documents}.values()), evidence)


def _read_again(connection: Connection, customer: str) -> _Held | VendorError:
    try:
        return _read(connection, customer)
    except VendorError as error:
        return error


# -- correcting -------------------------------------------------------------------------------------------------------


def _correct(connection: Connection, customer: str, held: _Held, wanted: Rectification) -> _Token:
    own = owning.known(wanted.subject, held.documents)
    wrong = [saved for saved in held.documents if owning.patch(saved, wanted.corrections, own)]
    problems: dict[tuple[str, str], VendorError] = {}
    others = [saved for saved in wrong if not saved.anchor]
    for saved in others:
        _try(connection, customer, saved, wanted, own, problems)
    waits = bool(others) and _some_may_pass(connection, customer, wanted, own, problems)
    for saved in wrong:
        if saved.anchor and waits:
            problems[saved.kind, saved.id] = _WAITS
        elif saved.anchor:
            _try(connection, customer, saved, wanted, own, problems)
    return _Token(held, own, problems, held)


def _try(
    connection: Connection,
    customer: str,
    saved: Saved,
    wanted: Rectification,
    own: Known,
    problems: dict[tuple[str, str], VendorError],
) -> None:
    try:
        _amend(connection, customer, saved, wanted.corrections, own)
    except VendorError as error:
        problems[saved.kind, saved.id] = error


def _some_may_pass(
    connection: Connection,
    customer: str,
    wanted: Rectification,
    own: Known,
    problems: Mapping[tuple[str, str], VendorError],
) -> bool:
    """Whether a record that is recognised by another is still wrong, and may be right after the next run."""
    now = _read_again(connection, customer)
    if isinstance(now, VendorError):
        return True
    wrong = [s for s in now.documents if not s.anchor and owning.patch(s, wanted.corrections, own)]
    return any(_may_pass(problems.get((saved.kind, saved.id))) for saved in wrong)


def _may_pass(problem: VendorError | None) -> bool:
    """False for what the vendor will refuse each time: nothing is gained by waiting for it."""
    return not isinstance(problem, Rejected) or problem.status not in _FOR_GOOD


def _amend(connection: Connection, customer: str, saved: Saved, corrections: Sequence[Correction], own: Known) -> None:
    def body(document: Json) -> Json:
        return owning.patch(replace(saved, document=document), corrections, own)

    if saved.kind == kinds.CUSTOMER:
        client.amend_customer(connection, customer, body)
    else:
        client.amend_part(connection, client.PARTS[saved.kind], customer, saved.id, body)


# -- what became of it ------------------------------------------------------------------------------------------------


def _effects(correction: Correction, wanted: Rectification, tokens: Iterable[_Token], problem: str) -> Iterator[Effect]:
    tokens = tuple(tokens)
    said = [said for token in tokens for said in _said(correction, wanted, token)]
    evidence = _evidence(tokens)
    for kind in dict.fromkeys(one.kind for one in said):
        ours = [one for one in said if one.kind == kind]
        if kind == kinds.CUSTOMER and problem:
            ours.append(_Said(kind, Result.MANUAL, problem))
        result = min((one.result for one in ours), key=_WORST_FIRST.index)
        reasons = dict.fromkeys(one.reason for one in ours if one.result is result and one.reason)
        count = sum(one.kind == kind for one in said)
        yield Effect(correction.index, kind, count, result, evidence.get(kind, ""), "; ".join(reasons))
    if problem and not any(one.kind == kinds.CUSTOMER for one in said):
        yield Effect(correction.index, kinds.CUSTOMER, 0, Result.MANUAL, evidence.get(kinds.CUSTOMER, ""), problem)
    elif not said:
        there = any(token.before.documents for token in tokens)
        reason = "" if not there else _NAME_APART if correction.field is Field.NAME else _NOT_HELD
        known = "; ".join(dict.fromkeys(evidence.values()))
        yield Effect(correction.index, kinds.CUSTOMER, 0, Result.ABSENT, known, reason)


def _said(correction: Correction, wanted: Rectification, token: _Token) -> Iterator[_Said]:
    first = {(saved.kind, saved.id): saved for saved in token.before.documents}
    if isinstance(token.now, VendorError):
        concerned = [
            (kind, name)
            for (kind, name), saved in first.items()
            if owning.holding(saved, correction, token.own) is not Holding.NOTHING
        ]
        for kind, name in concerned or [(kinds.CUSTOMER, "")]:
            yield _trouble(kind, token.problems.get((kind, name)), token.now)
        return
    for saved in token.now.documents:
        if saved.kind == kinds.CUSTOMER:
            yield from _said_of_name(correction, wanted, saved)
        was = first.get((saved.kind, saved.id))
        match owning.holding(saved, correction, token.own):
            case Holding.RIGHT:
                ours = was is not None and owning.holding(was, correction, token.own) is not Holding.RIGHT
                earlier = wanted.resumed and saved.kind != kinds.INSTRUMENT_IDENTIFIER
                yield _Said(saved.kind, Result.UPDATED if ours or earlier else Result.UNCHANGED)
            case Holding.FOREIGN:
                yield _Said(saved.kind, Result.MANUAL, _FOREIGN[saved.kind])
            case Holding.TOO_SHORT:
                yield _Said(saved.kind, Result.MANUAL, _TOO_LONG)
            case Holding.WRONG:
                problem = token.problems.get((saved.kind, saved.id))
                reason = f"{_LATE}; {_AGAIN}" if was is None else _STILL_OTHER
                yield _trouble(saved.kind, problem, problem) if problem else _Said(saved.kind, Result.FAILED, reason)


def _said_of_name(correction: Correction, wanted: Rectification, customer: Saved) -> Iterator[_Said]:
    """What a customer token itself says of a name: it has no field for one, and a title that may be one."""
    parts = {Field.FIRST_NAME, Field.LAST_NAME} & {each.field for each in wanted.corrections}
    if correction.field is Field.NAME and len(parts) < 2:
        yield _Said(customer.kind, Result.MANUAL, _NAME_ALONE)
    if owning.title_lacks(customer, correction):
        yield _Said(customer.kind, Result.MANUAL, _TITLE)


def _trouble(kind: str, problem: VendorError | None, told: VendorError) -> _Said:
    """A record that is not as wanted, or was not read again."""
    if isinstance(problem, OutcomeUnknown):
        return _Said(kind, Result.UNKNOWN, problem.line())
    if isinstance(told, Rejected) and told.status == 412:
        return _Said(kind, Result.FAILED, f"{_QUICKER}; {_AGAIN}")
    return _Said(kind, Result.FAILED, told.line())


def _evidence(tokens: Iterable[_Token]) -> Mapping[str, str]:
    """By kind of record: how we know, where the last read did not fail."""
    found: dict[str, dict[str, None]] = {}
    for token in tokens:
        if not isinstance(token.now, VendorError):
            for kind, evidence in token.now.evidence.items():
                found.setdefault(kind, {})[evidence] = None
    return {kind: "; ".join(texts) for kind, texts in found.items()}
