"""One function for each parser of what comes from outside: any bytes are a value or an error of ours, nothing else.

The same functions are driven by hypothesis in the tests and, where it is installed, by atheris (see run.py). Each
returns whether the bytes were taken, so that a seed can be known to be a good one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path

from habeas.cases.batch import BatchFile, regime_checker
from habeas.cases.consents.file import ConsentFile
from habeas.cases.corrections import parse_correction
from habeas.cases.identifiers import parse_identifier
from habeas.cases.identity import CsvIdentity, resolve
from habeas.cases.moments import parse_day, parse_moment
from habeas.config import load_config, resolve_secret
from habeas.errors import BadAnswer, HabeasError
from habeas.evidence.offline import verify_file
from habeas.http.decode import decode_json
from habeas.http.paths import fill, unsafe_reason
from habeas.http.retry import asked_to_wait
from habeas.models import Identifier, Subject
from habeas_policies import PolicyProblem, load

__all__ = ["SEEDS", "TARGETS"]

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
KINDS = ("voucherify", "talonone")


def _file(name: str, data: bytes) -> Path:
    """The bytes as a file, in this process's own folder, in memory where that is possible."""
    root = Path("/dev/shm")  # noqa: S108 - a private folder in it
    folder = Path(tempfile.gettempdir() if not os.access(root, os.W_OK) else root) / f"habeas-fuzz-{os.getpid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    return path


def _one(given: Sequence[Identifier]) -> Subject:
    return Subject(tuple(given))


def answer(data: bytes) -> bool:
    try:
        decode_json(data)
    except BadAnswer:
        return False
    return True


def config(data: bytes) -> bool:
    try:
        load_config(_file("habeas.toml", data))
    except HabeasError:
        return False
    return True


def policy(data: bytes) -> bool:
    try:
        load(str(_file("policy.toml", data)))
    except PolicyProblem:
        return False
    return True


def batch(data: bytes) -> bool:
    check = regime_checker("Europe/Berlin", NOW)
    file = BatchFile(_file("batch.csv", data), KINDS, _one, check, "Europe/Berlin", NOW)
    try:
        checked = file.check()
        assert len(list(file.rows())) == checked.rows
        assert len(list(file.bad_rows())) == checked.bad
    except HabeasError:
        return False
    return checked.rows > 0


def consents(data: bytes) -> bool:
    path = _file("consents.csv", data)
    file = ConsentFile(
        path, connections=KINDS, purposes=("news",), resolve=_one, now=NOW, key=bytes(32), said=(),
    )  # fmt: skip
    try:
        file.check()
        said = sum(1 for _ in file.statements())
        list(file.bad_rows())
    except HabeasError:
        return False
    return said > 0


def identity(data: bytes) -> bool:
    path, kinds = _file("customers.csv", data), frozenset(("email", "phone", "customer_id", *KINDS))
    wanted = Identifier("customer_id", "C-1")
    try:
        table = CsvIdentity(path, kinds)
        slow = resolve([wanted], table)
        table.build_index()
        assert resolve([wanted], table) == slow
    except HabeasError:
        return False
    return len(slow.identifiers) > 1


def proof(data: bytes) -> bool:
    try:
        return verify_file(_file("proof", data), ()).ok
    except HabeasError:
        return False


def waiting(data: bytes) -> bool:
    """``Retry-After``, ``Date`` and a vendor's own header, one a line."""
    lines = data.decode("latin-1").split("\n", 2)
    headers = dict(zip(("retry-after", "date", "x-reset"), lines, strict=False))
    seconds = asked_to_wait(headers, NOW, "X-Reset")
    assert seconds is None or seconds >= 0
    return seconds is not None


def words(data: bytes) -> bool:
    """What stands on a command line: identifiers, corrections, times, secrets' references."""
    text = data.decode("utf-8", "replace")
    taken = False
    for parse in _WORDS:
        try:
            parse(text)
            taken = True
        except HabeasError:
            continue
    return taken


def path(data: bytes) -> bool:
    """An id is one segment or refused, and what is written decodes to it."""
    from urllib.parse import unquote

    text = data.decode("utf-8", "replace")
    if unsafe_reason(text):
        return False
    filled = fill("/v1/customers/{customerId}", {"customerId": text})
    assert filled.isascii()
    assert filled.count("/") == 3
    assert unquote(filled.rpartition("/")[2]) == text
    return True


def _secret(text: str) -> object:
    # Not those that name a file: this machine's files are not to be read at random.
    return resolve_secret("env:" + text, "here", folder=Path("/nonexistent"), environ={"A": "secret"})


_WORDS: tuple[Callable[[str], object], ...] = (
    lambda text: parse_identifier(text, KINDS),
    lambda text: parse_correction(text, date(2026, 11, 21)),
    lambda text: parse_moment(text, "received_at", "Europe/Berlin", NOW),
    lambda text: parse_day(text, "the day"),
    _secret,
)

TARGETS: dict[str, Callable[[bytes], bool]] = {
    "answer": answer, "config": config, "policy": policy, "batch": batch, "consents": consents, "identity": identity,
    "proof": proof, "waiting": waiting, "words": words, "path": path,
}  # fmt: skip

_CONFIG = """\
[controller]
name = "Shop"
[connections.one]
plugin = "one"
base_url = "https://vendor.example/v1"
key = "env:KEY"
[consent.purposes.news]
one = { consent = "c" }
"""
_POLICY = files("habeas_policies").joinpath("bundled", "gdpr-erasure.toml").read_text("utf-8")
_ROWS = (
    'erasure,"ada@example.org",C-1,2026-11-02,gdpr,"a ""b"""',
    "access,,C-2,2026-11-02T10:00:00Z,,",
)
SEEDS: dict[str, tuple[bytes, ...]] = {
    "answer": (b'{"id": "c\\u00e9", "n": [1, -2.5e3, null, true], "o": {"p": []}}',),
    "config": (_CONFIG.encode(),),
    "policy": (_POLICY.replace("gdpr-erasure", "fuzzed").encode(),),
    "batch": ("\n".join(("type,email,customer_id,received_at,regime,reference", *_ROWS, "")).encode(),),
    "consents": (b"email,customer_id,purpose,state,at\nada@example.org,C-1,news,granted,2026-11-02T10:00:00Z\n",),
    "identity": (b"\xef\xbb\xbfemail,customer_id,voucherify\r\nada@example.org,C-1,cust_1\r\n,C-2,\r\n",),
    "proof": (
        b'{"format": "habeas-certificate/1", "statement": {}}',
        b"habeas.example/log\n7\nAAAA\n\n\xe2\x80\x94 x AAAA\n",
    ),
    "waiting": (b"120\nSat, 21 Nov 2026 09:00:00 GMT\n1795251600", b"Sat, 21 Nov 2026 09:05:00 GMT\n\n"),
    "words": (b"email=ada@example.org", b"birthdate=1990-02-28", b"2026-11-02T09:30:00+01:00", b"A"),
    "path": ("größe/1 ?#%".encode(), b"C-100000"),
}  # fmt: skip
"""Bytes to begin with."""
