"""Checks of the sandbox, on which all others stand: strict as a vendor, and the same each time."""

from __future__ import annotations

import contextlib
import json

from habeas.errors import ConfigError, VendorError
from habeas.models import Json
from habeas.testing.kit.bench import Bench, Scene
from habeas.testing.kit.reading import NOBODY
from habeas.testing.kit.verdict import Broken, Check
from habeas.testing.kit.words import identifiers_in, words_about
from habeas.testing.sandbox import Call

__all__ = ["CHECKS"]

_MORE = 7


def _strict(bench: Bench) -> None:
    with bench.scene() as scene:
        good = {name: scene.app.settings().get(name) for name in bench.info.secrets}
        wrong = {name: _turned(value) for name, value in good.items() if isinstance(value, str) and value}
        if not wrong:
            return
        with contextlib.suppress(VendorError, ConfigError):
            bench.registry.check(bench.name, scene.connection(settings={**bench.settings, **wrong}))
        statuses = [answer.status for answer in scene.line.answers.values()]
        if not statuses:
            statuses = [_without_credentials(scene)]
        if not {401, 403}.intersection(statuses):
            raise Broken(
                "The sandbox answers a call with a wrong credential with"
                f" {', '.join(map(str, dict.fromkeys(statuses)))}: refuse it in authenticate, with 401 or 403."
            )


def _turned(secret: str) -> str:
    """Another secret of the same letters and length; padding stays where base64 has it."""
    body = secret.rstrip("=")
    return body[::-1] + secret[len(body) :]


def _without_credentials(scene: Scene) -> int:
    """The status of a call without any, where wrong ones are refused before anything is sent."""
    return scene.app.handle(Call("GET", "/", "/", (), {"host": "127.0.0.1"}, b"")).status


def _truthful(bench: Bench) -> None:
    with bench.scene(bench.people(0, 1, *NOBODY)) as scene:
        person, nobody = scene.people[0], scene.people[-1]
        if bench.info.main_kind not in scene.held(person):
            raise Broken(
                f"held counts no {bench.info.main_kind} of an ordinary person: seed creates those with"
                " self.name in person.held_at."
            )
        if not identifiers_in(scene.app.held_text(person), words_about(person)):
            raise Broken("held_text of an ordinary person shows neither an identifier nor a name: give all, as text.")
        if scene.held(nobody) or _says_something(scene.app.held_text(nobody)):
            raise Broken("held and held_text of somebody whom the vendor does not know are not empty.")
        before = scene.held(person)
        scene.app.enlarge(person, _MORE)
        grown = [count - before.get(kind, 0) for kind, count in scene.held(person).items()]
        if max(grown, default=0) < _MORE:
            raise Broken(
                f"enlarge, asked for {_MORE} more records of each kind with a list, adds fewer than that of every kind:"
                " without it no second page is tried."
            )


def _says_something(text: str) -> bool:
    try:
        return _filled(json.loads(text or "null"))
    except ValueError:
        return bool(text.strip())


def _filled(value: Json) -> bool:
    if isinstance(value, dict | list):
        return any(_filled(inner) for inner in (value.values() if isinstance(value, dict) else value))
    return value not in (None, "", False, 0)


def _repeatable(bench: Bench) -> None:
    people = bench.people(0, 1, 2, 3, 4, 5, 6, 14)
    first, second = bench.sandbox(), bench.sandbox()
    ids = dict(first.seed(people)), dict(second.seed(people))
    if ids[0] != ids[1] or any(dict(first.held(person)) != dict(second.held(person)) for person in people):
        raise Broken(
            "seed creates something else each time: make ids with habeas.testing.sandbox.token, and draw no numbers."
        )


def _sandbox(bench: Bench) -> None:
    _truthful(bench)
    _repeatable(bench)
    _strict(bench)


CHECKS = (
    Check("sandbox-true", "The sandbox refuses wrong credentials, knows its people, and is alike each time", _sandbox),
)
