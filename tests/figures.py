"""Figures that a run of `make faults` writes down, one JSON file a name, for the tables of docs/reliability.md.

Without ``HABEAS_FIGURES`` nothing is written: an ordinary run of the tests leaves nothing behind.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["record"]


def record(name: str, figures: Mapping[str, Any]) -> None:
    """Adds ``figures`` to ``NAME.json`` in the folder that ``HABEAS_FIGURES`` names; the same key again replaces it.

    Test processes run side by side: a lock beside the file keeps what each of them adds.
    """
    folder = os.environ.get("HABEAS_FIGURES")
    if not folder:
        return
    path = Path(folder) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        merged = json.loads(path.read_text()) if path.exists() else {}
        merged.update(figures)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(merged, indent=1, sort_keys=True) + "\n")
        new.replace(path)
