"""What tidemill.toml says of alerts: ``[deployments.NAME.alerting]`` (when) and ``[alerts.NAME]`` (where they go)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tidemill.core.entries import Entry, Place, section_values
from tidemill.core.errors import SettingsError, Where
from tidemill.core.names import did_you_mean
from tidemill.core.secrets import hidden_place, is_variable

ALERTING: tuple[Entry, ...] = (
    Entry(
        name="false_alarms_per_month",
        default=1.0,
        low=0.001,
        high=1_000,
        doc="How many alerts a month are accepted although nothing is wrong. Fewer means that trouble is seen later.",
    ),
    Entry(
        name="breaches",
        default=2,
        low=1,
        high=12,
        doc="How many of the newest windows must be beyond the threshold. Broken contracts, errors, silence need one.",
    ),
    Entry(
        name="of_windows", default=3, low=1, high=12, doc="Among how many of the newest windows these are looked for."
    ),
    Entry(
        name="quiet_windows",
        default=3,
        low=1,
        high=100,
        doc="Windows without a breach after which an alert is resolved; twice as many each time it came back.",
    ),
    Entry(
        name="cool_down",
        default="1 day",
        span=True,
        doc="What comes back within this time after it was resolved is the same alert.",
    ),
)

HAPPENINGS = ("opened", "widened", "worsened", "reopened", "resolved")
"""What happens to an alert that can be sent."""

SINK: tuple[Entry, ...] = (
    Entry(name="kind", default="", doc="Which kind of place it is: one of those below; it must be said."),
    Entry(name="deployments", default=(), doc="Only alerts of these deployments, which must exist; all when left out."),
    Entry(name="send", default=HAPPENINGS, doc="What is sent: opened, widened, worsened, reopened, resolved."),
    Entry(
        name="timeout_seconds",
        default=10.0,
        low=0.1,
        high=120,
        doc="How long one message may take before it is tried anew.",
    ),
    Entry(
        name="file",
        default="",
        doc="log: the file, seen from the project's folder; .tidemill/alerts.log when left out.",
    ),
    Entry(name="url", default="", doc="webhook, slack: where to; `${NAME}` is taken from the environment."),
    Entry(
        name="url_file", default="", doc="slack, webhook: a file of mode 0600 with the URL, which is a secret itself."
    ),
    Entry(name="secret", default="", doc="webhook: the key that messages are signed with, as `${NAME}`."),
    Entry(name="secret_file", default="", doc="webhook: a file of mode 0600 with that key."),
    Entry(name="host", default="", doc="email: the SMTP server."),
    Entry(name="port", default=587, low=1, high=65_535, doc="email: its port."),
    Entry(
        name="tls",
        default="starttls",
        choices=("starttls", "tls", "none"),
        doc="email: starttls begins in the clear and refuses to go on so, tls is encrypted from the start.",
    ),
    Entry(name="user", default="", doc="email: who logs in; nobody when left out."),
    Entry(name="password", default="", doc="email: the password, as `${NAME}`."),
    Entry(name="password_file", default="", doc="email: a file of mode 0600 with the password."),
    Entry(name="sender", default="", doc="email: the address it is from."),
    Entry(name="to", default=(), doc="email: the addresses it goes to."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkKind:
    """A kind of place that alerts go to.

    Parameters
    ----------
    needs
        Settings that it cannot do without; of several names in one, any will do.
    takes
        Settings that it has besides.
    """

    name: str
    doc: str
    needs: tuple[str, ...]
    takes: tuple[str, ...] = ()


SINK_KINDS: tuple[SinkKind, ...] = (
    SinkKind(name="log", doc="A file, one JSON object a line.", needs=(), takes=("file",)),
    SinkKind(
        name="email",
        doc="E-mail by SMTP: the text, the same as HTML, and the chart.",
        needs=("host", "sender", "to"),
        takes=("port", "tls", "user", "password", "password_file"),
    ),
    SinkKind(
        name="webhook",
        doc="An HTTP server that gets JSON, signed as Standard Webhooks are.",
        needs=("url|url_file",),
        takes=("secret", "secret_file"),
    ),
    SinkKind(name="slack", doc="Slack, or what takes its incoming webhooks.", needs=("url|url_file",)),
)

_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+|[^<>\r\n]*<[^\s@<>,;]+@[^\s@<>,;]+>")

_COMMON = ("kind", "deployments", "send", "timeout_seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingSettings:
    """``[deployments.NAME.alerting]``, checked."""

    false_alarms_per_month: float
    breaches: int
    of_windows: int
    quiet_windows: int
    cool_down: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSettings:
    """``[alerts.NAME]``, checked. Secrets stand in none of its fields: they are read when a message is sent."""

    name: str
    kind: str
    deployments: tuple[str, ...]
    send: tuple[str, ...]
    timeout_seconds: float
    file: str
    url: str
    url_file: str
    secret: str
    secret_file: str
    host: str
    port: int
    tls: str
    user: str
    password: str
    password_file: str
    sender: str
    to: tuple[str, ...]
    deployments_at: Where | None = None


def alerting_settings(path: str, values: Mapping[str, Any], place: Place) -> AlertingSettings:
    """The settings of one deployment, from the checked values of its rows."""
    settings = AlertingSettings(**values)
    if settings.breaches > settings.of_windows:
        raise SettingsError(
            f"{path}.alerting.breaches is {settings.breaches}, and of_windows only {settings.of_windows}",
            where=place(f"{path}.alerting.breaches") or place(f"{path}.alerting.of_windows"),
        )
    return settings


def sink_settings(given: Any, place: Place) -> dict[str, SinkSettings]:
    """Check ``[alerts]``: one table a sink, in the order of the file.

    Raises
    ------
    SettingsError
        A setting is unknown, missing, of another kind of sink, or a secret in plain text.
    """
    if not isinstance(given, Mapping):
        raise SettingsError("alerts must be tables: [alerts.NAME]", where=place("alerts"))
    return {name: _sink(name, section, place) for name, section in given.items()}


def _sink(name: str, given: Any, place: Place) -> SinkSettings:
    path = f"alerts.{name}"
    values = section_values(path, given, SINK, place)
    kinds = {kind.name: kind for kind in SINK_KINDS}
    if values["kind"] not in kinds:
        said = f"{path}.kind must be one of {', '.join(kinds)}; got {values['kind']!r}"
        missing = f"{path} needs a kind: one of {', '.join(kinds)}"
        where = place(f"{path}.kind") or place(path)
        raise SettingsError(said if values["kind"] else missing, where=where, hint=did_you_mean(values["kind"], kinds))
    kind = kinds[values["kind"]]
    needs = [names.split("|") for names in kind.needs]
    known = {*_COMMON, *kind.takes, *(one for names in needs for one in names)}
    for key in given:
        if key not in known:
            raise SettingsError(
                f"{path}.{key} is nothing that a sink of kind {kind.name} has",
                where=place(f"{path}.{key}"),
                hint=did_you_mean(key, known),
            )
    for names in needs:
        if not any(values[one] for one in names):
            raise SettingsError(f"{path} ({kind.name}) needs {' or '.join(names)}", where=place(path))
    unknown = [one for one in values["send"] if one not in HAPPENINGS]
    if unknown:
        raise SettingsError(
            f"{path}.send: {unknown[0]} is nothing that is sent",
            where=place(f"{path}.send"),
            hint=did_you_mean(unknown[0], HAPPENINGS) or f"known: {', '.join(HAPPENINGS)}",
        )
    for key in ("sender", "to"):
        _check_addresses(f"{path}.{key}", [values[key]] if key == "sender" else values[key], place)
    _check_secrets(path, values, place)
    return SinkSettings(name=name, deployments_at=place(f"{path}.deployments"), **values)


def _check_addresses(path: str, addresses: Iterable[str], place: Place) -> None:
    for address in addresses:
        if address and not _ADDRESS.fullmatch(address):
            raise SettingsError(
                f"{path}: {address!r} is no address of e-mail",
                where=place(path),
                hint="such as 'team@example.org', or 'The team <team@example.org>'",
            )


def _check_secrets(path: str, values: Mapping[str, Any], place: Place) -> None:
    """A file of settings is read by many, and kept by git for ever: no secret stands in it."""
    url = values["url"]
    if url and not is_variable(url):
        if not url.startswith(("http://", "https://")):
            raise SettingsError(f"{path}.url must begin with http:// or https://", where=place(f"{path}.url"))
        if "@" in url.partition("://")[2].partition("/")[0]:
            where = hidden_place(place(f"{path}.url"))
            raise SettingsError(f"{path}.url must not hold a user or a password", where=where)
    # Whoever has the address of a Slack hook can write to the channel.
    secret = [one for one in ("secret", "password") if values[one] and not is_variable(values[one])]
    secret += ["url"] if url.startswith("https://hooks.slack.com/") else []
    if secret:
        name = secret[0]
        raise SettingsError(
            f"{path}.{name} is a secret in plain text",
            where=hidden_place(place(f"{path}.{name}")),
            hint=f"write {name} = '${{NAME}}' and export NAME, or name a file with mode 0600: {name}_file = '...'",
        )
