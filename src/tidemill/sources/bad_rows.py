"""Rows of a source that were not loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tidemill.core.columns import HIDDEN
from tidemill.core.errors import SourceError, Where

# Bad rows that are told one by one when there are too many of them.
SHOWN_BAD_ROWS = 1_000
_QUOTED = re.compile(r"'.*'", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that was not loaded: where it stands, why, and its text.

    Parameters
    ----------
    column
        The column that is wrong; '' when the row as a whole is.
    """

    file: str
    line: int
    column: str
    reason: str
    raw: str


def without_values(rows: Sequence[BadRow], columns: frozenset[str]) -> tuple[BadRow, ...]:
    """Bad rows of a table some of whose columns hold personal data: where they stand, and not what they say.

    Parameters
    ----------
    columns
        Keys of these columns; nothing is hidden when there are none.
    """
    if not columns:
        return tuple(rows)
    return tuple(replace(row, raw=HIDDEN, reason=_QUOTED.sub(HIDDEN, row.reason)) for row in rows)


class BadRowsError(SourceError):
    """More rows of a source are bad than may be: nothing is loaded."""

    rows: tuple[BadRow, ...] = ()
    advice: str = ""

    @classmethod
    def of(cls, rows: Sequence[BadRow], count: int, limit: int, *, good: int, advice: str) -> BadRowsError:
        """The error for so many bad rows.

        Parameters
        ----------
        rows
            The first of them.
        good
            How many rows beside them are good.
        advice
            What to do where most rows are bad: to leave them out would leave out the table.
        """
        shown = "; ".join(f"line {row.line} of {row.file}: {row.reason}" for row in rows[:3])
        more = f"; and {count - 3:,} more" if count > 3 else ""
        first = rows[0]
        text = first.raw.splitlines()[0][:200] if first.raw else ""
        keep = f"mend the file, or let OPTIONS (max_bad_rows = {count}) keep such rows apart in tidemill.rejects"
        error = cls(
            f"{count:,} bad row{'s' * (count != 1)}, where at most {limit:,} may be: {shown}{more}",
            where=Where(file=first.file, line=first.line, column=1, length=max(1, min(len(text), 100)), text=text),
            hint=keep if count <= good else advice,
            bad_rows=count,
            limit=limit,
            good_rows=good,
        )
        error.rows, error.advice = tuple(rows), advice
        return error

    def hiding(self, columns: frozenset[str]) -> BadRowsError:
        """The error without what stands in the rows; with no such columns as it is."""
        if not columns:
            return self
        rows, facts = without_values(self.rows, columns), self.facts
        return BadRowsError.of(rows, facts["bad_rows"], facts["limit"], good=facts["good_rows"], advice=self.advice)
