"""Fuzzes one parser: ``python tests/fuzz/run.py NAME [SECONDS]``. With atheris where it is installed, else with noise.

atheris finds new paths by coverage; without it the seeds are changed at random, which finds less. It ends with a
traceback and the bytes at the first defect.
"""

from __future__ import annotations

import importlib
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def changed(seed: bytes, draw: random.Random) -> bytes:
    """The seed with some bytes replaced, removed, doubled, or put in."""
    data = bytearray(seed)
    for _ in range(draw.randrange(1, 8)):
        at = draw.randrange(len(data) + 1)
        match draw.randrange(4):
            case 0:
                data[at : at + 1] = bytes([draw.randrange(256)])
            case 1:
                del data[at : at + draw.randrange(1, 9)]
            case 2:
                data[at:at] = data[at : at + draw.randrange(1, 40)]
            case _:
                data[at:at] = draw.choice([b"\x00", b'"', b"\n", b"{", b"[", b",", b"\xff", b"\xed\xa0\x80", b"9" * 30])
    return bytes(data)


def noise(seeds: tuple[bytes, ...], number: int) -> Iterator[bytes]:
    """Endless bytes, the same for the same number."""
    draw = random.Random(number)
    while True:
        yield changed(draw.choice(seeds), draw)


def main(name: str, seconds: float) -> int:
    """How many inputs were tried."""
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        from tests.fuzz.targets import SEEDS, TARGETS

        until, tried = time.monotonic() + seconds, 0
        for data in noise(SEEDS[name], time.time_ns()):
            try:
                TARGETS[name](data)
            except BaseException:
                print(f"defect found with {data!r}", file=sys.stderr)  # noqa: T201
                raise
            tried += 1
            if time.monotonic() > until:
                break
        return tried
    with atheris.instrument_imports():
        from tests.fuzz.targets import TARGETS

    def once(data: bytes) -> None:
        TARGETS[name](data)

    atheris.Setup([sys.argv[0], f"-max_total_time={int(seconds)}"], once)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    print(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60.0), "inputs tried, no defect found")  # noqa: T201
