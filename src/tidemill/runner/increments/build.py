"""The step of an incremental table: all of its rows, or what is new, staged, checked and committed with its state.

The state (the greatest value of the incremental column so far, and the files that were read) stands in the note of the
commit that brings the rows: one cannot be without the other, wherever a run is killed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tidemill.core.names import quote_name, quote_path
from tidemill.runner.column_notes import require_columns
from tidemill.runner.erased_rows import without_erased
from tidemill.runner.increments.checks import Again, check_increment
from tidemill.runner.increments.deletions import at_once, deleted_later, deletions, too_many, without_gone
from tidemill.runner.increments.deltas import (
    Shape,
    news_by_key,
    news_without_key,
    numbers,
    one_row_a_key,
    require_clear,
    require_none,
)
from tidemill.runner.increments.files import FileNews, FileNote, require_same
from tidemill.runner.increments.gone_files import Losing, gone_files
from tidemill.runner.increments.matching import Matched, changed_values, match
from tidemill.runner.increments.measures import Measures
from tidemill.runner.increments.opening import Opening
from tidemill.sql.layout import in_order, require_keys
from tidemill.warehouse.protocol import Column, Merge, Session, Staged, TableVersion

if TYPE_CHECKING:
    from tidemill.planner.plan import Step
    from tidemill.runner.checking import Checked
    from tidemill.runner.execute import OpenQuery
    from tidemill.runner.stations import Stations
    from tidemill.sql.incremental import Incremental
    from tidemill.sql.statements import CreateTable, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What came of the step: the version that has the rows; it is a new one when something was checked."""

    landed: TableVersion
    rows: int
    deleted: int = 0
    checked: Checked | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[FileNote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncrementalStep:
    """A step at work on one session.

    Parameters
    ----------
    bind
        Makes a query of the statement ready to run.
    guard
        Refuses to go on when another run took over.
    forget_gone_files
        Whether rows may go whose files are gone, when the table is built whole.
    again
        Which checks are to be made of the rows from before too (see `check_increment`).
    """

    step: Step
    statement: CreateTable
    rule: Incremental
    stations: Stations
    session: Session
    run_id: str
    bind: Callable[[Query], OpenQuery]
    guard: Callable[[], None]
    forget_gone_files: bool = False
    again: Again = "none"

    @property
    def opening(self) -> Opening:
        """The statement's query, on the files to read."""
        return Opening(
            table=self.step.asset,
            statement=self.statement,
            rule=self.rule,
            stations=self.stations,
            session=self.session,
            bind=self.bind,
        )

    def build(self) -> Built:
        """Bring the table up to date."""
        warehouse, table = self.stations.warehouse, self.step.asset
        base, state = warehouse.newest([table], self.session.version), warehouse.state(table, self.session.version)
        if self.step.action != "increment" or base is None or not state:
            return self._whole(base, state or {})
        return self._increment(base, state)

    def _whole(self, base: TableVersion | None, before: dict[str, Any]) -> Built:
        """Build the table from all there is; ``base`` is its version until now, ``before`` the state of that."""
        warehouse = self.stations.warehouse
        files = self.opening.files({})
        query, left_out = self._without_erased(self.opening.open(files))
        if self.statement.layout:
            names = [column.name for column in self.session.columns(query.sql, query.relations)]
            require_keys(self.statement.layout, names, table=self.step.asset)
        staged = self._stage(query.sql, query)
        try:
            measures = self._measures(staged.columns)
            shape = measures.shape(staged.relation, engine=warehouse.dialect)
            watermark, nulls = measures.watermark(staged.relation, shape, "")
            require_columns(self.step.asset, staged.columns, self.stations.settings.tables)
            staged, gone, notes = self._settled(staged, shape)
            if files is not None:
                require_same(files, stations=self.stations)
            notes += self._losing(staged, shape, base, before, files)
            checked = self._check(staged)
            state = self._state(watermark, files, gone)
            landed = warehouse.publish(staged, run_id=self.run_id, step=self.step.name, guard=self.guard, state=state)
        except BaseException:
            warehouse.discard(staged)
            raise
        warnings = (*self._warnings(files, nulls), *notes, *left_out)
        of_files = files.notes if files is not None else ()
        return Built(landed=landed, rows=staged.rows, checked=checked, warnings=warnings, notes=of_files)

    def _increment(self, base: TableVersion, state: dict[str, Any]) -> Built:
        """Take in what is new since the table's version ``base``."""
        session, table = self.session, self.step.asset
        files = self.opening.files(state.get("files") or {})
        if files is not None and not files.read:
            return Built(landed=base, rows=0, notes=files.notes)
        there = self.stations.warehouse.columns(table, base.version)
        query, older = self.opening.open_increment(files, there)
        query, left_out = self._without_erased(query)
        fresh = session.columns(query.sql, query.relations)
        read = list(files.read) if files is not None else []
        matched = match(table, there, fresh, adds_columns=self.rule.adds_columns, files=read)
        measures = self._measures(matched.columns)
        so_far = str(state.get("watermark") or "")
        low = "" if files is not None else measures.low(so_far)
        raw, rows = self._read(query, matched, low)
        if matched.lossy and numbers(session, f"SELECT count(*) FROM {raw} WHERE {matched.lossy}")[0]:
            raise changed_values(table, there, fresh, files=read)
        shape = measures.shape(rows, engine=self.stations.warehouse.dialect)
        watermark, nulls = measures.watermark(rows, shape, so_far)
        if files is not None:
            require_same(files, stations=self.stations)
        if shape.keys:
            news = self._news_by_key(rows, shape, measures, there, so_far, files, state.get("deleted") or {})
        else:
            news = rows if files is not None else self._news_without_key(rows, shape, measures, there, low)
        gone = deletions(session, news, shape)
        built = self._merge(news, shape, measures, base, state=self._state(watermark, files, gone))
        warnings = (*self._warnings(files, nulls), *self._forgotten(news, shape), *left_out)
        of_files = (*files.notes, *older) if files is not None else ()
        return replace(built, warnings=warnings, notes=of_files)

    def _without_erased(self, query: OpenQuery) -> tuple[OpenQuery, tuple[str, ...]]:
        sql, left_out = without_erased(self.stations, self.session, query.sql, query.relations)
        return replace(query, sql=sql), left_out

    def _read(self, query: OpenQuery, matched: Matched, low: str) -> tuple[str, str]:
        """Read the new rows, from a value on; where they are kept, as they were read and as rows of the table."""
        source = f"SELECT * FROM ({query.sql}\n) AS tm_new"
        if low:
            column = quote_name(self.rule.column)
            # The filter stands around the query, where it is right for every query; the engine pushes it into files,
            # lakes and PostgreSQL. Joined by OR with the test for NULL it would not be pushed into PostgreSQL.
            some = f"{source} WHERE {column} >= {low}"
            none = f"SELECT * FROM ({query.sql}\n) AS tm_none WHERE {column} IS NULL"
            source = some if self.rule.not_null else f"{some} UNION ALL {none}"
        plain = f"SELECT {', '.join(matched.select)} FROM"
        if not matched.lossy:
            name = self.session.materialise(f"{plain} ({source}\n) AS tm_rows", query.relations)
            return name, name
        raw = self.session.materialise(source, query.relations)
        return raw, self.session.materialise(f"{plain.replace('CAST(', 'TRY_CAST(')} {raw}")

    def _news_by_key(
        self,
        rows: str,
        shape: Shape,
        measures: Measures,
        there: tuple[Column, ...],
        so_far: str,
        files: FileNews | None,
        deleted: dict[str, str],
    ) -> str:
        """New rows, one a key, without those that the table has or has a newer one of; the name they are kept under."""
        session, table = self.session, quote_path(self.step.asset)
        newest = one_row_a_key(session, rows, shape, self.rule, table=self.step.asset)
        rows = session.materialise(newest) if newest else rows
        mark = measures.literal(so_far) if so_far else ""
        if mark:
            late = f"{rows} WHERE {shape.column} <= {mark} OR {shape.column} IS NULL"
            facts = f"count(*), CAST(min({shape.column}) AS VARCHAR), count(*) - count({shape.column})"
            ((count, least, nulls),) = session.fetch(f"SELECT {facts} FROM {late}")
            if not count:
                return rows
            rows = self._without_deleted(rows, deleted, shape, measures, strict=files is not None and not files.amends)
            if not nulls:
                # What the table has of these rows, or newer, is not older than they are: the files' statistics know.
                table = f"(SELECT * FROM {table} WHERE {shape.column} >= {measures.literal(least)})"
        news = session.materialise(news_by_key(rows, table, shape, measures.columns, known=there, watermark=mark))
        # A source, or a file that changed, may correct what it said: its newest word counts. Of two files that both
        # stay, a build of all could not tell which counts.
        if shape.column and files is not None and not files.amends:
            require_clear(session, news, table, shape, self.rule, table=self.step.asset)
        return news

    def _without_deleted(
        self, rows: str, deleted: dict[str, str], shape: Shape, measures: Measures, *, strict: bool
    ) -> str:
        """New rows without those that are older than a deletion of their key.

        With ``strict`` a row that came to be when its key was deleted is an error, as in a build of all.
        """
        gone = deleted_later(self.session, deleted, kind=measures.kind)
        if not gone:
            return rows
        if strict:
            require_none(self.session, at_once(rows, gone, shape), self.rule, table=self.step.asset)
        return self.session.materialise(without_gone(rows, gone, shape))

    def _losing(
        self,
        staged: Staged,
        shape: Shape,
        base: TableVersion | None,
        before: dict[str, Any],
        files: FileNews | None,
    ) -> tuple[str, ...]:
        """Look for rows that would go because their files are gone; what is to be said of it."""
        now = files.state.values() if files is not None else ()
        gone = gone_files(before.get("files") or {}, root=self.stations.root, now=now)
        if not gone or base is None:
            return ()
        losing = Losing(files=gone, table=self.step.asset, session=self.session, base=base)
        return losing.told(staged, shape, allowed=self.forget_gone_files)

    def _forgotten(self, rows: str, shape: Shape) -> tuple[str, ...]:
        more = too_many(self.session, rows, shape)
        if not more:
            return ()
        return (f"{more:,} of the deleted keys are not remembered: an older row of theirs that comes late comes back",)

    def _news_without_key(
        self, rows: str, shape: Shape, measures: Measures, there: tuple[Column, ...], low: str
    ) -> str:
        """New rows that the table does not have from a value on; the name they are kept under."""
        table = quote_path(self.step.asset)
        if low:
            table = f"(SELECT * FROM {table} WHERE {shape.column} >= {low} OR {shape.column} IS NULL)"
        return self.session.materialise(news_without_key(rows, table, measures.columns, known=there))

    def _merge(
        self, news: str, shape: Shape, measures: Measures, base: TableVersion, *, state: dict[str, Any]
    ) -> Built:
        warehouse, session, table = self.stations.warehouse, self.session, quote_path(self.step.asset)
        kept, gone, deletes = news, "", 0
        if shape.gone:
            kept = f"(SELECT * FROM {news} WHERE {shape.gone} IS NOT TRUE)"
            gone = f"(SELECT DISTINCT {shape.listed} FROM {news} WHERE {shape.gone})"
            deletes = numbers(session, f"SELECT count(*) FROM {table} SEMI JOIN {gone} USING ({shape.listed})")[0]
        if not deletes and not numbers(session, f"SELECT count(*) FROM {kept}")[0]:
            return Built(landed=base, rows=0)
        staged = self._stage(f"SELECT * FROM {kept}")
        taken = None
        try:
            taken = self._stage(f"SELECT * FROM {gone}", laid_out=False) if deletes else None
            merge = Merge(
                base=base.version, keys=measures.keys(), gone=taken, deletes=deletes, columns=measures.columns
            )
            checked = self._check(staged, merge)
            landed = warehouse.merge(
                staged, merge, run_id=self.run_id, step=self.step.name, guard=self.guard, state=state
            )
        except BaseException:
            for one in (staged, taken):
                if one is not None:
                    warehouse.discard(one)
            raise
        return Built(landed=landed, rows=staged.rows, deleted=deletes, checked=checked)

    def _check(self, staged: Staged, merge: Merge | None = None) -> Checked:
        return check_increment(
            self.statement,
            self.rule,
            staged,
            merge,
            stations=self.stations,
            session=self.session,
            run_id=self.run_id,
            step=self.step.name,
            again=self.again,
        )

    def _stage(self, sql: str, query: OpenQuery | None = None, *, laid_out: bool = True) -> Staged:
        relations = query.relations if query is not None else None
        if laid_out:
            sql = in_order(sql, self.statement.layout, engine=self.stations.warehouse.dialect)
        attempt = f"{self.run_id}-{self.step.ordinal}"
        return self.stations.warehouse.stage(self.session, sql, relations, table=self.step.asset, attempt=attempt)

    def _settled(self, staged: Staged, shape: Shape) -> tuple[Staged, dict[str, str], tuple[str, ...]]:
        """Of all rows one a key, and none that says that its key is gone; staged anew where that changes them.

        With them the deletions to remember, and what is to be said of these.
        """
        sql = one_row_a_key(self.session, staged.relation, shape, self.rule, table=self.step.asset)
        gone: dict[str, str] = {}
        notes: tuple[str, ...] = ()
        if shape.gone:
            rows = f"({sql or f'SELECT * FROM {staged.relation}'})"
            gone, notes = deletions(self.session, rows, shape), self._forgotten(rows, shape)
            sql = f"SELECT * FROM {rows} WHERE {shape.gone} IS NOT TRUE"
        if not sql:
            return staged, gone, notes
        settled = self._stage(sql)
        self.stations.warehouse.discard(staged)
        return settled, gone, notes

    def _measures(self, columns: tuple[Column, ...]) -> Measures:
        return Measures(statement=self.statement, rule=self.rule, columns=columns, session=self.session)

    def _state(self, watermark: str, files: FileNews | None, gone: dict[str, str]) -> dict[str, Any]:
        state: dict[str, Any] = {"by": self.rule.column or "filename", "watermark": watermark}
        state |= {"files": files.state} if files is not None else {}
        return state | ({"deleted": gone} if gone else {})

    def _warnings(self, files: FileNews | None, nulls: int) -> tuple[str, ...]:
        if not nulls:
            return ()
        again = "each run reads such rows again" if files is None else "they count as older than any other"
        return (f"{nulls:,} rows have no {self.rule.column}: {again}; declare it NOT NULL to refuse them",)
