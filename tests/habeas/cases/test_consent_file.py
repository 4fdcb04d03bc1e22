"""A CSV of consents, read twice at most: what is known is passed over unread, and the rest is what was checked."""

from __future__ import annotations

import csv
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.cases.consents import Statement
from habeas.cases.consents import file as module
from habeas.cases.consents.file import ConsentFile, Known
from habeas.cases.identifiers import check_identifier
from habeas.changes import ConsentState
from habeas.errors import InputError
from habeas.models import Identifier, Subject

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HEADER = ("email", "customer_id", "purpose", "state", "at")
Rows = Iterable[tuple[str, ...]]
Open = Callable[..., ConsentFile]


def row(n: int, state: str = "granted", at: str = "2026-02-01T10:00:00Z") -> tuple[str, ...]:
    return (f"p{n}@shop.example", f"C-{n}", "mail", state, at)


@pytest.fixture
def consents(tmp_path: Path) -> Open:
    def make(rows: Rows, said: Iterable[bytes] = (), header: tuple[str, ...] = HEADER) -> ConsentFile:
        path = tmp_path / "consents.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        return ConsentFile(
            path, connections=("shop",), purposes=("mail",), resolve=lambda given: Subject(tuple(given)), now=NOW,
            key=b"k" * 32, said=[list(said)],
        )  # fmt: skip

    return make


def taken(file: ConsentFile) -> list[Statement]:
    file.check()
    return list(file.statements())


def test_rows_that_are_recorded_are_known_again_and_all_others_are_not(consents: Open) -> None:
    rows = [row(n) for n in range(300)]
    marks = [one.said or b"" for one in taken(consents(rows))]
    assert len(set(marks)) == 300
    file = consents([*rows, row(1, "withdrawn"), row(2, at="2026-02-02T10:00:00Z"), row(300)], marks)
    checked = file.check()
    assert (checked.rows, checked.known, checked.good, checked.bad) == (303, 300, 3, 0)
    assert [(s.subject.values("customer_id")[0], s.state) for s in file.statements()] == [
        ("C-1", ConsentState.WITHDRAWN), ("C-2", ConsentState.GRANTED), ("C-300", ConsentState.GRANTED),
    ]  # fmt: skip


def test_a_known_row_in_other_columns_is_read_and_checked_as_any(consents: Open) -> None:
    marks = [one.said or b"" for one in taken(consents([row(1)]))]
    cells = dict(zip(HEADER, row(1), strict=True))
    for header in (tuple(reversed(HEADER)), ("customer_id", "purpose", "state", "at")):
        other = consents([tuple(cells[name] for name in header)], marks, header)
        assert (other.check().known, other.check().good) == (0, 1)
    header = (*HEADER, "note")
    noted = consents([(*row(1), "whatever"), (*row(1), "x", "y"), row(1)], marks, header)
    assert (noted.check().known, noted.check().bad) == (1, 2), "what means nothing says nothing, but cells are counted"


def test_cells_cannot_be_moved_into_one_another(consents: Open) -> None:
    marks = [one.said or b"" for one in taken(consents([("", "C-1", "mail", "granted", "2026-02-01T10:00:00Z")]))]
    forged = ("\x1fC-1", "", "mail", "granted", "2026-02-01T10:00:00Z")
    assert consents([forged], marks).check().known == 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.binary(min_size=16, max_size=16), unique=True, max_size=60))
def test_known_is_a_set(marks: list[bytes]) -> None:
    half = marks[::2]
    known = Known([half[:7], half[7:]])
    assert [mark in known for mark in marks] == [n % 2 == 0 for n in range(len(marks))]
    assert secrets.token_bytes(16) not in known


def test_more_than_is_kept_in_memory_is_read_once_more(consents: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT", 10)
    rows = [row(n, "nonsense" if n % 7 == 0 else "granted") for n in range(50)]
    file = consents(rows)
    assert file.check().bad == 8
    said = list(file.statements())
    assert [s.subject.values("customer_id")[0] for s in said] == [f"C-{n}" for n in range(50) if n % 7]
    assert [bad.line for bad, _ in file.bad_rows()] == [n + 2 for n in range(0, 50, 7)]
    monkeypatch.setattr(module, "_MOST_KEPT", 100)
    assert taken(consents(rows)) == said


@pytest.mark.parametrize("kept", [0, 100])
def test_lines_are_counted_through_empty_rows_and_cells_of_several_lines(
    consents: Open, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT", kept)
    monkeypatch.setattr(module, "_TOGETHER", 2)
    noted = [(*row(n), note) for n, note in enumerate(("a\r\nb\nc", "", "d\re", "f"))]
    rows = [
        noted[0],
        ("", " ", "", "", "", ""),
        (*row(8, "bad"), ""),
        noted[1],
        noted[2],
        (),
        (*row(9, "bad"), ""),
        noted[3],
    ]
    file = consents(rows, (), (*HEADER, "note"))
    checked = file.check()
    assert (checked.rows, checked.good, [b.line for b in checked.first_bad]) == (6, 4, [6, 11])
    assert [bad.line for bad, _ in file.bad_rows()] == [6, 11]
    assert [s.subject.values("customer_id")[0] for s in file.statements()] == ["C-0", "C-1", "C-2", "C-3"]


@pytest.mark.parametrize("kept", [0, 100])
def test_a_file_that_changed_after_it_was_checked_is_not_carried_out(
    consents: Open, tmp_path: Path, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT", kept)
    file = consents([row(1)])
    file.check()
    with (tmp_path / "consents.csv").open("a") as target:
        target.write(",".join(row(2)) + "\n")
    with pytest.raises(InputError, match="was changed while it was being read"):
        list(file.statements())


@pytest.mark.parametrize(
    ("at", "is_good"),
    [
        ("2026-02-01T10:00:00Z", True), ("2026-02-01t10:00:00.123456789z", True), ("2026-02-01 10:00:00+01:00", True),
        ("2026-06-01T00:04:59Z", True), ("2026-06-01T00:05:01Z", False), ("2026-02-01T10:00:00", False),
        ("2026-02-01", False), ("20260201T100000Z", False), ("2026-02-30T10:00:00Z", False), ("", False),
        ("1999-12-31T23:59:59Z", False), ("0001-01-01T00:00:00+14:00", False), ("9999-12-31T23:59:59-12:00", False),
        ("\uff12026-02-01T10:00:00Z", False),
    ],
)  # fmt: skip
def test_times_are_rfc_3339_with_an_offset_and_have_been(consents: Open, at: str, is_good: bool) -> None:
    assert consents([row(1, at=at)]).check().bad == (not is_good)


_ONE = st.one_of(*(st.tuples(st.just(k), st.from_regex(p, fullmatch=True)) for k, p in module._PLAIN.items()))


@settings(max_examples=50, deadline=None)
@given(_ONE)
def test_what_is_passed_without_a_closer_look_would_be_passed_with_one(one: tuple[str, str]) -> None:
    assert check_identifier(*one) == Identifier(*one)
