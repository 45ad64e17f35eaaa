"""A run's claim on the project: the lease, the run's row, the plan made again under it, then the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from tidemill.core.errors import ConflictError, TidemillError, TransientError
from tidemill.core.version import VERSION
from tidemill.core.who import current_user
from tidemill.registry import retention, versions
from tidemill.runner.report import RunReport
from tidemill.runner.run import run_plan
from tidemill.runner.scratch import sweep_copies
from tidemill.runner.steps.job import Job
from tidemill.warehouse.control import leases, runs
from tidemill.warehouse.control.holders import this_process

if TYPE_CHECKING:
    from tidemill.planner.plan import Plan
    from tidemill.runner.events import Event
    from tidemill.runner.stations import Stations

LEASE = "project"


def claimed_run(
    stations: Stations,
    make: Callable[[], tuple[Plan, Callable[[str, leases.Lease], Job]]],
    *,
    selectors: Sequence[str],
    full_refresh: bool,
    wait_s: float,
    listen: Callable[[Event], None],
) -> RunReport:
    """Hold the project's lease, plan again (another run may have done the work meanwhile), and do the work.

    Parameters
    ----------
    make
        Makes the plan, and the job of a run's id and lease.

    Raises
    ------
    BusyError
        Another run holds the lease.
    """
    db, clock = stations.db, stations.clock
    run_id = clock.new_id()
    holder = this_process()
    ttl_s = float(stations.settings.lease_seconds)
    with leases.held(db, LEASE, holder, run_id=run_id, ttl_s=ttl_s, wait_s=wait_s) as lease:
        plan, job = make()
        if not plan.changed:
            return RunReport(run_id="", status="nothing", unchanged=len(plan.steps))
        runs.start_run(
            db,
            run_id,
            holder=holder,
            selectors=selectors,
            full_refresh=full_refresh,
            code_version=VERSION,
            lease=lease,
        )
        try:
            report = run_plan(plan, job(run_id, lease), listen)
        except ConflictError:
            raise  # another process called this run lost: it is not ours to end
        except TidemillError as error:
            runs.finish_run(db, run_id, status="failed", error=error.as_json())
            raise
        except (KeyboardInterrupt, BrokenPipeError):  # somebody broke it off, or left while it was told
            runs.finish_run(db, run_id, status="cancelled")
            raise
        _sweep(stations)
        return report


def _sweep(stations: Stations) -> None:
    """Remove what the settings let go, and what killed runs left behind, once it is older than the grace period."""
    grace_s = stations.settings.grace_hours * 3600.0
    with suppress(TransientError):  # somebody else is writing: the next run sweeps
        if stations.settings.keep_versions:
            retention.prune(
                stations.db,
                keep=stations.settings.keep_versions,
                older_than=timedelta(days=stations.settings.keep_days),
                who=current_user(),
                why="keep_versions and keep_days",
            )
        stations.warehouse.sweep(older_than_s=grace_s)
        versions.sweep(stations.db, stations.store, older_than_s=grace_s)
        sweep_copies(stations.root, older_than_s=grace_s)
