"""The story `habeas demo` tells: each step a real command, each claim held against the sandboxes' own truth."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path

from habeas.cli import cli
from habeas.cli.border import run_guarded
from habeas.cli.output import Output
from habeas.demo.world import World
from habeas.home import private_folder, write_private
from habeas.models import Json
from habeas.registry import Registry
from habeas.testing.people import Person
from habeas_audit.tree import root

__all__ = ["tell"]


@dataclass
class Step:
    """One step and what it showed."""

    title: str
    command: str
    case: str = ""
    """The case that it was about, where it was an erasure."""
    checks: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return all(ok for _, ok in self.checks)


class Story:
    """The shop, the commands run in it, and what they showed."""

    def __init__(self, place: Path, world: World, output: Output) -> None:
        self.place, self.world, self.output = place, world, output
        self.steps: list[Step] = []

    def step(self, title: str, *arguments: str) -> tuple[Step, int, Json]:
        """Runs a command, shows it and its table, and returns its exit code and JSON."""
        step = Step(title, "habeas " + " ".join(arguments))
        self.steps.append(step)
        self.output.show("")
        self.output.show(f"{len(self.steps)}. {title}", "bold cyan")
        self.output.show(f"   $ {step.command}", "dim")
        code, text = self._run(*arguments, "--json")
        return step, code, json.loads(text or "null")

    def check(self, step: Step, what: str, ok: bool) -> None:
        """One claim of the story."""
        step.checks.append((what, ok))
        self.output.show(f"   {'ok  ' if ok else 'NOT '} {what}", "green" if ok else "bold red")

    def _run(self, *arguments: str) -> tuple[int, str]:
        head = ["--home", str(self.place / "home"), "--config", str(self.place / "habeas.toml")]
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = run_guarded(cli, [*head, *arguments])
        for line in stderr.getvalue().splitlines():
            if line.strip():
                self.output.show(f"     {line.strip()}", "dim")
        return code, stdout.getvalue()

    def outcomes(self, case: Json) -> None:
        """The outcomes of a case, a line per connection."""
        by_connection: dict[str, list[str]] = {}
        for row in case["outcomes"]:
            text = f"{row['record']} {row['result']}"
            by_connection.setdefault(row["connection"], []).append(text)
        for connection, texts in by_connection.items():
            self.output.show(f"   {connection}: {', '.join(texts)}")


def tell(place: Path, count: int, output: Output) -> int:
    """Tells the story in ``place``; returns 0 where all of it held."""
    started = time.monotonic()
    private_folder(place)
    with World.start(Registry.load(), count) as world:
        world.write_setup(place)
        story = Story(place, world, output)
        output.show(f"Three sandbox vendors on this machine hold data about {count} made-up people.", "bold")
        for chapter in _CHAPTERS:
            try:
                chapter(story)
            except (KeyError, TypeError, IndexError):
                story.check(story.steps[-1], "the command answered as it should", False)
    held = all(step.held for step in story.steps)
    _end(story, held, time.monotonic() - started)
    return 0 if held else 1


def _set_up(story: Story) -> None:
    step, code, _ = story.step("Make a home: keys, vault, ledger", "init")
    story.check(step, "the home is made", code == 0)


def _look(story: Story) -> None:
    ada = story.world.people[0]
    step, code, result = story.step("What is held about one person?", "inventory", f"customer_id={ada.customer_id}")
    found = {c["connection"]: {r["record"] for r in c["records"]} for c in result["connections"]}
    for connection, kinds in found.items():
        story.output.show(f"   {connection}: {', '.join(sorted(kinds))}")
    story.check(step, "every vendor that holds the person was found", code == 0 and set(found) == set(ada.held_at))


def _hand_over(story: Story) -> None:
    ada = story.world.people[0]
    before = _everybody(story)
    step, code, case = story.step("Hand the person a copy of everything", "access", f"customer_id={ada.customer_id}")
    story.outcomes(case)
    story.check(step, f"the package is at {case['package']}", code in (0, 3) and Path(case["package"]).exists())
    story.check(step, "nothing was changed at any vendor", _everybody(story) == before)


def _consent(story: Story) -> None:
    person = story.world.people[7]
    who, purpose = f"customer_id={person.customer_id}", "marketing_email"
    step, code, case = story.step(
        "Withdraw a consent everywhere", "consent", "set", who, f"{purpose}=withdrawn", "--yes"
    )
    story.outcomes(case)
    read_back = {row["connection"] for row in case["outcomes"] if row["result"] in ("updated", "unchanged")}
    truth = {name: story.world.servers[name].app.consent(person, purpose) for name in read_back}
    story.check(step, "what was read back is true at the vendor", bool(truth) and set(truth.values()) == {False})
    honest = code == 3 and any(row["result"] == "unsupported" for row in case["outcomes"])
    story.check(step, "a vendor without consents is said to have none", honest)


def _rectify(story: Story) -> None:
    person = story.world.people[7]
    others = _everybody(story, but=person)
    who, right = f"customer_id={person.customer_id}", "+4930555001"
    step, _, case = story.step("Correct a wrong phone number", "rectify", who, f"phone={right}", "--yes")
    story.outcomes(case)
    updated = {row["connection"] for row in case["outcomes"] if row["result"] == "updated"}
    held = all(right in story.world.servers[name].app.held_text(person) for name in updated)
    story.check(step, "the right number stands wherever it says updated", bool(updated) and held)
    story.check(step, "nobody else's data was touched", _everybody(story, but=person) == others)


def _plan(story: Story) -> None:
    ada = story.world.people[0]
    before = _everybody(story)
    step, code, plan = story.step("What would an erasure do?", "erase", f"customer_id={ada.customer_id}", "--dry-run")
    records = sum(len(part["records"]) for part in plan["plan"])
    story.check(step, f"{records} records planned, nothing changed", code == 0 and _everybody(story) == before)


def _erase(story: Story) -> None:
    ada = story.world.people[0]
    others = _others_truth(story, ada)
    who = f"customer_id={ada.customer_id}"
    step, code, case = story.step("Erase, and read every vendor back", "erase", who, "--yes")
    step.case = case["case"]
    story.outcomes(case)
    for row in case["outcomes"][:3]:
        story.output.show(f"     e.g. {row['connection']} {row['record']}: {row['evidence']}", "dim")
    story.check(step, "the case is completed", code == 0 and case["status"] == "completed")
    story.check(step, "the vendors' own data agrees: nothing is left", story.world.held(ada) == {})
    story.check(step, "nobody else's data was touched", _others_truth(story, ada) == others)
    step, code, result = story.step("Read back once more", "recheck", case["case"])
    empty = [one["connections"] for one in result["cases"]] == [
        {name: {"evidence": found["evidence"]} for name, found in one["connections"].items()} for one in result["cases"]
    ]
    story.check(step, "every vendor was searched, none holds anything", code == 0 and empty)


def _never_again(story: Story) -> None:
    ada = story.world.people[0]
    before = story.world.changing_calls()
    who = f"customer_id={ada.customer_id}"
    step, code, case = story.step(
        "A late consent would bring the person back", "consent", "set", who, "marketing_email=granted", "--yes"
    )
    story.output.show(f"     {case['status']}", "dim")
    refused = code == 4 and case["status"] == "refused"
    story.check(step, "refused, and nothing was sent", refused and story.world.changing_calls() == before)
    story.check(step, "the person is still gone", story.world.held(ada) == {})


def _certify(story: Story) -> None:
    case_id = next(s.case for s in story.steps if s.case)
    certificate, opening = story.place / "certificate.json", story.place / "opening.json"
    step, code, made = story.step(
        "Prove it to somebody who trusts nobody here", "certificate", case_id, "-o", str(certificate),
        "--opening", str(opening),
    )  # fmt: skip
    story.check(step, f"{certificate.name} and a page to print are made", code == 0 and made["state"] == "complete")
    key = next((story.place / "home" / "signing").glob("*.pub"))
    step, code, found = story.step(
        "Check it offline", "verify", str(certificate), "--key", str(key), "--opening", str(opening)
    )
    for one in found["checks"]:
        story.output.show(f"     {'ok' if one['ok'] else 'NOT'} {one['what']}", "dim")
    story.check(step, "signed, in the log, complete, and about this person", code == 0 and found["ok"])
    forged = story.place / "forged.json"
    text = certificate.read_text("utf-8").replace('"result": "erased"', '"result": "absent"', 1)
    write_private(forged, text.encode())
    step, code, found = story.step("A certificate with one word changed", "verify", str(forged), "--key", str(key))
    story.check(step, "the change is found", code == 1 and not found["ok"])


def _ambiguous(story: Story) -> None:
    one, two = story.world.people[2], story.world.people[3]
    before = sum(len(s.calls) for s in story.world.servers.values())
    step, code, _ = story.step("Two people share an e-mail address", "erase", f"email={one.email}", "--yes")
    sent = sum(len(s.calls) for s in story.world.servers.values()) - before
    story.check(step, "refused as ambiguous, and nothing was sent", code == 2 and sent == 0)
    story.check(step, "both are still there", bool(story.world.held(one)) and bool(story.world.held(two)))


def _shared_card(story: Story) -> None:
    one, other = story.world.people[4], story.world.people[5]
    before = story.world.held(other)
    step, code, case = story.step("Two people pay with one card", "erase", f"customer_id={one.customer_id}", "--yes")
    story.outcomes(case)
    kept = [row for row in case["outcomes"] if row["result"] == "retained"]
    for row in kept:
        story.output.show(f"     {row['connection']} {row['record']}: {row['reason']}", "dim")
    story.check(step, "the card is kept for the other person, and it is said", code == 0 and len(kept) == 1)
    story.check(step, "nothing else is left of the one", story.world.held(one) == {})
    story.check(step, "nothing is missing of the other", story.world.held(other) == before)


def _hold(story: Story) -> None:
    person = story.world.people[7]
    before = story.world.held(person)
    step, code, case = story.step(
        "A legal hold on payment records", "erase", f"customer_id={person.customer_id}",
        "--policy", "gdpr-erasure-hold-payments", "--yes",
    )  # fmt: skip
    story.outcomes(case)
    retained = [row for row in case["outcomes"] if row["result"] == "retained"]
    for row in retained[:1]:
        story.output.show(f"     kept until {row['until']}: {row['reason'][:150]}…", "dim")
    kept = {(row["connection"], row["record"]) for row in retained}
    after = {(name, kind): n for name, kinds in story.world.held(person).items() for kind, n in kinds.items()}
    story.check(step, "the held records are kept, with reason and end", code == 0 and bool(kept))
    unchanged = all(before[name][kind] == count for (name, kind), count in after.items())
    story.check(step, "exactly those are still at the vendors", set(after) == kept and unchanged)


def _outage(story: Story) -> None:
    person = story.world.people[8]
    down = sorted(story.world.servers)[1]
    story.world.servers[down].down = True
    step, code, case = story.step(f"{down} is down", "erase", f"customer_id={person.customer_id}", "--yes")
    story.outcomes(case)
    story.check(step, "the case is incomplete, not completed", code == 1 and case["status"] == "incomplete")
    story.check(step, "the other vendors were erased all the same", set(story.world.held(person)) == {down})
    story.world.servers[down].down = False
    step, code, result = story.step(f"{down} is back", "resume")
    statuses = [c["status"] for c in result["cases"]]
    story.check(step, "the case is finished", code == 0 and statuses == ["completed"])
    story.check(step, "nothing is left anywhere", story.world.held(person) == {})


def _canary(story: Story) -> None:
    before = _everybody(story)
    step, code, result = story.step("Does all of this work today? Ask a made-up person", "canary")
    by_connection: dict[str, list[str]] = {}
    for control in result["controls"]:
        by_connection.setdefault(control["connection"], []).append(f"{control['control']} {control['verdict']}")
    for connection, verdicts in by_connection.items():
        story.output.show(f"   {connection}: {', '.join(verdicts)}")
    story.check(step, "every control worked, or its vendor has no such thing", code == 0 and not result["alarms"])
    gone = _everybody(story) == before
    story.check(step, "the made-up person is gone, and nobody else was touched", gone)


def _prove(story: Story) -> None:
    step, code, result = story.step("Is the ledger as it was written and signed?", "audit", "verify")
    story.check(step, f"{result['size']} entries, root {result['root'][:23]}…", code == 0 and result["ok"])
    story.check(step, f"all of them signed, {result['checkpoints']} checkpoints", code == 0 and not result["unsigned"])
    kept = max((story.place / "home" / "checkpoints").iterdir())
    copy = story.place / "changed-copy.db"
    shutil.copyfile(story.place / "home" / "audit.db", copy)
    copy.chmod(0o600)
    entry = _change_one_byte(copy)
    step, code, result = story.step("A copy with one changed byte", "audit", "verify", "--file", str(copy))
    found = any(f["seq"] == entry for f in result["findings"])
    story.check(step, f"the change in entry {entry} is found", code == 1 and not result["ok"] and found)
    shorter = story.place / "shorter-copy.db"
    shutil.copyfile(story.place / "home" / "audit.db", shorter)
    shorter.chmod(0o600)
    _cut_off(shorter, 10)
    step, code, result = story.step(
        "A copy without its newest ten entries", "audit", "verify", "--file", str(shorter), "--against", str(kept)
    )
    found = any(f["kind"] == "cut" for f in result["findings"])
    story.check(step, "a checkpoint kept elsewhere shows that they are missing", code == 1 and found)


def _change_one_byte(path: Path) -> int:
    """What somebody with the file could do: drop the guards, change history, put the guards back."""
    database = sqlite3.connect(path)
    triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        database.execute(f"DROP TRIGGER {name}")
    seq, body = database.execute(
        "SELECT seq, body FROM entries WHERE type = 'record.outcome' ORDER BY seq LIMIT 1"
    ).fetchone()
    changed = bytes(body).replace(b'"result":', b'"resulT":', 1)
    database.execute("UPDATE entries SET body = ? WHERE seq = ?", (changed, seq))
    for _, sql in triggers:
        database.execute(sql)
    database.commit()
    database.close()
    return int(seq)


def _cut_off(path: Path, count: int) -> None:
    """The newest entries, and what the file says of them: it agrees with itself afterwards."""
    database = sqlite3.connect(path)
    triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        database.execute(f"DROP TRIGGER {name}")
    (size,) = database.execute("SELECT size - ? FROM head", (count,)).fetchone()
    leaves = [row[0] for row in database.execute("SELECT leaf_hash FROM entries WHERE seq <= ? ORDER BY seq", (size,))]
    database.execute("DELETE FROM entries WHERE seq > ?", (size,))
    database.execute("DELETE FROM nodes WHERE (idx + 1) << level > ?", (size,))
    database.execute("DELETE FROM checkpoints WHERE size > ?", (size,))
    database.execute("UPDATE head SET size = ?, root = ?", (size, root(leaves)))
    for _, sql in triggers:
        database.execute(sql)
    database.commit()
    database.close()


_CHAPTERS = (
    _set_up, _look, _hand_over, _plan, _erase, _never_again, _certify, _ambiguous, _shared_card, _consent, _rectify,
    _hold, _outage, _canary, _prove,
)  # fmt: skip


def _everybody(story: Story, but: Person | None = None) -> list[str]:
    """All that the vendors hold about everybody, or everybody but one."""
    apps = [server.app for server in story.world.servers.values()]
    return [app.held_text(person) for person in story.world.people if person is not but for app in apps]


def _others_truth(story: Story, person: Person) -> dict[str, object]:
    return {p.customer_id: story.world.held(p) for p in story.world.people if p is not person}


def _end(story: Story, held: bool, seconds: float) -> None:
    output = story.output
    if output.as_json:
        output.json(
            {
                "ok": held,
                "folder": str(story.place),
                "steps": [
                    {"title": s.title, "command": s.command, "checks": [{"what": w, "ok": ok} for w, ok in s.checks]}
                    for s in story.steps
                ],
            }
        )
        return
    output.show("")
    claims = sum(len(step.checks) for step in story.steps)
    if held:
        output.show(f"All {claims} claims held, in {seconds:.1f} s.", "bold green")
    else:
        failed = [what for step in story.steps for what, ok in step.checks if not ok]
        output.show(f"{len(failed)} of {claims} claims did NOT hold: {'; '.join(failed)}", "bold red")
    files = "habeas.toml, customers.csv, certificate.html, home/audit.db, home/packages"
    output.show(f"Its files are in {story.place}: {files}.")
    output.show(f"Look around: habeas --home {story.place / 'home'} audit log")
