"""The parts of a case, collected: what the gates judge a version by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import BindError, NotFoundError, TidemillError
from tidemill.model_types.base import Labels
from tidemill.runner.gate_champion import champion_part, inputs_of_model, labels_of_model, or_missing, with_steady
from tidemill.runner.gate_columns import check_columns, todays_columns
from tidemill.runner.gate_rows import (
    given_away,
    has_measure,
    late_shares,
    score_table,
    separations,
    spelled,
    texts,
    trained_on,
)
from tidemill.runner.gate_server import ask_golden, open_online, time_answers
from tidemill.runner.held_out import HeldOut, Reopened, reopened
from tidemill.serving.gates.case import Case, Contract, Files, Golden, Leakage, Missing, Scored, Timing

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tidemill.core.sections import DeploymentSettings
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations
    from tidemill.serving.online.model import OnlineModel
    from tidemill.warehouse.control.models import ModelVersion

_SAMPLE = 1_000
_ASKED = 200
_MOST_FOR_LEAKS = 20_000


@dataclass
class Collector:
    """Collects the parts of a case; each is worked out when it is first asked for."""

    stations: Stations
    settings: DeploymentSettings
    version: ModelVersion
    other: ModelVersion | None
    listen: Callable[[str], None]
    requested: bool = False
    _opened: ExitStack = field(default_factory=ExitStack)
    _again: dict[int, Reopened] = field(default_factory=dict)

    def case(self, files: Files) -> Case:
        """All parts, each collected once."""
        with self._opened:
            return self._case(files)

    def _case(self, files: Files) -> Case:
        held = self.held
        if isinstance(held, HeldOut):
            check_columns(self.settings, held)
        contract = self.contract()
        self.listen("scoring held-out rows")
        scored = self.scored
        self.listen("holding the server against SQL")
        golden, timing = self.golden(), self.timing()
        self.listen("looking for leaks")
        leakage = self.leakage()
        if self.other is not None:
            self.listen("scoring with the champion")
        case = Case(
            settings=self.settings.gates,
            files=files,
            contract=contract,
            golden=golden,
            timing=timing,
            scored=scored,
            leakage=leakage,
            champion=champion_part(self),
            requested=self.requested,
            steady=None,
        )
        return with_steady(self, case)

    @cached_property
    def loaded(self) -> LoadedModel:
        """The version, as SQL scores with it."""
        return self.stations.load_model(self.version.name, self.version.version)

    @cached_property
    def champion(self) -> LoadedModel | None:
        """The version it is held against."""
        return None if self.other is None else self.stations.load_model(self.other.name, self.other.version)

    @cached_property
    def labels(self) -> Labels:
        """The label's column and classes."""
        return labels_of_model(self.loaded)

    @cached_property
    def inputs(self) -> dict[str, str]:
        """The columns it reads, with their Arrow types as text."""
        return inputs_of_model(self.loaded)

    def reopen(self, version: ModelVersion) -> Reopened:
        """The training of a version, opened once for all that is asked of it: each opening reads every row again."""
        if version.version not in self._again:
            self._again[version.version] = self._opened.enter_context(reopened(self.stations, version))
        return self._again[version.version]

    @cached_property
    def held(self) -> HeldOut | Missing:
        """The rows it is judged on."""
        self.listen("reading held-out rows")
        return or_missing(lambda: self.reopen(self.version).held_out())

    @cached_property
    def scored(self) -> Scored | Missing:
        """Those rows with their labels and scores."""
        held = self.held
        if isinstance(held, Missing):
            return held
        return or_missing(lambda: self.scored_rows(held))

    @cached_property
    def online(self) -> OnlineModel | Missing:
        """The version, as the server answers with it."""
        return or_missing(lambda: open_online(self.loaded))

    def contract(self) -> Contract:
        """What the version reads, what today's tables give, what callers send."""
        champion = self.champion
        source: Mapping[str, str] | Missing
        broken = ""
        try:
            source = todays_columns(self.stations, self.version)
        except (BindError, NotFoundError) as error:
            source, broken = Missing(error.message), error.message
        except TidemillError as error:
            source = Missing(error.message)
        return Contract(
            inputs=self.inputs,
            source=source,
            broken=broken,
            label=self.labels.column,
            champion_inputs=None if champion is None else inputs_of_model(champion),
            champion_label="" if champion is None else labels_of_model(champion).column,
        )

    def golden(self) -> Golden | Missing:
        """The rows kept from training, and held-out rows through JSON, answered by the server's code."""
        online = self.online
        return online if isinstance(online, Missing) else ask_golden(online, *self.asked)

    @cached_property
    def asked(self) -> tuple[list[dict[str, Any]], np.ndarray]:
        """Some rows as JSON holds them, those with a NULL first, and ML.PREDICT's answers to them."""
        import numpy as np

        from tidemill.training.golden import golden_rows

        if isinstance(self.held, Missing) or isinstance(self.scored, Missing):
            return [], np.empty(0)
        at = _evenly(self.held.table.num_rows, _SAMPLE)
        raw = self.held.table.take(at).select(list(self.inputs)).combine_chunks()
        found = golden_rows(raw.to_batches()[0], self.scored.scores[at], most=_ASKED) if len(at) else {"rows": []}
        return found["rows"], np.array(found.get("scores", []), dtype=np.float64)

    def timing(self) -> Timing | Missing:
        """One-row answers in this process."""
        if isinstance(self.held, Missing):
            return self.held
        online = self.online
        return online if isinstance(online, Missing) else time_answers(online, self.asked[0], self.stations.clock)

    def leakage(self) -> Leakage | Missing:
        """What the inputs know of the label, and the held-out rows that were trained on."""
        held, scored = self.held, self.scored
        if isinstance(held, Missing):
            return held
        if isinstance(scored, Missing):
            return scored
        at = _evenly(held.table.num_rows, _MOST_FOR_LEAKS)
        part, y, inputs = held.table.take(at), scored.y[at], list(self.inputs)
        classes = len(self.labels.classes)
        label_time = spelled(held.table.column_names, self.settings.gates.label_time) or ""
        seen = (
            or_missing(lambda: trained_on(self.reopen(self.version), held.table, inputs=tuple(self.inputs)))
            if scored.held_out
            else None
        )
        return Leakage(
            separation=separations(part, inputs, y, classes),
            given_away=given_away(part, inputs, held.label, regression=not classes),
            rows=held.table.num_rows,
            repeated=None if seen is None or isinstance(seen, Missing) else int(seen.sum()),
            expected_repeats=not has_measure(part, inputs),
            late=late_shares(held.table, inputs, label_time),
            label_time=label_time,
            label_time_read=label_time in inputs,
        )

    def keys_of(self, table: pa.Table) -> np.ndarray:
        """What names each row of a table: values of the deployment's key, or numbers."""
        import numpy as np

        name = spelled(table.column_names, self.settings.key) if self.settings.key else None
        if name is None:
            return np.arange(table.num_rows)
        return np.asarray([str(value) for value in table[name].to_pylist()], dtype=object)

    def scored_rows(self, held: HeldOut) -> Scored:
        """Rows with their labels and the version's scores."""
        from tidemill.training.labels import encode_labels

        gates = self.settings.gates
        names = {wanted: spelled(held.table.column_names, wanted) for wanted in (*gates.slices, *gates.groups)}
        return Scored(
            labels=self.labels,
            y=encode_labels(held.table[held.label].combine_chunks(), self.labels.classes),
            scores=score_table(self.stations, self.loaded, held.table),
            held_out=held.kind == "evaluation",
            total=held.total,
            columns={wanted: texts(held.table[name]) for wanted, name in names.items() if name is not None},
        )


def _evenly(rows: int, most: int) -> np.ndarray:
    import numpy as np

    if rows <= most:
        return np.arange(rows)
    return np.linspace(0, rows - 1, num=most, dtype=np.int64)
