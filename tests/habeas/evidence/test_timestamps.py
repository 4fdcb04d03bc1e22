"""Time-stamps against an authority on loopback: what is asked, what is believed, and what a bad token is told to be."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import tsp  # type: ignore[import-untyped] # has no types
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.habeas.evidence import tsa

from habeas.errors import BadAnswer, ConfigError, HabeasError, NoAnswer, NotSent, Rejected, VendorError
from habeas.evidence.timestamps import MAX_TOKEN_BYTES, TimestampInvalid, request_token, verify_token
from habeas.testing.sandbox import Fault, Reply, SandboxServer

CONTENT = b"habeas.audit/canary-5f2e\n1234\nUXDsQ0qUKwYqkV0a3PQFN1zIPn8aPeGAmhZ2E4SCBlU=\n"
AT = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)
OPENSSL = shutil.which("openssl")

ROOT = tsa.root("Root", AT)
HOLDER = tsa.issue("Authority", AT, ROOT)


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxServer]:
    with SandboxServer(tsa.Authority(HOLDER, AT)) as server:
        yield server


@pytest.fixture
def authority(running: SandboxServer) -> tsa.Authority:
    """An authority that does everything right, served at ``running``."""
    running.app = app = tsa.Authority(HOLDER, AT)
    running.calls.clear()
    running.faults.clear()
    return app


@pytest.fixture
def url(running: SandboxServer, authority: tsa.Authority) -> str:
    return running.base_url + tsa.PATH


@pytest.fixture
def alone() -> Iterator[SandboxServer]:
    """An authority for one test, whose last call may end late."""
    with SandboxServer(tsa.Authority(HOLDER, AT)) as server:
        yield server


def silent(error: HabeasError) -> None:
    """Nothing of the content or of an answer is in what an error shows."""
    shown = "".join(traceback.format_exception(error)) + repr(error) + error.line() + repr(vars(error))
    assert "canary" not in shown


def of_version_7(der: bytes) -> bytes:
    """The same certificate, of a version that there is not (RFC 5280, section 4.1.2.1)."""
    assert b"\xa0\x03\x02\x01\x02" in der
    return der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x06", 1)


def refused(token: bytes, content: bytes = CONTENT, root: tsa.Holder = ROOT) -> TimestampInvalid:
    with pytest.raises(TimestampInvalid) as caught:
        verify_token(token, content, [root.pem])
    silent(caught.value)
    return caught.value


def failure(url: str, kind: type[VendorError], match: str, *, seconds: float = 10.0) -> None:
    with pytest.raises(kind, match=match) as caught:
        request_token(url, CONTENT, timeout_seconds=seconds)
    assert type(caught.value) is kind
    silent(caught.value)


# -- what is asked -----------------------------------------------------------------------------------------------------


def test_the_query_is_a_digest_a_nonce_and_the_wish_for_certificates(running: SandboxServer, url: str) -> None:
    request_token(url, CONTENT)
    request_token(url, CONTENT)
    first, second = running.calls
    assert (first.method, first.target) == ("POST", "/tsr")
    assert first.headers["content-type"] == "application/timestamp-query"
    assert first.headers["accept"] == "application/timestamp-reply"
    assert b"canary" not in first.body
    asked, again = (tsp.TimeStampReq.load(call.body, strict=True).native for call in (first, second))
    assert (asked["version"], asked["req_policy"], asked["cert_req"]) == ("v1", None, True)
    assert asked["message_imprint"]["hash_algorithm"]["algorithm"] == "sha256"
    assert asked["nonce"] != again["nonce"]
    assert asked["nonce"].bit_length() > 32


@pytest.mark.parametrize(
    "address",
    [
        "http://tsa.example/tsr",
        "http://192.0.2.1/tsr",
        "http://127.0.0.1.example/tsr",
        "http://localhost.example/tsr",
        "ftp://127.0.0.1/tsr",
        "https://canary@tsa.example/tsr",
        "https://tsa.example/a/../tsr",
        "https://tsa.example/tsr?canary",
        "https://tsa.example/{canary}",
        "https://tsa.example:99999/tsr",
        "https://tsa.example/tsr\n",
        "",
    ],
)
def test_an_address_that_is_not_https_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def sent(*_: object, **__: object) -> None:
        raise AssertionError("something was sent")

    monkeypatch.setattr("habeas.http.transport.Transport.deliver", sent)
    failure(address, NotSent, "the time-stamp authority's address")


@pytest.mark.parametrize("path", ["", "/", "/tsr/", "/api/v1/timestamp"])
def test_the_path_arrives_as_it_is_configured(running: SandboxServer, authority: tsa.Authority, path: str) -> None:
    running.fail(Fault("status", reply=Reply(404)))
    failure(running.base_url + path, Rejected, "-> 404")
    assert [call.target for call in running.calls] == [path or "/"]


def test_a_connection_refused_is_not_sent(alone: SandboxServer) -> None:
    url = alone.base_url + tsa.PATH
    alone.stop()
    failure(url, NotSent, "POST /tsr: no connection")


# -- what is taken for an answer ---------------------------------------------------------------------------------------


def test_a_redirect_is_refused_and_nobody_hears_of_it(running: SandboxServer, url: str, alone: SandboxServer) -> None:
    for status in (301, 303, 307):
        for target in (url, alone.base_url + tsa.PATH):
            running.calls.clear()
            running.fail(Fault("status", reply=Reply(status, headers={"Location": target})))
            failure(url, BadAnswer, f"-> {status}: redirects are not followed")
            assert len(running.calls) == 1
    assert alone.calls == []


@pytest.mark.parametrize("status", [202, 400, 401, 429, 503])
def test_another_status_is_told(running: SandboxServer, url: str, status: int) -> None:
    running.fail(Fault("status", reply=Reply(status, headers={"Content-Type": tsa.REPLY}, body=b"canary")))
    failure(url, Rejected if status >= 400 else BadAnswer, f"-> {status}")


def test_an_answer_of_another_kind_is_refused(running: SandboxServer, url: str) -> None:
    body = request_token(url, CONTENT)
    for kind in ("text/html", "application/timestamp-query", "x"):
        running.fail(Fault("replace", reply=Reply(200, headers={"Content-Type": kind}, body=body)))
        failure(url, BadAnswer, "is not application/timestamp-reply")


def test_an_answer_up_to_the_limit_is_read_and_a_larger_one_is_not(running: SandboxServer, url: str) -> None:
    headers = {"Content-Type": tsa.REPLY}
    running.fail(Fault("replace", reply=Reply(200, headers=headers, body=bytes(MAX_TOKEN_BYTES))))
    failure(url, BadAnswer, "not a TimeStampResp")
    running.fail(Fault("replace", reply=Reply(200, headers=headers, body=bytes(MAX_TOKEN_BYTES + 1))))
    failure(url, BadAnswer, "larger than 65536 bytes")


def test_garbage_is_no_answer(running: SandboxServer, url: str) -> None:
    for body in (b"", b"canary", b"\x30\x00", b"\x30\x80\x00\x00"):
        running.fail(Fault("replace", reply=Reply(200, headers={"Content-Type": tsa.REPLY}, body=body)))
        failure(url, BadAnswer, "not a TimeStampResp")


@pytest.mark.parametrize("kind", ["drip", "hang_before", "hang_after"])
def test_a_slow_answer_ends_at_the_deadline(alone: SandboxServer, kind: str) -> None:
    alone.fail(Fault(kind))  # type: ignore[arg-type] # one of the kinds
    began = time.monotonic()
    failure(alone.base_url + tsa.PATH, NoAnswer, "in time", seconds=0.1)
    assert time.monotonic() - began < 5


def test_a_dropped_connection_is_no_answer(running: SandboxServer, url: str) -> None:
    running.fail(Fault("reset_after"))
    failure(url, NoAnswer, "dropped")


@pytest.mark.parametrize(
    ("status", "with_token", "said"),
    [
        ("granted_with_mods", True, "not granted: granted with modifications"),
        ("rejection", False, "not granted: rejection"),
        ("waiting", False, "not granted: waiting"),
        ("revocation_notification", False, "not granted: revocation notification"),
        ("granted", False, "no TSTInfo"),
    ],
)
def test_what_is_not_granted_is_refused(
    authority: tsa.Authority, url: str, status: str, with_token: bool, said: str
) -> None:
    authority.status, authority.with_token = status, with_token
    failure(url, BadAnswer, said)


@pytest.mark.parametrize("shift", [1, -1, None])
def test_an_answer_to_another_query_is_refused(authority: tsa.Authority, url: str, shift: int | None) -> None:
    authority.nonce_shift = shift
    failure(url, BadAnswer, "does not bear the nonce")


def test_an_answer_over_another_digest_is_refused(authority: tsa.Authority, url: str) -> None:
    authority.digest = bytes(32)
    failure(url, BadAnswer, "over other content")


def test_an_answer_that_is_not_der_names_the_second_way(authority: tsa.Authority, url: str) -> None:
    authority.others, authority.swap_certificates = [ROOT], True
    failure(url, BadAnswer, "not in the order of DER")


# -- what is believed --------------------------------------------------------------------------------------------------


def proven(token: bytes, content: bytes = CONTENT, root: tsa.Holder = ROOT) -> datetime | None:
    try:
        return verify_token(token, content, [root.pem])
    except TimestampInvalid as error:
        silent(error)
        return None


def by_habeas(token: bytes, content: bytes, root: tsa.Holder, folder: Path) -> bool:
    return proven(token, content, root) == AT


def by_openssl(token: bytes, content: bytes, root: tsa.Holder, folder: Path) -> bool:
    files = {"token.tsr": token, "content": content, "root.pem": root.pem}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    command = [str(OPENSSL), "ts", "-verify", "-in", "token.tsr", "-data", "content", "-CAfile", "root.pem"]
    # Unlike habeas, openssl looks at the chain as it is today unless told otherwise.
    command += ["-attime", str(int(AT.timestamp()))]
    run = subprocess.run(command, cwd=folder, capture_output=True, timeout=30, check=False)
    return run.returncode == 0 and b"Verification: OK" in run.stdout


VERIFIERS = [by_habeas, by_openssl] if OPENSSL else [by_habeas]
"""Where there is no `openssl`, its tests are not made: what is absent is neither passed nor skipped."""


@pytest.mark.parametrize("verifies", VERIFIERS)
def test_a_token_proves_the_content_under_its_root_and_nothing_else(
    url: str, tmp_path: Path, verifies: Callable[[bytes, bytes, tsa.Holder, Path], bool]
) -> None:
    token = request_token(url, CONTENT)
    assert verifies(token, CONTENT, ROOT, tmp_path)
    assert not verifies(token, CONTENT + b"\n", ROOT, tmp_path)
    assert not verifies(token, CONTENT, tsa.root("Root", AT), tmp_path)


def test_the_time_is_the_tokens_and_in_utc(authority: tsa.Authority, url: str) -> None:
    authority.time = AT + timedelta(days=400)
    at = verify_token(request_token(url, CONTENT), CONTENT, [ROOT.pem])
    assert at == authority.time
    assert at.utcoffset() == timedelta(0)


def test_any_accuracy_is_read(authority: tsa.Authority, url: str) -> None:
    for authority.accuracy in (None, {"millis": 500}, {"seconds": 60, "micros": 1}):
        assert proven(request_token(url, CONTENT)) == AT


def test_one_of_several_roots_is_enough_and_may_be_given_twice(url: str) -> None:
    token = request_token(url, CONTENT)
    bundle = tsa.root("Other", AT).pem + ROOT.pem
    assert verify_token(token, CONTENT, [bundle, ROOT.pem]) == AT


def test_a_chain_is_followed_to_its_root_and_an_intermediate_is_none(authority: tsa.Authority, url: str) -> None:
    middle = tsa.issue("Middle", AT, ROOT, ca=True)
    authority.holder, authority.others = tsa.issue("Authority", AT, middle), [middle]
    token = request_token(url, CONTENT)
    assert proven(token) == AT
    assert refused(token, root=middle).check == "certificate"
    authority.others = []
    token = request_token(url, CONTENT)
    assert refused(token).check == "certificate"
    assert verify_token(token, CONTENT, [ROOT.pem + middle.pem]) == AT


def test_a_token_outlives_its_certificate_but_is_not_older_or_younger_than_it(
    authority: tsa.Authority, url: str
) -> None:
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    root = tsa.root("Old root", long_ago)
    authority.holder = tsa.issue("Old", long_ago, root, life=timedelta(days=10))
    authority.time = long_ago + timedelta(days=5)
    assert verify_token(request_token(url, CONTENT), CONTENT, [root.pem]) == authority.time
    for days, said in ((11, "certificate has expired"), (-2, "certificate is not yet valid")):
        authority.time = long_ago + timedelta(days=days)
        error = refused(request_token(url, CONTENT), root=root)
        assert error.check == "certificate"
        assert said in error.message


@pytest.mark.parametrize(
    "holder",
    [
        tsa.issue("For code", AT, ROOT, usage=ExtendedKeyUsageOID.CODE_SIGNING),
        tsa.issue("Not critical", AT, ROOT, critical=False),
        tsa.issue("A CA", AT, ROOT, ca=True),
        tsa.issue("Under no CA", AT, HOLDER),
    ],
    ids=lambda holder: holder.certificate.subject.rfc4514_string(),
)
def test_a_certificate_that_is_not_for_time_stamping_is_refused(
    authority: tsa.Authority, url: str, holder: tsa.Holder
) -> None:
    authority.holder, authority.others = holder, [HOLDER]
    assert refused(request_token(url, CONTENT)).check == "certificate"


def test_each_refusal_names_its_check(authority: tsa.Authority, url: str) -> None:
    token = request_token(url, CONTENT)
    assert refused(token, b"other").check == "digest"
    assert refused(token, root=tsa.root("Other", AT)).check == "certificate"
    authority.without_certificates = True
    assert refused(request_token(url, CONTENT)).check == "certificate"
    authority.without_certificates, authority.break_signature = False, True
    assert refused(request_token(url, CONTENT)).check == "signature"


def test_a_certificate_put_beside_the_chain_cannot_break_the_program(authority: tsa.Authority, url: str) -> None:
    extra = tsa.issue("Extra", AT, ROOT)
    authority.others = [extra]
    token = request_token(url, CONTENT)
    assert proven(token) == AT
    assert refused(token.replace(extra.der, of_version_7(extra.der))).check == "form"


def test_a_refusal_that_came_to_be_stored_is_refused_again(
    running: SandboxServer, authority: tsa.Authority, url: str
) -> None:
    request_token(url, CONTENT)
    authority.status, authority.with_token = "rejection", False
    assert refused(authority.handle(running.calls[0]).encoded()).check == "status"


def test_a_token_with_its_certificates_out_of_order_is_refused_and_openssl_named(
    running: SandboxServer, authority: tsa.Authority, url: str, tmp_path: Path
) -> None:
    request_token(url, CONTENT)
    authority.others, authority.swap_certificates = [ROOT], True
    token = authority.handle(running.calls[0]).encoded()
    error = refused(token)
    assert error.check == "form"
    assert "order of DER" in error.message
    assert "`openssl ts -verify`" in error.advice
    assert OPENSSL is None or by_openssl(token, CONTENT, ROOT, tmp_path)


def test_what_is_no_token_is_refused(url: str) -> None:
    token = request_token(url, CONTENT)
    for wrong in (token[:-1], token + b"\0", token[1:], b"", b"canary", b"\x30\x80\x00\x00"):
        error = refused(wrong)
        assert error.check == "form"
        assert "`openssl ts -verify`" in error.line()


def test_no_changed_byte_moves_the_time_or_breaks_the_program(url: str) -> None:
    token = request_token(url, CONTENT)
    proofs = []
    for place in range(0, len(token), 2):
        changed = bytearray(token)
        changed[place] ^= (0x01, 0x80, 0x10)[place % 3]
        proofs.append(proven(bytes(changed)))
    assert set(proofs) <= {None, AT}
    # A signature covers neither the versions of the structures around it nor the name of its own algorithm.
    assert proofs.count(AT) < len(token) // 50


# -- what has to be there ----------------------------------------------------------------------------------------------


def test_roots_that_are_none_are_an_error_of_the_configuration(url: str) -> None:
    token = request_token(url, CONTENT)
    der = [of_version_7(ROOT.der), ROOT.der.replace(b"Root", b"\xf2oot")]  # the second is OpenSSL's to refuse
    unreadable = [ssl.DER_cert_to_PEM_cert(each).encode() for each in der]
    for root in (b"", b"canary", ROOT.der, ROOT.pem.replace(b"M", b"!"), *unreadable):
        with pytest.raises(
            ConfigError, match="a root certificate of the time-stamp authority cannot be read"
        ) as caught:
            verify_token(token, CONTENT, [ROOT.pem, root])
        silent(caught.value)
    with pytest.raises(ConfigError, match="no root certificate"):
        verify_token(token, CONTENT, [])


def test_without_the_optional_package_the_way_to_it_is_said(
    running: SandboxServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(ConfigError) as caught:
        request_token(url, CONTENT)
    assert "pip install 'habeas[timestamp]'" in caught.value.line()
    assert running.calls == []
    with pytest.raises(ConfigError):
        verify_token(b"", CONTENT, [ROOT.pem])
