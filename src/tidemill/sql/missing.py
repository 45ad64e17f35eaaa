"""Functions that a query calls and the engine lacks, said in the words of whoever wrote the query."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType

from sqlglot import errors as sqlglot_errors  # noqa: TID253
from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import BindError, UnsupportedError, Where
from tidemill.core.names import did_you_mean
from tidemill.sql.bound import BoundQuery
from tidemill.sql.dialects import generate
from tidemill.sql.engine_functions import engine_functions, missing_functions
from tidemill.sql.statements import Query
from tidemill.sql.text import Text

HINTS = MappingProxyType(
    {"APPROX_TOP_COUNT": "count the rows of each value: GROUP BY it, ORDER BY COUNT(*) DESC and LIMIT"}
)
GEOGRAPHY = ("ST_", "S2_")
_GEOGRAPHY_CALL = re.compile(r"\b(ST|S2)_\w+\s*\(", re.IGNORECASE)
_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)\(")


def needs_check(query: Query, engine: str) -> bool:
    """Whether a query may call functions of which more can be said than the engine says."""
    return query.source.dialect != engine or _GEOGRAPHY_CALL.search(query.source.text) is not None


def check_functions(bound: BoundQuery, query: Query) -> None:
    """Raise for a function that the engine does not have.

    Raises
    ------
    BindError
        Nobody has it.
    UnsupportedError
        The query is in another dialect, which may have it.
    """
    for part in _parts(bound):
        for name in missing_functions(part.sql):
            where = _find_call(name, query)
            if query.source.dialect == "duckdb" and not name.upper().startswith(GEOGRAPHY):
                hint = did_you_mean(name.lower(), engine_functions())
                hint = hint if hint.startswith("did you mean") else ""
                raise BindError(f"there is no function {name}", where=where, hint=hint, function=name)
            written = where.text[where.column - 1 :][: where.length] or name
            raise UnsupportedError(f"{written} is not supported: {_why_missing(name)}", where=where, function=name)


def _why_missing(name: str) -> str:
    """Why a function of another dialect is not had here, as far as its name tells."""
    if name.upper().startswith(GEOGRAPHY):
        return "geography is not built yet: keep longitude and latitude as numbers"
    return "the engine has no such function, and no translation of it is known"


def _parts(bound: BoundQuery) -> Iterator[BoundQuery]:
    yield bound
    for call in bound.calls:
        for part in call.inputs:
            yield from _parts(part)


def _find_call(name: str, query: Query) -> Where:
    """Where a function is called in the text of a query, or the query's beginning."""
    source = query.source
    found = re.search(rf"\b((?:\w+\.)*{re.escape(name)})\s*\(", source.text, re.IGNORECASE)
    if found is None:
        return Where(file=source.file, line=source.line, column=source.column)
    before = source.text[: found.start()]
    line = source.line + before.count("\n")
    start = before.rfind("\n") + 1
    column = found.start() - start + (source.column if "\n" not in before else 1)
    text = source.text[start:].partition("\n")[0]
    pad = " " * (source.column - 1) if "\n" not in before else ""
    return Where(file=source.file, line=line, column=column, length=len(found.group(1)), text=pad + text)


def untranslated(
    error: sqlglot_errors.UnsupportedError,
    tree: exp.Expr,
    dialect: str,
    engine: str,
    *,
    text: Text | None = None,
    span: tuple[int, int] | None = None,
) -> UnsupportedError:
    """What sqlglot's refusal means: the function it is about by the name it was written with, at its place."""
    reason = str(error).partition("\n")[0].rstrip(". ")
    message = f"the query cannot be said in {engine}'s SQL: {reason}"
    where = text.where(*span) if text is not None and span else None
    node = next(
        (
            node
            for node in reversed(list(tree.find_all(exp.Func)))
            if not isinstance(node, exp.Connector) and _is_refused(node, engine)
        ),
        None,
    )
    found = _CALL.match(generate(node, dialect)) if node is not None else None
    if node is None or found is None:
        return UnsupportedError(message, where=where, hint="write it another way")
    name = found.group(1)
    # sqlglot speaks of a function by a name of its own.
    reason = re.sub(rf"\b{re.escape(node.sql_name())}\b", name, reason).replace("transpiled", "translated")
    if text is not None and span:
        call = re.search(rf"\b{re.escape(name)}\s*\(", text.text[span[0] : span[1]], re.IGNORECASE)
        where = text.where(span[0] + call.start(), span[0] + call.start() + len(name)) if call else where
    message = reason if name in reason else f"{name} cannot be translated: {reason}"
    return UnsupportedError(message, where=where, hint=HINTS.get(name.upper(), "write it another way"), function=name)


def _is_refused(node: exp.Expr, engine: str) -> bool:
    try:
        generate(node, engine, strict=True)
    except sqlglot_errors.UnsupportedError:
        return True
    return False
