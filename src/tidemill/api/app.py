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
from typing import Any

from tidemill.api.access import check_host, check_origin, check_permission, find_principal
from tidemill.api.context import Context
from tidemill.api.failures import failure
from tidemill.api.health import PROBES
from tidemill.api.request import ClientGone, Receive, Request, Response, Scope, Send, read_body
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
            head = dict(scope["headers"])
            method: str = scope["method"]
            if len(head) != len(scope["headers"]):
                check_single(scope["headers"])
            policy = self.ctx.policy
            if path not in PROBES:
                check_host(policy, head.get(b"host"))
            check_origin(policy, method, head.get(b"origin"))
            # The path of nearly all requests is told by its ends alone.
            route: Route | None
            params: tuple[str, ...]
            allowed: tuple[str, ...]
            if method == "POST" and path[:8] == "/models/" and path[-8:] == "/predict" and len(path) > 16:
                route, params, allowed = PREDICT, (path[8:-8],), ()
            else:
                raw = scope.get("raw_path") or path.encode()
                route, params, allowed = ROUTER.find(method, raw.decode("latin-1"))
            if route is None or route.permission != OPEN:
                principal = find_principal(policy, self.ctx.live.principals, head.get(b"authorization"), None)
                if principal is not None and principal.expires_at is not None:
                    find_principal(policy, self.ctx.live.principals, head[b"authorization"], self.ctx.clock.now())
                check_permission(policy, principal, "read" if route is None else route.permission)
            else:
                principal = None
            if route is None:
                return Response(204, ((b"allow", ", ".join(allowed).encode()),), b""), name
            cycle = scope.pop(CYCLE, None)
            request = Request(
                method,
                path,
                params,
                scope["query_string"],
                head,
                principal,
                began,
                began + self._patience_s(head),
                always if cycle is None else lambda: not cycle.disconnected,
            )
            if route.body:
                request.body = await read_body(receive, head, most=self.ctx.settings.max_body_bytes)
            if params and params[0] in self.ctx.live.deployments:
                name = params[0]  # only names that exist are counted by: clients cannot fill the memory with others
            if route.body and b"idempotency-key" in head:
                handler = route.handler
                return await self.ctx.answered.once(request, lambda: handler(self.ctx, request)), name
            return await route.handler(self.ctx, request), name
        except TidemillError as error:
            return failure(error, path), name
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of a request
            traceback.print_exc(file=sys.stderr)
            bug = InternalError(
                f"{type(error).__name__} while this was answered", hint="the server's standard error tells more"
            )
            return failure(bug, path), name

    def _patience_s(self, head: dict[bytes, bytes]) -> float:
        """How long the client waits, in seconds."""
        given = head.get(b"x-request-timeout-ms")
        if given is None:
            return self.ctx.settings.deadline_ms / 1000.0
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
