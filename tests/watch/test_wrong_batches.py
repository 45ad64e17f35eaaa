"""A batch with wrong labels brings wrong held-out rows: what the champion was judged on tells it from a new world."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.watch.world import BEGIN, DAY, Shop, columns_of, truth_of

from tidemill.runner.retrain.carry_out import Retrained
from tidemill.warehouse.control.deployments import GateResult


def turned(row: dict[str, object]) -> bool:
    return not truth_of(row)


def arrive(shop: Shop, label: Callable[[dict[str, object]], bool], rows: int = 9_000) -> None:
    """More visits than there were come into the file that trains, with these labels."""
    columns = columns_of(shop.random, rows)
    with (shop.root / "visits.csv").open("a") as file:
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(columns, values, strict=True))
            told = ["" if value is None else str(value) for value in values]
            file.write(",".join([*told, str(label(row)).lower()]) + "\n")


def answers(shop: Shop, label: Callable[[dict[str, object]], bool]) -> None:
    """Visitors were answered, and it turned out so."""
    rows = shop.visitors(600)
    ids = shop.answer(rows, BEGIN)
    shop.label({id_: str(label(row)).lower() for id_, row in zip(ids, rows, strict=True)}, BEGIN + DAY)
    shop.project.collect()


def retrain(shop: Shop) -> tuple[Retrained, dict[str, GateResult]]:
    shop.hands.now = BEGIN + 2 * DAY
    shop.project.request_retraining("buyers")
    (found,) = shop.project.retrain_due()
    return found, {gate.gate: gate for gate in shop.project.gates("buyers", 2)}


def test_a_batch_of_turned_labels_is_refused_although_it_brings_its_own_judges(shop: Shop) -> None:
    arrive(shop, turned)

    found, said = retrain(shop)

    assert found.request.status == "refused", found.request.said
    assert found.request.said.endswith("buyers: steady (fail)")
    assert said["champion"].status == "pass"
    assert said["steady"].evidence["gain"] < -0.3
    assert "no answer in the log has a label yet" in said["steady"].summary
    assert shop.project.status()[0].deployment.champion == 1
    # Nor does it pass because a person types its name.
    by_hand = shop.project.deploy("buyers", version=2, gates_only=True)
    assert {gate.gate: gate.status for gate in by_hand.gates}["steady"] == "fail"


@pytest.mark.parametrize("labels", ["right", "turned"])
def test_labels_of_production_tell_a_wrong_batch_from_a_world_that_turned(shop: Shop, labels: str) -> None:
    arrive(shop, turned)
    answers(shop, truth_of if labels == "right" else turned)

    found, said = retrain(shop)

    steady = said["steady"]
    assert (found.request.status, steady.status) == (("refused", "fail") if labels == "right" else ("done", "pass"))
    # Visitors without `seconds` may be alike in everything: they look as if they had trained.
    assert 500 < steady.evidence["production"]["rows"] < 600
    assert ("but it is better there" in steady.summary) == (labels == "turned")


def test_an_honest_batch_passes_and_production_is_not_asked(shop: Shop) -> None:
    answers(shop, truth_of)
    arrive(shop, truth_of, rows=3_000)

    found, said = retrain(shop)

    assert found.request.status == "done", found.request.said
    assert said["steady"].summary.startswith("roc_auc ")
    assert "production" not in said["steady"].evidence


def test_answers_whose_columns_the_log_hides_speak_for_nobody(shop: Shop) -> None:
    settings = (shop.root / "tidemill.toml").read_text()
    (shop.root / "tidemill.toml").write_text(
        settings.replace('log = "buffered"', 'log = "buffered"\nhash_columns = ["country"]')
    )
    shop.reopen()
    arrive(shop, turned)
    answers(shop, turned)

    found, said = retrain(shop)

    assert found.request.status == "refused"
    assert "the log does not hold country as it was sent" in said["steady"].summary


def test_a_person_s_own_version_is_not_asked_unless_the_settings_say_so(shop: Shop) -> None:
    arrive(shop, turned)
    assert shop.project.run().status == "ok"

    asked = shop.project.deploy("buyers", gates_only=True)
    settings = shop.root / "tidemill.toml"
    settings.write_text(settings.read_text() + '\n[deployments.buyers.gates]\nsteady = "always"\n')
    shop.reopen()
    always = shop.project.deploy("buyers", gates_only=True)

    told = [{gate.gate: gate.status for gate in one.gates}["steady"] for one in (asked, always)]
    assert told == ["pass", "fail"]
