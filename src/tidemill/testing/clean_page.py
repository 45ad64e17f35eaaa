"""The reference page of the CLEAN functions, written from their rows."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tidemill.sql.functions import CLEAN_GROUPS
from tidemill.sql.functions_base import Example, MLFunction, TableExample
from tidemill.sql.values import expected, show

HEAD = """\
# Cleaning functions

<!-- Generated from the tables in the code. Write it anew with: make docs -->

What people write by hand to clean rows, as functions that stand in any statement: tables, views, the queries of models,
TRANSFORM (those that look at one row), queries that are typed; in every dialect. They are replaced by plain SQL when a
statement is read, so they run at the engine's speed, and nothing is installed in the database. Named settings are
literals. NULL stays NULL. What cannot be read becomes NULL rather than a guess: count those rows before you publish, as
[Clean your data](../how-to/clean-your-data.md) shows.

"""


def cleaning_page() -> str:
    """The whole page."""
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield HEAD
    for group, rows in CLEAN_GROUPS.items():
        names = ", ".join(f"[{row.name}](#{row.name.lower().replace('.', '')})" for row in rows)
        yield f"- {group}: {names}\n"
    for group, rows in CLEAN_GROUPS.items():
        yield f"\n## {group}\n"
        for row in rows:
            yield from _function(row)


def _function(row: MLFunction) -> Iterator[str]:
    signature, _, words = row.doc.partition(": ")
    yield f"\n### {row.name}\n\n`{row.name}{signature}`: {words} Returns {row.output}.\n"
    if row.settings:
        yield "\n| setting | takes | default | what it does |\n|---|---|---|---|\n"
        for setting in row.settings:
            default = "" if setting.default is None else f"`{show(setting.default)}`"
            yield f"| `{setting.name}` | {expected(setting)} | {default} | {_cell(setting.doc)} |\n"
    calls = [example for example in row.examples if isinstance(example, Example)]
    if calls:
        yield "\n| before | after |\n|---|---|\n"
        for example in calls:
            gives = "NULL" if example.gives is None else f"`{example.gives}`"
            yield f"| `{row.name}({_cell(_visible(example.given))})` | {_cell(gives)} |\n"
    for table in row.examples:
        if isinstance(table, TableExample):
            yield from _table(row, table)


def _table(row: MLFunction, example: TableExample) -> Iterator[str]:
    before = [[_value(cell) for cell in line] for line in _rows(example.rows)]
    if row.kind == "table":
        yield f"\n`SELECT * FROM {example.call}`\n"
        yield from _grid("before", example.columns, before)
        after = [[_value(cell) for cell in ast.literal_eval(str(line))] for line in example.gives]
        yield from _grid("after", example.columns, after)
        return
    yield f"\n`{example.call}`\n"
    lines = [[*line, _value(gives)] for line, gives in zip(before, example.gives, strict=True)]
    yield from _grid("", (*example.columns, "after"), lines)


def _grid(title: str, columns: tuple[str, ...], lines: list[list[str]]) -> Iterator[str]:
    yield f"\n{title.capitalize()}:\n\n" if title else "\n"
    yield f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"
    for line in lines:
        yield f"| {' | '.join(line)} |\n"


def _rows(values: str) -> list[tuple[object, ...]]:
    """The rows of ``VALUES (...), (...)``, whose literals are Python's but for NULL."""
    rows = ast.literal_eval(f"[{values.removeprefix('VALUES').replace('NULL', 'None')}]")
    return [row if isinstance(row, tuple) else (row,) for row in rows]


def _value(cell: object) -> str:
    return "NULL" if cell is None else str(cell)


def _visible(text: str) -> str:
    """A call with its invisible characters written out."""
    return text.replace("\t", "\\t").replace("\u00a0", "\u237d")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
