"""What a person can write, as plain data: one class per kind of statement.

Names are dotted paths as written (``sales.orders``); a BigQuery project in front of what is made stands beside it, as
``project``, because a Tidemill project has one lake. Compare names with `core.names.name_key`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a statement stands: its own text, and the place of its first character in the file."""

    file: str
    line: int
    column: int
    text: str
    dialect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query inside a statement: its own text (verbatim), its place, and its tree.

    ``tree`` is a sqlglot expression in which each ML table function is an `MLCall` node (see `sql.ml_nodes`).
    """

    source: Source
    tree: exp.Expr = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A check on rows, as standard SQL constraints say it.

    ``kind`` is one of not_null, primary_key, unique, references, check. ``columns`` are the columns it is about;
    ``expression`` is the SQL text of a CHECK in the statement's dialect; ``table`` and ``foreign`` are what
    REFERENCES names. An unenforced constraint warns instead of stopping publication.

    `sql.conditions.understand` fills in what the text of a CHECK says: ``sql`` is the condition for the engine,
    ``shape`` what kind of condition it is, ``reads`` the columns it names, ``measures`` its aggregates.
    """

    kind: str
    name: str = ""
    columns: tuple[str, ...] = ()
    expression: str = ""
    table: str = ""
    foreign: tuple[str, ...] = ()
    enforced: bool = True
    line: int = 0
    column: int = 0
    sql: str = ""
    shape: str = ""
    reads: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDef:
    """A column the statement says something about: its type ('' = as the query has it) and options."""

    name: str
    type: str = ""
    options: tuple[OptionValue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionValue:
    """One ``name = value`` of OPTIONS(...).

    The value is plain data: str, int, float, bool, None, list, dict, or a `HparamSpace`; ``line``, ``column`` and
    ``length`` point at the value, ``name_line`` and ``name_column`` at the name.
    """

    name: str
    value: Any
    line: int
    column: int
    length: int
    name_line: int
    name_column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HparamSpace:
    """``HPARAM_RANGE(low, high)`` or ``HPARAM_CANDIDATES([...])`` as an option's value."""

    low: float | None = None
    high: float | None = None
    candidates: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformItem:
    """One item of TRANSFORM(...): an expression with its name, or a star with its exceptions.

    ``sql`` is the expression's text in DuckDB's dialect with ML functions kept as ``ML.NAME(...)``; ``tree`` its
    sqlglot tree. A star item has ``star=True`` and may carry EXCEPT names and REPLACE items.
    """

    name: str = ""
    sql: str = ""
    tree: exp.Expr | None = field(default=None, compare=False)
    star: bool = False
    excepted: tuple[str, ...] = ()
    replaced: tuple[TransformItem, ...] = ()
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable:
    """CREATE [OR REPLACE] TABLE name [(columns, constraints)] [OPTIONS(...)] AS query."""

    source: Source
    name: str
    query: Query
    replace: bool = False
    if_not_exists: bool = False
    columns: tuple[ColumnDef, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    options: tuple[OptionValue, ...] = ()
    layout: tuple[Any, ...] = ()  # sqlglot's trees of what rows are ordered by
    project: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateView:
    """CREATE [OR REPLACE] VIEW name AS query. Readers see the query in its place."""

    source: Source
    name: str
    query: Query
    options: tuple[OptionValue, ...] = ()
    project: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateModel:
    """CREATE [OR REPLACE] MODEL [IF NOT EXISTS] name [TRANSFORM(...)] [OPTIONS(...)] [AS query]."""

    source: Source
    name: str
    query: Query | None
    replace: bool = False
    if_not_exists: bool = False
    transform: tuple[TransformItem, ...] = ()
    options: tuple[OptionValue, ...] = ()
    extras: tuple[str, ...] = ()  # clauses that are read but not carried out: remote, input, output, custom_holiday
    project: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropModel:
    """DROP MODEL [IF EXISTS] name."""

    source: Source
    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable:
    """DROP TABLE | VIEW [IF EXISTS] name."""

    source: Source
    name: str
    kind: str = "table"
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadData:
    """LOAD DATA [OVERWRITE | INTO] name [(columns)] FROM FILES (format = ..., uris = [...], ...)."""

    source: Source
    name: str
    overwrite: bool
    format: str
    uris: tuple[str, ...]
    columns: tuple[ColumnDef, ...] = ()
    options: tuple[OptionValue, ...] = ()
    project: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertInto:
    """INSERT INTO name [(columns)] query, where the query reads ML.PREDICT: typed, never in a project's files."""

    source: Source
    name: str
    query: Query
    into: tuple[str, ...] = ()
    project: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assert:
    """ASSERT expression AS 'message': true, or the run fails; with NOT ENFORCED it is told and the run goes on."""

    source: Source
    query: Query  # SELECT <expression>
    message: str
    enforced: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """A query on its own."""

    source: Source
    query: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A statement that is read, but that Tidemill does not carry out (ALTER MODEL, EXPORT MODEL, INSERT, ...)."""

    source: Source
    what: str  # 'ALTER MODEL', 'INSERT', ...
    reason: str


Statement = (
    CreateTable | CreateView | CreateModel | DropModel | DropTable | LoadData | InsertInto | Assert | Select | Other
)


CHECKS = "checks"
"""The part of a table's statement that says what is checked of its rows, and changes none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the planner knows of a statement.

    Plain data, kept in the control database so that an unchanged file is never parsed again.

    ``digest`` covers what changes rows (canonical SQL and options, without comments, layout and descriptions);
    ``description_digest`` covers the rest. ``tables`` and ``models`` are the names read, ``files`` the path
    patterns read; ``checked`` are those of the tables that only checks read. ``incremental`` tables take in what is
    new. ``kind``: table, view, model, load, drop_model, drop_table, assert, select, other.
    """

    file: str
    line: int
    column: int
    ordinal: int  # 0-based position in the file
    kind: str
    name: str  # '' for select; a made name for assert
    digest: str
    description_digest: str
    tables: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    model_type: str = ""
    incremental: bool = False
    parts: dict[str, str] = field(default_factory=dict)  # digests by part: query, options, transform, checks
    project: str = ""  # what stands in front of the name, which is no part of it: a BigQuery project
    columns: dict[str, Any] = field(default_factory=dict)  # what is said of columns: see `sql.column_options`
    contract: dict[str, Any] = field(default_factory=dict)  # what is checked of a table: see `sql.contract`
