"""tidemill plan: what a run would do, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from tidemill.cli.options import AsJson, ProjectFolder, Selectors, entered
from tidemill.cli.parameters import option
from tidemill.cli.words import columns_of_text
from tidemill.core.words import count
from tidemill.planner.plan import Plan


def plan(
    selectors: Selectors = None,
    full_refresh: Annotated[bool, option("--full-refresh", about="As if nothing had been built.")] = False,
    all_: Annotated[bool, option("--all", about="Also list what is as it should be.")] = False,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Print the steps."""
    with entered(project) as opened:
        made = opened.plan(selectors or (), full_refresh=full_refresh)
    if as_json:
        print(json.dumps(made.as_json(), indent=2, ensure_ascii=False))
    else:
        print(describe_plan(made, everything=all_))


def describe_plan(plan: Plan, *, everything: bool = False) -> str:
    """The steps with their reasons, as text."""
    unchanged = len(plan.steps) - len(plan.work)
    if not plan.steps:
        return "no statements: write some into .sql files in the project's sql folder"
    shown = plan.steps if everything else plan.work
    lines = columns_of_text(
        [(step.action, step.asset, step.reason, f"{step.file}:{step.line}" if step.file else "") for step in shown]
    )
    head = f"{count(len(plan.work), 'step')} to do" if plan.work else "nothing to do"
    return "\n".join([f"{head}, {unchanged} unchanged", *(f"  {line}" for line in lines)])
