"""What a window brought, decided and written down: verdicts, alerts, events and messages, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from tidemill.core.alerting import SinkSettings
from tidemill.core.clock import Clock
from tidemill.core.names import name_key
from tidemill.monitoring import words
from tidemill.monitoring.alert import NOBODY, Alert, Contact, Transition
from tidemill.monitoring.budget import AT_ONCE, Policy
from tidemill.monitoring.decide import decide
from tidemill.monitoring.history import History, load_history
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.monitoring.verdict import ONE_SIDED, Key, Verdict
from tidemill.warehouse.control import alerts as kept
from tidemill.warehouse.control.alerts import AlertRow
from tidemill.warehouse.control.connection import Database, Tx, to_json, writing
from tidemill.warehouse.control.deliveries import add_deliveries

CHART_WINDOWS = 40
CHARTS = 4
"""An alert about many columns has a chart of the worst few."""

GUARDED = frozenset({"quality", "estimate"})
"""Families whose least effect an opinion raises step by step: one alert about a few odd labels, called not useful,
would else leave a model unwatched however bad it becomes."""

STEP = 2.0
"""How many times larger one opinion makes it."""


def record(
    db: Database | Tx,
    deployment: str,
    window: Window,
    measurements: Iterable[Measurement],
    *,
    policy: Policy,
    sinks: Mapping[str, SinkSettings],
    clock: Clock,
    contact: Contact = NOBODY,
    history: History | None = None,
) -> list[Transition]:
    """Decide on a window and write down what came of it.

    The same figures of the same window again change nothing but the time of writing. Two processes that look at a
    window at once do it one after the other.

    Parameters
    ----------
    history
        What was judged before, where the caller has it: it is brought up to date. Nobody else may have judged since
        it was read.

    Returns
    -------
    list[Transition]
        What happened to alerts; each alert has its number as ``id``.
    """
    given = list(measurements)
    with writing(db) as tx:
        history = history or load_history(tx, deployment)
        since = window.end - policy.cool_down
        rows = {row.number: row for row in kept.list_alerts(tx, deployment=deployment, since=since)}
        alerts = [_alert(row) for row in rows.values()]
        decision = decide(given, window, history.series, alerts, policy, floors=floors(tx, deployment))
        history.keep(tx, window, decision.verdicts, policy)
        return [
            _write(tx, deployment, window, one, rows, history.series, sinks, clock, contact)
            for one in decision.transitions
        ]


def floors(tx: Database | Tx, deployment: str) -> dict[Key, float]:
    """The largest effect of each figure that people found not worth an alert, below any that they found worth one.

    Of quality, each opinion makes the least effect that counts twice as large at most.
    """
    rated = [row for row in kept.list_alerts(tx, deployment=deployment) if row.useful is not None]
    seen: dict[Key, dict[bool, list[float]]] = {}
    least: dict[Key, float] = {}
    for row in sorted(rated, key=lambda row: row.number):
        for one in row.evidence:
            if one["value"] is not None and one["family"] not in AT_ONCE:
                key = Key(one["family"], one["subject"], one["slice"], one["test"])
                value = abs(one["value"])
                if key.family in GUARDED and not row.useful:
                    value = min(value, STEP * least.get(key, one["limit"] or 0.0))
                    least[key] = max(value, least.get(key, 0.0))
                seen.setdefault(key, {True: [], False: []})[bool(row.useful)].append(value)
    found = {}
    for key, values in seen.items():
        least_useful = min(values[True], default=float("inf"))
        useless = [value for value in values[False] if value < least_useful]
        if useless:
            found[key] = max(useless)
    return found


def _write(
    tx: Tx,
    deployment: str,
    window: Window,
    transition: Transition,
    rows: Mapping[int, AlertRow],
    charted: Mapping[Key, Sequence[Verdict]],
    sinks: Mapping[str, SinkSettings],
    clock: Clock,
    contact: Contact,
) -> Transition:
    """Write one transition: the alert's row, an event unless it only goes on, and its messages."""
    before = rows.get(int(transition.alert.id or 0))
    row = _row(deployment, transition, before, _chart(transition, charted), contact)
    if before is None:
        row = _muted_as_before(tx, row)
    muted = _is_muted(row, clock.now())
    if before is not None and muted and transition.happening == "worsened":
        # Nobody is told now: it is news when the mute is over.
        row, transition = replace(row, told=before.told), replace(transition, happening="continuing", reason="")
    number = kept.save_alert(tx, row)
    if transition.happening == "continuing":
        return transition
    kept.add_event(
        tx,
        number,
        happening=transition.happening,
        who="monitor",
        detail=transition.reason or row.headline,
        window_end=window.end,
    )
    wanted = [] if muted or row.severity != "page" else _wanted(sinks, deployment, transition.happening)
    if wanted:
        told = words.message(
            transition,
            number=number,
            deployment=deployment,
            chart=row.chart,
            at=clock.now(),
            evidence=row.evidence,
            version=row.version,
            contact=contact,
        )
        add_deliveries(
            tx,
            alert=number,
            happening=transition.happening,
            message=to_json(_plain(told)),
            sinks={name: clock.new_id() for name in wanted},
            now=clock.now(),
        )
    return replace(transition, alert=replace(transition.alert, id=str(number)))


def _wanted(sinks: Mapping[str, SinkSettings], deployment: str, happening: str) -> list[str]:
    """Sinks that this is for."""
    mine = name_key(deployment)
    return [
        name
        for name, sink in sinks.items()
        if happening in sink.send and (not sink.deployments or mine in map(name_key, sink.deployments))
    ]


def _muted_as_before(tx: Tx, row: AlertRow) -> AlertRow:
    """A new alert, muted as the last one of its cause: what people said of figures holds when they come back."""
    same = [
        one
        for one in kept.list_alerts(tx, deployment=row.deployment)
        if (one.cause, one.severity) == (row.cause, row.severity)
    ]
    return replace(row, muted_until=same[0].muted_until, muted_figures=same[0].muted_figures) if same else row


def _is_muted(row: AlertRow, now: datetime) -> bool:
    """Whether all that is wrong is what somebody muted: a column that joins is news."""
    if row.muted_until is None or row.muted_until <= now:
        return False
    muted = {(family, subject) for family, subject, *_ in row.muted_figures}
    return all((family, subject) in muted for family, subject, *_ in row.figures)


def _row(
    deployment: str, transition: Transition, before: AlertRow | None, chart: Mapping[str, Any], contact: Contact
) -> AlertRow:
    alert = transition.alert
    evidence = [_plain(words.facts(one)) for one in transition.evidence]
    explained = [_plain(words.facts(one)) for one in transition.explained]
    kept_version = None if before is None else before.version
    version = next((one.version for one in transition.evidence if one.version is not None), kept_version)
    now = AlertRow(
        number=0 if before is None else before.number,
        deployment=deployment,
        cause=alert.cause,
        severity=alert.severity,
        state="open" if alert.resolved is None else "resolved",
        headline=words.headline(deployment, alert),
        since=alert.since,
        opened_at=alert.opened,
        resolved_at=alert.resolved,
        reopened=alert.reopened,
        version=version,
        figures=tuple(tuple(key) for key in alert.keys),
        told=tuple((*key, value) for key, value in alert.told.items()),
        evidence=evidence,
        explained=explained,
        chart=chart,
        next_step=words.next_step(alert, version),
        owner=contact.owner,
        runbook=contact.runbook,
    )
    if before is None:
        return now
    mine = {name: getattr(before, name) for name in _PEOPLES}
    # What was seen last stays while nothing is seen any more.
    if not evidence:
        mine |= {"evidence": before.evidence, "explained": before.explained, "version": before.version}
    return replace(now, **mine)


_PEOPLES = (
    "acknowledged_by",
    "acknowledged_at",
    "acknowledged_why",
    "muted_until",
    "muted_figures",
    "useful",
    "useful_why",
)
"""What people said of an alert, which no window changes."""


def _alert(row: AlertRow) -> Alert:
    return Alert(
        id=str(row.number),
        cause=row.cause,
        severity="page" if row.severity == "page" else "diagnosis",
        keys=tuple(Key(*one) for one in row.figures),
        since=row.since,
        opened=row.opened_at,
        resolved=row.resolved_at,
        reopened=row.reopened,
        told={Key(family, subject, part, test): value for family, subject, part, test, value in row.told},
    )


def _chart(transition: Transition, charted: Mapping[Key, Sequence[Verdict]]) -> dict[str, Any]:
    """The main figure of an alert, window by window, oldest first; ``others`` are those of what else is in alarm."""
    keys = [*(one.key for one in transition.evidence), *transition.alert.keys]
    first = {(key.subject, key.slice): key for key in reversed(keys)}  # the strongest figure of each
    told = [key for key in dict.fromkeys(keys) if first[key.subject, key.slice] == key][:CHARTS]
    main, *others = (_chart_of(key, transition, charted) for key in told)
    return {**main, "others": others}


def _chart_of(key: Key, transition: Transition, charted: Mapping[Key, Sequence[Verdict]]) -> dict[str, Any]:
    series = sorted(charted.get(key, ()), key=lambda one: one.window.start)[-CHART_WINDOWS:]
    named = f"{key.subject} ({key.slice})" if key.slice else key.subject
    return {
        "title": f"{key.test} of {named}",
        "limit": series[-1].limit if series else None,
        "since": _plain(transition.alert.since),
        "either_way": key.family not in ONE_SIDED,
        "windows": [
            _plain({"start": one.window.start, "end": one.window.end, "value": one.value, "version": one.version})
            for one in series
        ],
    }


def _plain(value: Any) -> Any:
    """Plain JSON data: moments as text."""
    return msgspec.to_builtins(value)
