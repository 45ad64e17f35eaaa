"""tidemill lineage, as a user calls it: before and after a run, for people and programs."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from tests.cli.conftest import RunCommand

VIEW = "CREATE VIEW dear AS SELECT id, price * 2 AS twice FROM orders WHERE items > 1;"


@pytest.fixture
def shop(project: Path) -> Path:
    (project / "sql" / "dear.sql").write_text(VIEW)
    return project


def test_a_column_is_followed_before_anything_was_run(command: RunCommand, shop: Path) -> None:
    ran = command("lineage", "dear.twice", "--up")

    assert ran.status == 0
    assert "  └─ orders.price  transformation\n     └─ orders.csv.price  identity" in ran.out
    assert "rows of dear  <- orders.items [filter]" in ran.out
    assert command("history", "orders").status == 5


def test_a_model_shows_its_features_and_label(command: RunCommand, shop: Path) -> None:
    out = command("lineage", "PRICE_MODEL").out

    assert "items (feature)               <- orders.items" in out
    assert "price (label)                 <- orders.price" in out


def test_after_a_run_the_lake_knows_the_columns_of_files_that_are_gone(command: RunCommand, shop: Path) -> None:
    assert command("run").status == 0
    (shop / "orders.csv").rename(shop / "elsewhere.csv")

    out = command("lineage", "orders").out

    assert "price  <- orders.csv.price" in out
    assert "note: orders.csv: its columns are not known: there is no such file (orders.csv)" in out


def test_what_was_typed_is_followed_too(command: RunCommand, shop: Path) -> None:
    assert command("run").status == 0
    assert command("query", "CREATE TABLE typed AS SELECT max(price) AS top FROM orders").status == 0

    assert "typed.top  aggregation" in command("lineage", "orders.price", "--down").out


def test_programs_get_json_graphviz_and_files(command: RunCommand, shop: Path) -> None:
    data = command("lineage", "dear", "--json", "--direct").json()
    dot = command("lineage", "dear", "--dot").out
    told = command("lineage", "--html", "all.html", "--svg", "all.svg")

    assert {edge["type"] for edge in data["edges"]} == {"DIRECT"}
    assert [node["name"] for node in data["nodes"]] == ["orders.csv", "orders", "dear"]
    assert dot.startswith("digraph lineage {")
    assert told.out == "wrote all.svg\nwrote all.html\n"
    assert "<svg" in (shop / "all.html").read_text()
    assert "price_model" in (shop / "all.svg").read_text()


def test_a_name_that_is_not_there_gets_the_nearest(command: RunCommand, shop: Path) -> None:
    ran = command("lineage", "dear.twicee", "--json")

    assert (ran.status, json.loads(ran.err)["error"]["hint"]) == (5, "did you mean twice?")
    assert command("lineage", "--json", "--dot").status == 2


def test_a_table_of_a_connection_is_followed_to_its_columns(command: RunCommand, shop: Path) -> None:
    with sqlite3.connect(shop / "crm.sqlite") as made:
        made.execute("CREATE TABLE people (name TEXT, age INTEGER)")
    made.close()
    (shop / "tidemill.toml").write_text('[connections.crm]\nurl = "sqlite:///crm.sqlite"\n')
    (shop / "sql" / "people.sql").write_text("CREATE TABLE people AS SELECT * FROM crm.people;")

    out = command("lineage", "people", "--up").out

    assert "name  <- crm.people.name\n  age   <- crm.people.age" in out
    assert "crm.people  (connection)" in out
