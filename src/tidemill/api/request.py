"""A request as handlers see it, the answer they give, and how a body is read within its bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from tidemill.core.errors import MediaTypeError, RequestError, TooLargeError
from tidemill.serving.live import Principal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON = (b"content-type", b"application/json")
_JSON_TYPE, _JSON_TEXT = b"application/json", "application/json"

_encoder = msgspec.json.Encoder(enc_hook=str)


class ClientGone(Exception):  # noqa: N818 - nobody is told: there is nobody
    """The client left before it was answered."""


class Request:
    """One request, once it was let in.

    Attributes
    ----------
    params
        Parts of the path, in the order of the route's template.
    head
        Headers by lower-case name.
    began
        When it was read from the network, in seconds of `time.perf_counter`.
    late_at
        When nobody waits for its answer any more, on the same clock.
    alive
        Whether the client is still connected.
    """

    __slots__ = ("alive", "began", "body", "head", "late_at", "method", "params", "path", "principal", "query")

    def __init__(
        self,
        method: str,
        path: str,
        params: tuple[str, ...],
        query: bytes,
        head: Mapping[bytes, bytes],
        principal: Principal | None,
        began: float,
        late_at: float,
        alive: Callable[[], bool],
    ) -> None:
        self.method = method
        self.path = path
        self.params = params
        self.query = query
        self.head = head
        self.principal = principal
        self.began = began
        self.late_at = late_at
        self.alive = alive
        self.body = b""

    @property
    def who(self) -> str:
        """The name of the token it came with; empty without one."""
        return "" if self.principal is None else self.principal.name

    def queries(self) -> dict[str, str]:
        """The query string's values; the last of several counts."""
        try:
            return dict(parse_qsl(self.query.decode("ascii"), keep_blank_values=True, max_num_fields=32))
        except ValueError:
            raise RequestError("the query string cannot be read: give at most 32 values, in ASCII") from None

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.head.get(b"content-type", b"").split(b";", 1)[0].strip().lower().decode("latin-1")


class Response(NamedTuple):
    """Status, headers besides the length, and body."""

    status: int
    headers: tuple[Header, ...]
    body: bytes


def json_response(value: Any, *, status: int = 200, headers: tuple[Header, ...] = ()) -> Response:
    """A value as JSON."""
    return Response(status, (JSON, *headers), _encoder.encode(value))


def flag(queries: Mapping[str, str], name: str) -> bool:
    """A query value that is true or false.

    Raises
    ------
    RequestError
        It is something else.
    """
    text = queries.get(name, "false").lower()
    if text not in ("true", "false", "1", "0", ""):
        raise RequestError(f"{name} is true or false; got {text[:40]!r}")
    return text in ("true", "1", "")


def check_media_type(request: Request, *allowed: str) -> None:
    """Refuse a body of another type, or a packed one: what it unpacks to has no bound yet.

    Raises
    ------
    MediaTypeError
        It is of another type.
    """
    head = request.head
    if head.get(b"content-type") == _JSON_TYPE and b"content-encoding" not in head and _JSON_TEXT in allowed:
        return
    packed = head.get(b"content-encoding", b"identity").strip().lower()
    if packed not in (b"identity", b""):
        raise MediaTypeError(
            f"the body is packed with {packed.decode('latin-1')[:40]}",
            hint="send it as it is, without Content-Encoding",
        )
    given = request.media_type
    if given not in allowed:
        raise MediaTypeError(
            f"the body's content type is {given[:80]!r}" if given else "the body has no Content-Type",
            hint=f"send Content-Type: {' or '.join(allowed)}",
        )


async def read_body(receive: Receive, head: Mapping[bytes, bytes], *, most: int) -> bytes:
    """Read the whole body, and no more than may be.

    Raises
    ------
    TooLargeError
        It is longer, or says that it is.
    ClientGone
        The client left while it was read.
    """
    told = head.get(b"content-length")
    if told is not None and (len(told) > 18 or int(told) > most):
        raise too_large(most)
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    body: bytes = message["body"]
    if not message.get("more_body"):
        if len(body) > most:
            raise too_large(most)
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        if size > most:
            raise too_large(most)
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        parts.append(message["body"])
        size += len(message["body"])
    if size > most:
        raise too_large(most)
    return b"".join(parts)


def too_large(most: int) -> TooLargeError:
    """The error of a body that is too long."""
    return TooLargeError(
        f"the body is larger than {most:,} bytes",
        hint="send fewer rows at once; [server] max_body_bytes in tidemill.toml sets the bound",
        most=most,
    )
