"""`habeas certificate` and `habeas verify`: proof of one case, made by a shop and checked by a stranger."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.conftest import open_shop
from tests.habeas.cli.ending import HOLD, add_policy, id_of, needles_of, said, small_shop
from tests.searching import RIGHT, Needles, leaks, needles_for

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

pytestmark = pytest.mark.usefixtures("patient")

OPERATOR = "Zilpzalpine-Operator-4711"
HELD_FOR_YEARS = f"""{HOLD}period = "P8Y"
period_starts = "end_of_calendar_year"
"""
BY_HAND = """
[[rules]]
match.plugin = "talonone"
action = "manual"
reason = "Somebody has to look."
instructions = "Look, then close it."
"""


@pytest.fixture(scope="module")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    tmp_path_factory.getbasetemp()  # is named after the user, so before that is somebody else
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("getpass.getuser", lambda: OPERATOR)
        for shop in small_shop(tmp_path_factory):
            add_policy(shop, "plain")
            add_policy(shop, "hold-payments", HELD_FOR_YEARS)
            add_policy(shop, "by-hand", BY_HAND)
            yield shop


@pytest.fixture(scope="module")
def cases(_shop: Shop) -> tuple[dict[str, str], Needles]:
    """What → case, one of each kind, and all that is known of the people they are about."""
    shop = _shop
    one, two, three, four = (shop.fresh() for _ in range(4))
    needles = needles_of(shop, one, two, three, four) | needles_for({"operator": OPERATOR})
    words = [f"{field}={value}" for field, value in RIGHT.items()]
    commands = {
        "access": ["access", id_of(one)],
        "consent": ["consent", "set", id_of(one), "marketing_email=withdrawn", "--yes"],
        "rectification": ["rectify", id_of(one), *words, "--yes"],
        "complete": ["erase", id_of(one), "--policy", "plain", "--yes"],
        "refused": ["consent", "set", id_of(one), "marketing_email=granted", "--yes"],
        "held": ["erase", id_of(two), "--policy", "hold-payments", "--yes"],
        "manual": ["erase", id_of(three), "--policy", "by-hand", "--yes"],
    }
    made = {what: shop.run("--json", *command).json["case"] for what, command in commands.items()}
    shop.servers[0].down = True
    made["unfinished"] = shop.run("--json", "erase", id_of(four), "--policy", "plain", "--yes").json["case"]
    shop.servers[0].down = False
    batch = shop.folder / "batch.csv"
    batch.write_text(f"type,customer_id\ninventory,{four.customer_id}\n")
    made["inventory"] = shop.run("batch", str(batch), "--yes", "--json").json["cases"][0]["case"]
    return made, needles


def key_of(shop: Shop) -> str:
    (path,) = shop.home.signing.glob("*.pub")
    return str(path)


def make(shop: Shop, case: str, path: Path, *arguments: str) -> Ran:
    return shop.run("certificate", case, "-o", str(path), *arguments, "--json")


STATES = {
    "complete": "complete", "held": "partial", "manual": "partial", "unfinished": "unfinished", "refused": "refused",
    "inventory": "complete",
}  # fmt: skip


@pytest.mark.parametrize(
    "what", ["complete", "held", "manual", "unfinished", "refused", "access", "consent", "rectification", "inventory"]
)
def test_any_case_has_a_certificate_that_a_stranger_can_check(
    what: str, shop: Shop, cases: tuple[dict[str, str], Needles], tmp_path: Path, bare: Callable[..., Ran]
) -> None:
    """It says what the case says, and names neither the person nor who worked on it; no home is needed to check it."""
    names, needles = cases
    shown = shop.run("case", "show", names[what], "--json").json
    path = tmp_path / "proof.json"
    ran = make(shop, names[what], path)
    assert ran.code == 0, ran.stderr
    statement = json.loads(path.read_text())["statement"]
    assert ran.json["state"] == statement["state"] == STATES.get(what, statement["state"])
    results = {row["result"] for row in shown["outcomes"]}
    if what in ("access", "consent", "rectification"):
        less = results & {"manual", "accepted", "unsupported", "retained"}
        assert statement["state"] == ("partial" if less else "complete")
    same = ("connection", "plugin", "record", "count", "result", "reason", "until", "evidence", "entry")
    assert [[row[key] for key in same] for row in statement["outcomes"]] == [
        [row[key] for key in same] for row in shown["outcomes"]
    ]
    intents = said(shop, "call.intent", case=names[what])
    assert sum(sum(counts.values()) for counts in statement["calls"].values()) == len(intents)
    content = path.read_bytes() + path.with_suffix(".html").read_bytes() + (ran.stdout + ran.stderr).encode()
    assert leaks(content, needles) == []
    verified = bare("verify", str(path), "--key", key_of(shop), "--json")
    assert verified.code == 0
    assert (verified.json["ok"], verified.json["pinned"], verified.json["kind"]) == (True, True, "certificate")
    assert (verified.json["facts"]["case"], verified.json["facts"]["state"]) == (names[what], statement["state"])


def test_a_hold_has_its_law_and_its_end(shop: Shop, cases: tuple[dict[str, str], Needles], tmp_path: Path) -> None:
    make(shop, cases[0]["held"], tmp_path / "proof.json")
    statement = json.loads((tmp_path / "proof.json").read_text())["statement"]
    held = [row for row in statement["outcomes"] if row["result"] == "retained"]
    assert {row["connection"] for row in held} == {"cybersource"}
    assert all(row["until"].endswith("-12-31") and row["legal_basis"].endswith("A6-1-c") for row in held)
    assert statement["ground"] == "GDPR Art. 17(1)(b)"


# -- files ------------------------------------------------------------------------------------------------------------


def test_nothing_is_overwritten_and_nothing_is_written_where_something_is_wrong(
    shop: Shop, cases: tuple[dict[str, str], Needles], tmp_path: Path
) -> None:
    """Each is refused with one line, before the ledger has an entry of it."""
    case = cases[0]["complete"]
    (tmp_path / "taken.json").write_text("mine")
    (tmp_path / "page.html").write_text("mine")
    before = shop.ledger_bytes()
    for arguments, says in (
        (["-o", str(tmp_path / "taken.json")], "exists already"),
        (["-o", str(tmp_path / "page.json")], "exists already"),
        (["--opening", str(tmp_path / "taken.json")], "exists already"),
        (["-o", str(tmp_path / "nowhere" / "x.json")], "is not a folder"),
        (["--opening", str(tmp_path / "nowhere" / "x.json")], "is not a folder"),
        (["-o", str(tmp_path / "x.html")], "would have one name"),
        (["-o", str(tmp_path / "x.json"), "--opening", str(tmp_path / "x.json")], "would have one name"),
        (["-o", str(tmp_path / "x.json"), "--opening", str(tmp_path / "x.html")], "would have one name"),
        (["-o", str(tmp_path)], "is a directory"),
    ):
        ran = shop.run("certificate", case, *arguments)
        assert (ran.code, says in ran.error) == (2, True), (arguments, ran.stderr)
    unknown = shop.run("certificate", "c-unknown")
    assert (unknown.code, "there is no case" in unknown.error) == (2, True)
    assert shop.ledger_bytes() == before
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"taken.json": "mine", "page.html": "mine"}


def test_without_a_name_it_goes_into_the_home_each_time_under_another(
    shop: Shop, cases: tuple[dict[str, str], Needles]
) -> None:
    ran = [shop.run("certificate", cases[0]["access"], "--json").json for _ in range(2)]
    paths = [Path(one["certificate"]) for one in ran]
    assert len(set(paths)) == 2
    for path, one in zip(paths, ran, strict=True):
        assert path.parent == shop.home.certificates
        assert re.fullmatch(rf"{cases[0]['access']}-[0-9]+\.json", path.name)
        assert Path(one["page"]) == path.with_suffix(".html")
        assert Path(one["page"]).exists()
    assert shop.home.certificates.stat().st_mode & 0o077 == 0
    issued = said(shop, "certificate.issued", case=cases[0]["access"])
    assert issued[-1]["data"]["entries"] == issued[-2]["data"]["entries"] + 1


def test_a_case_that_another_process_works_on_is_waited_for(
    shop: Shop, cases: tuple[dict[str, str], Needles], tmp_path: Path
) -> None:
    """What it writes meanwhile would look left out; nothing is written."""
    before = shop.ledger_bytes()
    code = (
        "import sys; from pathlib import Path; from habeas.cases.locks import CaseLocks\n"
        "assert CaseLocks(Path(sys.argv[1])).take(sys.argv[2]); print('held', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(shop.home.locks), cases[0]["manual"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        ran = make(shop, cases[0]["manual"], tmp_path / "proof.json")
        holder.communicate("")
    assert ran.code == 1
    assert "being worked on by another process" in ran.stderr
    assert shop.ledger_bytes() == before
    assert list(tmp_path.iterdir()) == []


# -- checking ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proof(_shop: Shop, cases: tuple[dict[str, str], Needles], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with its opening beside it."""
    folder = tmp_path_factory.mktemp("proof")
    ran = make(_shop, cases[0]["held"], folder / "proof.json", "--opening", str(folder / "opening.json"))
    assert ran.code == 0
    return folder / "proof.json"


def test_an_opening_is_for_the_person_only_and_opens_one_certificate(
    proof: Path, shop: Shop, cases: tuple[dict[str, str], Needles], tmp_path: Path, bare: Callable[..., Ran]
) -> None:
    """It says who they are, so it is private; what the check prints does not repeat it."""
    opening = proof.with_name("opening.json")
    assert opening.stat().st_mode & 0o777 == 0o600
    assert leaks(opening.read_bytes(), cases[1])
    ran = bare("verify", str(proof), "--key", key_of(shop), "--opening", str(opening))
    assert (ran.code, ran.stdout.count("ok  the certificate is about that")) == (0, 4)
    assert leaks((ran.stdout + ran.stderr).encode(), cases[1]) == []
    make(shop, cases[0]["complete"], tmp_path / "other.json", "--opening", str(tmp_path / "other-opening.json"))
    other = bare("verify", str(proof), "--key", key_of(shop), "--opening", str(tmp_path / "other-opening.json"))
    assert (other.code, other.stdout.count("NOT the certificate is about that")) == (1, 4)
    assert "does not hold" in other.stderr
    assert leaks((other.stdout + other.stderr).encode(), cases[1]) == []
    broken = bare("verify", str(proof), "--opening", str(proof))
    assert (broken.code, "not an opening" in broken.error) == (2, True)


def test_without_a_key_it_is_said_that_nobody_has_vouched_for_it(proof: Path, bare: Callable[..., Ran]) -> None:
    ran = bare("verify", str(proof))
    assert ran.code == 0
    assert "It agrees with itself." in ran.stderr
    assert "nobody has vouched for" in " ".join(ran.stderr.split())
    assert bare("verify", str(proof), "--json").json["pinned"] is False


def test_another_shops_key_does_not_hold_it(proof: Path, shop: Shop, tmp_path: Path, bare: Callable[..., Ran]) -> None:
    """A forger has a key as well: it counts for nothing unless it is the one that was given."""
    other = open_shop(tmp_path / "other", 3)
    other.world.stop()
    ran = bare("verify", str(proof), "--key", key_of(other), "--json")
    assert (ran.code, ran.json["ok"], ran.json["pinned"]) == (1, False, True)
    assert [check["what"] for check in ran.json["checks"] if not check["ok"]] == ["the checkpoint is signed"]
    both = bare("verify", str(proof), "--key", key_of(other), "--key", key_of(shop))
    assert both.code == 0


def edit(proof: Path, path: Path, change: Callable[[Any], object]) -> Path:
    value = json.loads(proof.read_text())
    change(value)
    path.write_text(json.dumps(value))
    return path


CHANGES: list[tuple[str, Callable[[Any], object]]] = [
    ("the state", lambda v: v["statement"].update(state="complete")),
    ("who issued it", lambda v: v["issuer"].update(controller="Somebody Else GmbH")),
    ("a notice taken out", lambda v: v["issuer"].update(notices=[])),
    ("an entry's text", lambda v: v["entries"][0].update(body=v["entries"][0]["body"].replace("erasure", "access"))),
    ("an entry taken out", lambda v: v["entries"].pop(2)),
    ("the checkpoint", lambda v: v.update(checkpoint=v["checkpoint"].replace("\n", "1\n", 2))),
    ("true for a count of one", lambda v: [row.update(count=row["count"] == 1) for row in v["statement"]["outcomes"]]),
    ("a part of its own", lambda v: v.update(summary="all erased")),
]  # fmt: skip


@pytest.mark.parametrize("change", [how for _, how in CHANGES], ids=[name for name, _ in CHANGES])
def test_a_changed_certificate_does_not_hold(
    change: Callable[[Any], object], proof: Path, shop: Shop, tmp_path: Path, bare: Callable[..., Ran]
) -> None:
    """With the right key; exit code 1 and one line not to rely on it."""
    path = edit(proof, tmp_path / "changed.json", change)
    ran = bare("verify", str(path), "--key", key_of(shop))
    assert ran.code == 1
    assert "Do not rely on anything in it." in ran.stderr
    assert "NOT " in ran.stdout


def test_what_is_no_proof_is_wrong_usage(tmp_path: Path, bare: Callable[..., Ran], proof: Path) -> None:
    cases = {
        "text": b"hello", "half": proof.read_bytes()[:-40], "list": b"[1]", "empty": b"", "other": b'{"format": "x"}',
        "twice": proof.read_bytes().replace(b'"format"', b'"format": "x", "format"', 1), "float": b'{"format": 1.0}',
    }  # fmt: skip
    for name, content in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        ran = bare("verify", str(path))
        assert ran.code == 2, name
        assert ran.error
    assert bare("verify", str(tmp_path / "none")).code == 2
    assert bare("verify", str(proof), "--key", str(tmp_path / "text")).code == 2


def test_a_stranger_needs_nothing_but_the_program(
    proof: Path, shop: Shop, tmp_path: Path, program: Callable[..., Ran]
) -> None:
    """Checked by a real process in an empty folder, as a user without a home; nothing is left there."""
    ran = program("verify", str(proof), "--key", key_of(shop), cwd=tmp_path, environment={"HOME": str(tmp_path)})
    assert (ran.code, ran.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
