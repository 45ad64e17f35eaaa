"""tidemill status: the whole system on a page, or one deployment."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tidemill.cli.deployments import gates_text, state_line
from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.cli.status_page import WIDTH, page
from tidemill.core.clock import utc_now
from tidemill.core.errors import NotFoundError
from tidemill.core.names import did_you_mean, name_key
from tidemill.project import open_to_look
from tidemill.runner.result import text_table

if TYPE_CHECKING:
    from tidemill.project import Project
    from tidemill.runner.status import Status
    from tidemill.warehouse.control.alerts import AlertRow

WATCH_S = 2.0


def status(
    name: Annotated[str | None, argument(about="Only this deployment, with all its changes; else everything.")] = None,
    watch: Annotated[bool, option("--watch", about="Print it again every two seconds, until Ctrl-C.")] = False,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Print the whole system on a page, or one deployment's versions, stages, gates and counts."""
    with entered(project, open_to_look) as opened:
        print(_look(opened, name, as_json=as_json), flush=True)
        while watch:
            time.sleep(WATCH_S)
            text = _look(opened, name, as_json=as_json)
            # On a terminal each page takes the place of the one before; elsewhere they follow each other.
            print(f"\x1b[H\x1b[2J{text}" if sys.stdout.isatty() else text if as_json else f"\n{text}", flush=True)


def _look(opened: Project, name: str | None, *, as_json: bool) -> str:
    if name is not None:
        text = _one(opened, name, as_json=as_json)
    else:
        found = opened.overview()
        text = json.dumps(found, indent=2, ensure_ascii=False, default=str) if as_json else page(found)
    return text if as_json or opened.wrong is None else f"{opened.wrong.render()}\n\n{text}"


def _one(opened: Project, name: str, *, as_json: bool) -> str:
    found = opened.status(changes=0)
    known = [one.deployment.name for one in found]
    chosen = [one for one in found if name_key(one.deployment.name) == name_key(name)]
    if not chosen:
        raise NotFoundError(f"there is no deployment {name}", hint=did_you_mean(name, known))
    if as_json:
        return json.dumps([one.as_json() for one in chosen], indent=2, ensure_ascii=False)
    from tidemill.runner.watch.few import few_of_named

    alerts = [one for one in opened.alerts() if one.state == "open" and one.severity == "page"]
    declared = opened.settings.deployments
    few = {one.deployment.name: few_of_named(opened.db, declared, one.deployment.name, utc_now()) for one in chosen}
    return "\n\n".join(
        describe(one, alerts=_about(alerts, one.deployment.name), few=few[one.deployment.name]) for one in chosen
    )


def _about(alerts: Sequence[AlertRow], deployment: str) -> list[str]:
    mine = [one for one in alerts if name_key(one.deployment) == name_key(deployment)]
    return [f"alert {one.number} since {one.since:%Y-%m-%d %H:%M} UTC: {one.headline}" for one in mine]


def describe(one: Status, *, alerts: Sequence[str] = (), few: str = "") -> str:
    """A deployment as a person reads it."""
    parts = [state_line(one.deployment), *alerts, *textwrap.wrap(few, WIDTH)]
    until = one.deployment.cool_down_until
    if until is not None and until > utc_now():
        parts.append(f"cools down until {until:%Y-%m-%d %H:%M:%S} UTC")
    if one.counts is not None:
        parts.append(_trial(one))
    if one.slow:
        name = one.deployment.name
        parts.append(f"{one.slow}: tidemill promote {name} ends it; see [deployments.{name}.rollout]")
    rows = [(row.version, row.state.replace("_", " "), row.digest[:12], row.reason) for row in one.versions.values()]
    parts.append(text_table(["version", "state", "digest", "reason"], rows, widest=100))
    for version, gates in one.gates.items():
        if gates:
            parts.append(f"gates of version {version}:\n{gates_text(gates)}")
    if one.changes:
        changes = [(row.at[:19].replace("T", " "), row.who, row.action, row.why) for row in one.changes]
        parts.append(text_table(["at (UTC)", "who", "did", "because"], changes, widest=100))
    return "\n".join(parts)


def _trial(one: Status) -> str:
    counts, deployment = one.counts, one.deployment
    assert counts is not None  # noqa: S101 - asked before
    rows = []
    for version, arm in ((deployment.champion, counts.champion), (deployment.challenger, counts.challenger)):
        labelled = one.outcomes.get(version or 0)
        loss = "" if labelled is None else f"{labelled.loss_sum / max(labelled.answers, 1):.4g} of {labelled.answers:,}"
        rows.append((version, f"{arm.answers:,}", f"{arm.errors:,}", loss))
    text = text_table(["version", "answers", "errors", "mean loss of labelled"], rows)
    if deployment.stage == "shadow" and counts.agree + counts.differ:
        share = counts.differ / (counts.agree + counts.differ)
        text += f"\nin the shadow {share:.2%} of the decisions differ, by {counts.largest_difference:.4g} at most"
    return text
