"""The access package: complete, inert, checkable, and honest about what it cannot tell."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from habeas.cases.consents import Wanted
from habeas.errors import ConfigError, PluginFault, StorageError
from habeas.home import draft_of
from habeas.models import Document, Export, Gap, Identifier, Omission, PluginInfo, RecordKind, Result, Subject
from habeas.reports.package import (
    PackageFile,
    PackageInput,
    Source,
    build,
    check_source,
    package_digest,
    write_zip,
)
from habeas.reports.package.fields import MAX_CHARS, MAX_ITEMS, MAX_ROWS, MAX_TABLE_ROWS
from habeas.reports.package.jsontext import MAX_DEPTH, decode
from habeas.reports.package.labels import moment_of, name_label, term_label, visible

PD = "https://w3id.org/dpv/pd#"
DPV = "https://w3id.org/dpv#"
CET = timezone(timedelta(hours=1))


def kind(name: str, title: str) -> RecordKind:
    return RecordKind(
        name,
        title,
        f"What is kept as {title.lower()}.",
        (PD + "EmailAddress", PD + "IPAddress"),
        (DPV + "DirectMarketing",),
        "until you ask for erasure",
    )


PLUGIN = PluginInfo(
    name="acme",
    title="Acme Loyalty",
    main_kind="customer",
    kinds=(kind("customer", "Customer profile"), kind("activity", "Activity"), kind("session", "Shopping session")),
    settings_schema={},
    secrets=(),
)
CUSTOMER = {
    "id": "cust_7iUXIPcV8VR",
    "name": "Zoë Großmann",
    "birthdate": "1984-03-05",
    "created_at": "2022-11-02T10:11:12.123Z",
    "address": {"line_1": "Lindenallee 17", "city": "Berlin", "state": None},
    "metadata": {"consent_marketing_email": True, "tags": ["vip", "berlin"]},
    "total": 1234567890123456789012,
}


def document(value: object, name: str = "customer.json", record: str = "customer", **more: Any) -> Document:
    content = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return Document(record, name, content, **more)


def exported(*documents: Document, connection: str = "acme-eu", **more: Any) -> Source:
    return Source(connection, PLUGIN, "exported", Export(documents, **more))


def package(*sources: Source, **changes: Any) -> PackageInput:
    base = PackageInput(
        case_id="c-01JEXAMPLE",
        case_type="access",
        regime="gdpr",
        controller="Example Shop GmbH",
        subject=Subject((Identifier("email", "zoe@customer.example"), Identifier("acme-eu", "cust_7iUXIPcV8VR"))),
        received_at=datetime(2026, 3, 5, 10, 11, tzinfo=CET),
        prepared_at=datetime(2026, 3, 9, 16, 2, tzinfo=CET),
        due_at=datetime(2026, 4, 7, 23, 59, tzinfo=CET),
        sources=sources,
        notices=(("acme-eu", "Logs of calls", "2027-03-09"),),
        generator="habeas 0.1.0",
        contact="privacy@shop.example",
    )
    return replace(base, **changes)


WITHDRAWN = Wanted(
    "marketing_email", datetime(2026, 2, 1, 9, tzinfo=UTC), datetime(2026, 2, 3, 22, 30, tzinfo=UTC),
    datetime(2026, 2, 4, 6, tzinfo=UTC), "file",
)  # fmt: skip
GRANTED = Wanted("Telefon", datetime(2025, 7, 1, tzinfo=UTC), None, datetime(2025, 7, 1, tzinfo=UTC))
RECORDED = (
    (Subject((Identifier("customer_id", "C-1"), Identifier("acme-eu", "cust_7iUXIPcV8VR"))), WITHDRAWN),
    (Subject((Identifier("email", "zoe@old.example"),)), GRANTED),
)


def rich() -> PackageInput:
    """Every state at once: held, held with a gap, nothing held, nothing searchable, failed, failed half-way.

    And consents of both states: one of which everything is known, one with the least that can be.
    """
    omitted = Omission("ids of friends you invited", "they identify other people", 2)
    gap = Gap("session", Result.MANUAL, "Archived sessions: ask the support of the processor", 3)
    return package(
        exported(document(CUSTOMER, source="GET /v1/customers/{customerId}", omissions=(omitted,))),
        exported(document(b"a,b\n=1+1,2\n", "log.csv", "activity", media_type="text/csv"), connection="b", gaps=(gap,)),
        Source("c", PLUGIN, "absent", Export((), evidence="GET /v1/customers/{customerId} -> 404")),
        exported(connection="d", gaps=(Gap("customer", Result.UNSUPPORTED, "No search without a token"),)),
        Source("e", PLUGIN, "failed", None, "the processor answered 503"),
        Source("f", PLUGIN, "failed", Export((document([1, 2], "half.json", "activity"),)), "broken off"),
        consents=RECORDED,
    )


def files_of(made: PackageInput) -> dict[str, bytes]:
    return {file.name: file.content for file in build(made)}


def data_of(made: PackageInput) -> Any:
    return json.loads(files_of(made)["data.json"])


class Page(HTMLParser):
    """What a browser would see: elements with attributes, texts, values in their cells; refuses crossed tags."""

    VOID = frozenset({"meta", "col"})

    def __init__(self, made: PackageInput) -> None:
        super().__init__()
        self.source = files_of(made)["index.html"].decode()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.values: list[str] = []
        self.headings: list[str] = []
        self._stack: list[str] = []
        self._texts: list[str] = []
        self.feed(self.source)
        self.close()
        assert self._stack == [], self._stack
        self.text = re.sub(r"\s+", " ", "".join(self._texts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if tag not in self.VOID:
            self._stack.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if tag == "time":
            self.values.append(found["datetime"])
        elif tag in ("bdi", "span"):
            self.values.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._stack and self._stack[-1] in ("style", "title"):
            return
        self._texts.append(data)
        if self._stack and self._stack[-1] in ("bdi", "span"):
            self.values[-1] += data

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def shown(leaf: Any) -> str:
    match leaf:
        case None:
            return "not filled in"
        case bool():
            return "Yes" if leaf else "No"
        case "":
            return "empty text"
        case str():
            return leaf if moment_of(leaf) else visible(leaf)
        case _:
            return json.dumps(leaf)


TEXT = st.text(max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    SCALARS, lambda item: st.lists(item, max_size=4) | st.dictionaries(TEXT, item, max_size=4), max_leaves=25
)


class TestData:
    def test_every_state_validates_against_the_published_schema(self) -> None:
        files = files_of(rich())
        schema, data = json.loads(files["data.schema.json"]), json.loads(files["data.json"])
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(data)
        assert data["$schema"] == "data.schema.json"
        assert (data["format"], data["version"]) == ("habeas-access-package", 1)

    def test_consents_stand_in_it_as_recorded_and_are_not_named_where_there_are_none(self) -> None:
        first, second = data_of(rich())["consents"]
        assert first == {
            "purpose": "marketing_email",
            "state": "withdrawn",
            "said_at": "2026-02-03T22:30:00Z",
            "granted_at": "2026-02-01T09:00:00Z",
            "withdrawn_at": "2026-02-03T22:30:00Z",
            "recorded_at": "2026-02-04T06:00:00Z",
            "source": "file",
            "identifiers": [
                {"kind": "customer_id", "value": "C-1"}, {"kind": "acme-eu", "value": "cust_7iUXIPcV8VR"},
            ],
        }  # fmt: skip
        assert (second["state"], second["said_at"]) == ("granted", "2025-07-01T00:00:00Z")
        assert (second["withdrawn_at"], second["source"]) == (None, None)
        assert "consents" not in data_of(package())

    @pytest.mark.parametrize(
        "change", [{"state": "unset"}, {"said_at": None}, {"source": "gossip"}, {"identifiers": []}]
    )
    def test_the_schema_knows_what_a_recorded_consent_is(self, change: dict[str, object]) -> None:
        files = files_of(rich())
        schema, data = json.loads(files["data.schema.json"]), json.loads(files["data.json"])
        data["consents"][1] |= change
        assert not Draft202012Validator(schema).is_valid(data)
        assert not Draft202012Validator(schema).is_valid(data | {"consents": []})

    @pytest.mark.parametrize("change", [{"status": "fine"}, {"records": None}, {"extra": 1}, {"connection": "../x"}])
    def test_the_schema_refuses_what_the_format_does_not_have(self, change: dict[str, object]) -> None:
        files = files_of(rich())
        data = json.loads(files["data.json"])
        data["processors"][0] |= change
        assert not Draft202012Validator(json.loads(files["data.schema.json"])).is_valid(data)

    def test_the_case_and_every_processor_stand_in_it(self) -> None:
        data = data_of(rich())
        assert data["identifiers"] == [
            {"kind": "email", "value": "zoe@customer.example"},
            {"kind": "acme-eu", "value": "cust_7iUXIPcV8VR"},
        ]
        assert data["received_at"] == "2026-03-05T09:11:00Z"
        assert data["notices"] == [{"connection": "acme-eu", "text": "Logs of calls", "until": "2027-03-09"}]
        found = {
            one["connection"]: (one["status"], len(one["records"]), len(one["gaps"])) for one in data["processors"]
        }
        assert found == {
            "acme-eu": ("exported", 1, 0),
            "b": ("exported", 1, 1),
            "c": ("absent", 0, 0),
            "d": ("exported", 0, 1),
            "e": ("failed", 0, 0),
            "f": ("failed", 1, 0),
        }

    def test_a_document_comes_with_kind_origin_digest_and_omissions(self) -> None:
        files = files_of(rich())
        record = json.loads(files["data.json"])["processors"][0]["records"][0]
        held = record["documents"][0]
        assert (record["kind"], record["count"]) == ("customer", 1)
        assert record["categories"] == [PD + "EmailAddress", PD + "IPAddress"]
        assert held["source"] == "GET /v1/customers/{customerId}"
        assert held["sha256"] == hashlib.sha256(files[held["file"]]).hexdigest()
        assert held["omissions"][0]["count"] == 2

    @given(JSON)
    def test_content_equals_the_document(self, value: object) -> None:
        made = package(exported(document(value)))
        assert data_of(made)["processors"][0]["records"][0]["documents"][0]["content"] == value

    @given(st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?", fullmatch=True))
    def test_numbers_keep_every_digit(self, number: str) -> None:
        files = files_of(package(exported(document(f'{{"n": {number}}}'.encode()))))
        data = json.loads(files["data.json"], parse_float=str, parse_int=str)
        assert data["processors"][0]["records"][0]["documents"][0]["content"] == {"n": number}

    @pytest.mark.parametrize("raw", [b'{"a":1,"a":2}', rb'{"a":"\ud800 \u0000 \u202e"}', b'\xef\xbb\xbf {"a":-0}\r\n'])
    def test_repeated_names_escapes_and_marks_survive(self, raw: bytes) -> None:
        files = files_of(package(exported(document(raw))))
        assert raw.decode("utf-8-sig").strip() in files["data.json"].decode()
        assert files["processors/acme-eu/customer.json"] == raw

    @pytest.mark.parametrize(
        "raw",
        [b"", b"{", b"[NaN]", b"[-Infinity]", b'{"a":1} x', b"\xff\xfe", "[1]".encode("utf-16"), b"<html></html>"],
    )
    def test_what_is_not_json_is_handed_over_as_a_file(self, raw: bytes) -> None:
        made = package(exported(document(raw)))
        assert data_of(made)["processors"][0]["records"][0]["documents"][0]["content"] is None
        assert files_of(made)["processors/acme-eu/customer.json"] == raw
        assert "it could not be read as JSON" in Page(made).text

    def test_nesting_is_read_up_to_the_limit_and_no_further(self) -> None:
        deepest, too_deep, absurd = (b"[" * n + b"]" * n for n in (MAX_DEPTH + 1, MAX_DEPTH + 2, 100_000))
        assert decode(deepest) is not None
        assert decode(too_deep) is None
        assert decode(absurd) is None

    def test_counts_come_from_the_inventory_where_it_was_given(self) -> None:
        documents = (document([{"a": 1}, {"a": 2}], "a.json", "activity"),)
        counted = replace(exported(*documents), counts={"activity": 108, "session": 7, "customer": 0})
        (one,) = data_of(package(counted))["processors"]
        assert {record["kind"]: record["count"] for record in one["records"]} == {"activity": 108, "session": 7}
        (one,) = data_of(package(exported(*documents)))["processors"]
        assert one["records"][0]["count"] == 2

    def test_a_lone_surrogate_in_an_identifier_is_escaped(self) -> None:
        subject = Subject((Identifier("customer_id", "C\udc80"),))
        files = files_of(package(subject=subject))
        assert json.loads(files["data.json"])["identifiers"][0]["value"] == "C\udc80"
        assert "C[U+DC80]" in files["index.html"].decode()


class TestFiles:
    def test_documents_are_in_the_package_byte_for_byte(self) -> None:
        made = rich()
        files = files_of(made)
        for source in made.sources:
            for one in source.export.documents if source.export else ():
                assert files[f"processors/{source.connection}/{one.name}"] == one.content

    def test_the_manifest_names_every_other_file_with_size_and_digest(self) -> None:
        files = files_of(rich())
        listed = json.loads(files.pop("manifest.json"))["files"]
        assert [(entry["name"], entry["size"], entry["sha256"]) for entry in listed] == [
            (name, len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()
        ]

    def test_the_same_input_makes_the_same_bytes(self, tmp_path: Path) -> None:
        assert build(rich()) == build(rich())
        write_zip(build(rich()), tmp_path / "a.zip")
        write_zip(build(rich()), tmp_path / "b.zip")
        assert package_digest(tmp_path / "a.zip") == package_digest(tmp_path / "b.zip")

    @pytest.mark.parametrize(
        "name",
        [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            ".hidden",
            "x.",
            "größe.json",
            "a b",
            "CON",
            "aux.txt",
            "a\n",
            "x" * 101,
        ],
    )
    def test_a_document_name_that_is_no_plain_file_name_is_refused(self, name: str) -> None:
        with pytest.raises(PluginFault, match="plain file name") as caught:
            build(package(exported(document(CUSTOMER, name))))
        assert len(name) < 3 or name not in str(caught.value)

    def test_names_that_differ_only_in_capitals_are_refused(self) -> None:
        with pytest.raises(PluginFault, match="document 2 has the name of an earlier one"):
            build(package(exported(document(1, "a.json"), document(2, "A.JSON"))))

    def test_a_record_kind_the_plugin_does_not_declare_is_refused(self) -> None:
        with pytest.raises(PluginFault, match="does not declare"):
            check_source(exported(document(CUSTOMER, record="secret")))

    def test_a_source_that_contradicts_itself_is_refused(self) -> None:
        with pytest.raises(PluginFault, match="there is no export"):
            check_source(Source("a", PLUGIN, "exported", None))
        with pytest.raises(PluginFault, match="nothing is held"):
            check_source(Source("a", PLUGIN, "absent", Export((document(1),))))

    @pytest.mark.parametrize("connection", ["", "..", "a/b", "Acme", "a.b", "ä", "a" * 65])
    def test_a_connection_name_that_cannot_be_a_folder_is_refused(self, connection: str) -> None:
        with pytest.raises(ConfigError, match="characters other than"):
            build(package(exported(document(1), connection=connection)))

    def test_a_connection_that_comes_twice_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="comes twice"):
            build(package(exported(document(1)), exported(document(2, "b.json"))))

    def test_a_time_without_a_zone_is_refused(self) -> None:
        with pytest.raises(ValueError, match="time zone"):
            build(package(prepared_at=datetime(2026, 3, 9)))  # noqa: DTZ001 - the very thing that is refused

    def test_no_repr_shows_a_person(self) -> None:
        made = rich()
        assert "zoe@" not in repr(made)
        assert "Zoë" not in repr(build(made))


class TestWrite:
    FILES = (PackageFile("index.html", b"<p>"), PackageFile("processors/a/b.json", b"{}"))

    def test_the_zip_holds_the_files_under_fixed_names_and_times(self, tmp_path: Path) -> None:
        path = tmp_path / "p.zip"
        files = build(rich())
        write_zip(files, path)
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert [(info.filename, archive.read(info)) for info in archive.infolist()] == [
                (file.name, file.content) for file in files
            ]
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert {stat.S_IMODE(info.external_attr >> 16) for info in archive.infolist()} == {0o600}

    def test_only_the_owner_can_read_it(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            write_zip(self.FILES, tmp_path / "p.zip")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "p.zip").stat().st_mode) == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["p.zip"]

    def test_what_a_killed_process_left_of_it_is_destroyed(self, tmp_path: Path) -> None:
        """Half a package holds data of the person, under a name that nobody looks for."""
        draft_of(tmp_path / "p.zip").write_bytes(b"half")
        another = draft_of(tmp_path / "p.zip.zip")
        another.write_bytes(b"of another")
        write_zip(self.FILES, tmp_path / "p.zip")
        assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "p.zip", another])

    def test_an_earlier_package_is_replaced_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "p.zip"
        path.write_bytes(b"old" * 100_000)
        write_zip(self.FILES, path)
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist() == ["index.html", "processors/a/b.json"]

    def test_a_disk_that_fails_leaves_the_old_package_and_nothing_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "p.zip"
        path.write_bytes(b"old")

        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "no space", str(path))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="could not be written") as caught:
            write_zip(self.FILES, path)
        assert str(tmp_path) not in caught.value.line()
        assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("p.zip", b"old")]

    def test_an_interruption_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(_descriptor: int) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_zip(self.FILES, tmp_path / "p.zip")
        assert list(tmp_path.iterdir()) == []

    def test_a_place_that_cannot_be_written_is_an_error_of_storage(self, tmp_path: Path) -> None:
        taken = tmp_path / "taken"
        taken.mkdir()
        with pytest.raises(StorageError):
            write_zip(self.FILES, taken)
        with pytest.raises(StorageError):
            write_zip(self.FILES, tmp_path / "missing" / "p.zip")
        assert [(path.name, list(path.iterdir())) for path in tmp_path.iterdir()] == [("taken", [])]

    def test_the_digest_is_sha_256_of_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "p.zip"
        write_zip(self.FILES, path)
        assert package_digest(path) == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


class TestPageShowsTheData:
    @settings(max_examples=60)
    @given(JSON)
    def test_every_value_within_the_caps_is_shown(self, value: object) -> None:
        page = Page(package(exported(document(value))))
        assert Counter(shown(leaf) for leaf in leaves(value)) <= Counter(page.values)

    def test_fields_have_readable_names_and_dates(self) -> None:
        text = Page(package(exported(document(CUSTOMER)))).text
        for words in ("Created at", "2 November 2022, 10:11:12 (UTC)", "Consent marketing email", "5 March 1984"):
            assert words in text

    def test_numbers_are_shown_as_they_were_written(self) -> None:
        values = Page(package(exported(document(b'{"a": 1.10, "b": 1E400, "c": -0}')))).values
        assert {"1.10", "1E400", "-0"} <= set(values)

    def test_a_long_list_is_cut_and_says_where_the_rest_is(self) -> None:
        rows = [{"id": f"act_{number}", "at": {"shop": number}} for number in range(108)]
        made = package(exported(document(rows, "activity.json", "activity")))
        page = Page(made)
        assert f"act_{MAX_TABLE_ROWS - 1}" in page.values
        assert f"act_{MAX_TABLE_ROWS}" not in page.values
        assert "… and 83 more, all in processors/acme-eu/activity.json" in page.text
        assert len(data_of(made)["processors"][0]["records"][0]["documents"][0]["content"]) == 108

    @pytest.mark.parametrize(
        ("value", "says"),
        [
            ([{"a": [[number]]} for number in range(MAX_ITEMS + 5)], "… and 5 more values"),
            ({"x": [{"a": [[number]]} for number in range(MAX_ITEMS + 5)]}, "… and 5 more, all in the file"),
            ({"x": list(range(MAX_TABLE_ROWS + 9))}, "… and 9 more, all in the file"),
            ({f"k{number}": number for number in range(MAX_ROWS + 7)}, "… and 7 more values"),
            ({"x": "y" * (MAX_CHARS + 1234)}, "… and 1,234 more characters, all in the file"),
        ],
    )
    def test_every_cap_says_how_much_is_missing(self, value: object, says: str) -> None:
        assert says in Page(package(exported(document(value)))).text

    @pytest.mark.parametrize(
        "value",
        [
            "x" * 2_000_000,
            {"x" * 1_000_000: 1},
            [{"a": "x" * 900, "b": ["y" * 900] * 9} for _ in range(500)],
            {f"k{number}": ["x" * 900] * 30 for number in range(500)},
        ],
    )
    def test_the_page_stays_small_whatever_the_vendor_sends(self, value: object) -> None:
        assert len(files_of(package(exported(document(value))))["index.html"]) < 1_000_000

    def test_other_types_are_listed_and_linked(self) -> None:
        page = Page(rich())
        assert "processors/b/log.csv" in page.attributes("href")
        assert "it is of another type than this page can show" in page.text
        assert "=1+1" not in page.text

    def test_kinds_come_with_count_categories_purposes_and_retention(self) -> None:
        text = Page(rich()).text
        for words in ("Customer profile 1 held", "Email address, IP address", "Direct marketing", "until you ask for"):
            assert words in text


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table></main></style></title><iframe src=//evil.example>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    '=HYPERLINK("http://evil.example")',
    "\u202egnp.exe\u2066\u200b\u2028",
    "\x00\x1b[2J\x85\ufeff",
    "\ud83d\ud800",
    "a" + "\u0301" * 5000,
)


class TestPageIsInert:
    def hostile(self) -> PackageInput:
        nested: object = "deepest"
        for level in range(64):
            nested = {HOSTILE[level % len(HOSTILE)]: nested} if level % 2 else [nested, level]
        value = {text: [text, {text: text}, [{text: text}, {text: text}]] for text in HOSTILE} | {"nested": nested}
        text = "".join(HOSTILE)
        raw = json.dumps(value).encode()
        made = exported(
            document(raw, media_type="application/json", source=text, omissions=(Omission(text, text, 1),)),
            document(b"x", "x.bin", media_type=text),
            gaps=(Gap(text, Result.MANUAL, text),),
            evidence=text,
        )
        return package(
            made,
            Source("failed", PLUGIN, "failed", None, text),
            controller=text,
            contact=text,
            subject=Subject((Identifier(text, text),)),
            notices=((text, text, text),),
            consents=((Subject((Identifier(text, text),)), replace(WITHDRAWN, purpose=text, source=text)),),
            case_id=text,
            regime=text,
            generator=text,
        )

    def test_nothing_of_a_hostile_answer_can_act(self) -> None:
        page = Page(self.hostile())
        known = {tag for tag, _ in Page(rich()).elements} | {"ul", "li"}
        assert {tag for tag, _ in page.elements} <= known
        assert not {"script", "img", "iframe", "object", "embed", "form", "base", "link"} & known
        allowed = {name for _, attributes in Page(rich()).elements for name in attributes}
        assert {name for _, attributes in page.elements for name in attributes} <= allowed | {"title", "tabindex"}

    def test_characters_that_hide_or_reorder_are_written_out(self) -> None:
        source = Page(self.hostile()).source
        assert not re.search("[\x00\x1b\x85\u200b\u2028\u202a-\u202e\u2066-\u2069\ufeff]", source)
        assert "[U+202E]gnp.exe" in source

    def test_a_value_64_levels_down_is_shown(self) -> None:
        assert "deepest" in Page(self.hostile()).values

    def test_templates_in_data_are_text(self) -> None:
        assert "{{ 7*7 }}{% raw %}" in Page(self.hostile()).values

    @pytest.mark.parametrize("made", [rich(), package(), package(regime="ccpa", case_type="portability", due_at=None)])
    def test_the_page_refers_only_to_itself_and_the_package(self, made: PackageInput) -> None:
        page, files = Page(made), files_of(made)
        ids = page.attributes("id")
        assert len(ids) == len(set(ids))
        for href in page.attributes("href"):
            assert href in files or (href.startswith("#") and href[1:] in ids)
        assert page.attributes("src") == []
        assert not re.search(r"url\(|@import|https?:|//[a-z]", page.source.replace("<!doctype html>", ""))

    def test_the_page_forbids_everything_but_its_own_style(self) -> None:
        assert (
            """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""
            in Page(rich()).source
        )
        assert "<script" not in Page(rich()).source


class TestPageCanBeReadByEverybody:
    def test_language_viewport_and_skip_link_are_there(self) -> None:
        page = Page(rich())
        assert ("html", {"lang": "en"}) in page.elements
        assert "width=device-width, initial-scale=1" in page.attributes("content")
        assert next(attributes for tag, attributes in page.elements if tag == "a")["href"] == "#content"
        assert "prefers-color-scheme: dark" in page.source
        assert "@media print" in page.source

    def test_headings_descend_without_gaps(self) -> None:
        levels = [int(tag[1]) for tag in Page(rich()).headings]
        assert levels.count(1) == 1
        assert all(below <= above + 1 for above, below in pairwise(levels))

    def test_every_table_has_a_caption_and_every_heading_cell_a_scope(self) -> None:
        elements = Page(rich()).elements
        tables = [number for number, (tag, _) in enumerate(elements) if tag == "table"]
        assert tables
        assert all(elements[number + 1][0] == "caption" for number in tables)
        assert all("scope" in attributes for tag, attributes in elements if tag == "th")

    def test_every_labelled_part_names_an_element_that_exists(self) -> None:
        page = Page(rich())
        assert set(page.attributes("aria-labelledby")) <= set(page.attributes("id"))


class TestPageIsHonest:
    def test_the_figures_add_up(self) -> None:
        text = Page(rich()).text
        for words in ("6 processors asked", "3 hold data about you", "1 searched, nothing held"):
            assert words in text
        assert "2 could not be searched this does not mean nothing is held" in text
        assert "2 of these not fully searched" in text

    def test_a_failed_search_is_not_called_absence(self) -> None:
        text = Page(package(Source("e", PLUGIN, "failed", None, "the processor answered 503"))).text
        assert "Acme Loyalty (account e): the search failed: the processor answered 503." in text
        assert "This does not mean that nothing is held there." in text
        assert "has to search again and send you what is found, at the latest by 7 April 2026, 23:59" in text
        assert "hold nothing about you under them" not in text

    def test_a_gap_says_what_and_what_happens_next(self) -> None:
        text = Page(rich()).text
        assert "Shopping session (3): Archived sessions: ask the support of the processor" in text
        assert "a person at Example Shop GmbH has to look there by hand" in text
        assert "the processor offers no way for a program to search this" in text
        assert "If you hear nothing, ask here: privacy@shop.example" in text

    def test_a_due_date_that_has_passed_is_not_promised(self) -> None:
        made = replace(rich(), due_at=datetime(2026, 3, 1, tzinfo=UTC))
        assert "send you what is found, without further delay" in Page(made).text
        assert "at the latest by" not in Page(made).text

    def test_absence_is_said_with_its_evidence(self) -> None:
        text = Page(rich()).text
        assert "Acme Loyalty (account c) How this was found: GET /v1/customers/{customerId} -> 404" in text

    def test_a_gap_keeps_an_absent_connection_out_of_the_absent_ones(self) -> None:
        gap = Gap("session", Result.MANUAL, "look by hand")
        page = Page(package(Source("c", PLUGIN, "absent", Export((), (gap,)))))
        assert "0 searched, nothing held" in page.text
        assert "Nothing was found so far. That is not yet the whole answer" in page.text

    def test_records_without_a_copy_are_not_passed_over(self) -> None:
        made = package(replace(exported(document(CUSTOMER)), counts={"customer": 1, "session": 7}))
        assert "The search found 7 of this kind, but no copy is in this package." in Page(made).text

    def test_omissions_are_listed_with_reason(self) -> None:
        text = Page(rich()).text
        assert re.search("ids of friends you invited ?2 ?they identify other people", text)
        assert "Art. 15(4) GDPR" in text

    def test_a_search_broken_off_half_way_shows_what_it_got(self) -> None:
        text = Page(rich()).text
        assert "The search did not end well (broken off). What was received until then is here." in text

    def test_notices_come_with_their_end(self) -> None:
        assert "Acme Loyalty (account acme-eu): Logs of calls until 9 March 2027" in Page(rich()).text

    @pytest.mark.parametrize(
        ("regime", "says", "not_said"),
        [
            ("gdpr", ("Art. 17", "Art. 77", "data protection authority", "Art. 15(1)(h)", "Art. 15(2)"), "California"),
            ("uk-gdpr", ("Art. 17", "Information Commissioner", "section 164A", "Art. 22A"), "California"),
            ("ccpa", ("§ 1798.105", "California Privacy Protection Agency", "sell your personal information"), "Art. "),
            ("lgpd", ("Have it erased", "Withdraw consent", "Which rights you have depends on the law"), "Art. "),
        ],
    )
    def test_rights_are_worded_for_the_regime(self, regime: str, says: tuple[str, ...], not_said: str) -> None:
        text = Page(package(regime=regime, notices=())).text
        assert all(words in text for words in (*says, "Complain", "Take it with you"))
        assert not_said not in text
        assert "{controller}" not in text

    def test_what_the_controller_must_add_is_named(self) -> None:
        text = Page(rich()).text
        assert "Example Shop GmbH must add everybody else who receives your data" in text
        assert "Whether decisions are made by a program alone" in text
        assert "What Example Shop GmbH holds in its own systems is not part of this package" in text

    def test_portability_says_what_it_is(self) -> None:
        text = Page(package(case_type="portability")).text
        assert "Your data, to take with you" in text
        assert "your data in a form that other programs can read" in text

    def test_the_way_to_check_the_files_is_explained(self) -> None:
        text = Page(rich()).text
        assert all(command in text for command in ("sha256sum data.json", "shasum -a 256", "Get-FileHash"))


class TestPageTellsOfRecordedConsents:
    def test_what_counts_since_when_and_who_it_is_recorded_for_in_words(self) -> None:
        page = Page(rich())
        for words in (
            "Your consents This is what Example Shop GmbH itself has recorded",
            "Marketing email marketing_emailWithdrawn3 February 2026, 23:30 (UTC+01:00) before that: given 1 ",
            "4 February 2026, 07:00 (UTC+01:00), out of a file of consentsCustomer number: C-1, ID at Acme Loyalty",
            "ID at Acme Loyalty (acme-eu): cust_7iUXIPcV8VR",
            "TelefonGiven1 July 2025, 01:00 (UTC+01:00)1 July 2025, 01:00 (UTC+01:00)E-mail address: zoe@old.example",
        ):
            assert words in page.text
        assert page.attributes("href").count("#consents") == 2

    @pytest.mark.parametrize("regime", ["gdpr", "uk-gdpr", "ccpa", "lgpd"])
    def test_the_page_does_not_say_that_nothing_of_the_controller_s_own_is_here(self, regime: str) -> None:
        but = "in its own systems is not part of this package, except for what it has recorded of your consents."
        assert but in Page(package(regime=regime, consents=RECORDED)).text
        without = Page(package(regime=regime))
        assert "in its own systems is not part of this package." in without.text
        assert "consents" not in without.attributes("id")

    def test_portability_says_why_they_are_part_of_it(self) -> None:
        why = "because you provided it yourself and it is about your consent"
        assert why in Page(package(case_type="portability", consents=RECORDED)).text
        assert why not in Page(package(case_type="portability")).text
        assert why not in Page(rich()).text


class TestLabels:
    @pytest.mark.parametrize(
        ("name", "label"),
        [
            ("firstName", "First name"),
            ("first_name", "First name"),
            ("ConsentMarketingEmail", "Consent marketing email"),
            ("source_id", "Source ID"),
            ("customerIPAddress", "Customer IP address"),
            ("_links", "Links"),
            ("line_1", "Line 1"),
            ("EUR", "EUR"),
            ("cnst_6jQ5XcUOLnj5", "cnst_6jQ5XcUOLnj5"),
            ("<b>", "<b>"),
            ("", "(no name)"),
            ("A" * 80 + "!", "A" * 80 + "!"),
        ],
    )
    def test_field_names_become_words_and_others_stay(self, name: str, label: str) -> None:
        assert name_label(name) == label

    def test_vocabulary_terms_become_plain_words(self) -> None:
        assert term_label(PD + "EmailAddress") == "Email address"
        assert term_label(DPV + "PersonalisedBenefits") == "Vouchers, points and offers made for you"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("2024-03-05", "5 March 2024"),
            ("2024-03-05T10:11:12.5+02:00", "5 March 2024, 10:11:12 (UTC+02:00)"),
            ("2024-03-05 10:11", "5 March 2024, 10:11"),
            ("2024-02-30", ""),
            ("2024-03-05T25:00Z", ""),
            ("20240305", ""),
            ("2024-03-0\u0665", ""),
        ],
    )
    def test_only_dates_are_taken_for_dates(self, text: str, words: str) -> None:
        assert moment_of(text) == words
