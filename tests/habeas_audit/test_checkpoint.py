"""Checkpoints as https://c2sp.org/tlog-checkpoint has them: read and written alike, or refused."""

from __future__ import annotations

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas_audit.checkpoint import Checkpoint, SignedCheckpoint, origin_of, parse_checkpoint, sign_checkpoint
from habeas_audit.errors import ProofInvalid
from habeas_audit.note import SigningKey, sign_note
from habeas_audit.stored_tree import Head

ORIGIN = "log.example/1"
ROOT = bytes(range(32))
ROOT_TEXT = b64encode(ROOT).decode()
PUBLISHED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\N{EM DASH} example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
"""The example of the specification."""


def signer(name: str = ORIGIN, seed: int = 1) -> SigningKey:
    return SigningKey(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


KEY = signer()


def signed(text: str, *keys: SigningKey) -> SignedCheckpoint:
    return parse_checkpoint(sign_note(text, keys or (KEY,)))


def test_the_specification_s_example_is_read() -> None:
    read = parse_checkpoint(PUBLISHED.encode())
    assert read == parse_checkpoint(PUBLISHED)
    assert read.checkpoint.origin == "example.com/behind-the-sofa"
    assert read.head.size == 20852163
    assert read.head.root_text == "sha256:0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"
    assert read.key_ids == ("033de0ae",)
    assert read.raw == PUBLISHED
    assert read.checkpoint.text == read.note.text


@settings(max_examples=60)
@given(
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="+"), min_size=1, max_size=20),
    st.integers(0, 10**18 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_what_is_signed_is_read_again(origin: str, size: int, root: bytes) -> None:
    key = signer(origin)
    made = sign_checkpoint(Checkpoint(origin, Head(size, root)), [key])
    assert made.raw == sign_note(f"{origin}\n{size}\n{b64encode(root).decode()}\n", [key])
    assert made.checkpoint == Checkpoint.parse(made.note.text) == Checkpoint(origin, Head(size, root))
    assert parse_checkpoint(made.raw.encode()) == made
    assert made.key_ids == (key.verifier.key_id.hex(),)
    assert made.require([key.verifier]) == (key.verifier,)
    assert made.require([key.verifier], origin=origin) == (key.verifier,)


SIZES = [
    *("", " ", "00", "01", "007", "+1", "-1", "-0", " 1", "1 ", "1.0", "1e3", "0x1", "1_000", "1,000", "none"),
    *(
        "\u0661",
        "1\u0661",
        "\uff11",
        "\u00b2",
        "1\u00a0",
        "\ufeff1",
        str(10**18),
        str(2**63),
        str(2**64),
        str(10**30),
        "9" * 4301,
    ),
]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: ascii(size)[:20])
def test_a_size_is_written_in_plain_digits_without_leading_zeros(size: str) -> None:
    with pytest.raises(ProofInvalid, match="not a checkpoint"):
        signed(f"{ORIGIN}\n{size}\n{ROOT_TEXT}\n")


@pytest.mark.parametrize("size", [0, 1, 10, 2**53, 10**18 - 1])
def test_a_size_has_up_to_18_digits(size: int) -> None:
    assert signed(f"{ORIGIN}\n{size}\n{ROOT_TEXT}\n").head == Head(size, ROOT)


@pytest.mark.parametrize("length", [0, 1, 20, 31, 33, 48, 64])
def test_a_root_has_32_bytes(length: int) -> None:
    with pytest.raises(ProofInvalid, match=r"32 bytes|not a checkpoint"):
        signed(f"{ORIGIN}\n7\n{b64encode(bytes(length)).decode()}\n")


@pytest.mark.parametrize(
    "root",
    [
        *(ROOT_TEXT[:-1], f"{ROOT_TEXT}=", f" {ROOT_TEXT}", f"{ROOT_TEXT} ", ROOT_TEXT[:-2] + "9="),
        *(ROOT.hex(), f"sha256:{ROOT.hex()}", b64encode(b"\xff" * 32, b"-_").decode()),
    ],
)
def test_a_root_is_base64_in_its_one_spelling(root: str) -> None:
    with pytest.raises(ProofInvalid, match=r"base64|32 bytes"):
        signed(f"{ORIGIN}\n7\n{root}\n")


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n",
        f"{ORIGIN}\n7\n",
        f"\n7\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n\n7\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n7\n\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n7\n{ROOT_TEXT}\n\n",
        f"{ORIGIN}\n7\n{ROOT_TEXT}\n\nextension\n",
        f"{ORIGIN}\n7\n{ROOT_TEXT}\nextension\n\n",
        f"{ORIGIN}\n{ROOT_TEXT}\n7\n",
        f"7\n{ORIGIN}\n{ROOT_TEXT}\n",
        f"{ORIGIN}\u20287\u2028{ROOT_TEXT}\n",
        f"{ORIGIN}\x857\x85{ROOT_TEXT}\n",
    ],
    ids=ascii,
)
def test_origin_size_and_root_stand_in_the_first_three_lines_and_no_line_is_empty(text: str) -> None:
    with pytest.raises(ProofInvalid, match="not a checkpoint"):
        signed(text)


def test_extension_lines_are_read_over_and_stay_signed() -> None:
    text = f"{ORIGIN}\n7\n{ROOT_TEXT}\nextension\n7\nmore of it\n"
    read = signed(text)
    assert read.head == Head(7, ROOT)
    assert read.note.text == text
    assert read.require([KEY.verifier]) == (KEY.verifier,)
    with pytest.raises(ProofInvalid, match="not over this text"):
        parse_checkpoint(read.raw.replace("more of it", "less of it")).require([KEY.verifier])


@pytest.mark.parametrize("origin", ["a b", "a+b", "ä/1", "\u2028", "a\xa0b"])
def test_an_origin_need_not_look_like_a_key_s_name(origin: str) -> None:
    assert signed(f"{origin}\n7\n{ROOT_TEXT}\n").checkpoint.origin == origin


@pytest.mark.parametrize("change", [("7", "8"), (ROOT_TEXT[:3], "////"[:3]), (f"{ORIGIN}\n", f"{ORIGIN}0\n")])
def test_a_changed_checkpoint_is_nobody_s(change: tuple[str, str]) -> None:
    changed = parse_checkpoint(signed(f"{ORIGIN}\n7\n{ROOT_TEXT}\n").raw.replace(*change, 1))
    with pytest.raises(ProofInvalid, match=r"not over this text|none of the trusted"):
        changed.require([KEY.verifier])


def test_another_log_s_checkpoint_is_refused_though_it_is_signed() -> None:
    read = signed(f"{ORIGIN}\n7\n{ROOT_TEXT}\n")
    with pytest.raises(ProofInvalid, match="another log"):
        read.require([KEY.verifier], origin="log.example/2")


def test_a_key_speaks_for_the_log_that_it_is_named_after_only() -> None:
    other = signer("log.example/2", 2)
    read = signed(f"{ORIGIN}\n7\n{ROOT_TEXT}\n", other)
    with pytest.raises(ProofInvalid, match="none of the trusted"):
        read.require([other.verifier])


def test_both_keys_of_a_rotation_are_named_and_a_witness_s_signature_is_passed_over() -> None:
    old, new, witness = KEY, signer(ORIGIN, 2), signer("witness.example", 3)
    read = signed(f"{ORIGIN}\n7\n{ROOT_TEXT}\n", witness, old, new)
    assert read.require([old.verifier]) == (old.verifier,)
    assert read.require([new.verifier, old.verifier, witness.verifier]) == (old.verifier, new.verifier)
    assert read.key_ids == tuple(key.verifier.key_id.hex() for key in (witness, old, new))
    with pytest.raises(ProofInvalid, match="none of the trusted"):
        read.require([witness.verifier])
    with pytest.raises(ProofInvalid, match="none of the trusted"):
        read.require([])


def test_a_log_signs_under_its_id() -> None:
    assert origin_of("f00d") == "habeas.audit/f00d"


@settings(max_examples=100)
@given(st.binary(max_size=120) | st.text(max_size=120))
def test_whatever_is_read_either_is_a_checkpoint_or_is_refused(data: bytes | str) -> None:
    with pytest.raises(ProofInvalid):
        parse_checkpoint(data)
