"""How the answers of a window's other versions came out: on trial, in the shadow, or champion for part of it.

A window is judged by the version that answered most. What the others said is measured beside it and judged by nobody
here: a trial has its own tests. Where a window has no other version this costs a count by version; else one look at the
labelled answers of all the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import TidemillError, TransientError
from tidemill.core.names import quote_text
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.runner.watch.quality import MOST_ROWS, Judging, label_and_scores, outcomes_of
from tidemill.runner.watch.relation import during
from tidemill.serving.labels.joined import Part, outcomes_sql
from tidemill.serving.log.texts import text_of

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.warehouse.protocol import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherVersion:
    """A version that gave fewer of a window's answers than another, and how they came out.

    Parameters
    ----------
    labelled
        Its answers that have a label; ``shadow`` of them nobody saw.
    figures
        The rows of ``tidemill.performance``.
    metric, value, low, high
        The metric that the deployment is judged by, on these answers.
    """

    window: Window
    version: int
    labelled: int
    shadow: int
    figures: tuple[Measurement, ...]
    metric: str
    value: float | None
    low: float | None
    high: float | None

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        names = ("version", "labelled", "shadow", "metric", "value", "low", "high")
        return {"window": self.window.start.isoformat(), **{name: getattr(self, name) for name in names}}


def measure_others(
    session: Session,
    settings: DeploymentSettings,
    window: Window,
    main: int,
    *,
    judging: Callable[[int], Judging],
    notes: list[str],
) -> list[OtherVersion]:
    """Measure the quality of every version but the main one that has ``min_rows`` labelled answers in a window.

    Parameters
    ----------
    judging
        What a version's quality is compared with.
    notes
        Gets a line for each version that cannot be had any more.
    """
    least = settings.monitor.min_rows
    present = session.fetch(
        f"SELECT version FROM tidemill.predictions WHERE deployment = {quote_text(settings.name)} AND {during(window)}"
        f" AND route <> 'fallback' AND version <> {int(main)} GROUP BY version HAVING count(*) >= {least}"
    )
    if not present:
        return []
    listed = ", ".join(str(int(version)) for (version,) in present)
    outcomes = outcomes_sql(Part(deployment=settings.name, since=window.start, until=window.end))
    labelled = session.materialise(
        f"SELECT id, version, route, label, score, probabilities FROM ({outcomes})"
        f" WHERE version IN ({listed}) AND label IS NOT NULL"
    )
    counts = session.fetch(
        f"SELECT version, count(*), count(*) FILTER (WHERE route = 'shadow') FROM {labelled}"
        f" GROUP BY version HAVING count(*) >= {least} ORDER BY version"
    )
    found = []
    for version, rows, shadow in counts:
        try:
            judged_by = judging(int(version))
        except TransientError:
            raise
        except TidemillError as error:
            notes.append(f"the answers of version {version} are not measured: {error.message}")
        else:
            found.append(_measured(session, labelled, window, int(version), (rows, shadow), judged_by))
    return found


def _measured(
    session: Session, relation: str, window: Window, version: int, counts: tuple[int, int], judging: Judging
) -> OtherVersion:
    labelled, shadow = counts
    classes = [text_of(one) for one in judging.labels.classes]
    step = -(-labelled // MOST_ROWS)
    thinned = f" AND hash(id) % {step} = 0" if step > 1 else ""
    rows = session.query(
        f"SELECT * FROM (SELECT {', '.join(label_and_scores(classes))} FROM {relation}"
        f" WHERE version = {version}{thinned}) WHERE y IS NOT NULL"
    )
    outcomes = outcomes_of(rows.read_all(), labelled, labelled, classes, ())
    note = f"beside the version that answered most; {_routes(labelled, shadow)}"
    figures = [replace(one, note=f"{note}; {one.note}" if one.note else note) for one in judging.measure(outcomes)]
    judged = _judged(figures, judging.held.metric)
    return OtherVersion(
        window=window,
        version=version,
        labelled=labelled,
        shadow=shadow,
        figures=tuple(figures),
        metric=judging.held.metric,
        value=None if judged is None else judged.value,
        low=None if judged is None else judged.low,
        high=None if judged is None else judged.high,
    )


def _routes(labelled: int, shadow: int) -> str:
    if not shadow:
        return "seen by those who asked"
    return "in the shadow" if shadow == labelled else f"{shadow:,} of {labelled:,} in the shadow"


def _judged(figures: Sequence[Measurement], metric: str) -> Measurement | None:
    return next((one for one in figures if one.subject == metric and one.test == "value"), None)
