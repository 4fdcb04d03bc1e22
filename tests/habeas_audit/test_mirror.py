"""Checkpoints outside the database: whole, private, and never written over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.habeas_audit.attacks import KEY, ORIGIN, THIEF

from habeas_audit import Checkpoint, Head, LedgerUnwritable, ProofInvalid, SignedCheckpoint, sign_checkpoint
from habeas_audit.mirror import all_of, newest_first, read, write
from habeas_audit.note import MAX_NOTE


def signed(size: int, fill: int = 0) -> SignedCheckpoint:
    return sign_checkpoint(Checkpoint(ORIGIN, Head(size, bytes([fill] * 32))), [KEY])


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_checkpoint_comes_back_as_it_was_written_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "checkpoints"
    one = signed(7)
    path = write(folder, one)
    assert read(path) == one
    assert path.read_text() == one.raw
    assert path.name == f"000000000007-{one.digest[7:15]}.note"
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert names(folder) == [path.name]


def test_they_come_in_the_order_of_their_sizes_and_other_files_are_passed_over(tmp_path: Path) -> None:
    sizes = [9, 10**17, 10, 2, 10**12, 999999999999]
    for size in sizes:
        write(tmp_path, signed(size))
    for name in ("notes.txt", ".000000000007-01234567.note.aa.new", "000000000007-01234567.note~", "7-01234567.note"):
        (tmp_path / name).write_text("nothing of ours")
    assert [one.head.size for one in newest_first(tmp_path)] == sorted(sizes, reverse=True)
    assert [read(path).head.size for path in all_of(tmp_path)] == sorted(sizes)


def test_one_that_is_there_stays_untouched_and_its_like_lies_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path, signed(7))
    before = path.stat()
    assert write(tmp_path, signed(7)) == path
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    others = [signed(7, 1), sign_checkpoint(signed(7).checkpoint, [THIEF])]
    assert len({path, *(write(tmp_path, other) for other in others)}) == 3
    assert read(path) == signed(7)


@pytest.mark.parametrize(
    "held", [b"", b"something else", signed(7, 1).raw.encode(), b"\xff\xfe", b"x" * (MAX_NOTE + 9)]
)
def test_a_name_that_holds_something_else_is_never_written_over(held: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, signed(7))
    path.write_bytes(held)
    with pytest.raises(ProofInvalid, match=path.name):
        write(tmp_path, signed(7))
    assert path.read_bytes() == held
    assert names(tmp_path) == [path.name]


def test_what_comes_in_between_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that is quicker, or somebody with another file of that name."""
    path = write(tmp_path, signed(7))
    for held, wrong in ((path.read_bytes(), False), (b"another", True)):
        path.write_bytes(held)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "exists", lambda _: False)
            if wrong:
                with pytest.raises(ProofInvalid):
                    write(tmp_path, signed(7))
            else:
                write(tmp_path, signed(7))
        assert path.read_bytes() == held
        assert names(tmp_path) == [path.name]


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    path = write(tmp_path, signed(7))
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ProofInvalid, match="cannot be read"):
        write(tmp_path, signed(7))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("step", ["open", "fsync", "link", "mkdir"])
def test_a_folder_that_takes_nothing_is_said_and_leaves_nothing_half_done(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a full, read-only or foreign one answers; the tests may run as root, whom no mode stops."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    folder = tmp_path / "checkpoints"
    target = {"open": "os.open", "fsync": "os.fsync", "link": "pathlib.Path.hardlink_to", "mkdir": "pathlib.Path.mkdir"}
    with monkeypatch.context() as patch:
        patch.setattr(target[step], refused)
        with pytest.raises(LedgerUnwritable, match=r"checkpoints \(Permission denied\)"):
            write(folder, signed(7))
    assert not folder.exists() or names(folder) == []
    assert read(write(folder, signed(7))) == signed(7)


def test_a_folder_that_is_not_there_is_empty_and_one_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert list(newest_first(tmp_path / "none")) == []
    assert list(all_of(tmp_path / "none")) == []
    (tmp_path / "file").write_text("")
    uses: list[Callable[[Path], Iterator[object]]] = [newest_first, all_of]
    for use in uses:
        with pytest.raises(LedgerUnwritable, match="cannot be read"):
            list(use(tmp_path / "file"))


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\xff", b"text", b"x" * (MAX_NOTE + 1), signed(7).raw.encode()[:-9]]
)
def test_a_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "000000000007-01234567.note"
    path.write_bytes(content)
    with pytest.raises(ProofInvalid, match=path.name):
        read(path)
    with pytest.raises(ProofInvalid, match=path.name):
        next(newest_first(tmp_path))


def test_a_file_that_holds_a_checkpoint_of_another_size_than_its_name_says_is_named(tmp_path: Path) -> None:
    """Else whoever renames one to a small number takes it out of sight."""
    path = write(tmp_path, signed(700))
    path.rename(tmp_path / f"000000000007-{signed(700).digest[7:15]}.note")
    with pytest.raises(ProofInvalid, match="000000000007"):
        list(newest_first(tmp_path))
