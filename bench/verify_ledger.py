"""How long verifying a ledger takes, beside reading and hashing its bodies only: `python -m bench.verify_ledger [N]`.

Makes a ledger of N entries (1,000,000) as erasures write them, through `Ledger.append`, and then times both in turn,
each in a process of its own so that its peak memory is known. The machine's ratio counts, not its seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

from bench.figures import Figure, keep

from habeas_audit import Draft, Ledger, verify

GROUP = 20_000
CHUNK = 1024
HOLD = (
    "Needed to defend against chargebacks of recent payments; GDPR Art. 17(3)(e) and 6(1)(f); card-scheme time limit "
    "for chargebacks; Restricted meanwhile. When the hold ends, erase the record, under a policy without this rule "
    "(legal basis: https://w3id.org/dpv/legal/eu/gdpr#A6-1-f)"
)
VENDORS = {
    "cybersource-live": ("/tms/v2/customers/{customerId}/payment-instruments/{paymentInstrumentTokenId}", "customer"),
    "talonone-eu": ("/v1/loyalty_programs/{loyaltyProgramId}/profile/{integrationId}/transactions", "loyalty_card"),
    "voucherify-eu": ("/v2/loyalties/programs/{programId}/members/{memberId}", "loyalty_member"),
}


def drafts(chance: random.Random) -> Iterator[Draft]:
    """Erasures one after the other without end; what they write is 600 bytes an entry on average."""
    for number in count():
        case, run = f"c-01M8P{number:05X}{chance.getrandbits(32):08X}", f"r-01M8P{number // 50:010X}"
        yield Draft("case.opened", case, run, "", "ops (habeas)", _opened(chance))
        records = {name: [[f"{kind}-{n}", "erase", n] for n in range(9)] for name, (_, kind) in VENDORS.items()}
        yield Draft("plan.made", case, run, "", "", {"digest": _digest(chance), "item": "plan", "records": records})
        yield Draft("case.started", case, run)
        for name, (path, kind) in VENDORS.items():
            fields = [f"attributes.{kind}.{chance.choice('abcdefgh')}{n}.updatedAt" for n in range(16)]
            yield Draft("schema.seen", "", run, name, "", {"record": kind, "fields": fields})
            for _ in range(4):
                yield Draft("call.intent", case, run, name, "", _intent(chance, path, name))
                yield Draft("call.outcome", case, run, name, "", {"intent": 58 * number + 12, "result": "acknowledged",
                                                                  "status": 200})  # fmt: skip
            yield Draft("record.outcome", case, run, name, "", _outcomes(path, kind))
        yield Draft("case.closed", case, run, "", "", {"status": "completed"})


def _digest(chance: random.Random) -> str:
    return f"sha256:{chance.getrandbits(256):064x}"


def _opened(chance: random.Random) -> dict[str, object]:
    subject = [f"2026Q4:{chance.getrandbits(128):032x}" for _ in range(4)]
    return {"approved": True, "due_at": "2026-12-30T22:59:59Z", "due_rule": "gdpr/1", "policy": "gdpr-erasure",
            "policy_digest": _digest(chance), "received_at": "2026-11-30T10:46:47Z", "regime": "gdpr",
            "request": _digest(chance), "subject": subject, "type": "erasure"}  # fmt: skip


def _intent(chance: random.Random, path: str, name: str) -> dict[str, object]:
    return {"attempt": 1, "fingerprint": f"{chance.getrandbits(64):016x}", "host": f"api.{name}.example",
            "key": f"{chance.getrandbits(128):032x}", "method": "DELETE", "path": path}  # fmt: skip


def _outcomes(path: str, kind: str) -> dict[str, object]:
    evidence = f"GET {path} -> 404, GET {path}/search?query -> 200, total 0; read back twice, 20 seconds apart"
    said: list[dict[str, object]] = [
        {"evidence": evidence, "records": [[str(n), kind, n + 1]], "result": "erased"} for n in range(5)
    ]
    said.append({"reason": HOLD, "records": [["5", kind, 1]], "result": "retained", "until": "2027-03-30"})
    return {"outcomes": said, "plugin": "talonone"}


def build(path: Path, size: int) -> None:
    with Ledger.create(path, lambda: datetime.now(UTC)) as ledger:
        stream = islice(drafts(random.Random(1)), size)
        while group := tuple(islice(stream, GROUP)):
            ledger.append(*group)


def baseline(path: Path) -> None:
    """Read all that is stored of every entry and hash its body: what verifying cannot do without."""
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    after = 0
    while rows := db.execute(
        "SELECT seq, body, leaf_hash FROM entries WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, CHUNK),
    ).fetchall():
        for row in rows:
            hashlib.sha256(row[1]).digest()
        after = rows[-1][0]


def whole(path: Path) -> None:
    result = verify(path)
    if not result.ok:
        raise SystemExit(f"verify: {result.findings[0].text}")


JOBS: dict[str, Callable[[Path], None]] = {"baseline": baseline, "verify": whole}


def in_another_process(name: str, path: Path, size: int = 0) -> bytes:
    # Peak memory is handed down to a child, so this process itself does nothing that takes any.
    command = [sys.executable, "-m", "bench.verify_ledger", str(size), "--job", name, "--ledger", str(path)]
    return subprocess.check_output(command)


def job(name: str, path: Path) -> None:
    """Do one job, and print its seconds and the peak memory, in MB, of this process and its child together."""
    started = time.perf_counter()
    JOBS[name](path)
    seconds = time.perf_counter() - started
    peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps([seconds, peak / (2**20 if sys.platform == "darwin" else 2**10)]))


def report(path: Path, size: int, rounds: int) -> int:
    seconds: dict[str, list[float]] = {name: [] for name in JOBS}
    memory = dict.fromkeys(JOBS, 0.0)
    for _ in range(rounds):
        for name in JOBS:
            took, peak = json.loads(in_another_process(name, path))
            seconds[name].append(took)
            memory[name] = max(memory[name], peak)
        print("  ".join(f"{name} {seconds[name][-1]:.2f} s" for name in JOBS))
    for name in JOBS:
        middle = statistics.median(seconds[name])
        print(f"{name}: {middle:.2f} s, {size / middle:,.0f} entries/s, at most {memory[name]:.0f} MB")
    ratios = [whole / plain for plain, whole in zip(*seconds.values(), strict=True)]
    rate = size / statistics.median(seconds["verify"])
    return keep(
        "verify_ledger",
        Figure(f"verifying {size:,} entries, times reading and hashing them", statistics.median(ratios), 2.0, "at most",
               detail=f"{rate:,.0f} entries a second; {min(ratios):.2f} to {max(ratios):.2f} in {rounds} rounds"),
        Figure("memory of verifying", memory["verify"], 100, "at most", " MB"),
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("size", type=int, nargs="?", default=1_000_000, metavar="N", help="entries [1000000]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ledger", type=Path, help="keep the ledger there, or measure the one that is there")
    parser.add_argument("--job", choices=["build", *JOBS], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job == "build":
        build(options.ledger, options.size)
        return 0
    if options.job:
        job(options.job, options.ledger)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = (options.ledger or Path(folder, "audit.db")).absolute()
        if not path.exists():
            in_another_process("build", path, options.size)
        with closing(sqlite3.connect(path)) as db:
            size, average = db.execute("SELECT count(*), avg(length(body)) FROM entries").fetchone()
        print(f"{size:,} entries, {average:.0f} bytes on average, on {os.cpu_count()} cores")
        return report(path, size, options.rounds)


if __name__ == "__main__":
    sys.exit(main())
