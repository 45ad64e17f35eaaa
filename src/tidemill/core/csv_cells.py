"""Texts in CSV files for people: a spreadsheet takes some of them for formulas and would run them."""

from __future__ import annotations

import re

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV injection"), and what is only a number.
STARTS = "=+\\-@\t\r"
_FORMULA = re.compile(f"[{STARTS}]")
_NUMBER = re.compile(r"[+-][0-9 .,()/-]*")


def harmless(text: str) -> str:
    """A text with an apostrophe before it where a spreadsheet would take it for a formula; else as it is."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def harmless_sql(column: str) -> str:
    """The same as an SQL expression, for a column of text."""
    formula = f"regexp_matches({column}, '^[{STARTS}]') AND NOT regexp_full_match({column}, '{_NUMBER.pattern}')"
    return f"CASE WHEN {formula} THEN '''' || {column} ELSE {column} END"
