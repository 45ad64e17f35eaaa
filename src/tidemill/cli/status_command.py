"""tidemill status: how the deployments stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tidemill.cli.deployments import gates_text, state_line
from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument
from tidemill.core.clock import utc_now
from tidemill.core.errors import NotFoundError
from tidemill.core.names import did_you_mean, name_key
from tidemill.runner.result import text_table

if TYPE_CHECKING:
    from tidemill.runner.status import Status


def status(
    name: Annotated[str | None, argument(about="Only this deployment, with all its changes; else all.")] = None,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Print versions, stages, gates and counts."""
    with entered(project) as opened:
        found = opened.status(changes=0 if name else 3)
    if name is not None:
        known = [one.deployment.name for one in found]
        found = [one for one in found if name_key(one.deployment.name) == name_key(name)]
        if not found:
            raise NotFoundError(f"there is no deployment {name}", hint=did_you_mean(name, known))
    if as_json:
        print(json.dumps([one.as_json() for one in found], indent=2, ensure_ascii=False))
    elif not found:
        print("no deployments: tidemill deploy NAME makes one")
    else:
        print("\n\n".join(describe(one) for one in found))


def describe(one: Status) -> str:
    """A deployment as a person reads it."""
    parts = [state_line(one.deployment)]
    until = one.deployment.cool_down_until
    if until is not None and until > utc_now():
        parts.append(f"cools down until {until:%Y-%m-%d %H:%M:%S} UTC")
    if one.counts is not None:
        parts.append(_trial(one))
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
