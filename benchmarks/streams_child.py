"""One replay of `streams`, in a process of its own: ``python -m benchmarks.streams_child NAME FILE [--quick]``."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.common import project, say
from benchmarks.streams_world import REPLAYS, Replay
from tidemill.project import open_project
from tidemill.simulate.page import as_page
from tidemill.simulate.request import Request, read_delay, read_every, read_moment
from tidemill.simulate.simulate import simulate

SETTINGS = """
threads = 1

[deployments.answers.gates]
margin = 0.02

[deployments.answers.rollout]
shadow_requests = 0
shares = []

[deployments.answers.monitor]
window = "WINDOW"
max_age = ""
"""
SHORT = timedelta(days=21)


def main() -> None:
    name, path = sys.argv[1], Path(sys.argv[2]).absolute()
    replay = next(one for one in REPLAYS if one.name == name)
    settings = SETTINGS.replace("WINDOW", replay.stream.window)
    folder = project(name, {"tidemill.toml": settings, "sql/all.sql": replay.statements(replay.stream.file)})
    os.chdir(folder)
    with open_project(folder) as opened:
        assert opened.run(["rows"]).status == "ok"
        wall, cpu = time.perf_counter(), time.process_time()
        found = simulate(opened, request(replay, quick="--quick" in sys.argv), listen=_listener())
    figures = {
        "asked": replay.asked,
        "measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "answers": found.scores.answers,
        "totals": found.scores.totals,
        "versions": sum(one.outcome == "done" for one in found.retrained),
        "outcomes": [one.outcome for one in found.retrained],
        "alerts": [[f"{one.opened_at:%Y-%m-%d}", one.severity, one.headline] for one in found.alerts],
        "costs": found.costs,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "periods": found.as_json()["scores"]["periods"],
    }
    path.with_suffix(".html").write_text(as_page(found))
    path.write_text(json.dumps(figures, indent=1))


def request(replay: Replay, *, quick: bool) -> Request:
    """What is asked of the simulation; a quick one ends after three weeks."""
    begin = read_moment(replay.stream.begin, "begin")
    until = read_moment(replay.until, "until") if replay.until else None
    return Request(
        deployment="answers",
        replay="rows",
        time="at",
        label=replay.stream.label,
        begin=begin,
        end=begin + SHORT if quick else until,
        delay=read_delay(replay.stream.after),
        retrain_every=read_every(replay.every, "every"),
        at_once=replay.at_once,
    )


def _listener():
    """Tells how far it is, now and then."""
    told = [0.0]

    def listen(text: str) -> None:
        if time.monotonic() - told[0] > 30:
            told[0] = time.monotonic()
            say(f"    {text}")

    return listen


if __name__ == "__main__":
    main()
