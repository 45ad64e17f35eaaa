"""Tables that only take in what is new: what their options say, and which files of a set a query is to read.

A query that maps the rows of one set of files (a pattern with ``*``) one by one may be given a part of the files: the
result is that part of its rows. Every other query is read through a filter around it, which is right for any query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tidemill.core.names import name_key, quote_text
from tidemill.sql.statements import CreateTable, Query

if TYPE_CHECKING:
    from sqlglot import exp

# What a query calls the file of a row: DuckDB's name and BigQuery's.
FILE_NAMES = frozenset({"filename", "_file_name"})
ADD_COLUMNS = "ADD_COLUMNS"
# Readers that take a list of files, by the ending of a file's name.
LIST_READERS = {
    "csv": "read_csv",
    "tsv": "read_csv",
    "parquet": "read_parquet",
    "json": "read_json",
    "jsonl": "read_json",
    "ndjson": "read_json",
}
# Those of them that take files of other columns only when they are told so.
NAMED_READERS = frozenset({"read_csv", "read_parquet"})
_PACKED = (".gz", ".zst")
_MAGIC = re.compile(r"[*?\[]")
# Parts of a SELECT that look at more than one row.
_MANY_ROWS = ("group", "having", "distinct", "limit", "offset", "sample", "qualify", "pivots", "into", "windows")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incremental:
    """What the options of an incremental table say.

    Parameters
    ----------
    column
        The column that grows with what is new; '' where only the files tell.
    keys
        Columns that name a row; without them rows are only added.
    lookback
        How far behind the greatest value rows are read again: an interval in words, or a number. None: not at all.
    deleted_when
        A condition in the statement's dialect: rows for which it holds say that their key is gone.
    adds_columns
        Whether columns that are new in the query are added to the table; otherwise they are an error.
    not_null
        Whether the statement declares that the column has no NULL.
    hidden
        Keys of columns whose values are shown nowhere.
    """

    column: str
    keys: tuple[str, ...] = ()
    lookback: str | float | None = None
    deleted_when: str = ""
    adds_columns: bool = False
    not_null: bool = False
    hidden: frozenset[str] = frozenset()


def incremental_of(statement: CreateTable, values: Mapping[str, Any]) -> Incremental | None:
    """What the checked options of a table say of increments; None when it is built whole each time."""
    column = values.get("incremental_by")
    if not column:
        return None
    filled = {
        name_key(name)
        for rule in statement.constraints
        if rule.kind in ("not_null", "primary_key") and rule.enforced
        for name in rule.columns
    }
    return Incremental(
        column="" if name_key(column) in FILE_NAMES else column,
        keys=tuple(values.get("unique_key") or ()),
        lookback=values.get("lookback"),
        deleted_when=values.get("deleted_when") or "",
        adds_columns=values.get("on_schema_change") == ADD_COLUMNS,
        not_null=name_key(column) in filled,
    )


def file_set(query: Query) -> str | None:
    """The one pattern of files whose rows a query maps one by one; None when its shape is another."""
    from tidemill.sql.reads import find_reads

    _, _, files = find_reads(query)
    patterns = [pattern for pattern in files if _MAGIC.search(pattern)]
    if len(patterns) != 1 or "://" in patterns[0] or not _reader(patterns[0]):
        return None
    tokens = _tokens(query, patterns[0])
    return patterns[0] if len(tokens) == 1 and _is_mapped(query.tree, patterns[0]) else None


def with_files(query: Query, pattern: str, paths: Sequence[str], *, by_name: bool = False) -> Query:
    """The query with a list of files in the place of a pattern.

    With ``by_name`` a file may lack columns that another one has, unless the query itself says how it is read.
    """
    from tidemill.sql.parse import parse_text
    from tidemill.sql.statements import Select

    (start, stop, called) = _tokens(query, pattern)[0]
    listed = f"[{', '.join(map(quote_text, paths))}]"
    source = query.source
    if by_name and _reader(pattern) in NAMED_READERS and "union_by_name" not in source.text.lower():
        listed += ", union_by_name = true"
    new = listed if called else f"{_reader(pattern)}({listed})"
    text = source.text[:start] + new + source.text[stop:]
    # Blanks in front: what goes wrong in the query is shown at its place in the file.
    padded = " " * (source.column - 1) + text
    (parsed,) = parse_text(padded, file=source.file, dialect=source.dialect, line=source.line)
    assert isinstance(parsed, Select)  # noqa: S101 - a query stays one
    return replace(parsed.query, source=replace(parsed.query.source, text=text))


def _reader(pattern: str) -> str:
    name = pattern.lower()
    for ending in _PACKED:
        name = name.removesuffix(ending)
    return LIST_READERS.get(name.rpartition(".")[2], "")


def _tokens(query: Query, pattern: str) -> list[tuple[int, int, bool]]:
    """Where the pattern stands in the query's own text (not in a list), and whether as the argument of a reader."""
    from tidemill.sql.dialects import tokenize

    tokens = tokenize(query.source.text, query.source.dialect)
    return [
        (token.start, token.end + 1, position > 0 and tokens[position - 1].text == "(")
        for position, token in enumerate(tokens)
        if token.text == pattern and (position == 0 or tokens[position - 1].text not in ("[", ","))
    ]


def _is_mapped(tree: exp.Expr, pattern: str) -> bool:
    """Whether each row of the result comes of one row of the files, whatever the other rows are."""
    from sqlglot import exp

    if isinstance(tree, exp.Subquery):
        return not tree.args.get("pivots") and not tree.args.get("sample") and _is_mapped(tree.this, pattern)
    if not isinstance(tree, exp.Select) or any(tree.args.get(part) for part in _MANY_ROWS):
        return False
    if tree.args.get("with_") is not None or any(_looks_around(item) for item in _expressions(tree)):
        return False
    for join in tree.args.get("joins") or ():
        if (join.side or "").upper() in ("RIGHT", "FULL") or _reads(join, pattern):
            return False
    start = tree.args.get("from_")
    if start is None:
        return False
    source = start.this
    if isinstance(source, exp.Subquery):
        return _is_mapped(source, pattern)
    if not isinstance(source, exp.Table) or source.args.get("sample") or source.args.get("pivots"):
        return False
    return _reads(source, pattern)


def _expressions(select: exp.Select) -> list[exp.Expr]:
    where = select.args.get("where")
    return [*select.expressions, *([where] if where is not None else [])]


def _looks_around(expression: exp.Expr) -> bool:
    """Whether an expression looks at other rows of its own query."""
    from sqlglot import exp

    for node in expression.walk(prune=lambda node: isinstance(node, exp.Query)):
        if isinstance(node, exp.AggFunc | exp.Window | exp.Explode | exp.Unnest):
            return True
    return False


def _reads(node: exp.Expr, pattern: str) -> bool:
    """Whether the pattern stands somewhere in a tree."""
    from sqlglot import exp

    return any(name.name == pattern for name in node.find_all(exp.Identifier, exp.Literal))
