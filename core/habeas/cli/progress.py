"""Progress of a long run: a bar on a terminal, a line now and then elsewhere; and the totals at its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from habeas.cases.view import CaseView, exit_code
from habeas.cli.output import Output
from habeas.models import Json

__all__ = ["RunProgress", "Totals"]

_LINE_EVERY_SECONDS = 5.0
_RECKON_EVERY_SECONDS = 1.0
"""How long an estimate stands: it costs a look at what every vendor still allows."""


class Totals:
    """What became of the cases of a run."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.results: Counter[str] = Counter()
        self.by_connection: dict[str, Counter[str]] = {}
        self.codes: Counter[int] = Counter()

    @property
    def cases(self) -> int:
        return sum(self.statuses.values())

    def add(self, view: CaseView) -> None:
        """Counts one finished case."""
        self.statuses[str(view.status)] += 1
        for row in view.outcomes:
            self.results[str(row.result)] += 1
            self.by_connection.setdefault(row.connection, Counter())[str(row.result)] += 1
        self.codes[exit_code(view)] += 1

    def exit_code(self) -> int:
        """The worst of the cases; refused only where nothing else happened."""
        if self.codes[1]:
            return 1
        if self.codes[4]:
            return 4 if self.codes[4] == self.codes.total() else 3
        return 3 if self.codes[3] else 0

    def to_json(self, **more: Json) -> Json:
        return {
            "cases": self.cases,
            "statuses": dict(sorted(self.statuses.items())),
            "results": dict(sorted(self.results.items())),
            **more,
        }

    def line(self) -> str:
        """``9 998 completed, 2 incomplete``."""
        return _counts(self.statuses) or "nothing yet"

    def outcomes(self) -> str:
        """``120 erased, 30 absent``."""
        return _counts(self.results)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


class RunProgress:
    """Shows how far a run is. ``total`` 0: not known."""

    def __init__(
        self, output: Output, total: int, monotonic: Callable[[], float] = time.monotonic,
        left: Callable[[int, float], str] = lambda _, __: "",
    ) -> None:  # fmt: skip
        """``left``: what to say of the time that so many more cases take, of which so many were done in a second."""
        self._output = output
        self._total = total
        self._now = monotonic
        self._left = left
        self._reckoned, self._left_text = -_RECKON_EVERY_SECONDS, ""
        self._started = self._last = monotonic()
        self.totals = Totals()
        self._bar: Progress | None = None
        if output.stderr.is_terminal:
            self._bar = Progress(
                TextColumn("cases"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(), TextColumn("{task.fields[left]}"), TextColumn("{task.fields[line]}"),
                console=output.stderr, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("cases", total=total or None, rate="", left="", line="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def done(self, view: CaseView) -> None:
        """One case is finished."""
        self.totals.add(view)
        if self._bar is not None:
            line = f"{self.totals.line()}: {self.totals.outcomes()}"
            self._bar.update(self._task, advance=1, rate=self._rate(), left=self._time_left(), line=line)
        elif self._now() - self._last >= _LINE_EVERY_SECONDS:
            self._last = self._now()
            more = [self.totals.outcomes(), self._time_left()]
            self._output.say("; ".join([self._text(), *filter(None, more)]))

    def note(self, text: str) -> None:
        """A line besides the bar."""
        if text:
            self._output.say(text)

    def end(self) -> None:
        """The last line."""
        self._output.say(self._text())

    def _per_second(self) -> float:
        seconds = self._now() - self._started
        return self.totals.cases / seconds if seconds > 0 else 0.0

    def _rate(self) -> str:
        return f"{self._per_second():.1f}/s"

    def _time_left(self) -> str:
        if self._total and self._now() - self._reckoned >= _RECKON_EVERY_SECONDS:
            self._reckoned = self._now()
            left = self._total - self.totals.cases
            self._left_text = self._left(left, self._per_second()) if left > 0 else ""
        return self._left_text

    def _text(self) -> str:
        of = f" of {self._total}" if self._total else ""
        return f"{self.totals.cases}{of} cases, {self._rate()}: {self.totals.line()}"
