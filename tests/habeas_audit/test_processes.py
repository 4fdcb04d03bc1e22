"""Real processes on one file: they take turns, and one that is killed loses nothing it was told was kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from habeas_audit import Ledger, verify

Clock = Callable[[], datetime]

APPENDER = """
import sys, threading
from datetime import UTC, datetime
from habeas_audit import Draft, Ledger
path, name, threads, calls = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
lock = threading.Lock()
with Ledger.open(path, lambda: datetime.now(UTC)) as ledger:
    def work(thread):
        n = 0
        while n != calls:
            made = ledger.append(Draft("a", f"{name}-{thread}", data={"n": n}), Draft("b", f"{name}-{thread}"))
            with lock:
                print(*(f"{entry.seq} {entry.leaf_hash.hex()}" for entry in made), sep="\\n", flush=True)
            n += 1
    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
"""

KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from habeas_audit import Draft, GroupCommit, Ledger
path, when = sys.argv[1:]
with Ledger.open(path, lambda: datetime.now(UTC)) as ledger:
    ledger.append(Draft("a"), Draft("a"))
    real = GroupCommit.commit
    def commit(self):
        if when == "inside":
            # Pages reach the file and the journal is hot: what a kill in the middle of COMMIT leaves.
            self._connection.execute("PRAGMA cache_size = 1")
            self._connection.execute("PRAGMA cache_spill = 1")
            for n in range(3000):
                self._connection.execute("CREATE TABLE IF NOT EXISTS x(b)") if n == 0 else None
                self._connection.execute("INSERT INTO x VALUES (zeroblob(500))")
        if when == "after":
            real(self)
        os.kill(os.getpid(), signal.SIGKILL)
    GroupCommit.commit = commit
    ledger.append(Draft("b"), Draft("b"))
"""

INTERRUPTED = """
import signal, sys, threading
from datetime import UTC, datetime
from habeas_audit import Draft, Ledger, LedgerUncertain
path, told, done = sys.argv[1], [], []
with Ledger.open(path, lambda: datetime.now(UTC)) as ledger:
    def work(thread):
        for n in range(20):
            try:
                told.extend(ledger.append(Draft("a", f"c-{thread}")))
            except LedgerUncertain:
                pass
        done.append(thread)
    workers = [threading.Thread(target=work, args=(thread,)) for thread in range(6)]
    for worker in workers:
        worker.start()
    interrupts = shots = 0
    def strike(*_):
        # Ctrl-C at whatever instruction the main thread is at; the second one while it still handles the first.
        global interrupts, shots
        signal.setitimer(signal.ITIMER_REAL, 0.00002 if shots == 2 else 0.001)
        if shots:
            shots -= 1
            interrupts += 1
            raise KeyboardInterrupt
    signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    while len(done) < 6:
        try:
            try:
                shots = 2
                while len(done) < 6:
                    told.extend(ledger.append(Draft("b")))
                shots = 0
            except KeyboardInterrupt:
                pass
            shots = 0
        except KeyboardInterrupt:
            pass
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    print(interrupts, flush=True)
    assert sorted(done) == list(range(6))
    told.extend(ledger.append(Draft("c")))
    for entry in told:
        print(entry.seq, entry.leaf_hash.hex(), flush=True)
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def acknowledged(lines: list[str]) -> dict[int, str]:
    # The last line of a killed process may be cut.
    pairs = [line.split() for line in lines if line.endswith("\n") and len(line.split()) == 2]
    return {int(seq): leaf for seq, leaf in pairs}


def stored(path: Path, clock: Clock) -> dict[int, str]:
    with Ledger.open(path, clock) as ledger:
        entries = {entry.seq: entry.leaf_hash.hex() for entry in ledger.entries()}
    assert list(entries) == list(range(1, len(entries) + 1))
    assert verify(path).ok
    return entries


def test_threads_of_several_processes_append_without_a_fork_or_a_gap(path: Path, clock: Clock) -> None:
    Ledger.create(path, clock).close()
    children = [start(APPENDER, path, name, 4, 12) for name in ("x", "y", "z")]
    told: dict[int, str] = {}
    for child in children:
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        mine = acknowledged(output.splitlines(keepends=True))
        assert not mine.keys() & told.keys()
        told |= mine
    assert stored(path, clock) == dict(sorted(told.items()))
    assert len(told) == 3 * 4 * 12 * 2


def test_ctrl_c_again_and_again_in_one_thread_stops_none_of_the_others(path: Path, clock: Clock) -> None:
    Ledger.create(path, clock).close()
    child = start(INTERRUPTED, path)
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    interrupts, *lines = output.splitlines(keepends=True)
    told = acknowledged(lines)
    assert int(interrupts) > 10
    # The few whose commit was struck twice were told so; each of the others was told that it is kept.
    assert len(told) > 6 * 10
    assert told.items() <= stored(path, clock).items()


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_a_process_killed_while_its_threads_append_loses_nothing_acknowledged(
    path: Path, clock: Clock, lines: int
) -> None:
    Ledger.create(path, clock).close()
    child = start(APPENDER, path, "x", 4, -1)
    assert child.stdout is not None
    read = [child.stdout.readline() for _ in range(lines)]
    os.kill(child.pid, signal.SIGKILL)
    read += child.stdout.readlines()
    child.stdout.close()
    assert child.wait(60) == -signal.SIGKILL
    told = acknowledged(read)
    assert len(told) >= lines
    kept = stored(path, clock)
    assert told.items() <= kept.items()
    assert len(kept) % 2 == 0


@pytest.mark.parametrize(("when", "size"), [("before", 2), ("inside", 2), ("after", 4)])
def test_a_process_killed_around_its_commit_leaves_it_whole_or_not_at_all(
    path: Path, clock: Clock, when: str, size: int
) -> None:
    Ledger.create(path, clock).close()
    child = start(KILLED, path, when)
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    if when == "inside":
        assert [finding.kind for finding in verify(path).findings] == ["journal"]
    assert len(stored(path, clock)) == size
