"""ARIMA_PLUS and ARIMA_PLUS_XREG: read, and refused with a reason."""

from __future__ import annotations

from tidemill.model_types._shared import REGISTRY, SYNTAX
from tidemill.model_types.base import ModelType, Option

_REASON = (
    "Forecasting models are not built yet. Until then make the past into columns with LAG(value, n) OVER "
    "(ORDER BY time) and calendar parts with EXTRACT, and train BOOSTED_TREE_REGRESSOR with "
    "DATA_SPLIT_METHOD = 'SEQ'."
)

_SERIES = (
    Option(
        name="TIME_SERIES_TIMESTAMP_COL",
        kind="str",
        required=True,
        doc="The column of times: TIMESTAMP, DATE or DATETIME.",
    ),
    Option(name="TIME_SERIES_DATA_COL", kind="str", required=True, doc="The column to forecast."),
    Option(name="TIME_SERIES_ID_COL", kind="strings", doc="Columns that tell series apart."),
    Option(name="HORIZON", kind="int", default=1000, low=1, high=10_000, doc="The most points that can be forecast."),
    Option(name="AUTO_ARIMA", kind="bool", default=True, doc="Choose the order by AIC."),
    Option(name="AUTO_ARIMA_MAX_ORDER", kind="int", default=2, low=1, high=5, doc="The greatest p + q that is tried."),
    Option(name="AUTO_ARIMA_MIN_ORDER", kind="int", default=0, low=0, high=5, doc="The least p + q that is tried."),
    Option(name="NON_SEASONAL_ORDER", kind="ints", doc="(p, d, q), with AUTO_ARIMA = FALSE."),
    Option(name="INCLUDE_DRIFT", kind="bool", default=False, doc="A linear drift, with AUTO_ARIMA = FALSE."),
    Option(
        name="DATA_FREQUENCY",
        kind="enum",
        default="AUTO_FREQUENCY",
        choices=(
            "AUTO_FREQUENCY",
            "PER_MINUTE",
            "HOURLY",
            "DAILY",
            "WEEKLY",
            "MONTHLY",
            "QUARTERLY",
            "YEARLY",
        ),
        doc="The distance between points.",
    ),
    Option(name="HOLIDAY_REGION", kind="strings", doc="Regions whose holidays are modelled."),
    Option(name="CLEAN_SPIKES_AND_DIPS", kind="bool", default=True, doc="Smooth spikes and dips away first."),
    Option(name="ADJUST_STEP_CHANGES", kind="bool", default=True, doc="Level step changes first."),
    Option(name="TREND_SMOOTHING_WINDOW_SIZE", kind="int", low=1, doc="Window that smooths the trend."),
    Option(
        name="TIME_SERIES_LENGTH_FRACTION",
        kind="float",
        low=0.0,
        high=1.0,
        low_open=True,
        high_open=True,
        doc="The share of the series, from its end, that the trend is fitted to.",
    ),
    Option(name="MIN_TIME_SERIES_LENGTH", kind="int", low=4, doc="The least points the trend is fitted to."),
    Option(name="MAX_TIME_SERIES_LENGTH", kind="int", low=4, doc="The most points the trend is fitted to."),
    *REGISTRY,
)
_FUNCTIONS = (
    "ML.EVALUATE",
    "ML.ARIMA_EVALUATE",
    "ML.ARIMA_COEFFICIENTS",
    "ML.FORECAST",
    "ML.EXPLAIN_FORECAST",
    "ML.DETECT_ANOMALIES",
    "ML.HOLIDAY_INFO",
    "ML.TRAINING_INFO",
    "ML.FEATURE_INFO",
)

ARIMA_PLUS = ModelType(
    name="ARIMA_PLUS",
    task="other",
    doc="Forecasts of one or many time series.",
    url=f"{SYNTAX}-create-time-series",
    aliases=("ARIMA",),
    options=(
        *_SERIES,
        Option(name="DECOMPOSE_TIME_SERIES", kind="bool", default=True, doc="Keep the parts of the series."),
        Option(
            name="SEASONALITIES",
            kind="strings",
            default=["AUTO"],
            choices=("AUTO", "NO_SEASONALITY", "DAILY", "WEEKLY", "MONTHLY", "QUARTERLY", "YEARLY"),
            doc="The seasons that are modelled.",
        ),
        Option(name="FORECAST_LIMIT_LOWER_BOUND", kind="float", doc="No forecast goes below it."),
        Option(name="FORECAST_LIMIT_UPPER_BOUND", kind="float", doc="No forecast goes above it."),
        Option(
            name="HIERARCHICAL_TIME_SERIES_COLS",
            kind="strings",
            doc="Columns of a hierarchy, whose forecasts are added up from below.",
        ),
    ),
    functions=_FUNCTIONS,
    status="rejected",
    reason=_REASON,
)
ARIMA_PLUS_XREG = ModelType(
    name="ARIMA_PLUS_XREG",
    task="other",
    doc="Forecasts of a time series with other columns as regressors.",
    url=f"{SYNTAX}-create-multivariate-time-series",
    options=(*_SERIES, Option(name="L2_REG", kind="float", default=0.0, low=0.0, doc="L2 penalty of the regressors.")),
    functions=_FUNCTIONS,
    status="rejected",
    reason=_REASON,
)
