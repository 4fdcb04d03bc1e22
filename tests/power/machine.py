"""What is on a disk after a power cut, and a disk that fails: everything that is written is written down first.

A machine stands over one folder. Whoever changes a file in it tells the machine before: what SQLite does comes from
:mod:`tests.power.vfs`, what Python does from :mod:`tests.power.files`. Of all that it makes

- :meth:`Machine.cuts`: what the folder holds if the power went at any moment. What was synced is there. Of what was
  not, each sector of 512 bytes, each truncation, each new or removed name is there or not, by lot. A name is as lasting
  as the last sync of its folder, whatever its file's content is.
- :attr:`Machine.gate`: called before each change; the OSError it raises is what the change comes to. A write that takes
  new space is called `grow` there.
"""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Change", "Cut", "Machine"]

SECTOR = 512
KEPT = 0.6
"""How much of what was not synced the disk keeps."""


@dataclass(frozen=True)
class Change:
    """One thing done to a file or a folder, in the order in which it was done."""

    kind: str
    """`create`, `link`, `unlink`, `write`, `truncate`, `sync`, `syncdir`, or `ack`: the program was told so."""
    path: str
    file: int = 0
    offset: int = 0
    data: bytes = b""


@dataclass(frozen=True)
class Cut:
    """A folder as the power cut left it."""

    at: int
    """How many changes were made before."""
    acknowledged: tuple[str, ...]
    """What the program was told to be durable by then."""
    begun: tuple[str, ...]
    """The same, and what it had only asked for."""
    files: dict[str, bytes]

    def put(self, folder: Path) -> Path:
        """Makes the folder; what it held before is gone."""
        shutil.rmtree(folder, ignore_errors=True)
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_bytes(content)
            path.chmod(0o600)
        folder.mkdir(exist_ok=True)
        return folder


@dataclass
class _File:
    durable: bytearray
    pending: list[Change] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.durable, change)
        self.pending.clear()

    def after_a_cut(self, lot: random.Random) -> bytes:
        content = bytearray(self.durable)
        for change in self.pending:
            if change.kind == "truncate":
                if lot.random() < KEPT:
                    _apply(content, change)
                continue
            start, end = change.offset, change.offset + len(change.data)
            while start < end:
                stop = min(end, (start // SECTOR + 1) * SECTOR)
                if lot.random() < KEPT:
                    part = change.data[start - change.offset : stop - change.offset]
                    _apply(content, Change("write", "", 0, start, part))
                start = stop
        return bytes(content)


def _apply(content: bytearray, change: Change) -> None:
    if change.kind == "truncate":
        del content[change.offset :]
        content.extend(b"\0" * (change.offset - len(content)))
        return
    content.extend(b"\0" * (change.offset - len(content)))
    content[change.offset : change.offset + len(change.data)] = change.data


@dataclass
class _Folder:
    durable: dict[str, int]
    pending: list[Change] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.pending:
            self.apply(self.durable, change)
        self.pending.clear()

    @staticmethod
    def apply(names: dict[str, int], change: Change) -> None:
        if change.kind == "unlink":
            names.pop(change.path, None)
        else:
            names[change.path] = change.file

    def after_a_cut(self, lot: random.Random) -> dict[str, int]:
        names = dict(self.durable)
        for change in self.pending:
            if lot.random() < KEPT:
                self.apply(names, change)
        return names


class Machine:
    """Over one folder. What it holds now is taken to be durable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.changes: list[Change] = []
        self.keep = True
        """Whether what is done is kept for :meth:`cuts`."""
        self.gate: Callable[[str, str], None] = lambda _kind, _path: None
        self._lock = threading.RLock()
        self._start = {self.name(p): p.read_bytes() for p in sorted(self.folder.rglob("*")) if p.is_file()}
        self._files = {name: number for number, name in enumerate(self._start, 1)}
        self._count = len(self._files)

    def name(self, path: Path | str) -> str:
        """The path inside the folder."""
        return str(Path(path).absolute().relative_to(self.folder))

    def holds(self, path: Path | str) -> bool:
        return Path(path).absolute().is_relative_to(self.folder)

    # -- what is done to it -----------------------------------------------------------------------------------------

    def tell(self, kind: str, path: str, offset: int = 0, data: bytes = b"", *, file: int | None = None) -> None:
        """Before a change. Raises OSError where it comes to nothing."""
        if kind not in ("ack", "begin"):
            self.gate("grow" if kind == "write" and self._grows(path, offset + len(data)) else kind, path)
        with self._lock:
            if kind == "create":
                self._count += 1
                self._files[path] = self._count
            number = self._files.get(path, 0) if file is None else file
            if kind == "link":
                self._files[path] = number
            if self.keep:
                self.changes.append(Change(kind, path, number, offset, bytes(data)))
            if kind == "unlink":
                self._files.pop(path, None)

    def _grows(self, path: str, end: int) -> bool:
        """Whether a write takes new space: on a full disk what is there already can be written over."""
        file = self.folder / path
        return not file.exists() or end > file.stat().st_size

    def begin(self, what: str) -> None:
        """The program asks for something."""
        self.tell("begin", what)

    def acknowledge(self, what: str) -> None:
        """The program was told that it is durable."""
        self.tell("ack", what)

    def file_of(self, path: str) -> int:
        """The file that a name leads to now."""
        return self._files.get(path, 0)

    # -- what a cut leaves of it ------------------------------------------------------------------------------------

    def cuts(self, points: Iterable[int], seed: int) -> Iterator[Cut]:
        """What is left of it after so many changes, for each number in ``points``, the smallest first."""
        lot = random.Random(seed)
        wanted = sorted(points)
        files = {number: _File(bytearray(self._start[name])) for number, name in enumerate(self._start, 1)}
        folders: dict[str, _Folder] = {}
        for number, name in enumerate(self._start, 1):
            folders.setdefault(_folder_of(name), _Folder({})).durable[name] = number
        acknowledged, begun, done = [], [], 0
        for point in wanted:
            for change in self.changes[done:point]:
                if change.kind == "ack":
                    acknowledged.append(change.path)
                elif change.kind == "begin":
                    begun.append(change.path)
                elif change.kind == "sync":
                    files[change.file].sync()
                elif change.kind == "syncdir":
                    folders.setdefault(change.path, _Folder({})).sync()
                elif change.kind in ("write", "truncate"):
                    files[change.file].pending.append(change)
                else:
                    files.setdefault(change.file, _File(bytearray()))
                    folders.setdefault(_folder_of(change.path), _Folder({})).pending.append(change)
            done = point
            left = {
                name: files[number].after_a_cut(lot)
                for folder in folders.values()
                for name, number in folder.after_a_cut(lot).items()
            }
            yield Cut(point, tuple(acknowledged), tuple(begun), left)


def _folder_of(name: str) -> str:
    return str(Path(name).parent)
