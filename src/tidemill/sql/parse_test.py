"""CREATE TEST: the SQL form of a unit test.

``CREATE TEST name FOR asset [AT 'time'] GIVEN table [(columns)] AS (query), ... EXPECT [cte] [(columns)] AS (query)``
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tidemill.core.errors import ParseError
from tidemill.sql.ml_nodes import MLCall
from tidemill.sql.parse import parse_chunks
from tidemill.sql.parse_errors import placed
from tidemill.sql.parse_literals import STRINGS, expect
from tidemill.sql.parse_query import read_path, read_query
from tidemill.sql.statements import Query, Source
from tidemill.sql.text import Text
from tidemill.sql.unit_test import Expected, Given, UnitTest

FORM = "CREATE TEST name FOR table GIVEN input (columns) AS (VALUES ...) EXPECT (columns) AS (VALUES ...)"


@dataclass(slots=True)
class _Parts:
    given: list[Given] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    failing: tuple[str, ...] | None = None


def parse_tests(text: str, *, file: str, dialect: str) -> list[UnitTest]:
    """Read all tests of a text.

    Raises
    ------
    ParseError
        Something in it is not a test; the error has its place.
    """
    tests: list[UnitTest] = []
    for _, result in parse_chunks(text, _read_test, file=file, dialect=dialect):
        if isinstance(result, ParseError):
            raise result
        if not isinstance(result, UnitTest):  # a block of statements
            raise ParseError(f"{file} holds more than tests", hint=FORM)
        tests.append(result)
    return tests


def _read_test(p: Any, text: Text, source: Source) -> UnitTest:
    if not (p._match_text_seq("CREATE", "TEST") or p._match_text_seq("CREATE", "OR", "REPLACE", "TEST")):
        raise placed(p, "expected CREATE TEST: a file of tests holds nothing else", hint=FORM)
    name = read_path(p, "the test")
    if not p._match_text_seq("FOR"):
        raise placed(p, "expected FOR and the name of what is tested", hint=FORM)
    of = read_path(p, "what is tested")
    now = _read_time(p) if p._match_text_seq("AT") else ""
    parts = _Parts()
    while p._curr:
        if p._match_text_seq("GIVEN"):
            parts.given.append(_read_given(p, text))
            while p._match_text_seq(","):
                parts.given.append(_read_given(p, text))
        elif p._match_text_seq("EXPECT"):
            _read_expect(p, text, parts)
        else:
            raise placed(p, f"unexpected '{p._curr.text[:40]}'", hint="a test goes on with GIVEN or EXPECT")
    if not parts.expected and parts.failing is None:
        raise placed(p, "the test expects nothing", hint="EXPECT (columns) AS (VALUES ...), or EXPECT FAILING ...")
    return UnitTest(
        name=name,
        source=source,
        of=of,
        now=now,
        given=tuple(parts.given),
        expected=tuple(parts.expected),
        failing=parts.failing,
    )


def _read_time(p: Any) -> str:
    if p._curr and p._curr.text.upper() in ("TIMESTAMP", "DATE", "TIMESTAMPTZ"):
        p._advance()
    token = p._curr
    if not token or token.token_type not in STRINGS or not is_time(token.text):
        raise placed(p, "expected a time behind AT", hint="AT '2026-01-31 12:00:00'")
    p._advance()
    return str(token.text)


def is_time(text: str) -> bool:
    """Whether a text is a date or a time in ISO 8601."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _read_given(p: Any, text: Text) -> Given:
    """``name``, ``'file'`` or ``ML.F(MODEL m)``, with columns and a query; without a query there are no rows."""
    kind, name, model = "table", "", ""
    if p._curr and p._curr.token_type in STRINGS:
        kind, name = "file", p._curr.text
        p._advance()
    elif (call := p._parse_ml_call()) is not None:
        kind, name, model = _named_call(p, call)
    else:
        name = read_path(p, "what rows are given for")
    columns = _read_columns(p)
    query = _read_body(p, text) if p._match_text_seq("AS") else None
    return Given(kind=kind, name=name, model=model, columns=columns, query=query)


def _named_call(p: Any, call: MLCall) -> tuple[str, str, str]:
    if any(arg.kind != "model" for arg in call.arguments):
        raise placed(p, f"{call.function} stands here with its model only", p._prev, hint="ML.PREDICT(MODEL name)")
    return "call", call.function, call.model


def _read_columns(p: Any) -> tuple[str, ...]:
    if not (p._curr and p._curr.text == "("):
        return ()
    expect(p, "(")
    names: list[str] = []
    while True:
        column = p._parse_id_var()
        if column is None:
            raise placed(p, "expected the name of a column")
        names.append(column.name)
        if not p._match_text_seq(","):
            break
    expect(p, ")")
    return tuple(names)


def _read_body(p: Any, text: Text) -> Query:
    expect(p, "(", hint="AS (VALUES (...), (...))")
    query = read_query(p, text)
    expect(p, ")")
    if query.tree.find(MLCall) is not None:
        raise placed(p, "the rows of a test call no ML function", hint="write the rows with VALUES")
    return query


def _read_expect(p: Any, text: Text, parts: _Parts) -> None:
    if p._curr and p._curr.text.upper() == "FAILING" and not (p._next and p._next.text.upper() in ("AS", "(")):
        p._advance()
        parts.failing = (*(parts.failing or ()), *_read_failing(p, text))
        return
    if p._match_text_seq("NOTHING"):
        parts.expected.append(Expected())
        return
    cte = "" if p._curr and (p._curr.text == "(" or p._curr.text.upper() == "AS") else read_path(p, "a WITH clause")
    columns = _read_columns(p)
    query = _read_body(p, text) if p._match_text_seq("AS") else None
    if query is None:
        raise placed(p, "expected AS and the rows", hint="EXPECT (columns) AS (VALUES ...), or EXPECT NOTHING")
    parts.expected.append(Expected(cte=cte, columns=columns, query=query))


def _read_failing(p: Any, text: Text) -> list[str]:
    """Checks by name or as they are written: ``positive, NOT NULL (id), CHECK (a > 0)``; NONE for none."""
    if p._match_text_seq("NONE"):
        return []
    found: list[str] = []
    while p._curr:
        first = p._curr
        depth = 0
        while p._curr and not (depth == 0 and p._curr.text.upper() in (",", "EXPECT", "GIVEN")):
            depth += {"(": 1, ")": -1}.get(p._curr.text, 0)
            p._advance()
        if p._curr is first:
            raise placed(p, "expected the name of a check", hint="EXPECT FAILING CHECK (amount >= 0), or NONE")
        found.append(text.text[first.start : p._prev.end + 1])
        if not p._match_text_seq(","):
            break
    return found
