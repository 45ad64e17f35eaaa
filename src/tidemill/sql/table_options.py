"""OPTIONS(...) of CREATE TABLE: one row for each thing that can be said, checked like the options of a model.

The rows in `TABLE_OPTIONS` are ours; those in `STORAGE_OPTIONS` are BigQuery's, which are read so that its statements
run, and change nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.core.errors import OptionError
from tidemill.core.names import did_you_mean
from tidemill.model_types.base import Option
from tidemill.sql.contract_options import CONTRACT_OPTIONS, CONTRACT_RULES
from tidemill.sql.options import ReadOptions, at_name, at_value, read_options
from tidemill.sql.statements import CreateTable

TABLE_OPTIONS: tuple[Option, ...] = (
    Option(name="DESCRIPTION", kind="str", doc="What the table is. Changing it rebuilds nothing."),
    Option(name="FRIENDLY_NAME", kind="str", doc="A title for people. Changing it rebuilds nothing."),
    Option(name="LABELS", kind="any", doc="Pairs of words, as BigQuery has them. Changing them rebuilds nothing."),
    *CONTRACT_OPTIONS,
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


TABLE_RULES: tuple[TableRule, ...] = tuple(_of_contract(*rule) for rule in CONTRACT_RULES)


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
    """

    def unknown(option: Any) -> OptionError:
        name = option.name.upper()
        hint = did_you_mean(name, [row.name for row in (*TABLE_OPTIONS, *STORAGE_OPTIONS)])
        return OptionError(f"a table has no option {name}", where=at_name(option, statement.source), hint=hint,
                           option=name)  # fmt: skip

    rows = (*TABLE_OPTIONS, *STORAGE_OPTIONS)
    read = read_options(rows, statement.options, source=statement.source, unknown=unknown)
    _check_rules(statement, read)
    return TableOptions(values=read.values, given=frozenset(read.places), notes=read.notes)


def _check_rules(statement: CreateTable, read: ReadOptions) -> None:
    for rule in TABLE_RULES:
        message = rule.broken(statement, read.values) if rule.option in read.places else ""
        if message:
            where = at_value(read.places[rule.option], statement.source)
            raise OptionError(message, where=where, hint=rule.hint, option=rule.option.upper())
