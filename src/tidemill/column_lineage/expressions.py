"""What flows into the value of an expression."""

from __future__ import annotations

from sqlglot import exp  # noqa: TID253

from tidemill.column_lineage.flow import NOTHING, Flow, merged, through
from tidemill.column_lineage.scope import Scope
from tidemill.core.names import name_key
from tidemill.sql.ml_nodes import MLCall

# Aggregates of the engine that sqlglot does not know as such.
AGGREGATES = frozenset(
    (
        *("any_value", "arbitrary", "arg_max_null", "arg_max_nulls_last", "arg_min_null", "arg_min_nulls_last"),
        *("bitstring_agg", "corr", "count_star", "covar_pop", "covar_samp", "entropy", "favg", "fsum", "histogram"),
        *("histogram_exact", "kahan_sum", "kurtosis_pop", "mad", "mean", "product", "regr_avgx", "regr_avgy"),
        *("regr_sxx", "regr_sxy", "regr_syy", "reservoir_quantile", "sem", "sum_no_overflow", "sumkahan"),
    )
)
# They hand on the value of another row.
_FROM_ANOTHER_ROW = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
_OPAQUE = (exp.DataType, exp.Identifier, exp.Literal, exp.Null, exp.Boolean, exp.Var, exp.Interval)
_WHOLE = (exp.Query, exp.Values, exp.Table)


def flow_of(node: exp.Expr | None, scope: Scope) -> Flow:
    """What flows into an expression's value."""
    if node is None or isinstance(node, _OPAQUE):
        return NOTHING
    if isinstance(node, exp.Column):
        return _column(node, scope)
    if isinstance(node, exp.Alias | exp.Paren | exp.Aliases):
        return flow_of(node.this, scope)
    if isinstance(node, exp.Subquery | exp.Query | exp.Values):
        return _inner(node, scope)
    special = _special(node, scope)
    if special is not None:
        return special
    return through(_children(node, scope), "transformation")


def indirect(nodes: list[exp.Expr], scope: Scope, how: str) -> Flow:
    """What acts through expressions that decide something: conditions, keys, orders."""
    return through(merged(flow_of(node, scope) for node in nodes), how)


def _column(node: exp.Column, scope: Scope) -> Flow:
    if isinstance(node.this, exp.Star):
        source = scope.named(".".join(part.name for part in node.parts[:-1]))
        return source.relation.everything() if source else NOTHING
    return scope.column(node)


def _inner(node: exp.Expr, scope: Scope) -> Flow:
    """A query as a value: its columns, and what decides which rows it has."""
    relation = scope.trace(node, scope.inside())
    return merged([*(column.flow for column in relation.columns), relation.other or NOTHING, relation.rows])


def _children(node: exp.Expr, scope: Scope) -> Flow:
    return merged(flow_of(child, scope) for child in node.iter_expressions())


def _special(node: exp.Expr, scope: Scope) -> Flow | None:
    """The expressions that have a rule of their own; None for all others."""
    match node:
        case exp.Case():
            return _case(node, scope)
        case exp.If():
            kept = [flow_of(node.args.get(part), scope) for part in ("true", "false")]
            return merged([through(merged(kept), "transformation"), indirect([node.this], scope, "conditional")])
        case exp.Nullif():
            kept_flow = through(flow_of(node.this, scope), "transformation")
            return merged([kept_flow, indirect([node.expression], scope, "conditional")])
        case exp.Exists():
            relation = scope.trace(node.this, scope.inside())
            return through(merged([relation.everything(), relation.rows]), "conditional")
        case exp.Window():
            return _window(node, scope)
        case exp.Filter():
            return merged([flow_of(node.this, scope), indirect([node.expression], scope, "conditional")])
        case exp.WithinGroup():
            ordered = merged(flow_of(part.this, scope) for part in node.expression.expressions)
            return merged([flow_of(node.this, scope), through(ordered, "aggregation")])
        case exp.Order():
            return merged([flow_of(node.this, scope), indirect(list(node.expressions), scope, "sort")])
        case exp.Star() | exp.Columns():  # in a condition: which columns are meant does not matter much there
            return scope.everything()
        case exp.PropertyEQ() | exp.Kwarg():  # the name of a field is not a column
            return flow_of(node.expression, scope)
        case exp.PositionalColumn():
            columns = [column for _, column in scope.listed()]
            number = int(node.this.name) - 1 if node.this.name.isdigit() else -1
            return columns[number].flow if 0 <= number < len(columns) else scope.everything()
        case exp.Lambda():
            return flow_of(node.this, scope)
        case exp.Comprehension():
            return _comprehension(node, scope)
        case MLCall():
            return NOTHING
        case _:
            return _aggregate(node, scope)


def _case(node: exp.Case, scope: Scope) -> Flow:
    branches = node.args.get("ifs") or []
    kept = [flow_of(branch.args.get("true"), scope) for branch in branches] + [flow_of(node.args.get("default"), scope)]
    asked = [branch.this for branch in branches] + ([node.this] if node.this else [])
    return merged([through(merged(kept), "transformation"), indirect(asked, scope, "conditional")])


def _comprehension(node: exp.Comprehension, scope: Scope) -> Flow:
    """``[f(i) for i in items if i > 1]``: what flows into the items flows into ``i``."""
    items = flow_of(node.args.get("iterator"), scope)
    inner = scope.inside()
    inner.aliases[name_key(node.expression.name)] = items
    asked = [node.args["condition"]] if node.args.get("condition") is not None else []
    made = through(merged([flow_of(node.this, inner), items]), "transformation")
    return merged([made, indirect(asked, inner, "conditional")])


def _window(node: exp.Window, scope: Scope) -> Flow:
    named = node.args.get("alias")
    parts = [node]
    if isinstance(named, exp.Identifier):
        parts += [found for found in [scope.windows.get(name_key(named.name))] if isinstance(found, exp.Window)]
    deciding = [key for part in parts for key in part.args.get("partition_by") or []]
    for part in parts:
        order = part.args.get("order")
        deciding += [key.this for key in order.expressions] if isinstance(order, exp.Order) else []
    return merged([flow_of(node.this, scope), indirect(deciding, scope, "window")])


def _aggregate(node: exp.Expr, scope: Scope) -> Flow | None:
    if isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
        return flow_of(node.this, scope)
    if isinstance(node, _FROM_ANOTHER_ROW):
        return through(_children(node, scope), "transformation")
    if isinstance(node, exp.Count) and (isinstance(node.this, exp.Star) or node.this is None):
        return scope.counted()
    if isinstance(node, exp.ArgMax | exp.ArgMin):
        by = indirect([node.expression], scope, "conditional")
        return merged([through(flow_of(node.this, scope), "aggregation"), by])
    named = isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) and node.name.lower()
    if named == "count_star":
        return scope.counted()
    if isinstance(node, exp.AggFunc) or named in AGGREGATES:
        return through(_children(node, scope), "aggregation")
    return None
