"""Real servers for tests of connections, each started once per process when a test first asks for it.

In a ``conftest.py``::

    from tidemill.testing.sources import mariadb, s3, web  # noqa: F401
"""

from __future__ import annotations

import http.server
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tidemill.testing.mariadb import Mariadb, NoMariadbError, mariadb_server
from tidemill.testing.postgresql import free_port

if TYPE_CHECKING:
    from botocore.client import BaseClient


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Mariadb]:
    """A MariaDB that is started once for all tests of this process."""
    try:
        with mariadb_server() as server:
            yield server
    except NoMariadbError as error:
        pytest.skip(str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """An S3-compatible server, and a client of it."""

    endpoint: str
    client: BaseClient


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """An S3-compatible server (moto's), in a process of its own."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        _wait_for(port, process)
        endpoint = f"http://127.0.0.1:{port}"
        yield S3(endpoint=endpoint, client=_client(endpoint))
    finally:
        process.terminate()
        process.wait()


def _client(endpoint: str) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="tidemill",
        aws_secret_access_key="geheim",  # noqa: S106 - the server takes any
        region_name="us-east-1",
    )


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the S3-compatible server did not start")


@dataclass(slots=True, kw_only=True)
class Web:
    """A web server of a folder. ``heads`` says whether it answers HEAD, ``tags`` whether it sends ETags."""

    url: str
    folder: Path
    heads: bool = True
    tags: bool = True
    dates: bool = True


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """A web server of an empty folder."""
    folder = tmp_path / "web"
    folder.mkdir()
    with web_server(folder) as server:
        yield server
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def web_server(folder: Path) -> Iterator[Web]:
    """Serve a folder over HTTP while the block runs, with ranges, ETags and dates."""
    found = Web(url="", folder=folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False) if found.heads else self.send_error(405)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = folder / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            data, stat = path.read_bytes(), path.stat()
            asked = self.headers.get("Range", "").removeprefix("bytes=")
            first, _, last = asked.partition("-")
            start, stop = int(first or 0), int(last or len(data) - 1) + 1
            part = data[start:stop]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("Accept-Ranges", "bytes")
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(data)}")
            if found.tags:
                self.send_header("ETag", f'"{hash(data) & 0xFFFFFFFF:x}"')
            if found.dates:
                self.send_header("Last-Modified", self.date_time_string(stat.st_mtime))
            self.end_headers()
            if body:
                self.wfile.write(part)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
