"""FROM: tables, clauses, files, inner queries, functions and ML calls, joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp  # noqa: TID253

from tidemill.column_lineage.expressions import flow_of, indirect
from tidemill.column_lineage.flow import Flow, Out, Relation, merged, through
from tidemill.column_lineage.pivots import pivoted
from tidemill.column_lineage.scope import Scope, Source
from tidemill.core.names import name_key
from tidemill.sql.ml_nodes import MLCall
from tidemill.sql.paths import path_of
from tidemill.sql.reads import READERS, table_is_file

_SERIES = ("range", "generate_series")


def add_sources(parts: Sequence[exp.Expr], scope: Scope) -> Flow:
    """Put what FROM names into a scope, in order; returns what decides which rows meet, and which there are."""
    rows: list[Flow] = []
    for part in parts:
        if isinstance(part, exp.Join):
            rows += _join(part, scope)
        else:
            rows += _add(part, scope)
    return merged(rows)


def _add(part: exp.Expr, scope: Scope) -> list[Flow]:
    """One source, and those that are joined to it."""
    if isinstance(part, exp.Subquery) and isinstance(part.this, exp.Table) and not part.alias:  # (a JOIN b)
        rows = _add(part.this, scope)
    else:
        source = _source(part, scope)
        rows = [source.relation.rows]
        scope.sources.append(source)
    for join in part.args.get("joins") or []:
        rows += _join(join, scope)
    return rows


def _join(join: exp.Join, scope: Scope) -> list[Flow]:
    before = list(scope.sources)
    rows = _add(join.this, scope)
    added = scope.sources[len(before) :]
    if join.args.get("on") is not None:
        rows.append(indirect([join.args["on"]], scope, "join"))
    using = [part.name for part in join.args.get("using") or []]
    if join.method == "NATURAL":
        for source in scope.sources:
            source.relation = scope.catalog.look(source.relation)
        names = {name_key(out.name) for source in before for out in source.relation.columns}
        using = [out.name for source in added for out in source.relation.columns if name_key(out.name) in names]
    for name in using:
        rows.append(through(_merge(name, before, added, join, scope), "join"))
    if join.kind in ("SEMI", "ANTI"):  # the right side only decides
        scope.sources = before
    return rows


def _merge(name: str, before: list[Source], added: list[Source], join: exp.Join, scope: Scope) -> Flow:
    """Make one column of two of the same name; what flows into either."""
    key = name_key(name)
    known = scope.joined.get(key)
    lefts = [out.flow for source in before if (out := source.relation.find(name)) is not None]
    rights = [out.flow for source in added if (out := source.relation.find(name)) is not None]
    left = known if known is not None else next(iter(lefts), {})
    right = next(iter(rights), {})
    if join.kind not in ("SEMI", "ANTI"):
        for source in added:
            source.hidden |= {key}
        if join.side == "RIGHT":
            scope.joined[key] = right
        else:
            scope.joined[key] = merged([left, right]) if join.side == "FULL" else left
    return merged([left, right])


def _source(part: exp.Expr, scope: Scope) -> Source:
    alias = part.args.get("alias")
    name = part.alias_or_name
    path = path_of(part) if isinstance(part, exp.Table) and isinstance(part.this, exp.Identifier) else ""
    relation = _relation(part, scope)
    if isinstance(alias, exp.TableAlias) and not isinstance(part, exp.Values):
        relation = relation.renamed([column.name for column in alias.columns])
    for pivot in part.args.get("pivots") or []:
        rows = relation.rows
        relation = pivoted(pivot, scope.catalog.look(relation), scope)
        relation = replace(relation, rows=merged([rows, relation.rows]))
        name = pivot.alias or name
    return Source(name=name_key(name), path=name_key(path), relation=relation)


def _relation(part: exp.Expr, scope: Scope) -> Relation:
    match part:
        case exp.Table():
            return _table(part, scope)
        case exp.Subquery() | exp.Values():
            return scope.trace(part, scope.inside())
        case exp.Unnest():
            return _unnest(part, scope)
        case exp.Lateral():
            inner = part.this
            return _relation(inner, scope) if isinstance(inner, exp.Subquery) else _function(inner, part.alias, scope)
        case exp.Query():
            return scope.trace(part, scope.inside())
        case _:
            return _function(part, part.alias, scope)


def _table(table: exp.Table, scope: Scope) -> Relation:
    inner = table.this
    if isinstance(inner, MLCall):
        return _call(inner, scope)
    if _reads_file(table):
        return scope.catalog.file(table)
    if not isinstance(inner, exp.Identifier):
        return _function(inner, table.alias, scope)
    clause = None if table.args.get("db") else scope.clauses.get(name_key(table.name))
    return clause if clause is not None else scope.catalog.table([part.name for part in table.parts])


def _reads_file(table: exp.Table) -> bool:
    function = table.this
    return (
        table_is_file(table)
        or isinstance(function, exp.ReadCSV | exp.ReadParquet)
        or (isinstance(function, exp.Anonymous) and function.name.lower() in READERS)
    )


def _call(call: MLCall, scope: Scope) -> Relation:
    inputs = []
    for argument in call.arguments:
        inner = argument.this if argument.kind == "named" else argument
        if inner.kind == "table":
            inputs.append(_table(inner.this, scope))
        elif inner.kind == "query":
            inputs.append(scope.trace(inner.this, scope.inside()))
    return scope.catalog.call(call, [scope.catalog.look(relation) for relation in inputs])


def _unnest(node: exp.Unnest, scope: Scope) -> Relation:
    flow = through(merged(flow_of(part, scope) for part in node.expressions), "transformation")
    alias = node.args.get("alias")
    named = [column.name for column in alias.columns] if isinstance(alias, exp.TableAlias) else []
    names = named or ["unnest"]
    # The fields of structs can be named, too.
    columns = [Out(name=name, flow=flow) for name in names]
    offset = node.args.get("offset")
    if isinstance(offset, exp.Identifier):
        columns.append(Out(name=offset.name))
    # An empty list has no row.
    return Relation(columns=tuple(columns), other=flow if not named and flow else None, rows=through(flow, "filter"))


def _function(node: exp.Expr, alias: str, scope: Scope) -> Relation:
    """A table function: of series and lists the column is known, of others what goes in."""
    flow = through(merged(flow_of(part, scope) for part in node.iter_expressions()), "transformation")
    rows = through(flow, "filter")
    if isinstance(node, exp.GenerateSeries):
        name = alias or ("range" if node.args.get("is_end_exclusive") else "generate_series")
        return Relation(columns=(Out(name=name, flow=flow),), rows=rows)
    if isinstance(node, exp.Explode | exp.Unnest):
        return Relation(columns=(Out(name="unnest", flow=flow),), other=flow or None, rows=rows)
    name = node.name.lower() if isinstance(node, exp.Anonymous) else node.key
    if name not in _SERIES:
        scope.catalog.note(f"which columns {name}(...) gives is not known")
    return Relation(other=flow, rows=rows)
