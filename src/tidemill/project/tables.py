"""The tables: their versions and upkeep, what they hold, and where their columns came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tidemill.project.opened import Opened

if TYPE_CHECKING:
    from tidemill.analysis.drift.report import DriftReport
    from tidemill.analysis.profile.result import Profile
    from tidemill.column_lineage.graph import ColumnGraph, ColumnRef
    from tidemill.runner.column_lineage import ProjectKnows
    from tidemill.runner.maintain import Act, Maintained
    from tidemill.warehouse.protocol import Problem, TableVersion


class Tables(Opened):
    """What a project can be asked about its tables."""

    def history(self, table: str) -> list[TableVersion]:
        """Every version of a table, newest first."""
        return self.warehouse.history(table)

    def verify(self, table: str | None = None) -> list[Problem]:
        """Check every data file and artifact against its recorded digest."""
        from tidemill.registry.verify import verify_artifacts

        return [*self.warehouse.verify(table), *(verify_artifacts(self.db, self.store) if table is None else [])]

    def maintain(
        self,
        tables: Sequence[str] = (),
        *,
        dry_run: bool = False,
        listen: Callable[[Act], None] = lambda _: None,
    ) -> Maintained:
        """Merge small files, forget old snapshots, remove what nothing names; ``listen`` is told of each act.

        With ``tables`` only the files of these are merged, and only their snapshots forgotten.

        Raises
        ------
        BusyError
            Another process is at it.
        """
        from tidemill.runner.maintain import maintain

        return maintain(self.stations, tables=tables, dry_run=dry_run, listen=listen)

    def profile(
        self, name: str = "", *, query: str = "", label: str = "", listen: Callable[[str], None] = lambda _: None
    ) -> Profile:
        """What a table, a view or a query holds: each column's facts, how columns go together, and warnings.

        Parameters
        ----------
        label
            A column that is to be predicted: columns that give it away are named.
        listen
            Told what is being done.
        """
        from tidemill.runner.profile import ProfileRequest, profile

        return profile(self.stations, ProfileRequest(name=name, query=query, label=label), listen=listen)

    def drift(self, reference: str, current: str, *, listen: Callable[[str], None] = lambda _: None) -> DriftReport:
        """How far each column of some rows moved from a reference, and whether chance does as much.

        Parameters
        ----------
        reference, current
            A table, a view, a query, or the path of a file.
        listen
            Told what is being done.
        """
        from tidemill.runner.drift import drift

        return drift(self.stations, reference, current, listen=listen)

    def column_lineage(self) -> ColumnGraph:
        """Which column came from which, by the statements; nothing is run."""
        from tidemill.runner.column_lineage import column_graph

        with self._known() as known:
            return column_graph(self.statements, db=self.db, known=known)

    def lineage_of(self, name: str) -> tuple[ColumnGraph, ColumnRef]:
        """The graph around a table, view, model, file or column of one (``NAME.COLUMN``), and where in it that is.

        Raises
        ------
        NotFoundError
            There is none of that name.
        """
        from tidemill.runner.column_lineage import graph_around

        with self._known() as known:
            return graph_around(name, self.statements, db=self.db, known=known)

    def _known(self) -> ProjectKnows:
        from tidemill.runner.column_lineage import ProjectKnows

        has_lake = (self.keep / "lake").is_dir()
        return ProjectKnows(
            self.root,
            db=self.db,
            warehouse=lambda: self.warehouse,
            connections=self.settings.connections,
            has_lake=has_lake,
        )
