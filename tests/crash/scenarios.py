"""The commands that are interrupted: how each begins, what a person does after a crash, and how it must end."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from habeas.cases.keys import KeyStore
from habeas.models import CaseStatus, Result
from habeas.testing.people import Person

if TYPE_CHECKING:
    from tests.crash.conftest import Shop

from tests.crash.conftest import DAY

__all__ = ["SCENARIOS", "Scenario", "as_wanted"]

State = Any


class Scenario:
    """One command. What :meth:`state` says in the end must be the same as after a run that nobody disturbed."""

    name: ClassVar[str]
    more: ClassVar[dict[str, Any]] = {}
    """Further orders to the zygote."""

    def prepare(self, shop: Shop) -> None:
        """What must have happened before."""

    def arguments(self, shop: Shop) -> list[str]:
        raise NotImplementedError

    def finish(self, shop: Shop) -> None:
        """`habeas resume`; and where the request itself was lost, ask again."""
        _, _, result = shop.habeas("resume")
        shop.said()
        assert result is not None
        if not shop.cases():
            self.run(shop)

    def state(self, shop: Shop) -> State:
        raise NotImplementedError

    # -- how it is run ----------------------------------------------------------------------------------------------

    def begin(self, shop: Shop) -> None:
        """Vendors and home as they are before the command."""
        kept = f"before {self.name}"
        if not shop.kept(kept):
            shop.afresh()
            self.prepare(shop)
            shop.keep(kept)
        shop.afresh(kept)

    def run(self, shop: Shop, **orders: Any) -> tuple[int, int, Any]:
        return shop.habeas(*self.arguments(shop), **self.more, **orders)


class Erase(Scenario):
    name = "erase"

    def arguments(self, shop: Shop) -> list[str]:
        return ["erase", shop.who, "--yes"]

    def state(self, shop: Shop) -> State:
        (case,) = shop.cases()
        return case.status, rows(case), shop.world.held(shop.person), shop.others()


class Apply(Scenario):
    """Four eyes: ada has planned, bob approved, carol applies. What was not begun by then stays approved."""

    name = "apply"
    more: ClassVar[dict[str, Any]] = {"environment": {"LOGNAME": "carol"}}

    def prepare(self, shop: Shop) -> None:
        _, _, planned = shop.habeas("plan", shop.who, environment={"LOGNAME": "ada"})
        code, _, _ = shop.habeas("approve", planned["case"], "--yes", environment={"LOGNAME": "bob"})
        assert code == 0, shop.said()

    def arguments(self, shop: Shop) -> list[str]:
        (case,) = shop.cases()
        return ["apply", case.case_id, "--yes"]

    def finish(self, shop: Shop) -> None:
        super().finish(shop)
        if not shop.cases()[0].closed:
            code, _, _ = self.run(shop)
            assert code == 0, shop.said()

    state = Erase.state


class Access(Scenario):
    name = "access"

    def arguments(self, shop: Shop) -> list[str]:
        return ["access", shop.who]

    def state(self, shop: Shop) -> State:
        (case,) = shop.cases()
        # One package, whole, the one that the ledger names; of a killed one nothing is left that holds data of hers.
        (package,) = shop.home.packages.iterdir()
        with zipfile.ZipFile(package) as archive:
            assert archive.testzip() is None
            names = sorted(archive.namelist())
        written = [e.data["digest"] for e in shop.entries() if e.type == "package.written"]
        assert written[-1] == "sha256:" + hashlib.sha256(package.read_bytes()).hexdigest()
        return case.status, rows(case), names, shop.truth(shop.person), shop.others()


class Change(Scenario):
    """Consents and corrections."""

    def state(self, shop: Shop) -> State:
        # What is wanted is kept besides the case, and resume holds vendors against it too: a case that finds all done.
        case, *looks = shop.cases()
        assert all(look.status is CaseStatus.COMPLETED and look.type is case.type for look in looks)
        assert not any(row.result is Result.UPDATED for look in looks for row in look.outcomes)
        others = [shop.truth(p) for p in shop.world.people if p is not shop.person]
        return case.status, as_wanted(rows(case)), shop.truth(shop.person), others


class Consent(Change):
    name = "consent set"

    def arguments(self, shop: Shop) -> list[str]:
        return ["consent", "set", shop.who, "marketing_email=withdrawn", "--yes"]


class Propagate(Scenario):
    """A file about all: some are as they want, one is nowhere, two share an address; calls for many are made."""

    name = "consent propagate"

    def prepare(self, shop: Shop) -> None:
        rows = [
            f"{p.email},{p.customer_id},marketing_email,{'granted' if n % 3 else 'withdrawn'},2026-02-01T10:00:00Z"
            for n, p in enumerate(shop.world.people)
        ]
        rows.append(rows[0].replace("withdrawn", "granted").replace("02-01", "01-01"))
        text = "\n".join(["email,customer_id,purpose,state,at", *rows, ""])
        (shop.folder / "consents.csv").write_text(text)

    def arguments(self, shop: Shop) -> list[str]:
        return ["consent", "propagate", str(shop.folder / "consents.csv"), "--yes"]

    def finish(self, shop: Shop) -> None:
        """`habeas resume` finishes what was recorded; the same command again, what the file still had to say."""
        code, _, _ = shop.habeas("resume")
        assert code in (0, 3), shop.said()
        code, _, told = self.run(shop)
        assert code in (0, 3), shop.said()
        assert told["summary"]["unreachable"] == 0

    def state(self, shop: Shop) -> State:
        cases = sorted((case.status, as_wanted(rows(case))) for case in shop.cases())
        # Not all that is held: an activity log tells a call for many from one for each.
        apps = [server.app for server in shop.world.servers.values()]
        people = shop.world.people
        given = [[app.consent(p, name) for p in people for name in app.purposes()] for app in apps]
        return cases, given, [{app: set(held) for app, held in shop.world.held(p).items()} for p in people]


class Rectify(Change):
    name = "rectify"

    def arguments(self, shop: Shop) -> list[str]:
        return ["rectify", shop.who, "phone=+4930999999", "last_name=Corrected", "--yes"]


class Canary(Scenario):
    """Whatever was created is erased by resume; where only a person can find it, that is said."""

    name = "canary"

    def arguments(self, shop: Shop) -> list[str]:
        return ["canary"]

    def finish(self, shop: Shop) -> None:
        code, _, result = shop.habeas("resume")
        assert code in (0, 3, 4), shop.said()
        for case in result["cases"]:
            asked = {row["connection"] for row in case["outcomes"] if row["result"] == "manual"}
            assert left_behind(shop, case["reference"]) <= asked

    def state(self, shop: Shop) -> State:
        # Cancelled: nothing had been created yet.
        assert all(case.status in (CaseStatus.COMPLETED, CaseStatus.CANCELLED) for case in shop.cases())
        return [shop.truth(p) for p in shop.world.people]


class Batch(Scenario):
    """Three people: two erasures and a package. Cut off while the file was registered: the same command again."""

    name = "batch"

    def prepare(self, shop: Shop) -> None:
        shop.habeas("doctor")  # nothing of it is written: only that the identity table's index is there
        lines = [
            f"{kind},{person.customer_id}"
            for kind, person in zip(("erasure", "access", "erasure"), self._people(shop), strict=True)
        ]
        (shop.folder / "batch.csv").write_text("\n".join(["type,customer_id", *lines, ""]))

    @staticmethod
    def _people(shop: Shop) -> list[Person]:
        known = [p for p in shop.world.people if len(p.held_at) == len(shop.world.servers)]
        return [shop.person, *[p for p in known if p is not shop.person][:2]]

    def arguments(self, shop: Shop) -> list[str]:
        return ["batch", str(shop.folder / "batch.csv"), "--yes"]

    def finish(self, shop: Shop) -> None:
        registered = any(e.type == "batch.registered" for e in shop.entries())
        code, _, _ = shop.habeas("resume") if registered else self.run(shop)
        assert code in (0, 3), shop.said()

    def state(self, shop: Shop) -> State:
        assert len(shop.cases()) == 3
        cases = sorted((str(case.type), case.status, rows(case)) for case in shop.cases())
        return cases, len(list(shop.home.packages.iterdir())), [shop.world.held(p) for p in shop.world.people]


class Purge(Scenario):
    """An erasure and a package whose time is over, a quarter's pseudonyms, and a place on the suppression list."""

    name = "purge"
    more: ClassVar[dict[str, Any]] = {"ahead": 95 * DAY}

    def prepare(self, shop: Shop) -> None:
        assert shop.habeas("erase", shop.who, "--policy", "at-once", "--yes")[0] == 0
        other = next(p for p in shop.world.people if p is not shop.person and len(p.held_at) == 3)
        assert shop.habeas("access", f"customer_id={other.customer_id}")[0] in (0, 3)

    def arguments(self, shop: Shop) -> list[str]:
        return ["purge", "--yes"]

    def finish(self, shop: Shop) -> None:
        code, _, _ = self.run(shop)
        assert code == 0, shop.said()

    def state(self, shop: Shop) -> State:
        keys = KeyStore.open(shop.home.keys)
        try:
            assert keys.untold() == []
            assert keys.epochs() == []
            destroyed = [bool(keys.destroyed_at(case.case_id)) for case in shop.cases()]
        finally:
            keys.close()
        ends = ("details.destroyed", "pseudonyms.destroyed", "suppression.lifted")
        said = sorted((e.type, e.case_id) for e in shop.entries() if e.type in ends)
        assert len(set(said)) == len(said), "told once"
        return destroyed, [kind for kind, _ in said], list(shop.home.packages.iterdir())


class Recheck(Scenario):
    """Somebody who was erased came back."""

    name = "recheck --erase"

    def prepare(self, shop: Shop) -> None:
        assert shop.habeas("erase", shop.who, "--yes")[0] == 0

    def arguments(self, shop: Shop) -> list[str]:
        return ["recheck", "--all", "--erase", "--yes"]

    def finish(self, shop: Shop) -> None:
        shop.habeas("resume")
        if shop.world.held(shop.person):
            code, _, _ = self.run(shop)
            assert code == 0, shop.said()

    def state(self, shop: Shop) -> State:
        first, again = shop.cases()
        assert again.follows == first.case_id
        return first.status, again.status, rows(again), shop.world.held(shop.person), shop.others()


class Certificate(Scenario):
    name = "certificate"

    def prepare(self, shop: Shop) -> None:
        assert shop.habeas("erase", shop.who, "--yes")[0] == 0

    def arguments(self, shop: Shop) -> list[str]:
        (case,) = shop.cases()
        return ["certificate", case.case_id]

    def finish(self, shop: Shop) -> None:
        code, _, _ = self.run(shop)
        assert code == 0, shop.said()

    def state(self, shop: Shop) -> State:
        files = sorted(shop.home.certificates.glob("*.json"))
        key = next(shop.home.signing.glob("*.pub"))
        # One that was written is whole; the last one says what the case says.
        states = [json.loads(file.read_text())["statement"]["state"] for file in files]
        code, _, found = shop.habeas("verify", str(files[-1]), "--key", str(key))
        assert code == 0, found
        return states[-1], rows(shop.cases()[0])


def left_behind(shop: Shop, customer_id: str) -> set[str]:
    """The vendors that still hold a made-up person."""
    ghost = Person(**{**shop.person.__dict__, "customer_id": customer_id, "email": f"{customer_id}@canary.invalid"})
    return {name for name, server in shop.world.servers.items() if server.app.held(ghost)}


def rows(case: Any) -> list[tuple[str, ...]]:
    """What a case says, without the ledger's numbering."""
    keys = ("connection", "record", "purpose", "field", "count", "result", "reason", "until", "evidence")
    return sorted(tuple(str(getattr(row, key)) for key in keys) for row in case.outcomes)


def as_wanted(outcomes: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Without what may differ: after a kill nobody can tell what was as wanted before, nor need it be read twice."""
    return sorted(tuple("updated" if cell == "unchanged" else cell for cell in row[:-1]) for row in outcomes)


_ALL: tuple[Callable[[], Scenario], ...] = (
    Erase, Access, Rectify, Consent, Propagate, Canary, Batch, Apply, Purge, Recheck, Certificate,
)  # fmt: skip
SCENARIOS = {scenario.name: scenario for scenario in (make() for make in _ALL)}
