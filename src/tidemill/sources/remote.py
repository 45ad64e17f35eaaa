"""What a web server tells of a file without sending it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 10.0
# Servers that answer GET and not HEAD, and those that have not heard of it.
_NO_HEAD = (400, 403, 405, 501)
_TOLD = ("ETag", "Last-Modified")


def is_web(pattern: str) -> bool:
    """Whether a pattern is the address of a web server's file."""
    return pattern.lower().startswith(("http://", "https://"))


def web_version(url: str) -> str | None:
    """A text that changes with the file; '' when its server tells none, None when there is no such file.

    Raises
    ------
    SourceError
        The server cannot be reached, or refuses.
    """
    # With TLS these take as long to import as a small project takes to plan; few projects read from the web.
    import urllib.error
    from http.client import HTTPException

    try:
        try:
            headers = _headers(url, "HEAD")
        except urllib.error.HTTPError as error:
            if error.code not in _NO_HEAD:
                raise
            headers = _headers(url, "GET")
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            return None
        raise SourceError(f"{url} cannot be read: its server says {error.code}", file=url) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SourceError(f"{url} cannot be reached: {reason}", hint="check its address", file=url) from None
    told = [f"{name}: {headers[name]}" for name in _TOLD if headers.get(name)]
    return "; ".join([*told, f"Content-Length: {headers.get('Content-Length')}"]) if told else ""


def _headers(url: str, method: str) -> Mapping[str, str]:
    import urllib.request

    # The body is never read: the connection is closed behind the headers.
    request = urllib.request.Request(url, method=method, headers={"User-Agent": "tidemill"})  # noqa: S310 - is_web
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - is_web
        return dict(answer.headers.items())
