"""A condition that stands as text in an option, made ready for the engine."""

from __future__ import annotations

from tidemill.core.errors import BindError, Where


def engine_condition(text: str, dialect: str, engine: str, *, where: Where | None) -> str:
    """Engine SQL of a condition on the columns of a row, in brackets.

    Raises
    ------
    BindError
        It is not one expression, or it looks at more than a row.
    """
    import sqlglot
    from sqlglot import errors, exp

    try:
        trees = sqlglot.parse(text, read=dialect)
    except errors.SqlglotError as error:
        raise BindError(f"the condition cannot be read: {str(error).partition('.')[0]}", where=where) from None
    tree = trees[0] if len(trees) == 1 else None
    if tree is None or isinstance(tree, exp.Query | exp.DDL | exp.DML | exp.Command):
        raise BindError("one condition is expected here", where=where, hint="such as: is_deleted OR status = 'gone'")
    if any(tree.find_all(exp.Query, exp.AggFunc, exp.Window)):
        raise BindError("the condition looks at more than one row", where=where, hint="compute it in the query")
    return f"({tree.sql(dialect=engine)})"
