"""Checks of how a plugin speaks: through its connection only, within the limits, and without naming anybody."""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from habeas.connection import Connection
from habeas.errors import HabeasError, PluginFault
from habeas.testing.kit.bench import Bench, Diary, Scene
from habeas.testing.kit.jobs import Job, jobs
from habeas.testing.kit.line import Line, Script, Trick, undisturbed
from habeas.testing.kit.trials import Trials
from habeas.testing.kit.verdict import Broken, Check
from habeas.testing.kit.words import identifiers_in, words_about
from habeas.testing.sandbox import Reply

__all__ = ["CHECKS"]

_PER_SECOND = 4.0
_ROUNDING = 0.999


def _all_hooks(bench: Bench, look: Callable[[Scene, Line], None], *, served: bool, **limits: Any) -> None:
    """Each hook once, undisturbed, on a line of its own; ``look`` says what is wrong with it."""
    with bench.scene(served=served) as scene:
        for job_type in jobs(bench).values():
            job = job_type(scene)
            if scene.server is not None:
                scene.server.calls.clear()
            job.run(scene.connection(Diary() if job.changes else None, **limits))
            look(scene, scene.line)


def _through_api(bench: Bench) -> None:
    def look(scene: Scene, line: Line) -> None:
        assert scene.server is not None  # noqa: S101 - it is served
        arrived = len(scene.server.calls)
        if arrived != len(line.sent):
            raise Broken(
                f"{abs(arrived - len(line.sent))} requests reached the vendor by other ways than connection.api, where"
                " no limit, journal or time-out holds. Send with connection.api only."
            )
        outside = [sent.name for sent in line.sent if sent.outside]
        if outside:
            raise Broken(
                f"{outside[0]} was sent without connection.api, where neither the rate limit nor the journal holds."
                " The transport that authenticator gets is for asking for a token, while a call is signed."
            )

    _all_hooks(bench, look, served=True)


def _rate(bench: Bench) -> None:
    def look(scene: Scene, line: Line) -> None:
        del scene
        times = sorted(sent.at for sent in line.sent if not sent.signing)
        if any(later - sooner < _ROUNDING / _PER_SECOND for sooner, later in itertools.pairwise(times)):
            raise Broken(
                f"Calls were sent faster than the connection's limit of {_PER_SECOND:g} a second. Send with"
                " connection.api only, which waits its turn."
            )

    _all_hooks(bench, look, served=False, requests_per_second=_PER_SECOND)


# -- nobody is named ---------------------------------------------------------------------------------------------------


class _Ears(logging.Handler):
    """Hears every log record, however fine."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))


@contextlib.contextmanager
def _listening() -> Iterator[tuple[_Ears, io.StringIO]]:
    """All that is logged and printed meanwhile."""
    ears, printed, root = _Ears(), io.StringIO(), logging.getLogger()
    level = root.level
    root.addHandler(ears)
    root.setLevel(logging.DEBUG)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield ears, printed
    finally:
        root.setLevel(level)
        root.removeHandler(ears)


def _discreet(bench: Bench) -> None:
    for job_type in jobs(bench).values():
        clean = Trials(bench, job_type).clean
        _listen(bench, job_type, undisturbed, "nothing was disturbed")
        for place in clean.places():
            what = f"{place.name} was refused with 400, its answer naming the person"
            _listen(bench, job_type, None, what, place.number)


def _listen(bench: Bench, job_type: type[Job], script: Script | None, what: str, number: int = -1) -> None:
    with bench.scene() as scene:
        job = job_type(scene)
        words = words_about(job.person, job.found)
        gossip = Trick("", reply=Reply(400, {"message": " ".join(words)}, headers={"X-Request": job.person.email}))
        connection = scene.connection(
            Diary() if job.changes else None,
            script=script or (lambda sent: gossip if sent.number == number else None),
            attempts=1,
        )
        with _listening() as (ears, printed):
            said = _what_it_says(job, connection)
        places = {
            "a log record": "\n".join(ears.heard),
            "what it prints": printed.getvalue(),
            "the repr of its connection": repr(connection),
            "a journal entry": "\n".join(name for diary in scene.diaries for name in diary.names),
            "what it returns or raises": said,
        }
        for place, text in places.items():
            if identifiers_in(text, words):
                raise Broken(
                    f"{job.hook} puts an identifier into {place} when {what}. Texts are read by many: use path"
                    " templates, statuses and counts, and hide values from reprs."
                )


def _what_it_says(job: Job, connection: Connection) -> str:
    try:
        job.run(connection)
    except PluginFault as fault:
        raise Broken(f"{fault.message} at an answer with 400: raise VendorError, which connection.api does.") from None
    except HabeasError as error:
        return "".join(traceback.format_exception(error))
    return job.spoken()


CHECKS = (
    Check("through-api", "Every request goes through the connection", _through_api),
    Check("rate-kept", "Calls are never sent faster than the connection's limit", _rate),
    Check("no-identifiers", "No identifier stands in errors, logs, reprs, outcomes or the journal", _discreet),
)
