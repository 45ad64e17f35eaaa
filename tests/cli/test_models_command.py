"""tidemill models with a version: what it prints, writes and refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import MODEL, RunCommand


@pytest.fixture
def two(command: RunCommand, project: Path) -> Path:
    """A project with two versions of its model."""
    assert command("run").status == 0
    (project / "sql" / "price.sql").write_text(MODEL.replace("OPTIONS (", "OPTIONS (l2_reg = 9, "))
    assert command("run").status == 0
    return project


def test_one_version_is_described_for_people_and_programs(command: RunCommand, two: Path) -> None:
    text, data = command("models", "price_model", "1").out, command("models", "price_model", "1", "--json").json()

    assert text.startswith("price_model version 1\n")
    assert "because: new" in text
    assert "read       orders version 1; snapshot 1" in text
    assert text.rstrip().endswith("SELECT items, price FROM orders")
    assert (data["version"], data["current"], data["lineage"]["tables"]) == (1, False, {"orders": 1})
    assert command("models", "price_model", "2").out.startswith("price_model version 2: current\n")


def test_two_versions_are_compared_for_people_and_programs(command: RunCommand, two: Path) -> None:
    text = command("models", "price_model", "--compare", "1", "2").out
    data = command("models", "price_model", "--compare", "1", "2", "--json").json()

    assert "l2_reg  0 -> 9" in text
    assert "nothing was held out of version 2" in text
    assert data["options"] == [{"name": "l2_reg", "old": 0.0, "new": 9.0}]
    assert {one["metric"] for one in data["on_same_rows"]} >= {"mean_absolute_error"}
    assert data["decisions"]["rows"] == 60


def test_an_alias_is_set_shown_used_and_taken_away(command: RunCommand, two: Path) -> None:
    assert command("models", "price_model", "--alias", "champion=1").out == "price_model@champion is version 1\n"
    assert command("models", "price_model", "champion").out.startswith("price_model version 1: alias champion\n")
    listed = command("query", "SELECT model, alias, version FROM tidemill.aliases", "--format", "json").json()
    assert listed == [{"model": "price_model", "alias": "champion", "version": 1}]
    assert "it named version 1" in command("models", "price_model", "--remove-alias", "champion").out
    assert command("models", "price_model", "champion").status == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["price_model", "--alias", "champion"], "names no version"),
        (["price_model", "--alias", "7=1"], "cannot be an alias"),
        (["price_model", "9"], "no version 9"),
        (["price_model", "--compare", "1", "best"], "no alias best"),
        (["price_modle", "1"], "no model price_modle"),
        (["--card", "md"], "which model?"),
        (["price_model", "--prune"], "keep_versions is 0"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_next_step(
    command: RunCommand, two: Path, arguments: list[str], said: str
) -> None:
    ran = command("models", *arguments)

    assert ran.status in (2, 5)
    assert said in ran.err
    assert "try: " in ran.err


def test_a_card_is_printed_or_written(command: RunCommand, two: Path) -> None:
    printed = command("models", "price_model", "1", "--card", "md").out

    assert printed.startswith("---\n")
    assert command("models", "price_model", "1", "--card", "md", "--output", "card.md").out == "wrote card.md\n"
    assert (two / "card.md").read_text() == printed
    assert command("models", "price_model", "--card", "html").out.startswith("<!doctype html>")
    refused = command("models", "price_model", "--card", "md", "--output", "no/such/place.md")
    assert (refused.status, "cannot write no/such/place.md" in refused.err) == (4, True)


def test_a_version_is_trained_again(command: RunCommand, two: Path) -> None:
    assert "the same to the last bit" in command("models", "price_model", "1", "--retrain").out
    assert command("models", "price_model", "1", "--retrain", "--json").json()["same"] is True
    assert len(command("models", "price_model", "--all", "--json").json()) == 2


def test_pruning_is_shown_first_and_done_when_said(command: RunCommand, two: Path) -> None:
    shown = command("models", "price_model", "--prune", "--keep", "1", "--days", "0").out
    assert "would go" in shown
    assert "nothing is done yet: add --yes" in shown
    assert command("models", "price_model", "1").status == 0

    done = command("models", "--prune", "--keep", "1", "--days", "0", "--yes", "--json").json()

    assert [(one["version"], one["goes"]) for one in done] == [(2, False), (1, True)]
    assert command("models", "price_model", "1").status == 5
