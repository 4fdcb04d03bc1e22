"""Public keys and files as people name them on the command line."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from habeas.errors import InputError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import BinaryIO

    from habeas_audit import VerifierKey

__all__ = ["new_result", "read_keys", "refuse_taken", "write_results"]

_MOST_BYTES = 64 * 1024
_OF_THE_DISK = (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)


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


def write_results(contents: Mapping[Path, bytes]) -> None:
    """Writes new files (0600), each whole and durably: all of them, or none. Raises as :func:`new_result`."""
    made: list[Path] = []
    try:
        for path, content in contents.items():
            with new_result(path) as file:
                file.write(content)
            made.append(path)
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.unlink()
        raise


@contextmanager
def new_result(path: Path) -> Iterator[BinaryIO]:
    """A new file (0600) that gets its name once it is whole.

    Raises :class:`InputError` where the name cannot be used, :class:`StorageError` where the disk refuses it.
    """
    from habeas.home import new_private

    try:
        with new_private(path) as file:
            yield file
    except FileExistsError:
        raise InputError(f"{path} exists already", advice="name another file, or move it away") from None
    except OSError as error:
        if error.errno in _OF_THE_DISK:
            raise StorageError(f"{path} cannot be written ({error.strerror})", advice="check the disk") from None
        raise InputError(f"{path} cannot be written ({error.strerror})") from None
