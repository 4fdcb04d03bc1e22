"""Erasing many people, beside a bare thread pool that makes the same calls: `python -m bench.erasures [PEOPLE]`.

First the real program works through a batch while the requests it sends are noted; then bare `requests` sessions, as
many a vendor as habeas may use at once, make the same calls to vendors that were put back to the beginning, signed by
the same credentials, with neither ledger nor policy nor vault, and believe every answer. Once with vendors that take
20 ms to answer (throughput counts), once with vendors that answer at once (processor time counts).
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Figure, keep
from bench.vendors import Vendors

CONCURRENCY = 4
"""Calls at a time to each vendor: what the plugins' own limits say."""


@dataclass(frozen=True)
class Cost:
    """What working through a batch took."""

    people: int
    calls: int
    seconds: float
    cpu: float
    """Seconds of processor, user and system, of the client alone."""
    memory: float
    """MB at most."""

    @property
    def rate(self) -> float:
        return self.people / self.seconds

    @property
    def per_call(self) -> float:
        return self.cpu / self.calls


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("people", nargs="?", type=int, default=1000)
    parser.add_argument("--one", choices=["habeas", "bare"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        cost = habeas(chosen.folder) if chosen.one == "habeas" else bare(chosen.folder)
        print(json.dumps(cost))
        return 0
    slow_ours, slow_bare = measure(chosen.people, 0.02)
    quick_ours, quick_bare = measure(max(50, chosen.people // 4), 0.0)
    detail = "{0.people} people, {0.calls} calls: {0.rate:.1f} people/s, {0.memory:.0f} MB; bare {1.rate:.1f} people/s"
    cpu = "{0.per_call:.5f} s a call; bare {1.per_call:.5f} s"
    return keep(
        "erasures",
        Figure("throughput at 20 ms, of a bare thread pool's", slow_ours.rate / slow_bare.rate, 0.90, "at least",
               detail=detail.format(slow_ours, slow_bare)),
        Figure("processor time a call at 0 ms, times a bare thread pool's", quick_ours.per_call / quick_bare.per_call,
               2.0, "at most", detail=cpu.format(quick_ours, quick_bare)),
        Figure("processor time a vendor call, all in", quick_ours.per_call * 1000, 3.0, "at most", " ms"),
        Figure("memory of the whole process", max(slow_ours.memory, quick_ours.memory), 150, "at most", " MB"),
    )  # fmt: skip


def measure(people: int, latency: float) -> tuple[Cost, Cost]:
    """Ours, then the bare pool's, each in a process of its own with vendors of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        costs = []
        for who in ("habeas", "bare"):
            with Vendors(folder / who, people + people // 3 + 20, latency=latency, concurrency=CONCURRENCY) as vendors:
                (folder / who / "people.json").write_text(json.dumps(vendors.customers[:people]))
                if who == "bare":
                    os.rename(folder / "habeas" / "calls.json", folder / "bare" / "calls.json")  # noqa: PTH104
                done = subprocess.run(
                    [sys.executable, "-m", "bench.erasures", "--one", who, "--folder", str(folder / who)],
                    stdout=subprocess.PIPE, text=True, check=True,
                )  # fmt: skip
                costs.append(Cost(**json.loads(done.stdout.splitlines()[-1])))
        return costs[0], costs[1]


def habeas(folder: Path) -> dict[str, Any]:
    """A batch through the command line's own entry, and the calls it made, noted beside."""
    from habeas.cli import cli
    from habeas.cli.border import run_guarded
    from habeas.clock import SystemClock
    from habeas.home import Home
    from habeas.http.transport import Transport
    from habeas.opening import create_home

    people = json.loads((folder / "people.json").read_text())
    home = Home(folder / "home")
    create_home(home, SystemClock())
    batch = folder / "batch.csv"
    batch.write_text("type,customer_id\n" + "".join(f'erasure,"{who}"\n' for who in people))
    noted: list[tuple[int, str, str, dict[str, str], str]] = []
    deliver = Transport.deliver

    def noting(self: Transport, prepared: Any, **more: Any) -> Any:
        http = prepared.http
        body = (http.body or b"").decode()
        noted.append((threading.get_ident(), http.method, http.url, dict(http.headers), body))
        return deliver(self, prepared, **more)

    Transport.deliver = noting  # type: ignore[method-assign] # costs an append a call, which is counted as ours
    began, used = time.perf_counter(), _cpu()
    with Path(os.devnull).open("w") as sink:
        out, sys.stdout = sys.stdout, sink
        try:
            config = str(folder / "habeas.toml")
            head = ["--home", str(home.path), "--config", config, "--json"]
            code = run_guarded(cli, [*head, "batch", str(batch), "--yes"])
        finally:
            sys.stdout = out
    cost = _cost(len(people), len(noted), began, used)
    if code not in (0, 3):
        raise SystemExit(f"the batch ended with {code}")
    (folder / "calls.json").write_text(json.dumps(noted))
    return cost


def bare(folder: Path) -> dict[str, Any]:
    """The same calls by as many `requests` sessions a vendor, each call after the one before it in its own session."""
    import requests

    hosts_then, hosts_now = _hosts(folder.parent / "habeas" / "habeas.toml"), _hosts(folder / "habeas.toml")
    moved = dict(zip(hosts_then, hosts_now, strict=True))
    lanes: dict[int, list[Any]] = defaultdict(list)
    for thread, method, url, headers, body in json.loads((folder / "calls.json").read_text()):
        lanes[thread].append((method, url, headers, body))
    errors: queue.Queue[BaseException] = queue.Queue()

    def work(calls: list[Any]) -> None:
        try:
            session = requests.Session()
            session.trust_env = False
            for method, url, headers, body in calls:
                scheme, _, host, path = url.split("/", 3)
                target = f"{scheme}//{moved[host]}/{path}"
                session.request(method, target, headers=headers, data=body or None, timeout=20).content  # noqa: B018
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            errors.put(error)

    threads = [threading.Thread(target=work, args=(calls,)) for calls in lanes.values()]
    began, used = time.perf_counter(), _cpu()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cost = _cost(len(json.loads((folder / "people.json").read_text())), sum(map(len, lanes.values())), began, used)
    if not errors.empty():
        raise errors.get()
    return cost


def _hosts(config: Path) -> list[str]:
    """The vendors' addresses, in the order of the configuration."""
    lines = config.read_text().splitlines()
    return [line.split('"')[1].split("/")[2] for line in lines if line.startswith("base_url")]


def _cost(people: int, calls: int, began: float, used: float) -> dict[str, Any]:
    seconds, cpu = time.perf_counter() - began, _cpu() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"people": people, "calls": calls, "seconds": seconds, "cpu": cpu, "memory": memory}


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    sys.exit(main())
