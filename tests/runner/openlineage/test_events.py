"""A run tells catalogues what it read and wrote, in OpenLineage's form, and never waits or fails because of them."""

from __future__ import annotations

import contextlib
import importlib
import json
import pkgutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from openlineage.client import generated
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from tests.runner.conftest import MODEL, TABLES, write_visits

from tidemill.core.errors import SettingsError
from tidemill.core.settings import read_settings
from tidemill.core.source_tables import find_source
from tidemill.project import open_project
from tidemill.runner.events import Event, RunWarned, StepStarted
from tidemill.runner.openlineage.datasets import source_dataset
from tidemill.runner.openlineage.message import FACETS, OWN_FACETS

ENDS = {"COMPLETE", "FAIL", "ABORT"}


def shop(root: Path, section: str = 'file = "lineage.ndjson"', *, tables: str = TABLES) -> Path:
    (root / "tidemill.toml").write_text(f'name = "shop"\n[openlineage]\n{section}\n')
    (root / "sql").mkdir()
    (root / "sql" / "tables.sql").write_text(tables)
    (root / "sql" / "model.sql").write_text(MODEL)
    write_visits(root)
    return root


def run(root: Path, listen: Callable[[Event], None] = lambda _: None) -> list[dict[str, Any]]:
    with open_project(root) as project:
        project.run(on_event=listen)
    return sent(root)


def sent(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / "lineage.ndjson").read_text().splitlines()]


def of(events: list[dict[str, Any]], job: str, kind: str) -> dict[str, Any]:
    (found,) = [event for event in events if event["job"]["name"] == job and event["eventType"] == kind]
    return found


def schemas() -> dict[str, Any]:
    """Every class of the official client by the address of its schema."""
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for value in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if isinstance(value, type) and hasattr(value, "_get_schema"):
                found[value._get_schema()] = value
    return found


def facets_of(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from event["run"]["facets"].values()
    yield from event["job"]["facets"].values()
    for dataset in (*event["inputs"], *event["outputs"]):
        yield from dataset["facets"].values()
        yield from dataset.get("inputFacets", {}).values()
        yield from dataset.get("outputFacets", {}).values()


def test_each_job_begins_once_and_ends_once_under_one_id(tmp_path: Path) -> None:
    events = run(shop(tmp_path))

    begun = Counter(event["run"]["runId"] for event in events if event["eventType"] == "START")
    ended = Counter(event["run"]["runId"] for event in events if event["eventType"] in ENDS)
    assert begun == ended
    assert set(begun.values()) == {1}
    assert {event["job"]["name"] for event in events} == {
        "shop", "shop.visits", "shop.visits.checks", "shop.features", "shop.buyers",
    }  # fmt: skip
    assert {event["job"]["namespace"] for event in events} == {"tidemill://shop"}


def test_events_hold_what_the_official_client_takes(tmp_path: Path) -> None:
    known = schemas()

    for event in run(shop(tmp_path)):
        RunEvent(
            eventTime=event["eventTime"],
            producer=event["producer"],
            run=Run(runId=event["run"]["runId"]),
            job=Job(namespace=event["job"]["namespace"], name=event["job"]["name"]),
            eventType=RunState[event["eventType"]],
        )
        assert event["schemaURL"] == RunEvent._get_schema()
        for facet in facets_of(event):
            values = {key: value for key, value in facet.items() if not key.startswith("_")}
            kind = known[facet["_schemaURL"]]
            if not kind.__name__.endswith(("DatasetFacet", "RunFacet")) or kind.__name__ in (
                "DatasetFacet",
                "RunFacet",
            ):
                continue  # a facet of our own may hold anything
            kind(**values)


def test_every_facet_that_may_be_sent_names_a_schema_of_the_official_client() -> None:
    addresses = [f"https://openlineage.io/spec/facets/{version.split('/')[0]}/{version.split('/')[1]}.json"
                 f"#/$defs/{version.split('/')[1]}" for version in FACETS.values()]  # fmt: skip

    assert set(addresses) <= set(schemas())
    assert not set(FACETS) & set(OWN_FACETS)


def test_a_table_says_its_columns_rows_and_version_and_what_it_was_read_from(tmp_path: Path) -> None:
    events = run(shop(tmp_path))

    (table,) = of(events, "shop.visits", "COMPLETE")["outputs"]
    assert (table["namespace"], table["name"]) == ("tidemill://shop", "visits")
    assert [field["name"] for field in table["facets"]["schema"]["fields"]] == ["id", "pages", "country"]
    assert table["facets"]["version"]["datasetVersion"] == "1"
    assert table["outputFacets"]["outputStatistics"]["rowCount"] == 600
    assert table["outputFacets"]["outputStatistics"]["size"] > 0
    (file,) = of(events, "shop.visits", "COMPLETE")["inputs"]
    assert (file["namespace"], file["name"]) == ("file", str(tmp_path / "visits.csv"))
    (model,) = of(events, "shop.buyers", "COMPLETE")["outputs"]
    assert model["facets"]["tidemill_model"]["modelType"] == "LOGISTIC_REG"
    (read,) = of(events, "shop.buyers", "COMPLETE")["inputs"]
    assert (read["name"], read["facets"]["version"]["datasetVersion"]) == ("features", "2")


def test_columns_say_which_columns_they_come_from_and_how(tmp_path: Path) -> None:
    events = run(shop(tmp_path))

    (features,) = of(events, "shop.features", "COMPLETE")["outputs"]
    fields = features["facets"]["columnLineage"]["fields"]
    assert {
        (one["namespace"], one["name"], one["field"], change["type"], change["subtype"])
        for one in fields["bought"]["inputFields"]
        for change in one["transformations"]
    } == {
        ("tidemill://shop", "visits", "pages", "DIRECT", "TRANSFORMATION"),
        ("tidemill://shop", "visits", "country", "DIRECT", "TRANSFORMATION"),
    }
    (visits,) = of(events, "shop.visits", "COMPLETE")["outputs"]
    (source,) = visits["facets"]["columnLineage"]["fields"]["pages"]["inputFields"]
    assert (source["namespace"], source["name"]) == ("file", str(tmp_path / "visits.csv"))
    assert source["transformations"] == [{"type": "DIRECT", "subtype": "IDENTITY"}]


def test_tables_of_connections_are_named_by_where_they_are_and_never_by_who_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "crm.sqlite")) as database:
        database.executescript("CREATE TABLE people (id INTEGER); INSERT INTO people VALUES (1);")
    monkeypatch.setenv("CRM_HOST", "db.example.com")
    section = (
        'file = "lineage.ndjson"\n[connections.crm]\nurl = "sqlite:///crm.sqlite"\n'
        '[connections.far]\nurl = "postgresql://reader:${CRM_PASSWORD}@${CRM_HOST}/sales?connect_timeout=1"\n'
    )
    shop(tmp_path, section, tables=TABLES + "\nCREATE TABLE people AS SELECT id FROM crm.people;")

    events = run(tmp_path)

    (read,) = of(events, "shop.people", "COMPLETE")["inputs"]
    assert (read["namespace"], read["name"]) == (f"sqlite://{tmp_path / 'crm.sqlite'}", "main.people")
    (made,) = of(events, "shop.people", "COMPLETE")["outputs"]
    (source,) = made["facets"]["columnLineage"]["fields"]["id"]["inputFields"]
    assert (source["namespace"], source["name"], source["field"]) == (read["namespace"], "main.people", "id")
    with open_project(tmp_path) as project:
        table = find_source("far.orders", project.settings.connections)
        assert table is not None
        far = source_dataset(table, project.stations)
    assert (far.namespace, far.name) == ("postgres://db.example.com:5432", "sales.public.orders")


def test_steps_name_the_run_as_their_parent_and_carry_their_sql(tmp_path: Path) -> None:
    events = run(shop(tmp_path))

    whole = of(events, "shop", "START")
    step = of(events, "shop.features", "START")
    assert step["run"]["facets"]["parent"]["run"]["runId"] == whole["run"]["runId"]
    assert step["job"]["facets"]["sql"]["query"].startswith("CREATE TABLE features AS")


def test_checks_are_told_as_assertions_on_the_table(tmp_path: Path) -> None:
    (table,) = of(run(shop(tmp_path)), "shop.visits.checks", "COMPLETE")["inputs"]

    said = table["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {(one["assertion"], one["success"]) for one in said} == {
        ("primary_key", True), ("not_null", True), ("check", True),
    }  # fmt: skip


def test_a_table_that_breaks_its_contract_fails_without_showing_its_rows(tmp_path: Path) -> None:
    tables = TABLES.replace("CHECK (pages >= 0)", "CHECK (country <> 'NL')")

    events = run(shop(tmp_path, tables=tables))

    failed = of(events, "shop.visits", "FAIL")
    assert "CHECK (country <> 'NL') fails for 200 rows" in failed["run"]["facets"]["errorMessage"]["message"]
    assert failed["outputs"] == []
    assert of(events, "shop", "FAIL")
    assert "country='NL'" not in (tmp_path / "lineage.ndjson").read_text()


def test_a_run_that_is_broken_off_aborts_what_was_open(tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, StepStarted) and event.asset == "features":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(shop(tmp_path), stop)

    events = sent(tmp_path)
    assert of(events, "shop", "ABORT")
    assert of(events, "shop.visits", "COMPLETE")


def test_without_the_section_nothing_is_written(tmp_path: Path) -> None:
    shop(tmp_path, "")
    before = {path.name for path in tmp_path.iterdir()}

    with open_project(tmp_path) as project:
        project.run()

    assert {path.name for path in tmp_path.iterdir()} - before == {".tidemill"}


class Catalogue:
    """A server that takes events, and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.answers: list[int] = []
        self.hang = threading.Event()
        self.hang.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.hang.wait()
                status = outer.answers.pop(0) if outer.answers else 201
                if status == 201:
                    outer.got.append((self.path, dict(self.headers), body))
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "http://127.0.0.1:9/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def catalogue() -> Iterator[Catalogue]:
    with running() as found:
        yield found


@contextmanager
def running() -> Iterator[Catalogue]:
    catalogue = Catalogue()
    thread = threading.Thread(target=catalogue.server.serve_forever)
    thread.start()
    try:
        yield catalogue
    finally:
        catalogue.hang.set()
        catalogue.server.shutdown()
        thread.join()
        catalogue.server.server_close()


def warnings_of(root: Path) -> list[str]:
    heard: list[str] = []
    with open_project(root) as project:
        report = project.run(
            on_event=lambda event: heard.append(event.message) if isinstance(event, RunWarned) else None
        )
    assert report.status == "ok"
    return heard


def test_a_server_gets_every_event_in_order_with_the_key_of_the_environment(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", "s3cret")
    root = shop(tmp_path, f'file = "lineage.ndjson"\nurl = "{catalogue.url}"\napi_key_variable = "SHOP_KEY"')

    assert warnings_of(root) == []

    assert [event for _, _, event in catalogue.got] == sent(root)
    assert {(path, headers["Authorization"]) for path, headers, _ in catalogue.got} == {
        ("/api/v1/lineage", "Bearer s3cret")
    }
    assert "s3cret" not in (root / "lineage.ndjson").read_text()


def test_a_server_that_stumbles_once_gets_the_event_all_the_same(tmp_path: Path, catalogue: Catalogue) -> None:
    catalogue.answers = [503]

    assert warnings_of(shop(tmp_path, f'url = "{catalogue.url}"')) == []
    assert catalogue.got[0][2]["eventType"] == "START"


@pytest.mark.parametrize(("answer", "why"), [(403, "it answered 403"), (302, "it answered 302")])
def test_a_refusal_is_a_warning_and_is_not_tried_again(
    tmp_path: Path, catalogue: Catalogue, answer: int, why: str
) -> None:
    catalogue.answers = [answer]

    (warning,) = warnings_of(shop(tmp_path, f'url = "{catalogue.url}"'))

    assert warning.endswith(f"did not reach {catalogue.url}/api/v1/lineage: {why}")
    assert catalogue.got == []


def test_a_server_that_hangs_holds_a_run_up_no_longer_than_the_settings_say(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    catalogue.hang.clear()
    root = shop(tmp_path, f'url = "{catalogue.url}"\nwait_seconds = 0.2\ntimeout_seconds = 30.0')

    before = time.monotonic()
    (warning,) = warnings_of(root)

    assert "did not answer within 0.2 s" in warning
    assert time.monotonic() - before < 25


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('url = "ftp://host"', "must begin with http:// or https://"),
        ('url = "https://user:password@host"', "must not hold a user or a password"),
        ('fle = "x"', "unknown setting openlineage.fle"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_at_their_place(tmp_path: Path, section: str, message: str) -> None:
    shop(tmp_path, section)

    with pytest.raises(SettingsError, match=message) as caught:
        read_settings(tmp_path)

    assert caught.value.where is not None
    assert caught.value.where.line == 3
    assert "password@" not in str(caught.value)
