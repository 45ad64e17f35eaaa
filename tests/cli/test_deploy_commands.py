"""Deployments from the terminal: gates, rollouts, rollbacks, the trail and tokens, as a user types them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.cli.conftest import RunCommand

SQL = """
CREATE TABLE visits AS
SELECT i AS id, hash(i) % 60 AS pages, hash(i + 1) % 7 AS calls, hash(i + 3) % 100003 AS spend,
       (hash(i + 2) % 100) < 20 + 9 * (hash(i + 1) % 7) - (hash(i) % 60) / 3 AS bought
FROM range(3000) AS r(i);

CREATE OR REPLACE MODEL buyers OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought'], l2_reg = 0) AS
SELECT pages, calls, spend, bought FROM visits;
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: RunCommand) -> Path:
    """A project whose model was trained once; it is the current folder."""
    (tmp_path / "sql").mkdir()
    (tmp_path / "tidemill.toml").write_text('threads = 1\n[deployments.shop]\nmodel = "buyers"\n')
    (tmp_path / "sql" / "buyers.sql").write_text(SQL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEMILL_USER", "ann")
    assert command("run").status == 0
    return tmp_path


def train_again(folder: Path, command: RunCommand) -> None:
    path = folder / "sql" / "buyers.sql"
    path.write_text(re.sub(r"l2_reg = (\d+)", lambda found: f"l2_reg = {int(found[1]) + 1}", path.read_text()))
    assert command("run").status == 0


def test_the_first_version_is_champion_once_it_passed_its_gates(shop: Path, command: RunCommand) -> None:
    ran = command("deploy", "shop", "--json")

    told = ran.json()
    assert ran.status == 0
    assert (told["champion"], told["challenger"], told["passed"]) == (1, None, True)
    assert {gate["status"] for gate in told["gates"]} == {"pass"}


def test_a_model_without_a_section_is_deployed_under_its_own_name(shop: Path, command: RunCommand) -> None:
    assert "buyers: version 1 is champion" in command("deploy", "buyers").out


def test_asking_the_gates_changes_nothing(shop: Path, command: RunCommand) -> None:
    assert "nothing was changed" in command("deploy", "shop", "--gates-only").out
    assert command("status", "--json").json()["deployments"] == []
    assert command("audit").out == "nothing was changed yet\n"


def test_a_second_version_begins_in_the_shadow_and_can_be_steered(shop: Path, command: RunCommand) -> None:
    command("deploy", "shop")
    train_again(shop, command)

    assert command("deploy", "shop").out.endswith("shop: version 1 is champion, version 2 in the shadow\n")
    assert command("pause", "shop").out == "shop: version 1 is champion, version 2 in the shadow, held\n"
    assert command("resume", "shop").out == "shop: version 1 is champion, version 2 in the shadow\n"
    assert command("promote", "shop", "--json").json()["champion"] == 2
    assert command("rollback", "shop", "--why", "complaints").out == "shop: version 1 is champion\n"
    (status,) = command("status", "shop", "--json").json()
    assert [(row["version"], row["state"]) for row in status["versions"]] == [(1, "champion"), (2, "rolled_back")]


def test_a_version_that_was_rolled_back_comes_back_only_with_a_reason(shop: Path, command: RunCommand) -> None:
    command("deploy", "shop")
    train_again(shop, command)
    command("deploy", "shop")
    command("rollback", "shop", "--why", "complaints")

    refused = command("deploy", "shop")
    assert refused.status == 5
    assert "version 2 of shop was rolled back: complaints" in refused.err
    train_again(shop, command)
    assert "cools down" in command("deploy", "shop").err
    assert command("deploy", "shop", "--version", "2", "--why", "mended the feed").status == 0


def test_a_version_that_fails_a_gate_takes_no_traffic_unless_somebody_says_why(shop: Path, command: RunCommand) -> None:
    command("deploy", "shop")
    path = shop / "sql" / "buyers.sql"
    path.write_text(
        path.read_text().replace("SELECT pages, calls, spend,", "SELECT pages, spend, bought::INT AS code,")
    )
    command("run")

    refused = command("deploy", "shop")
    assert refused.status == 5
    assert "fail" in refused.out
    assert "error[TM-GATE]: version 2 does not enter deployment shop: contract (fail), leaks (fail)" in refused.err

    assert command("deploy", "shop", "--override", "it is known", "--why", "asked by sales").status == 0
    shown = command("status", "shop").out
    assert "(overridden by ann: it is known)" in shown
    assert "gates overridden: it is known" in command("audit").out


def test_the_stop_button_stops_and_resume_starts(shop: Path, command: RunCommand) -> None:
    command("deploy", "shop")

    assert "the fallback answers" in command("pause", "shop", "--traffic").out
    assert command("resume", "shop").out == "shop: version 1 is champion\n"


def test_the_trail_tells_who_and_why_and_verifies(shop: Path, command: RunCommand) -> None:
    command("deploy", "shop", "--why", "first")

    rows = command("audit", "--json").json()
    assert [(row["who"], row["action"], row["object"], row["why"]) for row in rows] == [
        ("ann", "deploy", "deployment shop", "first"),
        ("ann", "promote", "deployment shop", "first"),
    ]
    assert "2 rows, whole" in command("audit", "verify").out
    assert command("audit", "verify", "--head", "0" * 64).status == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("deploy", "shopp"), "did you mean shop?"),
        (("deploy", "shop", "--version", "9"), "version 9"),
        (("promote", "shop"), "there is no deployment shop"),
        (("status", "shopp"), "there is no deployment shopp"),
        (("token", "create"), "needs a name"),
        (("token", "create", "x", "--role", "boss"), "there is no role boss"),
        (("token", "revoke", "x"), "there is no token x"),
        (("replay", "x"), "the log has no prediction x"),
        (("explain", "x"), "the log has no prediction x"),
    ],
)
def test_what_does_not_exist_is_told_with_a_way_on(
    shop: Path, command: RunCommand, arguments: tuple[str, ...], message: str
) -> None:
    ran = command(*arguments)

    assert ran.status in (2, 5)
    assert message in ran.err


def test_a_token_is_shown_once(shop: Path, command: RunCommand) -> None:
    text = command("token", "create", "web", "--role", "predict", "--days", "30").out.strip()

    assert text.startswith("tm_")
    listed = command("token", "list")
    assert text not in listed.out
    assert "valid" in listed.out
    assert "opens nothing" in command("token", "revoke", "web").out
    assert "revoked" in command("token").out


def test_a_drill_takes_a_failing_version_back_and_changes_nothing_here(shop: Path, command: RunCommand) -> None:
    command("deploy", "shop")
    before = command("audit", "--json").json()

    ran = command("drill", "shop", "--json")

    told = ran.json()
    assert ran.status == 0
    assert (told["passed"], told["failed"], told["trail"]) == (True, 0, [])
    assert told["asked"] > 0
    assert "requests failed" in told["why"]
    assert command("audit", "--json").json() == before


def test_a_drill_of_nothing_says_what_there_is(shop: Path, command: RunCommand) -> None:
    command("deploy", "shop")

    assert "did you mean shop?" in command("drill", "shopp").err


def test_a_fallback_that_is_no_answer_of_the_model_is_refused(shop: Path, command: RunCommand) -> None:
    (shop / "tidemill.toml").write_text('threads = 1\n[deployments.shop]\nmodel = "buyers"\nfallback = "no"\n')

    ran = command("deploy", "shop")

    assert ran.status == 2
    assert "deployments.shop.fallback is 'no'; buyers answers one of false, true" in ran.err


def test_an_override_is_reason_enough_for_a_version_that_was_refused(shop: Path, command: RunCommand) -> None:
    command("deploy", "shop")
    path = shop / "sql" / "buyers.sql"
    path.write_text(
        path.read_text().replace("SELECT pages, calls, spend,", "SELECT pages, spend, bought::INT AS code,")
    )
    command("run")
    assert command("deploy", "shop").status == 5

    assert command("deploy", "shop", "--override", "it is known").status == 0
