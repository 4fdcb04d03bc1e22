"""Each way a call can end, end to end: what is done about it, what the journal holds, and what is never said."""

from __future__ import annotations

import email
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests import PreparedRequest
from requests.auth import AuthBase

from habeas.control import RunControl
from habeas.errors import (
    AuthRejected,
    BadAnswer,
    HabeasError,
    NoAnswer,
    NotSent,
    OutcomeUnknown,
    PluginFault,
    RateLimited,
    Rejected,
    RunEnded,
    VendorError,
)
from habeas.http.api import Api, Change, cannot_be_read
from habeas.http.limits import Limiter
from habeas.http.transport import Request, Transport, Upload
from habeas.models import Limits
from habeas.testing.clock import SkippingClock
from habeas.testing.connect import MemoryJournal
from habeas.testing.sandbox import Fault, FaultKind, Reply, SandboxServer

CANARY = "canary-5f2e"
CUSTOMER = "/v1/customers/{customerId}"
DELETE = Request("DELETE", CUSTOMER, {"customerId": CANARY}, (("q", CANARY),))


class Key(AuthBase):
    """A key that can be renewed as often as ``renewals`` says, and can fail to be put on a request."""

    def __init__(self, renewals: int = 0, failures: list[Exception] | None = None) -> None:
        self.renewals = renewals
        self.failures = failures or []
        self.signed = 0

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        if self.failures:
            raise self.failures.pop(0)
        self.signed += 1
        r.headers["Authorization"] = f"{CANARY} {self.signed}"
        return r

    def renew(self) -> bool:
        self.renewals -= 1
        return self.renewals >= 0


class Desk:
    """An Api over a running vendor, with everything around it within reach."""

    def __init__(self, server: SandboxServer, *, max_seconds: float | None = 90, **limits: Any) -> None:
        self.server = server
        self.clock = SkippingClock()
        limit = Limits(**{"requests_per_second": 10_000.0, **limits})
        self.transport = Transport(server.base_url, limit, self.clock)
        self.limiter = Limiter(limit, self.clock)
        self.control = RunControl(self.clock, max_seconds)
        self.journal = MemoryJournal()
        self.key = Key()
        self.asked = 0
        self.fresh()

    def fresh(self) -> Api:
        """Another case at the same connection, in a run of its own."""
        self.api = Api(self.transport, self.key, self.limiter, self.control, self.journal, draw=lambda: 0.5)
        return self.api

    def get(self, ok: tuple[int, ...] = (200,)) -> int:
        return self.api.get(CUSTOMER, ids={"customerId": CANARY}, query=(("q", CANARY),), ok=ok).status

    def delete(self, **options: Any) -> Change:
        return self.api.change(DELETE, done=self.gone, **options)

    def gone(self) -> bool:
        self.asked += 1
        return self.get(ok=(200, 404)) == 404

    def fail(self, kind: FaultKind, method: str = "", status: int = 503, times: int = 1, **reply: Any) -> None:
        self.server.fail(Fault(kind, method, times=times, reply=Reply(status, **reply)))

    @property
    def methods(self) -> list[str]:
        return [call.method for call in self.server.calls]

    @property
    def written(self) -> list[str]:
        """The journal, one word per entry; fails where an outcome does not belong to the intent before it."""
        words: list[str] = []
        for entry in self.journal.written:
            assert entry.name == DELETE.name
            assert entry.number == (len(words) + 1 if entry.kind == "intent" else len(words))
            words.append("intent" if entry.kind == "intent" else f"{entry.result} {entry.status}")
        return words


@pytest.fixture
def desk(server: SandboxServer) -> Desk:
    return Desk(server)


# -- reads -------------------------------------------------------------------------------------------------------------

READS_THAT_FAIL: list[tuple[FaultKind, int, type[VendorError], int]] = [
    ("status", 429, RateLimited, 4),
    ("status", 500, Rejected, 4),
    ("status", 503, Rejected, 4),
    ("status", 408, Rejected, 4),
    ("reset_before", 0, NoAnswer, 4),
    ("reset_after", 0, NoAnswer, 4),
    ("status", 401, AuthRejected, 1),
    ("status", 403, AuthRejected, 1),
    ("status", 400, Rejected, 1),
    ("status", 404, Rejected, 1),
    ("status", 409, Rejected, 1),
    ("status", 410, Rejected, 1),
    ("status", 301, BadAnswer, 1),
    ("status", 302, BadAnswer, 1),
    ("status", 304, BadAnswer, 1),
    ("status", 307, BadAnswer, 1),
    ("status", 202, BadAnswer, 1),
    ("status", 207, BadAnswer, 1),
]


@pytest.mark.parametrize(("kind", "status", "error", "calls"), READS_THAT_FAIL)
def test_a_read_that_keeps_failing_ends_as_the_table_says(
    desk: Desk, kind: FaultKind, status: int, error: type[VendorError], calls: int
) -> None:
    desk.fail(kind, status=status, times=-1)
    with pytest.raises(error) as caught:
        desk.get()
    assert type(caught.value) is error
    assert len(desk.server.calls) == calls
    assert not desk.api.read_since_change
    if isinstance(caught.value, Rejected):
        assert caught.value.status == status


@pytest.mark.parametrize(("kind", "status"), [(k, s) for k, s, _, calls in READS_THAT_FAIL if calls > 1])
def test_a_read_that_fails_once_is_made_again(desk: Desk, kind: FaultKind, status: int) -> None:
    desk.fail(kind, status=status)
    assert desk.get() == 200
    assert len(desk.server.calls) == 2
    assert desk.api.read_since_change


def test_a_read_leaves_nothing_in_the_journal(desk: Desk) -> None:
    desk.get()
    desk.api.read(Request("POST", "/v1/search", json={"email": CANARY}))
    assert (desk.written, desk.api.changes) == ([], 0)


def test_an_answer_that_is_too_large_is_not_asked_for_again(server: SandboxServer) -> None:
    desk = Desk(server, max_answer_bytes=1024)
    desk.fail("status", status=200, body=b"x" * 2000, times=-1)
    with pytest.raises(BadAnswer, match="larger than 1024 bytes"):
        desk.get()
    assert len(server.calls) == 1


def test_a_vendor_that_is_not_there_is_tried_as_often_as_allowed(server: SandboxServer) -> None:
    gone = SandboxServer(server.app)
    gone.start().stop()
    desk = Desk(gone, attempts=3)
    with pytest.raises(NotSent, match=r": no connection$"):
        desk.get()
    assert desk.clock.slept == pytest.approx(0.5 * 0.5 + 1.0 * 0.5)


# -- changes -----------------------------------------------------------------------------------------------------------


def test_a_change_is_in_the_journal_before_it_is_sent_and_after_it_is_answered(desk: Desk) -> None:
    calls_at: list[int] = []

    class Watching(MemoryJournal):
        def intent(self, request: Request, host: str) -> int:
            calls_at.append(len(desk.server.calls))
            assert f"http://{host}" == desk.server.base_url
            return super().intent(request, host)

        def outcome(self, intent: int, result: str, status: int) -> None:
            calls_at.append(len(desk.server.calls))
            super().outcome(intent, result, status)

    desk.journal = Watching()
    desk.fresh()
    change = desk.delete()
    assert change.answer is not None
    assert (desk.written, calls_at) == (["intent", "acknowledged 204"], [0, 1])


CHANGES: list[tuple[FaultKind, int, str, list[str]]] = [
    # Refused before acting: made again, and nobody needs to be asked.
    ("status", 429, "rejected 429", ["DELETE", "DELETE"]),
    ("status", 409, "rejected 409", ["DELETE", "DELETE"]),
    ("status", 401, "rejected 401", ["DELETE", "DELETE"]),
    # Answer lost, and nothing was done: asked, then made again.
    ("status", 500, "unknown 500", ["DELETE", "GET", "DELETE"]),
    ("status", 503, "unknown 503", ["DELETE", "GET", "DELETE"]),
    ("status", 408, "unknown 408", ["DELETE", "GET", "DELETE"]),
    ("status", 202, "unknown 202", ["DELETE", "GET", "DELETE"]),
    ("reset_before", 0, "unknown 0", ["DELETE", "GET", "DELETE"]),
    # Answer lost, and it was done: asked, and never made again.
    ("replace", 500, "unknown 500", ["DELETE", "GET"]),
    ("replace", 502, "unknown 502", ["DELETE", "GET"]),
    ("replace", 504, "unknown 504", ["DELETE", "GET"]),
    ("replace", 207, "unknown 207", ["DELETE", "GET"]),
    ("reset_after", 0, "unknown 0", ["DELETE", "GET"]),
]


@pytest.mark.parametrize(("kind", "status", "outcome", "methods"), CHANGES)
def test_a_change_that_fails_once_is_finished_as_the_table_says(
    desk: Desk, kind: FaultKind, status: int, outcome: str, methods: list[str]
) -> None:
    desk.key.renewals = 1
    desk.fail(kind, status=status)
    change = desk.delete(conflicts=(409,))
    again = methods.count("DELETE") == 2
    assert (change.answer is not None) == again
    assert desk.written == ["intent", outcome] + ["intent", "acknowledged 204"] * again
    assert desk.methods == methods
    assert desk.asked == methods.count("GET")
    assert desk.api.changes == methods.count("DELETE")
    assert desk.api.read_since_change == (methods[-1] == "GET")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Rejected), (403, AuthRejected), (401, AuthRejected), (404, Rejected), (409, Rejected), (412, Rejected),
        (301, BadAnswer), (302, BadAnswer), (303, BadAnswer), (307, BadAnswer), (308, BadAnswer),
    ],
)  # fmt: skip
def test_a_refused_change_is_made_once_and_raised(desk: Desk, status: int, error: type[VendorError]) -> None:
    desk.fail("status", status=status, times=-1)
    with pytest.raises(error):
        desk.delete()
    assert (desk.written, desk.asked) == (["intent", f"rejected {status}"], 0)


@pytest.mark.parametrize("status", [429, 409])
def test_a_change_refused_for_now_is_made_as_often_as_allowed(desk: Desk, status: int) -> None:
    desk.fail("status", status=status, times=-1)
    with pytest.raises(Rejected):
        desk.delete(conflicts=(409,))
    assert (desk.written, desk.asked) == (["intent", f"rejected {status}"] * 4, 0)


def test_a_change_that_never_reaches_the_vendor_is_not_sent_each_time(server: SandboxServer) -> None:
    gone = SandboxServer(server.app)
    gone.start().stop()
    desk = Desk(gone)
    with pytest.raises(NotSent):
        desk.delete()
    assert (desk.written, desk.asked) == (["intent", "not_sent 0"] * 4, 0)


@pytest.mark.parametrize(("kind", "outcome"), [("status", "unknown 503"), ("reset_before", "unknown 0")])
def test_a_change_that_is_never_answered_is_unknown_after_as_many_attempts_as_allowed(
    desk: Desk, kind: FaultKind, outcome: str
) -> None:
    desk.fail(kind, "DELETE", times=-1)
    with pytest.raises(OutcomeUnknown, match="tried 4 times, not done yet"):
        desk.delete()
    assert desk.written == ["intent", outcome] * 4
    assert desk.methods == ["DELETE", "GET"] * 4


def test_attempts_of_all_kinds_are_counted_together(desk: Desk) -> None:
    for status in (429, 503, 429, 503, 429, 503, 429, 503):
        desk.fail("status", "DELETE", status=status)
    with pytest.raises(OutcomeUnknown):
        desk.delete()
    assert desk.written == ["intent", "rejected 429", "intent", "unknown 503"] * 2


def test_a_change_whose_answer_is_too_large_is_unknown_until_the_vendor_was_asked(server: SandboxServer) -> None:
    desk = Desk(server, max_answer_bytes=1024)
    desk.fail("replace", "DELETE", status=200, body=b"x" * 2000)
    assert desk.delete().answer is None
    assert (desk.written, desk.methods) == (["intent", "unknown 0"], ["DELETE", "GET"])


def test_a_change_that_hangs_is_unknown_until_the_vendor_was_asked(alone: SandboxServer) -> None:
    desk = Desk(alone, timeout_seconds=0.25)
    desk.fail("hang_after", "DELETE")
    assert desk.delete().answer is None
    assert (desk.written, desk.methods) == (["intent", "unknown 0"], ["DELETE", "GET"])


@pytest.mark.parametrize("status", [401, 403, 404, 503])
def test_where_the_read_cannot_tell_the_outcome_stays_unknown_and_nothing_is_repeated(desk: Desk, status: int) -> None:
    desk.fail("reset_after", "DELETE")
    desk.fail("status", "GET", status=status, times=-1)
    with pytest.raises(OutcomeUnknown, match="the connection was dropped"):
        desk.api.change(DELETE, done=lambda: desk.get() == 404)
    assert desk.written == ["intent", "unknown 0"]


def test_a_stop_while_the_vendor_is_asked_leaves_the_outcome_unknown(desk: Desk) -> None:
    desk.fail("reset_before", "DELETE")

    def stopped_meanwhile() -> bool:
        desk.control.stop()
        return desk.gone()

    with pytest.raises(OutcomeUnknown):
        desk.api.change(DELETE, done=stopped_meanwhile)
    assert (desk.written, desk.methods) == (["intent", "unknown 0"], ["DELETE"])


def test_a_stop_after_the_vendor_was_asked_leaves_the_outcome_unknown(desk: Desk) -> None:
    desk.fail("reset_before", "DELETE")

    def stopped_afterwards() -> bool:
        gone = desk.gone()
        desk.control.stop()
        return gone

    with pytest.raises(OutcomeUnknown):
        desk.api.change(DELETE, done=stopped_afterwards)
    assert desk.written == ["intent", "unknown 0"]


def test_a_journal_that_closes_between_two_attempts_leaves_the_outcome_unknown(desk: Desk) -> None:
    desk.fail("reset_before", "DELETE")

    def fenced_afterwards() -> bool:
        gone = desk.gone()
        desk.journal.closed = True
        return gone

    with pytest.raises(OutcomeUnknown, match="the connection was dropped"):
        desk.api.change(DELETE, done=fenced_afterwards)
    assert (desk.written, desk.methods) == (["intent", "unknown 0"], ["DELETE", "GET"])


def test_the_end_of_the_time_before_a_repetition_leaves_the_outcome_unknown(server: SandboxServer) -> None:
    desk = Desk(server, max_seconds=10)
    desk.fail("reset_before", "DELETE")

    def late() -> bool:
        gone = desk.gone()
        desk.clock.skip(9.9)
        return gone

    with pytest.raises(OutcomeUnknown):
        desk.api.change(DELETE, done=late)
    assert desk.written == ["intent", "unknown 0"]


def test_what_a_read_back_raises_of_its_own_is_not_hidden(desk: Desk) -> None:
    desk.fail("reset_before", "DELETE")
    with pytest.raises(KeyError):
        desk.api.change(DELETE, done=lambda: bool(vars()["no such field"]))
    assert desk.written == ["intent", "unknown 0"]


def test_nothing_is_sent_where_the_intent_cannot_be_written(desk: Desk) -> None:
    desk.journal.closed = True
    with pytest.raises(RunEnded):
        desk.delete()
    assert (desk.written, desk.methods) == ([], [])


def test_without_a_journal_nothing_is_changed(desk: Desk) -> None:
    api = Api(desk.transport, desk.key, desk.limiter, desk.control)
    with pytest.raises(PluginFault, match="a changing call where only reading is allowed"):
        api.change(DELETE, done=lambda: True)
    assert desk.methods == []


def test_a_call_torn_away_in_the_middle_has_an_outcome_all_the_same(alone: SandboxServer) -> None:
    class Explosive(Key):
        def __call__(self, r: PreparedRequest) -> PreparedRequest:
            r.body = self.explode()  # type: ignore[assignment] # requests takes iterables, its stub does not say so
            return super().__call__(r)

        def explode(self) -> Iterator[bytes]:
            yield b"half"
            raise ZeroDivisionError

    desk = Desk(alone)
    desk.key = Explosive()
    desk.fresh()
    with pytest.raises(ZeroDivisionError):
        desk.delete()
    assert desk.written == ["intent", "unknown 0"]


def test_a_bad_id_is_refused_at_once_without_a_trace_in_the_journal(desk: Desk) -> None:
    with pytest.raises(NotSent, match="reads as a relative path"):
        desk.api.change(Request("DELETE", CUSTOMER, {"customerId": ".."}), done=desk.gone)
    with pytest.raises(KeyError):
        desk.api.change(Request("DELETE", CUSTOMER), done=desk.gone)
    assert (desk.written, desk.methods, desk.asked, desk.clock.slept) == ([], [], 0, 0.0)


KINDS: list[FaultKind] = ["status", "replace", "reset_before", "reset_after"]
TROUBLE = st.tuples(st.sampled_from(KINDS), st.sampled_from([202, 302, 400, 401, 403, 404, 409, 429, 500, 503]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(TROUBLE, max_size=7), st.lists(TROUBLE, max_size=5), st.booleans())
def test_whatever_the_vendor_does_no_change_is_repeated_unasked_and_none_is_left_open(
    server: SandboxServer, writes: list[tuple[FaultKind, int]], reads: list[tuple[FaultKind, int]], renewable: bool
) -> None:
    server.app = type(server.app)()
    server.calls.clear()
    server.faults.clear()
    desk = Desk(server)
    desk.key.renewals = int(renewable)
    for method, troubles in (("DELETE", writes), ("GET", reads)):
        for kind, status in troubles:
            desk.fail(kind, method, status=status)
    try:
        change = desk.delete(conflicts=(409,))
    except VendorError:
        pass
    else:
        # Done means gone; only a read that lies can say so of one who is still there.
        server.faults.clear()
        assert desk.gone() or (change.answer is None and 404 in [status for _, status in reads])
    outcomes = desk.written[1::2]
    assert desk.written[::2] == ["intent"] * len(outcomes)
    assert "intent" not in outcomes
    assert len(outcomes) <= 4 + renewable
    asked_after = [len(reads) for reads in "".join(m[0] for m in desk.methods).split("D")[1:]]
    for outcome, asked in zip(outcomes[:-1], asked_after, strict=False):
        assert (asked > 0) == outcome.startswith("unknown")


# -- credentials -------------------------------------------------------------------------------------------------------


def test_a_401_renews_the_credentials_once_and_each_attempt_is_signed_anew(desk: Desk) -> None:
    desk.key.renewals = 5
    desk.fail("status", status=401)
    assert desk.get() == 200
    assert [call.headers["authorization"] for call in desk.server.calls] == [f"{CANARY} 1", f"{CANARY} 2"]
    assert desk.key.renewals == 4


@pytest.mark.parametrize("attempts", [1, 4])
def test_a_second_401_is_final(server: SandboxServer, attempts: int) -> None:
    desk = Desk(server, attempts=attempts)
    desk.key.renewals = 5
    desk.fail("status", status=401, times=-1)
    with pytest.raises(AuthRejected, match=r" -> 401: credentials refused$"):
        desk.get()
    assert (len(desk.server.calls), desk.key.renewals) == (2, 4)


def test_one_call_renews_once_even_where_an_answer_was_lost_in_between(desk: Desk) -> None:
    desk.key.renewals = 5
    for status in (401, 503, 401):
        desk.fail("status", "DELETE", status=status)
    with pytest.raises(AuthRejected):
        desk.delete()
    assert desk.key.renewals == 4
    assert desk.written == ["intent", "rejected 401", "intent", "unknown 503", "intent", "rejected 401"]


@pytest.mark.parametrize(
    "refusal", [AuthRejected("no token", status=401), RateLimited("no token", status=429), BadAnswer("no token")]
)
def test_credentials_that_are_refused_fail_the_call_before_it_is_written_or_sent(
    desk: Desk, refusal: Exception
) -> None:
    desk.key.failures = [refusal]
    with pytest.raises(type(refusal), match="no token"):
        desk.delete()
    assert (desk.written, desk.methods, desk.asked) == ([], [], 0)


@pytest.mark.parametrize("trouble", [NotSent("no token"), NoAnswer("no token")])
def test_credentials_that_are_out_of_reach_are_asked_for_again(desk: Desk, trouble: Exception) -> None:
    desk.key.failures = [trouble]
    assert desk.delete().answer is not None
    assert (desk.written, desk.asked) == (["intent", "acknowledged 204"], 0)
    desk.key.failures = [trouble] * 9
    with pytest.raises(type(trouble)):
        desk.delete()
    assert len(desk.key.failures) == 5


# -- waiting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ("7", 7.0),
        ("0", 0.25),
        ("soon", 0.25),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.25),
        ("Sat, 21 Nov 2026 09:00:30 GMT", 30.0),
    ],
)
def test_a_429_waits_as_long_as_asked_and_never_not_at_all(desk: Desk, header: str, waited: float) -> None:
    desk.fail("status", status=429, headers={"Date": "Sat, 21 Nov 2026 09:00:00 GMT", "Retry-After": header})
    assert desk.get() == 200
    assert desk.clock.slept == pytest.approx(waited, abs=1.0 if "2026" in header else 1e-3)


@pytest.mark.parametrize("header", ["1000000000", "Fri, 31 Dec 9999 23:59:59 GMT", "61"])
def test_a_429_that_asks_for_more_than_a_run_waits_fails_at_once(desk: Desk, header: str) -> None:
    desk.fail("status", status=429, headers={"Retry-After": header}, times=-1)
    with pytest.raises(RateLimited):
        desk.get()
    assert (len(desk.server.calls), desk.clock.slept) == (1, 0.0)


def test_in_a_long_pause_no_other_case_asks_that_vendor_and_the_pause_ends(server: SandboxServer) -> None:
    desk = Desk(server, max_seconds=None)
    desk.fail("status", status=429, headers={"Retry-After": "1000000000"})
    for _ in range(3):
        with pytest.raises(RateLimited):
            desk.get()
    with pytest.raises(RateLimited):
        desk.delete()
    assert (len(server.calls), desk.written, desk.clock.slept) == (1, [], 0.0)
    desk.clock.skip(3601)
    assert desk.get() == 200


def test_a_429_pauses_the_whole_connection(server: SandboxServer) -> None:
    desk = Desk(server, max_seconds=20)
    desk.fail("status", status=429, headers={"Retry-After": "50"})
    with pytest.raises(RateLimited):
        desk.get()
    assert desk.clock.slept == 0.0
    desk.control = RunControl(desk.clock, 90)
    desk.fresh()
    assert desk.get() == 200
    assert desk.clock.slept == pytest.approx(50, abs=1)


def test_a_wait_that_ends_after_the_run_is_not_begun(server: SandboxServer) -> None:
    desk = Desk(server, max_seconds=5)
    desk.fail("status", "DELETE", status=429, headers={"Retry-After": "10"})
    with pytest.raises(RateLimited):
        desk.delete()
    assert (desk.written, desk.clock.slept) == (["intent", "rejected 429"], 0.0)


def test_nothing_is_sent_once_the_run_is_over(server: SandboxServer) -> None:
    desk = Desk(server, max_seconds=5)
    desk.clock.skip(5)
    for call in (desk.get, desk.delete):
        with pytest.raises(RunEnded):
            call()
    assert (desk.written, desk.methods) == ([], [])


def test_a_run_that_ends_while_the_intent_is_written_sends_nothing_and_says_so(server: SandboxServer) -> None:
    desk = Desk(server, max_seconds=5)

    class Slow(MemoryJournal):
        def intent(self, request: Request, host: str) -> int:
            desk.clock.skip(6)
            return super().intent(request, host)

    desk.journal = Slow()
    desk.fresh()
    with pytest.raises(NotSent, match="no time was left"):
        desk.delete()
    assert (desk.written, desk.methods) == (["intent", "not_sent 0"], [])


def test_an_attempt_gets_no_more_time_than_the_run_has_left(alone: SandboxServer) -> None:
    desk = Desk(alone, max_seconds=0.15)
    desk.fail("hang_before", times=-1)
    with pytest.raises(NoAnswer):
        desk.get()
    assert desk.clock.monotonic() < 2


# -- what is never said ------------------------------------------------------------------------------------------------


SEARCH = Request("POST", "/v1/search", query=(("q", CANARY),), json={"email": CANARY}, headers={"X-Id": CANARY})
ENDS: list[tuple[FaultKind, int]] = [
    ("reset_before", 0), ("status", 202), ("status", 302), ("status", 400), ("status", 401), ("status", 403),
    ("status", 429), ("status", 500),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "status"), ENDS)
@pytest.mark.parametrize("what", ["get", "search", "delete"])
def test_no_error_shows_an_id_a_query_a_body_or_a_credential(
    desk: Desk, kind: FaultKind, status: int, what: str
) -> None:
    headers = {"Location": f"http://127.0.0.1/{CANARY}", "X-Echo": CANARY}
    desk.fail(kind, status=status, times=-1, body=f"<{CANARY}>".encode(), headers=headers)
    calls: dict[str, Callable[[], object]] = {
        "get": desk.get,
        "search": lambda: desk.api.read(SEARCH),
        "delete": desk.delete,
    }
    with pytest.raises(HabeasError) as caught:
        calls[what]()
    assert CANARY not in shown(caught.value)


def test_neither_an_answer_nor_what_is_wrong_with_it_is_shown(desk: Desk) -> None:
    desk.fail("status", status=200, body=f"<{CANARY}>".encode(), headers={"X-Echo": CANARY})
    answer = desk.api.read(SEARCH)
    with pytest.raises(BadAnswer, match=r" -> 200: the answer is not the JSON it should be$") as caught:
        answer.json()
    assert CANARY not in shown(caught.value) + repr(answer) + repr(SEARCH) + repr(Change(answer))


def shown(error: HabeasError) -> str:
    """All that anything could print of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(error) + error.line() + repr(vars(error))


# -- what a plugin may need besides -----------------------------------------------------------------------------------


def test_every_attempt_at_a_change_has_the_same_idempotency_key(desk: Desk) -> None:
    desk.fail("status", "DELETE", 429, times=2)
    keyed = Request("DELETE", CUSTOMER, {"customerId": CANARY}, idempotency_header="Idempotency-Key")
    other = Request("DELETE", CUSTOMER, {"customerId": "another"}, idempotency_header="Idempotency-Key")
    for request in (keyed, other):
        desk.fresh().change(request, done=lambda: False)
    keys = [call.headers["idempotency-key"] for call in desk.server.calls]
    assert len(keys) == 4
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_method_that_changes_is_no_read(desk: Desk, method: str) -> None:
    with pytest.raises(PluginFault, match="goes through change"):
        desk.api.read(Request(method, CUSTOMER, {"customerId": CANARY}))
    assert desk.methods == []


def test_what_cannot_be_read_is_never_repeated(desk: Desk) -> None:
    desk.fail("reset_after", "DELETE")
    with pytest.raises(OutcomeUnknown):
        desk.api.change(DELETE, done=cannot_be_read)
    assert desk.methods == ["DELETE"]
    assert desk.written == ["intent", "unknown 0"]


def test_a_pause_ends_with_the_run(server: SandboxServer) -> None:
    desk = Desk(server, max_seconds=60)
    desk.api.pause(30)
    assert desk.clock.slept == 30
    with pytest.raises(RunEnded):
        desk.api.pause(31)


def test_an_upload_is_one_part_of_a_form_and_the_same_to_the_byte(desk: Desk) -> None:
    upload = Upload("file", "people.csv", "Größe\r\n1\r\n".encode(), "text/csv")
    request = Request("POST", "/v1/search", upload=upload)
    for _ in range(2):
        desk.api.read(request)
    one, two = desk.server.calls
    head = f"Content-Type: {one.headers['content-type']}\r\n\r\n".encode()
    parts: Any = email.message_from_bytes(head + one.body).get_payload()
    (part,) = parts
    assert part.get_param("name", header="content-disposition") == "file"
    assert part.get_filename() == "people.csv"
    assert part.get_content_type() == "text/csv"
    assert part.get_payload(decode=True) == upload.content
    assert (one.body, one.headers["content-type"]) == (two.body, two.headers["content-type"])
