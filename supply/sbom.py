"""The software bill of materials that goes into the wheel: CycloneDX 1.6, the same bytes for the same dependencies.

``python -m supply.sbom FILE`` writes it, after holding it against CycloneDX' own schema. It says with which versions a
wheel was built and tested, not which ones a later installation takes: those are bounded in ``pyproject.toml``.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply.closure import Package, closure, project, requirements
from supply.licences import licence_of

__all__ = ["bill", "faults"]

_NAMESPACE = uuid.NAMESPACE_URL


def bill(packages: Sequence[Package], epoch: str = "") -> str:
    """The document. ``epoch``: what ``SOURCE_DATE_EPOCH`` says; without it there is no time in it."""
    table = project()
    us = Component(
        name=table["name"], version=table["version"], type=ComponentType.APPLICATION, description=table["description"],
        licenses=[LicenseFactory().make_from_string(table["license"])], bom_ref=f"pkg:pypi/{table['name']}",
        purl=PackageURL("pypi", name=table["name"], version=table["version"]),
    )  # fmt: skip
    parts = {package.name: _component(package) for package in packages}
    bom = Bom(components=parts.values(), metadata=BomMetaData(component=us))
    named = {canonicalize_name(Requirement(line).name) for line in requirements()}
    bom.register_dependency(us, [parts[name] for name in sorted(named & parts.keys())])
    for package in packages:
        bom.register_dependency(parts[package.name], [parts[name] for name in package.needs if name in parts])
    return _settled(json.loads(JsonV1Dot6(bom).output_as_string()), epoch)


def faults(document: str) -> str:
    """What is wrong with a document by CycloneDX' schema, read strictly; empty where nothing is."""
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(document)
    return "" if error is None else str(error)


def _component(package: Package) -> Component:
    purl = PackageURL("pypi", name=package.name, version=package.version)
    stated = licence_of(package)
    return Component(
        name=package.name, version=package.version, type=ComponentType.LIBRARY, description=package.summary or None,
        licenses=[LicenseFactory().make_from_string(stated)] if stated else [], bom_ref=str(purl), purl=purl,
    )  # fmt: skip


def _settled(document: dict[str, object], epoch: str) -> str:
    """Time and serial number, which the library draws anew each time, follow from what the document says."""
    metadata = document["metadata"]
    assert isinstance(metadata, dict)  # noqa: S101 - the library has just written it
    metadata.pop("timestamp", None)
    document.pop("serialNumber", None)
    if epoch:
        metadata["timestamp"] = datetime.fromtimestamp(int(epoch), UTC).isoformat()
    content = json.dumps(document, sort_keys=True, separators=(",", ":"))
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}"
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Exit code: 1 where the document would not be valid; then nothing is written."""
    (name,) = arguments
    document = bill(closure(requirements()), os.environ.get("SOURCE_DATE_EPOCH", ""))
    if wrong := faults(document):
        sys.stderr.write(f"the SBOM is not valid CycloneDX 1.6: {wrong}\n")
        return 1
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
