"""The line between a plugin and its sandbox: every attempt is counted, and any of them can be spoiled.

Two ways to the sandbox. Over loopback, as habeas speaks to a vendor; and straight into :meth:`SandboxApp.handle`, ten
times quicker, for the checks that try hundreds of disturbances. What habeas's own transport makes of a dropped or
silent connection is tried by habeas's own tests; here it is raised, at the same place, with the same words.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from requests.auth import AuthBase

from habeas.clock import Clock
from habeas.control import RunControl
from habeas.errors import NoAnswer
from habeas.foreign import EndOfTrial
from habeas.http.api import Api, Change, Journal
from habeas.http.limits import Limiter
from habeas.http.transport import Answer, Prepared, Request, Transport
from habeas.models import Limits
from habeas.testing.sandbox import Call, Reply, SandboxApp

__all__ = ["MOST_CALLS", "AttentiveApi", "CountedLimiter", "Line", "Runaway", "Script", "Sent", "Trick", "undisturbed"]


MOST_CALLS = 5_000
"""More calls than any undisturbed run about one person can need here."""


class Runaway(EndOfTrial):
    """More calls than any end of this run can need. Nothing that a plugin may catch."""


@dataclass(frozen=True)
class Sent:
    """One attempt."""

    number: int
    """From 0, in order."""
    name: str
    """``GET /v1/customers/{customerId}``."""
    target: str
    """Path and query as sent."""
    changes: bool
    """Whether it was announced as a change: between a journal's intent and outcome."""
    signing: bool
    """Whether it asked for credentials, on the way to another call."""
    outside: bool
    """Whether it was sent without a place from the connection's limiter: not by ``connection.api``."""
    at: float
    """The clock's seconds."""

    @property
    def plain(self) -> bool:
        """Whether it is a read by its method already."""
        return self.name.startswith(("GET ", "HEAD "))


@dataclass(frozen=True)
class Trick:
    """What happens to one call instead of what should."""

    title: str
    """As a problem says it: ``was answered with 500``."""
    acts: bool = False
    """Whether the vendor acts on the request first."""
    reply: Reply | None = None
    """What is answered; without it, see ``silence`` and ``garble``."""
    silence: str = ""
    """No answer, and how the transport says so."""
    garble: Callable[[bytes], bytes] | None = None
    """The vendor's own answer, with its body changed by this."""


Script = Callable[[Sent], Trick | None]


def undisturbed(sent: Sent) -> None:
    """The script in which nothing happens."""
    del sent


class Line(Transport):
    """A transport to a sandbox."""

    def __init__(
        self,
        app: SandboxApp,
        base_url: str,
        limits: Limits,
        clock: Clock,
        *,
        loopback: bool,
        script: Script = undisturbed,
        most: int = MOST_CALLS,
        changing: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(base_url, limits, clock)
        self.sent: list[Sent] = []
        self.broken: list[Exception] = []
        """What the sandbox's own handlers raised."""
        self._app = app
        self._netloc = urlsplit(base_url).netloc
        self._loopback = loopback
        self._script = script
        self._most = most
        self._changing = changing
        self.answers: dict[int, Answer] = {}
        """What was answered, by number; nothing for what was spoiled."""
        self.acted: set[int] = set()
        """The numbers of the calls that the vendor got."""
        self.after: Callable[[Sent], None] = undisturbed
        """Called when the vendor has got a call."""
        self._own = threading.local()
        self._counting = threading.Lock()
        self.opening = False
        """True while the plugin makes its credentials object, which may ask for a token."""

    def sign(self, prepared: Prepared, auth: AuthBase | None) -> Prepared:
        """As the transport does; what is sent meanwhile is for credentials."""
        self._own.signing = True
        try:
            return super().sign(prepared, auth)
        finally:
            self._own.signing = False

    def send(self, request: Request, *, auth: AuthBase | None = None, seconds: float | None = None) -> Answer:
        """As the transport does, with the mark of the call that is being signed kept."""
        signing = self._signing()
        prepared = self.sign(self.prepare(request), auth)
        self._own.signing = signing
        return self.deliver(prepared, seconds=seconds)

    def deliver(self, prepared: Prepared, *, seconds: float | None = None) -> Answer:
        """One attempt, or what the script makes of it."""
        sent = self._note(prepared)
        trick = self._script(sent)
        answer = None
        if trick is None or trick.acts or trick.garble is not None:
            self.acted.add(sent.number)
            answer = super().deliver(prepared, seconds=seconds) if self._loopback else self._ask(prepared)
            self.after(sent)
        if trick is None:
            assert answer is not None  # noqa: S101 - asked three lines above
            self.answers[sent.number] = answer
            return answer
        return _spoiled(trick, prepared.request, answer)

    @contextmanager
    def placed(self) -> Iterator[None]:
        """While this thread holds a place of the connection's limiter."""
        self._own.placed = True
        try:
            yield
        finally:
            self._own.placed = False

    def _signing(self) -> bool:
        return bool(getattr(self._own, "signing", False))

    def _outside(self) -> bool:
        return not (self.opening or getattr(self._own, "placed", False))

    def _note(self, prepared: Prepared) -> Sent:
        target = (prepared.http.url or "").removeprefix(f"http://{self._netloc}")
        with self._counting:
            number = len(self.sent)
            if number >= self._most:
                raise Runaway
            sent = Sent(
                number,
                prepared.request.name,
                target,
                self._changing(),
                self._signing(),
                self._outside(),
                self._clock.monotonic(),
            )
            self.sent.append(sent)
            return sent

    def _ask(self, prepared: Prepared) -> Answer:
        call = self._call(prepared)
        try:
            reply = self._app.handle(call)
        except Exception as error:  # noqa: BLE001 - a foreign sandbox; over loopback it would drop the connection
            self.broken.append(error)
            raise NoAnswer(f"{prepared.request.name}: the connection was dropped") from None
        return _answered(prepared.request, reply)

    def _call(self, prepared: Prepared) -> Call:
        http = prepared.http
        target = (http.url or "").removeprefix(f"http://{self._netloc}")
        path, _, query = target.partition("?")
        body = http.body or b""
        headers = {"host": self._netloc, **{k.lower(): _text(v) for k, v in http.headers.items()}}
        return Call(
            method=http.method or "",
            target=target,
            path=path,
            query=tuple(parse_qsl(query, keep_blank_values=True)),
            headers=headers,
            body=body if isinstance(body, bytes) else str(body).encode(),
        )


class CountedLimiter(Limiter):
    """A limiter that tells its line who holds a place."""

    def __init__(self, limits: Limits, clock: Clock, line: Line) -> None:
        super().__init__(limits, clock)
        self._line = line

    @contextmanager
    def slot(self, control: RunControl) -> Iterator[None]:
        """As the limiter does."""
        with super().slot(control), self._line.placed():
            yield


class AttentiveApi(Api):
    """An Api that notes which changes were taken for done though the vendor never got them."""

    def __init__(
        self, line: Line, auth: AuthBase, limiter: Limiter, control: RunControl, journal: Journal | None
    ) -> None:
        super().__init__(line, auth, limiter, control, journal, draw=lambda: 0.5)
        self._line = line
        self.believed: list[str] = []
        """Their names."""

    def change(
        self,
        request: Request,
        *,
        ok: Collection[int] = (200, 201, 204),
        done: Callable[[], bool],
        conflicts: Collection[int] = (),
    ) -> Change:
        """As the Api does."""
        began = len(self._line.sent)

        def asked() -> bool:
            mine = [s.number for s in self._line.sent[began:] if s.changes and s.name == request.name]
            said = done()
            if said and self._line.acted.isdisjoint(mine):
                self.believed.append(request.name)
            return said

        return super().change(request, ok=ok, done=asked, conflicts=conflicts)


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _answered(request: Request, reply: Reply) -> Answer:
    body = b"" if reply.status == 204 else reply.encoded()
    return Answer(request, reply.status, {k.lower(): v for k, v in reply.headers.items()}, body)


def _spoiled(trick: Trick, request: Request, answer: Answer | None) -> Answer:
    if trick.silence:
        raise NoAnswer(f"{request.name}: {trick.silence}")
    if trick.garble is not None and answer is not None:
        return Answer(request, answer.status, answer.headers, trick.garble(answer.body))
    return _answered(request, trick.reply or Reply(204))
