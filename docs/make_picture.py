"""Renders the most telling steps of a real ``habeas demo`` as docs/demo.svg.

Run by hand after a change to the demo: ``.venv/bin/python docs/make_picture.py``. Nothing is invented: the steps are
those of the run it makes, which must hold.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from habeas.cli.output import Output
from habeas.demo.story import tell

PICTURE = Path(__file__).with_name("demo.svg")
PEOPLE = 200
WIDTH = 110
TELLING = (
    "Erase, and read every vendor back",
    "A legal hold on payment records",
    "is down",
    "is back",
    "A copy with one changed byte",
)
"""Steps whose title ends like this."""
_STEP = re.compile(r"\d+\. (.+)")
_REPEATED = re.compile(r" {5}(\w+: \d+ .*|e\.g\. (?!voucherify customer).*)")
"""Progress of single connections, which the outcomes below it tell again, and all examples but one."""
_FACES = re.compile(r"@font-face \{.*?\}\n?", re.DOTALL)

Line = tuple[str, str]
"""Text and style."""


class Kept(Output):
    """Keeps what the story shows."""

    def __init__(self) -> None:
        super().__init__(as_json=False)
        self.lines: list[Line] = []

    def show(self, text: str, style: str = "") -> None:
        """One line."""
        self.lines.append((text, style))


def telling(lines: list[Line]) -> list[Line]:
    """The telling steps, and the last line that counts the claims."""
    kept: list[Line] = []
    keeping = False
    for text, style in lines:
        step = _STEP.fullmatch(text)
        if step is not None:
            keeping = step[1].endswith(TELLING)
        if text.startswith("All "):
            kept.append((text, style))
            keeping = False
        if keeping and not _REPEATED.fullmatch(text):
            kept.append((text, style))
    return kept


def svg(lines: list[Line]) -> str:
    """The picture; without the web fonts that it would fetch from elsewhere."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("$ habeas demo\n", style="bold"))
    for text, style in lines:
        console.print(Text(text, style=style or "default"), no_wrap=True, overflow="ellipsis")
    return _FACES.sub("", console.export_svg(title="habeas demo", theme=MONOKAI, unique_id="demo"))


def main() -> int:
    """Exit code: that of the demo."""
    output = Kept()
    with tempfile.TemporaryDirectory(prefix="habeas-picture-") as folder:
        code = tell(Path(folder) / "demo", PEOPLE, output)
        lines = [(text.replace(folder + "/", ""), style) for text, style in telling(output.lines)]
    if code == 0:
        PICTURE.write_text("\n".join(line.rstrip() for line in svg(lines).splitlines()) + "\n", encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
