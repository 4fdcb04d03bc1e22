"""The vault: nothing can be read without the key, moved, changed or lost."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from habeas.cases.keys import KeyStore
from habeas.cases.vault import Vault
from habeas.errors import StorageError

Start = Callable[..., "subprocess.Popen[str]"]

CANARY = "canary.person@example.org"


def change(folder: Path, file: str, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(folder / file)) as db, db:
        assert db.execute(sql, values).rowcount > 0


@pytest.fixture
def case(vault: Vault) -> str:
    vault.open_cases({"c-1": {"email": CANARY}, "c-2": {"email": "other@example.org"}})
    return "c-1"


VALUES = [
    None, True, 0, 2**70, -1.5, "", "é\ud800👩", [], {}, [[["deep"]]], {"a": None, "ids": ["x", "\0"], "n": [1, 2.5]},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_any_json_comes_back_as_it_was(vault: Vault, case: str, value: object) -> None:
    vault.put(case, "plan", value)
    assert vault.get(case, "plan") == value


def test_a_large_value_comes_back_as_it_was(vault: Vault, case: str) -> None:
    value = {"records": [{"id": f"id-{n}"} for n in range(20_000)]}
    vault.put(case, "plan", value)
    assert vault.get(case, "plan") == value


def test_nothing_sealed_can_be_read_in_any_file(vault: Vault, keys: KeyStore, case: str, tmp_path: Path) -> None:
    vault.put(case, "plan", {"ids": [CANARY, "cust_secret"]})
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"vault.db", "keys.db"} <= set(files)
    for secret in (CANARY, "cust_secret", "email", "ids"):
        assert not any(secret.encode() in content for content in files.values())
    assert keys.case_key(case) in files["keys.db"]
    assert keys.case_key(case) not in files["vault.db"]


def test_the_same_value_is_sealed_differently_each_time(vault: Vault, case: str) -> None:
    assert len({vault.put(case, "plan", {"a": 1}) for _ in range(10)}) == 10


def test_a_commitment_is_the_hash_of_nonce_and_ciphertext(vault: Vault, case: str, tmp_path: Path) -> None:
    commitment = vault.put(case, "plan", {"a": 1})
    with closing(sqlite3.connect(tmp_path / "vault.db")) as db:
        nonce, sealed = db.execute("SELECT nonce, sealed FROM items WHERE name = 'plan'").fetchone()
    assert commitment == "sha256:" + hashlib.sha256(nonce + sealed).hexdigest()
    assert len(nonce) == 12


def test_an_earlier_value_of_that_name_is_gone(vault: Vault, case: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "vault.db")) as db:
        old = db.execute("SELECT sealed FROM items WHERE case_id = 'c-1'").fetchone()[0]
    vault.put(case, "request", {"email": "new"})
    assert vault.get(case, "request") == {"email": "new"}
    assert not any(old in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE items SET (nonce, sealed) = (SELECT nonce, sealed FROM items WHERE case_id = 'c-2')",
        "UPDATE items SET sealed = (SELECT sealed FROM items WHERE case_id = 'c-2') WHERE case_id = 'c-1'",
        "UPDATE items SET sealed = substr(sealed, 1, length(sealed) - 1)",
        "UPDATE items SET sealed = cast(sealed || x'00' AS BLOB)",
        "UPDATE items SET sealed = x'' ",
        "UPDATE items SET sealed = x'00'",
        "UPDATE items SET nonce = zeroblob(12)",
        "UPDATE items SET nonce = x''",
        "UPDATE items SET nonce = zeroblob(500)",
    ],
)  # fmt: skip
def test_a_moved_or_changed_value_is_refused(vault: Vault, case: str, tmp_path: Path, sql: str) -> None:
    change(tmp_path, "vault.db", sql)
    with pytest.raises(StorageError, match="was changed or is damaged") as caught:
        vault.get(case, "request")
    assert CANARY not in caught.value.line()


def test_a_value_cannot_take_another_name_in_its_own_case(vault: Vault, case: str, tmp_path: Path) -> None:
    vault.put(case, "plan/1", {"a": 1})
    change(tmp_path, "vault.db", "UPDATE items SET name = 'plan/2' WHERE name = 'plan/1'")
    with pytest.raises(StorageError, match="was changed"):
        vault.get(case, "plan/2")


def test_every_bit_counts(vault: Vault, case: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "vault.db")) as db:
        sealed = db.execute("SELECT sealed FROM items WHERE case_id = 'c-1'").fetchone()[0]
    for position in (0, len(sealed) // 2, len(sealed) - 1):
        flipped = bytearray(sealed)
        flipped[position] ^= 1
        change(tmp_path, "vault.db", "UPDATE items SET sealed = ? WHERE case_id = 'c-1'", bytes(flipped))
        with pytest.raises(StorageError, match="was changed"):
            vault.get(case, "request")


def test_a_destroyed_key_and_a_missing_item_are_told(vault: Vault, case: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds no plan of case c-1"):
        vault.get(case, "plan")
    change(tmp_path, "keys.db", "DELETE FROM case_keys WHERE case_id = 'c-1'")
    for action in (lambda: vault.get(case, "request"), lambda: vault.put(case, "plan", {})):
        with pytest.raises(StorageError, match="key of case c-1 is not in the key store"):
            action()
    assert vault.get("c-2", "request") == {"email": "other@example.org"}


def test_another_installations_keys_open_nothing(vault: Vault, case: str, tmp_path: Path) -> None:
    with closing(KeyStore.create(tmp_path / "other.db")) as other:
        other.new_case_keys([case])
        foreign = Vault.open(tmp_path / "vault.db", other)
        with closing(foreign), pytest.raises(StorageError, match="was changed"):
            foreign.get(case, "request")
        with pytest.raises(StorageError, match="not a habeas vault"):
            Vault.open(tmp_path / "keys.db", other)
    with pytest.raises(StorageError, match="not a habeas key store"):
        KeyStore.open(tmp_path / "vault.db")


def test_a_table_that_is_gone_is_storage_trouble(vault: Vault, case: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "vault.db")) as db:
        db.execute("DROP TABLE items")
    for action in (lambda: vault.get(case, "request"), lambda: vault.put(case, "plan", {})):
        with pytest.raises(StorageError, match="vault cannot be used"):
            action()


def test_threads_and_a_second_process_share_the_vault(
    vault: Vault, keys: KeyStore, tmp_path: Path, start: Start
) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from habeas.cases.keys import KeyStore; from habeas.cases.vault import Vault\n"
        "vault = Vault.open(Path(sys.argv[1]) / 'vault.db', KeyStore.open(Path(sys.argv[1]) / 'keys.db'))\n"
        "for n in range(10): vault.open_cases({f'p-{n}': n}); vault.put(f'p-{n}', 'more', [n])\n"
    )
    child = start(code, tmp_path)

    def work(n: int) -> object:
        vault.open_cases({f"t-{n}": n})
        vault.put(f"t-{n}", "more", [n])
        return vault.get(f"t-{n}", "more")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(20))) == [[n] for n in range(20)]
    child.communicate()
    assert child.returncode == 0
    assert [vault.get(f"p-{n}", "more") for n in range(10)] == [[n] for n in range(10)]
    assert [vault.get(f"t-{n}", "request") for n in range(20)] == list(range(20))
