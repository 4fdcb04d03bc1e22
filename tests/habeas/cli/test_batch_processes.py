"""A batch as a real process: stopped, killed, and with more rows than anybody would want to hold in memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from habeas.testing.sandbox import Fault
from habeas_audit import verify

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

    from habeas.testing.sandbox import Call, Reply

PEOPLE = 10

KILL_WHILE_REGISTERING = """
import os, signal, sys
import habeas.cli.batch_command as batch
from habeas.cases.keys import KeyStore
from habeas.cases.vault import Vault
from habeas.cli import cli
from habeas.cli.border import run_guarded
from habeas_audit import Ledger

batch._TOGETHER = 4
left = int(sys.argv[1])

def here():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def around(function):
    def wrapped(*arguments, **named):
        here()
        result = function(*arguments, **named)
        here()
        return result
    return wrapped

KeyStore.new_case_keys = around(KeyStore.new_case_keys)
Vault.open_cases = around(Vault.open_cases)
Ledger.append = around(Ledger.append)
sys.exit(run_guarded(cli, sys.argv[2:]))
"""


def everybody(shop: Shop) -> str:
    """A batch that erases all people."""
    path = shop.folder / "all.csv"
    rows = "".join(f'erasure,"{p.customer_id}",{n}\n' for n, p in enumerate(shop.world.people))
    path.write_text(f"type,customer_id,reference\n{rows}")
    return str(path)


class Gate:
    """Stops the vendors at the n-th change until it is opened, so that something happens exactly then."""

    def __init__(self, shop: Shop, change: int) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        self._left = change
        self._lock = threading.Lock()
        for server in shop.servers:
            server.respond = self._guarding(server.respond)  # type: ignore[method-assign,assignment] # a pause

    def _guarding(self, respond: Callable[[Call], Reply | None]) -> Callable[[Call], Reply | None]:
        def guarded(call: Call) -> Reply | None:
            with self._lock:
                self._left -= call.method != "GET"
                closed = self._left <= 0
            if closed and not self.opened.is_set():
                self.reached.set()
                self.opened.wait(timeout=30)
            return respond(call)

        return guarded


def check_all_done(shop: Shop, documents: Iterable[Any]) -> None:
    """Every request was one case; the last word on each is true; the ledger is whole."""
    cases = {}
    for document in documents:
        for case in document["cases"]:
            cases[case["reference"]] = case
    listed = shop.run("case", "list", "--json").json["cases"]
    assert [case["status"] for case in listed] == ["completed"] * len(shop.world.people)
    for n, person in enumerate(shop.world.people):
        case = cases.get(str(n))
        if case is None or case["status"] != "completed":
            continue
        held = shop.world.held(person)
        for name in shop.world.servers:
            results = {row["result"] for row in case["outcomes"] if row["connection"] == name}
            assert name not in held or results - {"erased", "absent"}, (n, name, held)
            assert ("erased" in results) == (name in person.held_at), (n, name, results)
    assert {n for n, case in cases.items() if case["status"] == "completed"} <= {str(n) for n in range(PEOPLE)}
    assert verify(shop.home.ledger).ok


def resume_to_the_end(shop: Shop) -> list[Any]:
    """What `resume` says, run again while a case is left: a call of the dead process may still be under way at a vendor
    and get between the first one's calls. It then says "incomplete", which is true, and the next one ends it."""
    documents = []
    for _ in range(3):
        ran = shop.run("resume", "--json")
        documents.append(ran.json)
        if ran.code != 1:
            break
    left = [
        row for case in documents[-1]["cases"] for row in case["outcomes"] if row["result"] in ("failed", "unknown")
    ]
    assert (left, ran.code in (0, 3)) == ([], True)
    return documents


def references(shop: Shop) -> list[str]:
    """The references of all cases in the register."""
    listed = shop.run("case", "list", "--json").json["cases"]
    return [shop.run("case", "show", case["case"], "--json").json["reference"] for case in listed]


# -- stopped ----------------------------------------------------------------------------------------------------------


def test_a_stopped_batch_says_how_to_go_on_and_resume_ends_it(make_shop: Callable[[int], Shop]) -> None:
    """The calls in hand are finished and recorded; what was not begun is counted; the document is whole."""
    shop = make_shop(PEOPLE)
    gate = Gate(shop, change=15)
    child = shop.start("batch", everybody(shop), "--yes", "--json")
    assert gate.reached.wait(timeout=30)
    child.send_signal(signal.SIGINT)
    assert child.stderr is not None
    told = ""
    while "habeas resume" not in told:
        told += child.stderr.readline()
    gate.opened.set()
    stdout, stderr = child.communicate(timeout=30)
    assert child.returncode == 1
    assert "SIGINT: finishing the calls in hand; go on later with `habeas resume`" in told
    assert "cases are not finished: `habeas resume` goes on." in stderr
    assert "Traceback" not in stderr

    first = json.loads(stdout)
    assert first["summary"]["not_started"] + first["summary"]["cases"] == PEOPLE
    check_all_done(shop, (first, *resume_to_the_end(shop)))


def test_a_second_signal_stops_at_once(make_shop: Callable[[int], Shop]) -> None:
    """A vendor that hangs does not keep the process: 130, one line, and nothing is lost."""
    shop = make_shop(PEOPLE)
    for server in shop.servers:
        server.fail(Fault("hang_before", "DELETE", times=-1))
        server.fail(Fault("hang_before", "POST", times=-1))
    gate = Gate(shop, change=1)
    child = shop.start("batch", everybody(shop), "--yes", "--json")
    assert gate.reached.wait(timeout=30)
    gate.opened.set()
    assert child.stderr is not None
    child.send_signal(signal.SIGTERM)
    told = ""
    while "once more stops at once" not in told:
        told += child.stderr.readline()
    child.send_signal(signal.SIGINT)
    stdout, stderr = child.communicate(timeout=10)
    assert child.returncode == 130
    assert stderr.splitlines()[-1] == "habeas: stopped at once; run `habeas resume` to finish"
    assert "Traceback" not in stderr

    document = json.loads(stdout)
    assert document["error"]["exit_code"] == 130
    for server in shop.servers:
        server.faults.clear()
        server.release()
    check_all_done(shop, (document, *resume_to_the_end(shop)))


# -- killed -----------------------------------------------------------------------------------------------------------


def test_a_batch_killed_at_work_is_finished_by_resume(make_shop: Callable[[int], Shop]) -> None:
    """SIGKILL between a vendor's change and its answer."""
    shop = make_shop(PEOPLE)
    gate = Gate(shop, change=25)
    child = shop.start("batch", everybody(shop), "--yes", "--json", stdout=subprocess.DEVNULL)
    assert gate.reached.wait(timeout=30)
    child.kill()
    child.communicate(timeout=30)
    gate.opened.set()
    assert "incomplete" in {case["status"] for case in shop.run("case", "list", "--json").json["cases"]}
    documents = resume_to_the_end(shop)
    check_all_done(shop, documents)
    for case in (c for document in documents for c in document["cases"] if c["status"] == "completed"):
        person = shop.world.people[int(case["reference"])]
        for name in person.held_at:
            results = {row["result"] for row in case["outcomes"] if row["connection"] == name}
            assert results <= {"erased", "retained", "manual"}, "what the killed run erased is erased, not absent"


@pytest.mark.parametrize("point", [9, 12, 15, 20])
def test_a_batch_killed_while_registering_registers_each_request_once(
    point: int, make_shop: Callable[..., Shop]
) -> None:
    """The same file again goes on where the register ends; `resume` alone says that a part is still in the file."""
    shop = make_shop(2)
    path = shop.folder / "ten.csv"
    path.write_text("type,customer_id,reference\n" + "".join(f"inventory,none-{n},{n}\n" for n in range(10)))
    arguments = [*shop.head, "batch", str(path), "--yes"]
    killed = subprocess.run(
        [sys.executable, "-c", KILL_WHILE_REGISTERING, str(point), *arguments], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert shop.calls == 0, "nothing is sent before all is registered"
    begun = shop.run("audit", "log", "--type", "batch.started", "--json").json["entries"]
    resumed = shop.run("resume")
    assert ("run `habeas batch` on that file again" in resumed.stderr) == bool(begun)
    ran = shop.run("batch", str(path), "--yes", "--json")
    assert ran.code in (0, 3), ran.stderr
    assert references(shop) == [str(n) for n in range(10)]
    assert {case["status"] for case in shop.run("case", "list", "--json").json["cases"]} == {"completed"}
    assert "on that file again" not in shop.run("resume").stderr
    assert verify(shop.home.ledger).ok


# -- memory -----------------------------------------------------------------------------------------------------------


def _peak(shop: Shop, path: Path, rows: int) -> float:
    """Megabytes that a batch of so many rows took at most."""
    known = [p.customer_id for p in shop.world.people[10:16]]
    ids = [*known[: rows // 2], *(f"none-{n}" for n in range(rows - len(known[: rows // 2])))]
    path.write_text("type,customer_id\n" + "".join(f"inventory,{customer_id}\n" for customer_id in ids))
    with (path.with_suffix(".json")).open("w") as out:
        child = shop.start("batch", str(path), "--yes", "--json", stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode in (0, 3)
    assert out.name
    assert path.with_suffix(".json").read_text().count('"status": "completed"') == rows
    return usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)


def test_memory_does_not_grow_with_the_file(make_shop: Callable[[int], Shop], tmp_path: Path) -> None:
    """600 rows take hardly more than 10."""
    shop = make_shop(20)
    # One vendor is enough: what could grow is what habeas itself keeps of each case.
    text = shop.config.read_text()
    vendors = text[text.index("[connections.") : text.index("[policies]")].split("[connections.")[1:]
    first = next(iter(shop.world.servers))
    kept = "".join(f"[connections.{block}" for block in vendors if block.startswith(first))
    shop.config.write_text(text[: text.index("[connections.")] + kept + text[text.index("[policies]") :])
    few, many = _peak(shop, tmp_path / "few.csv", 10), _peak(shop, tmp_path / "many.csv", 600)
    assert many - few < 18
