"""OPTIONS(...) of CREATE TABLE: one row for each thing that can be said, checked like the options of a model.

The rows in `TABLE_OPTIONS` are ours; those in `STORAGE_OPTIONS` are BigQuery's, which are read so that its statements
run, and change nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.core.errors import OptionError
from tidemill.core.names import did_you_mean
from tidemill.model_types.base import Option
from tidemill.sql.column_options import column_notes
from tidemill.sql.contract_options import CONTRACT_OPTIONS, CONTRACT_RULES
from tidemill.sql.options import ReadOptions, at_name, at_value, read_options
from tidemill.sql.statements import CreateTable

INTERVAL = re.compile(r"\d+(\.\d+)?\s*(second|minute|hour|day|week|month|year)s?", re.IGNORECASE)
"""An interval in words, as LOOKBACK takes it."""

TABLE_OPTIONS: tuple[Option, ...] = (
    Option(name="DESCRIPTION", kind="str", doc="What the table is. Changing it rebuilds nothing."),
    Option(name="FRIENDLY_NAME", kind="str", doc="A title for people. Changing it rebuilds nothing."),
    Option(name="LABELS", kind="any", doc="Pairs of words, as BigQuery has them. Changing them rebuilds nothing."),
    Option(
        name="INCREMENTAL_BY",
        kind="str",
        doc="The column that grows with what is new: a run takes in only rows from its greatest value on, or new "
        "files of a set. 'filename' where only the files tell. See how-to/load-incrementally.md.",
    ),
    Option(
        name="UNIQUE_KEY",
        kind="strings",
        doc="Columns that name a row of an incremental table: a row that comes again takes the place of the old one. "
        "Without it rows are only added.",
    ),
    Option(
        name="LOOKBACK",
        kind="any",
        doc="How far behind the greatest value rows are read again, for those that come late: '3 days', or a number.",
    ),
    Option(
        name="DELETED_WHEN",
        kind="str",
        doc="A condition on a row of the query: where it holds, the row with that UNIQUE_KEY goes.",
    ),
    Option(
        name="ON_SCHEMA_CHANGE",
        kind="enum",
        default="FAIL",
        choices=("FAIL", "ADD_COLUMNS"),
        doc="What to do when the query has other columns than the table: FAIL, or ADD_COLUMNS, which are NULL in the "
        "rows from before.",
    ),
    *CONTRACT_OPTIONS,
    Option(
        name="MAX_BAD_ROWS",
        kind="int",
        default=0,
        low=0,
        high=1_000_000,
        doc="How many rows of the files it reads may be bad: they are kept apart in tidemill.rejects. With more, the"
        " old version stays.",
    ),
)

_ENGINE = "tables are kept as Parquet files, whose storage Tidemill decides"

STORAGE_OPTIONS: tuple[Option, ...] = tuple(
    Option(name=name, kind="any", status="partial", reason=f"ignored: {_ENGINE}")
    for name in (
        *("EXPIRATION_TIMESTAMP", "PARTITION_EXPIRATION_DAYS", "REQUIRE_PARTITION_FILTER", "KMS_KEY_NAME"),
        *("DEFAULT_ROUNDING_MODE", "ENABLE_CHANGE_HISTORY", "MAX_STALENESS", "ENABLE_FINE_GRAINED_MUTATIONS"),
        *("STORAGE_URI", "FILE_FORMAT", "TABLE_FORMAT", "TAGS"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRule:
    """Something the options of a table must hold together, or with the rest of the statement.

    Parameters
    ----------
    option
        The option the message points at, lower-case.
    broken
        What is wrong, in words; empty when nothing is. Called with the statement and the checked values.
    """

    option: str
    broken: Callable[[CreateTable, Mapping[str, Any]], str]
    hint: str = ""


def _of_contract(option: str, broken: Callable[[Mapping[str, Any], frozenset[str]], str], hint: str) -> TableRule:
    def told(statement: CreateTable, values: Mapping[str, Any]) -> str:
        return broken(values, frozenset(part.name.lower() for part in statement.options))

    return TableRule(option=option, broken=told, hint=hint)


def _needs(name: str) -> Callable[[CreateTable, Mapping[str, Any]], str]:
    def broken(_: CreateTable, values: Mapping[str, Any]) -> str:
        return "" if values.get(name) else f"it says nothing without {name.upper()}"

    return broken


def _bad_lookback(_: CreateTable, values: Mapping[str, Any]) -> str:
    value = values["lookback"]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return "LOOKBACK takes an interval in words or a number"
    if isinstance(value, str):
        return "" if INTERVAL.fullmatch(value.strip()) else f"LOOKBACK does not take '{value}'"
    return "LOOKBACK is less than 0" if value < 0 else ""


_BY = "add incremental_by = 'column'"

TABLE_RULES: tuple[TableRule, ...] = (
    TableRule(
        option="unique_key", broken=_needs("incremental_by"), hint=f"{_BY}, or write PRIMARY KEY to have a check"
    ),
    TableRule(option="lookback", broken=_needs("incremental_by"), hint=_BY),
    TableRule(option="lookback", broken=_bad_lookback, hint="write '3 days', '12 hours' or a number"),
    TableRule(option="deleted_when", broken=_needs("incremental_by"), hint=_BY),
    TableRule(option="deleted_when", broken=_needs("unique_key"), hint="add unique_key = ['column']"),
    TableRule(option="on_schema_change", broken=_needs("incremental_by"), hint=_BY),
    *(_of_contract(*rule) for rule in CONTRACT_RULES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """The options of a table, checked.

    Parameters
    ----------
    values
        By lower-case name, defaults filled in.
    given
        Lower-case names of those that were given.
    notes
        A sentence for each that is read and ignored.
    """

    values: Mapping[str, Any]
    given: frozenset[str]
    notes: tuple[str, ...] = ()


def check_table_options(statement: CreateTable) -> TableOptions:
    """Check the OPTIONS of a CREATE TABLE.

    Raises
    ------
    OptionError
        An option is unknown, given twice, of the wrong kind, out of bounds or contradicts another.
    BindError
        DELETED_WHEN is not a condition on a row.
    """

    def unknown(option: Any) -> OptionError:
        name = option.name.upper()
        hint = did_you_mean(name, [row.name for row in (*TABLE_OPTIONS, *STORAGE_OPTIONS)])
        return OptionError(f"a table has no option {name}", where=at_name(option, statement.source), hint=hint,
                           option=name)  # fmt: skip

    rows = (*TABLE_OPTIONS, *STORAGE_OPTIONS)
    read = read_options(rows, statement.options, source=statement.source, unknown=unknown)
    _check_rules(statement, read)
    _check_condition(statement, read)
    _, told = column_notes(statement.columns, statement.source)
    return TableOptions(values=read.values, given=frozenset(read.places), notes=(*read.notes, *told))


def _check_condition(statement: CreateTable, read: ReadOptions) -> None:
    from tidemill.sql.row_condition import engine_condition

    condition = read.values.get("deleted_when")
    if condition:
        where = at_value(read.places["deleted_when"], statement.source)
        engine_condition(condition, statement.source.dialect, "duckdb", where=where)


def _check_rules(statement: CreateTable, read: ReadOptions) -> None:
    for rule in TABLE_RULES:
        message = rule.broken(statement, read.values) if rule.option in read.places else ""
        if message:
            where = at_value(read.places[rule.option], statement.source)
            raise OptionError(message, where=where, hint=rule.hint, option=rule.option.upper())
