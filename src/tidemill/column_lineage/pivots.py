"""PIVOT and UNPIVOT."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp  # noqa: TID253

from tidemill.column_lineage.expressions import flow_of
from tidemill.column_lineage.flow import Flow, Out, Relation, merged, through
from tidemill.column_lineage.scope import Scope, Source
from tidemill.core.names import name_key
from tidemill.sql.dialects import generate


def pivoted(pivot: exp.Pivot, source: Relation, scope: Scope) -> Relation:
    """A relation behind PIVOT or UNPIVOT."""
    inner = scope.inside()
    inner.sources = [Source(name="", path="", relation=source)]
    made = _unpivot(pivot, source, inner) if pivot.args.get("unpivot") else _pivot(pivot, source, inner)
    return replace(made, nodes=source.nodes)


def _unpivot(pivot: exp.Pivot, source: Relation, scope: Scope) -> Relation:
    into = pivot.args.get("into")
    if isinstance(into, exp.UnpivotColumns):
        names = [into.this.name, *(part.name for part in into.expressions)]
        taken = list(pivot.expressions)
    else:
        field = next(iter(pivot.args.get("fields") or []), None)
        names = [field.this.name if field else "name", *(part.name for part in pivot.expressions)]
        taken = list(field.expressions) if field else []
    taken = [part.this if isinstance(part, exp.Alias | exp.PivotAlias) else part for part in taken]
    values = merged(flow_of(part, scope) for part in taken)
    gone = {name_key(column.name) for part in taken for column in part.find_all(exp.Column)}
    kept = [column for column in source.columns if name_key(column.name) not in gone]
    made = [Out(name=names[0]), *(Out(name=name, flow=values) for name in names[1:] or ["value"])]
    rows = through(values, "filter")  # NULLs have no row
    return Relation(columns=(*kept, *made), rest=source.rest, other=source.other, rows=rows)


def _pivot(pivot: exp.Pivot, source: Relation, scope: Scope) -> Relation:
    fields = list(pivot.args.get("fields") or []) or [part for part in pivot.expressions if isinstance(part, exp.In)]
    loose = [] if pivot.args.get("fields") else [part for part in pivot.expressions if not isinstance(part, exp.In)]
    using = list(pivot.args.get("using") or []) or (list(pivot.expressions) if pivot.args.get("fields") else [])
    on = [part.this for part in fields] + loose
    deciding = through(merged(flow_of(part, scope) for part in on), "conditional")
    used = {name_key(column.name) for part in [*on, *using] for column in part.find_all(exp.Column)}
    group = pivot.args.get("group")
    if isinstance(group, exp.Group):
        kept = [Out(name=part.alias_or_name, flow=flow_of(part, scope)) for part in group.expressions]
    else:
        kept = [column for column in source.columns if name_key(column.name) not in used]
    computed = [_used(part, deciding, scope) for part in using] or [merged([deciding, scope.counted()])]
    rows = through(merged(column.flow for column in kept), "group_by")
    names = _names(pivot, fields, using)
    if names is None or loose or not source.complete:
        return Relation(columns=tuple(kept), other=merged([*computed, source.everything()]), rows=rows)
    columns = [Out(name=name, flow=computed[number % len(computed)]) for number, name in enumerate(names)]
    return Relation(columns=(*kept, *columns), rows=rows)


def _used(part: exp.Expr, deciding: Flow, scope: Scope) -> Flow:
    return merged([through(flow_of(part, scope), "aggregation"), deciding])


def _names(pivot: exp.Pivot, fields: list[exp.Expr], using: list[exp.Expr]) -> list[str] | None:
    """The names of the new columns, or None when they depend on the rows."""
    given = pivot.args.get("columns")
    if given:
        return [part.name for part in given]
    if len(fields) != 1 or not all(isinstance(value, exp.Literal | exp.Alias) for value in fields[0].expressions):
        return None
    values = [value.alias_or_name for value in fields[0].expressions]
    if not using or (len(using) == 1 and not isinstance(using[0], exp.Alias)):
        return values
    tails = [part.alias if isinstance(part, exp.Alias) else generate(part, "duckdb").lower() for part in using]
    return [f"{value}_{tail}" for value in values for tail in tails]
