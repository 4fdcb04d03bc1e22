"""Renders the templates of a plugin project into a new folder. Nothing that exists is ever overwritten."""

from __future__ import annotations

import keyword
import re
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from habeas.errors import InputError

__all__ = ["write_project"]

_NAME = re.compile(r"[a-z][a-z0-9]{0,29}", re.ASCII)
_RESERVED = ("email", "phone", "type", "regime", "reference")
"""Identifiers and columns of request files: no connection may be called so, and most are called as their plugin is."""
_LONGEST_TITLE = 60


def write_project(folder: Path, name: str, title: str) -> tuple[Path, ...]:
    """Writes the project of a plugin ``name`` into ``folder``, which must not exist; returns the files' paths in it.

    ``title`` is the vendor's name as people know it. Raises :class:`~habeas.errors.InputError` for a name or title that
    cannot be used, a folder that exists, or one that cannot be written.
    """
    _check_name(name)
    _check_title(title)
    values = {"name": name, "title": title, "version": version("habeas")}
    environment = _environment()
    texts = {
        _place(template, name): environment.get_template(template).render(values)
        for template in environment.list_templates(extensions=["j2"])
    }
    try:
        folder.mkdir(parents=True)
        for path, text in texts.items():
            (folder / path).parent.mkdir(exist_ok=True)
            with (folder / path).open("x", encoding="utf-8") as file:
                file.write(text)
    except FileExistsError:
        raise InputError(f"{folder} exists already", advice="name another folder with --into") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror})") from None
    return tuple(sorted(texts))


def _place(template: str, name: str) -> Path:
    """``package/kinds.py.j2`` belongs at ``habeas_NAME/kinds.py``."""
    path = Path(template.removesuffix(".j2"))
    return Path(f"habeas_{name}", *path.parts[1:]) if path.parts[0] == "package" else path


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            "a plugin's name is lower-case letters and digits, begins with a letter, and has 30 characters at most",
            advice="such as `habeas plugin new acme`",
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in _RESERVED:
        raise InputError(f"{name} means something else already", advice="call the plugin as its vendor is called")
    # A module of that name, such as habeas_policies, would be hidden by the new one or hide it.
    if name in entry_points(group="habeas").names or find_spec(f"habeas_{name}") is not None:
        raise InputError(f"{name} is taken: habeas_{name} is installed", advice="choose another name, or uninstall it")


def _check_title(title: str) -> None:
    if not title.strip() or len(title) > _LONGEST_TITLE or not title.isprintable() or set(title) & set('"\\'):
        raise InputError(
            f"a title is at most {_LONGEST_TITLE} characters on one line, without quotation marks and backslashes"
        )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("habeas.scaffold"),
        autoescape=False,  # noqa: S701 - code, not a page; name and title have been checked
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
