"""PostgreSQL and MariaDB behind connections: real servers, real troubles."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from tests.connections.conftest import OpenWith

from tidemill.core.errors import BindError, SettingsError, SourceError, TidemillError, TransientError
from tidemill.project import Project
from tidemill.testing.mariadb import Mariadb

PASSWORD = "ge'heim @/\\1"  # noqa: S105 - of a server that lives as long as the tests
ROWS = 50

# One process starts the servers.
pytestmark = pytest.mark.xdist_group("connections")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A database with a table ``orders``, whoever serves it."""

    kind: str
    url: str
    execute: Callable[[str], object]
    kill_readers: Callable[[], object]


@pytest.fixture(params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest, schema: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("CRM_PASSWORD", PASSWORD)
    if request.param == "postgresql":
        yield from postgresql_database(request.getfixturevalue("postgresql"), schema)
    else:
        yield mariadb_database(request.getfixturevalue("mariadb"), schema)


def postgresql_database(url: str, schema: str) -> Iterator[Server]:
    with psycopg.connect(url, autocommit=True) as db:

        def execute(sql: str) -> object:
            return db.execute(sql.encode())

        quoted = PASSWORD.replace("'", "''")
        execute(f"CREATE DATABASE {schema}")
        if not db.execute("SELECT 1 FROM pg_roles WHERE rolname = 'with_password'").fetchall():
            execute("CREATE ROLE with_password")
        execute(f"CREATE ROLE {schema} LOGIN PASSWORD '{quoted}' IN ROLE with_password")
        host = url.partition("@")[2].partition("/")[0]
        with psycopg.connect(f"postgresql://tidemill@{host}/{schema}", autocommit=True) as inside:
            inside.execute("CREATE TABLE orders (id INT PRIMARY KEY, total NUMERIC(10, 2), at TIMESTAMPTZ, note TEXT)")
            inside.execute(f"INSERT INTO orders SELECT i, i / 4.0, '2024-05-01', 'n' FROM generate_series(1, {ROWS}) i")
            inside.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {schema}".encode())
            kill = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE application_name = 'tidemill' AND datname = '{schema}'"
            )
            yield Server(
                kind="postgresql",
                url=f"postgresql://{schema}:${{CRM_PASSWORD}}@{host}/{schema}",
                execute=lambda sql: inside.execute(sql.encode()),
                kill_readers=lambda: execute(kill),
            )


def mariadb_database(mariadb: Mariadb, schema: str) -> Server:
    quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    mariadb.execute(f"CREATE DATABASE {schema}; CREATE USER {schema}@'127.0.0.1' IDENTIFIED BY '{quoted}'")
    mariadb.execute(f"CREATE USER {schema}@localhost IDENTIFIED BY '{quoted}'")
    mariadb.execute(f"GRANT SELECT ON {schema}.* TO {schema}@'127.0.0.1', {schema}@localhost")
    mariadb.execute(
        "CREATE TABLE orders (id INT PRIMARY KEY, total DECIMAL(10, 2), at DATETIME, note VARCHAR(20));"
        f"INSERT INTO orders SELECT seq, seq / 4, '2024-05-01', 'n' FROM seq_1_to_{ROWS}",
        database=schema,
    )

    def kill() -> None:
        mariadb.execute(f"KILL USER {schema}@'127.0.0.1'; KILL USER {schema}@localhost")

    return Server(
        kind="mysql",
        url=f"mysql://{schema}:${{CRM_PASSWORD}}@127.0.0.1:{mariadb.port}/{schema}",
        execute=lambda sql: mariadb.execute(sql, database=schema),
        kill_readers=kill,
    )


def toml(server: Server, *lines: str) -> str:
    return "\n".join(["[connections.crm]", f'url = "{server.url}"', *lines, ""])


def reasons(project: Project) -> dict[str, str]:
    return {step.asset: step.reason for step in project.plan().work}


def test_a_table_is_built_from_a_server_and_joined_with_the_lake(open_with: OpenWith, server: Server) -> None:
    project = open_with(
        toml(server),
        orders="CREATE TABLE orders (id PRIMARY KEY, CHECK (total > 0)) AS SELECT * FROM crm.orders",
        ten="CREATE TABLE ten AS SELECT o.* FROM crm.orders AS o SEMI JOIN (SELECT 10 AS id) USING (id)",
    )
    assert project.run().status == "ok"
    assert project.sql("SELECT count(*), sum(total)::VARCHAR, min(at)::DATE::VARCHAR FROM orders").fetchall() == [
        (ROWS, f"{ROWS * (ROWS + 1) / 8:.2f}", "2024-05-01")
    ]
    assert project.sql("SELECT id FROM ten").fetchall() == [(10,)]
    kept = [path.read_bytes() for path in project.keep.rglob("*") if path.is_file()]
    assert not [data for data in kept if b"ge'heim" in data]


def test_postgresql_is_read_again_only_when_a_transaction_has_ended(open_with: OpenWith, server: Server) -> None:
    if server.kind != "postgresql":
        pytest.skip("MariaDB tells no changes")
    project = open_with(toml(server), orders="CREATE TABLE orders AS SELECT * FROM crm.orders")
    server.execute("VACUUM ANALYZE orders")  # else the server does it by itself, at a time of its own
    project.run()
    assert reasons(project) == {}
    server.execute("DELETE FROM orders WHERE id = 1")
    assert reasons(project) == {"orders": "crm.orders may have changed: transactions have ended"}
    project.run()
    assert project.sql("SELECT count(*) FROM orders").fetchall() == [(ROWS - 1,)]


def test_mysql_is_read_again_by_every_run(open_with: OpenWith, server: Server) -> None:
    if server.kind != "mysql":
        pytest.skip("PostgreSQL tells changes")
    project = open_with(toml(server), orders="CREATE TABLE orders AS SELECT * FROM crm.orders")
    project.run()
    assert reasons(project) == {"orders": "crm.orders is read again by every run: mysql tells no changes"}


def test_a_server_can_be_asked_for_a_checksum_of_each_table(open_with: OpenWith, server: Server) -> None:
    project = open_with(toml(server, 'changes = "checksum"'), orders="CREATE TABLE orders AS SELECT * FROM crm.orders")
    server.execute("CREATE TABLE other (a INT)")
    project.run()
    server.execute("INSERT INTO other VALUES (1)")
    assert reasons(project) == {}
    server.execute("UPDATE orders SET note = 'm' WHERE id = 7")
    assert reasons(project) == {"orders": "crm.orders changed"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER TABLE orders RENAME TO older", "there is no table crm."),
        ("ALTER TABLE orders RENAME COLUMN total TO amount", "there is no column total"),
    ],
)
def test_a_change_upstream_stops_the_step_and_leaves_the_old_version(
    open_with: OpenWith, server: Server, change: str, words: str
) -> None:
    project = open_with(toml(server), orders="CREATE TABLE orders AS SELECT id, total FROM crm.orders")
    project.run()
    server.execute(change)
    (step,) = project.run().steps
    assert isinstance(step.error, BindError)
    assert words in step.error.message
    assert project.sql("SELECT count(*) FROM orders").fetchall() == [(ROWS,)]


def test_a_type_that_changes_while_rows_are_read_is_refused(open_with: OpenWith, server: Server) -> None:
    project = open_with(toml(server))
    result = project.sql("SELECT id, note FROM crm.orders")  # its columns are known from here on
    server.execute("ALTER TABLE orders ALTER COLUMN id TYPE BIGINT" if server.kind == "postgresql" else
                   "ALTER TABLE orders MODIFY id VARCHAR(20)")  # fmt: skip
    with pytest.raises(SourceError, match="changed its columns while it was read"):
        result.fetchall()
    assert project.sql("SELECT count(*) FROM crm.orders WHERE id = 7 OR id = '7'").fetchall() == [(1,)]


def test_a_server_that_goes_away_in_the_middle_is_told_and_nothing_is_published(
    open_with: OpenWith, server: Server
) -> None:
    numbers = "generate_series(1, 200000) AS s(seq)" if server.kind == "postgresql" else "seq_1_to_200000"
    server.execute(f"CREATE TABLE big AS SELECT seq, repeat('x', 300) AS pad FROM {numbers}")
    if server.kind == "postgresql":
        server.execute(f"GRANT SELECT ON big TO {server.url.rpartition('/')[2]}")
    project = open_with(toml(server))
    batches = project.sql("SELECT * FROM crm.big").rows.batches()
    next(batches)
    server.kill_readers()
    with pytest.raises(TransientError, match="lost while it was read"):
        list(batches)
    assert project.sql("SELECT count(*) FROM crm.orders").fetchall() == [(ROWS,)]


@pytest.mark.parametrize(
    ("wrong", "kind", "words"),
    [
        (("${CRM_PASSWORD}", "${WRONG_PASSWORD}"), SourceError, "check the user"),
        (("@127.0.0.1", "@no-such-host.invalid"), SourceError, "check the host"),
        ((":PORT/", ":1/"), TransientError, "is the server there"),
    ],
)
def test_a_database_that_cannot_be_reached_says_why_without_its_password(
    open_with: OpenWith,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    wrong: tuple[str, str],
    kind: type[TidemillError],
    words: str,
) -> None:
    monkeypatch.setenv("WRONG_PASSWORD", "wrong-" + PASSWORD)
    old, new = wrong
    port = server.url.rpartition(":")[2].partition("/")[0]
    url = server.url.replace(f":{port}/", ":1/") if old == ":PORT/" else server.url.replace(old, new)
    caplog.set_level(logging.DEBUG)
    project = open_with(f'[connections.crm]\nurl = "{url}"\n', orders="CREATE TABLE orders AS SELECT * FROM crm.orders")

    (step,) = project.plan().work
    report = project.run()

    error = report.steps[0].error
    assert isinstance(error, kind)
    assert "connection crm cannot be reached" in error.message
    assert words in error.hint
    shown = [step.reason, error.render(), str(error.as_json()), repr(error.__cause__), caplog.text]
    shown += [path.read_text(errors="replace") for path in project.keep.rglob("*") if path.is_file()]
    assert not [text for text in shown if PASSWORD in text or "ge'heim" in text]


def test_a_connection_is_only_ever_read(open_with: OpenWith, server: Server) -> None:
    project = open_with(toml(server))
    function = "postgres_query" if server.kind == "postgresql" else "mysql_query"
    session = project.stations.session()
    with session:
        name = session.localised('FROM "tidemill_at_crm"."any"."orders"').split('"')[1]
        for sql in ("DELETE FROM orders", "DELETE FROM orders RETURNING id", "CREATE TABLE x AS SELECT 1 AS a"):
            with pytest.raises(TidemillError):
                session.query(f"FROM {function}('{name}', '{sql}')").read_all()
        secrets = session.query("SELECT * FROM duckdb_secrets()").read_all().to_pylist()
        places = session.query("SELECT database_name, path FROM duckdb_databases()").read_all().to_pylist()
    assert PASSWORD not in str([secrets, places])
    assert project.sql("SELECT count(*) FROM crm.orders").fetchall() == [(ROWS,)]


def test_a_password_may_stand_in_a_file_that_only_its_owner_reads(
    open_with: OpenWith, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CRM_PASSWORD")
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o644)
    url = server.url.replace(":${CRM_PASSWORD}", "")
    project = open_with(f'[connections.crm]\nurl = "{url}"\npassword_file = "{file}"\n')
    with pytest.raises(SettingsError, match="can be read by others"):
        project.sql("SELECT * FROM crm.orders")
    file.chmod(0o600)
    assert project.sql("SELECT count(*) FROM crm.orders").fetchall() == [(ROWS,)]


def test_the_whole_url_may_stand_in_the_environment(
    open_with: OpenWith, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib.parse import quote

    project = open_with('[connections.crm]\nurl = "${CRM_URL}"\n')
    with pytest.raises(SettingsError, match="CRM_URL"):
        project.sql("SELECT * FROM crm.orders")
    monkeypatch.setenv("CRM_URL", server.url.replace("${CRM_PASSWORD}", quote(PASSWORD, safe="")))
    assert open_with().sql("SELECT count(*) FROM crm.orders").fetchall() == [(ROWS,)]


def test_a_model_may_read_a_server_and_is_told_that_it_cannot_be_trained_again(
    open_with: OpenWith, server: Server
) -> None:
    project = open_with(
        toml(server),
        m="CREATE MODEL m OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['total'],"
        " data_split_method = 'NO_SPLIT') AS SELECT id, CAST(total AS DOUBLE) AS total FROM crm.orders",
    )
    report = project.run()
    assert report.status == "ok"
    assert any("crm.orders is read where it is" in warning for warning in report.steps[0].warnings)
    version = project.describe("m")
    assert version is not None
    with pytest.raises(TidemillError, match="from a live database"):
        project.retrain("m")


def test_a_query_sees_one_moment_of_a_server(open_with: OpenWith, server: Server) -> None:
    for table in ("a", "b"):
        server.execute(f"CREATE TABLE {table} (v INT)")
        server.execute(f"INSERT INTO {table} VALUES (0)")
        if server.kind == "postgresql":
            server.execute(f"GRANT SELECT ON {table} TO {server.url.rpartition('/')[2]}")
    step = "BEGIN; UPDATE a SET v = v + 1; UPDATE b SET v = v + 1; COMMIT;"
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            server.execute(step * 50)

    project = open_with(toml(server))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        query = "SELECT (SELECT v FROM crm.a), (SELECT v FROM crm.b)"
        found = [project.sql(query).fetchall()[0] for _ in range(20)]
    finally:
        done.set()
        writer.join()
    assert [pair for pair in found if pair[0] != pair[1]] == []
    assert len(set(found)) > 1  # somebody did write meanwhile
