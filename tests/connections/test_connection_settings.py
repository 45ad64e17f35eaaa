"""[connections.NAME] in tidemill.toml: what is taken, what is refused, and that no secret is shown."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from tidemill.core.addresses import address_of
from tidemill.core.connections import KINDS, find_kind
from tidemill.core.errors import SettingsError
from tidemill.core.secrets import scrub
from tidemill.core.settings import Settings, read_settings
from tidemill.warehouse.duckdb.attach import ATTACH, SERVERS
from tidemill.warehouse.duckdb.instance import extension_path


def settings(root: Path, text: str, **environment: str) -> Settings:
    (root / "tidemill.toml").write_text(text)
    return read_settings(root, environment)


def test_every_kind_with_tables_has_a_way_to_be_opened() -> None:
    assert set(ATTACH) == {kind.name for kind in KINDS if kind.tables}
    assert set(SERVERS) <= set(ATTACH)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_form_of_a_url_in_the_documentation_is_one(kind: object) -> None:
    assert find_kind(kind.form) is kind  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('url = "postgresql://ann:hunter2@db/shop"', "has a password in plain text"),
        ('url = "postgresql://db/shop?password=hunter2"', "has a password in plain text"),
        ('url = "mysql://ann:hunter2${X}@db/shop"', "has a password in plain text"),
        ('url = "s3://bucket"\nsecret = "hunter2"', "is a secret in plain text"),
        ('url = "s3://bucket"\nsession_token = "hunter2"', "is a secret in plain text"),
        ('url = "postgresql://db/shop"\npassword = "hunter2"', "unknown setting connections.crm.password"),
        ('url = "oracle://db?x=hunter2"', "begins with 'oracle'"),
        ('url = "postgresql://ann:hunter2@db/shop"\nendpoint = "x"', "has a password in plain text"),
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, f"[connections.crm]\n{line}\n")
    assert words in caught.value.message
    assert "hunter2" not in caught.value.render() + str(caught.value.as_json())
    assert caught.value.where is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[connections."a b"]\nurl = "sqlite:///x"', "cannot be the name of a connection"),
        ('[connections.main]\nurl = "sqlite:///x"', "means something else"),
        ('[connections.tidemill_x]\nurl = "sqlite:///x"', "means something else"),
        ('[connections.a]\nurl = "sqlite:///x"\n[connections.A]\nurl = "sqlite:///x"', "differ only in case"),
        ("[connections.a]\n", "connections.a.url is missing"),
        ('[connections.a]\nurl = "x"', "is not a URL"),
        ('[connections.a]\nurl = "sqlite:///x"\nregion = "x"', "connections.a.region is for s3 only"),
        ('[connections.a]\nurl = "sqlite:///x"\nchanges = "checksum"', "no server computes a checksum"),
        ('[connections.a]\nurl = "sqlite:///x"\nchanges = "sometimes"', "must be one of"),
        ("connections = 1", "must be tables"),
        ("[connections]\na = 1", "must be a table"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        settings(tmp_path, text + "\n")


@pytest.mark.parametrize(
    ("url", "environment", "expected"),
    [
        ("postgresql://ann@db.example.org/shop", {}, ("db.example.org", None, "ann", "", "shop")),
        ("postgresql://${U}:${P}@${H}:${N}/${D}", {"U": "a@b", "P": "p/w:@", "H": "h", "N": "5", "D": "d"},
         ("h", 5, "a@b", "p/w:@", "d")),
        ("mysql://a%40b:${P}@h/d", {"P": "p%41"}, ("h", None, "a@b", "p%41", "d")),
        ("${URL}", {"URL": "postgres://a:p%2Fw@h:5/d?sslmode=require"}, ("h", 5, "a", "p/w", "d")),
        ("postgresql://[::1]:5/d", {}, ("::1", 5, "", "", "d")),
        ("postgresql:///d", {}, ("", None, "", "", "d")),
    ],
)  # fmt: skip
def test_a_url_is_taken_apart(
    tmp_path: Path, url: str, environment: dict[str, str], expected: tuple[str, int | None, str, str, str]
) -> None:
    found = settings(tmp_path, f'[connections.crm]\nurl = "{url}"\n', **environment).connections["crm"]
    address = address_of(found, tmp_path, environment)
    assert (address.host, address.port, address.user, address.password, address.database) == expected
    assert all(secret not in repr(address) for secret in address.secrets)


def test_a_variable_that_is_not_set_is_named_when_it_is_needed(tmp_path: Path) -> None:
    found = settings(tmp_path, '[connections.crm]\nurl = "postgresql://a:${CRM_PW}@h/d"\n').connections["crm"]
    with pytest.raises(SettingsError, match=r"takes \$\{CRM_PW\}, and there is no such variable"):
        address_of(found, tmp_path, {})


@pytest.mark.parametrize(
    "text",
    [
        "could not connect: host=h password=hunter2 user=a",
        "could not connect: host=h password='hunter2 x'",
        "postgresql://a:hunter2@h/d is wrong",
        "it said hunter2",
        'passwd="hunter2"',
    ],
)
def test_secrets_are_taken_out_of_what_drivers_say(text: str) -> None:
    assert "hunter2" not in scrub(text, ["hunter2"] if "said" in text else [])


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb_extension_mysql_scanner", None)
    with pytest.raises(SettingsError) as caught:
        extension_path.__wrapped__("mysql_scanner", extra="mysql")
    assert caught.value.hint == "pip install 'tidemill[mysql]'"


def test_every_extra_of_a_kind_brings_its_extension() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    for kind in KINDS:
        wanted = f"duckdb-extension-{kind.extension.replace('_', '-')}=="
        told = project["optional-dependencies"][kind.extra] if kind.extra else project["dependencies"]
        assert not kind.extension or any(one.startswith(wanted) for one in told)
