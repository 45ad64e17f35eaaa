"""The core expectations of Great Expectations, and how to say them: a row for each.

References
----------
.. [1] https://greatexpectations.io/expectations/
"""

from __future__ import annotations

from tidemill.contracts.ways import MOVED, NORMAL, SKEWED, WORDS, Way


def _gx(name: str, clause: str, holds: str, breaks: str, *, columns: str = "a", note: str = "") -> Way:
    return Way(names=(name,), clause=clause, holds=holds, breaks=breaks, columns=columns, note=note)


_JSON_SCHEMA = "CHECK (json_type(a, '$.id') = 'UBIGINT' AND json_exists(a, '$.name'))"
GREAT_EXPECTATIONS: tuple[Way, ...] = (
    _gx(
        "expect_column_distinct_values_to_be_in_set", "CHECK (a IN ('x', 'y'))", "('x'), ('x'), (NULL)", "('x'), ('z')"
    ),
    _gx(
        "expect_column_distinct_values_to_contain_set",
        "CHECK (list_has_all(list(DISTINCT a), ['x', 'y']))",
        "('x'), ('y'), ('z')",
        "('x'), ('z')",
    ),
    _gx(
        "expect_column_distinct_values_to_equal_set",
        "CHECK (list_sort(list(DISTINCT a)) = ['x', 'y'])",
        "('y'), ('x'), ('y')",
        "('x'), ('y'), ('z')",
    ),
    Way(
        names=("expect_column_kl_divergence_to_be_less_than",),
        options="max_drift = 0.2, drift_columns = ['a']",
        before=WORDS,
        holds=WORDS,
        breaks=SKEWED,
        note="against the version before; PSI is the divergence taken both ways, JENSEN_SHANNON its bounded form",
    ),
    _gx("expect_column_max_to_be_between", "CHECK (max(a) BETWEEN 5 AND 10)", "(1), (7)", "(1), (3)"),
    _gx("expect_column_mean_to_be_between", "CHECK (avg(a) BETWEEN 1 AND 3)", "(1), (3)", "(3), (9)"),
    _gx("expect_column_median_to_be_between", "CHECK (median(a) BETWEEN 2 AND 3)", "(1), (2), (99)", "(1), (9), (9)"),
    _gx("expect_column_min_to_be_between", "CHECK (min(a) BETWEEN 0 AND 1)", "(1), (7)", "(3), (7)"),
    _gx(
        "expect_column_most_common_value_to_be_in_set",
        "CHECK (mode(a) IN ('x', 'y'))",
        "('x'), ('x'), ('z')",
        "('x'), ('z'), ('z')",
    ),
    _gx(
        "expect_column_pair_values_a_to_be_greater_than_b",
        "CHECK (a > b)",
        "(2, 1), (3, NULL)",
        "(2, 1), (1, 2)",
        columns="a, b",
    ),
    _gx(
        "expect_column_pair_values_to_be_equal",
        "CHECK (a IS NOT DISTINCT FROM b)",
        "(1, 1), (NULL, NULL)",
        "(1, 2)",
        columns="a, b",
    ),
    _gx(
        "expect_column_pair_values_to_be_in_set",
        "CHECK ((a, b) IN ((1, 'x'), (2, 'y')))",
        "(1, 'x'), (2, 'y')",
        "(1, 'y')",
        columns="a, b",
    ),
    _gx(
        "expect_column_proportion_of_non_null_values_to_be_between",
        "CHECK (count(a) / count(*) BETWEEN 0.5 AND 1)",
        "(1), (NULL)",
        "(1), (NULL), (NULL)",
    ),
    _gx(
        "expect_column_proportion_of_unique_values_to_be_between",
        "CHECK (count(DISTINCT a) / count(a) >= 0.5)",
        "(1), (1), (2)",
        "(1), (1), (1)",
    ),
    _gx(
        "expect_column_quantile_values_to_be_between",
        "CHECK (quantile_cont(a, 0.25) >= 1 AND quantile_cont(a, 0.75) <= 4)",
        "(1), (2), (3), (4)",
        "(1), (2), (30), (40)",
    ),
    _gx("expect_column_stdev_to_be_between", "CHECK (stddev_samp(a) BETWEEN 0.5 AND 2)", "(1), (2), (3)", "(1), (99)"),
    _gx("expect_column_sum_to_be_between", "CHECK (sum(a) BETWEEN 0 AND 10)", "(1), (7)", "(5), (7)"),
    Way(
        names=("expect_column_to_exist",),
        clause="a",
        columns="b",
        holds="SELECT 1 AS a",
        breaks="(1)",
        stops=True,
        note="a column list names columns that must be there; it need not name all",
    ),
    _gx(
        "expect_column_unique_value_count_to_be_between",
        "CHECK (count(DISTINCT a) BETWEEN 2 AND 3)",
        "(1), (2), (2)",
        "(1), (1)",
    ),
    _gx("expect_column_value_lengths_to_be_between", "CHECK (length(a) BETWEEN 1 AND 3)", "('x'), ('xyz')", "('xyzw')"),
    _gx("expect_column_value_lengths_to_equal", "CHECK (length(a) = 2)", "('xy')", "('x')"),
    _gx(
        "expect_column_value_z_scores_to_be_less_than",
        "CHECK (abs(a - avg(a) OVER ()) < 3 * stddev_samp(a) OVER ())",
        "SELECT i::DOUBLE AS a FROM range(20) AS r (i)",
        "SELECT CASE WHEN i = 7 THEN 1000 ELSE i % 3 END::DOUBLE AS a FROM range(20) AS r (i)",
        note="OPTIONS (max_outlier_share = ...) uses quartiles, which outliers themselves do not move",
    ),
    _gx("expect_column_values_to_be_between", "CHECK (a BETWEEN 0 AND 10)", "(0), (10), (NULL)", "(0), (11)"),
    _gx(
        "expect_column_values_to_be_dateutil_parseable",
        "CHECK (a IS NULL OR TRY_CAST(a AS TIMESTAMP) IS NOT NULL)",
        "('2026-01-31'), ('2026-01-31 12:30:00'), (NULL)",
        "('2026-01-31'), ('31st of May')",
    ),
    _gx(
        "expect_column_values_to_be_decreasing",
        "CHECK (a < lag(a) OVER (ORDER BY id))",
        "(1, 9), (2, 8)",
        "(1, 9), (2, 10)",
        columns="id, a",
    ),
    _gx(
        "expect_column_values_to_be_increasing",
        "CHECK (a > lag(a) OVER (ORDER BY id))",
        "(1, 8), (2, 9)",
        "(1, 9), (2, 9)",
        columns="id, a",
    ),
    _gx("expect_column_values_to_be_in_set", "CHECK (a IN (1, 2))", "(1), (2), (NULL)", "(3)"),
    _gx(
        "expect_column_values_to_be_in_type_list",
        "CHECK (typeof(a) IN ('INTEGER', 'BIGINT'))",
        "(1)",
        "('x')",
        note="or give the column a type in the column list: values are converted to it, and what is none stops the run",
    ),
    _gx(
        "expect_column_values_to_be_json_parseable",
        "CHECK (json_valid(a))",
        "('{\"id\": 1}'), (NULL)",
        "('{\"id\": 1}'), ('{id')",
    ),
    _gx("expect_column_values_to_be_null", "CHECK (a IS NULL)", "SELECT NULL::INTEGER AS a", "(1)"),
    Way(
        names=("expect_column_values_to_be_of_type",),
        clause="a INTEGER",
        holds="(1), ('2')",
        breaks="('2'), ('two')",
        stops=True,
    ),
    _gx("expect_column_values_to_be_unique", "a UNIQUE", "(1), (2), (NULL), (NULL)", "(1), (1)"),
    _gx(
        "expect_column_values_to_match_json_schema",
        _JSON_SCHEMA,
        """('{"id": 1, "name": "x"}')""",
        """('{"id": "1", "name": "x"}'), ('{"id": 1}')""",
        note="each thing that the schema says is a condition",
    ),
    _gx("expect_column_values_to_match_like_pattern", "CHECK (a LIKE 'x%')", "('xy'), (NULL)", "('y')"),
    _gx(
        "expect_column_values_to_match_like_pattern_list",
        "CHECK (a LIKE 'x%' OR a LIKE '%z')",
        "('xy'), ('yz')",
        "('y')",
    ),
    _gx(
        "expect_column_values_to_match_regex",
        "CHECK (regexp_matches(a, '^[a-z]{2}[0-9]+$'))",
        "('ab12')",
        "('ab12'), ('12')",
    ),
    _gx(
        "expect_column_values_to_match_regex_list",
        "CHECK (regexp_matches(a, '^[a-z]+$') OR regexp_matches(a, '^[0-9]+$'))",
        "('ab'), ('12')",
        "('ab'), ('a1')",
    ),
    _gx(
        "expect_column_values_to_match_strftime_format",
        "CHECK (a IS NULL OR try_strptime(a, '%Y-%m-%d') IS NOT NULL)",
        "('2026-01-31'), (NULL)",
        "('31.1.2026')",
    ),
    _gx("expect_column_values_to_not_be_in_set", "CHECK (a NOT IN ('x', 'y'))", "('z'), (NULL)", "('x')"),
    _gx("expect_column_values_to_not_be_null", "a NOT NULL", "(1)", "(1), (NULL)"),
    _gx("expect_column_values_to_not_match_like_pattern", "CHECK (a NOT LIKE 'x%')", "('y'), (NULL)", "('xy')"),
    _gx(
        "expect_column_values_to_not_match_like_pattern_list",
        "CHECK (a NOT LIKE 'x%' AND a NOT LIKE '%z')",
        "('y')",
        "('yz')",
    ),
    _gx("expect_column_values_to_not_match_regex", "CHECK (NOT regexp_matches(a, '[0-9]'))", "('ab')", "('a1')"),
    _gx(
        "expect_column_values_to_not_match_regex_list",
        "CHECK (NOT regexp_matches(a, '[0-9]') AND NOT regexp_matches(a, ' '))",
        "('ab')",
        "('a b')",
    ),
    _gx("expect_compound_columns_to_be_unique", "UNIQUE (a, b)", "(1, 1), (1, 2)", "(1, 1), (1, 1)", columns="a, b"),
    _gx("expect_multicolumn_sum_to_equal", "CHECK (a + b = 10)", "(3, 7)", "(3, 8)", columns="a, b"),
    _gx("expect_multicolumn_values_to_be_unique", "UNIQUE (a, b)", "(1, 1), (1, 2)", "(1, 1), (1, 1)", columns="a, b"),
    _gx(
        "expect_select_column_values_to_be_unique_within_record",
        "CHECK (a <> b AND b <> c AND a <> c)",
        "(1, 2, 3)",
        "(1, 2, 1)",
        columns="a, b, c",
    ),
    Way(
        names=("expect_table_column_count_to_be_between", "expect_table_column_count_to_equal"),
        clause="CHECK (len(json_keys(to_json(t))) BETWEEN 1 AND 2)",
        holds="(1, 2)",
        breaks="SELECT 1 AS a, 2 AS b, 3 AS c",
        columns="a, b",
        note="t is the table's name: a row of it; EXACT_COLUMNS says it with the names",
    ),
    Way(
        names=("expect_table_columns_to_match_ordered_list",),
        clause="a, b",
        options="exact_columns = TRUE",
        holds="(1, 2)",
        breaks="SELECT 1 AS b, 2 AS a",
        columns="a, b",
    ),
    Way(
        names=("expect_table_columns_to_match_set",),
        clause="CHECK (list_sort(json_keys(to_json(t))) = ['a', 'b'])",
        holds="SELECT 1 AS b, 2 AS a",
        breaks="SELECT 1 AS a",
    ),
    _gx("expect_table_row_count_to_be_between", "CHECK (count(*) BETWEEN 2 AND 3)", "(1), (2)", "(1)"),
    _gx("expect_table_row_count_to_equal", "CHECK (count(*) = 2)", "(1), (2)", "(1)"),
    Way(
        names=("expect_table_row_count_to_equal_other_table",),
        assertion="(SELECT count(*) FROM t) = (SELECT count(*) FROM other)",
        holds="(1), (2)",
        breaks="(1)",
    ),
    Way(
        names=("unexpected_rows_expectation", "expect_query_results_to_match_comparison"),
        assertion="NOT EXISTS (SELECT a FROM t EXCEPT SELECT a FROM other)",
        holds="('x')",
        breaks="('x'), ('z')",
        note="any query",
    ),
    _gx(
        "expect_column_values_to_be_present_in_other_table",
        "a REFERENCES other (a)",
        "('x'), ('y'), (NULL)",
        "('x'), ('z')",
    ),
    Way(
        names=(
            "expect_column_bootstrapped_ks_test_p_value_to_be_greater_than",
            "expect_column_parameterized_distribution_ks_test_p_value_to_be_greater_than",
        ),
        options="max_drift = 0.1, drift_measure = 'KOLMOGOROV_SMIRNOV', drift_columns = ['a']",
        before=NORMAL,
        holds=NORMAL,
        breaks=MOVED,
        note="against the version before, with a floor for the effect and a test of chance, not with a p-value alone",
    ),
    Way(
        names=("expect_column_chisquare_test_p_value_to_be_greater_than",),
        options="max_drift = 0.1, drift_measure = 'TOTAL_VARIATION', drift_columns = ['a']",
        before=WORDS,
        holds=WORDS,
        breaks=SKEWED,
        note="a chi-squared test of homogeneity decides what is chance",
    ),
    Way(
        names=("expect_column_wasserstein_distance_to_be_less_than",),
        assertion="abs((SELECT avg(a) FROM t) - 0.5) < 0.25",
        holds="(0), (1)",
        breaks="(1), (1)",
        note="the distance itself is not built in: compare the moments or quantiles that matter, or use MAX_DRIFT",
    ),
    _gx(
        "expect_column_pair_cramers_phi_value_to_be_less_than",
        "CHECK (abs(corr(a, b)) < 0.5)",
        "(0, 0), (0, 1), (1, 0), (1, 1)",
        "(0, 0), (1, 1), (0, 0), (1, 1)",
        columns="a, b",
        note="for two columns of two values each, phi is their correlation; ML.DESCRIBE_DATA has Cramer's V",
    ),
)
