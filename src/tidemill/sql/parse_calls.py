"""One rule that reads calls of ML functions, as a mixin over any of sqlglot's parsers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from sqlglot import exp  # noqa: TID253
from sqlglot.parser import Parser  # noqa: TID253
from sqlglot.tokenizer_core import Token, TokenType  # noqa: TID253

from tidemill.sql.ml_nodes import MLArg, MLCall
from tidemill.sql.parse_errors import PlacedError, placed
from tidemill.sql.paths import behind_name, name_stop, path_of
from tidemill.sql.text import Text

NAMESPACES = ("ML", "AI", "CLEAN")
LONE_FUNCTIONS = ("VECTOR_SEARCH",)
QUERY_WORDS = ("SELECT", "WITH", "FROM", "VALUES", "TABLE")
# What dialects say before a time or a version that a table is read at.
TRAVEL_WORDS = ("AT", "BEFORE", "FOR", "VERSION", "TIMESTAMP")
VERSION_ONLY = "a model is read at one of its versions, not at a time"
VERSION_HINT = "write MODEL name AT (VERSION => 1), or with an alias AT (VERSION => 'champion')"
PATH_WORDS = {"MODEL": "model", "TABLE": "table", "CONNECTION": "connection"}


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
            start, stop = behind_name(table, p)
            if str(when.this).upper() != "AT" or when.args.get("kind") != "VERSION":
                raise PlacedError(VERSION_ONLY, start, stop, VERSION_HINT)
            if not whole and not alias:
                raise PlacedError("the version of a model is a whole number or an alias", start, stop, VERSION_HINT)
            version = alias or int(number.name)
            table.set("when", None)
        arg = MLArg(kind="model", this=path_of(table, p), version=version)
        arg.meta.update(name_start=first.start, name_stop=name_stop(table, p))
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
