"""A profile on a terminal of a hundred columns."""

from __future__ import annotations

import textwrap

from tidemill.analysis.profile.result import Association, ColumnProfile, Notice, Profile
from tidemill.analysis.profile.words import (
    MEASURE_WORDS,
    distinct_word,
    head_lines,
    missing_word,
    strongest,
    summary,
    type_word,
)
from tidemill.cli.words import duration, paint
from tidemill.core.words import count

WIDTH = 100
NAME = 24
MOST_COLUMNS = 100
MOST_PAIRS = 10


def describe(profile: Profile, *, colour: bool = False) -> str:
    """The profile as a person reads it."""
    head = f"{profile.name}: {count(profile.rows, 'row')}, {count(len(profile.columns), 'column')}"
    lines = [paint(_cut(head, WIDTH), "1", when=colour)]
    for told in head_lines(profile):
        lines += textwrap.wrap(told, WIDTH, initial_indent="  ", subsequent_indent="    ")
    lines += ["", *_columns(profile, colour=colour)]
    if profile.notices:
        lines += ["", paint("Warnings", "1", when=colour)]
        for notice in profile.notices[: 2 * MOST_COLUMNS]:
            lines += _notice(notice, colour=colour)
        lines += _more(len(profile.notices) - 2 * MOST_COLUMNS, "warning")
    if profile.label:
        pairs = strongest(profile.associations, label=profile.label, least=0.1)
        lines += _pairs(f"Goes with the label {profile.label}", pairs, colour=colour)
    lines += _pairs("Go together", strongest(profile.associations), colour=colour)
    lines += ["", f"took {duration(profile.seconds)}; --json has all of it, --html FILE draws it"]
    return "\n".join(lines)


def _columns(profile: Profile, *, colour: bool) -> list[str]:
    shown = profile.columns[:MOST_COLUMNS]
    names = min(NAME, max([len(column.name) for column in shown] + [6]))
    types = min(9, max([len(type_word(column)) for column in shown] + [4]))
    left = WIDTH - names - types - 29
    head = f"{'column':<{names}}  {'type':<{types}}  {'missing':>11} {'distinct':>11}  values"
    return [
        paint(head, "2", when=colour),
        *(_column(column, names, types, left) for column in shown),
        *_more(len(profile.columns) - len(shown), "column"),
    ]


def _column(column: ColumnProfile, names: int, types: int, left: int) -> str:
    cells = f"{_cut(column.name, names):<{names}}  {_cut(type_word(column), types):<{types}}"
    return f"{cells}  {missing_word(column):>11} {distinct_word(column):>11}  {summary(column, left)}".rstrip()


def _notice(notice: Notice, *, colour: bool) -> list[str]:
    name = f"{_cut(notice.column, 40)} " if notice.column else ""
    wrapped = textwrap.wrap(f"{name}{notice.text}", WIDTH - 2, subsequent_indent="  ", break_long_words=True)
    text = "\n  ".join(wrapped)
    weighty = notice.name in ("leak", "personal_data", "duplicates")
    return ["  " + (paint(text, "33", when=colour) if weighty else text)]


def _pairs(title: str, pairs: list[Association], *, colour: bool) -> list[str]:
    if not pairs:
        return []
    rows = [(f"{_cut(pair.left, 32)} and {_cut(pair.right, 32)}", pair) for pair in pairs[:MOST_PAIRS]]
    wide = max(len(text) for text, _ in rows)
    lines = [f"  {text:<{wide}}  {pair.value:6.2f}  {MEASURE_WORDS[pair.measure]}" for text, pair in rows]
    return ["", paint(title, "1", when=colour), *lines, *_more(len(pairs) - MOST_PAIRS, "pair")]


def _more(number: int, what: str) -> list[str]:
    return [f"  … and {count(number, f'more {what}')}"] if number > 0 else []


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split()) or text
    return text if len(text) <= width else f"{text[: width - 1]}…"
