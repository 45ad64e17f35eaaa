"""Text that cannot be cut into tokens: find the quote or comment that was opened and never closed."""

from __future__ import annotations

from tidemill.core.errors import ParseError
from tidemill.sql.dialects import dialect_of
from tidemill.sql.text import Text

NAMES = {
    "'''": "a string",
    '"""': "a string",
    "$$": "a string",
    "'": "a string",
    '"': "a quoted name or string",
    "`": "a quoted name",
    "/*": "a comment",
}


def unreadable(text: Text, near: int) -> ParseError:
    """The error for a text that cannot be tokenised; ``near`` is where the tokenizer says it stopped."""
    found = _find(text.text, text.dialect)
    if found is None:
        return ParseError("the text cannot be read as SQL", where=text.where(near, near + 1))
    start, mark = found
    return ParseError(
        f"{NAMES[mark]} is never closed",
        where=text.where(start, start + len(mark)),
        hint=f"close it with {'*/' if mark == '/*' else mark}",
    )


def _find(text: str, dialect: str) -> tuple[int, str] | None:
    """Offset and mark of what is open at the end of a text."""
    tokenizer = dialect_of(dialect).tokenizer_class
    escapes = "\\" in tokenizer.STRING_ESCAPES
    marks = [mark for mark in NAMES if len(mark) < 3 or mark in tokenizer._QUOTES]
    lines = tuple(mark for mark in ("--", "#", "//") if mark in tokenizer._COMMENTS)
    index, size = 0, len(text)
    while index < size:
        if text.startswith(lines, index):
            end = text.find("\n", index)
            index = size if end < 0 else end
            continue
        mark = next((mark for mark in marks if text.startswith(mark, index)), None)
        if mark is None:
            index += 1
            continue
        end = _end(text, index + len(mark), mark, escapes=escapes)
        if end < 0:
            return index, mark
        index = end
    return None


def _end(text: str, index: int, mark: str, *, escapes: bool) -> int:
    """Offset behind the closing mark, or -1."""
    closing = "*/" if mark == "/*" else mark
    while True:
        end = text.find(closing, index)
        if end < 0:
            return -1
        backslashes = 0
        while escapes and mark != "/*" and text[end - 1 - backslashes] == "\\":
            backslashes += 1
        if backslashes % 2 == 0:
            return end + len(closing)
        index = end + 1
