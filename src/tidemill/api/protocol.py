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
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from tidemill.api.answering import INLINE_BYTES
from tidemill.api.app import BEGAN, CLOSE, CYCLE
from tidemill.api.failures import failure
from tidemill.api.health import PROBES
from tidemill.api.request import Receive, Response, Scope, Send
from tidemill.core.errors import OverloadError, RequestError, TidemillError

MOST_HEAD_BYTES = 65_536
MOST_HEADERS = 128

IDLE_S = 75.0
"""How long a connection may be kept without a request."""

LINGER_S = 0.05
"""How long the answer to a refused request has to arrive before its connection is closed."""

Now = Callable[[bytes, list[tuple[bytes, bytes]], bytes, float], Response | None]


class HeadTooLargeError(RequestError):
    """The head of a request is larger than is read."""

    code = "TM-TOO-LARGE"
    http_status = 431


class SlowError(RequestError):
    """The request took too long to arrive."""

    http_status = 408


class Protocol(HttpToolsProtocol):
    """One connection.

    A prediction whose body is small is answered where its last byte is read (`App.now`). Everything else, and what
    `App.now` leaves, goes the way of ASGI.
    """

    queue = 256
    """Requests in work or waiting at this worker; set by the worker that serves."""
    read_s = 10.0
    """How long a request may take to arrive, head and body, and a fresh connection to begin one."""
    now: Now | None = None
    """What answers predictions at once; set by the worker that serves."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: it has `read_s` to send a request."""
        super().connection_made(transport)
        self.since = time.perf_counter()
        self.reading = True
        self.in_head = True
        self.head_bytes = 0
        self.parts: list[bytes] | None = None
        self.refused: TidemillError | None = None

    def data_received(self, data: bytes) -> None:
        """Take bytes; those of a head that is not complete are counted."""
        if self.refused is not None:
            return
        if not self.reading:
            self.reading = True
            self.since = time.perf_counter()
        super().data_received(data)
        if self.in_head and self.reading and self.refused is None:
            self.head_bytes += len(data)
            if self.head_bytes > MOST_HEAD_BYTES:
                self.refuse(_head_too_large())

    def on_message_begin(self) -> None:
        """A request begins; what ASGI wants to know of it is put together when it is asked."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self.scope = None  # type: ignore[assignment]
        self.told_length = -1
        if not self.reading:  # it stands behind another request in the same bytes
            self.reading = True
            self.since = time.perf_counter()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one behind the body is a trailer, and dropped."""
        if not self.in_head:
            return
        self.head_bytes += len(name) + len(value)
        if len(self.headers) >= MOST_HEADERS or self.head_bytes > 2 * MOST_HEAD_BYTES:
            self.refused = _head_too_large()
            raise self.refused
        name = name.lower()
        if name == b"content-length":
            self.told_length = int(value)  # the parser has refused what is no number
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is complete: gather the body here, or hand the request to the application."""
        self.in_head = False
        self.head_bytes = 0
        url = self.url
        if (
            url[:8] == b"/models/"
            and b"/predict" in url
            and b"%" not in url
            and self.now is not None
            and 0 <= self.told_length <= INLINE_BYTES
            and self.parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
            and not self.expect_100_continue
            and not self.flow.write_paused
            and not self.parser.should_upgrade()
            and url.partition(b"?")[0].endswith(b"/predict")
        ):
            self.parts = []
            return
        self._to_asgi()

    def _to_asgi(self) -> None:
        """Start the application."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        super().on_headers_complete()

    def _hand_over(self) -> None:
        """Let the application do what was to be answered here."""
        parts, self.parts = self.parts or [], None
        self._to_asgi()
        for part in parts:
            super().on_body(part)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self.parts is None:
            super().on_body(body)
            return
        self.parts.append(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.in_head = True
        self.reading = False
        if self.parts is not None:
            assert self.now is not None  # noqa: S101 - asked where gathering began
            body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
            response = self.now(self.url, self.headers, body, self.since)
            if response is not None:
                self.parts = None
                self._write(response, close=not self.parser.should_keep_alive())
                return
            self._hand_over()
        super().on_message_complete()

    def _write(self, response: Response, *, close: bool) -> None:
        """Send an answer in one piece."""
        lines = [STATUS_LINE[response.status]]
        for name, value in response.headers:
            lines += (name, b": ", value, b"\r\n")
        body = response.body
        end = b"connection: close\r\n" if close else b""
        lines += (b"content-length: %d\r\n" % len(body), end, b"\r\n", body)
        self.transport.write(b"".join(lines))
        if close:
            self.transport.close()

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
            self._write(Response(response.status, (*response.headers, CLOSE), response.body), close=False)
        # Closing at once with unread bytes would reset the connection before the client has read the answer.
        self.loop.call_later(LINGER_S, self.transport.close)

    def overdue(self, now: float) -> bool:
        """Whether a request has been arriving for too long, or none came for a long time."""
        if self.reading:
            return now - self.since > self.read_s
        return now - self.since > IDLE_S and (self.cycle is None or self.cycle.response_complete)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        scope: Scope = cycle.scope  # type: ignore[assignment]
        scope[BEGAN] = time.perf_counter()
        scope[CYCLE] = cycle
        if len(self.tasks) >= self.queue and scope["path"] not in PROBES:
            app = overloaded
        super()._start_asgi_task(cycle, app)


def sweep(connections: set[Any]) -> None:
    """Refuse what takes too long to arrive, close what is idle; called once a second."""
    now = time.perf_counter()
    for connection in list(connections):
        if not isinstance(connection, Protocol) or not connection.overdue(now):
            continue
        if connection.reading and (connection.head_bytes or not connection.in_head):
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
