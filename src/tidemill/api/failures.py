"""An error as an HTTP answer, in the form of the protocol it came by."""

from __future__ import annotations

from typing import Any

from tidemill.api.request import Header, Response, json_response
from tidemill.core.errors import DataError, MethodError, TidemillError, TokenError

RETRY_AFTER_S = 1
NOSNIFF: Header = (b"x-content-type-options", b"nosniff")


def failure(error: TidemillError, path: str) -> Response:
    """The answer for an error: ``{"error": {code, message, where, hint, facts}}``; under ``/v2`` ``error`` is text."""
    headers: list[Header] = [NOSNIFF]
    if error.retryable:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
    if isinstance(error, TokenError):
        headers.append((b"www-authenticate", b'Bearer realm="tidemill"'))
    if isinstance(error, MethodError):
        headers.append((b"allow", ", ".join(error.facts["allowed"]).encode()))
    status = error.http_status
    if path.startswith("/v2") and isinstance(error, DataError):
        status = 400  # the protocol knows no other for what is wrong with a request
    return json_response(failure_body(error, path), status=status, headers=tuple(headers))


def failure_body(error: TidemillError, path: str) -> dict[str, Any]:
    """The error as the protocol of a path has it."""
    if path.startswith("/v2"):
        text = f"{error.message}; {error.hint}" if error.hint else error.message
        return {"error": text, "code": error.code, "facts": error.facts}
    return {"error": error.as_json()}
