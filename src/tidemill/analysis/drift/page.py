"""A comparison as one HTML page that stands alone: both distributions of each column side by side."""

from __future__ import annotations

from tidemill.analysis.distributions import outer
from tidemill.analysis.documents.charts import paired_bars, paired_columns
from tidemill.analysis.documents.document import Block, Code, Document, Figure, Grid, Panel, Section, Text, plain
from tidemill.analysis.documents.html import as_html
from tidemill.analysis.drift.report import ColumnDrift, DriftReport, head_lines, told_p
from tidemill.analysis.profile.times import as_time
from tidemill.analysis.profile.words import number
from tidemill.core.names import is_query

SHOWN = ("psi", "jensen_shannon", "chi_square", "kolmogorov_smirnov", "wasserstein", "missing", "new_values")
LONGEST_NAME = 60  # of what is compared: a query may be a page long
MOST_PANELS = 300
MOST_BARS = 12


def as_page(report: DriftReport) -> str:
    """Write the page."""
    lines = [plain(line) for line in head_lines(report)]
    document = Document(
        title=f"{_named(report.current)} against {_named(report.reference)}",
        lead=". ".join(line[:1].upper() + line[1:] for line in lines) + ".",
        facts=(
            ("reference", f"{report.reference_rows:,} rows"),
            ("compared", f"{report.rows:,} rows"),
            ("columns", f"{len(report.columns):,}"),
            ("moved", f"{len(report.moved):,}"),
        ),
        sections=(
            Section(title="Columns, the farthest first", blocks=_overview(report)),
            Section(title="Column by column", blocks=_panels(report)),
            *_queries(report),
        ),
    )
    return as_html(document)


def _named(name: str) -> str:
    return "a query" if is_query(name) else _cut(name, LONGEST_NAME)


def _queries(report: DriftReport) -> list[Section]:
    """The text of queries, which would be no title."""
    named = (("The reference:", report.reference), ("What was compared with it:", report.current))
    blocks = [
        block for what, name in named if is_query(name) for block in (Text(text=what), Code(text=name, language="sql"))
    ]
    return [Section(title="Queries", blocks=tuple(blocks))] if blocks else []


def _overview(report: DriftReport) -> tuple[Block, ...]:
    rows = tuple(
        (
            plain(column.name),
            column.type,
            ", ".join(column.moved) or "-",
            *(_told(column.value(name)) for name in ("psi", "jensen_shannon", "wasserstein", "missing", "new_values")),
            _told_p(column.p_value),
        )
        for column in report.columns
    )
    head = ("column", "type", "moved", "PSI", "distance", "by deviations", "missing", "new", "p-value")
    says = (
        "A column moved when a distance is at least what matters in practice and no chance: the p-values of all "
        "distances together call a column moved in one comparison of a hundred with nothing wrong. Distance is that of "
        "Jensen and Shannon, from 0 to 1."
    )
    return (Grid(columns=head, rows=rows), Text(text=says))


def _told_p(value: float | None) -> str:
    """On one line: what is less than a bound is not broken before it."""
    return told_p(value).replace(" ", "\u00a0")


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _panels(report: DriftReport) -> tuple[Block, ...]:
    panels = tuple(_panel(column) for column in report.columns[:MOST_PANELS])
    left = len(report.columns) - len(panels)
    return (*panels, *((Text(text=f"{left:,} more columns stand in the JSON only."),) if left > 0 else ()))


def _panel(column: ColumnDrift) -> Panel:
    notes = ["Its values are hidden: personal data, as declared."] if column.hidden else []
    if column.current.examples and column.value("new_values"):
        shown = ", ".join(f"`{plain(_cut(text))}`" for text in column.current.examples)
        notes.append(f"New values, such as {shown}.")
    facts = [
        (one.distance.name.replace("_", " "), f"{one.value:.3g}, p\u00a0{_told_p(one.p_value)}")
        for one in column.found
        if one.distance.name in SHOWN
    ]
    for word, of in (("mean", "mean"), ("smallest", "low"), ("largest", "high")):
        pair = (getattr(column.reference, of), getattr(column.current, of))
        if None not in pair:
            facts.append((f"{word}, then and now", " → ".join(_value(column.kind, one) for one in pair)))
    return Panel(
        title=column.name,
        kind=", ".join(column.moved) or "has not moved",
        facts=tuple(facts),
        notes=tuple(notes),
        blocks=() if column.hidden and column.kind != "text" else (_figure(column),),
    )


def _value(kind: str, value: float) -> str:
    return as_time(value * 1e6) if kind == "time" else number(value)


def _figure(column: ColumnDrift) -> Figure:
    names, old, new = _texts(column) if column.kind == "text" else _bins(column)
    missing = [_share(one.missing, one.rows) for one in (column.reference, column.current)]
    if any(missing) or not names:
        names, old, new = [*names, "missing"], [*old, missing[0]], [*new, missing[1]]
    draw = paired_bars if column.kind == "text" else paired_columns
    grid = Grid(columns=("value", "reference", "compared"), rows=tuple(zip(names, old, new, strict=True)))
    svg = draw(f"Distributions of {column.name}", names, old, new)
    return Figure(title="Share of rows: reference in grey, compared rows in colour", svg=svg, grid=grid)


def _bins(column: ColumnDrift) -> tuple[list[str], list[float], list[float]]:
    """Each bin as wide as another: quantiles stand near where rows are, and a long tail hides nothing."""
    if not column.reference.edges:
        return [], [], []
    ends = [[_value(column.kind, end) for end in pair] for pair in outer(column.reference)]
    names = [" to ".join(dict.fromkeys(pair)) for pair in ends]
    names[0] = f"up to {_value(column.kind, column.reference.edges[0])}"
    names[-1] = f"above {_value(column.kind, column.reference.edges[-1])}"
    kept = [
        (name, _share(a, column.reference.rows), _share(b, column.current.rows))
        for name, a, b in zip(names, column.reference.bins, column.current.bins, strict=True)
        if a or b
    ]
    return [name for name, _, _ in kept], [a for _, a, _ in kept], [b for _, _, b in kept]


def _texts(column: ColumnDrift) -> tuple[list[str], list[float], list[float]]:
    """The most frequent of both, and all others together."""
    old, new = column.reference, column.current
    shares = [
        (value, _share(a, old.rows), _share(b, new.rows))
        for value, a, b in zip(old.values, old.counts, new.counts, strict=True)
    ]
    shares.sort(key=lambda one: -max(one[1], one[2]))
    kept, rest = shares[:MOST_BARS], shares[MOST_BARS:]
    names = [_cut(value) or "(empty)" for value, _, _ in kept]
    olds, news = [a for _, a, _ in kept], [b for _, _, b in kept]
    if rest or not old.complete:
        names.append("others")
        olds.append(sum(a for _, a, _ in rest) + (0.0 if old.complete else _share(old.other, old.rows)))
        news.append(sum(b for _, _, b in rest) + (0.0 if old.complete else _share(new.other, new.rows)))
    if old.complete and new.other:
        names.append("new values")
        olds.append(0.0)
        news.append(_share(new.other, new.rows))
    return names, olds, news


def _share(part: int, rows: int) -> float:
    return part / rows if rows else 0.0


def _cut(text: str, most: int = 40) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
