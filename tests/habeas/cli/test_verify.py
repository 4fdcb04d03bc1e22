"""`habeas verify` is given anything by anybody: one line says what it is, and nothing breaks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran

Bare = Callable[..., "Ran"]


def one_line(ran: Ran) -> None:
    """As an error is told."""
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.startswith("habeas: ")


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "blank": b"\n \n",
    "binary": bytes(range(256)) * 40,
    "text": b"something else entirely\n",
    "an image": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "utf-16": '{"format":"habeas-certificate-1"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"format":"habeas-certificate-1"}',
    "surrogates": b'{"format":"\\ud800"}',
    "one huge line": b"x" * 2_000_000,
    "one huge JSON line": b'{"a":"' + b"x" * 2_000_000 + b'"}',
    "one huge line of an export": b'{"format":"habeas-audit-export-1","log":"' + b"x" * 2_000_000 + b'"}',
    "arrays": b"[" * 100_000,
    "objects": b'{"a":' * 100_000,
    "objects in an export": b'{"format":"habeas-audit-export-1","log":"x","a":' + b'{"a":' * 20_000,
    "a long number": b'{"format":' + b"9" * 10_000 + b"}",
    "twice the same key": b'{"format":"habeas-certificate-1","format":"habeas-certificate-1"}',
    "a list": b"[]",
    "no format": b"{}",
    "a format that is none": b'{"format":["habeas-certificate-1"]}',
    "an object as format": b'{"format":{"a":1}}',
    "a foreign format": b'{"format":"habeas-certificate-9"}',
    "half a certificate": b'{"format":"habeas-certificate-1","statement":{},"issuer":{},"entries":[{}],"keys":[]}',
    "half an inclusion proof": b'{"format":"habeas-inclusion-proof-1","entry":{"seq":1,"body":"{}","path":[]}}',
    "half a consistency proof": b'{"format":"habeas-consistency-proof-1","old":"","new":"","path":[[]]}',
    "half a tlog-proof": b"c2sp.org/tlog-proof@v1\nindex 0\n\n",
    "a tlog-proof with binary": b"c2sp.org/tlog-proof@v1\nextra \xff\xfe\nindex 0\n\n",
    "half an export": b'{"format":"habeas-audit-export-1"}\n',
    "an export with binary": b'{"format":"habeas-audit-export-1"}\n' + b"\xff\xfe\n",
    "an export with binary further down": b'{"format":"habeas-audit-export-1","log":"x","origin":"habeas.audit/x",'
    b'"size":0,'
    b'"root":"","keys":[]}\n' + b'{"end":false}' * 900 + b"\xff\n",
    "half a checkpoint": b"habeas.audit/x\n1\n",
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_in_one_line(content: bytes, bare: Bare, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    ran = bare("verify", str(file))
    assert ran.code in (1, 2)
    assert "internal fault" not in ran.stderr
    if ran.code == 2:
        one_line(ran)
    else:
        assert len(ran.stderr.splitlines()) == 1
        assert "does not hold" in ran.stderr
    assert len(ran.stdout + ran.stderr) < 2_000
    value = bare("verify", str(file), "--json")
    assert value.code == ran.code
    assert value.json.get("ok") is not True


def test_what_is_no_file_is_refused_in_one_line(bare: Bare, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("fifo", "none", "loop", "", "/dev/zero", "none/none"):
        ran = bare("verify", str(tmp_path / name))
        assert ran.code == 2, name
        one_line(ran)
        assert "internal fault" not in ran.stderr
