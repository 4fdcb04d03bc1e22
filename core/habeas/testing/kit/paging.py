"""Checks with more records than fit on one page."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from habeas.errors import PluginFault, VendorError
from habeas.testing.kit.bench import Bench, Diary, Scene
from habeas.testing.kit.jobs import EraseJob
from habeas.testing.kit.line import Runaway, Sent, Trick
from habeas.testing.kit.reading import compare, handed_over
from habeas.testing.kit.verdict import Broken, Check
from habeas.testing.sandbox import Reply

__all__ = ["CHECKS"]

_FEW, _MANY = 10, 230
"""Records added to each list: on one page at nearly every vendor, and on several."""
_ENOUGH = (110, 510, 1010)
"""Records added to make a list go on at least once: for pages of 100, of 500, of 1,000."""
_SHARE = 0.97
"""How much of what is shown of a few must be shown of many. Not all: made-up values can coincide."""
_SPARE_CALLS = 20


def _complete(bench: Bench) -> None:
    few, _ = _shown(bench, _FEW)
    many, added = _shown(bench, _MANY)
    if added and many < few * _SHARE:
        raise Broken(
            f"export shows {many:.0%} of a long list where it shows {few:.0%} of a short one: it stops before the last"
            " page. Walk all pages (habeas.http.pages.walk)."
        )
    with bench.scene() as scene:
        scene.app.enlarge(scene.people[0], _MANY)
        job = EraseJob(scene)
        said = job.run(scene.connection(Diary()))
        untrue = job.untrue(said)
        if untrue:
            raise Broken(f"erase, of somebody with {_MANY} more records of each kind: {untrue}.")
        if job.unfinished():
            raise Broken(f"erase leaves something of somebody with {_MANY} more records of each kind.")


def _shown(bench: Bench, count: int) -> tuple[float, int]:
    """How much of what was added to a person's lists the export shows, and how much was added."""
    with bench.scene() as scene:
        person = scene.people[0]
        before = _tokens(scene.app.held_text(person))
        scene.app.enlarge(person, count)
        added = _tokens(scene.app.held_text(person)) - before
        found = scene.found(person)
        compare(scene, person, found)
        shown = added & _tokens(handed_over(scene.export(person, found).documents))
        if added and not shown:
            raise Broken("export shows nothing of what was added to the person's lists: are they handed over at all?")
        return (len(shown) / len(added) if added else 1.0), len(added)


def _tokens(text: str) -> set[str]:
    """What looks like an id: letters and digits."""
    return {t for t in set(re.findall(r"[\w-]{5,}", text)) if re.search(r"\d", t) and re.search(r"[^\W\d]", t)}


@dataclass(frozen=True)
class _Short:
    """What is asked of a person whose lists are short."""

    text: str
    """What is held about them."""
    firsts: Mapping[str, set[str]]
    """The targets asked for under each path."""


def _ends(bench: Bench) -> None:
    with bench.scene() as scene:
        short = _first_pages(scene)
    for count in _ENOUGH:
        with bench.scene() as scene:
            firsts = _firsts(scene, short)
            scene.app.enlarge(scene.people[0], count)
            sent = _read_all(scene)
        lists = dict.fromkeys((hook, s.name) for hook, s in sent if _is_further(s, firsts))
        for hook, name in lists:
            _repeated(bench, count, hook, name, short, most=len(sent) + _SPARE_CALLS)
        if lists:
            return


def _first_pages(scene: Scene) -> _Short:
    text = scene.app.held_text(scene.people[0])
    firsts: dict[str, set[str]] = defaultdict(set)
    for _, sent in _read_all(scene):
        firsts[_path(sent)].add(sent.target)
    return _Short(text, firsts)


def _firsts(scene: Scene, short: _Short) -> Mapping[str, set[str]]:
    """The first pages of a scene: a sandbox that makes up new ids each time has its own."""
    alike = scene.app.held_text(scene.people[0]) == short.text
    return short.firsts if alike else _first_pages(scene).firsts


def _read_all(scene: Scene) -> list[tuple[str, Sent]]:
    """What inventory and export send, each with its hook."""
    found = scene.inventory(scene.people[0], scene.connection())
    searching = [("inventory", sent) for sent in scene.line.sent]
    scene.export(scene.people[0], found, scene.connection())
    return searching + [("export", sent) for sent in scene.line.sent]


def _is_further(sent: Sent, firsts: Mapping[str, set[str]]) -> bool:
    """Whether a call asks for a further page of a list: the same path, and a query that a short list does not need."""
    known = firsts.get(_path(sent), ())
    return bool(known) and sent.target not in known


def _repeated(bench: Bench, count: int, hook: str, name: str, short: _Short, *, most: int) -> None:
    """Each further page of one operation is the page before it again."""
    with bench.scene() as scene:
        person = scene.people[0]
        firsts = _firsts(scene, short)
        scene.app.enlarge(person, count)
        found = scene.found(person) if hook == "export" else None
        pages = _Repeating(scene, name, firsts)
        connection = scene.connection(script=pages.script, most=most)
        try:
            if found is None:
                scene.inventory(person, connection)
            else:
                scene.export(person, found, connection)
        except VendorError:
            return
        except PluginFault as fault:
            raise Broken(f"{fault.message} when {name} repeated its first page: raise BadAnswer.") from None
        except Runaway:
            raise Broken(
                f"{hook} made more than {most} calls when {name} repeated its first page. A page that was seen before"
                " must end the walk with BadAnswer."
            ) from None
        if pages.repeated:
            raise Broken(
                f"{hook} took it for complete when {name} repeated its first page. A page that was seen before must"
                " end the walk with BadAnswer."
            )


class _Repeating:
    """The script in which every further page of an operation is the page before it again."""

    def __init__(self, scene: Scene, name: str, firsts: Mapping[str, set[str]]) -> None:
        self.repeated = False
        self._scene, self._name, self._firsts = scene, name, firsts
        self._before: dict[str, Sent] = {}

    def script(self, sent: Sent) -> Trick | None:
        path = _path(sent)
        if sent.name != self._name or path not in self._before or not _is_further(sent, self._firsts):
            self._before[path] = sent
            return None
        self.repeated = True
        answer = self._scene.line.answers[self._before[path].number]
        return Trick("", reply=Reply(answer.status, headers=answer.headers, body=answer.body))


def _path(sent: Sent) -> str:
    return f"{sent.name} {sent.target.partition('?')[0]}"


CHECKS = (
    Check("paging-complete", "Lists of several pages are found, handed over and erased to the last record", _complete),
    Check("paging-ends", "A list whose pages repeat is an error, neither a loop nor a result", _ends),
)
