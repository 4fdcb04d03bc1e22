"""Secrets are references: ``env:NAME``, ``file:PATH`` or ``keyring:SERVICE/NAME``. A literal secret is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from habeas.errors import ConfigError
from habeas.home import readable_by_others

__all__ = ["is_reference", "resolve_secret"]

_REFERENCE = re.compile(r"(env|file|keyring):(.+)", re.DOTALL)


def is_reference(value: object) -> bool:
    """Whether a configured value has the form of a reference."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def resolve_secret(reference: str, where: str, *, folder: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The secret. ``where`` names the setting in errors; ``folder`` is where relative paths start.

    Raises :class:`ConfigError` with the setting and the reason, never with anything of a secret.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ConfigError(
            f"{where} must be a reference to a secret, not the secret itself",
            advice="write env:NAME, file:PATH or keyring:SERVICE/NAME",
        )
    kind, rest = match.groups()
    value = {"env": _from_env, "file": _from_file, "keyring": _from_keyring}[kind](rest, where, folder, environ)
    if not value or any(c in value for c in "\r\n\0"):
        raise ConfigError(f"{where}: the secret is empty or has line breaks", advice="store it on one line")
    return value


def _from_env(name: str, where: str, _: Path, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise ConfigError(f"{where}: the environment variable {name} is not set", advice=f"set {name} and run again")
    return environ[name]


def _from_file(name: str, where: str, folder: Path, _: Mapping[str, str]) -> str:
    path = folder / Path(name).expanduser()
    try:
        if readable_by_others(path):
            raise ConfigError(f"{where}: {path} can be read by others", advice=f"run `chmod 600 {path}`")
        return path.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{where}: {path} cannot be read ({reason})") from None


def _from_keyring(name: str, where: str, _: Path, __: Mapping[str, str]) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise ConfigError(f"{where}: keyring is not installed", advice="run `pip install habeas[keyring]`") from None
    service, slash, entry = name.rpartition("/")
    if not slash or not service or not entry:
        raise ConfigError(f"{where}: a keyring reference is keyring:SERVICE/NAME")
    try:
        value = keyring.get_password(service, entry)
    except KeyringError:
        raise ConfigError(f"{where}: the keyring cannot be opened", advice="unlock it, or use env: or file:") from None
    if value is None:
        raise ConfigError(f"{where}: the keyring has no {service}/{entry}")
    return str(value)
