"""What people want: one statement per person and purpose, the newest; and where it is still to be made true.

A file of its own (``consents.db``). People stand in it as numbers; who they are is sealed, and found by keyed marks.
"""

from __future__ import annotations

from habeas.cases.consents.database import Database
from habeas.cases.consents.due import Confirmed, Due, DueList, Key
from habeas.cases.consents.statements import Batch, Statement, Statements, Verdict, Wanted
from habeas.cases.consents.store import ConsentStore

__all__ = [
    "Batch",
    "Confirmed",
    "ConsentStore",
    "Database",
    "Due",
    "DueList",
    "Key",
    "Statement",
    "Statements",
    "Verdict",
    "Wanted",
]
