"""A report is computed again from an export of the ledger, and whatever was changed is found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.habeas.reports.made import Book, book_of, lives, report_of

from habeas.errors import InputError
from habeas.reports.compliance import recompute


@settings(max_examples=25, deadline=None)
@given(st.lists(lives(), max_size=4))
def test_a_report_is_computed_again_from_an_export(requests: list[list[tuple[str, str, dict[str, Any]]]]) -> None:
    """Every figure and table, also when the ledger has grown since."""
    book = book_of(requests, list(range(len(requests))))
    said = json.loads(json.dumps(report_of(book.entries).to_json()))
    book.open("11-30", "c-later", received="10-15")
    found = recompute(said, book.export())
    assert found.differences == ()
    assert found.figures > 60


def changed_report() -> tuple[dict[str, Any], Book]:
    book = Book()
    book.open("10-01", "c-1", due="10-20T21:59:59")
    book.outcome("10-02", "c-1", "erased", evidence="x")
    book.close("10-03", "c-1")
    return json.loads(json.dumps(report_of(book.entries).to_json())), book


def figure(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(f for section in report["sections"] for f in section["figures"] if f["name"] == name)


def test_whatever_is_changed_in_a_report_is_found() -> None:
    """A value, its entries, its unit, a definition, a row, a gap, a rule, the period."""
    changes: list[tuple[str, Any]] = [
        ("received, value", lambda r: figure(r, "received").update(value=2)),
        ("received, value", lambda r: figure(r, "received").update(value=True)),
        ("received, entries", lambda r: figure(r, "received").update(entries="1-2")),
        ("days_max, unit", lambda r: figure(r, "days_max").update(unit="weeks")),
        ("definition overdue_end", lambda r: r["definitions"]["overdue_end"].update(counts="nothing")),
        ("table register, row 1", lambda r: r["sections"][4]["tables"][0]["rows"][0].__setitem__(12, "refused")),
        ("table register, row 1", lambda r: r["sections"][4]["tables"][0]["rows"].clear()),
        ("section 13, not_covered", lambda r: r["sections"][12].update(not_covered=[])),
        ("how everything is counted", lambda r: r["rules"].pop()),
        ("period as_of", lambda r: r["period"].update(as_of="2026-10-31T22:00:00.000000Z")),
        ("period start", lambda r: r["period"].update(start="2026-10-01T00:00:00.000000Z")),
        ("evidence root", lambda r: r["evidence"].update(root="sha256:" + "0" * 64)),
        ("evidence log", lambda r: r["evidence"].update(log="another")),
        ("closed", lambda r: r["sections"][1]["figures"].remove(figure(r, "closed"))),
        ("more", lambda r: r["sections"][1]["figures"].append(figure(r, "closed") | {"name": "more"})),
        ("twice", lambda r: r["sections"][1]["figures"].append(figure(r, "closed") | {"value": 9})),
        ("reopened", lambda r: r["sections"][1]["figures"].remove(figure(r, "reopened"))),
    ]  # fmt: skip
    for what, change in changes:
        report, book = changed_report()
        change(report)
        found = recompute(report, book.export())
        assert any(what in line for line in found.differences), (what, found.differences)


def test_a_changed_export_gives_other_figures() -> None:
    """Even where it agrees with itself."""
    report, book = changed_report()
    other = Book()
    for entry in book.entries:
        text = entry.body.decode().replace('"erased"', '"absent"')
        other.add(entry.at, entry.type, entry.case_id, entry.connection, **json.loads(text).get("data", {}))
    found = recompute(report, other.export())
    assert any(line.startswith("read_back, value: the report says 1") for line in found.differences)
    assert any(line.startswith("evidence root") for line in found.differences)


def test_an_export_that_is_too_short_or_none_is_refused() -> None:
    """One line says so."""
    report, book = changed_report()
    lines = list(book.export())
    with pytest.raises(InputError, match="rests on 3 entries, and the export holds 2"):
        recompute(report, lines[:3])
    with pytest.raises(InputError, match="entries are missing"):
        recompute(report, [lines[0], *lines[2:]])
    for junk in ("[", '"x"', '{"format":"other"}', '{"seq":1,"body":7}'):
        with pytest.raises(InputError, match="export"):
            recompute(report, [junk])
