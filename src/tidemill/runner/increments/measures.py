"""The columns that an incremental table's options name, and values of them as engine SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.errors import BindError
from tidemill.core.names import did_you_mean, name_key, quote_name, quote_text
from tidemill.runner.increments.deltas import Shape
from tidemill.runner.placing import place_of_option

if TYPE_CHECKING:
    from tidemill.sql.incremental import Incremental
    from tidemill.sql.statements import CreateTable
    from tidemill.warehouse.protocol import Column, Session

# Types whose values stand in one order, which a text brings back exactly.
_ORDERED = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "DECIMAL",
            "FLOAT", "DOUBLE", "DATE", "TIMESTAMP", "TIME", "VARCHAR", "UUID")  # fmt: skip
_UNBOUNDED = ("FLOAT", "DOUBLE", "DATE", "TIMESTAMP")
_TIMES = ("DATE", "TIMESTAMP")
_NO_DISTANCE = ("TIME ", "VARCHAR", "UUID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What the options name, found among the columns of the rows."""

    statement: CreateTable
    rule: Incremental
    columns: tuple[Column, ...]
    session: Session

    def shape(self, relation: str, *, engine: str) -> Shape:
        """The columns that decide, in engine SQL.

        Raises
        ------
        BindError
            There is no such column, its values have no order, or the condition cannot be read.
        """
        column = ""
        if self.rule.column:
            found = self._column(self.rule.column, "incremental_by")
            if not found.type.startswith(_ORDERED) or found.type.endswith("]"):
                raise BindError(
                    f"incremental_by names {found.name}, which is of type {found.type}",
                    where=place_of_option(self.statement, "incremental_by"),
                    hint="name a column of numbers, dates, times or text that grows with what is new",
                )
            column = quote_name(found.name)
        gone = self._gone(relation, engine=engine)
        return Shape(keys=tuple(map(quote_name, self.keys())), column=column, gone=gone)

    def keys(self) -> tuple[str, ...]:
        """The key's columns, as the rows have them."""
        return tuple(self._column(name, "unique_key").name for name in self.rule.keys)

    def literal(self, text: str) -> str:
        """A value of the incremental column, as engine SQL."""
        return f"CAST({quote_text(text)} AS {self.kind})"

    def low(self, watermark: str) -> str:
        """Engine SQL of the value from which on rows are read; '' reads all.

        Raises
        ------
        BindError
            LOOKBACK is of another kind than the column.
        """
        if not watermark:
            return ""
        literal, lookback, kind = self.literal(watermark), self.rule.lookback, self.kind
        if lookback is None:
            return literal
        back = f"INTERVAL {quote_text(lookback)}" if isinstance(lookback, str) else str(lookback)
        if kind.startswith(_TIMES) != isinstance(lookback, str) or kind.startswith(_NO_DISTANCE) or kind == "TIME":
            raise BindError(
                f"lookback = {lookback!r} cannot be taken from {self.rule.column}, which is of type {kind}",
                where=place_of_option(self.statement, "lookback"),
                hint="write an interval such as '3 days' for dates and times, a number for numbers",
            )
        ((low,),) = self.session.fetch(f"SELECT CAST(CAST({literal} - {back} AS {kind}) AS VARCHAR)")
        return self.literal(low)

    def watermark(self, relation: str, shape: Shape, before: str) -> tuple[str, int]:
        """The greatest value, that of the rows from before included, as text; and how many rows have none."""
        if not shape.column:
            return "", 0
        only = f" FILTER (WHERE isfinite({shape.column}))" if self.kind.startswith(_UNBOUNDED) else ""
        greatest = f"max({shape.column}){only}"
        if before:
            greatest = f"greatest({greatest}, {self.literal(before)})"
        sql = f"SELECT CAST({greatest} AS VARCHAR), count(*) FILTER (WHERE {shape.column} IS NULL) FROM {relation}"
        ((value, missing),) = self.session.fetch(sql)
        return value or "", int(missing)

    @property
    def kind(self) -> str:
        """The type of the incremental column."""
        return self._column(self.rule.column, "incremental_by").type

    def _column(self, name: str, option: str) -> Column:
        found = next((column for column in self.columns if name_key(column.name) == name_key(name)), None)
        if found is None:
            raise BindError(
                f"{option} names {name}, which the query does not have",
                where=place_of_option(self.statement, option),
                hint=did_you_mean(name, [column.name for column in self.columns]),
            )
        return found

    def _gone(self, relation: str, *, engine: str) -> str:
        if not self.rule.deleted_when:
            return ""
        from tidemill.sql.row_condition import engine_condition

        where = place_of_option(self.statement, "deleted_when")
        condition = engine_condition(self.rule.deleted_when, self.statement.source.dialect, engine, where=where)
        try:
            self.session.schema(f"SELECT 1 AS ok FROM {relation} WHERE {condition}")
        except BindError as error:
            error.where = where
            raise
        return condition
