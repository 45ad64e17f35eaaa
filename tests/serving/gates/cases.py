"""Cases for the tests of gates: a sound version, and ways to change one part of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tidemill.core.sections import GateSettings, one_deployment
from tidemill.model_types.base import Labels
from tidemill.serving.gates.case import Case, Champion, Contract, Files, Golden, Leakage, Scored, Timing

CHURN = Labels(column="churn", classes=("no", "yes"))
PRICE = Labels(column="price")


def gate_settings(**given: Any) -> GateSettings:
    """The settings of gates, with some of them changed."""
    return one_deployment("churn", {"gates": given}).gates


def two_class_scores(chance: np.ndarray) -> np.ndarray:
    """Probabilities of both classes from those of the second."""
    return np.column_stack([1 - chance, chance])


def rows(count: int = 2_000, *, seed: int = 7, skill: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a third are positive, and the chances that a version of some skill gives them."""
    generator = np.random.default_rng(seed)
    y = (generator.random(count) < 1 / 3).astype(np.int64)
    return y, 1 / (1 + np.exp(-(skill * (2 * y - 1) + generator.normal(size=count))))


def scored(count: int = 2_000, *, seed: int = 7, skill: float = 1.5) -> Scored:
    """Held-out rows that a version answers with some skill; every other one is of the north."""
    y, chance = rows(count, seed=seed, skill=skill)
    region = np.array(["north", "south"] * (count // 2), dtype=object)
    return Scored(
        labels=CHURN,
        y=y,
        scores=two_class_scores(chance),
        held_out=True,
        total=count,
        columns={"region": region},
    )


def champion(of: Scored, *, noise: float = 0.02, seed: int = 11, seen: np.ndarray | None = None) -> Champion:
    """A champion that answers nearly as the version does."""
    generator = np.random.default_rng(seed)
    chance = np.clip(of.scores[:, 1] + generator.normal(scale=noise, size=len(of.y)), 0.001, 0.999)
    return Champion(version=1, rows=of, scores=two_class_scores(chance), seen=seen, keys=np.arange(len(of.y)))


def sound_case(**parts: Any) -> Case:
    """A case that passes every gate, with some parts changed."""
    held = scored()
    case = Case(
        settings=gate_settings(slices=["region"], groups=["region"]),
        files=Files(problems=(), bytes=120_000, count=6),
        contract=Contract(
            inputs={"age": "int64", "plan": "string"},
            source={"age": "int64", "plan": "string", "churn": "string"},
            label="churn",
            champion_inputs={"age": "int64", "plan": "string"},
            champion_label="churn",
        ),
        golden=Golden(training_away=1e-7, sql_away=2e-7, rows=200),
        timing=Timing(milliseconds=np.linspace(0.02, 0.08, 500), machine="a test"),
        scored=held,
        leakage=Leakage(
            separation={"age": 0.71, "plan": 0.62}, given_away=(), rows=2_000, repeated=3, expected_repeats=False
        ),
        champion=champion(held),
        requested=True,
        steady=champion(held),
    )
    return replace(case, **parts)
