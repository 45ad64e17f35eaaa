"""Statistics of columns as ML.DESCRIBE_DATA has them: structs by their fields, arrays by their items.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-describe-data
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.analysis.table import Table
from tidemill.core.errors import UnsupportedError
from tidemill.core.names import quote_name, quote_text

if TYPE_CHECKING:
    import pyarrow as pa

EXACT_ROWS = 1_000_000  # quantiles of more rows are estimates (t-digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What a row of the result is of: a column, or a field of a struct.

    Parameters
    ----------
    sql
        Its value in SQL.
    item
        The value of an item ``v`` of an array; '' when it is no array.
    number
        Whether its values, or items, are numbers.
    index
        The place of an item ``v`` of a sparse array; '' for all others.
    """

    name: str
    sql: str
    number: bool
    item: str = ""
    index: str = ""


def schema() -> pa.Schema:
    """The columns of the result."""
    import pyarrow as pa

    whole, real, text = pa.int64(), pa.float64(), pa.string()
    return pa.schema(
        [
            ("name", text), ("num_rows", whole), ("num_nulls", whole), ("num_zeros", whole), ("min", text),
            ("max", text), ("mean", real), ("stdev", real), ("median", real), ("quantiles", pa.list_(real)),
            ("unique", whole), ("avg_string_length", real), ("num_values", whole),
            ("top_values", pa.list_(pa.struct([("value", text), ("count", whole)]))),
            ("min_array_length", whole), ("max_array_length", whole), ("avg_array_length", real),
            ("total_array_length", whole), ("array_length_quantiles", pa.list_(whole)), ("dimension", whole),
        ]
    )  # fmt: skip


def describe(table: Table, *, num_quantiles: int, num_array_length_quantiles: int, top_k: int) -> pa.Table:
    """One row for each column, and for each field of a struct.

    Raises
    ------
    UnsupportedError
        A column is of a type that the function does not take.
    """
    import pyarrow as pa

    fields = table.session.schema(f"SELECT * FROM {table.relation}", table.relations)
    rows = []
    for field in fields:
        for leaf in _leaves(field.name, quote_name(field.name), field.type):
            row: dict[str, Any] = {"name": leaf.name, "num_rows": table.rows}
            row |= _arrays(table, leaf, num_array_length_quantiles) if leaf.item else {}
            relation = f"(SELECT unnest({leaf.sql}) AS v FROM {table.relation})" if leaf.item else table.relation
            value = leaf.item or leaf.sql
            found = (
                _numbers(table, relation, value, num_quantiles)
                if leaf.number
                else _categories(table, relation, value, top_k)
            )
            rows.append({"num_nulls": table.rows - found["num_values"], **found, **row})
    return pa.Table.from_pylist(rows, schema=schema())


def _leaves(name: str, sql: str, kind: pa.DataType) -> Iterator[Leaf]:
    import pyarrow.types as kinds

    if kinds.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{name}.{field.name}", f"struct_extract({sql}, {quote_text(field.name)})", field.type)
    elif kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        item = kind.value_type
        if (
            kinds.is_struct(item)
            and item.num_fields == 2
            and kinds.is_integer(item[0].type)
            and _is_number(item[1].type)
        ):
            place, value = (f"struct_extract(v, {quote_text(field.name)})" for field in item)
            yield Leaf(name=name, sql=sql, number=True, item=value, index=place)
        elif kinds.is_nested(item):
            raise _refused(name, kind)
        else:
            yield Leaf(name=name, sql=sql, number=_is_number(item), item="v")
    elif kinds.is_nested(kind):
        raise _refused(name, kind)
    else:
        yield Leaf(name=name, sql=sql, number=_is_number(kind))


def _refused(name: str, kind: pa.DataType) -> UnsupportedError:
    return UnsupportedError(
        f"ML.DESCRIBE_DATA does not take the column {name}: its type is {kind}",
        hint="leave it out: (SELECT * EXCEPT (...) FROM ...); tidemill profile looks at columns of any type",
        column=name,
    )


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind))


def _numbers(table: Table, relation: str, value: str, quantiles: int) -> dict[str, Any]:
    real = f"CAST({value} AS DOUBLE)"
    finite = f"CASE WHEN isfinite({real}) THEN {real} END"
    shares = ", ".join(repr(number / quantiles) for number in range(quantiles + 1))
    function = "quantile_disc" if table.rows <= EXACT_ROWS else "approx_quantile"
    found = table.first(
        [
            f"count({value})", f"count_if({value} = 0)", _text(f"min({value})"), _text(f"max({value})"),
            f"avg({finite})", f"stddev_samp({finite})", f"{function}({finite}, 0.5)",
            f"{function}({finite}, [{shares}])",
        ],
        relation,
    )  # fmt: skip
    names = ("num_values", "num_zeros", "min", "max", "mean", "stdev", "median", "quantiles")
    return dict(zip(names, found, strict=True))


def _text(value: str) -> str:
    """A number as BigQuery writes it: no .0 behind a whole one."""
    return f"regexp_replace(CAST({value} AS VARCHAR), '\\.0$', '')"


def _categories(table: Table, relation: str, value: str, top_k: int) -> dict[str, Any]:
    text = f"CAST({value} AS VARCHAR)"
    groups = (
        f"g AS MATERIALIZED (SELECT {text} AS t, count(*) AS n FROM {relation} WHERE {value} IS NOT NULL GROUP BY ALL)"
    )
    top = f"(SELECT list({{'value': t, 'count': n}} ORDER BY n DESC, t) FROM (FROM g ORDER BY n DESC, t LIMIT {top_k}))"
    found = table.first_of(
        groups,
        [
            "CAST(coalesce(sum(n), 0) AS BIGINT)", "min(t)", "max(t)", "count(*)", "sum(length(t) * n) / sum(n)", top,
        ],
    )  # fmt: skip
    return dict(zip(("num_values", "min", "max", "unique", "avg_string_length", "top_values"), found, strict=True))


def _arrays(table: Table, leaf: Leaf, quantiles: int) -> dict[str, Any]:
    length = f"CAST(len({leaf.sql}) AS BIGINT)"
    shares = ", ".join(repr(number / quantiles) for number in range(quantiles + 1))
    found = table.first(
        [
            f"count_if({leaf.sql} IS NULL)", f"min({length})", f"max({length})", f"avg({length})",
            f"CAST(coalesce(sum({length}), 0) AS BIGINT)", f"quantile_disc({length}, [{shares}])",
        ]
    )  # fmt: skip
    names = ("num_nulls", "min_array_length", "max_array_length", "avg_array_length", "total_array_length",
             "array_length_quantiles")  # fmt: skip
    row = dict(zip(names, found, strict=True))
    row["num_values"] = row["total_array_length"]
    if leaf.index:
        row["dimension"] = table.first(
            [f"max({leaf.index}) + 1"], f"(SELECT unnest({leaf.sql}) AS v FROM {table.relation})"
        )[0]
    return row
