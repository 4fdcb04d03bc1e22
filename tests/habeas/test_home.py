"""Where things live, and how files are made there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from habeas.errors import ConfigError, StorageError
from habeas.home import Home, private_folder, readable_by_others, sync_folder, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_lives_in_one_folder(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    parts = [home.ledger, home.vault, home.keys, home.locks, home.packages, home.config]
    assert [p.name for p in parts] == ["audit.db", "vault.db", "keys.db", "locks", "packages", "habeas.toml"]
    assert {p.parent for p in parts} == {tmp_path}
    assert Home.at(None).path.name == "habeas"


def test_a_home_is_ready_when_its_three_files_are_there(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    for path in (home.keys, home.vault, home.ledger):  # as they are made
        with pytest.raises(ConfigError, match=f"{path.name}.* missing") as caught:
            home.require()
        assert "habeas init" in caught.value.advice
        assert not home.ready()
        path.touch()
    home.require()
    assert home.ready()


@pytest.mark.parametrize("lost", ["keys", "vault", "ledger"])
def test_a_file_that_was_lost_is_told_from_one_that_was_never_made(lost: str, tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    for path in (home.keys, home.vault, home.ledger, home.suppression):
        path.touch()
    path = getattr(home, lost)
    path.unlink()
    with pytest.raises(StorageError, match=f"{path.name} is missing, but") as caught:
        home.require()
    assert "habeas restore" in caught.value.advice


def test_a_private_folder_is_its_owners_alone(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    private_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match="cannot be made"):
            private_folder(path)


def test_a_private_file_is_whole_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "f"
    old = os.umask(0)
    try:
        write_private(path, b"first")
    finally:
        os.umask(old)
    assert mode(path) == 0o600
    with pytest.raises(FileExistsError):
        write_private(path, b"second")
    assert path.read_bytes() == b"first"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_private(tmp_path / "link", b"x")
    assert not (tmp_path / "elsewhere").exists()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from habeas.home import write_private
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_private(Path(sys.argv[1]), b"x" * 100_000)
except OSError:
    print("refused")
"""


def test_a_file_that_could_not_be_written_whole_is_not_there(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "f")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
    assert not list(tmp_path.iterdir())
    write_private(tmp_path / "f", b"whole")


@pytest.mark.parametrize(("bits", "others"), [(0o600, False), (0o400, False), (0o640, True), (0o601, True)])
def test_who_may_read_a_file(tmp_path: Path, bits: int, others: bool) -> None:
    (tmp_path / "f").touch()
    (tmp_path / "f").chmod(bits)
    assert readable_by_others(tmp_path / "f") is others


def test_a_folders_names_can_be_made_durable(tmp_path: Path) -> None:
    sync_folder(tmp_path)
    with pytest.raises(OSError, match="No such file"):
        sync_folder(tmp_path / "none")
