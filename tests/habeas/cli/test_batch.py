"""`habeas batch`: a CSV of requests, checked whole before anything is sent."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from habeas_audit import Ledger, verify

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

pytestmark = pytest.mark.usefixtures("patient")


def write(path: Path, *rows: str) -> str:
    """A CSV of these lines."""
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return str(path)


def refused(shop: Shop, *arguments: str) -> Ran:
    """A batch that exits 2 with nothing sent and nothing opened."""
    calls, size = shop.calls, shop.ledger_bytes()
    ran = shop.run("batch", *arguments, "--yes")
    assert (ran.code, ran.stdout) == (2, ""), ran
    assert (shop.calls, shop.ledger_bytes()) == (calls, size)
    assert "Traceback" not in ran.stderr
    assert "internal fault" not in ran.stderr
    return ran


# -- everybody at once ------------------------------------------------------------------------------------------------


def test_a_batch_for_everybody_says_what_is_true(make_shop: Callable[[int], Shop]) -> None:
    """Awkward ids, people missing at a vendor, a household, a shared card: outcomes and truth agree for each."""
    shop = make_shop(30)
    people = shop.world.people
    path = write(
        shop.folder / "all.csv",
        "type,customer_id,reference",
        *(f'erasure,"{p.customer_id}",ref {n}' for n, p in enumerate(people)),
    )
    ran = shop.run("batch", path, "--yes", "--json")
    result = ran.json
    assert result["summary"]["rows"] == result["summary"]["cases"] == len(people)
    assert ran.code == (3 if any(r in result["summary"]["results"] for r in ("manual", "accepted")) else 0)
    by_reference = {case["reference"]: case for case in result["cases"]}
    assert set(by_reference) == {f"ref {n}" for n in range(len(people))}
    for n, person in enumerate(people):
        case = by_reference[f"ref {n}"]
        assert case["status"] == "completed"
        held = shop.world.held(person)
        for name in shop.world.servers:
            results = {row["result"] for row in case["outcomes"] if row["connection"] == name}
            if name in held:
                assert results - {"erased", "absent"}, (n, name, held)
            else:
                assert results <= {"erased", "absent", "retained", "manual"}
                assert ("erased" in results) == (name in person.held_at), (n, name, results)
    opened = shop.run("audit", "log", "--type", "case.opened", "--json").json["entries"]
    order = [by_case["reference"] for e in opened for by_case in result["cases"] if by_case["case"] == e["case"]]
    assert order == [f"ref {n}" for n in range(len(people))], "the register keeps the file's order"
    totals = Counter(row["result"] for case in result["cases"] for row in case["outcomes"])
    assert result["summary"]["results"] == dict(sorted(totals.items()))
    check_heads(shop, result["cases"])


def check_heads(shop: Shop, cases: list[Any]) -> None:
    """Each case's tree head is one that the ledger had, and the case's outcomes are inside it."""
    assert verify(shop.home.ledger).ok
    sizes = [case["ledger"]["size"] for case in cases]
    assert sizes == sorted(sizes)
    with Ledger.open(shop.home.ledger, lambda: datetime.now(UTC)) as ledger:
        assert sizes[-1] <= ledger.head().size
    for case in cases:
        assert max(row["entry"] for row in case["outcomes"]) <= case["ledger"]["size"]


def test_mixed_types_in_one_file(shop: Shop, tmp_path: Path) -> None:
    """Each type by its own policy, dates and regimes as given, the clock from the day of receipt."""
    one, two = shop.fresh(), shop.fresh()
    path = write(
        tmp_path / "mixed.csv",
        "reference,type,email,customer_id,received_at,regime",
        f"a,erasure,,{one.customer_id},2026-10-31,",
        f"b,ACCESS,{two.email.upper()},,2026-11-02T09:30:00+01:00,",
        f"c,portability,,{two.customer_id},,uk-gdpr",
        f" d , inventory ,{two.email},,,ccpa",
    )
    before = shop.world.held(two)
    ran = shop.run("batch", path, "--yes", "--json")
    cases = {case["reference"].strip(): case for case in ran.json["cases"]}
    assert ran.code in (0, 3), ran.stderr
    assert {key: case["type"] for key, case in cases.items()} == {
        "a": "erasure", "b": "access", "c": "portability", "d": "inventory",
    }  # fmt: skip
    assert (cases["a"]["received_at"], cases["b"]["received_at"]) == ("2026-10-30T23:00:00Z", "2026-11-02T08:30:00Z")
    assert [cases[key]["regime"] for key in "abcd"] == ["gdpr", "gdpr", "uk-gdpr", "ccpa"]
    assert Path(cases["b"]["package"]).exists()
    assert shop.world.held(one) == {}
    assert shop.world.held(two) == before


# -- bad files --------------------------------------------------------------------------------------------------------

TOMORROW = (datetime.now(UTC) + timedelta(days=3)).strftime("%Y-%m-%d")
BAD_ROWS = [
    ("erase,C-100000,,,,", "type is not one of erasure, access, portability, inventory"),
    (",C-100000,,,,", "type is not one of"),
    ("rectification,C-100000,,,,", "type is not one of"),
    ("erasure,,,,,", "no identifier is given"),
    ("erasure,  ,,,,", "no identifier is given"),
    ("erasure,C-100000,not-an-address,,,", "it is not one e-mail address"),
    ("erasure,..,,,,", "it reads as a relative path"),
    ("erasure,C-100000,,31.12.2026,,", "received_at is not a date"),
    ("erasure,C-100000,,2026-13-01,,", "received_at is not a date"),
    ("erasure,C-100000,,2026-11-02T09:30:00,,", "received_at is a time without its offset"),
    ("erasure,C-100000,,1999-12-31,,", "before the year 2000"),
    (f"erasure,C-100000,,{TOMORROW},,", "in the future"),
    ("erasure,C-100000,,,martian,", "there is no deadline for this regime"),
    (f"erasure,C-100000,,,,{'x' * 501}", "reference is longer"),
    ("erasure,C-100000", "it has 2 cells, the header has 6"),
    ("erasure,C-100000,,,,,,,", "it has 9 cells, the header has 6"),
    ("AMBIGUOUS", "2 people in the identity table"),
    ("FOREIGN", "belongs to somebody else"),
]
HEADER = "type,customer_id,email,received_at,regime,reference"


def bad_rows(shop: Shop) -> list[tuple[str, str]]:
    """The table above, with people of the shop."""
    shared, other = shop.world.people[2].email, shop.world.people[4].email
    people = {"AMBIGUOUS": f"erasure,,{shared},,,", "FOREIGN": f"erasure,C-100000,{other},,,"}
    return [(people.get(row, row), expected) for row, expected in BAD_ROWS]


def test_every_kind_of_bad_row_is_named_by_line_and_reason(shop: Shop, tmp_path: Path) -> None:
    """Exit 2, nothing sent; the reason never repeats a value."""
    rows = bad_rows(shop)
    ran = refused(shop, write(tmp_path / "bad.csv", HEADER, *(row for row, _ in rows)))
    lines = ran.stderr.splitlines()
    for number, (row, expected) in enumerate(rows, 2):
        (line,) = [text for text in lines if text.startswith(f"line {number}: ")]
        assert expected in line, line
        for value in row.split(",")[1:]:
            assert len(value) < 4 or value not in line, line
    assert lines[-1].startswith(f"habeas: {len(rows)} rows of ")
    assert lines[-1].endswith("cannot be used; nothing was sent; correct them, or add --skip-invalid")


def test_the_first_twenty_bad_rows_are_told_and_the_rest_counted(shop: Shop, tmp_path: Path) -> None:
    """With the numbers of their lines in the file, however many lines a row before them takes."""
    rows = ['erasure,C-100000,,,,"a reference', 'of two lines"', *["nonsense,C-100000,,,,"] * 25]
    ran = refused(shop, write(tmp_path / "many.csv", HEADER, *rows))
    told = [line for line in ran.stderr.splitlines() if line.startswith("line ")]
    assert [int(line.split()[1].rstrip(":")) for line in told] == list(range(4, 24))
    assert "… and 5 more" in ran.stderr


def test_with_json_a_refused_file_is_one_document(shop: Shop, tmp_path: Path) -> None:
    """The bad rows are progress, on stderr; the error is the document."""
    path = write(tmp_path / "bad.csv", HEADER, "nonsense,C-100000,,,,")
    ran = shop.run("batch", path, "--yes", "--json")
    assert ran.code == 2
    assert ran.json["error"]["exit_code"] == 2
    assert "line 2: " in ran.stderr


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "has no column 'type'"),
        (b"customer_id,email\nC-1,\n", "has no column 'type'"),
        (b"type,reference\nerasure,x\n", "has no identifier column"),
        (b"type,customer_id,customer_id\nerasure,a,b\n", "has the column 'customer_id' twice"),
        (b"type,customer_id\n", "has no rows to work on"),
        (b"type,customer_id\n\n\n", "has no rows to work on"),
        ("type,email\nerasure,jürgen@x.example\n".encode("latin-1"), "is not UTF-8 text"),
        (b'type,customer_id\nerasure,"C-1\n', "is not CSV near line 2"),
        (b"type,customer_id\nerasure,C-1\x00\n", ""),
        ("type,customer_id\nerasure,C-1\n".encode("utf-16"), "is not UTF-8 text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_used_is_refused(content: bytes, expected: str, shop: Shop, tmp_path: Path) -> None:
    """One line, exit 2, nothing sent."""
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    assert expected in refused(shop, str(path)).stderr


def test_skip_invalid_does_the_good_rows_and_hands_back_the_others(shop: Shop, tmp_path: Path) -> None:
    """As CSV with line and reason, private, to be corrected and run again; never over a file that is there."""
    person = shop.fresh()
    rows = bad_rows(shop)
    path = write(tmp_path / "some.csv", HEADER, f"erasure,{person.customer_id},,,,good", *(row for row, _ in rows))
    ran = shop.run("batch", path, "--yes", "--skip-invalid", "--json")
    assert ran.code == 0, ran.stderr
    (case,) = ran.json["cases"]
    assert (case["reference"], case["status"]) == ("good", "completed")
    invalid = tmp_path / "some.invalid.csv"
    summary = {"rows": 1, "duplicates": 0, "invalid": len(rows), "invalid_file": str(invalid)}
    assert {key: ran.json["summary"][key] for key in summary} == summary
    assert invalid.stat().st_mode & 0o777 == 0o600
    with invalid.open(newline="") as file:
        header, *bad = csv.reader(file)
    assert header == [*HEADER.split(","), "line", "why"]
    assert [row[-2] for row in bad] == [str(number) for number in range(3, 3 + len(rows))]
    for (given, expected), row in zip(rows, bad, strict=True):
        assert expected in row[-1]
        assert ",".join(row[:-2]) == given
    again = refused(shop, path, "--skip-invalid")
    assert "some.invalid.csv exists already; name another file, or move it away" in again.stderr


def test_the_same_request_twice_is_one_case(shop: Shop, tmp_path: Path) -> None:
    """By whatever identifier, in whatever capitals; another type is another request."""
    one = shop.fresh()
    path = write(
        tmp_path / "twice.csv",
        HEADER,
        f"inventory,{one.customer_id},,,,first",
        f"inventory,,{one.email},,,second",
        f"inventory,,{one.email.upper()},,,third",
        f"inventory,{one.customer_id},{one.email},2026-11-01,,fourth",
        f"access,{one.customer_id},,,,other",
        "inventory,,unknown@x.example,,,a",
        "inventory,,UNKNOWN@x.example,,,b",
    )
    ran = shop.run("batch", path, "--yes", "--json")
    assert sorted(case["reference"] for case in ran.json["cases"]) == ["a", "first", "other"]
    assert (ran.json["summary"]["rows"], ran.json["summary"]["duplicates"]) == (3, 4)


def test_columns_it_does_not_know_are_a_warning(shop: Shop, tmp_path: Path) -> None:
    """Left alone, and said; a connection's name is a column it knows."""
    connection = next(iter(shop.world.servers))
    path = write(
        tmp_path / "more.csv",
        f"type,customer_id,shoe_size,{connection},Email,\x1b[2J",
        "inventory,none-such,42,,ada@example.org,",
    )
    ran = shop.run("batch", path, "--yes", "--json")
    assert r"columns habeas does not know and leaves alone: shoe_size, Email, \u001b[2J" in ran.stderr
    assert ran.json["summary"]["rows"] == 1


def test_a_vendor_s_own_id_can_be_a_column(shop: Shop, tmp_path: Path) -> None:
    """The one of a person without any row in the identity table."""
    person = shop.fresh()
    found = shop.run("--json", "inventory", f"customer_id={person.customer_id}", "--show-ids").json["connections"]
    (name, token) = next(
        (c["connection"], record["ids"][0])
        for c in found
        for record in c["records"]
        if record["record"] == shop.registry.infos[c["plugin"]].main_kind
    )
    path = write(tmp_path / "own.csv", f"type,{name}", f"inventory,{token}")
    (case,) = shop.run("batch", path, "--yes", "--json").json["cases"]
    assert "unchanged" in {row["result"] for row in case["outcomes"] if row["connection"] == name}


def test_a_policy_that_cannot_be_used_is_refused_before_any_row_is_registered(own_shop: Shop) -> None:
    """The option's, and the configured one of a type that comes late in the file."""
    path = write(own_shop.folder / "b.csv", HEADER, "erasure,C-100000,,,,", "access,C-100000,,,,")
    for policy in ("no-such", "gdpr-access", ""):
        refused(own_shop, path, "--policy", policy)
    own_shop.config.write_text(own_shop.config.read_text() + 'access = "no-such"\n')
    assert "no-such" in refused(own_shop, path).stderr


# -- output -----------------------------------------------------------------------------------------------------------


def test_progress_is_lines_on_stderr_and_the_table_has_the_sums(shop: Shop, tmp_path: Path) -> None:
    """Not a terminal: no bar, no escape codes; without `--json` a table of outcomes."""
    path = write(tmp_path / "few.csv", "type,customer_id", *(f"inventory,none-{n}" for n in range(5)))
    ran = shop.run("batch", path, "--yes")
    assert ran.code in (0, 3)
    assert ran.stderr.splitlines()[-1].startswith("5 of 5 cases, ")
    assert ran.stderr.splitlines()[-1].endswith("/s: 5 completed")
    assert "absent" in ran.stdout
    assert "\x1b" not in ran.stdout + ran.stderr


def test_a_long_run_says_how_far_it_is(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line every few seconds."""
    monkeypatch.setattr("habeas.cli.progress._LINE_EVERY_SECONDS", 0.0)
    path = write(tmp_path / "few.csv", "type,customer_id", *(f"inventory,none-{n}" for n in range(4)))
    lines = shop.run("batch", path, "--yes", "--json").stderr.splitlines()
    assert [line.split(" cases, ")[0] for line in lines] == [f"{n} of 4" for n in (1, 2, 3, 4, 4)]


def test_json_is_whole_even_where_the_run_breaks_off(
    own_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One document with what is finished, the sums, and the error; `resume` does the rest."""
    shop = own_shop
    path = write(tmp_path / "few.csv", "type,customer_id", *(f"inventory,none-{n}" for n in range(12)))

    from habeas.app import App
    from habeas.errors import StorageError

    work, done = App.work_on, iter(range(100))

    def break_off(app: App, run: Any, case_id: str) -> Any:
        if next(done) == 5:
            raise StorageError("the disk is full", advice="free some space")
        return work(app, run, case_id)

    with monkeypatch.context() as patch:
        patch.setattr(App, "work_on", break_off)
        ran = shop.run("batch", path, "--yes", "--json")
    assert ran.code == 1
    assert ran.json["error"] == {"message": "the disk is full; free some space", "exit_code": 1}
    assert ran.json["summary"]["cases"] == len(ran.json["cases"]) < 12
    assert ran.stderr.splitlines()[-1] == "habeas: the disk is full; free some space"
    rest = shop.run("resume", "--json")
    assert rest.code in (0, 3)
    cases = shop.run("case", "list", "--json").json["cases"]
    assert [case["status"] for case in cases] == ["completed"] * 12


def test_a_file_that_another_process_registers_is_left_to_it(shop: Shop, tmp_path: Path) -> None:
    """Cron that started twice must not open each case twice."""
    path = write(tmp_path / "few.csv", "type,customer_id", "inventory,none")

    from habeas.app import App

    with App.open(shop.home, shop.config) as other, pytest.MonkeyPatch.context() as patch:
        patch.setattr("habeas.cases.locks.CaseLocks.take", lambda _, name: not name.startswith("hmac-sha256:"))
        ran = refused_busy(shop, path)
        assert other.config.path == shop.config
    assert "another process is registering this very file; wait for it" in ran.error


def refused_busy(shop: Shop, path: str) -> Ran:
    """A batch that waits for another process: exit 1, nothing sent."""
    calls, size = shop.calls, shop.ledger_bytes()
    ran = shop.run("batch", path, "--yes")
    assert (ran.code, ran.stdout) == (1, "")
    assert (shop.calls, shop.ledger_bytes()) == (calls, size)
    return ran
