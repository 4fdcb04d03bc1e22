"""Published proofs of transparency-dev/merkle judge our verifier: 12 that hold, and 183 that must not.

Source: github.com/transparency-dev/merkle (Apache-2.0), commit cd8c8f80f54ec37e8bb7a997e74f7f8f68efc2d8 and later,
testdata/{inclusion,consistency}/{0..4,additional,single-entry}/*.json. The proofs that hold are listed here as
published (base64). The changed ones are made again from the names of their files; `AS_PUBLISHED` are digests of the
published files, so that what is made is what was published.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

import pytest

from habeas_audit.errors import ProofInvalid
from habeas_audit.proof import Path, verify_consistency, verify_inclusion
from habeas_audit.tree import EMPTY_ROOT, leaf_hash

MAX_UINT64 = 2**64
SOME_HASH = bytes.fromhex("abacaba000000000000000000000000000000000000000000060061e00123456")


class Inclusion(NamedTuple):
    at: int
    size: int
    root: bytes
    leaf: bytes
    path: Path

    def verify(self) -> None:
        verify_inclusion(self.leaf, self.at, self.size, self.path, self.root)


class Consistency(NamedTuple):
    old: int
    new: int
    old_root: bytes
    new_root: bytes
    path: Path

    def verify(self) -> None:
        verify_consistency(self.old, self.new, self.old_root, self.new_root, self.path)


def _hashes(*texts: str) -> Path:
    return tuple(map(b64decode, texts))


ROOTS = dict(
    zip(
        (1, 2, 3, 5, 6, 7, 8),
        _hashes(
            "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=",
            "+sVCA+fMaWzw38tCySodnbr3CtnmIfS9jZhmLwDjwSU=",
            "rra8/idLcKFPsGel5VeCZNsPqbUa9eC6FZFY8yngbnc=",
            "Tju7H3tHjc/nH7YxYxUZo7yhLJrvyhYSv85ME6hiZNQ=",
            "duZ9rbzfHhDht03cYIq9L5jfsW+851J3tSMqEn8gh+8=",
            "3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=",
            "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=",
        ),
        strict=True,
    )
)
LEAF_0, LEAF_1, LEAF_2, LEAF_5, LEAF_DATA = _hashes(
    "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=",
    "lqKW0iTyhcZ77pPDD4owkVfw2qNdxbh+QQt4YwoJz8c=",
    "ApjRIpBtz8EIkstTpzmS/FufST6kybrbJ7eRtBJ6f+c=",
    "QnGia+DYqE8L1UyMMC58s6O10fpngKQLzOKHNHfatlg=",
    "DTrtAjFI/9KiWfvQzcf7PPl1ZYdg03dbgq9vkKrMLfw=",
)
NODE_23, NODE_4, NODE_67, NODE_03, NODE_47, NODE_45, LEAF_6 = _hashes(
    "Xwg/ChozygdqlSeYMlgNs+DvRYS9/x9UyKNg9Q3jAx4=",
    "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=",
    "yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=",
    "037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=",
    "a0eq8p7jwq+a+Im8H7klTavTEXfxYjLdaqsDXKOb9uQ=",
    "DrxdNDf74tsVi58Sah0RjjCBgQMdCpSfje3t68VY72o=",
    "sIaT7C5yFZcTBkHoIR5+7cy0wmQTlj7ubB4u0W/7Gl8=",
)
INCLUSION = {
    "inclusion/0": Inclusion(0, 1, ROOTS[1], LEAF_0, ()),
    "inclusion/1": Inclusion(0, 8, ROOTS[8], LEAF_0, (LEAF_1, NODE_23, NODE_47)),
    "inclusion/2": Inclusion(5, 8, ROOTS[8], LEAF_5, (NODE_4, NODE_67, NODE_03)),
    "inclusion/3": Inclusion(2, 3, ROOTS[3], LEAF_2, (ROOTS[2],)),
    "inclusion/4": Inclusion(1, 5, ROOTS[5], LEAF_1, (LEAF_0, NODE_23, NODE_4)),
}
CONSISTENCY = {
    "consistency/0": Consistency(1, 1, ROOTS[1], ROOTS[1], ()),
    "consistency/1": Consistency(1, 8, ROOTS[1], ROOTS[8], (LEAF_1, NODE_23, NODE_47)),
    "consistency/2": Consistency(6, 8, ROOTS[6], ROOTS[8], (NODE_45, NODE_67, NODE_03)),
    "consistency/3": Consistency(2, 5, ROOTS[2], ROOTS[5], (NODE_23, NODE_4)),
    "consistency/4": Consistency(6, 7, ROOTS[6], ROOTS[7], (NODE_45, LEAF_6, NODE_03)),
}
SINGLE = Inclusion(0, 1, LEAF_DATA, LEAF_DATA, ())
ONE, TWO = b"don't care 1", b"don't care 2"
SAME = Consistency(1, 1, TWO, TWO, ())
HOLD: dict[str, Inclusion | Consistency] = {
    **INCLUSION,
    **CONSISTENCY,
    "inclusion/single-entry/matching root and leaf": SINGLE,
    "consistency/additional/sizes are equal (one) and proof is empty": SAME,
}


def _flipped(path: Path, at: int, bit: int) -> Path:
    first, *rest = path[at]
    return (*path[:at], bytes([first ^ 1 << bit, *rest]), *path[at + 1 :])


def _bad_inclusion(good: Inclusion) -> Iterator[tuple[str, Inclusion]]:
    at, size, path = good.at, good.size, good.path
    yield "leafIdx sub @1", good._replace(at=(at - 1) % MAX_UINT64)
    yield "leafIdx plus @1", good._replace(at=at + 1)
    yield "leafIdx XOR @2", good._replace(at=at ^ 2)
    yield "treeSize mul @2", good._replace(size=size * 2)
    yield "treeSize div @2", good._replace(size=size // 2)
    yield "wrong leaf", good._replace(leaf=b"WrongLeaf")
    yield "empty root", good._replace(root=EMPTY_ROOT)
    yield "random root", good._replace(root=SOME_HASH)
    yield "trailing garbage", good._replace(path=(*path, b""))
    yield "trailing root", good._replace(path=(*path, good.root))
    yield "preceding garbage", good._replace(path=(b"", *path))
    yield "preceding root", good._replace(path=(good.root, *path))
    for step in range(len(path)):
        yield f"modified proof[{step}] bit @3", good._replace(path=_flipped(path, step, 3))
    if path:
        yield "removed component", good._replace(path=path[:-1])
    if len(path) > 1:
        yield "inserted component", good._replace(path=(path[0], SOME_HASH, *path[1:]))


def _bad_consistency(good: Consistency) -> Iterator[tuple[str, Consistency]]:
    old, new, path = good.old, good.new, good.path
    if not path:
        return
    yield "size1 sub @1", good._replace(old=old - 1)
    yield "size1 plus @1", good._replace(old=old + 1)
    yield "size1 XOR @2", good._replace(old=old ^ 2)
    yield "size2 mul @2", good._replace(new=new * 2)
    yield "size2 div @2", good._replace(new=new // 2)
    yield "wrong root1", good._replace(old_root=b"WrongRoot")
    yield "wrong root2", good._replace(new_root=b"WrongRoot")
    yield "swapped roots", good._replace(old_root=good.new_root, new_root=good.old_root)
    yield "empty proof", good._replace(path=())
    yield "truncated proof", good._replace(path=path[:-1])
    for what, step in {"garbage": b"", "root1": good.old_root, "root2": good.new_root}.items():
        yield f"trailing {what}", good._replace(path=(*path, step))
        yield f"preceding {what}", good._replace(path=(step, *path))
    yield "preceding proof @0", good._replace(path=(path[0], *path))
    for at in range(len(path)):
        yield f"modified proof@{at} bit @4", good._replace(path=_flipped(path, at, 4))


BAD: dict[str, Inclusion | Consistency] = {
    f"{source}/{what}": bad for source, good in INCLUSION.items() for what, bad in _bad_inclusion(good)
}
BAD |= {f"{source}/{what}": bad for source, proof in CONSISTENCY.items() for what, bad in _bad_consistency(proof)}
for _case, (_index, _size) in enumerate([(0, 0), (0, 1), (1, 0), (2, 1)]):
    _source = f"inclusion/additional/{_case}"
    BAD[f"{_source}/random leaf"] = Inclusion(_index, _size, b"", SOME_HASH, ())
    BAD[f"{_source}/empty root"] = Inclusion(_index, _size, EMPTY_ROOT, b"", ())
    BAD[f"{_source}/empty root and random leaf"] = Inclusion(_index, _size, EMPTY_ROOT, SOME_HASH, ())
BAD |= {
    "inclusion/single-entry/empty leaf": SINGLE._replace(leaf=b""),
    "inclusion/single-entry/empty root": SINGLE._replace(root=b""),
    "inclusion/single-entry/empty root and leaf": SINGLE._replace(root=b"", leaf=b""),
}
_ADDITIONAL = {
    "sizes are equal (zero) but roots are not": (0, 0, ONE, TWO, ()),
    "sizes are equal (one) but roots are not": (1, 1, ONE, TWO, ()),
    "sizes are equal (zero) and proof is empty": (0, 0, ONE, ONE, ()),
    "size1 is zero and does not equal size2": (0, 1, ONE, TWO, ()),
    "size1 is greater than size2": (1, 0, ONE, TWO, ()),
    "size1 is greater than size2 again": (2, 1, ONE, TWO, ()),
    "sizes do not watch and proof is empty": (1, 2, ONE, TWO, ()),
    "roots do not match and sizes are zero": (0, 0, EMPTY_ROOT, TWO, ()),
    "roots do not not match and sizes are one": (1, 1, EMPTY_ROOT, TWO, ()),
    "sizes match but proof is not empty and sizes are zero": (0, 0, EMPTY_ROOT, EMPTY_ROOT, (EMPTY_ROOT,)),
    "sizes match but proof is not empty and sizes are one": (1, 1, EMPTY_ROOT, EMPTY_ROOT, (EMPTY_ROOT,)),
    "consistency check on empty tree (size1 is zero) is useless": (0, 1, EMPTY_ROOT, EMPTY_ROOT, (EMPTY_ROOT,)),
}
BAD |= {f"consistency/additional/{what}": Consistency(*fields) for what, fields in _ADDITIONAL.items()}

AS_PUBLISHED = {
    "inclusion/0": "39ea2881",
    "inclusion/1": "c2e076ac",
    "inclusion/2": "808f7b8c",
    "inclusion/3": "1826b9a8",
    "inclusion/4": "974f65dd",
    "consistency/0": "43fdccf6",
    "consistency/1": "ae035b18",
    "consistency/2": "c48943a8",
    "consistency/3": "a873aedd",
    "consistency/4": "29ada5d7",
    "consistency/2/size1 XOR @2": "59abd472",
    "consistency/2/trailing root1": "9908ca28",
    "consistency/1/preceding proof @0": "4405660b",
    "consistency/4/modified proof@1 bit @4": "46fc440b",
    "inclusion/2/wrong leaf": "75b1eb6f",
    "inclusion/2/inserted component": "75921430",
    "inclusion/0/leafIdx sub @1": "bf78a329",
    "inclusion/4/preceding garbage": "5a94fd01",
    "consistency/3/truncated proof": "7ef488c7",
    "inclusion/3/modified proof[0] bit @3": "4785dff0",
    "inclusion/4/treeSize mul @2": "e5273d70",
    "consistency/additional/sizes are equal (one) and proof is empty": "63bb39f0",
    "consistency/additional/sizes are equal (zero) and proof is empty": "1afc3c4e",
    "consistency/additional/size1 is zero and does not equal size2": "988205b3",
    "inclusion/single-entry/matching root and leaf": "26c56d7a",
    "inclusion/single-entry/empty root and leaf": "ef224e26",
    "inclusion/additional/0/empty root and random leaf": "9ab44379",
}
"""SHA-256, the first eight digits, of a published file's five values as compact JSON with base64."""


def _digest(proof: Inclusion | Consistency) -> str:
    first, second, third, fourth, path = proof
    values = [first, second, *(b64encode(value).decode() for value in (third, fourth))]
    steps = [b64encode(step).decode() for step in path]
    return sha256(json.dumps([*values, steps], separators=(",", ":")).encode()).hexdigest()[:8]


@pytest.mark.parametrize("name", HOLD)
def test_a_published_proof_holds(name: str) -> None:
    HOLD[name].verify()


@pytest.mark.parametrize("name", BAD)
def test_a_published_proof_that_is_wrong_is_refused(name: str) -> None:
    with pytest.raises(ProofInvalid):
        BAD[name].verify()


def test_the_proofs_made_again_are_those_published() -> None:
    assert {name: _digest({**HOLD, **BAD}[name]) for name in AS_PUBLISHED} == AS_PUBLISHED


def test_there_are_as_many_proofs_as_were_published() -> None:
    """98 for inclusion; 97 for consistency: the 98th says that the empty tree is continued, which we let pass."""
    names = [*HOLD, *BAD]
    assert (len([name for name in names if name.startswith("inclusion")]), len(HOLD)) == (98, 12)
    assert len([name for name in names if name.startswith("consistency")]) == 97
    verify_consistency(0, 1, EMPTY_ROOT, TWO, ())


def test_the_published_leaves_are_the_known_ones() -> None:
    assert leaf_hash(b"") == LEAF_0 == ROOTS[1]
    assert leaf_hash(b"\0") == LEAF_1
    assert leaf_hash(b"\x10") == LEAF_2
    assert leaf_hash(b"@ABC") == LEAF_5
    assert leaf_hash(b"data") == LEAF_DATA
