"""How a file spells what its numbers are: words for "no value", and commas before a fraction.

A run takes cells as they are, and makes text of a column with such words. So these are options of the reader that a
drafted statement says, found by looking at all rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill.core.names import quote_name, quote_text
from tidemill.sources.files import first_row, rows

if TYPE_CHECKING:
    from tidemill.sources.files import Reader

# Spellings of "no value" that are never a category of their own ...
MISSING = ("NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "?")
# ... and those that are when the rest of the column is text, but not when it is numbers.
MISSING_NUMBER = (*MISSING, "None", "none", "-", "--", ".", "missing", "unknown", "empty")


def find_spellings(reader: Reader, relation: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Options of ``read_csv`` by which more columns are what they were meant to be, and a note on each."""
    texts = _text_columns(reader, relation)
    options: dict[str, Any] = {}
    notes: list[str] = []
    missing = _missing_words(reader, relation, texts)
    if missing:
        options["nullstr"] = ["", *sorted(missing)]
        said = ", ".join(f"{word} ({count:,} cell{'s' * (count > 1)})" for word, count in sorted(missing.items()))
        notes.append(f"written for a missing value in this file: {said}")
    if any(_has_decimal_commas(reader, relation, name) for name in texts):
        options["decimal_separator"] = ","
        notes.append("numbers are written with a decimal comma")
    return options, tuple(notes)


def _text_columns(reader: Reader, relation: str) -> list[str]:
    schema = reader.schema(f"SELECT * FROM {relation}")
    return [field.name for field in schema if str(field.type) in ("string", "large_string", "string_view")]


def _missing_words(reader: Reader, relation: str, names: list[str]) -> dict[str, int]:
    """The words the file uses for "no value", and how often; without them numbers stay numbers."""
    words: dict[str, int] = {}
    kept: set[str] = set()
    for name in names:
        found, are_values = _words_in(reader, relation, name)
        if are_values:
            kept |= found.keys()
            continue
        for word, count in found.items():
            words[word] = words.get(word, 0) + count
    return {word: count for word, count in words.items() if word not in kept}


def _words_in(reader: Reader, relation: str, name: str) -> tuple[dict[str, int], bool]:
    """The words of a column with how often they come, and whether they are values of it."""
    column = quote_name(name)
    listed = ", ".join(quote_text(word) for word in MISSING_NUMBER)
    counts = rows(
        reader, f"SELECT {column}, count(*) FROM {relation} WHERE {column} IN ({listed}) GROUP BY ALL ORDER BY ALL"
    )
    if not counts:
        return {}, False
    numbers, others, codes = first_row(
        reader,
        f"SELECT count(*) FILTER (TRY_CAST({column} AS DOUBLE) IS NOT NULL),"
        f" count(*) FILTER (TRY_CAST({column} AS DOUBLE) IS NULL AND trim({column}) <> ''),"
        f" count(*) FILTER (NOT regexp_full_match({column}, '[A-Z]{{2}}')) = 0"
        f" FROM {relation} WHERE {column} NOT IN ({listed})",
    )
    found = {str(word): int(count) for word, count in counts}
    if numbers > 0 and others <= 0.05 * numbers:
        return found, False
    missing = {word: count for word, count in found.items() if word in MISSING}
    # In a column of two-letter codes NA is Namibia.
    return missing, bool(codes) and set(missing) == {"NA"}


def _has_decimal_commas(reader: Reader, relation: str, name: str) -> bool:
    """Whether a column of text is numbers written 1,5; in 1,234 alone nothing tells a fraction from thousands."""
    column = quote_name(name)
    filled, commas, others, sure = first_row(
        reader,
        f"SELECT count({column}), count(*) FILTER (regexp_full_match({column}, '[+-]?\\d+,\\d+')),"
        f" count(*) FILTER (NOT regexp_full_match({column}, '[+-]?\\d+(,\\d+)?')),"
        f" count(*) FILTER (contains({column}, ',')"
        f" AND NOT regexp_full_match({column}, '[+-]?[1-9]\\d{{0,2}},\\d{{3}}'))"
        f" FROM {relation}",
    )
    return bool(sure and others == 0 and commas >= 0.5 * filled)
