"""The cheap pass never says that something holds which does not, whatever the rows and names are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemill.contracts.audit import audit
from tidemill.contracts.result import CheckResult
from tidemill.contracts.verdict import require
from tidemill.core.errors import ContractError, Where
from tidemill.sql.conditions import AGGREGATES, understand
from tidemill.sql.statements import Constraint
from tidemill.warehouse.duckdb.lake import open_lake
from tidemill.warehouse.protocol import Warehouse

MANY = """
SELECT i AS id, i % 5 AS few, 'v' || (i % 5) AS word, 'k' || i AS name, i::DOUBLE AS x,
  CASE WHEN i = 250_000 THEN 'nan'::DOUBLE WHEN i = 250_001 THEN 'inf'::DOUBLE END AS odd
FROM range(300_000) AS t (i)
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder: Path = tmp_path_factory.mktemp("passes")
    lake = open_lake(folder / ".tidemill", search_path=folder)
    yield lake
    lake.close()


def check(lake: Warehouse, rows: str, *constraints: Constraint, table: str = "t") -> list[CheckResult]:
    with lake.session() as session:
        staged = lake.stage(session, rows, None, table=table, attempt="a1")
        return audit(session, staged, constraints, dialect="duckdb", engine="duckdb", file="sql/t.sql")


def failing(lake: Warehouse, rows: str, *expressions: str) -> list[int]:
    results = check(lake, rows, *(Constraint(kind="check", expression=text) for text in expressions))
    return [result.rows_failing for result in results]


@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        ("a BETWEEN 1 AND 2", "interval"),
        ("a > 1 AND (a <= 5)", "interval"),
        ("5 >= a", "interval"),
        ("a > 1 OR a < 0", "values"),
        ("a <> 3", "values"),
        ("NOT a BETWEEN 1 AND 2", "values"),
        ("a IN ('x')", "values"),
        ("a > random()", "rows"),
        ("a < b", "rows"),
        ("a BETWEEN 1 AND b", "rows"),
        ("true", "rows"),
        ("avg(a) > 3", "table"),
        ("kurtosis_pop(a) > 3", "table"),
        ("count(*) FILTER (WHERE a > 1) = 0", "table"),
        ("a > lag(a) OVER (ORDER BY b)", "window"),
        ("a IN (SELECT max(b) FROM c)", "query"),
    ],
)
def test_the_shape_of_a_condition_is_read_off_its_text(expression: str, shape: str) -> None:
    constraint = Constraint(kind="check", expression=expression)

    assert understand(constraint, dialect="duckdb", engine="duckdb").shape == shape


def test_every_aggregate_of_the_engine_is_known_as_one(lake: Warehouse) -> None:
    sql = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'"
    with lake.session() as session:
        names = {name for (name,) in session.fetch(sql)}
    # These take a window, or more arguments than this test gives them.
    names -= {"fill", "rank_dense", "row_number", "nth_value", "first_value", "last_value", "rank", "dense_rank"}
    two = {name for name in names if name.startswith(("corr", "covar", "regr"))}

    for name in names:
        text = f"{name}(a, b) > 1" if name in two else f"{name}(a) > 1"
        found = understand(Constraint(kind="check", expression=text), dialect="duckdb", engine="duckdb")
        assert found.shape in {"table", "window"}, name
    assert names >= AGGREGATES


def test_one_bad_row_among_many_is_found_whichever_way_it_is_looked_for(lake: Warehouse) -> None:
    found = failing(
        lake,
        MANY,
        "id BETWEEN 0 AND 299_998",
        "x < 299_999 AND x >= 1",
        "few IN (0, 1, 2, 3)",
        "regexp_matches(word, '^v[0-3]$')",
        "regexp_matches(name, '^k[0-9]{1,5}$')",
        "word <> 'v4' OR id <> 4",
        "t.id < 10",
    )

    assert found == [1, 2, 60_000, 60_000, 200_000, 1, 299_990]


def test_what_is_not_a_number_is_greater_than_all_numbers(lake: Warehouse) -> None:
    assert failing(lake, MANY, "odd <= 1e308", "odd >= 0", "isfinite(odd)", "odd < 'nan'::DOUBLE") == [2, 0, 2, 1]


def test_an_empty_table_and_a_column_of_nulls_pass_checks_of_rows(lake: Warehouse) -> None:
    checks = ("a > 0", "a IN (1)", "a < b", "avg(a) > 7", "count(*) > 0", "a > lag(a) OVER ()")

    assert failing(lake, "SELECT 1 AS a, 2 AS b WHERE false", *checks) == [0, 0, 0, 0, 1, 0]
    assert failing(lake, "SELECT NULL::INTEGER AS a, 2 AS b", *checks) == [0, 0, 0, 0, 0, 0]


def test_a_key_of_several_columns_counts_every_row_that_repeats(lake: Warehouse) -> None:
    rows = "SELECT * FROM (VALUES (1, 'a'), (1, 'a'), (1, 'b'), (NULL, 'a'), (NULL, 'a')) AS r (k, l)"
    unique, primary = check(
        lake,
        rows,
        Constraint(kind="unique", columns=("k", "l")),
        Constraint(kind="primary_key", columns=("k", "l")),
    )

    assert (unique.rows_failing, primary.rows_failing) == (2, 4)
    assert unique.sample_keys[0] == {"k": 1, "l": "a"}


def test_a_table_that_refers_to_itself_means_its_new_rows(lake: Warehouse) -> None:
    own = Constraint(kind="references", columns=("boss",), table="main.staff", foreign=("id",))
    (result,) = check(lake, "SELECT * FROM (VALUES (1, NULL), (2, 1), (3, 9)) AS r (id, boss)", own, table="staff")

    assert (result.rows_failing, result.sample[0]["boss"]) == (1, 9)


def test_names_and_texts_of_any_kind_are_only_names_and_texts(lake: Warehouse) -> None:
    odd = 'sélect "x"; DROP TABLE t --'
    quoted = '"' + odd.replace('"', '""') + '"'
    rows = f"SELECT 'it''s; DROP TABLE t' AS {quoted}, 1 AS \"order\" UNION ALL SELECT NULL, 1"
    results = check(
        lake,
        rows,
        Constraint(kind="not_null", columns=(odd,)),
        Constraint(kind="unique", columns=("order",)),
        Constraint(kind="check", expression=f"{quoted} <> 'it''s; DROP TABLE t'"),
        table='we"ird',
    )

    assert [result.rows_failing for result in results] == [1, 2, 1]
    assert results[2].sample[0][odd] == "it's; DROP TABLE t"


def test_several_failures_are_shown_each_at_its_place(lake: Warehouse) -> None:
    results = check(
        lake,
        "SELECT * FROM (VALUES (1, -5.0), (1, 2.0)) AS r (id, amount)",
        Constraint(kind="primary_key", columns=("id",), line=2, column=6),
        Constraint(kind="check", expression="amount > 0", line=3, column=10),
        Constraint(kind="check", expression="sum(amount) > 0", line=4, column=3),
    )

    with pytest.raises(ContractError) as raised:
        require("orders", results, lambda r: Where(file="o.sql", line=r.line, column=r.column, length=3, text=" " * 20))
    shown = raised.value.render().split("\n")

    assert shown[0] == "error[TM-DATA-CONTRACT]: orders: 3 of 3 checks fail; the old version stays"
    assert shown[1] == "  1. PRIMARY KEY (id) fails for 2 of 2 rows, such as id = 1"
    assert shown[2] == "     o.sql:2:6"
    assert "  2. CHECK (amount > 0) fails for 1 of 2 rows, such as id = 1 (the first has amount = -5)" in shown
    assert "  3. CHECK (sum(amount) > 0) does not hold: SUM(amount) is -3" in shown
    assert shown[-1].startswith("  try: mend the rows in the query")
    assert [check["line"] for check in raised.value.facts["checks"]] == [2, 3, 4]


@pytest.mark.parametrize(
    ("key", "repeats"),
    [
        ("i - 100_000", 0),  # as dense as can be: each value is one bit
        ("i * 7", 0),
        ("(i * 7 + 200)::UBIGINT", 0),
        ("nullif(i, 5)", 0),  # a NULL repeats nothing
        ("i * 1_000_000_000", 0),  # too far apart for bits
        ("i - (i = 299_999)::BIGINT", 2),
        ("NULL::BIGINT", 0),
    ],
)
def test_a_unique_column_of_whole_numbers_is_counted_by_bits_or_by_values(
    lake: Warehouse, key: str, repeats: int
) -> None:
    rows = f"SELECT {key} AS id FROM range(300_000) AS t (i)"
    (result,) = check(lake, rows, Constraint(kind="unique", columns=("id",)))
    assert result.rows_failing == repeats
