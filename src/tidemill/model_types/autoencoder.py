"""AUTOENCODER: read, and refused with a reason."""

from __future__ import annotations

from tidemill.model_types._neural import ACTIVATIONS, OPTIMIZERS, neural_options
from tidemill.model_types._shared import MONITORED, REGISTRY, SYNTAX, tuning
from tidemill.model_types.base import ModelType, Option

AUTOENCODER = ModelType(
    name="AUTOENCODER",
    task="other",
    doc="A network that learns to give its input back through a narrow layer.",
    url=f"{SYNTAX}-create-autoencoder",
    options=(
        *neural_options(
            activations=tuple(name for name in ACTIVATIONS if name != "CRELU"),
            optimizer=Option(
                name="OPTIMIZER", kind="enum", default="ADAM", choices=OPTIMIZERS, hparam=True, doc="Optimizer."
            ),
            learn_rate=Option(
                name="LEARN_RATE",
                kind="float",
                default=0.001,
                low=0.0,
                low_open=True,
                hparam=True,
                doc="Learning rate.",
            ),
        ),
        Option(
            name="L1_REG_ACTIVATION",
            kind="float",
            default=0.0,
            low=0.0,
            hparam=True,
            doc="L1 penalty on the activations.",
        ),
        *tuning("MEAN_SQUARED_ERROR", "MEAN_ABSOLUTE_ERROR", "MEAN_SQUARED_LOG_ERROR"),
        *REGISTRY,
    ),
    functions=(
        "ML.EVALUATE",
        "ML.PREDICT",
        "ML.RECONSTRUCTION_LOSS",
        "ML.DETECT_ANOMALIES",
        "ML.GENERATE_EMBEDDING",
        "ML.FEATURE_INFO",
        "ML.TRAINING_INFO",
        "ML.TRIAL_INFO",
        "ML.TRANSFORM",
        *MONITORED,
    ),
    status="rejected",
    reason="Neural networks are not built yet. To find odd rows, train a BOOSTED_TREE_REGRESSOR of one column on the "
    "others and look at the rows with the greatest error.",
)
