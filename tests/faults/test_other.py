"""What is not about one call: TLS, tokens that expire, wrong clocks, data that comes back, an outage in a batch."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from tests.faults.stage import COMMANDS, Stage, Undisturbed, rows_of
from tests.faults.tls import TlsHost
from tests.figures import record

from habeas.testing.sandbox import Call, Fault, Reply, SandboxApp

VENDORS = ("cybersource", "talonone", "voucherify")
each_vendor = pytest.mark.parametrize("vendor", VENDORS)
each_command = pytest.mark.parametrize(
    "name", [name if name == "erase" else pytest.param(name, marks=pytest.mark.faults) for name in COMMANDS]
)
"""The others only in `make faults`: what they meet here is met in the same places."""


def noted(name: str, what: str, vendor: str, code: int, results: list[str], *, resumed: bool) -> None:
    """A row of the table for something that was played once."""
    row = {"calls": 1, "codes": {str(code): 1}, "results": sorted(set(results)), "resumed": int(resumed)}
    record("vendors", {f"{name} | {what} | {vendor}": row})


def results_at(case: Any, vendor: str) -> list[str]:
    return [row["result"] for row in case["outcomes"] if row["connection"] == vendor]


# -- TLS --------------------------------------------------------------------------------------------------------------


@each_command
@each_vendor
@pytest.mark.parametrize("hangs_up", [False, True], ids=["an unknown certificate", "a broken handshake"])
def test_tls_that_fails_gives_nothing_away(
    name: str, vendor: str, hangs_up: bool, stage: Stage, clean: Undisturbed, tmp_path: Path
) -> None:
    """No byte of a request leaves, the others are done, and with the right address it is finished."""
    stage.afresh()
    text = stage.config.read_text()
    with TlsHost(tmp_path, hangs_up=hangs_up) as host:
        config = stage.folder / "tls.toml"
        config.write_text(text.replace(stage.vendors[vendor].base_url, host.base_url))
        played = stage.run(*stage.command(name), config=config)
        assert host.received == []
    case = played.json
    if (name, vendor) == ("consent", "cybersource"):
        assert played.code == clean.code, "no call is made there"
        return
    assert (played.code, case["status"]) == (1, "incomplete")
    assert set(results_at(case, vendor)) == {"failed"}
    if not hangs_up:
        assert all(
            "certificate was not accepted" in row["reason"] for row in case["outcomes"] if row["connection"] == vendor
        )
    resumed = stage.run("resume")
    (case,) = resumed.json["cases"]
    assert (resumed.code, rows_of(case)) == (clean.code, clean.rows)
    assert stage.truth() == clean.truth
    assert stage.ledger_problems() + stage.leaks(played, resumed) == []
    noted(
        name,
        f"TLS: {'a broken handshake' if hangs_up else 'an unknown certificate'}",
        vendor,
        1,
        ["failed"],
        resumed=True,
    )


# -- tokens -----------------------------------------------------------------------------------------------------------


@each_command
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.faults), 9])
def test_a_token_that_expires_in_mid_run_is_renewed(name: str, every: int, stage: Stage, clean: Undisturbed) -> None:
    """Voucherify with OAuth: at each call in turn. Nothing is lost, nothing is done twice."""
    config = oauth(stage)
    calls = sum(place.vendor == "voucherify" for place in clean.places)
    for number in range(1, calls + 1, every):
        stage.afresh()
        stage.vendors["voucherify"].fail(Fault("status", skip=number, reply=Reply(401, {"message": "expired"})))
        played = stage.run(*stage.command(name), config=config)
        assert (played.code, rows_of(played.json)) == (clean.code, clean.rows), number
        assert stage.truth() == clean.truth
        assert stage.ledger_problems() + stage.leaks(played) == []
    if every == 1:
        row = {"calls": calls, "codes": {str(clean.code): calls}, "resumed": 0}
        results = sorted({row[4] for row in clean.rows["voucherify"]})
        record("vendors", {f"{name} | a token that expires in mid-run | voucherify": {**row, "results": results}})


def oauth(stage: Stage) -> Path:
    """A configuration in which Voucherify is asked with a token instead of a pair of keys."""
    more = stage.vendors["voucherify"].app.more_credentials()
    lines = []
    for name in ("client_id", "client_secret"):
        secret = stage.folder / "secrets" / f"oauth.{name}"
        secret.touch(mode=0o600)
        secret.write_text(str(more[name]))
        lines.append(f'{name} = "file:secrets/oauth.{name}"')
    path = stage.folder / "oauth.toml"
    path.write_text(re.sub(r"app_id = .*\napp_token = .*", "\n".join(lines), stage.config.read_text()))
    return path


# -- clocks -----------------------------------------------------------------------------------------------------------


@each_command
@pytest.mark.parametrize("days", [-4000, 4000])
def test_a_vendor_whose_clock_is_wrong_changes_nothing(name: str, days: int, stage: Stage, clean: Undisturbed) -> None:
    """Every answer of every vendor carries a date that is years away, in its head and in the vendor's own times."""
    stage.afresh()
    for server in stage.vendors.values():
        _set_wrong(server.app, timedelta(days=days))
    played = stage.run(*stage.command(name))
    assert (played.code, rows_of(played.json)) == (clean.code, clean.rows)
    assert stage.ledger_problems() + stage.leaks(played) == []
    what = f"a clock {abs(days)} days {'behind' if days < 0 else 'ahead'}"
    for vendor in VENDORS:
        noted(name, what, vendor, played.code, results_at(played.json, vendor), resumed=False)


def _set_wrong(app: SandboxApp, skew: timedelta) -> None:
    finish = app.finish

    def finished(call: Call, reply: Reply) -> Reply:
        reply = finish(call, reply)
        date = format_datetime(datetime.now(UTC) + skew, usegmt=True)
        return Reply(reply.status, reply.json, {**reply.headers, "Date": date}, reply.body)

    app.finish = finished  # type: ignore[method-assign] # this vendor's clock


# -- data that comes back ---------------------------------------------------------------------------------------------


@each_vendor
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.faults), 8])
def test_data_that_comes_back_is_found(vendor: str, every: int, stage: Stage) -> None:
    """Restored by the vendor while it is read back, at each call after the deletion, and after the end.

    Either this run sees it, and its resume erases it again; or it comes after its last look, and recheck finds it.
    """
    clean = stage.undisturbed("erase")
    mine = [place for place in clean.places if place.vendor == vendor]
    last = max(place.number for place in mine if place.changes)
    points = [*range(last + 1, len(mine) + 1, every), len(mine)]
    seen = rechecked = 0
    for number in dict.fromkeys(points):
        stage.afresh()
        held = dict(stage.world.held(stage.person)[vendor])
        restored = _restored_before(stage, vendor, number)
        played = stage.run(*stage.command("erase"))
        if number == len(mine):
            restored()
        assert stage.world.held(stage.person)[vendor] == held, "it is back"
        case = played.json
        if case["status"] == "incomplete":
            seen += 1
            assert {"failed", "unknown"} & set(results_at(case, vendor))
        else:
            rechecked += 1
            found = stage.run("recheck", "--all")
            assert found.code == 3
            assert vendor in found.stdout
            assert stage.leaks(found) == []
            stage.run("recheck", case["case"], "--erase", "--yes")
        resumed = stage.run("resume")
        assert stage.world.held(stage.person).get(vendor, {}) == {}, number
        assert stage.ledger_problems() + stage.leaks(played, resumed) == []
    assert rechecked >= 1
    if every == 1:
        row = {
            "calls": seen + rechecked,
            "codes": {"1": seen, "0": rechecked},
            "results": ["erased", "failed"],
            "resumed": seen,
        }
        record("vendors", {f"erase | data that comes back | {vendor}": row})


def _restored_before(stage: Stage, vendor: str, number: int) -> Any:
    """Puts the vendor's whole data back as it was before its call of that number, counted from 0."""
    server = stage.vendors[vendor]
    copy = stage.vendor_afresh(vendor)
    respond = server.respond

    def restore() -> None:
        server.app = copy

    def watched(call: Call) -> Reply | None:
        if len(server.calls) == number:
            restore()
        return respond(call)

    server.respond = watched  # type: ignore[method-assign] # somebody restores a backup while it works
    return restore


# -- a batch in an outage ---------------------------------------------------------------------------------------------


@each_vendor
def test_a_vendor_that_is_down_is_left_alone_for_the_rest_of_a_batch(vendor: str, stage: Stage, tmp_path: Path) -> None:
    """The others are done for everybody; the vendor is asked a dozen times and no more; resume finishes everything."""
    stage.afresh()
    people = [p for p in stage.world.people if len(p.held_at) == 3][:6]
    file = tmp_path / "batch.csv"
    file.write_text("type,customer_id\n" + "".join(f'erasure,"{p.customer_id}"\n' for p in people))
    down = stage.vendors[vendor]
    down.down = True
    played = stage.run("batch", str(file), "--yes")
    assert played.code == 1
    assert {case["status"] for case in played.json["cases"]} == {"incomplete"}
    assert len(down.calls) <= 12 + 8, "the breaker opens after 12 failures; 8 calls may be under way by then"
    reasons = {
        row["reason"] for case in played.json["cases"] for row in case["outcomes"] if row["connection"] == vendor
    }
    assert any("calls in a row have failed; asked again in" in reason for reason in reasons)
    for person in people:
        assert set(stage.world.held(person)) == {vendor}
    down.down = False
    resumed = stage.run("resume")
    assert resumed.code in (0, 3)
    assert all(stage.world.held(person) == {} for person in people)
    assert stage.ledger_problems() + stage.leaks(played, resumed) == []
