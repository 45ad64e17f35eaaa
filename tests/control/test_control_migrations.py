"""Migrations: each once, in order, all or nothing; a schema from the future is refused."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tidemill.core.clock import Clock
from tidemill.core.errors import InternalError, StateError
from tidemill.warehouse.control.database import Database, Tx, open_database, sqlite_url
from tidemill.warehouse.control.migrations import MIGRATIONS, Migration, applied, migrate


def add_notes(tx: Tx) -> None:
    tx.execute("CREATE TABLE notes (text TEXT NOT NULL)")


def fail_after_notes(tx: Tx) -> None:
    add_notes(tx)
    raise RuntimeError("half way")


NEXT = len(MIGRATIONS) + 1
SHIPPED = {migration.number: migration.name for migration in MIGRATIONS}
SECOND = Migration(number=NEXT, name="notes", apply=add_notes)


def test_opening_again_applies_nothing(db: Database) -> None:
    assert migrate(db, MIGRATIONS) == []


def test_a_new_migration_is_applied_once_with_its_record(db: Database) -> None:
    assert migrate(db, (*MIGRATIONS, SECOND)) == [NEXT]
    assert migrate(db, (*MIGRATIONS, SECOND)) == []
    with db.read() as tx:
        assert applied(tx) == {**SHIPPED, NEXT: "notes"}
        assert tx.has_table("notes")


def test_a_migration_that_fails_leaves_no_trace(db: Database) -> None:
    with pytest.raises(RuntimeError):
        migrate(db, (*MIGRATIONS, Migration(number=NEXT, name="notes", apply=fail_after_notes)))

    with db.read() as tx:
        assert applied(tx) == SHIPPED
        assert not tx.has_table("notes")
    assert migrate(db, (*MIGRATIONS, SECOND)) == [NEXT]


def test_a_schema_newer_than_the_code_is_refused_with_advice(control_url: str) -> None:
    with closing(open_database(control_url, clock=Clock(), migrations=(*MIGRATIONS, SECOND))):
        pass

    with pytest.raises(StateError, match="newer Tidemill") as caught:
        open_database(control_url, clock=Clock())

    assert "upgrade" in caught.value.hint
    assert caught.value.facts == {"found": NEXT, "known": NEXT - 1}


def test_a_schema_of_another_build_is_refused(control_url: str) -> None:
    with closing(open_database(control_url, clock=Clock(), migrations=(*MIGRATIONS, SECOND))):
        pass
    other = Migration(number=NEXT, name="remarks", apply=add_notes)

    with pytest.raises(StateError, match=f"notes as migration {NEXT}"):
        open_database(control_url, clock=Clock(), migrations=(*MIGRATIONS, other))


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "notes"), (NEXT + 1, "notes"), (NEXT, "first_tables")],
    ids=["same number", "gap", "same name"],
)
def test_migrations_that_clash_or_leave_a_gap_are_refused(db: Database, number: int, name: str) -> None:
    with pytest.raises(InternalError, match="numbered"):
        migrate(db, (*MIGRATIONS, Migration(number=number, name=name, apply=add_notes)))


def test_a_copy_is_kept_before_an_old_sqlite_file_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    with closing(open_database(sqlite_url(path), clock=Clock())) as db:
        migrate(db, (*MIGRATIONS, SECOND))

    with (
        closing(open_database(sqlite_url(tmp_path / f"c.sqlite.before-{NEXT}"), clock=Clock())) as copy,
        copy.read() as tx,
    ):
        assert applied(tx) == SHIPPED


def test_processes_that_open_at_once_migrate_once(control_url: str) -> None:
    script = (
        "import sys\n"
        "from tidemill.core.clock import Clock\n"
        "from tidemill.warehouse.control.database import open_database\n"
        "open_database(sys.argv[1], clock=Clock()).close()\n"
    )
    openers = [subprocess.Popen([sys.executable, "-c", script, control_url]) for _ in range(3)]

    assert [opener.wait() for opener in openers] == [0, 0, 0]
    with closing(open_database(control_url, clock=Clock())) as db, db.read() as tx:
        assert applied(tx) == SHIPPED
