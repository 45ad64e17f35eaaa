"""Helpers of the log's tests: records, a spool, a lake, and children that are really killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tidemill.core.clock import Clock
from tidemill.serving.log.collect import Collector
from tidemill.serving.log.records import LabelRecord, LabelRow, PredictionRecord, encode
from tidemill.serving.log.tables import log_views
from tidemill.serving.log.writer import LogWriter
from tidemill.testing.warehouse import no_guard
from tidemill.warehouse.duckdb.lake import Lake, open_lake

CHILD = Path(__file__).with_name("log_child.py")
Child = Callable[..., "subprocess.CompletedProcess[str]"]
SECOND = 1_000_000_000
BEGIN = 1_790_000_000 * SECOND  # 2026-09-21T14:13:20Z


def prediction(number: int, **changes: Any) -> PredictionRecord:
    """The answer to request ``r<number>``, given in that second."""
    given: dict[str, Any] = {
        "id": f"r{number}",
        "at_ns": BEGIN + number * SECOND,
        "deployment": "churn",
        "model": "churn",
        "version": 3,
        "digest": "d" * 64,
        "route": "champion",
        "share": 0.0,
        "n": 1,
        "keys": [f"k{number}"],
        "inputs": b'{"rows":[{"age":%d,"name":"J\xc3\xbcrgen"}]}' % number,
        "predictions": ["yes"],
        "probabilities": [[0.25, 0.75]],
        "classes": ("no", "yes"),
        "latency_us": 1500,
        "trace": "t",
        "principal": "shop",
    }
    return PredictionRecord(**given | changes)


def label(number: int, *rows: LabelRow, **changes: Any) -> LabelRecord:
    """Labels that arrived with one request in a second."""
    given: dict[str, Any] = {"id": f"l{number}", "at_ns": BEGIN + number * SECOND, "deployment": "churn"}
    return LabelRecord(**given | {"model": "churn", "rows": list(rows)} | changes)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / ".tidemill" / "spool"


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path, threads=1)) as opened:
        yield opened


def write(spool: Path, *records: PredictionRecord | LabelRecord, worker: str = "w0") -> Path:
    """Append records as a worker that then ends; returns its newest segment."""
    with closing(LogWriter(spool, worker=worker, clock=Clock())) as writer:
        for record in records:
            writer.append(encode(record))
    return max(spool.glob("*.seg"), key=lambda path: path.stat().st_mtime_ns)


def collector(lake: Lake, spool: Path, **changes: Any) -> Collector:
    """A collector that holds no lease."""
    given: dict[str, Any] = {"clock": Clock(), "guard": no_guard}
    return Collector(lake, spool, **given | changes)


def select(lake: Lake, spool: Path, sql: str) -> list[dict[str, Any]]:
    """What a query of a new session answers."""
    with lake.session(system=log_views(spool)) as session:
        rows: list[dict[str, Any]] = session.query(sql).read_all().to_pylist()
    return rows


def ids(lake: Lake, spool: Path) -> list[str]:
    """The ids of all predictions that SQL sees, sorted."""
    return [row["id"] for row in select(lake, spool, "SELECT id FROM tidemill.predictions ORDER BY id")]


def environment(fault: str = "") -> dict[str, str]:
    """What a child needs: where the tests are, and the fault it meets."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "TIDEMILL_FAULT": fault}


def start_server(root: Path) -> subprocess.Popen[str]:
    """A child that appends predictions, and says so of each, until it is killed."""
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(root), "append", "w0", "0", "1000000"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def killed_after(server: subprocess.Popen[str], number: int) -> int:
    """Kill a server once it has acknowledged a prediction; the number of the last that it acknowledged."""
    assert server.stdout is not None
    last = -1
    while last < number:
        last = int(server.stdout.readline())
    server.kill()
    whole = server.stdout.read().split("\n")[:-1]
    server.stdout.close()
    server.wait()
    return int(whole[-1]) if whole else last


@pytest.fixture
def child(tmp_path: Path) -> Child:
    """Run a verb of `log_child` in ``tmp_path``, with a fault when one is named."""

    def run(*arguments: str, fault: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(CHILD), str(tmp_path), *arguments],
            env=environment(fault),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **options,
        )

    return run
