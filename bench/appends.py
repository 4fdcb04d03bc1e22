"""Acknowledged appends to the ledger, in the shipped durable mode: `python -m bench.appends [ROUNDS]`.

Three pairs, each measured in turn within a round, and the median of the rounds' ratios taken: sixteen threads that
append at once, against one that commits entry by entry; single appends, and groups of a hundred, each against a raw
write and fdatasync of the same bytes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Figure, keep

from habeas_audit import Draft, Ledger

THREADS = 16
SINGLES, EACH, GROUPS, GROUP = 150, 60, 40, 100
CASE, RUN = "c-01M8P0000000000000", "r-01M8P000000000000"  # as long as habeas gives them
DATA: dict[str, object] = {
    "attempt": 1, "host": "api.vendor.example", "key": "0" * 32, "method": "DELETE",
    "path": "/v1/customers/{customerId}", "more": "x" * 250,
}  # fmt: skip


def draft() -> Draft:
    return Draft("call.intent", CASE, RUN, "vendor", "", DATA)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rounds", nargs="?", type=int, default=9)
    parser.add_argument("--folder", type=Path, help="Where to write. [default: here, since /tmp may be in memory]")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder or Path.cwd()) as name:
        rounds = [one_round(Path(name), number) for number in range(chosen.rounds)]
    together = [many / alone for alone, many, _, _, _ in rounds]
    single = [alone / raw for alone, _, raw, _, _ in rounds]
    grouped = [groups / raw for _, _, _, groups, raw in rounds]
    alone, many, _, groups, _ = (statistics.median(column) for column in zip(*rounds, strict=True))
    return keep(
        "appends",
        Figure("sixteen threads' acknowledged appends, times one commit an entry", statistics.median(together), 8,
               "at least", detail=f"{many:,.0f} a second beside {alone:,.0f}; {spread(together)}"),
        Figure("single appends, of raw write and fdatasync", statistics.median(single), 0.15, "at least",
               detail=spread(single)),
        Figure("groups of 100, of raw write and fdatasync", statistics.median(grouped), 0.12, "at least",
               detail=f"{groups:,.0f} entries a second; {spread(grouped)}"),
    )  # fmt: skip


def one_round(folder: Path, number: int) -> tuple[float, float, float, float, float]:
    """Entries a second: one by one, sixteen threads, raw; in groups, raw."""
    batch = [draft() for _ in range(GROUP)]
    with Ledger.create(folder / f"{number}.db", lambda: datetime.now(UTC)) as ledger:
        body = len(ledger.append(draft())[0].body)
        alone = timed(lambda: [ledger.append(draft()) for _ in range(SINGLES)], SINGLES)
        raw = timed(lambda: written(folder / "raw", [body] * SINGLES), SINGLES)
        many = timed(lambda: at_once(ledger), THREADS * EACH)
        groups = timed(lambda: [ledger.append(*batch) for _ in range(GROUPS)], GROUPS * GROUP)
        raw_groups = timed(lambda: written(folder / "raw", [body * GROUP] * GROUPS), GROUPS * GROUP)
    return alone, many, raw, groups, raw_groups


def timed(work: Callable[[], object], count: int) -> float:
    """How many a second."""
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def at_once(ledger: Ledger) -> None:
    """Each thread appends one entry after the other, and goes on when it is acknowledged."""
    gate = threading.Barrier(THREADS)

    def work() -> None:
        gate.wait()
        for _ in range(EACH):
            ledger.append(draft())

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def written(path: Path, sizes: Sequence[int]) -> None:
    """Each size written to the end of a file, and on disk before the next."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for size in sizes:
            os.write(descriptor, b"x" * size)
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def spread(ratios: Sequence[float]) -> str:
    return f"{min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds"


if __name__ == "__main__":
    sys.exit(main())
