"""Remote models, which have a REMOTE clause in place of a MODEL_TYPE: read, and refused with a reason."""

from __future__ import annotations

from tidemill.model_types._shared import LABEL, SYNTAX
from tidemill.model_types.base import ModelType, Option

REMOTE = ModelType(
    name="REMOTE",
    task="other",
    doc="A model behind an endpoint of Vertex AI or Cloud AI; it has a REMOTE clause and no MODEL_TYPE.",
    url=f"{SYNTAX}-create-remote-model",
    options=(
        Option(name="ENDPOINT", kind="str", doc="The model's name or address."),
        Option(
            name="REMOTE_SERVICE_TYPE",
            kind="enum",
            choices=(
                "CLOUD_AI_VISION_V1",
                "CLOUD_AI_NATURAL_LANGUAGE_V1",
                "CLOUD_AI_TRANSLATE_V3",
                "CLOUD_AI_DOCUMENT_V1",
                "CLOUD_AI_SPEECH_TO_TEXT_V2",
            ),
            doc="The Cloud AI service.",
        ),
        Option(name="HUGGING_FACE_MODEL_ID", kind="str", doc="An open model to deploy."),
        Option(name="MODEL_GARDEN_MODEL_NAME", kind="str", doc="An open model to deploy."),
        Option(name="MACHINE_TYPE", kind="str", doc="The machine that serves an open model."),
        Option(name="MIN_REPLICA_COUNT", kind="int", low=1, doc="The fewest machines that serve."),
        Option(name="MAX_REPLICA_COUNT", kind="int", low=1, doc="The most machines that serve."),
        Option(name="ENDPOINT_IDLE_TTL", kind="any", doc="Undeploy after this time without a call."),
        Option(name="PROMPT_COL", kind="str", doc="Tuning: the column of prompts."),
        LABEL,
        Option(name="LEARNING_RATE_MULTIPLIER", kind="float", low=0.0, doc="Tuning: factor on the learning rate."),
        Option(name="EVALUATION_TASK", kind="str", doc="Tuning: the task it is judged by."),
        Option(name="MAX_ITERATIONS", kind="int", low=1, doc="Tuning: the most steps."),
    ),
    functions=("ML.PREDICT", "ML.EVALUATE", "ML.GENERATE_TEXT", "ML.GENERATE_EMBEDDING"),
    status="rejected",
    reason="A remote model calls an endpoint on Google Cloud, and Tidemill runs everything on your machine. Train a "
    "model of a supported type here, or call the endpoint in Python and load its answers as a table.",
)
