"""A check of what changes: that it went through the journal, whatever it was called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from habeas.errors import HabeasError
from habeas.testing.kit.bench import Bench, Diary, Scene
from habeas.testing.kit.canaries import CanaryJob
from habeas.testing.kit.jobs import Job, jobs
from habeas.testing.kit.line import Script, Sent, undisturbed
from habeas.testing.kit.trials import lies
from habeas.testing.kit.verdict import Broken, Check
from habeas.testing.sandbox import Reply

__all__ = ["CHECKS"]


class _Watch:
    """Looks at the truth after each call, and finds the read that changed it.

    After a change, a GET may end a job that the change began; a search by POST may not, since it could not be told
    from a change.
    """

    def __init__(self, scene: Scene, job: Job) -> None:
        self.blamed = ""
        self._scene, self._job = scene, job
        self._searched = ""
        self._changed = False
        self._truth = self._look()

    def _look(self) -> object:
        return self._scene.truth(self._job.person)

    def after(self, sent: Sent) -> None:
        """The vendor has got a call."""
        now = self._look()
        if not (sent.plain or sent.signing or sent.changes):
            self._searched = sent.name
        if sent.changes:
            self._changed = True
        elif now != self._truth and not (self._changed and sent.plain):
            self.blamed = self.blamed or (sent.name if not sent.plain else self._searched or sent.name)
        self._truth = now


def _through_journal(bench: Bench) -> None:
    for job_type in _changing(bench):
        replies = _watched(bench, job_type, undisturbed)
        if replies:
            # The same with no change done: whatever happens now, a read did it.
            _watched(bench, job_type, lies(replies), honest=False)


def _changing(bench: Bench) -> Iterator[type[Job]]:
    yield from (job for job in jobs(bench).values() if job.changes)
    if bench.has(CanaryJob.hook):
        yield CanaryJob


def _watched(bench: Bench, job_type: type[Job], script: Script, *, honest: bool = True) -> Mapping[str, Reply]:
    with bench.scene() as scene:
        job = job_type(scene)
        connection = scene.connection(Diary(), script=script)
        watch = _Watch(scene, job)
        scene.line.after = watch.after
        try:
            job.run(connection)
        except HabeasError:
            if honest and not watch.blamed:
                raise
        if watch.blamed:
            raise Broken(
                f"{job.hook} sent {watch.blamed} as a read, and it changed what the vendor holds. What changes"
                " something goes through connection.api.change, which writes it into the ledger before it is sent."
            )
        replies = {sent.number: sent.name for sent in scene.line.sent if sent.changes}
        return {
            name: Reply(answer.status, headers=answer.headers, body=answer.body)
            for number, name in replies.items()
            if (answer := scene.line.answers.get(number)) is not None
        }


CHECKS = (
    Check("through-journal", "Whatever changes something is sent as a change, and so written down", _through_journal),
)
