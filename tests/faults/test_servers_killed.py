"""Servers killed under load and in the middle of a rollout (reliability faults 4 and 5)."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from tests.api.conftest import Server, finish
from tests.faults.conftest import Servers, Shop
from tests.faults.traffic import expected, traffic, until
from tests.faults.versions import asking_more

from tidemill.project import open_project
from tidemill.warehouse.control import audit


def workers(server: Server) -> set[int]:
    """The processes that the supervisor has started and that live."""
    task = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return {int(pid) for pid in task.read_text().split()}


def test_fault_5_killed_under_load_it_loses_nothing_it_answered_and_is_back(shop: Shop, serve: Servers) -> None:
    answers = expected(shop, 1)
    server = serve(shop, "--workers", "2")
    with traffic(server, answers) as sent:
        sent.more(200)
        os.kill(server.pids[0], signal.SIGKILL)
        sent.more(200)  # the other worker answers on
        os.kill(server.pids[1], signal.SIGKILL)
        sent.more(200)
        until(lambda: len(workers(server) - set(server.pids)) == 2, 10)
    server.process.kill()
    server.process.wait()
    finish(server)

    again = serve(shop)
    with traffic(again, answers) as later:
        later.more(50)
    finish(again)

    assert sent.wrong == later.wrong == later.failed == []
    assert not any(one[0].isdigit() for one in sent.failed)  # a connection broke; nobody was told anything false
    with open_project(shop.root) as project:
        logged = Counter(row[0] for row in project.sql("SELECT id FROM tidemill.predictions").fetchall())
    acknowledged = [*sent.ids, *later.ids]
    assert set(acknowledged) <= set(logged)
    assert set(logged.values()) == {1}


@pytest.mark.parametrize("point", ["deployment.before_commit", "deployment.after_commit"])
def test_fault_4_a_server_killed_in_an_automatic_step_goes_on_with_the_rollout(
    shop: Shop, serve: Servers, point: str
) -> None:
    # The two versions score differently, so that their answers can be told apart: here that is no harm.
    settings = shop.root / "tidemill.toml"
    given = settings.read_text()
    rules = "[deployments.shop.rollback]\nscore_distance = 1.0\nflip_share = 0.99\nlatency_ratio = 1000.0\n"
    settings.write_text(given.replace("[deployments.shop.rollback]\n", rules))
    shop.deploy(2, share=0.5)
    answers = expected(shop, 1, 2)
    server = serve(shop, TIDEMILL_FAULT=f"{point}:kill")
    with traffic(server, answers) as sent:
        until(lambda: "SIGKILL" in (shop.root / "server.err").read_text(), 60)
        shop.require_whole()
    finish(server)
    shop.require_whole()
    assert shop.now().champion == (1 if point == "deployment.before_commit" else 2)

    again = serve(shop)
    with traffic(again, answers) as later:
        until(lambda: shop.now().champion == 2)
        later.more(50)
        until(lambda: later.by[2] > 0)

    assert sent.wrong == later.wrong == later.failed == []
    assert [row.action for row in audit.rows(shop.db)] == ["deploy", "promote", "deploy", "canary", "promote"]
    shop.require_whole()


def test_fault_4_a_version_taken_back_stays_away_though_the_server_died_writing_it_down(
    shop: Shop, serve: Servers
) -> None:
    bad = asking_more(shop)
    shop.deploy(bad, share=0.5)
    answers = expected(shop, 1)
    server = serve(shop, TIDEMILL_FAULT="deployment.before_commit:kill")
    with traffic(server, answers) as sent:
        until(lambda: "SIGKILL" in (shop.root / "server.err").read_text(), 60)
    finish(server)
    assert shop.now().challenger == bad

    again = serve(shop)
    with traffic(again, answers) as later:
        until(lambda: shop.now().challenger is None)
        later.more(50)

    assert sent.wrong == later.wrong == later.failed == []
    assert shop.versions()[bad].state == "rolled_back"
    (row,) = (one for one in audit.rows(shop.db) if one.action == "roll back")
    assert "requests failed" in row.why
    shop.require_whole()
