"""The report's forms: a page that is inert and can be read, JSON with a schema, CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.habeas.reports.made import BASIS, Book, report_of, table, values

from habeas.errors import InputError
from habeas.reports.compliance import Report, figures_csv, read_report, register_csv, report_html
from habeas.reports.compliance.families import FAMILIES
from habeas.reports.compliance.page import _MOST_ROWS

HOSTILE = ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "\0=1", " =1", "\uff1d1", '=HYPERLINK("https://x","y")')


def busy() -> Book:
    """A bit of everything."""
    book = Book()
    for n, (kind, status) in enumerate([("erasure", "completed"), ("access", "refused"), ("consent", "completed")]):
        case = f"c-{n}"
        book.open("10-01", case, kind, policy="gdpr-erasure", policy_digest="sha256:" + "ab" * 32)
        sent = book.add("10-02", "call.intent", case, "shop-a", attempt=1, key="k", method="DELETE", path="/")
        book.add("10-02", "call.outcome", case, "shop-a", intent=sent, result="acknowledged", status=204)
        book.outcome("10-02", case, "erased" if n else "retained", legal_basis=BASIS, until="2026-10-03", reason="tax",
                     purpose="news")  # fmt: skip
        book.outcome("10-02", case, "manual", where="shop-b")
        book.close("10-03", case, status, reason="who asked?")
    book.open("10-05", "c-late", due="10-06T21:59:59")
    return book


@pytest.fixture(scope="module")
def report() -> Report:
    return report_of(busy().entries)


# -- the page ---------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What is in a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_page_can_do_nothing(report: Report) -> None:
    """No script, no network, nothing from elsewhere; a policy says so to the browser."""
    html = report_html(report).decode()
    page = Page(html)
    assert {
        "http-equiv": "Content-Security-Policy",
        "content": "default-src 'none'; style-src 'unsafe-inline'",
    } in page.all("meta")
    assert not {"script", "img", "iframe", "object", "form", "link"} & {tag for tag, _ in page.tags}
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on") or a in ("src", "style", "srcset")]
    assert all((one["href"] or "").startswith("#") for one in page.all("a"))
    assert re.findall(r"url\((?!#)|@import|https?://(?!w3id\.org)", html) == []


def test_every_link_leads_to_its_figure_and_every_id_is_there_once(report: Report) -> None:
    """Numbers lead to the annex, where their entries stand."""
    page = Page(report_html(report).decode())
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {(one["href"] or "")[1:] for one in page.all("a")} <= set(ids)
    assert {f"f{n}" for n in range(1, len(report.figures) + 1)} <= set(ids)


def test_the_page_can_be_read_without_seeing_it(report: Report) -> None:
    """Headers have their scope, charts their words, tables a caption or a name; one heading of the first level."""
    page = Page(report_html(report).decode())
    assert all(one.get("scope") in ("col", "row", "rowgroup") for one in page.all("th"))
    charts = [one for one in page.all("svg") if one.get("role") == "img"]
    assert len(charts) == 3
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert all(set((one["aria-labelledby"] or "").split()) <= ids for one in charts)
    assert all(one.get("aria-hidden") == "true" for one in page.all("svg") if one.get("role") != "img")
    assert len(page.all("h1")) == 1
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("desc")) == 3
    assert "Erasure: 2 received, 1 closed, 1 open" in page.text


def test_all_eighteen_sections_are_there_with_what_they_lack(report: Report) -> None:
    """What is not covered is named, and says why."""
    page = Page(report_html(report).decode())
    assert [section.number for section in report.sections] == list(range(1, 19))
    for section in report.sections:
        assert f"{section.number} {section.title}" in " ".join(page.text.split())
        assert section.covered == "yes" or section.gaps
    assert report.section("complaints").covered == report.section("changes").covered == "no"
    assert "GDPR Art. 6(1)(c)" in page.text
    assert "not verified when this report was made" in page.text


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_can_be_told_apart_in_light_and_dark() -> None:
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for what a chart is drawn in."""
    css = files("habeas.reports.compliance").joinpath("templates", "style.css").read_text()
    light, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{([^}]*)\}", css)[:2]
    )
    for theme in (light, dark):
        for ground in ("page", "card", "head", "warn"):
            assert all(contrast(theme[ink], theme[ground]) >= 4.5 for ink in ("ink", "soft", "bad", "accent")), ground
        assert all(contrast(theme[bar], theme["card"]) >= 3 for bar in ("received", "done", "kept", "left", "bad"))


def test_what_others_wrote_is_text() -> None:
    """Markup is escaped, and what would hide or turn text around is written out."""
    book = Book()
    evil = "<script>alert(1)</script>\"'&\u202e"
    book.open("10-01", "c-<b>", evil, regime=evil)
    book.outcome("10-01", "c-<b>", "retained", where=evil, record=evil, reason=evil, legal_basis=evil)
    book.close("10-02", "c-<b>", reason=evil)
    html = report_html(report_of(book.entries)).decode()
    assert "<script" not in html
    assert "<b>c" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;" in html
    assert "[U+202E]" in html
    Page(html)


def test_a_ledger_without_requests_makes_a_page_too() -> None:
    """Empty, or with canaries only."""
    canaries = Book()
    canaries.open("10-01", "c-1", "canary")
    canaries.outcome("10-01", "c-1", "erased")
    canaries.close("10-01", "c-1")
    for book in (Book(), canaries):
        found = report_of(book.entries)
        page = Page(report_html(found).decode())
        assert "There was no request." in page.text
        assert values(found)["on_time_percent"] is None
        assert page.all("desc") == []
        assert list(csv.reader(io.StringIO(register_csv(found).decode(), newline="")))[1:] == []
    assert values(report_of(canaries.entries))["canaries"] == 1


def test_a_long_register_is_cut_on_the_page_and_nowhere_else() -> None:
    """The page says so."""
    book = Book()
    for n in range(_MOST_ROWS + 20):
        book.open("10-01", f"c-{n}")
    found = report_of(book.entries)
    html = report_html(found).decode()
    assert f"the first {_MOST_ROWS} of {_MOST_ROWS + 20} rows" in html
    assert f"c-{_MOST_ROWS + 19}" not in html
    assert len(table(found, "register")) == _MOST_ROWS + 20
    assert f"c-{_MOST_ROWS + 19}" in register_csv(found).decode()


# -- JSON -------------------------------------------------------------------------------------------------------------


def test_json_is_as_its_schema_says(report: Report) -> None:
    """The schema is one; every figure has a definition, and no number a fraction."""
    schema = json.loads(files("habeas.reports.compliance").joinpath("report.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    text = json.dumps(report.to_json())
    value = json.loads(text)
    assert list(Draft202012Validator(schema).iter_errors(value)) == []
    assert read_report(text, "r.json") == value
    assert set(value["definitions"]) == set(FAMILIES)
    for section in value["sections"]:
        for figure in section["figures"]:
            assert value["definitions"][figure["family"]]["section"] == section["id"]


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(format="other"), lambda v: v["period"].update(zone="Mars/Olympus"),
        lambda v: v["period"].update(zone="../etc/passwd"), lambda v: v["sections"].pop(), lambda v: v.update(extra=1),
        lambda v: v["sections"][1]["figures"][0].update(value=1.5), lambda v: v["evidence"].update(size="many"),
        lambda v: v["sections"][1]["figures"][0].update(entries="1-"), lambda v: v.clear(),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused(report: Report, change: Any) -> None:
    """In one line."""
    value = json.loads(json.dumps(report.to_json()))
    change(value)
    with pytest.raises(InputError):
        read_report(json.dumps(value), "r.json")


def test_changes_since_an_earlier_report_are_listed(report: Report) -> None:
    """With what was and what is."""
    book = busy()
    book.open("10-20", "c-new")
    later = report_of(book.entries, earlier=json.loads(json.dumps(report.to_json())))
    changes = {row["figure"]: row for row in table(later, "changes")}
    assert (changes["received"]["then"], changes["received"]["now"], changes["received"]["change"]) == (4, 5, "+1")
    assert "closed" not in changes
    assert later.section("changes").covered == "partly"


# -- CSV --------------------------------------------------------------------------------------------------------------


def rows(content: bytes) -> list[list[str]]:
    assert content.endswith(b"\r\n")
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


def test_csv_has_a_row_per_figure_and_per_request(report: Report) -> None:
    """RFC 4180; sequence numbers in a form that is neither a day nor a large number to a spreadsheet."""
    header, *body = rows(figures_csv(report))
    assert header == ["section", "figure", "value", "unit", "entries"]
    assert {row[1].lstrip("'") for row in body} == set(report.figures)
    said = {row[1]: row for row in body}
    assert said["received"][2:] == ["4", "requests", report.figures["received"].entries.replace(",", ";")]
    assert not [row for row in body if re.search(r"\d[-,]\d", row[4])]
    names, *requests = rows(register_csv(report))
    assert names[0] == "case"
    assert [row[0] for row in requests] == ["c-0", "c-1", "c-2", "c-late"]
    assert {len(row) for row in requests} == {len(names)}


@pytest.mark.parametrize("start", HOSTILE)
def test_no_spreadsheet_computes_what_others_wrote(start: str) -> None:
    """Wherever it came from: a connection, a type, a reason, a record."""
    book = Book()
    book.open("10-01", start, start, regime=start, subject=[start])
    book.outcome("10-01", start, "manual", where=start, record=start)
    book.close("10-02", start, "cancelled", reason=start)
    found = report_of(book.entries)
    cells = [cell for content in (figures_csv(found), register_csv(found)) for row in rows(content) for cell in row]
    assert [cell for cell in cells if cell.lstrip()[:1] in set("=+-@\uff1d")] == []
    assert [cell for cell in cells if cell[:1] in set("\t\r\n\0")] == []
    assert sum(cell.startswith("'") for cell in cells) >= 4
