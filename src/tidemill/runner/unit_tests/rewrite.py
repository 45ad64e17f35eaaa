"""A tested query with the given rows in the place of files and ML calls, and the current time standing still."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from sqlglot import exp  # noqa: TID253

from tidemill.core.names import asset_key, name_key
from tidemill.core.source_tables import lake_name
from tidemill.sql.ml_nodes import MLCall
from tidemill.sql.paths import path_of
from tidemill.sql.reads import find_tree_reads, table_is_file
from tidemill.sql.statements import Query
from tidemill.sql.unit_test import Given

_KINDS: Mapping[str, frozenset[str]] = {
    "TIMESTAMPTZ": frozenset(("now", "get_current_timestamp", "transaction_timestamp")),
    "TIMESTAMP": frozenset(("current_localtimestamp", "localtimestamp", "current_datetime")),
    "DATE": frozenset(("today", "current_date")),
    "TIME": frozenset(("get_current_time", "current_time", "current_localtime", "localtime")),
}
_CLASSES: Mapping[type[exp.Expr], str] = {
    exp.CurrentTimestamp: "TIMESTAMPTZ",
    exp.CurrentDatetime: "TIMESTAMP",
    exp.CurrentDate: "DATE",
    exp.CurrentTime: "TIME",
}


def given_key(given: Given) -> str:
    """What rows are given for, as names are compared."""
    return f"{given.kind} {name_key(given.shown)}"


def reads_of(query: Query) -> Iterator[tuple[str, str]]:
    """What a query reads and rows may be given for: the key, and how a test names it."""
    tables, _, files = find_tree_reads(query.tree)
    for name in tables:
        yield f"table {asset_key(lake_name(name))}", name
    for name in files:
        yield f"file {name_key(_quoted(name))}", _quoted(name)
    for call in query.tree.find_all(MLCall):
        if call.function.startswith("CLEAN."):
            continue  # plain SQL in short: it works on the given rows
        yield f"call {name_key(_call(call))}", _call(call)


def put_in(query: Query, names: Mapping[str, str], *, tables: Collection[str], now: str) -> Query:
    """The query with files and calls replaced by names of views, and the time by ``now`` unless that is ''.

    Parameters
    ----------
    names
        Views by the keys of `given_key`.
    tables
        Keys of the tables that rows are given for: these are read at no version, they have none.
    """
    tree = query.tree.copy()
    changed = _replace_sources(tree, names)
    for table in tree.find_all(exp.Table):
        if (table.args.get("when") or table.args.get("version")) and asset_key(path_of(table)) in tables:
            table.set("when", None)
            table.set("version", None)
            changed = True
    changed = (bool(now) and _stop_time(tree, now)) or changed
    if not changed:
        return query
    # Its own text no longer says what it is: the binder writes it anew from the tree.
    for key in ("text", "span"):
        tree.meta.pop(key, None)
    return Query(source=replace(query.source, text=""), tree=tree)


def only_cte(query: Query, name: str) -> Query | None:
    """The query that gives the rows of one WITH clause; None when there is none of that name."""
    clause = query.tree.args.get("with_")
    names = [cte.alias for cte in clause.expressions] if isinstance(clause, exp.With) else []
    found = next((cte for cte in names if name_key(cte) == name_key(name)), None)
    if found is None:
        return None
    tree = exp.select("*").from_(exp.Table(this=exp.to_identifier(found, quoted=True)), copy=False)
    tree.set("with_", clause.copy() if clause is not None else None)
    return Query(source=replace(query.source, text=""), tree=tree)


def cte_names(query: Query) -> list[str]:
    """The WITH clauses of a query."""
    clause = query.tree.args.get("with_")
    return [cte.alias for cte in clause.expressions] if isinstance(clause, exp.With) else []


def _replace_sources(tree: exp.Expr, names: Mapping[str, str]) -> bool:
    changed = False
    for table in list(tree.find_all(exp.Table)):
        if isinstance(table.this, MLCall):
            key = f"call {name_key(_call(table.this))}"
        elif (file := _file(table)) is not None:
            key = f"file {name_key(_quoted(file))}"
        else:
            continue
        if key in names:
            shown = table.alias or (table.name if table_is_file(table) else "")
            table.set("this", exp.to_identifier(names[key], quoted=True))
            if shown and not table.args.get("alias"):
                table.set("alias", exp.TableAlias(this=exp.to_identifier(shown, quoted=True)))
            changed = True
    return changed


def _file(table: exp.Table) -> str | None:
    """The file that a table is, or reads by a function."""
    if table_is_file(table):
        return table.name
    if isinstance(table.this, exp.Func):
        files = find_tree_reads(table.this)[2]
        return files[0] if files else None
    return None


def _stop_time(tree: exp.Expr, now: str) -> bool:
    found = [(node, kind) for node in tree.walk() if (kind := _moment(node))]
    for node, kind in found:
        node.replace(_at(now, kind))
    return bool(found)


def _moment(node: exp.Expr) -> str:
    """The type of the current time that an expression asks for, or ''."""
    for kind, name in _CLASSES.items():
        if isinstance(node, kind):
            return name
    if isinstance(node, exp.Anonymous):
        return next((kind for kind, names in _KINDS.items() if node.name.lower() in names), "")
    return ""


def _at(now: str, kind: str) -> exp.Expr:
    moment = exp.cast(exp.Literal.string(now), "TIMESTAMPTZ")
    return moment if kind == "TIMESTAMPTZ" else exp.cast(moment, kind)


def _call(call: MLCall) -> str:
    return f"{call.function}(MODEL {call.model})" if call.model else call.function


def _quoted(file: str) -> str:
    return f"'{file}'"
