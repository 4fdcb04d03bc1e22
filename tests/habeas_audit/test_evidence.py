"""Whatever is done to a ledger's file is found: by the file itself, by the checkpoints beside it, or by one kept."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.habeas_audit.attacks import (
    KEY,
    LOG,
    Scene,
    broken_signature,
    build,
    content,
    insider,
    other_key,
    other_log,
    signer,
    ticking,
)
from tests.habeas_audit.catalogue import AT_ONCE, BESIDE, Attack, bodies, cut, lie

from habeas_audit import (
    Draft,
    Evidence,
    Finding,
    Ledger,
    Witness,
    parse_checkpoint,
    verify_evidence,
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return build(tmp_path_factory.mktemp("ledger"))


@pytest.fixture(scope="module")
def original(scene: Scene) -> object:
    return content(scene.path)


@pytest.fixture
def copy(scene: Scene, tmp_path: Path) -> Path:
    return Path(shutil.copy(scene.path, tmp_path / "audit.db"))


def kinds(found: Evidence) -> set[str]:
    assert found.ok == (not found.findings)
    assert all(finding.text and "\n" not in finding.text for finding in found.findings)
    return {finding.kind for finding in found.findings}


def test_the_untampered_file_is_ok_whatever_it_is_held_against(scene: Scene, copy: Path) -> None:
    for key in (False, True):
        for mirror in (False, True):
            for kept in (False, True):
                found = scene.look(copy, key=key, mirror=mirror, kept=kept)
                assert (found.ok, found.findings) == (True, ())
                assert found.signed is not None
                assert (found.signed.head.size, found.signers) == (307, (KEY.verifier,))
                assert (found.agreeing, found.pinned, found.unsigned) == (6, key, 4)
    assert content(copy) == content(scene.path)


# -- by SQL, with the guards taken off and put back -------------------------------------------------------------------


@pytest.mark.parametrize(("attack", "expected"), AT_ONCE.values(), ids=AT_ONCE)
def test_the_file_alone_shows(attack: Attack, expected: set[str], scene: Scene, original: object, copy: Path) -> None:
    with insider(copy) as at:
        attack(at)
    assert content(copy) != original
    assert kinds(scene.look(copy, key=False, mirror=False)) >= expected
    assert kinds(scene.look(copy)) >= expected


@pytest.mark.parametrize(("attack", "pinned", "mirrored", "kept"), BESIDE.values(), ids=BESIDE)
def test_what_the_file_alone_cannot_show_a_checkpoint_outside_it_does(
    attack: Attack, pinned: set[str], mirrored: set[str], kept: set[str], scene: Scene, copy: Path
) -> None:
    with insider(copy) as at:
        attack(at)
    assert kinds(scene.look(copy, key=False, mirror=False)) == set()
    assert kinds(scene.look(copy, mirror=False)) == pinned
    assert kinds(scene.look(copy)) >= mirrored
    assert kinds(scene.look(copy, mirror=False, kept=True)) == kept


def test_a_lie_before_the_kept_checkpoint_names_the_stretch_it_is_in(scene: Scene, copy: Path) -> None:
    with insider(copy) as at:
        bodies(lie)(at)
    (finding,) = scene.look(copy, mirror=False).findings
    assert (finding.kind, finding.seq) == ("rewritten", 53)
    assert "the first 52 are those that were signed" in finding.text
    assert "of the entries 53 to 103 at least one" in finding.text
    assert "(and 4 later ones)" in finding.text


def test_an_older_copy_is_ok_in_itself_and_behind_every_later_checkpoint(scene: Scene) -> None:
    for batches in (2, 4):
        older = scene.older(batches)
        assert kinds(scene.look(older, mirror=False)) == set()
        assert kinds(scene.look(older)) == {"cut"}
        assert kinds(scene.look(older, mirror=False, kept=True)) == ({"cut"} if batches == 2 else set())


def test_what_no_checkpoint_covers_yet_may_be_lost_unseen_and_how_much_that_is_is_said(
    scene: Scene, copy: Path
) -> None:
    with insider(copy) as at:
        cut(309)(at)
    found = scene.look(copy)
    assert (found.ok, found.unsigned) == (True, 2)


def test_a_witness_that_somebody_cosigned_is_the_same_checkpoint(scene: Scene, copy: Path) -> None:
    signed = scene.kept
    cosigned = parse_checkpoint(signed.raw + signer(7, "witness.example").sign(signed.note.text))
    found = verify_evidence(copy, witnesses=[Witness("w", cosigned)], trusted=[KEY.verifier])
    assert (found.ok, found.agreeing) == (True, 7)


def test_a_witness_of_another_log_or_by_another_key_is_named(scene: Scene, copy: Path) -> None:
    for change, kind in ((other_log, "origin"), (other_key, "key"), (broken_signature, "signature")):
        witness = Witness("from-outside.note", parse_checkpoint(change(scene.kept.raw, scene.kept.head.size)))
        (finding,) = verify_evidence(copy, witnesses=[witness], trusted=[KEY.verifier]).findings
        assert finding.kind == kind
        assert "from-outside.note" in finding.text


# -- the file as a file -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [0, 0.001, 0.1, 0.5, 0.8])
def test_a_truncated_file_is_found(part: float, scene: Scene, copy: Path) -> None:
    data = copy.read_bytes()
    copy.write_bytes(data[: int(len(data) * part)])
    assert kinds(scene.look(copy, key=False, mirror=False)) & {"foreign", "malformed", "integrity"}


def test_wal_mode_is_found_and_what_is_in_the_wal_counts_as_in_the_file(scene: Scene, copy: Path) -> None:
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        assert kinds(scene.look(copy, key=False, mirror=False)) == {"schema"}
        db.execute("DROP TRIGGER entries_no_delete")
        db.execute("DELETE FROM entries WHERE seq = 5")
        assert copy.with_name("audit.db-wal").stat().st_size > 0
        assert kinds(scene.look(copy)) >= {"schema", "gap", "rewritten"}


def test_every_guard_gone_or_added_is_found(scene: Scene, copy: Path) -> None:
    with insider(copy, guards_back=False):
        pass
    assert len(scene.look(copy).findings) == 25
    shutil.copy(scene.path, copy)
    with insider(copy) as at:
        at.sql("CREATE TRIGGER mine AFTER INSERT ON entries BEGIN SELECT 1; END")
    assert kinds(scene.look(copy)) == {"schema"}


def test_a_file_that_is_missing_held_or_half_written_is_said_to_be_so_and_not_to_be_cut(
    scene: Scene, copy: Path
) -> None:
    assert kinds(scene.look(copy.with_name("none.db"))) == {"unreadable"}
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        witnesses = [Witness("kept", scene.kept)]
        found = verify_evidence(copy, witnesses=witnesses, trusted=[KEY.verifier], busy_seconds=0)
        assert kinds(found) == {"busy"}
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN IMMEDIATE")
        db.execute("DROP TRIGGER entries_no_update")
        db.execute("UPDATE entries SET body = zeroblob(9000)")
        half = copy.with_name("half.db")
        shutil.copy(copy, half)
        shutil.copy(f"{copy}-journal", f"{half}-journal")
        assert kinds(scene.look(half)) == {"journal"}


def test_each_kind_of_finding_that_is_documented_is_made_by_a_test() -> None:
    documented = set()
    for kind, field in ((Finding, "kind"), (Evidence, "findings")):
        (text,) = re.findall(rf'\n    {field}: .*?\n    """(.*?)"""', inspect.getsource(kind), re.DOTALL)
        documented |= set(re.findall(r"`([a-z]+)`", text))
    made: set[str] = set().union(*(expected for _, expected in AT_ONCE.values()))
    for _, pinned, mirrored, kept in BESIDE.values():
        made |= pinned | mirrored | kept
    assert documented == made | {"unreadable", "busy", "journal", "malformed"}


# -- bits -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return build(tmp_path_factory.mktemp("small"), batches=3, size=12, unsigned=0)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bit_that_flips_is_found_or_changes_nothing_that_can_be_read(
    small: Scene, tmp_path: Path, data: st.DataObject
) -> None:
    whole = small.path.read_bytes()
    page = data.draw(st.integers(0, len(whole) // 4096 - 1))
    place = data.draw(st.integers(0, 4095) | st.integers(0, 120)) + page * 4096
    broken = bytearray(whole)
    broken[place] ^= 1 << data.draw(st.integers(0, 7))
    copy = tmp_path / "audit.db"
    copy.write_bytes(broken)
    if small.look(copy).ok:
        assert content(copy) == content(small.path), place


# -- what a file says is never believed -------------------------------------------------------------------------------


def test_no_finding_repeats_what_a_file_or_a_checkpoint_holds(scene: Scene, copy: Path) -> None:
    with insider(copy) as at:
        values = at.bodies()
        values[51]["data"]["previous"] = {"size": "canary", "note": "canary"}
        values[102]["data"]["previous"] = {"size": [{"canary": 1}], "note": {"canary": "canary"}}
        values[0]["data"] = {"key": "canary"}
        at.write(values)
        at.put_note(205, "canary\n1\ncanary\n\n\N{EM DASH} canary canary\n")
    found = scene.look(copy)
    assert not found.ok
    assert "canary" not in json.dumps([finding.text for finding in found.findings])


def test_a_ledger_that_was_never_signed_is_ok_unless_a_key_is_given(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with Ledger.create(path, ticking(), random_bytes=lambda _: bytes.fromhex(LOG)) as ledger:
        ledger.append(Draft("a"))
    found = verify_evidence(path)
    assert (found.ok, found.signed, found.unsigned) == (True, None, 1)
    assert kinds(verify_evidence(path, trusted=[KEY.verifier])) == {"unsigned"}
