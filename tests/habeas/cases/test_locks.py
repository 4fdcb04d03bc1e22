"""One process at a time works on a case."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from habeas.cases.locks import CaseLocks
from habeas.errors import StorageError

Start = Callable[..., "subprocess.Popen[str]"]

HOLDER = """
import os, signal, sys
from pathlib import Path
from habeas.cases.locks import CaseLocks
locks = CaseLocks(Path(sys.argv[1]))
for line in sys.stdin:
    verb, case = line.split()
    if verb == "fork":
        print(locks.take(case), flush=True)
        if os.fork() == 0:
            locks.close()
            os._exit(0)
        os.wait()
        print("closed", flush=True)
        if os.fork() == 0:
            while os.read(0, 1):
                pass
            os._exit(0)
        continue
    print(getattr(locks, verb)(case), flush=True)
"""


def ask(child: subprocess.Popen[str], verb: str, case: str) -> str:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{verb} {case}\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


def test_of_two_processes_one_gets_a_case_and_the_other_may_have_others(tmp_path: Path, start: Start) -> None:
    other = start(HOLDER, tmp_path / "locks")
    assert ask(other, "take", "c-1") == "True"
    with closing(CaseLocks(tmp_path / "locks")) as locks:
        assert not locks.take("c-1")
        assert locks.take("c-2")
        assert ask(other, "take", "c-2") == "False"
        ask(other, "release", "c-1")
        assert locks.take("c-1")
        assert ask(other, "take", "c-1") == "False"
        locks.release("c-1")
        assert ask(other, "take", "c-1") == "True"


def test_a_killed_holder_lets_go(tmp_path: Path, start: Start) -> None:
    other = start(HOLDER, tmp_path / "locks")
    with closing(CaseLocks(tmp_path / "locks")) as locks:
        assert ask(other, "take", "c-1") == "True"
        assert not locks.take("c-1")
        other.kill()
        other.wait()
        assert locks.take("c-1")


def test_a_case_is_taken_once_within_a_process_too(tmp_path: Path) -> None:
    with closing(CaseLocks(tmp_path / "locks")) as locks:
        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(locks.take, ["c-1"] * 16)) == [False] * 15 + [True]
        locks.release("c-1")
        assert locks.take("c-1")


def test_letting_go_of_what_is_not_held_takes_nothing_from_others(tmp_path: Path, start: Start) -> None:
    other = start(HOLDER, tmp_path / "locks")
    assert ask(other, "take", "c-1") == "True"
    with closing(CaseLocks(tmp_path / "locks")) as locks:
        locks.release("c-1")
        assert not locks.take("c-1")


def test_closing_lets_all_go_and_may_be_repeated(tmp_path: Path, start: Start) -> None:
    locks = CaseLocks(tmp_path / "locks")
    assert locks.take("c-1")
    locks.close()
    other = start(HOLDER, tmp_path / "locks")
    assert ask(other, "take", "c-1") == "True"
    # The number of the closed descriptor is another file's now.
    with (tmp_path / "innocent").open("w") as innocent:
        locks.close()
        locks.release("c-1")
        innocent.write("still open")
    with pytest.raises(StorageError, match="closed"):
        locks.take("c-2")


def test_a_stopped_holder_holds_what_it_has_until_it_goes_on(tmp_path: Path, start: Start) -> None:
    """It may wake at any time and go on where it was: nobody takes over from it meanwhile."""
    other = start(HOLDER, tmp_path / "locks")
    with closing(CaseLocks(tmp_path / "locks")) as locks:
        assert ask(other, "take", "c-1") == "True"
        other.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, other.pid, os.WSTOPPED | os.WNOWAIT)
        assert not locks.take("c-1")
        other.send_signal(signal.SIGCONT)
        assert ask(other, "release", "c-1") == "None"
        assert locks.take("c-1")


def test_a_forked_child_holds_nothing_and_lets_nothing_go(tmp_path: Path, start: Start) -> None:
    """A plugin may fork: what its child closes, or keeps open, changes nothing about who works on a case."""
    other = start(HOLDER, tmp_path / "locks")
    assert ask(other, "fork", "c-1") == "True"
    assert other.stdout is not None
    assert other.stdout.readline() == "closed\n"
    with closing(CaseLocks(tmp_path / "locks")) as locks:
        assert not locks.take("c-1"), "its child has closed the file"
        other.kill()
        other.wait()
        assert locks.take("c-1"), "its other child has the file open"


def test_a_file_taken_away_from_who_works_with_it_lets_nobody_in(tmp_path: Path, start: Start) -> None:
    """ "Is being worked on by another process": somebody deletes the file of locks, as they would a stale one."""
    other = start(HOLDER, tmp_path / "locks")
    assert ask(other, "take", "c-1") == "True"
    (tmp_path / "locks").unlink()
    with pytest.raises(StorageError, match="taken away while a process works"):
        CaseLocks(tmp_path / "locks")
    other.kill()
    other.wait()
    with closing(CaseLocks(tmp_path / "locks")) as locks:
        assert locks.take("c-1")


@pytest.mark.parametrize("replaced", [True, False])
def test_who_holds_a_file_that_others_cannot_find_takes_nothing_more(replaced: bool, tmp_path: Path) -> None:
    with closing(CaseLocks(tmp_path / "locks")) as locks:
        assert locks.take("c-1")
        (tmp_path / "locks").unlink()
        if replaced:
            (tmp_path / "locks").touch()
        with pytest.raises(StorageError, match="taken away"):
            locks.take("c-2")


def test_of_many_that_make_the_file_at_once_each_finds_the_same(tmp_path: Path, start: Start) -> None:
    others = [start(HOLDER, tmp_path / "locks") for _ in range(4)]
    assert sorted(ask(other, "take", "c-1") for other in others) == ["False", "False", "False", "True"]


def test_the_file_is_private_and_stays_empty(tmp_path: Path) -> None:
    with closing(CaseLocks(tmp_path / "locks")) as locks:
        assert all(locks.take(f"c-{n}") for n in range(1000))
    assert (tmp_path / "locks").stat().st_size == 0
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) & 0o077 == 0


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be opened"):
        CaseLocks(tmp_path / "none" / "locks")


def test_a_system_without_locks_is_not_taken_for_a_case_that_is_taken(tmp_path: Path) -> None:
    with closing(CaseLocks(tmp_path / "locks")) as locks:
        number = locks._descriptor
        os.close(number)
        with pytest.raises(StorageError, match="cannot be used"):
            locks.take("c-1")
        spare = os.open(os.devnull, os.O_RDWR)
        os.dup2(spare, number)
        if spare != number:
            os.close(spare)
