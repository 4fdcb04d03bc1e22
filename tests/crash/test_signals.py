"""Ctrl-C, SIGTERM and SIGHUP at every point: the call in hand is finished and recorded, and it is said how to go on.

Twice stops at once, and loses nothing either. A reader that goes away (SIGPIPE) ends no work in the middle of a call.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.crash.conftest import survive
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.figures import record

from habeas.testing.sandbox import Fault, Reply

if TYPE_CHECKING:
    from tests.crash.conftest import Shop, Undisturbed

    from habeas_audit import Entry

HABEAS = Path(sys.executable).with_name("habeas")
LONG = 30.0
"""Seconds that a vendor asks us to wait."""


class Resume(Scenario):
    """What a killed erasure left. The vendors have what they had before it, as after a restore."""

    name = "resume"

    def prepare(self, shop: Shop) -> None:
        assert SCENARIOS["erase"].run(shop, kill_at=40)[0] == -9

    def arguments(self, shop: Shop) -> list[str]:
        return ["resume"]

    def state(self, shop: Shop) -> Any:
        return SCENARIOS["erase"].state(shop)


RESUME = Resume()


def stopped(shop: Shop, scenario: Scenario, expected: Any, signals: list[tuple[int, str]]) -> str:
    """One run that is signalled; how it ended: ``done``, ``later`` (resume goes on), ``at once``."""
    scenario.begin(shop)
    before = shop.entries()
    code, passed, told = scenario.run(shop, signals=signals)
    said = shop.said()
    assert isinstance(told, dict), "one document"
    ended = {0: "done", 3: "done", 1: "later", 130: "at once"}[code]
    if passed < signals[0][0]:
        return "not reached"
    once = len(signals) == 1
    if ended == "at once":
        # Without an error where the whole document had been written by then: there is never a second one.
        assert told.get("error", {"exit_code": 130})["exit_code"] == 130
        assert said.splitlines()[-1] == "habeas: stopped at once; run `habeas resume` to finish"
    elif ended == "later":
        assert "habeas resume" in said
    if once:
        # The call in hand was finished and recorded: there is no hole that was not there before.
        shop.check_whole()
        after = shop.entries()
        assert holes(after) <= holes(before)
        assert ended != "at once" or len(after) == len(before), "nothing was begun"
    if ended == "done":
        shop.check_ledger()
        assert scenario.state(shop) == expected
    else:
        survive(shop, scenario, expected)
    return ended


def holes(entries: Sequence[Entry]) -> set[int]:
    """Intents without an outcome."""
    answered = {entry.data["intent"] for entry in entries if entry.type == "call.outcome"}
    return {entry.seq for entry in entries if entry.type == "call.intent"} - answered


def at_each(
    shop: Shop, scenario: Scenario, undisturbed: Undisturbed, names: list[str], first: int, step: int
) -> dict[str, int]:
    """Signals at points ``first``, ``first + step`` …, the second one point later: how often it ended in which way."""
    expected, _ = undisturbed(scenario)
    ways = {"done": 0, "later": 0, "at once": 0}
    at = first
    while (way := stopped(shop, scenario, expected, [(at + n, name) for n, name in enumerate(names)])) != "not reached":
        ways[way] += 1
        at += step
    return ways


def test_a_signal_lets_the_call_in_hand_finish(shop: Shop, undisturbed: Undisturbed) -> None:
    ways = at_each(shop, SCENARIOS["erase"], undisturbed, ["SIGTERM"], 9, 29)
    assert ways["later"] >= 1


def test_a_second_signal_stops_at_once_and_loses_nothing(shop: Shop, undisturbed: Undisturbed) -> None:
    ways = at_each(shop, SCENARIOS["erase"], undisturbed, ["SIGINT", "SIGINT"], 30, 40)
    assert ways["at once"] >= 1


@pytest.mark.faults
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("command", ["erase", "consent set", "batch", "resume"])
def test_a_signal_at_any_point_lets_the_call_in_hand_finish(
    command: str, name: str, shop: Shop, undisturbed: Undisturbed
) -> None:
    """SIGTERM at every point; for the others, which have the same handler, at every seventh."""
    scenario = RESUME if command == "resume" else SCENARIOS[command]
    ways = at_each(shop, scenario, undisturbed, [name], 1, 1 if name == "SIGTERM" else 7)
    assert ways["later"] > 0
    record("signals", {f"{command}: {name} once": {"points": sum(ways.values()), **ways}})


@pytest.mark.faults
@pytest.mark.parametrize("command", ["erase", "consent set", "batch", "resume"])
def test_two_signals_at_any_point_stop_at_once_and_lose_nothing(
    command: str, shop: Shop, undisturbed: Undisturbed
) -> None:
    scenario = RESUME if command == "resume" else SCENARIOS[command]
    ways = at_each(shop, scenario, undisturbed, ["SIGTERM", "SIGINT"], 1, 1)
    assert ways["at once"] > 0
    record("signals", {f"{command}: SIGTERM, then SIGINT": {"points": sum(ways.values()), **ways}})


# -- the real program, as a process of its own ------------------------------------------------------------------------


def start(shop: Shop, *arguments: str, **pipes: Any) -> subprocess.Popen[str]:
    head = ["--home", str(shop.home.path), "--config", str(shop.config)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes}
    return subprocess.Popen([HABEAS, *head, *arguments], text=True, **pipes)


@pytest.mark.faults
def test_a_signal_ends_a_wait(shop: Shop, undisturbed: Undisturbed) -> None:
    """A vendor asks for half a minute: whoever wants to stop does not wait for it."""
    scenario = SCENARIOS["erase"]
    expected, _ = undisturbed(scenario)
    scenario.begin(shop)
    busy = Fault("status", "DELETE", reply=Reply(429, {}, headers={"retry-after": str(int(LONG))}), times=-1)
    servers = list(shop.world.servers.values())
    for server in servers:
        server.fail(busy)
    child = start(shop, *scenario.arguments(shop), "--json")
    try:
        wait_for(lambda: any(call.method == "DELETE" for server in servers for call in server.calls))
        child.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        stdout, stderr = child.communicate(timeout=60)
        assert time.monotonic() - asked < LONG / 2
    finally:
        child.kill()
        for server in servers:
            server.faults.clear()
    assert child.returncode == 1
    assert "SIGTERM: finishing the calls in hand" in stderr
    assert json.loads(stdout)["status"] == "incomplete"
    survive(shop, scenario, expected)


@pytest.mark.faults
def test_a_reader_that_goes_away_leaves_nothing_in_between(shop: Shop, undisturbed: Undisturbed) -> None:
    """`habeas … | head -0`: stdout and stderr are closed before the first byte, then the terminal hangs up as well."""
    scenario = SCENARIOS["batch"]
    expected, _ = undisturbed(scenario)
    scenario.begin(shop)
    child = start(shop, *scenario.arguments(shop), "--json")
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    child.stderr.close()
    assert child.wait(timeout=60) == 1
    survive(shop, scenario, expected)


def wait_for(seen: Any) -> None:
    until = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.01)
