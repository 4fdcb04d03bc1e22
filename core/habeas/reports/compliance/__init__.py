"""The compliance audit report: the figures of a period, each with the ledger entries behind it.

Everything in it that is a figure follows from the lines of ``habeas audit export`` alone, and what each counts is said
in words, so that somebody else can count again. The definitions are data (``figures.toml``), as are the sections'
words (``sections.toml``).
"""

from __future__ import annotations

from habeas.reports.compliance.csvfile import figures_csv, register_csv
from habeas.reports.compliance.inventory import System
from habeas.reports.compliance.make import Made, make_report
from habeas.reports.compliance.page import report_html
from habeas.reports.compliance.period import Period, last_month, parse_date, utc_text
from habeas.reports.compliance.recompute import Recomputed, read_report, recompute
from habeas.reports.compliance.shapes import FORMAT, Report

__all__ = [
    "FORMAT",
    "Made",
    "Period",
    "Recomputed",
    "Report",
    "System",
    "figures_csv",
    "last_month",
    "make_report",
    "parse_date",
    "read_report",
    "recompute",
    "register_csv",
    "report_html",
    "utc_text",
]
