"""The collector beside a server: it carries over on its own, goes on after trouble, and ends when it is asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.serving.log.conftest import environment, ids, prediction, write

from tidemill.core.clock import Clock
from tidemill.core.errors import TidemillError
from tidemill.serving.log.collect import Collected
from tidemill.serving.log.follow import LogPlaces, follow
from tidemill.warehouse.control.database import open_database, sqlite_url
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.leases import acquire, current, release
from tidemill.warehouse.duckdb.lake import Lake

News = list[Collected | TidemillError]
PATIENCE_S = 60


def until(told: Callable[[], bool]) -> None:
    """Wait for something that is bound to come."""
    end = time.monotonic() + PATIENCE_S
    while not told():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def places(tmp_path: Path, lake: Lake, spool: Path) -> Iterator[LogPlaces]:
    with closing(open_database(sqlite_url(tmp_path / "control.sqlite"), clock=Clock())) as db:
        yield LogPlaces(db=db, warehouse=lake, spool=spool, clock=Clock())


@pytest.fixture
def following(places: LogPlaces) -> Iterator[Callable[[], tuple[threading.Event, threading.Thread, News]]]:
    """Start a collector in a thread; what it told is in the list."""
    started: list[tuple[threading.Event, threading.Thread]] = []

    def start() -> tuple[threading.Event, threading.Thread, News]:
        news: News = []
        stop = threading.Event()
        thread = threading.Thread(
            target=follow, args=(places,), kwargs={"stop": stop, "report": news.append, "every_s": 0}
        )
        thread.start()
        started.append((stop, thread))
        return stop, thread, news

    yield start
    for stop, thread in started:
        stop.set()
        thread.join()


def test_what_is_logged_is_carried_over_and_the_last_of_it_at_the_end(
    places: LogPlaces, following: Callable[[], tuple[threading.Event, threading.Thread, News]]
) -> None:
    write(places.spool, prediction(1))
    stop, thread, news = following()
    until(lambda: len(news) == 1)
    write(places.spool, prediction(2), worker="w1")
    stop.set()
    thread.join()

    assert sum(one.predictions for one in news if isinstance(one, Collected)) == 2
    assert places.warehouse.tables().keys() == {"tidemill_log.predictions"}


def test_a_collector_waits_for_another_to_end_and_tells_it_once(
    places: LogPlaces, following: Callable[[], tuple[threading.Event, threading.Thread, News]]
) -> None:
    write(places.spool, prediction(1))
    lease = acquire(places.db, "collector", this_process())
    _, _, news = following()
    until(lambda: len(news) == 1)
    release(places.db, lease)
    until(lambda: len(news) == 2)

    assert isinstance(news[0], TidemillError)
    assert news[0].code == "TM-BUSY"
    assert isinstance(news[1], Collected)


def test_a_disk_that_was_full_is_told_and_the_batch_tried_again(
    places: LogPlaces,
    following: Callable[[], tuple[threading.Event, threading.Thread, News]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIDEMILL_FAULT", "stage.before_sync:enospc:1")
    monkeypatch.setattr("tidemill.core.faults._passes", {})
    write(places.spool, prediction(1))
    _, _, news = following()
    until(lambda: len(news) == 2)

    assert isinstance(news[0], TidemillError)
    assert news[0].code == "TM-DISK-FULL"
    assert isinstance(news[1], Collected)
    assert news[1].predictions == 1


@pytest.mark.parametrize("how", ["signal", "parent"])
def test_the_command_takes_all_along_and_leaves(tmp_path: Path, lake: Lake, spool: Path, how: str) -> None:
    (tmp_path / "tidemill.toml").write_text("")
    command = [sys.executable, "-m", "tidemill.cli.main", "collect", "-C", str(tmp_path), "--until-process-ends"]
    # The process between us is the collector's parent: it tells us the number of the child it starts, and ends.
    script = (
        "import os, subprocess, sys\n"
        f"print(subprocess.Popen([*{command!r}, str(os.getpid())]).pid, flush=True)\nsys.stdin.read()"
    )
    write(spool, prediction(1))
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    until(lambda: _has_lease(tmp_path))
    if how == "signal":
        os.kill(pid, signal.SIGTERM)
    parent.stdin.close()
    said = parent.stdout.read()  # until the collector, which holds the other end, has ended
    parent.stdout.close()
    parent.wait()

    assert said == "1 prediction and 0 labels collected\n"
    assert ids(lake, spool) == ["r1"]
    assert lake.tables().keys() == {"tidemill_log.predictions"}


def _has_lease(root: Path) -> bool:
    path = root / ".tidemill" / "control.sqlite"
    if not path.exists():
        return False
    with closing(open_database(sqlite_url(path), clock=Clock())) as db:
        return current(db, "collector") is not None
