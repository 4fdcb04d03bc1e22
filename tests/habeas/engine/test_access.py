"""Access under a policy that hands a kind of record to a person first."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from habeas.app import App
from habeas.clock import SystemClock
from habeas.control import RunControl
from habeas.demo.world import World
from habeas.home import Home
from habeas.models import CaseType, Identifier
from habeas.opening import create_home
from habeas.registry import Registry

LOOK_FIRST = """
name = "look-first"
version = 1
type = "access"
regime = "gdpr"
description = "Somebody looks at referrals before they are handed over."
[default]
action = "retain"
reason = "a copy is handed over"
legal_basis = "https://w3id.org/dpv/legal/eu/gdpr#A15"
legal_source = "GDPR Art. 15(3)"
[[rules]]
match.record = "activity"
action = "manual"
reason = "it may show other people"
instructions = "look through the events, then send them"
"""


def test_what_a_policy_hands_to_a_person_is_not_in_the_package_and_is_said(tmp_path: Path) -> None:
    """The outcome is manual with the instructions; the package tells of it as not searched; all else is there."""
    with World.start(Registry.load(), 12) as world:
        config = world.write_setup(tmp_path)
        (tmp_path / "policies").mkdir()
        (tmp_path / "policies" / "look-first.toml").write_text(LOOK_FIRST)
        config.write_text(config.read_text() + '\n[policies]\nfolder = "policies"\naccess = "look-first"\n')
        create_home(Home(tmp_path / "home"), SystemClock())
        with App.open(Home(tmp_path / "home"), config) as app:
            subject = app.resolve([Identifier("customer_id", world.people[0].customer_id)])
            with app.run("access", lambda _: None, RunControl(app.tools.clock, 60)) as run:
                new = app.new_case(CaseType.ACCESS, subject, approved=True)
                (case_id,) = app.tools.register.open(run.run_id, [new])
                view = app.work_on(run, case_id)
            assert view is not None
            package = zipfile.ZipFile(app.record(view).package)
    told = {(row.connection, row.record): row for row in view.outcomes}
    held_back = told["voucherify", "activity"]
    assert (str(held_back.result), held_back.count > 0) == ("manual", True)
    assert "look through the events" in held_back.reason
    assert str(told["voucherify", "order"].result) == "exported"
    assert not [name for name in package.namelist() if "activity" in name]
    data = json.loads(package.read("data.json"))
    voucherify = next(p for p in data["processors"] if p["connection"] == "voucherify")
    assert "activity" not in [record["kind"] for record in voucherify["records"]]
    assert "activity" in [gap["kind"] for gap in voucherify["gaps"]]
    package.close()
