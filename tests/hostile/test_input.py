"""Hostile identifiers, files, times and addresses through whole commands: refused and nothing sent, or exact."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from tests.figures import record
from tests.hostile.catalogue import CELLS, EMAILS, IDS, STEERING, TIMES, TLS_URLS, URLS

from habeas.cases.identifiers import check_identifier
from habeas.cases.moments import parse_moment
from habeas.config import load_config
from habeas.errors import ConfigError, InputError

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

MILLION = 1_000_000
ROOM_KIB = 200 * 1024
"""What a program with a million requests in hand may take more than one with ten."""


def usable(kind: str, value: str) -> bool:
    try:
        check_identifier(kind, value.strip())
    except InputError:
        return False
    return True


def table(header: str, rows: Iterable[tuple[str, ...]]) -> str:
    """A CSV that says exactly this, whatever is in it."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(header.split(","))
    writer.writerows(rows)
    return text.getvalue()


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def marks(shop: Shop) -> dict[str, int]:
    return {name: len(server.calls) for name, server in shop.world.servers.items()}


def assert_exact(shop: Shop, since: dict[str, int], values: set[str]) -> None:
    """Every call reached a documented path, and every id in one, decoded once, is one of those that were asked for."""
    for name, server in shop.world.servers.items():
        words = {word for _, template, _, _ in server.app._routes for word in template.split("/")}
        for call in server.calls[since[name] :]:
            assert any(pattern.fullmatch(call.path) for _, _, pattern, _ in server.app._routes), "an unknown path"
            ids = [unquote(part) for part in call.path.split("/") if part not in words]
            assert set(ids) <= values, (call.path, ids)


def told(ran: Ran) -> str:
    """What was said, which is neither a traceback nor anything that steers a terminal."""
    assert "Traceback" not in ran.stderr
    assert "internal fault" not in ran.stderr
    said = ran.stdout + ran.stderr
    assert not set(said) & (set(STEERING) - set("\x00"))
    return said


# -- identifiers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.faults)])
def test_a_batch_of_hostile_identifiers_touches_nobody_else(shop: Shop, tmp_path: Path, every: int) -> None:
    """Rows that cannot be are handed back; each other is a case about exactly that id, and nobody is there."""
    ids, emails = IDS[::every], EMAILS[::every]
    rows = [("erasure", value, "") for value in ids] + [("erasure", "", value) for value in emails]
    file = write(tmp_path / "requests.csv", table("type,customer_id,email", rows))
    truth, since = shop.truth(), marks(shop)
    ran = shop.run("batch", str(file), "--yes", "--json")
    assert (ran.code, marks(shop)) == (2, since)
    told(ran)
    ran = shop.run("batch", str(file), "--yes", "--skip-invalid", "--json")
    told(ran)
    good_ids = {value.strip() for value in ids if usable("customer_id", value)}
    good_emails = {value.strip() for value in emails if usable("email", value)}
    assert ran.code in (0, 3)
    assert ran.json["summary"]["cases"] == len(good_ids) + len({e.translate(_LOWER) for e in good_emails})
    assert {case["status"] for case in ran.json["cases"]} == {"completed"}
    assert {row["result"] for case in ran.json["cases"] for row in case["outcomes"]} <= {"absent", "manual"}
    assert_exact(shop, since, good_ids | good_emails)
    assert shop.truth() == truth
    with (tmp_path / "requests.invalid.csv").open(newline="") as invalid:
        assert len(list(csv.DictReader(invalid))) == ran.json["summary"]["invalid"]
    assert shop.run("audit", "verify").code == 0


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
SOME = ("a/../b", "%2e%2e", "a\r\nX-Evil: 1", "\uff0e\uff0e", "{customerId}", "a\x00b", "x" * 10_000)


@pytest.mark.parametrize("value", [*SOME, *(pytest.param(v, marks=pytest.mark.faults) for v in IDS)], ids=ascii)
def test_a_hostile_identifier_from_a_file_is_refused_or_searched_exactly(
    shop: Shop, value: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "subject.txt", f"customer_id={value}\n")
    since = marks(shop)
    ran = shop.run("inventory", "--subject-from", str(file), "--json")
    told(ran)
    lines = [line for line in f"customer_id={value}".split("\n") if line.strip()]
    if len(lines) == 1 and usable("customer_id", value.rstrip("\r")) and value == value.strip():
        assert ran.code in (0, 3)
        assert_exact(shop, since, {value.rstrip("\r")})
    elif ran.code == 2:
        assert marks(shop) == since
        assert ran.error
    else:
        assert_exact(shop, since, {line.partition("=")[2].rstrip("\r") for line in lines})


@pytest.mark.parametrize("value", ["..", "a/../b", "\uff0e\uff0e/x", "a\u0085b", "x" * 1001], ids=ascii)
def test_a_hostile_id_in_the_identity_table_is_refused_before_anything_is_sent(shop: Shop, value: str) -> None:
    """Not found out vendor by vendor, when some have erased already and the others never can."""
    people, path = shop.config.parent / "customers.csv", shop.world.people[1]
    whole = people.read_text()
    rows = list(csv.DictReader(io.StringIO(whole)))
    for column in ("customer_id", "cybersource"):
        changed = [row | {column: value} if row["email"] == path.email else row for row in rows]
        write(people, table(",".join(rows[0]), [tuple(row.values()) for row in changed]))
        try:
            since = marks(shop)
            ran = shop.run("erase", f"email={path.email}", "--yes", "--again")
            assert (ran.code, marks(shop)) == (2, since)
            assert f"the {column} of this person in the identity table cannot be used" in ran.error
            assert value not in told(ran)
        finally:
            people.write_text(whole)


def test_hostile_consents_are_refused_whole_and_the_good_ones_are_of_nobody(shop: Shop, tmp_path: Path) -> None:
    when = "2026-11-01T10:00:00Z"
    rows = [("", value, "marketing_email", "granted", when) for value in IDS]
    rows += [(value, "", "marketing_email", "granted", when) for value in EMAILS]
    rows += [("", "none-such", value, "granted", when) for value in CELLS]
    rows += [("", "none-such", "marketing_email", value, when) for value in CELLS]
    rows += [("", "none-such", "marketing_email", "granted", value) for value in TIMES if value]
    file = write(tmp_path / "consents.csv", table("email,customer_id,purpose,state,at", rows))
    truth, since = shop.truth(), marks(shop)
    ran = shop.run("consent", "propagate", str(file), "--yes", "--json")
    assert (ran.code, marks(shop)) == (2, since)
    told(ran)
    ran = shop.run("consent", "propagate", str(file), "--yes", "--skip-invalid", "--json")
    told(ran)
    assert ran.code in (0, 3)
    assert shop.truth() == truth
    good = {v.strip() for v in IDS if usable("customer_id", v)} | {v.strip() for v in EMAILS if usable("email", v)}
    assert_exact(shop, since, {*good, "none-such"})


def test_a_hostile_right_value_arrives_as_it_is_or_is_refused(shop: Shop) -> None:
    person = shop.world.people[0]
    others = shop.others(person)
    for value in ('=HYPERLINK("x")', '"><img src=x onerror=alert(1)>', "{{7*7}}", "[bold red]x[/]"):
        ran = shop.run("rectify", f"customer_id={person.customer_id}", f"first_name={value}", "--yes", "--json")
        told(ran)
        assert ran.code in (0, 3)
        sent = [call.body.decode() for server in shop.servers for call in server.calls if call.method == "PATCH"]
        assert any(json.dumps(value, ensure_ascii=False)[1:-1] in body for body in sent)
    for value in ("\x1b[2J", "a\nb", "\u202egpj", "\x00", " ", "y" * 10_000, ".."):
        since = marks(shop)
        ran = shop.run("rectify", f"customer_id={person.customer_id}", f"first_name={value}", "--yes")
        assert (ran.code, marks(shop)) == (2, since)
        told(ran)
    assert shop.others(person) == others


# -- times and addresses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TIMES, ids=ascii)
def test_what_is_no_time_of_the_past_is_refused(text: str) -> None:
    from datetime import UTC, datetime

    with pytest.raises(InputError) as caught:
        parse_moment(text, "received_at", "Europe/Berlin", datetime(2026, 11, 21, tzinfo=UTC))
    assert len(text) < 4 or text not in caught.value.line()


CONFIG = '[controller]\nname = "Shop"\n[connections.one]\nplugin = "one"\nbase_url = {}\n'


def _toml(value: str) -> str:
    return json.dumps(value).replace("\\u0000", "\\u0000")


@pytest.mark.parametrize("url", URLS, ids=ascii)
def test_no_such_address_is_ever_asked(url: str, tmp_path: Path) -> None:
    path = write(tmp_path / "habeas.toml", CONFIG.format(_toml(url)))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    line = caught.value.line()
    assert "base_url" in line
    assert "pass" not in re.sub("no user, password", "", line)
    assert "\n" not in line


@pytest.mark.parametrize("url", TLS_URLS)
def test_an_address_whose_server_must_prove_itself_is_taken(url: str, tmp_path: Path) -> None:
    path = write(tmp_path / "habeas.toml", CONFIG.format(_toml(url)))
    assert load_config(path).connections[0].base_url == url


# -- a million rows ----------------------------------------------------------------------------------------------------

MEASURE = """
import json, pathlib, sys, time
from habeas.cli import cli
from habeas.cli.border import run_guarded
started = time.monotonic()
code = run_guarded(cli, sys.argv[1:])
(peak,) = (int(line.split()[1]) for line in pathlib.Path("/proc/self/status").open() if line.startswith("VmHWM"))
print(json.dumps([code, peak, time.monotonic() - started]))
"""


def _measured(shop: Shop, file: Path, *command: str) -> tuple[int, int, float, str]:
    arguments = [sys.executable, "-c", MEASURE, *shop.head, *command, str(file), "--yes"]
    ran = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=1800)
    code, peak, seconds = json.loads(ran.stdout.splitlines()[-1])
    return code, peak, seconds, ran.stderr


@pytest.mark.faults
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize(
    ("command", "header", "row", "bad"),
    [
        (("batch",), "type,customer_id,reference", "erasure,M-{n},r{n}", "erasure,..,r"),
        (("consent", "propagate"), "customer_id,purpose,state,at", "M-{n},marketing_email,granted,2026-11-01T10:00:00Z",
         "..,marketing_email,granted,2026-11-01T10:00:00Z"),
    ],
    ids=["batch", "consents"],
)  # fmt: skip
def test_a_million_rows_are_checked_in_flat_memory(
    shop: Shop, tmp_path: Path, command: tuple[str, ...], header: str, row: str, bad: str
) -> None:
    """The last one is bad: so all are read, and nothing is sent."""
    peaks = []
    for rows in (10, MILLION):
        file = tmp_path / f"{rows}.csv"
        with file.open("w") as out:
            out.write(header + "\n")
            out.writelines(row.format(n=n) + "\n" for n in range(rows))
            out.write(bad + "\n")
        since = marks(shop)
        code, peak, seconds, stderr = _measured(shop, file, *command)
        assert (code, marks(shop)) == (2, since)
        assert f"line {rows + 2}:" in stderr
        peaks.append(peak)
    record("hostile", {f"{command[0]} MiB more for a million rows": (peaks[1] - peaks[0]) // 1024,
                       f"{command[0]} seconds for a million rows": round(seconds)})  # fmt: skip
    assert peaks[1] - peaks[0] < ROOM_KIB
