"""OpenSSL judges our notes' signatures, and signs one that we judge."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from habeas_audit.checkpoint import Checkpoint, sign_checkpoint
from habeas_audit.note import SigningKey, parse_note
from habeas_audit.stored_tree import Head

KEY = SigningKey("habeas.audit/f00d", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
SIGNED = sign_checkpoint(Checkpoint("habeas.audit/f00d", Head(7, bytes(32))), [KEY])
VERIFY = ["openssl", "pkeyutl", "-verify", "-pubin", "-rawin"]


def _verifies(folder: Path, text: str, signature: bytes) -> bool:
    (folder / "public.pem").write_text(KEY.verifier.pem)
    (folder / "text").write_bytes(text.encode())
    (folder / "signature").write_bytes(signature)
    done = subprocess.run(
        [*VERIFY, "-inkey", "public.pem", "-in", "text", "-sigfile", "signature"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Verified Successfully" in done.stdout or "Verification Failure" in done.stdout, done.stderr
    return done.returncode == 0


def test_openssl_accepts_the_signature_of_a_note(tmp_path: Path) -> None:
    assert _verifies(tmp_path, SIGNED.note.text, SIGNED.note.signatures[0].value)


@pytest.mark.parametrize(
    ("text", "bit"), [(SIGNED.note.text.replace("7", "8"), 0), (SIGNED.note.text, 1), (SIGNED.note.text + "\n", 0)]
)
def test_openssl_refuses_what_was_changed(tmp_path: Path, text: str, bit: int) -> None:
    first, *rest = SIGNED.note.signatures[0].value
    assert not _verifies(tmp_path, text, bytes([first ^ bit, *rest]))


def test_a_note_that_openssl_signed_with_our_key_is_ours(tmp_path: Path) -> None:
    (tmp_path / "private.pem").write_bytes(KEY.pem)
    (tmp_path / "text").write_bytes(SIGNED.note.text.encode())
    subprocess.run(
        ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", "private.pem", "-in", "text", "-out", "signature"],
        cwd=tmp_path,
        check=True,
    )
    line = b64encode(KEY.verifier.key_id + (tmp_path / "signature").read_bytes()).decode()
    note = parse_note(f"{SIGNED.note.text}\n\N{EM DASH} {KEY.verifier.name} {line}\n")
    assert note.verified_by([KEY.verifier]) == (KEY.verifier,)
    assert note == SIGNED.note
