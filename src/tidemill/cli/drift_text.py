"""A comparison of two sets of rows on a terminal of a hundred columns."""

from __future__ import annotations

import textwrap

from tidemill.analysis.drift.report import ColumnDrift, DriftReport, head_lines, told_p
from tidemill.cli.words import duration, paint
from tidemill.core.words import count

WIDTH = 100
NAME = 24
MOST_COLUMNS = 100
FIGURES = (("psi", "PSI"), ("jensen_shannon", "distance"), ("wasserstein", "by sd"), ("missing", "missing"),
           ("new_values", "new"))  # fmt: skip


def describe(report: DriftReport, *, colour: bool = False) -> str:
    """The report as a person reads it."""
    sizes = f"{count(report.reference_rows, 'row')}, {count(report.rows, 'row')} against it"
    lines = [paint(_cut(f"{report.reference}: {sizes}", WIDTH), "1", when=colour)]
    for told in head_lines(report):
        lines += textwrap.wrap(told, WIDTH, initial_indent="  ", subsequent_indent="    ")
    shown = report.columns[:MOST_COLUMNS]
    if shown:
        wide = min(NAME, max([len(column.name) for column in shown] + [6]))
        head = f"{'column':<{wide}}  {'type':<6}" + "".join(f" {word:>9}" for _, word in FIGURES)
        lines += ["", paint(f"{head}  {'p-value':>8}  moved", "2", when=colour)]
        lines += [_line(column, wide, colour=colour) for column in shown]
    if len(report.columns) > len(shown):
        lines.append(f"  … and {count(len(report.columns) - len(shown), 'more column')}")
    lines += ["", f"took {duration(report.seconds)}; --json has every distance, --html FILE draws both"]
    return "\n".join(lines)


def _line(column: ColumnDrift, wide: int, *, colour: bool) -> str:
    figures = "".join(f" {_figure(column, name):>9}" for name, _ in FIGURES)
    moved = ", ".join(column.moved)
    text = f"{_cut(column.name, wide):<{wide}}  {column.type:<6}{figures}  {told_p(column.p_value):>8}  {moved}"
    return paint(text.rstrip(), "33", when=colour and bool(moved))


def _figure(column: ColumnDrift, name: str) -> str:
    value = column.value(name)
    if value is None:
        return "-"
    if name in ("missing", "new_values"):
        return f"{value:+.1%}" if name == "missing" else f"{value:.1%}"
    return f"{value:.3f}" if value < 1000 else f"{value:.2e}"


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split()) or text
    return text if len(text) <= width else f"{text[: width - 1]}…"
