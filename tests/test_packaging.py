"""What ships is what was tested: the wheel is built, looked into, installed and run from where it was installed."""

from __future__ import annotations

import ast
import email
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from supply.closure import EXTRAS, closure, requirements
from supply.sbom import bill

import habeas

ROOT = Path(__file__).parents[1]
SOURCES = ("core", "plugins", "policies", "audit")
PACKAGES = {
    "habeas": "core",
    "habeas_audit": "audit",
    "habeas_cybersource": "plugins",
    "habeas_policies": "policies",
    "habeas_talonone": "plugins",
    "habeas_voucherify": "plugins",
}
TEXT = ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads(TEXT)["project"]


def run(*words: str, cwd: Path, **environ: str) -> str:
    """Standard output of a Python that must end with 0."""
    done = subprocess.run(
        [sys.executable, *words], cwd=cwd, env=os.environ | environ, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built offline from the tree as it is, as `make wheel` builds it."""
    folder, bill = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("sbom") / "habeas.cdx.json"
    run("-m", "supply.sbom", str(bill), cwd=ROOT, PYTHONHASHSEED="7", SOURCE_DATE_EPOCH="")
    run("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT, HABEAS_SBOM=str(bill))
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder the wheel is installed in; its dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    words = ("install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-compile")
    run("-m", "pip", *words, "--target", str(folder), str(wheel), cwd=folder)
    return folder


def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(f"habeas-{habeas.__version__}.dist-info/{name}").decode("utf-8")


# -- the wheel --------------------------------------------------------------------------------------------------------


def test_the_wheel_has_every_file_of_the_six_packages_and_nothing_else(wheel: Path) -> None:
    """No tests, no documentation, nothing at the top but the packages and the metadata."""
    ours = {
        path.relative_to(ROOT / room).as_posix()
        for package, room in PACKAGES.items()
        for path in (ROOT / room / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = members(wheel)
    info = f"habeas-{habeas.__version__}.dist-info"
    assert {name for name in found if not name.startswith(info)} == ours
    assert {name.partition("/")[0] for name in found} == {*PACKAGES, info}
    assert {Path(name).suffix for name in ours} <= {".py", ".typed", ".toml", ".json", ".j2", ".css"}


def test_the_wheel_has_what_is_no_code(wheel: Path) -> None:
    """Policies, deadlines, schemas, templates, type markers, the licence."""
    found = members(wheel)
    assert found >= {f"{package}/py.typed" for package in PACKAGES}
    assert found >= {
        "habeas/config/config.schema.json",
        "habeas/config/template.toml",
        "habeas/reports/package/data.schema.json",
        "habeas/reports/package/templates/index.html.j2",
        "habeas/reports/package/templates/style.css",
        "habeas_policies/bundled/gdpr-access.toml",
        "habeas_policies/bundled/gdpr-erasure.toml",
        "habeas_policies/deadlines.toml",
        "habeas_policies/policy.schema.json",
        f"habeas-{habeas.__version__}.dist-info/licenses/LICENSE",
    }


def test_the_wheel_has_its_bill_of_materials(wheel: Path) -> None:
    """Where PEP 770 looks for it, and the same bytes that another process makes of the same dependencies."""
    assert metadata(wheel, "sboms/habeas.cdx.json") == bill(closure(requirements()))


def test_the_version_is_the_same_everywhere(wheel: Path) -> None:
    """In the code, in the project file, in the wheel's name and metadata."""
    head = email.message_from_string(metadata(wheel, "METADATA"))
    assert {habeas.__version__, PROJECT["version"], wheel.name.split("-")[1], head["Version"]} == {habeas.__version__}
    assert head["Requires-Python"] == PROJECT["requires-python"]
    assert (head["License-Expression"], head["Name"]) == ("Apache-2.0", "habeas")


def test_the_entry_points_of_the_wheel_are_the_projects(wheel: Path) -> None:
    points = ConfigParser()
    points.read_string(metadata(wheel, "entry_points.txt"))
    assert dict(points["console_scripts"]) == PROJECT["scripts"]
    assert dict(points["habeas"]) == PROJECT["entry-points"]["habeas"]


# -- as it is installed -----------------------------------------------------------------------------------------------


def test_the_installed_package_runs_from_where_it_is(installed: Path) -> None:
    """``python -m habeas`` and the script; every package is the installed one, not the checkout's."""
    place = {"PYTHONPATH": str(installed)}
    code = f"import json, {', '.join(PACKAGES)}; print(json.dumps([m.__file__ for m in ({', '.join(PACKAGES)})]))"
    files = json.loads(run("-c", code, cwd=installed, **place))
    assert all(Path(file).is_relative_to(installed) for file in files)
    assert run("-m", "habeas", "--version", cwd=installed, **place) == f"habeas {habeas.__version__}\n"
    assert run(str(installed / "bin" / "habeas"), "--version", cwd=installed, **place).endswith(
        habeas.__version__ + "\n"
    )


def test_the_installed_package_finds_its_plugins_policies_and_templates(installed: Path, tmp_path: Path) -> None:
    """Plugins by entry point, and the files that are no code."""
    place = {"PYTHONPATH": str(installed), "HABEAS_HOME": str(tmp_path / "home")}
    commands = (["--json", "plugin", "list"], ["--json", "policy", "list"], ["init"])
    code = f"""
import sys
from habeas.cli import main
for sys.argv[1:] in {commands}:
    try:
        main()
    except SystemExit as end:
        assert not end.code
"""
    listed, text = json.JSONDecoder(), run("-c", code, cwd=tmp_path, **place)
    plugins, end = listed.raw_decode(text)
    policies, _ = listed.raw_decode(text[end:].lstrip())
    assert {plugin["name"] for plugin in plugins["plugins"]} == set(PROJECT["entry-points"]["habeas"])
    assert "gdpr-erasure" in {policy["name"] for policy in policies["policies"]}
    assert tomllib.loads((tmp_path / "home" / "habeas.toml").read_text(encoding="utf-8"))["connections"]


# -- the project file -------------------------------------------------------------------------------------------------


def test_every_folder_of_plugins_is_an_entry_point() -> None:
    """And the other way round."""
    folders = {path.name for path in (ROOT / "plugins").iterdir() if path.joinpath("__init__.py").exists()}
    assert set(PROJECT["entry-points"]["habeas"].values()) == folders
    assert all(f"habeas_{name}" == value for name, value in PROJECT["entry-points"]["habeas"].items())


def test_every_folder_that_is_built_from_holds_packages_only() -> None:
    """``ls plugins`` lists vendors and nothing else."""
    for room in SOURCES:
        names = {path.name for path in (ROOT / room).iterdir() if path.name != "__pycache__"}
        assert names == {package for package, where in PACKAGES.items() if where == room}


def test_every_runtime_dependency_has_its_reason_beside_it() -> None:
    """What for, and under which licence."""
    listed = re.search(r"^dependencies = \[\n(.*?)^\]", TEXT, re.MULTILINE | re.DOTALL)
    assert listed is not None
    lines = listed[1].splitlines()
    assert len(lines) == len(PROJECT["dependencies"])
    for line in lines:
        assert re.fullmatch(r'  "[^"]+",\s+# \S.+; \S.+', line), line


def test_every_dependency_is_bounded_on_both_sides() -> None:
    """Below, by what the tests have passed with; above, by the next release that may break. Time zones only grow."""
    for line in requirements(EXTRAS):
        bounds = {each.operator for each in Requirement(line).specifier}
        assert bounds == ({">="} if line.startswith("tzdata") else {">=", "<"}), line


def test_what_is_imported_is_what_is_declared() -> None:
    """Nothing that a fresh installation would lack, nor that only comes with something else; nothing for nothing."""
    declared = {re.split(r"[<>=\[]", line)[0].lower() for line in requirements(EXTRAS)}
    names = {"pyjwt": "jwt", "python-dateutil": "dateutil"}
    names |= {name: name.replace("-", "_") for name in ("sqlite-utils", "rfc3161-client")}
    modules = {names.get(name, name) for name in declared}
    found: dict[str, str] = {}
    for package, room in PACKAGES.items():
        for path in (ROOT / room / package).rglob("*.py"):
            found |= dict.fromkeys(imported(path), str(path.relative_to(ROOT)))
    foreign = {
        name: path for name, path in found.items() if name not in sys.stdlib_module_names and name not in PACKAGES
    }
    assert {name: path for name, path in foreign.items() if name not in modules} == {}
    # The standard library's zoneinfo reads tzdata where the system has no time zones of its own.
    assert modules - foreign.keys() == {"tzdata"}
    assert "zoneinfo" in found


def imported(path: Path) -> set[str]:
    """Top-level names of what a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
