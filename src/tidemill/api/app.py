"""The ASGI application: what happens to every request, in the order of the checks.

Host, origin, address, token, permission, body within its bounds, idempotency key, then the route's handler. What a
handler raises becomes an answer here; nothing a client sends ends the process.

References
----------
.. [1] https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from tidemill.api.access import Doorkeeper, check_host, check_origin, check_permission
from tidemill.api.context import Context
from tidemill.api.failures import failure
from tidemill.api.health import PROBES
from tidemill.api.plain import predict_now
from tidemill.api.request import ClientGone, Receive, Request, Response, Scope, Send, read_body, too_large
from tidemill.api.routes import OPEN, Route
from tidemill.api.table import PREDICT, ROUTER
from tidemill.core.errors import InternalError, RequestError, TidemillError

CYCLE, BEGAN = "tidemill.cycle", "tidemill.began"
"""Keys of the scope under which `tidemill.api.protocol` hands over the connection and when the request was read."""

LONGEST_DEADLINE_MS = 600_000
CLOSE = (b"connection", b"close")
_SINGLE = frozenset({b"host", b"authorization", b"content-length", b"content-type", b"idempotency-key", b"origin"})


def always() -> bool:
    """The client is there as far as anybody knows."""
    return True


class App:
    """The application of one worker."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self._patience = ctx.settings.deadline_ms / 1000.0
        self._door = Doorkeeper(ctx.policy, ctx.clock)
        self._hosts: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await _other(scope, receive, send)
            return
        began = scope.get(BEGAN) or time.perf_counter()
        name, status = "", 500
        try:
            response, name = await self._answer(scope, receive, began)
        except ClientGone:
            return
        status = response.status
        body = response.body
        headers = [*response.headers, (b"content-length", b"%d" % len(body))]
        if self.ctx.draining:
            headers.append(CLOSE)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self.ctx.counters.answered(name, status, time.perf_counter() - began)
        if self.ctx.tracer is not None:
            self._trace(scope, name, status, began)

    async def _answer(self, scope: Scope, receive: Receive, began: float) -> tuple[Response, str]:
        """The answer, whatever happens, and the deployment it is counted for."""
        path: str = scope["path"]
        name = ""
        try:
            cycle = scope.pop(CYCLE, None)
            alive = always if cycle is None else lambda: not cycle.disconnected
            raw = scope.get("raw_path") or path.encode()
            route, request, allowed = self.admit(
                scope["method"], path, raw, scope["query_string"], scope["headers"], began, alive
            )
            if route is None:
                return Response(204, ((b"allow", ", ".join(allowed).encode()),), b""), name
            if route.body:
                request.body = await read_body(receive, request.head, most=self.ctx.settings.max_body_bytes)
            name = self._counted(request)
            if route.body and b"idempotency-key" in request.head:
                handler = route.handler
                return await self.ctx.answered.once(request, lambda: handler(self.ctx, request)), name
            return await route.handler(self.ctx, request), name
        except TidemillError as error:
            return failure(error, path), name
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of a request
            return failure(_bug(error), path), name

    def now(self, url: bytes, headers: list[tuple[bytes, bytes]], body: bytes, began: float) -> Response | None:
        """Answer a prediction at once, as calling the application would; None where something has to be waited for.

        `tidemill.api.protocol` asks here first: no task, no events, no messages for the requests that nearly all are.
        """
        raw, _, query = url.partition(b"?")
        path, name = raw.decode("latin-1"), ""
        if self.ctx.draining or self.ctx.tracer is not None:
            return None
        try:
            _, request, _ = self.admit("POST", path, raw, query, headers, began, always)
            if b"idempotency-key" in request.head:
                return None
            if len(body) > self.ctx.settings.max_body_bytes:
                return failure(too_large(self.ctx.settings.max_body_bytes), path)
            request.body = body
            name = self._counted(request)
            response = predict_now(self.ctx, request)
            if response is None:
                return None
        except TidemillError as error:
            response = failure(error, path)
        except Exception as error:  # noqa: BLE001 - the boundary of a request
            response = failure(_bug(error), path)
        self.ctx.counters.answered(name, response.status, time.perf_counter() - began)
        return response

    def admit(
        self,
        method: str,
        path: str,
        raw_path: bytes,
        query: bytes,
        headers: list[tuple[bytes, bytes]],
        began: float,
        alive: Callable[[], bool],
    ) -> tuple[Route | None, Request, tuple[str, ...]]:
        """Let a request in: its route, the request, and the methods of its path where it asks for them.

        Raises
        ------
        TidemillError
            It is not let in.
        """
        ctx = self.ctx
        policy = ctx.policy
        head = dict(headers)
        if len(head) != len(headers):
            check_single(headers)
        host = head.get(b"host")
        if host not in self._hosts and path not in PROBES:
            check_host(policy, host)
            if host is not None and len(self._hosts) < 256:
                self._hosts.add(host)  # the next request with this very header needs no second look
        if b"origin" in head:
            check_origin(policy, method, head[b"origin"])
        route: Route | None
        params: tuple[str, ...]
        allowed: tuple[str, ...]
        # The path of nearly all requests is told by its ends alone.
        if method == "POST" and path[:8] == "/models/" and path[-8:] == "/predict" and len(path) > 16:
            route, params, allowed = PREDICT, (path[8:-8],), ()
        else:
            route, params, allowed = ROUTER.find(method, raw_path.decode("latin-1"))
        principal = None
        if route is None or route.permission != OPEN:
            principal = self._door.find(ctx.live.principals, head.get(b"authorization"))
            check_permission(policy, principal, "read" if route is None else route.permission)
        late_at = began + (self._patience_s(head) if b"x-request-timeout-ms" in head else self._patience)
        return route, Request(method, path, params, query, head, principal, began, late_at, alive), allowed

    def _counted(self, request: Request) -> str:
        """The deployment a request is counted for: only one that exists, or clients could fill the memory."""
        return request.params[0] if request.params and request.params[0] in self.ctx.live.deployments else ""

    def _patience_s(self, head: dict[bytes, bytes]) -> float:
        """How long the client waits, in seconds."""
        given = head[b"x-request-timeout-ms"]
        if not given.isdigit() or not 0 < len(given) <= 6 or not 0 < int(given) <= LONGEST_DEADLINE_MS:
            raise RequestError(f"X-Request-Timeout-Ms is a whole number from 1 to {LONGEST_DEADLINE_MS:,}")
        return int(given) / 1000.0

    def _trace(self, scope: Scope, name: str, status: int, began: float) -> None:
        assert self.ctx.tracer is not None  # noqa: S101 - asked before
        end_ns = self.ctx.now_ns()
        facts: dict[str, Any] = {
            "http.request.method": scope["method"],
            "url.path": scope["path"],
            "http.response.status_code": status,
            "tidemill.deployment": name,
        }
        begin_ns = end_ns - int((time.perf_counter() - began) * 1e9)
        said = f"{scope['method']} predict" if name else str(scope["method"])
        self.ctx.tracer.span(name=said, head=dict(scope["headers"]), begin_ns=begin_ns, end_ns=end_ns, facts=facts)


def _bug(error: Exception) -> InternalError:
    """A bug of ours: told to the operator, not to the client."""
    traceback.print_exception(error, file=sys.stderr)
    return InternalError(
        f"{type(error).__name__} while this was answered", hint="the server's standard error tells more"
    )


def check_single(headers: list[tuple[bytes, bytes]]) -> None:
    """Refuse a request with two hosts, two tokens and the like: which of them a proxy looked at is unknown.

    Raises
    ------
    RequestError
        A header that decides something comes twice.
    """
    seen: set[bytes] = set()
    for name, _ in headers:
        if name in _SINGLE and name in seen:
            raise RequestError(f"the header {name.decode('latin-1')} comes twice")
        seen.add(name)


async def _other(scope: Scope, receive: Receive, send: Send) -> None:
    """Lifespan events are acknowledged, websockets refused."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1003})
        return
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
