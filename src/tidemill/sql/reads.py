"""What a query reads: tables, models and files. A name that a WITH clause gives is not a table."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp  # noqa: TID253

from tidemill.core.names import name_key
from tidemill.sql.dialects import MLCall, full_path_of
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


# A reader that is told one of these was told the file's shape.
SHAPE_OPTIONS = frozenset(
    (
        *("skip", "columns", "null_padding", "ignore_errors", "store_rejects", "comment", "strict_mode"),
        *("delim", "sep", "auto_detect", "quote", "escape", "new_line"),
    )
)
DELIMITED = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


def guessed_files(query: Query) -> tuple[str, ...]:
    """Patterns of delimited files whose shape the engine has to guess."""
    found = [table.name for table in free_tables(query.tree) if table_is_file(table)]
    for function in query.tree.find_all(exp.ReadCSV):
        told = {item.this.name.lower() for item in function.expressions if isinstance(item, exp.EQ | exp.PropertyEQ)}
        if not told & SHAPE_OPTIONS:
            found += _reader_files(function)
    return tuple(name for name in dict.fromkeys(found) if name.lower().endswith(DELIMITED))


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
