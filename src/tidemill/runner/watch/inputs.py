"""A window's columns, counted in the lake in one scan, in the bins of what the version was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tidemill.core.distribution import Distribution, added
from tidemill.monitoring.inputs import Reference, measure_inputs, shape_to_count, watched
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.runner.watch.relation import PREDICTION, SCORE, answers_table, inputs_of

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.registry.versions import LoadedModel
    from tidemill.warehouse.protocol import Session

ANSWERS = {PREDICTION: "prediction", SCORE: "score"}
"""Names of the answers' columns in the relation, and as people see them."""

PART_ROWS = 1_000_000
"""Answers whose JSON is unpacked at a time. Unpacking costs 1.5 s of CPU a million: done once, not for each column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of a window's columns, and the counts behind it."""

    measurements: tuple[Measurement, ...] = ()
    distributions: tuple[Distribution, ...] = ()


def measured_columns(
    session: Session,
    settings: DeploymentSettings,
    window: Window,
    model: LoadedModel,
    reference: Reference,
    previous: Mapping[str, Distribution],
    *,
    rows: int,
) -> Measured:
    """Count a window and compare it.

    Parameters
    ----------
    rows
        How many answers the window has.
    previous
        The same period before, as it was counted then.
    """
    from tidemill.analysis.distributions import count_like

    # What the log has only as digests cannot be compared with what training saw.
    hidden = (*settings.hash_columns, *settings.omit_columns)
    inputs = inputs_of(model.manifest, without=hidden)
    names = set(watched(settings.monitor, [one.name for one in inputs]))
    kept = {name: one for name, one in reference.features.items() if name in names}
    reference = replace(reference, features=kept)
    read = [one for one in inputs if one.name in reference.features]
    columns = {seen: column for column, seen in ANSWERS.items()}
    shapes = {columns.get(name, name): shape for name, shape in shape_to_count(reference).items()}
    counted: dict[str, Distribution] = {}
    for part in _parts(window, rows):
        more = count_like(answers_table(session, settings.name, part, read, model.version), shapes)
        counted = {name: added(counted[name], one) if name in counted else one for name, one in more.items()}
    # By the names that people see: the next season's window looks for them by these.
    seen = ((ANSWERS.get(name, name), one) for name, one in counted.items())
    found = {name: replace(one, column=name) for name, one in seen}
    return Measured(
        measurements=tuple(measure_inputs(settings.monitor, reference, found, previous, rows=rows)),
        distributions=tuple(found.values()),
    )


def _parts(window: Window, rows: int) -> list[Window]:
    """The window in stretches of about `PART_ROWS` answers: what is unpacked of them at a time fits into memory."""
    count = max(1, -(-rows // PART_ROWS))
    edges = [window.start + (window.end - window.start) * number / count for number in range(count)]
    return [Window(start=start, end=end) for start, end in zip(edges, [*edges[1:], window.end], strict=True)]
