"""Every gate of the table: a case that passes it, one that fails it, and one that is not enough evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests.serving.gates.cases import gate_settings, scored, sound_case, two_class_scores

from tidemill.serving.gates.case import Case, Champion, Contract, Files, Golden, Leakage, Missing, Timing
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
