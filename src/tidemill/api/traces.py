"""OpenTelemetry spans, one a request, where the ``traces`` extra is installed and an endpoint is named.

References
----------
.. [1] https://opentelemetry.io/docs/specs/semconv/http/http-spans/
.. [2] https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from tidemill.core.errors import SettingsError
from tidemill.core.version import VERSION

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class Tracer(Protocol):
    """Told of each request once it was answered."""

    def span(
        self, *, name: str, head: Mapping[bytes, bytes], begin_ns: int, end_ns: int, facts: dict[str, Any]
    ) -> None:
        """Record a span."""

    def close(self) -> None:
        """Send what is left."""


def make_tracer(environment: Mapping[str, str] = os.environ) -> Tracer | None:
    """A tracer where one is asked for.

    Raises
    ------
    SettingsError
        An endpoint is named, and the extra is not installed.
    """
    if not any(environment.get(name) for name in ENDPOINTS):
        return None
    try:
        return _OpenTelemetry()
    except ImportError as error:
        raise SettingsError(
            f"{ENDPOINTS[0]} is set, and {error.name} is not installed", hint="pip install 'tidemill[traces]'"
        ) from error


class _OpenTelemetry:
    def __init__(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        name = os.environ.get("OTEL_SERVICE_NAME", "tidemill")
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name, SERVICE_VERSION: VERSION}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("tidemill")
        self._read = TraceContextTextMapPropagator()

    def span(
        self, *, name: str, head: Mapping[bytes, bytes], begin_ns: int, end_ns: int, facts: dict[str, Any]
    ) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode

        carrier = {
            key: head[key.encode()].decode("latin-1") for key in ("traceparent", "tracestate") if key.encode() in head
        }
        span = self._tracer.start_span(
            name, context=self._read.extract(carrier), kind=SpanKind.SERVER, attributes=facts, start_time=begin_ns
        )
        if facts["http.response.status_code"] >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end_ns)

    def close(self) -> None:
        self._provider.shutdown()
