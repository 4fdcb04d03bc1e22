"""The program's own files told to the machine: what Python opens, writes, syncs, names and takes away in its folder."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from tests.power.machine import Machine

__all__ = ["told"]

_WRITES = os.O_WRONLY | os.O_RDWR


class _Written(io.FileIO):
    """A file of which each write is told before it is made."""

    machine: Machine
    path: str

    def write(self, data: Any) -> int:
        self.machine.tell("write", self.path, self.tell(), bytes(data))
        return super().write(data)

    def truncate(self, size: int | None = None) -> int:
        self.machine.tell("truncate", self.path, self.tell() if size is None else size)
        return super().truncate(size)


class _Files:
    """Stands before the functions of ``os`` and ``io`` that change files."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._known: dict[int, str] = {}  # descriptor → name, or the folder's name and a slash
        self._real: dict[str, Callable[..., Any]] = {
            name: getattr(os, name)
            for name in ("open", "fdopen", "fsync", "link", "unlink", "rename", "replace", "mkdir")
        }
        self._io_open = io.open

    def patches(self) -> list[Any]:
        patched = [mock.patch.object(os, name, getattr(self, name)) for name in self._real]
        return [*patched, mock.patch.object(os, "remove", self.unlink), mock.patch.object(io, "open", self.io_open)]

    def _told(self, kind: str, path: Any, **more: Any) -> None:
        if self._machine.holds(path):
            self._machine.tell(kind, self._machine.name(path), **more)

    def open(self, path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        ours = isinstance(path, str | os.PathLike) and self._machine.holds(os.fspath(path))
        if ours and flags & os.O_CREAT and not os.path.lexists(path):
            self._told("create", path)
        descriptor: int = self._real["open"](path, flags, mode, **more)
        self._known.pop(descriptor, None)
        if ours:
            name = self._machine.name(os.fspath(path))
            if flags & os.O_DIRECTORY:
                self._known[descriptor] = f"{name}/"
            elif flags & _WRITES:
                self._known[descriptor] = name
        return descriptor

    def fdopen(self, descriptor: int, mode: str = "r", *rest: Any, **more: Any) -> Any:
        name = self._known.get(descriptor, "/")
        if name.endswith("/") or "r" in mode:
            return self._real["fdopen"](descriptor, mode, *rest, **more)
        return self._file(descriptor, "wb", name, mode, more)

    def io_open(self, file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        ours = isinstance(file, str | os.PathLike) and self._machine.holds(os.fspath(file))
        if not ours or not set(mode) & set("wxa+"):
            return self._io_open(file, mode, *rest, **more)
        name = self._machine.name(os.fspath(file))
        if not os.path.lexists(file):
            self._machine.tell("create", name)
        elif "w" in mode:
            self._machine.tell("truncate", name)
        opened = self._file(file, mode.replace("t", "").replace("b", "") + "b", name, mode, more)
        self._known[opened.fileno()] = name
        return opened

    def _file(self, file: Any, raw_mode: str, name: str, mode: str, more: dict[str, Any]) -> Any:
        raw = _Written(file, raw_mode)
        raw.machine, raw.path = self._machine, name
        binary = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return binary
        return io.TextIOWrapper(binary, encoding=more.get("encoding"), newline=more.get("newline"))

    def fsync(self, descriptor: int) -> None:
        name = self._known.get(descriptor)
        if name is not None:
            kind = "syncdir" if name.endswith("/") else "sync"
            self._machine.tell(kind, name.removesuffix("/"))
        self._real["fsync"](descriptor)

    def link(self, source: Any, target: Any, **more: Any) -> None:
        if self._machine.holds(target) and not os.path.lexists(target):
            number = self._machine.file_of(self._machine.name(source))
            self._machine.tell("link", self._machine.name(target), file=number)
        self._real["link"](source, target, **more)

    def unlink(self, path: Any, **more: Any) -> None:
        if os.path.lexists(path):
            self._told("unlink", path)
        self._real["unlink"](path, **more)

    def rename(self, source: Any, target: Any, **more: Any) -> None:
        self._moved("rename", source, target, more)

    def replace(self, source: Any, target: Any, **more: Any) -> None:
        self._moved("replace", source, target, more)

    def _moved(self, how: str, source: Any, target: Any, more: dict[str, Any]) -> None:
        if self._machine.holds(source) and os.path.lexists(source):
            number = self._machine.file_of(self._machine.name(source))
            self._machine.tell("link", self._machine.name(target), file=number)
            self._machine.tell("unlink", self._machine.name(source))
        self._real[how](source, target, **more)

    def mkdir(self, path: Any, *rest: Any, **more: Any) -> None:
        if self._machine.holds(path) and not Path(path).exists():
            self._machine.gate("mkdir", self._machine.name(path))
        self._real["mkdir"](path, *rest, **more)


@contextmanager
def told(machine: Machine) -> Iterator[None]:
    """What Python does to the machine's folder is told to it while this lasts."""
    with ExitStack() as stack:
        for patch in _Files(machine).patches():
            stack.enter_context(patch)
        yield
