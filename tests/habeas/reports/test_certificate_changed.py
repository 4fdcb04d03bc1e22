"""No change of a certificate goes unseen, and no forgery holds under a key that somebody trusts."""

from __future__ import annotations

import copy
import json
import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.habeas.reports.office import Office, Value, holds, wrong

from habeas.home import Home
from habeas.opening import create_home
from habeas.reports.certificate import (
    check_certificate,
)
from habeas.reports.certificate.build import Issuer
from habeas.testing.clock import SkippingClock
from habeas_audit import ProofInvalid, SigningKey, canonical, parse_checkpoint
from habeas_audit.checkpoint import Checkpoint, sign_checkpoint
from habeas_audit.proof import inclusion_path
from habeas_audit.stored_tree import Head
from habeas_audit.tree import leaf_hash, root, rows

# -- tampering --------------------------------------------------------------------------------------------------------

Path_ = tuple[Any, ...]


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Where each text, number, truth value or null stands."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path


def parents(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Where each member of an object or a list stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from parents(item, (*path, key))


def at(value: Any, path: Path_) -> Any:
    for step in path:
        value = value[step]
    return value


def replaced(value: Value, path: Path_, new: Any) -> Value:
    """With something else in one place; what is not on the way to it is shared."""
    if not path:
        return new  # type: ignore[no-any-return] # the innermost value is anything
    step, *rest = path
    changed = copy.copy(value)
    changed[step] = replaced(value[step], tuple(rest), new)
    return changed


def others(old: Any) -> list[Any]:
    """What is not the old value, though some of it looks much like it."""
    if isinstance(old, str):
        near: list[Any] = [old + " ", old[:-1], old.swapcase(), old[1:] + old[:1], "", None, 0, [old]]
    elif isinstance(old, bool) or old is None:
        near = ["", 0, not old, [], "x"]
    else:
        near = [old + 1, -old - 1, str(old), bool(old), float(old), None]
    return [new for new in near if type(new) is not type(old) or new != old]


def test_any_other_value_anywhere_is_found(good: Value) -> None:
    """Enumerated: every leaf, and what an attacker or a careless program would put there, `true` for 1 among it."""
    places = list(leaves(good))
    assert {path[0] for path in places} == set(good)
    assert len(places) > 120
    unseen = [(path, new) for path in places for new in others(at(good, path)) if holds(replaced(good, path, new))]
    # A blank behind a key leaves it the same key.
    assert [(path[0], new.strip()) for path, new in unseen] in ([], [("keys", good["keys"][0])])


def test_anything_left_out_is_found(good: Value) -> None:
    """Any member of any object, any element of any list."""
    unseen = []
    for path in parents(good):
        changed = copy.deepcopy(good)
        del at(changed, path[:-1])[path[-1]]
        if holds(changed):
            unseen.append(path)
    assert unseen == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**18) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=3,
)


def test_anything_at_all_in_place_of_anything_is_found(good: Value) -> None:
    places = list(parents(good))

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(places), JSON)
    def check(path: Path_, new: Any) -> None:
        old = at(good, path)
        assert holds(replaced(good, path, new)) == (json.dumps(new) == json.dumps(old))

    check()


def test_nothing_can_be_added_that_nobody_vouches_for(good: Value) -> None:
    """Neither beside its parts nor within them."""
    assert holds(good)
    for path in ((), ("statement",), ("issuer",), ("statement", "outcomes", 0), ("issuer", "notices")):
        changed = copy.deepcopy(good)
        place = at(changed, path)
        if isinstance(place, list):
            place.append({"connection": "shop", "text": "nothing is left", "until": None})
        else:
            place["summary"] = "everything was erased"
        assert not holds(changed), path


def test_only_keys_that_have_not_signed_may_come_and_go(good: Value, office: Office) -> None:
    """They are a hint: which key counts, whoever checks says."""
    stranger = SigningKey.generate(office.tools.ledger.origin).verifier
    assert holds({**good, "keys": [stranger.text, *good["keys"]]}, office.keys)
    assert holds({**good, "keys": [stranger.text]}, office.keys), "a pinned key does not need them"
    assert not holds({**good, "keys": [stranger.text]})
    assert not holds({**good, "keys": []})
    assert not holds(good, (stranger,))


def mangled(good: Value, other: Value) -> dict[str, list[Any]]:
    entries = good["entries"]
    return {
        "dropped": entries[:1] + entries[2:],
        "the first dropped": entries[1:],
        "the last dropped": entries[:-1],
        "doubled": [*entries[:2], entries[1], *entries[2:]],
        "the last doubled": [*entries, entries[-1]],
        "swapped": [entries[1], entries[0], *entries[2:]],
        "reversed": entries[::-1],
        "another case's put in": [*entries[:-1], other["entries"][1], entries[-1]],
        "another case's in place of one": [entries[0], other["entries"][1], *entries[2:]],
        "another case's all": other["entries"],
        "none": [],
    }


MANGLED = (
    "dropped", "the first dropped", "the last dropped", "doubled", "the last doubled", "swapped", "reversed",
    "another case's put in", "another case's in place of one", "another case's all", "none",
)  # fmt: skip


@pytest.mark.parametrize("how", MANGLED)
def test_entries_dropped_doubled_swapped_or_borrowed_are_found(how: str, certificates: dict[str, Value]) -> None:
    """Also where the statement is made to fit them, and where all paths are right."""
    good, other = certificates["left to a person"], certificates["consent"]
    assert set(mangled(good, other)) == set(MANGLED)
    entries = mangled(good, other)[how]
    assert not holds({**good, "entries": entries})
    fitting = {**good["statement"], "entries": [entry["seq"] for entry in entries]}
    fitting["outcomes"] = [row for row in fitting["outcomes"] if row["entry"] in fitting["entries"]]
    fitting["state"] = "complete"
    assert not holds({**good, "entries": entries, "statement": fitting})


def test_what_was_left_out_is_not_hidden_by_taking_an_outcome_with_it(certificates: dict[str, Value]) -> None:
    """The last entry says how many there were: a failure cannot be cut out and the rest called complete."""
    good = copy.deepcopy(certificates["left to a person"])
    manual = next(row for row in good["statement"]["outcomes"] if row["result"] == "manual")
    good["entries"] = [entry for entry in good["entries"] if entry["seq"] != manual["entry"]]
    outcomes = good["statement"]["outcomes"]
    outcomes[:] = [row for row in outcomes if row["entry"] != manual["entry"]]
    good["statement"]["entries"].remove(manual["entry"])
    good["statement"]["state"] = "complete" if outcomes else "unfinished"
    assert wrong(check_certificate(good, ())) == ["none of them was left out when it was made"]


def test_a_certificate_of_another_log_is_not_this_ones(good: Value, office: Office, tmp_path: Path) -> None:
    """Neither with its own checkpoint nor with ours."""
    create_home(Home(tmp_path / "home"), SkippingClock())
    shutil.copy(office.folder / "at-once.toml", tmp_path)
    with closing(Office(tmp_path).app) as app:
        other = Office.__new__(Office)
        other.__dict__ = {"app": app, "clock": SkippingClock(), "folder": tmp_path, "numbers": iter(range(9))}
        theirs = other.certificate(other.case())
        assert holds(theirs)
        assert not holds(theirs, office.keys)
        assert theirs["issuer"] == good["issuer"]
        for part in ("entries", "checkpoint", "statement", "keys"):
            assert not holds({**theirs, part: good[part]}), part


# -- forging ----------------------------------------------------------------------------------------------------------


def forged(good: Value, origin: str, key: SigningKey) -> Value:
    """All anew by somebody with a key of their own: the hold is gone, everything was erased, and all of it agrees."""
    bodies: list[Value] = [json.loads(entry["body"]) for entry in good["entries"]]
    for body in bodies:
        if body["type"] == "record.outcome":
            groups = body["data"]["outcomes"]
            groups[:] = [group for group in groups if group["result"] not in ("retained", "failed")]
    for seq, body in enumerate(bodies, 1):
        body["seq"] = seq
        if body["type"] == "call.outcome":
            body["data"]["intent"] = seq - 1
    issuer = Issuer("Example Shop", "", "habeas", ())
    bodies[-1]["data"] = {"entries": len(bodies) - 1, "issuer": issuer.digest}
    raw = [canonical(body) for body in bodies]
    hashes = [leaf_hash(body) for body in raw]
    levels = rows(hashes)
    signed = sign_checkpoint(Checkpoint(origin, Head(len(raw), root(hashes))), [key])
    entries = [
        {
            "seq": n + 1,
            "body": body.decode(),
            "path": [b64encode(s).decode() for s in inclusion_path(n, len(raw), lambda a, b: levels[a][b])],
        }
        for n, body in enumerate(raw)
    ]
    return {
        **good, "issuer": issuer.to_json(), "entries": entries, "checkpoint": signed.raw, "keys": [key.verifier.text]
    }  # fmt: skip


def test_a_full_forgery_agrees_with_itself_and_with_no_key_that_somebody_trusts(good: Value, office: Office) -> None:
    """Whoever has no key from another place learns only that; the command says so."""
    from habeas.reports.certificate.check import _entry
    from habeas.reports.certificate.statement import statement_of
    from habeas_audit import ProvenEntry

    attacker = SigningKey.generate(office.tools.ledger.origin)
    value = forged(good, office.tools.ledger.origin, attacker)
    value["statement"] = statement_of([_entry(ProvenEntry.from_json(entry)) for entry in value["entries"]])
    assert value["statement"]["state"] == "complete"
    assert wrong(check_certificate(value, ())) == []
    assert wrong(check_certificate(value, office.keys)) == ["the checkpoint is signed"]
    assert wrong(check_certificate(value, (attacker.verifier,))) == []
    signed = parse_checkpoint(value["checkpoint"])
    assert signed.key_ids == (attacker.verifier.key_id.hex(),)
    value["keys"] = good["keys"]
    assert wrong(check_certificate(value, ())) == ["the checkpoint is signed"]


@pytest.mark.parametrize(
    "value",
    [
        {}, {"format": "habeas-certificate-1"}, {"format": "habeas-certificate-2"},
        {"format": "habeas-certificate-1", "statement": {}, "issuer": {}, "entries": [], "keys": []},
        {"format": "habeas-certificate-1", "statement": {}, "issuer": {}, "entries": [{}], "keys": []},
    ],
)  # fmt: skip
def test_what_is_no_certificate_is_told_so(value: Any) -> None:
    with pytest.raises(ProofInvalid):
        check_certificate(value, ())
