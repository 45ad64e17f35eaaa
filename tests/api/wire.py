"""Bytes on a socket: what no well-behaved client would send."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

from tests.api.conftest import Server


@contextlib.contextmanager
def connected(server: Server, timeout: float = 20) -> Iterator[socket.socket]:
    """A connection to a server."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """All until the server closes, or resets, the connection."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def talk(server: Server, sent: bytes) -> tuple[int, bytes, bytes]:
    """Send bytes; the status, head and body of the first answer."""
    with connected(server) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
        return read_answer(connection)


def read_answer(connection: socket.socket) -> tuple[int, bytes, bytes]:
    """One answer with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            raise AssertionError(f"the connection was closed after {data!r}")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        part = connection.recv(65536)
        if not part:
            break
        body += part
    return int(head.split(b" ")[1]), head, body[:length]


def post(path: str, body: bytes, *more: bytes, length: int | None = None) -> bytes:
    """A request's bytes."""
    lines = [
        f"POST {path} HTTP/1.1".encode(),
        b"Host: localhost",
        b"Content-Type: application/json",
        b"Content-Length: %d" % (len(body) if length is None else length),
        *more,
    ]
    return b"\r\n".join([*lines, b"", body])


def error_code(body: bytes) -> Any:
    """The code in an error's body."""
    return json.loads(body)["error"]["code"]
