"""Every route is behind the permission that it declares."""

from __future__ import annotations

import pytest
from tests.api.conftest import ROW, Server

from tidemill.api.request import Request, Response
from tidemill.api.routes import OPEN, PERMISSIONS, Route
from tidemill.api.table import ROUTES
from tidemill.core.errors import InternalError
from tidemill.warehouse.control.tokens import ROLES

Guarded = tuple[Server, dict[str, str]]
PATHS = {"name": "churn", "version": "1"}


def ask(server: Server, route: Route, token: str | None, method: str = "") -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    path = route.path.replace("/models/{name}", "/models/churn").replace("{version}", "1")
    body = {"rows": [ROW]} if route.body else None
    return server.ask(method or route.method, path, body, headers=headers).status


async def nothing(_: object, __: Request) -> Response:
    return Response(200, (), b"")


def test_a_route_without_a_permission_that_exists_cannot_be_declared() -> None:
    for permission in ("", "everybody", "READ"):
        with pytest.raises(InternalError, match="no permission that exists"):
            Route(method="GET", path="/x", permission=permission, handler=nothing, doc="")

    assert {route.permission for route in ROUTES} <= PERMISSIONS
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_s5_each_route_asks_for_a_token_and_its_permission_but_for_the_probes(guarded: Guarded, route: Route) -> None:
    server, tokens = guarded

    without = ask(server, route, None)
    by_role = {role: ask(server, route, tokens[role]) for role in ROLES}

    if route.permission == OPEN:
        assert without == 200
        return
    assert without == 401
    for role, status in by_role.items():
        assert (status == 403) == (route.permission not in ROLES[role]), role
        assert status != 401


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "HEAD", "OPTIONS"])
def test_s6_no_method_gets_past_the_token(guarded: Guarded, method: str) -> None:
    server, _ = guarded

    for route in ROUTES:
        if route.permission != OPEN:
            assert ask(server, route, None, method=method) in (401, 405)


def test_methods_that_a_path_does_not_take_are_told_with_those_it_takes(server: Server) -> None:
    refused = server.ask("DELETE", "/models/churn")
    asked = server.ask("OPTIONS", "/models/churn/predict")

    assert refused.status == 405
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
    assert refused.json["error"]["code"] == "TM-METHOD"
    assert (asked.status, asked.headers["allow"]) == (204, "OPTIONS, POST")


def test_head_answers_as_get_does_but_for_the_body(server: Server) -> None:
    head, get = server.ask("HEAD", "/models/churn"), server.ask("GET", "/models/churn")

    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize(
    "path",
    [
        "/models/..%2f..%2f..%2fetc%2fpasswd",
        "/models/..%2f..%2fetc%2fpasswd/predict",
        "/models/%00/predict",
        "/models/churn%00/predict",
        "/models/..\\..\\windows",
        "/models/" + "a" * 5000,
        "/models/%ff%fe/predict",
        "/models//predict",
        "//models/churn",
        "/models/churn/../spend",
        "/v2/models/churn/versions/..%2f1",
        "/v2/models/churn/versions/99999999999999999999",
        "/v2/models/churn/versions/%D9%A1",
        "/.tidemill/control.sqlite",
    ],
)
def test_fault_58_paths_with_tricks_find_nothing(server: Server, path: str) -> None:
    for method in ("GET", "POST"):
        answer = server.ask(method, path, {"rows": [ROW]} if method == "POST" else None)
        assert answer.status in (400, 404, 405), (method, answer.body)
        assert answer.json["error"]
