"""The real ASGI application, asked from inside the process: no socket, and the clock of the simulation."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from tidemill.api.access import make_policy
from tidemill.api.app import App
from tidemill.api.metrics import gauges
from tidemill.asgi import close_context, open_transform, wire_context
from tidemill.core.errors import InternalError, StateError
from tidemill.serving.live import Live

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from tidemill.project import Project
    from tidemill.serving.live_deployment import LiveDeployment
    from tidemill.serving.online.model import OnlineModel
    from tidemill.simulate.hands import Hands

_HEADERS = [(b"host", b"localhost"), (b"content-type", b"application/json")]
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.decode


class Door:
    """What callers of the deployment see. Nothing goes on behind it but in `turn`."""

    def __init__(self, project: Project, name: str, hands: Hands) -> None:
        live = Live(project.keep, project.settings, clock=hands.clock, transform=open_transform)
        live.look()
        policy = make_policy(host="127.0.0.1", auth="auto", hosts=(), origins=())
        self._ctx = wire_context(live, policy)
        self._ctx.now_ns = hands.now_ns
        self._app = App(self._ctx)
        self._path = f"/models/{name}"
        self._name = name
        self._loop = asyncio.new_event_loop()

    @property
    def deployment(self) -> LiveDeployment:
        """The deployment as the worker has it in memory."""
        return self._ctx.deployment(self._name)

    def champion(self) -> OnlineModel:
        """The version that answers.

        Raises
        ------
        StateError
            None can.
        """
        found = self.deployment.champion
        if found is None:
            raise StateError(f"no version of {self._name} can answer: {self.deployment.standing.problem}")
        return found

    def run(self, asked: Coroutine[Any, Any, None]) -> None:
        """Let callers ask: many questions in one go, because beginning a loop costs more than an answer."""
        self._loop.run_until_complete(asked)

    async def predict(self, row: Mapping[str, Any]) -> tuple[int, dict[str, Any], bytes]:
        """Ask about a row: the status, the answer, and the body that was sent."""
        body = _encode({"rows": [row]})
        status, answer = await self._post("/predict", body)
        return status, answer, body

    async def label(self, labels: Sequence[Mapping[str, Any]]) -> None:
        """Tell what came true.

        Raises
        ------
        InternalError
            The labels are not taken.
        """
        most = self._ctx.settings.max_rows
        for start in range(0, len(labels), most):
            status, answer = await self._post("/labels", _encode({"labels": labels[start : start + most]}))
            if status != HTTPStatus.ACCEPTED:
                raise InternalError(f"the labels of the replay were not taken: {answer}")

    def turn(self) -> None:
        """Do what a server does beside answering: the shadow, the rollout, what was deployed."""
        self._ctx.live.turn()
        self.count()

    def count(self) -> None:
        """Write down what was asked and how it ended, for the monitor."""
        self._ctx.counters.save(gauges(self._ctx))

    async def _post(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        path = self._path + path
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": list(_HEADERS),
        }
        told: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        await self._app(scope, receive, send)
        return told[0]["status"], _decode(told[1]["body"])

    def close(self) -> None:
        """End what was begun."""
        close_context(self._ctx)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
