"""WITH clauses and the data of ML calls.

``WITH x AS (...) SELECT * FROM ML.PREDICT(MODEL m, TABLE x)``: the data of the call is run as a query of its own, so
it takes the clauses it names along.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp  # noqa: TID253

from tidemill.core.names import name_key
from tidemill.sql.ml_nodes import MLArg, MLCall
from tidemill.sql.reads import free_tables


def innermost_calls(tree: exp.Expr) -> list[MLCall]:
    """Calls of a tree that stand in no other call, in order of appearance. Those inside are their data's own."""
    return list(_outer_calls(tree))


def _outer_calls(tree: exp.Expr) -> Iterator[MLCall]:
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, MLCall):
            yield node
            continue
        children = list(node.iter_expressions())
        stack.extend(reversed(children))


def carried(call: MLCall, arg: MLArg) -> tuple[exp.Expr, bool]:
    """A data argument as a query of its own; and whether it is complete as written, needing no clause from outside."""
    query: exp.Expr = arg.this.copy()
    if arg.kind == "table":
        query = exp.select("*").from_(query, copy=False)
    needed = _needed(call, query)
    if not needed:
        return query, True
    clauses = [clause.copy() for clause, _ in needed]
    recursive = any(flag for _, flag in needed)
    own = query.args.get("with_")
    if isinstance(own, exp.With):
        # A clause of its own may have the name of one outside: keep the levels apart.
        query = exp.select("*").from_(exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("data"))))
    query.set("with_", exp.With(expressions=clauses, recursive=recursive or None))
    return query, False


def _needed(call: MLCall, query: exp.Expr) -> list[tuple[exp.CTE, bool]]:
    """Clauses around a call that its data names, directly or through one another, in their order."""
    around = _visible(call)
    wanted = {name_key(table.name) for table in free_tables(query) if not table.args.get("db")}
    chosen: list[tuple[exp.CTE, bool]] = []
    taken: set[str] = set()
    # From the nearest clause outwards: a clause can only name those before it (or itself, when recursive).
    for cte, recursive in reversed(around):
        name = name_key(cte.alias)
        if name not in wanted or name in taken:
            continue
        taken.add(name)
        chosen.append((cte, recursive))
        inner = {name_key(table.name) for table in free_tables(cte.this) if not table.args.get("db")}
        wanted |= inner - ({name} if recursive else set())
    return list(reversed(chosen))


def _visible(call: MLCall) -> list[tuple[exp.CTE, bool]]:
    """WITH clauses whose names a call can see, outermost first."""
    found: list[list[tuple[exp.CTE, bool]]] = []
    child: exp.Expr = call
    node = call.parent
    while node is not None:
        clause = node.args.get("with_")
        if isinstance(clause, exp.With) and child is not clause:
            found.append([(cte, bool(clause.args.get("recursive"))) for cte in clause.expressions])
        if isinstance(node, exp.With) and isinstance(child, exp.CTE):
            before = node.expressions[: node.expressions.index(child)]
            found.append([(cte, bool(node.args.get("recursive"))) for cte in before])
        child, node = node, node.parent
    return [cte for level in reversed(found) for cte in level]


def prune(tree: exp.Expr) -> bool:
    """Take out WITH clauses that nothing names any more; whether there were any."""
    pruned = False
    while True:
        unused = [cte for cte in tree.find_all(exp.CTE) if not _is_used(cte)]
        if not unused:
            return pruned
        for cte in unused:
            clause = cte.parent
            cte.pop()
            if isinstance(clause, exp.With) and not clause.expressions:
                clause.pop()
        pruned = True


def _is_used(cte: exp.CTE) -> bool:
    clause = cte.parent
    query = clause.parent if clause is not None else None
    if query is None:
        return True
    name = name_key(cte.alias)
    for table in query.find_all(exp.Table):
        inside = any(parent is cte for parent in _ancestors(table))
        if not inside and not table.args.get("db") and name_key(table.name) == name:
            return True
    return False


def _ancestors(node: exp.Expr) -> Iterator[exp.Expr]:
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent
