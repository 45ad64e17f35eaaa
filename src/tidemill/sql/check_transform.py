"""What a TRANSFORM clause may say, as far as its text shows it; columns and types are looked at in training.

References
----------
https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/bigqueryml-syntax-create#transform
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import BindError, StatementError, UnsupportedError, Where
from tidemill.core.names import name_key
from tidemill.sql.bind_foreign import adapt
from tidemill.sql.engine_functions import missing_functions
from tidemill.sql.ml_nodes import MLCall
from tidemill.sql.scalar_call import ml_name
from tidemill.sql.scalars import check_in_transform, over_of
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
    seen: set[str] = set()
    for item in items:
        if item.star:
            check_transform(item.replaced, source=source)
        elif item.tree is not None:
            _check_item(item, item.tree, source)
        key = name_key(item.name)
        if key and key in seen:
            message = f"TRANSFORM has two columns named {item.name}"
            raise StatementError(message, where=_where(item, source), hint="give each its own name")
        seen.add(key)


def check_passed(items: Sequence[TransformItem], names: Sequence[str], *, source: Source) -> None:
    """Check that columns which training needs as they are, pass through the clause.

    Raises
    ------
    StatementError
        One of them is left out or changed.
    """
    for name in names:
        found = [item for item in items if name_key(item.name) == name_key(name)]
        stars = [item for item in items if item.star and name_key(name) not in map(name_key, item.excepted)]
        changed = [part for star in stars for part in star.replaced if name_key(part.name) == name_key(name)]
        changed += [
            item for item in found if not isinstance(item.tree, exp.Column) or _source_name(item) != name_key(name)
        ]
        if changed:
            message = f"TRANSFORM changes {name}, which training needs as it is"
            hint = f"write {name} alone; change it in the query after AS"
            raise StatementError(message, where=_where(changed[0], source), hint=hint)
        if not found and not stars and items:
            message = f"TRANSFORM leaves out {name}, which training needs"
            raise StatementError(message, where=_where(items[0], source), hint=f"add {name} to TRANSFORM as it is")


def _source_name(item: TransformItem) -> str:
    return name_key(item.tree.name) if isinstance(item.tree, exp.Column) else ""


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
        if isinstance(node, MLCall):
            message = f"{node.function} returns a table: it does not stand in TRANSFORM"
            raise BindError(message, where=where, hint=SCALARS_ONLY, function=node.function)
        name = ml_name(node)
        if name:
            check_in_transform(name, node, over=over_of(node))
    if not any(ml_name(node) for node in tree.walk()):
        _check_functions(item, where)
    if source.dialect != "duckdb":
        text, span = (tree.meta.get(key) for key in ("text", "span"))
        adapt(tree.copy(), source.dialect, text if isinstance(text, Text) else None, span)
    if not item.name and not tree.is_star:
        message = "an expression in TRANSFORM needs a name"
        raise StatementError(message, where=where, hint="write expression AS name")


def _where(item: TransformItem, source: Source) -> Where:
    text, span = (item.tree.meta.get(key) if item.tree is not None else None for key in ("text", "span"))
    if isinstance(text, Text) and span:
        return text.where(span[0], span[1])
    return Where(file=source.file, line=item.line or source.line, column=item.column or source.column)


def _check_functions(item: TransformItem, where: Where) -> None:
    """Raise for a function that the engine does not have."""
    for name in missing_functions(f"SELECT {item.sql}"):
        raise UnsupportedError(f"{name} is not supported: the engine has no such function", where=where, function=name)
