"""A query to bind, and what is put in the places the engine does not read: in its own text, or in its tree."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp  # noqa: TID253

from tidemill.core.names import name_key, quote_name
from tidemill.sql.ml_nodes import MLCall, RawSQL
from tidemill.sql.statements import Query
from tidemill.sql.text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A tree to bind: a query, a view's query, or the data of a call.

    ``span`` is its place in ``text``, or None when it was put together; ``names`` are the column names mentioned
    anywhere in the statement it comes from; ``outermost`` says that its columns are the statement's.
    """

    tree: exp.Expr
    dialect: str
    text: Text | None
    span: tuple[int, int] | None
    verbatim: str
    names: frozenset[str]
    outermost: bool = True

    @classmethod
    def of(cls, query: Query) -> Unit:
        """A whole query."""
        text = query.tree.meta.get("text")
        return cls(
            tree=query.tree,
            dialect=query.source.dialect,
            text=text if isinstance(text, Text) else None,
            span=query.tree.meta.get("span"),
            verbatim=query.source.text,
            names=frozenset(name_key(part.name) for part in query.tree.find_all(exp.Identifier)),
        )


KEYWORDS = frozenset({"at"})
"""Words that DuckDB reserves (for ``AT (VERSION => n)``), and no other SQL does."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One place of a tree that the engine does not read as it stands; ``alias`` is what a table lacks and needs."""

    node: exp.Expr
    sql: str
    start: int | None
    stop: int | None
    alias: str = ""


def table_span(table: exp.Table) -> tuple[int | None, int | None]:
    """Where a table's name stands in the text; None where that is not known."""
    parts = [part.meta for part in table.parts if "start" in part.meta]
    if len(parts) != len(table.parts):
        return None, None
    return min(part["start"] for part in parts), max(part["end"] for part in parts) + 1


def replace_call(call: MLCall, relation: str) -> Edit:
    """Put a marker where the call stands; its SQL is the relation's name."""
    marker = RawSQL(this=quote_name(relation))
    call.replace(marker)
    return Edit(marker, quote_name(relation), call.meta.get("start"), call.meta.get("stop"))


def replace_table(table: exp.Table, sql: str) -> Edit:
    """Put engine SQL where a table's name stands; what refers to the table goes on doing so by its name."""
    start, stop = table_span(table)
    return Edit(table, sql, start, stop, "" if table.args.get("alias") else table.name)


def shorter_columns(tree: exp.Expr, table: exp.Table) -> list[Edit]:
    """Columns that are called ``connection.table.column``: the table is called by its last name there."""
    path = [name_key(part.name) for part in table.parts]
    edits: list[Edit] = []
    for column in tree.find_all(exp.Column):
        parts = column.parts
        if len(parts) != len(path) + 1 or [name_key(part.name) for part in parts[:-1]] != path:
            continue
        first, name = parts[0].meta.get("start"), parts[-2].meta
        if "end" in name:
            edits.append(Edit(column, quote_name(table.name), first, name["end"] + 1))
    return edits


def quoted_columns(tree: exp.Expr) -> list[Edit]:
    """Columns whose name the engine takes for a keyword, as ``at`` of the system tables: they are quoted for it."""
    names = [column.this for column in tree.find_all(exp.Column) if isinstance(column.this, exp.Identifier)]
    return [
        Edit(name, quote_name(name.name), name.meta.get("start"), name.meta["end"] + 1 if "end" in name.meta else None)
        for name in names
        if not name.quoted and name_key(name.name) in KEYWORDS
    ]


def apply_edits(edits: list[Edit]) -> None:
    """Carry edits out on the tree. Calls already stand there as markers."""
    for edit in edits:
        node = edit.node
        if isinstance(node, exp.Column):
            for part in ("db", "catalog"):
                node.set(part, None)
        if not isinstance(node, exp.Table):
            continue
        # The alias, sample and joins of the table stay; only its name gives way.
        if edit.alias:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(edit.alias, quoted=True)))
        for part in ("db", "catalog"):
            node.set(part, None)
        node.set("this", RawSQL(this=edit.sql))


def splice(unit: Unit, edits: list[Edit]) -> str | None:
    """The unit's own text with the edits in it, or None when a place is not known."""
    if unit.text is None or unit.span is None:
        return None
    first, last = unit.span
    out: list[str] = []
    position = first
    for edit in sorted(edits, key=lambda edit: edit.start if edit.start is not None else -1):
        if edit.start is None or edit.stop is None or edit.start < position or edit.stop > last:
            return None
        name = f" AS {quote_name(edit.alias)}" if edit.alias else ""
        out += [unit.text.text[position : edit.start], edit.sql, name]
        position = edit.stop
    return "".join(out) + unit.text.text[position:last]
