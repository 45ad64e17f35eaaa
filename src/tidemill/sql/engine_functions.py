"""Which functions the engine has, so that a statement can be judged without running it.

``duckdb_functions.txt`` holds the names of one DuckDB version; a test compares it with the engine that is installed
and says how to write it anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

from sqlglot import errors as sqlglot_errors  # noqa: TID253
from sqlglot import exp, parse_one  # noqa: TID253

from tidemill.core.farm import SQL_FUNCTIONS
from tidemill.sql.depth import deep_stack
from tidemill.sql.dialects import generate

# Said like functions, but part of the grammar.
GRAMMAR = frozenset(
    """
    all any array case cast coalesce collate columns cube exists extract grouping grouping_id grouping_sets if ifnull in
    interval lambda map not overlay position rollup row some struct substring trim try try_cast values
    """.split()  # noqa: SIM905 - a list of words reads best as one
)
_CALL = re.compile(r'"?([A-Za-z_][A-Za-z0-9_]*)"?\(')


@lru_cache(maxsize=1)
def engine_functions() -> frozenset[str]:
    """Lower-case names of the engine's functions, and of those a warehouse adds to them."""
    text = files("tidemill.sql").joinpath("duckdb_functions.txt").read_text(encoding="utf-8")
    return frozenset([*text.split(), *SQL_FUNCTIONS])


def missing_functions(sql: str) -> Iterator[str]:
    """Names of functions in engine SQL that the engine does not have, each once, as they are written.

    SQL that sqlglot cannot read again is taken to be right.
    """
    try:
        with deep_stack():
            names = [_name_of(node) for node in parse_one(sql, dialect="duckdb").find_all(exp.Func)]
    except (sqlglot_errors.SqlglotError, RecursionError):
        return
    seen: set[str] = set()
    for name in names:
        key = name.lower()
        if key and key not in seen and key not in GRAMMAR and key not in engine_functions():
            yield name
        seen.add(key)


def _name_of(node: exp.Func) -> str:
    if isinstance(node, exp.Anonymous):
        return node.name
    if isinstance(node, exp.Connector | exp.Cast | exp.Case):  # operators, that may hold much below them
        return ""
    found = _CALL.match(generate(node, "duckdb"))
    return found.group(1) if found else ""
