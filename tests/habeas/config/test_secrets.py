"""Secrets are references; whatever goes wrong, nothing of a secret is said."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from habeas.config import resolve_secret
from habeas.config.secrets import resolve_secret_file
from habeas.errors import ConfigError

WHERE = "habeas.toml: connections.shop.app_token"
SECRET = "s3cret-Val/ue=="


class MemoryKeyring(KeyringBackend):
    """A keyring that keeps what it is given, and can be locked."""

    priority = 1.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked(SECRET)
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def backend() -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    memory = MemoryKeyring()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


def resolved(reference: str, folder: Path = Path("/nowhere"), **environ: str) -> str:
    return resolve_secret(reference, WHERE, folder=folder, environ=environ)


def refusal(reference: str, folder: Path = Path("/nowhere"), **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        resolved(reference, folder, **environ)
    line = caught.value.line()
    assert line.startswith(WHERE)
    assert caught.value.exit_code == 2
    assert caught.value.__cause__ is None
    assert SECRET not in line
    assert "s3cret" not in line
    return line


def test_a_secret_comes_from_the_environment() -> None:
    assert resolved("env:SHOP_TOKEN", SHOP_TOKEN=SECRET) == SECRET
    assert resolved("env:SHOP_TOKEN", SHOP_TOKEN=" with blanks ") == " with blanks "


def test_an_unset_variable_is_named() -> None:
    line = refusal("env:SHOP_TOKEN")
    assert "variable SHOP_TOKEN is not set; set SHOP_TOKEN" in line


@pytest.mark.parametrize(
    "literal", [SECRET, "", "env:", "ENV:X", "vault:x", "env", "https://s3cret", "file:", " env:X"]
)
def test_a_literal_secret_is_refused_without_repeating_it(literal: str) -> None:
    assert "must be a reference to a secret, not the secret itself" in refusal(literal, X=SECRET)


@pytest.mark.parametrize("name", [SECRET, "A=B", "A B", "1A", "A\n", "s3cret.x"])
def test_what_follows_env_and_is_no_variable_is_not_repeated(name: str) -> None:
    assert "not the name of a variable" in refusal(f"env:{name}")


@pytest.mark.parametrize(
    "value", ["", "  ", "s3cret\n", "s3cret\r\nX: 1", "s3cret\0", "s3cret\x1b", "s3cret\udcff", "\u2028s3cret"]
)
def test_a_secret_that_is_empty_or_no_single_line_is_refused(value: str) -> None:
    assert "empty or has line breaks or control characters" in refusal("env:T", T=value)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


def test_a_secret_comes_from_a_file_beside_the_configuration_or_anywhere(secret_file: Path) -> None:
    assert resolved("file:token", secret_file.parent) == SECRET
    assert resolved(f"file:{secret_file}") == SECRET
    link = secret_file.with_name("link")
    link.symlink_to(secret_file)
    assert resolved("file:link", secret_file.parent) == SECRET


def test_a_path_may_start_at_home(secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(secret_file.parent))
    assert resolved("file:~/token") == SECRET


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_the_line_break_at_a_files_end_is_no_part_of_the_secret(secret_file: Path, ending: str) -> None:
    secret_file.write_bytes(f"{SECRET}{ending}".encode())
    assert resolved("file:token", secret_file.parent) == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o601])
def test_a_file_that_others_may_read_is_refused_with_the_remedy(secret_file: Path, mode: int) -> None:
    secret_file.chmod(mode)
    assert f"chmod 600 {secret_file}" in refusal("file:token", secret_file.parent)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"s3cret\nsecond line", "line breaks"),
        (b"s3cret\xff", "not UTF-8"),
        (b"s3cret" * 20_000, "larger than 65536 bytes"),
    ],
    ids=["empty", "blank", "two lines", "binary", "huge"],
)
def test_a_file_that_holds_no_single_line_is_refused(secret_file: Path, content: bytes, why: str) -> None:
    secret_file.write_bytes(content)
    assert why in refusal("file:token", secret_file.parent)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "No such file" in refusal("file:none", tmp_path)
    assert "not a path" in refusal("file:a\0b", tmp_path)
    assert "cannot be read" in refusal("file:~nobody-of-that-name/token", tmp_path)


def test_what_is_no_plain_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(0o700)
    for name in ("pipe", "folder", "/dev/zero"):
        assert "not a plain file" in refusal(f"file:{name}", tmp_path)


def test_a_secret_comes_from_the_keyring(backend: MemoryKeyring) -> None:
    keyring.set_password("habeas/shop", "token", SECRET)
    assert resolved("keyring:habeas/shop/token") == SECRET
    assert "keyring has no habeas/other" in refusal("keyring:habeas/other")
    keyring.set_password("habeas", "empty", "")
    assert "empty" in refusal("keyring:habeas/empty")


@pytest.mark.parametrize("name", ["token", "/token", "habeas/", "/"])
def test_a_keyring_reference_names_service_and_entry(backend: MemoryKeyring, name: str) -> None:
    assert "keyring:SERVICE/NAME" in refusal(f"keyring:{name}")


def test_a_locked_keyring_is_told_without_its_own_words(backend: MemoryKeyring) -> None:
    backend.locked = True
    assert "keyring cannot be opened" in refusal("keyring:habeas/token")


def test_a_secret_file_arrives_whole_from_a_private_file_only(tmp_path: Path) -> None:
    content = bytes(range(256)) + b"\r\n"
    path = tmp_path / "store.p12"
    path.write_bytes(content)
    path.chmod(0o600)
    assert base64.b64decode(resolve_secret_file("file:store.p12", WHERE, folder=tmp_path)) == content
    path.chmod(0o640)
    for reference, why in (
        ("file:store.p12", "can be read by others"),
        ("file:other.p12", "cannot be read"),
        ("file:", "must name a file"),
        ("env:STORE", "must name a file"),
        (SECRET, "must name a file"),
    ):
        with pytest.raises(ConfigError) as caught:
            resolve_secret_file(reference, WHERE, folder=tmp_path)
        assert why in caught.value.line()
        assert SECRET not in caught.value.line()
