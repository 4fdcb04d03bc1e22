"""Between looking whether a request is open already and opening it, no other process of the home may do the same."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Shop

HOLDER = """
import sys
from pathlib import Path
from habeas.cases.locks import CaseLocks
locks = CaseLocks(Path(sys.argv[1]))
print(locks.take("opening"), flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("patient")
def test_who_would_open_a_case_while_another_process_does_waits_for_it(own_shop: Shop) -> None:
    """Two that asked for the same at once would each find nothing, and each open a case."""
    who = f"customer_id={own_shop.fresh().customer_id}"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(own_shop.home.locks)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "True\n"
        for command in (("erase", who, "--yes"), ("access", who), ("plan", who)):
            ran = own_shop.run(*command)
            assert (ran.code, "another process is at it" in ran.stderr) == (1, True), ran
        assert own_shop.run("case", "list", "--json").json["cases"] == []
        child.stdin.close()
    assert own_shop.run("erase", who, "--yes").code == 0
