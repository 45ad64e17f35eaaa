"""Clients that ask a server without a pause, and hold each answer against the version it names."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.api.conftest import Server
from tests.faults.conftest import ROWS, Shop

from tidemill.registry.versions import load
from tidemill.serving.online.model import OnlineModel

Answered = tuple[Any, float]
"""The class, and the probability of the last one."""


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Ask until it is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def expected(shop: Shop, *versions: int) -> dict[int, list[Answered]]:
    """What each version answers to each of `ROWS`, computed here."""
    found = {}
    for version in versions:
        loaded = load(shop.db, shop.store, "buyers", version)
        model = OnlineModel.open(loaded.files, name="buyers", version=version, digest=loaded.digest)
        answers = [model.answer(model.rows_of_dicts([row])) for row in ROWS]
        found[version] = [(one.predictions[0], float(one.scores[0])) for one in answers]
    return found


class Traffic:
    """Several clients, each on a connection of its own.

    Attributes
    ----------
    failed
        Answers that were none: a status besides 200, or a connection that broke.
    wrong
        Answers that are not what the version they name says.
    ids
        Ids of predictions that were answered.
    by
        How many answers each version gave.
    """

    def __init__(self, server: Server, answers: Mapping[int, Sequence[Answered]]) -> None:
        self.port = server.port
        self.answers = answers
        self.failed: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.by: Counter[int] = Counter()
        self.numbers = itertools.count()
        self._on = True

    @property
    def answered(self) -> int:
        return len(self.ids)

    def more(self, requests: int) -> None:
        """Wait until so many more were answered."""
        goal = self.answered + requests
        until(lambda: self.answered >= goal, 60)

    def ask_once(self, connection: http.client.HTTPConnection) -> None:
        number = next(self.numbers)
        row = ROWS[number % len(ROWS)]
        try:
            body = json.dumps({"rows": [row | {"id": number}]})
            connection.request("POST", "/models/shop/predict", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.failed.append(repr(error))
            connection.close()
            time.sleep(0.01)
            return
        if response.status != 200:
            self.failed.append(f"{response.status} {text!r}")
            return
        self._check(number % len(ROWS), json.loads(text))

    def _check(self, row: int, told: dict[str, Any]) -> None:
        (one,) = told["predictions"]
        version = told["version"]
        prediction, score = self.answers[version][row]
        if one["prediction"] != prediction or abs(one["probabilities"]["true"] - score) > 1e-6:
            self.wrong.append(f"version {version}, row {row}: {one}, not {score}")
        self.by[version] += 1
        self.ids.append(one["id"])

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while self._on:
            self.ask_once(connection)
        connection.close()

    def stop(self) -> None:
        self._on = False


@contextmanager
def traffic(server: Server, answers: Mapping[int, Sequence[Answered]], *, clients: int = 3) -> Iterator[Traffic]:
    """Traffic while the block runs."""
    sent = Traffic(server, answers)
    threads = [threading.Thread(target=sent.run) for _ in range(clients)]
    for one in threads:
        one.start()
    try:
        yield sent
    finally:
        sent.stop()
        for one in threads:
            one.join()
