"""The door to SQL: transactions, parameters and errors, on both databases."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidemill.core.clock import Clock
from tidemill.core.errors import (
    BusyError,
    CorruptError,
    InternalError,
    SettingsError,
    SpaceError,
    StateError,
    TidemillError,
)
from tidemill.warehouse.control.database import Database, open_database, sqlite_url, storable, to_json
from tidemill.warehouse.control.postgresql import to_pyformat, without_password
from tidemill.warehouse.control.sqlite import SqliteBackend


def put(db: Database, path: str, size: int = 0) -> None:
    with db.write() as tx:
        tx.execute(
            "INSERT INTO input_files (path, bytes, mtime_ns, ctime_ns, inode, hashed_ns, sha256)"
            " VALUES (:path, :size, 0, 0, 0, 0, '')",
            path=path,
            size=size,
        )


def count(db: Database) -> int:
    with db.read() as tx:
        number: int = tx.value("SELECT count(*) FROM input_files")
        return number


def test_a_transaction_that_raises_leaves_nothing(db: Database) -> None:
    def fail_half_way() -> None:
        with db.write() as tx:
            tx.execute("INSERT INTO source_files VALUES ('a', 'b', 'c', 'd', '[]')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()

    with db.read() as tx:
        assert tx.rows("SELECT * FROM source_files") == []


def test_what_was_acknowledged_is_there_after_opening_again(control_url: str) -> None:
    with closing(open_database(control_url, clock=Clock())) as db:
        put(db, "a")

    with closing(open_database(control_url, clock=Clock())) as db:
        assert count(db) == 1


def test_a_reader_keeps_its_snapshot_while_others_commit(db: Database) -> None:
    put(db, "a")
    with db.read() as tx:
        before = tx.value("SELECT count(*) FROM input_files")
        put(db, "b")
        during = tx.value("SELECT count(*) FROM input_files")

    assert (before, during, count(db)) == (1, 1, 2)


def test_a_reading_transaction_refuses_to_write(db: Database) -> None:
    with pytest.raises(InternalError), db.read() as tx:
        tx.execute("DELETE FROM runs")
    with pytest.raises(InternalError), db.read() as tx:
        tx.execute_many("DELETE FROM runs WHERE run_id = :run", [{"run": "a"}])


def test_a_write_inside_a_write_is_refused_at_once(db: Database) -> None:
    with pytest.raises(InternalError, match="inside another"), db.write(), db.write():
        pass

    put(db, "still works")


def test_writers_in_many_threads_lose_no_update(db: Database) -> None:
    put(db, "a", 0)

    def work() -> None:
        for _ in range(20):
            with db.write() as tx:
                now = tx.value("SELECT bytes FROM input_files")
                tx.execute("UPDATE input_files SET bytes = :next", next=now + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with db.read() as tx:
        assert tx.value("SELECT bytes FROM input_files") == 80


def test_a_statement_that_fails_leaves_the_connection_usable(db: Database) -> None:
    with pytest.raises(InternalError), db.read() as tx:
        tx.rows("SELECT nothing_of_the_kind FROM runs")

    assert count(db) == 0


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(), number=st.integers(-(2**63), 2**63 - 1), real=st.floats(allow_nan=False))
def test_any_text_and_number_comes_back_as_it_was_stored(db: Database, text: str, number: int, real: float) -> None:
    with db.write() as tx:
        tx.execute("DELETE FROM metrics")
        tx.execute(
            "INSERT INTO metrics (model_key, version, metric, evaluated_on, value, run_id, created_at)"
            " VALUES (:text, :number, '100%', ':text', :real, 'it''s', '')",
            text=text,
            number=number,
            real=real,
        )
        row = tx.row("SELECT * FROM metrics")

    assert row is not None
    assert (row["model_key"], row["version"], row["value"]) == (storable(text), number, real)
    assert (row["metric"], row["evaluated_on"], row["run_id"]) == ("100%", ":text", "it's")


def test_text_that_no_database_holds_is_shown_by_what_stands_for_it() -> None:
    assert storable("a\0b") == "a\N{SYMBOL FOR NULL}b"
    assert storable("caf\udce9") == "caf\\udce9"
    assert storable("naïve") == "naïve"
    assert storable(math.nan) is None


def test_json_has_null_where_there_is_no_number() -> None:
    assert to_json({"b": math.nan, "a": [math.inf, 1.5], "c": (1, None)}) == '{"a":[null,1.5],"b":null,"c":[1,null]}'


def test_only_parameters_are_rewritten_for_postgresql() -> None:
    sql = """SELECT ':a', "b:c", x::text, '50%' -- :d\nFROM t WHERE e = :e_1 AND f LIKE '%' || :f"""

    assert to_pyformat(sql) == (
        """SELECT ':a', "b:c", x::text, '50%%' -- :d\nFROM t WHERE e = %(e_1)s AND f LIKE '%%' || %(f)s"""
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:s3cret@host:5432/db", "postgresql://ann@host:5432/db"),
        ("postgresql://ann@host/db?password=s3cret&x=1", "postgresql://ann@host/db?password=...&x=1"),
        ("postgresql://host/db", "postgresql://host/db"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_an_unknown_kind_of_database_is_refused() -> None:
    with pytest.raises(SettingsError, match="mysql"):
        open_database("mysql://host/db", clock=Clock())


def test_a_postgresql_that_does_not_answer_can_be_tried_again() -> None:
    pytest.importorskip("psycopg")
    from tidemill.core.errors import TransientError

    with pytest.raises(TransientError, match="does not answer") as caught:
        open_database("postgresql://ann:s3cret@127.0.0.1:1/db", clock=Clock())

    assert "s3cret" not in caught.value.render()


def test_a_sqlite_database_is_in_wal_mode_and_syncs_every_commit(tmp_path: Path) -> None:
    with closing(open_database(sqlite_url(tmp_path / "c.sqlite"), clock=Clock())) as db, db.read() as tx:
        assert tx.value("PRAGMA journal_mode") == "wal"
        assert tx.value("PRAGMA synchronous") == 2


def test_a_full_disk_is_said_and_leaves_the_state_of_before(tmp_path: Path) -> None:
    with closing(open_database(sqlite_url(tmp_path / "c.sqlite"), clock=Clock())) as db:
        put(db, "kept")
        with db.read() as tx:
            # SQLite answers as it does on a full disk once the file may not grow.
            tx.rows("PRAGMA max_page_count = 1")
        with pytest.raises(SpaceError, match="is full") as caught:
            put(db, "x" * 1_000_000)
        assert caught.value.facts["free"] > 0
        assert count(db) == 1


@pytest.mark.parametrize(("free", "error"), [(0, SpaceError), (1 << 30, StateError)])
def test_an_input_output_error_on_a_full_disk_is_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, error: type[TidemillError]
) -> None:
    said = sqlite3.OperationalError("disk I/O error")
    said.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    monkeypatch.setattr(SqliteBackend, "_free", lambda _: free)

    assert type(SqliteBackend(tmp_path / "c.sqlite", busy_timeout_s=1).translate(said)) is error


def test_a_damaged_file_is_named_as_damaged(tmp_path: Path) -> None:
    (tmp_path / "c.sqlite").write_bytes(b"not a database at all, but long enough to look at" * 100)

    with pytest.raises(CorruptError, match=r"c\.sqlite"):
        open_database(sqlite_url(tmp_path / "c.sqlite"), clock=Clock())


def test_the_integrity_check_finds_nothing_in_a_whole_file(db: Database) -> None:
    assert db.problems() == []


def test_a_folder_that_cannot_be_made_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StateError, match="cannot be made"):
        open_database(sqlite_url(tmp_path / "file" / "c.sqlite"), clock=Clock())


def test_a_writer_that_blocks_others_ends_their_wait_as_busy(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "c.sqlite")
    with closing(open_database(url, clock=Clock(), busy_timeout_s=0.1)) as db:
        other = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusyError, match="another process"):
            put(db, "a")
        other.execute("ROLLBACK")
        other.close()
        put(db, "a")


def test_a_closed_database_and_one_from_before_a_fork_are_refused(tmp_path: Path) -> None:
    with closing(open_database(sqlite_url(tmp_path / "c.sqlite"), clock=Clock())) as db:
        db.close()
        with pytest.raises(InternalError, match="closed"):
            count(db)
    script = (
        "import os, sys\n"
        "from tidemill.core.clock import Clock\n"
        "from tidemill.core.errors import InternalError\n"
        "from tidemill.warehouse.control.database import open_database\n"
        "db = open_database(sys.argv[1], clock=Clock())\n"
        "if os.fork() == 0:\n"
        "    try:\n"
        "        with db.read(): pass\n"
        "    except InternalError:\n"
        "        os._exit(7)\n"
        "    os._exit(0)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
    )

    assert (
        subprocess.run([sys.executable, "-c", script, sqlite_url(tmp_path / "d.sqlite")], check=False).returncode == 7
    )


def test_the_sqlite_road_imports_only_the_standard_library() -> None:
    script = (
        "import sys, tempfile, pathlib\n"
        "before = {name.split('.')[0] for name in sys.modules}\n"
        "from tidemill.core.clock import Clock\n"
        "from tidemill.warehouse.control import assets, database, input_files, leases, runs, source_files\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    db = database.open_database(database.sqlite_url(pathlib.Path(folder) / 'c'), clock=Clock())\n"
        "    assets.load_assets(db), source_files.load_source_files(db)\n"
        "    input_files.load_input_files(db), runs.last_run(db), leases.current(db, 'run')\n"
        "    db.close()\n"
        "after = {name.split('.')[0] for name in sys.modules} - before\n"
        "print(sorted(after - set(sys.stdlib_module_names)))\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['tidemill']"
