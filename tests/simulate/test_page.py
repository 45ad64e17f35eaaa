"""The page of a simulation: what happened often is told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tidemill.cli.simulate_text import describe
from tidemill.simulate.page import as_page
from tidemill.simulate.result import Happened, Retrained, Simulation
from tidemill.simulate.scores import Period, Scores

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def replayed(
    deployed: list[float], first: list[float], trail: tuple[Happened, ...] = (), retrained: tuple[Retrained, ...] = ()
) -> Simulation:
    scores = [{"deployed": one, "no retraining": two} for one, two in zip(deployed, first, strict=True)]
    periods = tuple(
        Period(start=BEGIN + number * DAY, end=BEGIN + (number + 1) * DAY, answers=9, labelled=9, version=1, scores=one)
        for number, one in enumerate(scores)
    )
    totals = {name: {"accuracy": value} for name, value in scores[0].items()}
    return Simulation(
        deployment="shop",
        replayed="visits",
        grows=True,
        begin=BEGIN,
        last=BEGIN + len(periods) * DAY,
        labels_until=BEGIN + len(periods) * DAY,
        end=BEGIN + len(periods) * DAY,
        scores=Scores(metric="accuracy", answers=9, labelled=9, totals=totals, periods=periods),
        refused=0,
        refusal="",
        windows=len(periods),
        planted=(),
        alerts=(),
        retrained=retrained,
        waited=(),
        trail=trail,
        notes=(),
        costs={"all": 1.0},
    )


def test_versions_that_take_over_day_after_day_are_one_row() -> None:
    daily = tuple(
        Happened(at=BEGIN + number * DAY, action="promote", version=number, why="takes over at once")
        for number in range(1, 901)
    )

    page = as_page(replayed([0.8], [0.7], daily))

    assert page.count("takes over at once") == 1
    assert "2026-01-02 00:00 to 2028-06-19" in page
    assert "1 to 900" in page
    assert "stand in the JSON only" not in page


def test_a_line_that_is_hidden_by_another_is_said_to_be() -> None:
    assert "no retraining 0.8, under deployed<" in as_page(replayed([0.8, 0.9], [0.8, 0.9]))
    assert "under deployed" not in as_page(replayed([0.8, 0.9], [0.8, 0.7]))


def test_requests_that_end_alike_are_one_line() -> None:
    asked = tuple(
        Retrained(
            at=BEGIN + number * DAY,
            rows=9,
            causes=("person",),
            outcome="unchanged" if number > 2 else "refused",
            version=None,
            why=f"nothing new learnt: version {number} is the champion's bytes",
            seconds=0.1,
        )
        for number in range(2, 28)
    )

    page, text = as_page(replayed([0.8], [0.7], (), asked)), describe(replayed([0.8], [0.7], (), asked))

    assert page.count("nothing new learnt") == 3  # beside both lines, the refused one is a dot of the chart
    assert "2026-01-04, and 24 more until 2026-01-28, unchanged" in page
    assert "1 refused, 25 unchanged" in text
    assert "2026-01-04 and 24 more until 2026-01-28: unchanged: nothing new learnt: version 3" in text
