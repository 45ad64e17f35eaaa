"""The page of a simulation: what happened often is told once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tidemill.cli.simulate_text import describe
from tidemill.simulate.page import as_page
from tidemill.simulate.result import Alerted, Happened, Retrained, Simulation
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


def alert(number: int, headline: str) -> Alerted:
    at = BEGIN + number * DAY
    window = {"start": at.isoformat(), "end": (at + DAY).isoformat(), "value": 0.5}
    chart = {"title": f"share of {number}", "limit": 0.1, "since": at.isoformat(), "windows": [window]}
    return Alerted(
        number=number,
        cause="source features",
        severity="page",
        headline=headline,
        since=at,
        opened_at=at,
        resolved_at=at + DAY,
        subjects=("a",),
        chart=chart,
    )


def test_the_newest_alerts_have_charts_and_what_is_left_out_is_told() -> None:
    found = replace(replayed([0.8], [0.7]), alerts=tuple(alert(number, f"shop: a{number}") for number in range(15)))

    page, text = as_page(found), describe(found)

    assert "charts of the newest 12 of 15: the JSON has all" in page
    assert page.count("share of 14") >= 1
    assert "share of 2" not in page
    assert "15 alerts, the newest 12 of them:" in text
    assert "shop: a14" in text
    assert "… and 3 before them: --json" in text


def test_a_long_headline_goes_on_in_the_next_line_and_loses_nothing() -> None:
    long = (
        "shop: temperature: not as promised; demand_day_ago: the share of missing values changed (from table features)"
    )

    lines = describe(replace(replayed([0.8], [0.7]), alerts=(alert(1, long),))).split("\n")

    first = next(at for at, line in enumerate(lines) if "temperature" in line)
    assert all(len(line) <= 100 for line in lines[first : first + 2])
    assert " ".join(" ".join(lines[first : first + 2]).split()).endswith("(from table features) (until 2026-01-03)")


def test_what_is_noted_of_a_simulation_is_on_its_page() -> None:
    noted = replace(replayed([0.8], [0.7]), notes=("5 of 5 windows had fewer than 100 answers",))

    assert "5 of 5 windows had fewer than 100 answers." in as_page(noted)
