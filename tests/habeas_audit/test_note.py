"""Signed notes: what others have published is read and written alike, and nothing that was changed is believed.

Published notes and keys come from golang.org/x/mod/sumdb/note (note_test.go) and from https://c2sp.org/signed-note.
"""

from __future__ import annotations

import sys
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas_audit.errors import ProofInvalid
from habeas_audit.note import MAX_NOTE, MAX_SIGNATURES, SigningKey, VerifierKey, parse_note, sign_note

PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SECRET = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_SIGNED = (
    "\N{EM DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZIn"
    "NIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_SIGNED = (
    "\N{EM DASH} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2t"
    "iOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n\n\N{EM DASH} example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
POEM = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
POEM_SIGNED = (
    "\N{EM DASH} quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)


def signer(name: str = "log.example/1", seed: int = 1) -> SigningKey:
    return SigningKey(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


KEY = signer()
LINE = KEY.sign("text\n")
GOOD = f"text\n\n{LINE}"
SIGNED = LINE.removesuffix("\n").rpartition(" ")[2]
SPACES = [chr(c) for c in range(32, sys.maxunicode) if chr(c).isspace()]


def opened(note: bytes | str, *keys: VerifierKey) -> str:
    """The text, if one of the keys (KEY unless others are given) has signed it."""
    read = parse_note(note)
    assert read.verified_by(keys or (KEY.verifier,))
    return read.text


# --- published notes and keys -------------------------------------------------------------------------------------


def test_go_s_example_is_signed_byte_for_byte() -> None:
    peter = SigningKey("PeterNeumann", Ed25519PrivateKey.from_private_bytes(b64decode(PETER_SECRET)[1:]))
    assert peter.verifier.text == PETER_KEY
    assert sign_note(TEXT, [peter]) == f"{TEXT}\n{PETER_SIGNED}"


def test_go_s_examples_verify_by_either_key_and_by_both() -> None:
    peter, enoch = VerifierKey.parse(PETER_KEY), VerifierKey.parse(ENOCH_KEY)
    note = parse_note(f"{TEXT}\n{PETER_SIGNED}{ENOCH_SIGNED}")
    assert note.text == TEXT
    assert note.verified_by([peter]) == (peter,)
    assert note.verified_by([enoch]) == (enoch,)
    assert note.verified_by([enoch, peter]) == (peter, enoch)
    with pytest.raises(ProofInvalid, match="c74f20a3, af0cfe78"):
        note.verified_by([])


def test_a_signature_counts_once_however_often_it_stands_there() -> None:
    peter = VerifierKey.parse(PETER_KEY)
    note = parse_note(f"{TEXT}\n{PETER_SIGNED * 2}{ENOCH_SIGNED * 2}")
    assert note.verified_by([peter]) == (peter,)


def test_the_specification_s_example_verifies() -> None:
    key = VerifierKey.parse(EXAMPLE_KEY)
    assert key.text == EXAMPLE_KEY
    assert key.name == "example.com/foo"
    assert opened(EXAMPLE_NOTE, key) == "This is an example message.\n"


def test_the_specification_s_poem_keeps_its_blank_line() -> None:
    note = parse_note(f"{POEM}\n{POEM_SIGNED}".encode())
    assert note.text == POEM
    assert [(s.name, s.key_id.hex(), len(s.value)) for s in note.signatures] == [
        ("quasimodo.example/salvatore", "367ba04b", 64)
    ]


@pytest.mark.parametrize("at", [60, 70, 80])
def test_go_s_lengthened_signature_is_refused(at: int) -> None:
    line = PETER_SIGNED.encode()
    with pytest.raises(ProofInvalid):
        opened(f"{TEXT}\n".encode() + line[:at] + b"ABCD" + line[at:], VerifierKey.parse(PETER_KEY))


@pytest.mark.parametrize(
    "note",
    [
        TEXT.encode(),
        f"{TEXT}\n".encode(),
        f"{TEXT}\n{PETER_SIGNED}"[:-1].encode(),
        f"\x01{TEXT}\n{PETER_SIGNED}".encode(),
        b"\xff" + f"{TEXT}\n{PETER_SIGNED}".encode(),
        f"{TEXT}\n{PETER_SIGNED.replace('PeterNeumann', 'Bad Name')}".encode(),
        f"{TEXT}\n{PETER_SIGNED}Unexpected line.\n".encode(),
        f"{TEXT}\n{PETER_SIGNED * 101}".encode(),
    ],
)
def test_a_note_that_go_calls_malformed_is_refused(note: bytes) -> None:
    with pytest.raises(ProofInvalid):
        parse_note(note)


# --- round trips --------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=[chr(c) for c in range(32)])).map(
    lambda text: text + "\n"
)


@settings(max_examples=100)
@given(st.lists(TEXTS, min_size=1, max_size=4).map("\n".join), st.integers(1, 3))
def test_what_is_signed_is_read_again(text: str, signers: int) -> None:
    keys = [signer(f"log.example/{seed}", seed) for seed in range(1, signers + 1)]
    note = sign_note(text, keys)
    for data in (note, note.encode()):
        read = parse_note(data)
        assert read.text == text
        assert read.verified_by(key.verifier for key in keys) == tuple(key.verifier for key in keys)
        for key in keys:
            assert read.verified_by([key.verifier]) == (key.verifier,)


@settings(max_examples=200)
@given(st.data())
def test_no_single_character_can_be_replaced_removed_or_added(data: st.DataObject) -> None:
    note = sign_note("log.example/1\n7\nAAAA\n", [KEY])
    at = data.draw(st.integers(0, len(note) - 1))
    wide = data.draw(st.integers(0, 1))
    new = data.draw(st.sampled_from(["", *note, " ", "\n", "\n\n", "\ufeff", "\u2028", "\u00ad"]) | st.text(max_size=1))
    changed = note[:at] + new + note[at + wide :]
    if changed != note:
        with pytest.raises(ProofInvalid):
            opened(changed)


@pytest.mark.parametrize("text", ["", "text", "a\nb"])
def test_a_text_without_a_last_line_break_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        sign_note(text, [KEY])


def test_nobody_signs_no_note() -> None:
    with pytest.raises(ValueError, match="somebody"):
        sign_note("text\n", [])


# --- what is no note ----------------------------------------------------------------------------------------------

NO_NOTES = {
    "nothing": "",
    "one line break": "\n",
    "a text alone": "text\n",
    "a text and a blank line": "text\n\n",
    "no blank line": f"text\n{LINE}",
    "signatures alone": LINE,
    "no last line break": GOOD[:-1],
    "a blank line at the end": f"{GOOD}\n",
    "a line between the signatures": f"{GOOD}# comment\n{LINE}",
    "a hyphen": GOOD.replace("\N{EM DASH}", "-"),
    "two hyphens": GOOD.replace("\N{EM DASH}", "--"),
    "an en dash": GOOD.replace("\N{EM DASH}", "\N{EN DASH}"),
    "a horizontal bar": GOOD.replace("\N{EM DASH}", "\N{HORIZONTAL BAR}"),
    "no blank after the dash": GOOD.replace("\N{EM DASH} ", "\N{EM DASH}"),
    "two blanks after the dash": GOOD.replace("\N{EM DASH} ", "\N{EM DASH}  "),
    "a no-break space after the dash": GOOD.replace("\N{EM DASH} ", "\N{EM DASH}\xa0"),
    "a blank before the dash": GOOD.replace("\N{EM DASH}", " \N{EM DASH}"),
    "no name": f"text\n\n\N{EM DASH}  {SIGNED}\n",
    "no signature": "text\n\n\N{EM DASH} log.example/1\n",
    "an empty signature": "text\n\n\N{EM DASH} log.example/1 \n",
    "a name with a plus sign": GOOD.replace("log.example/1", "log.example+1"),
    "a third word": GOOD[:-1] + " more\n",
    "two blanks before the signature": GOOD.replace(f" {SIGNED}", f"  {SIGNED}"),
    "base64 without its padding": GOOD.replace(SIGNED, SIGNED.rstrip("=")),
    "base64 with more padding": GOOD.replace(SIGNED, f"{SIGNED}="),
    "base64 for web addresses": GOOD.replace(SIGNED, b64encode(b"\xfb\xff" * 34, b"-_").decode()),
    "base64 whose last bits are not zero": GOOD.replace(SIGNED, b64encode(bytes(68)).decode()[:-2] + "B="),
    "base64 with a character that is none": GOOD.replace(SIGNED, f"{SIGNED[:10]}*{SIGNED[10:]}"),
    "a key id and no signature": GOOD.replace(SIGNED, b64encode(bytes(4)).decode()),
    "windows line breaks": GOOD.replace("\n", "\r\n"),
    "a windows line break in the text": GOOD.replace("text\n", "text\r\n"),
    "101 signatures": f"text\n\n{LINE * (MAX_SIGNATURES + 1)}",
    "70 kB of text": sign_note("x" * 70_000 + "\n", [KEY]),
    "70 kB in 24,000 characters": sign_note("\N{EURO SIGN}" * 24_000 + "\n", [KEY]),
    "70 kB of signature": GOOD.replace(SIGNED, b64encode(bytes(60_000)).decode()),
    "a lone surrogate": sign_note("text\n", [KEY]).replace("text", "te\ud800xt"),
}
NO_NOTES |= {f"a name with U+{ord(c):04X}": GOOD.replace("log.example/1", f"log{c}1") for c in SPACES}
NO_NOTES |= {f"control character {c:02x} in the text": f"te{chr(c)}xt\n\n{LINE}" for c in range(32) if c != 10}
NO_NOTES |= {f"control character {c:02x} in a name": GOOD.replace("log.", f"log{chr(c)}") for c in (0, 9, 12, 28, 31)}


@pytest.mark.parametrize("what", NO_NOTES)
def test_what_is_no_note_is_refused(what: str) -> None:
    assert NO_NOTES[what] != GOOD
    with pytest.raises(ProofInvalid):
        parse_note(NO_NOTES[what])
    with pytest.raises(ProofInvalid):
        parse_note(NO_NOTES[what].encode(errors="surrogatepass"))


@pytest.mark.parametrize("data", [GOOD.encode("utf-16"), b"text\xff\n\n" + LINE.encode(), b"\xc0\xaf\n\n", b"\xf5" * 9])
def test_what_is_not_utf_8_is_refused(data: bytes) -> None:
    with pytest.raises(ProofInvalid, match=r"UTF-8|control"):
        parse_note(data)


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_whatever_is_read_either_is_a_note_or_is_refused(data: bytes | str) -> None:
    with pytest.raises(ProofInvalid):
        opened(data)


# --- what is a note, and proves nothing ----------------------------------------------------------------------------

OTHER = signer("log.example/1", 2)
UNBELIEVED = {
    "another text": f"tent\n\n{LINE}",
    "a longer text": f"text\nmore\n\n{LINE}",
    "no text": f"\n\n{LINE}",
    "a text before another": f"before\n\n{GOOD}",
    "two notes in one": f"{GOOD}\nmore\n\n{LINE}",
    "two blank lines": f"text\n\n\n{LINE}",
    "a byte order mark": f"\ufeff{GOOD}",
    "a blank at the end of a line": f"text \n\n{LINE}",
    "a soft hyphen": f"te\xadxt\n\n{LINE}",
    "a line separator for a line break": f"text\u2028\n\n{LINE}",
    "another key's signature under this name": f"text\n\n{OTHER.sign('text' + chr(10))}",
    "another name for this key": f"text\n\n{signer('log.example/2').sign('text' + chr(10))}",
    "a signature under an id that is not the key's": GOOD.replace(
        SIGNED, b64encode(b"\0\0\0\0" + b64decode(SIGNED)[4:]).decode()
    ),
    "a signature by this key over another text": f"text\n\n{KEY.sign('other' + chr(10))}",
    "a true signature, and one over another text": f"{GOOD}{KEY.sign('other' + chr(10))}",
    "a signature cut short": GOOD.replace(SIGNED, b64encode(b64decode(SIGNED)[:-1]).decode()),
    "a signature with a byte more": GOOD.replace(SIGNED, b64encode(b64decode(SIGNED) + b"\0").decode()),
    "a signature of one byte": GOOD.replace(SIGNED, b64encode(b64decode(SIGNED)[:5]).decode()),
}


@pytest.mark.parametrize("what", UNBELIEVED)
def test_a_note_that_its_key_has_not_signed_proves_nothing(what: str) -> None:
    note = parse_note(UNBELIEVED[what])
    with pytest.raises(ProofInvalid, match=r"none of the trusted keys|not over this text"):
        note.verified_by([KEY.verifier])


def test_every_flipped_bit_of_a_signature_shows() -> None:
    signature = bytearray(b64decode(SIGNED))
    for bit in range(len(signature) * 8):
        signature[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProofInvalid):
            opened(GOOD.replace(SIGNED, b64encode(signature).decode()))
        signature[bit // 8] ^= 1 << bit % 8


# --- what is passed over -------------------------------------------------------------------------------------------


def test_signatures_of_unknown_keys_are_passed_over_even_if_they_share_a_name_or_an_id() -> None:
    data = b64decode(SIGNED)
    other = f"\N{EM DASH} other.example {b64encode(data[:4] + bytes(64)).decode()}\n"  # this id, another name
    long = f"\N{EM DASH} pq.example {b64encode(bytes(4 + 4900)).decode()}\n"  # as long as post-quantum ones
    note = parse_note(f"text\n\n{OTHER.sign('other' + chr(10))}{other}{long}{LINE}{other}")
    assert note.verified_by([KEY.verifier]) == (KEY.verifier,)
    assert len(note.signatures) == 5


def test_a_hundred_signatures_are_read() -> None:
    assert opened(f"text\n\n{LINE * MAX_SIGNATURES}") == "text\n"


@pytest.mark.parametrize("length", [MAX_NOTE, MAX_NOTE + 1])
def test_a_note_may_have_64_kib_and_no_byte_more(length: int) -> None:
    note = sign_note("é" + "x" * (length - len(sign_note("é\n", [KEY]).encode())) + "\n", [KEY])
    assert len(note.encode()) == length
    for data in (note, note.encode()):
        if length > MAX_NOTE:
            with pytest.raises(ProofInvalid, match="no longer than"):
                parse_note(data)
        else:
            assert opened(data).startswith("éx")


@pytest.mark.parametrize(
    "mark", ["\u2028", "\u2029", "\x85", "\x7f", "\ufeff", "\u202e", "\U0001f600", "\xa0", "e\u0301"]
)
def test_only_a_line_feed_ends_a_line(mark: str) -> None:
    text = f"one{mark}two\n{mark}\n"
    assert opened(sign_note(text, [KEY])) == text
    assert opened(sign_note(text, [KEY]).encode()) == text


def test_signature_lines_within_a_text_are_text() -> None:
    text = f"{GOOD}\nmore\n"
    assert opened(sign_note(text, [KEY])) == text
