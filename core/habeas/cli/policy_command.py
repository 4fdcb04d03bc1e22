"""``habeas policy``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from habeas.cli.context import Settings, json_option, pass_settings

if TYPE_CHECKING:
    from habeas_policies import Policy, Ruling

__all__ = ["command"]


@click.group("policy")
def command() -> None:
    """What is erased, what is kept, and why: as data."""


def _folder(settings: Settings) -> list[Path]:
    """The configured folder of own policies, where there is a configuration."""
    from habeas.config import load_config

    if not settings.config_path.exists():
        return []
    folder = load_config(settings.config_path).policies
    return [folder] if folder else []


@command.command("list", epilog="Example: habeas policy list")
@json_option
@pass_settings
def list_policies(settings: Settings) -> int:
    """List bundled policies and your own."""
    from habeas_policies import bundled, load

    output = settings.output
    folders = _folder(settings)
    names = [*bundled(), *sorted(p.stem for folder in folders for p in folder.glob("*.toml"))]
    policies = [load(name, search=folders) for name in names]
    if settings.as_json:
        output.json({"policies": [_summary(policy) for policy in policies]})
    else:
        rows = [[p.name, str(p.version), p.type, p.regime, escape(_first_sentence(p.description))] for p in policies]
        output.table(["policy", "version", "for", "regime", "what it does"], rows)
    return 0


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".") + "."


def _summary(policy: Policy) -> dict[str, object]:
    return {
        "name": policy.name,
        "version": policy.version,
        "type": policy.type,
        "regime": policy.regime,
        "description": policy.description,
        "digest": policy.digest,
    }


@command.command("show", epilog="Example: habeas policy show gdpr-erasure-hold-payments")
@click.argument("name")
@json_option
@pass_settings
def show_policy(settings: Settings, name: str) -> int:
    """Show one policy's rules in order; the first that matches a record decides."""
    from habeas_policies import load

    output = settings.output
    policy = load(name, search=_folder(settings))
    if settings.as_json:
        rules = [{"match": rule.match.meaning(), **_ruling(rule.ruling)} for rule in policy.rules]
        after = policy.after.meaning()
        output.json({**_summary(policy), "rules": rules, "default": _ruling(policy.default), "after": after})
        return 0
    output.show(f"{policy.name}, version {policy.version}: {policy.type} under {policy.regime}", "bold")
    output.show(policy.description)
    rows = [
        [str(n), escape(_match(rule.match.meaning())), rule.ruling.action, escape(rule.ruling.reason),
         escape(rule.ruling.legal_source)]
        for n, rule in enumerate(policy.rules, 1)
    ]  # fmt: skip
    output.table(
        ["rule", "records", "action", "why", "law"], [*rows, ["-", "all others", policy.default.action, "", ""]]
    )
    for name, value in policy.after.meaning().items():
        said = value if isinstance(value, str) else ", ".join(value) or "never"
        output.show(f"after the case, {name.replace('_', ' ')}: {said}")
    output.show(policy.digest, "dim")
    return 0


def _ruling(ruling: Ruling) -> dict[str, object]:
    return {
        "action": ruling.action,
        "reason": ruling.reason or None,
        "legal_basis": ruling.legal_basis or None,
        "legal_source": ruling.legal_source or None,
        "exemption": ruling.exemption or None,
        "instructions": ruling.instructions or None,
    }


def _match(meaning: dict[str, list[str]]) -> str:
    return "; ".join(f"{name}: {', '.join(v.rsplit('#', 1)[-1] for v in values)}" for name, values in meaning.items())


@command.command("check", epilog="Example: habeas policy check policies/*.toml")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@json_option
@pass_settings
def check_policies(settings: Settings, files: tuple[Path, ...]) -> int:
    """Check policy files against the schema and the rules that no schema can say."""
    from habeas_policies import PolicyProblem, load

    output = settings.output
    problems: list[str] = []
    for path in files:
        try:
            load(str(path.absolute()))
        except PolicyProblem as problem:
            problems += [p.line() for p in problem.problems] or [problem.line()]
    if settings.as_json:
        output.json({"ok": not problems, "problems": problems})
    else:
        for line in problems:
            output.show(line, "bold red")
        if not problems:
            output.show(f"{len(files)} {'file is' if len(files) == 1 else 'files are'} valid", "green")
    return 2 if problems else 0
