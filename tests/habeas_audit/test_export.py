"""An export that comes back whole is verified; one with any line touched is not."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.habeas_audit.attacks import KEY, ORIGIN, THIEF, Scene, build, drafts, other_log, other_root, signer, ticking

from habeas_audit import (
    CREATED,
    Checkpoint,
    Draft,
    Head,
    Ledger,
    ProofInvalid,
    VerifiedExport,
    export_lines,
    sign_checkpoint,
    tree,
    verify_export,
)
from habeas_audit.export import MAX_LINE


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return build(tmp_path_factory.mktemp("export"), batches=3, size=6, unsigned=2)


@pytest.fixture(scope="module")
def lines(scene: Scene) -> list[str]:
    scene.path.chmod(0o600)
    with closing(Ledger.open(scene.path, ticking())) as ledger:
        return list(export_lines(ledger, [KEY.verifier]))


def changed(lines: list[str], place: int, **fields: Any) -> list[str]:
    """With one line's fields replaced."""
    value = {k: v for k, v in (json.loads(lines[place]) | fields).items() if v is not ...}
    return [*lines[:place], json.dumps(value, separators=(",", ":")), *lines[place + 1 :]]


def refused(lines: list[str], why: str | None = None) -> None:
    with pytest.raises(ProofInvalid, match=why):
        verify_export(lines, [KEY.verifier])


def test_what_was_written_is_verified(lines: list[str], scene: Scene) -> None:
    for trusted in ([KEY.verifier], []):
        found = verify_export(lines, trusted)
        assert (found.origin, found.head.size, found.checkpoints) == (ORIGIN, 24, 3)
        assert found.head.root == scene.look(scene.path).verification.root
        assert (found.signed and found.signed.head.size, found.signers) == (22, (KEY.verifier,))
    assert all(line.isascii() and "\n" not in line for line in lines)
    stamps = [b64decode(json.loads(line)["timestamp"]) for line in lines if "timestamp" in json.loads(line)]
    assert len(stamps) == 2


def test_line_breaks_and_blanks_around_a_line_do_not_matter(lines: list[str]) -> None:
    assert verify_export(f"{line}\r\n" for line in lines) == verify_export(lines)


def test_it_is_read_one_line_at_a_time(lines: list[str]) -> None:
    """And written so: nothing holds more than a line of entries."""
    asked: list[int] = []

    def one_by_one() -> Iterator[str]:
        for number, line in enumerate(lines):
            asked.append(number)
            yield line

    with pytest.raises(ProofInvalid):
        verify_export(line if number != 6 else "{}" for number, line in enumerate(one_by_one()))
    assert asked == list(range(7))


def test_it_is_written_one_chunk_at_a_time(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("habeas_audit.store.CHUNK", 3)
    with closing(Ledger.open(scene.path, ticking())) as ledger:
        writing = export_lines(ledger, [])
        for _ in range(5):
            next(writing)
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "_reader", lambda _: pytest.fail("it has read more than it needs"))
            assert [json.loads(next(writing))["seq"] for _ in range(2)] == [2, 3]
        assert len(list(writing)) == 22


def test_entries_that_come_while_it_is_written_are_left_out(tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "a.db", ticking()) as ledger:
        ledger.append(*drafts(0, 5))
        writing = export_lines(ledger, [])
        first = next(writing)
        ledger.append(*drafts(5, 5))
        assert verify_export([first, *writing]).head.size == 5


def test_a_log_that_nobody_has_signed_is_verified_only_where_no_key_is_asked_for(tmp_path: Path) -> None:
    for size in (0, 3):
        with Ledger.create(tmp_path / f"{size}.db", ticking()) as ledger:
            ledger.append(*drafts(0, size))
            lines = list(export_lines(ledger, []))
            found = verify_export(lines)
            assert found == VerifiedExport(ledger.origin, ledger.head(), 0, None, ())
        refused(lines, "nobody has signed it")


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_any_line_that_is_left_out_doubled_or_moved_is_found(lines: list[str], data: st.DataObject) -> None:
    at, to = data.draw(st.integers(0, len(lines) - 1)), data.draw(st.integers(0, len(lines) - 1))
    touched = list(lines)
    match data.draw(st.sampled_from(["left out", "doubled", "moved", "swapped", "cut off"])):
        case "left out":
            del touched[at]
        case "doubled":
            touched.insert(to, lines[at])
        case "moved":
            touched.insert(to, touched.pop(at))
        case "swapped":
            touched[at], touched[to] = touched[to], touched[at]
        case "cut off":
            del touched[at:]
    if touched != lines:
        refused(touched)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_character_that_is_changed_is_found_or_spells_the_same(lines: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(lines) - 1))
    line = lines[at]
    place = data.draw(st.integers(0, len(line) - 1))
    new = data.draw(st.sampled_from('0A z{}[]",:\\\ud800é\n') | st.characters())
    touched = line[:place] + new + line[place + 1 :]
    try:
        verify_export([*lines[:at], touched, *lines[at + 1 :]], [KEY.verifier])
    except ProofInvalid:
        return
    assert json.loads(touched) == json.loads(line)


@pytest.mark.parametrize(
    ("field", "value"),
    [("format", "habeas-audit-export-2"), ("log", "ab" * 16), ("log", 7), ("origin", "habeas.audit/another"),
     ("origin", ...), ("size", 23), ("size", "24"), ("size", 24.0), ("size", True), ("root", "sha256:" + "0" * 64),
     ("root", None), ("keys", {}), ("more", 1),
     ("keys", ["x"]), ("keys", [7]), ("keys", [THIEF.verifier.text[:-4]]), ("keys", ...)],
)  # fmt: skip
def test_a_first_line_that_says_otherwise_is_refused(lines: list[str], field: str, value: Any) -> None:
    refused(changed(lines, 0, **{field: value}))


@pytest.mark.parametrize(
    "note",
    [other_root("", 8), other_log(sign_checkpoint(Checkpoint(ORIGIN, Head(8, bytes(32))), [KEY]).raw, 8), "", 7, None,
     "\ud800", sign_checkpoint(Checkpoint(ORIGIN, Head(8, bytes(32))), [KEY]).raw,
     sign_checkpoint(Checkpoint(ORIGIN, Head(99, bytes(32))), [KEY]).raw],
)  # fmt: skip
def test_a_checkpoint_that_is_not_over_what_stands_there_is_refused(lines: list[str], note: Any) -> None:
    refused(changed(lines, 1, checkpoint=note))


def test_a_newest_checkpoint_that_covers_more_than_is_there_is_refused(lines: list[str]) -> None:
    """The entries were cut off, and size and root mended."""
    cut = lines[:-5]
    refused(
        [*changed(cut, 0, **shape(lines[4:-5])), json.dumps({"end": True, "entries": 20, "checkpoints": 3})],
        "over 22 entries is in the file, which holds 20",
    )


def shape(entries: list[str]) -> dict[str, Any]:
    """Size and root of such entry lines."""
    leaves = [tree.leaf_hash(json.loads(line)["body"].encode()) for line in entries]
    return {"size": len(leaves), "root": f"sha256:{tree.root(leaves).hex()}"}


def test_entries_that_were_rewritten_in_full_are_found_by_the_checkpoints(lines: list[str]) -> None:
    entry = json.loads(lines[9])
    body = entry["body"].replace('"n":4', '"n":5')
    touched = changed(lines, 9, body=body, leaf=f"sha256:{tree.leaf_hash(body.encode()).hex()}")
    assert body != entry["body"]
    refused(changed(touched, 0, **shape(touched[4:-1])), "the first 8 entries are not those")


def test_an_export_signed_by_somebody_else_agrees_with_itself_only(tmp_path: Path) -> None:
    thief = signer(2)
    with Ledger.create(tmp_path / "a.db", ticking(), random_bytes=lambda n: b"\x10" * n) as ledger:
        ledger.append(Draft(CREATED, data={"key": thief.verifier.text}))
        ledger.add_checkpoint(sign_checkpoint(Checkpoint(ORIGIN, ledger.head()), [thief]))
        lines = list(export_lines(ledger, []))
    assert verify_export(lines).signers == (thief.verifier,)
    refused(lines, "none of the trusted keys")


def test_what_follows_the_end_is_refused(lines: list[str]) -> None:
    for more in ("", "\n", "{}", lines[-1]):
        refused([*lines, more], "goes on after its last line")
    refused([], "first line")
    refused(lines[:-1], "cut off")


@pytest.mark.parametrize(
    "line",
    ["", "x", "[]", "{}", "null", "7", '"x"', '{"seq":5}', '{"seq":5,"seq":5}', '{"seq":5.0}', '{"seq":NaN}',
     '{"end":1}', '{"checkpoint":{}}', "[" * 100_000, '{"a":' * 100_000, '{"seq":' + "9" * 5000 + "}", '{"\ud800":1}',
     "x" * MAX_LINE,
     '{"seq":1,"body":"\\ud800","leaf":""}', '{"seq":1,"body":"{}","leaf":null}', '{"seq":1,"body":[],"leaf":""}',
     '{"seq":true,"body":"{}","leaf":""}', "\ufeff{}"],
)  # fmt: skip
def test_a_hostile_line_is_refused_wherever_it_stands(lines: list[str], line: str) -> None:
    for place in (0, 1, 4, 9, len(lines) - 1):
        refused([*lines[:place], line, *lines[place + 1 :]])
