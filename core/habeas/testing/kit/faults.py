"""Checks with one thing going wrong at each call: the vendor's trouble, a refusal, a lie, the end of our process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from habeas.errors import VendorError
from habeas.models import Json
from habeas.testing.kit.bench import Bench, Diary, Killed, Scene
from habeas.testing.kit.jobs import ConsentJob, EraseJob, ExportJob, InventoryJob, Job, RectifyJob
from habeas.testing.kit.line import Script, Sent, Trick, undisturbed
from habeas.testing.kit.trials import Trials, at, lies, named
from habeas.testing.kit.verdict import Broken, Check
from habeas.testing.sandbox import Call, Reply

__all__ = ["CHECKS"]

Make = Callable[[Scene], Job]

_DROPPED = "the connection was dropped"
_LATE = "no answer in time"
_CUT = "the answer was cut off"


# -- what a vendor may do wrong ----------------------------------------------------------------------------------------


def _half(body: bytes) -> bytes:
    """The first half: not JSON any more."""
    return body[: len(body) // 2] or b"{"


def _otherwise(body: bytes) -> bytes:
    """JSON, but a list where an object was, and an object where a list was."""
    return b"{}" if body.lstrip().startswith(b"[") else b"[]"


def _muddled(body: bytes) -> bytes:
    """The same names, with values of other types."""
    try:
        document = json.loads(body)
    except ValueError:
        return b"7"
    return json.dumps(_mud(document)).encode()


def _mud(document: Json) -> Json:
    if isinstance(document, dict):
        return {name: 7 if isinstance(value, str | dict | list) else {"x": []} for name, value in document.items()}
    return [7]


_MESSAGE = {"message": "trouble", "error": "trouble"}
_NOT_DONE = (
    Trick("was answered with 500", reply=Reply(500, _MESSAGE)),
    Trick("was answered with 429", reply=Reply(429, _MESSAGE)),
    Trick("was lost with its connection before the vendor acted", silence=_DROPPED),
)
_MUDDLED = Trick("was answered with values of other types", garble=_muddled)
_READ_AMISS = (
    Trick("was answered with half of its JSON", garble=_half),
    Trick("was answered with another JSON type", garble=_otherwise),
    _MUDDLED,
)
_DONE_UNSEEN = (
    Trick(
        "was done by the vendor and answered with 502", acts=True, reply=Reply(502, body=b"<html>bad gateway</html>")
    ),
    Trick("was done by the vendor and never answered in time", acts=True, silence=_LATE),
)
_PASSING = (
    Trick("was answered with 429", reply=Reply(429, _MESSAGE)),
    Trick("was answered with 429 and Retry-After", reply=Reply(429, _MESSAGE, headers={"Retry-After": "2"})),
    Trick("was answered with 503", reply=Reply(503, _MESSAGE)),
    Trick("was never answered in time", silence=_LATE),
    Trick("was answered in part", acts=True, silence=_CUT),
)
_MEANINGLESS = Trick("was refused with 418, to which no vendor gives a meaning", reply=Reply(418, _MESSAGE))
_NO_LONGER = Trick("and all after it were answered with 503", reply=Reply(503, _MESSAGE))
_WEB_404 = Trick(
    "was answered with a web page and 404",
    reply=Reply(404, headers={"Content-Type": "text/html"}, body=b"<!doctype html><title>404 Not Found</title>"),
)
_JSON_404 = Trick(
    "was answered with 404 and JSON that is not the vendor's", reply=Reply(404, {"gateway": {"up": True}})
)
_FORBIDDEN = Trick("was answered with 403", reply=Reply(403, _MESSAGE))
_UNAUTHORISED = Trick("and all after it were answered with 401", reply=Reply(401, _MESSAGE))


def _tricks(place: Sent) -> Iterator[Trick]:
    yield from _NOT_DONE
    if place.changes:
        yield from _DONE_UNSEEN
        yield _MEANINGLESS
    yield from _READ_AMISS


def _one_of_each(place: Sent) -> Iterator[Trick]:
    """Not all again for another call of an operation, or for the reads before a change that the inventory makes too."""
    for tricks in (_NOT_DONE, _DONE_UNSEEN if place.changes else _READ_AMISS):
        yield tricks[place.number % len(tricks)]


def _from(place: Sent, trick: Trick) -> Script:
    return lambda sent: trick if sent.number >= place.number else None


def _always(trick: Trick) -> Script:
    return lambda _: trick


def _each_once(trick: Trick) -> Script:
    seen: set[str] = set()

    def script(sent: Sent) -> Trick | None:
        key = f"{sent.name} {sent.target}"
        if key in seen:
            return None
        seen.add(key)
        return trick

    return script


_THOROUGHLY = (InventoryJob, ExportJob, EraseJob)
"""Jobs of which the reads, from the first change on, meet every disturbance."""


# -- checks ------------------------------------------------------------------------------------------------------------


def _disturbed(make: Make) -> Callable[[Bench], None]:
    def run(bench: Bench) -> None:
        trials = Trials(bench, make)
        total = len(trials.clean.sent)
        for trick in _PASSING:
            trials.disturbed(_each_once(trick), f"each call {trick.title} the first time", attempts=4)
        began = next((sent.number for sent in trials.clean.sent if sent.changes), 0)
        whole = [s for s in trials.clean.firsts() if s.changes or (make in _THOROUGHLY and s.number >= began)]
        for place in trials.clean.places():
            for trick in _tricks(place) if place in whole else _one_of_each(place):
                trials.disturbed(at(place, trick), named(place, trick, total), loosely=trick is _MUDDLED)
        for place in trials.clean.firsts():
            trials.disturbed(_from(place, _NO_LONGER), named(place, _NO_LONGER, total))

    return run


def _refused(bench: Bench) -> None:
    for status in (401, 403):
        with bench.scene() as scene:
            connection = scene.connection(script=_always(Trick("", reply=Reply(status, _MESSAGE))))
            try:
                bench.registry.check(bench.name, connection)
            except VendorError:
                continue
            raise Broken(f"check is content when every call is answered with {status}: it must raise, as Api does.")
    for job in _ALL.values():
        if bench.has(job.hook):
            trials = Trials(bench, job)
            total = len(trials.clean.sent)
            for place in trials.clean.places() if job.changes else trials.clean.firsts():
                trials.disturbed(at(place, _FORBIDDEN), named(place, _FORBIDDEN, total))
            # One refusal was tried at each call; all from one on, where a key is lost at the start or half-way.
            for place in (sent for sent in trials.clean.firsts() if sent.changes or sent.number == 0):
                trials.disturbed(_from(place, _UNAUTHORISED), named(place, _UNAUTHORISED, total))


def _foreign_404(bench: Bench) -> None:
    met: set[str] = set()
    pages = [_WEB_404, _JSON_404] if _has_a_shape(bench) else [_WEB_404]
    for job in _ALL.values():
        if bench.has(job.hook):
            trials = Trials(bench, job)
            clean = trials.clean
            for place in clean.firsts():
                if not (place.changes or place.signing or (place.name in met and job is ExportJob)):
                    # Both where an operation is met first, and in turn where a hook that changes uses it too.
                    for trick in pages if place.name not in met else pages[place.number % len(pages) :][:1]:
                        trials.disturbed(at(place, trick), named(place, trick, len(clean.sent)))
                    met.add(place.name)
            for trick in pages if job.changes else ():
                what = f"every change was answered as if it had been done, and each call after the first {trick.title}"
                trials.disturbed(lies(clean.changed(), trick), what)


def _has_a_shape(bench: Bench) -> bool:
    """Whether the vendor's own 404 can be told from other JSON: it is an object, with something in it."""
    own = bench.sandbox().error(404, "not found", Call("GET", "/", "/", (), {}, b""))
    try:
        document = json.loads(own.encoded())
    except ValueError:
        return False
    return isinstance(document, dict) and bool(document)


def _lied_to(make: Make) -> Callable[[Bench], None]:
    def run(bench: Bench) -> None:
        trials = Trials(bench, make)
        clean = trials.clean
        changing = [sent for sent in clean.places() if sent.changes]
        for place in changing:
            lie = Trick("was answered as if it had been done", reply=clean.replies[place.number])
            trials.disturbed(at(place, lie), named(place, lie, len(clean.sent)))
        if changing:
            for then in (None, *_AFTER_A_LIE):
                what = "every change was answered as if it had been done"
                trials.disturbed(
                    lies(clean.changed(), then), f"{what}, and each call after the first {then.title}" if then else what
                )

    return run


_AFTER_A_LIE = (_NOT_DONE[0], _NOT_DONE[2], _FORBIDDEN, *_READ_AMISS)
"""What the read after a lie may meet: none of these is proof of anything."""


def _killed(make: Make) -> Callable[[Bench], None]:
    def run(bench: Bench) -> None:
        trials = Trials(bench, make)
        clean = trials.clean
        for n in range(clean.changes):
            trials.killed(Diary(die_before=n), undisturbed, f"before change {n + 1} of {clean.changes} was sent")
            trials.killed(
                Diary(die_after=n), undisturbed, f"after change {n + 1} of {clean.changes}, its outcome not written"
            )
        for place in clean.places():
            if not place.changes:
                trials.killed(Diary(), _end(place), f"at call {place.number + 1} of {len(clean.sent)}, {place.name}")

    return run


def _end(place: Sent) -> Script:
    def script(sent: Sent) -> Trick | None:
        if sent.number == place.number:
            raise Killed
        return None

    return script


_ALL: dict[str, type[Job]] = {
    "inventory": InventoryJob,
    "export": ExportJob,
    "erase": EraseJob,
    "consent": ConsentJob,
    "rectify": RectifyJob,
}


def _checks() -> Iterator[Check]:
    needs = {"consent": ("update_consent",), "rectify": ("rectify",)}
    for name, job in _ALL.items():
        yield Check(
            f"{name}-disturbed",
            f"Whatever goes wrong at one call of {job.hook}, nothing untrue is said, and a second pass finishes it",
            _disturbed(job),
            needs.get(name, ()),
        )
    yield Check("credentials-refused", "401 and 403 are never taken for absence, at any call", _refused)
    yield Check("foreign-404", "A 404 that is not the vendor's own is never taken for absence", _foreign_404)
    for name in ("erase", "consent", "rectify"):
        hook = _ALL[name].hook
        yield Check(
            f"{name}-read-back",
            f"What {hook} claims is read back: a vendor that only says so is not believed",
            _lied_to(_ALL[name]),
            needs.get(name, ()),
        )
    for name in ("erase", "consent", "rectify"):
        hook = _ALL[name].hook
        yield Check(
            f"{name}-killed",
            f"After the process ends at any call of {hook}, a second one ends as if nothing had happened",
            _killed(_ALL[name]),
            needs.get(name, ()),
        )


CHECKS = tuple(_checks())
