"""What a benchmark found, against the limit that is stated for it; kept as JSON for docs/performance.md."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Figure", "keep"]


@dataclass(frozen=True)
class Figure:
    """One figure: mostly a ratio of two things measured in one run, so that the machine's speed does not matter."""

    what: str
    value: float
    limit: float
    sense: Literal["at most", "at least"]
    unit: str = ""
    detail: str = ""
    """The figures behind it, which do depend on the machine."""

    @property
    def met(self) -> bool:
        return self.value <= self.limit if self.sense == "at most" else self.value >= self.limit


def keep(name: str, *figures: Figure) -> int:
    """Prints the figures and, where ``HABEAS_BENCH`` names a folder, writes them there.

    Returns the exit code: 1 where a limit is missed.
    """
    for figure in figures:
        mark = "ok  " if figure.met else "MISS"
        limit = f"{figure.sense} {figure.limit:g}{figure.unit}"
        print(f"{mark} {figure.what}: {figure.value:.3g}{figure.unit} ({limit}) {figure.detail}")
    folder = os.environ.get("HABEAS_BENCH")
    if folder:
        path = Path(folder) / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(figure) | {"met": figure.met} for figure in figures], indent=1) + "\n")
    return 0 if all(figure.met for figure in figures) else 1
