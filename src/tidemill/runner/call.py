"""What an ML function is given: its model, its data arguments and its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.analysis.table import Table
    from tidemill.core.errors import Where
    from tidemill.core.rows import Rows
    from tidemill.registry.versions import LoadedModel


class Input(Protocol):
    """A data argument of an ML function: a query whose rows are read when they are asked for."""

    @property
    def schema(self) -> pa.Schema:
        """The columns of the data query itself."""

    def rows(
        self,
        *,
        select: Sequence[str] | None = None,
        computed: Mapping[str, str] | None = None,
        rows_per_batch: int = 65_536,
    ) -> Rows:
        """Rows of the query, re-readable.

        Parameters
        ----------
        select
            Names of the input's columns to keep, in this order; None keeps all of them, an empty sequence none.
        computed
            New columns, after the kept ones: name to SQL expression, in the engine's dialect, over the input's
            columns.
        rows_per_batch
            How many rows a batch holds at most.
        """

    def table(self) -> Table:
        """The rows as a table whose columns can be counted one by one; copied unless they are stored so already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """One call of an ML function, ready to run.

    ``settings`` are validated, with defaults filled in; ``wanted`` are the casefolded names of the output columns
    that the surrounding query can see, or None when it may see all; ``threads`` is how many the function may use.
    ``many`` says whether the rows count as many to a scorer (`serving.scorer.MANY_ROWS`) when they are the rest of
    others; None lets it look.
    """

    function: str
    model: LoadedModel | None = None
    inputs: tuple[Input, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[Any, ...] = ()
    wanted: frozenset[str] | None = None
    where: Where | None = None
    threads: int = 1
    many: bool | None = None


TableFunction = Callable[[FunctionCall], "Rows"]
