"""Fixtures: control databases, and servers that take mail and HTTP and can misbehave."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tidemill.core.clock import Clock, random_id
from tidemill.testing.control import control_url, db, postgresql

__all__ = ["control_url", "db", "postgresql"]


@dataclass(slots=True)
class Hands:
    """A clock whose hands the test moves; durations are real."""

    now: datetime = datetime(2026, 3, 10, 12, tzinfo=UTC)

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, monotonic=time.monotonic, new_id=random_id)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@dataclass(slots=True)
class Web:
    """An HTTP server that does with each request what the test says."""

    url: str
    behave: Callable[[BaseHTTPRequestHandler], None]
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


def answer(status: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with a status."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return behave


@pytest.fixture
def web() -> Iterator[Web]:
    found: list[Web] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found[0].seen.append((dict(self.headers.items()), body))
            with contextlib.suppress(OSError):
                found[0].behave(self)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.append(Web(url=f"http://127.0.0.1:{server.server_port}/hook?x=1", behave=answer(200)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found[0]
    finally:
        found[0].over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


@dataclass(slots=True)
class Post:
    """An SMTP server with STARTTLS and login, as small as the protocol lets it be."""

    port: int
    certificate: Path
    mails: list[tuple[str, list[str], str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    offers_tls: bool = True
    refuses: bytes = b""


@pytest.fixture(scope="session")
def _certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def post(_certificate: Path) -> Iterator[Post]:
    found: list[Post] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate / "cert.pem", _certificate / "key.pem")

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                _serve_mail(self.request, found[0], context)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.append(Post(port=server.server_address[1], certificate=_certificate / "cert.pem"))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _serve_mail(connection: socket.socket, post: Post, context: ssl.SSLContext) -> None:
    reader, sender, to = connection.makefile("rb"), "", []
    encrypted = False

    def say(text: bytes) -> None:
        connection.sendall(text + b"\r\n")

    say(b"220 localhost")
    try:
        while line := reader.readline().strip():
            word = line.split(b" ")[0].split(b":")[0].upper()
            if word == b"EHLO":
                more = [b"AUTH PLAIN LOGIN"] if encrypted else [b"STARTTLS"] if post.offers_tls else []
                lines = [b"localhost", *more]
                for text in lines[:-1]:
                    say(b"250-" + text)
                say(b"250 " + lines[-1])
            elif word == b"STARTTLS":
                say(b"220 go on")
                reader.close()
                connection = context.wrap_socket(connection, server_side=True)
                reader, encrypted = connection.makefile("rb"), True
            elif word == b"AUTH":
                post.logins.append(line.decode())
                say(b"235 welcome")
            elif word == b"MAIL":
                sender = line.decode()
                say(b"250 ok")
            elif word == b"RCPT":
                to.append(line.decode())
                say(post.refuses or b"250 ok")
            elif word == b"DATA":
                say(b"354 go on")
                text = b""
                while (part := reader.readline()) != b".\r\n":
                    text += part
                post.mails.append((sender, to, text.decode()))
                say(b"250 taken")
            elif word == b"QUIT":
                say(b"221 bye")
                return
            else:
                say(b"250 ok")
    finally:
        reader.close()
        connection.close()
