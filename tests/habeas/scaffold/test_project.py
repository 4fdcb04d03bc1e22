"""What ``write_project`` writes: refusals, and a project that does all that the page about plugins says of it."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from habeas.cli import cli
from habeas.cli.border import run_guarded
from habeas.config import load_config
from habeas.connection import Connection
from habeas.errors import BadAnswer, InputError
from habeas.models import Result
from habeas.scaffold import write_project
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.kit import CHECKS, PluginContract
from habeas.testing.sandbox import Call, Fault, FaultKind, Reply, SandboxServer

PAGE = Path(__file__).parents[3].joinpath("docs", "plugins.md").read_text(encoding="utf-8")
HEADER = '''"""What the page shows."""

from __future__ import annotations

from datetime import timedelta

from habeas import BadAnswer, Outcome, Result
from habeas.connection import Connection
from habeas.http.api import Api
from habeas.http.pages import Page, walk
from habeas.http.transport import Request
from habeas.models import Json
'''
EXAMPLES = "\n\n".join(
    [HEADER, *re.findall(r"^<!-- example -->\n```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
)


def python(*words: str, cwd: Path, path: Path) -> None:
    """Runs a module of this Python, with ``path`` before all else, which must end with 0."""
    environ = {**os.environ, "PYTHONPATH": str(path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=cwd, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project."""
    folder = tmp_path_factory.mktemp("new") / "habeas-acme"
    write_project(folder, "acme", "Acme Loyalty")
    return folder


@pytest.fixture(scope="module")
def site(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the project's wheel unpacked into it: installing, without a network or a change to this machine."""
    folder = tmp_path_factory.mktemp("site")
    python("hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=project, path=folder)
    (wheel,) = folder.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plugin as this process sees an installed one."""
    monkeypatch.syspath_prepend(site)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "habeas_acme"]:
        del sys.modules[name]


def test_what_the_page_says_to_run_passes_with_a_new_project(
    project: Path, site: Path, installed: None, tmp_path: Path
) -> None:
    """Every check, the project's own tests, strict types, style; the page's examples among the code."""
    (commands,) = re.findall(r"^```sh\n(pip install.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    pip, check, folder, *rest = commands.splitlines()
    assert (pip, folder) == (f"pip install -e '{project.name}[dev]'", f"cd {project.name}")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = run_guarded(cli, shlex.split(check)[1:])
    assert code == 0, printed.getvalue()
    (project / "habeas_acme" / "examples.py").write_text(EXAMPLES, encoding="utf-8")
    assert rest == ["pytest", "mypy", "ruff check ."]
    for command in rest:
        options = [f"--cache-dir={tmp_path}"] if command == "mypy" else []
        python(*command.split(), *options, cwd=project, path=site)
    python("ruff", "format", "--check", ".", cwd=project, path=site)


def test_the_project_is_small_and_complete(project: Path, site: Path) -> None:
    """The wheel has the whole package; nothing that was written is left unrendered."""
    files = [path for path in project.rglob("*") if path.is_file() and "cache" not in str(path)]
    texts = {path.relative_to(project): path.read_text(encoding="utf-8") for path in files if path.suffix != ".pyc"}
    texts.pop(Path("habeas_acme/examples.py"), None)
    lines = [line for text in texts.values() for line in text.splitlines() if line.strip()]
    assert len(lines) < 650
    assert not [line for line in lines if "{{" in line or "{%" in line]
    package = {str(path) for path in texts if path.parts[0] == "habeas_acme"}
    assert {"habeas_acme/py.typed", "habeas_acme/__init__.py", "habeas_acme/vendor_sandbox.py"} < package
    assert all((site / path).is_file() for path in package)
    assert (site / "habeas_acme-0.1.0.dist-info" / "entry_points.txt").read_text() == "[habeas]\nacme = habeas_acme\n"


def test_the_configuration_in_the_project_s_readme_is_valid(project: Path, installed: None, tmp_path: Path) -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```$", (project / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    path = tmp_path / "habeas.toml"
    path.write_text(f'[controller]\nname = "Example Shop GmbH"\n\n{block}', encoding="utf-8")
    (connection,) = load_config(path).connections
    info = importlib.import_module("habeas_acme").describe()
    assert (connection.plugin, connection.name) == ("acme", "acme")
    jsonschema.validate(dict(connection.settings), dict(info.settings_schema))
    mapping = tomllib.loads(block)["consent"]["purposes"]["marketing_email"]["acme"]
    jsonschema.validate(mapping, dict(info.purpose_schema))


def test_a_check_is_taken_out_of_the_class_as_the_page_says(installed: None) -> None:
    """And no other."""
    ((line, left_out),) = re.findall(r"`(delattr\(TestContract, \"test_(\w+)\"\))`", PAGE)
    contract = type("TestContract", (PluginContract,), {"plugin": importlib.import_module("habeas_acme")})
    tests = {f"test_{check.name.replace('-', '_')}" for check in CHECKS if "update_consents" not in check.needs}
    assert {name for name in vars(contract) if name.startswith("test_")} == tests
    exec(line, {"TestContract": contract})  # noqa: S102 - what the page tells a reader to write
    assert {name for name in vars(contract) if name.startswith("test_")} == tests - {f"test_{left_out}"}


# -- the page's examples ----------------------------------------------------------------------------------------------


Desk = tuple[Connection, SandboxServer, dict[str, Any]]


@pytest.fixture
def desk(installed: None) -> Iterator[Desk]:
    """A help desk that the examples speak to: a connection, its server, and the examples' names."""
    plugin = importlib.import_module("habeas_acme")
    space: dict[str, Any] = {}
    exec(compile(EXAMPLES, "examples", "exec"), space)  # noqa: S102 - what the page tells a reader to write
    with SandboxServer(plugin.sandbox()) as server:
        yield connect(plugin, server, journal=MemoryJournal()), server, space


def tickets_of(total: int, shown: int) -> Callable[[Call], Reply]:
    """A list of ``total`` entries of which ``shown`` are given out."""

    def answer(call: Call) -> Reply:
        start, size = int(call.first("offset")), int(call.first("limit"))
        return Reply(200, {"items": [{"id": n} for n in range(shown)][start : start + size], "total": total})

    return answer


def test_the_page_s_list_by_offset_is_whole_or_an_error(desk: Desk) -> None:
    connection, server, page = desk
    server.app.route("GET", "/users/{userId}/tickets", tickets_of(120, 120))
    assert [entry["id"] for entry in page["tickets"](connection.api, "u/1")] == list(range(120))
    assert len(server.calls) == 3
    server.fail(Fault("lie", reply=Reply(200, {"items": [], "total": 1})))
    server.fail(Fault("lie", reply=Reply(200, {"items": [], "total": "1"})))
    for _ in range(2):
        with pytest.raises(BadAnswer):
            page["tickets"](connection.api, "u/1")


@pytest.mark.parametrize(
    ("fault", "reads", "resumed", "result", "asked"),
    [
        ("reset_after", 3, False, Result.ERASED, 1),
        ("reset_after", 1000, False, Result.ACCEPTED, 1),
        ("lie", 3, False, Result.FAILED, 1),
        (None, 0, False, Result.ABSENT, 0),
        (None, 0, True, Result.ERASED, 0),
    ],
)
def test_the_page_s_slow_deletion_says_what_a_read_shows(
    fault: FaultKind | None, reads: int, resumed: bool, result: Result, asked: int, desk: Desk
) -> None:
    """Asked for once, even where the answer was lost; a 202 by itself is no deletion that has begun."""
    connection, server, page = desk
    left = {"reads": -1 if fault else 0}

    def look(call: Call) -> Reply:
        left["reads"] -= left["reads"] > 0
        here = Reply(200, {"state": "active" if left["reads"] < 0 else "deleting"})
        return server.app.error(404, "", call) if left["reads"] == 0 else here

    def delete(call: Call) -> Reply:
        del call
        left["reads"] = reads
        return Reply(202)

    server.app.route("GET", "/users/{userId}", look)
    server.app.route("POST", "/users/{userId}/deletion", delete)
    if fault:
        server.fail(Fault(fault, method="POST", reply=Reply(202)))
    outcome = page["erase_user"](connection, 7, "u1", resumed=resumed)
    assert (outcome.index, outcome.result) == (7, result)
    assert outcome.until == ("2026-12-21" if result is Result.ACCEPTED else "")
    assert outcome.evidence.startswith("GET /users/{userId} -> ")
    assert len(server.changing_calls()) == asked


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["", "Acme", "1up", "a-b", "a_b", "a b", "ä", "x" * 31, "class", "match", "email", "type", "talonone", "policies"],
)
def test_a_name_that_cannot_be_used_writes_nothing(name: str, tmp_path: Path) -> None:
    """No package name, a word of Python's or ours, an installed plugin, a package of ours."""
    with pytest.raises(InputError):
        write_project(tmp_path / "project", name, "Acme")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("title", ["", " ", 'a"b', "a\\b", "a\nb", "x" * 61])
def test_a_title_that_cannot_stand_in_code_writes_nothing(title: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        write_project(tmp_path / "project", "acme", title)
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_exists_is_overwritten(tmp_path: Path) -> None:
    """Not even an empty folder; what cannot be written is one line."""
    written = write_project(tmp_path / "a" / "project", "acme", "O'Reilly & Söhne {x}")
    before = {path: (tmp_path / "a" / "project" / path).read_bytes() for path in written}
    assert 'title="O\'Reilly & Söhne {x}"' in before[Path("habeas_acme/kinds.py")].decode()
    for folder in (tmp_path / "a" / "project", tmp_path / "a"):
        with pytest.raises(InputError, match="exists already"):
            write_project(folder, "acme", "Other")
    with pytest.raises(InputError, match="cannot be written"):
        write_project(tmp_path / "a" / "project" / "LICENSE" / "below", "acme", "Other")
    assert {path: (tmp_path / "a" / "project" / path).read_bytes() for path in written} == before
