"""Every model type BigQuery ML has, one row each, with an honest status."""

from __future__ import annotations

from types import MappingProxyType

from tidemill.model_types.arima_plus import ARIMA_PLUS, ARIMA_PLUS_XREG
from tidemill.model_types.autoencoder import AUTOENCODER
from tidemill.model_types.automl import AUTOML_CLASSIFIER, AUTOML_REGRESSOR
from tidemill.model_types.base import ModelType
from tidemill.model_types.boosted_tree import BOOSTED_TREE_CLASSIFIER, BOOSTED_TREE_REGRESSOR
from tidemill.model_types.contribution_analysis import CONTRIBUTION_ANALYSIS
from tidemill.model_types.dnn import DNN_CLASSIFIER, DNN_REGRESSOR
from tidemill.model_types.imported import ONNX, TENSORFLOW, TENSORFLOW_LITE, XGBOOST
from tidemill.model_types.kmeans import KMEANS
from tidemill.model_types.linear_reg import LINEAR_REG
from tidemill.model_types.logistic_reg import LOGISTIC_REG
from tidemill.model_types.matrix_factorization import MATRIX_FACTORIZATION
from tidemill.model_types.pca import PCA
from tidemill.model_types.random_forest import RANDOM_FOREST_CLASSIFIER, RANDOM_FOREST_REGRESSOR
from tidemill.model_types.remote import REMOTE
from tidemill.model_types.transform_only import TRANSFORM_ONLY
from tidemill.model_types.wide_and_deep import DNN_LINEAR_COMBINED_CLASSIFIER, DNN_LINEAR_COMBINED_REGRESSOR

_ROWS = (
    LINEAR_REG,
    LOGISTIC_REG,
    BOOSTED_TREE_CLASSIFIER,
    BOOSTED_TREE_REGRESSOR,
    RANDOM_FOREST_CLASSIFIER,
    RANDOM_FOREST_REGRESSOR,
    DNN_CLASSIFIER,
    DNN_REGRESSOR,
    DNN_LINEAR_COMBINED_CLASSIFIER,
    DNN_LINEAR_COMBINED_REGRESSOR,
    KMEANS,
    PCA,
    AUTOENCODER,
    MATRIX_FACTORIZATION,
    ARIMA_PLUS,
    ARIMA_PLUS_XREG,
    AUTOML_CLASSIFIER,
    AUTOML_REGRESSOR,
    CONTRIBUTION_ANALYSIS,
    TRANSFORM_ONLY,
    TENSORFLOW,
    TENSORFLOW_LITE,
    ONNX,
    XGBOOST,
)

MODEL_TYPES = MappingProxyType({row.name: row for row in _ROWS})
"""The rows by their upper-case name. `REMOTE` is not among them: it has a clause of its own, not a MODEL_TYPE."""

ALL_MODEL_TYPES = (*_ROWS, REMOTE)
"""The rows and `REMOTE`, in the order of the reference page."""


def find_model_type(name: str) -> ModelType | None:
    """The row of a name or an old name (``ARIMA``), in any case; None when there is none."""
    upper = name.strip().upper()
    for row in _ROWS:
        if upper == row.name or upper in row.aliases:
            return row
    return None


def supported_model_types() -> tuple[str, ...]:
    """The names of the types that train here."""
    return tuple(row.name for row in _ROWS if row.status == "supported")
