"""A query made ready to run: engine SQL, and the ML calls cut out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tidemill.core.errors import Where
from tidemill.core.source_tables import SourceTable


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCall:
    """One ``ML.F(MODEL m, data, settings)``, cut out of a query.

    Parameters
    ----------
    relation
        The name under which the query reads the call's rows (``tm_call_0``, unique in one bound query tree).
    function
        Canonical name: ``ML.PREDICT``.
    model
        The model's name, or '' for a function without one.
    version
        The version of the model by number or alias, or None for the newest.
    inputs
        The bound data queries, in order (none, one, or two).
    settings
        The settings given, validated against the function's table row: names lower-case, defaults filled in.
    arguments
        Positional literal arguments that are not settings (the thresholds array of ML.ROC_CURVE).
    wanted
        Casefolded names of the output columns the surrounding query can see, or None when it may see all of them.
    where
        The place of the call in the user's text.
    model_where
        The place of the model's name in it.
    """

    relation: str
    function: str
    model: str = ""
    version: int | str | None = None
    inputs: tuple[BoundQuery, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[Any, ...] = ()
    wanted: frozenset[str] | None = None
    where: Where | None = None
    model_where: Where | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundQuery:
    """Engine SQL that reads tables, files and the relations of its calls.

    ``ordered`` says that the engine returns the rows of this query in the same order each time: a projection or
    filter of one table or file, without joins, grouping, set operations, sampling or calls. ``sources`` are the tables
    of connections that it reads, also through views; ``tables`` are those of the lake.
    """

    sql: str
    calls: tuple[BoundCall, ...] = ()
    tables: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    ordered: bool = False
    sources: tuple[SourceTable, ...] = ()
    where: Where | None = None
