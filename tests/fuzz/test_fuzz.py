"""Every parser of what comes from outside, with any bytes: a value, or an error of ours, and never anything else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.figures import record
from tests.fuzz.run import noise
from tests.fuzz.targets import SEEDS, TARGETS, _file

FEW, MANY = 40, 5_000
SLOW = ("policy", "consents", "config")
"""Some milliseconds each."""


@pytest.fixture(autouse=True, scope="module")
def _tidy() -> Iterator[None]:
    yield
    shutil.rmtree(_file("x", b"").parent)


def test_every_target_has_seeds_and_at_least_one_is_taken() -> None:
    """Else the parsers behind the first check would never be reached. A proof that holds is not made by hand."""
    assert SEEDS.keys() == TARGETS.keys()
    taken = {name for name in TARGETS if any(TARGETS[name](seed) for seed in SEEDS[name])}
    assert taken == TARGETS.keys() - {"proof"}


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_that_was_tampered_with_is_taken_or_refused(name: str) -> None:
    for data in islice(noise(SEEDS[name], 20_261_121), FEW // 4 if name in SLOW else FEW):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_taken_or_refused(name: str) -> None:
    @settings(
        max_examples=FEW // 8 if name in SLOW else FEW // 2,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(max_size=300) | st.text(max_size=150).map(lambda text: text.encode("utf-8", "surrogatepass")))
    def any_bytes(data: bytes) -> None:
        TARGETS[name](data)

    any_bytes()


@pytest.mark.faults
@pytest.mark.parametrize("name", TARGETS)
def test_many_bytes_are_taken_or_refused(name: str) -> None:
    many = MANY // 5 if name in SLOW else MANY
    for data in islice(noise(SEEDS[name], 7), many):
        TARGETS[name](data)
    record("hostile", {f"inputs tried on {name}": many})
