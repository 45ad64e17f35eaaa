"""[deployments.NAME.alerting] and [alerts.NAME]: what may stand there, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tidemill.core.alerting import sink_settings
from tidemill.core.errors import SettingsError
from tidemill.core.sections import one_deployment

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


def test_variables_and_files_are_where_secrets_come_from() -> None:
    found = sink_settings({"team": {"kind": "slack", "url": "${SLACK}"}, "mail": MAIL}, nowhere)

    assert found["team"].url == "${SLACK}"
    assert found["mail"].tls == "starttls"
