"""One job, disturbed once: nothing untrue is said, nobody is named or touched, and a second pass finishes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from habeas.connection import Connection
from habeas.errors import PluginFault, RunEnded, VendorError
from habeas.http.transport import Answer
from habeas.testing.kit.bench import Bench, Diary, Killed, Scene
from habeas.testing.kit.jobs import ExportJob, Job, Said
from habeas.testing.kit.line import Runaway, Script, Sent, Trick
from habeas.testing.kit.verdict import Broken
from habeas.testing.kit.words import identifiers_in, words_about
from habeas.testing.sandbox import Reply

__all__ = ["Run", "Trials", "at", "difference", "lies", "named"]

_SPARE_CALLS = 200
"""How many more calls than three undisturbed runs a disturbed one may make before it counts as endless."""


@dataclass(frozen=True)
class Run:
    """An undisturbed run: what it said, and the calls it made."""

    said: Said
    sent: tuple[Sent, ...]
    replies: tuple[Reply, ...]
    """What the sandbox answered, call by call."""
    changes: int
    """How many changing attempts were made."""
    truth: object
    """What the vendor held afterwards."""

    @property
    def most(self) -> int:
        """More calls than this are no honest end of a disturbed run."""
        return 3 * len(self.sent) + _SPARE_CALLS

    def changed(self) -> dict[str, Reply]:
        """What each changing operation was answered with, by its name."""
        return {sent.name: self.replies[sent.number] for sent in self.sent if sent.changes}

    def firsts(self) -> tuple[Sent, ...]:
        """The first call of each operation."""
        first: dict[tuple[str, bool], Sent] = {}
        for sent in self.sent:
            first.setdefault((sent.name, sent.changes), sent)
        return tuple(first.values())

    def lasts(self) -> tuple[Sent, ...]:
        """The last call of each operation that is made more than once: often a read-back."""
        last = {(sent.name, sent.changes): sent for sent in self.sent}
        firsts = set(self.firsts())
        return tuple(sent for sent in last.values() if sent not in firsts)

    def places(self) -> tuple[Sent, ...]:
        """Where a disturbance makes a difference: the first and the last call of each operation, in order."""
        return tuple(sorted((*self.firsts(), *self.lasts()), key=lambda sent: sent.number))


class Trials:
    """All that is tried with one kind of job."""

    def __init__(self, bench: Bench, job: Callable[[Scene], Job]) -> None:
        self.bench = bench
        self.job = job
        self.clean = self._undisturbed()

    def _undisturbed(self) -> Run:
        with self.bench.scene() as scene:
            job = self.job(scene)
            diary = Diary()
            connection = scene.connection(diary if job.changes else None)
            said = job.run(connection)
            untrue = job.untrue(said)
            if untrue:
                raise Broken(f"{job.hook}, with nothing disturbed: {untrue}.")
            if job.unfinished():
                raise Broken(f"{job.hook} leaves something {job.left()} though nothing was disturbed.")
            line = scene.line
            replies = tuple(_reply(line.answers[sent.number]) for sent in line.sent)
            return Run(said, tuple(line.sent), replies, len(diary.names), job.truth())

    def disturbed(self, script: Script, what: str, *, attempts: int = 1, loosely: bool = False) -> None:
        """One run under a script, and a second one without. ``what`` says what the script does, for the problem.

        ``loosely``: documents are compared by name, since a vendor's odd values are handed over as they are.
        """
        with self.bench.scene() as scene:
            job = self.job(scene)
            if isinstance(job, ExportJob):
                job.loosely = loosely
            before = scene.beside(job.person)
            diary = Diary() if job.changes else None
            said = self._first(scene, job, script, diary, what, attempts)
            if scene.touched(job.person, before):
                raise Broken(f"{job.hook} changed somebody else's data when {what}.")
            if job.changes and (said is None or job.unfinished()):
                self._second(scene, job, what)
            elif job.changes and said != self.clean.said:
                raise Broken(
                    f"{job.hook} ended otherwise than an undisturbed run when {what}:"
                    f" {difference(self.clean.said, said)}. Say failed or unknown where something is left to do, so"
                    " that `habeas resume` comes back to it."
                )

    def killed(self, diary: Diary | None, script: Script, what: str) -> None:
        """One run that dies, and a second one in a new process."""
        with self.bench.scene() as scene:
            job = self.job(scene)
            before = scene.beside(job.person)
            try:
                job.run(scene.connection(diary, script=script))
            except Killed:
                pass
            except PluginFault as fault:
                raise Broken(f"{job.hook} made of the end of the process, {what}: {fault.message}.") from None
            else:
                raise Broken(f"{job.hook} went on after the end of the process ({what}): never catch BaseException.")
            self._second(scene, job, what)
            if scene.touched(job.person, before):
                raise Broken(f"{job.hook} changed somebody else's data when {what}.")

    def _first(
        self, scene: Scene, job: Job, script: Script, diary: Diary | None, what: str, attempts: int
    ) -> Said | None:
        connection = scene.connection(diary, script=script, attempts=attempts, most=self.clean.most)
        try:
            return self._told(job, connection, what)
        finally:
            believed = getattr(connection.api, "believed", ())
            if believed and job.truth() != self.clean.truth:
                raise Broken(
                    f"{job.hook} took {believed[0]} for done when {what}: its `done` said so, and the vendor never got"
                    " the call. `done` reads what this change makes true and nothing else could."
                )

    def _told(self, job: Job, connection: Connection, what: str) -> Said | None:
        """What the job says; None where it raised as it may."""
        words = words_about(job.person, job.found)
        try:
            said = job.run(connection)
        except Runaway:
            raise Broken(
                f"{job.hook} made more than {self.clean.most} calls when {what}: every loop over a vendor's answers"
                " needs an end."
            ) from None
        except (VendorError, RunEnded) as error:
            if identifiers_in(error.line(), words):
                raise Broken(f"{job.hook} raised an error that names the person when {what}.") from None
            return None
        except PluginFault as fault:
            raise Broken(
                f"{fault.message} when {what}. A vendor's answer is checked before it is used: raise BadAnswer."
            ) from None
        untrue = job.untrue(said, self.clean.said)
        if untrue:
            raise Broken(f"{job.hook} says what is not so when {what}: {untrue}.")
        if identifiers_in(job.spoken(), words):
            raise Broken(f"{job.hook} names the person in what it says when {what}.")
        return said

    def _second(self, scene: Scene, job: Job, what: str) -> None:
        what = f"it was disturbed ({what})"
        try:
            said = job.run(scene.connection(Diary()), resumed=True)
        except (VendorError, RunEnded, PluginFault) as error:
            raise Broken(f"{job.hook}, called again after {what}, raised: {error.message}.") from None
        untrue = job.untrue(said, self.clean.said)
        if untrue:
            raise Broken(f"{job.hook}, called again after {what}: {untrue}.")
        if said != self.clean.said:
            raise Broken(
                f"{job.hook}, called again after {what}, does not end as an undisturbed run does:"
                f" {difference(self.clean.said, said)}. What is gone or right by then was done by us."
            )


def at(place: Sent, trick: Trick) -> Script:
    """The script in which one call, by number, goes wrong."""
    return lambda sent: trick if sent.number == place.number else None


def lies(replies: Mapping[str, Reply], then: Trick | None = None) -> Script:
    """Each change does nothing and is answered as the same operation was; each read after the first such goes wrong."""
    lied = False

    def script(sent: Sent) -> Trick | None:
        nonlocal lied
        if sent.changes:
            lied = True
            return Trick("was answered as if it had been done", reply=replies.get(sent.name, Reply(204)))
        return then if lied else None

    return script


def named(place: Sent, trick: Trick, total: int) -> str:
    """``call 3 of 12, GET /v1/customers, was answered with 500``."""
    return f"call {place.number + 1} of {total}, {place.name}, {trick.title}"


def _reply(answer: Answer) -> Reply:
    return Reply(answer.status, headers=answer.headers, body=answer.body)


def difference(clean: Said, said: Said | None) -> str:
    other = dict(said or ())
    for what, result in clean:
        if other.get(what) != result:
            return f"{what.partition(' ')[2] or what} is '{other.get(what, 'not mentioned')}', not '{result}'"
    return "something is said that an undisturbed run does not say"
