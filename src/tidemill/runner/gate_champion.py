"""The champion's part of a case: on which rows a version is held against it, and what both say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from tidemill.core.errors import TidemillError
from tidemill.model_types.base import Labels
from tidemill.runner.gate_answers import Answered, labelled_answers
from tidemill.runner.gate_rows import score_table, spelled, trained_on
from tidemill.runner.held_out import HeldOut, Reopened
from tidemill.serving.gates.case import Case, Champion, Missing, Scored
from tidemill.serving.gates.steady import in_doubt, is_asked

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tidemill.core.sections import DeploymentSettings
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.control.models import ModelVersion

T = TypeVar("T")


class Parts(Protocol):
    """What is collected of the version itself, by `gate_parts.Collector`."""

    stations: Stations
    settings: DeploymentSettings
    version: ModelVersion
    other: ModelVersion | None

    @property
    def listen(self) -> Callable[[str], None]:
        """Is told what is being done."""

    @property
    def loaded(self) -> LoadedModel:
        """The version, as SQL scores with it."""

    @property
    def champion(self) -> LoadedModel | None:
        """The version it is held against."""

    @property
    def labels(self) -> Labels:
        """The label's column and classes."""

    @property
    def inputs(self) -> Mapping[str, str]:
        """The columns it reads, with their Arrow types as text."""

    @property
    def held(self) -> HeldOut | Missing:
        """The rows it is judged on."""

    @property
    def scored(self) -> Scored | Missing:
        """Those rows with their labels and scores."""

    def reopen(self, version: ModelVersion) -> Reopened:
        """The training of a version, as it was."""

    def scored_rows(self, held: HeldOut) -> Scored:
        """Rows with their labels and the version's scores."""

    def keys_of(self, table: pa.Table) -> np.ndarray:
        """What names each row of a table."""


def champion_part(of: Parts) -> Champion | Missing | None:
    """The champion's answers to the rows the version was judged on, or the version's to the champion's."""
    if of.other is None or of.champion is None:
        return None
    held, scored, other = of.held, of.scored, of.other
    if isinstance(held, Missing):
        return held
    if isinstance(scored, Missing):
        return scored
    loaded = _comparable(of, of.champion)
    if isinstance(loaded, Missing):
        return loaded
    if all(spelled(held.table.column_names, name) for name in inputs_of_model(loaded)):
        return or_missing(lambda: _on_own_rows(of, loaded, other, held, scored))
    return or_missing(lambda: _on_champion_rows(of, loaded, other))


def with_steady(of: Parts, case: Case) -> Case:
    """The case with what the gate ``steady`` asks for, where it asks for anything.

    Production's labelled answers are read only where the champion's own rows speak against the version.
    """
    other = of.other
    if other is None or of.champion is None or not is_asked(case):
        return case
    of.listen("scoring the champion's held-out rows")
    loaded = _comparable(of, of.champion)
    least = case.settings.min_rows
    case = replace(
        case,
        steady=loaded
        if isinstance(loaded, Missing)
        else or_missing(lambda: _on_champion_rows(of, loaded, other, least=least)),
    )
    if isinstance(loaded, Missing) or not in_doubt(case):
        return case
    of.listen("scoring labelled answers")
    return replace(case, answered=or_missing(lambda: _on_answers(of, loaded, other)))


def _comparable(of: Parts, champion: LoadedModel) -> LoadedModel | Missing:
    classes = labels_of_model(champion).classes
    if bool(classes) != bool(of.labels.classes):
        return Missing(f"version {champion.version} predicts {'classes' if classes else 'numbers'}")
    return champion


def _on_own_rows(of: Parts, loaded: LoadedModel, other: ModelVersion, held: HeldOut, scored: Scored) -> Champion:
    seen = or_missing(lambda: trained_on(of.reopen(other), held.table, inputs=tuple(inputs_of_model(loaded))))
    return Champion(
        version=other.version,
        rows=scored,
        scores=_in_order(score_table(of.stations, loaded, held.table), labels_of_model(loaded), of.labels),
        seen=None if isinstance(seen, Missing) else seen,
        keys=of.keys_of(held.table),
    )


def _on_champion_rows(of: Parts, loaded: LoadedModel, other: ModelVersion, *, least: int = 0) -> Champion | Missing:
    """Both on the champion's held-out rows, less those that trained the version, unless fewer than ``least`` are left.

    On rows that trained it the version looks better than it is: one that is worse there is worse.
    """
    import numpy as np

    held = of.reopen(other).held_out()
    seen = trained_on(of.reopen(of.version), held.table, inputs=tuple(of.inputs))
    if seen is None:
        return Missing(f"neither its rows nor those of version {other.version} have the columns that both read")
    known = of.scored_rows(held)
    usable = known.y >= 0 if of.labels.classes else np.isfinite(known.y)
    fresh = ~seen & usable
    kept = fresh if int(fresh.sum()) >= least else usable
    table = held.table.filter(kept)
    rows = replace(
        known,
        y=known.y[kept],
        scores=known.scores[kept],
        columns={name: values[kept] for name, values in known.columns.items()},
    )
    return Champion(
        version=other.version,
        rows=rows,
        scores=_in_order(score_table(of.stations, loaded, table), labels_of_model(loaded), of.labels),
        seen=np.zeros(table.num_rows, dtype=bool),
        keys=of.keys_of(table),
        trained=int((kept & seen).sum()),
    )


def _on_answers(of: Parts, loaded: LoadedModel, other: ModelVersion) -> Champion | Missing:
    """Both on labelled answers of production that did not train the version."""
    import numpy as np

    if isinstance(of.held, Missing):
        return of.held
    asked = Answered(
        settings=of.settings,
        labels=of.labels,
        inputs={**inputs_of_model(loaded), **of.inputs},
        schema=of.held.table.schema,
        label=of.held.label,
    )
    found = labelled_answers(of.stations, asked)
    if isinstance(found, Missing):
        return found
    seen = trained_on(of.reopen(of.version), found.table, inputs=tuple(of.inputs))
    fresh = np.ones(len(found.y), dtype=bool) if seen is None else ~seen
    table, y = found.table.filter(fresh), found.y[fresh]
    rows = Scored(labels=of.labels, y=y, scores=score_table(of.stations, of.loaded, table), held_out=True, total=len(y))
    return Champion(
        version=other.version,
        rows=rows,
        scores=_in_order(score_table(of.stations, loaded, table), labels_of_model(loaded), of.labels),
        seen=np.zeros(len(y), dtype=bool),
        keys=np.arange(len(y)),
    )


def inputs_of_model(model: LoadedModel) -> dict[str, str]:
    """The columns it reads, with their Arrow types as text."""
    return {str(one["name"]): str(one["type"]) for one in model.manifest["inputs"]}


def labels_of_model(model: LoadedModel) -> Labels:
    """Its label's column and classes."""
    label = model.manifest["label"]
    return Labels(column=label["column"], classes=tuple(label["classes"]))


def or_missing(work: Callable[[], T]) -> T | Missing:
    """What some work gives, or why it could not be done."""
    try:
        return work()
    except TidemillError as error:
        return Missing(error.message)


def _in_order(scores: np.ndarray, given: Labels, wanted: Labels) -> np.ndarray:
    """Probabilities in the order of other classes; a class that is not known gets none."""
    import numpy as np

    if given.classes == wanted.classes:
        return scores
    at = {value: ordinal for ordinal, value in enumerate(given.classes)}
    zeros = np.zeros(len(scores))
    return np.column_stack([scores[:, at[value]] if value in at else zeros for value in wanted.classes])
