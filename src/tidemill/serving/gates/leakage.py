"""The gate that asks whether a version, or the rows it was judged on, know the label from elsewhere.

References
----------
S. Kaufman, S. Rosset, C. Perlich, O. Stitelman, Leakage in data mining: formulation, detection, and avoidance,
ACM TKDD 6 (2012), https://doi.org/10.1145/2382577.2382579
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tidemill.core.names import name_key
from tidemill.core.words import listed
from tidemill.serving.gates.case import Case, Leakage, Missing
from tidemill.serving.gates.verdict import Verdict, judged, unsure


def leaks(case: Case) -> Verdict:
    """No input tells the label by itself, lies after it, and no held-out row was trained on."""
    found = case.leakage
    if isinstance(found, Missing):
        return unsure(found.reason)
    evidence: dict[str, Any] = {
        "rows": found.rows,
        "max_leak_auc": case.settings.max_leak_auc,
        "separation": dict(sorted(found.separation.items(), key=lambda item: -item[1])),
        "given_away": [{"columns": list(columns), "why": why} for columns, why in found.given_away],
        "waived": sorted(case.settings.waive_leaks),
        "repeated": found.repeated,
        "repeats_expected": found.expected_repeats,
        "late": dict(found.late),
    }
    problems = [*_columns(found, case), *_times(found, case), *_repeats(found, case)]
    if not problems and found.rows < case.settings.min_rows:
        return unsure(f"{found.rows:,} rows are fewer than the {case.settings.min_rows:,} of min_rows", evidence)
    return judged(problems, _good(found), evidence)


def _columns(found: Leakage, case: Case) -> Iterator[str]:
    waived = {name_key(name) for name in case.settings.waive_leaks}
    told: set[str] = set()
    for columns, why in found.given_away:
        if not all(name_key(name) in waived for name in columns):
            told.update(columns)
            yield f"{listed(columns)} gives the label away ({why})"
    most = case.settings.max_leak_auc
    for name, area in sorted(found.separation.items(), key=lambda item: -item[1]):
        if area > most and name not in told and name_key(name) not in waived:
            yield f"{name} alone separates the label with an AUC of {area:.4f}, above the {most:g} of max_leak_auc"


def _times(found: Leakage, case: Case) -> Iterator[str]:
    waived = {name_key(name) for name in case.settings.waive_leaks}
    if found.label_time_read and name_key(found.label_time) not in waived:
        yield f"the version reads {found.label_time}, the time of the label itself"
    for name, share in found.late.items():
        if share > 0 and name_key(name) not in waived:
            yield f"{name} lies at or after {found.label_time} in {share:.1%} of the rows"


def _repeats(found: Leakage, case: Case) -> Iterator[str]:
    if not found.repeated or found.expected_repeats:
        return
    share, most = found.repeated / found.rows, case.settings.max_repeated
    if share > most:
        yield (
            f"{found.repeated:,} of {found.rows:,} held-out rows ({share:.1%}) occur among the training rows, "
            f"above the {most:.0%} of max_repeated"
        )


def _good(found: Leakage) -> str:
    if found.separation:
        name, area = max(found.separation.items(), key=lambda item: item[1])
        told = f"the strongest input, {name}, has an AUC of {area:.3f} by itself"
    else:
        told = "no input gives the label away"
    if found.repeated is None:
        return told
    return f"{told}; {found.repeated:,} of {found.rows:,} held-out rows occur among the training rows"
