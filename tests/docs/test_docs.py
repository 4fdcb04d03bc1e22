"""The documentation is executed: commands, files, queries and links are what they say they are.

What the pages are written in:

- A block ```` ```console ```` is run in a fresh shop of made-up people, page by page from the top. ``$ habeas …`` must
  end with exit code 0, or with the one in a comment (``# exit 3``). The lines below a command must be in its output, in
  that order; ``…`` stands for any text, a line of its own for any lines; spaces do not count. ``[y/N]: y`` is answered.
  ``CASE`` is the case that was named last. ``$ cd``, ``$ export``, ``$ python`` and ``$ openssl`` work as in a shell.
- ``<!-- file: NAME -->`` above a block makes it a file of the shop. ``<!-- NAME is down -->`` and
  ``<!-- NAME is back -->`` do that to a vendor.
- Every ```` ```toml ```` block is a valid policy, or a valid configuration once what it leaves out is added.
- Every ```` ```sql ```` block finds something in the ledger of the page's shop.
- Blocks of other languages are only read.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from habeas.cli import cli
from habeas.cli.border import run_guarded
from habeas.clock import SystemClock
from habeas.config import load_config
from habeas.config.load import schema_problems
from habeas.demo.world import World
from habeas.home import Home
from habeas.opening import create_home
from habeas.registry import Registry
from habeas_audit import verify
from habeas_policies import check

ROOT = Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.joinpath("docs").glob("*.md"))
}
PEOPLE = 12
OPENSSL = shutil.which("openssl")
"""Where it is absent, its lines are not run, and the last line of the whole run says so."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (.+) -->\n\Z")
_CASE = re.compile(r"c-[0-9A-Z]{18}")
_EXIT = re.compile(r"# exit (\d+)$")


@dataclass(frozen=True)
class Block:
    """One fenced block and the comment above it."""

    language: str
    text: str
    mark: str

    @property
    def file(self) -> str:
        """The file that the block is, or empty."""
        return self.mark.removeprefix("file: ") if self.mark.startswith("file: ") else ""


def blocks(page: str) -> list[Block]:
    text = PAGES[page]
    found = []
    for match in _FENCE.finditer(text):
        mark = _MARK.search(text, 0, match.start())
        found.append(Block(match[1], match[2], mark[1] if mark else ""))
    return found


@cache
def registry() -> Registry:
    return Registry.load()


class Terminal(io.StringIO):
    """Answers typed at a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Step:
    """One command and what stands below it."""

    line: str
    shown: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        return shlex.split(os.path.expandvars(self.line), comments=True)

    @property
    def code(self) -> int:
        stated = _EXIT.search(self.line)
        return int(stated[1]) if stated else 0


def steps(block: Block) -> Iterator[Step]:
    line, shown = "", list[str]()
    for text in block.text.splitlines():
        if text.startswith("$ "):
            if line:
                yield Step(line, tuple(shown))
            line, shown = text[2:], []
        else:
            shown.append(text)
    yield Step(line, tuple(shown))


class Shop:
    """A fresh home against fresh sandboxes, in the current folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.case = folder, ""
        self._patch = monkeypatch
        self._served: subprocess.Popen[str] | None = None
        self.world = World.start(registry(), PEOPLE)

    def open(self, *, init: bool) -> None:
        """Its files; with ``init`` the home as well."""
        with self.world.write_setup(self.folder).open("a", encoding="utf-8") as file:
            file.write('\n[policies]\nfolder = "policies"\n')
        self._patch.chdir(self.folder)
        self._patch.setenv("HABEAS_HOME", str(self.folder / "home"))
        self._patch.setenv("PWD", str(self.folder))
        self._patch.setattr(tempfile, "tempdir", str(self.folder))
        if init:
            create_home(Home(self.folder / "home"), SystemClock())

    def close(self) -> None:
        self.world.stop()
        if self._served is not None:
            self._served.send_signal(signal.SIGTERM)
            assert self._served.wait(timeout=10) == 0, "the sandbox ends with 0 when it is told to"

    def play(self, page: str) -> None:
        """Runs a page from top to bottom."""
        for block in blocks(page):
            if block.file:
                Path(block.file).parent.mkdir(parents=True, exist_ok=True)
                Path(block.file).write_text(block.text, encoding="utf-8")
            for name, server in self.world.servers.items():
                if block.mark in (f"{name} is down", f"{name} is back"):
                    server.down = block.mark.endswith("down")
            if block.language == "console":
                for step in steps(block):
                    self._run(step)
            elif block.language == "sql":
                assert self._rows(block.text), f"nothing found: {block.text}"

    def _run(self, step: Step) -> None:
        match [self.case if word == "CASE" else word for word in step.words]:
            case ["cd", folder]:
                self._patch.chdir(folder)
                self._patch.setenv("PWD", str(Path.cwd()))
            case ["export", setting]:
                self._patch.setenv(*setting.split("=", 1))
            case ["python", *words]:
                done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=30, check=False)
                self._hold(step, done.returncode, done.stdout + done.stderr)
            case ["openssl", *words]:
                if OPENSSL is not None:
                    done = subprocess.run([OPENSSL, *words], capture_output=True, text=True, timeout=30, check=False)
                    self._hold(step, done.returncode, done.stdout + done.stderr)
            case ["habeas", "sandbox", *words]:
                self._serve(words)
            case ["habeas", *words]:
                self._hold(step, *self._habeas(step, words))
            case _:
                pytest.fail(f"not a command that a console block may have: {step.line}")

    def _habeas(self, step: Step, words: list[str]) -> tuple[int, str]:
        answers = [text.rpartition("[y/N]: ")[2] for text in step.shown if "[y/N]: " in text]
        self._patch.setattr(sys, "stdin", Terminal("\n".join([*answers, ""])) if answers else io.StringIO())
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = run_guarded(cli, words)
        self.case = next(reversed(_CASE.findall(output.getvalue())), self.case)
        # A terminal shows what is typed, and the end of that line.
        return code, output.getvalue().replace("[y/N]: ", "[y/N]:\n")

    def _serve(self, words: list[str]) -> None:
        self._served = subprocess.Popen(
            [sys.executable, "-m", "habeas", "sandbox", *words],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._served.stderr is not None
        assert "Serving" in self._served.stderr.readline()
        self._served.stderr.close()

    def _rows(self, query: str) -> list[Any]:
        connection = sqlite3.connect(f"file:{self.folder / 'home' / 'audit.db'}?mode=ro", uri=True)
        with contextlib.closing(connection):
            return connection.execute(query).fetchall()

    @staticmethod
    def _hold(step: Step, code: int, output: str) -> None:
        assert code == step.code, f"$ {step.line}\n{output}"
        actual = iter([squeezed(line) for line in output.splitlines() if line.strip()])
        gap = False
        for shown in filter(None, map(squeezed, step.shown)):
            if shown == "…":
                gap = True
                continue
            pattern = re.compile(re.escape(re.sub(r"(\[y/N\]:) \w", r"\1", shown)).replace("…", ".*"))
            for line in actual:
                if pattern.fullmatch(line):
                    break
                assert gap, f"$ {step.line}\nshown:  {shown}\nactual: {line}\n{output}"
            else:
                pytest.fail(f"$ {step.line}\nnot in the output: {shown}\n{output}")
            gap = False
        rest = list(actual)
        assert gap or not step.shown or not rest, f"$ {step.line}\nnot shown: {rest}"


def squeezed(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("page", sorted(page for page in PAGES if any(b.language == "console" for b in blocks(page))))
def test_what_a_page_shows_is_what_happens(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in order, in one fresh shop; exit codes and shown output are the program's."""
    shop = Shop(tmp_path, monkeypatch)
    try:
        shop.open(init="$ habeas init" not in PAGES[page])
        shop.play(page)
    finally:
        shop.close()


# -- files ------------------------------------------------------------------------------------------------------------

TOML = [(page, block.text) for page in PAGES for block in blocks(page) if block.language == "toml"]
_WHO = '[controller]\nname = "Example Shop GmbH"\n'
_WHERE = "".join(
    f'[connections.{name}]\nplugin = "{name}"\nbase_url = "https://x.example"\n{settings}\n'
    for name, settings in {
        "voucherify": 'app_id = "env:ID"\napp_token = "env:TOKEN"',
        "talonone": 'api_key = "env:KEY"',
        "cybersource": 'merchant_id = "m"\nkey_id = "env:ID"\nshared_secret = "env:SECRET"',
    }.items()
)


@pytest.mark.parametrize(("page", "text"), TOML)
def test_every_toml_block_is_a_valid_policy_or_configuration(page: str, text: str, tmp_path: Path) -> None:
    """Against the same checks as the program's; secrets are references."""
    table = tomllib.loads(text)
    if {"name", "default"} <= set(table):
        assert check(text, page) == ()
        return
    parts = [text, *([] if "controller" in table else [_WHO]), *([] if "connections" in table else [_WHERE])]
    path = tmp_path / "habeas.toml"
    path.write_text("\n".join(parts), encoding="utf-8")
    config = load_config(path)
    for mappings in config.purposes.values():
        for name, mapping in mappings.items():
            assert list(schema_problems(mapping, registry().info(name).purpose_schema)) == []
    for connection in config.connections:
        info = registry().info(connection.plugin)
        assert list(schema_problems(connection.settings, info.settings_schema)) == []
        secrets = [connection.settings[name] for name in info.secrets if name in connection.settings]
        assert all(re.match("(env|file|keyring):.", secret) for secret in secrets)


def test_the_configuration_page_and_the_template_are_both_there() -> None:
    """The list above is not empty by accident."""
    assert len(TOML) >= 5
    assert "docs/configuration.md" in dict(TOML)


def test_the_script_of_the_ledger_page_computes_the_root_that_verify_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every size of a small ledger; the last one is its head."""
    shop = Shop(tmp_path, monkeypatch)
    try:
        shop.open(init=True)
        assert run_guarded(cli, ["--json", "inventory", f"customer_id={shop.world.people[0].customer_id}"]) == 0
    finally:
        shop.close()
    (script,) = [b.text for b in blocks("docs/ledger.md") if b.file == "root.py"]
    space: dict[str, Any] = {}
    head = verify(tmp_path / "home" / "audit.db")
    monkeypatch.setattr(sys, "argv", ["root.py", str(tmp_path / "home" / "audit.db"), str(head.size)])
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(script, "root.py", "exec"), space)  # noqa: S102 - what the page tells a reader to run
    assert output.getvalue().strip() == head.root_text
    space["rows"].connection.close()
