"""A CSV of requests: what is good, what is bad and why, and that no cell is repeated."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.cases.batch import BatchFile, BatchRow, regime_checker
from habeas.errors import ConfigError, InputError, PolicyError
from habeas.models import CaseType, Identifier, Subject

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ZONE = "Europe/Berlin"
SHARED = "family@x.org"
Open = Callable[..., BatchFile]


def resolve(identifiers: Sequence[Identifier]) -> Subject:
    """A table in which one address is shared, and ada's address leads to her customer_id."""
    if [i.value for i in identifiers] == [SHARED]:
        raise InputError("2 people in the identity table fit the identifiers given", advice="name a customer_id")
    known = [Identifier("customer_id", "C-ADA")] if any(i.value.lower() == "ada@x.org" for i in identifiers) else []
    return Subject((*identifiers, *known))


def batch_of(path: Path, find: Callable[[Sequence[Identifier]], Subject] = resolve) -> BatchFile:
    return BatchFile(path, ("voucherify",), find, regime_checker(ZONE, NOW), ZONE, NOW)


@pytest.fixture
def batch(tmp_path: Path) -> Open:
    def make(*lines: str, newline: str = "\n") -> BatchFile:
        path = tmp_path / "requests.csv"
        path.write_bytes("".join(line + newline for line in lines).encode())
        return batch_of(path)

    return make


def refusal(file: BatchFile) -> str:
    with pytest.raises(InputError) as caught:
        file.check()
    assert caught.value.exit_code == 2
    return caught.value.line()


def only(file: BatchFile) -> BatchRow:
    (row,) = file.rows()
    return row


def reason(file: BatchFile, *line: str) -> str:
    checked = file.check()
    assert (checked.rows, checked.bad) == (0, 1)
    return checked.first_bad[0].reason


def test_a_row_has_all_that_the_file_says(batch: Open) -> None:
    row = only(
        batch(
            "type,email,phone,customer_id,voucherify,received_at,regime,reference",
            " Access ,bob@x.org,+49 1,C-1,cust_1,2026-11-02T09:30:00+01:00,uk-gdpr, T-1 ",
        )
    )
    assert (row.line, row.type, row.regime, row.reference) == (2, CaseType.ACCESS, "uk-gdpr", " T-1 ")
    assert row.received_at == datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
    assert {i.kind: i.value for i in row.subject.identifiers} == {
        "customer_id": "C-1", "email": "bob@x.org", "phone": "+49 1", "voucherify": "cust_1",
    }  # fmt: skip
    assert "bob" not in repr(row)
    assert repr(row) == "BatchRow(line 2)"


def test_columns_may_be_missing_and_cells_empty(batch: Open) -> None:
    row = only(batch("customer_id,type,regime,received_at", "C-1,ERASURE,, "))
    assert (row.received_at, row.regime, row.reference) == (None, "", "")


FROM_A_FILE = (CaseType.ERASURE, CaseType.ACCESS, CaseType.PORTABILITY, CaseType.INVENTORY)


@pytest.mark.parametrize("case_type", FROM_A_FILE)
def test_every_type_a_file_may_ask_for_is_known(batch: Open, case_type: CaseType) -> None:
    assert only(batch("type,email", f"{case_type},a@x.org")).type is case_type


BAD = [
    *(("type,email", f"{t},a@x.org", "type is not one of erasure") for t in CaseType if t not in FROM_A_FILE),
    ("type,email", "delete-secret,a@x.org", "type is not one of erasure, access, portability, inventory"),
    ("type,email", ",a@x.org", "type is not one of"),
    ("type,email,phone,voucherify", "erasure,,  ,", "no identifier is given"),
    ("type,email", "erasure,secret", "email given cannot be used"),
    ("type,email", "erasure,secret@x.org;b@x.org", "email given cannot be used"),
    ("type,phone", "erasure,secret", "phone given cannot be used"),
    ("type,customer_id", "erasure,..", "customer_id given cannot be used"),
    ("type,customer_id", "erasure,secret\x00", "customer_id given cannot be used"),
    ("type,voucherify", "erasure,secret\x1b[2J", "voucherify given cannot be used"),
    ("type,email", f"erasure,{SHARED}", "2 people in the identity table"),
    ("type,email,regime", "erasure,a@x.org,secret", "no deadline for this regime; known: "),
    ("type,email,regime", "erasure,a@x.org,secret@x.org", "no deadline for this regime"),
    ("type,email,reference", f"erasure,a@x.org,{'secret' * 100}", "reference is longer than 500"),
    ("type,email", "erasure", "it has 1 cells, the header has 2"),
    ("type,email", "erasure,secret@x.org,secret", "it has 3 cells, the header has 2"),
    ("type,email", "'=secret()'!A0,a@x.org", "type is not one of"),
]  # fmt: skip


@pytest.mark.parametrize(("header", "row", "why"), BAD)
def test_a_bad_row_is_told_by_line_and_reason_and_never_by_its_cells(
    batch: Open, header: str, row: str, why: str
) -> None:
    file = batch(header, "", row)
    checked = file.check()
    assert (checked.rows, checked.bad, len(checked.first_bad)) == (0, 1, 1)
    bad = checked.first_bad[0]
    assert bad.line == 3
    assert why in bad.reason
    assert "secret" not in bad.reason
    assert SHARED not in bad.reason
    assert "\n" not in bad.reason
    assert list(file.rows()) == []
    assert [(b.line, cells) for b, cells in file.bad_rows()] == [(3, row.split(","))]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-02", datetime(2026, 11, 1, 23, 0, tzinfo=UTC)),
        ("2026-07-02", datetime(2026, 7, 1, 22, 0, tzinfo=UTC)),
        (" 2026-11-02T09:30:00+01:00 ", datetime(2026, 11, 2, 8, 30, tzinfo=UTC)),
        ("2026-11-02T09:30:00Z", datetime(2026, 11, 2, 9, 30, tzinfo=UTC)),
        ("2026-11-02 09:30:00-05:30", datetime(2026, 11, 2, 15, 0, tzinfo=UTC)),
        ("2026-11-02T23:59:59.999999+14:00", datetime(2026, 11, 2, 9, 59, 59, 999999, tzinfo=UTC)),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 28, 23, 0, tzinfo=UTC)),
        ("2026-11-21", datetime(2026, 11, 20, 23, 0, tzinfo=UTC)),
        ("2026-11-22T08:59:00Z", datetime(2026, 11, 22, 8, 59, tzinfo=UTC)),
    ],
)
def test_a_day_is_counted_at_the_controllers_seat_and_a_time_by_its_offset(
    batch: Open, text: str, at: datetime
) -> None:
    assert only(batch("type,email,received_at", f"erasure,a@x.org,{text}")).received_at == at


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-02T09:30:00", "without its offset; add Z"),
        ("2026-11-02 09:30", "without its offset"),
        ("2026-11-23", "future"),
        ("2026-11-22T09:01:00Z", "future"),
        ("9999-12-31", "future"),
        ("1999-12-31T23:59:59Z", "before the year 2000"),
        ("0001-01-01", "out of range"),
        ("9999-12-31T23:59:59-23:00", "out of range"),
        *[(text, "not a date") for text in (
            "yesterday", "02.11.2026", "11/02/2026", "20261102", "2026W45T09", "2026-W45-1", "2026-02-30", "2025-02-29",
            "2026-11-02T", "2026-11-02T25:00:00Z", "2026-06-30T23:59:60Z", "-1", "1793000000", "2026-11-2",
            "\uff12\uff10\uff12\uff16-11-02", "2026-11-02T09:30:00+99:00", "2026-11-02x",
        )],
    ],
)  # fmt: skip
def test_a_time_of_receipt_that_cannot_be_is_refused(batch: Open, text: str, why: str) -> None:
    said = reason(batch("type,email,received_at", f"erasure,a@x.org,{text}"))
    assert why in said
    assert "2026-11-02T09:30:00+01:00" in said or text not in said


def test_the_first_twenty_bad_rows_are_told_and_all_are_counted(batch: Open) -> None:
    lines = [f"{'nonsense' if n % 2 else 'erasure'},p{n}@x.org" for n in range(100)]
    checked = batch("type,email", *lines).check()
    assert (checked.rows, checked.bad) == (50, 50)
    assert [bad.line for bad in checked.first_bad] == list(range(3, 43, 2))


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_row_is_told_by_the_line_on_which_it_begins(batch: Open, newline: str) -> None:
    file = batch(
        '\ufeff"type","customer_id","reference"',  # 1
        'erasure,C-1,"two', 'lines"',  # 2, 3
        "",  # 4
        "nonsense,C-2,",  # 5
        'nonsense,C-3,"', '', '"',  # 6, 7, 8
        ",,",  # 9
        "erasure,C-4,",  # 10
        newline=newline,
    )  # fmt: skip
    assert [bad.line for bad in file.check().first_bad] == [5, 6]
    assert [(row.line, row.subject.values("customer_id")) for row in file.rows()] == [(2, ("C-1",)), (10, ("C-4",))]


def test_the_same_request_twice_is_one(batch: Open) -> None:
    file = batch(
        "type,email,customer_id,reference",
        "erasure,ada@x.org,,first",
        "erasure,ADA@X.ORG,,again by address",
        "erasure,,C-ADA,again by customer",
        "erasure,other@x.org,C-ADA,again by both",
        "access,ada@x.org,,another thing",
        "erasure,bob@x.org,,another person",
        "erasure,Bob@x.org,,again",
        "nonsense,bob@x.org,,bad is no duplicate",
    )
    checked = file.check()
    assert (checked.rows, checked.duplicates, checked.bad) == (3, 4, 1)
    assert [row.line for row in file.rows()] == [2, 6, 7]
    assert [row.line for row in file.rows()] == [2, 6, 7]


def test_requests_that_only_look_alike_are_told_apart(batch: Open) -> None:
    rows = [
        "erasure,a|b,",
        "erasure,email=bob@x.org,",
        "erasure,,bob@x.org",
        "erasure,'bob@x.org',",
        "erasure,bob@x.org,",
    ]
    checked = batch("type,customer_id,email", *rows, *rows).check()
    assert (checked.rows, checked.duplicates) == (5, 5)


def test_columns_habeas_does_not_know_are_named_and_left_alone(batch: Open) -> None:
    file = batch("type,note,email,Phone,note,,", "erasure,x,a@x.org,123,y,,")
    checked = file.check()
    assert checked.unknown_columns == ("note", "Phone")
    assert file.header() == ["type", "note", "email", "Phone", "note", "", ""]
    assert only(file).subject == Subject((Identifier("email", "a@x.org"),))


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "no column 'type'"),
        ([""], "no column 'type'"),
        (["email,customer_id", "a@x.org,C-1"], "no column 'type'"),
        (["type,reference", "erasure,a@x.org"], "no identifier column"),
        (["type,email,type", "erasure,a@x.org,access"], "column 'type' twice"),
        (["type, voucherify,voucherify "], "column 'voucherify' twice"),
        (["type,email", 'erasure,"secret'], "not CSV near line 2"),
        (["type,email", "erasure,a@x.org", 'erasure,"secret"x'], "not CSV near line 3"),
        (["type,email", "erasure," + "secret" * 30_000], "not CSV near line 2"),
    ],
)
def test_a_file_that_cannot_be_used_as_a_whole_is_refused(batch: Open, lines: list[str], why: str) -> None:
    line = refusal(batch(*lines))
    assert why in line
    assert "secret" not in line
    assert "a@x.org" not in line


@pytest.mark.parametrize("content", [b"type,email\nerasure,ren\xe9@x.org\n", "type,email\n".encode("utf-16")])
def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "requests.csv").write_bytes(content)
    assert "not UTF-8" in refusal(batch_of(tmp_path / "requests.csv"))


def test_what_can_be_read_only_once_or_not_at_all_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a plain file" in refusal(batch_of(tmp_path / "pipe"))
    assert "not a plain file" in refusal(batch_of(tmp_path))
    assert "cannot be read" in refusal(batch_of(tmp_path / "none.csv"))


def test_a_header_alone_is_a_file_without_rows(batch: Open) -> None:
    checked = batch("type,email").check()
    assert (checked.rows, checked.bad, checked.duplicates, checked.first_bad) == (0, 0, 0, ())


def test_the_digest_is_of_the_files_bytes(batch: Open, tmp_path: Path) -> None:
    digest = batch("type,email", "erasure,a@x.org").check().digest
    assert digest == hashlib.sha256((tmp_path / "requests.csv").read_bytes()).digest()


def test_a_file_changed_after_it_was_checked_is_not_carried_out(batch: Open, tmp_path: Path) -> None:
    file = batch("type,email", "erasure,a@x.org")
    file.check()
    path = tmp_path / "requests.csv"
    before = path.stat()
    path.write_text("type,email\nerasure,b@x.org\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InputError, match="changed while it was being read"):
        next(file.rows())


def test_a_file_changed_while_it_is_read_is_refused_at_its_end(batch: Open, tmp_path: Path) -> None:
    file = batch("type,email", "erasure,a@x.org", "erasure,b@x.org")
    rows = file.rows()
    next(rows)
    with (tmp_path / "requests.csv").open("a") as more:
        more.write("erasure,c@x.org\n")
    with pytest.raises(InputError, match="changed while it was being read"):
        list(rows)


def test_a_broken_identity_table_is_nobodys_bad_row(tmp_path: Path) -> None:
    def broken(_: Sequence[Identifier]) -> Subject:
        raise ConfigError("the identity table was changed while it was in use")

    path = tmp_path / "requests.csv"
    path.write_text("type,email\nerasure,a@x.org\n")
    with pytest.raises(ConfigError, match="identity table"):
        batch_of(path, broken).check()


def test_a_regime_is_asked_about_once(tmp_path: Path) -> None:
    asked: list[str] = []
    path = tmp_path / "requests.csv"
    path.write_text("type,email,regime\n" + "".join(f"erasure,p{n}@x.org,gdpr\n" for n in range(5)))
    file = BatchFile(path, (), lambda i: Subject(tuple(i)), asked.append, ZONE, NOW)
    assert file.check().rows == 5
    assert asked == ["gdpr"]


def test_a_regime_without_a_deadline_is_told_without_repeating_it() -> None:
    check = regime_checker(ZONE, NOW)
    check("gdpr")
    with pytest.raises(PolicyError) as caught:
        check("plainsecretword")
    assert "plainsecretword" not in caught.value.line()
    assert "gdpr" in caught.value.line()


def test_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    rows = 10_000
    with path.open("w") as file:
        file.write("type,email,customer_id,reference\n")
        file.writelines(f"erasure,person{n}@example.org,C-{n},{'r' * 100}\n" for n in range(rows))
    batch = BatchFile(path, (), lambda i: Subject(tuple(i)), lambda _: None, ZONE, NOW)
    tracemalloc.start()
    assert batch.check().rows == rows
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A number per request, to know duplicates; the file itself is 1.4 MB.
    assert peak < 150 * rows + 1_000_000


CELL = st.text(st.sampled_from('aE@.,"\n\r \0é👩=;|') | st.characters(), max_size=8)


@given(st.lists(st.lists(CELL, min_size=6, max_size=6), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_cells_are_good_or_bad_and_every_row_is_accounted_for(rows: list[list[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["type", "email", "customer_id", "received_at", "regime", "reference"])
    writer.writerows(["erasure", *row[1:]] for row in rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "requests.csv")
        path.write_bytes(text.getvalue().encode("utf-8", "replace"))
        file = batch_of(path)
        checked = file.check()
        assert checked.rows + checked.bad + checked.duplicates == len(rows)
        assert len(list(file.rows())) == checked.rows
        assert [bad for bad, _ in file.bad_rows()] == list(checked.first_bad)
        assert all(bad.reason.isprintable() for bad in checked.first_bad)
