"""A check with several people at once over one connection."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

from habeas.connection import Connection
from habeas.errors import HabeasError
from habeas.models import Export, Inventory
from habeas.testing.kit.bench import Bench, Diary, Scene
from habeas.testing.kit.jobs import Job, Said, jobs
from habeas.testing.kit.line import Sent
from habeas.testing.kit.trials import difference
from habeas.testing.kit.verdict import Broken, Check

__all__ = ["CHECKS"]

_Done = tuple[Job, Said]

_CONTENTS = "contents"
_PEOPLE = (0, 1, 2, 4, 14)
_PATIENCE, _LESS_PATIENCE = 5.0, 0.02
"""Seconds that a thread waits for the others; less once it was in vain, since a plugin may hold them up itself."""


class _Steps:
    """Keeps threads in step, call by call, so that whatever they share is mixed up between any two calls."""

    def __init__(self, threads: int) -> None:
        self._step = threading.Condition()
        self._made: dict[int, int] = {}
        self._threads = threads
        self._left = 0
        self._patience = _PATIENCE

    def script(self, sent: Sent) -> None:
        """Waits until every other thread has made as many calls, or has none to make any more."""
        del sent
        with self._step:
            me = threading.get_ident()
            count = self._made[me] = self._made.get(me, 0) + 1
            self._step.notify_all()
            if not self._step.wait_for(lambda: self._level(count), timeout=self._patience):
                self._patience = _LESS_PATIENCE

    def leave(self) -> None:
        """This thread makes no more calls."""
        with self._step:
            self._left += 1
            self._made.pop(threading.get_ident(), None)
            self._step.notify_all()

    def _level(self, count: int) -> bool:
        return sum(made >= count for made in self._made.values()) + self._left >= self._threads


def _together(bench: Bench) -> None:
    for job_type in jobs(bench).values():
        with bench.scene(bench.people(*_PEOPLE)) as scene:
            alone = _one_by_one(scene, job_type)
            if not job_type.changes:
                _compare(alone, _at_once(scene, job_type))
        if job_type.changes:
            with bench.scene(bench.people(*_PEOPLE)) as scene:
                _compare(alone, _at_once(scene, job_type))


def _compare(alone: list[_Done], together: list[_Done]) -> None:
    for (_, said), (job, now) in zip(alone, together, strict=True):
        untrue = job.untrue(now) or (_difference(said, now) if now != said else "")
        if untrue:
            raise Broken(
                f"{job.hook}, called for {len(alone)} people at once, does not say what it says one by one: {untrue}."
                " A plugin keeps no state outside its calls, neither in modules nor in the credentials object."
            )


def _difference(alone: Said, now: Said) -> str:
    changed = difference(alone, now)
    return "it returns the same kinds, and other contents" if changed.startswith(_CONTENTS) else changed


def _one_by_one(scene: Scene, job_type: type[Job]) -> list[_Done]:
    made = [job_type(scene, person) for person in scene.people]
    return [_done(job, scene.connection(Diary())) for job in made]


def _at_once(scene: Scene, job_type: type[Job]) -> list[_Done]:
    made = [job_type(scene, person) for person in scene.people]
    steps = _Steps(len(made))
    connections = scene.connections([Diary() for _ in made], script=steps.script, concurrency=len(made))

    def run(job: Job, connection: Connection) -> _Done:
        try:
            return _done(job, connection)
        finally:
            steps.leave()

    with ThreadPoolExecutor(len(made)) as pool:
        try:
            return list(pool.map(run, made, connections))
        except HabeasError as error:
            raise Broken(
                f"{job_type.hook}, called for {len(made)} people at once, raised: {error.message}. One by one it does"
                " not."
            ) from None


def _done(job: Job, connection: Connection) -> _Done:
    """The job, and what it said; of one that only reads, ids and contents too."""
    said = job.run(connection)
    return job, said if job.changes else (*said, (f"the {_CONTENTS}", _whole(job.result)))


def _whole(result: Inventory | Export) -> str:
    parts = result.records if isinstance(result, Inventory) else result.documents
    return hashlib.sha256(repr([dataclasses.astuple(part) for part in parts]).encode()).hexdigest()


CHECKS = (Check("many-at-once", "Several people at once over one connection end as one by one", _together),)
