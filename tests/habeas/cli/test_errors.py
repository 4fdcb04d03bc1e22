"""Everything that can be wrong before a vendor is asked: one line that says what, and the exit code of the contract."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.habeas.cli.conftest import Ran, Shop

# -- wrong usage ------------------------------------------------------------------------------------------------------

WRONG = [
    ["frobnicate"],
    ["--frobnicate"],
    ["erase", "--frobnicate"],
    ["case", "frobnicate"],
    ["case", "show"],
    ["erase", "customer_id=C-100000", "--max-wait", "0"],
    ["erase", "customer_id=C-100000", "--max-wait", "soon"],
    ["audit", "log", "--limit", "-1"],
    ["batch"],
    ["batch", "no-such-file.csv"],
    ["policy", "check"],
    ["sandbox", "--port", "99999"],
    ["demo", "--people", "1"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage_is_one_line_and_2(arguments: list[str], bare: Callable[..., Ran]) -> None:
    """With where to look it up."""
    ran = bare(*arguments)
    assert (ran.code, ran.stdout) == (2, "")
    assert "--help`" in ran.error


def test_an_error_with_json_is_one_document_too(bare: Callable[..., Ran]) -> None:
    """Before or behind the command."""
    for arguments in (["--json", "frobnicate"], ["frobnicate", "--json"]):
        ran = bare(*arguments)
        assert ran.json == {"error": {"message": ran.error.removeprefix("habeas: "), "exit_code": 2}}
        assert ran.code == 2


def test_an_identifier_in_the_wrong_place_is_not_repeated(bare: Callable[..., Ran]) -> None:
    """What somebody typed as a command or behind one may be a person; cron would mail it around."""
    for arguments in (
        ["ada@example.org"],
        ["email=ada@example.org"],
        ["--email=ada@example.org"],
        ["case", "show", "c-1", "ada@example.org"],
        ["erase", "x", "--max-wait", "ada@example.org"],
        ["audit", "log", "--limit", "email=ada@example.org"],
    ):
        ran = bare(*arguments)
        assert ran.code == 2
        assert "ada" not in ran.error


# -- identifiers ------------------------------------------------------------------------------------------------------

NO_IDENTIFIERS = [
    ([], "no identifier was given"),
    (["ada"], "KIND=VALUE or an e-mail address; kinds: customer_id, email, phone"),
    (["name=ada"], "a kind habeas does not know; kinds: customer_id, email, phone"),
    (["=ada"], "a kind habeas does not know"),
    (["EMAIL=ada@example.org"], "a kind habeas does not know"),
    (["customer_id="], "it is empty"),
    (["email=ada"], "it is not one e-mail address"),
    (["phone=ada"], "it is not a phone number"),
]


@pytest.mark.parametrize("command", ["inventory", "access", "erase"])
def test_what_is_no_identifier_is_refused_by_every_command(command: str, shop: Shop) -> None:
    """Exit 2, nothing sent, and the advice names the kinds: the three, and the connections."""
    before, size = shop.calls, shop.ledger_bytes()
    for identifiers, expected in NO_IDENTIFIERS:
        ran = shop.run(command, *identifiers)
        assert (ran.code, ran.stdout) == (2, ""), identifiers
        assert expected in ran.error
        if "kinds:" in expected:
            assert all(name in ran.error for name in shop.world.servers)
        assert not identifiers or identifiers[0].partition("=")[2] == "" or identifiers[0] not in ran.error
    assert (shop.calls, shop.ledger_bytes()) == (before, size)


HOSTILE = [
    "", " ", ".", "..", "...", "../", "../../etc/passwd", "..%2f", "%2e%2e", "%252e%252e", "%2F", "%00",
    "a%0d%0aX:1", "a/b", "a\\b", "a?b", "a#b", "a;b", "//evil", "\\\\evil", "http://evil", "@evil:80", "a&b=c", "a=b",
    "{id}", "{{7*7}}", "${x}", "<id>", "%s", "%n", "None", "null", "true", "-1", "0", "1e5", "0x10", "*", "?", "[a]",
    "[bold]a[/]", ":smile:", "'OR 1=1--", '";drop', "`id`", "$(id)", ";", "a\nb", "a\rb", "a\x00b", "a\tb", "a\u2028b",
    "a\u0085b", "\u202ea", "\u200b", "\ufeff", "\uff0e\uff0e", "\uff0f", "\u2024", "a\ud800b", "e" + "\u0301" * 10_000,
    unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"), "👩‍👩‍👧", "x", "x" * 512, "x" * 1001,
    " x", "x ", "CON", "aux.txt", str(2**53), str(2**63), "1" + "0" * 4300, "\x1b[2J", "\x1b]8;;http://evil\x07x",
]  # fmt: skip
HOSTILE_EMAILS = [
    "a+b@x.example", "A@X.example", '"quo ted"@x.example', "a@[127.0.0.1]", "é@x.example", "a@bücher.example",
    "a@xn--bcher-kva.example", "\u0430@x.example", "İ@x.example", "a@x.example\nBcc:b@y", "a@x.example,b@y.example",
    "a@@x.example", "a" * 320 + "@x.example", "a@x.example.", "=cmd|'/c calc'!A0@x.example", "a@x.example?to=b",
]  # fmt: skip


def _arrived_whole(shop: Shop, since: dict[str, int], value: str) -> None:
    """Every call of a hostile search reached a documented route, and changed nothing."""
    for name, server in shop.world.servers.items():
        for call in server.calls[since[name] :]:
            assert call.method == "GET", call.method
            assert ".." not in call.path.split("/")
            assert "//" not in call.path
            assert call.path.startswith("/")


@pytest.mark.parametrize("kind", ["customer_id", "email"])
def test_a_hostile_identifier_is_searched_as_it_is_or_refused(kind: str, shop: Shop) -> None:
    """Never a traceback, a fault, another path, a change; the value is not said, and the files stay sound."""
    truth = shop.truth()
    for value in HOSTILE if kind == "customer_id" else [*HOSTILE_EMAILS, *(f"{v}@x.example" for v in HOSTILE[:20])]:
        since = {name: len(server.calls) for name, server in shop.world.servers.items()}
        ran = shop.run("--json", "inventory", f"{kind}={value}")
        assert ran.code in (0, 2, 3), (value, ran.stderr)
        assert "internal fault" not in ran.stderr
        assert "Traceback" not in ran.stderr
        if ran.code == 2:
            assert "error" in ran.json
            assert ran.error
        else:
            assert all(c["searched"] and c["records"] == [] for c in ran.json["connections"]), value
        assert len(value) < 8 or value not in ran.stdout + ran.stderr
        _arrived_whole(shop, since, value)
    assert shop.truth() == truth
    assert shop.run("audit", "verify").code == 0


def test_hostile_text_in_any_other_place_is_refused_or_kept_as_text(shop: Shop, tmp_path: Path) -> None:
    """As a policy, a regime, a case, a connection's id: an answer of the contract, one line, no fault."""
    for value in (*HOSTILE[:40:5], "a\udcffb", "\x1b[2J", "x" * 5000, "a\nb"):
        for arguments in (
            ["erase", "customer_id=none", "--dry-run", "--policy", value],
            ["erase", "customer_id=none", "--dry-run", "--regime", value],
            ["case", "show", value],
            ["resume", value],
            ["policy", "show", value],
            ["policy", "check", value],
            ["audit", "log", "--case", value],
        ):
            ran = shop.run(*arguments)
            assert ran.code in (0, 2), (arguments, ran.stderr)
            assert ran.code == 0 or arguments[:2] == ["policy", "check"] or ran.error
            assert "internal fault" not in ran.stderr
            assert "\x1b" not in ran.stdout + ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reference_comes_back_as_it_was_given_and_steers_no_terminal(shop: Shop) -> None:
    """It stays in the vault, unchanged in JSON; for people what would steer the terminal is written out."""
    reference = "\x1b[2J[bold]:smile:\u202e é\n2"
    case = shop.run("erase", "customer_id=none-such", "--yes", "--json", "--reference", reference).json
    assert case["reference"] == reference
    shown = shop.run("case", "show", case["case"])
    assert r"reference: \u001b[2J[bold]:smile:\u202e é" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert b"smile" not in shop.ledger_bytes()


def test_a_reference_that_is_no_text_is_refused(shop: Shop) -> None:
    """Bytes of the command line that are no UTF-8 arrive as lone surrogates."""
    calls = shop.calls
    for reference, expected in (("\udcff", "an argument is not UTF-8 text"), ("x" * 5000, "the reference is longer")):
        ran = shop.run("erase", "customer_id=none-such", "--yes", "--reference", reference)
        assert (ran.code, shop.calls) == (2, calls)
        assert expected in ran.error


def test_an_ambiguous_email_is_refused_and_nothing_is_sent(shop: Shop) -> None:
    """Two people share the address: which one is meant must be said."""
    one, two = shop.world.people[2], shop.world.people[3]
    assert one.email == two.email
    calls, size = shop.calls, shop.ledger_bytes()
    for command in (["inventory"], ["access"], ["erase", "--yes"], ["erase", "--dry-run"]):
        ran = shop.run(*command, one.email)
        assert (ran.code, ran.stdout) == (2, "")
        assert ran.error.startswith("habeas: 2 people in the identity table")
        assert "customer_id=" in ran.error
        assert one.email not in ran.error
    assert (shop.calls, shop.ledger_bytes()) == (calls, size)


def test_somebody_else_s_email_beside_a_customer_id_is_refused(shop: Shop) -> None:
    """A typing error must not erase two people's records."""
    one, other = shop.world.people[0], shop.world.people[4]
    calls = shop.calls
    ran = shop.run("erase", f"customer_id={one.customer_id}", f"email={other.email}", "--yes")
    assert (ran.code, shop.calls) == (2, calls)
    assert "belongs to somebody else" in ran.error


# -- identifiers from a file ------------------------------------------------------------------------------------------


def test_identifiers_come_from_a_file_or_stdin(shop: Shop, tmp_path: Path) -> None:
    """A BOM, blank lines and Windows line ends are fine."""
    person = shop.world.people[0]
    expected = shop.run("--json", "inventory", f"customer_id={person.customer_id}").json["connections"]
    text = f"\ufeff\r\n{person.email}\r\ncustomer_id={person.customer_id}\r\n\r\n"
    path = tmp_path / "who"
    path.write_bytes(text.encode())
    assert shop.run("--json", "inventory", "--subject-from", str(path)).json["connections"] == expected
    assert shop.run("--json", "inventory", "--subject-from", "-", stdin=text).json["connections"] == expected


def test_a_line_of_the_file_is_one_identifier_whatever_is_in_it(shop: Shop, tmp_path: Path) -> None:
    """U+2028 and its like end no line: a form that somebody filled in must not name two people."""
    other = shop.world.people[4]
    for blank in ("\u2028", "\u0085", "\x0b", "\x0c", "\x1c", "\r"):
        path = tmp_path / "who"
        path.write_text(f"customer_id=none{blank}email={other.email}", newline="")
        calls = shop.calls
        ran = shop.run("--json", "inventory", "--subject-from", str(path))
        found = [] if ran.code == 2 else [c["records"] for c in ran.json["connections"]]
        assert not any(found), repr(blank)
        assert ran.code != 2 or shop.calls == calls


def test_a_file_of_identifiers_that_cannot_be_read_is_refused(shop: Shop, tmp_path: Path) -> None:
    """Missing, a folder, no UTF-8, too large, empty: exit 2, nothing sent."""
    latin, large, empty = tmp_path / "latin", tmp_path / "large", tmp_path / "empty"
    latin.write_bytes("email=jürgen@example.org".encode("latin-1"))
    large.write_text("\n" * 999_999 + "customer_id=cut-off")
    empty.write_text("\n \n")
    calls = shop.calls
    for path in (tmp_path / "none", tmp_path, latin, large, empty):
        ran = shop.run("erase", "--yes", "--subject-from", str(path))
        assert (ran.code, ran.stdout) == (2, ""), path
        assert ran.error
    assert shop.calls == calls


# -- policies and regimes ---------------------------------------------------------------------------------------------


def test_an_unknown_or_wrong_policy_is_refused_before_anything_is_sent(shop: Shop, tmp_path: Path) -> None:
    """Rule 5: fail closed."""
    broken = tmp_path / "broken.toml"
    broken.write_text('name = "broken"\n[[rules]]\naction = "erase everything"\n')
    calls, size = shop.calls, shop.ledger_bytes()
    for policy, expected in (
        ("no-such-policy", "there is no policy 'no-such-policy'; known: "),
        ("gdpr-access", "is for access, not for erasure"),
        (str(broken), "broken.toml"),
        (str(tmp_path / "missing.toml"), "there is no such policy file"),
    ):
        for more in (["--yes"], ["--dry-run"]):
            ran = shop.run("erase", "customer_id=C-100000", "--policy", policy, *more)
            assert (ran.code, ran.stdout) == (2, "")
            assert expected in ran.error
    ran = shop.run("erase", "customer_id=C-100000", "--regime", "martian", "--yes")
    assert ran.code == 2
    assert "gdpr" in ran.error
    assert (shop.calls, shop.ledger_bytes()) == (calls, size)


def test_policy_check_lists_every_problem(shop: Shop, tmp_path: Path) -> None:
    """A line each, exit 2; a good file is valid, exit 0."""
    broken = tmp_path / "broken.toml"
    broken.write_text('name = "broken"\n[[rules]]\naction = "erase everything"\n')
    ran = shop.run("policy", "check", str(broken), "--json")
    assert ran.code == 2
    assert ran.json["ok"] is False
    assert len(ran.json["problems"]) > 1
    assert all(line.startswith("broken.toml: ") for line in ran.json["problems"])
    assert shop.run("policy", "check", str(broken)).stdout.splitlines() == ran.json["problems"]


# -- home and configuration -------------------------------------------------------------------------------------------

NEEDS_A_HOME = [
    ["inventory", "customer_id=x"], ["access", "customer_id=x"], ["erase", "customer_id=x", "--yes"], ["resume"],
    ["case", "list"], ["case", "show", "c-x"], ["audit", "log"], ["audit", "verify"], ["doctor"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", NEEDS_A_HOME, ids=" ".join)
def test_without_a_home_every_command_says_init(arguments: list[str], shop: Shop, bare: Callable[..., Ran]) -> None:
    """And makes nothing."""
    home = shop.folder / "nowhere"
    ran = bare("--home", str(home), "--config", str(shop.config), *arguments)
    assert (ran.code, ran.stdout) == (2, "")
    assert "is not a habeas home (audit.db, vault.db, keys.db missing); run `habeas init`" in ran.error
    assert not home.exists()


def test_without_a_configuration_the_error_says_init(shop: Shop, bare: Callable[..., Ran], tmp_path: Path) -> None:
    """Exit 2, and the file it looked for."""
    ran = bare("--home", str(shop.home.path), "--config", str(tmp_path / "none.toml"), "doctor")
    assert ran.code == 2
    assert "none.toml cannot be read (No such file or directory); run `habeas init`, or use --config" in ran.error


def _change(shop: Shop, tmp_path: Path, old: str, new: str) -> Path:
    """The shop's configuration with one line changed, beside its secrets."""
    text = shop.config.read_text()
    assert old in text
    path = shop.config.with_name(f"{tmp_path.name}.toml")
    path.write_text(text.replace(old, new, 1))
    return path


def _secret_line(shop: Shop) -> tuple[str, str]:
    """A line of the configuration with a secret, and the setting's name."""
    line = next(line for line in shop.config.read_text().splitlines() if '"file:secrets/' in line)
    return line, line.partition(" ")[0]


CONFIGURATIONS: list[tuple[str, str, str]] = [
    ('plugin = "', 'plugin = "no-such-', "there is no plugin 'no-such-"),
    ('regime = "gdpr"', 'regime = "gdpr"\nregmie = "x"', "controller has unknown settings: regmie"),
    ('timezone = "Europe/Berlin"', 'timezone = "Mars/Base"', "controller.timezone is not a known time zone"),
    ('base_url = "http://127.0.0.1', 'base_url = "http://vendor.example', "base_url must be https"),
    ('base_url = "http://', 'base_url = "http://user:hunter2@', "may hold no user, password"),
    ('base_url = "http', 'base_url = "file', "base_url"),
    ("concurrency = 8", 'concurrency = "many"', "concurrency must be a"),
    ("[controller]", "[controller", "is not TOML"),
    ('csv = "customers.csv"', 'csv = "nobody.csv"', "the identity table"),
    ('csv = "customers.csv"', "", "identity needs"),
]


@pytest.mark.parametrize(("old", "new", "expected"), CONFIGURATIONS, ids=[c[1] or "no csv" for c in CONFIGURATIONS])
def test_a_wrong_configuration_is_one_line_with_its_place(
    old: str, new: str, expected: str, shop: Shop, tmp_path: Path, bare: Callable[..., Ran]
) -> None:
    """Exit 2, nothing sent."""
    path = _change(shop, tmp_path, old, new)
    calls = shop.calls
    ran = bare("--home", str(shop.home.path), "--config", str(path), "inventory", "customer_id=C-100000")
    assert (ran.code, ran.stdout) == (2, ""), ran.stderr
    assert expected in ran.error
    assert "hunter2" not in ran.error
    assert shop.calls == calls


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("env:HABEAS_TEST_UNSET", "the environment variable HABEAS_TEST_UNSET is not set"),
        ("file:secrets/none", "cannot be read (No such file or directory)"),
        ("hunter2-literal", "must be a reference to a secret, not the secret itself"),
        ("env:HABEAS_TEST_EMPTY", "the secret is empty or has line breaks"),
    ],
)
def test_a_secret_that_cannot_be_had_is_named_and_not_shown(
    value: str, expected: str, shop: Shop, tmp_path: Path, bare: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2: a secret from an unset variable, a missing file, an empty variable; a literal secret is refused."""
    monkeypatch.setenv("HABEAS_TEST_EMPTY", "")
    line, setting = _secret_line(shop)
    path = _change(shop, tmp_path, line, f'{setting} = "{value}"')
    ran = bare("--home", str(shop.home.path), "--config", str(path), "doctor")
    assert ran.code == 2
    assert f".{setting}" in ran.error
    assert expected in ran.error
    assert "hunter2" not in ran.error


def test_a_secret_that_others_can_read_is_refused(own_shop: Shop) -> None:
    """With the command that closes the door."""
    secret = next((own_shop.folder / "secrets").iterdir())
    secret.chmod(0o644)
    ran = own_shop.run("doctor")
    assert ran.code == 2
    assert f"run `chmod 600 {secret}`" in ran.error
    assert secret.read_text() not in ran.error


def test_home_and_configuration_come_from_the_environment(
    shop: Shop, bare: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HABEAS_HOME` and `HABEAS_CONFIG`; without the second, the home's own file, and before it the folder's."""
    monkeypatch.setenv("HABEAS_HOME", str(shop.home.path))
    with monkeypatch.context() as patch:
        patch.setenv("HABEAS_CONFIG", str(shop.config))
        assert bare("case", "list", "--json").json["cases"] is not None
    monkeypatch.chdir(shop.folder)
    assert bare("case", "list").code == 0
    monkeypatch.chdir(shop.home.packages)
    ran = bare("case", "list")
    assert ran.code == 2
    assert str(shop.home.config) in ran.error


# -- init -------------------------------------------------------------------------------------------------------------


def test_init_makes_everything_private_once_and_never_overwrites(tmp_path: Path, bare: Callable[..., Ran]) -> None:
    """A second run changes nothing; the written configuration is what `doctor` then reads."""
    home, config = tmp_path / "home", tmp_path / "etc" / "habeas.toml"
    head = ["--home", str(home), "--config", str(config)]
    old = os.umask(0)
    try:
        ran = bare(*head, "init", "--json")
    finally:
        os.umask(old)
    assert ran.code == 0
    (key,) = (home / "signing").glob("*.pem")
    names = ("keys.db", "vault.db", "audit.db", "suppression.db", f"signing/{key.stem}.pub")
    made = [*(str(home / name) for name in names), str(config)]
    assert ran.json == {"home": str(home), "config": str(config), "made": made}
    assert [Path(path).stat().st_mode & 0o777 for path in (*made, str(key))] == [0o600] * 7
    folders = (home, home / "packages", home / "signing", home / "checkpoints", config.parent)
    assert [path.stat().st_mode & 0o777 for path in folders] == [0o700] * 5
    before = {path: Path(path).read_bytes() for path in made}
    again = bare(*head, "init")
    assert again.code == 0
    assert "nothing was changed" in again.stdout
    assert {path: Path(path).read_bytes() for path in made} == before
    doctor = bare(*head, "doctor")
    assert doctor.code == 2
    assert "the environment variable" in doctor.error


def test_init_does_not_make_a_lost_key_store_anew(own_shop: Shop) -> None:
    """A new one beside an old vault would look like a home, and open nothing."""
    own_shop.home.keys.unlink()
    ran = own_shop.run("init")
    assert ran.code == 1
    assert "keys.db is missing, but vault.db is there; find it, or restore a backup" in ran.error
    assert not own_shop.home.keys.exists()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path, bare: Callable[..., Ran]) -> None:
    """By `init` and all others."""
    path = tmp_path / "file"
    path.write_text("")
    assert bare("--home", str(path), "init").code == 2
    ran = bare("--home", str(path / "below"), "--config", str(tmp_path / "c.toml"), "init")
    assert ran.code == 1
    assert "cannot be made" in ran.error


def test_json_errors_of_every_kind_are_documents(shop: Shop) -> None:
    """From the depth of the program as from its edge."""
    for arguments, code in (
        (["case", "show", "c-none"], 2),
        (["erase", "customer_id=C-100000"], 4),
        (["batch", str(shop.config)], 2),
        (["resume", "c-none"], 2),
    ):
        ran = shop.run(*arguments, "--json")
        assert ran.code == code
        assert ran.json["error"]["exit_code"] == code
        assert json.dumps(ran.json["error"]["message"])[1:-1] in ran.stdout
