"""A column of a text file: its type, and the SQL that makes values of its cells and stops where that loses something.

The engine's own reader rounds ``1.5`` to 2 in a column that it took for whole numbers, cuts the time off a timestamp
in a column of dates, drops the zeros of ``007`` and the last digit of ``9007199254740993`` beside fractions.
"""

from __future__ import annotations

from dataclasses import dataclass

from tidemill.core.names import quote_name, quote_text

GUARD = "found types"
EXACT_DOUBLE = 9_007_199_254_740_992  # 2 ** 53: whole numbers from here on are not all had as DOUBLE
DAY = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
CLOCK = r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
ZONE = r" ?(Z|z|[+-]\d{2}(:?\d{2})?)"
MONTH_OR_DAY = rf"\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{4}}( {CLOCK})?"

# Per kind: is a cell (the placeholder) of it? Each is a condition over text that is not empty.
KINDS: dict[str, str] = {
    # Not IN (...): the engine makes a join of a long list, and a join loses the order of the rows.
    "bool": "regexp_full_match({0}, '(?i)true|false|t|f|yes|no|y|n')",
    "whole": r"regexp_full_match({0}, '\s*[+-]?(0|[1-9]\d*)\s*')",
    "number": r"regexp_full_match({0}, '(?i)\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf|infinity)\s*')",
    "date": f"regexp_full_match({{0}}, '{DAY}') AND TRY_CAST({{0}} AS DATE) IS NOT NULL",
    "stamp": f"regexp_full_match({{0}}, '{DAY}([ T]{CLOCK})?') AND TRY_CAST({{0}} AS TIMESTAMP) IS NOT NULL",
    "zoned": f"regexp_full_match({{0}}, '{DAY}[ T]{CLOCK}{ZONE}') AND TRY_CAST({{0}} AS TIMESTAMPTZ) IS NOT NULL",
    "time": r"regexp_full_match({0}, '\d{1,2}:\d{2}:\d{2}(\.\d{1,6})?') AND TRY_CAST({0} AS TIME) IS NOT NULL",
    "short year": r"regexp_full_match({0}, '\d{1,2}[-/.]\d{1,2}[-/.]\d{2}')",
    "written": f"regexp_full_match({{0}}, '{MONTH_OR_DAY}')",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a file: its type, and how a cell's text becomes it.

    Parameters
    ----------
    form
        How a date is written, for strptime; '' for ISO 8601.
    declared
        Whether a person said the type: a cell that is none of it makes its row bad. A type that was found gives way.
    note
        What a person should know of the column.
    advice
        What to say instead when most cells are none of the declared type.
    decimal
        The character before the fraction in the texts that a declared number is made of.
    """

    name: str
    type: str = "VARCHAR"
    form: str = ""
    declared: bool = False
    note: str = ""
    advice: str = ""
    decimal: str = "."

    def as_text(self, *, guarded: bool) -> bool:
        """Whether the engine hands the cell over as text, to be turned into the type by `sql`."""
        if self.type == "VARCHAR":
            return False
        return bool(self.form) or self.declared or (guarded and self.type != "DOUBLE")

    def sql(self, *, guarded: bool) -> str:
        """The value, for a select list over the engine's reader; '' where the reader's own is right."""
        name = quote_name(self.name)
        stop = f"error({quote_text(self.stop())})"
        if self.type == "VARCHAR" or not (guarded or self.as_text(guarded=False)):
            return ""
        if self.type == "DOUBLE" and not self.declared:
            # Two comparisons cost a sixth of abs(): 1 ns a cell.
            return f"CASE WHEN {name} >= {EXACT_DOUBLE} OR {name} <= -{EXACT_DOUBLE} THEN {stop} ELSE {name} END"
        value = self.value(name)
        if not guarded:
            return value
        common = "" if self.declared else with_cell(_COMMON.get(self.type, ""), name)
        return f"CASE {common}WHEN {self.fits(name)} THEN {value} WHEN {name} IS NULL THEN NULL ELSE {stop} END"

    def stop(self) -> str:
        """What is said of a cell by which the type would lose something."""
        return f"{GUARD}: column {self.name} is {self.type} in the first rows, and a later value is not"

    def value(self, text: str) -> str:
        """The typed value of a text."""
        if self.form:
            return f"CAST(try_strptime({text}, {quote_text(self.form)}) AS {self.type})"
        return f"TRY_CAST({self._pointed(text)} AS {self.type})"

    def _pointed(self, text: str) -> str:
        is_number = self.type.startswith(_NUMBERS) and self.decimal != "."
        return f"replace({text}, {quote_text(self.decimal)}, '.')" if is_number else text

    def fits(self, text: str) -> str:
        """Whether a text is a value of the type and loses nothing by it."""
        value = self.value(text)
        if self.type.startswith("DECIMAL") and not self.declared:
            # The cast rounds what has more digits behind the point than the type.
            scale = int(self.type.rstrip(")").rpartition(",")[2])
            behind = f"length(rtrim(split_part({text}, '.', 2), '0 '))"
            return f"({value} IS NOT NULL AND {behind} <= {scale} AND NOT regexp_matches({text}, '[eE]'))"
        if self.form or self.type not in _LOSSLESS:
            return f"({value} IS NOT NULL)"
        told, said = _LOSSLESS[self.type]
        return f"({with_cell(said if self.declared else told, self._pointed(text), value)})"


_NUMBERS = (
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "BIGINT",
    "INTEGER",
    "SMALLINT",
    "TINYINT",
    "HUGEINT",
    "UBIGINT",
    "UINTEGER",
    "USMALLINT",
    "UTINYINT",
)
# For types whose casts round or cut: when a cell loses nothing, found (quick and strict) and declared (to the letter).
_WHOLE = (
    "CAST({1} AS VARCHAR) = {0}",
    "{1} IS NOT NULL AND (NOT regexp_matches({0}, '[.eE_x]') OR CAST({1} AS DOUBLE) = TRY_CAST({0} AS DOUBLE))",
)
# The engine makes infinity of 2e400: only the word is infinity.
_FINITE = "{1} IS NOT NULL AND (NOT isinf({1}) OR NOT regexp_matches({0}, '\\d'))"
_LOSSLESS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT"), _WHOLE),
    **dict.fromkeys(("UBIGINT", "UINTEGER", "USMALLINT", "UTINYINT"), _WHOLE),
    "BOOLEAN": (KINDS["bool"], "{1} IS NOT NULL"),
    **dict.fromkeys(("DOUBLE", "FLOAT"), (_FINITE, _FINITE)),
    "DATE": (
        "length({0}) BETWEEN 8 AND 10 AND {1} IS NOT NULL",
        "{1} IS NOT NULL AND {1} = TRY_CAST({0} AS TIMESTAMP)",
    ),
    "TIMESTAMP": (
        "(length({0}) = 19 AND {0}[17] = ':' OR length({0}) = 10 OR " + KINDS["stamp"] + ") AND {1} IS NOT NULL",
        "{1} IS NOT NULL AND NOT regexp_full_match({0}, '.*:\\d{2}(\\.\\d*)?" + ZONE + "')",
    ),
    "TIME": ("length({0}) BETWEEN 7 AND 15 AND {1} IS NOT NULL", "{1} IS NOT NULL"),
}
# Cells that most columns of the type have, told by comparing: a pattern and a cast cost eight times as much.
_COMMON = {"BOOLEAN": "WHEN {0} = 'true' THEN TRUE WHEN {0} = 'false' THEN FALSE "}


def with_cell(condition: str, text: str, value: str = "") -> str:
    """A condition over a cell's text and its value, with both put in."""
    return condition.replace("{0}", text).replace("{1}", value)
