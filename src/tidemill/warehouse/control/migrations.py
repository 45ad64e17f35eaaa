"""Numbered migrations: each is a function with a number and a name, committed together with its own record.

``migrate(db, migrations)`` is called by `open_database`. When nothing is to be done it costs one query.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.errors import InternalError, StateError
from tidemill.warehouse.control.schema import create_first_tables, extend_checks
from tidemill.warehouse.control.schema_alerts import add_contacts, add_muted_figures, add_told, create_alert_tables
from tidemill.warehouse.control.schema_backtests import create_backtest_tables
from tidemill.warehouse.control.schema_erasures import create_erasures
from tidemill.warehouse.control.schema_labels import create_label_deliveries
from tidemill.warehouse.control.schema_monitoring import count_refused, create_monitoring_tables
from tidemill.warehouse.control.schema_rejects import create_rejects_table, mark_newest_rejects
from tidemill.warehouse.control.schema_retrain import create_retrain_table
from tidemill.warehouse.control.schema_schedules import create_schedule_tables
from tidemill.warehouse.control.schema_serving import (
    create_deployment_tables,
    create_scoring_tables,
)
from tidemill.warehouse.control.schema_troubles import create_troubles

if TYPE_CHECKING:
    from tidemill.warehouse.control.connection import Database, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema: applied once, in the order of the numbers, never changed after a release."""

    number: int
    name: str
    apply: Callable[[Tx], None]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(number=1, name="first_tables", apply=create_first_tables),
    Migration(number=2, name="deployments", apply=create_deployment_tables),
    Migration(number=3, name="scoring_jobs", apply=create_scoring_tables),
    Migration(number=4, name="checks_by_key", apply=extend_checks),
    Migration(number=5, name="rejects", apply=create_rejects_table),
    Migration(number=6, name="schedules", apply=create_schedule_tables),
    Migration(number=7, name="alerts", apply=create_alert_tables),
    Migration(number=8, name="monitoring", apply=create_monitoring_tables),
    Migration(number=9, name="label_deliveries", apply=create_label_deliveries),
    Migration(number=10, name="newest_rejects", apply=mark_newest_rejects),
    Migration(number=11, name="retrain_requests", apply=create_retrain_table),
    Migration(number=12, name="backtests", apply=create_backtest_tables),
    Migration(number=13, name="alert_contacts", apply=add_contacts),
    Migration(number=14, name="troubles", apply=create_troubles),
    Migration(number=15, name="muted_figures", apply=add_muted_figures),
    Migration(number=16, name="refused_requests", apply=count_refused),
    Migration(number=17, name="erasures", apply=create_erasures),
    Migration(number=18, name="told_effects", apply=add_told),
)


def migrate(db: Database, migrations: tuple[Migration, ...]) -> list[int]:
    """Bring the tables to the newest schema this code knows; returns the numbers that were applied.

    Raises
    ------
    StateError
        A newer Tidemill was here, or one whose migrations are not ours.
    """
    _check_numbers(migrations)
    with db.read() as tx:
        done = applied(tx)
    _check_history(done, migrations, place=db.place)
    if len(done) == len(migrations):
        return []
    if done:
        db.backup(f"before-{len(done) + 1}")
    return [number for migration in migrations if (number := _apply_once(db, migration)) is not None]


def applied(tx: Tx) -> dict[int, str]:
    """Numbers and names of the migrations this database has."""
    if not tx.has_table("schema_migrations"):
        return {}
    return {row["number"]: row["name"] for row in tx.rows("SELECT number, name FROM schema_migrations")}


def _apply_once(db: Database, migration: Migration) -> int | None:
    with db.write() as tx:
        # Another process may have been faster: looked up again under the write lock.
        if migration.number in applied(tx):
            return None
        if migration.number == 1:
            tx.execute(
                "CREATE TABLE schema_migrations"
                " (number BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)"
            )
        migration.apply(tx)
        tx.execute(
            "INSERT INTO schema_migrations (number, name, applied_at) VALUES (:number, :name, :at)",
            number=migration.number,
            name=migration.name,
            at=tx.now(),
        )
    return migration.number


def _check_numbers(migrations: tuple[Migration, ...]) -> None:
    numbers = [migration.number for migration in migrations]
    names = [migration.name for migration in migrations]
    if numbers != list(range(1, len(migrations) + 1)) or len(set(names)) != len(names):
        raise InternalError(f"migrations must be numbered 1, 2, 3 ... with a name each: {numbers} {names}")


def _check_history(done: dict[int, str], migrations: tuple[Migration, ...], *, place: str) -> None:
    newest = max(done, default=0)
    if newest > len(migrations):
        raise StateError(
            f"the control database {place} was made by a newer Tidemill: it has schema {newest}, "
            f"this version knows schemas up to {len(migrations)}",
            hint="upgrade Tidemill (pip install --upgrade tidemill); nothing was changed",
            found=newest,
            known=len(migrations),
        )
    for migration in migrations[:newest]:
        name = done.get(migration.number, "nothing")
        if name != migration.name:
            raise StateError(
                f"the control database {place} has {name} as migration {migration.number}, "
                f"this version has {migration.name}",
                hint="it was made by another build of Tidemill: use that one, or start a new control database",
            )
