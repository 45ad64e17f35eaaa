"""Every gate of the table: a case that passes it, one that fails it, and one that is not enough evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests.serving.gates.cases import gate_settings, scored, sound_case, two_class_scores

from tidemill.serving.gates.case import Case, Champion, Contract, Files, Golden, Leakage, Missing, Scored, Timing
from tidemill.serving.gates.table import GATES, judge_case


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """What a gate must refuse, and what it cannot tell; None where it always can."""

    bad: Callable[[], Case]
    unclear: Callable[[], Case] | None


def _worse_champion_case(better: float, region_only: bool = False) -> Case:
    """A champion that is right about rows which the version has wrong: everywhere, or in the north."""
    case = sound_case()
    held = case.scored
    assert not isinstance(held, Missing)
    chance = held.scores[:, 1].copy()
    truth = held.y.astype(float)
    where = held.columns["region"] == "north" if region_only else np.ones(len(truth), dtype=bool)
    chance[where] = (1 - better) * chance[where] + better * truth[where]
    settings = gate_settings(slices=["region"], slice_margin=0.005) if region_only else case.settings
    champion = Champion(version=1, rows=held, scores=two_class_scores(chance), seen=None, keys=np.arange(len(truth)))
    return replace(case, champion=champion, settings=settings)


def _small_case() -> Case:
    return sound_case(
        scored=scored(40),
        champion=Missing("nothing was asked"),
    )


def _unequal_groups() -> Case:
    case = sound_case()
    held = case.scored
    assert not isinstance(held, Missing)
    called = held.scores[:, 1] > 0.5
    return replace(case, scored=replace(held, columns={"region": np.where(called, "east", "west").astype(object)}))


ALWAYS = gate_settings(steady="always")


def _against(chance: Callable[[Scored], np.ndarray], of: Scored) -> Champion:
    """A champion that gives rows these chances."""
    return Champion(version=1, rows=of, scores=two_class_scores(chance(of)), seen=None, keys=np.arange(len(of.y)))


def _forgetful_case() -> Case:
    """As good as the champion on its own rows, and much worse on the champion's."""
    return sound_case(steady=_against(lambda of: 0.1 + 0.8 * of.y, scored(skill=0.5)))


CASES = {
    "files": Cases(
        bad=lambda: sound_case(files=Files(problems=("model.onnx is missing",), bytes=10, count=6)),
        unclear=None,
    ),
    "contract": Cases(
        bad=lambda: sound_case(contract=Contract(inputs={"age": "int64"}, source={"years": "int64"}, label="churn")),
        unclear=lambda: sound_case(
            contract=Contract(inputs={"age": "int64"}, source=Missing("the lake is away"), label="churn")
        ),
    ),
    "golden": Cases(
        bad=lambda: sound_case(golden=Golden(training_away=0.2, sql_away=0.0, rows=200)),
        unclear=lambda: sound_case(golden=Golden(training_away=None, sql_away=0.0, rows=200)),
    ),
    "outputs": Cases(
        bad=lambda: sound_case(scored=replace(scored(), scores=np.full((2_000, 2), 0.5))),
        unclear=_small_case,
    ),
    "latency": Cases(
        bad=lambda: sound_case(timing=Timing(milliseconds=np.full(500, 80.0), machine="a test")),
        unclear=lambda: sound_case(timing=Timing(milliseconds=np.full(20, 0.1), machine="a test")),
    ),
    "leaks": Cases(
        bad=lambda: sound_case(
            leakage=Leakage(separation={"age": 0.995}, given_away=(), rows=2_000, repeated=0, expected_repeats=False)
        ),
        unclear=lambda: sound_case(leakage=Missing("the snapshot is gone")),
    ),
    "baseline": Cases(
        bad=lambda: sound_case(scored=scored(skill=-1.0)), unclear=lambda: sound_case(scored=scored(skill=0.0))
    ),
    "champion": Cases(bad=lambda: _worse_champion_case(0.6), unclear=_small_case),
    "steady": Cases(bad=_forgetful_case, unclear=lambda: sound_case(settings=ALWAYS, steady=Missing("it was expired"))),
    "slices": Cases(bad=lambda: _worse_champion_case(0.8, region_only=True), unclear=_small_case),
    "groups": Cases(bad=_unequal_groups, unclear=lambda: sound_case(scored=replace(scored(), held_out=False))),
}


def _said(case: Case, gate: str) -> tuple[str, str]:
    (found,) = [result for result in judge_case(case) if result.gate == gate]
    return found.status, found.summary


def test_every_gate_of_the_table_has_its_cases_here() -> None:
    assert [gate.name for gate in GATES] == list(CASES)


@pytest.mark.parametrize("gate", CASES)
def test_a_sound_version_passes_each_gate(gate: str) -> None:
    status, summary = _said(sound_case(), gate)

    assert status == "pass", summary
    assert summary


@pytest.mark.parametrize("gate", CASES)
def test_each_gate_fails_what_it_is_there_to_stop(gate: str) -> None:
    status, summary = _said(CASES[gate].bad(), gate)

    assert status == "fail", summary
    assert summary


@pytest.mark.parametrize("gate", [name for name, cases in CASES.items() if cases.unclear])
def test_each_gate_says_when_it_cannot_tell(gate: str) -> None:
    unclear = CASES[gate].unclear
    assert unclear is not None

    status, summary = _said(unclear(), gate)

    assert status == "not enough evidence", summary
    assert summary


def test_a_version_that_is_worse_on_old_rows_passes_when_production_shows_it_better() -> None:
    worse = _forgetful_case()
    lost = _against(lambda of: np.full(len(of.y), 0.5), scored())

    status, summary = _said(replace(worse, answered=lost), "steady")
    assert (status, "but it is better there" in summary) == ("pass", True)

    status, summary = _said(replace(worse, answered=sound_case().champion), "steady")
    assert (status, "not shown to be better there" in summary) == ("fail", True)

    status, summary = _said(replace(worse, answered=Missing("no answer in the log has a label yet")), "steady")
    assert (status, summary.endswith("speak for it: no answer in the log has a label yet")) == ("fail", True)


@pytest.mark.parametrize(
    ("settings", "requested", "status", "said"),
    [
        ({}, True, "fail", "rows that version 1 was judged on"),
        ({}, False, "pass", "not asked: no request"),
        ({"steady": "always"}, False, "fail", "rows that version 1 was judged on"),
        ({"steady": "off"}, True, "pass", "not asked: it is off"),
        ({"steady_margin": 1.0}, True, "pass", "margin 1"),
        ({"min_rows": 5_000}, True, "pass", "not asked: of the champion, 2,000 held-out rows are fewer"),
        ({"min_rows": 5_000, "steady": "always"}, True, "not enough evidence", "2,000 held-out rows are fewer"),
    ],
)
def test_steady_asks_what_the_settings_say(
    settings: dict[str, object], requested: bool, status: str, said: str
) -> None:
    case = replace(_forgetful_case(), settings=gate_settings(**settings), requested=requested)

    found, summary = _said(case, "steady")

    assert found == status
    assert said in summary


def test_rows_that_do_not_show_a_version_worse_do_not_stop_it_and_shown_worse_they_do() -> None:
    none = gate_settings(steady_margin=0.0)
    noise = np.random.default_rng(5).normal(scale=0.05, size=100)
    alike = _against(lambda of: np.clip(of.scores[:, 1] + noise, 0.001, 0.999), scored(100))
    better = _against(lambda of: 0.5 * of.scores[:, 1] + 0.5 * of.y, scored(skill=0.8))

    assert _said(sound_case(steady=alike, settings=none), "steady")[0] == "pass"
    assert _said(sound_case(steady=better, settings=none), "steady")[0] == "fail"
