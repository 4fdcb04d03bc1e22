"""A time-stamp authority in memory, written from RFC 3161, RFC 5652 (CMS) and RFC 5816. It never imports the client.

Its certificates are made at test time and are worth nothing. It can be told to answer wrongly in ways that a client has
to notice; what goes wrong on the way (a reset, a slow answer) is the sandbox server's part.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from asn1crypto import algos, cms, core, tsp  # type: ignore[import-untyped] # has no types
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from habeas.testing.people import Person
from habeas.testing.sandbox import Call, Reply, SandboxApp

__all__ = ["PATH", "REPLY", "Authority", "Holder", "issue", "root"]

PATH = "/tsr"
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
"""RFC 3161, section 3.4."""
_POLICY = "1.3.6.1.4.1.99999.1"
_DIGESTS = {"sha256": 32, "sha384": 48, "sha512": 64}
_LIFE = datetime.timedelta(days=3650)


@dataclass(frozen=True, repr=False)
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def root(name: str, at: datetime.datetime) -> Holder:
    """A self-signed authority of certificates."""
    return _certificate(name, at, None, _LIFE, [(x509.BasicConstraints(ca=True, path_length=None), True)])


def issue(
    name: str,
    at: datetime.datetime,
    issuer: Holder,
    *,
    life: datetime.timedelta = _LIFE,
    ca: bool = False,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING,
    critical: bool = True,
) -> Holder:
    """A certificate under ``issuer``, for time-stamping unless told otherwise (RFC 3161, section 2.3)."""
    extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(ca=ca, path_length=None), True)]
    if not ca:
        extensions.append((x509.ExtendedKeyUsage([usage]), critical))
    return _certificate(name, at, issuer, life, extensions)


def _certificate(
    name: str,
    at: datetime.datetime,
    issuer: Holder | None,
    life: datetime.timedelta,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - datetime.timedelta(days=1))
        .not_valid_after(at + life)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Holder(builder.sign(key if issuer is None else issuer.key, SHA256()), key)


class Authority(SandboxApp):
    """Answers ``POST /tsr``. The fields are what a test may change before it asks."""

    name = "tsa"

    def __init__(self, holder: Holder, time: datetime.datetime, *, others: Sequence[Holder] = ()) -> None:
        super().__init__()
        self.holder = holder
        self.others = others
        """Further certificates that are put into a token."""
        self.time = time
        self.status = "granted"
        self.with_token = True
        self.nonce_shift: int | None = 0
        """Added to the nonce asked for; None leaves it out."""
        self.digest: bytes | None = None
        """Instead of the digest asked for."""
        self.break_signature = False
        self.swap_certificates = False
        """Puts the certificates into the order that DER forbids (X.690, section 11.6) and some authorities use."""
        self.without_certificates = False
        self.accuracy: Mapping[str, int] | None = {"seconds": 1}
        self.serial = 0
        self.route("POST", PATH, self._stamp)

    def _stamp(self, call: Call) -> Reply:
        if call.headers.get("content-type") != QUERY:
            return self.error(415, "not a time-stamp query", call)
        query = tsp.TimeStampReq.load(call.body, strict=True)
        imprint = query["message_imprint"]
        algorithm, digest = imprint["hash_algorithm"]["algorithm"].native, imprint["hashed_message"].native
        if query["version"].native != "v1" or _DIGESTS.get(algorithm) != len(digest):
            return self._reply("rejection", None, "bad_alg")
        if not self.with_token:
            return self._reply(self.status, None, "system_failure")
        return self._reply(self.status, self._token(algorithm, digest, query), None)

    def _reply(self, status: str, token: cms.ContentInfo | None, failure: str | None) -> Reply:
        """A TimeStampResp (section 2.4.2); asn1crypto knows none without a token."""
        info = tsp.PKIStatusInfo({"status": status})
        if failure is not None:
            info["status_string"] = tsp.PKIFreeText(["canary-in-the-status-string"])
            info["fail_info"] = {failure}
        body: bytes = (
            core.SequenceOf([info], spec=tsp.PKIStatusInfo).dump()
            if token is None
            else tsp.TimeStampResp({"status": info, "time_stamp_token": token}).dump()
        )
        if self.swap_certificates:
            first, second = sorted([self.holder.der, self.others[0].der], key=lambda der: (len(der), der))
            assert first + second in body
            body = body.replace(first + second, second + first)
        return Reply(200, headers={"Content-Type": REPLY}, body=body)

    def _token(self, algorithm: str, digest: bytes, query: tsp.TimeStampReq) -> cms.ContentInfo:
        """A SignedData over a TSTInfo (section 2.4.2)."""
        self.serial += 1
        info = tsp.TSTInfo(
            {
                "version": "v1",
                "policy": _POLICY,
                "message_imprint": {
                    "hash_algorithm": {"algorithm": algorithm},
                    "hashed_message": self.digest or digest,
                },
                "serial_number": self.serial,
                "gen_time": self.time,
                "accuracy": self.accuracy,
            }
        )
        if query["nonce"].native is not None and self.nonce_shift is not None:
            info["nonce"] = query["nonce"].native + self.nonce_shift
        content = info.dump()
        signed = {
            "version": "v3",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": {"content_type": "tst_info", "content": cms.ParsableOctetString(content)},
            "signer_infos": [self._signer_info(content)],
        }
        if query["cert_req"].native and not self.without_certificates:
            # asn1crypto puts them into the order of DER.
            signed["certificates"] = [asn1_x509.Certificate.load(h.der) for h in (self.holder, *self.others)]
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})

    def _signer_info(self, content: bytes) -> cms.SignerInfo:
        """The signature, and the certificate it was made with named in it (RFC 5816, section 2.2.1)."""
        own = asn1_x509.Certificate.load(self.holder.der)
        named = tsp.SigningCertificateV2({"certs": [{"cert_hash": hashlib.sha256(self.holder.der).digest()}]})
        attributes = cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
                cms.CMSAttribute({"type": "message_digest", "values": [hashlib.sha256(content).digest()]}),
                cms.CMSAttribute({"type": "signing_certificate_v2", "values": [named]}),
            ]
        )
        signature = self.holder.key.sign(attributes.dump(), ec.ECDSA(SHA256()))
        if self.break_signature:
            signature = self.holder.key.sign(b"something else", ec.ECDSA(SHA256()))
        sid = {"issuer": own.issuer, "serial_number": own.serial_number}
        return cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier("issuer_and_serial_number", sid),
                "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
                "signed_attrs": attributes,
                "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
                "signature": signature,
            }
        )

    # -- what a sandbox of a vendor has besides; an authority knows no people and asks for no credentials -------------

    def settings(self) -> Mapping[str, str]:
        return {}

    def seed(self, people: Iterable[Person]) -> Mapping[str, str]:
        return {}

    def held(self, person: Person) -> Mapping[str, int]:
        return {}

    def error(self, status: int, message: str, call: Call) -> Reply:
        return Reply(status, headers={"Content-Type": "text/plain"}, body=message.encode())

    def authenticate(self, call: Call) -> Reply | None:
        return None
