"""The section ``[deployments.NAME.monitor]`` of tidemill.toml: what is watched of a deployment's answers, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from tidemill.core.entries import Entry, Place
from tidemill.core.errors import SettingsError
from tidemill.core.secrets import hidden_place, scrub, secret_in_url

LEAST_WINDOW = timedelta(minutes=1)
WEEK = timedelta(days=7)
LONGEST_OWNER = 200
LONGEST_RUNBOOK = 2_000

MONITOR: tuple[Entry, ...] = (
    Entry(name="enabled", default=True, doc="Whether the deployment is watched."),
    Entry(
        name="window",
        default="1 day",
        span=True,
        doc="How long a window is. Windows begin at multiples of it since 1970, in UTC: days at midnight, weeks on "
        "Thursdays.",
    ),
    Entry(
        name="wait",
        default="10 minutes",
        span=True,
        doc="How long after its end a window is measured: answers may still be on their way into the log.",
    ),
    Entry(
        name="season",
        default="",
        span=True,
        doc="How far back the same period before is, a multiple of the window: answers of a Sunday are compared with "
        "those of the Sunday before. '' is a week where windows fit into one, else the window before.",
    ),
    Entry(name="columns", default=(), doc="Features that are watched; all when left out."),
    Entry(name="ignore", default=(), doc="Features that are not watched: those that move on by themselves."),
    Entry(
        name="slices",
        default=(),
        doc="Features, or other columns that callers send with their rows, whose values each get a quality of their "
        "own. The log keeps such other columns once a server was started with this setting.",
    ),
    Entry(
        name="min_rows",
        default=100,
        low=1,
        doc="Columns, predictions and quality of windows with fewer answers than this are not judged. What does "
        "not hang on many rows always is: contract breaks, errors, latency, traffic, age.",
    ),
    Entry(name="slice_min_rows", default=200, low=1, doc="Slices with fewer labelled answers are not judged."),
    Entry(
        name="metric",
        default="",
        doc="The metric of quality that is judged; that of the gates, or roc_auc, accuracy or mean_absolute_error, "
        "when left out.",
    ),
    Entry(
        name="quality_margin",
        default=0.03,
        low=0,
        high=1,
        doc="How much worse than on the held-out rows is no worse: absolute for scores in [0, 1], relative for errors.",
    ),
    Entry(
        name="mature",
        default=0.95,
        low=0.01,
        high=1,
        doc="The share of a window's labels that must be there before its quality is judged.",
    ),
    Entry(
        name="max_outside",
        default=0.01,
        low=0,
        high=1,
        doc="Largest share of a number's values far outside the range of training before that counts as a break.",
    ),
    Entry(name="max_new_share", default=0.01, low=0, high=1, doc="Largest share of texts that training never saw."),
    Entry(
        name="max_missing_change",
        default=0.05,
        low=0,
        high=1,
        doc="How far the share of missing values may move from that of training.",
    ),
    Entry(
        name="max_age", default="", span=True, doc="How old the champion may be, since its training; '' for any age."
    ),
    Entry(
        name="max_latency_ms",
        default=1_000.0,
        low=0.01,
        doc="Largest 99th percentile of the time an answer takes, in milliseconds.",
    ),
    Entry(
        name="max_error_share",
        default=0.01,
        low=0,
        high=1,
        doc="Largest share of requests that fail or are answered by the fallback, and of those that are refused "
        "because their rows are none that the model takes.",
    ),
    Entry(
        name="min_traffic",
        default=0.2,
        low=0,
        high=1,
        doc="Fewer answers than this share of the same period before are too few; in the first season, of the median "
        "of the latest windows (and of the same time a day before). 0 only minds none at all.",
    ),
    Entry(
        name="owner",
        default="",
        doc="Who looks after the deployment, as people there call them; it stands in each alert and message.",
    ),
    Entry(
        name="runbook",
        default="",
        doc="The address (http or https) of the page that says what to do; it stands in each alert and message.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """``[deployments.NAME.monitor]``, checked."""

    enabled: bool
    window: timedelta
    wait: timedelta
    season: timedelta
    columns: tuple[str, ...]
    ignore: tuple[str, ...]
    slices: tuple[str, ...]
    min_rows: int
    slice_min_rows: int
    metric: str
    quality_margin: float
    mature: float
    max_outside: float
    max_new_share: float
    max_missing_change: float
    max_age: timedelta
    max_latency_ms: float
    max_error_share: float
    min_traffic: float
    owner: str
    runbook: str


def monitor_settings(path: str, values: Mapping[str, Any], place: Place) -> MonitorSettings:
    """The settings of one deployment, from the checked values of its rows."""
    settings = MonitorSettings(**values)
    _check_owner(f"{path}.monitor.owner", settings.owner, place)
    _check_runbook(f"{path}.monitor.runbook", settings.runbook, place)
    if settings.window < LEAST_WINDOW:
        raise SettingsError(f"{path}.monitor.window must be a minute or more", where=place(f"{path}.monitor.window"))
    if not settings.season:
        settings = replace(settings, season=settings.window if WEEK % settings.window else WEEK)
    if settings.season < settings.window or settings.season % settings.window:
        raise SettingsError(
            f"{path}.monitor.season must be a multiple of the window",
            where=place(f"{path}.monitor.season") or place(f"{path}.monitor.window"),
            hint="the window's own length compares each with the one before",
        )
    return settings


def _check_owner(path: str, owner: str, place: Place) -> None:
    """A name goes into the lines of messages: it is one line, and no secret."""
    if len(owner) > LONGEST_OWNER or not owner.isprintable() or owner != owner.strip():
        raise SettingsError(
            f"{path} must be one line of at most {LONGEST_OWNER} characters, without blanks around it",
            where=place(path),
        )
    if scrub(owner) != owner:
        raise SettingsError(f"{path} holds a secret, and goes into every message", where=hidden_place(place(path)))


def _check_runbook(path: str, runbook: str, place: Place) -> None:
    """An address goes to every sink as it is: it leads to a page, and opens nothing by itself."""
    if not runbook:
        return
    if secret := secret_in_url(runbook):
        raise SettingsError(
            f"{path} holds {secret}, and goes into every message",
            where=hidden_place(place(path)),
            hint="name the address of the page alone; whoever opens it logs in there",
        )
    try:
        parts = urlsplit(runbook)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    plain = runbook.isprintable() and not any(character in ' <>"${}|' for character in runbook)
    if not good or not plain or len(runbook) > LONGEST_RUNBOOK:
        raise SettingsError(
            f"{path} must be an address that begins with https:// or http://; got {runbook[:80]!r}",
            where=place(path),
            hint="such as https://wiki.example.org/runbooks/churn; nothing is taken from the environment",
        )
