"""Plan, approve, apply by different people: two of them try to apply what was not approved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.ending import DAY, add_policy, id_of, needles_of, said, small_shop, use_clock
from tests.searching import leaks

from habeas.engine.approvals import approval_text
from habeas.engine.erasure import ErasurePass
from habeas_audit import Draft, Ledger, SigningKey

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

    from habeas.testing.clock import SkippingClock
    from habeas.testing.people import Person

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
Be = Callable[[str], None]


@pytest.fixture(scope="module")
def _plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield from small_shop(tmp_path_factory, 60)


@pytest.fixture
def users(_plain: Shop) -> Iterator[Shop]:
    """A shop where the operating system's users tell people apart; its configuration and vendors are put back."""
    text, policy = _plain.config.read_text(), (_plain.policies / "at-once.toml").read_text()
    yield _plain
    _plain.config.write_text(text)
    (_plain.policies / "at-once.toml").write_text(policy)
    for server in _plain.servers:
        server.down = False


@pytest.fixture(scope="module")
def somebody(_plain: Shop) -> Person:
    """Whom no test erases."""
    return _plain.fresh()


@pytest.fixture(scope="module")
def keys(_plain: Shop) -> dict[str, SigningKey]:
    """Bob's and carol's keys, in files beside the configuration; and mallory's, whom nobody has named."""
    made = {name: SigningKey.generate(f"habeas.approver/{name}") for name in ("bob", "carol", "mallory")}
    for name, key in made.items():
        path = _plain.folder / f"{name}.pem"
        path.write_bytes(key.pem)
        path.chmod(0o600)
    return made


@pytest.fixture
def signing(users: Shop, keys: dict[str, SigningKey]) -> Shop:
    """The same shop, where approvals are signed by bob or carol."""
    approvals(users, "", **{name: keys[name].verifier.text for name in ("bob", "carol")})
    return users


def approvals(shop: Shop, settings: str, **people: str) -> None:
    lines = [f'{name} = "{key}"' for name, key in people.items()]
    with shop.config.open("a") as file:
        file.write("\n".join(["\n[approvals]", settings, *(["[approvals.people]"] if lines else []), *lines, ""]))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SkippingClock:
    return use_clock(monkeypatch, NOW)


@pytest.fixture(autouse=True)
def be(monkeypatch: pytest.MonkeyPatch) -> Be:
    """Who is at the keyboard; ada at first."""

    def someone(name: str) -> None:
        monkeypatch.setattr("getpass.getuser", lambda: name)

    someone("ada")
    return someone


def planned(shop: Shop, person: Person) -> str:
    changes = shop.world.changing_calls()
    ran = shop.run("--json", "plan", id_of(person), "--policy", "at-once", "--again")
    assert (ran.code, ran.json["status"], shop.world.changing_calls()) == (0, "waiting", changes), ran
    return str(ran.json["case"])


def approve(shop: Shop, case: str, name: str = "", key: str = "") -> Ran:
    signed = ["--as", name, "--signing-key", str(shop.folder / f"{key or name}.pem")] if name else []
    return shop.run("approve", case, "--yes", *signed, "--json")


def apply(shop: Shop, case: str) -> Ran:
    return shop.run("apply", case, "--yes", "--json")


def approved(shop: Shop, be: Be, person: Person) -> str:
    """Planned by ada, approved by bob as the system's user; ada is back at the keyboard."""
    case = planned(shop, person)
    be("bob")
    assert approve(shop, case).code == 0
    be("ada")
    return case


def refused(shop: Shop, case: str, why: str, ran: Callable[[Shop, str], Ran] = apply) -> None:
    """Exit 4 with its reason; nothing changed at any vendor."""
    truth, changes = shop.truth(), shop.world.changing_calls()
    done = ran(shop, case)
    assert done.code == 4, done
    assert why in done.json["error"]["message"]
    assert (shop.truth(), shop.world.changing_calls()) == (truth, changes)


def not_resumed(shop: Shop, case: str) -> None:
    """It goes on waiting."""
    changes = shop.world.changing_calls()
    assert shop.run("resume", case).code == 4
    assert shop.world.changing_calls() == changes


# -- as it should be --------------------------------------------------------------------------------------------------


def test_ada_plans_bob_approves_carol_applies(users: Shop, be: Be) -> None:
    """The ledger says who did which; the approval is of the plan's digest, and ends in seven days at midnight."""
    shop, person = users, users.fresh()
    others = shop.others(person)
    case = planned(shop, person)
    be("bob")
    ran = approve(shop, case)
    assert (ran.code, ran.json["status"]) == (0, "open")
    assert ran.json["approval"] == {"expires_at": "2026-12-07T23:00:00Z", "by": None}
    be("carol")
    ran = apply(shop, case)
    assert (ran.code, ran.json["status"], shop.world.held(person)) == (0, "completed", {})
    assert shop.others(person) == others
    (plan,) = said(shop, "plan.made", case=case)
    (approval,) = said(shop, "case.approved", case=case)
    assert approval["data"]["digest"] == plan["data"]["digest"] == ran.json["plan_digest"]
    runs = {entry["run"]: entry["actor"] for entry in said(shop, "run.started")}
    names = [runs[entry["run"]].split()[0] for entry in (plan, approval, said(shop, "case.started", case=case)[0])]
    assert names == ["ada", "bob", "carol"]


def test_a_signed_approval_holds_whoever_sits_at_the_keyboard(signing: Shop, keys: dict[str, SigningKey]) -> None:
    """One account for all: the key says that it was bob, and the signature is over case, digest and end."""
    shop, person = signing, signing.fresh()
    case = planned(shop, person)
    ran = approve(shop, case, "bob")
    assert ran.code == 0, ran
    data = said(shop, "case.approved", case=case)[0]["data"]
    text = approval_text(case, data["digest"], data["expires_at"])
    assert keys["bob"].verifier.signed_line(data["signature"], text)
    assert data["by"] == keys["bob"].verifier.key_id.hex()
    assert (apply(shop, case).code, shop.world.held(person)) == (0, {})


def test_a_new_key_is_private_and_its_line_is_what_the_configuration_wants(
    users: Shop, tmp_path: Path, somebody: Person
) -> None:
    path = tmp_path / "dora.pem"
    ran = users.run("approve", "--new-key", str(path), "--as", "dora", "--json")
    assert (ran.code, path.stat().st_mode & 0o777) == (0, 0o600)
    assert SigningKey.from_pem("habeas.approver/dora", path.read_bytes()).verifier.text == ran.json["key"]
    assert users.run("approve", "--new-key", str(path), "--as", "dora").code == 2, "nothing is overwritten"
    assert users.run("approve", "--new-key", str(tmp_path / "x.pem")).code == 2
    path.chmod(0o644)
    ran = users.run("approve", planned(users, somebody), "--as", "dora", "--signing-key", str(path), "--yes")
    assert (ran.code, "read by others" in ran.error) == (2, True)


# -- who may not ------------------------------------------------------------------------------------------------------


def test_who_planned_does_not_approve_and_who_approved_does_not_apply(users: Shop, be: Be, somebody: Person) -> None:
    case = planned(users, somebody)
    refused(users, case, "ada has made the plan", approve)
    refused(users, case, "is not approved")
    be("bob")
    assert approve(users, case).code == 0
    refused(users, case, "bob has approved the plan")


def test_a_yes_needs_somebody_to_say_it(users: Shop, be: Be, somebody: Person) -> None:
    case = planned(users, somebody)
    be("bob")
    assert users.run("approve", case).code == 4
    assert said(users, "case.approved", case=case) == []


@pytest.mark.parametrize(
    ("name", "key", "why"),
    [
        ("", "", "must be signed by one of the people"),
        ("mallory", "mallory", "must be signed by one of the people"),
        ("bob", "mallory", "not the key of bob"),
        ("bob", "carol", "not the key of bob"),
    ],
)
def test_where_people_are_named_only_their_own_keys_count(
    signing: Shop, be: Be, name: str, key: str, why: str, somebody: Person
) -> None:
    """No signature, a stranger's, a stranger's in bob's name, carol's in bob's name."""
    shop = signing
    case = planned(shop, somebody)
    be("eve")
    refused(shop, case, why, lambda shop, case: approve(shop, case, name, key))
    refused(shop, case, "is not approved")
    not_resumed(shop, case)


def test_a_key_in_the_configuration_that_is_none_stops_everything(users: Shop, be: Be, somebody: Person) -> None:
    """Fail closed: nobody can approve, and what was approved before is not applied."""
    case = approved(users, be, somebody)
    approvals(users, "", bob="habeas.approver/bob+00000000+nothing")
    for command in (["apply", case, "--yes"], ["apply", case]):
        ran = users.run(*command)
        assert (ran.code, "approvals.people.bob" in ran.error) == (2, True)
    assert said(users, "case.started", case=case) == []


def test_a_name_that_planned_does_not_sign(signing: Shop, be: Be, somebody: Person) -> None:
    be("bob")
    case = planned(signing, somebody)
    refused(signing, case, "bob has made the plan", lambda shop, case: approve(shop, case, "bob"))
    assert approve(signing, case, "carol").code == 0
    be("carol")
    refused(signing, case, "carol has approved the plan")


# -- forged -----------------------------------------------------------------------------------------------------------


def write(shop: Shop, *drafts: Draft) -> None:
    """Straight into the ledger, past every command."""
    with Ledger.open(shop.home.ledger, lambda: NOW) as ledger:
        ledger.append(*drafts)


def forged(shop: Shop, case: str, key: SigningKey | None, **changed: Any) -> Draft:
    """An approval as the command would have written it, signed by whoever."""
    digest = said(shop, "plan.made", case=case)[-1]["data"]["digest"]
    expires = "2026-12-07T23:00:00Z"
    data = {"digest": digest, "how": "approved", "expires_at": expires}
    if key is not None:
        data |= {"by": key.verifier.key_id.hex(), "signature": key.sign(approval_text(case, digest, expires)).strip()}
    return Draft("case.approved", case, "r-forged", "", "", data | changed)


@pytest.mark.parametrize("what", ["made up", "a stranger's", "bob's of another case", "longer", "none", "no end"])
def test_an_approval_that_was_written_by_hand_counts_for_nothing(
    signing: Shop, keys: dict[str, SigningKey], what: str, somebody: Person
) -> None:
    """Not for apply, and not for resume either, however much else was written with it."""
    shop = signing
    shop.config.write_text(shop.config.read_text().replace("[approvals]", "[approvals]\nrequired = true"))
    case, bob = planned(shop, somebody), keys["bob"]
    by = bob.verifier.key_id.hex()
    of_another = bob.sign(approval_text("c-another", "sha256:00", "2026-12-07T23:00:00Z")).strip()
    draft = {
        "made up": lambda: forged(shop, case, None, by=by, signature="\u2014 habeas.approver/bob AAAA"),
        "a stranger's": lambda: forged(shop, case, keys["mallory"]),
        "bob's of another case": lambda: forged(shop, case, None, by=by, signature=of_another),
        "longer": lambda: forged(shop, case, bob, expires_at="2036-12-07T23:00:00Z"),
        "none": lambda: forged(shop, case, None),
        "no end": lambda: forged(shop, case, bob, expires_at=""),
    }[what]()
    write(shop, draft)
    refused(shop, case, "")
    not_resumed(shop, case)
    write(shop, Draft("case.started", case, "r-forged"))
    not_resumed(shop, case)


def test_what_the_planner_signs_by_hand_is_not_another_pair_of_eyes(
    signing: Shop, be: Be, keys: dict[str, SigningKey], somebody: Person
) -> None:
    """The command would have refused bob; his key alone does not help him."""
    be("bob")
    case = planned(signing, somebody)
    write(signing, forged(signing, case, keys["bob"]))
    be("ada")
    refused(signing, case, "bob has made the plan")
    not_resumed(signing, case)


def test_without_names_an_approval_out_of_no_run_is_nobodys(users: Shop, somebody: Person) -> None:
    case = planned(users, somebody)
    write(users, forged(users, case, None))
    refused(users, case, "nobody knows who has approved the plan")
    not_resumed(users, case)


def test_an_approval_is_not_of_another_plan_that_takes_its_name(users: Shop, be: Be) -> None:
    """The ledger is made to say that the digest approved is that of a plan which was not: apply counts again."""
    shop, person = users, users.fresh()
    case = approved(shop, be, person)
    first = said(shop, "plan.made", case=case)[0]["data"]
    shop.world.servers["cybersource"].app.enlarge(person, 1)
    refused(shop, case, "something else now")
    larger = said(shop, "plan.made", case=case)[1]["data"]
    be("bob")
    swapped = Draft("plan.made", case, "r-forged", "", "", larger | {"digest": first["digest"]})
    write(shop, swapped)
    again = said(shop, "case.approved", case=case)[0]
    write(shop, Draft("case.approved", case, again["run"], "", "", again["data"]))
    be("ada")
    refused(shop, case, "something else now")


# -- expired, drifted -------------------------------------------------------------------------------------------------


def test_an_approval_ends_and_can_be_given_again(users: Shop, be: Be, clock: SkippingClock) -> None:
    shop, person = users, users.fresh()
    case = approved(shop, be, person)
    clock.skip(8 * DAY)
    refused(shop, case, "has expired at 2026-12-07T23:00:00Z")
    not_resumed(shop, case)
    be("bob")
    assert approve(shop, case).code == 0
    be("ada")
    assert (apply(shop, case).code, shop.world.held(person)) == (0, {})


def test_how_long_it_counts_is_configured(users: Shop, be: Be, clock: SkippingClock, somebody: Person) -> None:
    approvals(users, 'valid = "P0D"')
    case = approved(users, be, somebody)
    assert said(users, "case.approved", case=case)[0]["data"]["expires_at"] == "2026-11-30T23:00:00Z"
    clock.skip(DAY)
    refused(users, case, "has expired")


def test_what_was_added_since_kills_the_approval_and_the_new_plan_waits(users: Shop, be: Be) -> None:
    """And its planner is now who tried to apply: they do not approve it either."""
    shop, person = users, users.fresh()
    case = approved(shop, be, person)
    shop.world.servers["cybersource"].app.enlarge(person, 1)
    be("carol")
    refused(shop, case, "the vendors hold something else now")
    assert shop.run("case", "show", case, "--json").json["status"] == "waiting"
    refused(shop, case, "is not approved")
    not_resumed(shop, case)
    refused(shop, case, "carol has made the plan", approve)
    be("bob")
    assert approve(shop, case).code == 0
    be("carol")
    assert (apply(shop, case).code, shop.world.held(person)) == (0, {})


def test_what_was_removed_since_kills_the_approval_and_putting_it_back_does_not_revive_it(
    users: Shop, be: Be, somebody: Person
) -> None:
    shop, person = users, somebody
    case = approved(shop, be, person)
    server = shop.world.servers["talonone"]
    before, without = server.app, shop.registry.sandbox("talonone")
    without.seed([other for other in shop.world.people if other is not person])
    server.app = without
    try:
        refused(shop, case, "the vendors hold something else now")
    finally:
        server.app = before
    refused(shop, case, "is not approved")
    not_resumed(shop, case)


def test_a_vendor_that_is_away_keeps_the_plan_from_being_applied(users: Shop, be: Be) -> None:
    """Nothing is changed anywhere, the approval stands, and once it is back the plan is applied."""
    shop, person = users, users.fresh()
    case = approved(shop, be, person)
    shop.servers[0].down = True
    refused(shop, case, "could not be searched again")
    shop.servers[0].down = False
    assert (apply(shop, case).code, shop.world.held(person)) == (0, {})


def test_a_plan_is_not_approved_before_it_covers_every_vendor(users: Shop, be: Be, somebody: Person) -> None:
    shop, person = users, somebody
    shop.servers[0].down = True
    ran = shop.run("--json", "plan", id_of(person), "--policy", "at-once", "--again")
    assert ran.code == 1
    case = str(ran.json["case"])
    shop.servers[0].down = False
    be("bob")
    refused(shop, case, "does not cover every connection", approve)
    be("ada")
    assert shop.run("plan", "--case", case).code == 0
    be("bob")
    assert approve(shop, case).code == 0


@pytest.mark.parametrize("gone", [False, True])
def test_a_policy_that_is_not_what_it_was_is_not_applied(users: Shop, be: Be, gone: bool) -> None:
    """Changed or taken away: refused until it is back, and the approval is still of the same plan."""
    shop, person = users, users.fresh()
    case = approved(shop, be, person)
    path = shop.policies / "at-once.toml"
    text = path.read_text()
    if gone:
        path.unlink()
    else:
        path.write_text(text.replace("The person asked for it.", "Somebody asked for it."))
    refused(shop, case, "at-once")
    refused(shop, case, "at-once")
    path.write_text(text)
    assert (apply(shop, case).code, shop.world.held(person)) == (0, {})


def test_doubts_about_who_asked_stop_what_was_approved(users: Shop, be: Be) -> None:
    shop, person = users, users.fresh()
    case = approved(shop, be, person)
    assert shop.run("case", "identity", case, "--failed", "--method", "callback").code == 0
    refused(shop, case, "not confirmed who asked")
    not_resumed(shop, case)
    assert shop.run("case", "identity", case, "--verified", "--method", "callback").code == 0
    assert apply(shop, case).code == 0


# -- resume -----------------------------------------------------------------------------------------------------------


def test_resume_begins_nothing_behind_four_eyes(own_shop: Shop, be: Be) -> None:
    """Whoever approves does not carry it out: nor by way of resume. Cancelled and taken up again changes nothing."""
    shop, person = own_shop, own_shop.fresh()
    add_policy(shop, "at-once")
    case = approved(shop, be, person)
    be("bob")
    assert [shop.run("resume").code, shop.run("resume", case).code] == [4, 4]
    assert shop.run("case", "cancel", case, "--yes").code == 0
    assert shop.run("case", "reopen", case, "--because", "mistake").code == 0
    assert shop.run("resume").code == 4
    assert shop.world.changing_calls() == 0
    be("ada")
    assert (apply(shop, case).code, shop.world.held(person)) == (0, {})


def test_an_apply_that_was_broken_off_is_finished_by_resume(
    users: Shop, be: Be, clock: SkippingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even after the approval's end: what was begun is finished. Apply itself leaves it alone."""
    shop, person = users, users.fresh()
    case = approved(shop, be, person)
    real, calls = ErasurePass._erase_group, list[int]()

    def first_only(self: ErasurePass, *arguments: Any) -> None:
        if calls:
            raise OSError("the disk is full")
        calls.append(1)
        real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ErasurePass, "_erase_group", first_only)
        assert apply(shop, case).code == 1
    assert shop.world.held(person)
    clock.skip(30 * DAY)
    refused(shop, case, "begun already")
    be("bob")
    refused(shop, case, "no plan that waits for a yes", approve)
    (done,) = shop.run("resume", case, "--json").json["cases"]
    assert (done["status"], shop.world.held(person)) == ("completed", {})
    (plan,) = said(shop, "plan.made", case=case)
    assert done["plan_digest"] == plan["data"]["digest"]


# -- required ---------------------------------------------------------------------------------------------------------


def test_where_four_eyes_are_required_nobody_erases_alone(users: Shop, be: Be, tmp_path: Path) -> None:
    """Not by erase, a batch, a recheck, nor resume; looking is free, and so is the right of access."""
    shop, person = users, users.fresh()
    erased = shop.run("--json", "erase", id_of(shop.fresh()), "--yes").json["case"]
    add_policy(shop, "who")
    path = shop.policies / "who.toml"
    path.write_text(path.read_text().replace("[default]", "identity_check = true\n\n[default]"))
    early = str(shop.run("--json", "erase", id_of(shop.fresh()), "--policy", "who", "--yes").json["case"])
    approvals(shop, "required = true")
    changes, batch = shop.world.changing_calls(), tmp_path / "batch.csv"
    batch.write_text(f"type,customer_id\naccess,{person.customer_id}\nerasure,{person.customer_id}\n")
    for command in (
        ["erase", id_of(person), "--yes"], ["batch", str(batch), "--yes"],
        ["recheck", erased, "--erase", "--yes"], ["recheck", "--all", "--erase", "--yes"],
    ):  # fmt: skip
        ran = shop.run(*command)
        assert (ran.code, "more than one person" in ran.error) == (4, True)
    assert shop.run("case", "identity", early, "--verified", "--method", "login").code == 0
    not_resumed(shop, early)
    batch.write_text(f"type,customer_id\naccess,{person.customer_id}\ninventory,{person.customer_id}\n")
    for command in (
        ["erase", id_of(person), "--dry-run"], ["access", id_of(person)], ["inventory", id_of(person)],
        ["batch", str(batch), "--yes"], ["recheck", erased],
    ):  # fmt: skip
        assert shop.run(*command).code == 0, command
    assert shop.world.changing_calls() == changes
    case = approved(shop, be, person)
    assert (apply(shop, case).code, shop.world.held(person)) == (0, {})


# -- how much at once -------------------------------------------------------------------------------------------------


def test_a_file_that_erases_more_people_than_allowed_is_refused_whole(users: Shop, tmp_path: Path) -> None:
    """Only erasures count; one file may be let through by hand."""
    shop = users
    approvals(shop, "most_people = 1")
    people, batch = [shop.fresh(), shop.fresh()], tmp_path / "batch.csv"
    rows = [f"erasure,{person.customer_id}" for person in people]
    batch.write_text("\n".join(["type,customer_id", *rows, ""]))
    before, calls = shop.ledger_bytes(), shop.calls
    ran = shop.run("batch", str(batch), "--yes")
    assert (ran.code, "erases 2 people, and 1" in ran.error) == (4, True)
    assert shop.run("batch", str(batch), "--yes", "--most-people", "1").code == 4
    assert (shop.ledger_bytes(), shop.calls) == (before, calls)
    assert shop.run("batch", str(batch), "--yes", "--most-people", "2", "--policy", "at-once").code == 0
    batch.write_text("\n".join(["type,customer_id", *(f"inventory,{p.customer_id}" for p in people), rows[0], ""]))
    assert shop.run("batch", str(batch), "--yes").code == 0


def test_a_person_with_more_records_than_anybody_has_is_refused(users: Shop, be: Be, tmp_path: Path) -> None:
    """By erase, plan, a batch and resume: with the number, and nothing sent that changes."""
    shop, people, changes = users, [users.fresh() for _ in range(3)], users.world.changing_calls()
    late = approved(shop, be, shop.fresh())
    approvals(shop, "most_records = 2")
    ran = shop.run("--json", "erase", id_of(people[0]), "--yes")
    assert (ran.code, ran.json["status"]) == (4, "refused")
    case = str(ran.json["case"])
    assert "2 are the most" in said(shop, "case.closed", case=case)[0]["data"]["reason"]
    assert shop.run("plan", id_of(people[1])).code == 4
    batch = tmp_path / "batch.csv"
    batch.write_text(f"type,customer_id\nerasure,{people[2].customer_id}\n")
    ran = shop.run("batch", str(batch), "--yes", "--json")
    assert (ran.code, [one["status"] for one in ran.json["cases"]]) == (4, ["refused"])
    assert shop.run("case", "reopen", case, "--because", "mistake").code == 0
    ran = shop.run("resume", case, "--json")
    assert (ran.code, [one["status"] for one in ran.json["cases"]]) == (4, ["refused"])
    assert apply(shop, late).json["status"] == "refused"
    assert shop.world.changing_calls() == changes


def test_a_limit_that_comes_later_does_not_stop_what_was_begun(users: Shop) -> None:
    shop, person = users, users.fresh()
    shop.servers[-1].down = True
    ran = shop.run("--json", "erase", id_of(person), "--yes")
    assert ran.json["status"] == "incomplete"
    shop.servers[-1].down = False
    approvals(shop, "most_records = 1\nrequired = true")
    shop.run("plan", "--case", str(ran.json["case"]))
    (done,) = shop.run("resume", str(ran.json["case"]), "--json").json["cases"]
    assert (done["status"], shop.world.held(person)) == ("completed", {})


# -- nobody's data ----------------------------------------------------------------------------------------------------


def test_none_of_this_leaves_personal_data_in_the_ledger(signing: Shop) -> None:
    person = signing.fresh()
    needles = needles_of(signing, person)
    case = planned(signing, person)
    assert approve(signing, case, "carol").code == 0
    signing.world.servers["cybersource"].app.enlarge(person, 1)
    assert apply(signing, case).code == 4
    assert approve(signing, case, "bob").code == 0
    assert apply(signing, case).code == 0
    assert leaks(signing.ledger_bytes(), needles) == []
