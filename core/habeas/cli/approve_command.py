"""``habeas approve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from habeas.cli.context import Settings, confirm, json_option, pass_settings, yes_option
from habeas.errors import InputError, RefusedError

if TYPE_CHECKING:
    from habeas.cases.view import CaseView
    from habeas_audit import SigningKey

__all__ = ["command"]

_NAME = "habeas.approver"


@click.command(
    "approve",
    epilog="Examples: habeas approve c-01J…  ·  habeas approve c-01J… --as bob --signing-key bob.pem  ·  "
    "habeas approve --new-key bob.pem --as bob",
)
@click.argument("case_id", metavar="CASE", required=False)
@click.option("--as", "name", default="", metavar="NAME", help="Who you are, under [approvals.people].")
@click.option(
    "--signing-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Your own private key, which signs the approval.",
)
@click.option(
    "--new-key", type=click.Path(path_type=Path, dir_okay=False),
    help="Make a key for an approver in a new file (0600), and print the line for habeas.toml.",
)  # fmt: skip
@yes_option
@json_option
@pass_settings
def command(
    settings: Settings, case_id: str | None, name: str, signing_key: Path | None, new_key: Path | None, yes: bool
) -> int:
    """Approve a plan that somebody else has made: your yes signs the plan's digest, and expires.

    Where habeas.toml names people under [approvals.people], an approval must be signed with the key of one of them.
    Otherwise the operating system's users tell people apart.
    """
    from habeas.control import RunControl
    from habeas.engine.approvals import approval_data

    if new_key is not None:
        return _make_key(settings, new_key, name)
    if case_id is None:
        raise InputError("no case is named", advice="see `habeas case list --status waiting`")
    output = settings.output
    with settings.open_app() as app:
        _require_waiting(app.tools.register.view(case_id))
        key = _read_key(signing_key, name) if signing_key is not None else None
        with (
            app.run("approve", lambda _: None, RunControl(app.tools.clock)) as run,
            app.hold(case_id),
        ):
            view = app.tools.register.view(case_id)  # once more: nobody can change it now
            _require_waiting(view)
            work = app.erasure(run, case_id)
            plan = work.stored_plan(view)
            if plan is None or not plan.complete:
                raise RefusedError("the plan does not cover every connection yet", advice="`habeas plan` it again")
            data = approval_data(app.tools, app.config.approvals, run, view, key, name)
            if not yes:
                (output.aside() if settings.as_json else output).plan(plan)
            if not confirm(f"Approve plan {view.plan_digest[:19]}… of case {case_id}?", yes=yes):
                raise RefusedError("not approved; nothing was changed")
            work.approve("approved by somebody else than the planner", **data)
        view = app.tools.register.view(case_id)
        if settings.as_json:
            output.json(app.case_json(view) | {"approval": {"expires_at": data["expires_at"], "by": data.get("by")}})
        else:
            output.show(f"Approved until {data['expires_at']}: plan {view.plan_digest}", "green")
            output.say(f"Somebody else than you may carry it out: habeas apply {case_id}")
    return 0


def _require_waiting(view: CaseView) -> None:
    """A yes may be said again, since it expires; not to what was begun, or needs none."""
    said = view.status == "open" and view.approval is not None and view.approval.expires_at
    if not (view.status == "waiting" or said) or not view.plan_digest:
        raise RefusedError(f"case {view.case_id} is {view.status}, and has no plan that waits for a yes")


def _make_key(settings: Settings, path: Path, name: str) -> int:
    from habeas.cli.trust import write_results
    from habeas_audit import SigningKey

    if not name:
        raise InputError("whose key is it to be?", advice="give --as NAME")
    key = SigningKey.generate(f"{_NAME}/{name}")
    write_results({path: key.pem})
    if settings.as_json:
        settings.output.json({"name": name, "key": key.verifier.text, "file": str(path)})
    else:
        settings.output.show(f'[approvals.people]\n{name} = "{key.verifier.text}"')
        settings.output.say(f"{path} is the private half: it stays with {name}, and nobody else.")
    return 0


def _read_key(path: Path, name: str) -> SigningKey:
    from habeas.home import readable_by_others
    from habeas_audit import ProofInvalid, SigningKey

    try:
        if readable_by_others(path):
            raise InputError(f"{path} can be read by others", advice=f"run `chmod 600 {path}`")
        return SigningKey.from_pem(f"{_NAME}/{name}", path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    except ProofInvalid as problem:
        raise InputError(f"{path}: {problem}", advice="`habeas approve --new-key` makes one") from None
