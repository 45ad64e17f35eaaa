"""ML functions that make features: in a TRANSFORM clause, and most of them anywhere in a query.

In TRANSFORM the statistics of an analytic function are taken from the training rows and kept. In a query they are
taken from the rows of the query (`sql.scalars` writes them as window functions).
"""

from __future__ import annotations

from typing import Literal

from tidemill.sql.functions_base import MLFunction
from tidemill.sql.functions_model import SYNTAX

_NO_TEXT = (
    "Word counts are not built yet. In the duckdb dialect, string_split(text, ' ') with ML.NGRAMS makes terms, and "
    "ML.MULTI_HOT_ENCODER(terms) OVER() makes them features."
)
_NO_IMAGES = "Images are not read here. Make numbers of them in Python and load those as a table."


def _row(
    name: str,
    kind: Literal["scalar", "analytic"],
    arguments: tuple[int, int],
    *,
    doc: str,
    output: str,
    reason: str = "",
    page: str = "",
) -> MLFunction:
    return MLFunction(
        name=f"ML.{name}",
        kind=kind,
        doc=doc,
        url=f"{SYNTAX}-{page or name.lower().replace('_', '-')}",
        output=output,
        arguments=arguments,
        status="rejected" if reason else "supported",
        reason=reason,
    )


PREPROCESS = (
    _row(
        "BUCKETIZE",
        "scalar",
        (2, 4),
        doc="(x, [splits][, exclude_boundaries][, 'bucket_names' | 'bucket_ranges' | 'bucket_ranges_json']): the "
        "bucket of a number; buckets hold their lower bound.",
        output="STRING, bin_1 and up",
    ),
    _row(
        "QUANTILE_BUCKETIZE",
        "analytic",
        (2, 3),
        doc="(x, n[, output_format]) OVER(): n buckets of about as many rows each.",
        output="STRING, bin_1 and up",
    ),
    _row(
        "STANDARD_SCALER",
        "analytic",
        (1, 1),
        doc="(x) OVER(): less the mean, by the sample deviation.",
        output="FLOAT64",
    ),
    _row(
        "MIN_MAX_SCALER",
        "analytic",
        (1, 1),
        doc="(x) OVER(): from 0 at the least to 1 at the greatest value.",
        output="FLOAT64",
    ),
    _row(
        "MAX_ABS_SCALER",
        "analytic",
        (1, 1),
        doc="(x) OVER(): by the greatest absolute value.",
        output="FLOAT64",
    ),
    _row(
        "ROBUST_SCALER",
        "analytic",
        (1, 4),
        doc="(x[, [25, 75]][, with_median][, with_quantile_range]) OVER(): less the median, by the distance of two "
        "quantiles, all of them values that occur.",
        output="FLOAT64",
    ),
    _row("NORMALIZER", "scalar", (1, 2), doc="(array[, p]): by the p-norm, 2 without p.", output="ARRAY of FLOAT64"),
    _row(
        "IMPUTER",
        "analytic",
        (2, 2),
        doc="(x, 'mean' | 'median' | 'most_frequent') OVER(): a value in place of NULL.",
        output="FLOAT64, or STRING for strings",
    ),
    _row(
        "POLYNOMIAL_EXPAND",
        "scalar",
        (1, 2),
        doc="(STRUCT(up to 10 numbers)[, degree 1 to 4]): all products up to the degree, 2 without it.",
        output="STRUCT: f1, f1_f1, f1_f2, f2, f2_f2",
    ),
    _row(
        "FEATURE_CROSS",
        "scalar",
        (1, 2),
        doc="(STRUCT(up to 10 categories)[, degree 2 to 4]): all combinations up to the degree, 2 without it.",
        output="STRUCT of STRING: f1_f2 = 'a_b'",
    ),
    _row(
        "HASH_BUCKETIZE",
        "scalar",
        (2, 2),
        doc="(string, n): the farm fingerprint modulo n; 0 only hashes.",
        output="INT64",
    ),
    _row(
        "LABEL_ENCODER",
        "analytic",
        (1, 3),
        doc="(string[, top_k][, frequency_threshold]) OVER(): place in the alphabetical vocabulary, from 1; 0 for NULL "
        "and others.",
        output="INT64",
    ),
    _row(
        "ONE_HOT_ENCODER",
        "analytic",
        (1, 4),
        doc="(string[, 'none' | 'most_frequent'][, top_k][, frequency_threshold]) OVER(): one index into the "
        "vocabulary with value 1.",
        output="ARRAY of STRUCT(index, value)",
    ),
    _row(
        "MULTI_HOT_ENCODER",
        "analytic",
        (1, 3),
        doc="(array[, top_k][, frequency_threshold]) OVER(): an index into the vocabulary for each element.",
        output="ARRAY of STRUCT(index, value)",
    ),
    _row(
        "NGRAMS",
        "scalar",
        (2, 3),
        doc="(array, n or [low, high][, separator]): neighbouring terms put together.",
        output="ARRAY of STRING",
    ),
    _row(
        "BAG_OF_WORDS",
        "analytic",
        (1, 3),
        doc="(array[, top_k][, frequency_threshold]) OVER(): how often each term occurs.",
        output="ARRAY of STRUCT(index, value)",
        reason=_NO_TEXT,
    ),
    _row(
        "TF_IDF",
        "analytic",
        (1, 3),
        doc="(array[, top_k][, frequency_threshold]) OVER(): term frequency by inverse document frequency.",
        output="ARRAY of STRUCT(index, value)",
        reason=_NO_TEXT,
    ),
    _row(
        "DISTANCE",
        "scalar",
        (2, 3),
        doc="(vector, vector[, 'EUCLIDEAN' | 'MANHATTAN' | 'COSINE']): distance of two dense arrays of numbers.",
        output="FLOAT64",
    ),
    _row(
        "LP_NORM",
        "scalar",
        (2, 2),
        doc="(vector, p): the p-norm of a dense array of numbers.",
        output="FLOAT64",
    ),
    _row("DECODE_IMAGE", "scalar", (1, 1), doc="An image as an array.", output="STRUCT", reason=_NO_IMAGES),
    _row("RESIZE_IMAGE", "scalar", (3, 4), doc="Resizes an image.", output="STRUCT", reason=_NO_IMAGES),
    _row("CONVERT_COLOR_SPACE", "scalar", (2, 2), doc="Changes colours.", output="STRUCT", reason=_NO_IMAGES),
    _row("CONVERT_IMAGE_TYPE", "scalar", (1, 1), doc="To whole numbers.", output="STRUCT", reason=_NO_IMAGES),
)
