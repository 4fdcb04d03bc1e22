"""Checkpoints outside the database: a folder with one small file for each, never overwritten.

What a rewritten or older database is held against. Somebody who may write this folder as well can empty it: a copy on
another machine, or on a medium that is written once, is what the promise rests on.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from habeas_audit.checkpoint import SignedCheckpoint, parse_checkpoint
from habeas_audit.connection import sync_folder
from habeas_audit.errors import LedgerUnwritable, ProofInvalid
from habeas_audit.note import MAX_NOTE

_NAME: Final = re.compile(r"([0-9]{12,18})-[0-9a-f]{8}\.note")


def write(folder: Path, signed: SignedCheckpoint) -> Path:
    """Put the checkpoint's note into the folder, whole and durable, mode 0600; one that is there already stays.

    It is named by its size and the beginning of its SHA-256. Raises LedgerUnwritable where that cannot be done,
    ProofInvalid where a file of that name holds something else.
    """
    path = folder / _name(signed)
    draft = folder / f".{path.name}.{secrets.token_hex(8)}.new"
    data = signed.raw.encode()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            # A link, unlike a rename, never replaces what came in between.
            with suppress(FileExistsError):
                path.hardlink_to(draft)
            sync_folder(folder)
    except OSError as error:
        raise LedgerUnwritable(f"the checkpoint cannot be written to {folder} ({error.strerror})") from None
    finally:
        with suppress(OSError):
            draft.unlink()
    if read(path).raw != signed.raw:
        raise ProofInvalid(f"{path.name} holds something else than its name says; look into it")
    return path


def put_back(folder: Path, signed: SignedCheckpoint) -> bool:
    """Write a checkpoint again that is gone from the folder, or is not as it was signed; False if all is well.

    What lies in its place is moved aside, as `NAME.damaged`.
    """
    path = folder / _name(signed)
    try:
        if read(path).raw == signed.raw:
            return False
    except ProofInvalid:
        pass
    try:
        if os.path.lexists(path):
            path.rename(path.with_name(f"{path.name}.{secrets.token_hex(4)}.damaged"))
    except OSError as error:
        raise LedgerUnwritable(f"{path.name} cannot be moved aside ({error.strerror})") from None
    write(folder, signed)
    return True


def read(path: Path) -> SignedCheckpoint:
    """The checkpoint in a file; raises ProofInvalid with the file's name."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_NOTE + 1)
        return parse_checkpoint(data)
    except OSError as error:
        raise ProofInvalid(f"{path.name} cannot be read ({error.strerror})") from None
    except ProofInvalid as problem:
        raise ProofInvalid(f"{path.name}: {problem}") from None


def newest_first(folder: Path) -> Iterator[SignedCheckpoint]:
    """All of them, the one over the most entries first. Raises ProofInvalid for one that cannot be read."""
    for name in sorted(_names(folder), key=_size, reverse=True):
        signed = read(folder / name)
        # Else whoever gives the newest a smaller number takes it out of sight.
        if name != _name(signed):
            raise ProofInvalid(f"{name} holds something else than its name says; look into it")
        yield signed


def all_of(folder: Path) -> Iterator[Path]:
    """The files, the smallest log first."""
    return (folder / name for name in sorted(_names(folder), key=_size))


def _name(signed: SignedCheckpoint) -> str:
    return f"{signed.head.size:012d}-{signed.digest.removeprefix('sha256:')[:8]}.note"


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder) if _NAME.fullmatch(entry.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LedgerUnwritable(f"the folder of checkpoints {folder} cannot be read ({error.strerror})") from None


def _size(name: str) -> int:
    return int(name.partition("-")[0])
