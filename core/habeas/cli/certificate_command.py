"""``habeas certificate``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from habeas.cases.commitment import Opening
from habeas.cli.context import Settings, json_option, pass_settings
from habeas.errors import InputError
from habeas.models import Json

__all__ = ["command"]


@click.command(
    "certificate",
    epilog="Examples: habeas certificate c-01J…  ·  habeas certificate c-01J… -o case.json --opening opening.json",
)
@click.argument("case_id", metavar="CASE")
@click.option(
    "-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False),
    help="The JSON file; the page to print goes beside it, as .html. [default: HOME/certificates/CASE-SIZE.json]",
)  # fmt: skip
@click.option(
    "--opening", type=click.Path(path_type=Path, dir_okay=False),
    help="Write what shows who it is about, too: personal data, for the person only.",
)  # fmt: skip
@json_option
@pass_settings
def command(settings: Settings, case_id: str, path: Path | None, opening: Path | None) -> int:
    """Make the portable proof of what became of a case: a JSON file, and a page to print.

    It holds outcomes, legal basis, holds and their end, times and read-back evidence, the ledger's entries behind them
    with their inclusion proofs, and the signed head of the log. No personal data: the person is named by a salted
    commitment. Anybody can check it offline: `habeas verify FILE --key KEY`.
    """
    from habeas import aftercare
    from habeas.cases.commitment import openings
    from habeas.cli.trust import refuse_taken, write_results
    from habeas.control import RunControl
    from habeas.home import private_folder
    from habeas.reports.certificate import certificate_html, opening_json

    output = settings.output
    with settings.open_app() as app:
        view = app.tools.register.view(case_id)
        names = [p for p in (path, path and _face(path), opening) if p is not None]
        if len({p.absolute() for p in names}) < len(names):
            raise InputError("two of the files would have one name", advice="the page is the certificate's name, .html")
        refuse_taken(*names)
        opened: tuple[Opening, ...] = ()
        if opening is not None:
            # Before anything is written: once the case's key is destroyed there is none.
            opened = openings(app.tools.keys, case_id, app.tools.register.request(case_id).subject)
        # Held until it is built: what another process wrote about the case meanwhile would look left out.
        with app.hold(case_id):
            with app.run("certificate", lambda _: None, RunControl(app.tools.clock)) as run:
                issuer = aftercare.issue_certificate(app, run, case_id)
            certificate = aftercare.certificate(app, case_id, issuer)
        if path is None:
            private_folder(app.tools.home.certificates)
            size = certificate["statement"]["entries"][-1]
            path = app.tools.home.certificates / f"{case_id}-{size}.json"
        contents = {path: _json(certificate), _face(path): certificate_html(certificate)}
        if opening is not None:
            contents[opening] = _json(opening_json(view.case_id, opened))
        write_results(contents)
        key = app.seal.newest()
    statement = certificate["statement"]
    if settings.as_json:
        output.json(
            {
                "case": case_id,
                "state": statement["state"],
                "certificate": str(path),
                "page": str(_face(path)),
                "opening": str(opening) if opening is not None else None,
                "keys": list(key.key_ids) if key is not None else [],
            }
        )
        return 0
    output.show(f"{statement['type']} of case {case_id}: {statement['state']}", "bold")
    output.show(f"{path} proves it, {_face(path)} is for reading and printing.")
    if opening is not None:
        output.show(f"{opening} shows who it is about: give it to the person, and to nobody else.")
    output.say(f"Check it anywhere: habeas verify {path} --key KEY")
    return 0


def _json(document: Json) -> bytes:
    return (json.dumps(document, indent=1) + "\n").encode()


def _face(path: Path) -> Path:
    return path.with_suffix(".html")
