"""Errors of the engine get the place in the user's text: the name they speak of, or the start of the statement."""

from __future__ import annotations

from tidemill.core.errors import DataError, NotFoundError, StatementError, TidemillError, Where
from tidemill.core.names import name_key
from tidemill.runner.shape import start_of
from tidemill.sql.statements import CreateTable, Source


def place(error: TidemillError, source: Source) -> None:
    """Fill in where an error is, if it does not say: under the name it speaks of, else at the statement's start."""
    if error.where is not None or not isinstance(error, StatementError | DataError | NotFoundError):
        return
    name = error.facts.get("name")
    error.where = (name and _first_mention(str(name), source)) or start_of(source)


def line_at(source: Source, line: int, column: int) -> Where:
    """A place inside a statement, with its line; the statement's start when the line is not known."""
    lines = source.text.split("\n")
    row = line - source.line
    if not line or not 0 <= row < len(lines):
        return start_of(source)
    text = " " * (source.column - 1) + lines[0] if row == 0 else lines[row]
    return Where(
        file=source.file, line=line, column=column, length=max(1, len(text.rstrip(", ")) - column + 1), text=text
    )


def place_of_option(statement: CreateTable, name: str) -> Where | None:
    """Where the value of an option of a table stands."""
    from tidemill.sql.options import at_value

    found = next((option for option in statement.options if option.name.lower() == name), None)
    return at_value(found, statement.source) if found is not None else None


def _first_mention(name: str, source: Source) -> Where | None:
    """The first token of the statement that is this name; the engine may have been handed another text than this."""
    from tidemill.sql.dialects import tokenize

    wanted = name_key(name.rsplit(".", 1)[-1])
    for token in tokenize(source.text, source.dialect):
        if name_key(token.text) == wanted:
            before = source.text[: token.start]
            row = before.count("\n")
            start = before.rfind("\n") + 1
            column = token.start - start + 1
            text = source.text.split("\n")[row]
            if row == 0:
                text, column = " " * (source.column - 1) + text, column + source.column - 1
            return Where(
                file=source.file, line=source.line + row, column=column, length=token.end - token.start + 1, text=text
            )
    return None
