"""What a route is, and how the one for a request is found. `tidemill.api.table` lists them all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from tidemill.api.context import Context
from tidemill.api.request import Request, Response
from tidemill.core.errors import InternalError, MethodError, NotFoundError
from tidemill.warehouse.control.tokens import ROLES

Handler = Callable[[Context, Request], Awaitable[Response]]
Family = Literal["plain", "v2", "mlflow"]

OPEN = "open"
"""The permission of probes: a load balancer has no token, and they tell nothing but whether to send requests here."""

PERMISSIONS = frozenset({OPEN}).union(*ROLES.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One address and method: who may ask, and who answers.

    Parameters
    ----------
    path
        A template: ``/models/{name}/predict``.
    permission
        What a token must allow, or `OPEN`. There is no default: nothing is reachable by oversight.
    family
        Which form its errors have.
    """

    method: str
    path: str
    permission: str
    handler: Handler
    doc: str
    family: Family = "plain"
    body: bool = False
    late: bool = False

    def __post_init__(self) -> None:
        if self.permission not in PERMISSIONS:
            raise InternalError(f"{self.method} {self.path} has no permission that exists: {self.permission!r}")


class Router:
    """Finds routes: fixed paths by one look-up, templates by comparing their parts."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._fixed: dict[str, dict[str, Route]] = {}
        self._templates: dict[int, list[tuple[list[str], dict[str, Route]]]] = {}
        for route in self.routes:
            self._methods(route.path)[route.method] = route

    def _methods(self, path: str) -> dict[str, Route]:
        if "{" not in path:
            return self._fixed.setdefault(path, {})
        parts = path.split("/")
        alike = self._templates.setdefault(len(parts), [])
        for known, methods in alike:
            if known == parts:
                return methods
        alike.append((parts, {}))
        return alike[-1][1]

    def find(self, method: str, raw_path: str) -> tuple[Route | None, tuple[str, ...], tuple[str, ...]]:
        """The route, the values in its path, and the methods that the path takes; no route for OPTIONS.

        Raises
        ------
        NotFoundError
            No route has this path.
        MethodError
            The path takes other methods.
        """
        methods, params = self._look_up(raw_path)
        if methods is None:
            raise NotFoundError("there is nothing at this address", hint="GET /docs lists what there is")
        allowed = tuple(sorted({*methods, "OPTIONS", *({"HEAD"} if "GET" in methods else ())}))
        if method == "OPTIONS":
            return None, params, allowed
        found = methods.get("GET" if method == "HEAD" else method)
        if found is None:
            raise MethodError(f"{method[:20]} is not a method of this address", hint=f"it takes {', '.join(allowed)}",
                              allowed=list(allowed))  # fmt: skip
        return found, params, allowed

    def _look_up(self, raw_path: str) -> tuple[dict[str, Route] | None, tuple[str, ...]]:
        methods = self._fixed.get(raw_path)
        if methods is not None:
            return methods, ()
        parts = raw_path.split("/")
        for template, found in self._templates.get(len(parts), ()):
            # Parts are taken apart before they are unquoted: %2f in a name is part of the name.
            if all(want == have or (want.startswith("{") and have) for want, have in zip(template, parts, strict=True)):
                pairs = zip(template, parts, strict=True)
                return found, tuple(unquote(have) for want, have in pairs if want.startswith("{"))
        return None, ()


def describe(route: Route) -> dict[str, Any]:
    """A route as the documentation page lists it."""
    return {"method": route.method, "path": route.path, "permission": route.permission, "doc": route.doc}
