"""A run, from the first look at the plan: nothing is opened where there is nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tidemill.core.names import asset_key
from tidemill.runner.erase.again import erase_restored, erase_waiting
from tidemill.runner.planning import Site, plan_project
from tidemill.runner.report import RunReport

if TYPE_CHECKING:
    from tidemill.planner.plan import Plan
    from tidemill.runner.events import Event
    from tidemill.runner.steps.job import Job
    from tidemill.warehouse.control.leases import Lease


def build(
    site: Site,
    selectors: Sequence[str],
    *,
    full_refresh: bool = False,
    forget_gone_files: bool = False,
    wait_s: float = 0,
    listen: Callable[[Event], None] = lambda _: None,
) -> RunReport:
    """Do what the plan lists: see `Project.run`."""
    erase_restored(site)
    plan, _ = plan_project(site, selectors, full_refresh=full_refresh)
    if not plan.changed:
        return RunReport(run_id="", status="nothing", unchanged=len(plan.steps))
    from tidemill.runner.claim import claimed_run

    report = claimed_run(
        site.stations(),
        lambda: _prepare(site, selectors, full_refresh=full_refresh, forget_gone_files=forget_gone_files),
        selectors=selectors,
        full_refresh=full_refresh,
        wait_s=wait_s,
        listen=listen,
    )
    erase_waiting(site)
    return report


def build_model(site: Site, model: str) -> RunReport:
    """Build a model and what it reads, and carry out the assertions about that."""
    from tidemill.runner.retrain.carry_out import RUN_WAIT_S, selectors_of

    plan, summaries = plan_project(site, [model])
    closure = [asset_key(step.asset) for step in plan.steps]
    asserts = [(one.name, list(map(asset_key, one.tables))) for one in summaries if one.kind == "assert"]
    return build(site, selectors_of(model, closure, asserts), wait_s=RUN_WAIT_S)


def _prepare(
    site: Site, selectors: Sequence[str], *, full_refresh: bool, forget_gone_files: bool
) -> tuple[Plan, Callable[[str, Lease], Job]]:
    """Make the plan again, under the lease, and what its steps need to know of the statements."""
    from tidemill.runner.statements import Views
    from tidemill.runner.steps.job import Job

    plan, summaries = plan_project(site, selectors, full_refresh=full_refresh)

    def job(run_id: str, lease: Lease) -> Job:
        return Job(
            stations=site.stations(),
            run_id=run_id,
            lease=lease,
            statement=lambda step: site.statements.statement(step.file, step.statement),
            views=Views(site.statements, summaries),
            forget_gone_files=forget_gone_files,
        )

    return plan, job
