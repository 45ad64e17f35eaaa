"""The rows that are looked at: a relation of a session, its columns by kind, and a sample of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tidemill.core.names import quote_name
from tidemill.sources.sniff import kind_of as simple_kind

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.warehouse.protocol import ArrowStream, Session

Kind = Literal["number", "text", "bool", "date", "time", "blob", "list", "map", "struct", "other"]

SAMPLE_ROWS = 100_000
COPIED_ROWS = 20_000  # a stored table of more rows is read where it is: a copy costs as much as five scans
BLOCKS = 16
ROWS_PER_BLOCK = 250_000  # a table has a block of its sample for each so many rows, up to BLOCKS
LEAST_PER_BLOCK = 5_000  # a block costs its row group, however few rows are taken
SEED = 2024
COLUMNS_PER_SCAN = 100  # the engine plans thousands of aggregates at once slowly

WHOLE = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
)
WIDE = ("HUGEINT", "UHUGEINT")  # Arrow has no such type: they travel as text


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its name, the engine's name of its type, and what kind of values that is."""

    name: str
    type: str
    kind: Kind

    @property
    def is_float(self) -> bool:
        """Whether it may hold NaN and infinity."""
        return self.type in ("FLOAT", "DOUBLE")

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers."""
        return self.type in WHOLE or (self.type.startswith("DECIMAL") and self.type.endswith(",0)"))

    @property
    def sql(self) -> str:
        """The column in SQL; what is like text (ENUM, UUID, JSON) as text."""
        name = quote_name(self.name)
        return f"CAST({name} AS VARCHAR)" if self.kind == "text" and self.type != "VARCHAR" else name

    @property
    def finite(self) -> str:
        """The column in SQL, without NaN and infinity."""
        can = self.is_float or self.kind in ("date", "time")
        return f"CASE WHEN isfinite({self.sql}) THEN {self.sql} END" if can else self.sql


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows to look at.

    Parameters
    ----------
    relation
        Engine SQL that may stand in a FROM clause.
    relations
        What the relation reads besides the session's own tables.
    """

    session: Session
    relation: str
    rows: int
    columns: tuple[Column, ...]
    relations: Mapping[str, ArrowStream] = field(default_factory=dict)

    def read(self, sql: str) -> pa.Table:
        """All rows of a small result."""
        return self.session.query(sql, self.relations).read_all()

    def rows_of(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a small result, as Python values."""
        found = self.read(sql)
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def first(self, items: Sequence[str], relation: str = "") -> list[Any]:
        """The values of one row of aggregates."""
        found = self.read(f"SELECT {', '.join(items)} FROM {relation or self.relation}")
        return [column[0].as_py() for column in found.columns]

    def first_of(self, groups: str, items: Sequence[str]) -> list[Any]:
        """The values of one row of aggregates over ``g``, a common table expression."""
        found = self.read(f"WITH {groups} SELECT {', '.join(items)} FROM g")
        return [column[0].as_py() for column in found.columns]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Some rows of a table, or all of a small one."""

    relation: str
    rows: int
    of: int
    blocks: int = 1

    @property
    def whole(self) -> bool:
        """Whether it is the whole table."""
        return self.rows == self.of

    @property
    def says(self) -> str:
        """What a reader must know of it."""
        if self.whole:
            return "all rows"
        runs = f"{self.blocks} runs of neighbouring rows" if self.blocks > 1 else "one run of neighbouring rows"
        return f"a sample of {self.rows:,} of {self.of:,} rows, in {runs} (seed {SEED})"


def kind_of(type_: str) -> Kind:
    """What kind of values a type of the engine has."""
    if type_.endswith("]"):
        return "list"
    nested: dict[str, Kind] = {"STRUCT": "struct", "MAP": "map", "UNION": "other"}
    head = type_.partition("(")[0]
    if head in nested:
        return nested[head]
    plain: dict[str, Kind] = {"BLOB": "blob", "UUID": "text", "JSON": "text", "UHUGEINT": "number"}
    if type_ in plain:
        return plain[type_]
    return simple_kind(type_)


def open_table(
    session: Session, sql: str, relations: Mapping[str, ArrowStream] | None = None, *, stored: bool = False
) -> Table:
    """Look at a query's columns and count its rows.

    Parameters
    ----------
    sql
        A query; with ``stored`` a plain ``SELECT * FROM`` of a table or of Parquet files, whose rows come in one order
        and whose columns can be read one by one. Anything else, and every very small table, is copied once.
    """
    given = dict(relations or {})
    described = session.query(f"SELECT column_name, column_type FROM (DESCRIBE {sql}\n)", given).read_all()
    columns = tuple(
        Column(name=name, type=type_, kind=kind_of(type_))
        for name, type_ in zip(*(column.to_pylist() for column in described.columns), strict=True)
    )
    relation = f"({sql}\n) AS tm_rows"
    rows = _count(session, relation, given) if stored else -1
    if rows < 0 or rows <= COPIED_ROWS:
        relation, given = session.materialise(sql, given), {}
        rows = _count(session, relation, given)
    return Table(session=session, relation=relation, rows=rows, columns=columns, relations=given)


def draw_sample(table: Table, columns: Sequence[Column] = (), *, rows: int = SAMPLE_ROWS) -> Sample:
    """Rows for what cannot be counted cheaply in all of them: the same rows each time.

    Parameters
    ----------
    columns
        Keep these columns only.
    rows
        About so many rows of a table that has more than `SAMPLE_ROWS`.

    Reading every n-th row costs as much as a scan of all columns (2 s of 10 M rows x 20 columns); a run of neighbouring
    rows is found by its place, in 0.04 s wherever it stands.
    """
    if table.rows <= SAMPLE_ROWS:
        return Sample(relation=table.relation, rows=table.rows, of=table.rows)
    blocks = min(BLOCKS, -(-table.rows // ROWS_PER_BLOCK), -(-rows // LEAST_PER_BLOCK))
    size, stride = rows // blocks, table.rows // blocks
    parts = []
    wanted = ", ".join(quote_name(column.name) for column in columns) or "*"
    for number in range(blocks):
        start = number * stride + (SEED + number) * 2_654_435_761 % 2**32 % max(1, stride - size)
        parts.append(f"SELECT * FROM (SELECT {wanted} FROM {table.relation} LIMIT {size} OFFSET {start})")
    kept = table.session.materialise(" UNION ALL ".join(parts), table.relations)  # the engine reads several at a time
    return Sample(relation=kept, rows=_count(table.session, kept, {}), of=table.rows, blocks=blocks)


def _count(session: Session, relation: str, relations: Mapping[str, ArrowStream]) -> int:
    return int(session.query(f"SELECT count(*) FROM {relation}", relations).read_all().column(0)[0].as_py())
