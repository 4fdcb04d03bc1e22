"""What a case leaves in the ledger, and whether cases get dearer: `python -m bench.growth [CASES] [PEOPLE]`.

A batch of erasures is worked through in a new home, and one in a home whose ledger holds 100,000 erasures: those are
written through the ledger itself, entry by entry as erasures write them. Processor time of the program and of its
children counts; the sandboxes are in a process of their own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.figures import Figure, keep
from bench.vendors import Vendors

from habeas.clock import SystemClock
from habeas.home import Home
from habeas_audit import Draft, Entry, Ledger

HABEAS = str(Path(sys.executable).with_name("habeas"))
GROUP = 50
"""Cases written together: their numbers are known before they are written."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="?", type=int, default=100_000)
    parser.add_argument("people", nargs="?", type=int, default=150)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        with Vendors(folder, 3 * chosen.people + chosen.people // 2 + 30) as vendors:
            home = Home(folder / "home")
            run(home, vendors.config, "init")
            first, second, third = (vendors.customers[n * chosen.people : (n + 1) * chosen.people] for n in range(3))
            batch(home, vendors.config, folder, first)  # the first batch makes room that later ones use
            before = home.ledger.stat().st_size
            early = batch(home, vendors.config, folder, second)
            bytes_each = (home.ledger.stat().st_size - before) / chosen.people
            grow(home, chosen.cases)
            late = batch(home, vendors.config, folder, third)
            size = home.ledger.stat().st_size
    detail = f"{1000 * early / chosen.people:.0f} ms a case, later {1000 * late / chosen.people:.0f} ms"
    return keep(
        "growth",
        Figure("ledger bytes a case at three vendors", bytes_each, 12_000, "at most",
               detail=f"over {chosen.people} cases"),
        Figure(f"cost of a case after {chosen.cases:,} others, times that of the first", late / early, 1.1, "at most",
               detail=f"{detail}; a ledger of {size / 2**20:,.0f} MB"),
    )  # fmt: skip


def batch(home: Home, config: Path, folder: Path, people: list[str]) -> float:
    """Seconds of processor that erasing these people takes."""
    file = folder / f"{people[0].replace('/', '-')}.csv"
    file.write_text("type,customer_id\n" + "".join(f'erasure,"{who}"\n' for who in people))
    return run(home, config, "--json", "batch", str(file), "--yes")


def run(home: Home, config: Path, *arguments: str) -> float:
    """Seconds of processor that a command takes."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [HABEAS, "--home", str(home.path), "--config", str(config), *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HABEAS_")}
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, env=environment)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr.decode()[-400:])
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return now.ru_utime + now.ru_stime - spent.ru_utime - spent.ru_stime


def grow(home: Home, cases: int) -> None:
    """Writes that many more erasures, each like one that is there already, under names of their own."""
    with Ledger.open(home.ledger, SystemClock().now) as ledger:
        last = ledger.last(types=["case.closed"])
        assert last is not None
        model = list(ledger.entries(case_id=last.case_id))
        for start in range(0, cases, GROUP):
            names = [f"c-{start + n:018d}" for n in range(min(GROUP, cases - start))]
            size = ledger.head().size
            ledger.append(
                *(draft for n, name in enumerate(names) for draft in again(model, name, size + n * len(model)))
            )


def again(model: list[Entry], case_id: str, after: int) -> list[Draft]:
    """The model's entries for another case that begins after that entry; what names an entry names its own."""
    moved = {entry.seq: after + n + 1 for n, entry in enumerate(model)}
    drafts = []
    for entry in model:
        data = dict(entry.data)
        if "intent" in data:
            data["intent"] = moved[data["intent"]]
        drafts.append(Draft(entry.type, case_id, entry.run_id, entry.connection, entry.actor, data))
    return drafts


if __name__ == "__main__":
    sys.exit(main())
