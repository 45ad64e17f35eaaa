"""Answers and labels as they come, and what becomes of them by the plainest reading of the rules."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st
from tests.serving.labels.conftest import answer, at, told

ROUTES = ["champion", "challenger", "fallback"]


@st.composite
def answers(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Answers of a few keys at a few times; the shadow answers some of them too."""
    given = []
    for number in range(draw(st.integers(1, 6))):
        seconds = draw(st.integers(0, 6))
        key = draw(st.sampled_from([None, "k", "m"]))
        deployment = draw(st.sampled_from(["churn", "churn", "other"]))
        facts: dict[str, Any] = {"key": key, "deployment": deployment, "batch": draw(st.sampled_from([1, 2, None]))}
        given.append(answer(f"r{number}", seconds, route=draw(st.sampled_from(ROUTES)), **facts))
        if draw(st.booleans()):
            given.append(answer(f"r{number}-shadow", seconds + 0.5, route="shadow", version=4, **facts))
    return given


@st.composite
def labels(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Labels by id and by key, some of them again, with another value, late, or for nobody; in any order."""
    given = []
    for number in range(draw(st.integers(0, 12))):
        if draw(st.booleans()):
            whose: dict[str, Any] = {"prediction_id": f"r{draw(st.integers(0, 4))}"}
        else:
            whose = {"key": draw(st.sampled_from(["k", "m", "n"])), "at": draw(st.none() | st.integers(3, 7).map(at))}
        given.append(
            told(
                draw(st.sampled_from(["yes", "no"])),
                draw(st.integers(0, 9)),
                number=number,
                known_at=draw(st.none() | _times),
                deployment=draw(st.sampled_from(["churn", "churn", "other"])),
                batch=draw(st.sampled_from([1, 2, None])),
                **whose,
            )
        )
    return draw(st.permutations(given))


_times = st.integers(0, 9).map(at)


def expected(given: list[dict[str, Any]], received: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Label, its time, revision and first arrival of each answer that has one, by deployment and id."""
    by_id: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    by_key: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for target, rows in _targets(received).items():
        current = _current(rows)
        (by_id if target[1] is not None else by_key)[target] = current
    found = {}
    for one in given:
        if one["route"] == "fallback":
            continue
        request = one["id"].removesuffix("-shadow")
        key = (one["deployment"], one["id"])
        if (one["deployment"], request, None, None) in by_id:
            found[key] = by_id[one["deployment"], request, None, None]
            continue
        sent = next(other for other in given if other["id"] == request)
        theirs = [
            target
            for target in by_key
            if sent["route"] != "fallback" and _newest(given, target) == (sent["deployment"], sent["id"])
        ]
        if theirs:
            found[key] = by_key[max(theirs, key=lambda target: target[3])]
    return found


def _targets(received: list[dict[str, Any]]) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in received:
        if row["prediction_id"] is not None:
            target = (row["deployment"], row["prediction_id"], None, None)
        else:
            target = (row["deployment"], None, row["key"], row["at"] or row["arrived_at"])
        found.setdefault(target, []).append(row)
    return found


def _current(rows: list[dict[str, Any]]) -> tuple[Any, ...]:
    ordered = sorted(
        rows,
        key=lambda row: (
            min(row["known_at"] or row["arrived_at"], row["arrived_at"]),
            row["arrived_at"],
            math.inf if row["batch"] is None else row["batch"],
            row["request"],
            row["number"],
        ),
    )
    news = [row for place, row in enumerate(ordered) if not place or row["label"] != ordered[place - 1]["label"]]
    at_told = None if rows[0]["prediction_id"] is not None else rows[0]["at"] or rows[0]["arrived_at"]
    return (news[-1]["label"], news[-1]["at"] or at_told, len(news), min(row["arrived_at"] for row in rows))


def _newest(given: list[dict[str, Any]], target: tuple[Any, ...]) -> tuple[str, str] | None:
    """The answer that a label by key belongs to."""
    deployment, _, key, moment = target
    theirs = [
        one
        for one in given
        if one["deployment"] == deployment and one["key"] == key and one["route"] in {"champion", "challenger"}
    ]
    before = [one for one in theirs if one["at"] <= moment]
    newest = max(before, key=lambda one: (one["at"], one["id"]), default=None)
    return None if newest is None else (newest["deployment"], newest["id"])
