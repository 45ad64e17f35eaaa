"""[deployments.NAME.alerting] and [alerts.NAME]: what may stand there, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tidemill.core.alerting import sink_settings
from tidemill.core.errors import SettingsError
from tidemill.core.sections import one_deployment
from tidemill.core.settings import read_settings

MAIL = {"kind": "email", "host": "mail.example.org", "sender": "a@example.org", "to": ["b@example.org"]}


def nowhere(_: str) -> None:
    return None


def test_defaults_are_one_false_alarm_a_month_and_two_of_three_windows() -> None:
    found = one_deployment("churn", {}).alerting

    assert (found.false_alarms_per_month, found.breaches, found.of_windows) == (1.0, 2, 3)


def test_more_breaches_than_windows_are_refused() -> None:
    with pytest.raises(SettingsError, match="breaches is 4, and of_windows only 3"):
        one_deployment("churn", {"alerting": {"breaches": 4}})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "needs a kind"),
        ({"kind": "pager"}, "must be one of"),
        ({"kind": "email", "host": "x", "sender": "a@b.c"}, r"\(email\) needs to"),
        ({"kind": "webhook"}, r"needs url or url_file"),
        ({"kind": "webhook", "url": "ftp://x"}, "must begin with http"),
        ({"kind": "webhook", "url": "https://user:pw@x"}, "must not hold a user or a password"),
        ({"kind": "log", "url": "https://x"}, "nothing that a sink of kind log has"),
        ({"kind": "log", "send": ["opend"]}, "opend is nothing that is sent"),
        ({"kind": "slack", "url": "https://hooks.slack.com/services/T/B/x"}, "url is a secret in plain text"),
        ({"kind": "webhook", "url": "https://x", "secret": "abc"}, "secret is a secret in plain text"),
        ({**MAIL, "password": "abc"}, "password is a secret in plain text"),
        ({**MAIL, "port": 0}, "between 1 and 65535"),
    ],
)
def test_what_a_sink_may_not_say(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        sink_settings({"ops": given}, nowhere)


def test_the_text_of_a_secret_stands_in_no_message() -> None:
    with pytest.raises(SettingsError) as caught:
        sink_settings({"ops": {"kind": "webhook", "url": "https://x", "secret": "abcdef"}}, nowhere)

    assert "abcdef" not in caught.value.render()


def test_the_line_of_a_refused_secret_is_not_shown_either(tmp_path: Path) -> None:
    lines = ["[alerts.ops]", 'kind = "webhook"', 'url = "https://x"', 'secret = "abcdef"']
    (tmp_path / "tidemill.toml").write_text("\n".join(lines))

    with pytest.raises(SettingsError) as caught:
        read_settings(tmp_path)

    assert "tidemill.toml:4" in caught.value.render()
    assert "abcdef" not in caught.value.render()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("owner", "two\nlines", "one line"),
        ("owner", "x" * 201, "at most 200"),
        ("owner", " ada", "without blanks"),
        ("owner", "ada, password=abcdef", "holds a secret"),
        ("runbook", "wiki/churn", "must be an address"),
        ("runbook", "javascript:alert(1)", "must be an address"),
        ("runbook", "https://", "must be an address"),
        ("runbook", "https://x:0/", "must be an address"),
        ("runbook", "https://x:port/", "must be an address"),
        ("runbook", "https://[x/", "must be an address"),
        ("runbook", 'https://x/"><script>', "must be an address"),
        ("runbook", "${RUNBOOK}", "must be an address"),
        ("runbook", "https://x/" + "a" * 2_000, "must be an address"),
        ("runbook", "https://ada:abcdef@x/", "holds a user or a password"),
        ("runbook", "https://x/a?token=abcdef", r"holds a secret \(token\)"),
        ("runbook", "https://x/a#/page?access_token=abcdef", r"holds a secret \(access_token\)"),
        ("runbook", "https://hooks.slack.com/services/abcdef", "holds the address of a Slack hook"),
    ],
)
def test_owner_and_runbook_are_plain_and_hold_no_secret(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=rf"monitor\.{name} .*{said}") as caught:
        one_deployment("churn", {"monitor": {name: value}})

    assert "abcdef" not in caught.value.render()


def test_owner_and_runbook_may_be_what_people_write() -> None:
    address = "https://wiki.example.org:8443/runbooks/churn?page=1&key=OPS-1#first-steps"

    found = one_deployment("churn", {"monitor": {"owner": "Équipe données, #churn", "runbook": address}}).monitor

    assert (found.owner, found.runbook) == ("Équipe données, #churn", address)


def test_variables_and_files_are_where_secrets_come_from() -> None:
    found = sink_settings({"team": {"kind": "slack", "url": "${SLACK}"}, "mail": MAIL}, nowhere)

    assert found["team"].url == "${SLACK}"
    assert found["mail"].tls == "starttls"


@pytest.mark.parametrize(
    ("setting", "address"),
    [
        ("to", "notanaddress"),
        ("to", "a@b.c, d@e.f"),
        ("to", "@example.org"),
        ("to", "Team <team>"),
        ("sender", "me at example.org"),
    ],
)
def test_an_address_that_no_mail_can_go_to_is_refused_with_its_line(tmp_path: Path, setting: str, address: str) -> None:
    lines = {"kind": "'email'", "host": "'mail'", "sender": "'a@b.c'", "to": "['b@example.org']"}
    lines |= {setting: f"['{address}']" if setting == "to" else f"'{address}'"}
    text = "".join(f"{key} = {value}\n" for key, value in lines.items())
    (tmp_path / "tidemill.toml").write_text(f"[alerts.team]\n{text}")

    with pytest.raises(SettingsError) as caught:
        read_settings(tmp_path)

    assert caught.value.message == f"alerts.team.{setting}: {address!r} is no address of e-mail"
    assert caught.value.where is not None
    assert caught.value.where.text.startswith(f"{setting} = ")


@pytest.mark.parametrize("address", ["root@localhost", "The team <team@example.org>", "jörg.o'neil+a@exämple.org"])
def test_an_address_is_taken_as_mail_programs_write_it(address: str) -> None:
    assert sink_settings({"team": {**MAIL, "to": [address]}}, nowhere)["team"].to == (address,)
