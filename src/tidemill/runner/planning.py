"""A project's plan: what its statements say, beside what the control database, the lake and the files hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.clock import Clock
from tidemill.core.names import asset_key
from tidemill.core.settings import Settings
from tidemill.core.source_tables import lake_name
from tidemill.planner.graph import SYSTEM_SCHEMA, sources_of
from tidemill.planner.known import Known
from tidemill.planner.make import make_plan
from tidemill.planner.plan import Plan
from tidemill.planner.state import State
from tidemill.runner.column_notes import require_columns, require_notes
from tidemill.runner.deployment_names import There, require_names
from tidemill.runner.inputs import file_tokens
from tidemill.runner.metric_settings import declared_types, require_metrics
from tidemill.runner.sink_deployments import require_deployments
from tidemill.runner.source_states import Looker
from tidemill.runner.statements import ProjectStatements
from tidemill.runner.watermarks import HowFar, how_far
from tidemill.warehouse.control.assets import load_assets

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations
    from tidemill.sql.statements import Summary
    from tidemill.warehouse.control.database import Database
    from tidemill.warehouse.protocol import Warehouse


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A project as its plan is made and carried out. What is dear to open comes as a call: most plans need none of it.

    Parameters
    ----------
    keep
        The folder of everything that is kept for the project.
    """

    root: Path
    keep: Path
    settings: Settings
    clock: Clock
    db: Database
    statements: ProjectStatements
    warehouse: Callable[[], Warehouse]
    stations: Callable[[], Stations]

    @property
    def has_lake(self) -> bool:
        """Whether anything was ever put into the lake."""
        return (self.keep / "lake").is_dir()


def plan_project(
    site: Site, selectors: Sequence[str] = (), *, full_refresh: bool = False
) -> tuple[Plan, list[Summary]]:
    """List what a run would do and why, and hand back the summaries it was made from."""
    summaries = site.statements.summaries()
    if site.settings.tables:
        require_notes(summaries, site.settings.tables)
    require_metrics(site.settings.deployments.values(), declared_types(summaries))
    require_deployments(site.settings.alerts.values(), site.settings.deployments, summaries, site.db)
    state = _state(site, summaries)
    plan = make_plan(summaries, state, selectors=selectors, full_refresh=full_refresh)
    for step in plan.steps:
        # Of what is built the step says it: it may get the column now.
        there = step.kind in {"table", "load"} and step.action in {"skip", "check"}
        if there and asset_key(step.asset) in site.settings.tables:
            require_columns(step.asset, site.warehouse().columns(step.asset), site.settings.tables)
    require_names(site.settings.deployments.values(), _there(site, plan, summaries))
    return plan, summaries


def _there(site: Site, plan: Plan, summaries: Sequence[Summary]) -> There:
    return There(
        summaries=summaries,
        steps=plan.steps,
        db=site.db,
        connections=site.settings.connections,
        tables=lambda: site.warehouse().tables() if site.has_lake else (),
        columns=lambda table: [column.name for column in site.warehouse().columns(table)],
        keep=site.keep,
    )


def _state(site: Site, summaries: Sequence[Summary]) -> State:
    assets = load_assets(site.db)
    damaged = _damaged(site)
    increments = _increments(site, summaries)
    known = {
        key: Known(
            name=asset.name,
            kind=asset.kind,
            fingerprint=asset.fingerprint,
            parts=asset.parts,
            reads=asset.reads,
            origin=asset.origin,
            present=asset.kind not in {"table", "load"} or (damaged is not None and key not in damaged),
            watermark=increments[key].watermark if key in increments else None,
            unrecorded=key in increments and increments[key].version != asset.version,
            gone_files=increments[key].gone_files if key in increments else (),
        )
        for key, asset in assets.items()
    }
    patterns = [pattern for summary in summaries for pattern in summary.files]
    connections = site.settings.connections
    looker = Looker(
        root=site.root,
        db=site.db,
        clock=site.clock,
        connections=connections,
        warehouse=site.warehouse,
        read={(name, token) for asset in assets.values() for name, token in asset.reads.items()},
    )
    tables = [table for summary in summaries for table in sources_of(summary, connections).values()]
    return State(
        known=known,
        lake_tables=_lake_tables(site, summaries),
        file_tokens=file_tokens(patterns, root=site.root, db=site.db),
        connections=connections,
        sources=looker.states(tables),
        remote_files=looker.files(patterns),
        model_versions=_algorithm_version,
        log=_log_tokens(site, summaries),
    )


def _damaged(site: Site) -> frozenset[str] | None:
    """Keys of the tables whose files are gone or cut; None when there is no lake at all."""
    if not site.has_lake:
        return None
    return frozenset(asset_key(table) for table in site.warehouse().damaged())


def _increments(site: Site, summaries: Sequence[Summary]) -> dict[str, HowFar]:
    """How far each incremental table in the lake is."""
    names = [summary.name for summary in summaries if summary.incremental]
    if not names or not site.has_lake:
        return {}
    found = {asset_key(name): how_far(name, warehouse=site.warehouse(), root=site.root) for name in names}
    return {key: far for key, far in found.items() if far is not None}


def _log_tokens(site: Site, summaries: Sequence[Summary]) -> dict[str, str]:
    """What the relations of the prediction log hold, where a statement reads one: as far as it was collected."""
    read = {asset_key(name) for summary in summaries for name in summary.tables}
    read = {name for name in read if name.startswith(SYSTEM_SCHEMA)}
    if not read:
        return {}
    from tidemill.serving.log.tables import TABLES, log_views

    collected = [table for table in TABLES if site.warehouse().newest([table])] if site.has_lake else []
    # A version that only merged files is none of the history: its rows are the same.
    versions = [site.warehouse().history(table)[0].version for table in collected]
    token = f"version {max(versions)}" if versions else "empty"
    names = {f"{SYSTEM_SCHEMA}{name}" for name in log_views(site.keep / "spool")}
    return dict.fromkeys(sorted(read & names), token)


def _lake_tables(site: Site, summaries: Sequence[Summary]) -> dict[str, int]:
    """Tables that no statement makes: the lake is asked only when a statement reads one."""
    made = {asset_key(summary.name) for summary in summaries}
    connections = site.settings.connections
    read = {
        asset_key(lake_name(name))
        for summary in summaries
        for name in summary.tables
        if name not in sources_of(summary, connections)
    }
    if all(name in made or name.startswith(SYSTEM_SCHEMA) for name in read):
        return {}
    return {asset_key(name): version for name, version in site.warehouse().tables().items()}


def _algorithm_version(model_type: str) -> int:
    from tidemill.model_types.table import find_model_type

    found = find_model_type(model_type)
    return found.version if found else 1
