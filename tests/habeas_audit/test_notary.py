"""Nothing is added to, and nothing signed over, a log that is not the one that was signed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.habeas_audit.attacks import KEY, THIEF, Insider, Scene, build, drafts, insider, other_log, seal, ticking

from habeas_audit import (
    ACKNOWLEDGED,
    Checkpoint,
    Draft,
    Head,
    Ledger,
    LedgerBehind,
    LedgerDamaged,
    LedgerUnwritable,
    Notary,
    ProofInvalid,
    SignedCheckpoint,
    SigningKey,
    checkpoints_in,
    parse_checkpoint,
    read_checkpoint,
    sign_checkpoint,
    verify_evidence,
)
from habeas_audit.mirror import write as mirrored


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return build(tmp_path_factory.mktemp("notary"), batches=3, size=5, unsigned=2)


@pytest.fixture
def scene(built: Scene, tmp_path: Path) -> Scene:
    """A copy to ruin."""
    folder = Path(shutil.copytree(built.folder, tmp_path / "home"))
    (folder / "audit.db").chmod(0o600)
    return Scene(folder, built.kept)


@pytest.fixture
def ledger(scene: Scene) -> Iterator[Ledger]:
    with Ledger.open(scene.path, ticking()) as opened:
        yield opened


def names(folder: Path) -> list[str]:
    return [path.name for path in checkpoints_in(folder)]


def put_back(scene: Scene, batches: int) -> None:
    """An older copy in the place of the file."""
    shutil.copyfile(scene.older(batches), scene.path)


def test_a_log_that_begins_with_what_was_signed_may_go_on(ledger: Ledger, scene: Scene) -> None:
    notary = Notary(ledger, [scene.mirror])
    notary.require_continuity()
    assert notary.contradicting() == []
    newest = notary.newest()
    assert newest is not None
    assert newest.head.size == 19
    signed = seal(ledger, notary)
    assert signed.head == ledger.head()
    assert signed.require([KEY.verifier]) == (KEY.verifier,)
    assert read_checkpoint(list(checkpoints_in(scene.mirror))[-1]) == signed
    assert scene.look(scene.path).ok


def test_a_head_is_signed_once_and_an_empty_log_never(ledger: Ledger, scene: Scene, tmp_path: Path) -> None:
    notary = Notary(ledger, [scene.mirror])
    first = notary.sign([KEY])
    before = names(scene.mirror)
    assert notary.sign([THIEF]) == first
    assert names(scene.mirror) == before
    with Ledger.create(tmp_path / "new.db", ticking()) as empty:
        assert Notary(empty, [tmp_path / "new"]).sign([KEY]) is None
        assert Notary(empty, [tmp_path / "new"]).newest() is None
    assert not (tmp_path / "new").exists()


def test_an_older_copy_put_back_is_refused_and_nothing_is_signed_over_it(scene: Scene) -> None:
    put_back(scene, 1)
    with Ledger.open(scene.path, ticking()) as ledger:
        notary = Notary(ledger, [scene.mirror])
        with pytest.raises(LedgerBehind, match="over 19 entries was signed, and the ledger holds 7"):
            notary.require_continuity()
        with pytest.raises(LedgerBehind):
            notary.sign([KEY])
        assert [signed.head.size for signed in notary.contradicting()] == [19, 13]
        # Longer than what was signed, but not the same.
        ledger.append(*drafts(100, 20))
        with pytest.raises(LedgerBehind, match="first 19 entries are not those"):
            notary.sign([KEY])
        with ledger.proofs() as proofs:
            assert [signed.head.size for signed in proofs.checkpoints()] == [7]
    assert len(names(scene.mirror)) == 3


def test_what_was_taken_note_of_is_passed_over_and_only_that(scene: Scene) -> None:
    put_back(scene, 1)
    with Ledger.open(scene.path, ticking()) as ledger:
        notary = Notary(ledger, [scene.mirror])
        behind = notary.contradicting()
        ledger.append(Draft(ACKNOWLEDGED, data={"checkpoints": [behind[0].digest]}))
        with pytest.raises(LedgerBehind, match="over 13 entries"):
            notary.require_continuity()
        ledger.append(Draft(ACKNOWLEDGED, data={"checkpoints": [behind[1].digest]}))
        notary.require_continuity()
        assert notary.contradicting() == []
        assert seal(ledger, notary).head.size == 10
        notary.require_continuity()


def rewritten(at: Insider) -> None:
    values = at.bodies()
    values[3]["data"] = {"n": 99}
    at.write(values)


def test_a_file_that_contradicts_its_own_checkpoint_is_refused_without_a_way_on(scene: Scene) -> None:
    with insider(scene.path) as at:
        rewritten(at)
    with Ledger.open(scene.path, ticking()) as ledger:
        notary = Notary(ledger, [])
        for use in (notary.require_continuity, notary.contradicting, lambda: notary.sign([KEY])):
            with pytest.raises(LedgerBehind):
                use()


def test_a_file_whose_own_checkpoint_cannot_be_read_is_refused(scene: Scene) -> None:
    for note, why in (("x", "cannot be read"), (scene.kept.raw, "over 7")):
        with insider(scene.path) as at:
            at.put_note(19, note)
        with Ledger.open(scene.path, ticking()) as ledger:
            notary = Notary(ledger, [scene.mirror])
            for use in (notary.newest, notary.require_continuity, notary.contradicting, partial(notary.sign, [KEY])):
                with pytest.raises(LedgerDamaged, match=why):
                    use()


def test_a_checkpoint_of_another_log_in_the_mirror_stops_it(ledger: Ledger, scene: Scene) -> None:
    mirrored(scene.mirror, parse_checkpoint(other_log(scene.kept.raw, 99)))
    notary = Notary(ledger, [scene.mirror])
    notary.require_continuity()  # over as few entries as another that agrees: never the newest
    foreign = SigningKey.generate("habeas.audit/another")
    mirrored(scene.mirror, sign_checkpoint(Checkpoint("habeas.audit/another", Head(50, bytes(32))), [foreign]))
    with pytest.raises(LedgerBehind, match="another log"):
        notary.require_continuity()


def test_the_newest_file_of_a_mirror_that_is_damaged_stops_it(ledger: Ledger, scene: Scene) -> None:
    damaged = list(checkpoints_in(scene.mirror))[-1]
    damaged.write_text("nothing")
    notary = Notary(ledger, [scene.mirror])
    for use in (notary.newest, notary.require_continuity, lambda: notary.sign([KEY])):
        with pytest.raises(ProofInvalid, match=damaged.name):
            use()


def test_any_mirror_that_is_newer_stops_it(scene: Scene, tmp_path: Path) -> None:
    """Whoever can empty one of them must reach them all."""
    other = tmp_path / "other"
    shutil.copytree(scene.mirror, other)
    put_back(scene, 2)
    for path in checkpoints_in(scene.mirror):
        path.unlink()
    with Ledger.open(scene.path, ticking()) as ledger:
        Notary(ledger, [scene.mirror]).require_continuity()
        for mirrors in ([scene.mirror, other], [other, scene.mirror]):
            with pytest.raises(LedgerBehind):
                Notary(ledger, mirrors).require_continuity()


def test_two_mirrors_get_the_same(ledger: Ledger, scene: Scene, tmp_path: Path) -> None:
    notary = Notary(ledger, [scene.mirror, tmp_path / "other"])
    signed = seal(ledger, notary)
    assert names(tmp_path / "other") == names(scene.mirror)[-1:]
    assert [read_checkpoint(path) for path in checkpoints_in(tmp_path / "other")] == [signed]


def test_a_mirror_that_cannot_be_written_keeps_it_from_no_other_and_is_made_up_for(
    ledger: Ledger, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full or read-only folder, whichever place it has among the others."""

    def full(folder: Path, signed: SignedCheckpoint) -> Path:
        if folder == blocked:
            raise LedgerUnwritable(f"the checkpoint cannot be written to {folder.name}")
        return mirrored(folder, signed)

    blocked = tmp_path / "blocked"
    with monkeypatch.context() as patch:
        patch.setattr("habeas_audit.mirror.write", full)
        for mirrors, there in (([scene.mirror, blocked], 4), ([blocked, scene.mirror], 5)):
            with pytest.raises(LedgerUnwritable, match="blocked"):
                seal(ledger, Notary(ledger, mirrors))
            assert len(names(scene.mirror)) == there
    assert scene.look(scene.path).unsigned == 0
    Notary(ledger, [scene.mirror, blocked]).sign([KEY])
    assert names(blocked) == names(scene.mirror)[-1:]


def test_a_mirror_that_cannot_be_read_stops_it(ledger: Ledger, scene: Scene, tmp_path: Path) -> None:
    """What lies there may be newer than the file."""
    (tmp_path / "file").write_text("")
    for use in (Notary(ledger, [tmp_path / "file"]).require_continuity, Notary(ledger, [tmp_path / "file"]).newest):
        with pytest.raises(LedgerUnwritable, match="cannot be read"):
            use()


class TestACrash:
    """Each leaves what the next sealing mends, and what verifying accepts meanwhile."""

    def look(self, scene: Scene, unsigned: int, mirrored: int) -> None:
        found = scene.look(scene.path)
        assert (found.findings, found.unsigned) == ((), unsigned)
        assert len(names(scene.mirror)) == mirrored

    def mended(self, scene: Scene, ledger: Ledger) -> None:
        signed = seal(ledger, Notary(ledger, [scene.mirror]))
        assert signed.head == ledger.head()
        assert read_checkpoint(list(checkpoints_in(scene.mirror))[-1]) == signed
        found = verify_evidence(scene.path, trusted=[KEY.verifier])
        assert (found.findings, found.unsigned) == ((), 0)
        assert scene.look(scene.path).ok

    def test_between_appending_and_signing(self, ledger: Ledger, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("habeas_audit.notary.sign_checkpoint", _killed)
            with pytest.raises(KeyboardInterrupt):
                seal(ledger, Notary(ledger, [scene.mirror]))
        self.look(scene, unsigned=3, mirrored=3)
        self.mended(scene, ledger)

    def test_between_signing_and_storing(self, ledger: Ledger, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "add_checkpoint", _killed)
            with pytest.raises(KeyboardInterrupt):
                seal(ledger, Notary(ledger, [scene.mirror]))
        self.look(scene, unsigned=3, mirrored=3)
        self.mended(scene, ledger)

    def test_between_storing_and_mirroring(self, ledger: Ledger, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("habeas_audit.mirror.write", _killed)
            with pytest.raises(KeyboardInterrupt):
                seal(ledger, Notary(ledger, [scene.mirror]))
        self.look(scene, unsigned=0, mirrored=3)
        again = Notary(ledger, [scene.mirror]).sign([KEY])
        assert again is not None
        self.look(scene, unsigned=0, mirrored=4)
        self.mended(scene, ledger)


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_of_two_processes_that_sign_at_once_neither_publishes_what_the_file_does_not_keep(
    ledger: Ledger, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower one finds more entries signed than it has signed itself, and hands that on."""
    real = Ledger.add_checkpoint
    quicker: list[SignedCheckpoint] = []

    def overtaken(self: Ledger, signed: SignedCheckpoint) -> bool:
        if not quicker:
            monkeypatch.setattr(Ledger, "add_checkpoint", real)
            with Ledger.open(scene.path, ticking()) as other:
                other.append(Draft("a"))
                quicker.append(seal(other, Notary(other, [scene.mirror])))
        return real(self, signed)

    monkeypatch.setattr(Ledger, "add_checkpoint", overtaken)
    assert Notary(ledger, [scene.mirror]).sign([KEY]) == quicker[0]
    found = scene.look(scene.path)
    assert (found.findings, found.unsigned) == ((), 0)
    with ledger.proofs() as proofs:
        assert [read_checkpoint(path) for path in checkpoints_in(scene.mirror)] == list(proofs.checkpoints())
