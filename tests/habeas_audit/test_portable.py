"""Proofs that leave the database come back as they were, and whatever else comes is refused, never a fault."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.habeas_audit.attacks import (
    KEY,
    THIEF,
    Scene,
    broken_signature,
    build,
    other_key,
    other_log,
    other_root,
    ticking,
)

from habeas_audit import (
    ConsistencyProof,
    InclusionProof,
    Ledger,
    LedgerBehind,
    ProofInvalid,
    ProvenEntry,
    SignedCheckpoint,
    parse_checkpoint,
    parse_json,
    prove_consistency,
    prove_entry,
)
from habeas_audit.canonical import MAX_BYTES

TRUSTED = [KEY.verifier]
HASH = b64encode(bytes(32)).decode()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return build(tmp_path_factory.mktemp("portable"), batches=4, size=8, unsigned=2)


@pytest.fixture(scope="module")
def signed(scene: Scene) -> list[SignedCheckpoint]:
    scene.path.chmod(0o600)
    with closing(Ledger.open(scene.path, ticking())) as ledger, ledger.proofs() as proofs:
        return list(proofs.checkpoints())


@pytest.fixture(scope="module")
def inclusions(scene: Scene, signed: list[SignedCheckpoint]) -> list[InclusionProof]:
    """Of every entry, under every checkpoint that covers it."""
    with closing(Ledger.open(scene.path, ticking())) as ledger:
        entries = list(ledger.entries())
        with ledger.proofs() as proofs:
            return [
                InclusionProof(prove_entry(proofs, entry.seq, entry.body, one), one)
                for one in signed
                for entry in entries[: one.head.size]
            ]


@pytest.fixture(scope="module")
def consistencies(scene: Scene, signed: list[SignedCheckpoint]) -> list[ConsistencyProof]:
    with closing(Ledger.open(scene.path, ticking())) as ledger, ledger.proofs() as proofs:
        return [
            prove_consistency(proofs, old, new) for new in signed for old in signed if old.head.size <= new.head.size
        ]


def again(value: object) -> Any:
    """As a file would bring it."""
    return parse_json(json.dumps(value), "the file")


def test_every_proof_comes_back_as_it_was_and_holds(
    inclusions: list[InclusionProof], consistencies: list[ConsistencyProof]
) -> None:
    assert (len(inclusions), len(consistencies)) == (10 + 19 + 28 + 37, 10)
    for one in inclusions:
        assert one.verify(TRUSTED) == (KEY.verifier,)
        assert InclusionProof.from_json(again(one.to_json())) == one
        assert InclusionProof.from_tlog_proof(one.to_tlog_proof()) == one
    for other in consistencies:
        assert other.verify(TRUSTED) == (KEY.verifier,)
        assert ConsistencyProof.from_json(again(other.to_json())) == other


def test_a_proof_is_made_only_of_what_the_file_still_holds(scene: Scene, signed: list[SignedCheckpoint]) -> None:
    forged = parse_checkpoint(other_root("", 20))
    with closing(Ledger.open(scene.path, ticking())) as ledger, ledger.proofs() as proofs:
        for old, new in ((forged, signed[-1]), (signed[0], forged)):
            with pytest.raises(LedgerBehind):
                prove_consistency(proofs, old, new)
        with pytest.raises(LedgerBehind, match="another log"):
            prove_consistency(proofs, parse_checkpoint(other_log(signed[0].raw, 10)), signed[-1])
        with pytest.raises(ValueError, match="does not continue"):
            prove_consistency(proofs, signed[1], signed[0])
        with pytest.raises(ValueError, match="no leaf"):
            prove_entry(proofs, 11, b"{}", signed[0])


def test_a_proof_by_nobody_who_is_trusted_proves_nothing(
    inclusions: list[InclusionProof], consistencies: list[ConsistencyProof]
) -> None:
    for keys in ([THIEF.verifier], []):
        for proof in (inclusions[0], consistencies[1]):
            with pytest.raises(ProofInvalid, match="none of the trusted keys"):
                proof.verify(keys)


@pytest.mark.parametrize("forge", [other_root, other_key, other_log, broken_signature])
def test_a_proof_under_another_checkpoint_proves_nothing(
    forge: Callable[[str, int], str], inclusions: list[InclusionProof], consistencies: list[ConsistencyProof]
) -> None:
    entry, grown = inclusions[-5], consistencies[4]
    with pytest.raises(ProofInvalid):
        InclusionProof(entry.entry, parse_checkpoint(forge(entry.signed.raw, entry.signed.head.size))).verify(TRUSTED)
    for side in ("old", "new"):
        raw = getattr(grown, side).raw
        forged = {"old": grown.old, "new": grown.new} | {side: parse_checkpoint(forge(raw, 19))}
        with pytest.raises(ProofInvalid):
            ConsistencyProof(path=grown.path, **forged).verify(TRUSTED)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_an_entry_that_is_not_the_one_at_that_place_proves_nothing(
    inclusions: list[InclusionProof], data: st.DataObject
) -> None:
    proof = data.draw(st.sampled_from(inclusions))
    seq, body, path = proof.entry.seq, proof.entry.body, list(proof.entry.path)
    match data.draw(st.sampled_from(["seq", "body", "path", "shorter", "longer", "moved"])):
        case "seq":
            seq = data.draw(st.integers(-3, 60) | st.integers())
        case "body":
            place = data.draw(st.integers(0, len(body) - 1))
            body = body[:place] + bytes([data.draw(st.integers(0, 255))]) + body[place + 1 :]
        case "path" if path:
            path[data.draw(st.integers(0, len(path) - 1))] = data.draw(st.binary(min_size=32, max_size=32))
        case "shorter" if path:
            del path[data.draw(st.integers(0, len(path) - 1))]
        case "longer":
            path.insert(data.draw(st.integers(0, len(path))), data.draw(st.binary(min_size=32, max_size=32)))
        case _:
            path.reverse()
    changed = InclusionProof(ProvenEntry(seq, body, tuple(path)), proof.signed)
    if changed != proof:
        with pytest.raises(ProofInvalid):
            changed.verify(TRUSTED)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_path_between_checkpoints_that_is_not_theirs_proves_nothing(
    consistencies: list[ConsistencyProof], data: st.DataObject
) -> None:
    proof, other = data.draw(st.sampled_from(consistencies)), data.draw(st.sampled_from(consistencies))
    path = list(data.draw(st.sampled_from([proof.path, other.path, (), (*proof.path, bytes(32)), proof.path[:-1]])))
    flip: bool = data.draw(st.booleans())
    if path and flip:
        place = data.draw(st.integers(0, len(path) - 1))
        path[place] = bytes([path[place][0] ^ 1]) + path[place][1:]
    if data.draw(st.booleans()):
        proof = ConsistencyProof(proof.new, proof.old, proof.path)
    changed = ConsistencyProof(proof.old, proof.new, tuple(path))
    if changed not in consistencies:
        with pytest.raises(ProofInvalid):
            changed.verify(TRUSTED)


# -- hostile shapes ---------------------------------------------------------------------------------------------------

ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, False, 0, -1, 1, 2**63, 10**30, "", "x", "\ud800", "\x00", HASH, "A" * 100_000, [], [[]], [HASH] * 65,
     [HASH] * 64, [7], [None], ["\ud800"], [HASH + "="], [HASH[:-2]], {}, {"seq": 1}]
)  # fmt: skip


def mutated(data: st.DataObject, value: Any) -> Any:
    """With something at any depth replaced, taken out, added, or cut."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 3)):
        key = data.draw(st.sampled_from(sorted(value)))
        if data.draw(st.integers(0, 4)) == 0:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: mutated(data, value[key])}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], mutated(data, value[place]), *value[place + 1 :]]
    if isinstance(value, str) and value and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(value) - 1))
        return value[:place] + data.draw(st.characters() | st.just("")) + value[place + 1 :]
    return data.draw(ODD)


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_whatever_the_json_of_a_proof_is_it_holds_or_is_refused(
    inclusions: list[InclusionProof], consistencies: list[ConsistencyProof], data: st.DataObject
) -> None:
    """And it holds only if it is the same: each file has one spelling."""
    entry, grown = inclusions[50], consistencies[5]
    for read, proof in ((InclusionProof.from_json, entry), (ConsistencyProof.from_json, grown)):
        value = mutated(data, proof.to_json())
        with suppress(ProofInvalid):
            found = read(value)
            found.verify(TRUSTED)
            if isinstance(found, InclusionProof):
                assert value["entry"]["body"].encode() == entry.entry.body
            assert value | {"format": ""} == proof.to_json() | {"format": ""} or found == proof


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_whatever_the_text_of_a_tlog_proof_is_it_holds_or_is_refused(
    inclusions: list[InclusionProof], data: st.DataObject
) -> None:
    proof = inclusions[50]
    text = proof.to_tlog_proof()
    place = data.draw(st.integers(0, len(text)))
    length = data.draw(st.sampled_from([0, 1, 1, 40]))
    new = data.draw(
        st.sampled_from(["", "\n", "\n\n", "0", " ", "\r", "\ud800", "\u2028", "\x00"]) | st.text(max_size=3)
    )
    changed = text[:place] + new + text[place + length :]
    with suppress(ProofInvalid):
        found = InclusionProof.from_tlog_proof(changed)
        found.verify(TRUSTED)
        assert found.to_tlog_proof() == changed
        assert (found.entry, found.signed.checkpoint) == (proof.entry, proof.signed.checkpoint)


@pytest.mark.parametrize(
    "index",
    [
        "",
        "-1",
        "+1",
        "01",
        "00",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x1",
        "\u0661",
        "\u00b2",
        "1_0",
        "9" * 19,
        "9" * 5000,
        "999999",
        "x",
    ],
)
def test_an_index_of_a_tlog_proof_is_one_plain_number(index: str, inclusions: list[InclusionProof]) -> None:
    text = inclusions[50].to_tlog_proof()
    changed = text.replace(f"\nindex {inclusions[50].entry.seq - 1}\n", f"\nindex {index}\n")
    assert changed != text
    with pytest.raises(ProofInvalid):
        InclusionProof.from_tlog_proof(changed).verify(TRUSTED)


def test_a_tlog_proof_with_a_path_too_long_or_without_its_entry_is_refused(inclusions: list[InclusionProof]) -> None:
    head, _, note = inclusions[50].to_tlog_proof().partition("\n\n")
    lines = head.split("\n")
    for changed in (
        [*lines, *[HASH] * 65], [*lines, *[HASH] * 100_000], [lines[0], *lines[2:]], lines[:2], lines[:1], [],
        [lines[0], lines[2], lines[1], *lines[3:]], ["c2sp.org/tlog-proof@v2", *lines[1:]],
        [lines[0], f"extra {b64encode(bytes(MAX_BYTES * 4)).decode()}", *lines[2:]], [*lines, ""],
        [*lines[:3], "", *lines[3:]],
    ):  # fmt: skip
        with pytest.raises(ProofInvalid):
            InclusionProof.from_tlog_proof("\n".join(changed) + "\n\n" + note).verify(TRUSTED)


def test_a_body_larger_than_an_entry_can_be_is_refused(inclusions: list[InclusionProof]) -> None:
    value = inclusions[0].entry.to_json() | {"body": "x" * (MAX_BYTES + 1)}
    with pytest.raises(ProofInvalid, match="larger"):
        ProvenEntry.from_json(value)


@pytest.mark.parametrize("value", [None, True, 7, "x", [], [1], {}, {"format": "x"}])
@pytest.mark.parametrize("read", [InclusionProof.from_json, ConsistencyProof.from_json, ProvenEntry.from_json])
def test_what_is_no_proof_is_refused(read: Callable[[object], object], value: object) -> None:
    with pytest.raises(ProofInvalid):
        read(value)


@pytest.mark.parametrize(
    "data",
    ["", " ", "{", "nothing", "[]", "null", "7", '"x"', '{"a":1,"a":1}', '{"a":{"b":1,"b":2}}', '{"a":1.0}',
     '{"a":1e3}', '{"a":NaN}', '{"a":-Infinity}', '{"a":1}x', "{'a':1}", '{"a":1,}', "[" * 100_000,
     '{"a":' * 100_000, "\ufeff{}", '{"a":' + "9" * 5000 + "}",
     b"\xff", b'{"a":"\xed\xa0\x80"}', b"\x00", '{"a":"\n"}'],
    ids=lambda data: repr(data[:14]),
)  # fmt: skip
def test_json_that_is_read_in_more_than_one_way_or_none_is_refused(data: bytes | str) -> None:
    with pytest.raises(ProofInvalid):
        parse_json(data, "it")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_json_is_utf_8_and_nothing_that_could_be_taken_for_another_encoding(encoding: str) -> None:
    """`json.loads` guesses: then one hash would be over two texts."""
    with pytest.raises(ProofInvalid):
        parse_json('{"seq":1}'.encode(encoding), "it")
