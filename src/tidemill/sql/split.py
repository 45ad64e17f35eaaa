"""Where one statement ends and the next begins. BigQuery's scripting blocks stay in one piece."""

from __future__ import annotations

from sqlglot.tokenizer_core import Token, TokenType  # noqa: TID253

BLOCK_WORDS = ("BEGIN", "IF", "WHILE", "LOOP", "REPEAT", "FOR", "CASE")
# Words after which, inside a block, another statement begins.
STATEMENT_FOLLOWS = ("THEN", "ELSE", "DO", "BEGIN", "LOOP", "REPEAT", "EXCEPTION")


def split_tokens(tokens: list[Token]) -> list[list[Token]]:
    """Tokens of each statement, without the semicolons; empty statements are left out."""
    chunks: list[list[Token]] = []
    chunk: list[Token] = []
    depth = 0
    for index, token in enumerate(tokens):
        if token.token_type == TokenType.SEMICOLON and depth == 0:
            if chunk:
                chunks.append(chunk)
            chunk = []
            continue
        depth = _block_depth(tokens, index, chunk, depth)
        chunk.append(token)
    if chunk:
        chunks.append(chunk)
    return chunks


def _block_depth(tokens: list[Token], index: int, chunk: list[Token], depth: int) -> int:
    """The nesting of scripting blocks after a token."""
    token = tokens[index]
    if token.token_type in (TokenType.IDENTIFIER, TokenType.STRING):
        return depth
    word = token.text.upper()
    following = tokens[index + 1].text.upper() if index + 1 < len(tokens) else ""
    if not chunk:
        return 1 if _opens_block(word, following) else 0
    if depth == 0:
        # CREATE PROCEDURE name(...) BEGIN ... END
        return 1 if word == "BEGIN" and any(part.text.upper() == "PROCEDURE" for part in chunk[:6]) else 0
    previous = chunk[-1].text.upper()
    if previous != ";" and previous not in STATEMENT_FOLLOWS:
        return depth
    if word == "END":
        return depth - 1
    return depth + 1 if _opens_block(word, following) else depth


def _opens_block(word: str, following: str) -> bool:
    """Whether a statement's first word opens a block: IF and FOR are also functions and clauses elsewhere."""
    if word == "BEGIN":
        return following not in ("TRANSACTION", ";", "")
    return word in BLOCK_WORDS
