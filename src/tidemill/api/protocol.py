"""HTTP/1.1 on a connection: uvicorn's httptools protocol with bounds that it lacks.

Heads are bounded in bytes and in headers (431), a request has to arrive within a time (408), only so many requests are
in work at once (429), and trailers are no headers.

References
----------
.. [1] RFC 9112, HTTP/1.1, section 11, Security Considerations. https://www.rfc-editor.org/rfc/rfc9112#section-11
.. [2] RFC 6585, Additional HTTP Status Codes. https://www.rfc-editor.org/rfc/rfc6585
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from tidemill.api.app import BEGAN, CYCLE
from tidemill.api.failures import failure
from tidemill.api.health import PROBES
from tidemill.api.request import Receive, Scope, Send
from tidemill.core.errors import OverloadError, RequestError, TidemillError

MOST_HEAD_BYTES = 65_536
MOST_HEADERS = 128
READ_S = 20.0
"""How long a request may take to arrive, head and body, and a fresh connection to begin one."""

LINGER_S = 0.05


class HeadTooLargeError(RequestError):
    """The head of a request is larger than is read."""

    code = "TM-TOO-LARGE"
    http_status = 431


class SlowError(RequestError):
    """The request took too long to arrive."""

    http_status = 408


class Protocol(HttpToolsProtocol):
    """One connection."""

    queue = 256
    """Requests in work or waiting at this worker; set by the worker that serves."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: it has `READ_S` to send a request."""
        super().connection_made(transport)
        self.reading_since = time.perf_counter()
        self.in_head = True
        self.head_bytes = 0
        self.refused: TidemillError | None = None

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a head that is not complete are counted."""
        if self.refused is not None:
            return
        if not self.reading_since:
            self.reading_since = time.perf_counter()
        super().data_received(data)
        if self.in_head and self.refused is None and not self.transport.is_closing():
            self.head_bytes += len(data)
            if self.head_bytes > MOST_HEAD_BYTES:
                self.refuse(_head_too_large())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one behind the body is a trailer, and dropped."""
        if not self.in_head:
            return
        self.head_bytes += len(name) + len(value)
        if len(self.headers) >= MOST_HEADERS or self.head_bytes > 2 * MOST_HEAD_BYTES:
            self.refused = _head_too_large()
            raise self.refused
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self.in_head = False
        self.head_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is complete."""
        super().on_message_complete()
        self.in_head = True
        self.reading_since = 0.0

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP in the form of every other error."""
        error = self.refused or RequestError(f"this is no HTTP/1.1 request: {msg.rstrip('.').lower()}")
        self.refuse(error)

    def refuse(self, error: TidemillError) -> None:
        """Answer without the application, and close."""
        self.refused = error
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            path = self.scope.get("path", "") if self.scope else ""
            response = failure(error, path)
            lines = [STATUS_LINE[response.status]]
            for name, value in (*response.headers, (b"content-length", b"%d" % len(response.body))):
                lines += [name, b": ", value, b"\r\n"]
            self.transport.write(b"".join([*lines, b"connection: close\r\n\r\n", response.body]))
        # Closing at once with unread bytes would reset the connection before the client has read the answer.
        self.loop.call_later(LINGER_S, self.transport.close)

    def overdue(self, now: float) -> bool:
        """Whether a request has been arriving for too long."""
        return bool(self.reading_since) and now - self.reading_since > READ_S

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        scope: Scope = cycle.scope  # type: ignore[assignment]
        scope[BEGAN] = time.perf_counter()
        scope[CYCLE] = cycle
        if len(self.tasks) >= self.queue and scope["path"] not in PROBES:
            app = overloaded
        super()._start_asgi_task(cycle, app)


def sweep(connections: set[Any]) -> None:
    """Refuse what takes too long to arrive; called once a second."""
    now = time.perf_counter()
    for connection in list(connections):
        if isinstance(connection, Protocol) and connection.overdue(now):
            connection.reading_since = 0.0
            if connection.head_bytes or not connection.in_head:
                connection.refuse(SlowError("the request took too long to arrive", hint="send it faster"))
            else:
                connection.transport.close()


async def overloaded(scope: Scope, _: Receive, send: Send) -> None:
    """Answer 429: more requests wait than are taken."""
    error = OverloadError("the server has more requests in work than it takes", hint="try again after a moment")
    response = failure(error, scope["path"])
    scope.pop(CYCLE, None)
    headers = [*response.headers, (b"content-length", b"%d" % len(response.body))]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def _head_too_large() -> HeadTooLargeError:
    return HeadTooLargeError(
        f"the head has more than {MOST_HEADERS} headers or {MOST_HEAD_BYTES:,} bytes", hint="send fewer headers"
    )
