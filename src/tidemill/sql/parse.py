"""Text to typed statements: ``parse_text`` reads any number of statements in any dialect sqlglot knows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

from sqlglot import errors as sqlglot_errors  # noqa: TID253
from sqlglot.tokenizer_core import Token, TokenType  # noqa: TID253

from tidemill.core.errors import ParseError
from tidemill.sql.depth import deep_stack
from tidemill.sql.dialects import make_parser, parse_tokens, tokenize
from tidemill.sql.parse_errors import PlacedError
from tidemill.sql.parse_other import read_statement, refuse_block
from tidemill.sql.split import split_tokens
from tidemill.sql.statements import Source, Statement
from tidemill.sql.text import Text
from tidemill.sql.unclosed import unreadable

T = TypeVar("T")

STATEMENT_LIMIT = 1_000_000
NESTING_LIMIT = 200

# {{ jinja }}, {% jinja %}, ${javascript}, {python}, %s, %(name)s, <your_table>, $shell: in a text, but not SQL.
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\$\{[^}]*\}?|\{[A-Za-z_][\w.]*\}|\{\{|\{%")
_TEMPLATE_BIGQUERY = re.compile(
    rf"{_TEMPLATE.pattern}|\{{[^{{}}:']*\}}|%\(\w+\)s|%s\b|<(?:your|my)\w*>|<\w+>(?=\.)|\$[A-Za-z_]\w*", re.IGNORECASE
)
_TEMPLATE_IN_NAME = re.compile(r"\$?\{[^}]*\}|%s|<\w+>")
_TYPOGRAPHIC = re.compile(
    "[\u2018\u2019\u201c\u201d\u00ab\u00bb\u2013\u2014\uff0c\uff1b\uff08\uff09\u200b\u200c\u200d\u2060]"
)
_PLAIN = {
    **dict.fromkeys("\u2018\u2019", "'"),
    **dict.fromkeys("\u201c\u201d\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2013\u2014", "-"),
    "\uff0c": ",",
    "\uff1b": ";",
    "\uff08": "(",
    "\uff09": ")",
}


def parse_text(text: str, *, file: str, dialect: str, line: int = 1) -> list[Statement]:
    """Read all statements of a text.

    Parameters
    ----------
    text
        The statements, with ``;`` between them.
    file
        The name that messages give the text.
    dialect
        The sqlglot name of its SQL dialect.
    line
        The number of the text's first line in its file.

    Raises
    ------
    ParseError
        A statement cannot be read; the error has its place.
    """
    statements: list[Statement] = []
    for _, result in parse_each(text, file=file, dialect=dialect, line=line):
        if isinstance(result, ParseError):
            raise result
        statements.append(result)
    return statements


def parse_each(text: str, *, file: str, dialect: str, line: int = 1) -> Iterator[tuple[Source, Statement | ParseError]]:
    """Read statement after statement; one that cannot be read is handed out as its error, and reading goes on."""
    yield from parse_chunks(text, read_statement, file=file, dialect=dialect, line=line)


def parse_chunks(
    text: str, read: Callable[[Any, Text, Source], T], *, file: str, dialect: str, line: int = 1
) -> Iterator[tuple[Source, T | ParseError]]:
    """As `parse_each`, with another reader of what stands between semicolons."""
    written = Text.of(text.replace("\ufeff", " ", 1), file=file, dialect=dialect.lower(), first_line=line)
    if "\0" in text:
        place = written.where(text.index("\0"), text.index("\0") + 1)
        yield written.source(0, len(text)), ParseError("the text has a NUL character in it", where=place)
        return
    try:
        tokens = tokenize(written.text, dialect)
    except sqlglot_errors.TokenError as error:
        yield written.source(0, len(written.text)), unreadable(written, error.start or 0)
        return
    for chunk in split_tokens(tokens):
        source = written.source(chunk[0].start, chunk[-1].end + 1)
        try:
            yield source, _parse_chunk(written, chunk, source, read)
        except ParseError as error:
            yield source, error


def _parse_chunk(text: Text, chunk: list[Token], source: Source, read: Callable[[Any, Text, Source], T]) -> T:
    """One statement."""
    if len(source.text) > STATEMENT_LIMIT:
        raise ParseError(
            f"the statement has {len(source.text):,} characters; the limit is {STATEMENT_LIMIT:,}",
            where=text.where(chunk[0].start, chunk[0].end + 1),
            hint="keep long lists of values in a file, and read the file",
        )
    if any(token.token_type == TokenType.SEMICOLON for token in chunk):
        return cast("T", refuse_block(source, chunk[0].text))
    _check_nesting(text, chunk)
    parser = make_parser(text)
    try:
        with deep_stack():
            return parse_tokens(parser, chunk, lambda p: read(p, text, source))
    except PlacedError as error:
        raise ParseError(error.plain, where=text.where(error.start, error.stop), hint=error.hint) from None
    except sqlglot_errors.SqlglotError as error:
        token = parser._curr or chunk[-1]
        message = str(error).partition("\n")[0]
        raise ParseError(message, where=text.where(token.start, token.end + 1)) from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # sqlglot stumbles over some broken statements instead of refusing them; a reader still wants the place.
        token = parser._curr or parser._prev or chunk[-1]
        raise ParseError("the statement cannot be read here", where=text.where(token.start, token.end + 1)) from error
    except RecursionError:
        token = parser._curr or chunk[0]
        raise _too_deep(text, token) from None


def _check_nesting(text: Text, chunk: list[Token]) -> None:
    depth = 0
    for token in chunk:
        _refuse_stray(text, token)
        if token.text in ("(", "[", "{"):
            depth += 1
            if depth > NESTING_LIMIT:
                raise _too_deep(text, token)
        elif token.text in (")", "]", "}"):
            depth -= 1


def _refuse_stray(text: Text, token: Token) -> None:
    """Refuse a template's place that nobody filled in, and quotes and commas of a word processor."""
    if token.token_type in (TokenType.STRING, TokenType.RAW_STRING):
        return
    bigquery = text.dialect == "bigquery"  # there, braces have no meaning of their own
    if token.token_type == TokenType.IDENTIFIER:
        found = _TEMPLATE_IN_NAME.search(token.text) if bigquery else None
    elif token.text[:1] in ("{", "$", "%", "<", "&"):
        found = (_TEMPLATE_BIGQUERY if bigquery else _TEMPLATE).match(text.text, token.start)
    else:
        found = None
    if found is not None:
        raise ParseError(
            f"{found.group()[:40]} is a template's place: templates are not filled in here",
            where=text.where(token.start, max(token.end + 1, found.end() if found.string is text.text else 0)),
            hint="run the template first, or write the names themselves",
        )
    odd = _TYPOGRAPHIC.search(token.text) if token.token_type == TokenType.VAR else None
    if odd is not None:
        start = token.start + odd.start()
        hint = f"write {_PLAIN[odd.group()]} instead" if odd.group() in _PLAIN else "delete it"
        raise ParseError(
            f"the character U+{ord(odd.group()):04X} ({unicodedata.name(odd.group(), 'unnamed').lower()}) "
            "means nothing in SQL",
            where=text.where(start, start + 1),
            hint=hint,
        )


def _too_deep(text: Text, token: Token) -> ParseError:
    return ParseError(
        "the statement is nested too deeply",
        where=text.where(token.start, token.end + 1),
        hint="name the inner parts in a WITH clause or in views of their own",
    )
