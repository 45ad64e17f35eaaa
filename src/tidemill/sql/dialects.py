"""SQL dialects with the ML functions in them: sqlglot's tokenizers, parsers and generators plus one general rule.

BigQuery ML's table functions (``ML.PREDICT(MODEL m, TABLE t, STRUCT(0.5 AS threshold))``) read the same in every
dialect. The rule is a mixin over sqlglot's own parser of a dialect, so that whatever sqlglot reads may stand around
and inside them. No dialect is registered with sqlglot: the classes are made here, once per dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from types import new_class
from typing import Any, TypeVar, cast

from sqlglot import errors as sqlglot_errors  # noqa: TID253
from sqlglot import exp  # noqa: TID253
from sqlglot.dialects.dialect import Dialect  # noqa: TID253
from sqlglot.generator import Generator  # noqa: TID253
from sqlglot.parser import Parser  # noqa: TID253
from sqlglot.tokenizer_core import Token, TokenType  # noqa: TID253
from sqlglot.tokens import Tokenizer  # noqa: TID253

from tidemill.core.errors import SettingsError
from tidemill.core.names import did_you_mean, quote_text
from tidemill.sql.text import Text

T = TypeVar("T")

NAMESPACES = ("ML", "AI", "CLEAN")
LONE_FUNCTIONS = ("VECTOR_SEARCH",)
# The engine's sessions are in UTC, as BigQuery's are.
HARMLESS = "EXTRACT from TIMESTAMPTZ"
QUERY_WORDS = ("SELECT", "WITH", "FROM", "VALUES", "TABLE")
# What dialects say before a time or a version that a table is read at.
TRAVEL_WORDS = ("AT", "BEFORE", "FOR", "VERSION", "TIMESTAMP")
VERSION_ONLY = "a model is read at one of its versions, not at a time"
VERSION_HINT = "write MODEL name AT (VERSION => 1), or with an alias AT (VERSION => 'champion')"
PATH_WORDS = {"MODEL": "model", "TABLE": "table", "CONNECTION": "connection"}


class MLArg(exp.Expression):
    """One argument of an `MLCall`.

    ``kind`` is model, table, query, connection, struct, value or named. ``this`` is the dotted name (model,
    connection), the `exp.Table` (table), the query, the `exp.Struct` or the expression; ``name`` and an inner
    `MLArg` for a named one. ``version`` is a model's. ``meta`` holds ``start`` and ``stop``, offsets into the text;
    for a model also ``name_start`` and ``name_stop``.
    """

    arg_types = {"kind": True, "this": True, "label": False, "version": False}  # noqa: RUF012

    @property
    def kind(self) -> str:
        """What the argument is."""
        return cast("str", self.args["kind"])

    @property
    def label(self) -> str:
        """The name before ``=>``, lower-case; '' for a positional argument."""
        return cast("str", self.args.get("label") or "")

    @property
    def version(self) -> int | str | None:
        """The version of a model that is read, by number or alias; None for the newest."""
        return cast("int | str | None", self.args.get("version"))


class MLCall(exp.Expression, exp.Func):
    """A call of an ML table function: ``this`` is its canonical name, ``expressions`` its `MLArg`s in order.

    ``meta`` holds the `Text` it was written in, and its offsets: ``start`` and ``name_stop`` of the name, ``stop``.
    """

    arg_types = {"this": True, "expressions": False}  # noqa: RUF012
    is_var_len_args = True

    @property
    def function(self) -> str:
        """Canonical name, ``ML.PREDICT``."""
        return cast("str", self.args["this"])

    @property
    def arguments(self) -> list[MLArg]:
        """All arguments, in order."""
        return cast("list[MLArg]", self.expressions)

    @property
    def model(self) -> str:
        """The model's dotted name, or ''."""
        return next((str(arg.this) for arg in self.arguments if arg.kind == "model"), "")

    @property
    def version(self) -> int | str | None:
        """The model's version, or None for the newest."""
        return next((arg.version for arg in self.arguments if arg.kind == "model"), None)


class RawSQL(exp.Expression):
    """Engine SQL that goes into generated SQL as it is."""

    arg_types = {"this": True}  # noqa: RUF012


class PlacedError(sqlglot_errors.ParseError):
    """sqlglot's parse error with offsets into the text, and a hint when we have one."""

    def __init__(self, message: str, start: int, stop: int, hint: str = "") -> None:
        super().__init__(message, [{"description": message}])
        self.plain = message
        self.start = start
        self.stop = stop
        self.hint = hint


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


class MLParserMixin:
    """One rule for ML functions, over any of sqlglot's parsers. Errors carry their place."""

    source_text: Text
    _when: exp.Expr | None = None

    # sqlglot's parser is the other base; its members are reached through this typed view of self.
    @property
    def _p(self) -> Any:
        return self

    def raise_error(self, message: str, token: Token | None = None) -> None:
        """Raise with offsets instead of an excerpt with terminal codes."""
        raise placed(self._p, message, token)

    def _warn_unsupported(self) -> None:
        """Log nothing: what sqlglot reads as an opaque command becomes a statement we refuse with a reason."""

    def _parse_table(
        self,
        schema: bool = False,
        joins: bool = False,
        alias_tokens: Collection[TokenType] | None = None,
        *args: Any,
        **options: Any,
    ) -> exp.Expr | None:
        call = None if schema else self._parse_ml_call()
        if call is None:
            table = cast("Any", super())._parse_table(schema, joins, alias_tokens, *args, **options)
            return cast("exp.Expr | None", table)
        p = self._p
        table = p.expression(exp.Table(this=call))
        if p.dialect.ALIAS_POST_TABLESAMPLE:
            table.set("sample", p._parse_table_sample())
        alias = p._parse_table_alias(alias_tokens=alias_tokens or p.TABLE_ALIAS_TOKENS)
        if alias:
            table.set("alias", alias)
        table.set("pivots", p._parse_pivots())
        if not p.dialect.ALIAS_POST_TABLESAMPLE:
            table.set("sample", p._parse_table_sample())
        if joins:
            for join in p._parse_joins():
                table.append("joins", join)
        return cast("exp.Expr", table)

    def _parse_table_part(self, schema: bool = False) -> exp.Expr | None:
        p = self._p
        written_as_string = p._curr is not None and p._curr.token_type == TokenType.STRING
        part = cast("Any", super())._parse_table_part(schema=schema)
        if written_as_string and isinstance(part, exp.Expr):
            part.meta["file"] = True
        return cast("exp.Expr | None", part)

    def _parse_table_parts(self, *args: Any, **options: Any) -> exp.Expr | None:
        self._when = None
        table = cast("Any", super())._parse_table_parts(*args, **options)
        if isinstance(table, exp.Table) and self._when is not None:
            table.set("when", self._when)  # BigQuery's parser drops it where it takes a name in backticks apart
        if isinstance(table, exp.Table) and not table.args.get("db"):
            self._split_backticks(table)
        return cast("exp.Expr | None", table)

    def _parse_historical_data(self) -> exp.Expr | None:
        self._when = cast("exp.Expr | None", cast("Any", super())._parse_historical_data())
        return self._when

    def _split_backticks(self, table: exp.Table) -> None:
        """`` `project.dataset.table` `` names its parts, as in BigQuery, whatever the dialect."""
        name = table.this
        start = name.meta.get("start") if isinstance(name, exp.Identifier) else None
        if start is None or self.source_text.text[start : start + 1] != "`" or "." not in name.name:
            return
        parts = [exp.to_identifier(part, quoted=True).update_positions(name) for part in name.name.split(".")]
        table.set("this", parts[-1])
        table.set("db", parts[-2])
        if len(parts) > 2:
            table.set("catalog", parts[-3])

    def _parse_column_parts_fast(self) -> exp.Expr | None:
        # ML.F(...) in an expression: never let a dialect's own rules for ML functions at it.
        if self._at_ml_function():
            return None
        return cast("exp.Expr | None", cast("Any", super())._parse_column_parts_fast())

    def _parse_column_reference(self) -> exp.Expr | None:
        if self._at_ml_function():
            return self._parse_ml_in_expression()
        return cast("exp.Expr | None", cast("Any", super())._parse_column_reference())

    def _parse_column_ops(self, this: exp.Expr | None) -> exp.Expr | None:
        if isinstance(this, exp.Dot) and "name_stop" in this.meta:
            # BigQuery's parser would go back and read the function once more by rules of its own.
            return Parser._parse_column_ops(self._p, this)
        return cast("exp.Expr | None", cast("Any", super())._parse_column_ops(this))

    def _at_ml_function(self) -> bool:
        """Whether the next tokens are ``ML . NAME (``, ``AI . NAME (`` or ``VECTOR_SEARCH (``."""
        p = self._p
        if not p._curr or p._curr.token_type not in (TokenType.VAR, TokenType.IDENTIFIER):
            return False
        if p._prev is not None and p._prev.token_type == TokenType.DOT:
            return False
        word = p._curr.text.upper()
        if word in LONE_FUNCTIONS:
            return bool(p._next and p._next.token_type == TokenType.L_PAREN)
        if word not in NAMESPACES or not p._next or p._next.token_type != TokenType.DOT:
            return False
        following = p._tokens[p._index + 2 : p._index + 4]
        return len(following) == 2 and following[1].token_type == TokenType.L_PAREN

    def _parse_ml_call(self) -> MLCall | None:
        """``ML.F(argument, ...)`` with arguments by the general rule, or None."""
        if not self._at_ml_function():
            return None
        p = self._p
        first = p._curr
        name = first.text.upper()
        p._advance()
        if name not in LONE_FUNCTIONS:
            name = f"{name}.{p._next.text.upper()}"
            p._advance(2)
        last = p._prev
        p._advance()  # the opening parenthesis
        arguments: list[MLArg] = []
        if not p._match(TokenType.R_PAREN, advance=False):
            arguments.append(self._parse_ml_argument())
            while p._match(TokenType.COMMA):
                arguments.append(self._parse_ml_argument())
        if not p._match(TokenType.R_PAREN):
            p.raise_error("Expected , or ) in the arguments of " + name)
        call = MLCall(this=name, expressions=arguments)
        call.meta.update(text=self.source_text, start=first.start, name_stop=last.end + 1, stop=p._prev.end + 1)
        return call

    def _parse_ml_in_expression(self) -> exp.Expr | None:
        """A scalar or analytic ML function; one with MODEL or TABLE arguments stays an `MLCall` for the binder."""
        p = self._p
        call = cast("MLCall", self._parse_ml_call())
        if any(arg.kind in ("model", "table") for arg in call.arguments):
            return call
        values = [_argument_value(arg) for arg in call.arguments]
        name = call.function.rpartition(".")[2]
        function: exp.Expr = exp.Anonymous(this=name, expressions=values)
        if "." in call.function:
            function = exp.Dot(this=exp.to_identifier(call.function.split(".")[0]), expression=function)
        function.meta.update(call.meta)
        return cast("exp.Expr | None", p._parse_window(function))

    def _parse_ml_argument(self) -> MLArg:
        p = self._p
        first = p._curr
        arg = self._read_ml_argument()
        arg.meta.update(start=first.start if first else p._prev.end, stop=p._prev.end + 1, inner=arg.meta.get("inner"))
        return arg

    def _read_ml_argument(self) -> MLArg:
        p = self._p
        if not p._curr:
            p.raise_error("The arguments end too early")
        if p._next and (p._next.token_type == TokenType.COLON_EQ or _is_arrow(p._next)):
            label = p._curr.text.lower()
            p._advance(2)
            return MLArg(kind="named", label=label, this=self._parse_ml_argument())
        word = PATH_WORDS.get(p._curr.text.upper()) if p._curr.token_type != TokenType.IDENTIFIER else None
        if word and p._next and _begins_path(p._next):
            p._advance()
            if word == "table":
                return MLArg(kind="table", this=self._parse_table())
            if word == "model":
                return self._parse_ml_model()
            return MLArg(kind=word, this=path_of(p._parse_table_parts(schema=True), p))
        if self._at_query():
            return self._parse_ml_query()
        value = p._parse_lambda()
        if value is None:
            p.raise_error(f"Unexpected {_shown(p._curr)} in the arguments of a function")
        return MLArg(kind="struct" if isinstance(value, exp.Struct) else "value", this=value)

    def _parse_ml_model(self) -> MLArg:
        """``name``, ``name AT (VERSION => n)`` or ``name AT (VERSION => 'alias')``."""
        p = self._p
        first = p._curr
        table = p._parse_table_parts(schema=True)
        when = table.args.get("when") if isinstance(table, exp.Table) else None
        if p._curr and p._curr.text.upper() in TRAVEL_WORDS:
            raise placed(p, VERSION_ONLY, hint=VERSION_HINT)
        version = None
        if isinstance(when, exp.HistoricalData):
            number = when.expression
            alias = isinstance(number, exp.Literal) and number.is_string and not number.name.isdigit() and number.name
            whole = isinstance(number, exp.Literal) and not number.is_string and number.name.isdigit()
            start, stop = _behind_name(table, p)
            if str(when.this).upper() != "AT" or when.args.get("kind") != "VERSION":
                raise PlacedError(VERSION_ONLY, start, stop, VERSION_HINT)
            if not whole and not alias:
                raise PlacedError("the version of a model is a whole number or an alias", start, stop, VERSION_HINT)
            version = alias or int(number.name)
            table.set("when", None)
        arg = MLArg(kind="model", this=path_of(table, p), version=version)
        arg.meta.update(name_start=first.start, name_stop=_name_stop(table, p))
        return arg

    def _at_query(self) -> bool:
        """Whether a query, perhaps in parentheses, begins here."""
        p = self._p
        index = p._index
        while index < len(p._tokens) and p._tokens[index].token_type == TokenType.L_PAREN:
            index += 1
        if index >= len(p._tokens):
            return False
        token = p._tokens[index]
        if token.token_type in (TokenType.IDENTIFIER, TokenType.STRING) or token.text.upper() not in QUERY_WORDS:
            return False
        return index > p._index or token.text.upper() in ("SELECT", "WITH")

    def _parse_ml_query(self) -> MLArg:
        p = self._p
        first = p._curr
        if first.token_type != TokenType.L_PAREN:
            raise placed(p, "a data query stands in parentheses", first, hint=f"write ({first.text} ...)")
        tree = p._parse_select(nested=True, parse_subquery_alias=False)
        inner = (first.start, p._prev.end + 1)
        while isinstance(tree, exp.Subquery) and tree.is_wrapper:
            tree = tree.this
        if isinstance(tree, exp.Table):  # (ML.PREDICT(...)) or (TABLE x)
            tree = exp.select("*").from_(tree, copy=False)
        if not isinstance(tree, exp.Query):
            raise placed(p, "Expected a query in these parentheses", first)
        arg = MLArg(kind="query", this=tree)
        arg.meta["inner"] = inner
        return arg


def _argument_value(arg: MLArg) -> exp.Expr:
    """An argument of a scalar function as sqlglot has it."""
    if arg.kind == "named":
        named = exp.Kwarg(this=exp.var(arg.label), expression=_argument_value(arg.this))
        named.meta.update(argument=(arg.meta["start"], arg.meta["stop"]))
        return named
    if arg.kind == "query":
        return exp.Subquery(this=arg.this)
    return arg.this if isinstance(arg.this, exp.Expr) else exp.Literal.string(arg.this)


def _is_arrow(token: Token) -> bool:
    return token.token_type == TokenType.FARROW


def _begins_path(token: Token) -> bool:
    """Whether a token after MODEL or TABLE begins a name, so that MODEL is not itself a name."""
    return bool(token.text[:1].isalnum() or token.text[:1] in ("_", "`", '"')) or token.token_type in (
        TokenType.IDENTIFIER,
        TokenType.STRING,
    )


def _shown(token: Token | None) -> str:
    return f"'{token.text[:40]}'" if token else "end of the statement"


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


def _behind_name(table: exp.Table, parser: Any) -> tuple[int, int]:
    """Where the name of a table ends, and what was read of it."""
    stop = parser._prev.end + 1
    behind = parser.source_text.text[_name_stop(table, parser) : stop]
    return stop - len(behind.lstrip()), stop


def _name_stop(table: exp.Table, parser: Any) -> int:
    ends: list[int] = [part.meta["end"] + 1 for part in table.parts if "end" in part.meta]
    return max(ends) if ends else int(parser._prev.end + 1)


def path_of(table: exp.Expr | None, parser: Any = None) -> str:
    """The dotted name of a table expression, without the project; for a parser, nothing else may stand there."""
    if not isinstance(table, exp.Table):
        if parser is not None:
            raise placed(parser, "Expected a name")
        return ""
    if parser is not None and any(table.args.get(part) for part in ("when", "version", "changes", "pivots")):
        start, stop = _behind_name(table, parser)
        raise PlacedError(f"unexpected '{parser.source_text.text[start:stop][:40]}' behind a name", start, stop)
    parts = [part.name for part in table.parts if part.name]
    return ".".join(parts[-2:])


def made_path_of(table: exp.Expr | None, parser: Any) -> tuple[str, str]:
    """The dotted name under which something is made, and what stands in front of it: a BigQuery project, or ''."""
    name = path_of(table, parser)
    assert isinstance(table, exp.Table)  # noqa: S101 - or it was refused
    return name, full_path_of(table).removesuffix(name).rstrip(".")


def full_path_of(table: exp.Table) -> str:
    """The dotted name of a table as it is written: its first part may be a BigQuery project, or a connection."""
    return ".".join(part.name for part in table.parts if part.name)


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
