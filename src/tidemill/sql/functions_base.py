"""What a function of ours is: a row of facts. `sql.functions` holds the rows, `runner.dispatch` binds them to code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tidemill.model_types.base import Option, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A call of a scalar function: what stands in its parentheses, and the value as text (None for NULL)."""

    given: str
    gives: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableExample:
    """Rows before (``VALUES ...`` under the names of ``columns``), a call, and what it gives for each row as text.

    A table function reads them as the table ``t`` and gives rows.
    """

    columns: tuple[str, ...]
    rows: str
    call: str
    gives: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MLFunction:
    """One ``ML.*`` / ``AI.*`` / ``VECTOR_SEARCH`` function of BigQuery ML, or one ``CLEAN.*`` function.

    Parameters
    ----------
    kind
        ``table`` (stands where a table may), ``scalar`` (in an expression), ``analytic`` (scalar with OVER()).
    model
        ``required``, ``optional`` or ``none``.
    inputs
        Least and most number of data arguments (TABLE x or subquery).
    arguments
        Least and most number of positional arguments that are neither model, nor data, nor settings.
    settings
        The settings it takes, as STRUCT fields or named arguments.
    output
        One line: the columns it returns.
    window
        What OVER() of an analytic function may hold: nothing, PARTITION BY, or ORDER BY as well.
    examples
        Calls and what they give; tests run them, the docs show them.
    version
        Its meaning's number, see `sql.function_versions`.
    """

    name: str
    kind: Literal["table", "scalar", "analytic"]
    doc: str
    url: str
    output: str = ""
    model: Literal["required", "optional", "none"] = "none"
    inputs: tuple[int, int] = (0, 0)
    arguments: tuple[int, int] = (0, 0)
    settings: tuple[Option, ...] = ()
    status: Status = "supported"
    reason: str = ""
    window: Literal["", "partition", "order"] = ""
    examples: tuple[Example | TableExample, ...] = ()
    version: int = 1
