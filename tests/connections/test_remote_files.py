"""Files on S3-compatible storage and on web servers: read, watched for changes, and named when they are gone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.connections.conftest import OpenWith

from tidemill.core.clock import Clock, utc_now
from tidemill.core.errors import SettingsError, SourceError, TidemillError
from tidemill.project import Project
from tidemill.testing.sources import S3, Web

# One process starts the servers.
pytestmark = pytest.mark.xdist_group("connections")


@pytest.fixture
def bucket(s3: S3, schema: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of this test's own, with two files of one shape."""
    name = schema.replace("_", "-")
    s3.client.create_bucket(Bucket=name)
    for number in (1, 2):
        s3.client.put_object(Bucket=name, Key=f"raw/day={number}/rows.csv", Body=f"id,total\n{number},10\n".encode())
    monkeypatch.setenv("RAW_SECRET", "geheim-2")
    return name


def toml(s3: S3, bucket: str, *lines: str) -> str:
    keys = ["[connections.raw]", f'url = "s3://{bucket}/raw"', f'endpoint = "{s3.endpoint}"', 'key_id = "tidemill"']
    return "\n".join([*keys, *(lines or ['secret = "${RAW_SECRET}"']), ""])


def later(project: Project) -> Project:
    """A project whose clock is ahead: no file was written in this very second."""
    project.clock = Clock(now=lambda: utc_now() + timedelta(minutes=1))
    return project


def reasons(project: Project) -> dict[str, str]:
    return {step.asset: step.reason for step in project.plan().work}


def test_a_pattern_on_s3_is_read_and_watched(open_with: OpenWith, s3: S3, bucket: str) -> None:
    pattern = f"s3://{bucket}/raw/*/rows.csv"
    project = later(open_with(toml(s3, bucket), t=f"CREATE TABLE t AS SELECT * FROM '{pattern}'"))
    project.run()
    assert project.sql("SELECT sum(id), sum(total) FROM t").fetchall() == [(3, 20)]
    assert reasons(project) == {}

    s3.client.put_object(Bucket=bucket, Key="raw/day=3/rows.csv", Body=b"id,total\n3,10\n")
    assert reasons(project) == {"t": f"{pattern} changed"}
    project.run()
    assert project.sql("SELECT sum(id) FROM t").fetchall() == [(6,)]

    for number in (1, 2, 3):
        s3.client.delete_object(Bucket=bucket, Key=f"raw/day={number}/rows.csv")
    assert reasons(project) == {"t": f"{pattern} is gone"}
    (step,) = project.run().steps
    assert isinstance(step.error, SourceError)
    assert "there is no file" in step.error.message
    assert project.sql("SELECT sum(id) FROM t").fetchall() == [(6,)]


def test_a_file_written_in_this_very_second_is_looked_at_again(open_with: OpenWith, s3: S3, bucket: str) -> None:
    file = f"s3://{bucket}/raw/day=1/rows.csv"
    s3.client.put_object(Bucket=bucket, Key="raw/day=1/rows.csv", Body=b"id,total\n5,10\n")
    written = utc_now()
    project = open_with(toml(s3, bucket), t=f"CREATE TABLE t AS SELECT * FROM '{file}'")
    project.clock = Clock(now=lambda: written)  # however slow this machine is
    project.run()
    assert later(project).plan().changed
    project.run()
    assert reasons(project) == {}


def test_keys_of_storage_are_for_its_own_files_only_and_are_not_shown(open_with: OpenWith, s3: S3, bucket: str) -> None:
    project = open_with(toml(s3, bucket))
    assert project.sql(f"SELECT count(*) FROM 's3://{bucket}/raw/day=1/rows.csv'").fetchall() == [(1,)]
    (secret,) = project.sql("SELECT scope, secret_string FROM duckdb_secrets()").fetchall()
    assert secret[0] == [f"s3://{bucket}/raw"]
    assert "geheim-2" not in secret[1]


def test_storage_is_no_database(open_with: OpenWith, s3: S3, bucket: str) -> None:
    with pytest.raises(TidemillError, match="a connection to files, which have no tables"):
        open_with(toml(s3, bucket)).sql("SELECT * FROM raw.rows")


def test_a_secret_of_storage_may_stand_in_a_file(open_with: OpenWith, s3: S3, bucket: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("geheim-3")
    file.chmod(0o640)
    project = open_with(toml(s3, bucket, f'secret_file = "{file}"'))
    query = f"SELECT count(*) FROM 's3://{bucket}/raw/day=1/rows.csv'"
    with pytest.raises(SettingsError, match="can be read by others"):
        project.sql(query)
    file.chmod(0o600)
    assert project.sql(query).fetchall() == [(1,)]


def test_a_file_of_a_web_server_is_read_and_watched(open_with: OpenWith, web: Web) -> None:
    file, url = web.folder / "rows.csv", f"{web.url}/rows.csv"
    file.write_text("id\n1\n2\n")
    project = open_with(" ", t=f"CREATE TABLE t AS SELECT * FROM '{url}'")
    project.run()
    assert project.sql("SELECT count(*) FROM t").fetchall() == [(2,)]
    assert reasons(project) == {}

    file.write_text("id\n1\n3\n")
    assert reasons(project) == {"t": f"{url} changed"}
    project.run()
    assert project.sql("SELECT max(id) FROM t").fetchall() == [(3,)]

    file.unlink()
    assert reasons(project) == {"t": f"{url} is gone"}
    (step,) = project.run().steps
    assert isinstance(step.error, SourceError)
    assert step.error.message == f"there is no file {url}"


def test_a_server_that_does_not_answer_head_is_asked_with_get(open_with: OpenWith, web: Web) -> None:
    (web.folder / "rows.csv").write_text("id\n1\n")
    web.heads = False
    project = open_with(" ", t=f"CREATE TABLE t AS SELECT * FROM '{web.url}/rows.csv'")
    project.run()
    assert reasons(project) == {}


def test_a_server_that_tells_no_version_is_read_again_by_every_run(open_with: OpenWith, web: Web) -> None:
    (web.folder / "rows.csv").write_text("id\n1\n")
    web.tags = web.dates = False
    project = open_with(" ", t=f"CREATE TABLE t AS SELECT * FROM '{web.url}/rows.csv'")
    project.run()
    why = "is read again by every run: its server tells neither an ETag nor a time"
    assert reasons(project) == {"t": f"{web.url}/rows.csv {why}"}


def test_a_server_that_is_gone_stops_only_its_step(open_with: OpenWith) -> None:
    project = open_with(
        " ",
        t="CREATE TABLE t AS SELECT * FROM 'http://127.0.0.1:1/rows.csv'",
        other="CREATE TABLE other AS SELECT 1 AS a",
    )
    report = project.run()
    assert [(step.asset, type(step.error)) for step in report.steps if step.error] == [("t", SourceError)]
    assert project.sql("SELECT a FROM other").fetchall() == [(1,)]
