"""The sections of tidemill.toml that say how models answer: ``[server]`` and ``[deployments.NAME]`` with its parts.

Like `core.settings`, one row per thing to set; validation, messages and docs are made from the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.core.alerting import ALERTING, AlertingSettings, alerting_settings
from tidemill.core.entries import Entry, Place, section_values
from tidemill.core.errors import SettingsError, Where
from tidemill.core.labels import LABEL_COLUMNS, LABELS, LabelSettings, label_settings
from tidemill.core.monitor import MONITOR, MonitorSettings, monitor_settings
from tidemill.core.names import name_key
from tidemill.core.retrain import RETRAIN, RetrainSettings, retrain_settings

SERVER: tuple[Entry, ...] = (
    Entry(
        name="auth",
        default="auto",
        choices=("auto", "always"),
        doc="Ask for a token: auto asks once the server is bound beyond loopback.",
    ),
    Entry(
        name="hosts",
        default=(),
        doc="Host names that requests may be addressed to, besides the address it is bound to.",
    ),
    Entry(name="origins", default=(), doc="Origins whose browser pages may send requests; none by default."),
    Entry(
        name="max_body_bytes", default=16_777_216, low=1_024, high=1_073_741_824, doc="Largest request body, in bytes."
    ),
    Entry(name="max_rows", default=10_000, low=1, high=10_000_000, doc="Most rows in one request."),
    Entry(
        name="deadline_ms",
        default=10_000,
        low=1,
        high=600_000,
        doc="How long a request may take unless it says so itself, in milliseconds.",
    ),
    Entry(
        name="queue",
        default=256,
        low=1,
        high=100_000,
        doc="Requests that may be in work or waiting at a worker; the next one is answered 429.",
    ),
    Entry(
        name="drain_seconds",
        default=10.0,
        low=0,
        high=600,
        doc="How long requests in work may take to end after SIGTERM, in seconds.",
    ),
    Entry(
        name="settle_seconds",
        default=2.0,
        low=0,
        high=120,
        doc="How long after SIGTERM the server goes on answering while it says that it is not ready, in seconds.",
    ),
    Entry(
        name="idempotency_hours",
        default=24,
        low=1,
        high=720,
        doc="How long the answer to an Idempotency-Key is kept, in hours.",
    ),
)

DEPLOYMENT: tuple[Entry, ...] = (
    Entry(name="model", default="", doc="The model that answers; the deployment's own name when left out."),
    Entry(
        name="key",
        default="",
        doc="The column that names the entity: it decides which of two versions answers, and joins labels.",
    ),
    Entry(
        name="log",
        default="buffered",
        choices=("buffered", "durable", "off"),
        doc="buffered survives the death of the process, durable a power loss too; off keeps no log.",
    ),
    Entry(
        name="fallback",
        default=None,
        doc="The answer while no version can give one, or while the deployment is stopped.",
    ),
    Entry(name="hash_columns", default=(), doc="Columns whose values the prediction log holds only as keyed digests."),
    Entry(name="omit_columns", default=(), doc="Columns whose values the prediction log leaves out."),
)

GATES: tuple[Entry, ...] = (
    Entry(
        name="metric",
        default="",
        doc="The metric that versions are compared by; roc_auc, accuracy or mean_absolute_error when left out.",
    ),
    Entry(
        name="margin",
        default=0.01,
        low=0,
        high=1,
        doc="How much worse than the champion is no worse: absolute for scores in [0, 1], relative for errors.",
    ),
    Entry(name="confidence", default=0.95, low=0.5, high=0.9999, doc="Confidence of the gates' intervals."),
    Entry(name="min_rows", default=50, low=1, doc="Fewer held-out rows than this are not enough evidence."),
    Entry(
        name="steady",
        default="requests",
        choices=("requests", "always", "off"),
        doc="Of which versions the gate `steady` asks how they do on the rows that the champion was judged on: those "
        "that a request for retraining brought, all, or none.",
    ),
    Entry(
        name="steady_margin",
        default=0.05,
        low=0,
        high=1,
        doc="How much worse than the champion is no worse there: absolute for scores in [0, 1], relative for errors.",
    ),
    Entry(name="slices", default=(), doc="Columns whose values each get a comparison of their own."),
    Entry(name="slice_min_rows", default=200, low=1, doc="Slices with fewer held-out rows are listed, not judged."),
    Entry(name="slice_margin", default=0.05, low=0, high=1, doc="The margin within one slice."),
    Entry(name="groups", default=(), doc="Columns of protected groups, whose gap in outcomes is bounded."),
    Entry(
        name="max_group_gap",
        default=0.2,
        low=0,
        high=1,
        doc="Largest difference between groups in the share of positive predictions, and in the true positive rate.",
    ),
    Entry(
        name="max_latency_ms",
        default=50.0,
        low=0.01,
        doc="Largest 99th percentile of the time one row takes, in milliseconds.",
    ),
    Entry(name="max_megabytes", default=90.0, low=0.1, doc="Largest size of a version's files, in MB."),
    Entry(
        name="max_leak_auc",
        default=0.98,
        low=0.5,
        high=1,
        doc="A single feature that separates the label better than this is a leak.",
    ),
    Entry(name="waive_leaks", default=(), doc="Features that are known to tell the label, and may."),
    Entry(
        name="max_repeated",
        default=0.1,
        low=0,
        high=1,
        doc="Largest share of held-out rows that occur, value for value, among the training rows.",
    ),
    Entry(
        name="label_time",
        default="",
        doc="The column of the training query that says when the label came to be; features of that time know it.",
    ),
    Entry(name="forbidden_columns", default=(), doc="Columns that no version may read."),
    Entry(
        name="new_columns",
        default=(),
        doc="Columns that callers send already although the champion does not read them: a version may.",
    ),
)

ROLLOUT: tuple[Entry, ...] = (
    Entry(
        name="shadow_requests",
        default=500,
        low=0,
        doc="Requests a challenger answers in the shadow, unseen by users, before it takes traffic; 0 skips it.",
    ),
    Entry(
        name="shares",
        default=(0.01, 0.05, 0.25, 0.5),
        low=0.0001,
        high=0.9999,
        doc="Shares of the traffic a challenger takes, one after the other, before it is champion.",
    ),
    Entry(name="requests_per_share", default=200, low=1, doc="Requests a challenger answers at each share, at least."),
    Entry(
        name="seconds_per_share",
        default=0.0,
        low=0,
        doc="How long a challenger stays at each share, at least, in seconds.",
    ),
    Entry(
        name="cool_down_seconds",
        default=300.0,
        low=0,
        doc="How long after a rollback no new version is rolled out by itself, in seconds.",
    ),
)

ROLLBACK: tuple[Entry, ...] = (
    Entry(
        name="alpha",
        default=0.05,
        low=0.0001,
        high=0.5,
        doc="Chance, over a whole rollout, of rolling back a version that is no worse.",
    ),
    Entry(name="min_requests", default=50, low=1, doc="Answers of the challenger before anything is judged."),
    Entry(
        name="error_margin", default=0.0, low=0, high=1, doc="How much higher the challenger's share of errors may be."
    ),
    Entry(
        name="latency_ratio",
        default=2.0,
        low=1,
        doc="How many times slower than the champion's the challenger's answers may be.",
    ),
    Entry(
        name="score_distance",
        default=0.25,
        low=0,
        high=1,
        doc="Largest distance (Kolmogorov-Smirnov) between the scores of challenger and champion.",
    ),
    Entry(
        name="flip_share",
        default=0.25,
        low=0.001,
        high=0.999,
        doc="Largest share of a classifier's decisions that may differ from the champion's in the shadow.",
    ),
    Entry(
        name="quality_margin",
        default=0.02,
        low=0,
        high=1,
        doc="How much higher the challenger's mean loss on labelled answers may be.",
    ),
)

PARTS: Mapping[str, tuple[Entry, ...]] = {
    "gates": GATES,
    "rollout": ROLLOUT,
    "rollback": ROLLBACK,
    "labels": LABELS,
    "monitor": MONITOR,
    "alerting": ALERTING,
    "retrain": RETRAIN,
}
"""The sections inside ``[deployments.NAME]``."""

NAMING = (
    "model",
    "hash_columns",
    "omit_columns",
    "gates.metric",
    *(f"labels.{one}" for one in ("input", *LABEL_COLUMNS)),
    *(f"monitor.{one}" for one in ("metric", "columns", "ignore")),
)
"""Settings of a deployment that name something else: it is looked up before it is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """``[server]``, checked."""

    auth: str
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    max_body_bytes: int
    max_rows: int
    deadline_ms: int
    queue: int
    drain_seconds: float
    settle_seconds: float
    idempotency_hours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """``[deployments.NAME.gates]``, checked."""

    metric: str
    margin: float
    confidence: float
    min_rows: int
    steady: str
    steady_margin: float
    slices: tuple[str, ...]
    slice_min_rows: int
    slice_margin: float
    groups: tuple[str, ...]
    max_group_gap: float
    max_latency_ms: float
    max_megabytes: float
    max_leak_auc: float
    waive_leaks: tuple[str, ...]
    max_repeated: float
    label_time: str
    forbidden_columns: tuple[str, ...]
    new_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSettings:
    """``[deployments.NAME.rollout]``, checked."""

    shadow_requests: int
    shares: tuple[float, ...]
    requests_per_share: int
    seconds_per_share: float
    cool_down_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackSettings:
    """``[deployments.NAME.rollback]``, checked."""

    alpha: float
    min_requests: int
    error_margin: float
    latency_ratio: float
    score_distance: float
    flip_share: float
    quality_margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSettings:
    """``[deployments.NAME]``, checked."""

    name: str
    model: str
    key: str
    log: str
    fallback: Any
    hash_columns: tuple[str, ...]
    omit_columns: tuple[str, ...]
    gates: GateSettings
    rollout: RolloutSettings
    rollback: RollbackSettings
    labels: LabelSettings
    monitor: MonitorSettings
    alerting: AlertingSettings
    retrain: RetrainSettings
    given: Mapping[str, Any] = field(default_factory=dict)
    named_at: Mapping[str, Where] = field(default_factory=dict)
    """Where each of `NAMING` stands; where none is said, the section it would stand in."""


def server_settings(given: Any, place: Place) -> ServerSettings:
    """Check ``[server]``."""
    return ServerSettings(**section_values("server", given, SERVER, place))


def deployment_settings(given: Any, place: Place) -> dict[str, DeploymentSettings]:
    """Check ``[deployments]``: one table a deployment, in the order of the file."""
    if not isinstance(given, Mapping):
        raise SettingsError("deployments must be tables: [deployments.NAME]", where=place("deployments"))
    return {name: one_deployment(name, section, place) for name, section in given.items()}


def declared_deployment(declared: Mapping[str, DeploymentSettings], name: str) -> DeploymentSettings | None:
    """The section of a deployment, in whatever case of letters it is named; None without one."""
    return next((one for one in declared.values() if name_key(one.name) == name_key(name)), None)


def one_deployment(name: str, given: Any, place: Place = lambda _: None) -> DeploymentSettings:
    """Check ``[deployments.NAME]``; what is left out gets its default."""
    path = f"deployments.{name}"
    if not isinstance(given, Mapping):
        raise SettingsError(f"{path} must be a table: [{path}]", where=place(path))
    plain = {key: value for key, value in given.items() if key not in PARTS}
    values = section_values(path, plain, DEPLOYMENT, place, also=PARTS)
    parts = {
        part: section_values(f"{path}.{part}", given.get(part, {}), entries, place) for part, entries in PARTS.items()
    }
    values["model"] = values["model"] or name
    shares = parts["rollout"]["shares"]
    if list(shares) != sorted(set(shares)):
        raise SettingsError(
            f"{path}.rollout.shares must grow from one to the next; got {list(shares)}", where=place(f"{path}.rollout")
        )
    return DeploymentSettings(
        name=name,
        gates=GateSettings(**parts["gates"]),
        rollout=RolloutSettings(**parts["rollout"]),
        rollback=RollbackSettings(**parts["rollback"]),
        labels=label_settings(path, parts["labels"], place),
        monitor=monitor_settings(path, parts["monitor"], place),
        alerting=alerting_settings(path, parts["alerting"], place),
        retrain=retrain_settings(path, parts["retrain"], place),
        given=dict(given),
        named_at={setting: at for setting in NAMING if (at := place(f"{path}.{setting}")) is not None},
        **values,
    )
