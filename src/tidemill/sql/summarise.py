"""Statement to summary: what the planner keeps, so that an unchanged file is never parsed again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlglot import exp  # noqa: TID253

from tidemill.core.digest import digest_value
from tidemill.core.errors import TidemillError
from tidemill.core.names import name_key
from tidemill.sql.canonical import canonical_sql
from tidemill.sql.column_options import column_notes
from tidemill.sql.conditions import tables_read
from tidemill.sql.contract import contract_json
from tidemill.sql.contract_options import CONTRACT_OPTIONS
from tidemill.sql.function_versions import VERSIONS
from tidemill.sql.ml_nodes import MLCall
from tidemill.sql.reads import find_reads
from tidemill.sql.scalar_call import ml_name
from tidemill.sql.statements import (
    CHECKS,
    Assert,
    Constraint,
    CreateModel,
    CreateTable,
    CreateView,
    DropModel,
    DropTable,
    HparamSpace,
    InsertInto,
    LoadData,
    OptionValue,
    Other,
    Query,
    Select,
    Statement,
    Summary,
    TransformItem,
)

DESCRIPTIVE = ("description", "labels", "friendly_name")
ROW_OPTIONS = frozenset({"incremental_by", "unique_key", "deleted_when"})
"""Options of a table that change its rows. Others say what is checked of it, or what becomes of rows still to come."""
CHECK_OPTIONS = frozenset(option.name.lower() for option in CONTRACT_OPTIONS)


def summarise(statement: Statement, ordinal: int) -> Summary:
    """What the planner knows of a statement.

    Parameters
    ----------
    statement
        A parsed statement.
    ordinal
        Its 0-based position in its file.
    """
    kind, name, parts = _facts(statement)
    parts |= _changed_functions(statement)
    query = getattr(statement, "query", None)
    tables, models, files = find_reads(query) if isinstance(query, Query) else ((), (), ())
    checked: tuple[str, ...] = ()
    if isinstance(statement, CreateTable):
        checked = _referenced(tables, statement)
    if isinstance(statement, LoadData):
        files = statement.uris
    contract = contract_json(statement) if isinstance(statement, CreateTable) else {}
    if contract.get("wrong"):
        # Whatever is wrong: what was recorded never was, so that no run passes over it as unchanged.
        parts[CHECKS] = digest_value(["wrong", _options(getattr(statement, "options", ()))])
    rows = {part: value for part, value in parts.items() if part != CHECKS}
    digest = digest_value({"kind": kind, "name": name_key(name), "dialect": statement.source.dialect, "parts": rows})
    return Summary(
        file=statement.source.file,
        line=statement.source.line,
        column=statement.source.column,
        ordinal=ordinal,
        kind=kind,
        name=_made_name(statement, digest) or name,
        digest=digest,
        description_digest=digest_value(_descriptions(statement)),
        tables=(*tables, *checked),
        checked=checked,
        models=models,
        files=files,
        model_type=_model_type(statement),
        incremental=_is_incremental(statement),
        parts=parts,
        project=getattr(statement, "project", ""),
        columns=_notes(statement),
        contract=contract,
    )


def _changed_functions(statement: Statement) -> dict[str, str]:
    """The functions a statement calls that mean something else than once, with their versions."""
    query = getattr(statement, "query", None)
    trees = [query.tree] if isinstance(query, Query) else []
    items = [part for item in getattr(statement, "transform", ()) for part in (item, *item.replaced)]
    trees += [item.tree for item in items if item.tree is not None]
    calls = {call.function for tree in trees for call in tree.find_all(MLCall)}
    calls |= {ml_name(node) for tree in trees for node in tree.find_all(exp.Dot, exp.Anonymous)}
    changed = {name: VERSIONS[name] for name in sorted(calls) if name in VERSIONS}
    return {"functions": digest_value(changed)} if changed else {}


def _made_name(statement: Statement, digest: str) -> str:
    """A name people recognise, for statements that make nothing of a name; '' for the others.

    An assertion has the words of its message, and enough of the digest to tell two of them apart.
    """
    if isinstance(statement, Other):
        return f"{statement.what} ({statement.source.file}:{statement.source.line})"
    if isinstance(statement, InsertInto):
        return f"INSERT INTO {statement.name} ({statement.source.file}:{statement.source.line})"
    if not isinstance(statement, Assert):
        return ""
    words = "_".join(re.findall(r"[^\W_]+", statement.message.lower()))[:48].rstrip("_")
    return f"assert_{words}_{digest[:4]}" if words else f"assert_{digest[:10]}"


def _facts(statement: Statement) -> tuple[str, str, dict[str, str]]:
    """Kind, name, and a digest for each part: all change rows but `CHECKS`."""
    dialect = statement.source.dialect
    match statement:
        case CreateTable():
            typed = [[one.name, canonical_sql(one.type, dialect)] for one in statement.columns if one.type]
            checks = [
                [_constraint(rule, dialect) for rule in statement.constraints],
                _options(option for option in statement.options if option.name.lower() in CHECK_OPTIONS),
                [name_key(one.name) for one in statement.columns],
            ]
            parts = {
                "query": _query(statement.query),
                "options": _options(option for option in statement.options if option.name.lower() in ROW_OPTIONS),
                "columns": digest_value(typed),
                CHECKS: digest_value(checks),
            }
            if statement.layout:
                parts["layout"] = digest_value([key.sql(dialect) for key in statement.layout])
            return "table", statement.name, parts
        case CreateView():
            return "view", statement.name, {"query": _query(statement.query)}
        case CreateModel():
            parts = {
                "query": _query(statement.query),
                "options": _options(statement.options),
                "transform": digest_value([_transform(item) for item in statement.transform]),
                "extras": digest_value(list(statement.extras)),
            }
            return "model", statement.name, parts
        case LoadData():
            load = [statement.overwrite, statement.format, list(statement.uris)]
            columns = [[column.name, canonical_sql(column.type, dialect)] for column in statement.columns]
            parts = {"files": digest_value(load), "columns": digest_value(columns)}
            return "load", statement.name, parts | {"options": _options(statement.options)}
        case DropModel():
            return "drop_model", statement.name, {}
        case DropTable():
            return "drop_table", statement.name, {"kind": digest_value(statement.kind)}
        case Assert():
            parts = {"query": _query(statement.query), "message": digest_value(statement.message)}
            return "assert", "", parts | ({} if statement.enforced else {"enforced": digest_value(False)})
        case Select():
            return "select", "", {"query": _query(statement.query)}
        case _:
            return "other", "", {"text": digest_value(canonical_sql(statement.source.text, dialect))}


def _query(query: Query | None) -> str:
    return "" if query is None else digest_value(canonical_sql(query.source.text, query.source.dialect))


def _options(options: Iterable[OptionValue]) -> str:
    values = {option.name.lower(): _plain(option.value) for option in options if option.name.lower() not in DESCRIPTIVE}
    return digest_value(values)


def _plain(value: Any) -> Any:
    if isinstance(value, HparamSpace):
        return {"hparam": _plain(asdict(value))}
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


def _constraint(rule: Constraint, dialect: str) -> list[Any]:
    expression = canonical_sql(rule.expression, dialect)
    columns = [name_key(column) for column in rule.columns]
    foreign = [name_key(column) for column in rule.foreign]
    return [rule.kind, rule.name, columns, expression, name_key(rule.table), foreign, rule.enforced]


def _transform(item: TransformItem) -> list[Any]:
    excepted = [name_key(name) for name in item.excepted]
    replaced = [_transform(part) for part in item.replaced]
    return [item.name, canonical_sql(item.sql, "duckdb"), item.star, excepted, replaced]


def _descriptions(statement: Statement) -> dict[str, Any]:
    """What is said about a statement's object and changes no row."""
    options = getattr(statement, "options", ())
    columns = getattr(statement, "columns", ())
    return {
        "options": {
            option.name.lower(): _plain(option.value) for option in options if option.name.lower() in DESCRIPTIVE
        },
        "columns": {
            column.name: {option.name.lower(): _plain(option.value) for option in column.options}
            for column in columns
            if column.options
        },
    }


def _notes(statement: Statement) -> dict[str, Any]:
    """What is said of columns; of what is wrong nothing: who carries the statement out tells why."""
    if not isinstance(statement, CreateTable | LoadData):
        return {}
    try:
        found, _ = column_notes(statement.columns, statement.source)
    except TidemillError:
        return {}
    return {key: {"name": one.name, "said": dict(one.said), "lines": dict(one.lines)} for key, one in found.items()}


def _referenced(tables: tuple[str, ...], statement: CreateTable) -> tuple[str, ...]:
    """Tables that are read only when the rows are checked: REFERENCES names them, or the query of a CHECK."""
    read_anyway = {name_key(table) for table in tables}
    found: dict[str, str] = {}
    for rule in statement.constraints:
        read: tuple[str, ...] = (rule.table,) if rule.kind == "references" else ()
        if rule.kind == "check":
            read = tables_read(rule, statement.source.dialect)
        for table in read:
            if name_key(table) not in {*read_anyway, name_key(statement.name)}:
                found.setdefault(name_key(table), table)
    return tuple(found.values())


def _is_incremental(statement: Statement) -> bool:
    return isinstance(statement, CreateTable) and any(
        option.name.upper() == "INCREMENTAL_BY" for option in statement.options
    )


def _model_type(statement: Statement) -> str:
    if not isinstance(statement, CreateModel):
        return ""
    return next((str(part.value).upper() for part in statement.options if part.name.upper() == "MODEL_TYPE"), "")
