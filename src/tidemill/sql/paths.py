"""Dotted names of what stands where a table may stand."""

from __future__ import annotations

from typing import Any

from sqlglot import exp  # noqa: TID253

from tidemill.sql.parse_errors import PlacedError, placed


def behind_name(table: exp.Table, parser: Any) -> tuple[int, int]:
    """Where the name of a table ends, and what was read of it."""
    stop = parser._prev.end + 1
    behind = parser.source_text.text[name_stop(table, parser) : stop]
    return stop - len(behind.lstrip()), stop


def name_stop(table: exp.Table, parser: Any) -> int:
    """Where the name of a table ends."""
    ends: list[int] = [part.meta["end"] + 1 for part in table.parts if "end" in part.meta]
    return max(ends) if ends else int(parser._prev.end + 1)


def path_of(table: exp.Expr | None, parser: Any = None) -> str:
    """The dotted name of a table expression, without the project; for a parser, nothing else may stand there."""
    if not isinstance(table, exp.Table):
        if parser is not None:
            raise placed(parser, "Expected a name")
        return ""
    if parser is not None and any(table.args.get(part) for part in ("when", "version", "changes", "pivots")):
        start, stop = behind_name(table, parser)
        raise PlacedError(f"unexpected '{parser.source_text.text[start:stop][:40]}' behind a name", start, stop)
    parts = [part.name for part in table.parts if part.name]
    return ".".join(parts[-2:])


def made_path_of(table: exp.Expr | None, parser: Any) -> tuple[str, str]:
    """The dotted name under which something is made, and what stands in front of it: a BigQuery project, or ''."""
    name = path_of(table, parser)
    assert isinstance(table, exp.Table)  # noqa: S101 - or it was refused
    return name, full_path_of(table).removesuffix(name).rstrip(".")


def full_path_of(table: exp.Table) -> str:
    """The dotted name of a table as it is written: its first part may be a BigQuery project, or a connection."""
    return ".".join(part.name for part in table.parts if part.name)
