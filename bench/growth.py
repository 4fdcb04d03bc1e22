"""What a case leaves in the ledger, and whether cases get dearer: `python -m bench.growth [CASES] [PEOPLE]`.

Batches of erasures are worked through in turn in a home that has some hundred erasures behind it, and in a copy of it
that has 100,000 more: those are written through the ledger itself, entry by entry as erasures write them, and through
the list of erased people. Processor time of the program and of its
children counts; the sandboxes are in a process of their own.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.figures import Figure, keep
from bench.vendors import Vendors

from habeas.cases.keys import KeyStore
from habeas.cases.suppression import SuppressionList
from habeas.clock import SystemClock
from habeas.home import Home
from habeas.models import Identifier, Subject
from habeas_audit import Draft, Entry, Ledger

HABEAS = str(Path(sys.executable).with_name("habeas"))
MEASURED = 4
"""Batches over which the ledger's bytes are measured: it grows by whole pages."""
GROUP = 50
"""Cases written together: their numbers are known before they are written."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="?", type=int, default=100_000)
    parser.add_argument("people", nargs="?", type=int, default=60, help="in each batch")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        parts = 2 * chosen.rounds + 1 + MEASURED
        with Vendors(folder, parts * chosen.people * 4 // 3 + 40) as vendors:
            people = iter([vendors.customers[n * chosen.people : (n + 1) * chosen.people] for n in range(parts)])
            young, old = Home(folder / "young"), Home(folder / "old")
            run(young, vendors.config, "init")
            batch(young, vendors.config, folder, next(people))  # the first makes room that later ones use
            before = young.ledger.stat().st_size
            for _ in range(MEASURED):
                batch(young, vendors.config, folder, next(people))
            cases = MEASURED * chosen.people
            bytes_each = (young.ledger.stat().st_size - before) / cases
            met = keep(
                "ledger_bytes",
                Figure("ledger bytes a case at three vendors", bytes_each, 12_000, "at most",
                       detail=f"{bytes_each:,.0f} over {cases} cases"),
            )  # fmt: skip
            shutil.copytree(young.path, old.path)
            grow(old, chosen.cases)
            erased(old, chosen.cases)
            costs = [
                [batch(home, vendors.config, folder, next(people)) / chosen.people for home in (young, old)]
                for _ in range(chosen.rounds)
            ]
            size = old.ledger.stat().st_size
    ratios = [late / early for early, late in costs]
    early, late = (1000 * statistics.median(column) for column in zip(*costs, strict=True))
    spread = f"{min(ratios):.2f} to {max(ratios):.2f} in {chosen.rounds} rounds"
    return met | keep(
        "growth",
        Figure(f"cost of a case after {chosen.cases:,} others, times that of the first", statistics.median(ratios), 1.1,
               "at most", detail=f"{early:.0f} ms a case, later {late:.0f} ms; {spread}; {size / 2**20:,.0f} MB"),
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
            names = [name_of(start + n) for n in range(min(GROUP, cases - start))]
            size = ledger.head().size
            ledger.append(
                *(draft for n, name in enumerate(names) for draft in again(model, name, size + n * len(model)))
            )


def erased(home: Home, cases: int) -> None:
    """Puts somebody on the list of erased people for each of them."""
    clock = SystemClock()
    keys = KeyStore.open(home.keys)
    suppression = SuppressionList.open(home.suppression, keys)
    for n in range(cases):
        person = Subject((Identifier("customer_id", f"grown-{n}"), Identifier("email", f"grown-{n}@shop.example")))
        suppression.add(name_of(n), person, clock.now())
    suppression.close()
    keys.close()


def name_of(number: int) -> str:
    return f"c-{number:018d}"


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
