"""Which code runs each ML table function. The functions themselves are imported when they are first called."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidemill.core.rows import Rows
    from tidemill.runner.call import FunctionCall, TableFunction


def _predict(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.predict import predict

    return predict(call)


def _transform(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.transform import transform

    return transform(call)


def _evaluate(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.evaluate import evaluate

    return evaluate(call)


def _confusion(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.evaluate import confusion

    return confusion(call)


def _roc(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.evaluate import roc

    return roc(call)


def _training_info(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.training import training_info

    return training_info(call)


def _feature_info(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.training import feature_info

    return feature_info(call)


def _weights(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.weights import weights

    return weights(call)


def _advanced_weights(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.weights import advanced_weights

    return advanced_weights(call)


def _feature_importance(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.importance import feature_importance

    return feature_importance(call)


def _global_explain(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.importance import global_explain

    return global_explain(call)


def _explain_predict(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.explain import explain_predict

    return explain_predict(call)


def _describe_data(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.describe_data import describe_data

    return describe_data(call)


def _tfdv_describe(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.validate import tfdv_describe

    return tfdv_describe(call)


def _validate_data_skew(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.validate import validate_data_skew

    return validate_data_skew(call)


def _validate_data_drift(call: FunctionCall) -> Rows:
    from tidemill.runner.functions.validate import validate_data_drift

    return validate_data_drift(call)


TABLE_FUNCTIONS: Mapping[str, TableFunction] = MappingProxyType(
    {
        "ML.PREDICT": _predict,
        "ML.TRANSFORM": _transform,
        "ML.EVALUATE": _evaluate,
        "ML.CONFUSION_MATRIX": _confusion,
        "ML.ROC_CURVE": _roc,
        "ML.TRAINING_INFO": _training_info,
        "ML.FEATURE_INFO": _feature_info,
        "ML.WEIGHTS": _weights,
        "ML.ADVANCED_WEIGHTS": _advanced_weights,
        "ML.FEATURE_IMPORTANCE": _feature_importance,
        "ML.GLOBAL_EXPLAIN": _global_explain,
        "ML.EXPLAIN_PREDICT": _explain_predict,
        "ML.DESCRIBE_DATA": _describe_data,
        "ML.TFDV_DESCRIBE": _tfdv_describe,
        "ML.VALIDATE_DATA_SKEW": _validate_data_skew,
        "ML.VALIDATE_DATA_DRIFT": _validate_data_drift,
    }
)
"""By canonical name; exactly the table functions that `sql.functions` calls supported."""
