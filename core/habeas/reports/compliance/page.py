"""The report for reading: one page of HTML without scripts or network, for a screen, a phone and paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from habeas.reports.compliance.arithmetic import shortened
from habeas.reports.compliance.charts import Chart, by_type_chart, days_chart, outcomes_chart
from habeas.reports.compliance.families import FAMILIES, Family
from habeas.reports.compliance.grids import Grid, grids_of, values_of
from habeas.reports.compliance.period import Period, instant
from habeas.reports.compliance.shapes import Cell, Report, Section, Table, rules_of
from habeas.reports.compliance.tally import Figure
from habeas.reports.compliance.wording import plain
from habeas.reports.package.labels import day, moment, moment_of, visible

__all__ = ["report_html"]

_MOST_ROWS: Final = 500
"""Of a table. The JSON and CSV forms have them all."""
_LONGEST_WORD: Final = 32
_MOST_RANGES: Final = 180
"""Characters of entry numbers."""


@dataclass(frozen=True)
class _Tile:
    """One number at the top."""

    title: str
    figure: Figure
    unit: str
    note: str
    kind: str = ""


@dataclass(frozen=True)
class _Shown:
    """A section as the page tells it."""

    section: Section
    grids: tuple[Grid, ...]
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...]


def report_html(report: Report) -> bytes:
    """Renders the page as UTF-8. All text is escaped; what could hide or reorder other text is written out."""
    figures = report.figures
    anchors = {name: f"f{number}" for number, name in enumerate(figures, 1)}
    sections = tuple(_shown(section, report) for section in report.sections)
    register = next(shown for shown in sections if shown.section.id == "register")
    zone = ZoneInfo(report.period.zone)
    text = _environment().get_template("report.html.j2").render(
        report=report,
        period=report.period,
        days=_days(report.period),
        generated=moment(instant(report.generated_at).astimezone(zone)),
        tiles=_tiles(figures),
        sections=sections,
        register=_register(register.tables[0]),
        most_rows=_MOST_ROWS,
        anchors=anchors,
        rules=rules_of(report.period),
        annex=_annex(report),
        policies=[figure.key[0][1] for figure in figures.values() if figure.family == "policies"],
    )  # fmt: skip
    return text.encode()


def _days(period: Period) -> str:
    return f"{day(period.first)} to {day(period.last)}"


def _tiles(figures: dict[str, Figure]) -> tuple[_Tile, ...]:
    def value(name: str) -> Cell:
        return figures[name].value

    late = (value("overdue_end") or 0) != 0
    return (
        _Tile("Received", figures["received"], "", f"{value('open_start')} open before"),
        _Tile("Closed", figures["closed"], "", f"{value('answered')} of them answered"),
        _Tile("Answered on time", figures["on_time_percent"], " %", f"{value('on_time')} of {value('answered')}"),
        _Tile("Open at the end", figures["open_end"], "", "not closed yet"),
        _Tile("Overdue at the end", figures["overdue_end"], "", "open past the due date", "bad" if late else "good"),
        _Tile("Verified at vendors", figures["verified_percent"], " %", "outcomes read back; what is kept not counted"),
    )


def _shown(section: Section, report: Report) -> _Shown:
    figures = {figure.name: figure for figure in section.figures}
    charts: list[Chart | None] = []
    match section.id:
        case "summary":
            types = values_of(figures, "type", ("received", "closed", "open_end"))
            charts.append(by_type_chart(figures, [(name, plain(name)) for name in types]))
        case "timeliness":
            charts.append(days_chart(figures))
        case "processors":
            charts.append(outcomes_chart(figures, values_of(figures, "connection", ("outcomes",))))
    # Answers are counted in the summary, and told of again beside their times.
    reading = report.figures if section.id == "timeliness" else figures
    tables = tuple(table for table in section.tables if table.rows or table.empty)
    return _Shown(section, tuple(grids_of(section.id, reading)), tuple(filter(None, charts)), tables)


def _register(table: Table) -> list[dict[str, Cell]]:
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows[:_MOST_ROWS]]


def _annex(report: Report) -> list[tuple[Section, list[tuple[Family, list[Figure]]]]]:
    found = []
    for section in report.sections:
        families: dict[str, list[Figure]] = {}
        for figure in section.figures:
            families.setdefault(figure.family, []).append(figure)
        if families:
            found.append((section, [(FAMILIES[name], listed) for name, listed in families.items()]))
    return found


# -- filters ----------------------------------------------------------------------------------------------------------


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("habeas.reports.compliance"), autoescape=True, undefined=StrictUndefined,
        finalize=_finalize, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    filters: dict[str, Callable[..., object]] = {
        "number": _number, "plain": plain, "entries": _entries, "of": _of, "ticks": _ticks, "pseudonyms": _pseudonyms,
        "unbroken": _unbroken,
    }  # fmt: skip
    environment.filters |= filters
    return environment


def _finalize(value: Any) -> Any:
    # What a macro returns is escaped already; its texts came by here when the macro ran.
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _number(value: Cell) -> str:
    if value is None:
        return "\u2013"
    if isinstance(value, int):
        return f"{value:,}"
    return moment_of(value) if "T" in value and moment_of(value) else value


def _entries(text: str) -> str:
    return shortened(text, _MOST_RANGES).replace(",", ", ")


def _of(key: Sequence[tuple[str, str]]) -> str:
    """What a figure is cut to."""
    return ", ".join(f"{name}: {value}" for name, value in key) or "all"


def _unbroken(value: Cell) -> bool:
    """Whether it has a word too long for a column."""
    return isinstance(value, str) and any(len(word) > _LONGEST_WORD for word in value.split())


def _ticks(text: str) -> list[tuple[bool, str]]:
    """A text in pieces: whether each is code, as `backticks` say."""
    return [(number % 2 == 1, piece) for number, piece in enumerate(text.split("`")) if piece]


def _pseudonyms(text: str) -> list[str]:
    """The first one, as far as it takes to tell it from others; the JSON and CSV forms have them all, and whole."""
    first, *others = text.split() or [""]
    shown = f"{first[:15]}…" if len(first) > 16 else first
    return [shown, f"and {len(others)} more"] if others else [shown]
