"""What scripts rely on: the JSON of every command, key by key, and stdout for it alone."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from habeas import __version__
from habeas.cases.outcomes import outcomes_in
from habeas.models import CaseStatus, CaseType, Result
from habeas_audit import verify
from habeas_policies import bundled

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

CASE = {
    "case": str, "run": str, "reference": str | None, "type": str, "status": str, "regime": str, "received_at": str,
    "due_at": str, "policy": dict | None, "plan_digest": str | None, "outcomes": list, "notices": list, "ledger": dict,
}  # fmt: skip
OUTCOME = {
    "connection": str, "plugin": str, "record": str, "count": int, "result": str, "reason": str | None,
    "until": str | None, "evidence": str | None, "entry": int,
}  # fmt: skip
NOTICE = {"connection": str, "text": str, "until": str | None}
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
CASE_ID = re.compile(r"c-[0-9A-HJKMNP-TV-Z]{18}")
RUN_ID = re.compile(r"r-[0-9A-HJKMNP-TV-Z]{15}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
DAY = re.compile(r"\d{4}-\d\d-\d\d")


def check_shape(value: dict[str, Any], shape: dict[str, Any], *, extra: frozenset[str] = frozenset()) -> None:
    """Exactly these keys, of these types, and no empty text where the contract says null."""
    assert set(value) - extra == set(shape)
    for key, kind in shape.items():
        assert isinstance(value[key], kind), (key, value[key])
        assert value[key] != "", key
        assert not (kind is int and isinstance(value[key], bool))


def check_ledger(value: dict[str, Any], shop: Shop) -> None:
    """The head in the answer is the file's, hashed anew from its bytes."""
    found = verify(shop.home.ledger)
    assert found.ok
    assert value == {"size": found.size, "root": found.root_text}


def check_case(case: dict[str, Any], shop: Shop) -> None:
    """The contract's JSON of a case."""
    check_shape(case, CASE, extra=frozenset({"package"}))
    assert CASE_ID.fullmatch(case["case"])
    assert RUN_ID.fullmatch(case["run"])
    assert case["type"] in list(CaseType)
    assert case["status"] in list(CaseStatus)
    assert INSTANT.fullmatch(case["received_at"])
    assert INSTANT.fullmatch(case["due_at"])
    assert datetime.fromisoformat(case["due_at"]) > datetime.fromisoformat(case["received_at"])
    if case["policy"] is not None:
        check_shape(case["policy"], {"name": str, "digest": str})
        assert DIGEST.fullmatch(case["policy"]["digest"])
    if case["plan_digest"] is not None:
        assert DIGEST.fullmatch(case["plan_digest"])
    infos = {info.name: info for info in shop.registry.infos.values()}
    for row in case["outcomes"]:
        check_shape(row, OUTCOME)
        assert row["connection"] in shop.world.servers
        assert row["record"] in [kind.name for kind in infos[row["plugin"]].kinds]
        assert row["result"] in list(Result)
        assert row["until"] is None or DAY.match(row["until"])
        assert 0 < row["entry"] <= case["ledger"]["size"]
        if row["result"] in ("erased", "absent", "exported", "unchanged"):
            assert row["evidence"]
        else:
            assert row["reason"]
    for notice in case["notices"]:
        check_shape(notice, NOTICE)
        assert notice["connection"] in shop.world.servers
        assert notice["until"] is None or DAY.fullmatch(notice["until"])
    check_shape(case["ledger"], {"size": int, "root": str})
    assert DIGEST.fullmatch(case["ledger"]["root"])


def check_entries(case: dict[str, Any], shop: Shop) -> None:
    """Every outcome can be traced to the ledger entry it names."""
    log = shop.run("audit", "log", "--case", case["case"], "--type", "record.outcome", "--json").json["entries"]
    entries = {entry["seq"]: entry for entry in log}
    for row in case["outcomes"]:
        entry = entries[row["entry"]]
        assert entry["connection"] == row["connection"]
        keys = ("plugin", "record", "count", "result", "evidence")
        said = [[one.get(key) for key in keys] for one in outcomes_in(entry["data"])]
        assert [row[key] for key in keys] in said


def same_case(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Besides the ledger, which goes on."""
    return {k: v for k, v in one.items() if k != "ledger"} == {k: v for k, v in other.items() if k != "ledger"}


# -- cases ------------------------------------------------------------------------------------------------------------


def test_erase_access_portability_and_case_show_speak_one_json(shop: Shop) -> None:
    """Key by key; case show says afterwards what the command said."""
    person = shop.fresh()
    who = f"customer_id={person.customer_id}"
    for type_, *arguments in (
        ["access", "access", who, "--reference", "T-1"],
        ["portability", "access", who, "--portability"],
        ["erasure", "erase", who, "--yes", "--reference", "T-2", "--policy", "gdpr-erasure"],
    ):
        ran = shop.run("--json", *arguments)
        assert ran.code in (0, 3), ran.stderr
        case = ran.json
        check_case(case, shop)
        check_ledger(case["ledger"], shop)
        check_entries(case, shop)
        assert (case["type"], case["status"], case["regime"]) == (type_, "completed", "gdpr")
        assert case["policy"]["name"] == ("gdpr-erasure" if type_ == "erasure" else "gdpr-access")
        assert (case["plan_digest"] is None) == (type_ != "erasure")
        assert case["reference"] == {"access": "T-1", "portability": None, "erasure": "T-2"}[type_]
        assert ("package" in case) == (type_ != "erasure")
        shown = shop.run("case", "show", case["case"], "--json")
        assert shown.code == ran.code
        assert same_case(shown.json, case)
        check_ledger(shown.json["ledger"], shop)


def test_progress_goes_to_stderr_and_json_stands_alone_on_stdout(shop: Shop) -> None:
    """Before or behind the command: the same document; nothing else on stdout."""
    who = f"customer_id={shop.fresh().customer_id}"
    front, behind = shop.run("--json", "erase", who, "--dry-run"), shop.run("erase", who, "--dry-run", "--json")
    assert front.json["plan"] == behind.json["plan"]
    for ran in (front, behind):
        assert all(f"  {name}: " in ran.stderr for name in shop.world.servers)
        assert ran.stdout.startswith("{\n")
        assert ran.stdout.endswith("\n}\n")


def test_a_dry_run_has_a_plan_and_no_case(shop: Shop) -> None:
    """The contract's keys as far as there is something to say, and the plan; the head is the file's."""
    ran = shop.run("--json", "erase", f"customer_id={shop.fresh().customer_id}", "--dry-run", "--reference", "T-9")
    plan = ran.json
    assert ran.code == 0
    check_shape(plan, {**CASE, "case": None.__class__, "dry_run": bool, "plan": list})
    assert (plan["dry_run"], plan["outcomes"], plan["reference"]) == (True, [], "T-9")
    assert DIGEST.fullmatch(plan["plan_digest"])
    check_ledger(plan["ledger"], shop)
    for part in plan["plan"]:
        check_shape(
            part,
            {"connection": str, "plugin": str, "searched": bool, "problem": str | None, "evidence": str | None,
             "records": list, "gaps": list},
        )  # fmt: skip
        assert part["records"]
        for record in part["records"]:
            check_shape(
                record,
                {"record": str, "count": int, "action": str, "reason": str, "legal_basis": str | None,
                 "until": str | None},
            )  # fmt: skip
            assert record["action"] == "erase"


def test_inventory_lists_records_and_shortens_ids(shop: Shop) -> None:
    """Whole ids only with `--show-ids`."""
    who = f"customer_id={shop.fresh().customer_id}"
    ran = shop.run("--json", "inventory", who)
    check_shape(ran.json, {"run": str, "connections": list, "ledger": dict})
    check_ledger(ran.json["ledger"], shop)
    whole = shop.run("--json", "inventory", who, "--show-ids").json["connections"]
    for part, full in zip(ran.json["connections"], whole, strict=True):
        check_shape(
            part,
            {"connection": str, "plugin": str, "searched": bool, "problem": None.__class__, "evidence": str,
             "records": list, "gaps": list},
        )  # fmt: skip
        assert part["records"]
        for record, named in zip(part["records"], full["records"], strict=True):
            check_shape(record, {"record": str, "count": int, "ids": list})
            for shown, real in zip(record["ids"], named["ids"], strict=True):
                assert "…" in shown
                assert "…" not in real
                assert len(shown) < 6
    assert [c["connection"] for c in ran.json["connections"]] == list(shop.world.servers)


def test_an_inventory_that_could_not_be_made_is_1_and_says_why(shop: Shop) -> None:
    """`searched` is false: absence is not claimed."""
    shop.servers[0].down = True
    ran = shop.run("--json", "inventory", "customer_id=C-100000", "--max-wait", "1")
    down, *others = ran.json["connections"]
    assert ran.code == 1
    assert (down["searched"], down["records"], down["evidence"]) == (False, [], None)
    assert down["problem"]
    assert all(part["searched"] for part in others)


# -- many -------------------------------------------------------------------------------------------------------------

SUMMARY = {
    "cases": int, "statuses": dict, "results": dict, "skipped": int, "not_started": int, "ended_by": str | None,
    "goes_on_at": str | None,
}  # fmt: skip


def test_batch_and_resume_print_run_cases_and_summary(shop: Shop, tmp_path: Path) -> None:
    """Each case as elsewhere; references come back; the sums are the cases'."""
    one, two = shop.fresh(), shop.fresh()
    path = tmp_path / "requests.csv"
    path.write_text(
        "type,customer_id,reference\n"
        f"inventory,{one.customer_id},R-1\nerasure,{one.customer_id},\naccess,{two.customer_id},R-3\n"
    )
    ran = shop.run("batch", str(path), "--yes", "--json")
    check_shape(ran.json, {"run": str, "cases": list, "summary": dict})
    extra = {"rows": int, "duplicates": int, "invalid": int, "invalid_file": str | None}
    check_shape(ran.json["summary"], SUMMARY | extra)
    cases = {case["type"]: case for case in ran.json["cases"]}
    assert {type_: case["reference"] for type_, case in cases.items()} == {
        "inventory": "R-1", "erasure": None, "access": "R-3",
    }  # fmt: skip
    for case in cases.values():
        check_case(case, shop)
        check_entries(case, shop)
        assert case["run"] == ran.json["run"]
        assert same_case(shop.run("case", "show", case["case"], "--json").json, case)
    assert cases["inventory"]["policy"] is None
    assert ran.json["summary"]["cases"] == 3
    results = [row["result"] for case in cases.values() for row in case["outcomes"]]
    assert ran.json["summary"]["results"] == {r: results.count(r) for r in sorted(set(results))}
    again = shop.run("resume", "--json")
    check_shape(again.json, {"run": str, "cases": list, "summary": dict})
    check_shape(again.json["summary"], SUMMARY)
    assert (again.code, again.json["cases"], again.json["summary"]["cases"]) == (0, [], 0)


def test_case_list_has_every_case_oldest_first(shop: Shop) -> None:
    """With its state and its clock; `--status` and `--limit` choose."""
    for _ in range(3):
        shop.run("erase", "customer_id=nobody-here", "--yes")
    cases = shop.run("case", "list", "--json").json["cases"]
    for case in cases:
        check_shape(case, dict.fromkeys(("case", "type", "status", "regime", "received_at", "due_at", "run"), str))
    opened = shop.run("audit", "log", "--type", "case.opened", "--json").json["entries"]
    assert [c["case"] for c in cases] == [entry["case"] for entry in opened]
    assert shop.run("case", "list", "--json", "--limit", "2").json["cases"] == cases[-2:]
    assert shop.run("case", "list", "--json", "--status", "refused").json["cases"] == []
    done = shop.run("case", "list", "--json", "--status", "completed").json["cases"]
    assert done == [c for c in cases if c["status"] == "completed"]


# -- the ledger -------------------------------------------------------------------------------------------------------


def test_audit_log_is_the_ledger_entry_by_entry(shop: Shop) -> None:
    """Every entry, with its leaf hash; filters choose; the head is the file's."""
    shop.run("inventory", "customer_id=nobody-here")
    ran = shop.run("audit", "log", "--json")
    assert ran.code == 0
    check_ledger(ran.json["ledger"], shop)
    entries = ran.json["entries"]
    assert [entry["seq"] for entry in entries] == list(range(1, ran.json["ledger"]["size"] + 1))
    for entry in entries:
        check_shape(
            entry,
            {"seq": int, "at": str, "type": str, "case": str | None, "run": str | None, "connection": str | None,
             "actor": str | None, "data": dict, "leaf_hash": str},
        )  # fmt: skip
        assert re.fullmatch(r"[a-z]+(\.[a-z]+)+|checkpoint", entry["type"])
        assert DIGEST.fullmatch(entry["leaf_hash"])
    run = entries[-1]["run"]
    assert shop.run("audit", "log", "--json", "--run", run).json["entries"] == [e for e in entries if e["run"] == run]
    assert shop.run("audit", "log", "--json", "--after", "3", "--limit", "2").json["entries"] == entries[3:5]
    started = [e for e in entries if e["type"] in ("run.started", "run.ended")]
    chosen = shop.run("audit", "log", "--json", "--type", "run.started", "--type", "run.ended").json["entries"]
    assert chosen == started
    packages = started[0]["data"]["packages"]
    assert set(packages) >= set(started[0]["data"]["plugins"].values())
    ours = {packages[name] for name in ("cybersource", "talonone", "voucherify")}
    assert ours == {f"habeas {__version__}"}, "what ran, for whoever asks later"
    assert shop.run("audit", "log", "--json", "--case", "c-none").json["entries"] == []


def test_audit_verify_finds_nothing_in_what_was_written_and_names_what_was_changed(shop: Shop, tmp_path: Path) -> None:
    """0 and the root; a changed copy is 1 and the entry."""
    shop.run("inventory", "customer_id=nobody-we-know")
    ran = shop.run("audit", "verify", "--json")
    assert ran.code == 0
    check_shape(
        ran.json,
        {"ok": bool, "size": int, "root": str, "signed": dict, "unsigned": int, "checkpoints": int, "findings": list},
    )
    check_shape(ran.json["signed"], {"size": int, "keys": list, "pinned": bool})
    assert (ran.json["signed"]["size"], ran.json["unsigned"]) == (ran.json["size"], 0)
    check_ledger({"size": ran.json["size"], "root": ran.json["root"]}, shop)
    copy = tmp_path / "copy.db"
    body = shop.ledger_bytes()
    assert body.count(b'"type":"run.started"') > 0
    copy.write_bytes(body.replace(b'"type":"run.started"', b'"type":"run.startex"', 1))
    copy.chmod(0o600)
    changed = shop.run("audit", "verify", "--file", str(copy), "--json")
    assert (changed.code, changed.json["ok"]) == (1, False)
    for finding in changed.json["findings"]:
        check_shape(finding, {"kind": str, "seq": int | None, "text": str})
    assert any(finding["seq"] is not None for finding in changed.json["findings"])
    table = shop.run("audit", "verify", "--file", str(copy))
    assert (table.code, len(table.stdout.splitlines())) == (1, len(changed.json["findings"]))


# -- policies, plugins, doctor ----------------------------------------------------------------------------------------


def test_policy_list_show_and_check(shop: Shop, tmp_path: Path) -> None:
    """Bundled ones by name, with the digest that cases carry."""
    summary = {"name": str, "version": int, "type": str, "regime": str, "description": str, "digest": str}
    policies = shop.run("policy", "list", "--json").json["policies"]
    assert [p["name"] for p in policies] == list(bundled())
    ruling = dict.fromkeys(("reason", "legal_basis", "legal_source", "exemption", "instructions"), str | None)
    for policy in policies:
        check_shape(policy, summary)
        shown = shop.run("policy", "show", policy["name"], "--json").json
        check_shape(shown, {**summary, "rules": list, "default": dict, "after": dict})
        assert {k: shown[k] for k in summary} == policy
        check_shape(shown["default"], {"action": str, **ruling})
        for rule in shown["rules"]:
            check_shape(rule, {"match": dict, "action": str, **ruling})
    own = tmp_path / "ours.toml"
    text = 'name = "ours"\nversion = 1\ntype = "erasure"\nregime = "gdpr"\ndescription = "Ours."\n'
    own.write_text(f'{text}[default]\naction = "erase"\nreason = "Asked."\nlegal_source = "GDPR Art. 17(1)"\n')
    ran = shop.run("policy", "check", str(own), "--json")
    assert (ran.code, ran.json) == (0, {"ok": True, "problems": []})


def test_plugin_list_is_a_closed_list_of_records(shop: Shop) -> None:
    """Kinds, categories, settings and which of them are secrets."""
    plugins = shop.run("plugin", "list", "--json").json["plugins"]
    assert [p["name"] for p in plugins] == list(shop.registry.infos)
    for plugin in plugins:
        check_shape(
            plugin,
            {
                "name": str, "title": str, "main_record": str, "settings": dict, "secrets": list, "secret_files": list,
                "records": list, "hooks": list, "rectifies": list, "purpose": dict, "holds_consents": bool,
            },
        )  # fmt: skip
        assert plugin["main_record"] in [record["record"] for record in plugin["records"]]
        assert set(plugin["secrets"]) <= set(plugin["settings"]["properties"])
        for record in plugin["records"]:
            check_shape(
                record,
                {"record": str, "title": str, "description": str, "categories": list, "purposes": list,
                 "retention": str, "erased_with": list},
            )  # fmt: skip
            assert record["categories"]


def test_doctor_checks_each_part_and_each_connection(shop: Shop) -> None:
    """0 where all is well; a vendor that refuses or is away is a failed check, and 1."""
    ran = shop.run("doctor", "--json")
    assert (ran.code, ran.json["ok"]) == (0, True)
    names = [
        "configuration",
        "keys",
        "vault",
        "suppression list",
        "ledger",
        "signing key",
        "policies",
        "vendors' fields",
        "SQLite",
    ]
    assert [check["check"] for check in ran.json["checks"]] == [*names, "clock", "disk", *shop.world.servers]
    for check in ran.json["checks"]:
        check_shape(check, {"check": str, "state": str, "detail": str})
        assert check["state"] in ("ok", "warning")
    changes = shop.world.changing_calls()
    shop.servers[-1].down = True
    ran = shop.run("doctor", "--json")
    assert (ran.code, ran.json["ok"]) == (1, False)
    assert [c["check"] for c in ran.json["checks"] if c["state"] == "failed"] == [list(shop.world.servers)[-1]]
    assert shop.world.changing_calls() == changes


# -- the sandbox, as a process ----------------------------------------------------------------------------------------


def _ready(child: Any) -> dict[str, Any]:
    """The document that `sandbox --json` prints before it serves."""
    text = ""
    for line in child.stdout:
        text += line
        if line == "}\n":
            break
    document: dict[str, Any] = json.loads(text)
    return document


def test_sandbox_serves_until_interrupted_and_its_setup_works(
    own_shop: Shop, tmp_path: Path, bare: Callable[..., Ran]
) -> None:
    """Base URLs and credentials as JSON; the folder it writes is a shop; Ctrl-C ends it with 0."""
    setup = tmp_path / "playground"
    child = own_shop.start("sandbox", "--json", "--people", "8", "--setup", str(setup), "--legacy")
    try:
        document = _ready(child)
        check_shape(document, {"sandboxes": dict, "people": int, "config": str})
        assert document["people"] == 8
        for sandbox in document["sandboxes"].values():
            check_shape(sandbox, {"base_url": str, "settings": dict, "more": dict})
            assert requests.get(f"{sandbox['base_url']}/v1/customers", timeout=10).status_code in (401, 404)
        head = ["--home", str(setup / "home"), "--config", str(setup / "habeas.toml")]
        assert bare(*head, "init").code == 0
        config = setup / "habeas.toml"
        password = document["sandboxes"]["cybersource"]["more"]["p12_password"]
        (setup / "secrets" / "password").write_text(password)
        (setup / "secrets" / "password").chmod(0o600)
        p12 = 'auth = "jwt_p12"\np12 = "file:secrets/cybersource.p12"\np12_password = "file:secrets/password"'
        config.write_text(config.read_text().replace('auth = "jwt"', p12))
        assert bare(*head, "doctor").code == 0
        asked = bare(*head, "--json", "consent", "set", "customer_id=C-100000", "marketing_email=granted", "--yes").json
        assert {r["result"] for r in asked["outcomes"] if r["connection"] == "voucherify"} == {"accepted"}
        assert bare(*head, "erase", "customer_id=C-100000", "--yes").code == 0
        again = bare("sandbox", "--setup", str(setup))
        assert again.code == 2
        assert "has a habeas.toml already" in again.error
        port = document["sandboxes"][next(iter(document["sandboxes"]))]["base_url"].rpartition(":")[2]
        taken = bare("sandbox", "--port", port)
        assert taken.code == 2
        assert "cannot listen" in taken.error
    finally:
        child.send_signal(signal.SIGINT)
        stdout, stderr = child.communicate(timeout=30)
    assert (child.returncode, stdout) == (0, "")
    assert stderr == "Serving on 127.0.0.1; Ctrl-C ends it.\n"


def test_nothing_is_left_in_the_temporary_folder(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An access request writes its draft beside the package, not into a folder that others can enter."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    shop.run("access", "customer_id=C-100000")
    assert list(tmp_path.iterdir()) == []
    assert {path.suffix for path in shop.home.packages.iterdir()} == {".zip"}
