"""Time-stamps (RFC 3161): a third party's signature that certain bytes existed at a certain time.

An authority sees the digest of the bytes and nothing else. What is kept is its whole answer, a TimeStampResp (section
2.4.2): the file that ``openssl ts -verify -in FILE.tsr`` reads, so that nobody has to take habeas' word for it.

The optional package ``rfc3161-client`` writes queries and verifies answers; it is imported only when there is one.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

from habeas.clock import Clock, SystemClock
from habeas.errors import BadAnswer, ConfigError, HabeasError, NotSent, Rejected
from habeas.http.transport import Answer, Request, Transport
from habeas.models import Limits

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampRequest, TimeStampResponse, TimeStampTokenInfo

__all__ = ["MAX_TOKEN_BYTES", "Check", "TimestampInvalid", "request_token", "verify_token"]

MAX_TOKEN_BYTES: Final = 64 * 1024
"""An answer with its chain of certificates has about 5 KiB."""

Check = Literal["form", "status", "digest", "certificate", "signature"]
"""What a token is checked for, in this order."""

_QUERY_TYPE, _REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"
"""RFC 3161, section 3.4."""
_SECOND_WAY: Final = "`openssl ts -verify` is the second way to check it"
_STATUS: Final = {
    1: "granted with modifications",
    2: "rejection",
    3: "waiting",
    4: "revocation warning",
    5: "revocation notification",
}
"""PKIStatus (RFC 3161, section 2.4.2). 0 is granted; with modifications it is not what was asked for."""
_DIGESTS: Final = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_URL: Final = re.compile(
    r"(?P<origin>(?P<scheme>(?i:https?))://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?)"
    r"(?P<path>(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*/?)"
)
_OPENSSL_REASON: Final = re.compile(r'data: "Verify error: ([A-Za-z0-9 ,()/-]+)"')
"""One of OpenSSL's fixed texts for what is wrong with a chain; it holds no name."""


class TimestampInvalid(HabeasError):
    """A token does not prove what it should. ``check`` is the check that it failed; those after it were not made."""

    def __init__(self, check: Check, message: str, *, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.check: Check = check


def request_token(url: str, content: bytes, *, timeout_seconds: float = 10.0, clock: Clock | None = None) -> bytes:
    """Asks an authority for a time-stamp over ``content``, which is not empty; returns its TimeStampResp as it came.

    One attempt (RFC 3161, sections 2.4.1 and 3.4): a query with the SHA-256 digest, a random nonce and ``certReq``,
    sent by POST to https, or to http on loopback. The answer must be granted, over this digest and with this nonce,
    which shows that it is no earlier one (section 2.2). Whose signature it bears is for :func:`verify_token` to say.

    Raises :class:`NotSent`, :class:`NoAnswer`, :class:`Rejected` (the HTTP status), :class:`BadAnswer`, and
    :class:`ConfigError` where the optional package is not installed.
    """
    _require_library()
    origin, path = _split(url)
    query = _query(content)
    limits = Limits(timeout_seconds=timeout_seconds, max_answer_bytes=MAX_TOKEN_BYTES)
    answer = _post(Transport(origin, limits, clock or SystemClock()), path, query.as_bytes())
    try:
        info = _granted(_parse(answer.body))
        _require_digest(info, content)
    except TimestampInvalid as invalid:
        raise BadAnswer(f"{answer.evidence}: {invalid.message}", advice=invalid.advice) from None
    # Section 2.4.2: the nonce must be there, and the same, if one was asked with.
    if query.nonce is None or info.nonce != query.nonce:
        raise BadAnswer(f"{answer.evidence}: the token does not bear the nonce that was asked with")
    return answer.body


def verify_token(token: bytes, content: bytes, roots: Sequence[bytes]) -> datetime:
    """When ``content`` existed, as ``token`` (a TimeStampResp) proves it: an aware time in UTC.

    ``roots`` are PEM files: self-signed certificates are trusted, others in them only help to reach those. Nothing is
    asked of the network, so revocation is not looked at. The chain has to be valid at the time within the token, not
    now: a token outlives the certificate it was made with. That certificate has to be for time-stamping, critically and
    for nothing else (RFC 3161, section 2.3). That the signed attributes name the same certificate (RFC 5816) is left to
    ``openssl ts -verify``: the library does not look. The time is as right as the authority is honest.

    Raises :class:`TimestampInvalid`, and :class:`ConfigError` for roots that cannot be read and where the optional
    package is not installed.
    """
    _require_library()
    trusted = _certificates(tuple(roots))
    response = _parse(token)
    info = _granted(response)
    digest = _require_digest(info, content)
    _require_signature(response, digest, trusted)
    return info.gen_time.astimezone(UTC)


def _require_library() -> None:
    try:
        import rfc3161_client  # noqa: F401 - to know it early, and in one place
    except ImportError:
        raise ConfigError(
            "time-stamps need rfc3161-client, which is not installed", advice="run `pip install 'habeas[timestamp]'`"
        ) from None


# -- asking ------------------------------------------------------------------------------------------------------------


def _split(url: str) -> tuple[str, str]:
    """Origin and path of an authority's URL, by the grammar that ``base_url`` has in habeas.toml.

    Raises :class:`NotSent`. The URL itself is not shown: somebody may have written a password into it.
    """
    match = _URL.fullmatch(url)
    if match is None or not 0 < int(match["port"] or 443) < 65536:
        raise NotSent("the time-stamp authority's address is not a URL", advice="write https://host/path")
    if match["scheme"].lower() == "http" and not _loopback(match["host"].strip("[]").lower()):
        raise NotSent("the time-stamp authority's address must be https", advice="plain http is for 127.0.0.1 only")
    return match["origin"], match["path"] or "/"


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _query(content: bytes) -> TimeStampRequest:
    """A TimeStampReq (RFC 3161, section 2.4.1). ``certReq``: the answer brings the chain that proves it later."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    builder = TimestampRequestBuilder().data(content).hash_algorithm(HashAlgorithm.SHA256)
    return builder.nonce(nonce=True).cert_request(cert_request=True).build()


def _post(transport: Transport, path: str, query: bytes) -> Answer:
    """One attempt, its answer taken by status and kind (RFC 3161, section 3.4)."""
    # There will be no second call on this connection.
    headers = {"Content-Type": _QUERY_TYPE, "Accept": _REPLY_TYPE, "Connection": "close"}
    prepared = transport.prepare(Request("POST", path, headers=headers))
    # A Request's bodies are JSON and forms: this one is neither.
    prepared.http.body = query
    prepared.http.prepare_content_length(query)
    answer = transport.deliver(prepared)
    if answer.status >= 400:
        raise Rejected(answer.evidence, status=answer.status)
    if 300 <= answer.status < 400:
        raise BadAnswer(f"{answer.evidence}: redirects are not followed", advice="configure the address it leads to")
    if answer.status != 200:
        raise BadAnswer(f"{answer.evidence}: this is not the documented answer")
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() != _REPLY_TYPE:
        raise BadAnswer(f"{answer.evidence}: the answer is not {_REPLY_TYPE}")
    return answer


# -- checking ----------------------------------------------------------------------------------------------------------


def _parse(token: bytes) -> TimeStampResponse:
    """A TimeStampResp (RFC 3161, section 2.4.2), read strictly."""
    from rfc3161_client import decode_timestamp_response

    try:
        return decode_timestamp_response(token)
    except ValueError as error:
        if "InvalidSetOrdering" in str(error):
            what = "the token's sets are not in the order of DER, and rfc3161-client reads no others"
        else:
            what = "the token is not a TimeStampResp in DER, or not one that rfc3161-client reads"
        raise TimestampInvalid("form", what, advice=_SECOND_WAY) from None


def _granted(response: TimeStampResponse) -> TimeStampTokenInfo:
    """What an answer says, if it is granted: nothing of it is proven yet."""
    if response.status != 0:
        status = _STATUS.get(response.status, "a status that RFC 3161 does not know")
        raise TimestampInvalid("status", f"the token was not granted: {status}")
    try:
        return response.tst_info
    except ValueError:
        raise TimestampInvalid("form", "the answer holds no TSTInfo that can be read", advice=_SECOND_WAY) from None


def _require_digest(info: TimeStampTokenInfo, content: bytes) -> bytes:
    """The digest, if it is the content's (RFC 3161, section 2.4.2, ``messageImprint``)."""
    name = _DIGESTS.get(info.message_imprint.hash_algorithm.dotted_string)
    if name is None:
        raise TimestampInvalid("digest", "the token's digest is none of SHA-256, SHA-384, SHA-512", advice=_SECOND_WAY)
    digest = hashlib.new(name, content).digest()
    if digest != info.message_imprint.message:
        raise TimestampInvalid("digest", "the token is over other content")
    return digest


@lru_cache(maxsize=4)
def _certificates(roots: tuple[bytes, ...]) -> tuple[Certificate, ...]:
    """Each once. A ledger has many tokens and few roots."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import InvalidVersion, load_pem_x509_certificates

    try:
        found = [certificate for pem in roots for certificate in load_pem_x509_certificates(pem)]
        # rfc3161-client panics at what cryptography reads and OpenSSL does not.
        openssl = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for certificate in found:
            openssl.load_verify_locations(cadata=certificate.public_bytes(Encoding.DER))
    except (ValueError, InvalidVersion, ssl.SSLError):
        raise ConfigError("a root certificate of the time-stamp authority cannot be read", advice="use PEM") from None
    if not found:
        raise ConfigError("no root certificate of the time-stamp authority is given")
    return tuple(dict.fromkeys(found))


def _require_signature(response: TimeStampResponse, digest: bytes, trusted: Sequence[Certificate]) -> None:
    """The chain up to a trusted root, at the token's own time, and the signature (RFC 3161, sections 2.3 and 2.4.2)."""
    from cryptography.x509 import DuplicateExtension, InvalidVersion, UnsupportedGeneralNameType
    from rfc3161_client import VerificationError, VerifierBuilder

    try:
        VerifierBuilder(roots=list(trusted)).build().verify(response, digest)
    except VerificationError as error:
        raise _refused(str(error).removeprefix("Error while verifying certificates: ")) from None
    except (ValueError, InvalidVersion, DuplicateExtension, UnsupportedGeneralNameType):
        # OpenSSL could read it, cryptography cannot. Certificates beside the chain are not signed: anyone can add one.
        raise TimestampInvalid("form", "something within the token cannot be read", advice=_SECOND_WAY) from None


def _refused(reason: str) -> TimestampInvalid:
    """The library's reasons are OpenSSL's error stack: of it, only what is one of OpenSSL's fixed texts is shown."""
    if "certificate" not in reason:
        return TimestampInvalid("signature", "the token's signature is not good")
    said = _OPENSSL_REASON.search(reason)
    detail = f" ({said[1]})" if said else ""
    return TimestampInvalid(
        "certificate",
        f"the token's certificate does not lead to a pinned root, or was not good for it at its time{detail}",
        advice="check the configured root certificates",
    )
