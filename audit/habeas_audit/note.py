"""C2SP signed notes with Ed25519 keys (https://c2sp.org/signed-note, v1.0.0): a text, a blank line, signature lines.

A key has a name and an id, the first four bytes of SHA-256(name || 0x0A || 0x01 || public key). Both are hints for
finding the key among those one trusts: only the signature proves anything.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from habeas_audit.errors import ProofInvalid

MAX_NOTE: Final = 64 * 1024
"""Bytes of a note that are read at most."""
MAX_SIGNATURES: Final = 100

_ED25519: Final = b"\x01"
_KEY_TEXT: Final = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_MARK: Final = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name it signs under."""

    name: str
    public: bytes
    """32 bytes (RFC 8032)."""

    def __post_init__(self) -> None:
        """Raises ProofInvalid for a name with blanks or a plus sign, or bytes that are no key."""
        if not self.name or "+" in self.name or any(c.isspace() or not c.isprintable() for c in self.name):
            raise ProofInvalid("a key's name is text without blanks and plus signs")
        if len(self.public) != 32:
            raise ProofInvalid("an Ed25519 public key has 32 bytes")

    @property
    def key_id(self) -> bytes:
        """Four bytes that name the key beside its name."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """The key in one line, as Go's `note.NewVerifier` and other tools take it: `name+id+base64`."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_ED25519 + self.public).decode()}"

    @property
    def pem(self) -> str:
        """The key as openssl takes it (SubjectPublicKeyInfo, RFC 8410)."""
        key = Ed25519PublicKey.from_public_bytes(self.public)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """From one line; raises ProofInvalid for anything that is no Ed25519 key, or whose id is not its own."""
        match = _KEY_TEXT.fullmatch(text.strip())
        if match is None:
            raise ProofInvalid("this is not a verifier key (NAME+ID+BASE64)")
        data = unbase64(match[3], "a verifier key")
        if data[:1] != _ED25519:
            raise ProofInvalid("this is not an Ed25519 verifier key")
        key = cls(match[1], data[1:])
        if key.key_id.hex() != match[2]:
            raise ProofInvalid("the verifier key's id does not belong to it: it was mistyped or changed")
        return key

    def signed_line(self, line: str, text: str) -> bool:
        """Whether a signature line (as :meth:`SigningKey.sign` writes it) is this key's, over the text."""
        try:
            signature = _signature(line)
        except ProofInvalid:
            return False
        own = signature.name == self.name and signature.key_id == self.key_id
        return own and self.verifies(signature.value, text)

    def verifies(self, signature: bytes, text: str) -> bool:
        """Whether this key has signed the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """A private key and the name it signs under. Its `repr` shows neither."""

    __slots__ = ("_name", "_private")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._name, self._private = name, private

    @classmethod
    def generate(cls, name: str) -> SigningKey:
        """A new key, from the operating system's randomness."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, name: str, pem: bytes) -> SigningKey:
        """From PKCS #8 without a passphrase; raises ProofInvalid for anything else."""
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            raise ProofInvalid("the signing key cannot be read") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise ProofInvalid("the signing key is not an Ed25519 key")
        return cls(name, private)

    @property
    def pem(self) -> bytes:
        """PKCS #8, not encrypted: what is kept in a file of mode 0600 or a keyring."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self._name, self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, text: str) -> str:
        """The signature line for a text, with its line break."""
        key = self.verifier
        return f"{_MARK}{key.name} {b64encode(key.key_id + self._private.sign(text.encode())).decode()}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line."""

    name: str
    key_id: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it was read. Its text means nothing before `verified_by` has returned."""

    text: str
    """With its last line break."""
    signatures: tuple[Signature, ...]

    def verified_by(self, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Those of the keys that have signed it. Signatures of other keys are passed over, as the format asks.

        Raises ProofInvalid if none of them has, or if a signature that names one of them is not its own.
        """
        known = {(key.name, key.key_id): key for key in keys}
        found: dict[VerifierKey, None] = {}
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None:
                continue
            if not key.verifies(signature.value, self.text):
                raise ProofInvalid(f"the signature of key {key.key_id.hex()} is not over this text: one was changed")
            found[key] = None
        if not found:
            ids = ", ".join(signature.key_id.hex() for signature in self.signatures)
            raise ProofInvalid(f"signed by {ids}, which is none of the trusted keys")
        return tuple(found)


def sign_note(text: str, keys: Sequence[SigningKey]) -> str:
    """The note over a text that ends in a line break, signed by each key."""
    if not text.endswith("\n") or not keys:
        raise ValueError("a note's text ends in a line break, and somebody signs it")
    return text + "\n" + "".join(key.sign(text) for key in keys)


def parse_note(data: bytes | str) -> Note:
    """Read a note; raises ProofInvalid for what is none. Says nothing of who has signed it."""
    if len(data) > MAX_NOTE:
        raise ProofInvalid(f"a note is no longer than {MAX_NOTE} bytes")
    try:
        note = data.decode() if isinstance(data, bytes) else data
        size = len(note.encode())
    except UnicodeError:
        raise ProofInvalid("a note is UTF-8 text") from None
    if size > MAX_NOTE:
        raise ProofInvalid(f"a note is no longer than {MAX_NOTE} bytes")
    if _CONTROL.search(note):
        raise ProofInvalid("a note holds no control characters")
    text, blank, rest = note.rpartition("\n\n")
    if not blank or not rest.endswith("\n"):
        raise ProofInvalid("this is not a signed note: a text, a blank line, signature lines")
    # Only a line feed ends a line here: `splitlines` knows more.
    lines = rest.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise ProofInvalid(f"a note has {MAX_SIGNATURES} signatures at most")
    return Note(text + "\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    name, blank, value = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not blank or not name or "+" in name or any(c.isspace() for c in name):
        raise ProofInvalid("this is not a signature line of a note")
    data = unbase64(value, "a signature")
    if len(data) < 5:
        raise ProofInvalid("a signature in the note is too short")
    return Signature(name, data[:4], data[4:])


def unbase64(text: str, what: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise ProofInvalid(f"{what} is not base64") from None
    # One spelling only, so that nobody can change a file without its bytes meaning something else.
    if b64encode(data).decode() != text:
        raise ProofInvalid(f"{what} is not base64 as it is written")
    return data
