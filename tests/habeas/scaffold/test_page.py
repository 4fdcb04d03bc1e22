"""The page about plugins: every hook, call, error, field and check is on it, and its code is the project's."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import get_args

import habeas
from habeas import hookspecs
from habeas.connection import Connection
from habeas.http.api import Api
from habeas.http.transport import Request, Upload
from habeas.scaffold import write_project
from habeas.testing.kit import CHECKS
from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Fault, FaultKind, Reply, SandboxApp

PAGE = Path(__file__).parents[3].joinpath("docs", "plugins.md").read_text(encoding="utf-8")


def test_every_hook_has_a_heading_with_its_signature() -> None:
    """In the order of the contract, and no other."""
    hooks = [f for f in vars(hookspecs).values() if hasattr(f, "habeas_spec")]
    signatures = {hook.__name__: inspect.signature(hook) for hook in hooks}
    wanted = [
        f"`{name}({', '.join(found.parameters)}) -> {found.return_annotation}`" for name, found in signatures.items()
    ]
    assert re.findall(r"^### (`.+`)$", PAGE, re.MULTILINE) == wanted
    assert len(wanted) == 12


def test_every_name_that_an_author_needs_is_on_the_page() -> None:
    """What hooks return and get, what speaks to the vendor, what a sandbox writes, what can be raised."""
    classes: tuple[type, ...] = (
        habeas.PluginInfo, habeas.RecordKind, habeas.Record, habeas.Gap, habeas.Inventory, habeas.Document,
        habeas.Omission, habeas.Export, habeas.Outcome, habeas.Effect, habeas.HeldConsent, habeas.Purpose,
        habeas.ConsentChange, habeas.Correction, habeas.CanaryPerson, habeas.Canary, habeas.Limits, Connection,
        Request, Upload, Person, Call, Reply, Fault,
    )  # fmt: skip
    names = {field.name for one in classes for field in dataclasses.fields(one)}
    names |= {name for name in vars(Api) if not name.startswith("_")}
    names |= {name for name in vars(SandboxApp) if not name.startswith("_")} - {"handle"}
    names |= {name for name in vars(habeas) if inspect.isclass(vars(habeas)[name]) and name.endswith("Error")}
    names |= {error.__name__ for error in (*habeas.VendorError.__subclasses__(), *habeas.Rejected.__subclasses__())}
    names |= {str(result) for result in habeas.Result} - {"exported"}
    names |= {str(state) for state in habeas.HeldState}
    names |= {str(field) for field in habeas.Field} | set(get_args(FaultKind))
    names -= {"HabeasError"}
    code = " ".join(re.findall(r"`([^`\n]+)`", PAGE))
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", code)) == []


def test_every_check_says_what_to_mend() -> None:
    """A row each, in the kit's order."""
    section = PAGE.partition("\n## The checks\n")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| \S.+ \|$", section, re.MULTILINE)
    assert rows == [check.name for check in CHECKS]


def test_every_file_of_a_project_is_told_and_its_code_is_shown_as_it_is(tmp_path: Path) -> None:
    """Blocks marked ``from: FILE`` stand in that file."""
    folder = tmp_path / "habeas-acme"
    for path in write_project(folder, "acme", "Acme Loyalty"):
        assert path.parts[0] != "habeas_acme" or path.suffix != ".py" or f"`{path.name}`" in PAGE, path
    shown = re.findall(r"^<!-- from: (\S+) -->\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(shown) >= 2
    for name, text in shown:
        path = folder / name if "/" in name else folder / "habeas_acme" / name
        assert text in path.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python$", PAGE, re.MULTILINE)
    assert len(blocks) == len(shown) + PAGE.count("<!-- example -->")
