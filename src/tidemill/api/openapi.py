"""``GET /openapi.json``: this interface with the columns and a real row of each model that is loaded.

References
----------
.. [1] https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.api.context import Context
from tidemill.api.failures import NOSNIFF
from tidemill.api.request import Request, Response, json_response
from tidemill.api.samples import sample_row
from tidemill.api.schemas import (
    ERROR,
    V2_ERROR,
    answer_schema,
    columns_schema,
    label_schema,
    row_schema,
    v2_examples,
    v2_request_schema,
    v2_response_schema,
)
from tidemill.core.version import VERSION
from tidemill.serving.live import LiveDeployment
from tidemill.serving.online.model import OnlineModel

Json = dict[str, Any]

_ABOUT = (
    "Predictions from rows, tensors (Open Inference Protocol 2) or MLflow's forms; labels that come later. Every POST "
    "takes an Idempotency-Key, a text of up to 255 characters: the same request with the same key gets the same answer "
    "again, another request is refused. X-Request-Timeout-Ms says how long the client waits: later than that nothing "
    "is computed for it."
)

_FAILURES: Mapping[int, str] = {
    400: "The request cannot be read.",
    401: "There is no token, or it opens nothing.",
    403: "The token, the host or the page may not do this.",
    404: "There is no such thing.",
    409: "The request with this Idempotency-Key is in work.",
    413: "The body or its rows are more than is read.",
    415: "The body is of another type.",
    422: "A row is not what the model takes, or the Idempotency-Key came with another request.",
    429: "Too many requests are in work; Retry-After says when to try again.",
    503: "Nothing can answer at the moment; Retry-After says when to try again.",
    504: "The request waited longer than it may.",
}


async def openapi(ctx: Context, _: Request) -> Response:
    """The document."""
    return json_response(document(ctx), headers=(NOSNIFF,))


def document(ctx: Context) -> Json:
    """OpenAPI 3.1, made from the models that are loaded now."""
    paths: Json = {}
    for one in ctx.live.deployments.values():
        model = one.champion or one.challenger
        if model is not None:
            paths |= _model_paths(one, model)
    paths |= _fixed_paths([one.name for one in ctx.live.deployments.values()])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{ctx.live.settings.name}: models served by Tidemill",
            "version": VERSION,
            "description": _ABOUT,
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR, "V2Error": V2_ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, *([] if ctx.policy.auth else [{}])],
    }


def _model_paths(one: LiveDeployment, model: OnlineModel) -> Json:
    name = one.name
    sample = sample_row(model)
    row, columns = row_schema(model), columns_schema(model)
    body = {
        "oneOf": [
            {
                "type": "object",
                "title": "rows",
                "required": ["rows"],
                "properties": {"rows": {"type": "array", "minItems": 1, "items": row}},
                "not": {"required": ["columns"]},
            },
            {
                "type": "object",
                "title": "columns",
                "required": ["columns"],
                "properties": {"columns": columns},
                "not": {"required": ["rows"]},
            },
        ]
    }
    examples = {
        "one row": {"value": {"rows": [sample]}},
        "columns": {"value": {"columns": {column: [value] for column, value in sample.items()}}},
    }
    label = label_schema(model, key=one.settings.key)
    v2_body = {"application/json": {"schema": v2_request_schema(), "examples": v2_examples(model, sample)}}
    v2_answer = {"application/json": {"schema": v2_response_schema()}}
    paths: Json = {
        f"/models/{name}/predict": {
            "post": _operation(
                f"Predict {model.label} with {name}",
                f"predict_{name}",
                body={"application/json": {"schema": body, "examples": examples}},
                answer={"application/json": {"schema": answer_schema(model)}},
                parameters=[_EXPLAIN, _ON_ERROR],
                failures=(*_FAILURES,),
            )
        },
        f"/models/{name}/labels": {
            "post": _operation(
                f"Send {model.label} as it came true",
                f"label_{name}",
                body={"application/json": {"schema": label, "examples": _label_examples(one, model)}},
                answer={"application/json": {"schema": _object({"accepted": {"type": "integer"}})}},
                status="202",
                failures=(400, 401, 403, 409, 413, 415, 422, 429, 503, 504),
            )
        },
        f"/models/{name}": {"get": _operation(f"What {name} takes", f"describe_{name}", answer=_ANY)},
    }
    for middle in ("", *(f"/versions/{version}" for version in sorted(one.standing.models))):
        where = f"/v2/models/{name}{middle}"
        tag = f"{name}{middle}".replace("/", "_")
        paths[where] = {"get": _operation("Inputs and outputs", f"v2_{tag}", answer=_ANY, v2=True)}
        paths[f"{where}/ready"] = {"get": _operation("Ready", f"v2_ready_{tag}", answer=_ANY, failures=(503,), v2=True)}
        paths[f"{where}/infer"] = {
            "post": _operation(
                f"Predict {model.label} from tensors",
                f"v2_infer_{tag}",
                body=v2_body,
                answer=v2_answer,
                failures=(*_FAILURES,),
                v2=True,
            )
        }
    return paths


def _label_examples(one: LiveDeployment, model: OnlineModel) -> Json:
    value = model.classes[-1] if model.classes else 1.5
    found: Json = {"by id": {"value": {"labels": [{"id": "0" * 26, "label": value}]}}}
    if one.settings.key:
        labels = [{one.settings.key: "A-7", "time": "2024-02-29T13:45:00Z", "label": value}]
        found["by key"] = {"value": {"labels": labels}}
    return found


def _fixed_paths(names: list[str]) -> Json:
    which: Json = {"name": "model", "in": "query", "description": "Which deployment, where there are several.",
                   "schema": {"type": "string", "enum": names}}  # fmt: skip
    text = {"text/plain": {"schema": {"type": "string"}}}
    probes = ("/readyz", "/v2/health/ready", "/ping", "/health")
    paths: Json = {
        path: {
            "get": _operation(
                summary, path.strip("/").replace("/", "_").replace(".", "_"), answer=_ANY,
                failures=(503,) if path in (*probes, "/healthz") else (), probe=path in (*probes, "/healthz"),
            )
        }
        for path, summary in _PLAIN.items()
    }  # fmt: skip
    paths["/version"] = {"get": _operation("The version", "version", answer=text)}
    paths["/metrics"] = {"get": _operation("Counters for Prometheus", "metrics", answer=text)}
    paths["/docs"] = {"get": _operation("This page", "docs", answer={"text/html": {"schema": {"type": "string"}}})}
    rows: Json = {"type": "array", "items": {"type": "object"}}
    answer = {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}
    paths["/v2/repository/index"] = {
        "post": _operation("What is loaded", "v2_repository_index", answer=answer, v2=True, failures=(413,))
    }
    paths["/invocations"] = {
        "post": _operation(
            "Predict from MLflow's forms",
            "invocations",
            body={"application/json": {"schema": {"type": "object", "properties": {"dataframe_records": rows}}}},
            answer={"application/json": {"schema": _object({"predictions": {"type": "array"}})}},
            parameters=[which],
            failures=(*_FAILURES,),
        )
    }
    return paths


_PLAIN = {
    "/models": "List the deployments",
    "/openapi.json": "This interface as OpenAPI",
    "/livez": "The process answers",
    "/readyz": "Requests may be sent here",
    "/healthz": "What works and what does not",
    "/v2": "Name and extensions of the server",
    "/v2/health/live": "The server lives",
    "/v2/health/ready": "All models are ready",
    "/ping": "Ready, as MLflow and SageMaker ask",
    "/health": "Ready, as MLflow asks",
}
_ANY: Json = {"application/json": {"schema": {}}}
_EXPLAIN: Json = {
    "name": "explain",
    "in": "query",
    "description": "What each column adds to the answer.",
    "schema": {"type": "boolean"},
}
_ON_ERROR: Json = {
    "name": "on_error",
    "in": "query",
    "description": "fail: one wrong row fails all; null: it alone gets an error.",
    "schema": {"enum": ["fail", "null"]},
}


def _object(properties: Json) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties}


def _operation(
    summary: str,
    name: str,
    *,
    answer: Json,
    body: Json | None = None,
    status: str = "200",
    parameters: list[Json] | None = None,
    failures: tuple[int, ...] = (),
    v2: bool = False,
    probe: bool = False,
) -> Json:
    error = {"application/json": {"schema": {"$ref": f"#/components/schemas/{'V2Error' if v2 else 'Error'}"}}}
    codes = sorted({*failures, 400, 401, 403, 404})
    operation: Json = {
        "operationId": name,
        "summary": summary,
        "responses": {status: {"description": "The answer.", "content": answer}}
        | {
            str(code): {"description": _FAILURES[code], "content": answer if probe and code == 503 else error}
            for code in codes
        },
    }
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    return operation
