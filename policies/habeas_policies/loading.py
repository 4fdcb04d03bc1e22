"""Finding a policy by its name or path, and refusing one that could be mistaken for another."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from habeas_policies.checking import MAX_BYTES, one_line, read, too_large
from habeas_policies.errors import PolicyProblem, Problem, shown
from habeas_policies.policy import Policy

__all__ = ["bundled", "load"]

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def bundled() -> tuple[str, ...]:
    """Names of the policies that come with habeas, sorted."""
    entries = files("habeas_policies").joinpath("bundled").iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")))


def load(name_or_path: str, *, search: Sequence[Path] = ()) -> Policy:
    """A bundled policy, ``NAME.toml`` of one of the ``search`` folders, or the file at a path.

    What holds a path separator or ends in ``.toml`` is a path. Raises :class:`PolicyProblem` if the policy is unknown,
    found twice, not valid, called otherwise than its file, or called as a bundled one: a name in a ledger entry must
    say which policy was meant. Whether it has expired is asked when it is used (:meth:`Policy.require_current`).
    """
    if name_or_path.endswith(".toml") or "/" in name_or_path or os.sep in name_or_path:
        return _own(Path(name_or_path), called=None)
    found = _in_folders(name_or_path, search)
    if name_or_path in bundled():
        if found:
            raise PolicyProblem(
                f"a search folder has a policy {shown(name_or_path)}, which is the name of a bundled one",
                advice="rename that file and the `name` in it",
            )
        return _bundled(name_or_path)
    if not found:
        raise PolicyProblem(f"there is no policy {shown(name_or_path)}", advice=f"known: {', '.join(_known(search))}")
    if len(found) > 1:
        raise PolicyProblem(
            f"policy {shown(name_or_path)} is in {len(found)} search folders", advice="keep one, or give its path"
        )
    return _own(found[0], called=name_or_path)


def _in_folders(name: str, search: Sequence[Path]) -> list[Path]:
    if not _NAME.fullmatch(name):
        return []
    paths = dict.fromkeys(folder.absolute() / f"{name}.toml" for folder in search)
    return [path for path in paths if os.path.lexists(path)]


def _known(search: Sequence[Path]) -> list[str]:
    own = {path.stem for folder in search for path in folder.glob("*.toml") if _NAME.fullmatch(path.stem)}
    return sorted(own | set(bundled()))


def _bundled(name: str) -> Policy:
    text = files("habeas_policies").joinpath("bundled", f"{name}.toml").read_text(encoding="utf-8")
    return _valid(text, f"{name}.toml")


def _own(path: Path, *, called: str | None) -> Policy:
    source = one_line(path.name)
    policy = _valid(_text(path, source), source)
    if policy.name in bundled():
        problem = Problem(source, "$.name", "is the name of a bundled policy", "give yours a name of its own")
        raise _raised((problem,))
    if called is not None and policy.name != called:
        problem = Problem(source, "$.name", "is not the file's name", "make the two the same")
        raise _raised((problem,))
    return policy


def _text(path: Path, source: str) -> str:
    try:
        if not path.is_file():
            raise PolicyProblem(f"{source}: there is no such policy file", advice="check the path")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise PolicyProblem(
            f"{source}: cannot be read ({one_line(error.strerror or type(error).__name__)})",
            advice="check the path and its permissions",
        ) from None
    if len(content) > MAX_BYTES:
        raise _raised((too_large(source),))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (byte {error.start})"
        raise _raised((Problem(source, "$", message, "save the file as UTF-8"),)) from None


def _valid(text: str, source: str) -> Policy:
    found = read(text, source)
    if isinstance(found, Policy):
        return found
    raise _raised(found)


def _raised(problems: tuple[Problem, ...]) -> PolicyProblem:
    """One line for many findings: the first, and how many more there are."""
    first, *rest = problems
    more = f" (and {len(rest)} more)" if rest else ""
    return PolicyProblem(first.where() + more, advice=first.advice, problems=problems)
