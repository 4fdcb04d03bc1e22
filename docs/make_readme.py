"""Writes the text of ``habeas --help`` into README.md, or says with ``--check`` that it is another.

Run by hand after a change to the command line: ``.venv/bin/python docs/make_readme.py``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from habeas.cli import cli

README = Path(__file__).parents[1] / "README.md"
WIDTH = 100
_BLOCK = re.compile(r"(<!-- help: [^\n]*-->\n```text\n).*?(```\n)", re.DOTALL)


def help_text() -> str:
    """The overview as a terminal of ``WIDTH`` columns shows it, whatever terminal this runs in."""
    context = cli.make_context("habeas", [], resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH)
    return "$ habeas --help\n" + cli.get_help(context).rstrip() + "\n"


def written(readme: str) -> str:
    """The README with the help in its block. Raises ``ValueError`` where there is not one such block."""
    text, found = _BLOCK.subn(lambda match: match[1] + help_text() + match[2], readme)
    if found != 1:
        raise ValueError(f"README.md has {found} blocks for the help, not one")
    return text


def main(arguments: list[str]) -> int:
    """Exit code: 1 where ``--check`` found another text."""
    old = README.read_text(encoding="utf-8")
    new = written(old)
    if "--check" not in arguments:
        README.write_text(new, encoding="utf-8")
        return 0
    if new != old:
        sys.stderr.write("the help in README.md is not that of the program; run docs/make_readme.py\n")
    return int(new != old)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
