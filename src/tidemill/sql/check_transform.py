"""What a TRANSFORM clause may say, as far as its text shows it; columns and types are looked at in training.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create#transform
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import StatementError, Where
from tidemill.sql.scalars import check_in_transform, ml_name, over_of
from tidemill.sql.statements import Source, TransformItem
from tidemill.sql.text import Text

SCALARS_ONLY = "TRANSFORM looks at one row at a time: put it into the query after AS"


def check_transform(items: Sequence[TransformItem], *, source: Source) -> None:
    """Check each item of a TRANSFORM clause.

    Raises
    ------
    StatementError
        An item has no name, or is more than a scalar expression.
    BindError
        An ML function does not exist, or its arguments are not what it takes.
    UnsupportedError
        An ML function is not built.
    """
    for item in items:
        if item.star:
            check_transform(item.replaced, source=source)
        elif item.tree is not None:
            _check_item(item, item.tree, source)


def _check_item(item: TransformItem, tree: exp.Expr, source: Source) -> None:
    where = _where(item, source)
    for node in tree.walk():
        if isinstance(node, exp.Query | exp.Subquery):
            raise StatementError("TRANSFORM takes no subquery", where=where, hint=SCALARS_ONLY)
        if isinstance(node, exp.Window) and not ml_name(node.this):
            message = "TRANSFORM takes no window function but the ML ones"
            raise StatementError(message, where=where, hint=SCALARS_ONLY)
        if isinstance(node, exp.AggFunc) and not isinstance(node.parent, exp.Window):
            raise StatementError("TRANSFORM takes no aggregate", where=where, hint=SCALARS_ONLY)
        name = ml_name(node)
        if name:
            check_in_transform(name, node, over=over_of(node))
    if not item.name and not tree.is_star:
        message = "an expression in TRANSFORM needs a name"
        raise StatementError(message, where=where, hint="write expression AS name")


def _where(item: TransformItem, source: Source) -> Where:
    text, span = (item.tree.meta.get(key) if item.tree is not None else None for key in ("text", "span"))
    if isinstance(text, Text) and span:
        return text.where(span[0], span[1])
    return Where(file=source.file, line=item.line or source.line, column=item.column or source.column)
