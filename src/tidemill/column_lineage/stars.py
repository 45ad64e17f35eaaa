"""The columns of a SELECT: stars opened, names given to those that have none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp  # noqa: TID253

from tidemill.column_lineage.expressions import flow_of
from tidemill.column_lineage.flow import Flow, Out, Relation, Rest, merged, through
from tidemill.column_lineage.scope import Scope, Source
from tidemill.core.names import name_key
from tidemill.sql.dialects import generate


def select_columns(select: exp.Select, scope: Scope, *, bigquery: bool) -> Relation:
    """The columns of a SELECT, in order; ``scope`` learns them as aliases on the way."""
    columns: list[Out] = []
    rest: list[Rest] = []
    other: list[Flow] = []
    unnamed = 0
    for item in select.expressions or [exp.Star()]:
        made = _star(item, scope)
        if made is None:
            name = _written_name(item)
            if not name:
                name = f"f{unnamed}_" if bigquery else _engine_name(item)
                unnamed += 1
            made = Relation(columns=(Out(name=name, flow=flow_of(item, scope)),))
        columns += made.columns
        rest += made.rest
        other += [made.other] if made.other is not None else []
        for column in made.columns:
            scope.aliases.setdefault(name_key(column.name), column.flow)
            scope.items.append(column.flow)
    return Relation(columns=_told_apart(columns), rest=tuple(rest), other=merged(other) if other else None)


def matched(node: exp.Columns, scope: Scope) -> list[Out]:
    """The columns that COLUMNS(...) names; of a function nobody knows, so all may be."""
    open_sources(scope)
    listed = [column for _, column in scope.listed()]
    wanted = node.this
    if isinstance(wanted, exp.Lambda) and (chosen := _like(wanted.this, listed)) is not None:
        return chosen
    if isinstance(wanted, exp.Literal) and wanted.is_string:
        try:
            pattern = re.compile(wanted.name)
        except re.error:
            return listed
        return [column for column in listed if pattern.search(column.name)]
    if isinstance(wanted, exp.Array):
        names = {name_key(part.name) for part in wanted.expressions}
        return [column for column in listed if name_key(column.name) in names]
    if isinstance(wanted, exp.Star):
        return list(_changed(wanted, listed, scope))
    return listed


def _like(node: exp.Expr, listed: list[Out]) -> list[Out] | None:
    """The columns whose names are LIKE a pattern; None for another condition."""
    negated = bool(node.args.get("negate"))
    if isinstance(node, exp.Not):
        node, negated = node.this, not negated
    if not isinstance(node, exp.Like | exp.ILike) or not isinstance(node.expression, exp.Literal):
        return None
    pattern = re.escape(node.expression.name).replace("%", ".*").replace("_", ".")
    flags = re.IGNORECASE if isinstance(node, exp.ILike) else re.NOFLAG
    return [column for column in listed if (re.fullmatch(pattern, column.name, flags) is None) is negated]


def open_sources(scope: Scope) -> None:
    """List the columns of every source, as far as anybody can tell."""
    for source in scope.sources:
        source.relation = scope.catalog.look(source.relation)


def _star(item: exp.Expr, scope: Scope) -> Relation | None:
    """The columns of ``*``, ``t.*`` and ``f(COLUMNS(...))``; None for an item that gives one column."""
    if isinstance(item, exp.Star):
        open_sources(scope)
        return _opened(item, [column for _, column in scope.listed()], scope.sources, scope)
    if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
        return _qualified(item, scope)
    if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Star):
        flow = flow_of(item.this, scope)
        return Relation(other=flow)
    if isinstance(item, exp.Like | exp.ILike) and isinstance(item.this, exp.Star):
        open_sources(scope)
        return Relation(columns=tuple(_like(item, [column for _, column in scope.listed()]) or ()))
    if isinstance(item, exp.Explode) and not isinstance(item, exp.Posexplode):
        # Of a list this is one column; of a struct it is one for each field, under the names of the fields.
        flow = flow_of(item.this, scope)
        return Relation(columns=(Out(name=_engine_name(item), flow=through(flow, "transformation")),), other=flow)
    found = item.find(exp.Columns)
    if found is None or item.find_ancestor(exp.Columns):
        return None
    outs = matched(found, scope)
    chosen_by_pattern = isinstance(found.this, exp.Lambda) and _like(found.this.this, []) is not None
    if not chosen_by_pattern and not isinstance(found.this, exp.Literal | exp.Array | exp.Star):
        scope.catalog.note("COLUMNS(...) takes columns by a function: all of them are shown")
    return Relation(columns=tuple(_around(item, found, out, scope) for out in outs))


def _around(item: exp.Expr, found: exp.Columns, out: Out, scope: Scope) -> Out:
    """One column of ``f(COLUMNS(...))``."""
    if item is found:
        return out
    alone = item.copy()
    for columns in list(alone.find_all(exp.Columns)):
        columns.replace(exp.column(exp.to_identifier(out.name, quoted=True)))
    return Out(name=out.name, flow=flow_of(alone, scope))


def _qualified(item: exp.Column, scope: Scope) -> Relation:
    path = ".".join(part.name for part in item.parts[:-1])
    at: Scope | None = scope
    while at is not None:
        source = at.named(path)
        if source is not None:
            source.relation = scope.catalog.look(source.relation)
            return _opened(item.this, list(source.relation.columns), [source], scope)
        at = at.outer
    # The fields of a struct: what flows into the struct flows into each.
    return Relation(other=scope.path([part.name for part in item.parts[:-1]]))


def _opened(star: exp.Expr, listed: list[Out], sources: list[Source], scope: Scope) -> Relation:
    columns = tuple(_changed(star, listed, scope))
    named = frozenset(name_key(part.name) for part in [*_parts(star, "except_"), *_renamed(star)])
    taken = named | {name_key(column.name) for column in columns}
    rest = tuple(Rest(part.node, part.excepted | taken) for source in sources for part in source.relation.rest)
    other = [source.relation.other for source in sources if source.relation.other is not None]
    return Relation(columns=columns, rest=rest, other=merged(other) if other else None)


def _changed(star: exp.Expr, listed: list[Out], scope: Scope) -> Iterator[Out]:
    """Carry out EXCEPT, REPLACE and RENAME; what they name need not be listed where columns are not all known."""
    left_out = {name_key(part.name) for part in _parts(star, "except_")}
    replaced = {name_key(part.alias): part for part in _parts(star, "replace")}
    renamed = {name_key(part.this.name): part.alias for part in _parts(star, "rename")}
    for column in listed:
        key = name_key(column.name)
        if key in left_out:
            continue
        if key in replaced:
            yield replace(column, flow=flow_of(replaced.pop(key).this, scope))
        else:
            yield replace(column, name=renamed.pop(key, column.name))
    known = {name_key(column.name) for column in listed}
    for key, part in replaced.items():
        if key not in known:
            yield Out(name=part.alias, flow=flow_of(part.this, scope))
    for part in _parts(star, "rename"):
        if name_key(part.this.name) in renamed and name_key(part.this.name) not in known:
            yield Out(name=part.alias, flow=flow_of(part.this, scope))


def _parts(star: exp.Expr, name: str) -> list[exp.Expr]:
    return list(star.args.get(name) or []) if isinstance(star, exp.Star) else []


def _renamed(star: exp.Expr) -> list[exp.Expr]:
    return [part.this for part in _parts(star, "rename")]


def _told_apart(columns: list[Out]) -> tuple[Out, ...]:
    """Columns of one name as the engine tells them apart: a, a_1."""
    seen: dict[str, int] = {}
    found: list[Out] = []
    for column in columns:
        key = name_key(column.name)
        number = seen.get(key, 0)
        seen[key] = number + 1
        found.append(replace(column, name=f"{column.name}_{number}") if number else column)
    return tuple(found)


def _written_name(item: exp.Expr) -> str:
    while isinstance(item, exp.Paren):
        item = item.this
    if isinstance(item, exp.Alias | exp.Column):
        return item.alias_or_name
    if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Identifier):
        return item.expression.name
    return ""


def _engine_name(item: exp.Expr) -> str:
    """Roughly the name that the engine gives an expression: its text."""
    if isinstance(item, exp.Count) and isinstance(item.this, exp.Star):
        return "count_star()"
    text = generate(item, "duckdb")
    if isinstance(item, exp.Binary):
        return f"({text})"
    head, bracket, tail = text.partition("(")
    return f"{head.lower()}{bracket}{tail}" if isinstance(item, exp.Func) and not isinstance(item, exp.Cast) else text
