"""The tables: their versions and upkeep, what they hold, and where their columns came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tidemill.project.opened import Opened

if TYPE_CHECKING:
    from tidemill.analysis.drift.report import DriftReport
    from tidemill.analysis.profile.result import Profile
    from tidemill.column_lineage.graph import ColumnGraph, ColumnRef
    from tidemill.governance.subject import Value
    from tidemill.runner.column_lineage import ProjectKnows
    from tidemill.runner.erase.request import Asked, Looked
    from tidemill.runner.maintain import Act, Maintained
    from tidemill.warehouse.control.erasures import Erasure, Flag
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

    def erase(
        self,
        values: Sequence[Value],
        *,
        why: str = "",
        now: bool = False,
        wait_s: float = 0.0,
        listen: Callable[[str], None] = lambda _: None,
    ) -> Asked:
        """Erase somebody's rows from every version of every table, the log and the texts that quote them.

        Parameters
        ----------
        values
            Values of columns that name the person; a row with any of them goes.
        now
            Remove files that queries may still be reading, instead of waiting ``grace_hours``.
        wait_s
            How long to wait for a run that goes on; the erasure is carried out when it ends.
        listen
            Told what is being done.

        Raises
        ------
        NotFoundError
            A column is in no table.
        """
        from tidemill.runner.erase.request import erase

        return erase(self.stations, values, why=why, now=now, wait_s=wait_s, listen=listen)

    def look_for(self, values: Sequence[Value]) -> Looked:
        """What is kept of somebody: rows by table, versions trained on them, texts; nothing is changed."""
        from tidemill.runner.erase.request import look_at

        return look_at(self.stations, values)

    def erasures(self) -> list[Erasure]:
        """Every erasure that was asked for here, oldest first."""
        from tidemill.warehouse.control.erasures import list_erasures

        return list_erasures(self.db)

    def restored(self) -> int:
        """How many erasures of the ledger this state has not carried out: a backup was put back."""
        from tidemill.runner.erasure_book import restored_entries, site_of

        return len(restored_entries(site_of(self)))

    def flagged(self) -> list[Flag]:
        """Versions of models that were trained on rows which were erased since."""
        from tidemill.warehouse.control.erasures import flagged

        return flagged(self.db)

    def end_erasures(self, *, now: bool = False, listen: Callable[[str], None] = lambda _: None) -> list[Erasure]:
        """Carry out what is open, and look whether it is proved by now."""
        from tidemill.runner.erase.carry_out import carry_out

        return carry_out(self.stations, now=now, listen=listen)

    def forgive(self, number: int) -> Erasure:
        """Let somebody come in again who was erased; what is gone stays gone."""
        from tidemill.runner.erase.request import forgive

        return forgive(self.stations, number)

    def erase_restored(self, *, listen: Callable[[str], None] = lambda _: None) -> int:
        """Erase again whom a backup brought back, by the ledger; how many erasures that were. Mostly none.

        Raises
        ------
        BusyError
            Another process changes the project: nobody may be served before that is done.
        """
        from tidemill.runner.erase.again import erase_restored

        return erase_restored(self.site, listen=listen)

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
