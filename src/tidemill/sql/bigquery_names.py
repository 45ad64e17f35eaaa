"""The names BigQuery gives to columns that have none: f0_, f1_ and so on.

References
----------
.. [1] https://docs.cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#implicit_aliases
"""

from __future__ import annotations

from sqlglot import exp  # noqa: TID253


def name_columns(tree: exp.Expr) -> exp.Expr:
    """Name the unnamed columns of the outermost SELECT; the tree is changed in place."""
    select = tree
    while isinstance(select, exp.SetOperation | exp.Subquery | exp.Paren):  # the first SELECT names the columns
        select = select.this
    if not isinstance(select, exp.Select) or select.args.get("kind"):
        return tree
    unnamed = [item for item in select.expressions if not _has_name(item)]
    for number, item in enumerate(unnamed):
        item.replace(exp.alias_(item.copy(), exp.to_identifier(f"f{number}_")))
    return tree


def _has_name(item: exp.Expr) -> bool:
    while isinstance(item, exp.Paren):
        item = item.this
    if isinstance(item, exp.Dot):  # a field of a struct; ML functions are written alike
        return isinstance(item.expression, exp.Identifier | exp.Star)
    return isinstance(item, exp.Alias | exp.Aliases | exp.Column | exp.Star | exp.Columns)
