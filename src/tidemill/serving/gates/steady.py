"""The gate on what a version forgot: no worse than the champion on the rows that the champion was judged on.

A batch of rows that are wrong brings its own held-out rows, on which a version that learnt its mistakes looks good. The
rows that the champion was judged on were there before the batch. Where the world itself has changed, a good version is
worse on them too: then the labelled answers of production show it better than the champion, and that is asked.
"""

from __future__ import annotations

from tidemill.serving.gates.case import Case, Champion, Missing
from tidemill.serving.gates.comparing import Gain, compare
from tidemill.serving.gates.quality import NO_CHAMPION, enough
from tidemill.serving.gates.verdict import Verdict, failed, passed, unsure

OFF, REQUESTS, ALWAYS = "off", "requests", "always"


def is_asked(case: Case) -> bool:
    """Whether the gate asks anything of this version."""
    return case.settings.steady == ALWAYS or (case.settings.steady == REQUESTS and case.requested)


def in_doubt(case: Case) -> bool:
    """Whether the champion's own rows speak against the version, so that production has to be asked."""
    return isinstance(case.steady, Champion) and not _held_up(case, case.steady)


def no_worse_where_the_champion_was_judged(case: Case) -> Verdict:
    """On the champion's held-out rows nothing shows the version worse by more than ``steady_margin``."""
    if not is_asked(case):
        said = "it is off" if case.settings.steady == OFF else "no request for retraining brought this version"
        return passed(f"not asked: {said}", {})
    if case.champion is None:
        return passed(NO_CHAMPION, {})
    if not isinstance(case.steady, Champion):
        why = case.steady.reason if isinstance(case.steady, Missing) else "they were not read"
        return _unknown(case, f"the champion's held-out rows are not to be had: {why}")
    scored = enough(case.steady.rows, case)
    if isinstance(scored, Verdict):
        return _unknown(case, f"of the champion, {scored.summary}")
    found, margin = _gain(case, case.steady), case.settings.steady_margin
    flattered = f" ({case.steady.trained:,} of them trained it, which flatters it)" if case.steady.trained else ""
    summary = (
        f"{found.metric} {found.new:.4g} against {found.old:.4g} on {found.rows:,} rows that version "
        f"{case.steady.version} was judged on{flattered}: {found.told(case.settings.confidence)}, margin "
        + (f"{margin:.1%}" if found.relative else f"{margin:g}")
    )
    evidence = found.evidence | {"champion": case.steady.version, "margin": margin, "trained": case.steady.trained}
    if _held_up(case, case.steady):
        return passed(summary, evidence)
    vouched, said, more = _asked_of_production(case)
    evidence |= {"production": more}
    if vouched:
        return passed(f"{summary}; but {said}", evidence)
    judged = failed if found.against(margin) == "fail" else unsure
    return judged(f"{summary}; {said}", evidence)


def _gain(case: Case, other: Champion) -> Gain:
    return compare(
        case.metric,
        other.rows.labels,
        other.rows.y,
        other.rows.scores,
        other.scores,
        confidence=case.settings.confidence,
    )


def _held_up(case: Case, other: Champion) -> bool:
    """No worse than the margin, or not shown to be worse at all: that it is good enough, other gates ask."""
    if isinstance(enough(other.rows, case), Verdict):
        return True
    found = _gain(case, other)
    return found.against(case.settings.steady_margin) == "pass" or not found.high < 0


def _asked_of_production(case: Case) -> tuple[bool, str, dict[str, object]]:
    """Whether labelled answers show the version better than the champion; that in words, and as plain data."""
    if not isinstance(case.answered, Champion):
        why = case.answered.reason if isinstance(case.answered, Missing) else "none was read"
        return False, f"no labelled answers speak for it: {why}", {}
    rows = enough(case.answered.rows, case)
    if isinstance(rows, Verdict):
        return False, f"too few labelled answers speak for it ({len(case.answered.rows.y):,})", {}
    found = _gain(case, case.answered)
    told = f"{found.new:.4g} against {found.old:.4g} on {found.rows:,} labelled answers of production"
    better = found.low > 0
    verb = "it is better" if better else "it is not shown to be better"
    return better, f"{verb} there: {told}, {found.told(case.settings.confidence)}", found.evidence


def _unknown(case: Case, why: str) -> Verdict:
    """Who asks for it always takes no silence for an answer; by default it is asked where it can be."""
    return unsure(why, {}) if case.settings.steady == ALWAYS else passed(f"not asked: {why}", {})
