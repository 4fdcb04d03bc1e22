"""What vendors hold may be markup, formulas, or orders to a terminal: it is shown as text, wherever it comes out."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.habeas.cli.conftest import Ran, open_shop
from tests.hostile.catalogue import FORMULA_STARTS, STEERING

from habeas.testing.people import Person, seeded_people

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

EVIL = (
    '"><script>alert(1)</script><img src=x onerror=alert(1)>', "\x1b[2J\x1b]8;;http://evil.example\x07click\x9b2J",
    '=HYPERLINK("http://evil.example")', "\u202egpj.exe\u2066", "[bold red]x[/][link=http://evil.example]y[/link]",
    "{{7*7}}{% raw %}</title></style>", "../../../etc/passwd\r\nhabeas: completed",
)  # fmt: skip
ALLOWED = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")


def _evil(count: int, plugins: list[str]) -> tuple[Person, ...]:
    """The same people, with names and addresses that mean harm. Their ids and e-mails are what requests name."""
    evil: dict[str, Any] = {
        "first_name": EVIL[0] + EVIL[5], "last_name": EVIL[2], "street": EVIL[1] + EVIL[6], "city": EVIL[3] + EVIL[4],
    }  # fmt: skip
    return tuple(dataclasses.replace(person, **evil) for person in seeded_people(count, plugins))


@pytest.fixture(scope="module")
def evil_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Vendors that hold such people."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("habeas.demo.world.seeded_people", _evil)
        shop = open_shop(tmp_path_factory.mktemp("evil"), 12)
    yield shop
    shop.world.stop()


def quiet(ran: Ran) -> None:
    """Nothing that steers a terminal, no line that is not ours, no value of the person's."""
    said = ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    assert "internal fault" not in said
    assert not set(said) & set(STEERING)
    assert not any(line.startswith("habeas: completed") for line in said.splitlines())
    assert "evil.example" not in said
    assert "<script" not in said


def test_what_a_vendor_holds_reaches_the_terminal_packages_and_reports_as_text(evil_shop: Shop, tmp_path: Path) -> None:
    shop, person = evil_shop, evil_shop.world.people[0]
    who = f"customer_id={person.customer_id}"
    for arguments in (["inventory", who, "--show-ids"], ["erase", who, "--dry-run"], ["inventory", who, "--json"]):
        quiet(shop.run(*arguments))
    package = tmp_path / "package.zip"
    ran = shop.run("access", who, "-o", str(package))
    quiet(ran)
    _check_package(package)
    ran = shop.run("erase", who, "--yes", "--json")
    quiet(ran)
    case = ran.json["case"]
    assert case in shop.run("case", "show", case).stdout
    certificate = tmp_path / "certificate.json"
    quiet(shop.run("certificate", case, "-o", str(certificate)))
    quiet(shop.run("verify", str(certificate)))
    for form in ("html", "csv", "json"):
        quiet(shop.run("report", "--format", form, "-o", str(tmp_path / f"report.{form}")))
    written = [path for path in tmp_path.iterdir() if path != package]
    assert len(written) >= 5
    for path in written:
        _check_report(path)
    assert all(ALLOWED.fullmatch(str(path.relative_to(shop.home.path))) for path in shop.home.path.rglob("*"))


def _check_package(path: Path) -> None:
    """Every file has a name of ours; the page holds no element that acts; the data are the vendor's, to the byte."""
    with zipfile.ZipFile(path) as package:
        names = package.namelist()
        assert all(ALLOWED.fullmatch(name) and ".." not in name for name in names)
        page = package.read("index.html").decode()
        data = "".join(package.read(name).decode() for name in names if name.endswith(".json"))
    assert not re.search(r"<(script|img|iframe|object|embed|form|base|link)\b", page)
    assert not set(page) & set(STEERING)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{7*7}}{% raw %}" in page
    assert json.dumps(EVIL[2], ensure_ascii=False)[1:-1] in data


def _check_report(path: Path) -> None:
    """What goes to others, about the case: nothing of the person, no markup of a vendor's, no cell that computes."""
    text = path.read_text(encoding="utf-8")
    assert "evil.example" not in text
    assert "alert(1)" not in text
    assert not set(text) & set(STEERING)
    if path.suffix == ".csv":
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert cells
        assert [cell for cell in cells if cell[:1] and cell[0] in FORMULA_STARTS] == []
