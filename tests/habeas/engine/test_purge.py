"""The purge itself, over cases without vendors: what goes, what stays, and why."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.habeas.engine.house import AT_ONCE, DAY, House, hold, package

import habeas.engine.purge
from habeas.cases.keys import KeyStore
from habeas.config import RetentionConfig
from habeas.engine.events import NobodyKnown
from habeas.engine.purge import carry_out_purge
from habeas.engine.recheck import Wanted, recheck_case
from habeas.engine.tools import Row, close_case
from habeas.errors import InputError, KeyDestroyed, RunEnded, StorageError
from habeas.models import CaseStatus, CaseType, Result
from habeas_audit import Draft

# -- what goes and what stays -----------------------------------------------------------------------------------------


def test_what_has_ended_goes_and_why_the_rest_stays_is_said(house: House) -> None:
    """Each reason by itself, counted; a plan destroys nothing."""
    until = (house.clock.now() + timedelta(days=50)).date().isoformat()
    gone = house.case()
    house.case(CaseType.ERASURE, hold(until))
    house.case(CaseType.ERASURE, hold(), Row("customer", "0", 1, Result.ERASED))
    house.case(status=None)
    house.case(CaseType.CONSENT, policy="")
    house.case(policy="gdpr-erasure")
    before = house.tools.ledger.head()
    plan = house.plan()
    assert [one.view.case_id for one in plan.ended] == [gone]
    assert house.tools.ledger.head() == before
    day = (house.clock.now() + timedelta(days=90)).date().isoformat()
    assert dict(plan.kept) == {
        f"records of the person are held until {until}; `habeas resume` erases them after that": 1,
        "a hold without an end keeps records of the person": 1,
        "the case is not finished": 1,
        f"kept for P90D after the case was closed (until {day})": 1,
        "the recheck P7D after its end is still to be made: `habeas recheck`": 1,
    }
    house.purge()
    assert house.said("details.destroyed") == [gone]
    house.check()


def test_a_held_case_goes_once_what_was_held_is_taken_up(house: House) -> None:
    """A later case erases it; the day alone is not enough."""
    until = (house.clock.now() + timedelta(days=20)).date().isoformat()
    name = house.case(CaseType.ERASURE, hold(until))
    house.clock.skip(30 * DAY)
    assert house.purge().ended == []
    house.tools.ledger.append(Draft("hold.released", name, "r-2", "", "", {"until": until, "case": "c-next"}))
    assert [one.view.case_id for one in house.purge().ended] == [name]
    house.check()


def test_only_the_cases_named_and_nothing_else(house: House) -> None:
    """Named twice it is one; an old quarter or somebody's place on the list is not asked about."""
    one, other = house.case(), house.case()
    house.retention = RetentionConfig(pseudonyms="P0D", suppression="P0D")
    house.clock.skip(400 * DAY)
    plan = house.purge(one, one)
    assert ([e.view.case_id for e in plan.ended], plan.epochs, plan.suppressed) == ([one], [], [])
    assert house.said("details.destroyed") == [one]
    assert house.plan(one).empty
    with pytest.raises(InputError, match="there is no case"):
        house.plan(other, "c-unknown")
    house.check()


@pytest.mark.parametrize("change", ["version = 2", None])
def test_a_policy_that_was_changed_or_is_gone_says_nothing_of_the_time_after(change: str | None, house: House) -> None:
    """Then the configuration does, and the usual rechecks: longer rather than shorter."""
    house.case()
    path = house.folder / "at-once.toml"
    if change is None:
        path.unlink()
    else:
        path.write_text(AT_ONCE.replace("version = 1", change))
    assert house.purge().ended == []
    assert list(house.plan().kept) == ["the recheck P7D after its end is still to be made: `habeas recheck`"]


def test_periods_longer_than_the_calendar_mean_never(make: Callable[..., House]) -> None:
    house = make(details="P9999Y", pseudonyms="P9999Y", suppression="P9999Y")
    house.case(CaseType.CONSENT, policy="")
    house.case(CaseType.ERASURE, hold("9999-12-31"))
    house.clock.skip(4000 * DAY)
    plan = house.purge()
    assert plan.empty
    assert sum(plan.kept.values()) == 2


def test_many_cases_go_in_steps_and_a_stop_leaves_whole_ones(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [house.case() for _ in range(5)]
    monkeypatch.setattr(habeas.engine.purge, "_TOGETHER", 2)
    run = house.run()
    destroy = KeyStore.destroy_case_keys

    def once(store: KeyStore, case_ids: Any, at: datetime) -> None:
        destroy(store, case_ids, at)
        run.control.stop()

    monkeypatch.setattr(KeyStore, "destroy_case_keys", once)
    with pytest.raises(RunEnded):
        carry_out_purge(house.tools, run, house.plan())
    house.check()
    assert house.said("details.destroyed") == names[:2]
    monkeypatch.setattr(KeyStore, "destroy_case_keys", destroy)
    house.purge()
    assert house.said("details.destroyed") == names


# -- packages ---------------------------------------------------------------------------------------------------------


def test_an_access_package_goes_with_its_case_wherever_it_was_written(make: Callable[..., House]) -> None:
    house = make(details="P0D")
    elsewhere = house.folder / "handed-over.zip"
    one = house.case(CaseType.ACCESS, policy="")
    other = house.case(CaseType.PORTABILITY, policy="", output=str(elsewhere))
    inside = house.home.packages / f"{one}.zip"
    package(house, one, inside)
    package(house, other, elsewhere)
    plan = house.purge()
    assert {e.view.case_id: e.package for e in plan.ended} == {one: inside, other: elsewhere}
    assert not inside.exists()
    assert not elsewhere.exists()
    house.check()


@pytest.mark.parametrize("same_size", [True, False])
def test_another_file_of_that_name_is_nobodys_package(same_size: bool, make: Callable[..., House]) -> None:
    """The package was moved away, and somebody has put their own file there since: it is left alone."""
    house = make(details="P0D")
    path = house.folder / "out.zip"
    name = house.case(CaseType.ACCESS, policy="", output=str(path))
    content = package(house, name, path)
    mine = b"a letter to my aunt".ljust(len(content) if same_size else 0, b".")
    path.write_bytes(mine)
    assert [e.package for e in house.purge().ended] == [None]
    assert path.read_bytes() == mine
    house.check()


def test_a_package_that_was_half_overwritten_by_a_killed_purge_is_taken_away(make: Callable[..., House]) -> None:
    house = make(details="P0D")
    path = house.folder / "out.zip"
    name = house.case(CaseType.ACCESS, policy="", output=str(path))
    content = package(house, name, path)
    path.write_bytes(bytes(4096) + content[4096:])
    house.purge()
    assert not path.exists()
    house.check()


def test_a_package_that_cannot_be_destroyed_keeps_its_case(
    make: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key stays until the next purge has come to it: nothing is called destroyed that is not."""
    house = make(details="P0D")
    name = house.case(CaseType.ACCESS, policy="")
    package(house, name, house.home.packages / f"{name}.zip")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "no")))
        with pytest.raises(StorageError, match="cannot be destroyed"):
            house.purge()
    assert house.said("details.destroyed") == []
    house.purge()
    house.check()
    assert house.said("details.destroyed") == [name]


# -- quarters and the suppression list --------------------------------------------------------------------------------


def test_a_quarters_pseudonyms_are_cut_off_once_none_of_its_cases_is_open(make: Callable[..., House]) -> None:
    """An open case keeps its quarter; afterwards that quarter is never made again, and the next has its own key."""
    house = make(details="P0D", pseudonyms="P1Y")
    old = house.case(status=None)
    (subject,) = {e.data["subject"][0] for e in house.tools.ledger.entries(case_id=old, types=["case.opened"])}
    assert subject.startswith("2026Q4:")
    house.clock.skip(406 * DAY)
    assert house.clock.now().date().isoformat() == "2028-01-01"
    assert house.purge().epochs == []
    close_case(house.tools, house.run(), old, CaseStatus.CANCELLED)
    house.clock.skip(DAY)
    assert house.purge().epochs == ["2026Q4"]
    assert house.said("pseudonyms.destroyed") == ["2026Q4"]
    with pytest.raises(KeyDestroyed):
        house.tools.keys.pseudonym("email", "k0@voliere.example", datetime(2026, 12, 1, tzinfo=UTC))
    new = house.case()
    (entry,) = house.tools.ledger.entries(case_id=new, types=["case.opened"])
    assert {name.split(":")[0] for name in entry.data["subject"]} == {"2028Q1"}
    assert house.tools.keys.epochs() == ["2028Q1"]
    house.check()


def test_the_quarter_in_use_is_never_cut_off(make: Callable[..., House]) -> None:
    """Quarters are counted in UTC: at half past midnight in Berlin on New Year's Day the old one is still in use."""
    house = make(pseudonyms="P0D")
    now = house.clock.now()
    house.clock.skip((datetime(2026, 12, 31, 23, 30, tzinfo=UTC) - now).total_seconds())
    house.tools.keys.pseudonym("email", "k@voliere.example", house.clock.now())
    assert house.tools.local_date(house.clock.now()).isoformat() == "2027-01-01"
    assert house.plan().epochs == []
    house.clock.skip(3600)
    assert house.plan().epochs == ["2026Q4"]


def test_places_on_the_suppression_list_end_with_their_own_retention(make: Callable[..., House]) -> None:
    """The day after; without one nobody is ever taken off. The ledger says why."""
    house = make(suppression="P30D")
    name = house.case()
    house.clock.skip(30 * DAY)
    assert house.plan().suppressed == []
    house.clock.skip(DAY)
    assert [one.case_id for one in replace(house.plan(), ended=[]).suppressed] == [name]
    house.retention = RetentionConfig()
    assert house.plan().suppressed == []
    house.retention = RetentionConfig(suppression="P30D")
    house.purge()
    assert list(house.tools.suppression.entries()) == []
    (entry,) = house.tools.ledger.entries(types=["suppression.lifted"])
    assert (entry.case_id, entry.data, entry.actor) == (name, {"why": "retention ended"}, "")


# -- after backups ----------------------------------------------------------------------------------------------------


def test_files_put_back_from_a_backup_are_purged_again_and_told_once(house: House) -> None:
    """The ledger has said so already; what the backup brought back is destroyed all the same."""
    name = house.case()
    saved = {path: path.read_bytes() for path in (house.home.keys, house.home.vault)}
    house.purge()
    house.app.close()
    for path, content in saved.items():
        path.write_bytes(content)
    house.app = house._open()
    assert house.tools.register.request(name).reference
    assert [one.view.case_id for one in house.purge().ended] == [name]
    house.check()
    assert house.said("details.destroyed") == [name]


def test_a_key_store_alone_put_back_makes_nothing_readable(house: House) -> None:
    """What the key opened is gone as well: the details are destroyed still, and nobody can be looked up again."""
    name = house.case()
    saved = house.home.keys.read_bytes()
    house.purge()
    house.app.close()
    house.home.keys.write_bytes(saved)
    house.app = house._open()
    view = house.app.seen(name)
    assert house.app.record(view).details == "destroyed"
    assert recheck_case(house.tools, house.run(), Wanted(view, ()), ()) == NobodyKnown(name)


def test_another_key_store_makes_details_unavailable_and_not_destroyed(house: House) -> None:
    name = house.case()
    house.app.close()
    for path in house.home.path.glob("keys.db*"):
        path.unlink()
    with closing(KeyStore.create(house.home.keys)):
        pass
    house.app = house._open()
    assert house.app.record(house.app.seen(name)).details == "unavailable"
