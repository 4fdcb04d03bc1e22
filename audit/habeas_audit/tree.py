"""The Merkle tree of RFC 6962 section 2.1, as values: no file, no clock.

A leaf is one entry's body, leaf `i` being the entry with sequence `i + 1`. A *node* is a completed subtree: level `l`,
index `i` covers the leaves `i * 2^l` up to but not including `(i + 1) * 2^l`. It never changes once it is there, so
the ledger stores it: level 0 is the entry's own leaf hash, every fourth level above is in the table `nodes`, and one in
between is computed from at most eight stored ones. So any root, inclusion path or consistency path of any earlier size
takes O(log n) look-ups.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

EMPTY_ROOT: Final = sha256(b"").digest()
"""RFC 6962 section 2.1: the hash of an empty list is the hash of an empty string."""

STORED_LEVELS: Final = 4
"""Levels that are a multiple of this are stored; the others would take as much room again as all hashes of entries."""


class Node(NamedTuple):
    """One completed subtree."""

    level: int
    idx: int
    hash: bytes


def leaf_hash(body: bytes) -> bytes:
    """SHA-256(0x00 || body), 32 bytes."""
    return sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The tree head over leaf hashes in their order."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def fold(peaks: Sequence[bytes]) -> bytes:
    """The tree head over the largest completed subtrees, which stand left to right, the largest first."""
    if not peaks:
        return EMPTY_ROOT
    *rest, head = peaks
    for peak in reversed(rest):
        head = node_hash(peak, head)
    return head


def peak_positions(size: int) -> list[tuple[int, int]]:
    """(level, idx) of the largest completed subtrees of a tree with `size` leaves, left to right: one per bit set."""
    return [(level, size >> level + 1 << 1) for level in reversed(range(size.bit_length())) if size >> level & 1]


def rows(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All completed subtrees of these leaf hashes: element `l` of the answer holds level `l`, from index 0 on."""
    levels = [list(leaves)]
    while len(below := levels[-1]) > 1:
        # `node_hash`, written out: verifying does hardly anything else so often.
        pairs = zip(below[::2], below[1::2], strict=False)
        levels.append([sha256(b"\x01" + left + right).digest() for left, right in pairs])
    return levels


def root_at(levels: Sequence[Sequence[bytes]], size: int) -> bytes:
    """The tree head over the first `size` leaves, given the `rows` of at least so many; O(log n) hashes."""
    return fold([levels[level][idx] for level, idx in peak_positions(size)])


def roots_at(levels: Sequence[Sequence[bytes]], start: int, marks: Sequence[int]) -> dict[int, bytes]:
    """`root_at` for each of the ascending marks that lies among these leaves, the first being leaf `start` of a log."""
    inside = marks[bisect_right(marks, start) : bisect_right(marks, start + len(levels[0]))]
    return {mark: root_at(levels, mark - start) for mark in inside}


class Frontier:
    """What an append needs of a tree: how many leaves, and the peaks. Not for use by two threads at once."""

    __slots__ = ("_peaks", "_size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Take up a tree of `size` leaves with the hashes of `peak_positions(size)`; ValueError for another count."""
        self._size = size
        self._peaks = list(peaks)
        if len(self._peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(self._peaks)}")

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """Hashes of the largest completed subtrees, left to right."""
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> list[Node]:
        """Add one leaf hash; the answer lists the subtrees this completes, lowest first."""
        level, idx, top = 0, self._size, leaf
        done: list[Node] = []
        while idx & 1:
            top = node_hash(self._peaks.pop(), top)
            level, idx = level + 1, idx >> 1
            done.append(Node(level, idx, top))
        self._peaks.append(top)
        self._size += 1
        return done

    def root(self) -> bytes:
        """The tree head of what was appended so far."""
        return fold(self._peaks)
