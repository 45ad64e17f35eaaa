"""What would become of statements, said without running them: supported, partial, rejected or error, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tidemill.core.errors import BindError, StatementError, UnsupportedError, Where
from tidemill.core.names import name_key
from tidemill.core.source_tables import lake_name
from tidemill.model_types.base import ModelType
from tidemill.model_types.remote import REMOTE
from tidemill.model_types.table import find_model_type
from tidemill.sql.bind import bind_query
from tidemill.sql.check_transform import check_passed, check_transform
from tidemill.sql.column_options import column_notes
from tidemill.sql.functions import FUNCTIONS, ML_FUNCTIONS
from tidemill.sql.missing import check_functions
from tidemill.sql.ml_nodes import MLArg, MLCall
from tidemill.sql.options import check_create_model, ignored_settings
from tidemill.sql.parse import parse_each
from tidemill.sql.parse_other import IN_FILES
from tidemill.sql.reads import find_reads
from tidemill.sql.statements import (
    Assert,
    CreateModel,
    CreateTable,
    CreateView,
    InsertInto,
    LoadData,
    Other,
    Query,
    Select,
    Source,
    Statement,
)
from tidemill.sql.table_options import check_table_options

LintStatus = Literal["supported", "partial", "rejected", "error"]

# Functions of a query in another dialect are looked up when it is bound.
ENGINE = "duckdb"
LOAD_FORMATS = ("CSV", "JSON", "NEWLINE_DELIMITED_JSON", "PARQUET")
STATEMENT_SHOWN = 80
# Options of tables and views that are kept as they are said; all others are ignored.
_LAYOUT = re.compile(r"\b(PARTITION|CLUSTER)\s+BY\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LintRow:
    """What would become of one statement.

    ``line`` is the statement's first line, ``statement`` its beginning on one line. ``reason`` says what is ignored,
    why it is refused, or what is wrong where and what to do; '' for a supported statement. ``error`` is the error
    behind a rejected or wrong one.
    """

    file: str
    line: int
    statement: str
    status: LintStatus
    reason: str = ""
    error: StatementError | None = field(default=None, compare=False)

    def as_json(self) -> dict[str, Any]:
        """The row as ``tidemill lint --json`` prints it."""
        return {
            "file": self.file,
            "line": self.line,
            "statement": self.statement,
            "status": self.status,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the linted texts create: views by folded name, model types by folded name."""

    views: Mapping[str, Query]
    models: Mapping[str, ModelType]


def lint_texts(texts: Iterable[tuple[str, str]], *, dialect: str) -> list[LintRow]:
    """Lint texts that belong together: (file name, text) each; they may read one another's views and models."""
    parsed = [pair for file, text in texts for pair in parse_each(text, file=file, dialect=dialect)]
    known = _know([result for _, result in parsed if not isinstance(result, StatementError)])
    return [_lint(source, result, known) for source, result in parsed]


def _know(statements: Sequence[Statement]) -> _Known:
    views = {name_key(item.name): item.query for item in statements if isinstance(item, CreateView)}
    models: dict[str, ModelType] = {}
    for item in statements:
        row = _type_of(item) if isinstance(item, CreateModel) else None
        if row is not None:
            models[name_key(item.name)] = row  # type: ignore[union-attr]
    return _Known(views=views, models=models)


def _type_of(statement: CreateModel) -> ModelType | None:
    if "remote" in statement.extras:
        return REMOTE
    named = (option.value for option in statement.options if option.name.upper() == "MODEL_TYPE")
    value = next(named, None)
    return find_model_type(value) if isinstance(value, str) else None


def _lint(source: Source, result: Statement | StatementError, known: _Known) -> LintRow:
    try:
        if isinstance(result, StatementError):
            raise result
        notes = _notes(result, known)
    except UnsupportedError as error:
        return _row(source, "rejected", _sentence(error, place=False), error)
    except StatementError as error:
        return _row(source, "error", _sentence(error, place=True), error)
    if isinstance(result, InsertInto):
        return _row(source, "rejected", f"INSERT is not supported in a project: {IN_FILES}")
    if isinstance(result, Other):
        return _row(source, "rejected", f"{result.what} is not supported: {result.reason}")
    return _row(source, "partial" if notes else "supported", "; ".join(notes))


def _row(source: Source, status: LintStatus, reason: str, error: StatementError | None = None) -> LintRow:
    line = " ".join(source.text.split())
    shown = line if len(line) <= STATEMENT_SHOWN else line[: STATEMENT_SHOWN - 3] + "..."
    return LintRow(file=source.file, line=source.line, statement=shown, status=status, reason=reason, error=error)


def _sentence(error: StatementError, *, place: bool) -> str:
    where = error.where
    at = f" (line {where.line}, column {where.column})" if place and where is not None else ""
    said = f"{error.message}{at}"
    if not error.hint:
        return said
    return f"{said.removesuffix('.')}. Try: {error.hint}"


def _notes(statement: Statement, known: _Known) -> list[str]:
    """What is ignored of a statement; raises when it is refused or wrong."""
    if isinstance(statement, CreateModel):
        return _model_notes(statement, known)
    if isinstance(statement, CreateTable | CreateView):
        return [*_header_notes(statement), *_query_notes(statement.query, known)]
    if isinstance(statement, Select | Assert):
        return _query_notes(statement.query, known)
    if isinstance(statement, LoadData):
        _check_load(statement)
    return []


def _model_notes(statement: CreateModel, known: _Known) -> list[str]:
    checked = check_create_model(statement)
    check_transform(statement.transform, source=statement.source)
    check_passed(statement.transform, _needed_as_is(checked.values), source=statement.source)
    query_notes = _query_notes(statement.query, known) if statement.query is not None else []
    return [*checked.notes, *query_notes]


def _needed_as_is(options: Mapping[str, Any]) -> list[str]:
    """Columns that a TRANSFORM clause must hand through: labels, split and weight columns."""
    names = [
        *(options.get("input_label_cols") or ()),
        options.get("data_split_col"),
        options.get("instance_weight_col"),
    ]
    return [name for name in names if isinstance(name, str)]


def _header_notes(statement: CreateTable | CreateView) -> list[str]:
    notes = list(check_table_options(statement).notes) if isinstance(statement, CreateTable) else []
    header = statement.source.text.removesuffix(statement.query.source.text)
    for found in _LAYOUT.finditer(header):
        name = " ".join(found.group().upper().split())
        if isinstance(statement, CreateView):
            notes.append(f"{name}: ignored: a view has no rows of its own")
        elif any(option.name.lower() == "incremental_by" for option in statement.options):
            notes.append(f"{name}: orders the rows of each delivery; one delivery stands after the other")
    return notes


def _query_notes(query: Query, known: _Known) -> list[str]:
    bound = bind_query(query, views=known.views)
    _check_tables(query)
    if query.source.dialect == ENGINE:
        check_functions(bound, query)
    notes: list[str] = []
    for call in query.tree.find_all(MLCall):
        _check_model(call, query, known)
        row = FUNCTIONS[call.function]
        notes.extend(ignored_settings(row, dict.fromkeys(_setting_names(call))))
    return notes


def _check_tables(query: Query) -> None:
    """Raise for names that only BigQuery has: wildcard tables, and its INFORMATION_SCHEMA."""
    where = Where(file=query.source.file, line=query.source.line, column=query.source.column)
    for table in map(lake_name, find_reads(query)[0]):
        if query.source.dialect == "bigquery" and "information_schema." in table.casefold():
            message = f"{table} is not supported: it is BigQuery's own"
            hint = "runs, steps, tables and models are rows here: SELECT * FROM tidemill.tables"
            raise UnsupportedError(message, where=where, hint=hint, table=table)
        if table.endswith("*"):
            message = f"wildcard tables ({table}) are not supported: each table has one name here"
            hint = "read the tables one by one with UNION ALL, or their files with a pattern: FROM 'events_*.parquet'"
            raise UnsupportedError(message, where=where, hint=hint, table=table)


def _check_model(call: MLCall, query: Query, known: _Known) -> None:
    """Raise when the call reads a model of these texts whose type is not built, or does not take the function."""
    row = known.models.get(name_key(call.model)) if call.model else None
    if row is None:
        return
    where = _place(call, query)
    if row.status == "rejected":
        message = f"it reads the model {call.model}: {row.name} is not supported. {row.reason}"
        raise UnsupportedError(message, where=where, model_type=row.name)
    if call.function not in row.functions:
        takes = ", ".join(name for name in row.functions if ML_FUNCTIONS[name].status != "rejected")
        message = f"{call.function} does not take {row.name} models, and {call.model} is one"
        raise BindError(message, where=where, hint=f"{row.name} has {takes}", function=call.function)


def _place(call: MLCall, query: Query) -> Where:
    text, start, stop = (call.meta.get(key) for key in ("text", "start", "name_stop"))
    if text is not None and start is not None and stop is not None:
        place: Where = text.where(start, stop)
        return place
    return Where(file=query.source.file, line=query.source.line, column=query.source.column)


def _setting_names(call: MLCall) -> list[str]:
    """Names of the settings of a call, however they are written."""
    names: list[str] = []
    for argument in call.arguments:
        if argument.kind == "named":
            names.append(argument.label)
        elif argument.kind == "struct" and not isinstance(argument.this, MLArg):
            names.extend(item.alias or item.this.name for item in argument.this.expressions)
    return names


def _check_load(statement: LoadData) -> None:
    column_notes(statement.columns, statement.source)
    where = Where(
        file=statement.source.file,
        line=statement.source.line,
        column=statement.source.column,
        length=4,
        text=statement.source.text.partition("\n")[0],
    )
    if statement.format.upper() not in LOAD_FORMATS:
        message = f"LOAD DATA reads no {statement.format} files"
        raise UnsupportedError(message, where=where, hint=f"formats: {', '.join(LOAD_FORMATS)}")
    for uri in statement.uris:
        if "://" in uri and not uri.lower().startswith("file:"):
            message = f"LOAD DATA cannot reach {uri}: it reads files on this machine"
            raise UnsupportedError(message, where=where, hint="copy the files here and name their path")
