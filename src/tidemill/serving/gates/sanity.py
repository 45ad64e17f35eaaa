"""Gates that ask whether a version is fit to be served at all: files, contract, golden rows, outputs, latency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np  # noqa: TID253

from tidemill.core.names import name_key
from tidemill.core.words import listed
from tidemill.evaluation.confusion import called_classes
from tidemill.serving.gates.case import Case, Contract, Missing, Scored
from tidemill.serving.gates.verdict import Verdict, failed, judged, unsure

TOLERANCE = 1e-5
"""How far answers to the same row may be from each other, relative to the largest where that is above 1."""

# Judged by the class that is called, not by probabilities: a version that calls one class only answers nothing there.
_OF_DECISIONS = frozenset({"accuracy", "precision", "recall", "f1_score"})
_LEAST_TIMES = 100
_FEW_ROWS = 5
# A prediction this many times the labels' own spread outside it is not of this world.
_FAR_OUTSIDE = 10.0


def files(case: Case) -> Verdict:
    """Every file of the version is what was written, and together they keep the size budget."""
    found, most = case.files, case.settings.max_megabytes
    megabytes = found.bytes / 1e6
    evidence = {"files": found.count, "bytes": found.bytes, "max_megabytes": most, "problems": list(found.problems)}
    problems = list(found.problems)
    if megabytes > most:
        problems.append(f"the files are {megabytes:,.2f} MB, above the {most:g} MB of max_megabytes")
    return judged(problems, f"{found.count} files of {megabytes:,.2f} MB are what was written", evidence)


def contract(case: Case) -> Verdict:
    """What the version reads is there, of the same type, allowed, and known to its callers."""
    found = case.contract
    if isinstance(found, Missing):
        return unsure(found.reason)
    evidence: dict[str, Any] = {
        "inputs": dict(found.inputs),
        "forbidden": list(case.settings.forbidden_columns),
        "new": sorted(_unsent(found, case)),
    }
    problems = [*_source_problems(found), *_caller_problems(found, case)]
    if isinstance(found.source, Missing) and not problems:
        return unsure(found.source.reason, evidence)
    against = "" if found.champion_inputs is None else ", and callers of the champion send them"
    return judged(problems, f"all inputs ({len(found.inputs)}) are there with the types of training{against}", evidence)


def _source_problems(found: Contract) -> Iterator[str]:
    if found.broken:
        yield f"the query it was trained with no longer runs: {found.broken}"
    if isinstance(found.source, Missing):
        return
    there = {name_key(name): kind for name, kind in found.source.items()}
    missing = [name for name in found.inputs if name_key(name) not in there]
    if missing:
        yield f"the training query gives no {listed(missing)} any more"
    changed = [
        f"{name} ({kind} in training, {there[name_key(name)]} today)"
        for name, kind in found.inputs.items()
        if there.get(name_key(name), kind) != kind
    ]
    if changed:
        yield f"changed type: {listed(changed)}"


def _caller_problems(found: Contract, case: Case) -> Iterator[str]:
    inputs = {name_key(name): name for name in found.inputs}
    forbidden = [inputs[key] for key in map(name_key, case.settings.forbidden_columns) if key in inputs]
    if forbidden:
        yield f"the version reads {listed(forbidden)}, which forbidden_columns rules out"
    unsent = sorted(_unsent(found, case))
    if unsent:
        yield f"callers of the champion do not send {listed(unsent)}: name it in new_columns once they do"
    if found.champion_inputs is not None:
        kinds = {name_key(name): kind for name, kind in found.champion_inputs.items()}
        changed = [
            f"{name} ({kinds[name_key(name)]} for the champion, {kind} for this version)"
            for name, kind in found.inputs.items()
            if kinds.get(name_key(name), kind) != kind
        ]
        if changed:
            yield f"callers send another type: {listed(changed)}"
        if name_key(found.label) != name_key(found.champion_label):
            yield f"the version predicts {found.label}, the champion {found.champion_label}"


def _unsent(found: Contract, case: Case) -> set[str]:
    if found.champion_inputs is None:
        return set()
    sent = {name_key(name) for name in (*found.champion_inputs, *case.settings.new_columns)}
    return {name for name in found.inputs if name_key(name) not in sent}


def golden(case: Case) -> Verdict:
    """Training, SQL and the server give the same answers to the same rows."""
    found = case.golden
    if isinstance(found, Missing):
        return unsure(found.reason)
    evidence = {
        "training_away": found.training_away,
        "sql_away": found.sql_away,
        "rows": found.rows,
        "tolerance": TOLERANCE,
    }
    problems = []
    # Written so that NaN is a problem.
    if found.training_away is not None and not found.training_away <= TOLERANCE:
        problems.append(f"the server answers the rows kept from training up to {found.training_away:.3g} away from it")
    if found.sql_problem:
        problems.append(f"the server does not answer the held-out rows: {found.sql_problem}")
    elif found.sql_away is not None and not found.sql_away <= TOLERANCE:
        problems.append(f"the server and ML.PREDICT answer {found.rows:,} rows up to {found.sql_away:.3g} apart")
    if not problems and (found.training_away is None or found.sql_away is None):
        what = "no rows were kept from training" if found.training_away is None else "no held-out row could be asked"
        return unsure(what, evidence)
    away = max(found.training_away or 0.0, found.sql_away or 0.0)
    good = f"training, ML.PREDICT and the server agree to {away:.2g} on {found.rows:,} rows"
    return judged(problems, good, evidence)


def outputs(case: Case) -> Verdict:
    """Answers are finite, in their range, not all the same, and every class is considered."""
    scored = case.scored
    if isinstance(scored, Missing):
        return unsure(scored.reason)
    if not len(scored.y):
        return unsure("there is no row to answer")
    strange = int((~np.isfinite(scored.scores.reshape(len(scored.y), -1))).any(axis=1).sum())
    evidence: dict[str, Any] = {"rows": len(scored.y), "not_finite": strange}
    if strange:
        return failed(f"{strange:,} of {len(scored.y):,} answers are not finite", evidence)
    if float(np.ptp(scored.scores, axis=0).max()) <= 1e-9:
        return failed(f"all {len(scored.y):,} rows get the same answer", evidence)
    problems = _class_problems(scored, case, evidence) if scored.labels.classes else _number_problems(scored, evidence)
    if not problems and len(scored.y) < case.settings.min_rows:
        return unsure(f"{len(scored.y):,} rows are fewer than the {case.settings.min_rows:,} of min_rows", evidence)
    return judged(problems, f"{len(scored.y):,} answers are finite and differ; {_range(scored, evidence)}", evidence)


def _range(scored: Scored, evidence: Mapping[str, Any]) -> str:
    if not scored.labels.classes:
        return f"they lie between {evidence['lowest']:.6g} and {evidence['highest']:.6g}"
    called = sum(1 for count in evidence["called"].values() if count)
    return f"{called} of {len(scored.labels.classes)} classes are called"


def _class_problems(scored: Scored, case: Case, evidence: dict[str, Any]) -> list[str]:
    """A class is considered when some row gets at least half of its share among the labels as its probability."""
    classes = scored.labels.classes
    called = np.bincount(called_classes(scored.scores), minlength=len(classes))
    given = np.bincount(scored.y[scored.y >= 0], minlength=len(classes))
    highest = scored.scores.max(axis=0)
    evidence["called"] = {str(value): int(n) for value, n in zip(classes, called, strict=True)}
    problems = []
    sums = scored.scores.sum(axis=1)
    if float(scored.scores.min()) < -1e-6 or float(np.abs(sums - 1).max()) > 1e-3:
        problems.append(f"probabilities do not add up to 1: they reach {float(sums.max()):.4g}")
    never = [
        str(value)
        for value, n, most in zip(classes, given, highest, strict=True)
        if n >= _FEW_ROWS and most < 0.5 * n / len(scored.y)
    ]
    if never:
        problems.append(f"no row is ever thought to be {listed(never)}")
    if int((called > 0).sum()) == 1 and case.metric in _OF_DECISIONS:
        problems.append(f"every row is called {classes[int(called.argmax())]}")
    return problems


def _number_problems(scored: Scored, evidence: dict[str, Any]) -> list[str]:
    low, high = float(scored.y.min()), float(scored.y.max())
    far = _FAR_OUTSIDE * ((high - low) or max(abs(high), 1.0))
    outside = int(((scored.scores < low - far) | (scored.scores > high + far)).sum())
    evidence |= {
        "lowest": float(scored.scores.min()),
        "highest": float(scored.scores.max()),
        "label_lowest": low,
        "label_highest": high,
        "far_outside": outside,
    }
    if not outside:
        return []
    return [f"{outside:,} of {len(scored.y):,} predictions lie far outside the labels' {low:.6g} to {high:.6g}"]


def latency(case: Case) -> Verdict:
    """One row is answered within the budget, nearly always."""
    timing = case.timing
    if isinstance(timing, Missing):
        return unsure(timing.reason)
    times, most = timing.milliseconds, case.settings.max_latency_ms
    if len(times) < _LEAST_TIMES:
        return unsure(f"{len(times)} answers were timed; the 99th percentile needs {_LEAST_TIMES}")
    p50, p99 = (float(np.percentile(times, q)) for q in (50, 99))
    evidence = {"p50_ms": p50, "p99_ms": p99, "max_latency_ms": most, "calls": len(times), "machine": timing.machine}
    told = f"one row takes {p99:.3g} ms at the 99th percentile of {len(times):,} calls ({timing.machine})"
    return judged([f"{told}, above the {most:g} ms of max_latency_ms"] if p99 > most else [], told, evidence)
