"""OPTIONS(name = value, ...): values as plain data, with their places."""

from __future__ import annotations

import math
from typing import Any

from sqlglot import exp  # noqa: TID253
from sqlglot.tokenizer_core import Token, TokenType  # noqa: TID253

from tidemill.sql.parse_errors import placed
from tidemill.sql.statements import HparamSpace, OptionValue
from tidemill.sql.text import Text

STRINGS = frozenset(
    (
        TokenType.STRING,
        TokenType.RAW_STRING,
        TokenType.HEREDOC_STRING,
        TokenType.NATIONAL_STRING,
        TokenType.UNICODE_STRING,
    )
)
CLOSERS = {"[": "]", "(": ")", "{": "}"}


def read_options(p: Any, text: Text, *, literal: bool = True) -> tuple[OptionValue, ...]:
    """``(name = value, ...)``, the parser standing at the opening parenthesis.

    With ``literal`` a value that is not plain data is an error; without, its text is the value.
    """
    options: list[OptionValue] = []
    expect(p, "(")
    if p._curr and p._curr.text == ")":
        p._advance()
        return ()
    while True:
        options.append(_read_option(p, text, literal=literal))
        if not p._match(TokenType.COMMA):
            break
    expect(p, ")", hint="options are name = value, with a comma between them")
    return tuple(options)


def _read_option(p: Any, text: Text, *, literal: bool) -> OptionValue:
    name = p._curr
    if not name or name.token_type in STRINGS or not (name.text[:1].isalpha() or name.text[:1] == "_"):
        raise placed(p, "expected the name of an option", hint="options are name = value, with a comma between them")
    p._advance()
    if not p._match(TokenType.EQ):
        raise placed(p, f"expected = after the option '{name.text}'")
    first = p._curr
    value = read_value(p, text, literal=literal)
    line, column = text.line_column(first.start)
    name_line, name_column = text.line_column(name.start)
    return OptionValue(
        name=name.text,
        value=value,
        line=line,
        column=column,
        length=text.where(first.start, p._prev.end + 1).length,
        name_line=name_line,
        name_column=name_column,
    )


def expect(p: Any, mark: str, *, hint: str = "") -> Token:
    """Take one punctuation mark, or say what stands in its place."""
    token: Token | None = p._curr or None
    if token is None or token.text != mark or token.token_type in STRINGS:
        found = f"'{token.text[:40]}'" if token else "the end of the statement"
        raise placed(p, f"expected {mark} before {found}", hint=hint)
    p._advance()
    return token


def read_value(p: Any, text: Text, *, literal: bool = True) -> Any:
    """One value; arithmetic on numbers is worked out."""
    first, index = p._curr, p._index
    if not first:
        raise placed(p, "expected a value")
    found, value = _read_plain(p, text, literal=literal)
    if found and (not p._curr or p._curr.text in (",", ")", "]", "}", ":") or p._curr.text.upper() == "AS"):
        return value
    if found and (
        p._curr.token_type in (*STRINGS, TokenType.IDENTIFIER, TokenType.NUMBER) or p._curr.text.isidentifier()
    ):
        raise placed(p, f"expected , or ) before '{p._curr.text[:40]}'")
    p._retreat(index)
    tree = p._parse_assignment()
    if tree is None:
        raise placed(p, "expected a value")
    number = _fold(tree)
    if number is not None:
        return number
    if isinstance(tree, exp.Interval) or not literal:
        return text.text[first.start : p._prev.end + 1]
    word = isinstance(tree, exp.Column)
    hint = (
        f"put quotes around it: '{first.text}'" if word else "write the value itself: a string, number, TRUE or array"
    )
    raise placed(p, "an option's value is a literal, not an expression", first, hint=hint)


def _read_plain(p: Any, text: Text, *, literal: bool) -> tuple[bool, Any]:
    """(True, value) when plain data begins here; the parser is left behind what was read."""
    token = p._curr
    kind, word = token.token_type, token.text.upper()
    if kind in STRINGS or kind == TokenType.IDENTIFIER:
        p._advance()
        parts = [token.text]
        while p._curr and p._curr.token_type in STRINGS:  # 'it''s' comes as two tokens in some dialects
            parts.append(p._curr.text)
            p._advance()
        return True, "".join(parts) if len(parts) == 1 else _quote_of(text, token).join(parts)
    if kind in (TokenType.NUMBER, TokenType.DASH, TokenType.PLUS):
        return _read_number(p)
    if word in ("TRUE", "FALSE", "NULL"):
        p._advance()
        return True, {"TRUE": True, "FALSE": False, "NULL": None}[word]
    following = p._next
    if word in ("HPARAM_RANGE", "HPARAM_CANDIDATES") and following and following.text == "(":
        return True, _read_space(p, text)
    if token.text in CLOSERS:
        return True, _read_group(p, text, literal=literal)
    if word in ("STRUCT", "ARRAY") and following and following.text in ("(", "[", "<"):
        p._advance()
        _skip_type(p)
        return True, _read_group(p, text, literal=literal, struct=word == "STRUCT")
    if following and following.token_type in STRINGS and word in TYPED_LITERALS:
        p._advance(2)
        return True, p._prev.text
    return False, None


TYPED_LITERALS = ("DATE", "TIMESTAMP", "DATETIME", "TIME", "JSON", "NUMERIC", "BIGNUMERIC", "BYTES")


def _quote_of(text: Text, token: Token) -> str:
    return text.text[token.start : token.start + 1] if text.text[token.start : token.start + 1] in "'\"" else ""


def _read_number(p: Any) -> tuple[bool, Any]:
    sign = 1
    while p._curr and p._curr.token_type in (TokenType.DASH, TokenType.PLUS):
        sign = -sign if p._curr.token_type == TokenType.DASH else sign
        p._advance()
    if not p._curr or p._curr.token_type != TokenType.NUMBER:
        return False, None
    number = _number(p._curr.text)
    p._advance()
    return number is not None, None if number is None else sign * number


def _number(text: str) -> int | float | None:
    try:
        return int(text.replace("_", ""))
    except ValueError:
        pass
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _read_space(p: Any, text: Text) -> HparamSpace:
    """``HPARAM_RANGE(low, high)`` or ``HPARAM_CANDIDATES([...])``."""
    name = p._curr
    p._advance()
    values = _read_group(p, text, literal=True, struct=True)
    if name.text.upper() == "HPARAM_RANGE":
        if not isinstance(values, list) or len(values) != 2 or not all(_is_number(value) for value in values):
            raise placed(p, "HPARAM_RANGE takes two numbers", name, hint="HPARAM_RANGE(0, 10)")
        return HparamSpace(low=float(values[0]), high=float(values[1]))
    if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], list):
        raise placed(p, "HPARAM_CANDIDATES takes one array", name, hint="HPARAM_CANDIDATES([0, 1, 10])")
    return HparamSpace(candidates=tuple(values[0]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_group(p: Any, text: Text, *, literal: bool, struct: bool = False) -> Any:
    """Array, tuple, struct or DuckDB struct literal: a list, or a dict when its values have names."""
    opening = p._curr
    p._advance()
    closing = CLOSERS[opening.text]
    values: list[Any] = []
    names: list[str] = []
    while p._curr and p._curr.text != closing:
        if opening.text == "{":
            names.append(read_word(p))
            expect(p, ":")
        values.append(read_value(p, text, literal=literal))
        if struct and p._curr and p._curr.text.upper() == "AS":
            p._advance()
            names.append(read_word(p))
        if not p._match(TokenType.COMMA):
            break
    if not p._curr or p._curr.text != closing:
        raise placed(p, f"expected , or {closing}")
    p._advance()
    if names and len(names) == len(values):
        return dict(zip(names, values, strict=True))
    if opening.text == "(" and not struct and len(values) == 1:
        return values[0]
    return values


def read_word(p: Any) -> str:
    """The name of a field."""
    if not p._curr:
        raise placed(p, "expected a name")
    p._advance()
    return str(p._prev.text)


def _skip_type(p: Any) -> None:
    """Step over ``<STRING, FLOAT64>``."""
    depth = 0
    while p._curr and (depth or p._curr.text == "<"):
        depth += p._curr.text.count("<") - p._curr.text.count(">")
        p._advance()


def _fold(tree: exp.Expr) -> int | float | None:
    """The value of arithmetic on number literals, or None."""
    if isinstance(tree, exp.Paren):
        return _fold(tree.this)
    if isinstance(tree, exp.Neg):
        inner = _fold(tree.this)
        return None if inner is None else -inner
    if isinstance(tree, exp.Literal):
        return None if tree.is_string else _number(tree.name)
    if not isinstance(tree, exp.Add | exp.Sub | exp.Mul | exp.Div):
        return None
    left, right = _fold(tree.left), _fold(tree.right)
    if left is None or right is None:
        return None
    if isinstance(tree, exp.Add):
        return left + right
    if isinstance(tree, exp.Sub):
        return left - right
    if isinstance(tree, exp.Mul):
        return left * right
    return left / right if right else None
