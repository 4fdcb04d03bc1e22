"""The documentation names all commands, options, settings, records, outcomes and entries; links lead somewhere.

What the pages show is executed by ``test_docs.py``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click

import habeas
from habeas.cli import COMMANDS, cli
from habeas.models import CaseStatus, Limits, Result
from habeas.registry import Registry
from habeas_audit import ACKNOWLEDGED, CREATED, ROTATED
from habeas_policies import Rule, bundled, load, regimes

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.joinpath("docs").glob("*.md"))
}

_LINK = re.compile(r"\]\(([^)\s]+)\)")


@cache
def registry() -> Registry:
    return Registry.load()


EVERYTHING = "\n".join(PAGES.values())


def _commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", child) for sub, child in command.commands.items())


def test_every_command_and_option_is_told() -> None:
    """Subcommands too, in the README or on a page."""
    for name, command in _commands():
        group, _, sub = name.partition(" ")
        told = [f"habeas {group}", *([f"`{sub}`", f"habeas {name}"] if sub else [])]
        assert any(words in EVERYTHING for words in told[1:] or told), f"habeas {name} is not told"
        for option in command.params:
            for flag in option.opts if isinstance(option, click.Option) else ():
                assert len(flag) == 2 or flag in EVERYTHING, f"habeas {name} {flag} is not told"
    for name in COMMANDS:
        assert f"| `habeas {name}" in PAGES["README.md"]


def test_every_link_leads_somewhere() -> None:
    """Files and headings inside the repository; anything else is https."""
    for page, text in PAGES.items():
        for target in _LINK.findall(text):
            if target.startswith("https://"):
                continue
            path, _, anchor = target.partition("#")
            linked = (ROOT / page).parent / path if path else ROOT / page
            assert linked.exists(), f"{page}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {_slug(heading) for heading in headings}, f"{page}: {target}"


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_page_is_linked_from_the_readme() -> None:
    """A page that nobody finds helps nobody."""
    for page in PAGES:
        assert page == "README.md" or f"({page})" in PAGES["README.md"]


def test_the_help_in_the_readme_is_the_programs() -> None:
    """``docs/make_readme.py`` writes it."""
    script = [sys.executable, str(ROOT / "docs" / "make_readme.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_the_picture_is_there_and_fetches_nothing() -> None:
    """No web font, no script, nothing from elsewhere."""
    picture = ROOT.joinpath("docs", "demo.svg").read_text(encoding="utf-8")
    assert "(docs/demo.svg)" in PAGES["README.md"]
    assert re.findall(r"(?:href|src|url)\W+https?://", picture) == []
    assert "erased" in picture


def _sections(page: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", PAGES[page], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_record_kind_is_explained_under_its_vendor() -> None:
    """And the table has no other."""
    sections = _sections("docs/vendors.md")
    for info in registry().infos.values():
        kinds = re.findall(
            r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", sections[info.title].split("| record |")[1], re.MULTILINE
        )
        assert sorted(kinds) == sorted(kind.name for kind in info.kinds)


def test_every_setting_is_explained() -> None:
    """Those of the core, those of each plugin under its heading, and the plugins' own limits."""
    text = PAGES["docs/configuration.md"]
    schema = json.loads(ROOT.joinpath("core/habeas/config/config.schema.json").read_text(encoding="utf-8"))
    names = [n for part in schema["properties"].values() for n in part.get("properties", {}) if n != "purposes"]
    connection = schema["properties"]["connections"]["additionalProperties"]["properties"]
    for name in (*names, *connection, *connection["limits"]["properties"]):
        assert f"`{name}`" in text, name
    for info in registry().infos.values():
        section = text.split(f"### {info.name}\n")[1].split("\n##")[0]
        for name in info.settings_schema["properties"]:
            assert f"`{name}`" in section, f"{info.name}: {name}"
        rate, together = f"{info.limits.requests_per_second:g}", info.limits.concurrency
        assert f"| `{info.name}` | {rate} | {together} |" in text
        assert (info.limits.timeout_seconds, info.limits.attempts) == (Limits().timeout_seconds, Limits().attempts)
    for value in (f"{Limits().timeout_seconds:g}", Limits().attempts, Limits().max_answer_bytes):
        assert f"| {value} |" in text


def test_every_outcome_status_and_exit_code_says_what_to_do() -> None:
    """A row each; none that the program does not know."""
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", PAGES["docs/when-things-fail.md"], re.MULTILINE)
    codes = ["0", "1", "2", "3", "4", "130"]
    assert sorted(rows) == sorted([*Result, *CaseStatus, *codes])


def test_every_message_that_is_explained_is_one_of_the_programs() -> None:
    """The table of causes: each message stands in the source, ``…`` for what is put in."""
    table = _sections("docs/when-things-fail.md")["Other causes"]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("[acp]*/habeas*/**/*.py"))
    seen = [
        text for row in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE) for text in re.findall(r"`([^`]+)`", row)
    ]
    assert len(seen) > 8
    for text in seen:
        assert re.search(re.escape(text).replace("…", r"\{\S+\}"), sources), text


def test_every_type_of_entry_is_explained() -> None:
    """As the program's source writes them."""
    table = _sections("docs/ledger.md")["What is in it"]
    told = set(re.findall(r"`([a-z]+\.[a-z]+)`", table))
    sources = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("core/habeas/**/*.py"))
    written = set(re.findall(r"Draft\(\s*\"([a-z]+\.[a-z]+)\"|_append\(\s*\"([a-z]+\.[a-z]+)\"", sources))
    changes = (ROOT / "core/habeas/cli/case_changes.py").read_text(encoding="utf-8")
    written |= {(name, "") for name in re.findall(r'"((?:case|clock|identity)\.[a-z]+)"', changes)}
    assert told == {name for pair in written for name in pair if name} | {CREATED, ROTATED, ACKNOWLEDGED}


def test_every_bundled_policy_and_regime_is_told() -> None:
    for name in (*bundled(), *regimes()):
        assert f"`{name}`" in PAGES["docs/policies.md"] + PAGES["docs/cases.md"]


def test_what_the_policies_page_says_of_the_vendors_records_holds() -> None:
    """The rules of the hold on payments: the first finds nothing, the second CyberSource's cards and accounts."""
    vouchers, cards = load("gdpr-erasure-hold-payments").rules

    def found(rule: Rule) -> set[tuple[str, str]]:
        kinds = [(info.name, kind) for info in registry().infos.values() for kind in info.kinds]
        return {(name, kind.name) for name, kind in kinds if set(kind.categories) & set(rule.match.category)}

    assert found(vouchers) == set()
    assert found(cards) == {("cybersource", "payment_instrument"), ("cybersource", "instrument_identifier")}


def test_the_changelog_has_this_version() -> None:
    """And a place for what comes next."""
    assert f"\n## [{habeas.__version__}]" in PAGES["CHANGELOG.md"]
    assert "\n## [Unreleased]" in PAGES["CHANGELOG.md"]


def test_the_architecture_fits_one_page() -> None:
    assert len(PAGES["docs/architecture.md"].splitlines()) < 60
