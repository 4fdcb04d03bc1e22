"""The key and its id out of a P12 file, as the Business Center makes them.

Source: CyberSource REST client for Python (release 0.0.80, ``CertificateUtility``): the key's id is the
``serialNumber`` attribute of the certificate's subject, not the certificate's serial number.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12KeyAndCertificates, load_pkcs12
from cryptography.x509.oid import NameOID

from habeas.errors import ConfigError

__all__ = ["P12", "read_p12"]

_MAKE_ONE = "make a P12 key for REST in the Business Center, under Key Management"


@dataclass(frozen=True, repr=False)
class P12:
    """What signing needs of the file."""

    key_id: str
    key: RSAPrivateKey


def read_p12(content: str, password: str) -> P12:
    """The RSA key of a P12 file and the id of the one certificate, of however many there are, that belongs to it.

    ``content`` is the file as base64. Raises :class:`ConfigError`, which has nothing of what is in the file.
    """
    opened = _opened(base64.b64decode(content), password)
    if not isinstance(opened.key, RSAPrivateKey):
        problem = "has no private key" if opened.key is None else "holds another kind of key than RSA"
        raise ConfigError(f"p12: the file {problem}", advice=_MAKE_ONE)
    held = [entry.certificate for entry in (opened.cert, *opened.additional_certs) if entry is not None]
    own = [certificate for certificate in held if certificate.public_key() == opened.key.public_key()]
    if not own:
        raise ConfigError("p12: the file holds no certificate that belongs to its key", advice=_MAKE_ONE)
    return P12(_key_id(own[0]), opened.key)


def _opened(content: bytes, password: str) -> PKCS12KeyAndCertificates:
    # A P12 file is a DER sequence (RFC 7292, section 4).
    problem = "the file cannot be opened: p12_password is wrong, or the file is damaged"
    if content.startswith(b"\x30"):
        try:
            return load_pkcs12(content, password.encode("utf-8"))
        except UnsupportedAlgorithm:
            problem = "the file is encrypted in a way that this system does not support"
        except (ValueError, TypeError):
            pass
    else:
        problem = "the file is not a P12 file (PEM, or base64, is none)"
    # Raised outside of the except: nothing of the file is chained.
    raise ConfigError(f"p12: {problem}", advice="take the file and password as the Business Center gave them")


def _key_id(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    if not names:
        raise ConfigError(
            "p12: the file's certificate has no serialNumber in its subject, which the vendor takes for the key's id",
            advice=_MAKE_ONE,
        )
    return str(names[0].value)
