"""The table of gates. A gate is one row: its name, what it asks, and the function that judges.

The page of gates in docs/how-to and the tests go over the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tidemill.serving.gates.case import Case
from tidemill.serving.gates.groups import group_gaps
from tidemill.serving.gates.leakage import leaks
from tidemill.serving.gates.quality import better_than_a_constant, no_worse_than_the_champion
from tidemill.serving.gates.sanity import contract, files, golden, latency, outputs
from tidemill.serving.gates.slices import slices
from tidemill.serving.gates.steady import no_worse_where_the_champion_was_judged
from tidemill.serving.gates.verdict import Verdict
from tidemill.warehouse.control.deployments import GateResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One question asked of a version before it takes traffic; ``doc`` completes "passes when ..."."""

    name: str
    doc: str
    judge: Callable[[Case], Verdict]


GATES: tuple[Gate, ...] = (
    Gate(name="files", doc="every file is what was written, and all keep within max_megabytes", judge=files),
    Gate(
        name="contract",
        doc="its inputs are there with the types of training, none is forbidden, and callers of the champion send them",
        judge=contract,
    ),
    Gate(name="golden", doc="training, ML.PREDICT and the server give the same rows the same answers", judge=golden),
    Gate(
        name="outputs",
        doc="its answers are finite, in their range and not all the same, and it considers every class",
        judge=outputs,
    ),
    Gate(name="latency", doc="one row is answered within max_latency_ms, 99 times of 100", judge=latency),
    Gate(
        name="leaks",
        doc="no input knows the label or lies after it, and the held-out rows were not trained on",
        judge=leaks,
    ),
    Gate(
        name="baseline",
        doc="it is better than the best constant answer, beyond chance",
        judge=better_than_a_constant,
    ),
    Gate(
        name="champion",
        doc="it is no worse than the champion on the same rows by more than margin, beyond chance",
        judge=no_worse_than_the_champion,
    ),
    Gate(
        name="steady",
        doc="on the rows the champion was judged on it is no worse by more than steady_margin, or labelled answers "
        "show it better",
        judge=no_worse_where_the_champion_was_judged,
    ),
    Gate(name="slices", doc="in no slice is it worse than the champion by more than slice_margin", judge=slices),
    Gate(name="groups", doc="protected groups differ in outcomes by no more than max_group_gap", judge=group_gaps),
)


def judge_case(case: Case) -> list[GateResult]:
    """What every gate says, in the order of the table."""
    results = []
    for gate in GATES:
        verdict = gate.judge(case)
        results.append(
            GateResult(gate=gate.name, status=verdict.status, summary=verdict.summary, evidence=verdict.evidence)
        )
    return results
