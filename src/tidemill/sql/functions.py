"""Every ML function BigQuery ML has, one row each, with an honest status; and the CLEAN functions beside them."""

from __future__ import annotations

from types import MappingProxyType

from tidemill.core.errors import BindError, UnsupportedError, Where
from tidemill.core.names import did_you_mean
from tidemill.sql.clean.rows import DATES, NUMBERS, TABLES, TEXTS
from tidemill.sql.clean.rows import GROUPS as CLEAN_IN_GROUPS
from tidemill.sql.functions_base import MLFunction
from tidemill.sql.functions_data import MONITORING, SEARCH, SERIES
from tidemill.sql.functions_generate import GENERATE
from tidemill.sql.functions_model import EXPLAIN, JUDGE, USE
from tidemill.sql.functions_preprocess import PREPROCESS

GROUPS = MappingProxyType(
    {
        "Judge a model": JUDGE,
        "Use a model": USE,
        "Explain a model": EXPLAIN,
        "Make features": PREPROCESS,
        "Statistics and monitoring": MONITORING,
        "Time series and drivers without a model": SERIES,
        "Search": SEARCH,
        "Generate": GENERATE,
    }
)
"""The rows by the headings of the reference page."""

ML_FUNCTIONS = MappingProxyType({row.name: row for rows in GROUPS.values() for row in rows})
"""The rows by their canonical upper-case name, ``ML.PREDICT``."""

CLEAN_GROUPS = MappingProxyType(
    {
        "Texts and categories": TEXTS,
        "Numbers": NUMBERS,
        "Dates and times": DATES,
        "Values beside others": CLEAN_IN_GROUPS,
        "Tables": TABLES,
    }
)
"""The rows of the CLEAN functions by the headings of their reference page."""

CLEAN_FUNCTIONS = MappingProxyType({row.name: row for rows in CLEAN_GROUPS.values() for row in rows})
"""The CLEAN functions by name."""

FUNCTIONS = MappingProxyType({**ML_FUNCTIONS, **CLEAN_FUNCTIONS})
"""All functions that are not the engine's."""


def find_function(name: str, *, where: Where | None = None) -> MLFunction:
    """The row of a function that may be called.

    Raises
    ------
    BindError
        There is no such function; the hint names the nearest.
    UnsupportedError
        BigQuery ML has it, Tidemill does not; the message says why.
    """
    row = FUNCTIONS.get(name.upper())
    if row is None:
        family = name.upper().partition(".")[0]
        near = [known for known in FUNCTIONS if known.startswith(family)] or list(FUNCTIONS)
        message = f"there is no function {name.upper()}"
        raise BindError(message, where=where, hint=did_you_mean(name.upper(), near), function=name.upper())
    if row.status == "rejected":
        message = f"{row.name} is not supported. {row.reason}"
        raise UnsupportedError(message, where=where, function=row.name)
    return row


def supported_table_functions() -> tuple[str, ...]:
    """The names of the table functions that run here."""
    return tuple(row.name for row in ML_FUNCTIONS.values() if row.kind == "table" and row.status != "rejected")
