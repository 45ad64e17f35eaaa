"""Generative and Cloud AI functions: all call endpoints on Google Cloud, and are refused with a reason."""

from __future__ import annotations

from typing import Literal

from tidemill.model_types.base import Option
from tidemill.sql.functions_base import MLFunction
from tidemill.sql.functions_model import SYNTAX

_CLOUD = "It calls a model on Google Cloud, and Tidemill runs everything on your machine. "
_TEXT = _CLOUD + "Call the endpoint in Python and load its answers as a table."
_LABELS = _CLOUD + "To sort rows into classes, train LOGISTIC_REG on rows whose class you know."
_SCORES = _CLOUD + "To score rows, train a model of a supported type on rows whose score you know."
_MEDIA = _CLOUD + "Extract text or numbers from the files in Python and load them as a table."

_SETTINGS = (
    Option(name="max_output_tokens", kind="int", low=1, doc="The most tokens of an answer."),
    Option(name="temperature", kind="float", low=0.0, doc="How random answers are."),
    Option(name="top_k", kind="float", low=1, doc="Sample from the k likeliest tokens."),
    Option(name="top_p", kind="float", low=0.0, high=1.0, doc="Sample from the likeliest tokens with this share."),
    Option(name="stop_sequences", kind="strings", doc="Where answers stop."),
    Option(name="flatten_json_output", kind="bool", doc="Columns in place of JSON."),
    Option(name="ground_with_google_search", kind="bool", doc="Search the web first."),
    Option(name="safety_settings", kind="any", doc="Filters."),
    Option(name="request_type", kind="str", doc="The quota."),
    Option(name="model_params", kind="any", doc="Further parameters."),
)
_EMBEDDING_SETTINGS = (
    Option(name="flatten_json_output", kind="bool", doc="Columns in place of JSON."),
    Option(name="task_type", kind="str", doc="What the embedding is for."),
    Option(name="output_dimensionality", kind="int", low=1, doc="Length of the vectors."),
    Option(name="start_second", kind="float", doc="Video: where to start."),
    Option(name="end_second", kind="float", doc="Video: where to stop."),
    Option(name="interval_seconds", kind="float", doc="Video: how often."),
    Option(name="trial_id", kind="int", doc="The trial of a tuned model."),
)


def _table(name: str, *, doc: str, output: str, settings: tuple[Option, ...] = (), reason: str = _TEXT) -> MLFunction:
    return MLFunction(
        name=name,
        kind="table",
        doc=doc,
        url=_url(name),
        output=output,
        model="required",
        inputs=(1, 1),
        settings=settings,
        status="rejected",
        reason=reason,
    )


def _scalar(
    name: str,
    *,
    doc: str,
    output: str,
    reason: str,
    kind: Literal["scalar", "analytic"] = "scalar",
    arguments: tuple[int, int] = (1, 2),
) -> MLFunction:
    return MLFunction(
        name=name,
        kind=kind,
        doc=doc,
        url=_url(name),
        output=output,
        arguments=arguments,
        settings=(
            Option(name="connection_id", kind="str", doc="The connection to Google Cloud."),
            Option(name="endpoint", kind="str", doc="The model."),
            Option(name="model_params", kind="any", doc="Further parameters."),
            Option(name="output_schema", kind="str", doc="The columns of an answer."),
            Option(name="categories", kind="any", doc="The classes."),
            Option(name="request_type", kind="str", doc="The quota."),
        ),
        status="rejected",
        reason=reason,
    )


def _url(name: str) -> str:
    return f"{SYNTAX}-{name.removeprefix('ML.').replace('.', '-').replace('_', '-').lower()}"


GENERATE = (
    _table(
        "ML.GENERATE_TEXT",
        doc="Text by a language model.",
        output="ml_generate_text_result, or ml_generate_text_llm_result, ml_generate_text_rai_result; "
        "ml_generate_text_status; then all columns given",
        settings=_SETTINGS,
    ),
    _table(
        "AI.GENERATE_TEXT",
        doc="Text by a language model.",
        output="result, rai_result, statistics, full_response, status, then all columns given",
        settings=_SETTINGS,
    ),
    _table(
        "ML.GENERATE_EMBEDDING",
        doc="Vectors by an embedding model.",
        output="ml_generate_embedding_result, ml_generate_embedding_statistics, ml_generate_embedding_status, then "
        "all columns given",
        settings=_EMBEDDING_SETTINGS,
    ),
    _table(
        "ML.GENERATE_TEXT_EMBEDDING",
        doc="The old name of ML.GENERATE_EMBEDDING.",
        output="text_embedding, statistics, then all columns given",
        settings=_EMBEDDING_SETTINGS,
    ),
    _table(
        "AI.GENERATE_EMBEDDING",
        doc="Vectors by an embedding model.",
        output="embedding, statistics, status, then all columns given",
        settings=_EMBEDDING_SETTINGS,
    ),
    _table(
        "AI.GENERATE_TABLE",
        doc="Columns by a language model.",
        output="the columns of output_schema, full_response, status, then all columns given",
        settings=(Option(name="output_schema", kind="str", required=True, doc="The columns."), *_SETTINGS),
    ),
    _scalar(
        "AI.GENERATE",
        doc="Text by a language model.",
        output="STRUCT(result, full_response, status)",
        reason=_TEXT,
    ),
    _scalar(
        "AI.GENERATE_BOOL",
        doc="True or false by a language model.",
        output="STRUCT(result, full_response, status)",
        reason=_LABELS,
    ),
    _scalar(
        "AI.GENERATE_INT",
        doc="A whole number by a language model.",
        output="STRUCT(result, full_response, status)",
        reason=_SCORES,
    ),
    _scalar(
        "AI.GENERATE_DOUBLE",
        doc="A number by a language model.",
        output="STRUCT(result, full_response, status)",
        reason=_SCORES,
    ),
    _scalar("AI.IF", doc="A condition in words.", output="BOOL", reason=_LABELS),
    _scalar("AI.SCORE", doc="A score in words.", output="FLOAT64", reason=_SCORES),
    _scalar("AI.CLASSIFY", doc="Sorts into classes.", output="STRING, or an array of them", reason=_LABELS),
    _scalar("AI.AGG", doc="Sums rows up in words.", output="STRING", reason=_TEXT, arguments=(2, 3)),
    _scalar("AI.EMBED", doc="A vector by an embedding model.", output="STRUCT(result, status)", reason=_TEXT),
    _scalar(
        "AI.SIMILARITY",
        doc="How alike two values are.",
        output="FLOAT64",
        reason=_CLOUD + "ML.DISTANCE compares vectors, and in the duckdb dialect jaccard(a, b) compares strings.",
        arguments=(2, 3),
    ),
    _scalar("AI.COUNT_TOKENS", doc="How many tokens a text has.", output="STRUCT", reason=_TEXT),
    _table(
        "ML.TRANSLATE",
        doc="Translates text.",
        output="ml_translate_result, ml_translate_status, then all columns given",
        settings=(
            Option(name="translate_mode", kind="str", doc="TRANSLATE_TEXT or DETECT_LANGUAGE."),
            Option(name="target_language_code", kind="str", doc="The language."),
        ),
    ),
    _table(
        "ML.UNDERSTAND_TEXT",
        doc="Sentiment, entities and classes of text.",
        output="ml_understand_text_result, ml_understand_text_status, then all columns given",
        settings=(Option(name="nlu_option", kind="str", doc="What to look for."),),
        reason=_LABELS,
    ),
    _table(
        "ML.ANNOTATE_IMAGE",
        doc="What images show.",
        output="ml_annotate_image_result, ml_annotate_image_status, then all columns given",
        settings=(Option(name="vision_features", kind="any", doc="What to look for."),),
        reason=_MEDIA,
    ),
    _table(
        "ML.PROCESS_DOCUMENT",
        doc="Fields of documents.",
        output="ml_process_document_result, ml_process_document_status, then all columns given",
        settings=(Option(name="process_options", kind="any", doc="Options."),),
        reason=_MEDIA,
    ),
    _table(
        "ML.TRANSCRIBE",
        doc="Text of speech.",
        output="ml_transcribe_result, ml_transcribe_status, then all columns given",
        settings=(Option(name="recognition_config", kind="any", doc="Options."),),
        reason=_MEDIA,
    ),
)
