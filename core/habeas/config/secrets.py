"""Secrets are references: ``env:NAME``, ``file:PATH`` or ``keyring:SERVICE/NAME``. A literal secret is refused."""

from __future__ import annotations

import base64
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from habeas.errors import ConfigError

__all__ = ["resolve_secret", "resolve_secret_file"]

_REFERENCE = re.compile(r"(env|file|keyring):(.+)", re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_BYTES = 64 * 1024


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
    if not value.isprintable() or not value.strip():
        raise ConfigError(
            f"{where}: the secret is empty or has line breaks or control characters", advice="store it on one line"
        )
    return value


def resolve_secret_file(reference: str, where: str, *, folder: Path) -> str:
    """The bytes of a secret file such as a key store, as base64. Only ``file:PATH`` can name one.

    Raises :class:`ConfigError` with the setting and the reason.
    """
    kind, _, name = reference.partition(":")
    if kind != "file" or not name:
        raise ConfigError(f"{where} must name a file", advice="write file:PATH")
    return base64.b64encode(_read(name, where, folder)[1]).decode("ascii")


def _from_env(name: str, where: str, _: Path, environ: Mapping[str, str]) -> str:
    if not _VARIABLE.fullmatch(name):
        # Not repeated: it may be the secret itself, written behind "env:".
        raise ConfigError(f"{where}: what follows env: is not the name of a variable", advice="write env:NAME")
    if name not in environ:
        raise ConfigError(f"{where}: the environment variable {name} is not set", advice=f"set {name} and run again")
    return environ[name]


def _from_file(name: str, where: str, folder: Path, _: Mapping[str, str]) -> str:
    path, content = _read(name, where, folder)
    try:
        return content.decode("utf-8").strip("\r\n")
    except UnicodeDecodeError:
        raise ConfigError(f"{where}: {path} cannot be read (it is not UTF-8 text)") from None


def _read(name: str, where: str, folder: Path) -> tuple[Path, bytes]:
    try:
        path = folder / Path(name).expanduser()
        # Without blocking: opening a pipe would wait for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError, RuntimeError) as error:  # a byte 0 in the path, an unknown ~user
        reason = error.strerror if isinstance(error, OSError) else "it is not a path"
        raise ConfigError(f"{where}: {name} cannot be read ({reason})") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f"{where}: {path} is not a plain file")
        if stat.S_IMODE(mode) & 0o077:
            raise ConfigError(f"{where}: {path} can be read by others", advice=f"run `chmod 600 {path}`")
        content = os.read(descriptor, _MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ConfigError(f"{where}: {path} is larger than {_MOST_BYTES} bytes")
        return path, content
    finally:
        os.close(descriptor)


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
