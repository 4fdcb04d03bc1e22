"""The zygote of tests/crash, whose children work on a disk that fails: see tests/crash/zygote.py.

``HABEAS_TEST_DISK`` in a command's environment is a JSON object: ``at`` (the how-manieth change fails; 0: none),
``errno``, ``kinds`` (of changes that count and fail) and ``lasting`` (whether all later ones fail as well). A point is
a change of another kind, or to another file, than the one before it: one page after the other into one journal is one.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.crash import zygote
from tests.power.files import told
from tests.power.machine import Machine
from tests.power.vfs import driven

_AS_LONG_AS_THE_PROCESS = ExitStack()


class _Disk:
    def __init__(self, said: dict[str, Any], pipe: int) -> None:
        self._said, self._pipe = said, pipe
        self._last = ("", "")
        self._passed = 0
        self._lock = threading.Lock()

    def gate(self, kind: str, path: str) -> None:
        """Called before each change."""
        if kind not in self._said["kinds"]:
            self._last = ("", "")
            return
        with self._lock:
            if (kind, path) != self._last:
                self._last = (kind, path)
                self._passed += 1
                os.write(self._pipe, b".")
            at = self._said["at"]
            if at and (self._passed == at or (self._said["lasting"] and self._passed > at)):
                raise OSError(self._said["errno"], os.strerror(self._said["errno"]))


def _arm(points: Any) -> None:
    said = json.loads(os.environ["HABEAS_TEST_DISK"])
    machine = Machine(Path(said["home"]))
    machine.gate = _Disk(said, points._pipe).gate
    machine.keep = False
    _AS_LONG_AS_THE_PROCESS.enter_context(driven(machine))
    _AS_LONG_AS_THE_PROCESS.enter_context(told(machine))


if __name__ == "__main__":
    zygote._arm = _arm
    zygote.main()
