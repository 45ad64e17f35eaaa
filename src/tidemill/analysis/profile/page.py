"""A profile as one HTML page that stands alone: charts as SVG, no script, nothing fetched, every value escaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidemill.analysis.documents.charts import bar_chart, heat_chart, histogram_chart
from tidemill.analysis.documents.document import Block, Bullets, Document, Figure, Grid, Panel, Section, Text, plain
from tidemill.analysis.documents.html import as_html
from tidemill.analysis.profile.notices import share
from tidemill.analysis.profile.result import ColumnProfile, Histogram, Profile
from tidemill.analysis.profile.times import as_time
from tidemill.analysis.profile.words import (
    MEASURE_WORDS,
    distinct_word,
    head_lines,
    missing_word,
    number,
    strongest,
    summary,
    type_word,
)
from tidemill.core.words import count

MOST_PANELS = 300
MOST_LISTED = 500
MOST_PAIRS = 25
MOST_SQUARE = 24
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHOWN = 60


def as_page(profile: Profile) -> str:
    """Write the page."""
    cells = profile.rows * len(profile.columns)
    missing = sum(column.nulls for column in profile.columns)
    facts = [("rows", f"{profile.rows:,}"), ("columns", f"{len(profile.columns):,}"),
             ("missing cells", share(missing, cells) if missing else "none"),
             ("repeated rows", "not counted" if profile.duplicates is None else f"{profile.duplicates:,}")]  # fmt: skip
    if profile.label:
        facts.append(("label", profile.label))
    document = Document(
        title=profile.name,
        lead=". ".join(line[:1].upper() + line[1:] for line in map(plain, head_lines(profile))) + ".",
        facts=tuple(facts),
        sections=tuple(section for section in _sections(profile) if section.blocks),
    )
    return as_html(document)


def _sections(profile: Profile) -> list[Section]:
    return [
        Section(title="Warnings", blocks=_warnings(profile)),
        Section(title="Columns", blocks=(_overview(profile),) if profile.columns else ()),
        Section(title=f"What goes with {plain(profile.label)}", blocks=_with_label(profile)),
        Section(title="What goes together", blocks=_together(profile)),
        Section(title="Column by column", blocks=_panels(profile)),
    ]


def _warnings(profile: Profile) -> tuple[Block, ...]:
    if not profile.notices:
        return (Text(text="None."),)
    listed = profile.notices[:MOST_LISTED]
    items = tuple(f"{f'**{plain(one.column)}** ' if one.column else ''}{plain(one.text)}" for one in listed)
    more = len(profile.notices) - len(listed)
    return (Bullets(items=items), *((Text(text=f"And {more:,} more."),) if more else ()))


def _overview(profile: Profile) -> Grid:
    listed = profile.columns[:MOST_LISTED]
    left = len(profile.columns) - len(listed)
    return Grid(
        columns=("column", "type", "missing", "distinct", "values"),
        rows=tuple(
            (
                plain(column.name),
                type_word(column),
                missing_word(column),
                distinct_word(column),
                plain(" ".join(summary(column, 60).split())),
            )
            for column in listed
        ),
        caption=f"The first {MOST_LISTED} of {len(profile.columns):,}." if left else "",
    )  # fmt: skip


def _with_label(profile: Profile) -> tuple[Block, ...]:
    if not profile.label:
        return ()
    pairs = strongest(profile.associations, label=profile.label, least=0.0)[:MOST_PAIRS]
    bars = [(pair.right if pair.left == profile.label else pair.left, abs(pair.value)) for pair in pairs]
    blocks: list[Block] = []
    if bars:
        svg = bar_chart(f"What goes with {profile.label}", bars, told=lambda value: f"{value:.2f}")
        blocks.append(Figure(title="Strongest measure of each column, sign apart", svg=svg, grid=_grid(bars)))
    return tuple(blocks) or (Text(text="No other column does."),)


def _together(profile: Profile) -> tuple[Block, ...]:
    pairs = strongest(profile.associations)[:MOST_PAIRS]
    rows = tuple(
        (plain(pair.left), plain(pair.right), MEASURE_WORDS[pair.measure], f"{pair.value:.2f}", f"{pair.rows:,}")
        for pair in pairs
    )
    blocks: list[Block] = []
    names, square = _square(profile)
    if len(names) >= 2:
        title = "Correlation of numbers, rows without a value in either left out"
        blocks.append(
            Figure(title=title, svg=heat_chart(title, names, square), grid=Grid(columns=("column",), rows=()))
        )
    if rows:
        blocks.append(Grid(columns=("column", "and", "measure", "value", "rows"), rows=rows))
    return tuple(blocks)


def _square(profile: Profile) -> tuple[list[str], list[list[float | None]]]:
    found = {(one.left, one.right): one.value for one in profile.associations if one.measure == "pearson"}
    paired = {name for pair in found for name in pair}
    names = [column.name for column in profile.columns if column.name in paired][:MOST_SQUARE]
    return names, [
        [1.0 if left == right else found.get((left, right), found.get((right, left))) for right in names]
        for left in names
    ]


def _panels(profile: Profile) -> tuple[Block, ...]:
    panels = tuple(_panel(column, profile) for column in profile.columns[:MOST_PANELS])
    left = len(profile.columns) - len(panels)
    return (*panels, *((Text(text=f"{left:,} more columns stand in the JSON only."),) if left > 0 else ()))


def _panel(column: ColumnProfile, profile: Profile) -> Panel:
    notes = tuple(plain(one.text) for one in profile.notices if one.column == column.name)
    return Panel(title=column.name, kind=column.type, facts=_facts(column), notes=notes, blocks=_drawn(column))


def _facts(column: ColumnProfile) -> tuple[tuple[str, str], ...]:
    facts = column.facts
    found = [("is", plain(column.description))] if column.description else []
    found += [("missing", missing_word(column)), ("distinct", distinct_word(column))]
    for name, word in (
        ("min", "smallest"),
        ("max", "largest"),
        ("mean", "mean"),
        ("sd", "deviation"),
        ("skew", "skewness"),
    ):
        if facts.get(name) is not None:
            found.append((word, number(facts[name])))
    if "quantiles" in facts:
        listed = facts["quantiles"]
        found += [("median", number(listed["0.5"])),
                  ("middle half", f"{number(listed['0.25'])} to {number(listed['0.75'])}"),
                  ("5 % to 95 %", f"{number(listed['0.05'])} to {number(listed['0.95'])}")]  # fmt: skip
    for name in ("zeros", "negatives", "nan", "infinite", "empty", "blank", "padded", "future"):
        if facts.get(name):
            found.append((name, f"{facts[name]:,}"))
    if facts.get("length", {}).get("min") is not None:
        found.append(("characters", f"{facts['length']['min']:,} to {facts['length']['max']:,}"))
    if facts.get("granularity"):
        found.append(("by", facts["granularity"]))
    if facts.get("gaps"):
        gaps = facts["gaps"]
        found.append((f"{gaps['unit']}s without rows", f"{gaps['missing']:,} of {gaps['of']:,}"))
    for name, word in (("items_mean", "items, mean"), ("items_max", "items, most"), ("bytes_mean", "bytes, mean")):
        if facts.get(name) is not None:
            found.append((word, number(facts[name])))
    found += [("declared to hold", f"personal data: {column.declared}")] if column.declared else []
    found += [(f"looks like {one.kind}", share(one.share, 1)) for one in column.suspects]
    return tuple(found)


def _drawn(column: ColumnProfile) -> tuple[Bullets | Grid | Figure, ...]:
    facts = column.facts
    found: list[Bullets | Grid | Figure] = []
    if isinstance(facts.get("histogram"), Histogram) and column.distinct > 1:
        found.append(_histogram(column, facts["histogram"]))
    if column.kind not in ("number", "date", "time") and facts.get("top"):
        tail = " in the sample" if "top" in column.sampled else ""
        bars = [(_cut(value.value), float(value.rows)) for value in facts["top"]]
        found.append(_bars(f"Most frequent{tail}", bars))
    if facts.get("patterns") and column.distinct > len(facts.get("top", ())):
        bars = [(_cut(value.value), float(value.rows)) for value in facts["patterns"][:5]]
        found.append(_bars("Shapes", bars))
    if facts.get("weekdays") and facts.get("granularity") not in ("month", "year"):
        counts = facts["weekdays"]
        found.append(_columns("By weekday", [day[:3] for day in WEEKDAYS], counts))
    if facts.get("hours") and facts.get("granularity") != "day":
        found.append(_columns("By hour (UTC)", [f"{hour}:00" for hour in range(24)], facts["hours"]))
    return tuple(found)


def _histogram(column: ColumnProfile, histogram: Histogram) -> Figure:
    times = column.kind in ("date", "time")
    labels = [as_time(edge) if times else number(edge) for edge in histogram.edges]
    outside = [f"{count(histogram.below, 'row')} below"] if histogram.below else []
    outside += [f"{count(histogram.above, 'row')} above"] if histogram.above else []
    title = "Distribution" + (f" (not drawn: {', '.join(outside)})" if outside else "")
    svg = histogram_chart(f"Distribution of {column.name}", histogram.edges, histogram.counts, labels)
    return Figure(title=title, svg=svg, grid=_grid(list(zip(labels, map(float, histogram.counts), strict=False))))


def _bars(title: str, bars: list[tuple[str, float]]) -> Figure:
    return Figure(title=title, svg=bar_chart(title, bars, told=lambda value: f"{value:,.0f}"), grid=_grid(bars))


def _columns(title: str, names: Sequence[str], counts: Sequence[int]) -> Figure:
    edges = [float(place) for place in range(len(counts) + 1)]
    svg = histogram_chart(title, edges, counts, [*names, ""])
    return Figure(title=title, svg=svg, grid=_grid(list(zip(names, map(float, counts), strict=True))))


def _grid(bars: Sequence[tuple[str, float]]) -> Grid:
    return Grid(columns=("value", "rows"), rows=tuple(bars))


def _cut(value: Any) -> str:
    text = " ".join(str(value).split()) or repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
