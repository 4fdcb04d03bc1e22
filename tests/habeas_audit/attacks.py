"""A ledger as a home keeps one, and what somebody who owns the machine can do to its file."""

# ruff: noqa: S608 - the SQL put together here is the attack under test
from __future__ import annotations

import json
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from habeas_audit import (
    CREATED,
    Checkpoint,
    Draft,
    Evidence,
    Head,
    Ledger,
    Notary,
    SignedCheckpoint,
    SigningKey,
    Witness,
    checkpoints_in,
    parse_checkpoint,
    read_checkpoint,
    sign_checkpoint,
    tree,
    verify_evidence,
)
from habeas_audit.schema import MANY

LOG = "10" * 8
ORIGIN = f"habeas.audit/{LOG}"
Body = dict[str, Any]


def signer(seed: int, name: str = ORIGIN) -> SigningKey:
    """A key that is the same in each run."""
    return SigningKey(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


KEY = signer(1)
THIEF = signer(2)


def ticking() -> Callable[[], datetime]:
    """A clock that goes on by itself."""
    ticks, start = count(), datetime(2025, 1, 31, 12, tzinfo=UTC)
    return lambda: start + timedelta(milliseconds=next(ticks))


@dataclass(frozen=True)
class Scene:
    """Where everything of one ledger is."""

    folder: Path
    kept: SignedCheckpoint
    """A checkpoint that somebody outside keeps."""

    @property
    def path(self) -> Path:
        return self.folder / "audit.db"

    @property
    def mirror(self) -> Path:
        return self.folder / "checkpoints"

    def older(self, batches: int) -> Path:
        """A copy of the file as it was after so many sealings."""
        return self.folder / f"after-{batches}.db"

    def look(self, path: Path, *, key: bool = True, mirror: bool = True, kept: bool = False) -> Evidence:
        """What verifying a copy shows with what somebody has: the home's mirror, or only what is kept outside."""
        witnesses = [Witness(each.name, read_checkpoint(each)) for each in checkpoints_in(self.mirror) if mirror]
        witnesses += [Witness("kept", self.kept)] if kept else []
        return verify_evidence(path, witnesses=witnesses, trusted=[KEY.verifier] if key else [])


def seal(ledger: Ledger, notary: Notary, key: SigningKey = KEY) -> SignedCheckpoint:
    """Ends a run as a home does: an entry that names the checkpoint before, then the next one."""
    with ledger.proofs() as proofs:
        last = proofs.newest_checkpoint()
        token = proofs.timestamp(last.head.size) if last is not None else None
    data: Body = {"key": key.verifier.key_id.hex()}
    if last is not None:
        data["previous"] = {"size": last.head.size, "note": last.digest}
        if token is not None:
            data["previous"]["timestamp"] = f"sha256:{sha256(token).hexdigest()}"
    ledger.append(Draft("checkpoint", data=data))
    signed = notary.sign([key])
    assert signed is not None
    return signed


def build(folder: Path, batches: int = 6, size: int = 50, unsigned: int = 4) -> Scene:
    """A ledger with so many sealed batches of entries, a mirror, older copies, and some entries after the last seal."""
    path = folder / "audit.db"
    sealed = []
    with Ledger.create(path, ticking(), random_bytes=lambda n: b"\x10" * n) as ledger:
        notary = Notary(ledger, [folder / "checkpoints"])
        with ledger.proofs() as proofs:
            data = {"key": KEY.verifier.text, "log_created_at": proofs.created_at()}
        ledger.append(Draft(CREATED, data=data))
        for batch in range(batches):
            ledger.append(*drafts(batch * size, size))
            sealed.append(seal(ledger, notary))
            if batch < batches - 1:
                token = b"0\x82" + sha256(sealed[-1].raw.encode()).digest() + bytes(40)
                ledger.add_timestamp(sealed[-1].head.size, token)
            (folder / f"after-{batch + 1}.db").write_bytes(path.read_bytes())
        ledger.append(*drafts(batches * size, unsigned))
    return Scene(folder, sealed[batches // 2 - 1])


def drafts(first: int, size: int) -> list[Draft]:
    """Entries of several types, as runs write them."""
    types = ("run.started", "call.intent", "call.outcome", "record.outcome", "run.ended")
    return [
        Draft(types[n % 5], f"c-{n % 7}", f"r-{n // 20}", "shop" if n % 5 in (1, 2) else "", "ops", {"n": n})
        for n in range(first, first + size)
    ]


@dataclass(frozen=True)
class Insider:
    """Somebody with the file open, its guards taken off."""

    db: sqlite3.Connection
    origin: str = ORIGIN

    def sql(self, *statements: str) -> None:
        for statement in statements:
            self.db.execute(statement)

    def bodies(self) -> list[Body]:
        return [json.loads(body) for (body,) in self.db.execute("SELECT body FROM entries ORDER BY seq")]

    def checkpoint(self, number: int) -> tuple[int, str]:
        """Size and note of one of them; -1 is the newest."""
        size, note = self.db.execute("SELECT size, note FROM checkpoints ORDER BY size").fetchall()[number]
        return size, note

    def put_note(self, size: int, note: str) -> None:
        self.db.execute("UPDATE checkpoints SET note = ? WHERE size = ?", (note, size))

    def write(self, bodies: Sequence[Body], *, renumber: bool = True) -> tree.Frontier:
        """Puts these entries in the place of all, with everything that follows from them mended."""
        frontier, entries, nodes = tree.Frontier(), [], []
        for place, fields in enumerate(bodies, 1):
            if renumber:
                fields["seq"] = place
            body = rfc8785.dumps(fields)
            nodes += frontier.append(tree.leaf_hash(body))
            entries.append((fields["seq"], body, tree.leaf_hash(body)))
        self.sql("DELETE FROM entries", "DELETE FROM nodes")
        self.db.executemany("INSERT INTO entries(seq, body, leaf_hash) VALUES (?, ?, ?)", entries)
        stored = [node for node in nodes if node.level % tree.STORED_LEVELS == 0]
        self.db.executemany("INSERT INTO nodes VALUES (?, ?, ?)", stored)
        self.db.execute("UPDATE head SET size = ?, root = ?", (frontier.size, frontier.root()))
        self.lead_anew()
        return frontier

    def lead_anew(self) -> None:
        """Makes what leads to the entries by case and type fit the entries as they are."""
        self.sql(
            "DELETE FROM cases",
            "DELETE FROM case_entries",
            "DELETE FROM kinds",
            "INSERT INTO cases SELECT case_id, min(seq) FROM entries WHERE case_id <> '' GROUP BY case_id",
            "INSERT INTO case_entries SELECT first, seq FROM entries JOIN cases USING (case_id)",
        )
        rows = self.db.execute("SELECT type, seq FROM entries").fetchall()
        self.db.executemany("INSERT INTO kinds VALUES (?, ?)", [row for row in rows if row[0] not in MANY])

    def write_signed(self, bodies: Sequence[Body], key: SigningKey) -> None:
        """The same, with every checkpoint made anew and every name of one put right: a whole new history."""
        frontier, notes, stamped = tree.Frontier(), [], [0]
        last: SignedCheckpoint | None = None
        for place, fields in enumerate(bodies, 1):
            fields["seq"] = place
            if fields["type"] == CREATED:
                fields["data"] = fields["data"] | {"key": key.verifier.text}
            if fields["type"] == "checkpoint":
                before = fields["data"].get("previous", {})
                fields["data"] = {"key": key.verifier.key_id.hex()}
                if last is not None and before.get("note") == last.digest:
                    fields["data"]["previous"] = before
                    stamped.append(last.head.size)
                elif last is not None:
                    fields["data"]["previous"] = {"size": last.head.size, "note": last.digest}
            frontier.append(tree.leaf_hash(rfc8785.dumps(fields)))
            if fields["type"] == "checkpoint":
                last = sign_checkpoint(Checkpoint(self.origin, Head(place, frontier.root())), [key])
                notes.append((place, last.raw))
        self.write(bodies)
        self.sql("DELETE FROM checkpoints", f"DELETE FROM timestamps WHERE size > {stamped[-1]}")
        self.db.executemany("INSERT INTO checkpoints VALUES (?, ?)", notes)


@contextmanager
def insider(path: Path, *, guards_back: bool = True) -> Iterator[Insider]:
    """Opens a file as its owner can: without triggers, which are put back so that nothing shows."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN IMMEDIATE")
        guards = db.execute("SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _, _ in guards:
            db.execute(f"DROP TRIGGER {name}")
        (log,) = db.execute("SELECT log_id FROM log").fetchone()
        yield Insider(db, f"habeas.audit/{log}")
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        for _, table, sql in guards:
            if guards_back and table in tables:
                db.execute(sql)
        db.execute("COMMIT")


def other_root(_: str, size: int) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, Head(size, bytes(32))), [THIEF]).raw


def other_key(text: str, _: int) -> str:
    return sign_checkpoint(parse_checkpoint(text).checkpoint, [THIEF]).raw


def other_log(text: str, size: int) -> str:
    key = signer(1, "habeas.audit/" + "ab" * 8)
    return sign_checkpoint(Checkpoint(key.verifier.name, parse_checkpoint(text).head), [key]).raw


def other_size(text: str, size: int) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, Head(size - 1, parse_checkpoint(text).head.root)), [KEY]).raw


def broken_signature(text: str, _: int) -> str:
    signature = parse_checkpoint(text).note.signatures[0]
    value = signature.key_id + bytes([signature.value[0] ^ 1]) + signature.value[1:]
    return parse_checkpoint(text).note.text + f"\n\N{EM DASH} {ORIGIN} {b64encode(value).decode()}\n"


def content(path: Path) -> object:
    """All that a reader can see of the ledger's own tables; None where they cannot be read."""
    tables = {
        "entries": "seq", "cases": "case_id", "case_entries": "first, seq", "kinds": "type, seq",
        "nodes": "level, idx", "head": "size", "log": "log_id", "checkpoints": "size", "timestamps": "size",
    }  # fmt: skip
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            db.text_factory = bytes
            schema = {
                row
                for row in db.execute("SELECT type, name, sql FROM sqlite_schema")
                if b"_sqlite_" not in row[1].lower()
            }
            pragmas = [db.execute(f"PRAGMA {name}").fetchall() for name in ("application_id", "user_version")]
            rows = [db.execute(f"SELECT * FROM {table} ORDER BY {key}").fetchall() for table, key in tables.items()]
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    return schema, pragmas, rows
