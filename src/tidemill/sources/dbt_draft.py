"""Statements that take dbt's tables into a project, with their descriptions and tests.

How to add a test: one row in `TESTS`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemill.core.names import name_key, quote_text
from tidemill.sources.dbt_manifest import DbtProject, DbtTable, DbtTest
from tidemill.sources.files import shown_path
from tidemill.sources.sniff import plain_name, sql_name

CONNECTION = "dbt"
"""The connection through which dbt's tables are read."""

Names = Mapping[str, str]
"""Names in the new project of the tables that are taken in, by dbt's id."""


def _literal(value: Any, *, quoted: bool = True) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).upper() if value is not None else "NULL"
    return str(value) if not quoted or isinstance(value, int | float) else quote_text(str(value))


def _listed(test: DbtTest, key: str) -> str:
    quoted = test.arguments.get("quote", True)
    return ", ".join(_literal(value, quoted=quoted) for value in test.arguments[key])


def _between(column: str, test: DbtTest, *, strict: bool = False) -> str:
    low, high = test.arguments.get("min_value"), test.arguments.get("max_value")
    equal = "=" if test.arguments.get("inclusive", True) and not strict else ""
    parts = [f"{column} >{equal} {low}"] if low is not None else []
    parts += [f"{column} <{equal} {high}"] if high is not None else []
    return " AND ".join(parts)


def _expression(column: str, test: DbtTest) -> str:
    said = str(test.arguments["expression"]).strip()
    return f"{column} {said}" if test.column else said


CHECKS: Mapping[str, Callable[[str, DbtTest], str]] = {
    "accepted_values": lambda column, test: f"{column} IN ({_listed(test, 'values')})",
    "dbt_utils.accepted_range": _between,
    "dbt_utils.expression_is_true": _expression,
    "dbt_utils.not_accepted_values": lambda column, test: f"{column} NOT IN ({_listed(test, 'values')})",
    "dbt_utils.not_constant": lambda column, _: f"count(DISTINCT {column}) > 1",
    "dbt_utils.not_empty_string": lambda column, _: f"trim({column}) <> ''",
    "dbt_utils.not_null_proportion": lambda column, test: (
        f"count({column}) >= {test.arguments.get('at_least', 1)} * count(*)"
    ),
    "dbt_expectations.expect_column_values_to_be_between": lambda column, test: _between(
        column, test, strict=bool(test.arguments.get("strictly"))
    ),
    "dbt_expectations.expect_column_values_to_be_in_set": lambda column, test: (
        f"{column} IN ({', '.join(_literal(value) for value in test.arguments['value_set'])})"
    ),
    "dbt_expectations.expect_column_values_to_match_regex": lambda column, test: (
        f"regexp_matches({column}, {quote_text(str(test.arguments['regex']))})"
    ),
    "dbt_expectations.expect_table_row_count_to_be_between": lambda _, test: _between("count(*)", test),
}
"""Tests that are a condition, on each row or on the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A statement to write, and the tests it could not take along."""

    name: str
    text: str
    left: tuple[str, ...] = ()


def name_tables(tables: Sequence[DbtTable]) -> dict[str, str]:
    """A plain name for each table, no two alike: twins have their schema in front."""
    plain = {table.id: plain_name(table.name) or "table_1" for table in tables}
    names: dict[str, str] = {}
    for table in tables:
        name = plain[table.id]
        if list(plain.values()).count(name) > 1:
            name = plain_name("_".join(table.path[-2:])) or name
        number, made = 1, name
        while made in names.values():
            number += 1
            made = f"{name}_{number}"
        names[table.id] = made
    return names


def draft_table(project: DbtProject, table: DbtTable, names: Names, source: str) -> Draft:
    """The statement that takes one table in.

    Parameters
    ----------
    source
        What stands after FROM.
    """
    lines, left = _rules(table, names)
    about = f"-- dbt's {table.kind} {table.name} ({table.file}) of the project {project.name}."
    head = f"CREATE TABLE {sql_name(names[table.id])}"
    body = " (\n  " + ",\n  ".join(lines) + "\n)" if lines else ""
    said = f"\nOPTIONS (description = {_text(table.description)})" if table.description.strip() else ""
    notes = [f"-- Not taken along: {name}." for name in left]
    text = "\n".join([about, *notes, f"{head}{body}{said} AS\nSELECT * FROM {source};"])
    return Draft(name=names[table.id], text=text + "\n", left=tuple(left))


def source_of(project: DbtProject, table: DbtTable) -> str:
    """Where a table is read: through the connection, or from a file for databases that no connection reaches."""
    if project.adapter not in ADAPTERS:
        return quote_text(f"data/{plain_name(table.name)}.parquet")
    return ".".join([CONNECTION, *(sql_name(part) for part in table.path[-2:])])


def draft_queries(project: DbtProject, names: Names) -> Draft:
    """Tests that are queries of their own, as ASSERT: those whose tables are all taken in."""
    parts, left = [], []
    relations = {table.id: table.relation for table in project.tables}
    for test in project.queries:
        if not test.sql or not all(read in names and relations.get(read) for read in test.reads) or "*/" in test.sql:
            left.append(f"test {test.name}")
            continue
        query = test.sql.rstrip("; \n")
        for read in test.reads:
            query = query.replace(relations[read], sql_name(names[read]))
        body = textwrap.indent(query, "  ")
        parts.append(f"ASSERT (SELECT count(*) FROM (\n{body}\n)) = 0 AS {quote_text(test.name)};")
    head = f"-- Tests of the dbt project {project.name} that are queries: none may find a row.\n\n"
    return Draft(name="tests", text=head + "\n\n".join(parts) + "\n" if parts else "", left=tuple(left))


def _rules(table: DbtTable, names: Names) -> tuple[list[str], list[str]]:
    """The lines of the column list, and the tests that have no place in it."""
    columns: dict[str, list[str]] = {}
    shown = {name_key(name): name for name in table.columns}
    rules, left = [], []
    plain = [test for test in table.tests if not test.where]
    keys = _keys(plain)
    for test in table.tests:
        name = shown.setdefault(name_key(test.column), test.column) if test.column else ""
        column = sql_name(name) if name else ""
        end = "" if test.enforced else " NOT ENFORCED"
        rule = _rule(test, column, names, is_key=name_key(test.column) in keys and not test.where)
        if rule is None:
            left.append(f"test {test.name}")
        elif rule and test.column and not test.where and "(" not in rule:
            columns.setdefault(name_key(name), []).append(rule + end)
        elif rule:
            rules.append(rule + end)
    lines = []
    for key, name in shown.items():
        said = table.columns.get(name, "")
        words = [*dict.fromkeys(columns.get(key, ())), f"OPTIONS (description = {_text(said)})" if said.strip() else ""]
        if any(words):
            lines.append(" ".join([sql_name(name), *filter(None, words)]))
    return [*lines, *dict.fromkeys(rules)], left


def _keys(tests: Sequence[DbtTest]) -> set[str]:
    """The column that is both unique and never null, when there is just one: the table's key."""
    unique = {name_key(test.column) for test in tests if test.kind == "unique" and test.enforced}
    both = unique & {name_key(test.column) for test in tests if test.kind == "not_null" and test.enforced}
    return both if len(both) == 1 else set()


def _rule(test: DbtTest, column: str, names: Names, *, is_key: bool) -> str | None:
    """A test as a constraint; '' when another one says it, None when it has no such form."""
    if test.kind == "not_null":
        if test.where:
            return f"CHECK (NOT ({test.where}) OR {column} IS NOT NULL)"
        return "" if is_key else "NOT NULL"
    if test.kind == "unique":
        return None if test.where else "PRIMARY KEY" if is_key else "UNIQUE"
    if test.kind == "dbt_utils.unique_combination_of_columns" and not test.where:
        listed = test.arguments["combination_of_columns"]
        return f"UNIQUE ({', '.join(sql_name(str(name)) for name in listed)})"
    if test.kind == "relationships":
        if test.where or test.refers not in names:
            return None
        return f"FOREIGN KEY ({column}) REFERENCES {sql_name(names[test.refers])} ({sql_name(test.arguments['field'])})"
    make = CHECKS.get(test.kind)
    condition = make(column, test) if make else ""
    if not condition:
        return None
    return f"CHECK (NOT ({test.where}) OR {condition})" if test.where else f"CHECK ({condition})"


def _text(text: str) -> str:
    return quote_text(" ".join(text.split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A database of dbt's that a connection reaches. ``url`` is filled with the database's name."""

    url: str
    secrets: bool = True


ADAPTERS: Mapping[str, Adapter] = {
    "duckdb": Adapter(url="duckdb:///{file}", secrets=False),
    "postgres": Adapter(url="postgresql://${{DBT_USER}}:${{DBT_PASSWORD}}@${{DBT_HOST}}:5432/{database}"),
    "mysql": Adapter(url="mysql://${{DBT_USER}}:${{DBT_PASSWORD}}@${{DBT_HOST}}:3306/{schema}"),
}


def connection_text(project: DbtProject, tables: Sequence[DbtTable], root: Path) -> str:
    """The section of tidemill.toml through which the tables are read; '' when no connection reaches the database."""
    adapter = ADAPTERS.get(project.adapter)
    if adapter is None or not tables:
        return ""
    path = tables[0].path
    file = _database_file(project, path[0])
    values = {"database": path[0], "schema": path[-2] if len(path) > 1 else "", "file": shown_path(file, root)}
    lines = ["", f"# The database of the dbt project {project.name}, which is only read."]
    if adapter.secrets:
        lines.append("# Set these variables, as your dbt profile has them; nothing secret stands in this file.")
    return "\n".join([*lines, f"[connections.{CONNECTION}]", f'url = "{adapter.url.format(**values)}"', ""])


def _database_file(project: DbtProject, database: str) -> Path:
    """The file of a DuckDB database: dbt calls the database by the file's name without its ending."""
    found = sorted(path for ending in ("duckdb", "db") for path in project.folder.rglob(f"{database}.{ending}"))
    return found[0] if found else project.folder / f"{database}.duckdb"
