"""ML functions over data alone: statistics, monitoring, series, vector search."""

from __future__ import annotations

from tidemill.model_types.base import Option
from tidemill.sql.functions_base import MLFunction
from tidemill.sql.functions_model import DOCS, SYNTAX

_NO_SERIES = "Time series functions are not built yet. "
_COLUMN = "A column's name."
_BUCKETS = (
    *(
        Option(name=name, kind="int", default=default, low=1, high=high, doc=doc)
        for name, default, high, doc in (
            ("num_histogram_buckets", 10, 1_000, "Buckets of equal width for numbers."),
            ("num_quantiles_histogram_buckets", 10, 1_000, "Buckets of as many rows each for numbers."),
            ("num_values_histogram_buckets", 10, 1_000, "Buckets for the lengths of arrays."),
            ("num_rank_histogram_buckets", 50, 10_000, "How many of the most frequent values are counted each."),
        )
    ),
)
_THRESHOLDS = (
    Option(
        name="categorical_default_threshold", kind="float", default=0.3, low=0.0, high=1.0, doc="Limit for categories."
    ),
    Option(
        name="categorical_metric_type",
        kind="enum",
        default="L_INFTY",
        choices=("L_INFTY", "JENSEN_SHANNON_DIVERGENCE"),
        doc="Distance between categories.",
    ),
    Option(name="numerical_default_threshold", kind="float", default=0.3, low=0.0, high=1.0, doc="Limit for numbers."),
    Option(
        name="numerical_metric_type",
        kind="enum",
        default="JENSEN_SHANNON_DIVERGENCE",
        choices=("JENSEN_SHANNON_DIVERGENCE",),
        doc="Distance between numbers.",
    ),
    Option(name="thresholds", kind="any", doc="Limits for single columns: [('column', limit), ...]."),
    Option(
        name="enable_visualization_link",
        kind="bool",
        default=False,
        status="partial",
        reason="there is no link, nor its column: tidemill drift --html draws the distributions",
        doc="A link to a chart.",
    ),
)


def _strings(name: str, doc: str) -> Option:
    return Option(name=name, kind="strings", doc=doc)


def _string(name: str, *, required: bool = True) -> Option:
    return Option(name=name, kind="str", required=required, doc=_COLUMN)


def _any(name: str, doc: str) -> Option:
    return Option(name=name, kind="any", doc=doc)


_ID_COLS = _strings("id_cols", "Columns that tell series apart.")
_TIMESFM = Option(
    name="model", kind="str", default="TimesFM 2.5", choices=("TimesFM 2.0", "TimesFM 2.5"), doc="The model."
)

MONITORING = (
    MLFunction(
        name="ML.DESCRIBE_DATA",
        kind="table",
        doc="Statistics of each column of the rows given.",
        url=f"{SYNTAX}-describe-data",
        output="name, num_rows, num_nulls, num_zeros, min, max, mean, stdev, median, quantiles, unique, "
        "avg_string_length, num_values, top_values, array lengths, dimension",
        inputs=(1, 1),
        settings=(
            Option(
                name="num_quantiles",
                kind="int",
                default=2,
                low=1,
                high=100_000,
                doc="Into how many parts numbers are divided: the quantiles are one more, with the ends.",
            ),
            Option(
                name="num_array_length_quantiles",
                kind="int",
                default=10,
                low=1,
                high=100_000,
                doc="Into how many parts lengths of arrays are divided.",
            ),
            Option(
                name="top_k",
                kind="int",
                default=1,
                low=1,
                high=10_000,
                doc="How many of the most frequent values come.",
            ),
        ),
    ),
    MLFunction(
        name="ML.VALIDATE_DATA_SKEW",
        kind="table",
        doc="Whether rows served differ from the rows a model was trained on. Numbers are compared between quantiles "
        "of the training rows; arrays and structs are left out, and refused where `thresholds` names one. What has "
        "another kind of values now, or has values on one side only, is at the distance 1; no rows are an error.",
        url=f"{SYNTAX}-validate-data-skew",
        output="input, metric, threshold, value, is_anomaly",
        model="required",
        inputs=(1, 1),
        settings=_THRESHOLDS,
    ),
    MLFunction(
        name="ML.VALIDATE_DATA_DRIFT",
        kind="table",
        doc="Whether two sets of rows differ, column by column; arrays by their items. A model changes nothing, "
        "structs are refused. What has another kind of values now, or has values on one side only, is at the distance "
        "1; no rows are an error.",
        url=f"{SYNTAX}-validate-data-drift",
        output="input, metric, threshold, value, is_anomaly",
        model="optional",
        inputs=(2, 2),
        settings=(*_THRESHOLDS, *_BUCKETS),
    ),
    MLFunction(
        name="ML.TFDV_DESCRIBE",
        kind="table",
        doc="Statistics in TensorFlow Data Validation's form, as a text of JSON; arrays by their items, structs are "
        "refused.",
        url=f"{SYNTAX}-tfdv-describe",
        output="dataset_feature_statistics_list",
        inputs=(1, 1),
        settings=_BUCKETS,
    ),
    MLFunction(
        name="ML.TFDV_VALIDATE",
        kind="scalar",
        doc="Compares two results of ML.TFDV_DESCRIBE.",
        url=f"{SYNTAX}-tfdv-validate",
        output="JSON",
        arguments=(2, 8),
    ),
    MLFunction(
        name="ML.FEATURES_AT_TIME",
        kind="table",
        doc="The features of each entity as they were at one time.",
        url=f"{SYNTAX}-feature-time",
        output="the columns given, feature_timestamp replaced by the time",
        inputs=(1, 1),
        settings=(
            _any("time", "The time; now without it."),
            Option(name="num_rows", kind="int", default=1, low=1, doc="Rows of each entity."),
            Option(name="ignore_feature_nulls", kind="bool", default=False, doc="Look further back for a value."),
        ),
        status="rejected",
        reason="It is not built yet. SELECT ... QUALIFY ROW_NUMBER() OVER (PARTITION BY entity_id ORDER BY "
        "feature_timestamp DESC) = 1 over the rows up to the time gives the same rows.",
    ),
    MLFunction(
        name="ML.ENTITY_FEATURES_AT_TIME",
        kind="table",
        doc="The features of each entity as they were at each entity's time.",
        url=f"{SYNTAX}-entity-feature-time",
        output="the columns given, feature_timestamp replaced by the time",
        inputs=(2, 2),
        settings=(
            Option(name="num_rows", kind="int", default=1, low=1, doc="Rows of each entity."),
            Option(name="ignore_feature_nulls", kind="bool", default=False, doc="Look further back for a value."),
        ),
        status="rejected",
        reason="It is not built yet. In the duckdb dialect, entity_times ASOF JOIN features ON entity_id = entity_id "
        "AND time >= feature_timestamp gives the same rows.",
    ),
    MLFunction(
        name="ML.CORRELATION",
        kind="table",
        doc="Correlations between columns, for each segment.",
        url=f"{SYNTAX}-correlation",
        output="segment, the dimensions, target_col, corr_col, correlation, segment_size, segment_proportion",
        inputs=(1, 1),
        settings=(
            _string("target_col"),
            _strings("target_correlation_cols", "The columns to correlate with."),
            _strings("dimension_cols", "The columns that make segments."),
            Option(
                name="method",
                kind="enum",
                default="PEARSON",
                choices=("PEARSON", "SPEARMAN", "KENDALL"),
                doc="The kind of correlation.",
            ),
        ),
        status="rejected",
        reason="It is not built yet. CORR(x, y) with GROUP BY CUBE over the dimensions gives Pearson correlations.",
    ),
)

_SERIES_COLUMNS = (_string("data_col"), _string("timestamp_col"), _ID_COLS)

SERIES = (
    MLFunction(
        name="ML.TREND",
        kind="table",
        doc="The trend of a series.",
        url=f"{SYNTAX}-trend",
        output="[id,] <timestamp>, time_series_type, <data>, trend, status",
        inputs=(1, 1),
        settings=(
            *_SERIES_COLUMNS,
            Option(name="horizon", kind="int", default=0, low=0, doc="Points ahead."),
            Option(name="smoothing_window_size", kind="int", default=5, low=1, doc="Window."),
            Option(name="adjust_step_changes", kind="bool", default=False, doc="Level steps first."),
        ),
        status="rejected",
        reason=_NO_SERIES + "AVG(x) OVER (ORDER BY t ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING) smooths a series.",
    ),
    MLFunction(
        name="ML.SEASONALITY",
        kind="table",
        doc="The seasons of a series.",
        url=f"{SYNTAX}-seasonality",
        output="[id,] <timestamp>, time_series_type, <data>, yearly, quarterly, monthly, weekly, daily, status",
        inputs=(1, 1),
        settings=(
            *_SERIES_COLUMNS,
            _strings("seasonalities", "The seasons."),
            Option(name="horizon", kind="int", default=0, low=0, doc="Points ahead."),
        ),
        status="rejected",
        reason=_NO_SERIES + "Means by EXTRACT(DAYOFWEEK FROM t) or EXTRACT(MONTH FROM t) show the seasons.",
    ),
    MLFunction(
        name="ML.DETECT_CHANGE_POINTS",
        kind="table",
        doc="Where a series changes.",
        url=f"{SYNTAX}-detect-change-points",
        output="[id,] begin_timestamp, end_timestamp, metrics, status",
        inputs=(1, 1),
        settings=_SERIES_COLUMNS,
        status="rejected",
        reason=_NO_SERIES + "Means over windows before and after each point show where a series changes.",
    ),
    MLFunction(
        name="AI.FORECAST",
        kind="table",
        doc="Forecasts of a series by TimesFM, without training.",
        url=f"{DOCS}/bigqueryml-syntax-ai-forecast",
        output="[id,] forecast_timestamp, forecast_value, confidence_level, prediction_interval_lower_bound, "
        "prediction_interval_upper_bound, ai_forecast_status",
        inputs=(1, 1),
        settings=(
            *_SERIES_COLUMNS,
            _TIMESFM,
            Option(name="horizon", kind="int", default=10, low=1, high=10_000, doc="Points ahead."),
            _any("forecast_end_timestamp", "The last point, in place of horizon."),
            Option(name="confidence_level", kind="float", default=0.95, low=0.0, high=1.0, doc="Of the interval."),
            Option(name="output_historical_time_series", kind="bool", default=False, doc="The past as well."),
            Option(name="context_window", kind="int", low=64, doc="How much of the past is read."),
        ),
        status="rejected",
        reason="TimesFM is a model of Google's that does not come with Tidemill. Make the past into columns with LAG "
        "and train BOOSTED_TREE_REGRESSOR.",
    ),
    MLFunction(
        name="AI.DETECT_ANOMALIES",
        kind="table",
        doc="Odd points of a series by TimesFM, without training.",
        url=f"{DOCS}/bigqueryml-syntax-ai-detect-anomalies",
        output="[id,] time_series_timestamp, time_series_data, is_anomaly, lower_bound, upper_bound, "
        "anomaly_probability, ai_detect_anomalies_status",
        inputs=(1, 2),
        settings=(
            *_SERIES_COLUMNS,
            Option(name="target_last_n_points", kind="int", low=1, doc="The points to look at."),
            _any("target_start_timestamp", "The first point to look at."),
            _TIMESFM,
            Option(name="anomaly_prob_threshold", kind="float", default=0.95, low=0.0, high=1.0, doc="From which on."),
        ),
        status="rejected",
        reason="TimesFM is a model of Google's that does not come with Tidemill. Compare each point with the mean and "
        "deviation of a window before it.",
    ),
    MLFunction(
        name="AI.EVALUATE",
        kind="table",
        doc="How good TimesFM's forecasts of a series are.",
        url=f"{DOCS}/bigqueryml-syntax-ai-evaluate",
        output="[id,] mean_absolute_error, mean_squared_error, root_mean_squared_error, "
        "mean_absolute_percentage_error, symmetric_mean_absolute_percentage_error, mean_absolute_scaled_error, "
        "ai_evaluate_status",
        inputs=(2, 2),
        settings=(
            *_SERIES_COLUMNS,
            _TIMESFM,
            Option(name="horizon", kind="int", default=1024, low=1, doc="Points compared."),
        ),
        status="rejected",
        reason="TimesFM is a model of Google's that does not come with Tidemill. ML.EVALUATE judges a regression on "
        "rows you give it.",
    ),
    MLFunction(
        name="AI.KEY_DRIVERS",
        kind="table",
        doc="The segments that explain a difference, without a model.",
        url=f"{DOCS}/bigqueryml-syntax-ai-key-drivers",
        output="drivers, metric_interest, metric_reference, difference, relative_difference, apriori_support",
        inputs=(1, 1),
        settings=(
            _string("metric_col"),
            _strings("dimension_cols", "The columns that make segments."),
            _string("interest_label_col"),
            Option(name="min_apriori_support", kind="float", default=0.1, low=0.0, high=1.0, doc="Least share."),
            Option(name="top_k", kind="int", low=1, doc="How many segments."),
            Option(name="enable_pruning", kind="bool", default=True, doc="Leave redundant segments out."),
        ),
        status="rejected",
        reason="Contribution analysis is not built yet. GROUP BY CUBE over the dimension columns, with "
        "SUM(x) FILTER (WHERE ...) for both sides, gives the same segments.",
    ),
)

_NO_VECTORS = (
    "Vector search is not built yet. In the duckdb dialect, ORDER BY list_distance(a, b) LIMIT k finds the "
    "nearest rows."
)
SEARCH = (
    MLFunction(
        name="VECTOR_SEARCH",
        kind="table",
        doc="The nearest rows to each row, by a vector.",
        url=f"{DOCS}/search_functions#vector_search",
        output="query, base, distance",
        inputs=(1, 2),
        arguments=(1, 2),
        settings=(
            _any("query_value", "One vector or text to search for."),
            _string("query_column_to_search", required=False),
            _strings("lexical_search_columns", "Columns to search by words as well."),
            Option(name="top_k", kind="int", default=10, low=1, doc="How many rows."),
            Option(
                name="distance_type",
                kind="enum",
                default="EUCLIDEAN",
                choices=("EUCLIDEAN", "COSINE", "DOT_PRODUCT"),
                doc="The distance.",
            ),
            Option(name="options", kind="str", doc="JSON: fraction_lists_to_search, use_brute_force."),
        ),
        status="rejected",
        reason=_NO_VECTORS,
    ),
    MLFunction(
        name="AI.SEARCH",
        kind="table",
        doc="The nearest rows to a text, by embeddings.",
        url=f"{DOCS}/search_functions#ai_search",
        output="base, distance",
        inputs=(1, 1),
        arguments=(2, 2),
        settings=(
            Option(name="top_k", kind="int", default=10, low=1, doc="How many rows."),
            Option(name="distance_type", kind="str", doc="The distance."),
            Option(name="mode", kind="str", doc="How to search."),
            Option(name="options", kind="str", doc="JSON."),
        ),
        status="rejected",
        reason="Embeddings need a model on Google Cloud, and Tidemill runs everything on your machine. In the duckdb "
        "dialect, ORDER BY jaccard(column, 'text') DESC LIMIT k ranks rows by likeness of their letters.",
    ),
)
