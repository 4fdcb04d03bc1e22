"""A hostile or broken plugin: its connection fails, the others are served, and the run ends and tells the truth."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.figures import record
from tests.hostile import habeas_rogue
from tests.hostile.conftest import by_connection

from habeas.clock import SystemClock
from habeas.control import RunControl
from habeas.engine.tools import _Job
from habeas.errors import RunEnded
from habeas.foreign import foreign_code, ours, within

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran
    from tests.hostile.conftest import RogueShop

OTHERS = ("voucherify", "talonone", "cybersource")
RAISED = {
    "key_error": "KeyError", "base_exception": "Whim", "system_exit": "SystemExit",
    "keyboard_interrupt": "KeyboardInterrupt", "generator_exit": "GeneratorExit", "stop_iteration": "StopIteration",
    "cancelled": "CancelledError", "future_cancelled": "CancelledError", "timeout": "TimeoutError",
    "memory": "MemoryError", "recursion": "RecursionError", "broken_pipe": "BrokenPipeError",
    "usage": "HabeasError",
}  # fmt: skip


def some(names: Iterable[str], *kept: str) -> list[Any]:
    """All of them in `make faults`; those that are kept in `make test` too."""
    return [name if name in kept else pytest.param(name, marks=pytest.mark.faults) for name in sorted(names)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rogue is left behind soon when it does nothing; the others may take as long as this machine needs."""
    monkeypatch.setattr(_Job, "_patience", lambda job: 2.0 if job._crew._name == "habeas-rogue" else 60.0)
    monkeypatch.setattr("habeas.engine.tools._LOOK_SECONDS", 0.05)


def others_served(ran: Ran) -> dict[str, Any]:
    """What is said of the rogue; the other vendors were searched, or are done."""
    assert "Traceback" not in ran.stderr
    assert "internal fault" not in ran.stderr
    assert "secret.example" not in ran.stdout + ran.stderr
    found = by_connection(ran.json)
    for name in OTHERS:
        assert all(row.get("searched", True) for row in found[name]), name
        assert all(row.get("result", "") not in ("failed", "unknown") for row in found[name]), name
    (row,) = found["rogue"]
    assert isinstance(row, dict)
    return row


# -- what a hook raises or returns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "deed", some(RAISED, "base_exception", "keyboard_interrupt", "stop_iteration", "system_exit")
)  # fmt: skip
def test_whatever_a_hook_raises_fails_its_connection_and_no_other(rogue: RogueShop, deed: str) -> None:
    rogue.be(f"inventory:{deed}")
    ran = rogue.run("inventory", f"customer_id={rogue.shop.world.people[0].customer_id}", "--json")
    assert ran.code == 1
    assert others_served(ran)["problem"] == f"plugin rogue: inventory raised {RAISED[deed]}"


@pytest.mark.parametrize("deed", some(habeas_rogue.NONSENSE, "none", "a_generator"))
def test_nonsense_is_no_answer(rogue: RogueShop, deed: str) -> None:
    rogue.be(f"inventory:{deed}")
    ran = rogue.run("inventory", f"customer_id={rogue.shop.world.people[0].customer_id}", "--json")
    assert ran.code == 1
    assert "plugin rogue: inventory returned" in others_served(ran)["problem"]


@pytest.mark.parametrize("shape", some(habeas_rogue.MISSHAPEN, "gap", "huge"))
def test_an_answer_of_the_right_type_with_nonsense_in_it_is_none(rogue: RogueShop, shape: str) -> None:
    rogue.be(f"shape:{shape}")
    ran = rogue.run("inventory", f"customer_id={rogue.shop.world.people[0].customer_id}", "--json")
    assert ran.code == 1
    assert "plugin rogue: inventory returned" in others_served(ran)["problem"]


@pytest.mark.parametrize("how", ["erase:keyboard_interrupt", "erase:lie"])
def test_an_erase_hook_that_breaks_its_contract_fails_and_resume_finishes(rogue: RogueShop, how: str) -> None:
    """Gone is believed only after a read: a plugin that claims it without one has claimed nothing."""
    person = rogue.shop.fresh()
    rogue.be(how)
    ran = rogue.run("erase", f"customer_id={person.customer_id}", "--yes", "--json")
    assert (ran.code, ran.json["status"]) == (1, "incomplete")
    assert others_served(ran)["result"] == "failed"
    assert rogue.shop.world.held(person) == {}
    rogue.be("")
    ran = rogue.run("resume", ran.json["case"], "--json")
    assert (ran.code, ran.json["cases"][0]["status"]) == (3, "completed")


@pytest.mark.parametrize("document", some(habeas_rogue.DOCUMENTS, "climbs", "no_text"))
def test_a_document_that_cannot_be_packed_is_left_out_of_a_package_with_all_others(
    rogue: RogueShop, document: str, tmp_path: Path
) -> None:
    """No name of a plugin's leads out of the package, and one plugin's mistake costs nobody else's data."""
    rogue.be(f"document:{document}")
    person, path = rogue.shop.world.people[1], tmp_path / "package.zip"
    ran = rogue.run("access", f"customer_id={person.customer_id}", "-o", str(path), "--again", "--json")
    assert ran.code == 1
    assert others_served(ran)["result"] == "failed"
    names = zipfile.ZipFile(path).namelist()
    assert not any("rogue" in name or ".." in name or name.startswith("/") for name in names)
    assert any(name.rpartition("/")[0].endswith("voucherify") for name in names)


# -- what a hook does --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", some(("inventory", "erase"), "erase"))
def test_a_hook_that_hangs_is_left_behind_and_the_others_are_done(rogue: RogueShop, hook: str, impatient: None) -> None:
    """Also those whose turn comes after it."""
    person = rogue.shop.fresh()
    rogue.be(f"{hook}:hang")
    started = time.monotonic()
    ran = rogue.run("erase", f"customer_id={person.customer_id}", "--yes", "--json")
    assert time.monotonic() - started < 29
    row = others_served(ran)
    assert (ran.code, ran.json["status"]) == (1, "incomplete")
    # Nothing was planned for it where it was not even searched.
    assert row["result"] == ("failed" if hook == "inventory" else "unknown")
    assert "its plugin did nothing for 2 s and was left behind; go on with `habeas resume`" in row["reason"]
    assert rogue.shop.world.held(person) == {}
    rogue.be("")
    ran = rogue.run("resume", ran.json["case"], "--json")
    assert (ran.code, ran.json["cases"][0]["status"]) == (3, "completed")


def test_a_plugin_that_hangs_again_and_again_is_not_asked_any_more_in_a_batch(
    rogue: RogueShop, impatient: None, tmp_path: Path
) -> None:
    """Every case is done at the other vendors; how long it takes does not grow with the number of cases."""
    people = [rogue.shop.fresh() for _ in range(12)]
    rogue.be("inventory:hang")
    file = tmp_path / "batch.csv"
    file.write_text("type,customer_id\n" + "".join(f'inventory,"{p.customer_id}"\n' for p in people))
    started = time.monotonic()
    ran = rogue.run("batch", str(file), "--yes", "--json")
    assert time.monotonic() - started < 60
    assert (ran.code, ran.json["summary"]["statuses"]) == (1, {"incomplete": 12})
    reasons = set()
    for case in ran.json["cases"]:
        for row in case["outcomes"]:
            if row["connection"] == "rogue":
                reasons.add(row["reason"].partition(";")[0])
            else:
                assert row["result"] not in ("failed", "unknown")
    assert reasons <= {
        "its plugin did nothing for 2 s and was left behind", "its plugin has not come back too often in this run",
    }  # fmt: skip
    assert len(reasons) == 2


def test_what_a_plugin_changes_in_its_arguments_nobody_else_sees(rogue: RogueShop) -> None:
    """Not the other vendors in the same case, and no later case."""
    person = rogue.shop.world.people[0]
    before = rogue.run("inventory", f"customer_id={person.customer_id}", "--json").json
    rogue.be("inventory:mutate")
    after = rogue.run("inventory", f"customer_id={person.customer_id}", "--json").json
    assert by_connection(after).keys() == by_connection(before).keys()
    for name in OTHERS:
        assert by_connection(after)[name] == by_connection(before)[name]
    seen = []
    for wanted in ("granted", "withdrawn"):
        ran = rogue.run(
            "consent", "set", f"customer_id={person.customer_id}", f"marketing_email={wanted}", "--yes", "--json"
        )
        (row,) = by_connection(ran.json)["rogue"]
        seen.append(row["reason"])
    assert seen == ["seen 1", "seen 1"]


def test_a_hook_that_may_only_read_can_change_nothing(rogue: RogueShop) -> None:
    entries = rogue.shop.ledger_bytes().count(b"call.intent")
    rogue.be("inventory:change")
    ran = rogue.run("inventory", f"customer_id={rogue.shop.world.people[0].customer_id}", "--json")
    assert "a changing call where only reading is allowed" in others_served(ran)["problem"]
    assert rogue.shop.ledger_bytes().count(b"call.intent") == entries


# -- what it does to the process ---------------------------------------------------------------------------------------


def test_what_a_plugin_prints_starts_and_forks_neither_reaches_our_output_nor_keeps_us_running(
    rogue: RogueShop,
) -> None:
    """Standard output is one document, said once; the ledger has each entry once; nothing that is left holds us up."""
    person = rogue.shop.fresh()
    rogue.be("inventory:print erase:thread erase:fork")
    ran = rogue.process("erase", f"customer_id={person.customer_id}", "--yes", "--json")
    assert (ran.code, ran.json["status"]) == (3, "completed")
    assert "ROGUE" not in ran.stdout
    for word in ("PRINT", "WRITE", "BYTES", "RAW", "CHILD", "THREAD"):
        assert f"ROGUE-{word}" in ran.stderr
    assert rogue.shop.world.held(person) == {}
    assert rogue.run("audit", "verify").code == 0
    with closing(sqlite3.connect(rogue.shop.home.ledger)) as db:
        query = "SELECT type, connection, count(*) FROM entries WHERE case_id = ? GROUP BY type, connection"
        written = {(t, c): n for t, c, n in db.execute(query, [ran.json["case"]])}
    assert written["case.closed", ""] == written["record.outcome", "rogue"] == 1


@pytest.mark.parametrize("deed", ["exit", pytest.param("close_files", marks=pytest.mark.faults)])
def test_a_plugin_that_ends_the_process_or_takes_its_files_is_like_a_kill(rogue: RogueShop, deed: str) -> None:
    """Nothing is lost, nothing is claimed; `resume` goes on."""
    person = rogue.shop.fresh()
    rogue.be(f"erase:{deed}")
    ran = rogue.process("erase", f"customer_id={person.customer_id}", "--yes", "--json")
    assert "completed" not in ran.stdout
    assert "Traceback" not in ran.stderr
    if deed == "close_files":
        assert ran.code == 1
    rogue.be("")
    assert rogue.run("audit", "verify").code == 0
    ran = rogue.run("resume", "--json")
    # Other tests may have left cases of their own here.
    assert {case["status"] for case in ran.json["cases"]} == {"completed"}
    assert rogue.shop.world.held(person) == {}


@pytest.mark.faults
@pytest.mark.parametrize("deed", ["hang", "spin"])
@pytest.mark.parametrize("hook", ["inventory", "erase"])
def test_the_real_program_ends_in_time_whatever_a_hook_does(rogue: RogueShop, hook: str, deed: str) -> None:
    person = rogue.shop.fresh()
    rogue.be(f"{hook}:{deed}")
    started = time.monotonic()
    ran = rogue.process("erase", f"customer_id={person.customer_id}", "--yes", "--json", "--max-wait", "15")
    seconds = time.monotonic() - started
    assert seconds < 60
    assert ran.code == 1
    others_served(ran)
    record("hostile", {f"seconds until left behind, {hook} {deed}": round(seconds, 1)})


# -- when it starts ----------------------------------------------------------------------------------------------------


STARTS = [
    ("describe:base_exception", "", "plugin rogue: describe raised Whim"),
    ("describe:none", "", "plugin rogue: describe returned NoneType, not PluginInfo"),
    ("", "authenticator:none", "plugin rogue: authenticator returned NoneType, not AuthBase"),
    ("", "authenticator:keyboard_interrupt", "plugin rogue: authenticator raised KeyboardInterrupt"),
]


@pytest.mark.parametrize(("start", "how", "line"), STARTS)
def test_a_plugin_that_cannot_start_is_named_and_nothing_is_begun(
    rogue: RogueShop, monkeypatch: pytest.MonkeyPatch, start: str, how: str, line: str
) -> None:
    """Though it may not even be the plugin of a connection that is asked: what is installed is as it should be."""
    calls = rogue.shop.calls
    monkeypatch.setenv("ROGUE_START", start)
    rogue.be(how)
    ran = rogue.run("inventory", "customer_id=x", "--json")
    assert (ran.code, rogue.shop.calls) == (1, calls)
    assert ran.json == {"error": {"message": line, "exit_code": 1}}
    assert "Traceback" not in ran.stderr


@pytest.mark.faults
@pytest.mark.parametrize("deed", sorted(RAISED.keys() - {"keyboard_interrupt"}))
def test_a_plugin_that_cannot_be_imported_is_named_by_the_real_program(rogue: RogueShop, deed: str) -> None:
    ran = rogue.process("inventory", "customer_id=x", "--json", ROGUE_START=f"import:print import:thread import:{deed}")
    assert ran.code == 2
    assert ran.json["error"]["message"].startswith("plugin rogue cannot be loaded (")
    assert "Traceback" not in ran.stderr


def test_a_plugin_that_hangs_when_it_starts_is_named(rogue: RogueShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no run yet whose end would bound it."""
    monkeypatch.setattr("habeas.registry._START_SECONDS", 0.3)
    rogue.be("authenticator:hang")
    calls = rogue.shop.calls
    ran = rogue.run("inventory", "customer_id=x")
    assert (ran.code, rogue.shop.calls) == (1, calls)
    assert ran.error == "habeas: plugin rogue: authenticator did not come back in 0 s"


# -- the small things it rests on --------------------------------------------------------------------------------------


def test_only_the_main_thread_outside_of_plugins_may_print_results() -> None:
    elsewhere: list[bool] = []
    thread = threading.Thread(target=lambda: elsewhere.append(ours()))
    thread.start()
    thread.join()
    with foreign_code():
        inside = ours()
        with foreign_code():
            pass
        still = ours()
    assert [inside, still, *elsewhere] == [False, False, False]
    assert ours() == (threading.current_thread() is threading.main_thread())


def test_a_child_that_comes_back_out_of_a_plugin_ends_there() -> None:
    """Whether the plugin returns in it or raises."""
    code = (
        "import os, sys\n"
        "from habeas.foreign import foreign_code\n"
        "try:\n"
        "    with foreign_code():\n"
        "        child = os.fork()\n"
        "        if sys.argv[1] == 'raises' and not child: raise SystemExit(5)\n"
        "finally:\n"
        "    print('here')\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    for how in ("returns", "raises"):
        ran = subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=False, timeout=30)
        assert (ran.stdout.split(), ran.returncode) == (["here", "70"], 0)


def test_a_task_within_a_time_gives_its_result_its_error_or_is_left_behind() -> None:
    assert within(5, lambda: 7) == 7
    with pytest.raises(KeyboardInterrupt):
        within(5, habeas_rogue.DEEDS["keyboard_interrupt"])
    with pytest.raises(TimeoutError):
        within(0.05, habeas_rogue.DEEDS["hang"])


def test_what_a_task_was_given_works_no_longer_than_it() -> None:
    """By whatever thread: a plugin may start some, and they may outlive it."""
    run = RunControl(SystemClock(), 30)
    kept: list[RunControl] = []
    task = run.task()
    with task.doing():
        kept.append(run.here)
        run.here.check()
    assert kept == [task]
    assert run.here is run
    run.check()
    with pytest.raises(RunEnded):
        task.check()
    other = run.task()
    run.stop()
    assert other.stopped.is_set()
    with pytest.raises(RunEnded):
        run.task().check()


def test_who_sends_or_waits_for_a_turn_is_not_idle() -> None:
    run = RunControl(SystemClock(), 30)
    task = run.task()
    with task.doing():
        with task.waiting():
            time.sleep(0.02)
            assert task.idle() == 0.0
        assert task.idle() < 0.02
        time.sleep(0.02)
        assert task.idle() >= 0.02
