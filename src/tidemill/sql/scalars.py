"""ML functions in expressions, rewritten to plain SQL where they have an exact meaning in it.

Analytic functions (``ML.STANDARD_SCALER(x) OVER()``) become window functions over the rows of the query. Inside a
model's TRANSFORM clause they mean something else, because there the statistics of the training rows are kept; that is
done when a model is trained, and this module leaves TRANSFORM alone.
"""

from __future__ import annotations

from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import BindError, Where
from tidemill.sql.functions import find_function
from tidemill.sql.functions_base import MLFunction
from tidemill.sql.scalars_sql import BUILDERS, TRANSFORM_ONLY, ScalarCall
from tidemill.sql.text import Text


def rewrite_scalars(tree: exp.Expr) -> exp.Expr:
    """The tree with its scalar and analytic ML functions written as plain SQL; changed in place where it can be.

    Raises
    ------
    BindError
        There is no such function, or its arguments are not what it takes.
    UnsupportedError
        The function is not built, or only in TRANSFORM.
    """
    for node in reversed(list(tree.find_all(exp.Dot, exp.Anonymous, bfs=True))):
        name = ml_name(node)
        if not name:
            continue
        over = over_of(node)
        replaced: exp.Expr = over if over is not None else node
        written = _rewrite(name, node, over)
        if replaced is tree:
            return written
        replaced.replace(written)
    return tree


def _rewrite(name: str, node: exp.Expr, over: exp.Window | None) -> exp.Expr:
    where = place_of(node)
    row = check_call(name, node, over=over, where=where)
    return exp.paren(BUILDERS[row.name](_scalar_call(row, node, where)), copy=False)


def check_call(name: str, node: exp.Expr, *, over: exp.Window | None, where: Where | None) -> MLFunction:
    """The row of an ML function called in an expression, its arguments counted and its OVER() looked at.

    Raises
    ------
    BindError
        There is no such function, it stands in the wrong place, or its arguments are not what it takes.
    UnsupportedError
        The function is not built.
    """
    row = find_function(name, where=where)
    if row.kind == "table":
        hint = f"write SELECT * FROM {row.name}(...)"
        raise BindError(f"{row.name} stands in FROM, not in an expression", where=where, hint=hint, function=row.name)
    _check_over(row, over, where)
    _arguments(row, node, where)
    return row


def check_in_transform(name: str, node: exp.Expr, *, over: exp.Window | None) -> None:
    """Check a call inside TRANSFORM, where a few more functions are supported than in a query."""
    where = place_of(node)
    row = check_call(name, node, over=over, where=where)
    if row.name not in TRANSFORM_ONLY:
        BUILDERS[row.name](_scalar_call(row, node, where))


def _scalar_call(row: MLFunction, node: exp.Expr, where: Where | None) -> ScalarCall:
    return ScalarCall(function=row.name, arguments=_arguments(row, node, where), where=where)


def _check_over(row: MLFunction, over: exp.Window | None, where: Where | None) -> None:
    if row.kind == "analytic":
        if over is None:
            message = f"{row.name} needs OVER()"
            raise BindError(message, where=where, hint=f"write {row.name}(...) OVER()", function=row.name)
        if any(over.args.get(part) for part in ("partition_by", "order", "spec")):
            message = f"{row.name} takes an empty OVER(): its statistics are those of all rows"
            raise BindError(message, where=where, hint="write OVER()", function=row.name)
    elif over is not None:
        message = f"{row.name} looks at one row: it takes no OVER()"
        raise BindError(message, where=where, hint="take OVER() away", function=row.name)


def _arguments(row: MLFunction, node: exp.Expr, where: Where | None) -> list[exp.Expr]:
    call = node.expression if isinstance(node, exp.Dot) else node
    arguments = list(call.expressions)
    least, most = row.arguments
    if not least <= len(arguments) <= most:
        takes = f"{least}" if least == most else f"{least} to {most}"
        plural = "argument" if takes == "1" else "arguments"
        message = f"{row.name} takes {takes} {plural}, not {len(arguments)}"
        raise BindError(message, where=where, hint=f"{row.name}{row.doc}", function=row.name)
    named = next((argument for argument in arguments if isinstance(argument, exp.Kwarg)), None)
    if named is not None:
        message = f"{row.name} takes its arguments by their order, not by name"
        raise BindError(message, where=where, hint=f"{row.name}{row.doc}", function=row.name)
    return arguments


def over_of(node: exp.Expr) -> exp.Window | None:
    """The OVER(...) of a function, or None."""
    return node.parent if isinstance(node.parent, exp.Window) and node.parent.this is node else None


def ml_name(node: exp.Expr) -> str:
    """Canonical name of an ML or AI function that stands in an expression, or ''."""
    if isinstance(node, exp.Dot) and isinstance(node.this, exp.Identifier):
        family = node.this.name.upper()
        if family in ("ML", "AI") and isinstance(node.expression, exp.Anonymous):
            return f"{family}.{node.expression.name.upper()}"
    if isinstance(node, exp.Anonymous) and node.name.upper() == "VECTOR_SEARCH":
        return "VECTOR_SEARCH"
    return ""


def place_of(node: exp.Expr) -> Where | None:
    """Where a function stands in the text it was read from; None for a tree made by hand."""
    text, start, stop = (node.meta.get(key) for key in ("text", "start", "name_stop"))
    if not isinstance(text, Text) or start is None or stop is None:
        return None
    return text.where(int(start), int(stop))
