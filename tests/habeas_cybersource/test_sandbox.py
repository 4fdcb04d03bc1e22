"""The CyberSource sandbox: what it lets in, what it refuses, what its deletes do, and that it speaks as documented.

Where the vendor's description lies beside the checkout, every answer in this file is also held against it.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Callable, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

import jsonschema
import jwt
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from habeas.testing.people import Person, seeded_people
from habeas.testing.sandbox import Call, Reply, SandboxServer
from habeas_cybersource.sandbox import CyberSourceSandbox, fields

MERCHANT = "dummy_merchant"
HOST = "apitest.cybersource.com"
KEY_ID = "00000000-1111-2222-3333-444444444444"
SECRET = base64.b64encode(bytes(range(32))).decode()
NOW = 1_767_225_600
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
TOKEN = "D9F340DD3DB9C276E053A2598D0A41A3"
CUSTOMERS = "/tms/v2/customers"
CUSTOMER = f"{CUSTOMERS}/{TOKEN}"
IDENTIFIERS = "/tms/v1/instrumentidentifiers"
INSTRUMENTS = "/tms/v1/paymentinstruments"
EMAIL_BODY = b'{"buyerInformation":{"email":"deleted@example.invalid"}}'
DIGEST = "9zM0lMASrdlOXK8Iv7FG7VgPG+bB4JSIoi1XNA+LTfI="
CARD, OTHER_CARD = "4111111111111111", "5555555555554444"
JSON_TYPE = "application/json;charset=utf-8"


# -- the vendor's description, where it is at hand ---------------------------------------------------------------------


def _closed(schema: Any) -> Any:
    """The OpenAPI 3.0 schema as JSON Schema: ``nullable`` becomes a type, and fields nobody documented are errors."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items() if name != "nullable"}
    if schema.get("nullable") is True:
        closed["type"] = [schema["type"], "null"]
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


class Document:
    """Operations and answer schemas of one OpenAPI file."""

    def __init__(self, path: Path) -> None:
        self.source = json.loads(path.read_text("utf-8"))
        self.components = _closed(self.source["components"])
        self.operations = {
            operation["operationId"]: (method.upper(), template, operation)
            for template, methods in self.source["paths"].items()
            for method, operation in methods.items()
        }
        self._validators: dict[str, jsonschema.Draft4Validator] = {}

    def operation(self, method: str, path: str) -> tuple[str, dict[str, Any]]:
        """Operation id and description for a path, or empty ones."""
        for name, (verb, template, operation) in self.operations.items():
            if verb == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return name, operation
        return "", {}

    def hold_against(self, call: Call, reply: Reply) -> None:
        """Fails where an answer is not as described; 401, 405 and unknown paths are described nowhere."""
        _, operation = self.operation(call.method, call.path)
        described = operation.get("responses", {}).get(str(reply.status))
        if reply.status < 400:
            assert described is not None, f"{call.method} {call.path} answers an undocumented {reply.status}"
            assert {name.lower() for name in described.get("headers", {})} <= {n.lower() for n in reply.headers}
        content = (described or {}).get("content", {})
        if reply.status != 401:
            reference = content[JSON_TYPE]["schema"]["$ref"] if content else "#/components/schemas/TmsErrors"
            assert (reply.json is None) == (not content and reply.status < 400)
            if reply.json is not None:
                self.validator(reference).validate(reply.json)

    def validator(self, reference: str) -> jsonschema.Draft4Validator:
        """A validator for ``#/components/schemas/…``."""
        if reference not in self._validators:
            schema = {"allOf": [{"$ref": reference}], "components": self.components}
            self._validators[reference] = jsonschema.Draft4Validator(schema)
        return self._validators[reference]


_PATH = Path(__file__).parents[2].parent / "shared" / "vendors" / "cybersource-tms.openapi.json"
DOCUMENT = Document(_PATH) if _PATH.is_file() else None


# -- a merchant's client, of which nothing is shared with the plugin ---------------------------------------------------


class Shop:
    """A sandbox with its merchant; time stands still until ``now`` is changed."""

    def __init__(self) -> None:
        self.now = NOW
        self.app = CyberSourceSandbox(
            lambda: float(self.now), merchant_id=MERCHANT, key_id=KEY_ID, shared_secret=SECRET
        )

    def claims(self, method: str, target: str, body: bytes = b"") -> dict[str, Any]:
        claims: dict[str, Any] = {
            "iat": self.now,
            "exp": self.now + 120,
            "request-host": HOST,
            "request-method": method,
            "request-resource-path": target,
            "iss": MERCHANT,
            "jti": str(uuid.uuid4()),
            "v-c-jwt-version": "2",
            "v-c-merchant-id": MERCHANT,
        }
        if body:
            claims |= {"digest": digest(body), "digestAlgorithm": "SHA-256"}
        return claims

    def call(self, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
        """Sends without credentials of its own; header names with ``_`` for ``-``."""
        path, _, query = target.partition("?")
        pairs = tuple((name, value) for name, _, value in (part.partition("=") for part in query.split("&") if part))
        named = {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items() if value}}
        call = Call(method, target, path, pairs, named, body)
        reply = self.app.handle(call)
        assert {"v-c-correlation-id", "uniqueTransactionID"} <= reply.headers.keys()
        if DOCUMENT is not None:
            DOCUMENT.hold_against(call, reply)
        return reply

    def bearer(self, method: str, target: str, claims: Mapping[str, Any], body: bytes = b"", **header: Any) -> Reply:
        """Sends with these claims."""
        token = jwt.encode(dict(claims), bytes(range(32)), "HS256", headers={"kid": KEY_ID, **header})
        return self.call(method, target, body, authorization=f"Bearer {token}", content_type=JSON_TYPE)

    def send(self, method: str, target: str, body: object = None, **headers: str) -> Reply:
        """Sends a well-signed request; ``body`` as JSON, or as it is where it is bytes."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        token = jwt.encode(self.claims(method, target, raw), bytes(range(32)), "HS256", headers={"kid": KEY_ID})
        headers = {"content_type": JSON_TYPE if raw else "", **headers}
        return self.call(method, target, raw, authorization=f"Bearer {token}", **headers)

    def made(self, target: str, body: object, status: int = 201) -> str:
        """Posts and returns the new token."""
        reply = self.send("POST", target, body)
        assert reply.status == status, reply.json
        return str(reply.json["id"])

    def customer(self, *cards: str) -> tuple[str, list[str]]:
        """A customer's path with one payment instrument per card, and their tokens."""
        path = f"{CUSTOMERS}/{self.made(CUSTOMERS, {'buyerInformation': {'merchantCustomerID': 'C-1'}})}"
        return path, [self.made(f"{path}/payment-instruments", with_card(card)) for card in cards]

    def identifier_of(self, instrument_path: str) -> str:
        """Path of the identifier an instrument uses."""
        return f"{IDENTIFIERS}/{self.send('GET', instrument_path).json['instrumentIdentifier']['id']}"


def digest(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def with_card(number: str, **more: object) -> dict[str, object]:
    return {"_embedded": {"instrumentIdentifier": {"card": {"number": number}}}, **more}


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["errors"][0]["type"]


def wrong_fields(reply: Reply) -> list[str]:
    return [detail["name"] for detail in reply.json["errors"][0]["details"]]


@pytest.fixture
def shop() -> Shop:
    return Shop()


# -- JSON Web Tokens ---------------------------------------------------------------------------------------------------


def compact(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("method", "target", "body", "signature", "status"),
    [
        ("GET", CUSTOMER, b"", "x2_D3CcHm0a-N3goWaNpsVfk9YoJkvCEpwVjphIMYTA", 200),
        ("DELETE", CUSTOMER, b"", "1ooe1mlny3rd1m6-mByCNymM27zVAu5GP9A37ZLRhio", 204),
        ("PATCH", CUSTOMER, EMAIL_BODY, "A6tTl791iwpynl-L5-eCGY7r4r5Yh-GMx1Cf0edPE2E", 200),
        (
            "GET",
            f"{CUSTOMER}/payment-instruments?offset=0&limit=100",
            b"",
            "5uIJ1ApiiqNpfQm-47bPDcRgVVd9fhDM45b0pGV71tg",
            200,
        ),
    ],
)
def test_the_recorded_jwt_of_the_vendors_own_client_is_let_in(
    shop: Shop, method: str, target: str, body: bytes, signature: str, status: int
) -> None:
    shop.made(CUSTOMERS, {"id": TOKEN})
    claims = {**shop.claims(method, target, body), "jti": "00000000-0000-4000-8000-000000000001"}
    token = f"{compact({'alg': 'HS256', 'kid': KEY_ID, 'typ': 'JWT'})}.{compact(claims)}.{signature}"
    reply = shop.call(method, target, body, authorization=f"Bearer {token}", content_type=JSON_TYPE)
    assert reply.status == status


def test_the_recorded_digest_is_that_of_the_recorded_body() -> None:
    assert digest(EMAIL_BODY) == DIGEST


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "somebody"}, "iss"),
        ({"v-c-merchant-id": "somebody"}, "v-c-merchant-id"),
        ({"v-c-jwt-version": 2}, "v-c-jwt-version"),
        ({"v-c-jwt-version": "1"}, "v-c-jwt-version"),
        ({"request-host": "api.cybersource.com"}, "request-host"),
        ({"request-method": "DELETE"}, "request-method"),
        ({"request-resource-path": CUSTOMERS}, "request-resource-path"),
        ({"jti": "not-a-uuid"}, "jti"),
        ({"jti": None}, "jti"),
        ({"exp": NOW + 121}, "iat or exp"),
        ({"exp": NOW}, "iat or exp"),
        ({"iat": "Thu, 01 Jan 2026 00:00:00 GMT"}, "iat or exp"),
        ({"iat": NOW + 301, "exp": NOW + 400}, "iat is in the future"),
        ({"iat": NOW - 421, "exp": NOW - 301}, "expired"),
        ({"digest": digest(b"other"), "digestAlgorithm": "SHA-256"}, "digest"),
    ],
)
def test_a_jwt_with_one_wrong_claim_is_401(shop: Shop, changes: dict[str, Any], reason: str) -> None:
    target = f"{CUSTOMER}?x=1"
    reply = shop.bearer("GET", target, {**shop.claims("GET", target), **changes})
    assert (reply.status, reply.json) == (401, {"response": {"rmsg": "Authentication Failed"}})
    assert shop.app.why_refused == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"request-method": "get"},
        {"request-resource-path": f"{CUSTOMER}/payment-instruments"},
        {"iat": NOW + 300, "exp": NOW + 301},
        {"iat": NOW - 420, "exp": NOW - 300},
        {"v-c-response-mle-kid": "x"},
        {"jti": str(uuid.uuid4()).upper()},
    ],
)
def test_what_the_vendors_clients_do_differently_and_clocks_300_seconds_off_are_let_in(
    shop: Shop, changes: dict[str, Any]
) -> None:
    target = f"{CUSTOMER}/payment-instruments?limit=1"
    claims = {**shop.claims("GET", target), **changes}
    assert shop.bearer("GET", target, claims).status == 404


def test_a_jti_is_good_once(shop: Shop) -> None:
    claims = shop.claims("GET", CUSTOMER)
    assert shop.bearer("GET", CUSTOMER, claims).status == 404
    assert shop.bearer("GET", CUSTOMER, claims).status == 401
    assert shop.app.why_refused == "jti was seen before"
    shop.now += 420
    assert shop.bearer("GET", CUSTOMER, claims).status == 401
    shop.now += 1
    assert shop.bearer("GET", CUSTOMER, claims).status == 401
    assert shop.app.why_refused == "expired"


def test_a_jti_is_forgotten_when_its_token_could_not_be_used_any_more(shop: Shop) -> None:
    jti = str(uuid.uuid4())
    assert shop.bearer("GET", CUSTOMER, {**shop.claims("GET", CUSTOMER), "jti": jti}).status == 404
    shop.now += 421
    assert shop.bearer("GET", CUSTOMER, {**shop.claims("GET", CUSTOMER), "jti": jti}).status == 404


@pytest.mark.parametrize("name", ["digestAlgorithm", "digest-algorithm"])
def test_both_spellings_of_the_digest_algorithm_are_let_in(shop: Shop, name: str) -> None:
    claims = shop.claims("POST", CUSTOMERS, EMAIL_BODY)
    claims[name] = claims.pop("digestAlgorithm")
    assert shop.bearer("POST", CUSTOMERS, claims, EMAIL_BODY).status == 201


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"digest": None}, "digest"),
        ({"digest": f"SHA-256={DIGEST}"}, "digest"),
        ({"digestAlgorithm": "MD5"}, "digestAlgorithm"),
    ],
)
def test_a_body_needs_its_digest(shop: Shop, changes: dict[str, Any], reason: str) -> None:
    claims = {**shop.claims("POST", CUSTOMERS, EMAIL_BODY), **changes}
    assert shop.bearer("POST", CUSTOMERS, claims, EMAIL_BODY).status == 401
    assert shop.app.why_refused == reason


def test_a_body_nobody_signed_is_401(shop: Shop) -> None:
    assert shop.bearer("POST", CUSTOMERS, shop.claims("POST", CUSTOMERS), EMAIL_BODY).status == 401
    assert shop.app.why_refused == "digestAlgorithm"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_each_shared_secret_algorithm_is_let_in_and_a_changed_signature_is_not(shop: Shop, algorithm: str) -> None:
    def send(flip: int) -> int:
        content = f"{compact({'alg': algorithm, 'kid': KEY_ID, 'typ': 'JWT'})}.{compact(shop.claims('GET', CUSTOMER))}"
        mac = bytearray(hmac.digest(bytes(range(32)), content.encode(), algorithm.replace("HS", "sha")))
        mac[0] ^= flip
        signature = base64.urlsafe_b64encode(mac).decode().rstrip("=")
        return shop.call("GET", CUSTOMER, authorization=f"Bearer {content}.{signature}").status

    assert send(0) == 404
    assert send(1) == 401
    assert shop.app.why_refused == "signature"


@pytest.mark.parametrize(("header", "reason"), [({"kid": "x"}, "kid"), ({"kid": 1}, ""), ({"typ": "JWS"}, "typ")])
def test_the_jose_header_is_checked(shop: Shop, header: dict[str, Any], reason: str) -> None:
    content = (
        f"{compact({'alg': 'HS256', 'kid': KEY_ID, 'typ': 'JWT', **header})}.{compact(shop.claims('GET', CUSTOMER))}"
    )
    mac = base64.urlsafe_b64encode(hmac.digest(bytes(range(32)), content.encode(), "sha256")).decode().rstrip("=")
    assert shop.call("GET", CUSTOMER, authorization=f"Bearer {content}.{mac}").status == 401
    assert shop.app.why_refused == (reason or "alg or kid")


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic eDp5", "Bearer ", "Bearer a.b", "Bearer a.b.c", "Bearer W10.W10.W10", "Bearer e30.e30.e"],
)
def test_what_is_no_jwt_is_401(shop: Shop, authorization: str) -> None:
    assert shop.call("GET", CUSTOMER, authorization=authorization).status == 401


def test_alg_none_is_401(shop: Shop) -> None:
    content = f"{compact({'alg': 'none', 'kid': KEY_ID, 'typ': 'JWT'})}.{compact(shop.claims('GET', CUSTOMER))}"
    assert shop.call("GET", CUSTOMER, authorization=f"Bearer {content}.AAAA").status == 401
    assert shop.app.why_refused == "alg"


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, serial: str) -> bytes:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, MERCHANT)]
    if serial:
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    name = x509.Name(attributes)
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(4711).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=365))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_a_jwt_of_a_trusted_certificate_is_let_in_under_its_subject_serial_number(
    shop: Shop, rsa_key: rsa.RSAPrivateKey, algorithm: str
) -> None:
    def send(kid: str) -> int:
        token = jwt.encode(shop.claims("GET", CUSTOMER), rsa_key, algorithm, headers={"kid": kid})
        return shop.call("GET", CUSTOMER, authorization=f"Bearer {token}").status

    assert send("7030180437360177037") == 401
    shop.app.trust(certificate(rsa_key, "7030180437360177037"))
    assert send("7030180437360177037") == 404
    assert send("4711") == 401
    assert send(KEY_ID) == 401


def test_another_rsa_key_under_a_trusted_serial_number_is_401(shop: Shop, rsa_key: rsa.RSAPrivateKey) -> None:
    shop.app.trust(certificate(rsa.generate_private_key(public_exponent=65537, key_size=2048), "1"))
    token = jwt.encode(shop.claims("GET", CUSTOMER), rsa_key, "RS256", headers={"kid": "1"})
    assert shop.call("GET", CUSTOMER, authorization=f"Bearer {token}").status == 401
    assert shop.app.why_refused == "signature"


def test_a_certificate_without_subject_serial_number_or_rsa_key_cannot_be_trusted(
    shop: Shop, rsa_key: rsa.RSAPrivateKey
) -> None:
    for pem in (certificate(rsa_key, ""), certificate(ec.generate_private_key(ec.SECP256R1()), "1")):
        with pytest.raises(ValueError, match="serialNumber"):
            shop.app.trust(pem)


# -- HTTP Signature ----------------------------------------------------------------------------------------------------


def signature_headers(signature: str, names: str, **more: str) -> dict[str, str]:
    value = f'keyid="{KEY_ID}", algorithm="HmacSHA256", headers="{names}", signature="{signature}"'
    return {"signature": value, "v_c_merchant_id": MERCHANT, **more}


PLAIN = "host date request-target v-c-merchant-id"
WITH_BODY = "host date request-target digest v-c-merchant-id"


@pytest.mark.parametrize(
    ("method", "target", "signature", "status"),
    [
        ("GET", CUSTOMER, "i/Fk0bMi7rArVF/eZoNeOiDaEEnYmWHLRp5BjB11Qj8=", 200),
        (
            "GET",
            f"{CUSTOMER}/payment-instruments?offset=0&limit=100",
            "Foma0vmc8i1P7FaQZbl0TzvXHjGWU1hSpMujxklyeBk=",
            200,
        ),
        ("DELETE", CUSTOMER, "ZzXXi0t2BR1NYCrV48dbmseGExeC208R60fYeR4LRHU=", 204),
        ("PATCH", CUSTOMER, "BV7sgzj+5oiQZbzz7fghjDRIguoBkamsrgyl9bqzM+o=", 200),
        ("POST", CUSTOMERS, "KBh75HsjggOojLBP6rFkYHkiP0ZrCFS03k0pRXGCxGA=", 201),
    ],
)
def test_the_recorded_http_signature_of_the_vendors_own_client_is_let_in(
    shop: Shop, method: str, target: str, signature: str, status: int
) -> None:
    shop.made(CUSTOMERS, {"id": TOKEN})
    if method in ("POST", "PATCH"):
        headers = signature_headers(signature, WITH_BODY, digest=f"SHA-256={DIGEST}", content_type=JSON_TYPE, date=DATE)
        assert shop.call(method, target, EMAIL_BODY, **headers).status == status
    else:
        assert shop.call(method, target, b"", **signature_headers(signature, PLAIN, date=DATE)).status == status


def test_the_v_c_date_form_of_the_developer_guide_is_let_in(shop: Shop) -> None:
    shop.made(CUSTOMERS, {"id": TOKEN})
    names = "host v-c-date request-target v-c-merchant-id"
    headers = signature_headers("l1EDnPht3x6OmrdoKu2vv0ojaEKpiQ+xpQmKOI+LkZU=", names, v_c_date=DATE)
    assert shop.call("DELETE", CUSTOMER, b"", **headers).status == 204


GOOD = "i/Fk0bMi7rArVF/eZoNeOiDaEEnYmWHLRp5BjB11Qj8="


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (signature_headers("ZzXXi0t2BR1NYCrV48dbmseGExeC208R60fYeR4LRHU=", PLAIN, date=DATE), "signature"),
        (signature_headers(GOOD, PLAIN, date=DATE, v_c_merchant_id="somebody"), "v-c-merchant-id"),
        (signature_headers(GOOD, "host date v-c-merchant-id", date=DATE), "signed headers"),
        (signature_headers(GOOD, "host date (request-target) v-c-merchant-id", date=DATE), "signed headers"),
        (signature_headers(GOOD, f"{PLAIN} date", date=DATE), "signed headers"),
        (signature_headers(GOOD, PLAIN, date=formatdate(NOW - 301, usegmt=True)), "date"),
        (signature_headers(GOOD, PLAIN, date=formatdate(NOW + 301, usegmt=True)), "date"),
        (signature_headers(GOOD, PLAIN, date="2026-01-01T00:00:00Z"), "date"),
        (signature_headers(GOOD, PLAIN, date="Thu, 01 Jan 2026 00:00:00 +0000"), "date"),
        (signature_headers(GOOD, PLAIN, date="Thu, 99 Jan 2026 00:00:00 GMT"), "date"),
        (signature_headers(GOOD, PLAIN), "date"),
        ({"signature": 'keyid="x"', "date": DATE}, "Signature header"),
    ],
)
def test_a_wrong_http_signature_is_401(shop: Shop, headers: dict[str, str], reason: str) -> None:
    assert shop.call("GET", CUSTOMER, b"", **headers).status == 401
    assert shop.app.why_refused == reason


@pytest.mark.parametrize(("old", "new", "reason"), [("444", "445", "keyid"), ("HmacSHA256", "hs2019", "algorithm")])
def test_a_wrong_parameter_of_the_signature_header_is_401(shop: Shop, old: str, new: str, reason: str) -> None:
    headers = signature_headers(GOOD, PLAIN, date=DATE)
    headers["signature"] = headers["signature"].replace(old, new)
    assert shop.call("GET", CUSTOMER, b"", **headers).status == 401
    assert shop.app.why_refused == reason


def test_a_changed_body_breaks_its_http_signature(shop: Shop) -> None:
    signature = "KBh75HsjggOojLBP6rFkYHkiP0ZrCFS03k0pRXGCxGA="
    headers = signature_headers(signature, WITH_BODY, digest=f"SHA-256={DIGEST}", content_type=JSON_TYPE, date=DATE)
    assert shop.call("POST", CUSTOMERS, EMAIL_BODY + b" ", **headers).status == 401
    assert shop.app.why_refused == "digest"


# -- strictness --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/tms/v2/customers/", "/tms/v1/customers", f"{CUSTOMER}/paymentinstruments"])
def test_an_unknown_path_is_404(shop: Shop, path: str) -> None:
    assert error(shop.send("GET", path)) == (404, "notFound")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", CUSTOMERS), ("PUT", CUSTOMER), ("DELETE", f"{CUSTOMER}/shipping-addresses")]
)
def test_a_method_the_path_does_not_have_is_405(shop: Shop, method: str, path: str) -> None:
    assert shop.send(method, path).status == 405


@pytest.mark.parametrize("body", [b"{", b"\xff{}", b'{"a":NaN}', b"[]", b'"x"', b"null", b"[" * 20_000])
def test_a_body_that_is_no_json_object_is_400(shop: Shop, body: bytes) -> None:
    assert error(shop.send("POST", CUSTOMERS, body)) == (400, "invalidRequest")


def test_an_empty_body_is_400(shop: Shop) -> None:
    assert error(shop.send("POST", CUSTOMERS, content_type=JSON_TYPE)) == (400, "invalidRequest")


@pytest.mark.parametrize("given", ["text/plain", "application/json;charset=latin-1", "application/hal+json"])
def test_the_content_type_is_checked(shop: Shop, given: str) -> None:
    assert error(shop.send("POST", CUSTOMERS, {}, content_type=given)) == (400, "invalidHeaders")


def test_a_body_without_content_type_is_400(shop: Shop) -> None:
    assert error(shop.send("POST", CUSTOMERS, {}, content_type="")) == (400, "missingHeaders")
    assert shop.send("POST", CUSTOMERS, {}, content_type="application/json; charset=UTF-8").status == 201


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        (CUSTOMERS, {"buyerInformation": {"email": 1}}, ["buyerInformation.email"]),
        (CUSTOMERS, {"buyerInformation": {"email": None}}, ["buyerInformation.email"]),
        (CUSTOMERS, {"buyerInformation": {"merchantCustomerId": "x"}}, ["buyerInformation.merchantCustomerId"]),
        (CUSTOMERS, {"buyerInformation": "x"}, ["buyerInformation"]),
        (CUSTOMERS, {"objectInformation": {"title": "x" * 61}}, ["objectInformation.title"]),
        (CUSTOMERS, {"merchantDefinedInformation": {}}, ["merchantDefinedInformation"]),
        (CUSTOMERS, {"merchantDefinedInformation": [{}, {"value": 1}]}, ["merchantDefinedInformation[1].value"]),
        (CUSTOMERS, {"merchantDefinedInformation": ["x"]}, ["merchantDefinedInformation[0]"]),
        (CUSTOMERS, {"defaultPaymentInstrument": {"id": "x"}}, ["defaultPaymentInstrument.id"]),
        (CUSTOMERS, {"_links": "x", "x": 1}, ["_links", "x"]),
        (CUSTOMERS, {"id": "a/b"}, ["id"]),
        (CUSTOMERS, {"id": "a" * 33}, ["id"]),
        (INSTRUMENTS, {"default": "true"}, ["default"]),
        (INSTRUMENTS, {"buyerInformation": {"dateOfBirth": "20260101"}}, ["buyerInformation.dateOfBirth"]),
        (INSTRUMENTS, {"buyerInformation": {"dateOfBirth": "yesterday"}}, ["buyerInformation.dateOfBirth"]),
        (INSTRUMENTS, {"instrumentIdentifier": {"id": "7010000000016241111"}}, ["instrumentIdentifier.id"]),
        (IDENTIFIERS, {"card": {"number": "4111 1111 1111 1111"}}, ["card.number"]),
        (IDENTIFIERS, {"card": {"number": "4" * 11}}, ["card.number"]),
    ],
)
def test_wrong_fields_are_400_and_named(shop: Shop, path: str, body: object, names: list[str]) -> None:
    reply = shop.send("POST", path, body)
    assert error(reply) == (400, "invalidFields")
    assert wrong_fields(reply) == names


@pytest.mark.parametrize(
    ("path", "body", "kind", "names"),
    [
        (INSTRUMENTS, {}, "missingFields", ["instrumentIdentifier.id"]),
        (IDENTIFIERS, {}, "missingFields", ["card.number"]),
        (IDENTIFIERS, {"bankAccount": {"number": "1"}}, "missingFields", ["bankAccount.routingNumber"]),
        (IDENTIFIERS, {"card": {"number": CARD}, "bankAccount": {"number": "1"}}, "invalidCombination", None),
        (INSTRUMENTS, with_card(CARD, instrumentIdentifier={"id": "7" * 16}), "invalidCombination", None),
    ],
)
def test_missing_and_contradicting_fields_are_400(
    shop: Shop, path: str, body: object, kind: str, names: list[str] | None
) -> None:
    reply = shop.send("POST", path, body)
    assert error(reply) == (400, kind)
    assert names is None or wrong_fields(reply) == names


@pytest.mark.parametrize(
    "query",
    ["page=1", "limit=0", "limit=101", "limit=x", "offset=-1", "offset=", "limit=1&limit=1", "offset=1e1", "limit=٣"],
)
def test_unknown_and_wrong_query_parameters_are_400(shop: Shop, query: str) -> None:
    path, _ = shop.customer()
    assert error(shop.send("GET", f"{path}/payment-instruments?{query}")) == (400, "invalidFields")


def test_query_parameters_belong_to_their_operation(shop: Shop) -> None:
    path, (instrument,) = shop.customer(CARD)
    identifier = shop.identifier_of(f"{path}/payment-instruments/{instrument}")
    assert shop.send("GET", f"{path}?limit=1").status == 400
    assert shop.send("GET", f"{path}/payment-instruments?retrieveBinDetails=true").status == 400
    assert shop.send("GET", f"{identifier}?retrieveBinDetails=1").status == 400
    assert shop.send("GET", f"{identifier}?retrieveBinDetails=false").json.get("_embedded") is None
    card = {"type": "001", "brandName": "VISA"}
    shown = shop.send("GET", f"{identifier}?retrieveBinDetails=true").json
    assert shown["_embedded"] == {"binLookup": {"paymentAccountInformation": {"card": card}}}


def test_a_token_longer_than_32_characters_is_400(shop: Shop) -> None:
    assert error(shop.send("GET", f"{CUSTOMERS}/{'A' * 33}")) == (400, "invalidFields")


def test_the_profile_header_is_checked(shop: Shop) -> None:
    path, _ = shop.customer()
    known, unknown, forbidden = next(iter(shop.app.profiles)), str(uuid.uuid4()), str(uuid.uuid4())
    shop.app.forbidden_profiles.add(forbidden)
    assert shop.send("GET", path, profile_id=known).status == 200
    assert error(shop.send("GET", path, profile_id="short")) == (400, "invalidHeaders")
    assert error(shop.send("GET", path, profile_id=unknown)) == (424, "notFound")
    assert error(shop.send("GET", path, profile_id=forbidden)) == (403, "forbidden")


def test_credentials_are_checked_before_anything_else(shop: Shop) -> None:
    for method, path in (("GET", "/nowhere"), ("PUT", CUSTOMERS), ("GET", CUSTOMER)):
        assert shop.call(method, path).status == 401
    assert shop.app.why_refused == "no credentials"


# -- tokens: how they live and die -------------------------------------------------------------------------------------


def test_a_new_token_has_etag_location_and_32_hex_digits(shop: Shop) -> None:
    reply = shop.send("POST", CUSTOMERS, {"objectInformation": {"title": "T"}})
    assert re.fullmatch("[0-9A-F]{32}", reply.json["id"])
    assert reply.headers["Location"] == f"{CUSTOMERS}/{reply.json['id']}"
    read = shop.send("GET", reply.headers["Location"])
    assert (read.json, read.headers["ETag"]) == (reply.json, reply.headers["ETag"])
    assert read.headers["Content-Type"] == JSON_TYPE
    assert read.headers["v-c-correlation-id"] != reply.headers["v-c-correlation-id"]


def test_a_chosen_token_is_taken_once_even_after_its_deletion(shop: Shop) -> None:
    assert shop.made(CUSTOMERS, {"id": TOKEN}) == TOKEN
    assert error(shop.send("POST", CUSTOMERS, {"id": TOKEN})) == (409, "tokenIdConflict")
    assert shop.send("DELETE", CUSTOMER).status == 204
    assert error(shop.send("POST", CUSTOMERS, {"id": TOKEN})) == (409, "tokenIdConflict")


def test_a_deleted_token_is_410_and_one_that_never_was_404(shop: Shop) -> None:
    path, (instrument,) = shop.customer(CARD)
    address = shop.made(f"{path}/shipping-addresses", {"shipTo": {"firstName": "A"}})
    assert shop.send("DELETE", path).status == 204
    for gone in ("", f"/payment-instruments/{instrument}", f"/shipping-addresses/{address}", "/payment-instruments/X"):
        assert error(shop.send("GET", path + gone)) == (410, "notAvailable")
        assert shop.send("DELETE", path + gone).status == 410
        assert shop.send("PATCH", path + gone, {}).status == 410
    for many in ("/payment-instruments", "/shipping-addresses"):
        assert shop.send("GET", path + many).status == 410
        assert shop.send("POST", path + many, with_card(CARD) if "pay" in many else {}).status == 410
    assert error(shop.send("GET", CUSTOMER)) == (404, "notFound")
    assert shop.send("DELETE", CUSTOMER).status == 404


def test_a_token_of_another_customer_is_404(shop: Shop) -> None:
    first, (instrument,) = shop.customer(CARD)
    second, _ = shop.customer()
    assert shop.send("GET", f"{second}/payment-instruments/{instrument}").status == 404
    assert shop.send("DELETE", f"{first}/payment-instruments/{instrument}").status == 204
    assert shop.send("GET", f"{first}/payment-instruments/{instrument}").status == 410
    assert shop.send("GET", f"{second}/payment-instruments/{instrument}").status == 404
    assert shop.send("GET", f"{INSTRUMENTS}/{instrument}").status == 404


def test_deleting_a_customer_takes_its_own_cards_and_leaves_shared_ones(shop: Shop) -> None:
    first, (own, shared) = shop.customer(OTHER_CARD, CARD)
    second, (other,) = shop.customer(CARD)
    own_card = shop.identifier_of(f"{first}/payment-instruments/{own}")
    shared_card = shop.identifier_of(f"{first}/payment-instruments/{shared}")
    assert shop.identifier_of(f"{second}/payment-instruments/{other}") == shared_card
    assert shop.send("DELETE", first).status == 204
    assert shop.send("GET", own_card).status == 410
    assert shop.send("GET", f"{own_card}/paymentinstruments").status == 410
    assert shop.send("GET", shared_card).status == 200
    users = shop.send("GET", f"{shared_card}/paymentinstruments").json
    assert [user["id"] for user in users["_embedded"]["paymentInstruments"]] == [other]
    assert shop.send("DELETE", second).status == 204
    assert shop.send("GET", shared_card).status == 410


def test_an_identifier_lists_instruments_of_all_customers_and_stand_alone_ones(shop: Shop) -> None:
    first, (one,) = shop.customer(CARD)
    _, (two,) = shop.customer(CARD)
    identifier = shop.identifier_of(f"{first}/payment-instruments/{one}")
    alone = shop.made(INSTRUMENTS, {"instrumentIdentifier": {"id": identifier.rpartition("/")[2]}})
    reply = shop.send("GET", f"{identifier}/paymentinstruments?limit=2")
    assert reply.headers["X-Total-Count"] == "3"
    assert [user["id"] for user in reply.json["_embedded"]["paymentInstruments"]] == [one, two]
    shown = shop.send("GET", f"{identifier}/paymentinstruments?offset=2").json["_embedded"]["paymentInstruments"]
    assert [(user["id"], "customer" in user["_links"], "default" in user) for user in shown] == [(alone, False, False)]


def test_an_identifier_cannot_be_deleted_while_linked_and_goes_with_its_last_instrument(shop: Shop) -> None:
    alone = shop.made(INSTRUMENTS, with_card(CARD))
    identifier = shop.identifier_of(f"{INSTRUMENTS}/{alone}")
    assert error(shop.send("DELETE", identifier)) == (409, "instrumentIdentifierDeletionError")
    assert shop.send("DELETE", f"{INSTRUMENTS}/{alone}").status == 204
    assert shop.send("DELETE", f"{INSTRUMENTS}/{alone}").status == 410
    assert shop.send("DELETE", identifier).status == 410


def test_an_identifier_left_behind_can_be_deleted(shop: Shop) -> None:
    shop.app.vault.leave_orphans = True
    path, (instrument,) = shop.customer(CARD)
    identifier = shop.identifier_of(f"{path}/payment-instruments/{instrument}")
    assert shop.send("DELETE", path).status == 204
    assert shop.send("GET", f"{identifier}/paymentinstruments").json["total"] == 0
    assert shop.send("DELETE", identifier).status == 204
    assert shop.send("GET", identifier).status == 410


def test_the_same_card_gets_the_same_identifier(shop: Shop) -> None:
    first = shop.send("POST", IDENTIFIERS, {"card": {"number": CARD, "securityCode": "123"}})
    again = shop.send("POST", IDENTIFIERS, {"card": {"number": CARD}})
    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert first.json["card"] == {"number": "411111XXXXXX1111"}
    account = {"bankAccount": {"number": "000123456789", "routingNumber": "071923284"}}
    bank = shop.send("POST", IDENTIFIERS, account)
    assert bank.json["bankAccount"] == {"number": "XXXXXXXX6789", "routingNumber": "071923284"}
    assert shop.made(IDENTIFIERS, account, 200) == bank.json["id"]
    assert shop.send("DELETE", f"{IDENTIFIERS}/{first.json['id']}").status == 204
    assert shop.made(IDENTIFIERS, {"card": {"number": CARD}}) != first.json["id"]


def test_no_answer_shows_a_whole_card_number(shop: Shop) -> None:
    path, (instrument,) = shop.customer(CARD)
    identifier = shop.identifier_of(f"{path}/payment-instruments/{instrument}")
    assert shop.send("PATCH", identifier, {"card": {"number": CARD, "expirationMonth": "01"}}).status == 200
    enrolment = {"type": "enrollable card", "card": {"number": CARD, "securityCode": "987"}}
    assert shop.send("POST", f"{identifier}/enrollment", enrolment).status == 202
    for read in (path, f"{path}/payment-instruments", identifier, f"{identifier}/paymentinstruments"):
        text = shop.send("GET", read).encoded().decode()
        assert "411111XXXXXX1111" in text
        assert CARD not in text
        assert "987" not in text


def test_the_default_goes_last(shop: Shop) -> None:
    path, (first, second) = shop.customer(CARD, OTHER_CARD)
    instruments = f"{path}/payment-instruments"
    assert shop.send("GET", f"{instruments}/{first}").json["default"] is True
    assert error(shop.send("DELETE", f"{instruments}/{first}")) == (409, "conflict")
    assert shop.send("PATCH", f"{instruments}/{first}", {"default": False}).status == 400
    assert shop.send("PATCH", f"{instruments}/{second}", {"default": True}).json["default"] is True
    assert shop.send("GET", f"{instruments}/{first}").json["default"] is False
    assert shop.send("DELETE", f"{instruments}/{first}").status == 204
    assert shop.send("DELETE", f"{instruments}/{second}").status == 204
    assert "defaultPaymentInstrument" not in shop.send("GET", path).json


def test_the_default_address_goes_last(shop: Shop) -> None:
    path, _ = shop.customer()
    addresses = f"{path}/shipping-addresses"
    first = shop.made(addresses, {"shipTo": {"firstName": "A"}})
    second = shop.made(addresses, {"shipTo": {"firstName": "B"}, "default": True})
    assert error(shop.send("DELETE", f"{addresses}/{second}")) == (409, "conflict")
    assert shop.send("PATCH", f"{addresses}/{second}", {"default": False}).status == 400
    assert shop.send("PATCH", path, {"defaultShippingAddress": {"id": first}}).status == 200
    assert shop.send("DELETE", f"{addresses}/{second}").status == 204
    assert shop.send("DELETE", f"{addresses}/{first}").status == 204
    assert "_embedded" not in shop.send("GET", path).json


def test_a_customer_embeds_its_defaults_only(shop: Shop) -> None:
    path, (first, second) = shop.customer(CARD, OTHER_CARD)
    addresses = [shop.made(f"{path}/shipping-addresses", {"shipTo": {"firstName": name}}) for name in "AB"]
    shown = shop.send("GET", path).json["_embedded"]
    assert (shown["defaultPaymentInstrument"]["id"], shown["defaultShippingAddress"]["id"]) == (first, addresses[0])
    defaults = {"defaultPaymentInstrument": {"id": second}, "defaultShippingAddress": {"id": addresses[1]}}
    shown = shop.send("PATCH", path, defaults).json["_embedded"]
    assert (shown["defaultPaymentInstrument"]["id"], shown["defaultShippingAddress"]["id"]) == (second, addresses[1])
    for name, token in ((name, token) for name in defaults for token in ("X", "")):
        reply = shop.send("PATCH", path, {name: {"id": token}})
        assert (error(reply), wrong_fields(reply)) == ((400, "invalidFields"), [f"{name}.id"])


def test_patch_merges_and_needs_the_current_etag_where_one_is_given(shop: Shop) -> None:
    path, _ = shop.customer()
    before = shop.send("GET", path)
    body = {"buyerInformation": {"email": "a@example.invalid"}}
    after = shop.send("PATCH", path, body, if_match=before.headers["ETag"])
    assert after.json["buyerInformation"] == {"merchantCustomerID": "C-1", "email": "a@example.invalid"}
    assert after.headers["ETag"] != before.headers["ETag"]
    assert error(shop.send("PATCH", path, {}, if_match=before.headers["ETag"])) == (412, "conflict")
    assert shop.send("GET", path).json == after.json
    assert shop.send("PATCH", path, {"buyerInformation": {"email": ""}}).json["buyerInformation"]["email"] == ""


def test_the_etag_of_every_kind_of_token_is_checked(shop: Shop) -> None:
    path, (instrument,) = shop.customer(CARD)
    address = shop.made(f"{path}/shipping-addresses", {})
    alone = shop.made(INSTRUMENTS, with_card(CARD))
    identifier = shop.identifier_of(f"{INSTRUMENTS}/{alone}")
    tokens = [f"{path}/payment-instruments/{instrument}", f"{path}/shipping-addresses/{address}"]
    for token in [*tokens, f"{INSTRUMENTS}/{alone}", identifier]:
        assert shop.send("PATCH", token, {}, if_match='"0"').status == 412
        assert shop.send("PATCH", token, {}, if_match=shop.send("GET", token).headers["ETag"]).status == 200


def test_a_body_that_was_read_can_be_sent_back(shop: Shop) -> None:
    path, (instrument,) = shop.customer(CARD)
    address = shop.made(f"{path}/shipping-addresses", {"shipTo": {"firstName": "A"}})
    identifier = shop.identifier_of(f"{path}/payment-instruments/{instrument}")
    for token in (path, f"{path}/payment-instruments/{instrument}", f"{path}/shipping-addresses/{address}", identifier):
        shown = shop.send("GET", token).json
        sent = {name: value for name, value in shown.items() if name != "_embedded"}
        assert shop.send("PATCH", token, sent).json == shown


def test_what_only_the_vendor_may_set_is_ignored(shop: Shop) -> None:
    path, (instrument,) = shop.customer(CARD)
    token = f"{path}/payment-instruments/{instrument}"
    before = shop.send("GET", token).json
    sent = {"state": "CLOSED", "card": {"hash": "0" * 32}, "metadata": {"creator": "somebody"}, "_links": {}}
    assert shop.send("PATCH", token, sent).json == before


def test_an_instrument_stays_on_its_card_and_an_identifier_keeps_its_number(shop: Shop) -> None:
    alone = f"{INSTRUMENTS}/{shop.made(INSTRUMENTS, with_card(CARD))}"
    other = shop.made(IDENTIFIERS, {"card": {"number": OTHER_CARD}})
    kind = "unsupportedPaymentMethodModification"
    assert error(shop.send("PATCH", alone, {"instrumentIdentifier": {"id": other}})) == (400, kind)
    assert error(shop.send("PATCH", alone, with_card(CARD))) == (400, kind)
    assert error(shop.send("PATCH", f"{IDENTIFIERS}/{other}", {"card": {"number": CARD}})) == (400, kind)
    assert error(shop.send("PATCH", f"{IDENTIFIERS}/{other}", {"bankAccount": {"number": "1"}})) == (400, kind)
    assert error(shop.send("PATCH", alone, {"id": "X"})) == (400, "invalidFields")


def test_enrolment_is_accepted_once_and_needs_a_type(shop: Shop) -> None:
    identifier = f"{IDENTIFIERS}/{shop.made(IDENTIFIERS, {'card': {'number': CARD}})}"
    assert error(shop.send("POST", f"{identifier}/enrollment", {})) == (400, "missingFields")
    assert error(shop.send("POST", f"{identifier}/enrollment", {"type": "x"})) == (400, "invalidFields")
    consent = {"type": "enrollable card", "tokenProvisioningInformation": {"consumerConsentObtained": True}}
    assert shop.send("POST", f"{identifier}/enrollment", consent).status == 202
    assert shop.send("POST", f"{identifier}/enrollment", consent).status == 204
    shown = shop.send("GET", identifier).json
    assert shown["tokenizedCard"]["state"] == "ACTIVE"
    assert shown["tokenProvisioningInformation"] == {"consumerConsentObtained": True}


def test_lists_are_paged(shop: Shop) -> None:
    path, _ = shop.customer()
    addresses = f"{path}/shipping-addresses"
    empty = shop.send("GET", addresses)
    assert (empty.json["count"], empty.json["total"], empty.headers["X-Total-Count"]) == (0, 0, "0")
    tokens = [shop.made(addresses, {"shipTo": {"firstName": str(n)}}) for n in range(23)]
    seen, target = [], addresses
    while target:
        page = shop.send("GET", target)
        assert page.headers["X-Total-Count"] == "23"
        assert page.json["total"] == 23
        assert page.json["count"] == len(page.json["_embedded"]["shippingAddresses"])
        seen += [address["id"] for address in page.json["_embedded"]["shippingAddresses"]]
        target = page.json["_links"].get("next", {}).get("href", "")
    assert seen == tokens
    middle = shop.send("GET", f"{addresses}?offset=10&limit=5").json
    assert {rel: link["href"].partition("?")[2] for rel, link in middle["_links"].items()} == {
        "self": "offset=10&limit=5",
        "first": "offset=0&limit=5",
        "prev": "offset=5&limit=5",
        "next": "offset=15&limit=5",
        "last": "offset=20&limit=5",
    }
    whole = shop.send("GET", f"{addresses}?limit=23").json["_links"]
    assert whole.keys() == {"self", "first", "last"}
    assert whole["last"] == whole["first"] == whole["self"]
    beyond = shop.send("GET", f"{addresses}?offset=23&limit=100").json
    assert (beyond["count"], "next" in beyond["_links"]) == (0, False)


# -- people ------------------------------------------------------------------------------------------------------------


PEOPLE = seeded_people(60, ["cybersource", "voucherify"])


@pytest.fixture
def seeded(shop: Shop) -> tuple[Shop, Mapping[str, str]]:
    return shop, shop.app.seed(PEOPLE)


def test_everybody_the_vendor_knows_gets_a_token_and_nobody_else(seeded: tuple[Shop, Mapping[str, str]]) -> None:
    shop, tokens = seeded
    assert set(tokens) == {person.customer_id for person in PEOPLE if "cybersource" in person.held_at}
    assert all(re.fullmatch("[0-9A-F]{32}", token) for token in tokens.values())
    for person in PEOPLE:
        held = shop.app.held(person)
        assert bool(held) == (person.customer_id in tokens)
        if held:
            shown = shop.send("GET", f"{CUSTOMERS}/{tokens[person.customer_id]}").json
            assert shown["buyerInformation"] == {"merchantCustomerID": person.customer_id, "email": person.email}
            bill_to = shown["_embedded"]["defaultPaymentInstrument"]["billTo"]
            assert (bill_to["lastName"], bill_to["phoneNumber"]) == (person.last_name, person.phone)


def test_seeding_is_the_same_each_time_and_harmless_twice(seeded: tuple[Shop, Mapping[str, str]]) -> None:
    shop, tokens = seeded
    other = CyberSourceSandbox()
    assert other.seed(PEOPLE) == tokens
    assert other.vault.identifiers.keys() == shop.app.vault.identifiers.keys()
    assert shop.send("DELETE", f"{CUSTOMERS}/{tokens[PEOPLE[0].customer_id]}").status == 204
    assert shop.app.seed(PEOPLE) == tokens
    assert shop.app.held(PEOPLE[0]) == {}


def test_what_is_held_is_what_the_lists_show(seeded: tuple[Shop, Mapping[str, str]]) -> None:
    shop, tokens = seeded
    kinds = {"payment_instrument": "payment-instruments", "shipping_address": "shipping-addresses"}
    for person in PEOPLE[:25]:
        if person.customer_id not in tokens:
            continue
        held = shop.app.held(person)
        path = f"{CUSTOMERS}/{tokens[person.customer_id]}"
        for kind, name in kinds.items():
            assert shop.send("GET", f"{path}/{name}?limit=1").json["total"] == held[kind]
        assert held["instrument_identifier"] == held["payment_instrument"]
    assert {shop.app.held(person).get("payment_instrument") for person in PEOPLE} == {None, 1, 2}
    assert {shop.app.held(person).get("shipping_address") for person in PEOPLE} == {None, 1, 2, 23}


def test_a_shared_card_counts_for_those_whose_instruments_still_use_it(seeded: tuple[Shop, Mapping[str, str]]) -> None:
    shop, tokens = seeded
    first, second = PEOPLE[4], PEOPLE[5]
    assert first.card == second.card
    assert shop.send("DELETE", f"{CUSTOMERS}/{tokens[first.customer_id]}").status == 204
    assert shop.app.held(first) == {}
    assert shop.app.held(second)["instrument_identifier"] == 1


def test_an_identifier_nobody_uses_counts_for_whom_it_once_was(seeded: tuple[Shop, Mapping[str, str]]) -> None:
    shop, tokens = seeded
    shop.app.vault.leave_orphans = True
    first, second = PEOPLE[4], PEOPLE[5]
    own = shop.app.held(first)["instrument_identifier"] - 1
    assert shop.send("DELETE", f"{CUSTOMERS}/{tokens[first.customer_id]}").status == 204
    assert shop.app.held(first).get("instrument_identifier", 0) == own
    assert shop.send("DELETE", f"{CUSTOMERS}/{tokens[second.customer_id]}").status == 204
    assert shop.app.held(first)["instrument_identifier"] == own + 1
    assert shop.app.held(second) == {"instrument_identifier": 1}


def test_a_person_made_again_by_a_payment_is_held_again(shop: Shop) -> None:
    person: Person = PEOPLE[0]
    token = shop.app.seed([person])[person.customer_id]
    assert shop.send("DELETE", f"{CUSTOMERS}/{token}").status == 204
    shop.made(CUSTOMERS, {"buyerInformation": {"merchantCustomerID": person.customer_id}})
    assert shop.app.held(person) == {"customer": 1}


def test_everything_seeded_would_pass_the_checks_of_a_request(seeded: tuple[Shop, Mapping[str, str]]) -> None:
    shop, _ = seeded
    vault = shop.app.vault
    tables: tuple[tuple[Mapping[str, Any], Mapping[str, fields.Field]], ...] = (
        (vault.customers, fields.CUSTOMER),
        (vault.instruments, fields.INSTRUMENT),
        (vault.addresses, fields.ADDRESS),
        (vault.identifiers, fields.IDENTIFIER),
    )
    for records, table in tables:
        assert records
        for record in records.values():
            assert fields.checked(table, record.body) == record.body


def test_it_is_served_over_loopback() -> None:
    app = CyberSourceSandbox()
    settings = app.settings()
    assert settings.keys() == {"merchant_id", "auth", "key_id", "shared_secret"}
    token = app.seed(PEOPLE[:1])[PEOPLE[0].customer_id]
    with SandboxServer(app) as server:
        path = f"{CUSTOMERS}/{token}"
        now = int(app.clock())
        claims = {
            "iat": now, "exp": now + 120, "iss": settings["merchant_id"], "jti": str(uuid.uuid4()),
            "request-host": server.base_url.removeprefix("http://"), "request-method": "DELETE",
            "request-resource-path": path, "v-c-jwt-version": "2", "v-c-merchant-id": settings["merchant_id"],
        }  # fmt: skip
        secret = base64.b64decode(settings["shared_secret"])
        signed = jwt.encode(claims, secret, "HS256", headers={"kid": settings["key_id"]})
        reply = requests.delete(server.base_url + path, headers={"Authorization": f"Bearer {signed}"}, timeout=5)
    assert reply.status_code == 204
    assert reply.headers["v-c-correlation-id"]
    assert app.held(PEOPLE[0]) == {}


# -- against the vendor's description ----------------------------------------------------------------------------------

if DOCUMENT is not None:
    _document = DOCUMENT

    def _drive(shop: Shop) -> set[tuple[str, int]]:
        """Calls every operation and returns operation ids with the statuses they answered."""
        seen: set[tuple[str, int]] = set()

        def go(method: str, target: str, body: object = None, **headers: str) -> Any:
            reply = shop.send(method, target, body, **headers)
            seen.add((_document.operation(method, target.partition("?")[0])[0], reply.status))
            return reply.json

        customer = f"{CUSTOMERS}/{go('POST', CUSTOMERS, {'objectInformation': {'title': 'T'}})['id']}"
        linked = go("POST", IDENTIFIERS, {"card": {"number": CARD}})["id"]
        go("POST", IDENTIFIERS, {"card": {"number": CARD}})
        on_card = {"instrumentIdentifier": {"id": linked}, "card": {"expirationMonth": "12"}}
        for many, body in (
            (f"{customer}/payment-instruments", on_card),
            (f"{customer}/shipping-addresses", {"shipTo": {"firstName": "A"}}),
            (INSTRUMENTS, on_card),
        ):
            tokens = [go("POST", many, body)["id"] for _ in range(2)]
            for token in tokens:
                go("GET", f"{many}/{token}")
                go("PATCH", f"{many}/{token}", body, if_match='"0"')
                go("PATCH", f"{many}/{token}", body)
            if many != INSTRUMENTS:
                go("GET", f"{many}?limit=1")
                go("DELETE", f"{many}/{tokens[0]}")
            _refusals(shop, go, f"{many}/{tokens[1]}")
        identifier = f"{IDENTIFIERS}/{linked}"
        go("GET", f"{identifier}?retrieveBinDetails=true")
        go("PATCH", identifier, {"card": {"expirationYear": "2031"}})
        go("PATCH", identifier, {}, if_match='"0"')
        go("GET", f"{identifier}/paymentinstruments?retrieveBinDetails=true")
        go("POST", f"{identifier}/enrollment", {"type": "enrollable card"})
        go("POST", f"{identifier}/enrollment", {"type": "enrollable card"})
        go("DELETE", identifier)
        go("GET", customer)
        go("PATCH", customer, {"objectInformation": {"comment": "C"}})
        go("PATCH", customer, {}, if_match='"0"')
        free = f"{IDENTIFIERS}/{go('POST', IDENTIFIERS, {'card': {'number': OTHER_CARD}})['id']}"
        for token in (free, customer):
            _refusals(shop, go, token)
        for path in ("/paymentinstruments", "/enrollment"):
            for base in (free, f"{IDENTIFIERS}/X"):
                go(*(("GET", base + path) if path[1] == "p" else ("POST", base + path, {"type": "enrollable card"})))
        return seen

    def _refusals(shop: Shop, go: Callable[..., Any], token: str) -> None:
        """Forbidden and unknown profile, never existed, deleted, already deleted."""
        shop.app.forbidden_profiles.add("f" * 36)
        never = f"{token.rpartition('/')[0]}/NEVER"
        for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
            go(method, token, body, profile_id="f" * 36)
            go(method, token, body, profile_id="0" * 36)
            go(method, never, body)
        go("DELETE", token)
        for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
            go(method, token, body)

    def test_every_operation_answers_every_success_it_is_described_with(shop: Shop) -> None:
        described = {
            (name, int(status))
            for name, (_, _, operation) in _document.operations.items()
            for status in operation["responses"]
            if status.startswith("2")
        }
        assert len(_document.operations) == 24
        assert described == {(name, status) for name, status in _drive(shop) if status < 300}

    def test_refusals_are_among_those_described_for_their_operation(shop: Shop) -> None:
        answered = {(name, status) for name, status in _drive(shop) if status >= 400}
        described = {
            (name, int(status)) for name, (_, _, o) in _document.operations.items() for status in o["responses"]
        }
        assert {status for _, status in answered} == {403, 404, 409, 410, 412, 424}
        assert answered <= described

    @pytest.mark.parametrize(
        ("table", "schema"),
        [
            (fields.CUSTOMER, "PatchCustomerRequest"),
            (fields.CUSTOMER, "PostCustomerRequest"),
            (fields.INSTRUMENT, "PostCustomerPaymentInstrumentRequest"),
            (fields.INSTRUMENT, "PatchCustomerPaymentInstrumentRequest"),
            (fields.INSTRUMENT, "PostPaymentInstrumentRequest"),
            (fields.INSTRUMENT, "PatchPaymentInstrumentRequest"),
            (fields.ADDRESS, "PostCustomerShippingAddressRequest"),
            (fields.ADDRESS, "PatchCustomerShippingAddressRequest"),
            (fields.IDENTIFIER, "PostInstrumentIdentifierRequest"),
            (fields.IDENTIFIER, "PatchInstrumentIdentifierRequest"),
            (fields.IDENTIFIER, "PostInstrumentIdentifierEnrollmentRequest"),
        ],
    )
    def test_the_fields_are_those_described(table: Mapping[str, fields.Field], schema: str) -> None:
        assert _unlike(table, {"$ref": f"/{schema}"}, schema) == (
            [f"{schema}._embedded"] if table is fields.CUSTOMER else []
        )

    def _unlike(field: fields.Field | None, schema: dict[str, Any], name: str) -> list[str]:
        if "$ref" in schema:
            schema = _document.source["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if isinstance(field, Mapping):
            names = schema.get("properties", {}).keys() | field.keys()
            pairs = ((field.get(key), schema.get("properties", {}).get(key, {}), f"{name}.{key}") for key in names)
            return [wrong for pair in pairs for wrong in _unlike(*pair)]
        if isinstance(field, fields.Many):
            return _unlike(field.of, schema.get("items", {}), f"{name}[]") if schema.get("type") == "array" else [name]
        if isinstance(field, fields.Text):
            limits = (schema.get("maxLength"), schema.get("minLength", 0), schema.get("readOnly", False))
            same = limits == (field.most, field.least, field.read_only)
            same = same and (schema.get("format") == "date") == field.day
            return [] if same and schema.get("type") == "string" else [name]
        kind = {fields.Flag: "boolean", fields.Made: "object"}.get(type(field))
        return [] if kind is not None and schema.get("type") == kind else [name]
