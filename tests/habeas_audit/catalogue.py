"""The tamperings that are known, each with the kinds of finding that must come of it."""

# ruff: noqa: S608 - the SQL put together here is the attack under test
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.habeas_audit.attacks import (
    KEY,
    THIEF,
    Insider,
    broken_signature,
    other_key,
    other_log,
    other_root,
    other_size,
)

Attack = Callable[[Insider], None]


def sql(*statements: str) -> Attack:
    return lambda at: at.sql(*statements)


def bodies(change: Callable[[list[dict[str, Any]]], object], *, renumber: bool = True) -> Attack:
    """Changes the entries' bodies, and mends all that follows from them but the signatures."""

    def attack(at: Insider) -> None:
        values = at.bodies()
        change(values)
        at.write(values, renumber=renumber)

    return attack


def both(*attacks: Attack) -> Attack:
    def attack(at: Insider) -> None:
        for one in attacks:
            one(at)

    return attack


def signed_anew(change: Callable[[list[dict[str, Any]]], object], with_key: Any) -> Attack:
    """Changes the entries' bodies, and makes every signature and every name of one anew."""

    def attack(at: Insider) -> None:
        values = at.bodies()
        change(values)
        at.write_signed(values, with_key)

    return attack


def note(number: int, change: Callable[[str, int], str]) -> Attack:
    def attack(at: Insider) -> None:
        size, text = at.checkpoint(number)
        at.put_note(size, change(text, size))

    return attack


def lie(values: list[dict[str, Any]]) -> None:
    values[76]["data"] = {"n": 0}


def swap(values: list[dict[str, Any]]) -> None:
    values[60], values[170] = values[170], values[60]


def unseal(at: Insider) -> None:
    """Takes out every checkpoint, and the entries that name them."""
    at.write([value for value in at.bodies() if value["type"] != "checkpoint"])
    at.sql("DELETE FROM timestamps", "DELETE FROM checkpoints")


def cut(size: int, *more: str) -> Attack:
    """Takes off the newest entries, with nodes and head mended."""
    return both(bodies(lambda values: values.__delitem__(slice(size, None))), sql(*more))


# Without a schema's checks columns take what they never could; it is put back afterwards.
def unchecked(old: str, new: str, *statements: str) -> Attack:
    def attack(at: Insider) -> None:
        swapped = "UPDATE sqlite_schema SET sql = replace(sql, '{}', '{}') WHERE type IN ('table', 'index')"
        at.sql("COMMIT", "PRAGMA writable_schema = ON", swapped.format(old, new), "PRAGMA writable_schema = RESET")
        at.sql(*statements)
        at.sql("PRAGMA writable_schema = ON", swapped.format(new, old), "PRAGMA writable_schema = RESET", "BEGIN")

    return attack


AT_ONCE: dict[str, tuple[Attack, set[str]]] = {
    # what any reader of the file finds, without a key and without anything from outside
    "a body": (sql("UPDATE entries SET body = CAST(replace(body, ':75}', ':76}') AS BLOB) WHERE seq = 78"), {"leaf"}),
    "an empty body": (sql("UPDATE entries SET body = x'' WHERE seq = 9"), {"leaf", "canonical"}),
    "an entry to which its case does not lead": (sql("DELETE FROM case_entries WHERE seq = 40"), {"index"}),
    "an entry to which another case leads": (
        sql("UPDATE case_entries SET first = (SELECT max(first) FROM cases WHERE first < seq) WHERE seq = 41"),
        {"index"},
    ),
    "a case under another's name": (
        sql("UPDATE cases SET case_id = 'c-other' WHERE case_id = 'c-3'"), {"index"},
    ),
    "a case that has no entries": (sql("INSERT INTO cases VALUES ('c-none', 7)"), {"index"}),
    "an entry to which its type does not lead": (sql("DELETE FROM kinds WHERE type = 'key.created'"), {"index"}),
    "a type that leads to an entry of another": (sql("INSERT INTO kinds VALUES ('key.created', 40)"), {"index"}),
    "a leaf hash": (sql("UPDATE entries SET leaf_hash = zeroblob(32) WHERE seq = 40"), {"leaf"}),
    "a stored hash": (sql("UPDATE nodes SET hash = zeroblob(32) WHERE level = 4 AND idx = 2"), {"node"}),
    "a stored hash gone": (sql("DELETE FROM nodes WHERE level = 8"), {"node"}),
    "a stored hash too many": (sql("INSERT INTO nodes VALUES (12, 0, zeroblob(32))"), {"node"}),
    "the head's root": (sql("UPDATE head SET root = zeroblob(32)"), {"head"}),
    "the head's size": (sql("UPDATE head SET size = 300"), {"head"}),
    "the head gone": (sql("DELETE FROM head"), {"head"}),
    "a second head": (sql("INSERT INTO head SELECT * FROM head"), {"head"}),
    "the log's name": (sql("UPDATE log SET log_id = 'another'"), {"log", "origin"}),
    "the log's beginning": (sql("UPDATE log SET created_at = '2020-01-01T00:00:00.000000Z'"), {"log"}),
    "a second log": (sql("INSERT INTO log SELECT * FROM log"), {"log"}),
    "no log": (sql("DELETE FROM log"), {"log"}),
    "the first entry deleted": (sql("DELETE FROM entries WHERE seq = 1"), {"gap", "head", "rewritten"}),
    "one in the middle deleted": (sql("DELETE FROM entries WHERE seq = 100"), {"gap", "head", "rewritten"}),
    "the last one deleted": (sql("DELETE FROM entries WHERE seq = 311"), {"head"}),
    "all deleted": (sql("DELETE FROM entries"), {"head", "node", "cut"}),
    "two swapped": (
        sql(*(f"UPDATE entries SET seq = {a} WHERE seq = {b}" for a, b in ((999, 5), (5, 6), (6, 999)))),
        {"seq", "rewritten"},
    ),
    "deleted with all but the numbers mended": (
        bodies(lambda values: values.pop(99), renumber=False),
        {"gap", "rewritten"},
    ),
    "a body changed with all mended": (bodies(lie), {"rewritten"}),
    "a body of another form with all mended": (
        both(
            sql("UPDATE entries SET body = CAST(replace(body, ',', ', ') AS BLOB) WHERE seq = 311"),
        ),
        {"leaf", "canonical"},
    ),
    "a body with more in it with all mended": (
        bodies(lambda values: values[-1].update(extra=1)),
        {"shape"},
    ),
    "the first deleted with all mended": (bodies(lambda values: values.pop(0)), {"rewritten"}),
    "one in the middle deleted with all mended": (bodies(lambda values: values.pop(99)), {"rewritten"}),
    "the last sealed one deleted with all mended": (bodies(lambda values: values.pop(306)), {"rewritten"}),
    "one inserted with all mended": (
        bodies(lambda values: values.insert(100, dict(values[100]))),
        {"rewritten"},
    ),
    "two swapped with all mended": (bodies(swap), {"rewritten"}),
    "the newest cut off with all mended": (cut(290), {"cut"}),
    "all cut off with all mended": (cut(0), {"cut"}),
    "one checkpoint deleted": (
        sql("DELETE FROM timestamps WHERE size = 103", "DELETE FROM checkpoints WHERE size = 103"),
        {"removed"},
    ),
    "all checkpoints deleted": (sql("DELETE FROM timestamps", "DELETE FROM checkpoints"), {"removed"}),
    "all checkpoints deleted after a lie": (
        both(bodies(lie), sql("DELETE FROM timestamps", "DELETE FROM checkpoints")),
        {"removed"},
    ),
    "a checkpoint of another log": (note(2, other_log), {"origin", "removed"}),
    "a checkpoint by another key": (note(2, other_key), {"key", "removed"}),
    "a checkpoint over another root by another key": (note(2, other_root), {"key", "rewritten", "removed"}),
    "a checkpoint over another size": (note(2, other_size), {"checkpoint", "removed"}),
    "the newest checkpoint of another log": (note(-1, other_log), {"origin"}),
    "the newest checkpoint by another key": (note(-1, other_key), {"key"}),
    "the newest checkpoint over another root by another key": (note(-1, other_root), {"key", "rewritten"}),
    "a checkpoint whose signature is another": (note(-1, broken_signature), {"signature"}),
    "a checkpoint that is none": (note(-1, lambda text, _: text.replace("\n\n", "\n")), {"checkpoint"}),
    "a checkpoint in the place of another": (
        note(3, lambda text, _: text.replace("\n205\n", "\n204\n")),
        {"checkpoint", "removed"},
    ),
    "a checkpoint's number": (sql("UPDATE checkpoints SET size = 200 WHERE size = 205"), {"checkpoint"}),
    "a checkpoint that was added": (
        lambda at: at.sql(f"INSERT INTO checkpoints VALUES (77, '{other_root('', 77)}')"),
        {"key", "rewritten"},
    ),
    "a time stamp": (sql("UPDATE timestamps SET token = CAST(token || 'x' AS BLOB) WHERE size = 103"), {"timestamp"}),
    "a time stamp deleted": (sql("DELETE FROM timestamps WHERE size = 103"), {"timestamp"}),
    "a time stamp of another checkpoint": (
        sql("INSERT INTO timestamps SELECT 307, token FROM timestamps WHERE size = 103"),
        {"timestamp"},
    ),
    "a time stamp over nothing": (
        sql("INSERT INTO timestamps SELECT 77, token FROM timestamps WHERE size = 103"),
        {"timestamp"},
    ),
    "another application": (sql("PRAGMA application_id = 9"), {"foreign"}),
    "a newer program's": (sql("PRAGMA user_version = 9"), {"newer"}),
    "an older program's": (sql("PRAGMA user_version = 1"), {"schema"}),
    "no program's": (sql("PRAGMA user_version = 0"), {"schema"}),
    "an older program's, without what it did not have": (
        sql("PRAGMA user_version = 1", "DROP TABLE timestamps", "DROP TABLE checkpoints"),
        {"removed"},
    ),
    **{
        f"the table {name} gone": (sql(f"DROP TABLE {name}"), {"schema"})
        for name in ("entries", "cases", "case_entries", "kinds", "nodes", "head", "log", "checkpoints", "timestamps")
    },
    "a number below 1": (
        unchecked("CHECK (seq > 0)", "CHECK (seq > -9)", "UPDATE entries SET seq = -5 WHERE seq = 311"),
        {"order", "seq"},
    ),
    "a value that the file's own rules forbid": (
        unchecked(
            " NOT NULL CHECK (length(leaf_hash) = 32)", "/**/", "UPDATE entries SET leaf_hash = NULL WHERE seq = 9"
        ),
        {"integrity", "leaf"},
    ),
    "values of another type": (
        unchecked(") STRICT", ")/**/ ", "UPDATE log SET log_id = 7", "UPDATE checkpoints SET note = 7"),
        {"checkpoint"},
    ),
    "more than can be listed": (
        sql("UPDATE entries SET body = CAST('{ }' AS BLOB)"),
        {"leaf", "canonical", "log", "seq", "more"},
    ),
}  # fmt: skip


BESIDE: dict[str, tuple[Attack, set[str], set[str], set[str]]] = {
    # what shows: with a key given; with the mirror as well; with nothing but the key and a checkpoint that was kept
    "the newest checkpoint deleted": (sql("DELETE FROM checkpoints WHERE size = 307"), set(), {"removed"}, set()),
    "the newest cut off, and their checkpoints": (
        cut(290, "DELETE FROM checkpoints WHERE size = 307"), set(), {"cut"}, set(),
    ),
    "so much cut off that what is kept is above it": (
        cut(120, "DELETE FROM timestamps WHERE size > 120", "DELETE FROM checkpoints WHERE size > 120"),
        set(), {"cut"}, {"cut"},
    ),
    "nothing left signed": (unseal, {"unsigned"}, {"rewritten", "cut"}, {"rewritten"}),
    "nothing left": (
        cut(0, "DELETE FROM timestamps", "DELETE FROM checkpoints"), {"unsigned"}, {"cut"}, {"cut"},
    ),
    "all signed anew by somebody else": (signed_anew(lie, THIEF), {"key"}, {"key", "rewritten"}, {"key", "rewritten"}),
    "all signed anew with the stolen key": (signed_anew(lie, KEY), set(), {"rewritten"}, {"rewritten"}),
    "all signed anew with the stolen key, after the one that was kept": (
        signed_anew(lambda values: values.pop(200), KEY), set(), {"rewritten"}, set(),
    ),
    "an entry inserted by somebody with the stolen key": (
        signed_anew(lambda values: values.insert(9, dict(values[9])), KEY), set(), {"rewritten"}, {"rewritten"},
    ),
}  # fmt: skip
