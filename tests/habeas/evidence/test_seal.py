"""What ends every run: the ledger's head signed, whatever was torn away before, and by which key."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from tests.habeas_audit.attacks import insider

from habeas.clock import SystemClock
from habeas.errors import RefusedError, StorageError
from habeas.evidence.seal import Seal
from habeas.evidence.signing import FolderKeys, known_keys
from habeas.home import Home
from habeas_audit import (
    Draft,
    Evidence,
    Ledger,
    LedgerBehind,
    LedgerDamaged,
    LedgerUnwritable,
    VerifierKey,
    Witness,
    checkpoints_in,
    read_checkpoint,
    verify_evidence,
)

END = Draft("run.ended", "", "r-1")


class Place:
    """A home's ledger, its keys and its mirror, and nothing else of a home."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        path.mkdir()
        Ledger.create(self.home.ledger, SystemClock().now).close()
        with self.open() as ledger:
            self.first = self.seal(ledger).create_key("ops")

    def open(self) -> Ledger:
        return Ledger.open(self.home.ledger, SystemClock().now)

    def seal(self, ledger: Ledger) -> Seal:
        home = self.home
        return Seal(ledger, FolderKeys(home.signing), home.signing, [home.checkpoints], SystemClock())

    def run(self, *more: Draft) -> Seal:
        """One run from its beginning to its end."""
        with self.open() as ledger:
            seal = self.seal(ledger)
            seal.require_continuity()
            seal.end(*more, END)
            return seal

    @property
    def notes(self) -> list[Path]:
        return list(checkpoints_in(self.home.checkpoints))

    def look(self, *keys: VerifierKey, without: int = 0) -> Evidence:
        """Verified against the mirror, but for so many of its oldest."""
        witnesses = [Witness(path.name, read_checkpoint(path)) for path in self.notes[without:]]
        return verify_evidence(self.home.ledger, witnesses=witnesses, trusted=keys)

    def kinds(self, *keys: VerifierKey) -> set[str]:
        return {finding.kind for finding in self.look(*keys).findings}

    def whole(self, *keys: VerifierKey) -> None:
        found = self.look(*keys)
        assert (found.findings, found.unsigned) == ((), 0)

    def private(self) -> set[str]:
        return {path.stem for path in self.home.signing.glob("*.pem")}


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("seal") / "home")
    place.run(Draft("a"))
    return place


@pytest.fixture
def place(_made: Place, tmp_path: Path) -> Place:
    """A copy to ruin: signed by its first key, twice."""
    copied = object.__new__(Place)
    copied.home = Home(Path(shutil.copytree(_made.home.path, tmp_path / "home")))
    copied.first = _made.first
    return copied


def rotate(place: Place, why: str) -> VerifierKey:
    with place.open() as ledger:
        seal = place.seal(ledger)
        key = seal.rotate(why, "", "ops")
        seal.checkpoint()
        assert seal.problem == ""
    return key


def test_each_run_ends_with_a_checkpoint_over_all_of_it(place: Place) -> None:
    seal = place.run(Draft("b"), Draft("c"))
    assert seal.problem == ""
    place.whole(place.first)
    assert len(place.notes) == 3
    with place.open() as ledger:
        assert [entry.type for entry in ledger.entries()][-4:] == ["b", "c", "run.ended", "checkpoint"]
        (first,) = ledger.entries(types=["key.created"])
        with ledger.proofs() as proofs:
            assert first.data == {"key": place.first.text, "log_created_at": proofs.created_at()}
        with pytest.raises(RefusedError):
            place.seal(ledger).create_key("ops")


def test_a_head_that_is_signed_is_not_signed_again(place: Place) -> None:
    with place.open() as ledger:
        seal = place.seal(ledger)
        first, head = seal.checkpoint(), ledger.head()
        assert seal.checkpoint() == first
        assert ledger.head() == head


def test_a_time_stamp_is_named_by_the_next_checkpoint_so_that_none_can_be_taken_out_unseen(place: Place) -> None:
    note = read_checkpoint(place.notes[-1]).raw.encode()
    size = read_checkpoint(place.notes[-1]).head.size
    with place.open() as ledger:
        assert ledger.add_timestamp(size, b"0\x82" + sha256(note).digest())
    place.run()
    place.whole(place.first)
    with insider(place.home.ledger) as at:
        at.sql("DELETE FROM timestamps")
    assert place.kinds(place.first) == {"timestamp"}


@pytest.mark.parametrize("why", ["planned", "lost", "stolen"])
def test_after_a_rotation_whoever_trusts_the_old_key_trusts_the_new_one_only_if_it_was_planned(
    why: str, place: Place
) -> None:
    before = len(place.notes)
    new = rotate(place, why)
    place.run()
    place.whole(new)
    place.whole(place.first, new)
    assert place.kinds(place.first) == (set() if why == "planned" else {"key"})
    assert place.private() == {new.key_id.hex()}
    assert known_keys(place.home.signing) == tuple(
        sorted({new} | ({place.first} if why != "stolen" else set()), key=lambda key: key.key_id.hex())
    )
    by = [read_checkpoint(path).key_ids for path in place.notes[before:]]
    old_id, new_id = place.first.key_id.hex(), new.key_id.hex()
    assert by == ([(old_id, new_id), (new_id,)] if why == "planned" else [(new_id,), (new_id,)])


def test_trust_goes_from_key_to_key_over_planned_rotations_and_ends_at_a_loss(place: Place) -> None:
    keys = [place.first, rotate(place, "planned"), rotate(place, "planned")]
    for key in keys:
        place.whole(key)
    last = rotate(place, "lost")
    for key in keys:
        assert place.kinds(key) == {"key"}
    place.whole(last)


def test_a_rotation_that_is_torn_away_is_finished_by_the_next_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its entry and the checkpoint by both, the old key is still there."""
    with place.open() as ledger:
        new = place.seal(ledger).rotate("planned", "", "ops")
    assert place.private() == {place.first.key_id.hex(), new.key_id.hex()}
    assert place.kinds(place.first) == set()
    with monkeypatch.context() as patch:
        patch.setattr(FolderKeys, "destroy", _killed)
        with pytest.raises(KeyboardInterrupt):
            place.run()
    place.whole(place.first)
    place.run()
    assert place.private() == {new.key_id.hex()}
    place.whole(place.first)
    place.whole(new)


def test_a_planned_rotation_without_the_old_key_changes_nothing(place: Place) -> None:
    before = place.home.ledger.read_bytes()
    (place.home.signing / f"{place.first.key_id.hex()}.pem").unlink()
    with place.open() as ledger, pytest.raises(StorageError, match="missing"):
        place.seal(ledger).rotate("planned", "", "ops")
    assert place.home.ledger.read_bytes() == before
    assert place.private() == set()


def test_a_run_without_its_key_is_written_down_and_signed_by_the_next(place: Place) -> None:
    path = place.home.signing / f"{place.first.key_id.hex()}.pem"
    for damage, word in (
        (path.unlink, "missing"),
        (lambda: path.chmod(0o640), "read by others"),
        (lambda: path.write_text("nothing"), "cannot be read"),
        (lambda: path.write_bytes(_other_pem()), "not the key"),
    ):
        pem = path.read_bytes()
        damage()
        seal = place.run()
        assert "the ledger was not signed" in seal.problem
        assert word in seal.problem
        assert "PRIVATE" not in seal.problem
        found = place.look(place.first)
        assert (found.ok, found.unsigned) == (True, 1)
        path.write_bytes(pem)
        path.chmod(0o600)
        assert place.run().problem == ""
        place.whole(place.first)


def _other_pem() -> bytes:
    from habeas_audit import SigningKey

    return SigningKey.generate("x").pem


@pytest.mark.parametrize(
    ("torn", "unsigned"),
    [("habeas_audit.notary.sign_checkpoint", 2), ("habeas_audit.Ledger.add_checkpoint", 2),
     ("habeas_audit.mirror.write", 0)],
    ids=["between appending and signing", "between signing and storing", "between storing and mirroring"],
)  # fmt: skip
def test_wherever_a_run_is_killed_what_it_leaves_is_accepted_and_mended_by_the_next(
    torn: str, unsigned: int, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(torn, _killed)
        with pytest.raises(KeyboardInterrupt):
            place.run()
    found = place.look(place.first)
    assert (found.findings, found.unsigned) == ((), unsigned)
    with place.open() as ledger:
        assert place.seal(ledger).checkpoint() is not None
    place.whole(place.first)
    with place.open() as ledger, ledger.proofs() as proofs:
        assert read_checkpoint(place.notes[-1]) == proofs.newest_checkpoint()


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_what_cannot_be_mirrored_is_a_problem_and_made_up_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise LedgerUnwritable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("habeas_audit.mirror.write", full)
        assert "not kept everywhere" in place.run().problem
    place.whole(place.first)
    assert place.run().problem == ""
    place.whole(place.first)


def test_two_runs_at_once_end_in_one_history(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each appends while the other is about to sign."""
    real: Callable[..., object] = Ledger.add_checkpoint
    others: list[Seal] = []

    def overtaken(self: Ledger, signed: object) -> object:
        monkeypatch.setattr(Ledger, "add_checkpoint", real)
        others.append(place.run(Draft("b")))
        return real(self, signed)

    monkeypatch.setattr(Ledger, "add_checkpoint", overtaken)
    assert place.run(Draft("a")).problem == ""
    assert others[0].problem == ""
    place.whole(place.first)


def test_a_roll_back_that_was_taken_note_of_lets_the_log_go_on_and_stays_visible(place: Place) -> None:
    older = place.home.path / "older.db"
    shutil.copy(place.home.ledger, older)
    for _ in range(3):
        place.run(Draft("b"))
    lost = [read_checkpoint(path) for path in place.notes[2:]]
    shutil.copyfile(older, place.home.ledger)
    with pytest.raises(LedgerBehind):
        place.run()
    with place.open() as ledger:
        seal = place.seal(ledger)
        assert seal.behind() == lost[-1].head.size
        assert seal.acknowledge("ops") == 3
        assert seal.acknowledge("ops") == 0
    assert place.run(Draft("b"), Draft("b"), Draft("b")).problem == ""
    (new,) = place.private()
    keys = known_keys(place.home.signing)
    assert len(keys) == 2
    mine = [path for path in place.notes if read_checkpoint(path) not in lost]
    kept = [Witness(path.name, read_checkpoint(path)) for path in mine]
    assert verify_evidence(place.home.ledger, witnesses=kept, trusted=keys).ok
    # The old key signed two histories: only the new one counts from here on.
    assert not verify_evidence(place.home.ledger, witnesses=kept, trusted=[place.first]).ok
    assert [key.key_id.hex() for key in verify_evidence(place.home.ledger, trusted=keys).signers] == [new]
    for one in lost:
        found = verify_evidence(place.home.ledger, witnesses=[Witness("kept", one)], trusted=keys)
        assert {finding.kind for finding in found.findings} & {"rewritten", "cut"}


def test_a_roll_back_in_the_file_itself_is_no_way_on(place: Place) -> None:
    import sqlite3

    with sqlite3.connect(place.home.ledger) as db:
        db.execute("DROP TRIGGER entries_no_update")
        db.execute("UPDATE entries SET leaf_hash = zeroblob(32) WHERE seq = 2")
        db.execute("DROP TRIGGER nodes_no_update")
        db.execute("UPDATE nodes SET hash = zeroblob(32)")
    db.close()
    before = place.home.ledger.read_bytes()
    with pytest.raises(LedgerDamaged, match="verify"):
        place.run()
    assert place.home.ledger.read_bytes() == before
