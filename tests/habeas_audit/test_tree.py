"""The tree against the definition in RFC 6962 section 2.1, written down a second time and naively."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas_audit import tree


def defined(bodies: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not bodies:
        return sha256(b"").digest()
    if len(bodies) == 1:
        return sha256(b"\x00" + bodies[0]).digest()
    k = 1
    while k * 2 < len(bodies):
        k *= 2
    return sha256(b"\x01" + defined(bodies[:k]) + defined(bodies[k:])).digest()


BODIES = st.lists(st.binary(max_size=8), max_size=70)

# The eight leaves, and the roots of the trees over the first n of them, that Certificate Transparency's own
# implementations test against (google/certificate-transparency, merkletree).
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    leaves = [tree.leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES[:size]]
    assert tree.root(leaves).hex() == ROOTS[size]


def test_the_empty_tree() -> None:
    assert tree.EMPTY_ROOT.hex() == ROOTS[0]
    assert tree.root([]) == tree.Frontier().root() == tree.fold([]) == tree.EMPTY_ROOT


@settings(max_examples=60)
@given(BODIES)
def test_root_is_the_one_defined(bodies: list[bytes]) -> None:
    assert tree.root(map(tree.leaf_hash, bodies)) == defined(bodies)


@settings(max_examples=60)
@given(BODIES)
def test_appending_names_each_completed_subtree_once_with_its_hash(bodies: list[bytes]) -> None:
    frontier = tree.Frontier()
    nodes = [node for body in bodies for node in frontier.append(tree.leaf_hash(body))]
    assert {(node.level, node.idx): node.hash for node in nodes} == {
        (level, idx): defined(bodies[idx << level : (idx + 1) << level])
        for level in range(1, 8)
        for idx in range(len(bodies) >> level)
    }
    assert len(nodes) == len(bodies) - len(bodies).bit_count()


@settings(max_examples=60)
@given(BODIES)
def test_rows_hold_the_same_subtrees(bodies: list[bytes]) -> None:
    rows = tree.rows([tree.leaf_hash(body) for body in bodies])
    for level, row in enumerate(rows):
        assert row == [defined(bodies[idx << level : (idx + 1) << level]) for idx in range(len(bodies) >> level)]


@settings(max_examples=60)
@given(BODIES, st.binary(max_size=4))
def test_a_frontier_goes_on_from_the_stored_peaks(bodies: list[bytes], more: bytes) -> None:
    rows = tree.rows([tree.leaf_hash(body) for body in bodies])
    peaks = [rows[level][idx] for level, idx in tree.peak_positions(len(bodies))]
    frontier = tree.Frontier(len(bodies), peaks)
    assert frontier.peaks == tuple(peaks)
    assert frontier.root() == defined(bodies)
    frontier.append(tree.leaf_hash(more))
    assert (frontier.size, frontier.root()) == (len(bodies) + 1, defined([*bodies, more]))


def test_a_frontier_refuses_a_wrong_count_of_peaks() -> None:
    with pytest.raises(ValueError, match="peaks"):
        tree.Frontier(3, [b""])
