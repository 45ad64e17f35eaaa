"""Every error a user can meet, by who can mend it.

TidemillError
  StatementError          your SQL
    ParseError              the text is not a statement we can read
    BindError               it names something that does not exist
    OptionError             an option is unknown, out of range or contradicts another
    UnsupportedError        it is BigQuery ML, and we do not have it (the reason is in the message)
  DataError               your rows
    EmptyDataError          no rows, or no features, are left
    LabelError              the label is missing, NULL, constant or of the wrong kind
    ContractError           a constraint fails; the old version stays
    SourceError             a file or source cannot be read
    InputError              a row given to a served model is not what the model takes
      BodyError               the text of a request is not what can be read at all
  RequestError            your HTTP request
    TokenError              it has no token, or one that opens nothing
    AccessError             its token, its host or its page may not do this
    MethodError             this address takes other methods
    MediaTypeError          its body is of a type that is not read here
    TooLargeError           it is larger than the server reads
    ReusedKeyError          its Idempotency-Key came with another request before
  StateError              what exists
    NotFoundError           no such table, model, version, run
    ExistsError             the name is taken
    ConflictError           somebody else changed it first
    CorruptError            a file is not what was written
    GateError               a version did not pass its gates
    SettingsError           tidemill.toml or a flag is wrong
  UserCodeError           code of yours raised
  TransientError          try again
    BusyError               somebody holds the lock or the lease
    SpaceError              the disk is full
    OverloadError           the server has more requests in work than it takes
    DeadlineError           the request waited longer than it may
    UnavailableError        nothing can answer at the moment
  InternalError           our bug
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

WINDOW = 110
"""How much of a long line is shown around its carets."""

BEFORE = 40
"""How much of it stands before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A place in a text: file, 1-based line and column, how many characters, and the line itself."""

    file: str
    line: int
    column: int
    length: int = 1
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def lines(self) -> list[str]:
        """The place as the terminal shows it, with carets under it."""
        shown = [f"  {self}"]
        if self.text:
            number = str(self.line)
            text, start = self._window()
            # A tab before the caret stays a tab, so that the caret stands under its token.
            pad = "".join("\t" if char == "\t" else " " for char in text[: self.column - 1 - start])
            carets = "^" * max(1, min(self.length, len(text) - len(pad)))
            shown.append(f"  {number} | {text}")
            shown.append(f"  {' ' * len(number)} | {pad}{carets}")
        return shown

    def _window(self) -> tuple[str, int]:
        """The part of the line around the carets, and where in the line it starts; a line that is not long is whole."""
        if len(self.text) <= WINDOW:
            return self.text, 0
        wanted = self.column - 1 - BEFORE
        start = max(0, min(wanted, len(self.text) - WINDOW))
        text = self.text[start : start + WINDOW]
        if start:
            text = f"…{text[1:]}"
        return (f"{text[:-1]}…" if start + WINDOW < len(self.text) else text), start


class TidemillError(Exception):
    """What happened, where, and what to do; with a code and the facts as attributes.

    Parameters
    ----------
    message
        One sentence: what happened.
    where
        The place in the user's text, when there is one.
    hint
        What to do next.
    facts
        Values a program may want: names, counts, limits. Kept under ``facts`` and in the JSON shape.
    """

    code: ClassVar[str] = "TM-ERROR"
    exit_status: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, where: Where | None = None, hint: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.facts = facts

    @property
    def placed(self) -> str:
        """What happened, and where, on one line."""
        return self.message if self.where is None else f"{self.message} ({self.where})"

    def as_json(self) -> dict[str, Any]:
        """The one JSON shape of an error."""
        place = None
        if self.where is not None:
            place = {"file": self.where.file, "line": self.where.line, "column": self.where.column}
        return {"code": self.code, "message": self.message, "where": place, "hint": self.hint, "facts": self.facts}

    def render(self) -> str:
        """The error as the terminal shows it: what, where with carets, what to do."""
        lines = [f"error[{self.code}]: {self.message}"]
        lines += self._places()
        if self.hint:
            lines.append(f"  try: {self.hint}")
        return "\n".join(lines)

    def _places(self) -> list[str]:
        return self.where.lines() if self.where is not None else []


class StatementError(TidemillError):
    """Your SQL can be mended."""

    code = "TM-STATEMENT"
    exit_status = 3
    http_status = 400


class ParseError(StatementError):
    """The text is not a statement we can read."""

    code = "TM-PARSE"


class BindError(StatementError):
    """A statement names something that does not exist."""

    code = "TM-BIND"


class OptionError(StatementError):
    """An option is unknown, out of range, or contradicts another."""

    code = "TM-OPTION"


class UnsupportedError(StatementError):
    """It is part of BigQuery ML, and Tidemill does not have it; the message says why."""

    code = "TM-UNSUPPORTED"


class DataError(TidemillError):
    """Your rows can be mended."""

    code = "TM-DATA"
    exit_status = 4
    http_status = 422


class EmptyDataError(DataError):
    """No rows, or no features, are left."""

    code = "TM-DATA-EMPTY"


class LabelError(DataError):
    """The label is missing, NULL, constant or of the wrong kind."""

    code = "TM-DATA-LABEL"


class ContractError(DataError):
    """A constraint fails on the new rows; the old version stays.

    Parameters
    ----------
    failures
        Where several checks fail: what each says, and its place.
    """

    code = "TM-DATA-CONTRACT"

    def __init__(
        self,
        message: str,
        *,
        where: Where | None = None,
        hint: str = "",
        failures: Sequence[tuple[str, Where | None]] = (),
        **facts: Any,
    ) -> None:
        super().__init__(message, where=where, hint=hint, **facts)
        self.failures = tuple(failures)

    def _places(self) -> list[str]:
        """Of several failures each with its place."""
        if not self.failures:
            return super()._places()
        lines: list[str] = []
        for number, (sentence, where) in enumerate(self.failures, 1):
            lines.append(f"  {number}. {sentence}")
            lines += [f"   {line}" for line in where.lines()] if where else []
        return lines


class SourceError(DataError):
    """A file or source cannot be read."""

    code = "TM-DATA-SOURCE"


class InputError(DataError):
    """A row given to a served model is not what the model takes; the facts say which row and column."""

    code = "TM-DATA-INPUT"


class BodyError(InputError):
    """The text of a request is no JSON, or not of the form that is read."""

    code = "TM-DATA-BODY"
    http_status = 400


class RequestError(TidemillError):
    """An HTTP request can be mended by who sends it."""

    code = "TM-REQUEST"
    exit_status = 4
    http_status = 400


class TokenError(RequestError):
    """The request has no token, or one that opens nothing."""

    code = "TM-TOKEN"
    http_status = 401


class AccessError(RequestError):
    """The token's role, the host it is addressed to, or the page it comes from may not do this."""

    code = "TM-ACCESS"
    http_status = 403


class MethodError(RequestError):
    """The address exists and takes other methods."""

    code = "TM-METHOD"
    http_status = 405


class MediaTypeError(RequestError):
    """The body is of a type, or packed in a way, that is not read here."""

    code = "TM-MEDIA-TYPE"
    http_status = 415


class TooLargeError(RequestError):
    """The request is larger than the server reads."""

    code = "TM-TOO-LARGE"
    http_status = 413


class ReusedKeyError(RequestError):
    """The Idempotency-Key came with another request before."""

    code = "TM-REUSED-KEY"
    http_status = 422


class StateError(TidemillError):
    """What exists is in the way."""

    code = "TM-STATE"
    exit_status = 5
    http_status = 409


class NotFoundError(StateError):
    """There is no such thing."""

    code = "TM-NOT-FOUND"
    http_status = 404


class ExistsError(StateError):
    """The name is taken."""

    code = "TM-EXISTS"


class ConflictError(StateError):
    """Somebody else changed it first."""

    code = "TM-CONFLICT"


class CorruptError(StateError):
    """A file is not what was written: its digest differs."""

    code = "TM-CORRUPT"


class GateError(StateError):
    """A version did not pass its gates: it takes no traffic."""

    code = "TM-GATE"


class SettingsError(StateError):
    """tidemill.toml, an environment variable or a flag is wrong."""

    code = "TM-SETTINGS"
    exit_status = 2
    http_status = 500


class UserCodeError(TidemillError):
    """Code of yours raised; its traceback is kept."""

    code = "TM-USER-CODE"
    exit_status = 6


class TransientError(TidemillError):
    """Try again: the cause passes by itself."""

    code = "TM-TRANSIENT"
    exit_status = 7
    http_status = 503
    retryable = True


class BusyError(TransientError):
    """Somebody holds the lock or the lease."""

    code = "TM-BUSY"


class SpaceError(TransientError):
    """The disk is full."""

    code = "TM-DISK-FULL"
    http_status = 507


class OverloadError(TransientError):
    """The server has more requests in work than it takes."""

    code = "TM-OVERLOAD"
    http_status = 429


class DeadlineError(TransientError):
    """The request waited longer than it may."""

    code = "TM-DEADLINE"
    http_status = 504


class UnavailableError(TransientError):
    """Nothing can answer at the moment: no version is loaded, or the log cannot be written."""

    code = "TM-UNAVAILABLE"


class InternalError(TidemillError):
    """A bug of ours: please report it with the message."""

    code = "TM-INTERNAL"
    exit_status = 70


def as_trouble(error: Exception, about: str) -> TidemillError:
    """What stopped a piece of work while the rest goes on: an error of ours as it is, any other as a bug to report."""
    if isinstance(error, TidemillError):
        return error
    return InternalError(
        f"{about}: {type(error).__name__}: {error}",
        hint="this is a bug in Tidemill: please report it with the traceback, which --json shows",
        traceback="".join(traceback.format_exception(error)),
    )
