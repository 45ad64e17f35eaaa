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
