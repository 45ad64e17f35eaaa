"""Constraints on staged rows: what fails, how many rows, and which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemill.contracts.audit import audit
from tidemill.contracts.result import CheckResult
from tidemill.contracts.verdict import require
from tidemill.core.errors import BindError, ContractError
from tidemill.sql.statements import Constraint
from tidemill.warehouse.duckdb.lake import open_lake
from tidemill.warehouse.protocol import Warehouse

ROWS = """
SELECT * FROM (VALUES
  (1, 'a', 10.0), (2, 'b', NULL), (2, 'c', -1.0), (NULL, 'a', 5.0)
) AS t (id, code, amount)
"""


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Warehouse]:
    lake = open_lake(tmp_path / ".tidemill", search_path=tmp_path)
    yield lake
    lake.close()


def check(lake: Warehouse, *constraints: Constraint, dialect: str = "duckdb") -> list[CheckResult]:
    with lake.session() as session:
        staged = lake.stage(session, ROWS, None, table="orders", attempt="a1")
        return audit(session, staged, constraints, dialect=dialect, engine="duckdb", file="sql/orders.sql")


@pytest.mark.parametrize(
    ("constraint", "failing"),
    [
        (Constraint(kind="not_null", columns=("id",)), 1),
        (Constraint(kind="not_null", columns=("code",)), 0),
        (Constraint(kind="unique", columns=("id",)), 2),
        (Constraint(kind="unique", columns=("code", "id")), 0),
        (Constraint(kind="primary_key", columns=("id",)), 3),
        (Constraint(kind="check", expression="amount > 0"), 1),
        (Constraint(kind="check", expression="code IN ('a', 'b', 'c')"), 0),
        (Constraint(kind="check", expression="count(*) >= 4"), 0),
        (Constraint(kind="check", expression="avg(amount) > 100"), 1),
    ],
)
def test_each_kind_counts_the_rows_that_fail(lake: Warehouse, constraint: Constraint, failing: int) -> None:
    (result,) = check(lake, constraint)

    assert result.rows_failing == failing
    assert result.rows_seen == 4


def test_a_null_passes_a_check_as_in_standard_sql(lake: Warehouse) -> None:
    (result,) = check(lake, Constraint(kind="check", expression="amount < 0"))

    assert result.rows_failing == 2


def test_the_failing_rows_are_shown(lake: Warehouse) -> None:
    (result,) = check(lake, Constraint(kind="check", expression="amount > 0"))

    assert [row["code"] for row in result.sample] == ["c"]


def test_what_a_check_is_about_stands_first_in_the_rows_shown(lake: Warehouse) -> None:
    check_of_amount = Constraint(kind="check", expression="amount > 0")
    results = check(lake, check_of_amount, Constraint(kind="not_null", columns=("id",)))

    assert [next(iter(result.sample[0])) for result in results] == ["amount", "id"]
    with pytest.raises(ContractError, match=r"\(id = NULL, code = 'a'"):
        require("orders", results[1:], lambda _: None)


def test_a_check_is_read_in_the_dialect_of_its_statement(lake: Warehouse) -> None:
    (result,) = check(lake, Constraint(kind="check", expression="SAFE_CAST(code AS INT64) IS NULL"), dialect="bigquery")

    assert result.passed


def test_keys_must_be_found_in_the_other_table(lake: Warehouse) -> None:
    with lake.session() as session:
        codes = lake.stage(session, "SELECT 'a' AS code UNION ALL SELECT 'b'", None, table="codes", attempt="a0")
        lake.publish(codes, run_id="r0", step="codes@0", guard=lambda: None)

    (result,) = check(lake, Constraint(kind="references", columns=("code",), table="codes"))

    assert result.rows_failing == 1
    assert result.sample[0]["code"] == "c"


def test_many_constraints_are_counted_in_their_order(lake: Warehouse) -> None:
    results = check(
        lake,
        Constraint(kind="unique", columns=("id",)),
        Constraint(kind="not_null", columns=("id",)),
        Constraint(kind="check", expression="amount > 0"),
    )

    assert [result.rows_failing for result in results] == [2, 1, 1]


def test_an_unknown_column_gets_a_suggestion(lake: Warehouse) -> None:
    with pytest.raises(BindError) as raised:
        check(lake, Constraint(kind="not_null", columns=("cod",), line=3, column=5))

    assert raised.value.hint == "did you mean code?"


def test_an_enforced_failure_stops_and_an_unenforced_one_warns(lake: Warehouse) -> None:
    strict = Constraint(kind="not_null", columns=("id",))
    loose = Constraint(kind="not_null", columns=("id",), enforced=False)

    with pytest.raises(ContractError, match=r"orders: NOT NULL \(id\) fails for 1 of 4 rows"):
        require("orders", check(lake, strict), lambda _: None)
    assert require("orders", check(lake, loose), lambda _: None)[0].startswith("NOT NULL (id) fails for 1 of 4")
