"""Public keys and files as people name them on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from habeas.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from habeas_audit import VerifierKey

__all__ = ["read_keys", "refuse_taken", "write_result"]

_MOST_BYTES = 64 * 1024


def read_keys(given: Iterable[str]) -> tuple[VerifierKey, ...]:
    """Keys from their lines (``NAME+ID+BASE64``) or from files with one on each line. Raises :class:`InputError`."""
    from habeas_audit import ProofInvalid, VerifierKey

    keys = []
    for text in given:
        lines = [text] if "+" in text and "\n" not in text and not Path(text).exists() else _lines(text)
        try:
            keys += [VerifierKey.parse(line) for line in lines]
        except ProofInvalid as problem:
            raise InputError(f"--key: {problem}", advice="give the line in HOME/signing/*.pub, or that file") from None
    return tuple(dict.fromkeys(keys))


def _lines(name: str) -> list[str]:
    try:
        with Path(name).open("rb") as file:
            text = file.read(_MOST_BYTES).decode()
    except OSError as error:
        raise InputError(f"--key: {name} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"--key: {name} is not a file with public keys") from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"--key: {name} is empty")
    return lines


def refuse_taken(*paths: Path) -> None:
    """Raises :class:`InputError` for a name that is taken: asked before anything is done that cannot be repeated."""
    for path in paths:
        if os.path.lexists(path):
            raise InputError(f"{path} exists already", advice="name another file, or move it away")
        if not path.parent.is_dir():
            raise InputError(f"{path.parent} is not a folder", advice="make it first")


def write_result(path: Path, content: bytes) -> None:
    """Writes a new file (0600), whole and durably; raises :class:`InputError` where the name is taken."""
    from habeas.home import write_private

    try:
        write_private(path, content)
    except FileExistsError:
        raise InputError(f"{path} exists already", advice="name another file, or move it away") from None
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror})") from None
