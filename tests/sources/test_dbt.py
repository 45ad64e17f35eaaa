"""A dbt project's tables come into a new project with their descriptions and tests.

``dbt/target/manifest.json`` is what dbt 1.11 with its DuckDB adapter wrote for a project of four models, two seeds and
twelve tests, without the parts that are not read (macros, raw code).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tidemill.core.errors import BindError, ExistsError, SettingsError, SourceError
from tidemill.core.settings import read_settings
from tidemill.new_project import create_project
from tidemill.project import open_project
from tidemill.sources.dbt_draft import CHECKS, draft_table, name_tables
from tidemill.sources.dbt_manifest import DbtProject, DbtTable, DbtTest, choose, read_manifest
from tidemill.sql.parse import parse_text
from tidemill.sql.statements import CreateTable

DBT = Path(__file__).parent / "dbt"


@pytest.fixture(scope="module")
def jaffle() -> DbtProject:
    return read_manifest(DBT)


def table(*tests: DbtTest, **facts: Any) -> DbtTable:
    given: dict[str, Any] = {
        "id": "model.p.t", "name": "t", "file": "models/t.sql", "kind": "table", "path": ("db", "s", "t"),
        "relation": '"db"."s"."t"', "description": "", "columns": {}, "tests": tests,
    }  # fmt: skip
    return DbtTable(**given | facts)


def drafted(*tests: DbtTest, names: dict[str, str] | None = None, **facts: Any) -> tuple[CreateTable, tuple[str, ...]]:
    project = DbtProject(name="p", adapter="duckdb", folder=DBT, tables=(), queries=())
    draft = draft_table(project, table(*tests, **facts), names or {"model.p.t": "t"}, "dbt.s.t")
    (statement,) = parse_text(draft.text, file="t.sql", dialect="duckdb")
    assert isinstance(statement, CreateTable)
    return statement, draft.left


def said(statement: CreateTable) -> list[tuple[str, tuple[str, ...], str, bool]]:
    return [(rule.kind, rule.columns, rule.expression, rule.enforced) for rule in statement.constraints]


def test_the_tables_that_no_model_reads_are_taken_in_unless_others_are_named(jaffle: DbtProject) -> None:
    assert {one.name for one in jaffle.tables} == {
        "customers",
        "Fact Orders",
        "stg_orders",
        "raw_customers",
        "raw_orders",
    }
    assert [one.name for one in choose(jaffle, ())] == ["Fact Orders", "customers"]
    assert [one.name for one in choose(jaffle, ("RAW_*", "stg_orders"))] == [
        "stg_orders",
        "raw_customers",
        "raw_orders",
    ]


def test_a_table_that_dbt_does_not_have_names_the_nearest(jaffle: DbtProject) -> None:
    with pytest.raises(BindError, match="no table custmers") as caught:
        choose(jaffle, ("custmers",))
    assert "customers" in caught.value.hint


def test_a_project_from_dbt_holds_statements_that_are_read_and_a_connection(tmp_path: Path) -> None:
    made = create_project(tmp_path / "shop", dbt=DBT)

    assert sorted(path.name for path in made.files) == [
        ".gitignore", "customers.sql", "dbt_tests.sql", "fact_orders.sql", "tidemill.toml",
    ]  # fmt: skip
    (customers,) = parse_text((tmp_path / "shop/sql/customers.sql").read_text(), file="c", dialect="duckdb")
    assert isinstance(customers, CreateTable)
    assert said(customers) == [
        ("primary_key", ("customer_id",), "", True),
        ("not_null", ("country",), "", False),
        ("check", (), "country IN ('NL', 'DE')", True),
        ("check", (), "NOT (country = 'NL') OR orders IS NOT NULL", True),
    ]
    assert [one.value for column in customers.columns if column.name == "spent" for one in column.options] == ["Euros"]
    assert customers.options[0].value == 'One row a customer, with what they bought. It\'s "final".'
    assert 'FROM dbt.shop."Fact Orders"' in (tmp_path / "shop/sql/fact_orders.sql").read_text()
    assert (
        "FROM (\n  select * from fact_orders where amount < 0\n)" in (tmp_path / "shop/sql/dbt_tests.sql").read_text()
    )
    assert '[connections.dbt]\nurl = "duckdb:///' in (tmp_path / "shop/tidemill.toml").read_text()


def test_a_relationship_to_a_table_that_stays_behind_is_said(tmp_path: Path) -> None:
    made = create_project(tmp_path / "shop", dbt=DBT, select=["fact*"])

    assert any("relationships_orders_customer_id" in note for note in made.notes)
    assert "REFERENCES" not in (tmp_path / "shop/sql/fact_orders.sql").read_text()


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "accepted_values": ({"values": [1, "it's"]}, "c IN (1, 'it''s')"),
    "dbt_utils.accepted_range": ({"min_value": 0, "max_value": 9, "inclusive": False}, "c > 0 AND c < 9"),
    "dbt_utils.expression_is_true": ({"expression": "> 5"}, "c > 5"),
    "dbt_utils.not_accepted_values": ({"values": ["x"]}, "c NOT IN ('x')"),
    "dbt_utils.not_constant": ({}, "count(DISTINCT c) > 1"),
    "dbt_utils.not_empty_string": ({}, "trim(c) <> ''"),
    "dbt_utils.not_null_proportion": ({"at_least": 0.9}, "count(c) >= 0.9 * count(*)"),
    "dbt_expectations.expect_column_values_to_be_between": (
        {"min_value": 1, "max_value": 2, "strictly": True},
        "c > 1 AND c < 2",
    ),
    "dbt_expectations.expect_column_values_to_be_in_set": ({"value_set": ["a", 2]}, "c IN ('a', 2)"),
    "dbt_expectations.expect_column_values_to_match_regex": ({"regex": "^a'"}, "regexp_matches(c, '^a''')"),
    "dbt_expectations.expect_table_row_count_to_be_between": ({"min_value": 3}, "count(*) >= 3"),
}


def test_every_test_with_a_condition_has_a_case_here() -> None:
    assert set(CASES) == set(CHECKS)


@pytest.mark.parametrize("kind", CASES)
def test_a_test_becomes_the_check_that_says_the_same(kind: str) -> None:
    arguments, expression = CASES[kind]

    statement, left = drafted(DbtTest(name="x", kind=kind, column="c", arguments=arguments))

    assert ([rule.expression for rule in statement.constraints], left) == ([expression], ())


def test_a_unique_column_and_a_null_one_each_have_their_constraint() -> None:
    pair = {"combination_of_columns": ["a", "select"]}
    statement, _ = drafted(
        DbtTest(name="1", kind="unique", column="a"),
        DbtTest(name="2", kind="not_null", column="b", enforced=False),
        DbtTest(name="3", kind="dbt_utils.unique_combination_of_columns", arguments=pair),
    )

    assert said(statement) == [
        ("unique", ("a",), "", True),
        ("not_null", ("b",), "", False),
        ("unique", ("a", "select"), "", True),
    ]


@pytest.mark.parametrize(
    "test",
    [
        DbtTest(name="x", kind="unique", column="c", where="c > 0"),
        DbtTest(name="x", kind="dbt_utils.recency", column="c"),
        DbtTest(name="x", kind="relationships", column="c", refers="model.p.other", arguments={"field": "id"}),
    ],
    ids=lambda test: test.kind,
)
def test_a_test_that_no_constraint_can_say_is_left_with_a_word(test: DbtTest) -> None:
    statement, left = drafted(test)

    assert (said(statement), left) == ([], ("test x",))


@pytest.mark.parametrize("name", ["order", 'a"b', "Größe", "9 lives", "x; DROP TABLE y"])
def test_odd_names_and_texts_stay_names_and_texts(name: str) -> None:
    statement, _ = drafted(
        DbtTest(name="x", kind="not_null", column=name),
        columns={name: "it's; --\n*/ 'x'"},
        description="'; DROP TABLE y",
    )

    assert said(statement) == [("not_null", (name,), "", True)]
    assert [one.value for one in statement.columns[0].options] == ["it's; -- */ 'x'"]
    assert statement.options[0].value == "'; DROP TABLE y"


def test_twins_in_two_schemas_have_their_schema_in_front() -> None:
    twins = [table(id=str(number), name="T", path=("db", schema, "T")) for number, schema in enumerate(("a", "b"))]

    assert list(name_tables(twins).values()) == ["a_t", "b_t"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "has no target/manifest.json"),
        ("{", "is not JSON"),
        ('{"nodes": {}}', "is not a dbt manifest"),
        ('{"nodes": [], "metadata": {}}', "is not a dbt manifest"),
    ],
)
def test_what_is_no_manifest_is_refused_with_what_to_do(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "target").mkdir()
        (tmp_path / "target" / "manifest.json").write_text(text)

    with pytest.raises(SourceError, match=message) as caught:
        create_project(tmp_path / "shop", dbt=tmp_path)

    assert caught.value.hint
    assert not (tmp_path / "shop").exists()


def test_a_database_that_no_connection_reaches_is_read_from_exported_files(tmp_path: Path) -> None:
    raw = json.loads((DBT / "target" / "manifest.json").read_text())
    raw["metadata"]["adapter_type"] = "snowflake"
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "manifest.json").write_text(json.dumps(raw))

    made = create_project(tmp_path / "shop", dbt=tmp_path)

    assert "FROM 'data/customers.parquet'" in (tmp_path / "shop/sql/customers.sql").read_text()
    assert any("export the tables" in note for note in made.notes)
    assert "connections" not in (tmp_path / "shop/tidemill.toml").read_text()
    assert read_settings(tmp_path / "shop", {}).name == "shop"


def test_options_that_contradict_and_folders_in_use_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--from-dbt stands alone"):
        create_project(tmp_path / "shop", dbt=DBT, file=tmp_path / "x.csv")
    with pytest.raises(SettingsError, match="--select chooses among dbt's tables"):
        create_project(tmp_path / "shop", select=["x"])
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "tidemill.toml").write_text("")
    with pytest.raises(ExistsError):
        create_project(tmp_path / "shop", dbt=DBT)


def test_a_project_from_dbt_runs_on_the_database_that_dbt_wrote(tmp_path: Path) -> None:
    dbt = tmp_path / "jaffle"
    shutil.copytree(DBT, dbt)
    with duckdb.connect(str(dbt / "warehouse.duckdb")) as database:
        database.execute("CREATE SCHEMA shop")
        database.execute(
            "CREATE TABLE shop.customers AS FROM (VALUES (1, 'NL', 2, 19.75), (2, 'DE', 1, 99.0)) "
            "AS t(customer_id, country, orders, spent)"
        )
        database.execute(
            "CREATE TABLE shop.\"Fact Orders\" AS FROM (VALUES (10, 1, 12.5, 'placed'), (12, 2, 99.0, 'placed')) "
            "AS t(order_id, customer_id, amount, status)"
        )
    create_project(tmp_path / "shop", dbt=dbt)

    with open_project(tmp_path / "shop") as project:
        report = project.run()
        again = project.plan()
        total = project.sql("SELECT sum(spent)::DOUBLE FROM customers JOIN fact_orders USING (customer_id)").fetchall()

    assert {step.asset.split("_")[0]: step.status for step in report.steps} == {
        "customers": "done", "fact": "done", "assert": "done",
    }  # fmt: skip
    assert not again.changed
    assert total == [(118.75,)]
