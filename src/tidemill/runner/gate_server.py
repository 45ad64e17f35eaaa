"""The server's own code in this process: asked the same rows as ML.PREDICT, and timed."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import TidemillError
from tidemill.serving.gates.case import Golden, Missing, Timing

if TYPE_CHECKING:
    import numpy as np

    from tidemill.core.clock import Clock
    from tidemill.registry.versions import LoadedModel
    from tidemill.serving.online.model import OnlineModel

_CALLS, _WARM_UP = 500, 50

JsonRows = Sequence[Mapping[str, Any]]


def open_online(model: LoadedModel) -> OnlineModel:
    """A version as the server opens it."""
    from tidemill.serving.online.model import OnlineModel
    from tidemill.warehouse.duckdb.row_transform import open_row_transform

    return OnlineModel.open(
        model.files, name=model.name, version=model.version, digest=model.digest, transform=open_row_transform
    )


def ask_golden(online: OnlineModel, rows: JsonRows, expected: np.ndarray) -> Golden:
    """Answer the rows kept from training, and some rows of which ML.PREDICT's answers are known."""
    away = online.check_golden()
    if not rows:
        return Golden(training_away=away, sql_away=None, rows=0)
    try:
        return Golden(training_away=away, sql_away=_distance(online, rows, expected), rows=len(rows))
    except TidemillError as error:
        return Golden(training_away=away, sql_away=None, rows=len(rows), sql_problem=error.message)


def time_answers(online: OnlineModel, rows: JsonRows, clock: Clock) -> Timing | Missing:
    """One-row answers, from the bytes of a request to the answer, after a warm-up."""
    import numpy as np

    bodies = [json.dumps({"rows": [row]}).encode() for row in rows]
    if not bodies:
        return Missing("no held-out row could be asked")
    times = np.empty(_CALLS + _WARM_UP)
    try:
        for call in range(times.size):
            body = bodies[call % len(bodies)]
            began = clock.monotonic()
            online.answer(online.rows_of_body(body))
            times[call] = clock.monotonic() - began
    except TidemillError as error:
        return Missing(error.message)
    return Timing(milliseconds=times[_WARM_UP:] * 1_000, machine=machine())


def machine() -> str:
    """The machine in a few words: its processor, and how many of its cores may be used."""
    name = platform.machine()
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        lines = facts.read_text(errors="replace").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    cores = len(os.sched_getaffinity(0))
    return f"{name}, {cores} {'core' if cores == 1 else 'cores'}"


def _distance(online: OnlineModel, rows: JsonRows, expected: np.ndarray) -> float:
    """How far the server's answers to a request of all rows are from those expected."""
    import numpy as np

    answers = online.answer(online.rows_of_body(json.dumps({"rows": list(rows)}).encode()))
    found = answers.predictions if answers.probabilities is None else answers.probabilities
    scale = max(1.0, float(np.abs(expected).max()))
    return float(np.abs(np.array(found, dtype=np.float64) - expected).max()) / scale
