"""Alerts as the control database keeps them: rows, and what was judged before; `monitoring` knows what they mean."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tidemill.core.errors import NotFoundError
from tidemill.core.names import name_key
from tidemill.warehouse.control.connection import Database, Row, Tx, parse_time, reading, time_text, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert.

    Parameters
    ----------
    number
        0 until it is kept.
    figures
        The figures that are in alarm under it, of a resolved one those that were: family, subject, slice, test.
    told
        The worst that was told of each figure: family, subject, slice, test, value.
    evidence, explained, chart
        Plain data: the figures in alarm, the features that moved, and the main figure's windows.
    muted_figures
        What it was about when it was muted: of anything else is told.
    useful
        What people said of it; None while nobody has.
    """

    number: int = 0
    deployment: str
    cause: str
    severity: str
    state: str
    headline: str
    since: datetime
    opened_at: datetime
    resolved_at: datetime | None
    reopened: int
    version: int | None
    figures: tuple[tuple[str, ...], ...]
    evidence: Sequence[Mapping[str, Any]]
    explained: Sequence[Mapping[str, Any]]
    chart: Mapping[str, Any]
    next_step: str
    told: tuple[tuple[Any, ...], ...] = ()
    owner: str = ""
    runbook: str = ""
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    acknowledged_why: str | None = None
    muted_until: datetime | None = None
    muted_figures: tuple[tuple[str, ...], ...] = ()
    useful: bool | None = None
    useful_why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """Something that happened to an alert."""

    alert: int
    number: int
    at: datetime
    happening: str
    who: str
    detail: str


def list_alerts(db: Database | Tx, *, deployment: str | None = None, since: datetime | None = None) -> list[AlertRow]:
    """Alerts, the newest first: open ones, and those that were resolved at or after a moment (all without one)."""
    where, params = [], {}
    if deployment is not None:
        where.append("deployment_key = :key")
        params["key"] = name_key(deployment)
    if since is not None:
        where.append("(state = 'open' OR resolved_at >= :since)")
        params["since"] = time_text(since)
    only = f" WHERE {' AND '.join(where)}" if where else ""
    with reading(db) as tx:
        return [_alert(row) for row in tx.rows(f"SELECT * FROM alerts{only} ORDER BY alert DESC", **params)]


def get_alert(db: Database | Tx, number: int) -> AlertRow:
    """One alert.

    Raises
    ------
    NotFoundError
        There is none of that number.
    """
    with reading(db) as tx:
        row = tx.row("SELECT * FROM alerts WHERE alert = :alert", alert=number)
    if row is None:
        raise NotFoundError(f"there is no alert {number}", hint="tidemill alerts --all lists them")
    return _alert(row)


def save_alert(tx: Tx, alert: AlertRow) -> int:
    """Write an alert as it is now; its number, which a new one gets here."""
    number = alert.number or int(tx.value("SELECT coalesce(max(alert), 0) + 1 FROM alerts"))
    values = {
        "alert": number,
        "deployment_key": name_key(alert.deployment),
        **{name: getattr(alert, name) for name in _PLAIN},
        **{name: to_json(getattr(alert, name)) for name in _JSON},
        **{name: _text(getattr(alert, name)) for name in _TIMES},
        "updated_at": tx.now(),
    }
    names = list(values)
    replaced = ", ".join(f"{name} = excluded.{name}" for name in names if name != "alert")
    tx.execute(
        f"INSERT INTO alerts ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"
        f" ON CONFLICT (alert) DO UPDATE SET {replaced}",
        **values,
    )
    return number


def add_event(tx: Tx, alert: int, *, happening: str, who: str, detail: str, window_end: datetime | None = None) -> None:
    """Write down that something happened to an alert."""
    tx.execute(
        "INSERT INTO alert_events (alert, number, at, window_end, happening, who, detail) SELECT :alert,"
        " coalesce(max(number), 0) + 1, :at, :window_end, :happening, :who, :detail FROM alert_events"
        " WHERE alert = :alert",
        alert=alert,
        at=tx.now(),
        window_end=_text(window_end),
        happening=happening,
        who=who,
        detail=detail,
    )


def list_events(db: Database | Tx, alert: int) -> list[AlertEvent]:
    """What happened to an alert, oldest first."""
    with reading(db) as tx:
        rows = tx.rows("SELECT * FROM alert_events WHERE alert = :alert ORDER BY number", alert=alert)
    names = ("alert", "number", "happening", "who", "detail")
    return [AlertEvent(at=parse_time(row["at"]), **{name: row[name] for name in names}) for row in rows]


def save_verdicts(tx: Tx, deployment: str, window: tuple[datetime, datetime], families: Mapping[str, str]) -> None:
    """Keep what was judged in a window, by family, as the text that `monitoring` makes of it."""
    for family, verdicts in families.items():
        tx.execute(
            "INSERT INTO alert_verdicts (deployment_key, family, window_start, window_end, verdicts)"
            " VALUES (:key, :family, :start, :end, :verdicts) ON CONFLICT (deployment_key, family, window_start)"
            " DO UPDATE SET window_end = excluded.window_end, verdicts = excluded.verdicts",
            key=name_key(deployment),
            family=family,
            start=time_text(window[0]),
            end=time_text(window[1]),
            verdicts=verdicts,
        )


def load_verdicts(db: Database | Tx, deployment: str) -> list[tuple[str, str]]:
    """What is kept, by family, the newest window first."""
    with reading(db) as tx:
        rows = tx.rows(
            "SELECT family, verdicts FROM alert_verdicts WHERE deployment_key = :key"
            " ORDER BY family, window_start DESC",
            key=name_key(deployment),
        )
    return [(row["family"], row["verdicts"]) for row in rows]


def forget_verdicts(tx: Tx, deployment: str, families: Iterable[str], *, keep: int) -> None:
    """Let only the newest windows of each family stay."""
    for family in families:
        tx.execute(
            "DELETE FROM alert_verdicts WHERE deployment_key = :key AND family = :family AND window_start <"
            " (SELECT min(window_start) FROM (SELECT window_start FROM alert_verdicts WHERE deployment_key = :key"
            " AND family = :family ORDER BY window_start DESC LIMIT :keep) AS newest)",
            key=name_key(deployment),
            family=family,
            keep=keep,
        )


_PLAIN = (
    "deployment",
    "cause",
    "severity",
    "state",
    "headline",
    "reopened",
    "version",
    "next_step",
    "owner",
    "runbook",
    "acknowledged_by",
    "acknowledged_why",
    "useful",
    "useful_why",
)
_JSON = ("figures", "muted_figures", "told", "evidence", "explained", "chart")
_TIMES = ("since", "opened_at", "resolved_at", "acknowledged_at", "muted_until")


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else time_text(moment)


def _alert(row: Row) -> AlertRow:
    times: dict[str, Any] = {name: None if row[name] is None else parse_time(row[name]) for name in _TIMES}
    return AlertRow(
        number=row["alert"],
        **{name: row[name] for name in _PLAIN if name != "useful"},
        useful=None if row["useful"] is None else bool(row["useful"]),
        figures=_figures(row["figures"]),
        muted_figures=_figures(row["muted_figures"]),
        told=_figures(row["told"]),
        **{name: json.loads(row[name]) for name in ("evidence", "explained", "chart")},
        **times,
    )


def _figures(text: str) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(one) for one in json.loads(text))
