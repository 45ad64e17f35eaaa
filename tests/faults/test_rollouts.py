"""Versions on trial in real traffic: worse, equal, better, slow, and back again (reliability faults 63 and 65)."""

from __future__ import annotations

import http.client
import itertools
import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.faults.conftest import ROWS, Servers, Shop
from tests.faults.traffic import expected, traffic, until
from tests.faults.versions import add, asking_more, slow, turned

from tidemill.cli.main import run_command
from tidemill.core.sections import one_deployment
from tidemill.core.settings import read_settings
from tidemill.project import open_project
from tidemill.serving.board import CHALLENGER, CHAMPION, Board
from tidemill.serving.changes import apply_move
from tidemill.serving.machine import Move, begin
from tidemill.serving.rollout import judge
from tidemill.training.artifact import MODEL_ONNX
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.audit import AuditRow
from tidemill.warehouse.control.deployments import Deployment


def set_up(shop: Shop, *lines: str) -> None:
    """Change settings of the deployment's rollout and rollback."""
    path = shop.root / "tidemill.toml"
    text = path.read_text()
    for line in lines:
        name = line.split(" = ")[0]
        found, count = re.subn(rf"^{name} = .*$", line, text, flags=re.MULTILINE)
        section = "rollout" if name in ("cool_down_seconds", "shadow_requests") else "rollback"
        mark = f"[deployments.shop.{section}]"
        text = found if count else text.replace(mark, f"{mark}\n{line}")
    path.write_text(text)


def last(shop: Shop) -> AuditRow:
    return audit.rows(shop.db, object="deployment shop")[-1]


def test_fault_63_a_canary_that_is_equal_is_promoted(shop: Shop, serve: Servers) -> None:
    same = add(shop, {})
    answers = expected(shop, 1, same)
    server = serve(shop)
    shop.deploy(same, share=0.5)
    with traffic(server, answers) as sent:
        until(lambda: shop.now().champion == same)
        sent.more(20)

    assert sent.failed == sent.wrong == []
    assert last(shop).action == "promote"
    assert last(shop).evidence["challenger"]["errors"] == 0


def test_fault_63_a_canary_that_is_better_goes_through_shadow_and_shares_and_is_promoted(
    shop: Shop, serve: Servers
) -> None:
    # The second version has its weights pulled towards zero: the first is the better one, and takes its turn again.
    with open_project(shop.root) as project:
        assert project.model("buyers", 1).evaluate()["log_loss"] < project.model("buyers", 2).evaluate()["log_loss"]
    shop.deploy(2)
    set_up(shop, "shadow_requests = 40", "flip_share = 0.9", "score_distance = 0.9")
    answers = expected(shop, 1, 2)
    better = add(shop, {})
    server = serve(shop)
    shadow(shop, better)
    with traffic(server, {**answers, better: answers[1]}) as sent:
        until(lambda: shop.now().champion == better)
        sent.more(20)

    assert sent.failed == sent.wrong == []
    assert [row.action for row in audit.rows(shop.db)][-3:] == ["shadow", "canary", "promote"]


def shadow(shop: Shop, version: int) -> None:
    """Let a version on trial as the settings have it, without its gates."""
    rollout = read_settings(shop.root, {}).deployments["shop"].rollout

    def candidate(now: Deployment, _: object) -> Move:
        return Move(action="deploy", after=now, states={version: "candidate"})

    apply_move(shop.db, "shop", candidate, who="test")
    apply_move(shop.db, "shop", lambda now, _: begin(now, version, rollout=rollout), who="test")


def test_fault_63_a_canary_that_fails_five_requests_of_a_hundred_more_is_rolled_back_unseen_by_clients(
    shop: Shop, serve: Servers
) -> None:
    set_up(shop, "requests_per_share = 2000")
    bad = asking_more(shop)
    server = serve(shop)
    shop.deploy(bad, share=0.5)
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        for number in itertools.count():
            row = ROWS[number % len(ROWS)] | {"id": number}
            # One client in twenty does not send the column that only the new version wants.
            if number % 20:
                row["coupon"] = 0.5
            assert predict(connection, row)["version"] in (1, bad)
            if number % 20 == 0 and shop.now().challenger is None:
                break
            assert number < 8000

    taken_back = last(shop)
    assert shop.versions()[bad].state == "rolled_back"
    assert "requests failed" in taken_back.why
    assert taken_back.evidence["challenger"]["answers"] <= 2000
    assert taken_back.evidence["champion"]["errors"] == 0


def predict(connection: http.client.HTTPConnection, row: dict[str, Any]) -> dict[str, Any]:
    connection.request(
        "POST", "/models/shop/predict", json.dumps({"rows": [row]}), {"Content-Type": "application/json"}
    )
    response = connection.getresponse()
    told = response.read()
    assert response.status == 200, told
    found: dict[str, Any] = json.loads(told)
    return found


def test_fault_63_a_canary_that_cannot_be_loaded_never_answers(shop: Shop, serve: Servers) -> None:
    answers = expected(shop, 1)
    server = serve(shop)
    with traffic(server, answers) as sent:
        broken = add(shop, {MODEL_ONNX: b"no graph"})
        shop.deploy(broken, share=0.5)
        until(lambda: shop.versions()[broken].state == "rolled_back")
        sent.more(20)

    assert sent.failed == sent.wrong == []
    assert set(sent.by) == {1}


def test_fault_63_a_canary_that_takes_much_longer_is_rolled_back_for_that(shop: Shop, serve: Servers) -> None:
    set_up(shop, "requests_per_share = 100000")
    late = slow(shop)
    answers = expected(shop, 1, late)
    server = serve(shop)
    shop.deploy(late, share=0.5)
    with traffic(server, answers, clients=1) as sent:
        until(lambda: shop.now().challenger is None, 60)

    assert sent.failed == sent.wrong == []
    assert sent.by[late] > 0
    (verdict,) = (one for one in last(shop).evidence["verdicts"] if one["breached"])
    assert verdict["signal"] == "latency"


def test_fault_63_three_times_the_time_is_a_breach_and_half_as_much_again_is_none(tmp_path: Path) -> None:
    settings = one_deployment("shop", {})
    found = {}
    for trial, times in ((1, 3.0), (2, 1.5)):
        with Board(tmp_path / "board", worker=0) as board:
            board.enter(trial, score_edges=(0.5,))
            for number in range(2000):
                seconds = 0.001 * (1 + number % 13 / 20)  # some requests take longer than others
                board.count(CHAMPION, seconds=seconds, error=False, scores=[0.4])
                board.count(CHALLENGER, seconds=seconds * times, error=False, scores=[0.4])
            judged = judge(
                board.counts(trial),
                stage="canary",
                classifier=True,
                seconds=60,
                rollout=settings.rollout,
                rollback=settings.rollback,
            )
        found[times] = (judged.decision, [one["signal"] for one in judged.evidence["verdicts"] if one["breached"]])

    assert found == {3.0: ("roll back", ["latency"]), 1.5: ("advance", [])}


def test_fault_63_a_canary_whose_answers_turn_out_wrong_is_rolled_back_once_labels_say_so(
    shop: Shop, serve: Servers
) -> None:
    # Only labels may tell: the other signals are set not to.
    set_up(shop, "requests_per_share = 100000", "score_distance = 1.0", "latency_ratio = 1000.0")
    wrong = turned(shop)
    server = serve(shop, "--collect")
    shop.deploy(wrong, share=0.5)
    numbers = itertools.count()

    def ask_and_label() -> bool:
        labels = []
        for number in itertools.islice(numbers, 40):
            told = server.predict({"rows": [ROWS[number % 40] | {"id": number}]}, name="shop").json
            (one,) = told["predictions"]
            right = one["prediction"] if told["version"] == 1 else not one["prediction"]
            labels.append({"id": one["id"], "label": right})
        assert server.ask("POST", "/models/shop/labels", {"labels": labels}).status == 202
        return shop.now().challenger is None

    until(ask_and_label, 60)

    (verdict,) = (one for one in last(shop).evidence["verdicts"] if one["breached"])
    assert verdict["signal"] == "quality"
    assert shop.versions()[wrong].state == "rolled_back"


def test_fault_65_a_version_that_was_taken_back_stays_away_until_somebody_says_why(
    shop: Shop, serve: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = asking_more(shop)
    answers = expected(shop, 1)
    server = serve(shop)
    shop.deploy(bad, share=0.5)
    with traffic(server, answers) as sent:
        until(lambda: shop.now().challenger is None)
        taken_back = audit.head(shop.db)
        sent.more(200)

        assert command(shop, "deploy", "shop", "--version", str(bad)) == 5
        assert f"version {bad} of shop was rolled back" in capsys.readouterr().err
        assert command(shop, "deploy", "shop", "--version", "2") == 5
        assert "cools down after a rollback until" in capsys.readouterr().err

    assert sent.failed == sent.wrong == []
    assert set(sent.by) == {1}
    assert audit.head(shop.db) == taken_back  # one row for the rollback, and nothing after it
    assert [row.action for row in audit.rows(shop.db)].count("roll back") == 1
    assert command(shop, "deploy", "shop", "--version", "2", "--why", "it is another version") == 0


def command(shop: Shop, *words: str) -> int:
    return run_command([*words, "--project", str(shop.root)])
