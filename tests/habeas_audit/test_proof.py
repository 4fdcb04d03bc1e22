"""Proofs: those of every small tree verify, no changed one does, and the paths are those of RFC 6962's example."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import pytest

from habeas_audit import tree
from habeas_audit.errors import ProofInvalid
from habeas_audit.proof import Path, consistency_path, inclusion_path, root_at, verify_consistency, verify_inclusion

LARGEST = 64
LEAVES = [tree.leaf_hash(b"entry %d" % number) for number in range(2 * LARGEST)]
ROWS = tree.rows(LEAVES)
SIZES = range(1, LARGEST + 1)


def _at(rows: list[list[bytes]], level: int, idx: int) -> bytes:
    return rows[level][idx]


node = partial(_at, ROWS)
ROOTS = [root_at(size, node) for size in range(2 * LARGEST + 1)]


def holds(verify: Callable[..., None], *claim: object) -> bool:
    try:
        verify(*claim)
    except ProofInvalid:
        return False
    return True


def includes(index: int, size: int, path: Path, root: bytes | None = None, leaf: bytes | None = None) -> bool:
    return holds(verify_inclusion, leaf or LEAVES[index], index, size, path, root or ROOTS[size])


def continues(old: int, new: int, path: Path, old_root: bytes | None = None, new_root: bytes | None = None) -> bool:
    return holds(verify_consistency, old, new, old_root or ROOTS[old], new_root or ROOTS[new], path)


def flipped(value: bytes, bit: int) -> bytes:
    return (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")


def changed(path: Path, *others: bytes) -> Iterator[Path]:
    """The path with one thing amiss: a hash flipped, dropped, doubled, of another length or swapped; one too many."""
    for at, step in enumerate(path):
        before, after = path[:at], path[at + 1 :]
        yield (*before, flipped(step, (at * 37 + len(path)) % 256), *after)
        yield (*before, *after)
        yield (*before, step, step, *after)
        yield (*before, step[:-1], *after)
        yield (*before, step + b"\0", *after)
        yield (*before, bytes(32), *after)
        yield from ((*before, other, *after) for other in others)
    for at, (one, two) in enumerate(pairwise(path)):
        before, after = path[:at], path[at + 2 :]
        yield (*before, two, one, *after)
        # The same 64 bytes, cut elsewhere.
        yield (*before, (one + two)[:31], (one + two)[31:], *after)
        yield (*before, (two + one)[:31], (two + one)[31:], *after)
    if len(path) > 2:
        yield path[::-1]
        yield path[1:] + path[:1]
    for more in (b"", bytes(32), *others):
        yield (*path, more)
        yield (more, *path)


def sides(index: int, size: int) -> str:
    """On which side the siblings of a leaf stand, from below: the way that a path through such a tree takes."""
    if size == 1:
        return ""
    k = 1 << (size - 1).bit_length() - 1
    return sides(index, k) + "r" if index < k else sides(index - k, size - k) + "l"


# --- the example of RFC 6962, section 2.1.3 --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def example() -> dict[str, bytes]:
    """The nodes of the tree with seven leaves, under the letters that the RFC gives them."""
    named = dict(zip("abcdefj", LEAVES, strict=False))
    for parent, children in {"g": "ab", "h": "cd", "i": "ef", "k": "gh", "l": "ij"}.items():
        named[parent] = tree.node_hash(*(named[child] for child in children))
    return named


def test_the_example_s_root_is_over_k_and_l(example: dict[str, bytes]) -> None:
    assert ROOTS[7] == tree.node_hash(example["k"], example["l"])


@pytest.mark.parametrize(("index", "path"), [(0, "bhl"), (3, "cgl"), (4, "fjk"), (6, "ik")])
def test_the_example_s_audit_paths(example: dict[str, bytes], index: int, path: str) -> None:
    assert inclusion_path(index, 7, node) == tuple(example[letter] for letter in path)


@pytest.mark.parametrize(("old", "path"), [(3, "cdgl"), (4, "l"), (6, "ijk")])
def test_the_example_s_consistency_proofs(example: dict[str, bytes], old: int, path: str) -> None:
    assert consistency_path(old, 7, node) == tuple(example[letter] for letter in path)


# --- every small tree ------------------------------------------------------------------------------------------------


def test_roots_from_completed_subtrees_are_those_of_the_leaves() -> None:
    for size in range(2 * LARGEST + 1):
        assert ROOTS[size] == tree.root(LEAVES[:size])


def test_every_inclusion_proof_verifies_and_has_the_length_of_its_way() -> None:
    for size in SIZES:
        for index in range(size):
            path = inclusion_path(index, size, node)
            assert includes(index, size, path)
            assert len(path) == len(sides(index, size)) <= (size - 1).bit_length()


def test_every_consistency_proof_verifies_and_is_short() -> None:
    for new in SIZES:
        for old in range(1, new + 1):
            path = consistency_path(old, new, node)
            assert continues(old, new, path)
            assert len(path) <= (new - 1).bit_length() + 1


@pytest.mark.parametrize("size", SIZES)
def test_no_changed_inclusion_proof_verifies(size: int) -> None:
    for index in range(size):
        path = inclusion_path(index, size, node)
        for bad in changed(path, ROOTS[size], LEAVES[index], tree.EMPTY_ROOT):
            assert bad == path or not includes(index, size, bad)


@pytest.mark.parametrize("new", SIZES)
def test_no_changed_consistency_proof_verifies(new: int) -> None:
    for old in range(1, new + 1):
        path = consistency_path(old, new, node)
        for bad in changed(path, ROOTS[old], ROOTS[new], tree.EMPTY_ROOT):
            assert bad == path or not continues(old, new, bad)


@pytest.mark.parametrize(("index", "size"), [(0, 2), (2, 3), (5, 7), (31, 33), (63, 64)])
def test_every_flipped_bit_of_an_inclusion_proof_shows(index: int, size: int) -> None:
    path = inclusion_path(index, size, node)
    for bit in range(256):
        for at, step in enumerate(path):
            assert not includes(index, size, (*path[:at], flipped(step, bit), *path[at + 1 :]))
        assert not includes(index, size, path, root=flipped(ROOTS[size], bit))
        assert not includes(index, size, path, leaf=flipped(LEAVES[index], bit))


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 4), (4, 7), (6, 7), (33, 64), (63, 64)])
def test_every_flipped_bit_of_a_consistency_proof_shows(old: int, new: int) -> None:
    path = consistency_path(old, new, node)
    for bit in range(256):
        for at, step in enumerate(path):
            assert not continues(old, new, (*path[:at], flipped(step, bit), *path[at + 1 :]))
        assert not continues(old, new, path, old_root=flipped(ROOTS[old], bit))
        assert not continues(old, new, path, new_root=flipped(ROOTS[new], bit))


def test_a_proof_is_for_one_index_and_one_leaf() -> None:
    for size in range(2, 34):
        for index in range(size):
            path = inclusion_path(index, size, node)
            for other in range(-1, size + 2):
                if other != index:
                    assert not includes(other, size, path, leaf=LEAVES[index])
                    assert not includes(index, size, path, leaf=LEAVES[other])


def test_a_proof_is_for_the_size_that_its_way_fits() -> None:
    """A root alone does not say of how many leaves it is: a checkpoint signs both."""
    for size in range(1, 20):
        for index in range(size):
            path = inclusion_path(index, size, node)
            for other in range(-1, 40):
                fits = index < other and sides(index, other) == sides(index, size)
                assert includes(index, other, path, root=ROOTS[size]) == fits
                assert other == size or not includes(index, other, path, root=ROOTS[max(other, 0)])


def test_a_consistency_proof_is_for_one_earlier_size() -> None:
    for new in range(1, 34):
        for old in range(1, new + 1):
            path = consistency_path(old, new, node)
            for other in range(-1, new + 2):
                assert continues(other, new, path, old_root=ROOTS[old]) == (other == old)
                assert other == old or other < 1 or not continues(other, new, path)


def test_a_consistency_proof_is_for_the_later_size_that_its_way_fits() -> None:
    for new in range(2, 20):
        for old in range(1, new):
            path = consistency_path(old, new, node)
            for other in range(-1, 40):
                fits = old < other and sides(old - 1, other) == sides(old - 1, new)
                assert continues(old, other, path, new_root=ROOTS[new]) == fits
                assert other == new or not continues(old, other, path, new_root=ROOTS[max(other, 0)])


def test_swapped_roots_contradict_each_other() -> None:
    for new in SIZES:
        for old in range(1, new):
            path = consistency_path(old, new, node)
            assert not continues(old, new, path, old_root=ROOTS[new], new_root=ROOTS[old])
            assert not continues(old, new, path, old_root=ROOTS[new])
            assert not continues(old, new, path, new_root=ROOTS[old])
            assert not continues(new, old, path)


def test_a_log_that_was_rewritten_has_no_proof() -> None:
    for new in range(2, 17):
        for old in range(1, new + 1):
            for rewritten in range(old):
                leaves = [*LEAVES[:rewritten], tree.leaf_hash(b"rewritten"), *LEAVES[rewritten + 1 : new]]
                path = consistency_path(old, new, partial(_at, tree.rows(leaves)))
                assert not continues(old, new, path, new_root=tree.root(leaves))


# --- edges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 0), (-1, 1), (1, 1), (2, 1), (0, -1), (-2, -1), (5, 5)])
def test_a_leaf_that_is_not_there_has_no_path(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_path(index, size, node)
    for path in ((), (LEAVES[0],)):
        for root in (tree.EMPTY_ROOT, LEAVES[0], ROOTS[5]):
            assert not includes(index, size, path, root=root, leaf=LEAVES[0])


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 1), (-1, 1), (-1, -1), (2, 1), (1, 0), (-2, -1), (5, 4)])
def test_sizes_that_do_not_follow_each_other_have_no_proof(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="does not continue"):
        consistency_path(old, new, node)
    if old:
        assert not continues(old, new, (), old_root=ROOTS[1], new_root=ROOTS[1])
        assert not continues(old, new, (ROOTS[1],), old_root=ROOTS[1], new_root=ROOTS[1])


def test_every_tree_continues_the_empty_one_without_a_proof() -> None:
    """As https://c2sp.org/tlog-witness asks; Go's tlog and transparency-dev/merkle refuse the size 0 instead."""
    for new in range(9):
        assert continues(0, new, ())
        assert not continues(0, new, (), old_root=ROOTS[1])
        assert not continues(0, new, (ROOTS[new],))
        assert not continues(0, new, (tree.EMPTY_ROOT,))


def test_a_tree_continues_itself_without_a_proof() -> None:
    for size in range(1, 9):
        assert consistency_path(size, size, node) == ()
        assert continues(size, size, ())
        assert not continues(size, size, (), new_root=ROOTS[size + 1])
        assert not continues(size, size, (ROOTS[size],))


@pytest.mark.parametrize("size", [2**18, 10**18, 2**63, 2**64, 10**30])
def test_absurd_sizes_are_refused_at_once(size: int) -> None:
    path = inclusion_path(5, 7, node)
    assert not includes(5, size, path, root=ROOTS[7])
    assert not includes(size, size + 1, path, root=ROOTS[7], leaf=LEAVES[5])
    assert not continues(5, size, consistency_path(5, 7, node), new_root=ROOTS[7])
    assert not includes(5, size, tuple(LEAVES), root=ROOTS[7])


@pytest.mark.parametrize("cut", [0, 1, 31, 33, 63])
def test_two_hashes_cut_elsewhere_are_not_two_hashes(cut: int) -> None:
    """The parent over them is the same 65 bytes hashed, and still no leaf or subtree of the tree is in that place."""
    joined = LEAVES[0] + LEAVES[1]
    assert not includes(1, 2, (joined[:cut],), leaf=joined[cut:] or b"\0")
    assert not includes(0, 2, (joined[cut:],), leaf=joined[:cut] or b"\0")
    first, second, *rest = consistency_path(3, 4, node)
    joined = first + second
    assert not continues(3, 4, (joined[:cut], joined[cut:], *rest))


def test_a_root_over_a_hash_cut_elsewhere_continues_nothing() -> None:
    """Whoever makes the later root freely could otherwise put 33 and 31 bytes where the earlier tree has 32 and 32."""
    left, right = tree.node_hash(*LEAVES[:2]), LEAVES[2]
    assert tree.node_hash(left, right) == ROOTS[3]
    forged = (left[31:] + right, LEAVES[3], left[:31])
    root = tree.node_hash(forged[2], tree.node_hash(*forged[:2]))
    with pytest.raises(ProofInvalid, match="32 bytes"):
        verify_consistency(3, 4, ROOTS[3], root, forged)


def test_a_path_ends_at_the_root() -> None:
    for size in range(1, 9):
        for index in range(size):
            path = inclusion_path(index, size, node)
            for above in (tree.node_hash(bytes(32), ROOTS[size]), tree.node_hash(ROOTS[size], bytes(32))):
                assert not includes(index, size, (*path, bytes(32)), root=above)


def test_an_empty_leaf_is_in_no_tree_even_if_the_root_is_empty() -> None:
    with pytest.raises(ProofInvalid, match="32 bytes"):
        verify_inclusion(b"", 0, 1, (), b"")
