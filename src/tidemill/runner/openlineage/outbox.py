"""Events on their way: a queue and a thread, so that no run waits for a server, and none fails because of one."""

from __future__ import annotations

import os
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tidemill.core.openlineage import OpenLineageSettings

WAITING = 10_000
"""Events that may wait; what comes then is lost, and counted."""
PAUSES_S = (0.2, 1.0)
"""Pauses between tries."""

Send = Callable[[bytes], None]
"""Delivers one event, or raises OSError."""


class Outbox:
    """Takes events and delivers them to each place; the first place that gives up is told at the end.

    A server that cannot be reached after all tries is not asked again: one dead address must not hold up the end of a
    run by a timeout for each event.
    """

    def __init__(self, places: Mapping[str, Send], *, wait_s: float) -> None:
        self._places = dict(places)
        self._wait_s = wait_s
        self._queue: queue.Queue[bytes | None] = queue.Queue(WAITING)
        self._lost: dict[str, int] = {}
        self._why: dict[str, str] = {}
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._work, name="openlineage", daemon=True)
        self._thread.start()

    def put(self, event: Mapping[str, Any]) -> None:
        """Send an event, some time soon."""
        try:
            self._queue.put_nowait(msgspec.json.encode(event, enc_hook=str))
        except queue.Full:
            for place in self._places:
                self._lose(place, "more events than could be sent in time")

    def close(self) -> list[str]:
        """Wait for what is on its way; what did not arrive, in sentences."""
        try:
            self._queue.put(None, timeout=self._wait_s)
        except queue.Full:
            self._given_up.set()
        self._thread.join(self._wait_s)
        if self._thread.is_alive():
            self._given_up.set()
            for place in self._places:
                self._lose(place, f"it did not answer within {self._wait_s:g} s", self._queue.qsize())
        return [
            f"{number} lineage event{'s' * (number != 1)} did not reach {place}: {self._why[place]}"
            for place, number in self._lost.items()
        ]

    def _work(self) -> None:
        while (event := self._queue.get()) is not None and not self._given_up.is_set():
            for place, send in self._places.items():
                if place in self._lost:
                    self._lose(place, self._why[place])
                    continue
                try:
                    self._deliver(send, event)
                except OSError as error:
                    self._lose(place, _reason(error))

    def _deliver(self, send: Send, event: bytes) -> None:
        for pause in PAUSES_S:
            try:
                return send(event)
            except OSError as error:
                if not _may_pass(error) or self._given_up.is_set():
                    raise
            time.sleep(pause)
        return send(event)

    def _lose(self, place: str, why: str, number: int = 1) -> None:
        self._lost[place] = self._lost.get(place, 0) + number
        self._why.setdefault(place, why)


def open_outbox(settings: OpenLineageSettings, root: Path, environment: Mapping[str, str] = os.environ) -> Outbox:
    """The outbox that the settings name."""
    places: dict[str, Send] = {}
    if settings.file:
        places[settings.file] = to_file(root / settings.file)
    if settings.url:
        url = f"{settings.url.rstrip('/')}/{settings.endpoint.lstrip('/')}"
        key = environment.get(settings.api_key_variable, "")
        places[url] = to_server(url, key=key, timeout_s=settings.timeout_seconds)
    return Outbox(places, wait_s=settings.wait_seconds)


def to_file(path: Path) -> Send:
    """Append each event as a line of its own; several processes may write to one file."""

    def send(event: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            line = memoryview(event + b"\n")
            while line:
                line = line[os.write(handle, line) :]
        finally:
            os.close(handle)

    return send


def to_server(url: str, *, key: str, timeout_s: float) -> Send:
    """Post each event to an OpenLineage server."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    # No redirect: the key goes to the address that the settings name, and nowhere else.
    opener = urllib.request.build_opener(_NoRedirect)

    def send(event: bytes) -> None:
        request = urllib.request.Request(url, data=event, headers=headers, method="POST")  # noqa: S310 - http(s) only
        with opener.open(request, timeout=timeout_s) as answer:
            answer.read()

    return send


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none: the answer counts as a refusal."""
        return


def _may_pass(error: OSError) -> bool:
    """Whether another try may go well: a refusal of the event itself stays one."""
    return not isinstance(error, urllib.error.HTTPError) or error.code in (408, 429) or error.code >= 500


def _reason(error: OSError) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"it answered {error.code}"
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "it did not answer in time"
    return str(getattr(reason, "strerror", None) or reason)
