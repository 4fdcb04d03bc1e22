"""Keys of signed notes: the one-line form is Go's and C2SP's, and nothing else is taken for a key."""

from __future__ import annotations

import sys
from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas_audit.errors import ProofInvalid
from habeas_audit.note import SigningKey, VerifierKey

PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
"""Of golang.org/x/mod/sumdb/note, note_test.go; so are the manglings that must be refused."""
KEY = SigningKey("log.example/1", Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
LINE = KEY.sign("text\n")
SPACES = [chr(c) for c in range(32, sys.maxunicode) if chr(c).isspace()]


def test_no_part_of_a_key_s_text_is_a_key() -> None:
    for first in range(len(PETER_KEY)):
        for last in range(first + 1, len(PETER_KEY) + 1):
            if last - first < len(PETER_KEY):
                with pytest.raises(ProofInvalid):
                    VerifierKey.parse(PETER_KEY[first:last])


def test_a_key_s_text_with_one_byte_raised_is_no_key() -> None:
    for at, char in enumerate(PETER_KEY):
        with pytest.raises(ProofInvalid):
            VerifierKey.parse(f"{PETER_KEY[:at]}{chr(ord(char) + 1)}{PETER_KEY[at + 1 :]}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==", "base64|32 bytes"),
        ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "not an Ed25519"),
        ("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "NAME"),
        ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "does not belong"),
        ("PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "does not belong"),
        ("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "blanks"),
        ("", "NAME"),
    ],
)
def test_a_key_that_go_refuses_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ProofInvalid, match=problem):
        VerifierKey.parse(text)


def test_a_key_id_is_the_beginning_of_the_hash_that_the_specification_names() -> None:
    key = KEY.verifier
    assert key.key_id == sha256(key.name.encode() + b"\x0a\x01" + key.public).digest()[:4]
    assert key.text == f"{key.name}+{key.key_id.hex()}+{b64encode(bytes([1]) + key.public).decode()}"


@settings(max_examples=50)
@given(
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="+"), min_size=1), st.binary(min_size=32)
)
def test_a_key_read_from_its_text_is_the_same_key(name: str, public: bytes) -> None:
    key = VerifierKey(name, public[:32])
    assert VerifierKey.parse(key.text) == key
    assert VerifierKey.parse(f" {key.text}\n") == key


@pytest.mark.parametrize("name", ["", "a+b", "+", "a\x00", "a\x7f", "a\u202e", "\ud800", *(f"a{c}b" for c in SPACES)])
def test_a_name_with_blanks_plus_signs_or_unseen_characters_names_no_key(name: str) -> None:
    with pytest.raises(ProofInvalid):
        VerifierKey(name, bytes(32))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_public_key_has_32_bytes(length: int) -> None:
    with pytest.raises(ProofInvalid, match="32"):
        VerifierKey("a", bytes(length))


def test_a_signing_key_comes_back_from_its_pem() -> None:
    again = SigningKey.from_pem("log.example/1", KEY.pem)
    assert again.verifier == KEY.verifier
    assert again.sign("text\n") == LINE


def test_each_generated_key_is_another_one() -> None:
    assert SigningKey.generate("a").verifier != SigningKey.generate("a").verifier


def test_a_signing_key_shows_nothing_of_itself() -> None:
    assert KEY.verifier.name not in repr(KEY)
    assert "Ed25519" not in repr(KEY)


def _other_pems() -> list[bytes]:
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return [
        b"",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        KEY.verifier.pem.encode(),
        X25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(pem, pkcs8, serialization.NoEncryption()),
        Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(
            pem, pkcs8, serialization.BestAvailableEncryption(b"passphrase")
        ),
    ]


@pytest.mark.parametrize("index", range(len(_other_pems())))
def test_what_is_no_plain_ed25519_key_signs_nothing(index: int) -> None:
    with pytest.raises(ProofInvalid, match="signing key"):
        SigningKey.from_pem("a", _other_pems()[index])


def test_a_public_pem_is_the_public_key() -> None:
    loaded = serialization.load_pem_public_key(KEY.verifier.pem.encode())
    raw = loaded.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    assert raw == KEY.verifier.public


@pytest.mark.parametrize("public", [bytes(32), b"\xff" * 32, b"\x01" + bytes(31)])
def test_a_key_that_is_no_point_of_the_curve_verifies_nothing(public: bytes) -> None:
    assert not VerifierKey("a", public).verifies(b"\x02" * 64, "text\n")


@pytest.mark.parametrize("length", [0, 1, 63, 65, 4900])
def test_a_signature_of_another_length_is_no_signature(length: int) -> None:
    signature = (b64decode(LINE.split()[2])[4:] * 80)[:length]
    assert not KEY.verifier.verifies(signature, "text\n")
