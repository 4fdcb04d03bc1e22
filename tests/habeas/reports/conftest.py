"""An office with a certificate of each kind of case."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.habeas.engine.house import AT_ONCE
from tests.habeas.reports.office import CASES, OPERATOR, Office, Value

from habeas.home import Home
from habeas.opening import create_home
from habeas.testing.clock import SkippingClock


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    create_home(Home(folder / "home"), SkippingClock())
    (folder / "at-once.toml").write_text(AT_ONCE)
    made = Office(folder)
    yield made
    made.app.close()


@pytest.fixture(scope="session")
def certificates(office: Office) -> dict[str, Value]:
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("getpass.getuser", lambda: OPERATOR)
        for name, _, build in CASES:
            case_id = build(office)
            office.call(case_id, "shop", "done")
            office.call(case_id, "shop", "failed")
            office.call(case_id, "bank", None)
            made[name] = office.certificate(case_id)
    return made


@pytest.fixture(scope="session")
def good(certificates: dict[str, Value]) -> Value:
    return certificates["held by a policy"]
