"""A bound query made runnable: each ML call becomes a relation whose rows come from its function."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tidemill.core.errors import NotFoundError
from tidemill.core.names import quote_name
from tidemill.core.rows import Rows
from tidemill.runner.call import FunctionCall, TableFunction
from tidemill.sql.bound import BoundCall, BoundQuery

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tidemill.analysis.table import Table
    from tidemill.registry.versions import LoadedModel
    from tidemill.warehouse.protocol import ArrowStream, Session

# All columns of one table, or of Parquet files.
_STORED = re.compile(r"""SELECT \* FROM (("[^"]+"|\w+)(\.("[^"]+"|\w+))*|'[^']+\.parquet')""", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a query needs to run: a session, models by name, functions by name."""

    session: Session
    load_model: Callable[[str, int | str | None], LoadedModel]
    functions: Mapping[str, TableFunction]
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuery:
    """Engine SQL with its relations opened: ready to be queried or staged."""

    sql: str
    relations: dict[str, ArrowStream]


class QueryInput:
    """A data argument of an ML function, over a session (`runner.call.Input`)."""

    def __init__(self, query: OpenQuery, session: Session) -> None:
        self._query = query
        self._session = session

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of the data query itself."""
        return self._session.schema(self._query.sql, self._query.relations)

    def rows(
        self,
        *,
        select: Sequence[str] | None = None,
        computed: Mapping[str, str] | None = None,
        rows_per_batch: int = 65_536,
    ) -> Rows:
        """Rows of the query, with only the selected columns and the computed ones after them."""
        sql, relations, session = self._query.sql, self._query.relations, self._session
        if select is not None or computed:
            kept = ["*"] if select is None else [quote_name(name) for name in select]
            new = [f"{expression} AS {quote_name(name)}" for name, expression in (computed or {}).items()]
            # A query of no columns still has rows: a constant carries their number.
            sql = f"SELECT {', '.join([*kept, *new]) or '1 AS tm_row'} FROM ({sql}\n) AS tm_input"  # fmt: skip

        def batches() -> Iterator[pa.RecordBatch]:
            return iter(session.query(sql, relations, rows_per_batch=rows_per_batch))

        schema = self.schema if sql == self._query.sql else session.schema(sql, relations)
        return Rows(schema, batches)

    def table(self) -> Table:
        """The rows as a table whose columns can be counted one by one; copied unless they are stored so already."""
        from tidemill.analysis.table import open_table

        stored = not self._query.relations and bool(_STORED.fullmatch(self._query.sql.strip()))
        return open_table(self._session, self._query.sql, self._query.relations, stored=stored)


def open_query(bound: BoundQuery, context: Context) -> OpenQuery:
    """Open the calls of a bound query, innermost first. No row is read yet."""
    relations: dict[str, ArrowStream] = {call.relation: _open_call(call, context) for call in bound.calls}
    return OpenQuery(sql=context.session.localised(bound.sql), relations=relations)


def _open_call(call: BoundCall, context: Context) -> Rows:
    inputs = tuple(QueryInput(open_query(query, context), context.session) for query in call.inputs)
    function = context.functions[call.function]
    return function(
        FunctionCall(
            function=call.function,
            model=_load_model(call, context) if call.model else None,
            inputs=inputs,
            settings=call.settings,
            arguments=call.arguments,
            wanted=call.wanted,
            where=call.where,
            threads=context.threads,
        )
    )


def _load_model(call: BoundCall, context: Context) -> LoadedModel:
    """The model a call names, in the version it names."""
    try:
        return context.load_model(call.model, call.version)
    except NotFoundError as error:
        if error.where is None:
            error.where = call.model_where or call.where
        raise
