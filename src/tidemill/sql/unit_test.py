"""A test of one statement, as plain data: rows for what it reads, and the rows that must come out."""

from __future__ import annotations

from dataclasses import dataclass

from tidemill.sql.statements import Query, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Rows for something that the statement reads.

    Parameters
    ----------
    kind
        ``table`` (or view), ``file``, or ``call``: what an ML function gives.
    name
        Its name; of a call the function's.
    model
        The model of a call.
    columns
        Names of the query's columns, from the first on; empty when it names them itself.
    query
        The rows; None for none at all.
    """

    kind: str
    name: str
    model: str = ""
    columns: tuple[str, ...] = ()
    query: Query | None = None

    @property
    def shown(self) -> str:
        """As it is written in a test."""
        if self.kind == "call":
            return f"{self.name}(MODEL {self.model})" if self.model else self.name
        return f"'{self.name}'" if self.kind == "file" else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The rows that must come out, of some columns or all; ``cte`` names a WITH clause instead of the result."""

    cte: str = ""
    columns: tuple[str, ...] = ()
    query: Query | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTest:
    """One test.

    Parameters
    ----------
    of
        The table, view or model whose statement is tested.
    now
        What the current time is for the statement, in ISO 8601; '' for what it is.
    failing
        The checks of the statement that must fail on the rows; empty for none may, None for not looking.
    """

    name: str
    source: Source
    of: str
    now: str = ""
    given: tuple[Given, ...] = ()
    expected: tuple[Expected, ...] = ()
    failing: tuple[str, ...] | None = None
