"""Checks of what is found and handed over."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence

from habeas.errors import PluginFault
from habeas.models import Document, Export, Identifier, Inventory, Json, Subject
from habeas.testing.kit.bench import Bench, Scene
from habeas.testing.kit.jobs import purposes_of
from habeas.testing.kit.verdict import Broken, Check
from habeas.testing.kit.words import identifiers_in, stands_in, words_about
from habeas.testing.people import Person

__all__ = ["CHECKS", "EVERYBODY", "NOBODY", "compare", "handed_over"]

EVERYBODY = (0, 1, 2, 3, 4, 5, 6, 14, 18, 21, 28, 35, 42)
"""Ordinary people, a household, a shared card, two whom the vendor does not know, and every awkward customer id."""
NOBODY = (6, 18)
"""Whom the vendor does not know."""


def compare(scene: Scene, person: Person, found: Inventory) -> None:
    """Raises :class:`Broken` unless each kind is found as often as it is held, or told as a gap."""
    counted: dict[str, int] = {}
    for record in found.records:
        counted[record.kind] = counted.get(record.kind, 0) + record.count
    told = {gap.kind for gap in found.gaps}
    declared = {kind.name for kind in scene.bench.info.kinds}
    held = scene.held(person)
    for kind in sorted(held.keys() | counted.keys()):
        count = counted.get(kind, 0)
        if count == held.get(kind, 0) or (count == 0 and kind in told):
            continue
        if kind not in declared and _standing(scene, person, found):
            continue
        raise Broken(
            f"inventory counts {count} of the kind {kind} where the vendor holds {held.get(kind, 0)}"
            f" (somebody with {_kind_of_id(person)}). What is held must be found, or told as a gap of that kind; what"
            " the vendor shows to nobody, as a standing gap."
        )


def _standing(scene: Scene, person: Person, found: Inventory) -> bool:
    """Whether something is told that no call shows for anybody."""
    return any(gap.standing for gap in (*found.gaps, *scene.export(person, found).gaps))


def _kind_of_id(person: Person) -> str:
    """What is special about a person's customer id, without the id."""
    odd = sorted({c for c in person.customer_id if not (c.isascii() and c.isalnum()) and c != "-"})
    return f"{' '.join(map(repr, odd))} in the customer id" if odd else "an ordinary customer id"


def handed_over(documents: Sequence[Document]) -> str:
    """All documents as one text, in which JSON escapes stand for themselves."""
    texts = []
    for document in documents:
        text = document.content.decode("utf-8", "replace")
        with contextlib.suppress(ValueError):
            text = json.dumps(json.loads(text), ensure_ascii=False)
        texts.append(text)
    return "\n".join(texts)


# -- checks ------------------------------------------------------------------------------------------------------------


def _true(bench: Bench) -> None:
    with bench.scene((*bench.people(*EVERYBODY), bench.awkward())) as scene:
        for person in scene.people:
            compare(scene, person, scene.inventory(person))


def _by_address(bench: Bench) -> None:
    with bench.scene() as scene:
        person = scene.people[0]
        for kind, value in (("email", person.email), ("phone", person.phone)):
            subject = Subject((Identifier(kind, value),))
            found = bench.registry.inventory(bench.name, scene.connection(), subject)
            main = bench.info.main_kind
            if any(record.kind == main for record in found.records):
                continue
            if not any(gap.kind == main or not gap.standing for gap in found.gaps):
                raise Broken(
                    f"inventory, asked about somebody of whom only the {kind} is known, finds nothing and says nothing,"
                    " and the vendor holds the person. Search by it, or return a gap that says that the vendor cannot"
                    " be searched by it."
                )


def _absent(bench: Bench) -> None:
    with bench.scene(bench.people(0, 1, *NOBODY)) as scene:
        before = scene.everything()
        for person in scene.people[2:]:
            found = scene.inventory(person)
            if found.records:
                raise Broken("inventory finds records of somebody whom the vendor does not know: whose are they?")
            if scene.held(person) or scene.everything() != before:
                raise Broken("Asking about somebody whom the vendor does not know created them: read, never write.")
            if scene.export(person, found).documents:
                raise Broken("export hands over documents about somebody whom the vendor does not know.")


def _fields(bench: Bench) -> None:
    with bench.scene() as scene:
        person = scene.people[0]
        found = scene.inventory(person)
        for record in found.records:
            if not record.fields:
                raise Broken(
                    f"inventory names no fields of the kind {record.kind}: give Record.fields, made by"
                    " habeas.field_names, so that `habeas doctor --schema` sees when the vendor adds one."
                )
            if identifiers_in(" ".join(record.fields), words_about(person, found)):
                raise Broken(
                    f"Record.fields of the kind {record.kind} holds a value of the person: names only. Name objects"
                    " whose keys are data with habeas.field_names(…, keyed=…)."
                )


def _export(bench: Bench) -> None:
    with bench.scene(bench.people(0, 1, 2, 3, 4, 5, 21)) as scene:
        for person in scene.people:
            found = scene.inventory(person)
            exported = scene.export(person, found)
            _check_documents(exported, words_about(person, found))
            text = handed_over(exported.documents)
            held = scene.app.held_text(person)
            _check_kinds(scene, person, found, exported)
            for name in ("email", "phone", "first_name", "last_name"):
                value = getattr(person, name)
                if stands_in(held, value) and not stands_in(text, value):
                    raise Broken(
                        f"export does not hand over the person's {name}, which the vendor holds: everything about the"
                        " person goes into the package (Art. 15), as the vendor gives it."
                    )
            for other in scene.people:
                named = [v for v in (other.customer_id, other.email, other.phone) if v != person.email]
                if other is not person and identifiers_in(text, named):
                    raise Broken(
                        "export hands over another person's identifier: take it out and state it as an omission"
                        " (Art. 15(4))."
                    )


def _check_documents(exported: Export, words: Sequence[str]) -> None:
    names = [document.name for document in exported.documents]
    if len(set(names)) != len(names):
        raise Broken("export gives two documents one name: one of them would be lost in the package.")
    for document in exported.documents:
        if identifiers_in(f"{document.name} {document.source}", words):
            raise Broken("export puts an identifier into a document's name or source: use a fixed list of names.")
        if not document.source:
            raise Broken("export does not say where a document came from: give source, a method and a path template.")


_SHORTEST = 4
"""Characters of a value by which a row is known again."""


def _check_kinds(scene: Scene, person: Person, found: Inventory, exported: Export) -> None:
    """Each kind that was found is handed over, or is said to be not."""
    held = scene.app.held_text(person)
    own = {person.customer_id, person.email, person.phone}
    for kind in dict.fromkeys(record.kind for record in found.records):
        documents = [document for document in exported.documents if document.record == kind]
        told = any(gap.kind == kind for gap in exported.gaps) or any(d.omissions for d in documents)
        if told:
            continue
        ids = {i for record in found.records if record.kind == kind for i in record.ids}
        if not documents and any(i in handed_over(exported.documents) for i in ids):
            # One answer of the vendor's may hold several kinds.
            continue
        if not documents:
            raise Broken(
                f"inventory finds the kind {kind}, and export hands over no document of it and does not say why: add"
                " the document, or a gap of that kind."
            )
        values = {value for document in documents for value in _values(document)}
        known = values if kind == scene.bench.info.main_kind else values - own
        if not any(value in ids or value in held for value in known):
            raise Broken(
                f"export's documents of the kind {kind} show nothing of what the vendor holds: hand over its answer"
                " with all rows, not an empty one."
            )


def _values(document: Document) -> Iterator[str]:
    """The values in a document, without the names of its fields."""
    text = document.content.decode("utf-8", "replace")
    try:
        yield from _leaves(json.loads(text))
    except ValueError:
        yield from re.findall(rf"[\w-]{{{_SHORTEST},}}", text)


def _leaves(value: Json) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)
    elif isinstance(value, str) and len(value) >= _SHORTEST:
        yield value


def _reads_only(bench: Bench) -> None:
    with bench.scene(served=True) as scene:
        person, name, registry = scene.people[0], bench.name, bench.registry
        before = scene.everything()
        connection = scene.connection()
        try:
            registry.check(name, connection)
            found = scene.inventory(person, connection)
            scene.export(person, found, connection)
            if bench.has("read_consent"):
                registry.read_consent(name, connection, scene.subject(person), purposes_of(scene))
        except PluginFault as fault:
            raise Broken(
                f"{fault.message}: check, inventory, export and read_consent are called in dry runs, and may only read."
            ) from None
        if scene.everything() != before:
            raise Broken(
                "Reading changed what the vendor holds: a call that is not a plain read was sent as one, by"
                f" {_vouched(scene)}. Only searches may go through Api.read."
            )


def _vouched(scene: Scene) -> str:
    """The calls by other methods than GET."""
    names = dict.fromkeys(s.name for s in scene.line.sent if not s.name.startswith(("GET ", "HEAD ")) and not s.signing)
    return ", ".join(names) or "a GET"


CHECKS = (
    Check("inventory-true", "The inventory finds exactly what the vendor holds, for everybody", _true),
    Check("found-by-address", "Somebody known by e-mail or phone only is found, or a gap says why not", _by_address),
    Check("absent-is-absent", "Of somebody unknown nothing is found, and nothing is created by asking", _absent),
    Check("fields-named", "Each record names the vendor's fields, never their values", _fields),
    Check("export-true", "The export hands over the person's data and nobody else's", _export),
    Check("reads-only", "Nothing that a dry run calls changes anything", _reads_only),
)
