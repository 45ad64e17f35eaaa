"""ML and CLEAN functions in expressions, rewritten to plain SQL where they have an exact meaning in it.

Analytic functions (``ML.STANDARD_SCALER(x) OVER()``) become window functions over the rows of the query. Inside a
model's TRANSFORM clause they mean something else, because there the statistics of the training rows are kept; that is
done when a model is trained, and this module leaves TRANSFORM alone.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import BindError, Where
from tidemill.sql.bind_calls import NotLiteralError, literal_of
from tidemill.sql.clean.table import CLEAN_BUILDERS
from tidemill.sql.functions import find_function
from tidemill.sql.functions_base import MLFunction
from tidemill.sql.options import check_settings
from tidemill.sql.scalar_call import ScalarCall, ml_name, place_of
from tidemill.sql.scalars_sql import BUILDERS, TRANSFORM_ONLY
from tidemill.sql.text import Text

BUILDERS_OF_ALL = MappingProxyType({**BUILDERS, **CLEAN_BUILDERS})
"""What writes each scalar and analytic function."""


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
    row = check_call(name, node, over=over, where=place_of(node))
    call = _scalar_call(row, node, over)
    written = exp.paren(BUILDERS_OF_ALL[row.name](call), copy=False)
    if call.settings.get("distinct_first"):
        # The engine works a correlated subquery out once for each different value, and joins the answers back.
        return exp.Subquery(this=exp.select(written, copy=False))
    return written


def write_scalar(node: exp.Expr) -> exp.Expr:
    """The plain SQL of a call that `check_call` has let through, for a place that takes no subquery."""
    row = find_function(ml_name(node), where=place_of(node))
    return BUILDERS_OF_ALL[row.name](_scalar_call(row, node, over_of(node)))


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
    if row.name in CLEAN_BUILDERS and row.kind == "analytic":
        message = f"{row.name} looks at other rows: it does not stand in TRANSFORM"
        hint = "use it in the query after AS; for what training learns and serving repeats there is ML.IMPUTER"
        raise BindError(message, where=where, hint=hint, function=row.name)
    if row.name not in TRANSFORM_ONLY:
        BUILDERS_OF_ALL[row.name](_scalar_call(row, node, over))


def _scalar_call(row: MLFunction, node: exp.Expr, over: exp.Window | None) -> ScalarCall:
    where = place_of(node)
    arguments, settings = _arguments(row, node, where)
    return ScalarCall(function=row.name, arguments=arguments, where=where, settings=settings, over=over)


def _check_over(row: MLFunction, over: exp.Window | None, where: Where | None) -> None:
    if row.kind != "analytic":
        if over is not None:
            message = f"{row.name} looks at one row: it takes no OVER()"
            raise BindError(message, where=where, hint="take OVER() away", function=row.name)
        return
    if over is None:
        raise BindError(
            f"{row.name} needs OVER()", where=where, hint=f"write {row.name}(...) OVER()", function=row.name
        )
    given = {part for part in ("partition_by", "order", "spec") if over.args.get(part)}
    if given and not row.window:
        message = f"{row.name} takes an empty OVER(): its statistics are those of all rows"
        raise BindError(message, where=where, hint="write OVER()", function=row.name)
    taken = {"partition_by", "order"} if row.window == "order" else {"partition_by"}
    if given - taken or over.args.get("alias"):
        takes = "PARTITION BY and ORDER BY" if row.window == "order" else "PARTITION BY alone"
        message = f"the OVER() of {row.name} takes {takes}"
        raise BindError(message, where=where, hint=f"{row.name}{row.doc}", function=row.name)


def _arguments(row: MLFunction, node: exp.Expr, where: Where | None) -> tuple[list[exp.Expr], dict[str, Any]]:
    """The arguments by their order, and those by name, checked against the row's settings."""
    call = node.expression if isinstance(node, exp.Dot) else node
    named = [argument for argument in call.expressions if isinstance(argument, exp.Kwarg)]
    arguments = [argument for argument in call.expressions if not isinstance(argument, exp.Kwarg)]
    if named and not row.settings:
        message = f"{row.name} takes its arguments by their order, not by name"
        raise BindError(message, where=where, hint=f"{row.name}{row.doc}", function=row.name)
    least, most = row.arguments
    if not least <= len(arguments) <= most:
        takes = f"{least}" if least == most else f"{least} to {most}"
        plural = "argument" if takes == "1" else "arguments"
        message = f"{row.name} takes {takes} {plural}, not {len(arguments)}"
        raise BindError(message, where=where, hint=f"{row.name}{row.doc}", function=row.name)
    return arguments, _settings(row, node, named)


def _settings(row: MLFunction, node: exp.Expr, named: list[exp.Kwarg]) -> dict[str, Any]:
    settings = check_settings(row, {})
    seen: set[str] = set()
    for argument in named:
        name, where = argument.this.name.lower(), _argument_place(node, argument)
        if name in seen:
            raise BindError(f"the setting {name} stands twice", where=where, function=row.name)
        seen.add(name)
        try:
            value = literal_of(argument.expression)
        except NotLiteralError:
            message = f"the setting {name} of {row.name} is not a literal"
            raise BindError(message, where=where, hint="write the value itself", function=row.name) from None
        settings[name] = check_settings(row, {name: value}, where)[name]
    return settings


def _argument_place(node: exp.Expr, argument: exp.Expr) -> Where | None:
    text, span = node.meta.get("text"), argument.meta.get("argument")
    return text.where(*span) if isinstance(text, Text) and span else place_of(node)


def over_of(node: exp.Expr) -> exp.Window | None:
    """The OVER(...) of a function, or None."""
    return node.parent if isinstance(node.parent, exp.Window) and node.parent.this is node else None
