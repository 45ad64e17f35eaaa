"""What OPTIONS(...) of a table may say beyond constraints: one row for each thing that is checked against time or past.

``RULE_FAMILIES`` names what ``NOT_ENFORCED`` may list; `contracts.table_rules` checks them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tidemill.core.divergences import COUNT_MEASURES
from tidemill.core.durations import read_duration
from tidemill.model_types.base import Option

RULE_FAMILIES = ("FRESHNESS", "ROW_COUNT", "DRIFT", "OUTLIERS", "CLASS_SHARE", "COLUMNS")

CONTRACT_OPTIONS: tuple[Option, ...] = (
    Option(
        name="FRESHNESS_COLUMN",
        kind="str",
        doc="The column that says when a row came to be: a date or a time in UTC. Its newest value must be at most"
        " MAX_AGE old when the check runs.",
    ),
    Option(
        name="MAX_AGE", kind="str", doc="How old the newest row may be, such as '90 minutes', '36 hours', '2 days'."
    ),
    Option(
        name="MIN_ROW_COUNT_RATIO",
        kind="float",
        low=0,
        doc="The least number of rows, as a multiple of the versions before: 0.5 lets a table lose half its rows.",
    ),
    Option(
        name="MAX_ROW_COUNT_RATIO",
        kind="float",
        low=0,
        low_open=True,
        doc="The greatest number of rows, as a multiple of the versions before.",
    ),
    Option(
        name="ROW_COUNT_HISTORY",
        kind="int",
        default=1,
        low=1,
        high=1000,
        doc="How many versions the two ratios look back on: they compare with the median of their rows.",
    ),
    Option(
        name="MAX_DRIFT",
        kind="float",
        low=0,
        low_open=True,
        doc="How far a column may move from its distribution in the version before, by DRIFT_MEASURE. What chance alone"
        " explains at these numbers of rows never fails.",
    ),
    Option(
        name="DRIFT_MEASURE",
        kind="enum",
        choices=tuple(COUNT_MEASURES),
        default="PSI",
        doc="How two distributions are compared: PSI (0.1 is some change, 0.25 much), or a distance from 0 to 1.",
    ),
    Option(
        name="DRIFT_COLUMNS",
        kind="strings",
        doc="The columns that MAX_DRIFT is about. Left out: all but times and what looks like a key.",
    ),
    Option(
        name="MAX_OUTLIER_SHARE",
        kind="float",
        low=0,
        high=1,
        doc="The share of rows that may lie outside Tukey's outer fences, three times the quartiles' distance away.",
    ),
    Option(
        name="OUTLIER_COLUMNS",
        kind="strings",
        doc="The columns that MAX_OUTLIER_SHARE is about. Left out: all numbers, unless half of them are one value.",
    ),
    Option(name="CLASS_COLUMN", kind="str", doc="The column with the classes that MIN_CLASS_SHARE is about."),
    Option(
        name="MIN_CLASS_SHARE",
        kind="float",
        low=0,
        low_open=True,
        high=0.5,
        doc="The least share of rows that the rarest class may have. There must be two classes at least.",
    ),
    Option(
        name="EXACT_COLUMNS",
        kind="bool",
        default=False,
        doc="Whether the table has the columns of the column list, in its order, and no others.",
    ),
    Option(
        name="NOT_ENFORCED",
        kind="strings",
        doc=f"Which of these rules warn and do not stop: any of {', '.join(RULE_FAMILIES)}.",
    ),
)

TOGETHER = (
    ("freshness_column", "max_age"),
    ("max_age", "freshness_column"),
    ("min_class_share", "class_column"),
    ("class_column", "min_class_share"),
    ("drift_columns", "max_drift"),
    ("drift_measure", "max_drift"),
    ("outlier_columns", "max_outlier_share"),
)
"""Options that mean nothing without another one."""


Rule = tuple[str, Callable[[Mapping[str, Any], frozenset[str]], str], str]


def _together(option: str, other: str) -> Rule:
    def broken(_: Mapping[str, Any], given: frozenset[str]) -> str:
        return "" if other in given else f"{option.upper()} says nothing without {other.upper()}"

    return option, broken, f"add {other.upper()} = ..., or leave {option.upper()} out"


def broken_duration(values: Mapping[str, Any], _: frozenset[str]) -> str:
    """What is wrong with MAX_AGE, in words."""
    if read_duration(values["max_age"]) is None:
        return f"MAX_AGE takes a number and a unit, such as '36 hours', not '{values['max_age']}'"
    return ""


def broken_families(values: Mapping[str, Any], _: frozenset[str]) -> str:
    """What is wrong with NOT_ENFORCED, in words."""
    unknown = [name for name in values["not_enforced"] if name.upper() not in RULE_FAMILIES]
    return f"NOT_ENFORCED lists {unknown[0]}, which is no rule" if unknown else ""


def broken_ratios(values: Mapping[str, Any], given: frozenset[str]) -> str:
    """What is wrong with the two ratios of the row count, in words."""
    if {"min_row_count_ratio", "max_row_count_ratio"} <= given:
        low, high = values["min_row_count_ratio"], values["max_row_count_ratio"]
        if low > high:
            return f"MIN_ROW_COUNT_RATIO {low:g} is above MAX_ROW_COUNT_RATIO {high:g}"
    return ""


def broken_history(_: Mapping[str, Any], given: frozenset[str]) -> str:
    """ROW_COUNT_HISTORY needs a ratio."""
    has = given & {"min_row_count_ratio", "max_row_count_ratio"}
    return "" if has else "ROW_COUNT_HISTORY says nothing without MIN_ROW_COUNT_RATIO or MAX_ROW_COUNT_RATIO"


CONTRACT_RULES: tuple[Rule, ...] = (
    *(_together(option, other) for option, other in TOGETHER),
    ("max_age", broken_duration, "units are seconds, minutes, hours, days and weeks"),
    ("max_row_count_ratio", broken_ratios, "let the first be the smaller one"),
    ("row_count_history", broken_history, "add one of them"),
    ("not_enforced", broken_families, f"rules: {', '.join(RULE_FAMILIES)}"),
)
"""What must hold of the options together: the option that a message points at, what is wrong, and what to do."""
