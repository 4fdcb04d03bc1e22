"""habeas.toml: what is taken, what is refused, and that no value is ever repeated."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habeas.config import Config, load_config
from habeas.config.load import schema_problems
from habeas.errors import ConfigError

QUICK = settings(deadline=None, max_examples=60)

# The whole example of the public contract.
EXAMPLE = """
[controller]
name = "Example Shop GmbH"
regime = "gdpr"                     # which clock, see standards/deadlines
timezone = "Europe/Berlin"
holidays = "DE-BE"

[identity]                          # who is who: one row per person, one column per identifier kind or connection
csv = "customers.csv"               # email,phone,customer_id,voucherify,talonone,cybersource
# or sqlite = "crm.db" with query = "select … from people where {kind} = :value"; or a plugin's own hook.

[connections.voucherify]
plugin = "voucherify"
base_url = "https://api.voucherify.io"
app_id = "env:VOUCHERIFY_APP_ID"    # secrets are env:NAME, file:PATH or keyring:SERVICE/NAME
app_token = "env:VOUCHERIFY_APP_TOKEN"
# or client_id / client_secret for OAuth (sent as X-App-Id / X-App-Token when asking for a token)

[connections.talonone]
plugin = "talonone"
base_url = "https://example.europe-west1.talon.one"
api_key = "env:TALONONE_API_KEY"
# management_key = "env:TALONONE_MANAGEMENT_KEY"

[connections.cybersource]
plugin = "cybersource"
base_url = "https://api.cybersource.com"
merchant_id = "example_merchant"
auth = "jwt"                        # jwt (shared secret, HS256) | jwt_p12 | http_signature
key_id = "env:CYBERSOURCE_KEY_ID"
shared_secret = "env:CYBERSOURCE_SHARED_SECRET"
# profile_id = "…"                  # jwt_p12: p12 = "file:PATH", p12_password = "env:NAME"

[connections.talonone.limits]       # every connection: optional; defaults come from the plugin
requests_per_second = 20
concurrency = 8

[consent.purposes.marketing_email]  # what a purpose is called at each connection
voucherify = { consent = "cnst_6jQ5XcUOLnj5L7ImQAdBsJ1I", metadata = "consent_marketing_email" }
talonone = { attribute = "ConsentMarketingEmail" }
"""

SHORT = """
[controller]
name = "Shop"
[connections.shop]
plugin = "voucherify"
base_url = "https://api.example.com"
"""

Load = Callable[[str | bytes], Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def write_and_load(content: str | bytes) -> Config:
        path = tmp_path / "habeas.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_config(path)

    return write_and_load


def refusal(load: Load, content: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        load(content)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.line()
    return caught.value.line()


def url(text: str) -> str:
    return SHORT.replace("https://api.example.com", text)


def test_the_contracts_example_is_taken_word_for_word(load: Load, tmp_path: Path) -> None:
    config = load(EXAMPLE)
    assert (config.controller.name, config.controller.regime) == ("Example Shop GmbH", "gdpr")
    assert (config.controller.timezone, config.controller.holidays) == ("Europe/Berlin", "DE-BE")
    assert config.identity is not None
    assert (config.identity.csv, config.identity.sqlite) == (tmp_path / "customers.csv", None)
    assert [c.name for c in config.connections] == ["voucherify", "talonone", "cybersource"]
    voucherify, talonone, cybersource = config.connections
    assert voucherify.settings == {"app_id": "env:VOUCHERIFY_APP_ID", "app_token": "env:VOUCHERIFY_APP_TOKEN"}
    assert talonone.limits == {"requests_per_second": 20, "concurrency": 8}
    assert cybersource.settings["merchant_id"] == "example_merchant"
    assert (cybersource.plugin, cybersource.base_url) == ("cybersource", "https://api.cybersource.com")


def test_the_template_of_init_is_taken(load: Load) -> None:
    template = files("habeas.config").joinpath("template.toml").read_text("utf-8")
    config = load(template)
    assert [c.plugin for c in config.connections] == ["voucherify", "talonone", "cybersource"]
    # What it shows in comments is good too.
    load(
        template.replace("# [policies]", "[policies]")
        .replace("# folder =", "folder =")
        .replace("# erasure =", "erasure =")
    )
    identity = template.replace("# [identity]", "[identity]")
    assert load(identity.replace("# csv =", "csv =")).identity
    assert load(identity.replace("# sqlite =", "sqlite =").replace("# query =", "query =")).identity
    limits = template.replace("# [connections", "[connections").replace("# requests", "requests")
    assert load(limits).connections[1].limits == {"requests_per_second": 20}


def test_what_is_not_said_has_its_default(load: Load, tmp_path: Path) -> None:
    config = load(SHORT)
    assert (config.identity, config.policies, config.default_policy, config.max_wait_seconds) == (None, None, {}, 90.0)
    assert (config.controller.regime, config.controller.timezone) == ("gdpr", "UTC")
    assert config.path == tmp_path / "habeas.toml"


def test_every_optional_setting_is_read(load: Load, tmp_path: Path) -> None:
    config = load(
        SHORT + '[identity]\nsqlite = "crm.db"\nquery = """select *\nfrom p where {kind} = :value"""\n'
        '[policies]\nfolder = "p"\nerasure = "mine"\n[run]\nmax_wait_seconds = 5\n'
    )
    assert config.identity is not None
    assert (config.identity.sqlite, config.identity.csv) == (tmp_path / "crm.db", None)
    assert config.identity.query.startswith("select")
    assert (config.policies, config.default_policy) == (tmp_path / "p", {"erasure": "mine"})
    assert config.max_wait_seconds == 5.0


def test_purposes_fields_and_the_canarys_domain_are_read(load: Load) -> None:
    config = load(
        SHORT + '[connections.shop.fields]\n"customer.metadata.size" = "pd:Size"\n'
        '[consent.purposes.news]\nshop = { metadata = "news" }\n[canary]\ndomain = "canary.shop.example"\n'
    )
    assert config.purposes == {"news": {"shop": {"metadata": "news"}}}
    assert config.connections[0].fields == {"customer.metadata.size": "pd:Size"}
    assert config.connections[0].settings == {}
    assert (config.canary_domain, load(SHORT).canary_domain) == ("canary.shop.example", "canary.invalid")


def test_several_accounts_at_one_vendor_are_several_connections(load: Load) -> None:
    more = SHORT.split("[connections.shop]")[1]
    assert [c.name for c in load(f"{SHORT}[connections.shop-eu_2]{more}").connections] == ["shop", "shop-eu_2"]


def test_a_connection_shows_none_of_its_settings(load: Load) -> None:
    connection = load(SHORT + 'app_token = "s3cret"').connections[0]
    assert repr(connection) == "ConnectionConfig(shop, plugin=voucherify)"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "lacks controller, connections"),
        ('[controller]\nname = "s3cret"\n[connections]\n', "connections"),
        (SHORT.replace('name = "Shop"', ""), "controller lacks name"),
        (SHORT.replace('name = "Shop"', "name = 1"), "controller.name must be text"),
        (SHORT.replace('plugin = "voucherify"', ""), "connections.shop lacks plugin"),
        (SHORT + '[controler]\nname = "s3cret"', "has unknown settings: controler (known: approvals, audit, can"),
        (SHORT + "[run]\nmax_wait = 5", "run has unknown settings: max_wait (known: max_wait_seconds)"),
        (SHORT + "[run]\nmax_wait_seconds = 0", "run.max_wait_seconds"),
        (SHORT + "[run]\nmax_wait_seconds = inf", "run.max_wait_seconds must be a finite number"),
        (SHORT + "[run]\nmax_wait_seconds = nan", "run.max_wait_seconds must be a finite number"),
        (SHORT + "limits = { requests_per_second = nan }", "limits.requests_per_second must be a finite"),
        (SHORT + "limits = { concurrency = 1000 }", "connections.shop.limits.concurrency"),
        (SHORT + "limits = { concurrency = true }", "connections.shop.limits.concurrency must be a whole number"),
        (SHORT + "limits = { retries = 3 }", "connections.shop.limits has unknown settings: retries"),
        (SHORT + '[identity]\nfile = "s3cret"', "identity"),
        (SHORT + "[identity]\n", "identity needs exactly one of: csv; sqlite and query"),
        (SHORT + '[identity]\nsqlite = "s3cret"', "identity needs exactly one of"),
        (SHORT + '[identity]\ncsv = "s3cret"\nsqlite = "s3cret"\nquery = "s3cret"', "identity needs exactly one of"),
        (SHORT + '[identity]\ncsv = "s3cret\\u0000"', "identity.csv may not hold the character 0"),
        (SHORT + 'list = ["ok", "s3cret\\u0000"]', "connections.shop.list.1 may not hold the character 0"),
        (SHORT + '[consent.purposes.news]\nshop = "s3cret"', "consent.purposes.news.shop must be a table"),
        (SHORT + "[consent.purposes.news]\nmail = {}", "consent.purposes.news names mail, which is no connection"),
        (SHORT + "[consent.purposes.shop]\nshop = {}", "consent.purposes.shop has the name of an identifier"),
        (SHORT + "[consent.purposes.email]\nshop = {}", "consent.purposes.email has the name of an identifier"),
        (SHORT + "[consent.purposes.news]\n", "consent.purposes.news"),
        (SHORT.replace("connections.shop", "connections.city"), "a connection cannot be called city"),
        (SHORT + '[canary]\ndomain = "@s3cret"', "canary.domain"),
        (SHORT + '[approvals]\nrequired = "s3cret"', "approvals.required must be true or false"),
        (SHORT + '[approvals]\nvalid = "a s3cret week"', "approvals.valid must be a duration such as"),
        (SHORT + "[approvals]\nmost_people = 0", "approvals.most_people"),
        (SHORT + "[approvals]\nmost_records = 1.5", "approvals.most_records must be a whole number"),
        (SHORT + "[approvals]\nmost = 1", "approvals has unknown settings: most"),
        (SHORT + '[approvals.people]\nBob = "s3cret"', "approvals.people has a name that is not lower-case"),
        (SHORT + "fields = { customer = 1 }", "connections.shop.fields.customer must be text"),
        (SHORT + '[consent]\nnews = "s3cret"', "consent has unknown settings: news"),
        (SHORT.replace("[connections.shop]", "[connections.Shop]"), "connections has a name that is not lower-case"),
        (SHORT.replace("[connections.shop]", '[connections."s h"]'), "connections has a name that is not lower-case"),
        (SHORT.replace('"Shop"', '"Shop"\ntimezone = "Mars/Base"'), "timezone is not a known time zone"),
        (SHORT.replace('"Shop"', '"Shop"\ntimezone = "../../etc/passwd"'), "timezone is not a known time zone"),
        (SHORT.replace('"Shop"', '"Shop"\ntimezone = "Europe"'), "timezone is not a known time zone"),
        (SHORT.replace('"Shop"', '"Shop"\ntimezone = ""'), "timezone is not a known time zone"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_by_its_place_and_never_by_its_value(load: Load, content: str, why: str) -> None:
    line = refusal(load, content)
    assert why in line
    assert "s3cret" not in line


@pytest.mark.parametrize(
    "name", ["email", "phone", "customer_id", "type", "received_at", "regime", "reference"]
)  # fmt: skip
def test_a_connection_is_not_called_as_an_identifier_or_a_column_is(load: Load, name: str) -> None:
    assert f"cannot be called {name}" in refusal(load, SHORT.replace("[connections.shop]", f"[connections.{name}]"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (SHORT + "[connections.shop]\n", "is not TOML: Cannot declare"),
        (SHORT + 'plugin = "s3cret"', "is not TOML: Cannot overwrite a value"),
        (SHORT + "app_token = s3cret", "is not TOML: Invalid value (at line 7"),
        (SHORT + 'app_token = "s3cret', "is not TOML"),
        ("[controller", "is not TOML"),
        (SHORT + f"n = {'9' * 5000}", "is not TOML: a number too long"),
        (SHORT + f"n = {'[' * 5000}", "is not TOML"),
        (b"\xff\xfe[\0c\0", "is not UTF-8"),
        (SHORT.encode() + b'token = "s3cret\xe9"', "is not UTF-8"),
        (b"#" * (1024 * 1024 + 1), "is larger than 1048576 bytes"),
    ],
    ids=lambda v: ascii(v)[-20:],
)
def test_text_that_is_not_toml_is_told_without_repeating_it(load: Load, content: str | bytes, why: str) -> None:
    line = refusal(load, content)
    assert why in line
    assert "s3cret" not in line


def test_a_byte_order_mark_is_fine(load: Load) -> None:
    assert load(b"\xef\xbb\xbf" + SHORT.encode()).controller.name == "Shop"


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match="larger than"):
        load_config(Path(os.devnull).with_name("zero"))


def test_a_missing_file_and_a_folder_are_told_with_the_way_on(tmp_path: Path) -> None:
    for path in (tmp_path / "habeas.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            load_config(path)
        assert "habeas init" in caught.value.advice


GOOD_URLS = [
    "https://api.example.com", "https://api.example.com/", "https://api.example.com:8443/base/v1",
    "HTTPS://API.example.com",
    "http://127.0.0.1:9000", "http://localhost:9000/x", "http://[::1]:9000", "http://127.8.9.1", "https://10.0.0.8",
    "https://xn--bcher-kva.example", "https://my_host:1", "https://h/a.b~c_d-e",
]  # fmt: skip


@pytest.mark.parametrize("address", GOOD_URLS)
def test_https_and_http_on_loopback_are_taken_as_they_are(load: Load, address: str) -> None:
    assert load(url(address)).connections[0].base_url == address


@pytest.mark.parametrize(
    "address",
    [
        "http://api.example.com", "http://10.0.0.8", "http://0.0.0.0", "http://169.254.169.254", "http://127.1",
        "http://2130706433", "http://0x7f000001", "http://localhost.example.com", "http://127.0.0.1.nip.io",
        "http://[2001:db8::1]", "http://[::]", "http://metadata.google.internal", "HTTP://api.example.com",
    ],
)  # fmt: skip
def test_plain_http_beyond_loopback_is_refused(load: Load, address: str) -> None:
    assert "must be https" in refusal(load, url(address))


@pytest.mark.parametrize(
    "address",
    [
        "https://user:s3cret@api.example.com", "https://s3cret@api.example.com", "https://@api.example.com",
        "https://api.example.com?s3cret=1", "https://api.example.com?", "https://api.example.com/#s3cret", "https://a#",
        "https://good.example\\\\@evil.example",
    ],
)  # fmt: skip
def test_credentials_query_and_fragment_in_a_url_are_refused(load: Load, address: str) -> None:
    line = refusal(load, url(address))
    assert "may hold no user, password, query or fragment" in line
    assert "s3cret" not in line


@pytest.mark.parametrize(
    "address",
    [
        "", "api.example.com", "https://", "https:///x", "ftp://h", "file:///etc/passwd", "gopher://h", "javascript:1",
        "https://h:0", "https://h:65536", "https://h:", "https://h:-1", "https://h:8a", "https://[::1", "https://::1",
        "https://.",
        "https://h/..", "https://h/../x", "https://h/.", "https://h//x", "https://h/%2e%2e/x", "https://h/a;b",
        "https://h/a b",
        "https://h\\r\\nX: s3cret", "https://h\\texample", "https://h.", "https:\\\\\\\\h", "https://b\u00fccher.example",
        "https://h\u3002example", "https://h/\u00e9", " https://h", "https://h ", "https://-h", "https://h\\n",
        "http://localhost.", "http://[::ffff:127.0.0.1%25eth0]",
    ],
)  # fmt: skip
def test_what_parsers_read_differently_is_refused(load: Load, address: str) -> None:
    line = refusal(load, url(address))
    assert "base_url" in line
    assert "s3cret" not in line


@QUICK
@given(st.text(max_size=30))
def test_a_refused_value_is_never_in_the_problem(value: str) -> None:
    schema = {"properties": {"token": {"pattern": "^env:", "maxLength": 3, "enum": ["env:"]}}, "required": ["token"]}
    for problem in schema_problems({"token": f"s3cret{value}"}, schema):
        assert problem.startswith("token ")
        assert "s3cret" not in problem


def test_every_problem_is_one_line_with_its_place() -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "additionalProperties": False,
        "properties": {
            "b": {"enum": ["x", "y"]}, "c": {"type": ["string", "null"]}, "d": {"oneOf": [{"type": "string"}, False]},
        },
    }  # fmt: skip
    assert list(schema_problems({"b": "z", "c": 1, "d": 1, "e": 1}, schema)) == [
        "the file lacks a",
        "the file has unknown settings: e (known: b, c, d)",
        "b must be one of x, y",
        "c must be text or null",
        "d breaks the rule oneOf = [{'type': 'string'}, False]",
    ]
