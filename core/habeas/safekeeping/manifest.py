"""What a backup holds, said in one file that is written last: a folder without it is no backup."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from habeas.errors import InputError
from habeas.models import Json

__all__ = ["MANIFEST", "Manifest", "Part", "part_of", "read_manifest"]

MANIFEST = "manifest.json"
_FORMAT = "habeas-backup/1"
_MOST_BYTES = 64 * 1024 * 1024
_NAMES = re.compile(
    r"[a-z]{1,32}\.db|habeas\.toml|checkpoints/[0-9]{12,18}-[0-9a-f]{8}\.note|signing/[0-9a-f]{8}\.(pub|revoked)",
    re.ASCII,
)
"""What may be in a backup: a name out of a manifest is used as a path, so it can have no other form."""
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class Part:
    """One file."""

    name: str
    bytes: int
    sha256: str

    def to_json(self) -> Json:
        return {"name": self.name, "bytes": self.bytes, "sha256": self.sha256}


@dataclass(frozen=True)
class Manifest:
    """One backup."""

    made_at: str
    """RFC 3339."""
    generator: str
    log: str
    """The ledger's name."""
    size: int
    """How many entries the ledger has."""
    root: str
    files: tuple[Part, ...]
    keys: Part | None
    """The key store that belongs to it, and lies elsewhere; ``None`` where none was copied."""

    def to_json(self) -> Json:
        return {
            "format": _FORMAT,
            "made_at": self.made_at,
            "generator": self.generator,
            "log": self.log,
            "ledger": {"size": self.size, "root": self.root},
            "files": [part.to_json() for part in self.files],
            "keys": self.keys.to_json() if self.keys else None,
        }

    def encoded(self) -> bytes:
        return (json.dumps(self.to_json(), indent=1) + "\n").encode("ascii")

    @property
    def digest(self) -> str:
        """Names this very backup."""
        return f"sha256:{hashlib.sha256(self.encoded()).hexdigest()}"


def part_of(path: Path, name: str) -> Part:
    """A file as it is now. Raises ``OSError``."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Part(name, file.tell(), digest)


def read_manifest(folder: Path) -> Manifest:
    """Raises :class:`InputError` for a folder that is no whole backup."""
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise ValueError("too large")
        manifest = _parsed(json.loads(data))
    except FileNotFoundError:
        raise InputError(
            f"{folder} is not a whole backup: it has no {MANIFEST}", advice="name the folder that `habeas backup` made"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{path} is not the manifest of a backup", advice="use another backup") from None
    if manifest.encoded() != data:
        raise InputError(f"{path} was changed", advice="use another backup")
    return manifest


def _parsed(said: Any) -> Manifest:
    if said["format"] != _FORMAT:
        raise ValueError("another format")
    parts = tuple(_part(one) for one in said["files"])
    _require_once(parts)
    return Manifest(
        str(said["made_at"]),
        str(said["generator"]),
        str(said["log"]),
        _whole_number(said["ledger"]["size"]),
        str(said["ledger"]["root"]),
        parts,
        _part(said["keys"]) if said["keys"] is not None else None,
    )


def _part(said: Any) -> Part:
    name, digest = said["name"], said["sha256"]
    if not _NAMES.fullmatch(name) or not _DIGEST.fullmatch(digest):
        raise ValueError("no such part")
    return Part(name, _whole_number(said["bytes"]), digest)


def _whole_number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a number")
    return value


def _require_once(parts: Iterable[Part]) -> None:
    names = [part.name for part in parts]
    if len(set(names)) < len(names) or "keys.db" in names:
        raise ValueError("a part twice, or one that is never there")
