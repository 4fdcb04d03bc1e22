"""The certificate says what the entries say, and nothing of whom they are about; an opening and a page go with it."""

from __future__ import annotations

import copy
import html.parser
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.habeas.engine.house import hold
from tests.habeas.reports.office import CASES, ERASED, OPERATOR, Office, Value, holds, outcome, wrong
from tests.searching import leaks, needles_for

from habeas.cases.commitment import openings
from habeas.engine.tools import close_case, write_rows
from habeas.models import CaseStatus, CaseType, Identifier, Result, Subject
from habeas.reports.certificate import (
    certificate_html,
    check_certificate,
    check_opening,
    opening_json,
)
from habeas.reports.certificate.build import Issuer
from habeas_audit import ProofInvalid

# -- what it says -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "state"), [(name, state) for name, state, _ in CASES], ids=[c[0] for c in CASES])
def test_a_case_has_the_state_its_outcomes_have(
    name: str, state: str, certificates: dict[str, Value], office: Office
) -> None:
    """Less than all is never called complete, neither in the JSON nor on the page."""
    value = certificates[name]
    assert value["statement"]["state"] == state
    found = check_certificate(value, office.keys)
    assert wrong(found) == []
    assert found.ok
    page = certificate_html(value).decode()
    said = re.findall(r'<p class="state ([a-z]+)"><strong>([A-Z][a-z]+)\.</strong>', page)
    assert said == [(state, state.capitalize())]
    if state != "complete":
        assert "complete" not in json.dumps(value["statement"]).replace("completed", "").lower()
        assert "Everything was done" not in page


@pytest.mark.parametrize("name", [name for name, _, _ in CASES])
def test_every_field_can_be_made_again_from_the_entries(name: str, certificates: dict[str, Value]) -> None:
    """By somebody else's program, as this one is: from the bodies alone."""
    value = certificates[name]
    bodies = [json.loads(entry["body"]) for entry in value["entries"]]

    def typed(kind: str) -> list[Value]:
        return [body for body in bodies if body["type"] == kind]

    (opened,) = typed("case.opened")
    closed = next(iter(typed("case.closed")), None)
    statement = value["statement"]
    assert (statement["case"], statement["type"]) == (opened["case"], opened["data"]["type"])
    for field in ("regime", "received_at", "due_at", "person"):
        assert statement[field] == opened["data"][field]
    assert statement["opened_at"] == opened["at"]
    assert statement["closed_at"] == (closed["at"] if closed else None)
    assert statement["reason"] == ((closed["data"].get("reason") if closed else None) or None)
    assert (statement["follows"], statement["ground"], statement["details_destroyed_at"]) == (None, None, None)
    policy = opened["data"].get("policy")
    digest = opened["data"].get("policy_digest")
    assert statement["policy"] == ({"name": policy, "digest": digest} if policy else None)
    assert statement["entries"] == [body["seq"] for body in bodies]
    written = [
        (body, group, record)
        for body in typed("record.outcome")
        for group in body["data"]["outcomes"]
        for record in group["records"]
    ]
    for said, (body, group, (_, record, count)) in zip(statement["outcomes"], written, strict=True):
        where = (said["entry"], said["connection"], said["at"], said["known_by"] != "")
        assert where == (body["seq"], body["connection"], body["at"], True)
        assert (said["plugin"], said["record"], said["count"]) == (body["data"]["plugin"], record, count)
        assert said["result"] == group["result"]
        for field in ("reason", "until", "evidence", "legal_basis"):
            assert said[field] == group.get(field)
        assert {f: said.get(f) for f in ("purpose", "field")} == {f: group.get(f) for f in ("purpose", "field")}
    answers = {body["data"]["intent"]: body["data"]["result"] for body in typed("call.outcome")}
    calls = Counter((body["connection"], answers.get(body["seq"], "open")) for body in typed("call.intent"))
    assert calls == {(place, how): n for place, counts in statement["calls"].items() for how, n in counts.items()}
    assert [r["periods"] for r in statement["rechecks"]] == [b["data"]["periods"] for b in typed("case.rechecked")]
    assert set(statement) == {
        "case", "type", "state", "reason", "regime", "received_at", "due_at", "opened_at", "closed_at", "follows",
        "policy", "ground", "person", "outcomes", "calls", "rechecks", "details_destroyed_at", "entries",
    }  # fmt: skip


def test_it_names_neither_the_person_nor_whoever_worked_on_it(certificates: dict[str, Value], office: Office) -> None:
    """No identifier, no reference, no operating system user: in no form, in no part."""
    values = {"operator": OPERATOR}
    for n in range(len(CASES)):
        values |= {f"id {n}": f"C-{n}-kanarie", f"email {n}": f"k{n}@voliere.example", f"ticket {n}": f"ticket {n} x"}
    needles = needles_for(values)
    content = b"".join(json.dumps(value).encode() + certificate_html(value) for value in certificates.values())
    assert leaks(content, needles) == []
    assert OPERATOR in b"".join(entry.body for entry in office.tools.ledger.entries()).decode(), "the run names them"
    for value in certificates.values():
        for entry in value["entries"]:
            assert "actor" not in json.loads(entry["body"])


def test_a_later_certificate_says_what_came_since(office: Office) -> None:
    """The earlier one still holds: it says how things stood."""
    name = office.case(CaseType.ERASURE, ERASED, outcome(Result.MANUAL))
    early = office.certificate(name)
    office.purge(name)
    late = office.certificate(name)
    assert (early["statement"]["details_destroyed_at"], bool(late["statement"]["details_destroyed_at"])) == (None, True)
    assert len(late["entries"]) == len(early["entries"]) + 2
    assert (holds(early, office.keys), holds(late, office.keys)) == (True, True)


# -- openings ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened(office: Office) -> tuple[Value, Value]:
    """A certificate and its opening."""
    name = office.case()
    made = openings(office.tools.keys, name, office.tools.register.request(name).subject)
    opening: Value = json.loads(json.dumps(opening_json(name, made)))
    return office.certificate(name)["statement"], opening


def test_an_opening_shows_whom_a_certificate_is_about(opened: tuple[Value, Value]) -> None:
    statement, opening = opened
    checks = check_opening(opening, statement)
    assert [check.ok for check in checks] == [True, True, True]
    assert {check.what for check in checks} == {
        "the opening belongs to this case", "the certificate is about that customer_id",
        "the certificate is about that email",
    }  # fmt: skip
    assert not any("kanarie" in check.what + check.detail for check in checks)


WRONG: list[tuple[str, Callable[[Value], object]]] = [
    ("another person", lambda o: o["identifiers"][0].update(value="C-9999-kanarie")),
    ("the value in capitals", lambda o: o["identifiers"][0].update(value=o["identifiers"][0]["value"].upper())),
    ("another kind", lambda o: o["identifiers"][0].update(kind="voucherify")),
    ("the other one's salt", lambda o: o["identifiers"][0].update(salt=o["identifiers"][1]["salt"])),
    ("a salt of zeros", lambda o: o["identifiers"][0].update(salt="00" * 32)),
    ("a salt cut short", lambda o: o["identifiers"][0].update(salt=o["identifiers"][0]["salt"][:-2])),
    ("no salt", lambda o: o["identifiers"][0].update(salt="")),
    ("another case", lambda o: o.update(case="c-other")),
]


@pytest.mark.parametrize("change", [how for _, how in WRONG], ids=[name for name, _ in WRONG])
def test_a_wrong_opening_opens_nothing(change: Callable[[Value], object], opened: tuple[Value, Value]) -> None:
    opening = copy.deepcopy(opened[1])
    change(opening)
    assert [check.ok for check in check_opening(opening, opened[0])].count(False) == 1


def test_an_opening_of_another_certificate_opens_nothing(opened: tuple[Value, Value], good: Value) -> None:
    assert not any(check.ok for check in check_opening(opened[1], good["statement"]))


@pytest.mark.parametrize(
    "value",
    [
        {}, {"format": "habeas-opening-1", "case": "c-1"},
        {"format": "habeas-opening-1", "case": "c-1", "identifiers": []},
        {"format": "habeas-opening-1", "case": "c-1", "identifiers": [{"kind": "email"}]},
        {"format": "habeas-opening-1", "identifiers": [{"kind": "email", "value": "a@x.example", "salt": "zz"}]},
        {"format": "habeas-opening-1", "identifiers": ["a@x.example"]},
    ],
)  # fmt: skip
def test_what_is_no_opening_is_told_so_without_repeating_it(value: Any) -> None:
    with pytest.raises(ProofInvalid) as caught:
        check_opening(value, {"case": "c-1", "person": []})
    assert "x.example" not in str(caught.value)


# -- the page ---------------------------------------------------------------------------------------------------------

HOSTILE = '<script>alert("x")</script><img src=http://evil.example/a.png> & "Söhne" \u202egnp.exe'


class Page(html.parser.HTMLParser):
    """Checks that every element is closed in its place; gathers what a browser would act on."""

    VOID = ("meta", "br", "img", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", [name for name, _, _ in CASES])
def test_the_page_is_whole_and_reaches_for_nothing(name: str, certificates: dict[str, Value]) -> None:
    """No script, no image, no link, no style from elsewhere; its limits are on it."""
    text = certificate_html(certificates[name]).decode()
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert page.tags["h1"] == page.tags["title"] == page.tags["main"] == 1
    assert not set(page.tags) & {"script", "img", "link", "a", "iframe", "form", "object", "svg", "base"}
    assert ("meta", "content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert not [a for a in page.attributes if a[1] in ("src", "href", "style") or a[1].startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    words = " ".join(page.text.split())
    for limit in (
        "It does not prove that the entries were true when they were written, nor that a vendor told the truth",
        "nor that nothing was added about the case later. Acknowledged is not erased.",
        "which must come from another place than this page",
    ):
        assert limit in words
    statement = certificates[name]["statement"]
    assert statement["case"] in words
    assert all((row["result"] in words and row["known_by"] in words) or row["reason"] for row in statement["outcomes"])


def test_hostile_texts_stay_texts(office: Office) -> None:
    """In the controller's name, a vendor's reason, a notice, a policy's ground and a connection's name."""
    name = office.case(CaseType.ERASURE, hold("2034-12-31"), outcome(Result.MANUAL, reason=HOSTILE), status=None)
    view = office.tools.register.view(name)
    write_rows(office.tools, office.run(), view, "vendor-eu", "vendor", [outcome(Result.ERASED, evidence=HOSTILE)])
    close_case(office.tools, office.run(), name, CaseStatus.COMPLETED, HOSTILE)
    value = office.certificate(name)
    for row in value["statement"]["outcomes"]:
        row["connection"] = HOSTILE if row["connection"] == "vendor-eu" else row["connection"]
    value["issuer"] = Issuer(HOSTILE, HOSTILE, HOSTILE, ((HOSTILE, HOSTILE, HOSTILE),)).to_json()
    page = Page(certificate_html(value).decode())
    assert not set(page.tags) & {"script", "img"}
    assert page.text.count('<script>alert("x")</script><img src=http://evil.example/a.png> & "Söhne"') >= 6


def test_a_hold_is_shown_with_why_and_until_when(certificates: dict[str, Value]) -> None:
    pages = {name: " ".join(Page(certificate_html(certificates[name]).decode()).text.split()) for name in certificates}
    assert "What is kept, why, and until when" in pages["held by a policy"]
    assert "Until 2034-12-31" in pages["held by a policy"]
    assert "Legal basis: https://w3id.org/dpv/legal/eu/gdpr#A6-1-c" in pages["held by a policy"]
    assert "No end is set" in pages["held without an end"]
    assert "What is left to do" in pages["left to a person"]
    assert "What is left to do" not in pages["erased everywhere"]
    assert "records were there again at shop" in pages["came back"]
    assert "(marketing_email)" in pages["consent"]


def test_an_identifier_of_any_kind_can_be_committed_to(office: Office) -> None:
    """Also where two are alike: the commitments are as many as the identifiers."""
    subject = Subject(tuple(Identifier(kind, "alike@voliere.example") for kind in ("email", "customer_id", "shop")))
    office.tools.keys.new_case_keys(["c-alike"])
    made = openings(office.tools.keys, "c-alike", subject)
    assert len({opening.commitment for opening in made}) == 3
