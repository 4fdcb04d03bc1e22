"""How long the program takes to begin: `python -m bench.startup [ROUNDS]`.

`habeas --help` beside a Python that imports only click and pluggy, in turn; and the erasure of one person at three
sandboxes that answer at once, from the start of the process to its end.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure, keep
from bench.vendors import Vendors

HABEAS = str(Path(sys.executable).with_name("habeas"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rounds", nargs="?", type=int, default=15)
    rounds = parser.parse_args().rounds
    pairs = [
        (took([HABEAS, "--help"]), took([sys.executable, "-c", "import click, pluggy"])) for _ in range(rounds + 1)
    ]
    ratio = statistics.median(ours / theirs for ours, theirs in pairs[1:])
    with tempfile.TemporaryDirectory() as name, Vendors(Path(name), rounds + 40) as vendors:
        head = [HABEAS, "--home", f"{name}/home", "--config", str(vendors.config)]
        took([*head, "init"])
        erasures = [[*head, "erase", f"customer_id={who}", "--yes"] for who in vendors.customers[7 : 8 + rounds]]
        whole = [took(erasure) for erasure in erasures][1:]
    return keep(
        "startup",
        Figure("habeas --help, times importing click and pluggy", ratio, 1.6, "at most",
               detail=f"{1000 * statistics.median(p[0] for p in pairs):.0f} ms"),
        Figure("erasing one person, start included", statistics.median(whole), 1.0, "at most", " s",
               f"{min(whole):.2f} to {max(whole):.2f} s in {rounds} rounds"),
    )  # fmt: skip


def took(command: Sequence[str]) -> float:
    """Seconds from start to end of a process."""
    # Installed, modules are compiled; and they stay so here.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HABEAS_", "PYTHONDONTWRITE"))}
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=environment)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
