"""Parse errors with their place, in our words."""

from __future__ import annotations

from typing import Any

from sqlglot import errors as sqlglot_errors  # noqa: TID253
from sqlglot.tokenizer_core import Token  # noqa: TID253


class PlacedError(sqlglot_errors.ParseError):
    """sqlglot's parse error with offsets into the text, and a hint when we have one."""

    def __init__(self, message: str, start: int, stop: int, hint: str = "") -> None:
        super().__init__(message, [{"description": message}])
        self.plain = message
        self.start = start
        self.stop = stop
        self.hint = hint


def placed(parser: Any, message: str, token: Token | None = None, *, hint: str = "") -> PlacedError:
    """An error at a token, at the current one, or just behind the last."""
    token = token or parser._curr or None
    if not token:
        last = parser._prev or (parser._tokens[-1] if parser._tokens else None)
        stop = last.end + 1 if last else 0
        return PlacedError(_plain(message, ""), stop, stop + 1, hint)
    return PlacedError(_plain(message, token.text), token.start, token.end + 1, hint)


def _plain(message: str, token: str) -> str:
    """Sqlglot's message in our words."""
    here = f"'{token[:40]}'" if token else "the end of the statement"
    if "Unexpected token" in message:
        return f"unexpected {here}"
    if message.startswith(("Expecting ", "Expected ")):
        head = message.split(" but got ")[0].replace("Expecting ", "expected ").replace("Expected ", "expected ")
        return f"{head}, found {here}"
    if message.startswith("Required "):
        return f"something is missing before {here}"
    return message[:1].lower() + message[1:] if message[1:2].islower() else message
