"""A key store as the Business Center hands it out: an RSA key and a certificate that names the key's serial number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from cryptography.x509.oid import NameOID

__all__ = ["P12_PASSWORD", "new_key_store"]

P12_PASSWORD = "habeas-sandbox"  # noqa: S105 - opens a sandbox only
_SERIAL = "7000000000000001234567"


def new_key_store(merchant_id: str, password: str) -> tuple[bytes, bytes]:
    """A certificate (PEM), and a P12 file with it and its key. Its subject's serialNumber is the ``kid`` of tokens."""
    key = rsa.generate_private_key(65_537, 2048)
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, merchant_id), x509.NameAttribute(NameOID.SERIAL_NUMBER, _SERIAL)]
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    store = pkcs12.serialize_key_and_certificates(
        merchant_id.encode(), key, certificate, None, BestAvailableEncryption(password.encode())
    )
    return certificate.public_bytes(Encoding.PEM), store
