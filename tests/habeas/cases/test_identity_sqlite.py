"""The identity table as somebody else's SQLite database: read-only, and values only as parameters."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from habeas.cases.identity import IdentityTable, SqliteIdentity, open_identity
from habeas.config import IdentityConfig
from habeas.errors import ConfigError

KINDS = frozenset({"email", "phone", "customer_id", "voucherify-eu"})
QUERY = "select email, customer_id, note from people where {kind} = :value"
Make = Callable[..., IdentityTable]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "crm #1?.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute('CREATE TABLE people (email TEXT, customer_id INTEGER, "voucherify-eu" TEXT, note TEXT)')
        people = [("Ada@x.org", 1, "cust_1", "vip"), (" bob@x.org ", 2, "", None), (None, 3, "cust_3", None)]
        db.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", people)
    return path


def find(path: Path, kind: str, value: str, query: str = QUERY) -> list[Mapping[str, str]]:
    return list(SqliteIdentity(path, query, KINDS).find(kind, value))


def test_a_row_is_found_as_filled_cells_of_known_columns(database: Path) -> None:
    assert find(database, "customer_id", "1") == [{"email": "Ada@x.org", "customer_id": "1"}]
    assert find(database, "voucherify-eu", "cust_3") == [{"customer_id": "3"}]
    assert find(database, "customer_id", "2") == [{"email": "bob@x.org", "customer_id": "2"}]
    assert find(database, "customer_id", "4") == []


def test_emails_are_found_in_any_case_of_ascii_letters(database: Path) -> None:
    assert find(database, "email", "ADA@x.org") == [{"email": "Ada@x.org", "customer_id": "1"}]
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("INSERT INTO people VALUES ('ADA@X.ORG', 9, '', '')")
    assert [row["customer_id"] for row in find(database, "email", "ada@x.org")] == ["1", "9"]
    assert find(database, "voucherify-eu", "CUST_1") == []


def test_a_kind_without_a_column_finds_nobody(database: Path) -> None:
    assert find(database, "phone", "1") == []
    assert find(database, "phone", "1", "select p.email from people p where p.{kind} = :value") == []


@pytest.mark.parametrize(
    "value", ["' OR 1=1 --", '"; drop table people; --', "%", "_", "\0", "1 or 1", ":value", "{kind}", "a" * 1000, "İ"]
)
def test_hostile_values_are_only_ever_compared(database: Path, value: str) -> None:
    for kind in ("email", "customer_id", "voucherify-eu"):
        assert find(database, kind, value) == []
    assert find(database, "customer_id", "3")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("delete from people where {kind} = :value", "readonly"),
        ("update people set email = '' where {kind} = :value returning email", "readonly"),
        ("select email from persons where {kind} = :value", "no such table"),
        ("select mail from people where {kind} = :value", "no such column"),
        ("select email from people where {kind} = :value and", "incomplete"),
        ("select email from people where {kind} = :value; select 1", "one statement"),
        ("select email from people where {kind} = :value or note = :note", ":note"),
        ("select note from people where {kind} = :value", "none of the columns"),
        ("select cast(email as blob) as email from people where {kind} = :value", "bytes for the column email"),
        ("select customer_id + 0.5 as customer_id from people where {kind} = :value", "float for the column"),
        ("begin /* {kind} :value */", "not a SELECT"),
    ],
)
def test_a_query_that_cannot_answer_is_refused_and_changes_nothing(database: Path, query: str, why: str) -> None:
    content = database.read_bytes()
    with pytest.raises(ConfigError, match=why) as caught:
        find(database, "email", "ada@x.org", query)
    assert "ada" not in caught.value.line().lower()
    assert database.read_bytes() == content


@pytest.mark.parametrize("query", ["select * from people", "select * from people where {kind} = 1", "… :value"])
def test_a_query_needs_kind_and_value(database: Path, query: str) -> None:
    with pytest.raises(ConfigError, match="needs"):
        SqliteIdentity(database, query, KINDS)


def test_text_that_is_not_utf8_is_told_without_repeating_it(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("INSERT INTO people VALUES (cast(x'72e96e40782e6f7267' as text), 7, '', '')")
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        find(database, "customer_id", "7")
    assert "x.org" not in caught.value.line()
    assert caught.value.__suppress_context__


def test_a_missing_database_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing"):
        SqliteIdentity(tmp_path / "none.db", QUERY, KINDS)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "crm.db"
    path.write_text("email,customer_id\nada@x.org,C-1\n" * 50)
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        find(path, "email", "ada@x.org")
    assert "ada" not in caught.value.line()


def test_the_configuration_chooses_the_table(database: Path) -> None:
    made = open_identity(IdentityConfig(sqlite=database, query=QUERY), ["voucherify-eu"])
    assert made is not None
    assert list(made.find("voucherify-eu", "cust_1")) == [{"email": "Ada@x.org", "customer_id": "1"}]
