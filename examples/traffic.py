"""A server and the traffic of a demo: requests one after the other, labels for the answers, and who answered them."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("tidemill")


@contextmanager
def server(project: Path) -> Iterator[tuple[str, int]]:
    """Serve a project on a free port of this machine until the block ends."""
    process = subprocess.Popen(
        [COMMAND, "serve", "--port", "0", "--json"], cwd=project, stdout=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise SystemExit("the server did not start")
        host, _, port = json.loads(line)["ready"]["address"].removeprefix("http://").partition(":")
        yield host, int(port)
    finally:
        process.terminate()
        process.wait(timeout=30)


class Client:
    """Sends rows of a table, again and again, and tells the labels of what was answered."""

    def __init__(self, address: tuple[str, int], name: str, rows: Sequence[dict[str, Any]], label: str) -> None:
        self._connection = http.client.HTTPConnection(*address, timeout=30)
        self._name, self._label = name, label
        self._rows = cycle(rows)
        self.answered: Counter[int] = Counter()

    def send_until(self, done: Callable[[dict[str, Any]], bool], *, look: Callable[[], dict[str, Any]]) -> None:
        """Send rows until the deployment stands as wanted; prints each stage it goes through."""
        shown = ""
        for number in range(1, 200_001):
            self.send()
            if number % 100:
                continue
            state = look()
            stage = _stage(state)
            if stage != shown:
                print(f"  after {number:>6,} requests: {stage}", flush=True)
                shown = stage
            if done(state):
                return
        raise SystemExit("the rollout did not end")

    def send(self) -> None:
        """One request, and the label of its row."""
        row = dict(next(self._rows))
        label = row.pop(self._label)
        answer = self.post("predict", {"rows": [row]})
        self.answered[answer["version"]] += 1
        self.post("labels", {"labels": [{"id": answer["predictions"][0]["id"], "label": label}]})

    def post(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a body to one of the model's routes."""
        self._connection.request(
            "POST", f"/models/{self._name}/{what}", json.dumps(body), {"Content-Type": "application/json"}
        )
        response = self._connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise SystemExit(f"the server answered {response.status}: {text.decode()}")
        answer: dict[str, Any] = json.loads(text)
        return answer


def _stage(state: dict[str, Any]) -> str:
    if state["challenger"] is None:
        return f"version {state['champion']} is champion"
    if state["stage"] == "shadow":
        return f"version {state['challenger']} answers in the shadow of version {state['champion']}"
    return f"version {state['challenger']} answers {state['share']:.0%} of the requests"
