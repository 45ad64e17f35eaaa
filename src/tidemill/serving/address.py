"""The address of a server: bound once, by one server a project."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from tidemill.core.errors import BusyError, SettingsError


@contextlib.contextmanager
def only_server(keep: Path, *, host: str) -> Iterator[Callable[[str], None]]:
    """Be the only server of a project; hands out a function that writes the address down.

    Raises
    ------
    BusyError
        Another server runs; the message names its process, machine and address.
    """
    folder = keep / "serve"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "server.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(path) from None

        def write(address: str) -> None:
            told = {"pid": os.getpid(), "host": socket.gethostname(), "address": address}
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(told).encode(), 0)

        write(host)
        yield write
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _busy(path: Path) -> BusyError:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        who = f"process {told['pid']} on {told['host']} at {told['address']}"
    except (OSError, ValueError, KeyError, TypeError):
        told, who = {}, "another process"
    return BusyError(f"this project is served already, by {who}", hint="end that server first, or talk to it", **told)


def bind(host: str, port: int) -> socket.socket:
    """Listen on an address; port 0 takes a free one.

    Raises
    ------
    SettingsError
        The address cannot be bound.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise SettingsError(
            f"cannot listen on {host}:{port}: {said}", hint="choose another --port; --port 0 takes a free one"
        ) from None
    listener.setblocking(False)
    return listener
