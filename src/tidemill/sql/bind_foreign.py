"""What sqlglot's translation of another dialect leaves to do: names, UNNEST of structs, functions nobody has."""

from __future__ import annotations

from typing import Any

from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import BindError, UnsupportedError, Where
from tidemill.core.names import name_key
from tidemill.sql.bigquery import mend_functions
from tidemill.sql.text import Text


def adapt(tree: exp.Expr, dialect: str, text: Text | None, span: tuple[int, int] | None) -> exp.Expr:
    """Change a tree so that the engine's SQL means what the statement said; ``span`` is its place in the text.

    Raises
    ------
    UnsupportedError
        It uses a function that the engine does not have.
    BindError
        It has a query parameter.
    """
    whole = text.where(*span) if text is not None and span else None
    projects: set[str] = set()
    for node in list(tree.walk()):
        _refuse(node, text, whole)
        if isinstance(node, exp.Table):
            _drop_project(node, projects)
            _travel(node)
    for column in tree.find_all(exp.Column):
        if column.args.get("catalog") and name_key(column.catalog) in projects:
            column.set("catalog", None)
    return mend_functions(tree) if dialect == "bigquery" else tree


def _refuse(node: exp.Expr, text: Text | None, whole: Where | None) -> None:
    if isinstance(node, exp.Predict):
        hint = "ML.PREDICT(MODEL name, ...)"
        raise BindError("there is no function PREDICT", where=_where(node, text) or whole, hint=hint)
    if isinstance(node, exp.NetFunc):
        name = node.this.name.upper() if isinstance(node.this, exp.Anonymous) else "function"
        where = _where(node.this, text) or whole
        raise UnsupportedError(f"NET.{name} cannot be translated", where=where, hint="use REGEXP_EXTRACT")
    if isinstance(node, exp.SessionParameter):
        raise BindError("there are no system variables here", where=_where(node, text) or whole, hint="write the value")
    if isinstance(node, exp.Parameter | exp.Placeholder):
        where = _where(node, text) or whole
        raise BindError("a query parameter has no value here", where=where, hint="write the value")


def _drop_project(table: exp.Table, projects: set[str]) -> None:
    if table.args.get("catalog"):
        projects.add(name_key(table.catalog))
        table.set("catalog", None)


def _travel(table: exp.Table) -> None:
    """``FOR SYSTEM_TIME AS OF t`` is ``AT (TIMESTAMP => t)`` in the lake."""
    version = table.args.get("version")
    if isinstance(version, exp.Version) and version.args.get("kind") == "AS OF":
        table.set("version", None)
        table.set("when", exp.HistoricalData(this="AT", kind="TIMESTAMP", expression=version.expression))


def _where(node: Any, text: Text | None) -> Where | None:
    if text is None or not isinstance(node, exp.Expr):
        return None
    meta = next((part.meta for part in node.walk() if "start" in part.meta and "end" in part.meta), None)
    return text.where(meta["start"], meta["end"] + 1) if meta else None
