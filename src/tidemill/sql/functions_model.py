"""ML functions that read a model: judge it, use it, explain it."""

from __future__ import annotations

from tidemill.model_types.base import Option, Status
from tidemill.sql.functions_base import MLFunction

DOCS = "https://docs.cloud.google.com/bigquery/docs/reference/standard-sql"
SYNTAX = f"{DOCS}/bigqueryml-syntax"

_TRIAL = Option(
    name="trial_id",
    kind="int",
    low=1,
    status="rejected",
    reason="Hyperparameter tuning is not built yet, so a model has one trial. Leave trial_id out.",
    doc="The trial of a tuned model.",
)
_CLASS_THRESHOLD = Option(
    name="threshold",
    kind="float",
    default=0.5,
    low=0.0,
    high=1.0,
    doc="Binary classifiers: the probability from which on the positive class is predicted.",
)
_STANDARDIZE = Option(
    name="standardize", kind="bool", default=False, doc="Weights for standardised features, not for the raw columns."
)
_CONFIDENCE = Option(
    name="confidence_level",
    kind="float",
    default=0.95,
    low=0.0,
    high=1.0,
    high_open=True,
    doc="How sure the interval is.",
)
_NO_FORECAST = (
    "Forecasting models (ARIMA_PLUS) are not built yet. Make the past into columns with LAG and train "
    "BOOSTED_TREE_REGRESSOR; ML.PREDICT and ML.EVALUATE then work on it."
)
_NO_KMEANS = "Clustering models (KMEANS) are not built yet, and no other model has centroids."
_NO_PCA = "Principal components (PCA) are not built yet, and no other model has components."


def _forecast_only(name: str, default: float | int | bool | None, kind: str) -> Option:
    return Option(
        name=name,
        kind=kind,
        default=default,
        status="rejected",
        reason="It is a setting of forecasting models, which are not built yet. Leave it out.",
        doc="Forecasting models.",
    )


def _model_function(
    name: str,
    *,
    doc: str,
    output: str,
    inputs: tuple[int, int] = (0, 0),
    arguments: tuple[int, int] = (0, 0),
    settings: tuple[Option, ...] = (),
    reason: str = "",
    page: str = "",
) -> MLFunction:
    status: Status = "rejected" if reason else "supported"
    return MLFunction(
        name=f"ML.{name}",
        kind="table",
        doc=doc,
        url=f"{SYNTAX}-{page or name.lower().replace('_', '-')}",
        output=output,
        model="required",
        inputs=inputs,
        arguments=arguments,
        settings=settings,
        status=status,
        reason=reason,
    )


JUDGE = (
    _model_function(
        "EVALUATE",
        doc="Metrics, one row: of the rows set aside at training, or of the rows given. With more than two classes, "
        "precision, recall, f1_score, log_loss and roc_auc are means over the classes, each class counting the same, "
        "as in BigQuery ML: there log_loss is not the mean over rows that other libraries print.",
        output="classifiers: precision, recall, accuracy, f1_score, log_loss, roc_auc; regressors: "
        "mean_absolute_error, mean_squared_error, mean_squared_log_error, median_absolute_error, r2_score, "
        "explained_variance",
        inputs=(0, 1),
        settings=(
            _CLASS_THRESHOLD,
            _TRIAL,
            _forecast_only("perform_aggregation", True, "bool"),
            _forecast_only("horizon", None, "int"),
            _forecast_only("confidence_level", 0.95, "float"),
        ),
    ),
    _model_function(
        "CONFUSION_MATRIX",
        doc="How often each class was predicted as each.",
        output="expected_label, one INT64 column per class in ascending order",
        inputs=(0, 1),
        settings=(_CLASS_THRESHOLD, _TRIAL),
        page="confusion",
    ),
    _model_function(
        "ROC_CURVE",
        doc="The curve of a binary classifier, a row per threshold; thresholds may be given as an array.",
        output="threshold, recall, false_positive_rate, true_positives, false_positives, true_negatives, "
        "false_negatives",
        inputs=(0, 1),
        arguments=(0, 1),
        settings=(_TRIAL,),
        page="roc",
    ),
    _model_function(
        "TRAINING_INFO",
        doc="How training went, a row per iteration.",
        output="training_run, iteration, loss, eval_loss, learning_rate, duration_ms",
        page="train",
    ),
    _model_function(
        "TRIAL_INFO",
        doc="The trials of hyperparameter tuning.",
        output="trial_id, hyperparameters, hparam_tuning_evaluation_metrics, training_loss, eval_loss, status, "
        "error_message, is_optimal",
        reason="Hyperparameter tuning is not built yet, so no model has trials. ML.TRAINING_INFO tells how training "
        "went, ML.EVALUATE how good the model is.",
    ),
    _model_function(
        "FEATURE_INFO",
        doc="Statistics of the columns a model was trained on, before TRANSFORM.",
        output="input, min, max, mean, median, stddev, category_count, null_count, dimension",
        page="feature",
    ),
    _model_function(
        "ARIMA_EVALUATE",
        doc="How each candidate model of a time series fits.",
        output="[id,] non_seasonal_p, non_seasonal_d, non_seasonal_q, has_drift, log_likelihood, AIC, variance, "
        "seasonal_periods, has_holiday_effect, has_spikes_and_dips, has_step_changes, error_message",
        settings=(Option(name="show_all_candidate_models", kind="bool", doc="All candidates, or the best."),),
        reason=_NO_FORECAST,
    ),
)

USE = (
    _model_function(
        "PREDICT",
        doc="Predictions beside the rows given.",
        output="predicted_<label>; classifiers also predicted_<label>_probs, an array of (label, prob) with the "
        "labels descending; then all columns given",
        inputs=(1, 1),
        settings=(
            _CLASS_THRESHOLD,
            Option(
                name="keep_original_columns",
                kind="bool",
                default=False,
                status="rejected",
                reason="It is a setting of PCA models, which are not built yet; other models keep all columns. Leave "
                "it out.",
                doc="PCA: keep the columns given.",
            ),
            _TRIAL,
        ),
    ),
    _model_function(
        "TRANSFORM",
        doc="What the model's TRANSFORM clause makes of the rows given.",
        output="the columns of the TRANSFORM clause",
        inputs=(1, 1),
    ),
    _model_function(
        "RECOMMEND",
        doc="Predicted ratings of items by users.",
        output="<user>, <item>, predicted_<rating>",
        inputs=(0, 1),
        settings=(_TRIAL,),
        reason="Recommendation models (MATRIX_FACTORIZATION) are not built yet. Train a regression on columns about "
        "the user and the item, and use ML.PREDICT.",
    ),
    _model_function(
        "FORECAST",
        doc="Forecasts of a time series.",
        output="[id,] forecast_timestamp, forecast_value, standard_error, confidence_level, "
        "prediction_interval_lower_bound, prediction_interval_upper_bound, confidence_interval_lower_bound, "
        "confidence_interval_upper_bound",
        inputs=(0, 1),
        settings=(
            Option(name="horizon", kind="int", default=3, low=1, doc="How many points."),
            _CONFIDENCE,
        ),
        reason=_NO_FORECAST,
    ),
    _model_function(
        "DETECT_ANOMALIES",
        doc="Points or rows that do not fit the model.",
        output="[id,] <timestamp>, <data>, is_anomaly, lower_bound, upper_bound, anomaly_probability; or is_anomaly, "
        "the distance or error, and the columns given",
        inputs=(0, 1),
        settings=(
            Option(
                name="anomaly_prob_threshold",
                kind="float",
                default=0.95,
                low=0.0,
                high=1.0,
                high_open=True,
                doc="Time series: from which probability on.",
            ),
            Option(name="contamination", kind="float", low=0.0, high=0.5, doc="Others: the share of odd rows."),
        ),
        reason="It takes ARIMA_PLUS, KMEANS, PCA and AUTOENCODER models, which are not built yet. To find odd rows, "
        "compare ML.PREDICT of a regression with the column it predicts.",
    ),
    _model_function(
        "RECONSTRUCTION_LOSS",
        doc="How well an autoencoder gives each row back.",
        output="mean_absolute_error, mean_squared_error, mean_squared_log_error, then all columns given",
        inputs=(1, 1),
        reason="It takes AUTOENCODER models, which are not built yet.",
    ),
)

EXPLAIN = (
    _model_function(
        "WEIGHTS",
        doc="The weights of a linear or logistic regression, with a row __INTERCEPT__.",
        output="processed_input, weight, category_weights, and class_label for more than two classes",
        settings=(_STANDARDIZE,),
    ),
    _model_function(
        "ADVANCED_WEIGHTS",
        doc="Weights with standard errors and p-values, of a model with CALCULATE_P_VALUES = TRUE.",
        output="processed_input, category, weight, standard_error, p_value",
        settings=(_STANDARDIZE,),
    ),
    _model_function(
        "EXPLAIN_PREDICT",
        doc="Predictions with the features that moved each one most.",
        output="predicted_<label>, [probability,] top_feature_attributions, baseline_prediction_value, "
        "prediction_value, approximation_error, then all columns given",
        inputs=(1, 1),
        settings=(
            Option(name="top_k_features", kind="int", default=5, low=1, doc="How many features."),
            _CLASS_THRESHOLD,
            Option(
                name="integrated_gradients_num_steps",
                kind="int",
                default=15,
                low=1,
                status="partial",
                reason="ignored: only neural networks have it",
                doc="Neural networks: steps of integrated gradients.",
            ),
            Option(
                name="approx_feature_contrib",
                kind="bool",
                default=False,
                status="partial",
                reason="ignored: attributions are always the exact Tree SHAP ones",
                doc="Approximate attributions.",
            ),
        ),
    ),
    _model_function(
        "GLOBAL_EXPLAIN",
        doc="How much each feature moves predictions on average; of a model with ENABLE_GLOBAL_EXPLAIN = TRUE.",
        output="[<label>,] feature, attribution",
        settings=(Option(name="class_level_explain", kind="bool", default=False, doc="For each class apart."),),
    ),
    _model_function(
        "FEATURE_IMPORTANCE",
        doc="How trees use each feature.",
        output="feature, importance_weight, importance_gain, importance_cover",
        page="importance",
    ),
    _model_function(
        "EXPLAIN_FORECAST",
        doc="A forecast and its parts.",
        output="[id,] time_series_timestamp, time_series_type, time_series_data, time_series_adjusted_data, "
        "standard_error, confidence_level, the prediction interval, trend, the seasons, holiday_effect, "
        "spikes_and_dips, step_changes, residual",
        inputs=(0, 1),
        settings=(Option(name="horizon", kind="int", default=3, low=1, doc="How many points."), _CONFIDENCE),
        reason=_NO_FORECAST,
    ),
    _model_function(
        "CENTROIDS",
        doc="The centroids of clusters.",
        output="centroid_id, feature, numerical_value, categorical_value, geography_value",
        settings=(_STANDARDIZE,),
        reason=_NO_KMEANS,
    ),
    _model_function(
        "PRINCIPAL_COMPONENTS",
        doc="The loadings of principal components.",
        output="principal_component_id, feature, numerical_value, categorical_value",
        reason=_NO_PCA,
    ),
    _model_function(
        "PRINCIPAL_COMPONENT_INFO",
        doc="How much each principal component explains.",
        output="principal_component_id, eigenvalue, explained_variance_ratio, cumulative_explained_variance_ratio",
        reason=_NO_PCA,
    ),
    _model_function(
        "ARIMA_COEFFICIENTS",
        doc="The coefficients of a time series model.",
        output="[id,] ar_coefficients, ma_coefficients, intercept_or_drift",
        reason=_NO_FORECAST,
    ),
    _model_function(
        "HOLIDAY_INFO",
        doc="The holidays a time series model knows.",
        output="region, holiday_name, primary_date, preholiday_days, postholiday_days",
        reason=_NO_FORECAST,
    ),
    _model_function(
        "GET_INSIGHTS",
        doc="The insights of a contribution analysis.",
        output="the dimension columns, contributors, metric_test, metric_control, difference, relative_difference, "
        "unexpected_difference, relative_unexpected_difference, apriori_support, contribution",
        reason="Contribution analysis models are not built yet. GROUP BY CUBE over the dimension columns gives the "
        "segments.",
    ),
)
