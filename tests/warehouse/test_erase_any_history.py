"""Whatever became of a table: without some of its rows every snapshot is as if they had never been."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidemill.testing.warehouse import no_guard, put, stage
from tidemill.warehouse.duckdb.lake import Lake, open_lake
from tidemill.warehouse.protocol import Merge

Rows: TypeAlias = "dict[int, str]"
Step: TypeAlias = "tuple[str, frozenset[int], frozenset[int]]"
"""What happens, the ids that come, and those that go (of snapshots: those that are forgotten, by their places)."""

IDS = st.frozensets(st.integers(0, 11), max_size=6)
STEPS = st.tuples(st.sampled_from(["put", "append", "merge", "merge", "merge", "compact", "expire"]), IDS, IDS)
NOBODY: frozenset[int] = frozenset()
names = itertools.count(1)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    root = tmp_path_factory.mktemp("any")
    with closing(open_lake(root / ".tidemill", search_path=root, threads=1)) as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Change:
    """The ids of a table after a change, those that came, and those that went or were replaced."""

    rows: frozenset[int]
    added: frozenset[int]
    removed: frozenset[int]

    def without(self, ids: frozenset[int]) -> Change:
        return Change(self.rows - ids, self.added - ids, self.removed - ids)

    @property
    def told(self) -> tuple[int, int, int]:
        return len(self.rows), len(self.added), len(self.removed)


@dataclass(slots=True)
class Told:
    """A table, and what is known of it besides: its rows by id at each snapshot, and what each change did."""

    lake: Lake
    table: str
    rows: Rows = field(default_factory=dict)
    at: dict[int, Rows] = field(default_factory=dict)
    changes: dict[int, Change] = field(default_factory=dict)
    forgot: bool = False

    def do(self, step: Step) -> None:
        kind, ids, others = step
        number = str(next(names))
        if kind == "compact":
            for chosen in self.lake.upkeep.compactions(target_bytes=1 << 20, least_files=2):
                self.lake.upkeep.compact(chosen, run_id=number, guard=no_guard)
        elif kind == "expire":
            self.expire(others)
        else:
            self.change(kind, ids, others, number)
        self.at[self.lake.upkeep.snapshots()[-1].version] = dict(self.rows)

    def change(self, kind: str, ids: frozenset[int], others: frozenset[int], number: str) -> None:
        ids = ids - set(self.rows) if kind == "append" else ids
        taken = [i for i in sorted(self.rows) if i in others - ids] if kind == "merge" else []
        if kind != "put" and not ids and not taken:
            return  # nobody adds nothing
        listed = " UNION ALL ".join(
            [f"SELECT {i}::BIGINT, '{number}'" for i in sorted(ids)] or ["SELECT 0, '' LIMIT 0"]
        )
        sql = f"SELECT CAST(id AS BIGINT) AS id, word FROM ({listed}) AS t(id, word)"
        fresh = dict.fromkeys(ids, number)
        if kind == "put":
            version, removed, self.rows = put(self.lake, self.table, sql, run_id=number), NOBODY, fresh
        elif kind == "append":
            staged = stage(self.lake, self.table, sql, attempt=number)
            version = self.lake.append(staged, run_id=number, step="append", guard=no_guard)
            removed, self.rows = NOBODY, self.rows | fresh
        else:
            gone = stage(self.lake, self.table, f"SELECT unnest({taken}::BIGINT[]) AS id", attempt=f"gone-{number}")
            merge = Merge(base=self.lake.tables()[self.table], keys=("id",), gone=gone, deletes=len(taken))
            staged = stage(self.lake, self.table, sql, attempt=number)
            version = self.lake.merge(staged, merge, run_id=number, step="merge", guard=no_guard)
            removed = frozenset(self.rows.keys() & ids) | frozenset(taken)
            self.rows = {i: word for i, word in self.rows.items() if i not in taken} | fresh
        self.changes[version.version] = Change(rows=frozenset(self.rows), added=ids, removed=removed)

    def expire(self, places: frozenset[int]) -> None:
        known = sorted(self.at)[:-1]
        gone = [version for place, version in enumerate(known) if place in places]
        self.lake.upkeep.expire(gone)
        self.forgot = self.forgot or bool(gone)
        self.at = {version: rows for version, rows in self.at.items() if version not in gone}

    def erase(self, ids: frozenset[int]) -> None:
        def meant(table: str, _: Sequence[str]) -> str:
            return f"id IN ({', '.join(map(str, sorted(ids)))})" if ids and table == self.table else ""

        held = self.lake.upkeep.holding(meant)
        self.lake.upkeep.erase(held, meant, erasure=f"erasure-{next(names)}", guard=no_guard)
        assert not any(one.read for one in self.lake.upkeep.holding(meant))
        self.rows = {i: word for i, word in self.rows.items() if i not in ids}
        self.changes = {version: one.without(ids) for version, one in self.changes.items()}
        self.at = {version: {i: word for i, word in rows.items() if i not in ids} for version, rows in self.at.items()}

    def holds(self) -> None:
        """Whether every snapshot, and what is said of it, is as it is known here."""
        assert self.lake.verify() == []
        for version, rows in self.at.items():
            with self.lake.session(at=version) as session:
                found = session.fetch(f"SELECT id, word FROM {self.table} ORDER BY id")
                assert found == sorted(rows.items())
                for i, word in rows.items():
                    assert session.fetch(f"SELECT id FROM {self.table} WHERE word = '{word}' AND id = {i}") == [(i,)]
            newest = self.lake.newest([self.table], version)
            assert newest is not None
            assert newest.rows == len(rows)
            self.lake.require_intact([self.table], version)
        if not self.forgot:  # files of forgotten snapshots are gone, and nobody can tell what was in them
            said = {
                one.version: (one.rows, one.added, one.replaced + one.deleted) for one in self.lake.history(self.table)
            }
            assert said == {version: one.told for version, one in self.changes.items()}


@given(
    first=IDS, steps=st.lists(STEPS, min_size=1, max_size=4), later=st.lists(STEPS, max_size=2), erased=IDS, again=IDS
)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_table_without_rows_is_one_that_never_had_them(
    lake: Lake,
    first: frozenset[int],
    steps: list[Step],
    later: list[Step],
    erased: frozenset[int],
    again: frozenset[int],
) -> None:
    told = Told(lake, f"t{next(names)}")
    for step in [("put", first, NOBODY), *steps]:
        told.do(step)

    told.erase(erased)
    told.holds()
    for step in [*later, ("merge", frozenset({1, 2}), frozenset({3, 4}))]:
        told.do(step)
    told.erase(again)
    lake.upkeep.clean_up(older_than_s=0)
    lake.sweep(older_than_s=0)
    told.holds()

    lake.drop(told.table, run_id=told.table, step="drop", guard=no_guard)
    lake.upkeep.expire([one.version for one in lake.upkeep.snapshots()[:-1]])
    lake.upkeep.clean_up(older_than_s=0)
