"""The identity table as a CSV: read through or by its index, never another person's row."""

from __future__ import annotations

import csv
import io
import os
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.cases.identity import CsvIdentity, Row, open_identity
from habeas.config import IdentityConfig
from habeas.errors import ConfigError

KINDS = frozenset({"email", "phone", "customer_id", "voucherify"})
Make = Callable[[str | bytes], CsvIdentity]


@pytest.fixture
def table(tmp_path: Path) -> Make:
    def make(content: str | bytes) -> CsvIdentity:
        path = tmp_path / "customers.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return CsvIdentity(path, KINDS)

    return make


@pytest.fixture(params=["scan", "index"])
def lookup(request: pytest.FixtureRequest, table: Make) -> Callable[[str | bytes], CsvIdentity]:
    def make(content: str | bytes) -> CsvIdentity:
        made = table(content)
        if request.param == "index":
            made.build_index()
        return made

    return make


def found(table: CsvIdentity, kind: str, value: str) -> list[Row]:
    return list(table.find(kind, value))


def test_a_row_is_found_by_each_of_its_cells(lookup: Make) -> None:
    made = lookup("email,note,customer_id,voucherify\nada@x.org,vip,C-1,cust_1\nbob@x.org,,C-2,\n")
    ada = {"email": "ada@x.org", "customer_id": "C-1", "voucherify": "cust_1"}
    assert all(found(made, kind, value) == [ada] for kind, value in ada.items())
    assert found(made, "customer_id", "C-2") == [{"email": "bob@x.org", "customer_id": "C-2"}]


def test_nobody_is_found_by_an_empty_cell_an_unknown_value_or_column(lookup: Make) -> None:
    made = lookup("email,customer_id,voucherify\nada@x.org,C-1,\nbob@x.org,C-2,   \n")
    for kind, value in [
        ("voucherify", ""),
        ("voucherify", "   "),
        ("customer_id", "C-3"),
        ("phone", "1"),
        ("note", ""),
    ]:
        assert found(made, kind, value) == []


def test_emails_are_found_in_any_case_of_ascii_letters_and_everything_else_exactly(lookup: Make) -> None:
    made = lookup("email,customer_id\nAda@X.org,c-1\nÉve@x.org,C-2\n")
    assert found(made, "email", "aDA@x.ORG") == [{"email": "Ada@X.org", "customer_id": "c-1"}]
    assert found(made, "email", "éve@x.org") == []
    assert found(made, "customer_id", "C-1") == []


def test_everyone_who_shares_an_email_is_found(lookup: Make) -> None:
    made = lookup("email,customer_id\nus@x.org,C-1\nz@x.org,C-2\nUS@x.org,C-3\n")
    assert [row["customer_id"] for row in found(made, "email", "us@x.org")] == ["C-1", "C-3"]


def test_blanks_around_cells_and_column_names_are_not_part_of_them(lookup: Make) -> None:
    made = lookup(" email , customer_id\n ada@x.org , C-1 \n")
    assert found(made, "customer_id", "C-1") == [{"email": "ada@x.org", "customer_id": "C-1"}]


@pytest.mark.parametrize("header", ["email,customer_id", '"email","customer_id"'])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_byte_order_mark_is_fine(lookup: Make, header: str, newline: str) -> None:
    made = lookup(f"\ufeff{header}{newline}ada@x.org,C-1{newline}")
    assert found(made, "email", "ada@x.org") == [{"email": "ada@x.org", "customer_id": "C-1"}]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_quoted_line_breaks_do_not_move_rows(lookup: Make, newline: str) -> None:
    rows = ["customer_id,note,email", 'C-1,"é\n\n""x""\r\n,",a@x.org', "", 'C-2,"\n",b@x.org', "C-3,,c@x.org"]
    made = lookup(newline.join(rows))
    for n, name in enumerate("abc", 1):
        assert found(made, "email", f"{name}@x.org") == [{"customer_id": f"C-{n}", "email": f"{name}@x.org"}]


def test_a_short_row_lacks_what_it_lacks(lookup: Make) -> None:
    made = lookup("email,customer_id,voucherify\nada@x.org\nbob@x.org,C-2\n")
    assert found(made, "email", "ada@x.org") == [{"email": "ada@x.org"}]
    assert found(made, "customer_id", "C-2") == [{"email": "bob@x.org", "customer_id": "C-2"}]


def test_a_row_may_end_in_empty_cells_beyond_the_header(lookup: Make) -> None:
    assert found(lookup("email,customer_id\nada@x.org,C-1,,\n"), "customer_id", "C-1")


def test_a_row_with_more_cells_than_the_header_is_refused_by_its_line(table: Make) -> None:
    made = table("name,email,customer_id\nada,ada@x.org,C-1\nLovelace, Ada,ada@x.org,C-1\n")
    for action in (made.build_index, lambda: found(made, "email", "zoe@x.org")):
        with pytest.raises(ConfigError, match=r"line 3 .* more cells") as caught:
            action()
        assert "ada" not in caught.value.line().lower()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "none of the columns"),
        ("\n", "none of the columns"),
        ("name,mail\nada,ada@x.org\n", "none of the columns"),
        ("Email,CUSTOMER_ID\n", "none of the columns"),
        ("email,customer_id, email\n", "column email twice"),
        (b"\xff\xfee\x00m\x00", "not UTF-8"),
        ('email,"customer_id\n', "not CSV near line 1"),
        ("email,customer_id\rada@x.org,C-1\r", "not CSV near line"),
    ],
    ids=lambda v: ascii(v)[:20],
)
def test_a_file_that_is_no_identity_table_is_refused(table: Make, content: str | bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        table(content)
    assert caught.value.exit_code == 2


def test_columns_habeas_does_not_know_may_stand_there_twice(lookup: Make) -> None:
    assert found(lookup("note,note,email,,\n1,2,ada@x.org,,\n"), "email", "ada@x.org")


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        (b"r\xe9n\xe9@x.org,C-1\n", "not UTF-8"),
        (b'"ada"x,C-1\n', "not CSV near line 2"),
        (b'"ada,C-1\n', "not CSV near line 2"),
        (b"a" * 200_000 + b",C-1\n", "not CSV near line 2"),
        (b"a" * 2**20 + b",C-1\n", "line of over"),
    ],
    ids=["latin-1", "quote", "open quote", "huge cell", "huge line"],
)
def test_a_broken_row_is_refused_and_not_passed_over(table: Make, rest: bytes, why: str) -> None:
    made = table(b"email,customer_id\n" + rest)
    for action in (made.build_index, lambda: found(made, "customer_id", "C-2")):
        with pytest.raises(ConfigError, match=why) as caught:
            action()
        assert "ada" not in caught.value.line()


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            CsvIdentity(path, KINDS)


def rewrite(path: Path, content: str) -> None:
    path.write_text(content)


def replace(path: Path, content: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(content)
    fresh.replace(path)


@pytest.mark.parametrize("change", [rewrite, replace])
def test_a_file_changed_after_indexing_is_refused(
    table: Make, tmp_path: Path, change: Callable[[Path, str], None]
) -> None:
    made = table("email,phone,customer_id\na@x.org,1,C-1\nb@x.org,2,C-2\n")
    made.build_index()
    path = tmp_path / "customers.csv"
    before = path.stat()
    # Of the same size, at the same offsets, with the same time on it: only the row's owner is another.
    change(path, "email,phone,customer_id\na@x.org,1,C-2\nb@x.org,2,C-1\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    with pytest.raises(ConfigError, match="changed while it was in use"):
        found(made, "email", "a@x.org")
    made.build_index()
    assert found(made, "email", "a@x.org") == [{"email": "a@x.org", "phone": "1", "customer_id": "C-2"}]


def test_a_file_changed_after_opening_is_read_as_it_is_now(table: Make, tmp_path: Path) -> None:
    made = table("email,customer_id\na@x.org,C-1\n")
    rewrite(tmp_path / "customers.csv", "email,customer_id\nb@x.org,C-1\n")
    assert found(made, "customer_id", "C-1") == [{"email": "b@x.org", "customer_id": "C-1"}]


CELL = st.text(st.sampled_from('aA,"\n\r é👩 ;'), max_size=4)
TABLES = st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=12)


@given(TABLES, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_index_and_scan_agree_about_every_cell(rows: list[list[str]], newline: str, bom: bool, quote: bool) -> None:
    text = io.StringIO()
    quote = quote or any("\r" in cell for row in rows for cell in row)  # the writer leaves a lone one bare
    writer = csv.writer(text, lineterminator=newline, quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL)
    writer.writerows([["email", "note", "customer_id"], *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.getvalue().encode())
        scan, index = CsvIdentity(path, KINDS), CsvIdentity(path, KINDS)
        index.build_index()
        for row in rows:
            cells = {"email": row[0].strip(), "customer_id": row[2].strip()}
            expected = {kind: value for kind, value in cells.items() if value}
            for kind, value in expected.items():
                assert found(index, kind, value) == found(scan, kind, value)
                assert expected in found(index, kind, value)


def numbered(rows: int) -> Iterator[str]:
    yield "email,customer_id,voucherify\n"
    for n in range(rows):
        yield f"person{n}@example.org,C-{n},cust_{n}\n"


def test_the_index_takes_sixteen_bytes_a_cell_and_not_much_more_to_build(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    rows = 8_000
    path.write_text("".join(numbered(rows)))
    made = CsvIdentity(path, KINDS)
    tracemalloc.start()
    made.build_index()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 16 * 3 * rows <= held < 20 * 3 * rows + 100_000
    assert peak < 1.5 * held
    assert found(made, "voucherify", "cust_7999") == [
        {"email": "person7999@example.org", "customer_id": "C-7999", "voucherify": "cust_7999"}
    ]


def test_the_configuration_chooses_the_table(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("talonone,customer_id\nt-1,C-1\n")
    made = open_identity(IdentityConfig(csv=path), ["talonone"])
    assert made is not None
    assert list(made.find("talonone", "t-1")) == [{"talonone": "t-1", "customer_id": "C-1"}]
    assert open_identity(None, []) is None
    assert open_identity(IdentityConfig(), []) is None
