"""The SBOM is valid, says what an installation consists of, and is the same for the same dependencies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from supply.closure import Package, closure, requirements
from supply.sbom import bill, faults, main

import habeas


@pytest.fixture(scope="module")
def packages() -> list[Package]:
    return closure(requirements())


@pytest.fixture(scope="module")
def document(packages: list[Package]) -> str:
    return bill(packages)


@pytest.fixture(scope="module")
def sbom(document: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document)
    return found


def test_it_is_valid_by_the_schema_of_cyclonedx_1_6(document: str, sbom: dict[str, Any]) -> None:
    """As the schema's own authors ship it, read strictly; and a document that is not is found."""
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.6")
    assert faults(document) == ""
    assert faults(document.replace('"type": "library"', '"type": "lirbary"', 1))
    assert faults(json.dumps({**sbom, "colour": "red"}))


def test_it_lists_the_whole_closure_with_licences_and_package_urls(
    packages: list[Package], sbom: dict[str, Any]
) -> None:
    """Each in its version here; nothing of the tools that the tests use."""
    versions = {package.name: package.version for package in packages}
    parts = {part["name"]: part for part in sbom["components"]}
    assert parts.keys() == versions.keys() >= {"click", "requests", "certifi", "cffi", "attrs"}
    assert not parts.keys() & {"pytest", "mypy", "hatchling", "keyring"}
    for name, part in parts.items():
        assert part["purl"] == f"pkg:pypi/{name}@{versions[name]}"
        (licence,) = part["licenses"]
        assert licence.get("expression") or licence["license"]["id"], name
    assert sbom["metadata"]["component"]["purl"] == f"pkg:pypi/habeas@{habeas.__version__}"


def test_it_says_what_needs_what(sbom: dict[str, Any]) -> None:
    """From the program down: everything is reached."""
    needs = {each["ref"]: each.get("dependsOn", []) for each in sbom["dependencies"]}
    reached, waiting = set(), [sbom["metadata"]["component"]["bom-ref"]]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += needs[ref]
    assert reached == needs.keys()
    requests = next(ref for ref in needs if ref.startswith("pkg:pypi/requests@"))
    assert {"urllib3", "certifi", "idna"} <= {ref.partition("@")[0].rpartition("/")[2] for ref in needs[requests]}


def test_it_has_no_time_but_the_one_that_was_asked_for(packages: list[Package], sbom: dict[str, Any]) -> None:
    """And a serial number that follows from the content: the same dependencies are the same bytes."""
    assert "timestamp" not in sbom["metadata"]
    assert bill(packages) == json.dumps(sbom, indent=2, sort_keys=True) + "\n"
    dated = json.loads(bill(packages, "1700000000"))
    assert dated["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert dated["serialNumber"] != sbom["serialNumber"]
    assert bill(packages[1:]) != bill(packages)


def test_an_invalid_one_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("supply.sbom.bill", lambda *_: '{"bomFormat": "CycloneDX"}')
    assert main([str(tmp_path / "x.json")]) == 1
    assert "not valid CycloneDX 1.6" in capsys.readouterr().err
    assert not (tmp_path / "x.json").exists()
