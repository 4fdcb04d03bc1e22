"""Which duty each part of a report speaks to. A mapping that was not read in a source says so."""

from __future__ import annotations

from typing import Final

from habeas.reports.compliance.families import FAMILIES
from habeas.reports.compliance.shapes import Column, Table

__all__ = ["controls_table"]

_COLUMNS: Final = (
    Column("duty", "Duty or control"), Column("asks", "What it asks"), Column("figures", "Figures"),
    Column("section", "Section"), Column("read", "Read in a source"),
)  # fmt: skip

_READ, _SECONDARY, _NOT_READ = "yes", "in secondary sources", "not confirmed"
_MAPPING: Final = (
    ("GDPR Art. 12(3)", "an answer within a month, extended by two at most, and told within the first",
     "answered on_time on_time_percent days_median days_p95 days_max extended extended_percent overdue_end", _READ),
    ("UK GDPR Art. 12A", "when the clock stops", "paused paused_days", _READ),
    ("GDPR Art. 12(4)", "reasons for a refusal", "refused", _NOT_READ),
    ("GDPR Art. 12(6)", "more information where there is reasonable doubt about who asks",
     "identity identity_failed_percent", _NOT_READ),
    ("GDPR Art. 15, 20", "access, and data to take with one", "packages access_outcomes", _NOT_READ),
    ("GDPR Art. 16", "rectification", "received closed outcomes", _NOT_READ),
    ("GDPR Art. 17(1)", "erasure", "erasures read_back not_read_back rechecked rechecked_percent", _NOT_READ),
    ("GDPR Art. 17(3), 18", "exceptions from erasure; restriction meanwhile",
     "partial_ground held held_end held_overdue held_endless released", _NOT_READ),
    ("GDPR Art. 19", "each recipient is told", "calls outcomes records verified_percent unfinished", _NOT_READ),
    ("GDPR Art. 7(3), 21", "consent withdrawn, objection: carried to every recipient", "consent suppressed",
     _NOT_READ),
    ("GDPR Art. 30(1)", "the record of processing activities", "last_answer", _NOT_READ),
    ("GDPR Art. 5(2), 24", "being able to demonstrate compliance", "ledger_entries ledger_root checkpoints",
     _NOT_READ),
    ("CCPA regulations § 7101(b)", "a log of requests: date, nature, answer, basis of a denial; kept 24 months",
     "registered", _READ),
    ("CCPA regulations § 7102", "numbers by type of request, and median or mean days",
     "ccpa_received ccpa_complied ccpa_whole ccpa_denied ccpa_days_mean ccpa_days_median", _READ),
    ("CCPA, confirming receipt", "within 10 business days", "acknowledge_due acknowledged_on_time", _READ),
    ("ISO/IEC 27701:2025 A.1.3.5, A.1.3.6", "withdrawing consent; objecting", "consent", _SECONDARY),
    ("ISO/IEC 27701:2025 A.1.3.7, A.1.3.9", "access, correction, erasure; a copy",
     "closed outcomes packages", _SECONDARY),
    ("ISO/IEC 27701:2025 A.1.3.8", "telling third parties", "calls verified_percent", _SECONDARY),
    ("ISO/IEC 27701:2025 A.1.3.10", "handling requests", "received answered on_time_percent", _SECONDARY),
    ("SOC 2 P4.2, P4.3", "retention and disposal", "held_end held_overdue read_back destroyed", _NOT_READ),
    ("SOC 2 P5.1, P5.2", "access; correction, with reasons for a denial", "packages refused", _NOT_READ),
    ("SOC 2 P6.7", "an account of data held, on request", "access_outcomes", _NOT_READ),
    ("SOC 2 P8.1", "monitoring, and what became of requests", "overdue_end runs keys contradicted", _NOT_READ),
)  # fmt: skip


def controls_table(numbers: dict[str, int]) -> Table:
    """``numbers``: section's id → its number."""
    rows = []
    for duty, asks, figures, read in _MAPPING:
        names = figures.split()
        sections = sorted({numbers[FAMILIES[name].section] for name in names})
        rows.append((duty, asks, ", ".join(names), ", ".join(map(str, sections)), read))
    return Table(
        "controls", "Duties and controls, and the figures that speak to them", _COLUMNS, tuple(rows), "program"
    )
