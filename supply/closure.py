"""Everything that an installation brings with it, as the metadata of what is installed here says.

``python -m supply.closure`` prints it as pinned requirements, for tools that look up known vulnerabilities.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

__all__ = ["EXTRAS", "Missing", "Package", "closure", "project", "requirements"]

ROOT = Path(__file__).parents[1]
EXTRAS = ("keyring", "timestamp")
"""What users can ask for. The others are for those who work on the project."""

_CLASSIFIER = "License :: "


class Missing(Exception):
    """A dependency that is not installed here, or not in a version that is asked for: nothing can be said of it."""


@dataclass(frozen=True)
class Package:
    """One installed distribution."""

    name: str
    """Normalised, as package URLs write it."""
    version: str
    summary: str
    expression: str
    """``License-Expression`` (PEP 639); empty where it states none."""
    classifiers: tuple[str, ...]
    """What it states by classifiers, without ``License ::``."""
    text: str
    """The older free field ``License``, its first line."""
    needs: tuple[str, ...]
    """Names of what it needs itself, here and with the extras that are asked of it."""


def project(root: Path = ROOT) -> dict[str, Any]:
    """The table ``[project]``: what is declared, whatever an older installation of ours may say."""
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def requirements(extras: Iterable[str] = (), root: Path = ROOT) -> list[str]:
    """The declared runtime dependencies, and those of the extras."""
    table = project(root)
    return [*table["dependencies"], *(line for extra in extras for line in table["optional-dependencies"][extra])]


def closure(roots: Sequence[str], path: Sequence[str] | None = None) -> list[Package]:
    """All that ``roots`` need, and all that those need, by name. ``path``: where to look; by default where Python does.

    Raises :class:`Missing`.
    """
    installed = {
        canonicalize_name(name): found
        for found in reversed(list(distributions(path=list(sys.path if path is None else path))))
        if (name := found.metadata["Name"])
    }
    asked: dict[NormalizedName, set[str]] = {}
    waiting = [(Requirement(line), "") for line in roots]
    while waiting:
        wanted, by = waiting.pop()
        name = canonicalize_name(wanted.name)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        found = installed.get(name)
        if found is None or not wanted.specifier.contains(found.version, prereleases=True):
            there = f"{found.version} is installed" if found else "it is not installed"
            raise Missing(f"{wanted}{f', needed by {by},' if by else ''} cannot be looked at: {there}")
        new = {""} | wanted.extras if name not in asked else wanted.extras - asked[name]
        asked.setdefault(name, set()).update(new)
        waiting += [(need, name) for extra in new for need in _needs(found, extra)]
    return [_package(installed[name], extras) for name, extras in sorted(asked.items())]


def _needs(found: Distribution, extra: str) -> Iterator[Requirement]:
    """What a distribution needs with an extra, without the markers that were answered."""
    for line in found.requires or ():
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": extra}):
            need.marker = None
            yield need


def _package(found: Distribution, extras: Iterable[str]) -> Package:
    head = found.metadata

    def field(name: str) -> str:
        return head[name] if name in head else ""  # noqa: SIM401 - it has no `get` in 3.11

    stated = [
        line.removeprefix(_CLASSIFIER) for line in head.get_all("Classifier") or () if line.startswith(_CLASSIFIER)
    ]
    needs = {canonicalize_name(need.name) for extra in extras for need in _needs(found, extra)}
    return Package(
        name=canonicalize_name(head["Name"]),
        version=found.version,
        summary=field("Summary"),
        expression=field("License-Expression"),
        classifiers=tuple(sorted(stated)),
        text=field("License").strip().partition("\n")[0],
        needs=tuple(sorted(needs)),
    )


def main() -> int:
    """Pins, one a line."""
    sys.stdout.writelines(f"{package.name}=={package.version}\n" for package in closure(requirements(EXTRAS)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
