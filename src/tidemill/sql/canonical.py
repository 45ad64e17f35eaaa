"""A statement's meaning without its looks: comments, layout, and the case of words and unquoted names left out."""

from __future__ import annotations

from sqlglot import errors as sqlglot_errors  # noqa: TID253
from sqlglot.tokenizer_core import Token, TokenType  # noqa: TID253

from tidemill.sql.dialects import tokenize

# Between two canonical tokens; no token holds it.
SEPARATOR = "\x1f"
PLAIN = frozenset((TokenType.NUMBER,))


def canonical_sql(text: str, dialect: str) -> str:
    """One text for all spellings of a statement that differ in comments, layout and case.

    Strings and quoted names keep their case, and stay apart from words. It is for digests, not for engines. Text that
    cannot be tokenised is its own canonical form.
    """
    try:
        tokens = tokenize(text, dialect)
    except sqlglot_errors.TokenError:
        return text
    return SEPARATOR.join(_canonical_token(text, token) for token in tokens if token.token_type != TokenType.SEMICOLON)


def _canonical_token(text: str, token: Token) -> str:
    if token.token_type == TokenType.IDENTIFIER:
        return f"i:{token.text}"
    if token.token_type in PLAIN:
        return token.text.lower()
    written = text[token.start : token.end + 1]
    if token.text.upper() == written.upper() or written.upper().split() == token.text.upper().split():
        return token.text.upper()
    return f"{token.token_type.name}:{token.text}"  # a string of one kind or another


# A new line begins at these words, so that two layouts of one statement have the same lines.
BREAKS = frozenset(
    (
        *("SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "QUALIFY", "WINDOW", "ORDER BY", "LIMIT", "UNION", "EXCEPT"),
        *("INTERSECT", "JOIN", "LEFT", "RIGHT", "INNER", "FULL", "CROSS", "OPTIONS", "TRANSFORM", "WITH"),
    )
)
CLOSE_BEFORE = frozenset((",", ")", "]", ".", ";", "::"))
CLOSE_AFTER = frozenset(("(", "[", ".", "::"))


def canonical_lines(text: str, dialect: str) -> list[str]:
    """A statement as lines that do not depend on its comments and layout; for reading two of them side by side.

    Lines begin at clauses and after commas; what stands in brackets is indented.
    """
    try:
        tokens = tokenize(text, dialect)
    except sqlglot_errors.TokenError:
        return text.splitlines()
    lines: list[str] = []
    line, depth, before = "", 0, ""
    for token in tokens:
        word = _readable_token(text, token)
        if word == ";":
            continue
        if word in (")", "]"):
            depth -= 1
        joined = before == "JOIN" or before in ("LEFT", "RIGHT", "INNER", "FULL", "CROSS")
        begins = word.upper() in BREAKS and token.token_type != TokenType.IDENTIFIER and not joined
        if line and (begins or before == ","):
            lines.append(line)
            line = "  " * max(depth + (before == ","), 0)
        glued = not line.strip() or word in CLOSE_BEFORE or before in CLOSE_AFTER or _calls(text, token, word)
        line += word if glued else f" {word}"
        if word in ("(", "["):
            depth += 1
        before = word
    return [*lines, line] if line else lines


def _readable_token(text: str, token: Token) -> str:
    """A token as it was written; keywords in capitals."""
    written = text[token.start : token.end + 1]
    named = token.token_type in (TokenType.VAR, TokenType.IDENTIFIER)
    words = written.split()
    return written if named or not all(word.isidentifier() for word in words) else " ".join(words).upper()


def _calls(text: str, token: Token, word: str) -> bool:
    """Whether a bracket stands right behind the word before it, as those of calls do."""
    return word == "(" and token.start > 0 and not text[token.start - 1].isspace()
