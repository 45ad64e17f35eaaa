"""How much of the dirt the statements of this project remove: their tables against the clean copies of the benchmark.

    python score.py [PROJECT]

Definitions, as in Raha (Mahdavi et al., SIGMOD 2019) and Baran (Mahdavi and Abedjan, PVLDB 13, 2020): a cell is an
error where the dirty and the clean file differ; a repair is a cell that the project's table has otherwise than the
dirty file; a repair is right where it says what the clean file says.
precision = right repairs of errors / repairs; recall = right repairs of errors / errors.

Cells are equal when their texts are, or when both are the same number; NULL is the empty text, and a time is written as
the files write it (7:10 a.m.). The clean files are read here alone: no statement of the project sees them.
"""

from __future__ import annotations

import csv
import datetime as dt
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tidemill

PAIRS = {"hospitals": "hospital", "beers": "beers", "flights": "flights", "articles": "rayyan"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Counts of cells of one data set."""

    cells: int
    errors: int
    repairs: int
    right: int

    @property
    def precision(self) -> float:
        """Right repairs by repairs."""
        return self.right / self.repairs if self.repairs else 1.0

    @property
    def recall(self) -> float:
        """Right repairs by errors."""
        return self.right / self.errors

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def text(value: Any) -> str:
    """A cell as the files write it."""
    if value is None:
        return ""
    if isinstance(value, dt.time):
        return f"{(value.hour + 11) % 12 + 1}:{value.minute:02} {'a' if value.hour < 12 else 'p'}.m."
    return str(value)


def same(left: str, right: str) -> bool:
    """Whether two cells say the same."""
    if left == right:
        return True
    try:
        return float(left) == float(right)
    except ValueError:
        return False


def read(path: Path) -> list[list[str]]:
    """The rows of a CSV file, below its header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def score(dirty: list[list[str]], clean: list[list[str]], ours: list[list[str]]) -> Score:
    """Compare three files cell by cell, by position."""
    cells = [cell for lines in zip(dirty, clean, ours, strict=True) for cell in zip(*lines, strict=True)]
    errors = [not same(was, right) for was, right, _ in cells]
    repairs = [not same(was, became) for was, _, became in cells]
    hits = [same(right, became) for _, right, became in cells]
    return Score(
        cells=len(cells),
        errors=sum(errors),
        repairs=sum(repairs),
        right=sum(e and r and h for e, r, h in zip(errors, repairs, hits, strict=True)),
    )


def scores(project: Path) -> dict[str, Score]:
    """The scores of a project that was run, by data set."""
    found = {}
    with tidemill.open(project) as opened:
        for table, name in PAIRS.items():
            dirty = read(project / "data" / f"raha_{name}_dirty.csv")
            clean = read(project / "data" / f"raha_{name}_clean.csv")
            rows = opened.sql(f"SELECT * FROM {table}").fetchall()
            ours = {str(row[0]): [text(value) for value in row] for row in rows}
            found[name] = score(dirty, clean, [ours[line[0]] for line in dirty])
    return found


def main() -> None:
    """Print the scores of a project."""
    project = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    print(f"{'':10}{'cells':>7}{'errors':>8}{'repairs':>9}{'right':>7}{'precision':>11}{'recall':>8}{'F1':>7}")
    for name, row in scores(project).items():
        counts = f"{row.cells:>7}{row.errors:>8}{row.repairs:>9}{row.right:>7}"
        print(f"{name:10}{counts}{row.precision:>11.3f}{row.recall:>8.3f}{row.f1:>7.3f}")


if __name__ == "__main__":
    main()
