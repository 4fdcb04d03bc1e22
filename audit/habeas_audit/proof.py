"""Inclusion and consistency proofs: made from completed subtrees, verified from hashes alone. No file, no clock.

Made as RFC 6962 sections 2.1.1 and 2.1.2 define them; verified by the algorithms of RFC 9162 sections 2.1.3.2 and
2.1.4.2, which define the same paths. Leaves are counted from 0 here: entry `seq` is leaf `seq - 1`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from habeas_audit.errors import ProofInvalid
from habeas_audit.tree import EMPTY_ROOT, fold, node_hash, peak_positions

NodeAt = Callable[[int, int], bytes]
"""(level, index) → hash of a completed subtree, as `tree` numbers them."""

Path = tuple[bytes, ...]


def root_at(size: int, node: NodeAt) -> bytes:
    """The root of the first `size` leaves."""
    return fold([node(level, idx) for level, idx in peak_positions(size)])


def inclusion_path(index: int, size: int, node: NodeAt) -> Path:
    """The audit path of leaf `index` in a tree of `size` leaves, the leaf's sibling first; asks for O(log n) nodes.

    ValueError if there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    return tuple(_path(index, 0, size, node))


def consistency_path(old: int, new: int, node: NodeAt) -> Path:
    """The proof that the tree of `old` leaves is the beginning of the one of `new`; empty if they are the same.

    ValueError unless 0 < old <= new: every tree continues the empty one, and no proof says so.
    """
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} leaves does not continue one of {old}")
    return tuple(_subproof(old, 0, new, node, whole=True))


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Returns if the path leads from the leaf hash to the root; raises ProofInvalid otherwise (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise ProofInvalid("the proof is for an entry that the tree does not have")
    _require_hashes(leaf, *path)
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            raise ProofInvalid("the inclusion proof is too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofInvalid("the inclusion proof is too short")
    if r != root:
        raise ProofInvalid("the inclusion proof does not lead to the checkpoint's root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Returns if the tree `old` is the beginning of `new`; raises ProofInvalid otherwise (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        raise ProofInvalid("the later checkpoint is over fewer entries than the earlier one")
    if old == new or old == 0:
        if path:
            raise ProofInvalid("the consistency proof is too long")
        roots = (EMPTY_ROOT if old == 0 else new_root, EMPTY_ROOT if new == 0 else new_root)
    elif not path:
        raise ProofInvalid("the consistency proof is too short")
    else:
        roots = _roots_by(path, old, new, old_root)
    if roots != (old_root, new_root):
        raise ProofInvalid("the later checkpoint does not continue the earlier one: history was rewritten")


def _roots_by(path: Sequence[bytes], old: int, new: int, old_root: bytes) -> tuple[bytes, bytes]:
    """The roots of both trees as the path leads to them; 0 < old < new."""
    _require_hashes(old_root, *path)
    # A tree of a power of two leaves is a subtree of the new one, and its root is where the way begins.
    first, *rest = [old_root, *path] if old & (old - 1) == 0 else path
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = first
    for c in rest:
        if sn == 0:
            raise ProofInvalid("the consistency proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofInvalid("the consistency proof is too short")
    return fr, sr


def _require_hashes(*values: bytes) -> None:
    """Two halves of a parent that were cut at another place have the same hash: each half is 32 bytes."""
    if any(len(value) != 32 for value in values):
        raise ProofInvalid("a hash of the proof has not 32 bytes")


def _split(size: int) -> int:
    """The largest power of two smaller than `size`: RFC 6962 calls it k."""
    return 1 << (size - 1).bit_length() - 1


def _range_root(first: int, last: int, node: NodeAt) -> bytes:
    """The hash of the leaves `first` up to but not including `last`, which begin on a multiple of a power of two."""
    return fold([node(level, (first >> level) + idx) for level, idx in peak_positions(last - first)])


def _path(index: int, first: int, last: int, node: NodeAt) -> list[bytes]:
    """PATH(m, D[n]) of section 2.1.1, over the leaves `first` to `last`."""
    size = last - first
    if size == 1:
        return []
    middle = first + _split(size)
    if index < middle:
        return [*_path(index, first, middle, node), _range_root(middle, last, node)]
    return [*_path(index, middle, last, node), _range_root(first, middle, node)]


def _subproof(old: int, first: int, last: int, node: NodeAt, *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of section 2.1.2, over the leaves `first` to `last`."""
    if old == last:
        return [] if whole else [_range_root(first, last, node)]
    middle = first + _split(last - first)
    if old <= middle:
        return [*_subproof(old, first, middle, node, whole=whole), _range_root(middle, last, node)]
    return [*_subproof(old, middle, last, node, whole=False), _range_root(first, middle, node)]
