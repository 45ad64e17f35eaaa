"""Text to typed statements: ``parse_text`` reads any number of statements in any dialect sqlglot knows."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import errors as sqlglot_errors  # noqa: TID253
from sqlglot.tokenizer_core import Token, TokenType  # noqa: TID253

from tidemill.core.errors import ParseError
from tidemill.sql.depth import deep_stack
from tidemill.sql.dialects import PlacedError, make_parser, parse_tokens, tokenize
from tidemill.sql.parse_other import read_statement, refuse_block
from tidemill.sql.split import split_tokens
from tidemill.sql.statements import Source, Statement
from tidemill.sql.text import Text
from tidemill.sql.unclosed import unreadable

STATEMENT_LIMIT = 1_000_000
NESTING_LIMIT = 200
TEMPLATES = ("{{", "{%", "${")


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
            yield source, _parse_chunk(written, chunk, source)
        except ParseError as error:
            yield source, error


def _parse_chunk(text: Text, chunk: list[Token], source: Source) -> Statement:
    """One statement."""
    if len(source.text) > STATEMENT_LIMIT:
        raise ParseError(
            f"the statement has {len(source.text):,} characters; the limit is {STATEMENT_LIMIT:,}",
            where=text.where(chunk[0].start, chunk[0].end + 1),
            hint="keep long lists of values in a file, and read the file",
        )
    if any(token.token_type == TokenType.SEMICOLON for token in chunk):
        return refuse_block(source, chunk[0].text)
    _check_nesting(text, chunk)
    parser = make_parser(text)
    try:
        with deep_stack():
            return parse_tokens(parser, chunk, lambda p: read_statement(p, text, source))
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
        if token.text[:1] in ("{", "$") and text.text.startswith(TEMPLATES, token.start):
            raise _template(text, token)
        if token.text in ("(", "[", "{"):
            depth += 1
            if depth > NESTING_LIMIT:
                raise _too_deep(text, token)
        elif token.text in (")", "]", "}"):
            depth -= 1


def _template(text: Text, token: Token) -> ParseError:
    return ParseError(
        "templates are not filled in here",
        where=text.where(token.start, token.start + 2),
        hint="run the template first, or write the names themselves",
    )


def _too_deep(text: Text, token: Token) -> ParseError:
    return ParseError(
        "the statement is nested too deeply",
        where=text.where(token.start, token.end + 1),
        hint="name the inner parts in a WITH clause or in views of their own",
    )
