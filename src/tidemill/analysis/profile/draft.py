"""Facts of one column while they come together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tidemill.analysis.profile.statistics import finite_facts, is_finite
from tidemill.analysis.table import Column, Table


@dataclass(slots=True)
class Draft:
    """Facts of one column while they come together."""

    column: Column
    facts: dict[str, Any]
    sampled: set[str] = field(default_factory=set)
    approximate: set[str] = field(default_factory=set)

    def look_for_finite(self, table: Table, *, always: bool = False) -> None:
        """See to it that the smallest and the largest value are finite."""
        if self.column.kind not in ("number", "date", "time"):
            return
        ends = [self.facts["min"], self.facts["max"]]
        self.facts |= {"nan": 0, "infinite": 0}
        if always or not all(map(is_finite, ends)):
            self.facts |= finite_facts(table, self.column)
        if not self.column.is_float:
            del self.facts["nan"]
            if self.column.kind == "number":
                del self.facts["infinite"]

    @property
    def filled(self) -> bool:
        """Whether there is a finite value to look at."""
        return self.facts.get("min") is not None

    def count_distinct(self, table: Table) -> None:
        """Count the different values, unless they are counted or estimated already."""
        if self.column.kind != "bool" and "distinct" not in self.facts:
            self.facts["distinct"] = int(table.first([f"count(DISTINCT {self.column.sql})"])[0])
