"""How to say what other tools have names for: a row for each, which the documentation shows and the tests carry out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to say something, with rows that hold and rows that do not.

    Parameters
    ----------
    names
        What others call it; of TFDV's anomalies the thing that must not happen.
    clause
        What stands in the column list of table t: a column with its type and constraints, or a constraint of the table.
    options
        What stands in OPTIONS of table t.
    assertion
        What stands behind ASSERT.
    columns
        The columns of the rows.
    holds, breaks
        Rows as VALUES has them, or a query. Another table, other (a), holds 'x' and 'y'.
    before
        Rows of the version before.
    stops
        Whether the rows that break it cannot even be read as the table says: the error comes before any check.
    note
        What else there is to know; why it has no meaning here, where nothing is said.
    """

    names: tuple[str, ...]
    clause: str = ""
    options: str = ""
    assertion: str = ""
    columns: str = "a"
    holds: str = ""
    breaks: str = ""
    before: str = ""
    stops: bool = False
    note: str = ""

    @property
    def say(self) -> str:
        """The words of the statement."""
        if self.assertion:
            return f"ASSERT {self.assertion}"
        return f"OPTIONS ({self.options})" if self.options and not self.clause else self.clause


# Rows to compare distributions with, as queries.
NORMAL = "SELECT sin(i * i)::DOUBLE AS a FROM range(2000) AS r (i)"
MOVED = "SELECT sin(i * i)::DOUBLE + 1 AS a FROM range(2000) AS r (i)"
WORDS = "SELECT 'abc'[1 + i % 3] AS a FROM range(3000) AS r (i)"
SKEWED = "SELECT 'abc'[1 + (i % 10) // 8] AS a FROM range(3000) AS r (i)"
