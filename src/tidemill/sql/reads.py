"""What a query reads: tables, models and files. A name that a WITH clause gives is not a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlglot import exp  # noqa: TID253

from tidemill.core.names import name_key
from tidemill.sql.file_reads import FileRead
from tidemill.sql.ml_nodes import MLCall
from tidemill.sql.paths import full_path_of
from tidemill.sql.statements import Query

READERS = frozenset(
    (
        *("read_csv", "read_csv_auto", "sniff_csv", "read_parquet", "parquet_scan", "read_json", "read_json_auto"),
        *("read_ndjson", "read_ndjson_auto", "read_ndjson_objects", "read_json_objects"),
        *("read_text", "read_blob", "read_xlsx"),
    )
)
FILE_ENDINGS = (".csv", ".tsv", ".parquet", ".json", ".jsonl", ".ndjson", ".gz", ".zst", ".txt", ".xlsx", ".db")


def find_reads(query: Query) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Names of the tables, the models and the file patterns a query reads, each in order of appearance.

    Tables have all parts that were written: see `core.connections.find_source` and `lake_name`.
    """
    return find_tree_reads(query.tree)


def find_tree_reads(tree: exp.Expr) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """As `find_reads`, of a tree."""
    tables: dict[str, str] = {}
    files: dict[str, None] = {}
    for table in free_tables(tree):
        if table_is_file(table):
            files[table.name] = None
        elif isinstance(table.this, exp.Identifier):
            name = full_path_of(table)
            tables.setdefault(name_key(name), name)
    for function in tree.find_all(exp.Func):
        for file in _reader_files(function):
            files[file] = None
    models: dict[str, str] = {}
    for call in tree.find_all(MLCall, bfs=False):
        if call.model:
            models.setdefault(name_key(call.model), call.model)
    return tuple(tables.values()), tuple(models.values()), tuple(files)


def file_read(table: exp.Table, text: str = "") -> FileRead | None:
    """What a table of a query reads, if it reads files and everything it is told is written out there."""
    if table_is_file(table):
        name = table.name
        meta = table.this.meta
        stem = name.replace("\\", "/").rpartition("/")[2].partition(".")[0]
        stop = meta["end"] + 1 if "end" in meta else None
        return FileRead(reader="", patterns=(name,), alias=stem, start=meta.get("start"), stop=stop)
    function = table.this
    if not isinstance(function, exp.Func):
        return None
    patterns = _reader_files(function)
    reader = "read_csv" if isinstance(function, exp.ReadCSV) else function.name.lower()
    if isinstance(function, exp.ReadParquet):
        reader = "read_parquet"
    if not patterns:
        return None
    given = function.expressions if isinstance(function, exp.ReadCSV) else function.expressions[1:]
    try:
        options = {_option_name(item): _plain(item.expression) for item in given}
    except _NotPlainError:
        return None
    start = function.meta.get("start")
    stop = _closing(text, function.meta["end"] + 1) if start is not None and text else None
    return FileRead(reader=reader, patterns=tuple(patterns), options=options, alias=reader, start=start, stop=stop)


class _NotPlainError(Exception):
    """A value is computed: only the engine knows it."""


def _option_name(item: exp.Expr) -> str:
    if not isinstance(item, exp.EQ | exp.PropertyEQ):
        raise _NotPlainError
    return str(item.this.name).lower()


def _plain(value: exp.Expr | None) -> Any:
    """A literal as plain data."""
    match value:
        case exp.Literal():
            return value.name if value.is_string else float(value.name) if "." in value.name else int(value.name)
        case exp.Boolean():
            return bool(value.this)
        case exp.Neg():
            return -_plain(value.this)
        case exp.Array():
            return [_plain(item) for item in value.expressions]
        case exp.Struct():
            return {str(item.this.name): _plain(item.expression) for item in value.expressions}
    raise _NotPlainError


_QUOTED_OR_BRACKET = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|[()]", re.DOTALL)


def _closing(text: str, position: int) -> int | None:
    """The place after the bracket that closes the first one from a position on."""
    depth = 0
    for found in _QUOTED_OR_BRACKET.finditer(text, position):
        if found[0] in "()":
            depth += 1 if found[0] == "(" else -1
            if depth == 0:
                return found.end()
    return None


def takes_all(query: Query) -> bool:
    """Whether a query takes all columns of one source as they are, so that a table's columns are those of a file."""
    tree = query.tree
    if not isinstance(tree, exp.Select) or tree.args.get("joins") or len(tree.expressions) != 1:
        return False
    star = tree.expressions[0]
    return isinstance(star, exp.Star) and not any(star.args.values())


def free_tables(tree: exp.Expr, bound: frozenset[str] = frozenset()) -> Iterator[exp.Table]:
    """Tables of a tree that no WITH clause around them names, in order of appearance."""
    stack: list[tuple[exp.Expr, frozenset[str]]] = [(tree, bound)]
    while stack:
        node, names = stack.pop()
        if isinstance(node, exp.Table) and not _is_bound(node, names):
            yield node
        stack.extend(reversed(list(_children(node, names))))


def _is_bound(table: exp.Table, names: frozenset[str]) -> bool:
    return not table.args.get("db") and name_key(table.name) in names


def _children(node: exp.Expr, names: frozenset[str]) -> Iterator[tuple[exp.Expr, frozenset[str]]]:
    """A node's children, each with the names its WITH clauses give it."""
    clause = node.args.get("with_")
    if isinstance(clause, exp.With):
        recursive = bool(clause.args.get("recursive"))
        for cte in clause.expressions:
            own = names | {name_key(cte.alias)}
            yield cte.this, own if recursive else names
            names = own
    for key, value in node.args.items():
        if key == "with_":
            continue
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, exp.Expr):
                yield child, names


def table_is_file(table: exp.Table) -> bool:
    """Whether a table is a file's name: ``FROM 'rows.csv'``."""
    name = table.this
    if not isinstance(name, exp.Identifier | exp.Literal) or table.args.get("db"):
        return False
    return bool(name.meta.get("file")) or (
        isinstance(name, exp.Identifier) and bool(name.args.get("quoted")) and name.name.lower().endswith(FILE_ENDINGS)
    )


def _reader_files(function: exp.Func) -> list[str]:
    """The file patterns in ``read_csv('a.csv')`` or ``read_parquet(['a', 'b'])``."""
    if isinstance(function, exp.ReadCSV | exp.ReadParquet):
        first = function.this if isinstance(function, exp.ReadCSV) else next(iter(function.expressions), None)
    elif isinstance(function, exp.Anonymous) and function.name.lower() in READERS:
        first = next(iter(function.expressions), None)
    else:
        return []
    values = first.expressions if isinstance(first, exp.Array) else [first]
    return [value.name for value in values if isinstance(value, exp.Literal) and value.is_string]
