"""What came of each check, one row a check and step.

``save_checks(db, run_id, step, *, table, results, version=None, origin="run")`` takes `contracts.result.CheckResult`s;
saving a step's checks again replaces them. ``version`` is the table's version with these rows; None when they were
never published. Origin: ``run``, or ``check`` when somebody asked what holds of the rows that are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tidemill.warehouse.control.database import Database, Tx, reading, to_json, writing
from tidemill.warehouse.control.leases import Lease, require


class CheckLike(Protocol):
    """A check's result, as the audit has it."""

    @property
    def check(self) -> str:
        """The check in words."""

    @property
    def kind(self) -> str:
        """not_null, primary_key, unique, references, check, assert, or the name of a table's rule."""

    @property
    def enforced(self) -> bool:
        """Whether a failure keeps the version from being published."""

    @property
    def status(self) -> str:
        """passed, failed (enforced) or warned (not enforced)."""

    @property
    def rows_seen(self) -> int:
        """Rows looked at."""

    @property
    def rows_failing(self) -> int:
        """Rows that fail."""

    @property
    def sample(self) -> Sequence[dict[str, Any]]:
        """Some rows that fail."""

    @property
    def sample_keys(self) -> Sequence[dict[str, Any]]:
        """The keys of those rows."""

    @property
    def observed(self) -> Mapping[str, Any]:
        """What was measured."""

    @property
    def seconds(self) -> float:
        """How long it took."""


def save_checks(
    db: Database | Tx,
    run_id: str,
    step: str,
    *,
    table: str,
    results: Sequence[CheckLike],
    version: int | None = None,
    origin: str = "run",
    lease: Lease | None = None,
) -> None:
    """Write the checks of a step; a failed step's checks are kept as well."""
    with writing(db) as tx:
        if lease is not None:
            require(tx, lease)
        now = tx.now()
        tx.execute("DELETE FROM checks WHERE run_id = :run_id AND step = :step", run_id=run_id, step=step)
        tx.execute_many(
            "INSERT INTO checks (run_id, step, number, origin, table_name, version, check_name, kind, enforced, status,"
            " rows_seen, rows_failing, sample, sample_keys, observed, seconds, created_at) VALUES (:run_id, :step,"
            " :number, :origin, :table_name, :version, :check_name, :kind, :enforced, :status, :rows_seen,"
            " :rows_failing, :sample, :sample_keys, :observed, :seconds, :now)",
            [
                {
                    "run_id": run_id,
                    "step": step,
                    "number": number,
                    "origin": origin,
                    "table_name": table,
                    "version": version,
                    "check_name": result.check,
                    "kind": result.kind,
                    "enforced": result.enforced,
                    "status": result.status,
                    "rows_seen": result.rows_seen,
                    "rows_failing": result.rows_failing,
                    "sample": to_json(list(result.sample)),
                    "sample_keys": to_json(list(result.sample_keys)),
                    "observed": to_json(dict(result.observed)),
                    "seconds": result.seconds,
                    "now": now,
                }
                for number, result in enumerate(results, 1)
            ],
        )


def load_checks(db: Database | Tx, run_id: str, step: str) -> list[dict[str, Any]]:
    """The checks of a step, in their order, as rows of the table."""
    with reading(db) as tx:
        return tx.rows(
            "SELECT * FROM checks WHERE run_id = :run_id AND step = :step ORDER BY number", run_id=run_id, step=step
        )
