"""OPTIONS(...) of a model and settings of an ML function, checked against their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.core.errors import OptionError, StatementError, UnsupportedError, Where
from tidemill.core.names import did_you_mean
from tidemill.model_types._shared import NO_TUNING
from tidemill.model_types.base import ModelType, Option
from tidemill.model_types.remote import REMOTE
from tidemill.model_types.table import MODEL_TYPES, find_model_type, supported_model_types
from tidemill.sql.functions_base import MLFunction
from tidemill.sql.statements import CreateModel, HparamSpace, OptionValue, Source
from tidemill.sql.values import ValueRefused, expected, read_value, show


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedOptions:
    """Options that hold.

    Parameters
    ----------
    model_type
        The row of the MODEL_TYPE.
    values
        Every option the type carries out, by lower-case name, defaults filled in (None where it has none); and the
        ignored options that were given.
    given
        Lower-case names of the options that were given.
    notes
        A sentence for each option that is read but ignored.
    """

    model_type: ModelType
    values: dict[str, Any]
    given: frozenset[str]
    notes: tuple[str, ...] = ()


def check_create_model(statement: CreateModel) -> CheckedOptions:
    """Check all of a CREATE MODEL that its table row decides: clauses, MODEL_TYPE, options.

    Raises
    ------
    UnsupportedError
        The model type or a clause is BigQuery ML's, and is not built.
    OptionError
        An option is unknown, of the wrong kind, out of bounds or contradicts another.
    StatementError
        The training query is missing.
    """
    extras = {extra.lower() for extra in statement.extras}
    here = _where(statement.source, statement.source.line, statement.source.column, 6)
    if "remote" in extras:
        raise UnsupportedError(f"remote models are not supported. {REMOTE.reason}", where=here, clause="REMOTE")
    checked = check_model_options(statement.options, source=statement.source)
    if "custom_holiday" in extras:
        raise UnsupportedError(
            "custom_holiday is not supported. It belongs to forecasting models, which are not built yet; "
            f"{checked.model_type.name} trains on one query: AS SELECT ...",
            where=here,
            clause="custom_holiday",
        )
    if extras & {"input", "output"}:
        raise UnsupportedError(
            "INPUT and OUTPUT are not supported. They describe remote and imported models; "
            f"{checked.model_type.name} takes its columns from the query",
            where=here,
            clause="INPUT",
        )
    if statement.query is None:
        raise StatementError(
            f"the model {statement.name} has no training query",
            where=here,
            hint="end the statement with AS SELECT ... FROM ...",
        )
    return checked


def check_model_options(options: Sequence[OptionValue], *, source: Source) -> CheckedOptions:
    """Check the options of a CREATE MODEL against the row of its MODEL_TYPE.

    Raises
    ------
    UnsupportedError
        The model type, or an option at another value than its default, is not built; the message says why.
    OptionError
        An option is unknown, given twice, of the wrong kind, out of bounds or contradicts another.
    """
    model_type = _model_type(options, source)
    read = read_options(
        model_type.options,
        [option for option in options if option.name.upper() != "MODEL_TYPE"],
        source=source,
        unknown=lambda option: _unknown(option, model_type, source),
    )
    values, places, notes = dict(read.values), read.places, list(read.notes)
    given = frozenset(places)
    _check_one_label(values, places, source)
    notes.extend(_check_rules(model_type, values, given, places=places, source=source))
    return CheckedOptions(model_type=model_type, values=values, given=given, notes=tuple(notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """Options that hold, each by itself: values by lower-case name with the defaults, places of the given, notes."""

    values: dict[str, Any]
    places: dict[str, OptionValue]
    notes: tuple[str, ...] = ()


def read_options(
    rows: Sequence[Option],
    options: Sequence[OptionValue],
    *,
    source: Source,
    unknown: Callable[[OptionValue], OptionError],
) -> ReadOptions:
    """Check each option against its row of a table.

    Parameters
    ----------
    unknown
        The error for a name that no row has.

    Raises
    ------
    UnsupportedError
        An option at another value than its default is not built; the message says why.
    OptionError
        An option is unknown, given twice, of the wrong kind or out of bounds.
    """
    known = _rows_by_name(rows)
    values = {row.name.lower(): row.default for row in rows if row.status == "supported"}
    places: dict[str, OptionValue] = {}
    notes: list[str] = []
    for option in options:
        row = known.get(option.name.upper())
        if row is None:
            raise unknown(option)
        name = row.name.lower()
        if name in places:
            where = at_name(option, source)
            raise OptionError(f"{row.name} is given twice", where=where, hint="keep one of the two", option=row.name)
        places[name] = option
        value = _checked(row, option.value, where=at_value(option, source))
        if row.status == "rejected":
            continue  # its default says nothing new; `_checked` refused all else
        values[name] = value
        if row.status == "partial":
            notes.append(f"{row.name}: {row.reason}")
    return ReadOptions(values=values, places=places, notes=tuple(notes))


def check_settings(function: MLFunction, given: Mapping[str, Any], where: Where | None = None) -> dict[str, Any]:
    """Check the settings of an ML function; names lower-case, defaults filled in, ignored ones left out.

    Raises
    ------
    UnsupportedError
        A setting is not built; the message says why.
    OptionError
        A setting is unknown, missing, of the wrong kind or out of bounds.
    """
    rows = _rows_by_name(function.settings)
    values = {row.name.lower(): row.default for row in function.settings if row.status == "supported"}
    seen = set()
    for name, value in given.items():
        row = rows.get(name.upper())
        if row is None:
            known = [setting.name for setting in function.settings if setting.status != "rejected"]
            hint = did_you_mean(name, known) or f"{function.name} has no settings"
            message = f"{function.name} has no setting {name}"
            raise OptionError(message, where=where, hint=hint, function=function.name, option=name)
        checked = _checked(row, value, where=where, owner=function.name)
        seen.add(row.name)
        if row.status == "supported":
            values[row.name.lower()] = checked
    for row in function.settings:
        if row.required and row.name not in seen:
            raise OptionError(
                f"{function.name} needs the setting {row.name}: {expected(row)}",
                where=where,
                function=function.name,
                option=row.name,
            )
    return values


def ignored_settings(function: MLFunction, given: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence for each setting that was given and is ignored."""
    rows = _rows_by_name(function.settings)
    found = (rows.get(name.upper()) for name in given)
    return tuple(f"{row.name}: {row.reason}" for row in found if row is not None and row.status == "partial")


def _model_type(options: Sequence[OptionValue], source: Source) -> ModelType:
    option = next((option for option in options if option.name.upper() == "MODEL_TYPE"), None)
    if option is None:
        raise OptionError(
            "MODEL_TYPE is missing",
            where=_where(source, source.line, source.column, 6),
            hint=f"add OPTIONS(MODEL_TYPE = '...') with one of {', '.join(supported_model_types())}",
            option="MODEL_TYPE",
        )
    where = at_value(option, source)
    if not isinstance(option.value, str):
        hint = f"one of {', '.join(supported_model_types())}"
        raise OptionError(
            f"MODEL_TYPE takes a string, not {show(option.value)}", where=where, hint=hint, option="MODEL_TYPE"
        )
    row = find_model_type(option.value)
    if row is None:
        hint = did_you_mean(option.value.upper(), MODEL_TYPES)
        raise OptionError(f"there is no MODEL_TYPE '{option.value}'", where=where, hint=hint, option="MODEL_TYPE")
    if row.status == "rejected":
        hint = f"model types that train here: {', '.join(supported_model_types())}"
        raise UnsupportedError(
            f"{row.name} is not supported. {row.reason}", where=where, hint=hint, model_type=row.name
        )
    return row


def _rows_by_name(rows: Sequence[Option]) -> dict[str, Option]:
    return {name.upper(): row for row in rows for name in (row.name, *row.aliases)}


def _unknown(option: OptionValue, model_type: ModelType, source: Source) -> OptionError:
    """The error: no such option of this type."""
    name = option.name.upper()
    known = [row.name for row in model_type.options if row.status != "rejected"]
    hint = did_you_mean(name, known)
    owners = [row.name for row in MODEL_TYPES.values() if name in _rows_by_name(row.options)]
    if owners and not hint.startswith("did you mean"):
        hint = f"it is an option of {', '.join(owners[:4])}" + (" and others" if len(owners) > 4 else "")
    return OptionError(
        f"{model_type.name} has no option {name}",
        where=at_name(option, source),
        hint=hint,
        option=name,
        model_type=model_type.name,
    )


def _checked(row: Option, value: Any, *, where: Where | None, owner: str = "") -> Any:
    """The value in its canonical form, or the error that says what it should be."""
    facts = {"option": row.name, **({"function": owner} if owner else {})}
    if isinstance(value, HparamSpace) and row.hparam:
        raise UnsupportedError(f"{row.name} with a search space is not supported. {NO_TUNING}", where=where, **facts)
    try:
        checked = read_value(row, value)
    except ValueRefused as refused:
        raise OptionError(refused.message, where=where, hint=refused.hint, **facts) from None
    if row.status == "rejected" and (row.default is None or checked != row.default):
        raise UnsupportedError(f"{row.name} is not supported. {row.reason}", where=where, **facts)
    return checked


def _check_one_label(values: Mapping[str, Any], places: Mapping[str, OptionValue], source: Source) -> None:
    labels = values.get("input_label_cols")
    if labels is None or len(labels) == 1:
        return
    where = at_value(places["input_label_cols"], source)
    message = f"INPUT_LABEL_COLS takes one column, not {len(labels)}"
    hint = "train one model for each label"
    raise OptionError(message, where=where, hint=hint, option="INPUT_LABEL_COLS")


def _check_rules(
    model_type: ModelType,
    values: Mapping[str, Any],
    given: frozenset[str],
    *,
    places: Mapping[str, OptionValue],
    source: Source,
) -> list[str]:
    """Raise for the first rule that is broken; return notes of those that only ignore something."""
    notes = []
    for rule in model_type.rules:
        if not rule.broken(values, given):
            continue
        if not rule.refuses:
            notes.append(rule.message)
            continue
        place = places.get(rule.option.lower())
        where = at_value(place, source) if place else _where(source, source.line, source.column, 6)
        raise OptionError(rule.message, where=where, hint=rule.hint, option=rule.option)
    return notes


def at_value(option: OptionValue, source: Source) -> Where:
    """Where the value of an option stands."""
    return _where(source, option.line, option.column, option.length)


def at_name(option: OptionValue, source: Source) -> Where:
    """Where the name of an option stands."""
    return _where(source, option.name_line, option.name_column, len(option.name))


def _where(source: Source, line: int, column: int, length: int) -> Where:
    """A place in a statement, with its line: blanks stand for what precedes the statement on its first line."""
    lines = source.text.splitlines()
    index = line - source.line
    text = lines[index] if 0 <= index < len(lines) else ""
    if index == 0:
        text = " " * (source.column - 1) + text
    return Where(file=source.file, line=line, column=column, length=max(1, length), text=text)
