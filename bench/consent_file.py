"""A consent file of a million rows of which one in a hundred differs: `python -m bench.consent_file [ROWS]`.

A home in which everything is recorded and confirmed already; then the real program takes in the same file with one per
cent of the rows changed. Its time until the file is taken in, beside a process that parses the CSV and hashes each
row; and its memory, beside the same command on a file of one row.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, keep
from bench.vendors import Vendors

from habeas import propagation
from habeas.app import App
from habeas.cases.consents import Confirmed
from habeas.changes import ConsentState
from habeas.clock import SystemClock
from habeas.control import RunControl
from habeas.home import Home
from habeas.models import Result
from habeas.opening import create_home

HABEAS = str(Path(sys.executable).with_name("habeas"))
HEADER = ("email", "customer_id", "purpose", "state", "at")
EVERY = 100
PLAIN = """
import csv, hashlib, sys
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    for row in csv.reader(file):
        hashlib.sha256("\\x1f".join(row).encode()).digest()
"""
CONNECTION = "talonone"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="Where to write. [default: here, since /tmp may be in memory]")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder or Path.cwd()) as name:
        folder = Path(name)
        with Vendors(folder / "shop", 20) as vendors:
            return measure(folder, vendors.config, chosen.rows)


def measure(folder: Path, config: Path, rows: int) -> int:
    only(config, CONNECTION)
    home = Home(folder / "home")
    create_home(home, SystemClock())
    before, after, one = (folder / f"{name}.csv" for name in ("before", "after", "one"))
    write(before, rows)
    write(after, rows, changed=True)
    write(one, 1)
    prepare(home, config, before)
    command = [HABEAS, "--home", str(home.path), "--config", str(config), "--json", "consent", "propagate", "--yes"]
    plain = statistics.median(took([sys.executable, "-c", PLAIN, str(after)])[0] for _ in range(3))
    start, _, idle = took([*command, str(one)])
    taken, whole, memory = took([*command, str(after)])
    return keep(
        "consent_file",
        Figure("taking in a consent file where 1 % differs, times parsing and hashing it", (taken - start) / plain, 3,
               "at most", detail=f"{rows:,} rows in {taken - start:.1f} s; with all calls and cases {whole:.0f} s"),
        Figure("its memory over the idle process", memory - idle, 80, "at most", " MB", f"{idle:.0f} MB idle"),
    )  # fmt: skip


def only(config: Path, connection: str) -> None:
    """One vendor and no identity table: what is measured is the file."""
    parts = ("\n" + config.read_text()).split("\n[")
    kept = [p for p in parts if not p.startswith(("identity", "consent."))]
    kept = [p for p in kept if not p.startswith("connections.") or p.startswith(f"connections.{connection}")]
    purpose = f'consent.purposes.marketing_email]\n{connection} = {{ attribute = "ConsentMarketingEmail" }}\n'
    config.write_text("\n[".join([*kept, purpose]).lstrip())


def write(path: Path, rows: int, *, changed: bool = False) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *()])
        csv.writer(file).writerows(lines(rows, changed=changed))


def lines(rows: int, *, changed: bool) -> Iterator[tuple[str, ...]]:
    for n in range(rows):
        granted, day = n % 3 != 0, 1 + n % 28
        if changed and n % EVERY == 0:
            granted, day = not granted, day + 28
        at = f"2026-{1 + day // 29:02d}-{1 + (day - 1) % 28:02d}T10:{n % 60:02d}:{n % 59:02d}Z"
        state = "granted" if granted else "withdrawn"
        yield f"person{n:07d}@shop-customer.example", f"C-{1_000_000 + n}", "marketing_email", state, at


def prepare(home: Home, config: Path, path: Path) -> None:
    """Records the whole file, and what a vendor would have said of it."""
    with App.open(home, config) as app:
        file = propagation.open_file(app, path)
        checked = file.check()
        with app.run("bench", lambda _: None, RunControl(app.tools.clock)) as run:
            propagation.take_in(app, run, file, checked)
        assert app.tools.consents is not None
        due, now = app.tools.consents.due, app.tools.clock.now()
        due.remap(propagation.mappings(app))
        for state in ConsentState:
            while persons := due.people(state, 0, 5000):
                rows = [d for part in due.of(persons).values() for d in part]
                due.confirm([Confirmed(d.key, d.state, Result.UPDATED, now) for d in rows])


def took(command: list[str]) -> tuple[float, float, float]:
    """Seconds until the program says that the file is taken in (or ends), seconds until its end, and MB at most."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HABEAS_")}
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as child:  # fmt: skip
        assert child.stderr is not None
        taken = 0.0
        told = ""
        for line in child.stderr:
            told += line
            if " rows: " in line:
                taken = time.perf_counter() - began
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    whole = time.perf_counter() - began
    if child.returncode not in (0, 3):
        raise SystemExit(f"{json.dumps(command[-1])} ended with {child.returncode}: {told}")
    return taken or whole, whole, usage.ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
