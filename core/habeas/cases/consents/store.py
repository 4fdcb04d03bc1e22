"""The store of wanted consents as the rest of the program sees it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from habeas.cases.consents.database import Database
from habeas.cases.consents.due import DueList
from habeas.cases.consents.people import People
from habeas.cases.consents.statements import Batch, Statement, Statements, Verdict, Wanted
from habeas.cases.keys import KeyStore
from habeas.models import Subject

__all__ = ["ConsentStore"]


class ConsentStore:
    """Safe to use from many threads; every method raises :class:`~habeas.errors.StorageError`."""

    def __init__(
        self, path: Path, keys: KeyStore, now: Callable[[], datetime], targets: Mapping[str, Collection[str]],
        used: Callable[[], bool],
    ) -> None:  # fmt: skip
        """``targets``: purpose → connections with a mapping for it. ``used``: whether consents were ever recorded."""
        self._database = Database(path, keys, used)
        self._people = People(self._database)
        self.due = DueList(self._database, self._people, targets)
        self.statements = Statements(self._database, self._people, now, self.due.changed)

    def close(self) -> None:
        self._database.close()

    def accept(self, run_id: str, source: str, statements: Sequence[Statement]) -> tuple[list[Verdict], Batch | None]:
        """See :meth:`Statements.accept`."""
        return self.statements.accept(run_id, source, statements)

    def wanted(self, subject: Subject) -> dict[str, Wanted]:
        """Purpose → what a person wants."""
        return self.statements.wanted(subject)

    def about(self, subject: Subject) -> list[tuple[Subject, Wanted]]:
        """All that is recorded of a person, and who it is recorded of: exactly what :meth:`remove` would take out."""
        with self._database.reading() as db:
            persons = [] if db is None else self._people.matching(db, subject)
        return [(who, one) for who, wanted in self.some(persons).values() for one in wanted.values()]

    def person(self, subject: Subject) -> int | None:
        """The number of somebody who is known here."""
        with self._database.reading() as db:
            return None if db is None else self._people.find(db, subject)

    def everybody(self, most: int) -> Iterator[dict[int, tuple[Subject, dict[str, Wanted]]]]:
        """All people, so many at a time: number → who, and what they want."""
        after = 0
        while True:
            with self._database.reading() as db:
                persons = [] if db is None else self._people.after(db, after, most)
            if not persons:
                return
            yield self.some(persons)
            after = persons[-1]

    def some(self, persons: Sequence[int]) -> dict[int, tuple[Subject, dict[str, Wanted]]]:
        """The same of these people, without those who were taken out meanwhile."""
        with self._database.reading() as db:
            if db is None:
                return {}
            known = [p for p in persons if db.execute("SELECT 1 FROM people WHERE person = ?", (p,)).fetchone()]
            return {p: (self._people.subject(db, p), self.statements.of(db, p)) for p in known}

    def numbers(self) -> list[int]:
        """The numbers of all people."""
        with self._database.reading() as db:
            return [] if db is None else [n for (n,) in db.execute("SELECT person FROM people ORDER BY person")]

    def said(self) -> Iterator[list[bytes]]:
        """See :meth:`Statements.said`."""
        return self.statements.said()

    def row_key(self) -> bytes:
        """The key of rows' marks; makes the file where there is none."""
        with self._database.writing():
            return self._database.key("rows")

    def count(self) -> int:
        """How many people are known here."""
        with self._database.reading() as db:
            return 0 if db is None else int(db.execute("SELECT count(*) FROM people").fetchone()[0])

    def remove(self, subject: Subject) -> int:
        """Takes a person out, for good: who has been erased is wanted nothing of. Returns how many that were."""
        with self._database.reading() as db:
            if db is None or not self._people.matching(db, subject):
                return 0
        with self._database.writing() as db:
            persons = self._people.matching(db, subject)
            self._people.remove(db, persons)
        return len(persons)

    def scrub(self) -> None:
        """Frees the file of what is left of people that were taken out."""
        self._database.scrub()
