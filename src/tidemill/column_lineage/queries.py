"""What a query gives: its columns with what flows into each, and what decides which rows there are."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp  # noqa: TID253

from tidemill.column_lineage.expressions import flow_of, indirect
from tidemill.column_lineage.flow import Flow, Out, Relation, merged, through
from tidemill.column_lineage.pivots import pivoted
from tidemill.column_lineage.scope import Catalog, Scope
from tidemill.column_lineage.sources import add_sources
from tidemill.column_lineage.stars import select_columns
from tidemill.core.names import name_key

_ROUNDS = 4  # a recursive clause is followed until nothing new flows; each round adds a step of a chain of columns


def trace_query(tree: exp.Expr, catalog: Catalog, *, dialect: str) -> Relation:
    """Follow a query from its columns back to the nodes that it reads."""

    def trace(inner: exp.Expr, scope: Scope) -> Relation:
        return _trace(inner, scope, bigquery=dialect == "bigquery")

    return trace(tree, Scope(catalog=catalog, trace=trace))


def _trace(tree: exp.Expr, scope: Scope, *, bigquery: bool) -> Relation:
    _read_clauses(tree, scope)
    match tree:
        case exp.Select():
            return _select(tree, scope, bigquery=bigquery)
        case exp.SetOperation():
            return _both(tree, scope)
        case exp.Subquery() if isinstance(tree.this, exp.Table):
            add_sources([tree], scope)
            return _all_of(scope)
        case exp.Subquery():
            return _ordered(tree, scope.trace(tree.this, scope.inside()), scope)
        case exp.Values():
            return values(tree, scope)
        case exp.Table():
            add_sources([tree], scope)
            return _all_of(scope)
        case exp.Pivot():
            return _pivot(tree, scope)
        case _:
            return _opaque(tree, scope)


def _read_clauses(tree: exp.Expr, scope: Scope) -> None:
    clause = tree.args.get("with_")
    if not isinstance(clause, exp.With):
        return
    for cte in clause.expressions:
        names = [part.name for part in cte.args["alias"].columns]
        key = name_key(cte.alias)
        if clause.args.get("recursive") and isinstance(cte.this, exp.SetOperation):
            relation = _recursive(cte.this, key, names, scope)
        else:
            relation = scope.trace(cte.this, scope.inside()).renamed(names)
        scope.clauses = {**scope.clauses, key: relation}


def _recursive(tree: exp.SetOperation, key: str, names: list[str], scope: Scope) -> Relation:
    """A clause that may read itself: begin with its first half, and go on until nothing new flows in."""
    known = scope.trace(tree.this, scope.inside()).renamed(names)
    for _ in range(_ROUNDS):
        found = scope.trace(tree, scope.inside({**scope.clauses, key: known})).renamed(names)
        if found == known:
            break
        known = found
    return known


def _select(tree: exp.Select, scope: Scope, *, bigquery: bool) -> Relation:
    start = tree.args.get("from_")
    first = [start.this] if isinstance(start, exp.From) else []
    rows = [add_sources([*first, *(tree.args.get("joins") or []), *(tree.args.get("laterals") or [])], scope)]
    scope.windows = {name_key(one.this.name): one for one in tree.args.get("windows") or []}
    relation = select_columns(tree, scope, bigquery=bigquery)
    for part in ("where", "having", "qualify", "prewhere"):
        if tree.args.get(part) is not None:
            rows.append(indirect([tree.args[part].this], scope, "filter"))
    generating = [one.this for item in tree.expressions for one in item.find_all(exp.Explode)]
    rows.append(indirect(generating, scope, "filter"))  # UNNEST in SELECT: an empty list has no row
    rows += [_grouped(tree, relation, scope), _distinct(tree, relation, scope), _sorted(tree, scope)]
    nodes = frozenset(node for source in scope.sources for node in source.relation.nodes)
    return replace(relation, rows=merged(rows), nodes=nodes)


def _grouped(tree: exp.Select, relation: Relation, scope: Scope) -> Flow:
    group = tree.args.get("group")
    if not isinstance(group, exp.Group):
        return {}
    if group.args.get("all"):
        items = zip(tree.expressions, relation.columns, strict=False)
        kept = [out.flow for item, out in items if item.find(exp.AggFunc) is None]
        return through(merged(kept), "group_by")
    keys = [key for part in group.args.values() if isinstance(part, list) for key in part]
    return through(merged(_key(key, scope) for key in keys), "group_by")


def _distinct(tree: exp.Select, relation: Relation, scope: Scope) -> Flow:
    distinct = tree.args.get("distinct")
    if not isinstance(distinct, exp.Distinct):
        return {}
    on = distinct.args.get("on")
    if on is not None:
        return indirect([on], scope, "group_by")
    return through(merged(column.flow for column in relation.columns), "group_by")


def _sorted(tree: exp.Expr, scope: Scope) -> Flow:
    order = tree.args.get("order")
    if not isinstance(order, exp.Order):
        return {}
    return through(merged(_key(part.this, scope, alias_first=True) for part in order.expressions), "sort")


def _key(node: exp.Expr, scope: Scope, *, alias_first: bool = False) -> Flow:
    """A key of GROUP BY or ORDER BY: an expression, an alias, or the number of a column."""
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit():
        number = int(node.name) - 1
        return scope.items[number] if 0 <= number < len(scope.items) else {}
    if isinstance(node, exp.Var):  # ORDER BY ALL
        return merged(scope.items)
    if alias_first and isinstance(node, exp.Column):
        return scope.alias_first(node)
    return flow_of(node, scope)


def _ordered(tree: exp.Expr, relation: Relation, scope: Scope) -> Relation:
    """A relation behind an ORDER BY that sees only its columns."""
    for column in relation.columns:
        scope.aliases.setdefault(name_key(column.name), column.flow)
        scope.items.append(column.flow)
    order = _sorted(tree, scope)
    return replace(relation, rows=merged([relation.rows, order])) if order else relation


def _both(tree: exp.SetOperation, scope: Scope) -> Relation:
    """UNION puts columns together by place, or by name; of EXCEPT and INTERSECT the second half only decides."""
    left = scope.trace(tree.this, scope.inside())
    right = scope.trace(tree.expression, scope.inside())
    if isinstance(tree, exp.Union):
        together = _by_name(left, right) if tree.args.get("by_name") else _by_place(left, right, scope)
    else:
        deciding = through(merged([right.everything(), right.rows]), "filter")
        together = replace(left, rows=merged([left.rows, deciding]))
    if tree.args.get("distinct"):
        keys = through(merged(column.flow for column in together.columns), "group_by")
        together = replace(together, rows=merged([together.rows, keys]))
    return _ordered(tree, together, scope)


def _by_place(left: Relation, right: Relation, scope: Scope) -> Relation:
    if not (left.complete and right.complete):
        left, right = scope.catalog.look(left), scope.catalog.look(right)
    columns = [
        replace(one, flow=merged([one.flow, right.columns[number].flow])) if number < len(right.columns) else one
        for number, one in enumerate(left.columns)
    ]
    return _joined(left, right, columns)


def _by_name(left: Relation, right: Relation) -> Relation:
    columns = []
    for one in left.columns:
        twin = right.find(one.name)
        columns.append(replace(one, flow=merged([one.flow, twin.flow])) if twin else one)
    columns += [one for one in right.columns if not left.lists(one.name)]
    return _joined(left, right, columns)


def _joined(left: Relation, right: Relation, columns: list[Out]) -> Relation:
    other = [one.other for one in (left, right) if one.other is not None]
    return Relation(
        columns=tuple(columns),
        rest=tuple(dict.fromkeys((*left.rest, *right.rest))),
        other=merged(other) if other else None,
        rows=merged([left.rows, right.rows]),
        nodes=left.nodes | right.nodes,
    )


def values(tree: exp.Values, scope: Scope) -> Relation:
    """The columns of VALUES: col0, col1, unless they are named."""
    rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in tree.expressions]
    width = max(map(len, rows), default=0)
    flows = [merged(flow_of(row[number], scope) for row in rows if number < len(row)) for number in range(width)]
    relation = Relation(columns=tuple(Out(name=f"col{number}", flow=flow) for number, flow in enumerate(flows)))
    alias = tree.args.get("alias")
    return relation.renamed([part.name for part in alias.columns]) if isinstance(alias, exp.TableAlias) else relation


def _all_of(scope: Scope) -> Relation:
    """All columns of the sources, as a star has them."""
    rows = merged(source.relation.rows for source in scope.sources)
    nodes = frozenset(node for source in scope.sources for node in source.relation.nodes)
    return replace(select_columns(exp.Select(), scope, bigquery=False), rows=rows, nodes=nodes)


def _pivot(tree: exp.Pivot, scope: Scope) -> Relation:
    """``PIVOT t ON c IN (...) USING f(x) GROUP BY g`` and ``UNPIVOT t ON a, b INTO NAME n VALUE v``."""
    inner = scope.inside()
    rows = add_sources([tree.this], inner)
    source = scope.catalog.look(inner.sources[0].relation)
    made = pivoted(tree, source, scope)
    return replace(made, rows=merged([rows, made.rows]), nodes=source.nodes)


def _opaque(tree: exp.Expr, scope: Scope) -> Relation:
    """A statement that looks at rows in a way of its own, such as SUMMARIZE: all it reads may be in all it gives."""
    add_sources([part for part in tree.iter_expressions() if isinstance(part, exp.Table | exp.Subquery)], scope)
    scope.catalog.note(f"which columns {tree.key.upper()} gives is not known")
    nodes = frozenset(node for source in scope.sources for node in source.relation.nodes)
    return Relation(other=through(scope.everything(), "aggregation"), nodes=nodes)
