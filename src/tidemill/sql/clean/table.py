"""The CLEAN functions by name, and what writes each."""

from __future__ import annotations

from types import MappingProxyType

from tidemill.sql.clean.dates import clean_date, clean_time, clean_timestamp, clean_year
from tidemill.sql.clean.groups import clean_fill, clean_is_outlier, clean_majority, clean_rare
from tidemill.sql.clean.numbers import clean_decimal, clean_integer, clean_number
from tidemill.sql.clean.texts import clean_boolean, clean_category, clean_fold, clean_nulls, clean_text

CLEAN_BUILDERS = MappingProxyType(
    {
        "CLEAN.TEXT": clean_text,
        "CLEAN.NULLS": clean_nulls,
        "CLEAN.FOLD": clean_fold,
        "CLEAN.CATEGORY": clean_category,
        "CLEAN.BOOLEAN": clean_boolean,
        "CLEAN.NUMBER": clean_number,
        "CLEAN.INTEGER": clean_integer,
        "CLEAN.DECIMAL": clean_decimal,
        "CLEAN.DATE": clean_date,
        "CLEAN.TIMESTAMP": clean_timestamp,
        "CLEAN.TIME": clean_time,
        "CLEAN.YEAR": clean_year,
        "CLEAN.FILL": clean_fill,
        "CLEAN.MAJORITY": clean_majority,
        "CLEAN.RARE": clean_rare,
        "CLEAN.IS_OUTLIER": clean_is_outlier,
    }
)
"""One builder for each scalar and analytic CLEAN function."""
