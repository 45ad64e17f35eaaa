"""What an ML function is: a row of facts. `sql.functions` holds the rows, `runner.dispatch` binds them to code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tidemill.model_types.base import Option, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class MLFunction:
    """One ``ML.*`` / ``AI.*`` / ``VECTOR_SEARCH`` function.

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
