"""What a dbt project has built, as its ``target/manifest.json`` says: tables, their columns, their tests.

References
----------
The manifest: https://docs.getdbt.com/reference/artifacts/manifest-json
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tidemill.core.errors import BindError, SourceError
from tidemill.core.names import did_you_mean, name_key

MANIFEST = Path("target") / "manifest.json"
BUILT = frozenset(("table", "view", "incremental", "materialized_view", "seed", "snapshot"))
"""Materialisations that leave something to read; an ephemeral model leaves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DbtTest:
    """A data test of dbt.

    Parameters
    ----------
    kind
        The generic test's name, with its package in front: ``unique``, ``dbt_utils.accepted_range``; ``sql`` for one
        that is a query of its own.
    column
        The column it is about; empty for the whole table.
    arguments
        What the test was given.
    where
        A condition on the rows it looks at; empty for all.
    enforced
        Whether a failure is an error to dbt.
    refers
        The id of the table that a relationship leads to.
    sql
        The compiled query of a test of its own; empty where the manifest has none.
    reads
        Ids of the tables it looks at.
    """

    name: str
    kind: str
    column: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    enforced: bool = True
    refers: str = ""
    sql: str = ""
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DbtTable:
    """Something dbt has built in the database. ``final`` ones are read by no other model."""

    id: str
    name: str
    file: str
    kind: str
    path: tuple[str, ...]
    relation: str
    description: str
    columns: Mapping[str, str]
    tests: tuple[DbtTest, ...] = ()
    tags: tuple[str, ...] = ()
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DbtProject:
    """A dbt project: its name, its adapter, its tables, and the tests that are queries of their own."""

    name: str
    adapter: str
    folder: Path
    tables: tuple[DbtTable, ...]
    queries: tuple[DbtTest, ...]


def read_manifest(folder: Path) -> DbtProject:
    """Read what a dbt project has built.

    Parameters
    ----------
    folder
        The dbt project's folder.

    Raises
    ------
    SourceError
        There is no manifest, or it is not one.
    """
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SourceError(
            f"{folder} has no {MANIFEST}", hint="run `dbt build` (or `dbt compile`) there first, or name a dbt project"
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SourceError(f"{path} is not JSON: {error}", hint="run `dbt compile` again") from None
    try:
        return _project(raw, folder)
    except (KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{path} is not a dbt manifest that is understood: {error!r} is missing or of another kind",
            hint="manifests of dbt 1.5 to 1.12 (version 9 to 12) are read",
        ) from None


def choose(project: DbtProject, patterns: Sequence[str]) -> tuple[DbtTable, ...]:
    """The tables that patterns name, by name or ``tag:NAME``; the final ones without a pattern.

    Raises
    ------
    BindError
        A pattern names none.
    """
    if not patterns:
        return tuple(table for table in project.tables if table.final and table.kind != "seed")
    wanted: dict[str, DbtTable] = {}
    for pattern in patterns:
        found = [table for table in project.tables if _matches(table, pattern)]
        if not found:
            hint = did_you_mean(pattern, [table.name for table in project.tables])
            raise BindError(f"the dbt project {project.name} has no table {pattern}", hint=hint)
        wanted |= {table.id: table for table in found}
    return tuple(table for table in project.tables if table.id in wanted)


def _matches(table: DbtTable, pattern: str) -> bool:
    tag = pattern.removeprefix("tag:")
    if tag != pattern:
        return tag in table.tags
    return fnmatch.fnmatchcase(name_key(table.name), name_key(pattern))


def _project(raw: Mapping[str, Any], folder: Path) -> DbtProject:
    nodes: Mapping[str, Any] = raw["nodes"]
    tests = [_test(node) for node in nodes.values() if node["resource_type"] == "test"]
    read = {
        parent
        for node in nodes.values()
        if node["resource_type"] in ("model", "snapshot")
        for parent in (node.get("depends_on") or {}).get("nodes", ())
    }
    tables = [_table(key, node, final=key not in read) for key, node in nodes.items() if _is_built(node)]
    own: dict[str, list[DbtTest]] = {}
    for node, test in zip((n for n in nodes.values() if n["resource_type"] == "test"), tests, strict=True):
        if test.kind != "sql":
            own.setdefault(str(node.get("attached_node") or next(iter(test.reads), "")), []).append(test)
    return DbtProject(
        name=str(raw["metadata"]["project_name"]),
        adapter=str(raw["metadata"]["adapter_type"]),
        folder=folder,
        tables=tuple(replace(table, tests=tuple(own.get(table.id, ()))) for table in tables),
        queries=tuple(test for test in tests if test.kind == "sql"),
    )


def _is_built(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] in ("model", "seed", "snapshot") and node["config"].get("materialized") in BUILT


def _table(key: str, node: Mapping[str, Any], *, final: bool) -> DbtTable:
    parts = (node.get("database"), node.get("schema"), node.get("alias") or node["name"])
    return DbtTable(
        id=key,
        name=str(node.get("alias") or node["name"]),
        file=str(node.get("original_file_path", "")),
        kind=str(node["config"]["materialized"]),
        path=tuple(str(part) for part in parts if part),
        relation=str(node.get("relation_name") or ""),
        description=str(node.get("description") or ""),
        columns={column["name"]: str(column.get("description") or "") for column in node.get("columns", {}).values()},
        tags=tuple(node.get("tags") or ()),
        final=final,
    )


def _test(node: Mapping[str, Any]) -> DbtTest:
    about = node.get("test_metadata") or {}
    space = about.get("namespace")
    given = about.get("kwargs") or {}
    arguments = {key: value for key, value in given.items() if key not in ("model", "column_name")}
    reads = tuple((node.get("depends_on") or {}).get("nodes", ()))
    config = node["config"]
    # Other thresholds than "any row fails" say that some failures are let through: that is a warning here.
    strict = (config.get("error_if") or "!= 0") == "!= 0"
    own = str(node.get("attached_node") or "")
    return DbtTest(
        name=node["name"],
        kind=".".join(filter(None, (space, about["name"]))) if about else "sql",
        column=str(given.get("column_name") or node.get("column_name") or ""),
        arguments=arguments,
        where=str(config.get("where") or ""),
        enforced=str(config.get("severity") or "error").lower() == "error" and strict,
        refers=next((read for read in reads if read != own), ""),
        sql=str(node.get("compiled_code") or "").strip() if not about else "",
        reads=reads,
    )
