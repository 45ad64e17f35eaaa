"""The arguments of one ML call, held against the function's row in the table of functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import BindError, Where
from tidemill.sql.bound import BoundCall, BoundQuery
from tidemill.sql.dialects import generate
from tidemill.sql.functions import find_function
from tidemill.sql.functions_base import MLFunction
from tidemill.sql.ml_nodes import MLArg, MLCall
from tidemill.sql.options import check_settings
from tidemill.sql.text import Text

MOST_THRESHOLDS = 100_000


class NotLiteralError(ValueError):
    """An expression is not plain data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What a call says, checked."""

    function: MLFunction
    model: str
    version: int | str | None
    model_where: Where | None
    inputs: tuple[MLArg, ...]
    settings: dict[str, Any]
    arguments: tuple[Any, ...]

    def bound(
        self, relation: str, inputs: tuple[BoundQuery, ...], wanted: frozenset[str] | None, where: Where | None
    ) -> BoundCall:
        """The call as the runner gets it."""
        return BoundCall(
            relation=relation,
            function=self.function.name,
            model=self.model,
            version=self.version,
            inputs=inputs,
            settings=self.settings,
            arguments=self.arguments,
            wanted=wanted,
            where=where,
            model_where=self.model_where,
        )


def read_call(call: MLCall) -> CallFacts:
    """Check a call's function and arguments.

    Raises
    ------
    BindError
        The function does not exist, or does not take these arguments.
    UnsupportedError
        BigQuery ML has the function, Tidemill does not.
    OptionError
        A setting is unknown or out of range.
    """
    name_place = _where(call, call.meta.get("start"), call.meta.get("name_stop"))
    function = find_function(call.function, where=name_place)
    if function.kind != "table" or not isinstance(call.parent, exp.Table):
        raise _misplaced(function, name_place)
    models: list[MLArg] = []
    inputs: list[MLArg] = []
    arguments: list[Any] = []
    given: dict[str, Any] = {}
    place = name_place
    for arg in call.arguments:
        inner = arg.this if arg.kind == "named" and isinstance(arg.this, MLArg) else arg
        if inner.kind == "model":
            models.append(inner)
        elif inner.kind in ("table", "query"):
            inputs.append(inner)
        elif inner.kind == "connection":
            raise BindError(f"{function.name} takes no CONNECTION", where=_arg_where(call, arg))
        elif arg.kind == "named":
            place = _arg_where(call, arg)
            _add(given, arg.label, _value(call, inner, f"the setting {arg.label}"), place)
        elif (fields := _struct_fields(inner.this)) is not None:
            place = _arg_where(call, arg)
            for name, value in _named_fields(call, inner, fields):
                _add(given, name, value, place)
        else:
            _refuse_bare_name(call, inner, function, has_model=bool(models), has_data=bool(inputs))
            arguments.append(_value(call, inner, "an argument"))
    _check_counts(call, function, models, inputs, name_place)
    settings = check_settings(function, given, place)
    return CallFacts(
        function=function,
        model=str(models[0].this) if models else "",
        version=models[0].version if models else None,
        model_where=_model_where(call, models[0]) if models else None,
        inputs=tuple(inputs),
        settings=settings,
        arguments=tuple(arguments),
    )


def _misplaced(function: MLFunction, where: Where | None) -> BindError:
    if function.kind == "table":
        return BindError(
            f"{function.name} returns a table: it stands in FROM",
            where=where,
            hint=f"SELECT ... FROM {function.name}(...)",
        )
    return BindError(
        f"{function.name} returns one value per row: it stands in SELECT, not in FROM",
        where=where,
        hint=f"SELECT {function.name}(...) FROM ...",
    )


def _check_counts(
    call: MLCall, function: MLFunction, models: list[MLArg], inputs: list[MLArg], where: Where | None
) -> None:
    if len(models) > 1:
        raise BindError(f"{function.name} takes one model", where=_arg_where(call, models[1]))
    if models and function.model == "none":
        raise BindError(f"{function.name} takes no model", where=_arg_where(call, models[0]))
    if not models and function.model == "required":
        raise BindError(
            f"{function.name} needs a model", where=where, hint=f"{function.name}(MODEL name, ...) with the word MODEL"
        )
    least, most = function.inputs
    if len(inputs) < least:
        needed = "data" if least == 1 else f"{least} tables"
        raise BindError(
            f"{function.name} needs {needed}", where=where, hint="give TABLE name, or a query in parentheses"
        )
    if len(inputs) > most:
        taken = "no data" if most == 0 else "one table or query" if most == 1 else f"{most} tables"
        raise BindError(f"{function.name} takes {taken}", where=_arg_where(call, inputs[most]))


def _refuse_bare_name(call: MLCall, arg: MLArg, function: MLFunction, *, has_model: bool, has_data: bool) -> None:
    """``ML.PREDICT(m, t)``: a name on its own lacks the word in front of it."""
    value = arg.this
    if isinstance(value, exp.Paren) and isinstance(value.this, exp.Alias) and value.this.this.name.upper() == "MODEL":
        hint = f"write MODEL {value.this.alias}"
        raise BindError("MODEL and its name stand without parentheses", where=_arg_where(call, arg), hint=hint)
    while isinstance(value, exp.Paren):
        value = value.this
    if not isinstance(value, exp.Column):
        return
    name = generate(value, "")
    if name.upper() in ("MODEL", "TABLE"):
        hint = f"write {name.upper()} and its name"
        raise BindError(f"{function.name} has {name} without a name", where=_arg_where(call, arg), hint=hint)
    wants_model = function.model == "required" and not has_model
    word = "MODEL" if wants_model else "TABLE"
    if function.name.startswith("CLEAN.") and has_data:
        message = f"{function.name} takes names of columns in quotes"
        raise BindError(message, where=_arg_where(call, arg), hint=f"write '{name}'")
    raise BindError(
        f"{function.name} cannot tell what {name} is", where=_arg_where(call, arg), hint=f"write {word} {name}"
    )


def _add(given: dict[str, Any], name: str, value: Any, where: Where | None) -> None:
    if name in given:
        raise BindError(f"the setting {name} stands twice", where=where)
    given[name] = value


def _struct_fields(value: Any) -> list[exp.Expr] | None:
    """Fields of ``STRUCT(1 AS a)``, ``STRUCT<a INT64>(1)`` or ``{'a': 1}``; None for anything else."""
    if isinstance(value, exp.Struct):
        return list(value.expressions)
    if isinstance(value, exp.Cast) and isinstance(value.this, exp.Struct) and value.to.is_type(exp.DType.STRUCT):
        values = value.this.expressions
        names = [part.name for part in value.to.expressions]
        if len(names) == len(values):
            return [
                exp.PropertyEQ(this=exp.to_identifier(name), expression=_field_value(part))
                for name, part in zip(names, values, strict=True)
            ]
        return list(values)
    return None


def _field_value(part: exp.Expr) -> exp.Expr:
    if isinstance(part, exp.PropertyEQ):
        return cast("exp.Expr", part.expression)
    return part.this if isinstance(part, exp.Alias) else part


def _named_fields(call: MLCall, arg: MLArg, fields: list[exp.Expr]) -> list[tuple[str, Any]]:
    found = []
    for field in fields:
        if isinstance(field, exp.PropertyEQ):
            name = field.this.name
        elif isinstance(field, exp.Alias):
            name = field.alias
        else:
            raise BindError(
                f"a setting of {call.function} has no name",
                where=_arg_where(call, arg),
                hint="STRUCT(0.5 AS threshold)",
            )
        try:
            found.append((name.lower(), literal_of(_field_value(field))))
        except NotLiteralError:
            raise _not_literal(call, arg, f"the setting {name.lower()}") from None
    return found


def _value(call: MLCall, arg: MLArg, what: str) -> Any:
    if not isinstance(arg.this, exp.Expr):
        return arg.this
    try:
        return literal_of(arg.this)
    except NotLiteralError:
        raise _not_literal(call, arg, what) from None


def _not_literal(call: MLCall, arg: MLArg, what: str) -> BindError:
    return BindError(
        f"{what} of {call.function} is not a literal", where=_arg_where(call, arg), hint="write the value itself"
    )


def literal_of(node: exp.Expr) -> Any:
    """Plain data of a literal expression: numbers, strings, booleans, NULL, arrays, structs, GENERATE_ARRAY.

    Raises
    ------
    NotLiteralError
        It is not one.
    """
    if isinstance(node, exp.Paren | exp.Cast | exp.TryCast):
        return literal_of(node.this)
    if isinstance(node, exp.Neg):
        value = literal_of(node.this)
        if isinstance(value, int | float):
            return -value
        raise NotLiteralError
    if isinstance(node, exp.Literal):
        return node.name if node.is_string else _number(node.name)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Array | exp.Tuple):
        return [literal_of(part) for part in node.expressions]
    if isinstance(node, exp.Struct):
        return _struct_literal(node)
    if isinstance(node, exp.GenerateSeries):
        return _series(node)
    if isinstance(node, exp.Anonymous) and node.name.upper() == "GENERATE_ARRAY" and len(node.expressions) in (2, 3):
        parts = dict(zip(("start", "end", "step"), node.expressions, strict=False))
        return _series(exp.GenerateSeries(**{name: part.copy() for name, part in parts.items()}))
    if isinstance(node, exp.RawString | exp.National):
        return node.name
    raise NotLiteralError


def _struct_literal(node: exp.Struct) -> Any:
    fields = node.expressions
    if all(isinstance(field, exp.PropertyEQ) for field in fields):
        return {field.this.name: literal_of(field.expression) for field in fields}
    return [literal_of(_field_value(field)) for field in fields]


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        raise NotLiteralError from None
    if not math.isfinite(number):
        raise NotLiteralError
    return number


def _series(node: exp.GenerateSeries) -> list[float]:
    start, end = literal_of(node.args["start"]), literal_of(node.args["end"])
    step = literal_of(node.args["step"]) if node.args.get("step") else 1
    numbers = (start, end, step)
    if not all(isinstance(value, int | float) for value in numbers) or step == 0:
        raise NotLiteralError
    count = int((end - start) / step + 1e-9) + 1
    if count > MOST_THRESHOLDS:
        raise NotLiteralError
    return [start + step * index for index in range(max(0, count))]


def _where(call: MLCall, start: int | None, stop: int | None) -> Where | None:
    text = call.meta.get("text")
    if not isinstance(text, Text) or start is None or stop is None:
        return None
    return text.where(start, stop)


def _model_where(call: MLCall, arg: MLArg) -> Where | None:
    """The name of a model, or with a version the name and it."""
    stop = arg.meta.get("name_stop") if arg.version is None else arg.meta.get("stop")
    return _where(call, arg.meta.get("name_start"), stop)


def _arg_where(call: MLCall, arg: MLArg) -> Where | None:
    return _where(call, arg.meta.get("start"), arg.meta.get("stop"))
