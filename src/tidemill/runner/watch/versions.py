"""What a pass knows of the versions that answered: each looked up, and learnt from, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tidemill.core.columns import hidden_names
from tidemill.registry.lineage import read_lineage
from tidemill.runner.column_notes import notes_of_each
from tidemill.runner.watch.estimate import Estimating, learn_estimating
from tidemill.runner.watch.quality import Judging, learn_judging
from tidemill.runner.watch.reference import reference_of
from tidemill.warehouse.control.models import ModelVersion, get_version

if TYPE_CHECKING:
    from tidemill.core.sections import DeploymentSettings
    from tidemill.monitoring.inputs import Reference
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """The versions of one deployment.

    Parameters
    ----------
    notes
        What people should know of them; each is said once.
    """

    stations: Stations
    settings: DeploymentSettings
    notes: list[str] = field(default_factory=list)
    _models: dict[int, LoadedModel] = field(default_factory=dict)
    _references: dict[int, Reference | None] = field(default_factory=dict)
    _judging: dict[int, Judging] = field(default_factory=dict)
    _estimating: dict[int, Estimating] = field(default_factory=dict)

    def model(self, version: int) -> LoadedModel:
        """The version, loaded."""
        if version not in self._models:
            self._models[version] = self.stations.load_model(self.settings.model, version)
        return self._models[version]

    def reference(self, version: int) -> Reference | None:
        """What a version's windows are compared with; None, and a note, where nothing was kept of its training."""
        if version not in self._references:
            row = get_version(self.stations.db, self.settings.model, version)
            found = reference_of(row, self.model(version), hidden=_hidden(self.stations, row))
            self._references[version] = found
            if found is None:
                self.notes.append(
                    f"version {version} was trained by a Tidemill that kept no baseline: what came in is compared"
                    " with nothing until a newer version answers"
                )
        return self._references[version]

    def judging(self, version: int) -> Judging:
        """What the quality of its windows is compared with."""
        if version not in self._judging:
            self._judging[version] = learn_judging(self.settings, self.model(version))
        return self._judging[version]

    def estimating(self, version: int) -> Estimating:
        """What its held-out rows lead to expect."""
        if version not in self._estimating:
            self._estimating[version] = learn_estimating(self.stations, self.settings, self.model(version))
        return self._estimating[version]


def _hidden(stations: Stations, version: ModelVersion) -> frozenset[str]:
    """The keys of the columns that hold personal data in any table that training read."""
    tables = list(read_lineage(version.lineage).tables)
    return hidden_names(*notes_of_each(stations, tables).values())
