"""Text to typed statements: ``parse_text`` reads any number of statements in any dialect sqlglot knows."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import errors as sqlglot_errors  # noqa: TID253
from sqlglot.tokenizer_core import Token  # noqa: TID253

from tidemill.core.errors import ParseError
from tidemill.sql.dialects import PlacedError, make_parser, parse_tokens, tokenize
from tidemill.sql.parse_other import read_statement
from tidemill.sql.split import split_tokens
from tidemill.sql.statements import Source, Statement
from tidemill.sql.text import Text

STATEMENT_LIMIT = 1_000_000
NESTING_LIMIT = 200


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
    try:
        tokens = tokenize(written.text, dialect)
    except sqlglot_errors.TokenError as error:
        yield written.source(0, len(written.text)), _unreadable(written, error)
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
    _check_nesting(text, chunk)
    parser = make_parser(text)
    try:
        return parse_tokens(parser, chunk, lambda p: read_statement(p, text, source))
    except PlacedError as error:
        raise ParseError(error.plain, where=text.where(error.start, error.stop), hint=error.hint) from None
    except sqlglot_errors.SqlglotError as error:
        token = parser._curr or chunk[-1]
        message = str(error).partition("\n")[0]
        raise ParseError(message, where=text.where(token.start, token.end + 1)) from None
    except RecursionError:
        token = parser._curr or chunk[0]
        raise _too_deep(text, token) from None


def _check_nesting(text: Text, chunk: list[Token]) -> None:
    depth = 0
    for token in chunk:
        if token.text in ("(", "[", "{"):
            depth += 1
            if depth > NESTING_LIMIT:
                raise _too_deep(text, token)
        elif token.text in (")", "]", "}"):
            depth -= 1


def _too_deep(text: Text, token: Token) -> ParseError:
    return ParseError(
        "the statement is nested too deeply",
        where=text.where(token.start, token.end + 1),
        hint="name the inner parts in a WITH clause or in views of their own",
    )


def _unreadable(text: Text, error: sqlglot_errors.TokenError) -> ParseError:
    """Place a failure to tokenise at what was opened and never closed."""
    found = _unclosed(text.text)
    if found is not None:
        start, mark, what = found
        return ParseError(
            f"{what} is never closed",
            where=text.where(start, start + len(mark)),
            hint=f"close it with {_closing(mark)}",
        )
    start = error.start or 0
    return ParseError("the text cannot be read as SQL", where=text.where(start, start + 1))


def _closing(mark: str) -> str:
    return "*/" if mark == "/*" else mark


def _unclosed(text: str) -> tuple[int, str, str] | None:
    """The quote or comment that is open at the end of a text: its offset, mark and name."""
    marks = {
        "'''": "a string",
        '"""': "a string",
        "'": "a string",
        '"': "a quoted name or string",
        "`": "a quoted name",
    }
    index, size = 0, len(text)
    while index < size:
        if text.startswith("--", index) or text[index] == "#":
            end = text.find("\n", index)
            index = size if end < 0 else end
            continue
        if text.startswith("/*", index):
            end = text.find("*/", index + 2)
            if end < 0:
                return index, "/*", "a comment"
            index = end + 2
            continue
        mark = next((mark for mark in marks if text.startswith(mark, index)), None)
        if mark is None:
            index += 1
            continue
        end = _string_end(text, index + len(mark), mark)
        if end < 0:
            return index, mark, marks[mark]
        index = end
    return None


def _string_end(text: str, index: int, mark: str) -> int:
    """Offset behind the closing mark, or -1."""
    while True:
        end = text.find(mark, index)
        if end < 0:
            return -1
        backslashes = 0
        while text[end - 1 - backslashes] == "\\":
            backslashes += 1
        if backslashes % 2 == 0:
            return end + len(mark)
        index = end + 1
