"""Checks of what a plugin says of itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import jsonschema

from habeas.models import Json, RecordKind
from habeas.testing.kit.bench import Bench
from habeas.testing.kit.verdict import Broken, Check
from habeas_audit.child import plain_environment

__all__ = ["CHECKS"]

_DPV = re.compile(r"https://w3id\.org/dpv(?:/[a-z0-9-]+)*#[A-Za-z][A-Za-z0-9]*")
_UNKNOWN = "a_setting_that_nobody_has"
_HEAVY = ("requests", "urllib3", "http.client", "httpx", "aiohttp")
_SECONDS = 60.0


def _kinds(bench: Bench) -> None:
    if not bench.info.title.strip():
        raise Broken("describe gives no title: people must be able to read which vendor this is.")
    for kind in bench.info.kinds:
        for part, value in (("title", kind.title), ("description", kind.description), ("retention", kind.retention)):
            if not value.strip():
                raise Broken(f"The record kind {kind.name} has no {part}: it is shown to people in every report.")
        for part, iris in (("category", kind.categories), ("purpose", kind.purposes)):
            if not iris or not all(_DPV.fullmatch(iri) for iri in iris):
                raise Broken(
                    f"The record kind {kind.name} needs at least one DPV {part}, and each as a whole IRI"
                    f" (https://w3id.org/dpv#… or https://w3id.org/dpv/pd#…)."
                )
        if kind.name in _destroyers(bench, kind):
            raise Broken(
                f"By erased_with, erasing {kind.name} destroys itself, directly or through other kinds: a hold on it"
                " could never be kept. Name only kinds that take it with them."
            )


def _destroyers(bench: Bench, kind: RecordKind) -> set[str]:
    found: set[str] = set()
    waiting = [kind.name]
    while waiting:
        for other in set(bench.info.kind(waiting.pop()).erased_with) - found:
            found.add(other)
            waiting.append(other)
    return found


def _settings(bench: Bench) -> None:
    app = bench.sandbox()
    schema = bench.info.settings_schema
    _check_schema("settings_schema", schema, {**app.settings(), **bench.settings}, "the sandbox's own settings")
    known = set(schema.get("properties", {}))
    for secret in bench.info.secrets:
        if secret not in known:
            raise Broken(f"The secret {secret} is not a property of settings_schema: it could not be configured.")
    if bench.info.secrets and not any(secret in app.settings() for secret in bench.info.secrets):
        raise Broken("None of the secrets is among the sandbox's settings: credentials are not tried at all.")


def _purposes(bench: Bench) -> None:
    info = bench.info
    purposes = bench.sandbox().purposes()
    if bench.has("update_consent") != bool(info.purpose_schema):
        raise Broken("purpose_schema and update_consent belong together: one of them is missing.")
    if bench.has("update_consent") and not purposes:
        raise Broken("The plugin has update_consent, and its sandbox names no purposes: nothing of it can be tried.")
    for mapping in purposes.values() if bench.has("update_consent") else ():
        _check_schema("purpose_schema", info.purpose_schema, mapping, "one of the sandbox's purposes")
    if bench.has("rectify") != bool(info.rectifies):
        raise Broken("rectifies and the hook rectify belong together: one of them is missing or empty.")


def _check_schema(name: str, schema: Mapping[str, Json], good: Mapping[str, Any], what: str) -> None:
    try:
        validator = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        validator.check_schema(dict(schema))
    except jsonschema.SchemaError:
        raise Broken(f"{name} is not a valid JSON Schema.") from None
    errors = [error.json_path for error in validator(schema).iter_errors(dict(good))]
    if errors:
        raise Broken(f"{name} refuses {what} at {errors[0]}: a connection like it could not be configured.")
    if validator(schema).is_valid({**good, _UNKNOWN: "x"}):
        raise Broken(f"{name} accepts a setting it does not know: set additionalProperties to false, or typos pass.")


_DESCRIBE = """
import importlib.util, json, sys
path, name, file, folders, heavy = json.loads(sys.argv[1])
sys.path[:] = path
spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=folders)
module = sys.modules[name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.describe()
print(*[each for each in heavy if each in sys.modules])
"""


def _light(bench: Bench) -> None:
    spec = getattr(bench.plugin, "__spec__", None)
    if spec is None or spec.origin is None:
        raise Broken("The plugin is not a module in a file: an entry point names a module.")
    module = spec.name
    what = json.dumps([sys.path, module, spec.origin, spec.submodule_search_locations, _HEAVY], default=list)
    done = subprocess.run(  # noqa: S603 - this interpreter, and a module that is already loaded here
        [sys.executable, "-c", _DESCRIBE, what], capture_output=True, text=True, timeout=_SECONDS, check=False,
        env=plain_environment(),
    )  # fmt: skip
    if done.returncode != 0:
        raise Broken(f"{module} cannot be imported, or describe fails, in a process of its own.")
    if done.stdout.split():
        raise Broken(
            f"Importing {module} and calling describe loads {done.stdout.split()[0]}: every `habeas --help` pays for"
            " it. Import what speaks HTTP inside the hooks that need it."
        )


CHECKS = (
    Check("kinds-complete", "Each record kind says what it is, with DPV categories and purposes", _kinds),
    Check("settings-schema", "The settings' schema takes what the sandbox needs and nothing unknown", _settings),
    Check("purposes-and-fields", "Purposes and correctable fields are declared where there are hooks", _purposes),
    Check("describe-light", "Describing the plugin loads no HTTP library", _light),
)
