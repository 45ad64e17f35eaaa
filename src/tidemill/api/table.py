"""Every route of the server: what is not here does not exist. Dispatch, documentation and tests read this."""

from __future__ import annotations

from tidemill.api import health, labels, mlflow, plain, v2
from tidemill.api.docs_page import docs
from tidemill.api.metrics import metrics
from tidemill.api.openapi import openapi
from tidemill.api.routes import OPEN, Route, Router

PREDICT = Route(
    method="POST",
    path="/models/{name}/predict",
    permission="predict",
    handler=plain.predict,
    doc="Answer rows, each an object of columns, or columns of values.",
    body=True,
)

ROUTES: tuple[Route, ...] = (
    PREDICT,
    Route(
        method="POST",
        path="/models/{name}/labels",
        permission="label",
        handler=labels.labels,
        doc="Take what came true, by prediction or by key; it is on disk before this answers.",
        body=True,
    ),
    Route(method="GET", path="/models", permission="read", handler=plain.models, doc="List the deployments."),
    Route(
        method="GET",
        path="/models/{name}",
        permission="read",
        handler=plain.model,
        doc="What a model takes and gives, and how its versions stand.",
    ),
    Route(method="GET", path="/openapi.json", permission="read", handler=openapi, doc="This interface as OpenAPI."),
    Route(method="GET", path="/docs", permission="read", handler=docs, doc="This interface for people."),
    Route(method="GET", path="/metrics", permission="read", handler=metrics, doc="Counters for Prometheus."),
    Route(method="GET", path="/livez", permission=OPEN, handler=health.livez, doc="The process answers."),
    Route(method="GET", path="/readyz", permission=OPEN, handler=health.readyz, doc="Requests may be sent here."),
    Route(
        method="GET", path="/healthz", permission="read", handler=health.healthz, doc="What works and what does not."
    ),
    *(
        Route(method="GET", path=path, permission="read", handler=v2.server, doc="Name and extensions.", family="v2")
        for path in ("/v2", "/v2/")
    ),
    Route(method="GET", path="/v2/health/live", permission=OPEN, handler=v2.live, doc="The server lives.", family="v2"),
    Route(
        method="GET",
        path="/v2/health/ready",
        permission=OPEN,
        handler=v2.ready,
        doc="All models are ready.",
        family="v2",
    ),
    *(
        Route(
            method=method,
            path=f"/v2/models/{{name}}{middle}{end}",
            permission=permission,
            handler=handler,
            doc=doc,
            family="v2",
            body=method == "POST",
        )
        for middle in ("", "/versions/{version}")
        for method, end, permission, handler, doc in (
            ("GET", "", "read", v2.model, "Inputs and outputs of a model."),
            ("GET", "/ready", "read", v2.model_ready, "Whether a model can answer."),
            ("POST", "/infer", "predict", v2.infer, "Answer tensors, one a column."),
        )
    ),
    Route(
        method="POST",
        path="/v2/repository/index",
        permission="read",
        handler=v2.repository,
        doc="Models and versions that are loaded.",
        family="v2",
        body=True,
    ),
    Route(
        method="POST",
        path="/invocations",
        permission="predict",
        handler=mlflow.invocations,
        doc="Answer rows in any of MLflow's forms.",
        family="mlflow",
        body=True,
    ),
    Route(
        method="GET", path="/ping", permission=OPEN, handler=mlflow.ping, doc="Ready, as MLflow asks.", family="mlflow"
    ),
    Route(
        method="GET",
        path="/health",
        permission=OPEN,
        handler=mlflow.health,
        doc="Ready, as MLflow asks.",
        family="mlflow",
    ),
    Route(
        method="GET", path="/version", permission="read", handler=mlflow.version, doc="The version.", family="mlflow"
    ),
)

ROUTER = Router(ROUTES)
