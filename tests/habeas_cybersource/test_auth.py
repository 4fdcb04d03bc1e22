"""Each way to sign: the published vectors to the byte, the disputed points as settings, a fresh token each attempt."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, Literal

import jwt
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

import habeas_cybersource as plugin
from habeas import CanaryPerson, Identifier, Subject
from habeas.errors import ConfigError
from habeas.testing.connect import MemoryJournal, connect
from habeas.testing.sandbox import Fault, SandboxServer
from habeas_cybersource.auth import LIFETIME, JwtAuth, JwtKey, SignatureAuth, SignatureKey, from_settings
from habeas_cybersource.auth.p12 import read_p12
from habeas_cybersource.sandbox import CyberSourceSandbox

CLOCK = 1_767_225_600
JTI = uuid.UUID("00000000-0000-4000-8000-000000000001")
KEY = JwtKey("dummy_merchant", "00000000-1111-2222-3333-444444444444", bytes(range(32)))
HOST = "https://apitest.cybersource.com"
CUSTOMER = "/tms/v2/customers/D9F340DD3DB9C276E053A2598D0A41A3"
BODY = b'{"buyerInformation":{"email":"deleted@example.invalid"}}'

HEADER = b'{"alg":"HS256","kid":"00000000-1111-2222-3333-444444444444","typ":"JWT"}'
DELETE_CLAIMS = (
    b'{"exp":1767225720,"iat":1767225600,"iss":"dummy_merchant","jti":"00000000-0000-4000-8000-000000000001",'
    b'"request-host":"apitest.cybersource.com","request-method":"DELETE",'
    b'"request-resource-path":"/tms/v2/customers/D9F340DD3DB9C276E053A2598D0A41A3","v-c-jwt-version":"2",'
    b'"v-c-merchant-id":"dummy_merchant"}'
)


def signed(method: str, url: str, body: bytes | str | None = None, key: JwtKey = KEY) -> requests.PreparedRequest:
    auth = JwtAuth(key, now=lambda: float(CLOCK), new_id=lambda: JTI)
    return requests.Request(method, url, data=body, auth=auth).prepare()


def parts(request: requests.PreparedRequest) -> tuple[bytes, bytes, str]:
    scheme, _, token = request.headers["Authorization"].partition(" ")
    assert scheme == "Bearer"
    header, claims, signature = token.split(".")
    return _decode(header), _decode(claims), signature


def claims(request: requests.PreparedRequest) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(parts(request)[1])
    return found


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize(
    ("method", "path", "body", "signature"),
    [
        ("DELETE", CUSTOMER, None, "1ooe1mlny3rd1m6-mByCNymM27zVAu5GP9A37ZLRhio"),
        ("GET", CUSTOMER, None, "x2_D3CcHm0a-N3goWaNpsVfk9YoJkvCEpwVjphIMYTA"),
        ("PATCH", CUSTOMER, BODY, "A6tTl791iwpynl-L5-eCGY7r4r5Yh-GMx1Cf0edPE2E"),
        (
            "GET",
            f"{CUSTOMER}/payment-instruments?offset=0&limit=100",
            None,
            "5uIJ1ApiiqNpfQm-47bPDcRgVVd9fhDM45b0pGV71tg",
        ),
    ],
)
def test_a_request_is_signed_as_the_vendors_client_signs_it(
    method: str, path: str, body: bytes | None, signature: str
) -> None:
    assert parts(signed(method, HOST + path, body))[2] == signature


def test_header_and_claims_are_compact_and_sorted_to_the_byte() -> None:
    header, body, _ = parts(signed("DELETE", HOST + CUSTOMER))
    assert header == HEADER
    assert body == DELETE_CLAIMS


@pytest.mark.parametrize("body", [BODY, BODY.decode()])
def test_a_body_adds_its_digest_and_names_the_algorithm(body: bytes | str) -> None:
    found = parts(signed("PATCH", HOST + CUSTOMER, body))[1]
    assert found.startswith(b'{"digest":"9zM0lMASrdlOXK8Iv7FG7VgPG+bB4JSIoi1XNA+LTfI=","digestAlgorithm":"SHA-256",')


def test_a_request_without_a_body_has_no_digest() -> None:
    assert not {"digest", "digestAlgorithm", "digest-algorithm"} & claims(signed("GET", HOST + CUSTOMER)).keys()


def test_the_lifetime_is_the_vendors_longest() -> None:
    found = claims(signed("GET", HOST + CUSTOMER))
    assert found["exp"] - found["iat"] == LIFETIME == 120


# -- what the vendor's clients disagree about -------------------------------------------------------------------------


def test_the_method_is_upper_case_unless_set_to_lower() -> None:
    lower = JwtKey(KEY.merchant_id, KEY.key_id, KEY.secret, method_case="lower")
    assert claims(signed("get", HOST + CUSTOMER))["request-method"] == "GET"
    assert claims(signed("GET", HOST + CUSTOMER, key=lower))["request-method"] == "get"


@pytest.mark.parametrize(("kept", "path"), [("keep", f"{CUSTOMER}?offset=0"), ("cut", CUSTOMER)])
def test_the_query_stays_in_the_path_unless_cut(kept: Literal["keep", "cut"], path: str) -> None:
    key = JwtKey(KEY.merchant_id, KEY.key_id, KEY.secret, path_query=kept)
    assert claims(signed("GET", f"{HOST}{CUSTOMER}?offset=0", key=key))["request-resource-path"] == path


def test_the_digest_algorithm_can_be_named_with_a_hyphen() -> None:
    key = JwtKey(KEY.merchant_id, KEY.key_id, KEY.secret, digest_claim="digest-algorithm")
    found = claims(signed("PATCH", HOST + CUSTOMER, BODY, key))
    assert found["digest-algorithm"] == "SHA-256"
    assert "digestAlgorithm" not in found


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("secret", [bytes(range(32)), b"short"])
def test_each_algorithm_signs_with_the_secret_as_it_was_issued(algorithm: str, secret: bytes) -> None:
    request = signed("GET", HOST + CUSTOMER, key=JwtKey("m", "k", secret, algorithm=algorithm))
    token = request.headers["Authorization"].removeprefix("Bearer ")
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": "k", "typ": "JWT"}
    head, _, signature = token.rpartition(".")
    name = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[algorithm]
    assert _decode(signature) == _hmac(secret, head.encode(), name)


def _hmac(key: bytes, message: bytes, name: str) -> bytes:
    """RFC 2104, written out, so that the library under the signer is not its own judge."""
    block = hashlib.new(name).block_size
    padded = (hashlib.new(name, key).digest() if len(key) > block else key).ljust(block, b"\0")
    inner = hashlib.new(name, bytes(b ^ 0x36 for b in padded) + message).digest()
    return hashlib.new(name, bytes(b ^ 0x5C for b in padded) + inner).digest()


# -- host and path as sent --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("https://api.cybersource.com", "api.cybersource.com"),
        ("https://API.cybersource.com:443", "api.cybersource.com"),
        ("https://api.cybersource.com:8443", "api.cybersource.com:8443"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://localhost:80", "localhost"),
    ],
)
def test_the_host_is_named_as_the_host_header_names_it(base: str, host: str) -> None:
    assert claims(signed("GET", base + CUSTOMER))["request-host"] == host


def test_a_host_header_that_is_given_is_the_one_signed() -> None:
    auth = JwtAuth(KEY)
    request = requests.Request("GET", HOST + CUSTOMER, headers={"Host": "gateway.example"}, auth=auth).prepare()
    assert claims(request)["request-host"] == "gateway.example"


def test_the_path_is_signed_percent_encoded_as_sent() -> None:
    request = signed("GET", f"{HOST}/tms/v2/customers/a%2Fb%20%C3%B6")
    assert claims(request)["request-resource-path"] == "/tms/v2/customers/a%2Fb%20%C3%B6" == request.path_url


# -- one connection ---------------------------------------------------------------------------------------------------


def test_each_attempt_has_a_token_of_its_own() -> None:
    app = CyberSourceSandbox()
    with SandboxServer(app) as server:
        server.fail(Fault("status", times=2))
        assert plugin.check(connect(plugin, server)) == "GET /tms/v2/customers/{customerId} -> 404"
        seen = [json.loads(_decode(c.headers["authorization"].split(".")[1]))["jti"] for c in server.calls]
    assert len(set(seen)) == 3
    assert {uuid.UUID(jti).version for jti in seen} == {4}


@pytest.mark.parametrize(
    "options",
    [
        {"jwt_method_case": "lower"},
        {"jwt_path_query": "cut"},
        {"jwt_digest_claim": "digest-algorithm"},
        {"jwt_algorithm": "HS512"},
        {"jwt_method_case": "upper", "jwt_path_query": "keep", "jwt_digest_claim": "digestAlgorithm"},
    ],
)
def test_settings_choose_the_disputed_points(options: dict[str, str]) -> None:
    app = CyberSourceSandbox()
    app.vault.add_customer({"id": "T1"})
    with SandboxServer(app) as server:
        connection = connect(plugin, server, settings=options)
        found = plugin.inventory(connection, Subject((Identifier("cybersource", "T1"),)))
    assert [record.kind for record in found.records] == ["customer"]
    assert app.why_refused == ""


@pytest.mark.parametrize("secret", ["not base64 at all!", "AAECAwQ", "", "ÄÖÜ="])
def test_a_secret_that_is_not_base64_is_a_configuration_error_that_does_not_show_it(secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_settings({"merchant_id": "m", "key_id": "k", "shared_secret": secret})
    assert not secret or secret not in caught.value.line()
    assert caught.value.__context__ is None


def test_nothing_secret_shows_in_a_repr() -> None:
    for key in (KEY, SIGNATURE_KEY):
        assert "dummy_merchant" not in repr(key)
        assert str(key.secret) not in repr(key)


# -- HTTP Signature ---------------------------------------------------------------------------------------------------

SIGNATURE_KEY = SignatureKey(KEY.merchant_id, KEY.key_id, bytes(range(32)))


def http_signed(
    method: str, path: str, body: bytes | None = None, key: SignatureKey = SIGNATURE_KEY
) -> requests.PreparedRequest:
    auth = SignatureAuth(key, now=lambda: float(CLOCK))
    return requests.Request(method, HOST + path, data=body, auth=auth).prepare()


@pytest.mark.parametrize(
    ("method", "path", "body", "signature"),
    [
        ("GET", CUSTOMER, None, "i/Fk0bMi7rArVF/eZoNeOiDaEEnYmWHLRp5BjB11Qj8="),
        (
            "GET",
            f"{CUSTOMER}/payment-instruments?offset=0&limit=100",
            None,
            "Foma0vmc8i1P7FaQZbl0TzvXHjGWU1hSpMujxklyeBk=",
        ),
        ("DELETE", CUSTOMER, None, "ZzXXi0t2BR1NYCrV48dbmseGExeC208R60fYeR4LRHU="),
        ("PATCH", CUSTOMER, BODY, "BV7sgzj+5oiQZbzz7fghjDRIguoBkamsrgyl9bqzM+o="),
        ("POST", "/tms/v2/customers", BODY, "KBh75HsjggOojLBP6rFkYHkiP0ZrCFS03k0pRXGCxGA="),
    ],
)
def test_an_http_signature_is_that_of_the_vendors_client(
    method: str, path: str, body: bytes | None, signature: str
) -> None:
    headers = http_signed(method, path, body).headers
    names = "host date request-target v-c-merchant-id" if body is None else (
        "host date request-target digest v-c-merchant-id"
    )  # fmt: skip
    assert headers["Signature"] == (
        f'keyid="00000000-1111-2222-3333-444444444444", algorithm="HmacSHA256", headers="{names}", '
        f'signature="{signature}"'
    )
    assert headers["Date"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert headers["v-c-merchant-id"] == "dummy_merchant"
    assert headers.get("Digest") == (None if body is None else "SHA-256=9zM0lMASrdlOXK8Iv7FG7VgPG+bB4JSIoi1XNA+LTfI=")
    assert "Authorization" not in headers


def test_the_guides_date_header_can_be_signed_instead() -> None:
    key = SignatureKey(KEY.merchant_id, KEY.key_id, bytes(range(32)), date_header="v-c-date")
    headers = http_signed("DELETE", CUSTOMER, key=key).headers
    assert 'headers="host v-c-date request-target v-c-merchant-id"' in headers["Signature"]
    assert 'signature="l1EDnPht3x6OmrdoKu2vv0ojaEKpiQ+xpQmKOI+LkZU="' in headers["Signature"]
    assert headers["v-c-date"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert "Date" not in headers


# -- a P12 file -------------------------------------------------------------------------------------------------------

SERIAL = "7030180437360177037"
PASSWORD = "p12 password"


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, serial: str) -> x509.Certificate:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, "habeas_sandbox")]
    if serial:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    name = x509.Name(attributes)
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(4711).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=365))
    return builder.sign(key, hashes.SHA256())


def p12_file(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None,
    own: x509.Certificate | None,
    *others: x509.Certificate,
) -> str:
    """A P12 file as the core hands it over: base64."""
    encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
    return base64.b64encode(pkcs12.serialize_key_and_certificates(None, key, own, others, encryption)).decode()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def p12(key: rsa.RSAPrivateKey) -> str:
    """Three certificates; the key's own is not the first one in the file."""
    other = ec.generate_private_key(ec.SECP256R1())
    return p12_file(key, None, certificate(other, "1"), certificate(key, SERIAL), certificate(other, ""))


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_a_token_of_a_p12_file_names_the_subjects_serial_number_and_is_signed_by_its_key(
    key: rsa.RSAPrivateKey, p12: str, algorithm: str
) -> None:
    opened = read_p12(p12, PASSWORD)
    request = signed("DELETE", HOST + CUSTOMER, key=JwtKey(KEY.merchant_id, opened.key_id, opened.key, algorithm))
    header, body, signature = parts(request)
    assert header == f'{{"alg":"{algorithm}","kid":"{SERIAL}","typ":"JWT"}}'.encode()
    assert body == DELETE_CLAIMS
    content = request.headers["Authorization"].removeprefix("Bearer ").rpartition(".")[0].encode()
    hashed = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[algorithm[2:]]
    if algorithm.startswith("RS"):
        # Without a salt a signature is one and the same, to the byte.
        assert _decode(signature) == key.sign(content, padding.PKCS1v15(), hashed)
    else:
        salted = padding.PSS(mgf=padding.MGF1(hashed), salt_length=hashed.digest_size)
        key.public_key().verify(_decode(signature), content, salted, hashed)


@pytest.mark.parametrize(
    "settings",
    [
        {"auth": "jwt_p12"},
        {"auth": "jwt_p12", "jwt_algorithm": "PS384", "jwt_method_case": "lower"},
        {"auth": "http_signature"},
        {"auth": "http_signature", "signature_date": "v-c-date"},
    ],
)
@pytest.mark.parametrize("portfolio", ["", "a_portfolio"])
def test_the_vendor_lets_each_way_to_sign_in(
    key: rsa.RSAPrivateKey, p12: str, settings: dict[str, str], portfolio: str
) -> None:
    app = CyberSourceSandbox(portfolio_id=portfolio)
    app.trust(certificate(key, SERIAL).public_bytes(serialization.Encoding.PEM))
    with SandboxServer(app) as server:
        keys = {**settings, "p12": p12, "p12_password": PASSWORD}
        connection = connect(plugin, server, settings=keys, journal=MemoryJournal())
        assert plugin.check(connection).endswith("-> 404")
        # Calls with a body as well.
        person = CanaryPerson("C", "c@canary.invalid", "+12025550123", "A", "B")
        assert plugin.create_canary(connection, person).created["customer"] == 1
    assert app.why_refused == ""


def test_a_key_of_a_portfolio_signs_for_the_merchant_that_is_named() -> None:
    meta = JwtKey(KEY.merchant_id, KEY.key_id, KEY.secret, portfolio_id="a_portfolio")
    found = claims(signed("GET", HOST + CUSTOMER, key=meta))
    assert (found["iss"], found["v-c-merchant-id"]) == ("a_portfolio", "dummy_merchant")
    other = SignatureKey(KEY.merchant_id, KEY.key_id, bytes(range(32)), portfolio_id="a_portfolio")
    assert http_signed("GET", CUSTOMER, key=other).headers["v-c-merchant-id"] == "dummy_merchant"
    assert (
        http_signed("GET", CUSTOMER, key=other).headers["Signature"]
        != http_signed("GET", CUSTOMER).headers["Signature"]
    )


def test_a_p12_file_that_cannot_be_used_is_a_configuration_error_that_says_why(
    key: rsa.RSAPrivateKey, p12: str
) -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1())
    cut = base64.b64encode(base64.b64decode(p12)[:-40]).decode()
    wrong = {
        "": "not a P12 file",
        base64.b64encode(b"-----BEGIN").decode(): "not a P12 file",
        cut: "p12_password is wrong, or the file is damaged",
        p12_file(None, None, certificate(key, SERIAL)): "no private key",
        p12_file(elliptic, certificate(elliptic, SERIAL)): "another kind of key",
        p12_file(key, None, certificate(elliptic, SERIAL)): "no certificate that belongs to its key",
        p12_file(key, certificate(key, "")): "no serialNumber in its subject",
    }
    for content, problem in wrong.items():
        with pytest.raises(ConfigError, match=problem) as caught:
            read_p12(content, PASSWORD)
        assert caught.value.message.startswith("p12: ")
        assert caught.value.advice
    with pytest.raises(ConfigError, match="p12_password is wrong") as caught:
        from_settings({"merchant_id": "m", "auth": "jwt_p12", "p12": p12, "p12_password": "not this one"})
    assert "not this one" not in caught.value.line()
    assert caught.value.__context__ is None
    assert SERIAL not in repr(read_p12(p12, PASSWORD))
