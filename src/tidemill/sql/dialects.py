"""SQL dialects with the ML functions in them: sqlglot's tokenizers, parsers and generators plus one general rule.

BigQuery ML's table functions (``ML.PREDICT(MODEL m, TABLE t, STRUCT(0.5 AS threshold))``) read the same in every
dialect. The rule is a mixin over sqlglot's own parser of a dialect, so that whatever sqlglot reads may stand around
and inside them. No dialect is registered with sqlglot: the classes are made here, once per dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import new_class
from typing import Any, TypeVar, cast

from sqlglot import errors as sqlglot_errors  # noqa: TID253
from sqlglot import exp  # noqa: TID253
from sqlglot.dialects.dialect import Dialect  # noqa: TID253
from sqlglot.generator import Generator  # noqa: TID253
from sqlglot.parser import Parser  # noqa: TID253
from sqlglot.tokenizer_core import Token  # noqa: TID253
from sqlglot.tokens import Tokenizer  # noqa: TID253

from tidemill.core.errors import SettingsError
from tidemill.core.names import did_you_mean, quote_text
from tidemill.sql.ml_nodes import MLArg, MLCall, RawSQL
from tidemill.sql.parse_calls import MLParserMixin
from tidemill.sql.text import Text

T = TypeVar("T")
# The engine's sessions are in UTC, as BigQuery's are.
HARMLESS = "EXTRACT from TIMESTAMPTZ"


def _write_raw(_: Generator, node: RawSQL) -> str:
    return cast("str", node.this)


def _write_call(generator: Generator, node: MLCall) -> str:
    """Write a call: only for messages and canonical text, no engine can run it."""
    return f"{node.function}({', '.join(generator.sql(arg) for arg in node.arguments)})"


def _write_argument(generator: Generator, node: MLArg) -> str:
    value = node.this if isinstance(node.this, str) else generator.sql(node.this)
    if node.kind == "query":
        value = f"({value})"
    if node.version is not None:
        version = node.version
        value += f" AT (VERSION => {quote_text(version) if isinstance(version, str) else version})"
    if node.kind in ("model", "table", "connection"):
        return f"{node.kind.upper()} {value}"
    return f"{node.label} => {value}" if node.kind == "named" else value


@lru_cache(maxsize=64)
def dialect_of(name: str) -> Dialect:
    """Sqlglot's dialect of this name.

    Raises
    ------
    SettingsError
        There is no dialect of this name.
    """
    try:
        return Dialect.get_or_raise(name.lower())
    except ValueError:
        known = [str(key) for key in Dialect.classes if key]
        raise SettingsError(f"there is no SQL dialect '{name}'", hint=did_you_mean(name, known)) from None


@lru_cache(maxsize=64)
def _parser_class(name: str) -> type[Parser]:
    base = dialect_of(name).parser_class
    return cast("type[Parser]", new_class(f"ML{base.__name__}", (MLParserMixin, base)))


@lru_cache(maxsize=64)
def _generator_class(name: str) -> type[Generator]:
    base = dialect_of(name).generator_class
    writers = {**base.TRANSFORMS, RawSQL: _write_raw, MLCall: _write_call, MLArg: _write_argument}
    return cast(
        "type[Generator]", new_class(f"ML{base.__name__}", (base,), {}, lambda body: body.update(TRANSFORMS=writers))
    )


@lru_cache(maxsize=64)
def _tokenizer_class(name: str) -> type[Tokenizer]:
    base = dialect_of(name).tokenizer_class
    identifiers = list(base.IDENTIFIERS)
    if "`" not in identifiers and "`" not in base._QUOTES:
        # Names out of BigQuery keep their backticks, whatever dialect the file is in.
        identifiers.append("`")
    # Without commands: sqlglot would read CALL ... as one opaque string up to the next semicolon, quoted or not.
    members = {"IDENTIFIERS": identifiers, "COMMANDS": set()}
    return cast("type[Tokenizer]", new_class(f"ML{base.__name__}", (base,), {}, lambda body: body.update(members)))


def tokenize(text: str, dialect: str) -> list[Token]:
    """Tokens of a text, with offsets into it."""
    return _tokenizer_class(dialect)(dialect=dialect_of(dialect)).tokenize(text)


def make_parser(text: Text) -> Any:
    """A parser for one text, with the ML rule in it. It is handed tokens by `parse_tokens`."""
    parser = _parser_class(text.dialect)(
        dialect=dialect_of(text.dialect), error_level=sqlglot_errors.ErrorLevel.IMMEDIATE
    )
    parser.source_text = text  # type: ignore[attr-defined]
    return parser


def parse_tokens(parser: Any, tokens: list[Token], method: Callable[[Any], T]) -> T:
    """Run one parse method over tokens; anything left over is an error at its place."""
    results = parser._parse(method, tokens, parser.source_text.text)
    return cast("T", results[0] if results else None)


def generate(tree: exp.Expr, dialect: str, *, strict: bool = False) -> str:
    """SQL text of a tree in a dialect; with ``strict`` what it cannot say raises sqlglot's UnsupportedError."""
    level = sqlglot_errors.ErrorLevel.IGNORE
    generator = _generator_class(dialect)(dialect=dialect_of(dialect), unsupported_level=level, comments=False)
    sql = generator.generate(tree)
    messages = [message for message in generator.unsupported_messages if not message.startswith(HARMLESS)]
    if strict and messages:
        raise sqlglot_errors.UnsupportedError(messages[0])
    return sql
