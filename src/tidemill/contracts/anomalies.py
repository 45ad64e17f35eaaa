"""The anomalies of TensorFlow Data Validation, and how to say that they must not happen: a row for each.

References
----------
.. [1] https://github.com/tensorflow/metadata/blob/master/tensorflow_metadata/proto/v0/anomalies.proto
"""

from __future__ import annotations

from tidemill.contracts.ways import MOVED, NORMAL, SKEWED, WORDS, Way


def _tfdv(names: str, clause: str, holds: str, breaks: str, **more: str | bool) -> Way:
    values = {"columns": "a", **more}
    return Way(names=tuple(names.split()), clause=clause, holds=holds, breaks=breaks, **values)  # type: ignore[arg-type]


def _moot(names: str, note: str) -> Way:
    return Way(names=tuple(names.split()), note=note)


TFDV: tuple[Way, ...] = (
    _tfdv("BOOL_TYPE_BIG_INT BOOL_TYPE_SMALL_INT BOOL_TYPE_UNEXPECTED_FLOAT", "CHECK (a IN (0, 1))", "(0), (1)", "(2)"),
    _tfdv(
        "BOOL_TYPE_BYTES_NOT_INT BOOL_TYPE_BYTES_NOT_STRING BOOL_TYPE_FLOAT_NOT_INT BOOL_TYPE_FLOAT_NOT_STRING"
        " BOOL_TYPE_INT_NOT_STRING BOOL_TYPE_STRING_NOT_INT BOOL_TYPE_UNEXPECTED_STRING",
        "a BOOLEAN",
        "('true'), ('f')",
        "('true'), ('perhaps')",
        stops=True,
    ),
    _tfdv("ENUM_TYPE_UNEXPECTED_STRING_VALUES", "CHECK (a IN ('x', 'y'))", "('x')", "('x'), ('z')"),
    _tfdv(
        "ENUM_TYPE_BYTES_NOT_STRING ENUM_TYPE_FLOAT_NOT_STRING ENUM_TYPE_INT_NOT_STRING INT_TYPE_NOT_STRING"
        " INT_TYPE_STRING_EXPECTED FLOAT_TYPE_NON_STRING STRING_TYPE_NOW_FLOAT STRING_TYPE_NOW_INT",
        "CHECK (typeof(a) = 'VARCHAR')",
        "('x')",
        "(1)",
    ),
    _moot("ENUM_TYPE_INVALID_UTF8", "texts are UTF-8 or the file is refused, with the line"),
    _tfdv(
        "INT_TYPE_INT_EXPECTED INT_TYPE_NOT_INT_STRING INT_TYPE_UNKNOWN_TYPE_NUMBER UNEXPECTED_DATA_TYPE"
        " DOMAIN_INVALID_FOR_TYPE",
        "a BIGINT",
        "('1'), ('2')",
        "('1'), ('x')",
        stops=True,
    ),
    _tfdv(
        "INT_TYPE_BIG_INT INT_TYPE_SMALL_INT FLOAT_TYPE_BIG_FLOAT FLOAT_TYPE_SMALL_FLOAT",
        "CHECK (a BETWEEN 0 AND 9)",
        "(0), (9)",
        "(10)",
    ),
    _tfdv(
        "FLOAT_TYPE_NOT_FLOAT FLOAT_TYPE_STRING_NOT_FLOAT FLOAT_TYPE_UNKNOWN_TYPE_NUMBER",
        "a DOUBLE",
        "('1.5')",
        "('1,5')",
        stops=True,
    ),
    _tfdv("FLOAT_TYPE_HAS_NAN", "CHECK (NOT isnan(a))", "(1.5::DOUBLE), (NULL)", "(1.5), ('nan'::DOUBLE)"),
    _tfdv("FLOAT_TYPE_HAS_INF", "CHECK (NOT isinf(a))", "(1.5::DOUBLE)", "(1.5), ('-inf'::DOUBLE)"),
    _tfdv(
        "FEATURE_TYPE_HIGH_NUMBER_VALUES FEATURE_TYPE_LOW_NUMBER_VALUES",
        "CHECK (len(a) BETWEEN 1 AND 2)",
        "([1, 2])",
        "([1, 2, 3])",
    ),
    _tfdv("FEATURE_TYPE_NO_VALUES", "CHECK (len(a) > 0)", "([1])", "([1]), ([])"),
    _tfdv(
        "FEATURE_TYPE_UNEXPECTED_REPEATED VALUE_NESTEDNESS_MISMATCH", "CHECK (typeof(a) NOT LIKE '%[]')", "(1)", "([1])"
    ),
    _tfdv("FEATURE_TYPE_LOW_FRACTION_PRESENT", "CHECK (count(a) >= 0.9 * count(*))", "(1)", "(1), (NULL)"),
    _tfdv("FEATURE_TYPE_LOW_NUMBER_PRESENT", "CHECK (count(a) >= 2)", "(1), (2)", "(1), (NULL)"),
    _tfdv("FEATURE_TYPE_NOT_PRESENT", "CHECK (count(a) > 0)", "(1)", "SELECT NULL::INTEGER AS a"),
    _tfdv(
        "FEATURE_TYPE_HIGH_UNIQUE FEATURE_TYPE_LOW_UNIQUE",
        "CHECK (count(DISTINCT a) BETWEEN 2 AND 3)",
        "(1), (2)",
        "(1), (1)",
    ),
    _tfdv("SCHEMA_MISSING_COLUMN", "a", "(1)", "SELECT 1 AS b", stops=True),
    _tfdv("SCHEMA_NEW_COLUMN", "a", "(1)", "SELECT 1 AS a, 2 AS b", options="exact_columns = TRUE"),
    _tfdv(
        "SCHEMA_TRAINING_SERVING_SKEW COMPARATOR_L_INFTY_HIGH",
        "",
        WORDS,
        SKEWED,
        before=WORDS,
        options="max_drift = 0.1, drift_measure = 'L_INFINITY', drift_columns = ['a']",
        note="a version holds its own features and answers golden rows again: serving cannot differ from training",
    ),
    _tfdv(
        "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
        "",
        NORMAL,
        MOVED,
        before=NORMAL,
        options="max_drift = 0.1, drift_measure = 'JENSEN_SHANNON', drift_columns = ['a']",
        note="the distance: the root of the divergence, to base 2",
    ),
    _tfdv(
        "COMPARATOR_LOW_NUM_EXAMPLES",
        "",
        "(1), (2)",
        "(1)",
        before="(1), (2), (3)",
        options="min_row_count_ratio = 0.5",
    ),
    _tfdv(
        "COMPARATOR_HIGH_NUM_EXAMPLES", "", "(1), (2)", "(1), (2), (3)", before="(1)", options="max_row_count_ratio = 2"
    ),
    _tfdv("DATASET_LOW_NUM_EXAMPLES DATASET_HIGH_NUM_EXAMPLES", "CHECK (count(*) BETWEEN 2 AND 3)", "(1), (2)", "(1)"),
    _tfdv(
        "NO_DATA_IN_SPAN COMPARATOR_TREATMENT_DATA_MISSING", "CHECK (count(*) > 0)", "(1)", "SELECT 1 AS a WHERE false"
    ),
    _tfdv(
        "SPARSE_FEATURE_MISSING_VALUE SPARSE_FEATURE_MISSING_INDEX WEIGHTED_FEATURE_MISSING_VALUE"
        " WEIGHTED_FEATURE_MISSING_WEIGHT",
        "CHECK ((a IS NULL) = (b IS NULL))",
        "(1, 2), (NULL, NULL)",
        "(1, NULL)",
        columns="a, b",
    ),
    _tfdv(
        "SPARSE_FEATURE_LENGTH_MISMATCH WEIGHTED_FEATURE_LENGTH_MISMATCH",
        "CHECK (len(a) = len(b))",
        "([1], [2])",
        "([1], [2, 3])",
        columns="a, b",
    ),
    _moot("COMPARATOR_CONTROL_DATA_MISSING", "the first version has nothing to be compared with, and passes"),
    _moot("SPARSE_FEATURE_NAME_COLLISION WEIGHTED_FEATURE_NAME_COLLISION", "two columns of one name are refused"),
    _moot("FEATURE_TYPE_NO_UNIQUE", "columns of every type can be counted"),
    _moot(
        "FEATURE_MISSING_NAME FEATURE_MISSING_TYPE INVALID_SCHEMA_SPECIFICATION SEMANTIC_DOMAIN_UPDATE",
        "a statement that is wrong is refused, at its place",
    ),
    _moot("LOW_SUPPORTED_IMAGE_FRACTION", "tables hold no images"),
)
