"""Spans: one a request, sent to the endpoint that the environment names."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from tests.api.conftest import ROW, Start

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_request_becomes_a_span_of_the_trace_it_belongs_to(start: Start) -> None:
    found: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Collector) as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever)
        thread.start()
        server = start(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{endpoint.server_port}")
        headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        assert server.predict({"rows": [ROW]}, headers=headers).status == 200
        assert server.end() == 0
        endpoint.shutdown()
        thread.join()

    sent = b"".join(body for path, body in found if path == "/v1/traces")
    assert bytes.fromhex(TRACE) in sent
    assert b"/models/churn/predict" in sent
    assert b"tidemill.deployment" in sent
